#include "standin.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void standin_block_signals(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
}

void standin_reset_signals(void) {
  sigset_t none;
  for (int s = 1; s < NSIG; s++)
    signal(s, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* No jansson here: a stand-in is to touch as little memory as it can. */
static void tell(int sock, const char *json) {
  char buf[4 + 64];
  uint32_t len = (uint32_t)strlen(json);
  memcpy(buf, &len, 4);
  memcpy(buf + 4, json, len);
  (void)!send(sock, buf, 4 + len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void forward(int sock, int sig) {
  char json[64];
  if (sig == SIGCHLD)
    return;
  if (sig == SIGWINCH) {
    tell(sock, "{\"op\":\"resize\"}");
    return;
  }
  snprintf(json, sizeof json, "{\"op\":\"signal\",\"signal\":%d}", sig);
  tell(sock, json);
}

struct inbox {
  char buf[256];
  size_t len;
  int status; /* -1: not told yet */
};

/* 0 at the end of the connection. */
static int read_exit(int sock, struct inbox *in) {
  ssize_t n = recv(sock, in->buf + in->len, sizeof in->buf - 1 - in->len, MSG_DONTWAIT);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  if (n == 0)
    return 0;
  in->len += (size_t)n;
  in->buf[in->len] = 0;
  uint32_t len;
  if (in->len >= 4) {
    memcpy(&len, in->buf, 4);
    if (len < sizeof in->buf - 5 && in->len >= 4 + len)
      sscanf(in->buf + 4, "{\"exit\":%d}", &in->status);
  }
  return in->len < sizeof in->buf - 1;
}

static int wait_sentry(pid_t sentry, int flags, int *status) {
  pid_t r;
  do
    r = waitpid(sentry, status, flags);
  while (r < 0 && errno == EINTR);
  return r == sentry;
}

int standin_wait(int sock, pid_t sentry) {
  struct inbox in = {.status = -1};
  int sentry_status = 0, gone = 0;
  sigset_t all;
  sigfillset(&all);
  int sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  struct pollfd pfd[2] = {{.fd = sfd, .events = POLLIN}, {.fd = sock, .events = POLLIN}};
  while (!gone) {
    if (poll(pfd, 2, -1) < 0 && errno != EINTR)
      break;
    struct signalfd_siginfo si;
    while (read(sfd, &si, sizeof si) == sizeof si)
      forward(sock, (int)si.ssi_signo);
    if (pfd[1].revents && !read_exit(sock, &in)) {
      if (!sentry)
        break;
      pfd[1].fd = -1; /* the Sentry ends in a moment */
    }
    if (!sentry)
      gone = in.status != -1;
    else
      gone = wait_sentry(sentry, WNOHANG, &sentry_status);
  }
  while (in.status == -1 && pfd[1].fd >= 0 && read_exit(sock, &in) && errno != EAGAIN)
    ;
  close(sfd);
  if (in.status != -1)
    return in.status;
  /* Not told: the Sentry died of something else, and what it stood for died with it. */
  return sentry ? sentry_status : SIGKILL;
}

void standin_die(int status) {
  if (!WIFSIGNALED(status))
    _exit(WEXITSTATUS(status));
  int sig = WTERMSIG(status);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0});
  standin_reset_signals();
  kill(getpid(), sig);
  /* A signal whose default action is not to end a process. */
  _exit(128 + sig);
}
