/* Capabilities: what set-uid changes do to them, keepcaps, bounding, ambient, securebits, exec. */
#include "guest.h"
#include <linux/capability.h>
#include <linux/securebits.h>
static void caps(const char *what) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  if (syscall(SYS_capget, &h, d))
    say("capget: %s", ename(errno));
  unsigned m = 1 << CAP_CHOWN | 1 << CAP_KILL | 1 << CAP_SETUID | 1 << CAP_SETPCAP;
  say("%s: eff %x perm %x inh %x", what, d[0].effective & m, d[0].permitted & m, d[0].inheritable & m);
}
static int set(unsigned e, unsigned p, unsigned i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{e, p, i}};
  return syscall(SYS_capset, &h, d);
}
int main(void) {
  struct __user_cap_header_struct h = {0x12345678, 0};
  SHOW(syscall(SYS_capget, &h, NULL));
  say("version %x", h.version);
  h = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 1 << 20};
  struct __user_cap_data_struct d[2];
  SHOW(syscall(SYS_capget, &h, d));
  caps("root");
  CHILD("setuid drops") {
    setuid(1000);
    caps("after");
  }
  CHILD("seteuid drops effective only") {
    seteuid(1000);
    caps("euid user");
    seteuid(0);
    caps("euid root");
  }
  CHILD("keepcaps") {
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    setuid(1000);
    caps("after");
    SHOW(set(1 << CAP_KILL, 1 << CAP_KILL | 1 << CAP_SETUID, 1 << CAP_KILL));
    caps("some raised");
    SHOW(set(1 << CAP_CHOWN, 1 << CAP_CHOWN, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0));
    CHILD("ambient over exec") {
      execl("/bin/sh", "sh", "-c", "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status", NULL);
    }
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
  }
  CHILD("bounding") {
    SHOW(prctl(PR_CAPBSET_READ, CAP_KILL));
    SHOW(prctl(PR_CAPBSET_DROP, CAP_KILL));
    SHOW(prctl(PR_CAPBSET_READ, CAP_KILL));
    SHOW(prctl(PR_CAPBSET_READ, 64));
    caps("still held");
    setuid(0);
    char out[64];
    snprintf(out, sizeof out, "%s", "x");
    CHILD("gone after exec") {
      execl("/bin/sh", "sh", "-c", "x=$(grep CapEff /proc/self/status); echo $((0x${x##*0000} >> 5 & 1))", NULL);
    }
    setresuid(1000, 1000, 1000);
    SHOW(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
  }
  CHILD("securebits") {
    SHOW(prctl(PR_GET_SECUREBITS));
    SHOW(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
    seteuid(1000);
    caps("no fixup");
  }
  CHILD("not held") {
    set(0, 1 << CAP_SETUID, 0);
    SHOW(setuid(5));
    SHOW(chown("/", 1, 1));
    SHOW(set(1 << CAP_SETUID, 1 << CAP_SETUID, 0));
    SHOW(setuid(5));
  }
}
