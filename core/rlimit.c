/* Resource limits: getrlimit(2), include/asm-generic/resource.h of Linux for the defaults. */
#include "errno.h"
#include "kernel.h"
#include "task.h"
#include "timers.h"
#include <linux/capability.h>

#define NR_OPEN 1048576u /* /proc/sys/fs/nr_open */

void rlimits_default(struct rlimit *r, const struct kernel *k) {
  for (int i = 0; i < RLIM_NLIMITS; i++)
    r[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
  /* As Linux: threads may take half of the memory, at 8 pages of kernel memory each. */
  uint64_t threads = k->mem_total / (8 * 8 * PAGE_SIZE);
  uint64_t nproc = threads / 2 > 1024 ? threads / 2 : 1024;
  r[RLIMIT_STACK] = (struct rlimit){8 << 20, RLIM_INFINITY};
  r[RLIMIT_CORE] = (struct rlimit){0, RLIM_INFINITY};
  r[RLIMIT_NPROC] = (struct rlimit){nproc, nproc};
  r[RLIMIT_NOFILE] = (struct rlimit){1024, 1048576};
  r[RLIMIT_MEMLOCK] = (struct rlimit){8 << 20, 8 << 20};
  r[RLIMIT_SIGPENDING] = (struct rlimit){nproc, nproc};
  r[RLIMIT_MSGQUEUE] = (struct rlimit){819200, 819200};
  r[RLIMIT_NICE] = (struct rlimit){0, 0};
  r[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
}

uint64_t task_rlimit(const struct task *t, int which) {
  return t->proc->rlim[which].rlim_cur;
}

int process_set_rlimit(struct task *caller, struct process *p, int which, const struct rlimit *n) {
  if (n->rlim_cur > n->rlim_max)
    return -EINVAL;
  if (which == RLIMIT_NOFILE && n->rlim_max > NR_OPEN)
    return -EPERM;
  if (n->rlim_max > p->rlim[which].rlim_max && !cred_has_cap(caller->cred, CAP_SYS_RESOURCE))
    return -EPERM;
  p->rlim[which] = *n;
  if (which == RLIMIT_CPU)
    cpu_limit_update(p);
  if (which == RLIMIT_STACK && caller->proc == p)
    mm_stack_limit(caller);
  return 0;
}
