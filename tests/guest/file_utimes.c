/* utimensat, futimens, utimes: values, UTIME_NOW and UTIME_OMIT, permissions. */
#include "guest.h"
#include <sys/time.h>
#include <utime.h>
static void times(const char *p) {
  struct stat s;
  lstat(p, &s);
  say("%s: %ld.%09ld %ld.%09ld", p, (long)s.st_atime, (long)s.st_atim.tv_nsec, (long)s.st_mtime, (long)s.st_mtim.tv_nsec);
}
int main(void) {
  MUST(write_file("f", "x"));
  MUST(symlink("f", "l"));
  struct timespec t[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  times("f");
  t[0].tv_nsec = UTIME_OMIT, t[1] = (struct timespec){5, 6};
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  times("f");
  t[0] = (struct timespec){7, 8};
  SHOW(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
  times("l"), times("f");
  SHOW(utimes("f", (struct timeval[]){{1, 2}, {3, 4}}));
  times("f");
  struct utimbuf u = {11, 22};
  SHOW(utime("f", &u));
  times("f");
  int fd = MUST(open("f", O_RDWR));
  t[0] = (struct timespec){-5, 1}, t[1] = (struct timespec){1L << 31, 9};
  SHOW(futimens(fd, t));
  times("f");
  struct stat s;
  SHOW(futimens(fd, NULL)), fstat(fd, &s);
  YES(labs(s.st_mtime - time(NULL)) < 5 && labs(s.st_atime - time(NULL)) < 5);
  t[0].tv_nsec = 1000000000;
  SHOW(futimens(fd, t));
  SHOW(utimes("f", (struct timeval[]){{1, 1000000}, {3, 4}}));
  SHOW(utimensat(AT_FDCWD, "nothing", NULL, 0));
  SHOW(utimensat(99, "f", NULL, 0));
  SHOW(utimensat(AT_FDCWD, "f", NULL, 0x8000));
  MUST(chmod("f", 0666));
  CHILD("another user") {
    become_user(1000);
    SHOW(utimensat(AT_FDCWD, "f", NULL, 0)); /* may write, so may set to now */
    t[0] = t[1] = (struct timespec){5, 5};
    SHOW(utimensat(AT_FDCWD, "f", t, 0));
  }
  MUST(chmod("f", 0644));
  CHILD("without write permission") {
    become_user(1000);
    SHOW(utimensat(AT_FDCWD, "f", NULL, 0));
  }
}
