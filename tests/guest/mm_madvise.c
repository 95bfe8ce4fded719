/* madvise: DONTNEED, FREE, DONTFORK, WIPEONFORK, REMOVE. */
#include "guest.h"
int main(void) {
  char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 1, 16 * 4096);
  SHOW(madvise(p + 4096, 2 * 4096, MADV_DONTNEED));
  say("%d %d %d %d", p[0], p[4096], p[8192], p[3 * 4096]);
  p[4096] = 5;
  say("written again %d", p[4096]);
  SHOW(madvise(p, 4096, MADV_FREE));
  p[0] = 6;
  say("%d", p[0]);
  SHOW(madvise(p + 4 * 4096, 4096, MADV_WIPEONFORK));
  SHOW(madvise(p + 5 * 4096, 4096, MADV_DONTFORK));
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("wiped") {
    say("%d %d", p[3 * 4096], p[4 * 4096]);
    CHILD("and again in the child's child") say("%d", p[4 * 4096]);
  }
  CHILD("not forked") p[5 * 4096] = 1;
  SHOW(madvise(p + 4 * 4096, 4096, MADV_KEEPONFORK));
  SHOW(madvise(p + 5 * 4096, 4096, MADV_DOFORK));
  CHILD("kept") say("%d %d", p[4 * 4096], p[5 * 4096]);
  char *s = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(s, 2, 4 * 4096);
  SHOW(madvise(s, 4096, MADV_DONTNEED));
  say("shared keeps %d", s[0]);
  SHOW(madvise(s + 4096, 4096, MADV_REMOVE));
  say("removed %d %d", s[4096], s[8192]);
  SHOW(madvise(p, 4096, MADV_REMOVE));
  SHOW(madvise(s, 4096, MADV_WIPEONFORK));
  SHOW(madvise(s, 4096, MADV_FREE));
}
