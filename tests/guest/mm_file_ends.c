/* Mapped files that shrink and grow: SIGBUS and back, zeroes behind the end, holes, private copies. */
#include "guest.h"
#define PG 4096ul
static sigjmp_buf env;
static void h(int s) {
  siglongjmp(env, s);
}
static const char *at(volatile char *p) {
  static char buf[8][8];
  static int n;
  char *b = buf[n++ & 7];
  int s = sigsetjmp(env, 1);
  if (s)
    return signame(s);
  snprintf(b, 8, "%d", *p);
  return b;
}
static void run(int fd, const char *what) {
  say("-- %s", what);
  ftruncate(fd, 0);
  char data[3 * PG];
  memset(data, 7, sizeof data);
  pwrite(fd, data, 2 * PG + 100, 0);
  char *s = mmap(NULL, 6 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *p = mmap(NULL, 6 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  say("end: %s %s %s, behind %s", at(s + 2 * PG), at(s + 2 * PG + 99), at(s + 2 * PG + 100), at(s + 3 * PG));
  s[2 * PG + 200] = 9; /* behind the end, in the last page */
  char c = 1;
  say("not in the file: %zd", pread(fd, &c, 1, 2 * PG + 200));
  p[PG] = 3; /* a private copy */
  ftruncate(fd, 4 * PG);
  say("grown: %s %s %s", at(s + 3 * PG), at(p + 3 * PG), at(s + 4 * PG));
  ftruncate(fd, 100);
  say("shrunk: %s %s %s private %s %s", at(s + 99), at(s + 100), at(s + PG), at(p + PG), at(p + 2 * PG));
  ftruncate(fd, 3 * PG);
  say("back: %s %s %s %s", at(s + 50), at(s + 100), at(s + PG), at(p + 2 * PG));
  s[2 * PG] = 5;
  say("through: %s %zd %d", at(p + 2 * PG), pread(fd, &c, 1, 2 * PG), c);
  pwrite(fd, "\x0b", 1, 2 * PG + 1);
  say("write seen: %s %s", at(s + 2 * PG + 1), at(p + 2 * PG + 1));
  p[2 * PG + 2] = 1;
  pwrite(fd, "\x0c", 1, 2 * PG + 1);
  say("but not in a copy: %s %s", at(s + 2 * PG + 1), at(p + 2 * PG + 1));
  SHOW(msync(s, 3 * PG, MS_SYNC));
  SHOW(msync(s, 6 * PG, MS_ASYNC));
  SHOW(msync(s, 3 * PG, MS_INVALIDATE));
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PG, PG));
  say("punched: %s %s", at(s + 2 * PG), at(p + 2 * PG));
  /* calls meet the end too */
  int pp[2];
  MUST(pipe(pp));
  SHOW(write(pp[1], s + 3 * PG, 10));
  SHOW(write(pp[1], s + 3 * PG - 5, 10));
  SHOW(pread(fd, s + 4 * PG, 10, 0));
  munmap(s, 6 * PG);
  munmap(p, 6 * PG);
  /* removed while mapped */
}
int main(void) {
  signal(SIGBUS, h);
  signal(SIGSEGV, h);
  run(MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600)), "file");
  run(MUST(memfd_create("m", 0)), "memfd");
  int fd = MUST(open("g", O_RDWR | O_CREAT | O_TRUNC, 0600));
  ftruncate(fd, PG);
  char *m = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unlink("g");
  close(fd);
  m[0] = 4;
  CHILD("after unlink and close") {
    say("%d", m[0]);
    m[1] = 5;
  }
  say("%d", m[1]);
}
