/* prctl(2) and arch_prctl(2): settings of a task that have no call of their own. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "../core/seccomp.h"
#include "seccomp.h"
#include "table.h"
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <string.h>

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

#define PR_SET_SYSCALL_USER_DISPATCH_K 59 /* Linux 5.11 */
#define DUMP_USER 1                       /* SUID_DUMP_USER: as any process of its user's */

static int64_t set_name(struct task *t, uint64_t addr) {
  char name[sizeof t->comm] = {0};
  ssize_t n = strncpy_from_user(name, addr, sizeof name);
  if (n == -EFAULT)
    return -EFAULT;
  if (n == -ENAMETOOLONG && copy_from_user(name, addr, sizeof name - 1))
    return -EFAULT;
  name[sizeof name - 1] = '\0';
  size_t len = strlen(name);
  memset(t->comm, 0, sizeof t->comm);
  memcpy(t->comm, name, len);
  return 0;
}

static int64_t set_dumpable(struct task *t, uint64_t v) {
  if (v > DUMP_USER)
    return -EINVAL;
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) o->dumpable_off = v == 0;
  return 0;
}

static int64_t replace_cred(struct task *t, struct cred *c) {
  task_set_cred(t, c);
  cred_put(c);
  return 0;
}

static int64_t capbset_drop(struct task *t, uint64_t cap) {
  if (!cred_own_cap(t->cred, CAP_SETPCAP))
    return -EPERM;
  if (cap > CAP_LAST)
    return -EINVAL;
  struct cred *c = cred_dup(t->cred);
  if (!c)
    return -ENOMEM;
  c->cap_bnd &= ~(1ull << cap);
  return replace_cred(t, c);
}

/* Locked bits stay as they are, unknown bits may not be set; CAP_SETPCAP is needed. */
static int64_t set_securebits(struct task *t, uint64_t v) {
  uint32_t old = t->cred->securebits, now = (uint32_t)v;
  uint32_t locked = (old & SECURE_ALL_LOCKS) >> 1;
  if ((locked & (old ^ now)) || ((old & SECURE_ALL_LOCKS) & ~now) ||
      (v & ~(uint64_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)))
    return -EPERM;
  if (!cred_own_cap(t->cred, CAP_SETPCAP))
    return -EPERM;
  struct cred *c = cred_dup(t->cred);
  if (!c)
    return -ENOMEM;
  c->securebits = now;
  return replace_cred(t, c);
}

static int64_t set_keepcaps(struct task *t, uint64_t v) {
  if (v > 1)
    return -EINVAL;
  if (t->cred->securebits & SECBIT_KEEP_CAPS_LOCKED)
    return -EPERM;
  struct cred *c = cred_dup(t->cred);
  if (!c)
    return -ENOMEM;
  c->securebits = v ? c->securebits | SECBIT_KEEP_CAPS : c->securebits & ~(uint32_t)SECBIT_KEEP_CAPS;
  t->keep_caps = v;
  return replace_cred(t, c);
}

static int64_t set_no_new_privs(struct task *t, const uint64_t *a) {
  if (a[1] != 1 || a[2] || a[3] || a[4])
    return -EINVAL;
  struct cred *c = cred_dup(t->cred);
  if (!c)
    return -ENOMEM;
  c->no_new_privs = true;
  return replace_cred(t, c);
}

