/* setuid and its kin: rules for root and for others, saved ids, fsuid. */
#include "guest.h"
#include <sys/fsuid.h>
static void ids(const char *what) {
  uid_t r, e, s;
  getresuid(&r, &e, &s);
  say("%s: %u %u %u fs %d", what, r, e, s, setfsuid(-1));
}
int main(void) {
  ids("start");
  CHILD("setuid as root sets all") {
    SHOW(setuid(1000));
    ids("after");
    SHOW(setuid(0));
    SHOW(seteuid(0));
    SHOW(setuid(1000));
    SHOW(setresuid(1000, 1000, 1001));
  }
  CHILD("seteuid and back") {
    SHOW(seteuid(1000));
    ids("euid");
    SHOW(setuid(2000));
    SHOW(setreuid(-1, 2000));
    SHOW(seteuid(0));
    ids("back");
  }
  CHILD("setreuid") {
    SHOW(setreuid(1000, 2000));
    ids("after");
    SHOW(setreuid(2000, 1000));
    ids("swapped");
    SHOW(setreuid(3000, -1));
  }
  CHILD("setresuid") {
    SHOW(setresuid(1, 2, 3));
    ids("after");
    SHOW(setresuid(3, 1, 2));
    ids("rotated");
    SHOW(setresuid(4, -1, -1));
    SHOW(setuid(3));
    ids("setuid to real");
  }
  CHILD("setfsuid") {
    SHOW(setfsuid(1000));
    ids("after");
    int fd = open("x", O_WRONLY | O_CREAT, 0600);
    say("create in a root directory: %s", fd < 0 ? ename(errno) : "ok");
    SHOW(seteuid(0));
    ids("follows the euid");
  }
  CHILD("exec keeps") {
    setresuid(1000, 0, 1001);
    execl(helper("state"), "state", NULL);
  }
  SHOW(getuid() == 0 ? syscall(SYS_setresuid, -1, -1, -1) : -1);
}
