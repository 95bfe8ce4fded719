/* A stack overflow is handled on the alternate stack, left with siglongjmp; without one it kills. */
#include "guest.h"
static char stk[65536];
static sigjmp_buf env;
static volatile int depth;
static void h(int s, siginfo_t *si, void *c) {
  say("%s %s", signame(s), si->si_code == SEGV_MAPERR || si->si_code == SEGV_ACCERR ? "fault" : "other");
  siglongjmp(env, 1);
}
__attribute__((noinline)) static int deep(int n) {
  volatile char pad[4096];
  pad[0] = n;
  depth++;
  return deep(n + 1) + pad[0];
}
int main(void) {
  struct rlimit rl = {1 << 20, 8 << 20}, core = {0, 0};
  MUST(setrlimit(RLIMIT_STACK, &rl));
  setrlimit(RLIMIT_CORE, &core);
  stack_t ss = {.ss_sp = stk, .ss_size = sizeof stk};
  MUST(sigaltstack(&ss, NULL));
  for (int i = 0; i < 3; i++) {
    on_siginfo(SIGSEGV, h, SA_ONSTACK);
    depth = 0;
    if (!sigsetjmp(env, 1))
      deep(0);
    YES(depth > 200 && depth < 300);
  }
  CHILD("handler without alternate stack") {
    ss.ss_flags = SS_DISABLE;
    sigaltstack(&ss, NULL);
    deep(0);
  }
  CHILD("no handler") {
    signal(SIGSEGV, SIG_DFL);
    deep(0);
  }
}
