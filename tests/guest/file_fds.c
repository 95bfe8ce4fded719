/* dup, dup2, dup3, fcntl of descriptors, lowest free number, close. */
#include "guest.h"
int main(void) {
  int a = open("/dev/null", O_RDONLY);
  say("first %d", a);
  SHOW(dup(a)), SHOW(dup(a)), SHOW(close(4)), SHOW(dup(a)), SHOW(dup2(a, 10)), SHOW(dup2(a, a)), SHOW(dup2(99, 5)), SHOW(dup2(99, 99)), SHOW(dup2(a, -1)), SHOW(dup2(a, 1 << 30));
  SHOW(dup3(a, 11, O_CLOEXEC)), SHOW(fcntl(11, F_GETFD)), SHOW(fcntl(10, F_GETFD)), SHOW(dup3(a, a, 0)), SHOW(dup3(a, 12, 1));
  SHOW(fcntl(a, F_DUPFD, 20)), SHOW(fcntl(a, F_DUPFD, 20)), SHOW(fcntl(a, F_DUPFD_CLOEXEC, 20)), SHOW(fcntl(22, F_GETFD)), SHOW(fcntl(a, F_DUPFD, -1)), SHOW(fcntl(a, F_DUPFD, 1 << 30));
  SHOW(fcntl(a, F_SETFD, FD_CLOEXEC)), SHOW(fcntl(a, F_GETFD)), SHOW(fcntl(5, F_GETFD)), SHOW(fcntl(a, 9999)), SHOW(fcntl(99, F_GETFD)), SHOW(close(99)), SHOW(close(-1)), SHOW(close(10)), SHOW(close(10));
  int f = MUST(open("f", O_RDWR | O_CREAT, 0600)), g = dup(f), h = MUST(open("f", O_RDWR));
  write(f, "abcdef", 6);
  say("offsets %ld %ld %ld", (long)lseek(f, 0, SEEK_CUR), (long)lseek(g, 0, SEEK_CUR), (long)lseek(h, 0, SEEK_CUR));
  fcntl(g, F_SETFL, O_APPEND);
  SHOW(fcntl(f, F_GETFL) & O_APPEND), SHOW(fcntl(h, F_GETFL) & O_APPEND);
  unlink("f");
  char b[8] = "";
  SHOW(pread(h, b, 6, 0)), say("unlinked but open: %s", b);
  SHOW(ioctl(f, FIOCLEX)), SHOW(fcntl(f, F_GETFD)), SHOW(ioctl(f, FIONCLEX)), SHOW(fcntl(f, F_GETFD));
  int on = 1, n;
  SHOW(ioctl(h, FIONBIO, &on)), SHOW(fcntl(h, F_GETFL) & O_NONBLOCK), SHOW(ioctl(h, FIONREAD, &n)), say("%d", n);
  SHOW(ioctl(h, 0x12345678, 0)), SHOW(ioctl(99, FIONREAD, &n)), SHOW(ioctl(f, TCGETS, &n)), SHOW(isatty(f));
  char path[64], t[300];
  snprintf(path, sizeof path, "/proc/self/fd/%d", f);
  ssize_t k = readlink(path, t, sizeof t - 1);
  t[k > 0 ? k : 0] = 0;
  say("%s", strrchr(t, '/') + 1);
  int again = open(path, O_RDONLY);
  YES(again >= 0);
  SHOW(read(again, b, 6));
  snprintf(path, sizeof path, "/dev/fd/%d", h);
  OK(open(path, O_RDONLY));
}
