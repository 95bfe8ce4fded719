#include "errno.h"
#include "kernel.h"
#include "timers.h"
#include "user.h"
#include <limits.h>
#include <stdlib.h>
#include <uthash.h>

/* While a timer's signal waits in a queue its period stands still, as in Linux, and is made up for on delivery. This is
 * how often it is looked at whether the signal was dropped from the queue instead (SIG_IGN). */
#define QUEUED_CHECK_NS 100000000
/* An ignored signal is never delivered, so nothing slows its timer down. */
#define IGNORED_PERIOD_NS 10000000
#define MAX_TIMERS 32768 /* of a process, whatever RLIMIT_SIGPENDING says */

struct posix_timer {
  int id;
  struct process *p;          /* outlives it */
  clockid_t clock, run_clock; /* as created; what the present setting runs on */
  struct user *user;          /* counted: whose RLIMIT_SIGPENDING it uses */
  struct pid *target;         /* CPU clocks: whose; counted */
  bool target_thread;
  int target_which;
  int notify, signo;
  uint64_t value;
  struct pid *thread; /* SIGEV_THREAD_ID; counted */
  struct timer timer;
  int64_t deadline, interval; /* of the next (or, while queued, the last) expiration, on its own clock; 0: not armed */
  bool queued;                /* the signal waits in a queue */
  int overrun, overrun_last;  /* of the queued signal so far; of the one last delivered */
  UT_hash_handle hh;
};

struct posix_timers {
  struct posix_timer *by_id;
  int next_id;
};

static int64_t timer_now(const struct posix_timer *t) {
  int64_t now = 0;
  if (t->target)
    cpu_clock_sample(t->target, t->target_thread, t->target_which, &now);
  else
    clock_read(NULL, t->run_clock, &now);
  return now;
}

static void arm(struct posix_timer *t) {
  if (t->target)
    timer_arm(&t->timer, deadline_after(cpu_clock_delay(t->p->k, t->deadline - timer_now(t))));
  else
    timer_arm(&t->timer, clock_deadline(t->run_clock, t->deadline));
}

static bool in_queue(const struct sigpending *q, int id) {
  const struct sigqueue *s;
  TAILQ_FOREACH(s, &q->list, link)
  if (s->info.si_code == SI_TIMER && s->info.si_timerid == id)
    return true;
  return false;
}

static bool still_queued(const struct posix_timer *t) {
  if (!t->queued)
    return false;
  if (t->thread)
    return t->thread->task && in_queue(&t->thread->task->pending, t->id);
  return in_queue(&t->p->pending, t->id);
}

static int saturating_add(int a, int64_t b) {
  return b > INT_MAX - a ? INT_MAX : a + (int)b;
}

/* Moves the deadline past now by whole periods of at least `min`: how many. */
static int64_t forward(struct posix_timer *t, int64_t now, int64_t min) {
  int64_t period = t->interval < min ? min : t->interval;
  if (now < t->deadline)
    return 0;
  int64_t n = (now - t->deadline) / period + 1;
  t->deadline += n * period;
  return period == t->interval ? n : (int64_t)(n * (period / t->interval));
}

static void expire(struct posix_timer *t, int64_t now) {
  siginfo_t info = {.si_signo = t->signo, .si_code = SI_TIMER};
  info.si_timerid = t->id;
  info.si_value.sival_ptr = (void *)t->value;
  t->overrun_last = t->overrun;
  t->overrun = 0;
  t->queued = true;
  t->user->nsigqueued--; /* the place that was set aside */
  if (t->thread) {
    if (t->thread->task)
      send_signal_task(t->thread->task, t->signo, &info);
  } else {
    send_signal_process(t->p, t->signo, &info);
  }
  t->user->nsigqueued++;
  /* A waiting thread may have taken it already, through posix_timer_dequeued(). */
  if (!t->queued)
    return;
  if (still_queued(t)) {
    timer_arm(&t->timer, deadline_after(QUEUED_CHECK_NS));
    return;
  }
  t->queued = false; /* ignored, or the queue is full */
  if (t->interval) {
    forward(t, now, IGNORED_PERIOD_NS);
    arm(t);
  } else {
    t->deadline = 0;
  }
}

static void fire(struct timer *lt) {
  struct posix_timer *t = lt->arg;
  int64_t now = timer_now(t);
  if (t->queued) {
    if (still_queued(t)) {
      timer_arm(&t->timer, deadline_after(QUEUED_CHECK_NS));
      return;
    }
    t->queued = false;
    if (!t->interval) {
      t->deadline = 0;
      return;
    }
    forward(t, now, 1);
    arm(t);
    return;
  }
  if (now < t->deadline)
    arm(t);
  else if (t->notify != SIGEV_NONE)
    expire(t, now);
}

void posix_timer_dequeued(struct process *p, siginfo_t *info) {
  struct posix_timers *ts = p->posix_timers;
  struct posix_timer *t = NULL;
  int id = info->si_timerid;
  if (ts)
    HASH_FIND_INT(ts->by_id, &id, t);
  if (!t || !t->queued)
    return;
  t->queued = false;
  timer_disarm(&t->timer);
  if (t->interval) {
    /* The expiration that queued the signal is not an overrun. */
    t->overrun = saturating_add(0, forward(t, timer_now(t), 1) - 1);
    if (t->overrun < 0)
      t->overrun = 0;
    arm(t);
  } else {
    t->deadline = 0;
  }
  info->si_overrun = t->overrun_last = t->overrun;
}

/* ---- the calls ---- */

static struct posix_timer *find(struct task *t, int id) {
  struct posix_timers *ts = t->proc->posix_timers;
  struct posix_timer *pt = NULL;
  if (ts)
    HASH_FIND_INT(ts->by_id, &id, pt);
  return pt;
}

