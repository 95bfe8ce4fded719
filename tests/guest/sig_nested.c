/* Nested handlers: sa_mask, SA_NODEFER, SA_RESETHAND, order of several pending. */
#include "guest.h"
static int level, raised;
static void h(int s) {
  int l = ++level;
  say("enter %s level %d", signame(s), l);
  if (s == SIGUSR1 && l < 3 && raised++ < 4)
    raise(SIGUSR1);
  if (s == SIGUSR2 && l < 3) {
    raise(SIGHUP);
    say("after raise HUP");
  }
  say("leave %s level %d", signame(s), l);
  level--;
}
static void quiet(int s) {
  sigset_t m;
  sigprocmask(SIG_BLOCK, NULL, &m);
  say("%s, blocked: USR1 %d USR2 %d HUP %d TERM %d", signame(s), sigismember(&m, SIGUSR1), sigismember(&m, SIGUSR2),
      sigismember(&m, SIGHUP), sigismember(&m, SIGTERM));
}
int main(void) {
  say("deferred");
  on_signal(SIGUSR1, h, 0);
  raise(SIGUSR1);
  say("SA_NODEFER");
  raised = 0;
  on_signal(SIGUSR1, h, SA_NODEFER);
  raise(SIGUSR1);
  say("another inside");
  on_signal(SIGUSR2, h, 0);
  on_signal(SIGHUP, h, 0);
  raise(SIGUSR2);
  say("masked inside");
  struct sigaction sa = {.sa_handler = h};
  sigaddset(&sa.sa_mask, SIGHUP);
  sigaction(SIGUSR2, &sa, NULL);
  raise(SIGUSR2);
  say("reset");
  on_signal(SIGTERM, quiet, SA_RESETHAND);
  raise(SIGTERM);
  sigaction(SIGTERM, NULL, &sa);
  say("now %s", sa.sa_handler == SIG_DFL ? "default" : "still set");
  on_signal(SIGTERM, quiet, SA_RESETHAND | SA_NODEFER);
  raise(SIGTERM);
  sa = (struct sigaction){.sa_handler = quiet};
  sigfillset(&sa.sa_mask);
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  quiet(0);
  say("several pending");
  sigset_t m, old;
  sigfillset(&m);
  sigprocmask(SIG_SETMASK, &m, &old);
  on_signal(SIGUSR1, h, 0), on_signal(SIGUSR2, h, 0), on_signal(SIGHUP, h, 0);
  level = 5;
  raise(SIGUSR2), raise(SIGHUP), raise(SIGUSR1);
  sigprocmask(SIG_SETMASK, &old, NULL); /* each frame is pushed on the one before: the last pushed runs first */
}
