/* Flags of mmap: NOREPLACE, 32BIT, POPULATE, LOCKED, STACK, SYNC, VALIDATE, hugetlb, NORESERVE gigabytes. */
#include "guest.h"
#define PG 4096ul
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
static int resident(void *p, int pages) {
  unsigned char v[64];
  int n = 0;
  if (mincore(p, pages * PG, v))
    return -1;
  for (int i = 0; i < pages; i++)
    n += v[i] & 1;
  return n;
}
static void res(const char *what, void *p) {
  say("%s: %s", what, p == MAP_FAILED ? ename(errno) : "ok");
}
int main(void) {
  int an = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
  char *p = mmap(NULL, 16 * PG, rw, an, -1, 0);
  say("fresh: %d", resident(p, 16));
  p[0] = p[5 * PG] = 1;
  say("touched: %d", resident(p, 16));
  *(volatile char *)(p + 7 * PG);
  say("read: %d", resident(p, 16));
  char *q = mmap(NULL, 16 * PG, rw, an | MAP_POPULATE, -1, 0);
  say("populated: %d", resident(q, 16));
  char *l = mmap(NULL, 4 * PG, rw, an | MAP_LOCKED, -1, 0);
  say("locked: %d", resident(l, 4));
  SHOW(mlock(p + 8 * PG, 4 * PG));
  say("mlocked: %d", resident(p + 8 * PG, 4));
  SHOW(munlock(p + 8 * PG, 4 * PG));
  SHOW(mlock2(p + 12 * PG, 2 * PG, 1));
  say("on fault: %d", resident(p + 12 * PG, 2));
  munlock(p + 12 * PG, 2 * PG);
  SHOW(madvise(p, 16 * PG, MADV_DONTNEED));
  say("dontneed: %d", resident(p, 16));
  SHOW(madvise(p, 8 * PG, 22 /* POPULATE_READ */));
  SHOW(madvise(p + 8 * PG, 4 * PG, 23 /* POPULATE_WRITE */));
  say("populated: %d", resident(p, 16));
  char *s = mmap(NULL, 8 * PG, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  s[0] = 1;
  say("shared: %d", resident(s, 8));
  CHILD("by a child") s[3 * PG] = 1;
  say("shared: %d", resident(s, 8));
  madvise(s, 8 * PG, MADV_DONTNEED);
  say("shared, unmapped from here only: %d", resident(s, 8));
  madvise(s, PG, MADV_REMOVE);
  say("removed: %d", resident(s, 8));
  unsigned char v[1];
  SHOW(mincore(p + 1, PG, v));
  SHOW(mincore(p, PG, NULL));
  SHOW(mincore(p, 0, v));
  SHOW(mincore((void *)-PG, PG, v));
  SHOW(mincore(p, -1ul, v));
  res("NOREPLACE over", mmap(p, PG, rw, an | MAP_FIXED_NOREPLACE, -1, 0));
  munmap(p, 16 * PG);
  YES(mmap(p, PG, rw, an | MAP_FIXED_NOREPLACE, -1, 0) == p);
  res("NOREPLACE partly", mmap(p - PG, 3 * PG, rw, an | MAP_FIXED_NOREPLACE, -1, 0));
  char *low = mmap(NULL, 4 * PG, rw, an | MAP_32BIT, -1, 0);
  YES(low != MAP_FAILED && (unsigned long)low < 1ul << 31);
  res("stack", mmap(NULL, 8 * PG, rw, an | MAP_STACK | MAP_NORESERVE, -1, 0));
  int fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));
  ftruncate(fd, 2 * PG);
  res("SYNC without DAX", mmap(NULL, PG, rw, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
  res("SYNC, not validated", mmap(NULL, PG, rw, MAP_SHARED | MAP_SYNC, fd, 0));
  res("VALIDATE", mmap(NULL, PG, rw, MAP_SHARED_VALIDATE, fd, 0));
  res("VALIDATE anonymous", mmap(NULL, PG, rw, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
  res("hugetlb", mmap(NULL, 2 << 20, rw, an | MAP_HUGETLB, -1, 0));
  res("hugetlb of a file", mmap(NULL, 2 << 20, rw, MAP_SHARED | MAP_HUGETLB, fd, 0));
  res("no access 64 GiB", mmap(NULL, 64ul << 30, PROT_NONE, an | MAP_NORESERVE, -1, 0));
  res("NORESERVE 1 TiB", mmap(NULL, 1ul << 40, rw, an | MAP_NORESERVE, -1, 0));
  res("overcommitted 16 TiB", mmap(NULL, 16ul << 40, rw, an, -1, 0));
  res("none 16 TiB", mmap(NULL, 16ul << 40, PROT_NONE, an, -1, 0));
  res("too large", mmap(NULL, 1ul << 47, PROT_NONE, an, -1, 0));

  res("hint at 4096", mmap((void *)4096, PG, rw, an, -1, 0));
  res("kernel half", mmap((void *)0xffff800000000000, PG, rw, an | MAP_FIXED, -1, 0));
}
