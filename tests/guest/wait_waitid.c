/* waitid: id types, WNOWAIT, siginfo of every kind of change. */
#include "guest.h"
static const char *code(int c) {
  return c == CLD_EXITED ? "EXITED" : c == CLD_KILLED ? "KILLED" : c == CLD_DUMPED ? "DUMPED" : c == CLD_STOPPED ? "STOPPED" : c == CLD_CONTINUED ? "CONTINUED" : "?";
}
static void show_si(const char *what, pid_t p, siginfo_t *si) {
  say("%s: signo %d code %s status %d pid %s uid %u", what, si->si_signo, code(si->si_code), si->si_status,
      si->si_pid == p ? "right" : "WRONG", si->si_uid);
}
int main(void) {
  siginfo_t si;
  SHOW(waitid(P_ALL, 0, &si, WEXITED));
  SHOW(waitid(P_ALL, 0, &si, 0));
  SHOW(waitid(P_ALL, 0, &si, WNOHANG));
  SHOW(waitid(77, 0, &si, WEXITED));
  SHOW(waitid(P_PID, 0, &si, WEXITED));
  pid_t p = fork();
  if (!p) {
    raise(SIGSTOP);
    _exit(33);
  }
  SHOW(waitid(P_PID, p, &si, WSTOPPED | WNOWAIT));
  show_si("stopped, left", p, &si);
  SHOW(waitid(P_PID, p, &si, WSTOPPED));
  show_si("stopped", p, &si);
  memset(&si, 0x55, sizeof si);
  SHOW(waitid(P_PID, p, &si, WSTOPPED | WEXITED | WNOHANG));
  say("nothing: signo %d pid %d", si.si_signo, si.si_pid);
  kill(p, SIGCONT);
  SHOW(waitid(P_PGID, getpgrp(), &si, WEXITED | WNOWAIT));
  show_si("exited, left", p, &si);
  SHOW(waitid(P_ALL, 0, &si, WCONTINUED | WNOHANG));
  SHOW(waitid(P_ALL, 0, &si, WEXITED));
  show_si("exited", p, &si);
  p = fork();
  if (!p) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  setpgid(p, p);
  kill(p, SIGSTOP);
  SHOW(waitid(P_PGID, p, &si, WSTOPPED));
  kill(p, SIGCONT);
  SHOW(waitid(P_PGID, p, &si, WCONTINUED));
  show_si("continued", p, &si);
  kill(p, SIGKILL);
  struct rusage ru;
  SHOW(syscall(SYS_waitid, P_PID, p, &si, WEXITED, &ru));
  show_si("killed", p, &si);
  p = fork();
  if (!p)
    _exit(0);
  SHOW(waitid(P_PID, p, NULL, WEXITED));
  SHOW(waitid(P_PIDFD, 99, &si, WEXITED));
  SHOW(waitid(P_PIDFD, 0, &si, WEXITED));
}
