/* reboot(2) in a pid namespace: whom it is allowed to, what it checks, how the namespace's init ends. */
#include "guest.h"
#include <linux/capability.h>
#include <linux/reboot.h>

static long do_reboot(unsigned magic, unsigned magic2, unsigned cmd) {
  return syscall(SYS_reboot, magic, magic2, cmd, NULL);
}
#define M1 LINUX_REBOOT_MAGIC1
#define M2 LINUX_REBOOT_MAGIC2

/* In a new pid namespace, as its init; how that ended is said. */
static void in_pid_ns(const char *what, int extra, void (*fn)(unsigned), unsigned arg) {
  CHILD(what) {
    MUST(unshare(CLONE_NEWPID | extra));
    pid_t p = child_fork();
    if (!p) {
      fn(arg);
      _exit(7);
    }
    reap("  init", p);
  }
}

static void self(unsigned cmd) {
  do_reboot(M1, M2, cmd);
  say("  still there: %s", ename(errno));
}
static void by_child(unsigned cmd) {
  pid_t p = child_fork();
  if (!p) {
    do_reboot(M1, LINUX_REBOOT_MAGIC2A, cmd);
    say("  still there: %s", ename(errno));
    _exit(3);
  }
  for (;;)
    pause();
}
static void by_thread_child(unsigned cmd) {
  pid_t other = child_fork();
  if (!other)
    for (;;)
      pause();
  signal(SIGTERM, SIG_IGN);
  by_child(cmd);
}
static void drop_boot(unsigned cmd) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  MUST(syscall(SYS_capget, &h, d));
  d[0].effective &= ~(1u << CAP_SYS_BOOT);
  MUST(syscall(SYS_capset, &h, d));
  say("  without the capability: %s", do_reboot(M1, M2, cmd) < 0 ? ename(errno) : "ok");
  say("  and with wrong numbers: %s", do_reboot(1, 2, 3) < 0 ? ename(errno) : "ok");
}
static void errors(unsigned unused) {
  say("  magic: %s", do_reboot(1, M2, LINUX_REBOOT_CMD_RESTART) < 0 ? ename(errno) : "ok");
  say("  magic2: %s", do_reboot(M1, 1, LINUX_REBOOT_CMD_RESTART) < 0 ? ename(errno) : "ok");
  say("  CAD on: %s", do_reboot(M1, M2, LINUX_REBOOT_CMD_CAD_ON) < 0 ? ename(errno) : "ok");
  say("  CAD off: %s", do_reboot(M1, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_CMD_CAD_OFF) < 0 ? ename(errno) : "ok");
  say("  kexec: %s", do_reboot(M1, LINUX_REBOOT_MAGIC2C, LINUX_REBOOT_CMD_KEXEC) < 0 ? ename(errno) : "ok");
  say("  nonsense: %s", do_reboot(M1, M2, 99) < 0 ? ename(errno) : "ok");
}

int main(void) {
  in_pid_ns("errors", 0, errors, 0);
  in_pid_ns("no capability", 0, drop_boot, LINUX_REBOOT_CMD_RESTART);
  in_pid_ns("restart", 0, self, LINUX_REBOOT_CMD_RESTART);
  in_pid_ns("restart2", 0, by_child, LINUX_REBOOT_CMD_RESTART2);
  in_pid_ns("halt", 0, self, LINUX_REBOOT_CMD_HALT);
  in_pid_ns("power off", 0, by_child, LINUX_REBOOT_CMD_POWER_OFF);
  in_pid_ns("with others around", 0, by_thread_child, LINUX_REBOOT_CMD_RESTART);
  in_pid_ns("in a user namespace", CLONE_NEWUSER, self, LINUX_REBOOT_CMD_RESTART);
}
