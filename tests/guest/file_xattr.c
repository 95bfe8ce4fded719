/* Extended attributes: trusted ones (which every file system has), lists, flags, sizes, symlinks, permissions. */
#include "guest.h"
#include <sys/xattr.h>
static int cmp(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *f) {
  char b[512], *n[16];
  ssize_t len = listxattr(f, b, sizeof b);
  int k = 0;
  for (ssize_t i = 0; i < len; i += strlen(b + i) + 1)
    n[k++] = b + i;
  qsort(n, k, sizeof *n, cmp);
  say("listed %d", k);
  for (int i = 0; i < k; i++)
    say("  %s", n[i]);
}
int main(void) {
  char v[64] = "";
  MUST(write_file("f", "x")), MUST(symlink("f", "l"));
  list("f");
  SHOW(setxattr("f", "trusted.a", "value", 5, 0)), SHOW(getxattr("f", "trusted.a", v, sizeof v)), say("%s", v);
  SHOW(getxattr("f", "trusted.a", NULL, 0)), SHOW(getxattr("f", "trusted.a", v, 2)), SHOW(getxattr("f", "trusted.none", v, 2));
  SHOW(setxattr("f", "trusted.a", "x", 1, XATTR_CREATE)), SHOW(setxattr("f", "trusted.b", "x", 1, XATTR_REPLACE)), SHOW(setxattr("f", "trusted.b", "", 0, XATTR_CREATE)), SHOW(setxattr("f", "trusted.a", "longer value", 12, XATTR_REPLACE)), SHOW(setxattr("f", "trusted.a", "x", 1, 7));
  list("f");
  SHOW(listxattr("f", NULL, 0)), SHOW(listxattr("f", v, 3)), SHOW(getxattr("l", "trusted.a", v, sizeof v)), SHOW(lgetxattr("l", "trusted.a", v, sizeof v));
  int fd = MUST(open("f", O_RDWR));
  SHOW(fsetxattr(fd, "trusted.c", "z", 1, 0)), SHOW(fgetxattr(fd, "trusted.c", v, 8)), SHOW(fremovexattr(fd, "trusted.c")), SHOW(fremovexattr(fd, "trusted.c"));
  SHOW(setxattr("f", "nonsense", "x", 1, 0)), SHOW(setxattr("f", "unknown.x", "x", 1, 0)), SHOW(setxattr("nothing", "trusted.x", "x", 1, 0)), SHOW(setxattr("f", "", "x", 1, 0));
  char name[300];
  memset(name, 'n', sizeof name), memcpy(name, "trusted.", 8), name[256] = 0;
  SHOW(setxattr("f", name, "x", 1, 0)), SHOW(setxattr("f", "trusted.big", v, 70000, 0));
  CHILD("a user sees no trusted ones") {
    become_user(1000);
    list("f");
    SHOW(getxattr("f", "trusted.a", v, sizeof v)), SHOW(setxattr("f", "trusted.a", "x", 1, 0));
  }
  SHOW(removexattr("f", "trusted.a"));
}
