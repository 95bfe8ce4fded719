/* mremap: grow in place, move, shrink, fixed, DONTUNMAP, shared duplicates, errors. */
#include "guest.h"
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
static sigjmp_buf env;
static void h(int s) { siglongjmp(env, 1); }
static const char *at(char *p) {
  static char buf[4][16];
  static int n;
  char *b = buf[n++ & 3];
  if (sigsetjmp(env, 1))
    return "fault";
  snprintf(b, 16, "%d", *(volatile char *)p);
  return b;
}
int main(void) {
  on_signal(SIGSEGV, h, 0);
  on_signal(SIGBUS, h, 0);
  char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 64; i++)
    p[i * 4096] = i + 1;
  SHOW(munmap(p + 32 * 4096, 32 * 4096));
  YES(mremap(p, 32 * 4096, 40 * 4096, 0) == p);
  say("grown in place: %s %s %s", at(p), at(p + 31 * 4096), at(p + 39 * 4096));
  YES(mmap(p + 40 * 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 40 * 4096);
  YES(mremap(p, 40 * 4096, 50 * 4096, 0) == MAP_FAILED);
  say("%s", ename(errno));
  char *q = mremap(p, 40 * 4096, 50 * 4096, MREMAP_MAYMOVE);
  YES(q != MAP_FAILED && q != p);
  say("moved: %s %s %s, old %s", at(q), at(q + 31 * 4096), at(q + 49 * 4096), at(p));
  YES(mremap(q, 50 * 4096, 8 * 4096, 0) == q);
  say("shrunk: %s %s", at(q + 7 * 4096), at(q + 8 * 4096));
  char *t = mmap(NULL, 32 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(t, 99, 32 * 4096);
  YES(mremap(q, 8 * 4096, 8 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, t + 4 * 4096) == t + 4 * 4096);
  say("fixed: %s %s %s %s, old %s", at(t), at(t + 4 * 4096), at(t + 11 * 4096), at(t + 12 * 4096), at(q));
  YES(mremap(t, 8 * 4096, 8 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, t + 4096) == MAP_FAILED);
  say("overlap: %s", ename(errno));
  YES(mremap(t, 4096, 4096, MREMAP_FIXED, t + 8 * 4096) == MAP_FAILED);
  YES(mremap(t + 1, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
  say("misaligned: %s", ename(errno));
  YES(mremap(t, 4096, 0, MREMAP_MAYMOVE) == MAP_FAILED);
  say("to nothing: %s", ename(errno));
  YES(mremap((char *)0x10000, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
  say("unmapped: %s", ename(errno));
  YES(mremap(t, 4096, 8192, 0x80) == MAP_FAILED);
  char *mid = mremap(t + 16 * 4096, 2 * 4096, 6 * 4096, MREMAP_MAYMOVE); /* from the middle of an area */
  YES(mid != MAP_FAILED);
  say("middle: %s %s; before %s, hole %s, after %s", at(mid), at(mid + 5 * 4096), at(t + 15 * 4096), at(t + 16 * 4096), at(t + 18 * 4096));
  char *s = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  s[0] = 42;
  char *dup = mremap(s, 0, 4096, MREMAP_MAYMOVE);
  YES(dup != MAP_FAILED && dup != s);
  dup[1] = 43;
  say("duplicate: %s %s", at(dup), at(s + 1));
  char *u = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  u[0] = 7;
  char *v = mremap(u, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  YES(v != MAP_FAILED && v != u);
  say("DONTUNMAP: new %s old %s", at(v), at(u));
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
  ftruncate(fd, 8 * 4096);
  pwrite(fd, "\5", 1, 6 * 4096);
  char *f = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  f[0] = 3;
  char *g = mremap(f, 4 * 4096, 6 * 4096, MREMAP_MAYMOVE);
  say("file: %s %s", at(g), at(g + 5 * 4096));
  int big = 0;
  char *m = malloc(1 << 20);
  for (int i = 0; i < 8; i++) { /* realloc of large blocks is mremap */
    m[(1 << (20 + (i ? i - 1 : 0))) - 1] = i;
    m = realloc(m, 1 << (20 + i));
    big += m != NULL;
  }
  say("realloc %d", big);
}
