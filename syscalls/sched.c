/*
 * Scheduling calls. The host schedules guest threads as it schedules any; what a guest sets is checked by Linux's
 * rules, remembered and told back, and has no effect: a container may not raise its share of the host.
 */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/capability.h>
#include <sched.h>
#include <string.h>

#define RESET_ON_FORK 0x40000000
#define POLICY_DEADLINE 6
#define AFFINITY_BYTES 16 /* room for 128 CPUs */

static struct task *target(struct task *t, int tid) {
  return tid ? task_find_borrow(t->k, tid) : t;
}

static bool is_rt(int policy) {
  return policy == SCHED_FIFO || policy == SCHED_RR;
}
static bool policy_ok(int policy) {
  return is_rt(policy) || policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static bool same_owner(const struct task *t, const struct task *o) {
  return t->cred->euid == o->cred->uid || t->cred->euid == o->cred->euid || cred_has_cap(t->cred, CAP_SYS_NICE);
}

SYSCALL_HANDLER(sched_yield) {
  return 0;
}

static bool may_nice(const struct task *t, const struct task *o, int nice) {
  return nice >= o->nice || 20 - nice <= (int64_t)o->proc->rlim[RLIMIT_NICE].rlim_cur ||
         cred_has_cap(t->cred, CAP_SYS_NICE);
}

/* __sched_setscheduler()'s checks. policy < 0: keep it. */
static int set_sched(struct task *t, int tid, int policy, int prio) {
  struct task *o = tid < 0 ? NULL : target(t, tid);
  if (!o)
    return tid < 0 ? -EINVAL : -ESRCH;
  bool reset = o->sched_reset_on_fork;
  if (policy < 0)
    policy = o->sched_policy;
  else
    reset = policy & RESET_ON_FORK;
  policy &= ~RESET_ON_FORK;
  if (!policy_ok(policy) || prio < 0 || prio > 99 || is_rt(policy) != (prio != 0))
    return -EINVAL;
  if (!cred_has_cap(t->cred, CAP_SYS_NICE)) {
    uint64_t lim = o->proc->rlim[RLIMIT_RTPRIO].rlim_cur;
    if (is_rt(policy) && ((policy != o->sched_policy && !lim) || (prio > o->sched_priority && (uint64_t)prio > lim)))
      return -EPERM;
    if (!same_owner(t, o) || (o->sched_reset_on_fork && !reset))
      return -EPERM;
  }
  o->sched_policy = policy;
  o->sched_priority = prio;
  o->sched_reset_on_fork = reset;
  return 0;
}

SYSCALL_HANDLER(sched_setscheduler) {
  int prio;
  if ((int)a[1] < 0 || !a[2])
    return -EINVAL;
  if (get_user(&prio, a[2]))
    return -EFAULT;
  return set_sched(t, (int)a[0], (int)a[1], prio);
}

SYSCALL_HANDLER(sched_setparam) {
  int prio;
  if (!a[1])
    return -EINVAL;
  if (get_user(&prio, a[1]))
    return -EFAULT;
  return set_sched(t, (int)a[0], -1, prio);
}

SYSCALL_HANDLER(sched_getscheduler) {
  if ((int)a[0] < 0)
    return -EINVAL;
  struct task *o = target(t, (int)a[0]);
  return o ? o->sched_policy | (o->sched_reset_on_fork ? RESET_ON_FORK : 0) : -ESRCH;
}

SYSCALL_HANDLER(sched_getparam) {
  if ((int)a[0] < 0 || !a[1])
    return -EINVAL;
  struct task *o = target(t, (int)a[0]);
  if (!o)
    return -ESRCH;
  int prio = is_rt(o->sched_policy) ? o->sched_priority : 0;
  return put_user(a[1], &prio) ? -EFAULT : 0;
}

static int64_t priority_bound(int policy, int64_t rt) {
  if (is_rt(policy))
    return rt;
  return policy_ok(policy) || policy == POLICY_DEADLINE ? 0 : -EINVAL;
}
SYSCALL_HANDLER(sched_get_priority_max) {
  return priority_bound((int)a[0], 99);
}
SYSCALL_HANDLER(sched_get_priority_min) {
  return priority_bound((int)a[0], 1);
}

SYSCALL_HANDLER(sched_rr_get_interval) {
  if ((int)a[0] < 0)
    return -EINVAL;
  struct task *o = target(t, (int)a[0]);
  if (!o)
    return -ESRCH;
  struct timespec ts = {0, o->sched_policy == SCHED_RR ? 100000000 : o->sched_policy == SCHED_FIFO ? 0 : 4000000};
  return put_user(a[1], &ts) ? -EFAULT : 0;
}

/* ---- affinity ---- */

SYSCALL_HANDLER(sched_getaffinity) {
  struct kernel *k = t->k;
  unsigned len = (unsigned)a[1];
  if (len * 8 < (unsigned)k->ncpus || (len & 7))
    return -EINVAL;
  struct task *o = target(t, (int)a[0]);
  if (!o)
    return -ESRCH;
  uint64_t set[2] = {o->cpu_affinity[0], o->cpu_affinity[1]};
  unsigned kernel_len = k->ncpus > 64 ? 16 : 8;
  unsigned n = len < kernel_len ? len : kernel_len;
  return copy_to_user(a[2], set, n) ? -EFAULT : (int64_t)n;
}

SYSCALL_HANDLER(sched_setaffinity) {
  struct kernel *k = t->k;
  uint64_t set[2] = {0};
  size_t n = a[1] < AFFINITY_BYTES ? a[1] : AFFINITY_BYTES;
  if (copy_from_user(set, a[2], n))
    return -EFAULT;
  struct task *o = target(t, (int)a[0]);
  if (!o)
    return -ESRCH;
  if (!same_owner(t, o))
    return -EPERM;
  for (int i = 0; i < 128; i++)
    if (i >= k->ncpus)
      set[i / 64] &= ~(1ull << (i % 64));
  if (!set[0] && !set[1])
    return -EINVAL;
  memcpy(o->cpu_affinity, set, sizeof set);
  o->affinity_due = true;
  if (o != t && o->in_guest && o->ctx)
    plat_interrupt(o->ctx);
  return 0;
}

SYSCALL_HANDLER(getcpu) {
  unsigned cpu = 0, node = 0;
  int err = plat_getcpu(t->ctx, &cpu);
  if (err)
    return err;
  if (a[0] && put_user(a[0], &cpu))
    return -EFAULT;
  return a[1] && put_user(a[1], &node) ? -EFAULT : 0;
}

/* ---- sched_attr ---- */

struct attr { /* struct sched_attr, SCHED_ATTR_SIZE_VER1 */
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};
#define ATTR_SIZE_0 48

SYSCALL_HANDLER(sched_getattr) {
  unsigned size = (unsigned)a[2];
  if ((int)a[0] < 0 || !a[1] || a[3] || size < ATTR_SIZE_0 || size > PAGE_SIZE)
    return -EINVAL;
  struct task *o = target(t, (int)a[0]);
  if (!o)
    return -ESRCH;
  struct attr at = {.policy = (uint32_t)o->sched_policy, .flags = o->sched_reset_on_fork ? 1 : 0};
  if (is_rt(o->sched_policy))
    at.priority = (uint32_t)o->sched_priority;
  else
    at.nice = o->nice;
  at.util_max = 1024;
  at.size = size < sizeof at ? size : sizeof at;
  return copy_to_user(a[1], &at, at.size) ? -EFAULT : 0;
}

SYSCALL_HANDLER(sched_setattr) {
  struct attr at = {0};
  uint32_t size;
  if (!a[1] || (int)a[0] < 0 || a[2])
    return -EINVAL;
  if (get_user(&size, a[1]))
    return -EFAULT;
  if (size == 0)
    size = ATTR_SIZE_0;
  if (size < ATTR_SIZE_0 || size > sizeof at)
    return -E2BIG;
  if (copy_from_user(&at, a[1], size))
    return -EFAULT;
  if (at.policy == POLICY_DEADLINE)
    return -EPERM;
  if (at.policy > INT32_MAX || (at.flags & ~0x7full))
    return -EINVAL;
  struct task *o = target(t, (int)a[0]);
  if (!o)
    return -ESRCH;
  int nice = at.nice < -20 ? -20 : at.nice > 19 ? 19 : at.nice;
  if (!is_rt((int)at.policy) && (!same_owner(t, o) || !may_nice(t, o, nice)))
    return -EPERM;
  int err = set_sched(t, (int)a[0], (int)at.policy | (at.flags & 1 ? RESET_ON_FORK : 0), (int)at.priority);
  if (!err && !is_rt((int)at.policy))
    o->nice = nice;
  return err;
}

/* ---- nice ---- */

struct each { /* over the tasks that which/who mean */
  struct task *t;
  int which, who, n, err, nice;
  int best;
};

static void set_nice(struct each *e, struct task *o) {
  e->n++;
  const struct cred *c = e->t->cred;
  if (c->euid != o->cred->uid && c->euid != o->cred->euid && !ns_capable(c, o->cred->user_ns, CAP_SYS_NICE))
    e->err = -EPERM;
  else if (!may_nice(e->t, o, e->nice))
    e->err = -EACCES;
  else
    o->nice = e->nice;
}

static void get_nice(struct each *e, struct task *o) {
  e->n++;
  if (20 - o->nice > e->best)
    e->best = 20 - o->nice;
}

static int for_each(struct each *e, void (*fn)(struct each *, struct task *)) {
  struct kernel *k = e->t->k;
  struct process *p;
  struct task *o;
  if (e->which == PRIO_PROCESS) {
    o = target(e->t, e->who);
    if (o)
      fn(e, o);
    return 0;
  }
  if (e->which != PRIO_PGRP && e->which != PRIO_USER)
    return -EINVAL;
  int pgrp = e->who ? e->who : pid_vnr(e->t->proc->pgrp);
  uint32_t uid = e->who ? (uint32_t)e->who : e->t->cred->uid;
  LIST_FOREACH(p, &k->processes, all) {
    if (e->which == PRIO_PGRP && (!p->pgrp || pid_vnr(p->pgrp) != pgrp))
      continue;
    LIST_FOREACH(o, &p->threads, thread_link) {
      if (e->which == PRIO_PGRP || o->cred->uid == uid)
        fn(e, o);
    }
  }
  return 0;
}

SYSCALL_HANDLER(getpriority) {
  struct each e = {.t = t, .which = (int)a[0], .who = (int)a[1]};
  int err = for_each(&e, get_nice);
  return err ? err : e.n ? e.best : -ESRCH; /* 40..1: libc turns it round */
}

SYSCALL_HANDLER(setpriority) {
  int nice = (int)a[2];
  struct each e = {.t = t, .which = (int)a[0], .who = (int)a[1]};
  e.nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
  int err = for_each(&e, set_nice);
  return err ? err : !e.n ? -ESRCH : e.err;
}

/* ---- I/O priority ---- */

enum { IOPRIO_WHO_PROCESS = 1 };
#define IOPRIO_CLASS(p) ((p) >> 13)

static void set_ioprio(struct each *e, struct task *o) {
  e->n++;
  if (!same_owner(e->t, o))
    e->err = -EPERM;
  else
    o->ioprio = e->nice;
}

/* What holds for a task that was given none: best effort, by its niceness. */
static int effective_ioprio(const struct task *o) {
  return IOPRIO_CLASS(o->ioprio) ? o->ioprio : 2 << 13 | (o->nice + 20) / 5;
}

static void get_ioprio(struct each *e, struct task *o) {
  int p = effective_ioprio(o);
  if (!e->n++ || p < e->best)
    e->best = p;
}

SYSCALL_HANDLER(ioprio_set) {
  int class = IOPRIO_CLASS((int)a[2]), level = (int)a[2] & 7;
  /* Above the level come hints, which the class does not matter for. */
  if (class < 0 || class > 3 || (class == 0 && level))
    return -EINVAL;
  if (class == 1 && !cred_has_cap(t->cred, CAP_SYS_ADMIN) && !cred_has_cap(t->cred, CAP_SYS_NICE))
    return -EPERM;
  struct each e = {.t = t, .which = (int)(a[0] - IOPRIO_WHO_PROCESS), .who = (int)a[1], .nice = (int)a[2]};
  int err = for_each(&e, set_ioprio);
  return err ? err : e.n ? e.err : -ESRCH;
}

SYSCALL_HANDLER(ioprio_get) {
  struct each e = {.t = t, .which = (int)(a[0] - IOPRIO_WHO_PROCESS), .who = (int)a[1]};
  if (e.which == PRIO_PROCESS) { /* as it was set */
    struct task *o = target(t, e.who);
    return o ? o->ioprio : -ESRCH;
  }
  int err = for_each(&e, get_ioprio);
  return err ? err : e.n ? e.best : -ESRCH;
}
