/*
 * CPU time and counters. Guests run natively, so their time is the host's to tell: through the CPU clock of the host
 * process (clock_getcpuclockid(3)), which needs no /proc. The host tells it per process only, not for threads of
 * others; a thread of several is given an equal share of what its process used.
 */
#include "kernel.h"
#include "task.h"
#include <time.h>

/* kernel/time/posix-cpu-timers.c: the clock ids of other processes. */
enum { CPUCLOCK_PROF = 0, CPUCLOCK_VIRT = 1, CPUCLOCK_SCHED = 2 };
static clockid_t process_clock(int pid, int which) {
  return (clockid_t)((~(unsigned)pid << 3) | (unsigned)which);
}

static uint64_t read_ns(clockid_t id) {
  struct timespec ts;
  if (clock_gettime(id, &ts) != 0)
    return 0;
  return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The host process that p runs in now: any context's thread id is good for finding it, the leader's is its pid. */
static int host_pid(const struct process *p) {
  const struct task *t = p->leader;
  if (t && t->ctx)
    return p->host_pid ? p->host_pid : plat_ctx_host_tid(t->ctx);
  return 0;
}

static void host_times(const struct process *p, uint64_t *utime, uint64_t *stime) {
  *utime = *stime = 0;
  int pid = host_pid(p);
  if (pid <= 0)
    return;
  /* The sum is exact; the two parts are counted in ticks and only say how to split it (cputime_adjust()). */
  uint64_t sum = read_ns(process_clock(pid, CPUCLOCK_SCHED));
  uint64_t ticks = read_ns(process_clock(pid, CPUCLOCK_PROF));
  uint64_t user = read_ns(process_clock(pid, CPUCLOCK_VIRT));
  *utime = ticks && user < ticks ? (uint64_t)((unsigned __int128)sum * user / ticks) : sum;
  *stime = sum - *utime;
}

void task_account_host(struct task *t) {
  uint64_t u, s;
  host_times(t->proc, &u, &s);
  t->proc->dead.utime += u;
  t->proc->dead.stime += s;
  t->proc->host_pid = 0;
}

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
  uint64_t u, s;
  host_times(p, &u, &s);
  out->utime += u;
  out->stime += s;
  struct task *t;
  LIST_FOREACH(t, &p->threads, thread_link) add_counters(out, t);
}

void task_rusage(struct task *t, struct rusage_acc *out) {
  process_rusage(t->proc, out);
  if (t->proc->nthreads <= 1)
    return;
  unsigned n = (unsigned)t->proc->nthreads;
  *out = (struct rusage_acc){.utime = out->utime / n, .stime = out->stime / n};
  add_counters(out, t);
}
