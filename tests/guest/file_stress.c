/* Several processes change one small tree at random, so that walks, renames and removals meet; then all must come apart
 * cleanly: nothing hangs, every directory that is empty can be removed. */
#include "guest.h"
#include <ftw.h>
#define PROCS 6
#define STEPS 4000
static unsigned seed;
static unsigned rnd(unsigned n) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % n;
}
static void name(char *p) {
  *p = 0;
  for (unsigned i = 0, d = 1 + rnd(3); i < d; i++)
    sprintf(p + strlen(p), "%s%c", i ? "/" : "", 'a' + rnd(4));
}
static int unknown;
static void check(long r) {
  static const int fine[] = {EEXIST, ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, EBUSY, ELOOP, EXDEV, EPERM, EACCES, ENXIO, EMLINK};
  if (r >= 0)
    return;
  for (unsigned i = 0; i < sizeof fine / sizeof *fine; i++)
    if (errno == fine[i])
      return;
  unknown = errno;
}
static void step(void) {
  char p[20], q[20], b[100];
  struct stat st;
  name(p);
  name(q);
  switch (rnd(9)) {
  case 0:
  case 1:
    check(mkdir(p, 0777));
    break;
  case 2:
    check(rename(p, q));
    break;
  case 3:
    check(rmdir(p));
    break;
  case 4:
    check(unlink(p));
    break;
  case 5:
    check(rnd(2) ? link(p, q) : symlink(q, p));
    break;
  case 6:
    check(stat(p, &st));
    break;
  default: {
    int fd = open(p, O_RDWR | O_CREAT | O_NONBLOCK | (rnd(2) ? O_APPEND : 0), 0666);
    check(fd);
    if (fd >= 0) {
      check(write(fd, b, rnd(sizeof b)));
      check(pread(fd, b, sizeof b, 0));
      close(fd);
    }
    DIR *d = opendir(rnd(2) ? "." : p);
    while (d && readdir(d))
      ;
    if (d)
      closedir(d);
  }
  }
}
static int gone(const char *p, const struct stat *st, int type, struct FTW *f) {
  return f->level ? remove(p) : 0;
}
int main(void) {
  MUST(mkdir("tree", 0777));
  MUST(chdir("tree"));
  for (int i = 0; i < PROCS; i++)
    if (!fork()) {
      seed = 77 + i;
      for (int s = 0; s < STEPS; s++)
        step();
      if (unknown)
        say("%s", ename(unknown));
      _exit(unknown != 0);
    }
  int st, bad = 0;
  while (wait(&st) > 0)
    bad |= st;
  say("ends %d", bad);
  SHOW(nftw(".", gone, 20, FTW_DEPTH | FTW_PHYS));
  MUST(chdir(".."));
  SHOW(rmdir("tree"));
  return 0;
}
