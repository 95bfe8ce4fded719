/* prctl's common half. */
#include "guest.h"
int main(void) {
  char name[32] = "";
  SHOW(prctl(PR_GET_NAME, name));
  say("[%s]", name);
  SHOW(prctl(PR_SET_NAME, "a name longer than fifteen"));
  prctl(PR_GET_NAME, name);
  say("[%s]", name);
  char comm[64];
  read_file("/proc/self/comm", comm, sizeof comm);
  say("[%s]", strtok(comm, "\n"));
  SHOW(prctl(PR_SET_NAME, 8));
  SHOW(prctl(PR_GET_DUMPABLE));
  SHOW(prctl(PR_SET_DUMPABLE, 0));
  SHOW(prctl(PR_GET_DUMPABLE));
  SHOW(prctl(PR_SET_DUMPABLE, 2));
  SHOW(prctl(PR_SET_DUMPABLE, 1));
  SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  CHILD("inherits no_new_privs") SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_TIMERSLACK, 123456));
  SHOW(prctl(PR_GET_TIMERSLACK));
  SHOW(prctl(PR_SET_KEEPCAPS, 2));
  SHOW(prctl(PR_GET_TIMING));
  SHOW(prctl(99999));
  SHOW(prctl(PR_SET_SECCOMP, 77));
  SHOW(prctl(PR_GET_SECCOMP));
  unsigned long fs = 0;
  SHOW(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs));
  YES(fs == (unsigned long)pthread_self());
  SHOW(syscall(SYS_arch_prctl, 0x1003, 8));
  SHOW(syscall(SYS_arch_prctl, 0x7777, 0));
  SHOW(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, 0x123000));
  unsigned long gs = 0;
  SHOW(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &gs));
  say("gs %lx", gs);
  SHOW(syscall(SYS_arch_prctl, 0x1001, -1UL));
}
