/* mremap over areas' boundaries, onto others, of the heap, of file mappings, under limits. */
#include "guest.h"
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define PG 4096ul
static char *anon(int pages, int prot) {
  return mmap(NULL, pages * PG, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void res(const char *what, void *p) {
  say("%s: %s", what, p == MAP_FAILED ? ename(errno) : "ok");
}
int main(void) {
  char *p = anon(16, PROT_READ | PROT_WRITE);
  memset(p, 1, 16 * PG);
  mprotect(p + 4 * PG, 4 * PG, PROT_READ);
  /* over two areas of different protection */
  res("grow over a boundary", mremap(p, 8 * PG, 10 * PG, MREMAP_MAYMOVE));
  YES(mremap(p, 8 * PG, 2 * PG, 0) == p); /* shrinking may cross */
  unsigned char vec[16];
  YES(mincore(p, 2 * PG, vec) == 0);
  YES(mincore(p, 3 * PG, vec) == -1 && errno == ENOMEM);
  YES(mincore(p + 8 * PG, 8 * PG, vec) == 0);
  /* the same size: nothing happens */
  YES(mremap(p, 2 * PG, 2 * PG, 0) == p);
  YES(mremap(p, PG + 1, 2 * PG, 0) == p);
  /* grow without room and without MAYMOVE */
  char *q = anon(4, PROT_READ | PROT_WRITE);
  mmap(q + 2 * PG, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  res("no room", mremap(q, 2 * PG, 3 * PG, 0));
  /* not at the end of its area */
  res("from the middle, no move", mremap(p + 9 * PG, PG, 2 * PG, 0));
  /* private with old_len 0 */
  res("old_len 0 private", mremap(q, 0, PG, MREMAP_MAYMOVE));
  char *s = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(s, "one");
  strcpy(s + PG, "two");
  res("old_len 0 shared, no MAYMOVE", mremap(s, 0, PG, 0));
  char *d = mremap(s + PG, 0, 2 * PG, MREMAP_MAYMOVE);
  say("a second view of page 1: %s", d == MAP_FAILED ? ename(errno) : d);
  strcpy(d, "TWO");
  say("%s", s + PG);
  char *fixed = anon(4, PROT_READ);
  char *e = mremap(s, 0, PG, MREMAP_MAYMOVE | MREMAP_FIXED, fixed + PG);
  say("fixed: %s", e == MAP_FAILED ? ename(errno) : e);
  /* beyond its object: SIGBUS country, but allowed */
  char *b = mremap(s, 4 * PG, 8 * PG, MREMAP_MAYMOVE);
  YES(b != MAP_FAILED);
  /* DONTUNMAP */
  res("DONTUNMAP, other length", mremap(q, PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
  res("DONTUNMAP alone", mremap(q, PG, PG, MREMAP_DONTUNMAP, NULL));
  q[0] = 77;
  char *u = mremap(q, PG, PG, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, fixed + 2 * PG);
  say("DONTUNMAP fixed: %d %d", u == fixed + 2 * PG ? *u : -1, q[0]);
  strcpy(b, "shared");
  char *v = mremap(b, PG, PG, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  say("DONTUNMAP shared: %s", v == MAP_FAILED ? ename(errno) : v);
  if (v != MAP_FAILED)
    say("old still: %s", b);
  /* FIXED: misaligned, overlapping, wrapping */
  res("misaligned", mremap(q, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1));
  res("onto itself", mremap(q, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, q + PG));
  res("high", mremap(q, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)-PG));
  res("huge", mremap(q, PG, 1ul << 60, MREMAP_MAYMOVE));
  res("half unmapped", mremap(p, 4 * PG, 5 * PG, MREMAP_MAYMOVE));
  munmap(fixed, PG);
  res("unmapped", mremap(fixed, PG, 2 * PG, MREMAP_MAYMOVE));
  /* the file offset follows */
  int fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));
  for (int i = 0; i < 8; i++)
    pwrite(fd, (char[]){'a' + i}, 1, i * PG);
  ftruncate(fd, 8 * PG);
  char *f = mmap(NULL, 4 * PG, PROT_READ, MAP_PRIVATE, fd, 2 * PG);
  char *g = mremap(f + PG, PG, 3 * PG, MREMAP_MAYMOVE);
  say("file from the middle: %c %c %c, before %c", g[0], g[PG], g[2 * PG], f[0]);
  /* limits */
  CHILD("RLIMIT_AS") {
    struct rlimit rl = {256 << 20, 256 << 20};
    setrlimit(RLIMIT_AS, &rl);
    char *a = anon(16, PROT_READ | PROT_WRITE);
    res("grow", mremap(a, 16 * PG, 512 << 20, MREMAP_MAYMOVE));
    res("map", mmap(NULL, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    res("map none", mmap(NULL, 512 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    res("map little", mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    YES(sbrk(512 << 20) == (void *)-1);
  }
  CHILD("RLIMIT_DATA") {
    struct rlimit rl = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_DATA, &rl);
    res("data", mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    res("read only", mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *sh = mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    res("shared", sh);
    char *ro = mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(mprotect(ro, 128 << 20, PROT_READ | PROT_WRITE));
    YES(sbrk(128 << 20) == (void *)-1);
    char *a = anon(16, PROT_READ | PROT_WRITE);
    res("grow", mremap(a, 16 * PG, 128 << 20, MREMAP_MAYMOVE));
  }
  CHILD("RLIMIT_MEMLOCK") {
    struct rlimit rl = {64 << 10, 64 << 10};
    setrlimit(RLIMIT_MEMLOCK, &rl);
    become_user(1000);
    char *a = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    res("locked", a);
    res("grow", mremap(a, 8 * PG, 32 * PG, MREMAP_MAYMOVE));
    res("more", mmap(NULL, 32 * PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
  }
}
