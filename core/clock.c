#include "errno.h"
#include "kernel.h"
#include "timers.h"
#include "uaccess.h"
#include <linux/capability.h>
#include <stdlib.h>

/* clockid_t of CPU clocks, include/linux/posix-timers.h: ~pid << 3 | per-thread bit | what is counted. */
#define CPUCLOCK_PERTHREAD 4
#define CPUCLOCK_WHICH 3
enum { CPUCLOCK_PROF, CPUCLOCK_VIRT, CPUCLOCK_SCHED, CPUCLOCK_FD };
#define TICK_NS 4000000       /* a jiffy at CONFIG_HZ=250: the resolution of tick-based clocks */
#define SLEEP_POLL_NS 1000000 /* CPU clocks make no events: how closely sleeps on them look */

int64_t deadline_after(int64_t ns) {
  int64_t now = loop_now_exact();
  return ns >= NO_DEADLINE - now ? NO_DEADLINE : now + ns;
}

/* ---- CPU time ---- */

struct cpu_times process_cpu_times(struct process *p) {
  struct rusage_acc ru;
  process_rusage(p, &ru);
  return (struct cpu_times){.utime = ru.utime, .stime = ru.stime};
}

struct cpu_times task_cpu_times(struct task *t) {
  struct rusage_acc ru;
  task_rusage(t, &ru);
  return (struct cpu_times){.utime = ru.utime, .stime = ru.stime};
}

uint64_t task_cpu_ns(struct task *t) {
  struct cpu_times c = task_cpu_times(t);
  return c.utime + c.stime;
}

uint64_t process_cpu_ns(struct process *p) {
  struct cpu_times c = process_cpu_times(p);
  return c.utime + c.stime;
}

/* ---- reading clocks ---- */

bool clock_is_cpu(clockid_t id) {
  return id < 0 || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID;
}

/* Whose time `id` counts: threads only of one's own process, processes all (pid_for_clock() of Linux). */
int cpu_clock_target(struct task *t, clockid_t id, struct pid **pid, bool *thread, int *which) {
  *which = CPUCLOCK_SCHED;
  if (id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID) {
    *thread = id == CLOCK_THREAD_CPUTIME_ID;
    *pid = *thread ? t->tid : t->proc->pid;
    return 0;
  }
  *which = id & CPUCLOCK_WHICH;
  *thread = id & CPUCLOCK_PERTHREAD;
  if (id >= 0 || *which == CPUCLOCK_FD)
    return -EINVAL;
  int nr = ~(id >> 3);
  if (nr == 0) {
    *pid = *thread ? t->tid : t->proc->pid;
    return 0;
  }
  *pid = pid_find_borrow(t->k, nr);
  if (!*pid)
    return -EINVAL;
  if (*thread ? !(*pid)->task || (*pid)->task->proc != t->proc : !(*pid)->process)
    return -EINVAL;
  return 0;
}

int cpu_clock_sample(struct pid *pid, bool thread, int which, int64_t *ns) {
  struct cpu_times c;
  if (thread && pid->task && pid->task == task_current() && which == CPUCLOCK_SCHED && pid->task->proc->nthreads > 1) {
    *ns = (int64_t)task_own_cpu_ns(pid->task);
    return 0;
  }
  if (thread && pid->task && !task_current() && pid->task->proc->nthreads > 1) {
    /* A timer: late by one look rather than early by a guess. */
    task_cpu_want(pid->task);
    *ns = (int64_t)(pid->task->cpu_before.utime + pid->task->cpu_before.stime + pid->task->cpu_known);
    return 0;
  }
  if (thread && pid->task)
    c = task_cpu_times(pid->task);
  else if (!thread && pid->process)
    c = process_cpu_times(pid->process);
  else
    return -EINVAL;
  *ns = which == CPUCLOCK_VIRT ? c.utime : c.utime + c.stime;
  return 0;
}

/* The host clock behind a guest's wall clock, or -1. */
static clockid_t wall_clock(clockid_t id) {
  switch (id) {
  case CLOCK_REALTIME:
  case CLOCK_MONOTONIC:
  case CLOCK_MONOTONIC_RAW:
  case CLOCK_REALTIME_COARSE:
  case CLOCK_MONOTONIC_COARSE:
  case CLOCK_BOOTTIME:
  case CLOCK_TAI:
    return id;
  case CLOCK_REALTIME_ALARM:
    return CLOCK_REALTIME;
  case CLOCK_BOOTTIME_ALARM:
    return CLOCK_BOOTTIME;
  default:
    return -1;
  }
}

static int64_t host_clock_ns(clockid_t id) {
  struct timespec ts = {0};
  clock_gettime(id, &ts);
  return timespec_ns(&ts);
}

int64_t clock_offset(const struct task *t, clockid_t id) {
  const struct time_namespace *ns = t && t->nsproxy ? t->nsproxy->time : NULL;
  if (!ns)
    return 0;
  switch (id) {
  case CLOCK_MONOTONIC:
  case CLOCK_MONOTONIC_RAW:
  case CLOCK_MONOTONIC_COARSE:
    return ns->monotonic;
  case CLOCK_BOOTTIME:
  case CLOCK_BOOTTIME_ALARM:
    return ns->boottime;
  default:
    return 0;
  }
}

