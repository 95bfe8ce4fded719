/* What the gofer gives up before it reads the first request: capabilities(7), seccomp(2). */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To act for any guest uid on files of any owner; and to open the guests' own files of /proc, which a process of
 * another uid may not (ptrace(2), access mode checking). ptrace(2) itself the filter refuses. */
#define KEEP                                                                                                           \
  (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | 1u << CAP_FSETID |        \
   1u << CAP_SYS_PTRACE)

int gofer_drop_capabilities(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  if (syscall(SYS_capget, &h, d) < 0)
    return -errno;
  /* Without CAP_SETPCAP the bounding set stays; no_new_privs makes it moot. */
  for (int cap = 0; cap <= 63; cap++)
    if ((cap > 31 || !(KEEP >> cap & 1)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EPERM)
      break;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  d[0].permitted &= KEEP;
  d[0].effective = d[0].permitted;
  d[0].inheritable = 0;
  d[1] = (struct __user_cap_data_struct){0};
  return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

static const int allowed[] = {
    /* the connection */
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(close),
    /* resolving: every path goes through openat2 with RESOLVE_BENEATH; plain open is not on the list */
    SCMP_SYS(openat2),
    SCMP_SYS(statx),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(readlinkat),
    SCMP_SYS(geteuid),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    /* making and removing names */
    SCMP_SYS(mkdirat),
    SCMP_SYS(mknodat),
    SCMP_SYS(symlinkat),
    SCMP_SYS(linkat),
    SCMP_SYS(unlinkat),
    SCMP_SYS(renameat2),
    /* attributes */
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(utimensat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fgetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(flistxattr),
    SCMP_SYS(fremovexattr),
    452 /* fchmodat2: libseccomp 2.5 has no name for it */,
    /* the end */
    SCMP_SYS(exit_group),
    SCMP_SYS(exit),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
};

int gofer_install_filter(int sock) {
  (void)sock;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -errno;
#if defined(__SANITIZE_ADDRESS__) || defined(GOFER_NO_FILTER)
  return 0; /* the sanitizers' run-time makes calls of its own */
#endif
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (!f)
    return -ENOMEM;
  int err = 0;
  for (size_t i = 0; !err && i < sizeof allowed / sizeof *allowed; i++)
    err = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
  static const int fcntls[] = {F_GETFL, F_SETFL};
  for (size_t i = 0; !err && i < 2; i++)
    err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntls[i]));
  if (!err)
    err = seccomp_load(f);
  seccomp_release(f);
  return err;
}
