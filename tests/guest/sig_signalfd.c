/* signalfd: reading, several at once, polling, changing the mask, what a child sees. */
#include "guest.h"
int main(void) {
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1), sigaddset(&m, SIGUSR2), sigaddset(&m, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &m, NULL);
  int fd = MUST(signalfd(-1, &m, SFD_NONBLOCK | SFD_CLOEXEC));
  SHOW(fcntl(fd, F_GETFD));
  struct signalfd_siginfo si[4];
  SHOW(read(fd, si, sizeof si));
  struct pollfd pf = {fd, POLLIN, 0};
  SHOW(poll(&pf, 1, 0));
  kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR1);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7}), sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 8});
  SHOW(poll(&pf, 1, 0));
  SHOW(read(fd, si, sizeof si[0] - 1));
  ssize_t n = read(fd, si, sizeof si + 5);
  say("records %d", (int)(n / (int)sizeof si[0]));
  for (int i = 0; i < n / (int)sizeof si[0]; i++)
    say("%s code %d int %d pid %s", signame(si[i].ssi_signo), si[i].ssi_code, si[i].ssi_int, si[i].ssi_pid == (uint32_t)getpid() ? "right" : "WRONG");
  SHOW(read(fd, si, sizeof si));
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  YES(signalfd(fd, &one, 0) == fd);
  kill(getpid(), SIGUSR1);
  SHOW(poll(&pf, 1, 0));
  kill(getpid(), SIGUSR2);
  SHOW(poll(&pf, 1, 0));
  SHOW(signalfd(0, &one, 0));
  SHOW(signalfd(99, &one, 0));
  SHOW(signalfd(-1, &one, 1));
  CHILD("reads its own signals") {
    SHOW(read(fd, si, sizeof si));
    kill(getpid(), SIGUSR2);
    n = read(fd, si, sizeof si);
    say("own: %s", si[0].ssi_pid == (uint32_t)getpid() ? "yes" : "no");
  }
  fcntl(fd, F_SETFL, 0);
  n = read(fd, si, sizeof si);
  say("%s", signame(si[0].ssi_signo));
  pid_t p = fork();
  if (!p) {
    wait_state(getppid(), 'S');
    kill(getppid(), SIGUSR2);
    _exit(0);
  }
  n = read(fd, si, sizeof si);
  YES(si[0].ssi_pid == (uint32_t)p);
  reap("sender", p);
  SHOW(write(fd, si, 8));
}