static int64_t cap_ambient(struct task *t, const uint64_t *a) {
  uint64_t op = a[1], cap = a[2];
  const struct cred *old = t->cred;
  if (op == PR_CAP_AMBIENT_CLEAR_ALL ? a[2] || a[3] || a[4] : a[3] || a[4] || cap > CAP_LAST)
    return -EINVAL;
  uint64_t bit = 1ull << (cap & 63);
  switch (op) {
  case PR_CAP_AMBIENT_IS_SET:
    return !!(old->cap_amb & bit);
  case PR_CAP_AMBIENT_RAISE:
    if (!(old->cap_prm & bit) || !(old->cap_inh & bit) || (old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
      return -EPERM;
    break;
  case PR_CAP_AMBIENT_LOWER:
  case PR_CAP_AMBIENT_CLEAR_ALL:
    break;
  default:
    return -EINVAL;
  }
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  if (op == PR_CAP_AMBIENT_RAISE)
    c->cap_amb |= bit;
  else if (op == PR_CAP_AMBIENT_LOWER)
    c->cap_amb &= ~bit;
  else
    c->cap_amb = 0;
  return replace_cred(t, c);
}

static int64_t get_auxv(struct task *t, const uint64_t *a) {
  if (a[3] || a[4])
    return -EINVAL;
  if (!t->mm)
    return -EINVAL;
  uint64_t size = (uint64_t)t->mm->nauxv * sizeof t->mm->auxv[0];
  uint64_t n = a[2] < size ? a[2] : size;
  return copy_to_user(a[1], t->mm->auxv, n) ? -EFAULT : (int64_t)size;
}

static int64_t put_int(uint64_t addr, int v) {
  return put_user(addr, &v) ? -EFAULT : 0;
}

/* Remembered; kept off by one, so that 0 is the default. */
static int64_t mce_kill(struct task *t, const uint64_t *a) {
  if (a[3] || a[4])
    return -EINVAL;
  if (a[1] == PR_MCE_KILL_CLEAR) {
    if (a[2])
      return -EINVAL;
    t->proc->mce_kill = 0;
    return 0;
  }
  if (a[1] != PR_MCE_KILL_SET || a[2] > PR_MCE_KILL_DEFAULT)
    return -EINVAL;
  t->proc->mce_kill = a[2] == PR_MCE_KILL_DEFAULT ? 0 : (int)a[2] + 1;
  return 0;
}

static int64_t io_flusher(struct task *t, const uint64_t *a) {
  if (!cred_has_cap(t->cred, CAP_SYS_RESOURCE))
    return -EPERM;
  if (a[2] || a[3] || a[4])
    return -EINVAL;
  if ((int)a[0] == PR_GET_IO_FLUSHER)
    return a[1] ? -EINVAL : t->proc->io_flusher;
  if (a[1] > 1)
    return -EINVAL;
  t->proc->io_flusher = a[1];
  return 0;
}

/* Those that change credentials or depend on them. */
static int64_t prctl_cred(struct task *t, const uint64_t *a) {
  switch ((int)a[0]) {
  case PR_GET_KEEPCAPS:
    return !!(t->cred->securebits & SECBIT_KEEP_CAPS);
  case PR_SET_KEEPCAPS:
    return set_keepcaps(t, a[1]);
  case PR_CAPBSET_READ:
    return a[1] > CAP_LAST ? -EINVAL : !!(t->cred->cap_bnd & (1ull << a[1]));
  case PR_CAPBSET_DROP:
    return capbset_drop(t, a[1]);
  case PR_GET_SECUREBITS:
    return t->cred->securebits;
  case PR_SET_SECUREBITS:
    return set_securebits(t, a[1]);
  case PR_SET_NO_NEW_PRIVS:
    return set_no_new_privs(t, a);
  case PR_GET_NO_NEW_PRIVS:
    return a[1] || a[2] || a[3] || a[4] ? -EINVAL : t->cred->no_new_privs;
  case PR_CAP_AMBIENT:
    return cap_ambient(t, a);
  default:
    return -EINVAL;
  }
}

SYSCALL_HANDLER(prctl) {
  switch ((int)a[0]) {
  case PR_SET_NAME:
    return set_name(t, a[1]);
  case PR_GET_NAME:
    return copy_to_user(a[1], t->comm, sizeof t->comm) ? -EFAULT : 0;
  case PR_SET_PDEATHSIG:
    if (a[1] > NSIG_GUEST)
      return -EINVAL;
    t->pdeath_signal = (int)a[1];
    return 0;
  case PR_GET_PDEATHSIG:
    return put_int(a[1], t->pdeath_signal);
  case PR_GET_DUMPABLE:
    return !t->dumpable_off;
  case PR_SET_DUMPABLE:
    return set_dumpable(t, a[1]);
  case PR_SET_CHILD_SUBREAPER:
    t->proc->subreaper = a[1];
    return 0;
  case PR_GET_CHILD_SUBREAPER:
    return put_int(a[1], t->proc->subreaper);
  case PR_GET_TIMERSLACK:
    return t->timer_slack_ns;
  case PR_SET_TIMERSLACK:
    t->timer_slack_ns = (int64_t)a[1] <= 0 ? 50000 : a[1] > UINT32_MAX ? UINT32_MAX : (uint32_t)a[1];
    return 0;
  case PR_GET_TIMING:
    return PR_TIMING_STATISTICAL;
  case PR_SET_TIMING:
    return a[1] == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
  case PR_GET_TSC:
    return put_int(a[1], PR_TSC_ENABLE);
  case PR_GET_THP_DISABLE:
    return a[1] || a[2] || a[3] || a[4] ? -EINVAL : t->proc->thp_disable;
  case PR_SET_THP_DISABLE:
    if (a[2] || a[3] || a[4])
      return -EINVAL;
    t->proc->thp_disable = a[1];
    return 0;
  case PR_MCE_KILL:
    return mce_kill(t, a);
  case PR_MCE_KILL_GET:
    return a[1] || a[2] || a[3] || a[4] ? -EINVAL : t->proc->mce_kill ? t->proc->mce_kill - 1 : PR_MCE_KILL_DEFAULT;
  case PR_SET_IO_FLUSHER:
  case PR_GET_IO_FLUSHER:
    return io_flusher(t, a);
  case PR_GET_SECCOMP:
    return t->seccomp_mode;
  case PR_SET_SYSCALL_USER_DISPATCH_K:
    return user_dispatch_set(t, a[1], a[2], a[3], a[4]);
  case PR_SET_SECCOMP:
    return seccomp_prctl(t, a[1], a[2]);
  case PR_GET_TID_ADDRESS:
    return put_user(a[1], &t->clear_child_tid) ? -EFAULT : 0;
  case PR_GET_AUXV:
    return get_auxv(t, a);
  default:
    /* PR_SET_MM, PR_SET_VMA and the rest: as a kernel built without them. */
    return prctl_cred(t, a);
  }
}

/* modify_ldt(2). There is no local descriptor table, and none can be made: the host's is not the guest's to change. */
static int modify_ldt(int func, uint64_t ptr, uint64_t count) {
  enum { READ, WRITE_OLD, READ_DEFAULT, WRITE = 0x11, ENTRIES = 8192, EMPTY_FLAGS = 0x28 };
  struct {
    uint32_t entry, base, limit, flags;
  } d;
  switch (func) {
  case READ:
    return 0;
  case READ_DEFAULT:
    count = count < 128 ? count : 128;
    return clear_user(ptr, count) ? -EFAULT : (int)count;
  case WRITE_OLD:
  case WRITE:
    if (count != sizeof d)
      return -EINVAL;
    if (get_user(&d, ptr))
      return -EFAULT;
    if (d.entry >= ENTRIES)
      return -EINVAL;
    /* Clearing an entry changes nothing. */
    return !d.base && !d.limit && (func == WRITE_OLD || (d.flags & 0x7f) == EMPTY_FLAGS) ? 0 : -EPERM;
  default:
    return -ENOSYS;
  }
}
/* An int, which the ABI does not extend. */
SYSCALL_HANDLER(modify_ldt) {
  return (uint32_t)modify_ldt((int)a[0], a[1], a[2]);
}

/* arch/x86/kernel/process_64.c. Bases must be canonical guest addresses, or the host would fault on them. */
SYSCALL_HANDLER(arch_prctl) {
  enum { SET_GS = 0x1001, SET_FS = 0x1002, GET_FS = 0x1003, GET_GS = 0x1004, GET_CPUID = 0x1011, SET_CPUID = 0x1012 };
  uint64_t base;
  int err;
  switch ((int)a[0]) {
  case SET_FS:
  case SET_GS:
    if (a[1] >= 0x7ffffffff000ull)
      return -EPERM;
    return (int)a[0] == SET_FS ? plat_set_fsbase(t->ctx, a[1]) : plat_set_gsbase(t->ctx, a[1]);
  case GET_FS:
  case GET_GS:
    err = (int)a[0] == GET_FS ? plat_get_fsbase(t->ctx, &base) : plat_get_gsbase(t->ctx, &base);
    if (err)
      return err;
    return put_user(a[1], &base) ? -EFAULT : 0;
  case GET_CPUID:
    return 1; /* CPUID does not fault */
  case SET_CPUID:
    return -ENODEV;
  default:
    return -EINVAL;
  }
}
