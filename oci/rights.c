#include "rights.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UID_BASE 2000000000u

unsigned rights_uid(pid_t p) {
  return geteuid() == 0 ? UID_BASE + (unsigned)p : 0;
}

/* Capabilities(7): the bounding set first, it needs CAP_SETPCAP; the rest goes with the ids, and then for certain. */
const char *rights_drop(unsigned uid) {
  for (int cap = 0; cap <= 63; cap++)
    if (prctl(PR_CAPBSET_DROP, cap) && errno == EINVAL)
      break;
  if (setgroups(0, NULL) && errno != EPERM)
    return "setgroups";
  /* Inside a user namespace the id may have no mapping: the process then stays who it is. */
  if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) && errno != EINVAL)
    return "setresuid";
  struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct d[2] = {{0}, {0}};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &h, d))
    return "capset";
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? "no_new_privs" : NULL;
}
