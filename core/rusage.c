/* getrusage(2)'s sums. CPU time is the host's to tell, see timers.h. */
#include "kernel.h"
#include "task.h"
#include "timers.h"

static uint64_t maxrss_kb(const struct task *t) {
  /* The host's count is not to be had from outside; what the program may have touched bounds it. */
  return t->mm ? (t->mm->data_vm + t->mm->stack_vm) * (PAGE_SIZE / 1024) : 0;
}

static void add_counters(struct rusage_acc *out, const struct task *t) {
  out->min_flt += t->min_flt;
  out->maj_flt += t->maj_flt;
  out->nvcsw += t->nvcsw;
  out->nivcsw += t->nivcsw;
  uint64_t rss = maxrss_kb(t);
  if (rss > out->maxrss_kb)
    out->maxrss_kb = rss;
}

void process_rusage(struct process *p, struct rusage_acc *out) {
  *out = p->dead;
  struct cpu_times cpu = process_cpu_times(p);
  out->utime = cpu.utime;
  out->stime = cpu.stime;
  struct task *t;
  LIST_FOREACH(t, &p->threads, thread_link) add_counters(out, t);
}

void task_rusage(struct task *t, struct rusage_acc *out) {
  *out = (struct rusage_acc){0};
  struct cpu_times cpu = task_cpu_times(t);
  out->utime = cpu.utime;
  out->stime = cpu.stime;
  add_counters(out, t);
}
