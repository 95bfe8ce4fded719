/* mmap, munmap, mprotect, madvise, msync with bad arguments. */
#include "guest.h"
static void show_map(const char *what, void *p) { say("%s: %s", what, p == MAP_FAILED ? ename(errno) : "ok"); }
#define M(a, l, pr, f, fd, o) show_map(#a " " #l " " #pr " " #f " " #fd " " #o, mmap(a, l, pr, f, fd, o))
int main(void) {
  int rd = MUST(open("/proc/self/exe", O_RDONLY)), f = MUST(open("f", O_RDWR | O_CREAT, 0600)), wr = MUST(open("f", O_WRONLY));
  int dir = MUST(open(".", O_RDONLY)), p[2];
  pipe(p);
  ftruncate(f, 8192);
  M(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  M(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 100);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 4096);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 1L << 40);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, f, -4096L);
  M(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rd, 0);
  M(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, rd, 0);
  M(NULL, 4096, PROT_WRITE, MAP_SHARED, wr, 0);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0);
  M(NULL, 4096, PROT_READ, MAP_PRIVATE, p[0], 0);
  M(NULL, -4096UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  M(NULL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  M(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x40000000, f, 0);
  char *ro = mmap(NULL, 4096, PROT_READ, MAP_SHARED, rd, 0);
  char *a = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOW(munmap(a, 0));
  SHOW(munmap(a + 1, 4096));
  SHOW(munmap(a, -1UL));
  SHOW(munmap((void *)0x8000000000000000, 4096));
  munmap(a + 4096, 4096);
  SHOW(munmap(a + 4096, 4096));
  SHOW(mprotect(a, 3 * 4096, PROT_READ));
  SHOW(mprotect(a + 1, 4096, PROT_READ));
  SHOW(mprotect(a, 0, PROT_READ));
  SHOW(mprotect(a + 4096, 4096, PROT_READ));
  SHOW(mprotect(a, 4096, 0x100));
  SHOW(mprotect((void *)0x8000000000000000, 4096, PROT_READ));
  SHOW(mprotect(ro, 4096, PROT_READ | PROT_WRITE));
  SHOW(madvise(a, 3 * 4096, MADV_DONTNEED));
  SHOW(madvise(a + 1, 4096, MADV_DONTNEED));
  SHOW(madvise(a, 4096, 12345));
  SHOW(madvise(a, 0, MADV_DONTNEED));
  SHOW(madvise(a, 4096, MADV_WILLNEED));
  SHOW(madvise(a, 4096, MADV_SEQUENTIAL));
  SHOW(msync(a, 4096, MS_SYNC));
  SHOW(msync(a, 4096, MS_SYNC | MS_ASYNC));
  SHOW(msync(a + 1, 4096, MS_SYNC));
  SHOW(msync(a + 4096, 4096, MS_SYNC));
  unsigned char v[4];
  SHOW(mincore(a + 4096, 4096, v));
  SHOW(mincore(a + 1, 4096, v));
}
