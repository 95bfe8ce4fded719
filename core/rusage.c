/*
 * CPU time and counters: getrusage(2). Guests run natively, so their time is the host's to tell.
 *
 * Of a whole host process the Sentry can read the CPU clock from outside (clock_getcpuclockid(3)), which needs no
 * /proc. Of one thread, and for page faults, switches and memory, only the thread itself can be asked, by an order,
 * while it is stopped in a call: what a task asks about itself is therefore exact. What others see of a running thread
 * is what it last said, and a share of what the process used beyond that.
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

struct host_time {
  uint64_t sum, user, ticks; /* ns; exact; the parts that sampling knows, which only say how to split the sum */
};

static struct host_time host_times(const struct process *p) {
  struct host_time h = {0};
  int pid = host_pid(p);
  if (pid > 0) {
    h.sum = read_ns(process_clock(pid, CPUCLOCK_SCHED));
    h.ticks = read_ns(process_clock(pid, CPUCLOCK_PROF));
    h.user = read_ns(process_clock(pid, CPUCLOCK_VIRT));
  }
  return h;
}

static uint64_t user_part(const struct host_time *h, uint64_t ns) {
  return h->ticks && h->user < h->ticks ? (uint64_t)((unsigned __int128)ns * h->user / h->ticks) : ns;
}

/* Tell a total of `sum`, of which about `user` was user time, without taking back what was told before. */
static void split_monotone(struct cpu_split *s, uint64_t sum, uint64_t user) {
  if (sum <= s->utime + s->stime)
    return;
  if (user < s->utime)
    user = s->utime;
  if (sum - user < s->stime)
    user = sum - s->stime;
  s->utime = user;
  s->stime = sum - user;
}

static void process_cpu(struct process *p) {
  struct host_time h = host_times(p);
  split_monotone(&p->split, p->dead.utime + p->dead.stime + h.sum, p->dead.utime + user_part(&h, h.sum));
}

static uint64_t before_ns(const struct task *t) {
  return t->cpu_before.utime + t->cpu_before.stime;
}

/* ---- asking ---- */

void process_usage_ask(struct task *t) {
  struct plat_usage u;
  if (t->ctx && plat_get_usage(t->ctx, false, &u) == 0)
    t->proc->usage = u;
}

void task_usage_ask(struct task *t) {
  struct plat_usage u;
  if (!t->ctx || plat_get_usage(t->ctx, true, &u) < 0)
    return;
  t->cpu_known = u.utime + u.stime;
  t->min_flt = u.min_flt;
  t->maj_flt = u.maj_flt;
  t->nivcsw = u.nivcsw;
  t->proc->usage.maxrss_kb = u.maxrss_kb;
  split_monotone(&t->split, before_ns(t) + t->cpu_known, t->cpu_before.utime + u.utime);
}

uint64_t task_own_cpu_ns(struct task *t) {
  uint64_t ns;
  if (t->ctx && plat_get_thread_cpu(t->ctx, &ns) == 0)
    t->cpu_known = ns;
  return before_ns(t) + t->cpu_known;
}

void task_cpu_want(struct task *t) {
  t->cpu_probe = true;
  if (t->in_guest && t->ctx)
    plat_interrupt(t->ctx);
}

/* What t's host thread has used by all that is known. */
static uint64_t thread_ns(struct task *t, const struct host_time *h) {
  const struct process *p = t->proc;
  uint64_t known = p->cpu_exited;
  const struct task *o;
  unsigned n = 0;
  LIST_FOREACH(o, &p->threads, thread_link) {
    if (o->exiting)
      continue;
    known += o->cpu_known;
    n++;
  }
  uint64_t rest = h->sum > known ? h->sum - known : 0;
  return t->cpu_known + rest / (n ? n : 1);
}

/* ---- ends ---- */

void task_account_host(struct task *t) {
  struct process *p = t->proc;
  process_usage_ask(t);
  process_cpu(p);
  struct host_time h = host_times(p);
  uint64_t ns = thread_ns(t, &h), user = user_part(&h, ns);
  t->cpu_before.utime += user;
  t->cpu_before.stime += ns - user;
  t->cpu_known = 0;
  p->dead.utime = p->split.utime;
  p->dead.stime = p->split.stime;
  p->dead.min_flt += p->usage.min_flt;
  p->dead.maj_flt += p->usage.maj_flt;
  p->dead.nivcsw += p->usage.nivcsw;
  if (p->usage.maxrss_kb > p->dead.maxrss_kb)
    p->dead.maxrss_kb = p->usage.maxrss_kb;
  p->usage = (struct plat_usage){0};
  p->cpu_exited = 0;
  p->host_pid = 0;
}

void task_account_exit(struct task *t) {
  struct process *p = t->proc;
  struct host_time h = host_times(p);
  p->cpu_exited += thread_ns(t, &h);
  p->dead.nvcsw += t->nvcsw;
  p->dead_io.rchar += t->io.rchar;
  p->dead_io.wchar += t->io.wchar;
  p->dead_io.syscr += t->io.syscr;
  p->dead_io.syscw += t->io.syscw;
  t->nvcsw = 0;
  t->io = (struct io_acc){0};
}

/* ---- telling ---- */

void process_io(const struct process *p, struct io_acc *out) {
  const struct task *t;
  *out = p->dead_io;
  LIST_FOREACH(t, &p->threads, thread_link) {
    out->rchar += t->io.rchar;
    out->wchar += t->io.wchar;
    out->syscr += t->io.syscr;
    out->syscw += t->io.syscw;
  }
}

void process_rusage(struct process *p, struct rusage_acc *out) {
  process_cpu(p);
  *out = p->dead;
  out->utime = p->split.utime;
  out->stime = p->split.stime;
  out->min_flt += p->usage.min_flt;
  out->maj_flt += p->usage.maj_flt;
  out->nivcsw += p->usage.nivcsw;
  if (p->usage.maxrss_kb > out->maxrss_kb)
    out->maxrss_kb = p->usage.maxrss_kb;
  struct task *t;
  LIST_FOREACH(t, &p->threads, thread_link) out->nvcsw += t->nvcsw;
}

void task_rusage(struct task *t, struct rusage_acc *out) {
  struct process *p = t->proc;
  if (p->nthreads <= 1 && !p->cpu_exited && p->leader == t) {
    process_rusage(p, out);
    return;
  }
  struct host_time h = host_times(p);
  uint64_t ns = t->exiting ? t->cpu_known : thread_ns(t, &h);
  split_monotone(&t->split, before_ns(t) + ns, t->cpu_before.utime + user_part(&h, ns));
  uint64_t rss = p->usage.maxrss_kb > p->dead.maxrss_kb ? p->usage.maxrss_kb : p->dead.maxrss_kb;
  *out = (struct rusage_acc){.utime = t->split.utime,
                             .stime = t->split.stime,
                             .min_flt = t->min_flt,
                             .maj_flt = t->maj_flt,
                             .nvcsw = t->nvcsw,
                             .nivcsw = t->nivcsw,
                             .maxrss_kb = rss};
}
