/* sigaltstack: use, nesting, reporting, errors, SS_AUTODISARM, fork and threads. */
#include "guest.h"
static char a[65536], b[65536];
static bool on(char *stk, size_t n) {
  char here;
  return &here >= stk && &here < stk + n;
}
static void h(int s) {
  stack_t ss;
  sigaltstack(NULL, &ss);
  say("%s: on a %d on b %d, flags %s", signame(s), on(a, sizeof a), on(b, sizeof b),
      ss.ss_flags == SS_ONSTACK ? "ONSTACK" : ss.ss_flags == SS_DISABLE ? "DISABLE" : "0");
  stack_t n = {.ss_sp = b, .ss_size = sizeof b};
  say("change inside: %s", sigaltstack(&n, NULL) ? ename(errno) : "ok");
  if (s == SIGUSR1)
    raise(SIGUSR2);
}
static void *thread(void *arg) {
  stack_t ss;
  sigaltstack(NULL, &ss);
  say("in a new thread: %s", ss.ss_flags & SS_DISABLE ? "disabled" : "ENABLED");
  return NULL;
}
int main(void) {
  stack_t ss = {.ss_sp = a, .ss_size = sizeof a}, old;
  SHOW(sigaltstack(&ss, &old));
  say("before: %s", old.ss_flags & SS_DISABLE ? "disabled" : "enabled");
  SHOW(sigaltstack(NULL, &old));
  YES(old.ss_sp == a && old.ss_size == sizeof a && old.ss_flags == 0);
  on_signal(SIGUSR1, h, SA_ONSTACK);
  on_signal(SIGUSR2, h, SA_ONSTACK);
  raise(SIGUSR1);
  on_signal(SIGUSR2, h, 0);
  say("without SA_ONSTACK");
  raise(SIGUSR2);
  ss = (stack_t){.ss_sp = a, .ss_size = 100};
  SHOW(sigaltstack(&ss, NULL));
  ss = (stack_t){.ss_sp = a, .ss_size = sizeof a, .ss_flags = 64};
  SHOW(sigaltstack(&ss, NULL));
  SHOW(syscall(SYS_sigaltstack, 8, NULL));
  ss = (stack_t){.ss_sp = a, .ss_size = sizeof a, .ss_flags = 1 << 31};
  SHOW(sigaltstack(&ss, NULL));
  on_signal(SIGUSR1, h, SA_ONSTACK);
  say("autodisarm");
  raise(SIGUSR1);
  sigaltstack(NULL, &old);
  YES(old.ss_sp == a);
  YES(old.ss_flags == (int)(1u << 31));
  CHILD("kept over fork") {
    sigaltstack(NULL, &old);
    YES(old.ss_sp == a);
  }
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  ss = (stack_t){.ss_flags = SS_DISABLE};
  SHOW(sigaltstack(&ss, NULL));
  sigaltstack(NULL, &old);
  YES(old.ss_flags == SS_DISABLE && old.ss_sp == NULL);
  raise(SIGUSR2);
}