int clock_read(struct task *t, clockid_t id, int64_t *ns) {
  if (clock_is_cpu(id)) {
    struct pid *pid;
    bool thread;
    int which, err = cpu_clock_target(t, id, &pid, &thread, &which);
    return err ? err : cpu_clock_sample(pid, thread, which, ns);
  }
  clockid_t host = wall_clock(id);
  if (host < 0)
    return -EINVAL;
  *ns = host_clock_ns(host) + clock_offset(t, id);
  return 0;
}

int clock_resolution(struct task *t, clockid_t id, int64_t *ns) {
  int64_t now;
  int err = clock_read(t, id, &now);
  if (err)
    return err;
  bool ticks = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE ||
               (id < 0 && (id & CPUCLOCK_WHICH) != CPUCLOCK_SCHED);
  *ns = ticks ? TICK_NS : 1;
  return 0;
}

int clock_can_sleep(struct task *t, clockid_t id) {
  int64_t now;
  if (id < 0 && (id & CPUCLOCK_WHICH) == CPUCLOCK_FD)
    return -EOPNOTSUPP; /* clocks of devices: there are none, and none could */
  int err = clock_read(t, id, &now);
  if (err)
    return err;
  /* They could wake the machine: fs/timerfd.c has the same rule. */
  if ((id == CLOCK_REALTIME_ALARM || id == CLOCK_BOOTTIME_ALARM) && !cred_has_cap(t->cred, CAP_WAKE_ALARM))
    return -EPERM;
  return id == CLOCK_MONOTONIC_RAW || id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE ? -EOPNOTSUPP : 0;
}

int64_t clock_deadline(clockid_t id, int64_t ns) {
  if (id == CLOCK_MONOTONIC)
    return ns;
  clockid_t host = wall_clock(id);
  int64_t left = ns - host_clock_ns(host < 0 ? CLOCK_MONOTONIC : host);
  return left <= 0 ? loop_now_exact() : deadline_after(left);
}

/* ---- sleeping ---- */

static int64_t put_remaining(uint64_t rem, int64_t left) {
  struct timespec ts = ns_timespec(left > 0 ? left : 0);
  return rem ? put_user(rem, &ts) : 0;
}

/* restart_syscall(2) of a relative sleep: arg[0] the loop's deadline, arg[1] where the rest is to be stored. */
static int64_t sleep_until(struct task *t, int64_t deadline, uint64_t rem);
static int64_t sleep_restart(struct task *t) {
  return sleep_until(t, (int64_t)t->restart.arg[0], t->restart.arg[1]);
}

static int64_t sleep_until(struct task *t, int64_t deadline, uint64_t rem) {
  int r = task_sleep(deadline);
  if (r == -ETIMEDOUT)
    return 0;
  int64_t left = deadline - loop_now_exact();
  if (left <= 0)
    return 0;
  if (put_remaining(rem, left))
    return -EFAULT;
  t->restart = (struct restart_block){.fn = sleep_restart, .arg = {(uint64_t)deadline, rem}};
  return -ERESTART_RESTARTBLOCK;
}

int64_t cpu_clock_delay(const struct kernel *k, int64_t left) {
  /* The fastest it can get there is on all CPUs at once. */
  int64_t d = left / (k->ncpus > 0 ? k->ncpus : 1);
  return d < SLEEP_POLL_NS ? SLEEP_POLL_NS : d;
}

static int64_t cpu_sleep(struct task *t, clockid_t id, bool absolute, int64_t ns, uint64_t rem) {
  int64_t now = 0;
  struct pid *pid;
  bool thread;
  int which, err = cpu_clock_target(t, id, &pid, &thread, &which);
  if (err)
    return err;
  if (thread && pid == t->tid) /* would never end */
    return -EINVAL;
  pid_get(pid);
  err = cpu_clock_sample(pid, thread, which, &now);
  int64_t until = absolute ? ns : now + ns;
  while (!err && now < until) {
    err = task_sleep(deadline_after(cpu_clock_delay(t->k, until - now)));
    if (err == -ETIMEDOUT)
      err = cpu_clock_sample(pid, thread, which, &now);
  }
  pid_put(pid);
  if (err == -ERESTARTSYS && !absolute && put_remaining(rem, until - now))
    return -EFAULT;
  if (err == -ERESTARTSYS)
    return absolute ? -ERESTARTNOHAND : -EINTR;
  return err == -EINVAL ? 0 : err; /* its process is gone: nothing left to wait for */
}

int64_t clock_sleep(struct task *t, clockid_t id, bool absolute, const struct timespec *ts, uint64_t rem) {
  if (id == CLOCK_THREAD_CPUTIME_ID)
    return -EOPNOTSUPP;
  int err = clock_can_sleep(t, id);
  if (err)
    return err;
  if (!timespec_ok(ts))
    return -EINVAL;
  int64_t ns = timespec_ns(ts);
  if (clock_is_cpu(id))
    return cpu_sleep(t, id, absolute, ns, rem);
  if (!absolute)
    return sleep_until(t, deadline_after(ns), rem);
  ns -= clock_offset(t, id);
  for (;;) { /* a clock that the host sets back lengthens the sleep */
    int64_t now;
    clock_read(NULL, id, &now);
    if (now >= ns)
      return 0;
    int r = task_sleep(clock_deadline(id, ns));
    if (r == -ERESTARTSYS)
      return -ERESTARTNOHAND;
  }
}
