/* /proc/PID/io counts what calls move. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buf[4096];
static void get(long v[4], const char *path) {
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, buf, sizeof buf - 1);
  close(fd);
  buf[n > 0 ? n : 0] = 0;
  if (sscanf(buf, "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld", &v[0], &v[1], &v[2], &v[3]) != 4)
    printf("bad: %s\n", buf);
}

int main(void) {
  long a[4], b[4], t[4];
  int z = open("/dev/zero", O_RDONLY), n = open("/dev/null", O_WRONLY), p[2];
  if (pipe(p))
    return 1;
  get(a, "/proc/self/io");
  long own = (long)strlen(buf);
  for (int i = 0; i < 10; i++) {
    if (read(z, buf, 1000) != 1000 || write(n, buf, 500) != 500)
      return 1;
  }
  if (write(p[1], buf, 300) != 300 || read(p[0], buf, 4096) != 300)
    return 1;
  get(b, "/proc/self/io");
  printf("rchar %ld wchar %ld syscr %ld syscw %ld\n", b[0] - a[0] - own, b[1] - a[1], b[2] - a[2], b[3] - a[3]);
  get(t, "/proc/thread-self/io");
  printf("thread syscw equal: %d\n", t[3] == b[3]);
  return 0;
}
