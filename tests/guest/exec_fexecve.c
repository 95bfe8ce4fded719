/* fexecve and execveat: by descriptor, relative to a directory, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
#include "guest.h"
static char *argv[] = {"args", "6", "at", NULL}, *env[] = {"G_F=1", NULL};
static long at(int fd, const char *path, int flags) { return syscall(SYS_execveat, fd, path, argv, env, flags); }
int main(void) {
  char dir[PATH_MAX];
  strcpy(dir, helper("args"));
  CHILD("fexecve") {
    int fd = open(dir, O_RDONLY | O_CLOEXEC);
    fexecve(fd, argv, env);
    say("%s", ename(errno));
  }
  CHILD("O_PATH") {
    int fd = open(dir, O_PATH);
    at(fd, "", AT_EMPTY_PATH);
    say("%s", ename(errno));
  }
  symlink(dir, "link");
  *strrchr(dir, '/') = 0;
  int d = MUST(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHILD("relative") {
    at(d, "args", 0);
    say("%s", ename(errno));
  }
  CHILD("link") {
    at(AT_FDCWD, "./link", 0);
    say("%s", ename(errno));
  }
  SHOW(at(AT_FDCWD, "./link", AT_SYMLINK_NOFOLLOW));
  SHOW(at(d, "", 0));
  SHOW(at(d, "", AT_EMPTY_PATH));
  SHOW(at(99, "args", 0));
  SHOW(at(0, "args", 0));
  SHOW(at(d, "args", 0x4000));
  MUST(write_file("script", "#!/bin/sh\necho script by descriptor\n"));
  MUST(chmod("script", 0755));
  int s = MUST(open("script", O_RDONLY | O_CLOEXEC));
  SHOW(at(s, "", AT_EMPTY_PATH)); /* the interpreter could not open a close-on-exec /dev/fd */
  CHILD("script") {
    fcntl(s, F_SETFD, 0);
    at(s, "", AT_EMPTY_PATH);
    say("%s", ename(errno));
  }
}
