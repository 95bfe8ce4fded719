/* pipes: order, end of file, short reads, zero lengths, fstat, seek, wrong directions. */
#include "guest.h"
int main(void) {
  int p[2];
  char buf[64] = "";
  SHOW(pipe(p));
  SHOW(write(p[1], "hello", 5));
  SHOW(write(p[1], "world", 5));
  SHOW(read(p[0], buf, 3));
  say("%.3s", buf);
  SHOW(read(p[0], buf, 64));
  say("%.7s", buf);
  SHOW(read(p[1], buf, 1));
  SHOW(write(p[0], buf, 1));
  SHOW(lseek(p[0], 0, SEEK_CUR));
  SHOW(pread(p[0], buf, 1, 0));
  SHOW(ftruncate(p[1], 0));
  SHOW(fsync(p[0]));
  SHOW(read(p[0], buf, 0));
  SHOW(write(p[1], buf, 0));
  struct stat st, st2;
  fstat(p[0], &st), fstat(p[1], &st2);
  say("type %o same %d size %ld", st.st_mode & S_IFMT, st.st_ino == st2.st_ino, (long)st.st_size);
  write(p[1], "12345678", 8);
  int n;
  SHOW(ioctl(p[0], FIONREAD, &n));
  say("readable %d", n);
  struct iovec v[3] = {{buf, 2}, {buf + 10, 3}, {buf + 20, 10}};
  SHOW(readv(p[0], v, 3));
  say("%.2s %.3s %.3s", buf, buf + 10, buf + 20);
  struct iovec w[2] = {{"ab", 2}, {"cde", 3}};
  SHOW(writev(p[1], w, 2));
  close(p[1]);
  SHOW(read(p[0], buf, 64));
  SHOW(read(p[0], buf, 64));
  SHOW(pipe2(p, 0x1));
  SHOW(pipe2(p, O_CLOEXEC | O_NONBLOCK));
  SHOW(fcntl(p[0], F_GETFD));
  SHOW(fcntl(p[0], F_GETFL) & O_NONBLOCK);
  SHOW(read(p[0], buf, 1));
  SHOW(syscall(SYS_pipe, 8));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
  ssize_t k = readlink(path, buf, sizeof buf - 1);
  say("%.6s", k > 0 ? buf : "?");
  int again = open(path, O_WRONLY | O_NONBLOCK);
  SHOW(write(again, "via proc", 8));
  SHOW(read(p[0], buf, 8));
}
