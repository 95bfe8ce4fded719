/* siginfo of each sender: kill, tgkill, sigqueue, alarm, POSIX timers, children. */
#include "guest.h"
static siginfo_t last;
static volatile int got;
static void h(int s, siginfo_t *si, void *c) {
  last = *si;
  got = s;
}
static void await(void) {
  while (!got)
    msleep(1);
  got = 0;
}
int main(void) {
  for (int s = SIGUSR1; s <= SIGCHLD; s++)
    on_siginfo(s, h, SA_RESTART);
  on_siginfo(SIGRTMIN, h, SA_RESTART);
  kill(getpid(), SIGUSR1), await();
  say("kill: %s code %d errno %d", signame(last.si_signo), last.si_code, last.si_errno);
  YES(last.si_pid == getpid() && last.si_uid == getuid());
  syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2), await();
  say("tgkill: %s code %d", signame(last.si_signo), last.si_code);
  YES(last.si_pid == getpid());
  raise(SIGUSR1), await();
  say("raise: code %d", last.si_code);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = (void *)0x1234567890}), await();
  say("sigqueue: code %d value %lx", last.si_code, (long)last.si_value.sival_ptr);
  YES(last.si_pid == getpid());
  siginfo_t own = {.si_signo = SIGUSR1, .si_code = 777, .si_errno = 5};
  syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &own), await();
  say("own: code %d errno %d", last.si_code, last.si_errno);
  alarm(1), alarm(0);
  struct itimerval it = {{0}, {0, 1000}};
  setitimer(ITIMER_REAL, &it, NULL), await();
  say("itimer: %s code %d", signame(last.si_signo), last.si_code);
  timer_t t;
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 99};
  MUST(timer_create(CLOCK_MONOTONIC, &ev, &t));
  struct itimerspec its = {{0}, {0, 1000000}};
  timer_settime(t, 0, &its, NULL), await();
  say("timer: code %d value %d overrun %d", last.si_code, last.si_value.sival_int, last.si_overrun);
  pid_t p = fork();
  if (!p) {
    kill(getppid(), SIGUSR1);
    for (;;)
      pause();
  }
  await();
  YES(last.si_pid == p);
  kill(p, SIGSTOP), await();
  say("child: code %d status %d", last.si_code, last.si_status);
  YES(last.si_pid == p);
  kill(p, SIGCONT), await();
  say("child: code %d status %d", last.si_code, last.si_status);
  kill(p, SIGKILL), await();
  say("child: code %d status %d", last.si_code, last.si_status);
  reap("child", p);
  p = fork();
  if (!p) {
    setuid(1000);
    _exit(44);
  }
  await();
  say("child: code %d status %d uid %d", last.si_code, last.si_status, last.si_uid);
  YES(last.si_pid == p);
  reap("child", p);
}
