#include "fds.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int by_number(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

void fds_close_others(int *keep, int n) {
  unsigned from = 3;
  qsort(keep, (size_t)n, sizeof *keep, by_number);
  for (int i = 0; i < n; i++) {
    if (keep[i] < (int)from)
      continue;
    if (keep[i] > (int)from)
      close_range(from, (unsigned)keep[i] - 1, 0);
    from = (unsigned)keep[i] + 1;
  }
  close_range(from, UINT_MAX, 0);
}

void fds_null_stdio(int err) {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return;
  dup2(fd, 0);
  dup2(fd, 1);
  dup2(err >= 0 ? err : fd, 2);
  if (fd > 2)
    close(fd);
}
