/* rt_sigprocmask: how, sizes, what cannot be blocked; delivery at unblock, lowest first. */
#include "guest.h"
static void h(int s) { say("handler %s", signame(s)); }
static void mask(const char *what) {
  sigset_t m;
  sigprocmask(SIG_BLOCK, NULL, &m);
  char buf[256] = "";
  for (int s = 1; s < 65; s++)
    if (sigismember(&m, s) > 0)
      sprintf(buf + strlen(buf), " %s", signame(s));
  say("%s:%s", what, buf);
}
int main(void) {
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1), sigaddset(&m, SIGUSR2), sigaddset(&m, SIGHUP), sigaddset(&m, SIGKILL), sigaddset(&m, SIGSTOP);
  for (int s = 1; s < 16; s++)
    if (s != SIGKILL)
      on_signal(s, h, 0);
  SHOW(sigprocmask(SIG_SETMASK, &m, NULL));
  mask("set");
  raise(SIGUSR2), raise(SIGUSR1), raise(SIGHUP), raise(SIGUSR1);
  sigset_t p;
  sigpending(&p);
  say("pending %d %d %d %d", sigismember(&p, SIGUSR1), sigismember(&p, SIGUSR2), sigismember(&p, SIGHUP), sigismember(&p, SIGINT));
  raise(SIGINT);
  sigemptyset(&p);
  sigaddset(&p, SIGUSR1), sigaddset(&p, SIGHUP);
  SHOW(sigprocmask(SIG_UNBLOCK, &p, NULL));
  mask("unblocked");
  SHOW(sigprocmask(SIG_BLOCK, &p, NULL));
  mask("blocked");
  SHOW(sigprocmask(77, &p, NULL));
  SHOW(sigprocmask(77, NULL, NULL));
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &p, NULL, 4));
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8));
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, 8, 8));
  SHOW(syscall(SYS_rt_sigpending, &p, 16));
  sigfillset(&m);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &m, NULL, 8);
  sigprocmask(SIG_BLOCK, NULL, &m);
  say("full: KILL %d STOP %d TERM %d RT32 %d", sigismember(&m, SIGKILL), sigismember(&m, SIGSTOP), sigismember(&m, SIGTERM),
      (int)(((unsigned long *)&m)[0] >> 31 & 1));
  CHILD("inherits the mask, not what is pending") {
    sigpending(&p);
    say("pending USR2 %d", sigismember(&p, SIGUSR2));
    sigprocmask(SIG_BLOCK, NULL, &m);
    say("TERM %d", sigismember(&m, SIGTERM));
  }
}
