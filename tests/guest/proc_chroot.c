/* chroot: the new root, .. at it, outside descriptors, permissions. */
#include "guest.h"
int main(void) {
  char buf[PATH_MAX];
  MUST(mkdir("jail", 0755));
  MUST(mkdir("jail/in", 0755));
  MUST(write_file("jail/in/f", "inside"));
  MUST(symlink("/in/f", "jail/abs"));
  MUST(symlink("../../../../in/f", "jail/rel"));
  CHILD("jailed") {
    SHOW(chroot("jail"));
    SHOW(chdir("/"));
    say("%s", getcwd(buf, sizeof buf));
    OK(open("/in/f", O_RDONLY));
    OK(open("/../../../in/f", O_RDONLY));
    OK(open("/abs", O_RDONLY));
    OK(open("/rel", O_RDONLY));
    SHOW(open("/etc/passwd", O_RDONLY));
    SHOW(chdir("in"));
    say("%s", getcwd(buf, sizeof buf));
  }
  CHILD("cwd left outside") {
    SHOW(chroot("jail"));
    SHOW(access("jail/in/f", R_OK));
    SHOW(syscall(SYS_getcwd, buf, sizeof buf) > 0);
    YES(!strncmp(buf, "(unreachable)", 13));
  }
  SHOW(chroot("nothing"));
  SHOW(chroot("jail/in/f"));
  CHILD("user") {
    become_user(1000);
    SHOW(chroot("jail"));
  }
  SHOW(access("/etc/passwd", R_OK));
}
