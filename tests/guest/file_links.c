/* Hard and symbolic links: counts, loops, depth, dangling, readlink, O_NOFOLLOW, linkat flags. */
#include "guest.h"
int main(void) {
  char buf[300];
  struct stat st, s2;
  MUST(write_file("f", "text"));
  SHOW(link("f", "g"));
  stat("f", &st), stat("g", &s2);
  say("nlink %d same %d", (int)st.st_nlink, st.st_ino == s2.st_ino);
  SHOW(link("f", "g"));
  SHOW(link("nothing", "h"));
  SHOW(link(".", "h"));
  SHOW(link("f", "no/h"));
  SHOW(link("f", "f/h"));
  SHOW(unlink("f"));
  stat("g", &st);
  say("nlink %d", (int)st.st_nlink);
  SHOW(symlink("g", "s"));
  SHOW(symlink("x", "s"));
  SHOW(symlink("", "empty"));
  SHOW(readlink("s", buf, sizeof buf));
  SHOW(readlink("s", buf, 0));
  SHOW(readlink("g", buf, sizeof buf));
  SHOW(readlink("nothing", buf, sizeof buf));
  symlink("a-long-target-name", "t");
  SHOW(readlink("t", buf, 5));
  say("%.5s", buf);
  lstat("t", &st);
  say("size %ld mode %o", (long)st.st_size, st.st_mode);
  SHOW(stat("t", &st));
  SHOW(link("t", "t2")); /* the link itself */
  lstat("t2", &st);
  say("is a link %d", S_ISLNK(st.st_mode));
  SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "g2", AT_SYMLINK_FOLLOW));
  lstat("g2", &st);
  say("is a file %d nlink %d", S_ISREG(st.st_mode), (int)st.st_nlink);
  SHOW(linkat(AT_FDCWD, "g", AT_FDCWD, "g3", 0x4));
  int fd = MUST(open("g", O_PATH));
  SHOW(linkat(fd, "", AT_FDCWD, "g4", AT_EMPTY_PATH));
  symlink("loop2", "loop1"), symlink("loop1", "loop2"), symlink("self", "self");
  SHOW(open("loop1", O_RDONLY));
  SHOW(stat("self", &st));
  SHOW(lstat("self", &st));
  SHOW(open("self/x", O_RDONLY));
  SHOW(chmod("loop1", 0600));
  SHOW(truncate("self", 0));
  symlink("g", "n0");
  for (int i = 1; i <= 41; i++) {
    char a[8], b[8];
    sprintf(a, "n%d", i - 1), sprintf(b, "n%d", i);
    symlink(a, b);
  }
  OK(open("n39", O_RDONLY));
  SHOW(open("n40", O_RDONLY));
  mkdir("d", 0755), MUST(write_file("d/in", "in")), symlink("d", "dl"), symlink("../g", "d/up");
  OK(open("dl/in", O_RDONLY));
  OK(open("dl/up", O_RDONLY));
  OK(open("dl/../g", O_RDONLY));
  SHOW(unlink("dl/"));
  SHOW(rmdir("dl"));
  SHOW(mkdir("dl", 0755));
  SHOW(mkdir("dangle/", 0755)), symlink("target", "dangling"), SHOW(mkdir("dangling", 0755));
  SHOW(unlink("dl"));
  SHOW(lchown("s", 5, 6));
  lstat("s", &st), stat("s", &s2);
  say("link's owner %u, file's %u", st.st_uid, s2.st_uid);
}
