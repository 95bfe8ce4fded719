#include "wait.h"
#include "errno.h"
#include "fiber.h"
#include "loop.h"
#include "task.h"
#include <sys/epoll.h>

void waitq_init(struct waitq *q) {
  TAILQ_INIT(&q->head);
}

void waitq_add(struct waitq *q, struct wait_entry *e) {
  e->q = q;
  /* Exclusive waiters stand behind the others, so that every non-exclusive one is always reached. */
  if (e->exclusive)
    TAILQ_INSERT_TAIL(&q->head, e, link);
  else
    TAILQ_INSERT_HEAD(&q->head, e, link);
}

void waitq_del(struct wait_entry *e) {
  if (!e->q)
    return;
  TAILQ_REMOVE(&e->q->head, e, link);
  e->q = NULL;
}

int waitq_wake_n(struct waitq *q, uint32_t events, int n) {
  int woken = 0;
  struct wait_entry *e, *next;
  for (e = TAILQ_FIRST(&q->head); e; e = next) {
    next = TAILQ_NEXT(e, link);
    if (events && e->events && !(events & e->events))
      continue;
    bool exclusive = e->exclusive;
    if (e->fn(e, events) && exclusive && ++woken >= n)
      break;
  }
  return woken;
}

void waitq_destroy(struct waitq *q) {
  struct wait_entry *e;
  while ((e = TAILQ_FIRST(&q->head))) {
    waitq_del(e);
    e->fn(e, EPOLLHUP | EPOLLERR);
  }
}

bool wait_entry_wake(struct wait_entry *e, uint32_t events) {
  (void)events;
  fiber_wake(e->arg);
  return true;
}

/* ---- one fiber waiting for one queue ---- */

struct waiter {
  struct wait_entry e;
  struct timer timer;
  struct fiber *fiber;
  bool fired, timed_out;
};

static bool waiter_fire(struct wait_entry *e, uint32_t events) {
  (void)events;
  struct waiter *w = e->arg;
  if (w->fired)
    return false; /* woken already: a second exclusive wake-up goes to somebody else */
  w->fired = true;
  fiber_wake(w->fiber);
  return true;
}

static void waiter_timeout(struct timer *t) {
  struct waiter *w = t->arg;
  w->timed_out = true;
  fiber_wake(w->fiber);
}

static int wait_on(struct waitq *q, uint32_t events, int64_t deadline, bool exclusive, bool interruptible) {
  struct task *t = task_current();
  if (!t)
    interruptible = false;
  if (interruptible && signal_pending(t))
    return -ERESTARTSYS;
  struct waiter w = {.fiber = fiber_self()};
  w.e = (struct wait_entry){.fn = waiter_fire, .events = events, .exclusive = exclusive, .arg = &w};
  w.timer = (struct timer){.fn = waiter_timeout, .arg = &w};
  if (q)
    waitq_add(q, &w.e);
  if (deadline != NO_DEADLINE)
    timer_arm(&w.timer, deadline);
  if (t) {
    t->interruptible = interruptible;
    t->state = TASK_SLEEPING;
    t->nvcsw += interruptible;
  }
  int r;
  for (;;) {
    fiber_park();
    if (w.fired)
      r = 0;
    else if (w.timed_out)
      r = -ETIMEDOUT;
    else if (interruptible && signal_pending(t))
      r = -ERESTARTSYS;
    else
      continue;
    break;
  }
  if (t) {
    t->interruptible = false;
    t->state = TASK_RUNNING;
  }
  waitq_del(&w.e);
  timer_disarm(&w.timer);
  return r;
}

int task_wait(struct waitq *q, uint32_t events, int64_t deadline) {
  return wait_on(q, events, deadline, false, true);
}

int task_wait_exclusive(struct waitq *q, uint32_t events, int64_t deadline) {
  return wait_on(q, events, deadline, true, true);
}

int task_wait_uninterruptible(struct waitq *q, uint32_t events, int64_t deadline) {
  return wait_on(q, events, deadline, false, false);
}

int task_sleep(int64_t deadline) {
  return wait_on(NULL, 0, deadline, false, true);
}

int task_park(int64_t deadline) {
  struct task *t = task_current();
  if (t && signal_pending(t))
    return -ERESTARTSYS;
  struct waiter w = {.fiber = fiber_self()};
  w.timer = (struct timer){.fn = waiter_timeout, .arg = &w};
  if (deadline != NO_DEADLINE)
    timer_arm(&w.timer, deadline);
  if (t) {
    t->interruptible = true;
    t->state = TASK_SLEEPING;
    t->nvcsw++;
  }
  fiber_park();
  if (t) {
    t->interruptible = false;
    t->state = TASK_RUNNING;
  }
  timer_disarm(&w.timer);
  if (w.timed_out)
    return -ETIMEDOUT;
  return t && signal_pending(t) ? -ERESTARTSYS : 0;
}

/* ---- mutex ---- */

void fmutex_init(struct fmutex *m) {
  m->owner = NULL;
  waitq_init(&m->q);
}

void fmutex_lock(struct fmutex *m) {
  struct fiber *self = fiber_self();
  if (!self) /* boot, on the loop's own stack: nobody can hold it across a park */
    return;
  while (m->owner) {
    if (!m->q.head.tqh_last)
      waitq_init(&m->q);
    wait_on(&m->q, 0, NO_DEADLINE, true, false);
  }
  m->owner = self;
}

void fmutex_unlock(struct fmutex *m) {
  m->owner = NULL;
  if (m->q.head.tqh_first)
    waitq_wake_n(&m->q, 0, 1);
}
