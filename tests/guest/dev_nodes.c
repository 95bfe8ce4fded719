/* /dev: null, zero, full, random, urandom, tty, fd links. */
#include "guest.h"
#include <sys/random.h>
#include <sys/sysmacros.h>
#define getrandom_raw(p, n, f) syscall(SYS_getrandom, p, n, f)
int main(void) {
  const char *n[] = {"null", "zero", "full", "random", "urandom", "tty"};
  char p[64], b[64];
  struct stat s;
  for (int i = 0; i < 6; i++) {
    snprintf(p, sizeof p, "/dev/%s", n[i]);
    int r = stat(p, &s);
    say("%s: %d chr %d %d:%d perm %o", n[i], r, S_ISCHR(s.st_mode), major(s.st_rdev), minor(s.st_rdev), s.st_mode & 0666);
  }
  int null = MUST(open("/dev/null", O_RDWR)), zero = MUST(open("/dev/zero", O_RDWR)), full = MUST(open("/dev/full", O_RDWR)), ur = MUST(open("/dev/urandom", O_RDONLY));
  SHOW(read(null, b, 10)), SHOW(write(null, b, 10)), SHOW(lseek(null, 5, SEEK_SET));
  memset(b, 1, sizeof b);
  SHOW(read(zero, b, 20)), say("%d %d %d", b[0], b[19], b[20]), SHOW(write(zero, b, 20));
  SHOW(read(full, b, 20)), SHOW(write(full, b, 1)), SHOW(write(full, b, 0));
  unsigned char r1[32], r2[32];
  SHOW(read(ur, r1, 32)), SHOW(read(ur, r2, 32)), YES(memcmp(r1, r2, 32));
  SHOW(read(MUST(open("/dev/random", O_RDONLY)), r1, 32));
  SHOW(getrandom(r1, 32, 0)), SHOW(getrandom(r2, 32, GRND_NONBLOCK)), YES(memcmp(r1, r2, 32)), SHOW(getrandom_raw(r1, 8, 0x100)), SHOW(getrandom_raw((void *)8, 8, 0)), SHOW(getrandom_raw(r1, 0, 0));
  static char big[100000];
  SHOW(getrandom_raw(big, sizeof big, 0));
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
  YES(m != MAP_FAILED && m[100] == 0);
  YES(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, null, 0) == MAP_FAILED);
  say("%s", ename(errno));
  ssize_t k = readlink("/dev/fd", b, sizeof b - 1);
  say("/dev/fd -> %.*s", (int)k, b);
  k = readlink("/dev/stdin", b, sizeof b - 1);
  say("/dev/stdin -> %.*s", (int)k, b);
  OK(open("/dev/stdin", O_RDONLY));
  SHOW(open("/dev/nothing", O_RDONLY)), SHOW(ftruncate(null, 0)), SHOW(ioctl(null, TCGETS, b));
  OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0600));
}
