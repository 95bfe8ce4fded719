/* RLIMIT_CPU: getrlimit(2). CPU time makes no events, so it is sampled, the more closely the nearer the limit is. */
#include "kernel.h"
#include "timers.h"
#include <stdlib.h>

#define MIN_WAIT_NS 10000000

struct cpu_limit {
  struct timer timer;
  struct process *p;  /* outlives it: timers_exit() */
  uint64_t next_soft; /* s: SIGXCPU is due then, and every second after */
};

static void look(struct timer *t) {
  struct cpu_limit *l = t->arg;
  struct process *p = l->p;
  uint64_t used = process_cpu_ns(p), hard = p->rlim[RLIMIT_CPU].rlim_max, next = l->next_soft;
  if (hard != RLIM_INFINITY && used / NSEC_PER_SEC >= hard) {
    send_signal_process(p, SIGKILL, NULL);
    return;
  }
  if (used / NSEC_PER_SEC >= next) {
    send_signal_process(p, SIGXCPU, NULL);
    next = l->next_soft = used / NSEC_PER_SEC + 1;
  }
  if (next > hard)
    next = hard;
  int64_t wait = cpu_clock_delay(p->k, (int64_t)(next * NSEC_PER_SEC - used));
  timer_arm(&l->timer, deadline_after(wait < MIN_WAIT_NS ? MIN_WAIT_NS : wait));
}

void cpu_limit_update(struct process *p) {
  struct cpu_limit *l = p->cpu_limit;
  uint64_t soft = p->rlim[RLIMIT_CPU].rlim_cur;
  if (soft >= (uint64_t)TIME_MAX_NS / NSEC_PER_SEC) {
    cpu_limit_free(p);
    return;
  }
  if (!l && !(l = p->cpu_limit = calloc(1, sizeof *l)))
    return;
  l->timer.fn = look;
  l->timer.arg = l;
  l->p = p;
  l->next_soft = soft ? soft : 1; /* 0 means the same as 1 */
  timer_arm(&l->timer, deadline_after(cpu_clock_delay(p->k, (int64_t)l->next_soft * NSEC_PER_SEC) / 2));
}

void cpu_limit_free(struct process *p) {
  struct cpu_limit *l = p->cpu_limit;
  if (l)
    timer_disarm(&l->timer);
  free(l);
  p->cpu_limit = NULL;
}
