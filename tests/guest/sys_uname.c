/* uname, sysinfo, hostname rules, getrandom-free system facts. */
#include "guest.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>
int main(void) {
  struct utsname u;
  SHOW(uname(&u));
  say("%s %s", u.sysname, u.machine);
  YES(strlen(u.release) > 0 && strlen(u.version) > 0 && strlen(u.nodename) > 0);
  int a, b;
  YES(sscanf(u.release, "%d.%d", &a, &b) == 2 && a >= 4);
  char h[65];
  SHOW(gethostname(h, sizeof h));
  YES(!strcmp(h, u.nodename));
  SHOW(syscall(SYS_uname, 8));
  struct sysinfo s;
  SHOW(sysinfo(&s));
  YES(s.uptime > 0 && s.totalram > 0 && s.freeram <= s.totalram && s.procs > 0 && s.mem_unit > 0);
  SHOW(syscall(SYS_sysinfo, 8));
  CHILD("user") {
    become_user(1000);
    SHOW(sethostname("x", 1)), SHOW(setdomainname("x", 1));
  }
  SHOW(sethostname("x", -1)), SHOW(sethostname("x", 100));
  SHOW(syscall(SYS_personality, 0xffffffff));
  SHOW(getpagesize());
  SHOW(syscall(1000)), SHOW(syscall(-1)), SHOW(syscall(449 + 500));
  SHOW(syscall(SYS_uselib, "x")), SHOW(syscall(SYS_getpmsg)), SHOW(syscall(SYS__sysctl)), SHOW(syscall(SYS_create_module));
}
