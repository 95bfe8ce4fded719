/* MAP_GROWSDOWN and PROT_GROWSDOWN: growth, the guard gap, the limit. */
#include "guest.h"
#define PG 4096ul
static sigjmp_buf env;
static void h(int s, siginfo_t *si, void *c) {
  say("%s %s", signame(s), si->si_code == SEGV_MAPERR ? "MAPERR" : si->si_code == SEGV_ACCERR ? "ACCERR" : "other");
  siglongjmp(env, 1);
}
#define TRY(what, stmt)                                                                                                \
  if (!sigsetjmp(env, 1)) {                                                                                            \
    stmt;                                                                                                              \
    say("%s: fine", what);                                                                                             \
  }
int main(void) {
  static char alt[65536];
  sigaltstack(&(stack_t){.ss_sp = alt, .ss_size = sizeof alt}, NULL);
  on_siginfo(SIGSEGV, h, SA_ONSTACK);
  char *room = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  munmap(room, 64 << 20);
  char *top = room + (48 << 20);
  char *g = mmap(top - 4 * PG, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED,
                 -1, 0);
  YES(g == top - 4 * PG);
  TRY("inside", g[0] = 1);
  TRY("a page below", *(volatile char *)(g - 1) = 2);
  TRY("1 MiB below", *(volatile char *)(g - (1 << 20)) = 3);
  say("%d %d", g[-1], g[-(1 << 20)]);
  /* a call's own access grows it too */
  int p[2];
  MUST(pipe(p));
  write(p[1], "xyz", 3);
  SHOW(read(p[0], g - (2 << 20), 3));
  /* something below: the gap is kept */
  char *low = mmap(g - (4 << 20), PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  TRY("in the gap", *(volatile char *)(low + 2 * PG) = 1);
  TRY("at the gap's end", *(volatile char *)(low + PG + 255 * PG) = 1);
  TRY("above the gap", *(volatile char *)(low + PG + 257 * PG) = 1);
  mprotect(low, PG, PROT_NONE);
  TRY("gap, none below", *(volatile char *)(low + 2 * PG) = 1);
  /* the limit */
  munmap(low, PG);
  struct rlimit rl = {16 << 20, 16 << 20};
  setrlimit(RLIMIT_STACK, &rl);
  TRY("within the limit", *(volatile char *)(top - (15 << 20)) = 1);
  TRY("beyond the limit", *(volatile char *)(top - (17 << 20)) = 1);
  /* PROT_GROWSDOWN takes the whole stack area along */
  SHOW(mprotect(top - PG, PG, PROT_READ | PROT_GROWSDOWN));
  TRY("read only now", *(volatile char *)(top - (1 << 20)) = 1);
  SHOW(mprotect(top - PG, PG, PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
  TRY("writable again", *(volatile char *)(top - (1 << 20)) = 1);
  char *plain = mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOW(mprotect(plain, PG, PROT_READ | PROT_GROWSDOWN));
  SHOW(mprotect(plain, PG, PROT_READ | PROT_GROWSUP));
  SHOW(mprotect(plain, PG, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
  YES(mmap(NULL, PG, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == MAP_FAILED);
  say("%s", ename(errno));
  /* a fork's child grows its own */
  CHILD("child") {
    TRY("child", *(volatile char *)(top - (8 << 20)) = 1);
  }
}
