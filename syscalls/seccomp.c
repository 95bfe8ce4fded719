/* seccomp(2) and prctl(PR_SET_SECCOMP); perf_event_open(2) and bpf(2), which are refused. */
#include "seccomp.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/seccomp.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "table.h"
#include <linux/capability.h>
#include <linux/prctl.h>
#include <stdlib.h>

#define FLAGS_KNOWN                                                                                                    \
  (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |                              \
   SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static int check_flags(uint64_t f) {
  if (f & ~(uint64_t)FLAGS_KNOWN)
    return -EINVAL;
  /* Both would answer with a number of their own. */
  if ((f & SECCOMP_FILTER_FLAG_TSYNC) && (f & SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
      !(f & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
    return -EINVAL;
  if ((f & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) && !(f & SECCOMP_FILTER_FLAG_NEW_LISTENER))
    return -EINVAL;
  return 0;
}

static int read_filter(struct task *t, uint64_t uprog, struct seccomp_filter **out) {
  struct {
    uint16_t len;
    uint64_t insns;
  } prog;
  if (get_user(&prog, uprog))
    return -EFAULT;
  if (!prog.len || prog.len > BPF_MAXINSNS)
    return -EINVAL;
  if (!t->cred->no_new_privs && !cred_own_cap(t->cred, CAP_SYS_ADMIN))
    return -EACCES;
  size_t size = prog.len * sizeof(struct sock_filter);
  struct sock_filter *insns = malloc(size);
  if (!insns)
    return -ENOMEM;
  int r = copy_from_user(insns, prog.insns, size) ? -EFAULT : seccomp_filter_new(insns, prog.len, out);
  free(insns);
  return r;
}

/* With a listener: its descriptor is reserved before the filter is in force, and it takes no call of ours to give it.
 */
static int64_t attach_with_listener(struct task *t, struct seccomp_filter *f, unsigned flags) {
  AUTO_FILE file = NULL;
  int fd = fd_reserve(t->files, 0, true);
  if (fd < 0)
    return fd;
  int r = seccomp_notify_file_new(t->k, f, &file);
  if (!r)
    r = seccomp_attach(t, f, flags);
  if (r) {
    fd_unreserve(t->files, fd);
    return r;
  }
  fd_fill(t->files, fd, file);
  return fd;
}

static int64_t set_filter(struct task *t, uint64_t flags, uint64_t uprog) {
  struct seccomp_filter *f;
  int64_t r = check_flags(flags);
  if (!r)
    r = read_filter(t, uprog, &f);
  if (r)
    return r;
  if (!seccomp_may_assign(t, SECCOMP_MODE_FILTER))
    r = -EINVAL;
  else if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
    r = attach_with_listener(t, f, (unsigned)flags);
  else
    r = seccomp_attach(t, f, (unsigned)flags);
  seccomp_filter_put(f);
  return r;
}

static int64_t set_strict(struct task *t, uint64_t flags, uint64_t args) {
  return flags || args ? -EINVAL : seccomp_set_strict(t);
}

static int64_t action_avail(uint64_t flags, uint64_t arg) {
  uint32_t action;
  if (flags)
    return -EINVAL;
  if (get_user(&action, arg))
    return -EFAULT;
  return seccomp_action_known(action) ? 0 : -EOPNOTSUPP;
}

static int64_t notif_sizes(uint64_t flags, uint64_t arg) {
  struct seccomp_notif_sizes sizes = {
      .seccomp_notif = sizeof(struct seccomp_notif),
      .seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
      .seccomp_data = sizeof(struct seccomp_data),
  };
  if (flags)
    return -EINVAL;
  return put_user(arg, &sizes) ? -EFAULT : 0;
}

SYSCALL_HANDLER(seccomp) {
  uint64_t flags = (uint32_t)a[1];
  switch ((uint32_t)a[0]) {
  case SECCOMP_SET_MODE_STRICT:
    return set_strict(t, flags, a[2]);
  case SECCOMP_SET_MODE_FILTER:
    return set_filter(t, flags, a[2]);
  case SECCOMP_GET_ACTION_AVAIL:
    return action_avail(flags, a[2]);
  case SECCOMP_GET_NOTIF_SIZES:
    return notif_sizes(flags, a[2]);
  default:
    return -EINVAL;
  }
}

int64_t seccomp_prctl(struct task *t, uint64_t mode, uint64_t filter) {
  switch (mode) {
  case SECCOMP_MODE_STRICT:
    return seccomp_set_strict(t);
  case SECCOMP_MODE_FILTER:
    return set_filter(t, 0, filter);
  default:
    return -EINVAL;
  }
}

/* ---- what a container may not have ---- */

#define PERF_ATTR_SIZE_VER0 64
#define PERF_FLAGS_KNOWN 15
#define BPF_CMD_LAST 37

/* /proc/sys/kernel/perf_event_paranoid is 4. There is no hardware to count with for those who may. */
SYSCALL_HANDLER(perf_event_open) {
  uint32_t head[2]; /* type, size */
  if (a[4] & ~(uint64_t)PERF_FLAGS_KNOWN)
    return -EINVAL;
  if (copy_from_user(head, a[0], sizeof head))
    return -EFAULT;
  if (head[1] && (head[1] < PERF_ATTR_SIZE_VER0 || head[1] > 4096))
    return -E2BIG;
  if (!cred_has_cap(t->cred, CAP_PERFMON) && !cred_has_cap(t->cred, CAP_SYS_ADMIN))
    return -EACCES;
  return -ENOENT;
}

/* CAP_BPF counts in the initial user namespace only, where no container is; unprivileged_bpf_disabled is 2. */
SYSCALL_HANDLER(bpf) {
  if ((uint32_t)a[2] > 4096)
    return -E2BIG;
  if ((uint32_t)a[0] > BPF_CMD_LAST)
    return -EINVAL;
  return -EPERM;
}
