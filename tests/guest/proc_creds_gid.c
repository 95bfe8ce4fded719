/* Group ids and supplementary groups. */
#include "guest.h"
#include <sys/fsuid.h>
static void ids(const char *what) {
  gid_t r, e, s, g[64];
  getresgid(&r, &e, &s);
  int n = getgroups(64, g);
  char buf[256] = "";
  for (int i = 0; i < n; i++)
    sprintf(buf + strlen(buf), " %u", g[i]);
  say("%s: %u %u %u groups%s", what, r, e, s, buf);
}
int main(void) {
  gid_t g[] = {30, 10, 20};
  SHOW(setgroups(3, g));
  ids("sorted");
  SHOW(getgroups(0, NULL));
  gid_t two[2];
  SHOW(getgroups(2, two));
  SHOW(getgroups(-1, two));
  SHOW(setgroups(65537, g));
  SHOW(setgroups(1, (gid_t *)8));
  CHILD("setresgid") {
    SHOW(setresgid(1, 2, 3));
    ids("after");
    SHOW(setgid(9));
    ids("setgid as root");
  }
  CHILD("as user") {
    MUST(setresgid(100, 200, 300));
    MUST(setresuid(1000, 1000, 1000));
    SHOW(setgid(300));
    ids("egid to saved");
    SHOW(setgid(100));
    SHOW(setregid(-1, 300));
    SHOW(setregid(200, -1));
    SHOW(setresgid(300, 100, -1));
    ids("swapped");
    SHOW(setgroups(0, NULL));
    SHOW(setfsgid(12));
    SHOW(setfsgid(-1));
  }
  CHILD("group permission through a supplementary group") {
    MUST(write_file("f", "x"));
    MUST(chown("f", 0, 20));
    MUST(chmod("f", 0640));
    MUST(setresuid(1000, 1000, 1000));
    OK(open("f", O_RDONLY));
    SHOW(open("f", O_WRONLY));
  }
}
