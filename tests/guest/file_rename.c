/* rename and renameat2: files, directories, replacement, links, errors, flags. */
#include "guest.h"
static const char *what(const char *p) {
  static char b[4][64];
  static int n;
  struct stat st;
  char *s = b[n++ & 3];
  if (lstat(p, &st))
    return "-";
  if (S_ISREG(st.st_mode))
    read_file(p, s, 64);
  else
    strcpy(s, S_ISDIR(st.st_mode) ? "dir" : S_ISLNK(st.st_mode) ? "link" : "?");
  return s;
}
int main(void) {
  MUST(write_file("a", "A")), MUST(write_file("b", "B"));
  mkdir("d", 0755), mkdir("e", 0755), mkdir("full", 0755), MUST(write_file("full/x", "X")), symlink("a", "l");
  SHOW(rename("a", "b"));
  say("%s %s", what("a"), what("b"));
  SHOW(rename("b", "b"));
  SHOW(rename("nothing", "b"));
  SHOW(rename("b", "d"));
  SHOW(rename("d", "b"));
  SHOW(rename("d", "e"));
  say("%s %s", what("d"), what("e"));
  SHOW(rename("e", "full"));
  SHOW(rename("full", "e"));
  say("%s", what("e/x"));
  SHOW(rename("e", "e/sub"));
  SHOW(rename("e/x", "e"));
  SHOW(rename("e", "e/x"));
  SHOW(rename("e", "e/."));
  SHOW(rename(".", "x"));
  SHOW(rename("..", "x"));
  SHOW(rename("b", "b/"));
  SHOW(rename("b", "new/"));
  SHOW(rename("e", "dir/"));
  say("%s", what("dir/x"));
  SHOW(rename("l", "m"));
  say("%s", what("m"));
  SHOW(link("b", "hard"));
  SHOW(rename("b", "hard")); /* the same file: nothing happens */
  say("%s %s", what("b"), what("hard"));
  SHOW(rename("b", "no/where"));
  SHOW(rename("", "x"));
  MUST(write_file("c", "C"));
  SHOW(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "b", AT_FDCWD, "fresh", RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "c", AT_FDCWD, "fresh", RENAME_EXCHANGE));
  say("%s %s", what("c"), what("fresh"));
  SHOW(renameat2(AT_FDCWD, "c", AT_FDCWD, "dir", RENAME_EXCHANGE));
  say("%s %s %s", what("c"), what("c/x"), what("dir"));
  SHOW(renameat2(AT_FDCWD, "c", AT_FDCWD, "gone", RENAME_EXCHANGE));
  SHOW(renameat2(AT_FDCWD, "c", AT_FDCWD, "dir", RENAME_EXCHANGE | RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "c", AT_FDCWD, "dir", 0x100));
  int fd = MUST(open("fresh", O_RDONLY));
  MUST(write_file("over", "OVER"));
  SHOW(rename("over", "fresh"));
  char b[8] = "";
  SHOW(read(fd, b, 8)); /* the replaced file lives on while open */
  say("%s %s", b, what("fresh"));
  MUST(mkdir("sticky", 0777)), MUST(chmod("sticky", 01777)), MUST(write_file("sticky/f", "F"));
  CHILD("sticky directory") {
    become_user(1000);
    SHOW(rename("sticky/f", "sticky/g"));
    SHOW(unlink("sticky/f"));
    MUST(write_file("sticky/mine", "M"));
    SHOW(rename("sticky/mine", "sticky/f"));
    SHOW(rename("sticky/mine", "sticky/yours"));
    SHOW(rename("fresh", "x"));
  }
}
