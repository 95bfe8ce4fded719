/* The current directory: chdir, fchdir, getcwd, removed directories, sharing over fork. */
#include "guest.h"
int main(void) {
  char buf[PATH_MAX], top[PATH_MAX];
  getcwd(top, sizeof top);
  MUST(mkdir("a", 0755));
  MUST(mkdir("a/b", 0755));
  MUST(write_file("file", ""));
  SHOW(chdir("a/b"));
  say("%s", getcwd(buf, sizeof buf) + strlen(top));
  SHOW(chdir(".."));
  say("%s", getcwd(buf, sizeof buf) + strlen(top));
  SHOW(chdir("../file"));
  SHOW(chdir("nothing"));
  SHOW(chdir(""));
  SHOW(syscall(SYS_chdir, 8));
  int d = MUST(open("b", O_RDONLY | O_DIRECTORY)), f = MUST(open("../file", O_RDONLY));
  SHOW(fchdir(d));
  SHOW(fchdir(f));
  SHOW(fchdir(99));
  SHOW(syscall(SYS_getcwd, buf, 3));
  SHOW(syscall(SYS_getcwd, buf, 0));
  SHOW(syscall(SYS_getcwd, 8, 100) == -1);
  YES(syscall(SYS_getcwd, buf, sizeof buf) == (long)strlen(buf) + 1);
  CHILD("own directory") {
    chdir("/");
    say("%s", getcwd(buf, sizeof buf));
  }
  say("%s", getcwd(buf, sizeof buf) + strlen(top));
  MUST(rename("../../a", "../../c"));
  say("renamed: %s", getcwd(buf, sizeof buf) + strlen(top));
  SHOW(rmdir("../b"));
  SHOW(syscall(SYS_getcwd, buf, sizeof buf));
  SHOW(mkdir("x", 0755));
  SHOW(open("x", O_RDWR | O_CREAT, 0644));
  OK(open(".", O_RDONLY));
  SHOW(chdir(".."));
  say("%s", getcwd(buf, sizeof buf) + strlen(top));
  CHILD("no search permission") {
    MUST(mkdir("closed", 0700));
    become_user(1000);
    SHOW(chdir("closed"));
  }
}
