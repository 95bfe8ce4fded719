/* madvise: which advice goes where, and what fork makes of it. */
#include "guest.h"
#define PG 4096ul
static void each(const char *kind, char *p) {
  static const struct {
    int n;
    const char *name;
  } adv[] = {{0, "NORMAL"},
             {1, "RANDOM"},
             {2, "SEQUENTIAL"},
             {3, "WILLNEED"},
             {4, "DONTNEED"},
             {8, "FREE"},
             {9, "REMOVE"},
             {10, "DONTFORK"},
             {11, "DOFORK"},
             {12, "MERGEABLE"},
             {13, "UNMERGEABLE"},
             {16, "DONTDUMP"},
             {17, "DODUMP"},
             {18, "WIPEONFORK"},
             {19, "KEEPONFORK"},
             {20, "COLD"},
             {21, "PAGEOUT"},
             {22, "POPULATE_READ"},
             {23, "POPULATE_WRITE"},
             {24, "DONTNEED_LOCKED"},
             {5, "5"},
             {6, "6"},
             {200, "200"},
             {-1, "-1"}};
  for (unsigned i = 0; i < sizeof adv / sizeof *adv; i++)
    say("%s %s: %s", kind, adv[i].name, madvise(p, PG, adv[i].n) ? ename(errno) : "ok");
}
int main(void) {
  int fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600)), rd = MUST(open("f", O_RDONLY));
  ftruncate(fd, 4 * PG);
  int rw = PROT_READ | PROT_WRITE;
  each("anon", mmap(NULL, PG, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  each("anon ro", mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  each("anon none", mmap(NULL, PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  each("shared anon", mmap(NULL, PG, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  each("file private", mmap(NULL, PG, rw, MAP_PRIVATE, fd, 0));
  each("file shared", mmap(NULL, PG, rw, MAP_SHARED, fd, 0));
  each("file shared ro", mmap(NULL, PG, PROT_READ, MAP_SHARED, rd, 0));
  each("locked", mmap(NULL, PG, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
  char *p = mmap(NULL, 8 * PG, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 1, 8 * PG);
  munmap(p + 4 * PG, PG);
  SHOW(madvise(p, 8 * PG, MADV_DONTNEED));
  say("around a hole: %d %d", p[0], p[7 * PG]);
  SHOW(madvise(p + 4 * PG, PG, MADV_NORMAL));
  SHOW(madvise(p, 8 * PG, 23));
  SHOW(madvise((void *)-PG, PG, MADV_NORMAL));
  SHOW(madvise(p, -PG, MADV_NORMAL));
  SHOW(madvise(p, 0, 12345));
  SHOW(madvise(p, 1, MADV_DONTNEED));
  /* file private: DONTNEED shows the file again */
  pwrite(fd, "F", 1, 0);
  char *f = mmap(NULL, PG, rw, MAP_PRIVATE, fd, 0);
  f[0] = 'C';
  madvise(f, PG, MADV_DONTNEED);
  say("%c", f[0]);
  /* marks follow mremap and splits */
  char *m = mmap(NULL, 4 * PG, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(m, 5, 4 * PG);
  madvise(m + PG, PG, MADV_WIPEONFORK);
  m = mremap(m, 4 * PG, 4 * PG, MREMAP_MAYMOVE);
  CHILD("wipe") say("%d %d %d", m[0], m[PG], m[2 * PG]);
  SHOW(madvise(m, 4 * PG, MADV_KEEPONFORK));
  CHILD("keep") say("%d %d %d", m[0], m[PG], m[2 * PG]);
  madvise(m, 2 * PG, MADV_DONTFORK);
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("not there") {
    unsigned char v[4];
    SHOW(mincore(m, PG, v));
    SHOW(mincore(m + 2 * PG, PG, v));
    /* its place is free */
    YES(mmap(m, PG, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == m);
    m[0] = 1;
  }
  say("%d", m[0]);
}
