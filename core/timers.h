/*
 * Clocks, CPU time, sleeping, interval timers and POSIX timers: clock_gettime(2), setitimer(2), timer_create(2).
 *
 * Times are int64_t nanoseconds. What is armed on a wall clock is converted to the loop's CLOCK_MONOTONIC when it is
 * armed: guests cannot set clocks.
 */
#pragma once
#include "loop.h"
#include "task.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ll
/* KTIME_MAX as Linux: larger times saturate, so that sums cannot overflow. */
#define TIME_MAX_NS (INT64_MAX / 2)

/* ---- conversions of guests' times ---- */
static inline bool timespec_ok(const struct timespec *ts) {
  return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < NSEC_PER_SEC;
}
static inline int64_t timespec_ns(const struct timespec *ts) {
  return ts->tv_sec >= TIME_MAX_NS / NSEC_PER_SEC ? TIME_MAX_NS : (int64_t)ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}
static inline struct timespec ns_timespec(int64_t ns) {
  return (struct timespec){.tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC};
}
static inline bool timeval_ok(const struct timeval *tv) {
  return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < 1000000;
}
static inline int64_t timeval_ns(const struct timeval *tv) {
  return tv->tv_sec >= TIME_MAX_NS / NSEC_PER_SEC ? TIME_MAX_NS
                                                  : (int64_t)tv->tv_sec * NSEC_PER_SEC + tv->tv_usec * 1000;
}
static inline struct timeval ns_timeval(int64_t ns) {
  return (struct timeval){.tv_sec = ns / NSEC_PER_SEC, .tv_usec = ns % NSEC_PER_SEC / 1000};
}
/* The loop's deadline `ns` from now; saturates to NO_DEADLINE. */
int64_t deadline_after(int64_t ns);

/* ---- clocks, as `t` sees them (CPU clocks are those of t's process or of a process or thread of t's kernel) ---- */
int clock_read(struct task *t, clockid_t id, int64_t *ns);       /* -EINVAL: no such clock */
int clock_resolution(struct task *t, clockid_t id, int64_t *ns); /* the same */
bool clock_is_cpu(clockid_t id);
/* Can timers and sleeps use it? 0, -EINVAL (no such clock) or -EOPNOTSUPP. */
int clock_can_sleep(struct task *t, clockid_t id);
/* The loop's deadline for the moment when a wall clock (not a CPU clock) shows `ns`. */
int64_t clock_deadline(clockid_t id, int64_t ns);
/* What t's time namespace adds to the host's clock: to be taken off absolute times that t gives. */
int64_t clock_offset(const struct task *t, clockid_t id);

/* CPU clocks in two steps, for timers: whose time it is (borrowed), and the time. `which`: opaque. -EINVAL: no such
 * clock, or gone. */
int cpu_clock_target(struct task *t, clockid_t id, struct pid **pid, bool *thread, int *which);
int cpu_clock_sample(struct pid *pid, bool thread, int which, int64_t *ns);
/* They make no events and so are sampled: how long to wait before looking again when `left` ns are missing. */
int64_t cpu_clock_delay(const struct kernel *k, int64_t left);

/* ---- CPU time of guests: what core/rusage.c makes of the host's accounting ---- */
struct cpu_times {
  uint64_t utime, stime; /* ns */
};
struct cpu_times process_cpu_times(struct process *p); /* ended threads included */
struct cpu_times task_cpu_times(struct task *t);
uint64_t task_cpu_ns(struct task *t);
uint64_t process_cpu_ns(struct process *p);

/* ---- sleeping ---- */
/* nanosleep(2), clock_nanosleep(2). rem is a guest address or 0. Sets t->restart for relative sleeps. */
int64_t clock_sleep(struct task *t, clockid_t id, bool absolute, const struct timespec *ts, uint64_t rem);

/* ---- interval timers: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF ---- */
struct itimer_val {
  int64_t value, interval; /* ns left, 0: not armed; period */
};
int itimer_get(struct process *p, int which, struct itimer_val *out);
int itimer_set(struct process *p, int which, const struct itimer_val *val,
               struct itimer_val *old); /* old may be NULL */
void itimers_free(struct process *p);   /* part of timers_exit() */

/* ---- POSIX timers ---- */
struct posix_timer_args {
  clockid_t clock;
  int notify; /* SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID (SIGEV_THREAD is libc's) */
  int signo;
  uint64_t value;     /* sigev_value */
  bool default_value; /* no sigevent was given: si_value is the timer's id */
  int tid;            /* SIGEV_THREAD_ID */
};
int posix_timer_create(struct task *t, const struct posix_timer_args *a, int *id);
int posix_timer_settime(struct task *t, int id, bool absolute, const struct itimer_val *val, struct itimer_val *old);
int posix_timer_gettime(struct task *t, int id, struct itimer_val *out);
int posix_timer_getoverrun(struct task *t, int id);
int posix_timer_delete(struct task *t, int id);
/* A signal with si_code SI_TIMER was taken off a queue of p's: fills in si_overrun and goes on with the timer's period.
 * Called by whoever dequeues signals. */
void posix_timer_dequeued(struct process *p, siginfo_t *info);

/* ---- RLIMIT_CPU ---- */
void cpu_limit_update(struct process *p); /* p->rlim[RLIMIT_CPU] changed, or p is new and has inherited it */
void cpu_limit_free(struct process *p);   /* part of timers_exit() */

/* ---- life of a process ---- */
void timers_exit(struct process *p); /* disarm and free everything; safe to call twice */
void timers_exec(struct process *p); /* POSIX timers go, interval timers stay (execve(2)) */
