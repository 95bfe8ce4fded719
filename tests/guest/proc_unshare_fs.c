/* unshare of files and directory, close_range with CLOSE_RANGE_UNSHARE, descriptors shared by threads. */
#include "guest.h"
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#endif
static int fd3;
static void *thread(void *arg) {
  long what = (long)arg;
  if (what == 0)
    SHOW(close(fd3));
  if (what == 1) {
    SHOW(unshare(CLONE_FILES));
    SHOW(close(fd3));
  }
  if (what == 2) {
    SHOW(unshare(CLONE_FS));
    SHOW(chdir("/"));
  }
  if (what == 3)
    SHOW(syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE));
  return NULL;
}
int main(void) {
  char top[PATH_MAX], now[PATH_MAX];
  getcwd(top, sizeof top);
  for (long i = 0; i < 4; i++) {
    fd3 = open("/dev/null", O_RDONLY);
    pthread_t t;
    pthread_create(&t, NULL, thread, (void *)i);
    pthread_join(t, NULL);
    say("case %ld: descriptor %s, directory %s", i, fcntl(fd3, F_GETFD) >= 0 ? "open" : "closed",
        strcmp(getcwd(now, sizeof now), top) ? "moved" : "kept");
    close(fd3);
  }
  SHOW(unshare(0));
  SHOW(unshare(1));
  int a = open("/dev/null", O_RDONLY), b = dup(a), c = dup(a);
  SHOW(syscall(SYS_close_range, b, b, 0));
  say("%d %d %d", fcntl(a, F_GETFD), fcntl(b, F_GETFD), fcntl(c, F_GETFD));
  SHOW(syscall(SYS_close_range, a, c, CLOSE_RANGE_CLOEXEC));
  say("%d %d %d", fcntl(a, F_GETFD), fcntl(b, F_GETFD), fcntl(c, F_GETFD));
  SHOW(syscall(SYS_close_range, 5, 4, 0));
  SHOW(syscall(SYS_close_range, 3, 100, 8));
  SHOW(syscall(SYS_close_range, 1000, ~0u, 0));
}
