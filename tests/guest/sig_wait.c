/* sigwaitinfo, sigtimedwait, sigsuspend, pause. */
#include "guest.h"
static void h(int s) { say("handler %s", signame(s)); }
int main(void) {
  sigset_t m, none;
  sigemptyset(&none);
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1), sigaddset(&m, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &m, NULL);
  siginfo_t si;
  struct timespec ts = {0, 20000000}, zero = {0, 0}, bad = {0, -1};
  SHOW(sigtimedwait(&m, &si, &zero));
  SHOW(sigtimedwait(&m, &si, &bad));
  int64_t t = now_ms();
  SHOW(sigtimedwait(&m, &si, &ts));
  YES(now_ms() - t >= 19);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
  kill(getpid(), SIGUSR1);
  YES(sigwaitinfo(&m, &si) == SIGUSR1);
  YES(si.si_code == SI_USER && si.si_pid == getpid());
  YES(sigwaitinfo(&m, &si) == SIGRTMIN);
  say("value %d", si.si_value.sival_int);
  SHOW(syscall(SYS_rt_sigtimedwait, &m, &si, &zero, 4));
  SHOW(syscall(SYS_rt_sigtimedwait, 8, &si, &zero, 8));
  on_signal(SIGUSR2, h, 0);
  on_signal(SIGUSR1, h, 0);
  pid_t p = fork();
  if (!p) {
    wait_state(getppid(), 'S');
    kill(getppid(), SIGUSR2);
    _exit(0);
  }
  SHOW(sigwaitinfo(&m, &si));
  reap("sender", p);
  kill(getpid(), SIGUSR1);
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGUSR1);
  SHOW(sigsuspend(&all));
  sigprocmask(SIG_BLOCK, NULL, &all);
  say("USR1 blocked again %d", sigismember(&all, SIGUSR1));
  p = fork();
  if (!p) {
    wait_state(getppid(), 'S');
    kill(getppid(), SIGRTMIN); /* waited for by a wait, although blocked */
    _exit(0);
  }
  YES(sigwaitinfo(&m, &si) == SIGRTMIN);
  reap("sender", p);
  p = fork();
  if (!p) {
    wait_state(getppid(), 'S');
    kill(getppid(), SIGUSR2);
    _exit(0);
  }
  SHOW(pause());
  reap("sender", p);
  SHOW(syscall(SYS_rt_sigsuspend, &none, 4));
}
