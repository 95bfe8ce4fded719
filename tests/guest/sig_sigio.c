/* O_ASYNC: SIGIO, or the signal of F_SETSIG with its siginfo, to the owner. */
#include "guest.h"
static volatile int ios, rts, code, band_in, from;
static void io(int sig) {
  ios++;
}
static void rt(int sig, siginfo_t *si, void *uc) {
  rts++;
  code = si->si_code;
  band_in = (si->si_band & POLLIN) != 0;
  from = si->si_fd;
}
int main(void) {
  int p[2], s[2], on = 1;
  char c;
  pipe(p);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  on_signal(SIGIO, io, SA_RESTART);
  on_siginfo(SIGRTMIN, rt, SA_RESTART);
  SHOW(fcntl(p[0], F_SETOWN, getpid()));
  SHOW(fcntl(p[0], F_GETOWN) == getpid());
  write(p[1], "a", 1);
  say("before: %d", ios);
  SHOW(fcntl(p[0], F_SETFL, O_ASYNC));
  YES(fcntl(p[0], F_GETFL) & O_ASYNC);
  read(p[0], &c, 1);
  write(p[1], "a", 1);
  say("pipe: %d", ios);
  SHOW(fcntl(p[0], F_SETSIG, SIGRTMIN));
  read(p[0], &c, 1);
  write(p[1], "a", 1);
  say("signal %d, code %d, in %d, fd %s", rts, code, band_in, from == p[0] ? "right" : "WRONG");
  SHOW(fcntl(p[0], F_SETFL, 0));
  read(p[0], &c, 1);
  write(p[1], "a", 1);
  say("off: %d", rts);
  fcntl(s[0], F_SETOWN, -getpgrp());
  SHOW(ioctl(s[0], FIOASYNC, &on));
  ios = 0;
  write(s[1], "x", 1);
  say("socket: %s", ios ? "told" : "not told");
  SHOW(fcntl(p[1], F_SETFL, O_DIRECT));
  SHOW(fcntl(s[0], F_SETOWN, 999999));
  int f = open("f", O_RDWR | O_CREAT, 0600);
  SHOW(ioctl(f, FIOASYNC, &on));
  SHOW(fcntl(f, F_SETFL, O_ASYNC));
}
