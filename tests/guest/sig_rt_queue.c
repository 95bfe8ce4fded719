/* Real-time signals queue with their values, in order, lower numbers first; standard ones merge. */
#include "guest.h"
static void h(int s, siginfo_t *si, void *c) {
  say("%s value %d code %s", signame(s), si->si_value.sival_int, si->si_code == SI_QUEUE ? "QUEUE" : si->si_code == SI_USER ? "USER" : "other");
}
int main(void) {
  sigset_t m;
  sigfillset(&m);
  sigprocmask(SIG_SETMASK, &m, NULL);
  for (int i = 0; i < 4; i++)
    on_siginfo(SIGRTMIN + i, h, 0);
  on_siginfo(SIGUSR1, h, 0);
  for (int i = 0; i < 3; i++) {
    SHOW(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 20 + i}));
    SHOW(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
    SHOW(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1 + i}));
  }
  kill(getpid(), SIGRTMIN + 3);
  /* Handlers run with everything masked, so that each ends before the next starts. */
  for (int i = 0; i < 4; i++) {
    struct sigaction sa = {.sa_sigaction = h, .sa_flags = SA_SIGINFO};
    sigfillset(&sa.sa_mask);
    sigaction(SIGRTMIN + i, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
  }
  /* One at a time, as the kernel dequeues them. */
  siginfo_t si;
  struct timespec zero = {0, 0};
  for (int i = 0; i < 4; i++) {
    int s = sigtimedwait(&m, &si, &zero);
    say("dequeued %s %d", s > 0 ? signame(s) : ename(errno), si.si_value.sival_int);
  }
  sigemptyset(&m);
  for (int i = 3; i >= 0; i--) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + i);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
  }
  SHOW(sigqueue(getpid(), 65, (union sigval){0}));
  SHOW(sigqueue(getpid(), 0, (union sigval){0}));
  SHOW(sigqueue(1 << 20, SIGUSR1, (union sigval){0}));
  siginfo_t forged = {.si_signo = SIGRTMIN, .si_code = SI_USER};
  CHILD("forged code to another process") {
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &forged));
    forged.si_code = SI_TKILL;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &forged));
    forged.si_code = -77;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &forged));
  }
  CHILD("limit of queued signals") {
    become_user(4322);
    struct rlimit rl = {5, 5};
    setrlimit(RLIMIT_SIGPENDING, &rl);
    sigfillset(&m);
    sigprocmask(SIG_SETMASK, &m, NULL);
    for (int i = 0; i < 7; i++)
      say("queue %d: %s", i, sigqueue(getpid(), SIGRTMIN, (union sigval){i}) ? ename(errno) : "ok");
    say("a standard one: %s", kill(getpid(), SIGUSR1) ? ename(errno) : "ok");
  }
}
