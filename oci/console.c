#include "console.h"
#include "standin.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int console_open(struct console *c, uint16_t rows, uint16_t cols, struct err *e) {
  char name[64];
  c->slave = -1;
  c->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (c->master < 0)
    return err_sys(e, errno, "open a pseudo-terminal");
  if (grantpt(c->master) || unlockpt(c->master) || ptsname_r(c->master, name, sizeof name) ||
      (c->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
    err_sys(e, errno, "open the slave of a pseudo-terminal");
    console_close(c);
    return -1;
  }
  if (rows && cols)
    ioctl(c->master, TIOCSWINSZ, &(struct winsize){.ws_row = rows, .ws_col = cols});
  return 0;
}

void console_close(struct console *c) {
  if (c->master >= 0)
    close(c->master);
  if (c->slave >= 0)
    close(c->slave);
  *c = (struct console){-1, -1};
}

int console_send(const char *path, int master, struct err *e) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  char name[] = "/dev/ptmx";
  struct iovec iov = {.iov_base = name, .iov_len = sizeof name - 1};
  union {
    struct cmsghdr h;
    char buf[CMSG_SPACE(sizeof(int))];
  } ctl = {0};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf, .msg_controllen = sizeof ctl.buf};
  if (strlen(path) >= sizeof a.sun_path)
    return err_set(e, "console socket %s: path is too long", path);
  strcpy(a.sun_path, path);
  int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0)
    return err_sys(e, errno, "socket");
  ctl.h = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(&ctl.h), &master, sizeof master);
  /* containerd accepts only after we have ended: nobody reads yet, and nobody will answer. */
  int rc = 0;
  if (connect(s, (struct sockaddr *)&a, sizeof a))
    rc = err_sys(e, errno, "connect to console socket %s", path);
  else if (sendmsg(s, &m, MSG_NOSIGNAL) < 0)
    rc = err_sys(e, errno, "send the terminal to console socket %s", path);
  close(s);
  return rc;
}

static void copy_size(int from, int to) {
  struct winsize w;
  if (!ioctl(from, TIOCGWINSZ, &w))
    ioctl(to, TIOCSWINSZ, &w);
}

static void write_all(int fd, const char *buf, ssize_t n) {
  while (n > 0) {
    ssize_t w = write(fd, buf, (size_t)n);
    if (w < 0 && errno == EAGAIN) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
      continue;
    }
    if (w < 0 && errno != EINTR)
      return;
    if (w > 0) {
      buf += w;
      n -= w;
    }
  }
}

/* False at the end of the source. */
static bool copy_some(int from, int to) {
  char buf[16384];
  ssize_t n = read(from, buf, sizeof buf);
  if (n < 0)
    return errno == EINTR || errno == EAGAIN;
  write_all(to, buf, n);
  return n > 0;
}

struct relay {
  int master, sfd;
  pid_t child;
  bool tty_in, ended;
  int status;
};

static void take_signals(struct relay *r) {
  struct signalfd_siginfo si;
  while (read(r->sfd, &si, sizeof si) == sizeof si) {
    int sig = (int)si.ssi_signo;
    if (sig == SIGCHLD) {
      if (waitpid(r->child, &r->status, WNOHANG) == r->child)
        r->ended = true;
    } else if (sig == SIGWINCH) {
      if (r->master >= 0)
        copy_size(STDIN_FILENO, r->master);
    } else if (sig != SIGPIPE && sig != SIGTTOU && sig != SIGTTIN) {
      kill(r->child, sig);
    }
  }
}

static void relay_loop(struct relay *r) {
  bool in_open = r->master >= 0, out_open = r->master >= 0;
  if (waitpid(r->child, &r->status, WNOHANG) == r->child)
    r->ended = true;
  while (!r->ended || out_open) {
    struct pollfd p[3] = {{.fd = r->sfd, .events = POLLIN},
                          {.fd = out_open ? r->master : -1, .events = POLLIN},
                          {.fd = in_open && !r->ended ? STDIN_FILENO : -1, .events = POLLIN}};
    /* After the end only what the pty still holds is of interest. */
    int n = poll(p, 3, r->ended ? 0 : -1);
    if (n == 0 || (n < 0 && errno != EINTR))
      break;
    if (p[0].revents)
      take_signals(r);
    if (p[1].revents)
      out_open = copy_some(r->master, STDOUT_FILENO);
    if (p[2].revents)
      in_open = copy_some(STDIN_FILENO, r->master);
  }
}

int console_relay(int master, pid_t child) {
  struct relay r = {.master = master, .child = child};
  struct termios saved, raw;
  sigset_t all;
  standin_block_signals();
  sigfillset(&all);
  r.sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  r.tty_in = master >= 0 && !tcgetattr(STDIN_FILENO, &saved);
  if (r.tty_in) {
    raw = saved;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    copy_size(STDIN_FILENO, master);
  }
  relay_loop(&r);
  if (r.tty_in)
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
  close(r.sfd);
  return r.status;
}
