#include "hooks.h"
#include "standin.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void child(const struct oci_hook *h, int in, int out, const char *cwd, pid_t netns_pid) {
  char path[64];
  const char *argv_default[] = {h->path, NULL};
  standin_reset_signals();
  if (netns_pid > 0) {
    snprintf(path, sizeof path, "/proc/%d/ns/net", netns_pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
      dprintf(out, "enter the container's network namespace: %s", strerror(errno));
      _exit(1);
    }
  }
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || (cwd && chdir(cwd))) {
    dprintf(out, "%s", strerror(errno));
    _exit(1);
  }
  /* As runc: no env in the configuration means the runtime's own. argv[0] is the hook's affair, Docker relies on it. */
  char **argv = (char **)(h->args.n ? h->args.v : argv_default);
  execve(h->path, argv, h->env.n ? (char **)h->env.v : environ);
  dprintf(2, "fork/exec %s: %s", h->path, strerror(errno));
  _exit(127);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Write the state and read what the hook says, without either side waiting for the other. False on a timeout. */
static bool talk(int in, int out, const char *text, char *said, size_t cap, int64_t timeout_s) {
  size_t len = strlen(text), done = 0, n = 0;
  int64_t end = timeout_s ? now_ms() + timeout_s * 1000 : -1;
  fcntl(in, F_SETFL, O_NONBLOCK);
  for (;;) {
    struct pollfd p[2] = {{.fd = out, .events = POLLIN}, {.fd = in, .events = POLLOUT}};
    int64_t left = end < 0 ? -1 : end - now_ms();
    if (end >= 0 && left <= 0)
      break;
    if (poll(p, in >= 0 ? 2 : 1, (int)(left > 1000000 ? 1000000 : left)) < 0 && errno != EINTR)
      break;
    if (in >= 0 && p[1].revents) {
      ssize_t w = write(in, text + done, len - done);
      if (w > 0)
        done += (size_t)w;
      if (done == len || (w < 0 && errno != EAGAIN)) {
        close(in); /* end of file: the hook reads all of it */
        in = -1;
      }
    }
    if (p[0].revents) {
      char buf[4096];
      ssize_t r = read(out, buf, sizeof buf);
      if (r <= 0)
        break;
      size_t take = (size_t)r < cap - 1 - n ? (size_t)r : cap - 1 - n;
      memcpy(said + n, buf, take);
      n += take;
    }
  }
  said[n] = 0;
  if (in >= 0)
    close(in);
  return end < 0 || now_ms() < end;
}

static int run_one(const struct oci_hook *h, const char *kind, size_t i, const char *text, const char *cwd,
                   pid_t netns_pid, struct err *e) {
  int in[2], out[2], status = 0;
  char said[1024];
  if (pipe2(in, O_CLOEXEC))
    return err_sys(e, errno, "pipe");
  if (pipe2(out, O_CLOEXEC)) {
    close(in[0]);
    close(in[1]);
    return err_sys(e, errno, "pipe");
  }
  pid_t pid = fork();
  if (pid == 0)
    child(h, in[0], out[1], cwd, netns_pid);
  close(in[0]);
  close(out[1]);
  if (pid < 0) {
    close(in[1]);
    close(out[0]);
    return err_sys(e, errno, "fork");
  }
  bool in_time = talk(in[1], out[0], text, said, sizeof said, h->timeout);
  close(out[0]);
  if (!in_time)
    kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  for (size_t n = strlen(said); n && (said[n - 1] == '\n' || said[n - 1] == ' '); n--)
    said[n - 1] = 0;
  if (!in_time)
    return err_set(e, "error running %s hook #%zu: timed out after %ld s", kind, i, (long)h->timeout);
  if (WIFSIGNALED(status))
    return err_set(e, "error running %s hook #%zu: signal: %d, stdout: , stderr: %s", kind, i, WTERMSIG(status), said);
  if (WEXITSTATUS(status))
    return err_set(e, "error running %s hook #%zu: exit status %d, stdout: , stderr: %s", kind, i, WEXITSTATUS(status),
                   said);
  return 0;
}

int hooks_run(const struct oci_hooks *h, const char *kind, json_t *state, const char *cwd, pid_t netns_pid,
              struct err *e) {
  int rc = 0;
  if (!h->n)
    return 0;
  char *text = json_dumps(state, JSON_COMPACT);
  if (!text)
    return err_set(e, "state cannot be written as JSON");
  for (size_t i = 0; i < h->n && !rc; i++)
    rc = run_one(&h->v[i], kind, i, text, cwd, netns_pid, e);
  free(text);
  return rc;
}
