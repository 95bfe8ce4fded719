/*
 * Fibers: small stacks on which blocking kernel work runs as plain sequential C.
 *
 * The Sentry has one thread. A fiber runs until it parks or returns; nothing preempts it, so code between two parks is
 * atomic with respect to every other fiber. What a fiber assumed before a park must be tested again after it.
 *
 * Whoever parks arranges beforehand for somebody to call fiber_wake(). A wake-up that comes while the fiber is not
 * parked is remembered, so the pattern "test, register, park" loses nothing.
 */
#pragma once
#include <stddef.h>

struct fiber;
typedef void fiber_fn(void *arg);

#define FIBER_STACK_SIZE (64 * 1024) /* usable bytes; a guard page lies below */

/* Start fn(arg) on a fiber of its own. It runs at once, on this call, until its first park. -ENOMEM on failure. */
int fiber_spawn(fiber_fn *fn, void *arg);

/* The running fiber, or NULL on the loop's own stack. */
struct fiber *fiber_self(void);

/* A word of the running fiber's that belongs to its owner: core/ keeps the current task in it. */
void fiber_set_local(void *value);
void *fiber_local(void);

/* Give up the CPU until fiber_wake(). Must be on a fiber. */
void fiber_park(void);

/* Make f runnable. Idempotent; safe from any fiber, from the loop and from f itself. */
void fiber_wake(struct fiber *f);

/* Run everything that is runnable. The loop calls it; returns when the queue is empty. */
void fiber_run_queue(void);
