/* ustat(2): obsolete, and still there. */
#include "guest.h"

int main(void) {
  struct {
    int tfree;
    unsigned long tinode;
    char names[12];
  } u;
  struct stat st;
  MUST(stat("/proc", &st));
  memset(&u, 0xff, sizeof u);
  SHOW(syscall(SYS_ustat, st.st_dev, &u));
  say("%d %lu %d", u.tfree, u.tinode, u.names[0]);
  SHOW(syscall(SYS_ustat, st.st_dev, 8L));
  SHOW(syscall(SYS_ustat, 0x7abcd, &u));
}
