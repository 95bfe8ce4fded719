/* Limits and usage: prlimit(2), getrusage(2), times(2). */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/capability.h>
#include <sys/times.h>
#include <time.h>

SYSCALL_HANDLER(getrlimit) {
  if ((unsigned)a[0] >= RLIM_NLIMITS)
    return -EINVAL;
  struct rlimit r = t->proc->rlim[(unsigned)a[0]];
  return put_user(a[1], &r) ? -EFAULT : 0;
}

SYSCALL_HANDLER(setrlimit) {
  struct rlimit r;
  if (get_user(&r, a[1]))
    return -EFAULT;
  if ((unsigned)a[0] >= RLIM_NLIMITS)
    return -EINVAL;
  return process_set_rlimit(t, t->proc, (int)a[0], &r);
}

static int check_prlimit(const struct task *t, const struct task *o) {
  const struct cred *c = t->cred, *oc = o->cred;
  if (t->proc == o->proc)
    return 0;
  bool same = c->uid == oc->euid && c->uid == oc->suid && c->uid == oc->uid && c->gid == oc->egid &&
              c->gid == oc->sgid && c->gid == oc->gid;
  return same || ns_capable(c, oc->user_ns, CAP_SYS_RESOURCE) ? 0 : -EPERM;
}

SYSCALL_HANDLER(prlimit64) {
  unsigned which = (unsigned)a[1];
  struct rlimit new, old;
  if (which >= RLIM_NLIMITS)
    return -EINVAL;
  if (a[2] && get_user(&new, a[2]))
    return -EFAULT;
  struct task *o = (int)a[0] ? task_find_borrow(t->k, (int)a[0]) : t;
  if (!o)
    return -ESRCH;
  int err = check_prlimit(t, o);
  old = o->proc->rlim[which];
  if (!err && a[2])
    err = process_set_rlimit(t, o->proc, (int)which, &new);
  if (err)
    return err;
  return a[3] && put_user(a[3], &old) ? -EFAULT : 0;
}

SYSCALL_HANDLER(getrusage) {
  struct rusage_acc acc;
  struct rusage r;
  switch ((int)a[0]) {
  case RUSAGE_SELF:
    process_usage_ask(t);
    process_rusage(t->proc, &acc);
    break;
  case RUSAGE_CHILDREN:
    acc = t->proc->children_acc;
    break;
  case RUSAGE_THREAD:
    task_usage_ask(t);
    task_rusage(t, &acc);
    break;
  default:
    return -EINVAL;
  }
  rusage_from_acc(&acc, &r);
  return put_user(a[1], &r) ? -EFAULT : 0;
}

#define TICK_NS 10000000 /* USER_HZ 100 */

SYSCALL_HANDLER(times) {
  if (a[0]) {
    struct rusage_acc self, *ch = &t->proc->children_acc;
    process_rusage(t->proc, &self);
    struct tms tms = {(clock_t)(self.utime / TICK_NS), (clock_t)(self.stime / TICK_NS), (clock_t)(ch->utime / TICK_NS),
                      (clock_t)(ch->stime / TICK_NS)};
    if (put_user(a[0], &tms))
      return -EFAULT;
  }
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 100 + ts.tv_nsec / TICK_NS;
}