static void timer_free(struct posix_timer *t) {
  struct posix_timers *ts = t->p->posix_timers;
  timer_disarm(&t->timer);
  HASH_DEL(ts->by_id, t);
  t->user->nsigqueued--;
  user_put(t->user);
  if (t->target)
    pid_put(t->target);
  if (t->thread)
    pid_put(t->thread);
  free(t);
}

static int check_notify(struct task *t, const struct posix_timer_args *a, struct pid **thread) {
  *thread = NULL;
  if (a->notify != SIGEV_NONE && (a->signo < 1 || a->signo > NSIG_GUEST))
    return -EINVAL;
  if (a->notify == SIGEV_SIGNAL || a->notify == SIGEV_NONE || a->notify == SIGEV_THREAD)
    return 0;
  if (a->notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID))
    return -EINVAL;
  struct task *to = task_find_borrow(t->k, a->tid);
  if (!to || to->proc != t->proc)
    return -EINVAL;
  *thread = to->tid;
  return 0;
}

static struct posix_timers *timers_of(struct process *p) {
  if (!p->posix_timers)
    p->posix_timers = calloc(1, sizeof(struct posix_timers));
  return p->posix_timers;
}

int posix_timer_create(struct task *t, const struct posix_timer_args *a, int *id) {
  struct pid *thread, *target = NULL;
  bool target_thread = false;
  int which = 0, err = clock_can_sleep(t, a->clock);
  if (!err && clock_is_cpu(a->clock))
    err = cpu_clock_target(t, a->clock, &target, &target_thread, &which);
  if (!err)
    err = check_notify(t, a, &thread);
  if (err)
    return err;
  struct posix_timers *ts = timers_of(t->proc);
  if (!ts)
    return -ENOMEM;
  /* A timer's signal is set aside when it is made, and counts from then on. */
  struct user *u = user_get(t->k, t->cred->uid);
  struct posix_timer *pt = NULL;
  if (u && HASH_COUNT(ts->by_id) < MAX_TIMERS && (uint64_t)u->nsigqueued < task_rlimit(t, RLIMIT_SIGPENDING))
    pt = calloc(1, sizeof *pt);
  if (!pt) {
    user_put(u);
    return -EAGAIN;
  }
  pt->user = u;
  u->nsigqueued++;
  do {
    pt->id = ts->next_id;
    ts->next_id = ts->next_id == INT_MAX ? 0 : ts->next_id + 1;
  } while (find(t, pt->id));
  pt->p = t->proc;
  pt->clock = pt->run_clock = a->clock;
  pt->notify = a->notify;
  pt->signo = a->signo;
  pt->value = a->default_value ? (uint64_t)pt->id : a->value;
  pt->target = target ? pid_get(target) : NULL;
  pt->target_thread = target_thread;
  pt->target_which = which;
  pt->thread = thread ? pid_get(thread) : NULL;
  pt->timer = (struct timer){.fn = fire, .arg = pt};
  HASH_ADD_INT(ts->by_id, id, pt);
  *id = pt->id;
  return 0;
}

static void read_timer(struct posix_timer *t, struct itimer_val *out) {
  *out = (struct itimer_val){.interval = t->interval};
  if (!t->deadline)
    return;
  int64_t now = timer_now(t), deadline = t->deadline;
  if (t->interval && now >= deadline)
    deadline += ((now - deadline) / t->interval + 1) * t->interval;
  if (deadline > now)
    out->value = deadline - now;
  else if (t->notify != SIGEV_NONE && !t->queued)
    out->value = 1; /* about to fire */
}

int posix_timer_settime(struct task *task, int id, bool absolute, const struct itimer_val *val,
                        struct itimer_val *old) {
  struct posix_timer *t = find(task, id);
  if (!t)
    return -EINVAL;
  if (old)
    read_timer(t, old);
  timer_disarm(&t->timer);
  t->queued = false;
  t->overrun = t->overrun_last = 0;
  t->interval = val->interval;
  t->deadline = 0;
  if (!val->value)
    return 0;
  /* Setting the clock does not move relative timers: timer_settime(2). */
  bool steady = absolute || t->target || t->clock == CLOCK_BOOTTIME || t->clock == CLOCK_BOOTTIME_ALARM;
  t->run_clock = steady ? t->clock : CLOCK_MONOTONIC;
  t->deadline = absolute ? val->value - clock_offset(task, t->clock)
                         : timer_now(t) + (val->value > TIME_MAX_NS ? TIME_MAX_NS : val->value);
  if (t->notify != SIGEV_NONE)
    arm(t);
  return 0;
}

int posix_timer_gettime(struct task *task, int id, struct itimer_val *out) {
  struct posix_timer *t = find(task, id);
  if (!t)
    return -EINVAL;
  read_timer(t, out);
  return 0;
}

int posix_timer_getoverrun(struct task *task, int id) {
  struct posix_timer *t = find(task, id);
  return t ? t->overrun_last : -EINVAL;
}

int posix_timer_delete(struct task *task, int id) {
  struct posix_timer *t = find(task, id);
  if (!t)
    return -EINVAL;
  timer_free(t);
  return 0;
}

/* ---- life of a process ---- */

void timers_exec(struct process *p) {
  struct posix_timers *ts = p->posix_timers;
  struct posix_timer *t, *next;
  if (!ts)
    return;
  HASH_ITER(hh, ts->by_id, t, next)
  timer_free(t);
  free(ts);
  p->posix_timers = NULL;
}

void timers_exit(struct process *p) {
  timers_exec(p);
  itimers_free(p);
  cpu_limit_free(p);
}
