/* pidfd_open, pidfd_send_signal, pidfd_getfd, polling a pidfd. */
#include "guest.h"
static long po(pid_t p, unsigned f) { return syscall(SYS_pidfd_open, p, f); }
static long ps(int fd, int sig) { return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0); }
int main(void) {
  SHOW(po(1 << 20, 0));
  SHOW(po(-1, 0));
  SHOW(po(getpid(), 0x1000000));
  int q[2];
  pipe(q);
  pid_t p = fork();
  if (!p) {
    dup2(q[0], 50);
    write(q[1], "r", 1);
    for (;;)
      pause();
  }
  int fd = MUST(po(p, 0));
  SHOW(fcntl(fd, F_GETFD));
  struct pollfd pf = {fd, POLLIN, 0};
  SHOW(poll(&pf, 1, 0));
  SHOW(ps(fd, 0));
  SHOW(ps(fd, 65));
  SHOW(ps(0, SIGTERM));
  char c;
  while (read(q[0], &c, 1) != 1)
    ;
  write(q[1], "data", 4);
  int got = syscall(SYS_pidfd_getfd, fd, 50, 0);
  YES(got >= 0);
  char buf[8] = "";
  SHOW(read(got, buf, 4));
  say("%s", buf);
  SHOW(syscall(SYS_pidfd_getfd, fd, 77, 0));
  siginfo_t si;
  SHOW(waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG));
  /* A directory of /proc does as well, but only the process's own, and only here. */
  char dir[64];
  snprintf(dir, sizeof dir, "/proc/%d", p);
  int d = MUST(open(dir, O_RDONLY | O_DIRECTORY));
  SHOW(ps(d, 0));
  SHOW(syscall(SYS_pidfd_getfd, d, 50, 0));
  snprintf(dir, sizeof dir, "/proc/%d/fd", p);
  SHOW(ps(MUST(open(dir, O_RDONLY | O_DIRECTORY)), 0));
  SHOW(ps(fd, SIGTERM));
  SHOW(poll(&pf, 1, 5000));
  say("revents %x", pf.revents & POLLIN);
  SHOW(waitid(P_PIDFD, fd, &si, WEXITED));
  say("status %s", signame(si.si_status));
  SHOW(ps(fd, 0));
  SHOW(waitid(P_PIDFD, fd, &si, WEXITED));
  SHOW(read(fd, buf, 1));
  int ep = epoll_create1(0);
  p = fork();
  if (!p) {
    msleep(20);
    _exit(0);
  }
  fd = MUST(po(p, 0));
  struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 5};
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
  SHOW(epoll_wait(ep, &ev, 1, 5000));
  reap("polled", p);
}
