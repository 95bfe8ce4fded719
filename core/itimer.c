#include "errno.h"
#include "kernel.h"
#include "timers.h"
#include <stdlib.h>

/* A signal that nobody takes must not cost the loop a wake-up per microsecond: shorter periods are stretched to this.
 */
#define MIN_PERIOD_NS 50000

/* One of a process's three timers; process.itimer[which] holds its values: the deadline on CLOCK_MONOTONIC or on the
 * CPU clock. */
struct itimer_run {
  struct timer timer;
  struct process *p; /* outlives it: timers_exit() */
  int which;
};

static int64_t itimer_now(const struct itimer_run *r) {
  int64_t now = 0;
  if (r->which == ITIMER_REAL)
    return loop_now_exact();
  cpu_clock_sample(r->p->pid, false, r->which == ITIMER_VIRTUAL ? 1 : 2, &now);
  return now;
}

static void itimer_arm(struct itimer_run *r, int64_t now) {
  int64_t deadline = r->p->itimer[r->which].deadline;
  if (r->which == ITIMER_REAL)
    timer_arm(&r->timer, deadline);
  else
    timer_arm(&r->timer, deadline_after(cpu_clock_delay(r->p->k, deadline - now)));
}

static void itimer_fire(struct timer *t) {
  static const int signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
  struct itimer_run *r = t->arg;
  struct itimer *it = &r->p->itimer[r->which];
  int64_t now = itimer_now(r);
  if (now < it->deadline) {
    itimer_arm(r, now);
    return;
  }
  if (it->interval) {
    int64_t period = it->interval < MIN_PERIOD_NS ? MIN_PERIOD_NS : it->interval;
    it->deadline += ((now - it->deadline) / period + 1) * period;
    itimer_arm(r, now);
  } else {
    it->deadline = 0;
  }
  if (r->which == ITIMER_REAL)
    send_signal_process(r->p, signals[r->which], NULL);
  else
    send_signal_running(r->p, signals[r->which]);
}

static struct itimer_run *itimer_run(struct process *p, int which) {
  struct itimer_run *r = p->itimer_priv[which];
  if (!r && (r = calloc(1, sizeof *r))) {
    *r = (struct itimer_run){.timer = {.fn = itimer_fire, .arg = r}, .p = p, .which = which};
    p->itimer_priv[which] = r;
  }
  return r;
}

int itimer_get(struct process *p, int which, struct itimer_val *out) {
  if (which < ITIMER_REAL || which > ITIMER_PROF)
    return -EINVAL;
  const struct itimer *it = &p->itimer[which];
  *out = (struct itimer_val){.interval = it->interval};
  if (it->deadline) {
    int64_t left = it->deadline - itimer_now(p->itimer_priv[which]);
    out->value = left < 1000 ? 1000 : left; /* armed is never shown as 0 */
  }
  return 0;
}

int itimer_set(struct process *p, int which, const struct itimer_val *val, struct itimer_val *old) {
  if (which < ITIMER_REAL || which > ITIMER_PROF)
    return -EINVAL;
  struct itimer_run *r = itimer_run(p, which);
  if (!r)
    return -ENOMEM;
  if (old)
    itimer_get(p, which, old);
  struct itimer *it = &p->itimer[which];
  *it = (struct itimer){.interval = val->interval};
  timer_disarm(&r->timer);
  if (val->value) {
    int64_t now = itimer_now(r);
    it->deadline = now + (val->value > TIME_MAX_NS ? TIME_MAX_NS : val->value);
    itimer_arm(r, now);
  }
  return 0;
}

void itimers_free(struct process *p) {
  for (int i = 0; i < 3; i++) {
    struct itimer_run *r = p->itimer_priv[i];
    if (r)
      timer_disarm(&r->timer);
    free(r);
    p->itimer_priv[i] = NULL;
    p->itimer[i] = (struct itimer){0};
  }
}
