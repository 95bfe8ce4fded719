/* brk: growing, shrinking, contents, limits, fork. */
#include "guest.h"
static char *brk_at(void *p) { return (char *)syscall(SYS_brk, p); }
int main(void) {
  char *b = brk_at(NULL);
  YES(b != NULL);
  YES(brk_at(b + 100) == b + 100);
  YES(brk_at(b + (1 << 20)) == b + (1 << 20));
  int nz = 0;
  char *first = (char *)(((uintptr_t)b + 4095) & ~4095UL);
  for (char *q = first; q < b + (1 << 20); q++)
    nz += *q != 0;
  say("nonzero %d", nz);
  memset(first, 9, (1 << 20) - 8192);
  YES(brk_at(first + 4096) == first + 4096);
  YES(brk_at(first + 3 * 4096) == first + 3 * 4096);
  say("kept %d, new page %d", first[0], first[4096]);
  YES(brk_at((void *)4096) == first + 3 * 4096); /* below the start: refused, unchanged */
  YES(brk_at((void *)-1L) == first + 3 * 4096);
  CHILD("own heap after fork") {
    YES(brk_at(NULL) == first + 3 * 4096);
    YES(brk_at(first + 4 * 4096) == first + 4 * 4096);
    first[0] = 1;
  }
  YES(brk_at(NULL) == first + 3 * 4096);
  say("%d", first[0]);
  CHILD("RLIMIT_DATA") {
    struct rlimit rl = {32 << 20, 32 << 20};
    MUST(setrlimit(RLIMIT_DATA, &rl));
    YES(brk_at(first + (64 << 20)) == first + 3 * 4096);
    YES(brk_at(first + (1 << 20)) == first + (1 << 20));
  }
  char *obstacle = first + (1 << 24);
  YES(mmap(obstacle, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == obstacle);
  YES(brk_at(obstacle + 8192) == first + 3 * 4096);
  YES(brk_at(b) == b);
}
