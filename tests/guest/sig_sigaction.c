/* rt_sigaction: reading back, flags, errors, ignored signals vanish, sa_mask is cleaned. */
#include "guest.h"
static void h(int s) {}
struct ksigaction {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};
int main(void) {
  struct ksigaction k = {h, SA_RESTART, NULL, ~0UL}, old;
  SHOW(syscall(SYS_rt_sigaction, SIGKILL, &k, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGSTOP, &k, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGKILL, NULL, &old, 8));
  SHOW(syscall(SYS_rt_sigaction, 0, &k, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, 65, &k, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &k, NULL, 4));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &k, 8, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &k, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8));
  say("handler %s flags %lx mask %lx", old.handler == h ? "same" : "other", old.flags, old.mask);
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR2), sigaddset(&m, SIGCHLD);
  sigprocmask(SIG_BLOCK, &m, NULL);
  raise(SIGUSR2);
  signal(SIGUSR2, SIG_IGN); /* discards */
  sigset_t p;
  sigpending(&p);
  say("after SIG_IGN pending %d", sigismember(&p, SIGUSR2));
  raise(SIGUSR2);
  sigpending(&p);
  say("ignored but blocked: pending %d", sigismember(&p, SIGUSR2));
  raise(SIGCHLD);
  signal(SIGCHLD, SIG_DFL);
  sigpending(&p);
  say("default-ignored set to default: pending %d", sigismember(&p, SIGCHLD));
  YES(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
  YES(signal(SIGKILL, SIG_DFL) == SIG_ERR);
}
