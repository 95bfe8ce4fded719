/*
 * Wait queues and the ways to block. Every blocking call of a guest parks through task_wait() and its relatives, so
 * that every park can be interrupted by a signal and restarted.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct fiber;
struct wait_entry;

/* Called on waitq_wake(). Must not park; may remove this entry from its queue. Returns true if it counts as one
 * woken exclusive waiter. */
typedef bool wait_fn(struct wait_entry *e, uint32_t events);

struct wait_entry {
  TAILQ_ENTRY(wait_entry) link;
  struct waitq *q; /* the queue it is on, or NULL */
  wait_fn *fn;
  uint32_t events; /* EPOLL* bits of interest; 0 means every wake-up */
  bool exclusive;  /* at most `n` of these are woken by waitq_wake_n() */
  void *arg;
};

/* The queue lives inside its object; entries do not keep the object alive (waitq_destroy wakes and detaches them). */
struct waitq {
  TAILQ_HEAD(, wait_entry) head;
};

void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct wait_entry *e);
void waitq_del(struct wait_entry *e); /* no-op if it is on no queue */
/* Wake every entry whose interest meets `events` (0 meets all): all non-exclusive ones, at most n exclusive ones. */
int waitq_wake_n(struct waitq *q, uint32_t events, int n);
static inline void waitq_wake(struct waitq *q, uint32_t events) {
  waitq_wake_n(q, events, 1);
}
static inline void waitq_wake_all(struct waitq *q, uint32_t events) {
  waitq_wake_n(q, events, 1 << 30);
}
void waitq_destroy(struct waitq *q); /* wakes all with EPOLLHUP|EPOLLERR and empties the queue */

#define NO_DEADLINE INT64_MAX /* nanoseconds of the loop's CLOCK_MONOTONIC, see loop_now() */

/*
 * Park the current fiber until q is woken (with one of `events`), a signal is pending for its task, or the deadline
 * passes. 0, -ERESTARTSYS or -ETIMEDOUT. The caller tests its condition again: wake-ups may be spurious. On a fiber
 * without a task only wake-ups and the deadline end the wait. If a signal is pending already, returns at once.
 */
int task_wait(struct waitq *q, uint32_t events, int64_t deadline);
int task_wait_exclusive(struct waitq *q, uint32_t events, int64_t deadline);
/* The same for waits that no signal may end (host I/O already under way). 0 or -ETIMEDOUT. */
int task_wait_uninterruptible(struct waitq *q, uint32_t events, int64_t deadline);
/* Park for a time or a signal only. -ETIMEDOUT or -ERESTARTSYS. */
int task_sleep(int64_t deadline);
/* Park until task_wait_wake() was called for this task's fiber, a signal, or the deadline: for waiters that registered
 * their own wait_entry (or entries) by hand. Use wait_entry_wake as their fn. 0, -ERESTARTSYS, -ETIMEDOUT. */
int task_park(int64_t deadline);
wait_fn wait_entry_wake; /* expects arg == the fiber to wake */

/* A sleeping mutex between fibers. Not recursive. Uninterruptible. */
struct fmutex {
  struct fiber *owner;
  struct waitq q;
};
void fmutex_init(struct fmutex *m);
void fmutex_lock(struct fmutex *m);
void fmutex_unlock(struct fmutex *m);
