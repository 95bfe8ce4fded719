#include "fiber.h"
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define GUARD_SIZE 4096
#define POOL_MAX 32 /* stacks kept for reuse: what a busy sandbox has in flight, without holding on to a storm's */

#ifdef __SANITIZE_ADDRESS__
#define STACK_SIZE (4 * FIBER_STACK_SIZE) /* instrumented frames are larger */
#else
#define STACK_SIZE FIBER_STACK_SIZE
#endif

void fiber_switch(void **save_sp, void *load_sp);

/* Where a switch came from: the loop's own stack or another fiber. */
struct fiber_ctx {
  void *sp;
#ifdef __SANITIZE_ADDRESS__
  void *fake;
  const void *bottom;
  size_t size;
#endif
};

struct fiber {
  struct fiber_ctx ctx;
  struct fiber_ctx *back;  /* who runs when this one parks */
  struct fiber *back_self; /* the same as a fiber, NULL for the loop */
  char *stack;             /* lowest usable byte */
  fiber_fn *fn;
  void *arg, *local;
  bool parked, queued, woken, done;
  TAILQ_ENTRY(fiber) link; /* run queue, or the pool */
};

/* The scheduler of this thread. It cannot be passed in: "who am I" is asked by code that parks. */
static __thread struct {
  struct fiber *self;
  struct fiber_ctx loop;
  TAILQ_HEAD(fiber_list, fiber) runq, pool;
  int npool;
  bool ready;
} sched;

static void sched_init(void) {
  if (sched.ready)
    return;
  TAILQ_INIT(&sched.runq);
  TAILQ_INIT(&sched.pool);
  sched.ready = true;
}

static void switch_to(struct fiber_ctx *from, struct fiber_ctx *to, bool dying) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(dying ? NULL : &from->fake, to->bottom, to->size);
  fiber_switch(&from->sp, to->sp);
  __sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
#else
  (void)dying;
  fiber_switch(&from->sp, to->sp);
#endif
}

static void fiber_main(void) {
  struct fiber *f = sched.self;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(NULL, &f->back->bottom, &f->back->size);
#endif
  f->fn(f->arg);
  f->done = true;
  sched.self = f->back_self;
  switch_to(&f->ctx, f->back, true);
  __builtin_unreachable();
}

static struct fiber *fiber_alloc(void) {
  struct fiber *f = TAILQ_FIRST(&sched.pool);
  if (f) {
    TAILQ_REMOVE(&sched.pool, f, link);
    sched.npool--;
    return f;
  }
  char *m = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (m == MAP_FAILED)
    return NULL;
  f = calloc(1, sizeof *f);
  if (!f || mprotect(m + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE)) {
    munmap(m, GUARD_SIZE + STACK_SIZE);
    free(f);
    return NULL;
  }
  f->stack = m + GUARD_SIZE;
  return f;
}

static void fiber_free(struct fiber *f) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(f->stack, STACK_SIZE);
#endif
  if (sched.npool < POOL_MAX) {
    TAILQ_INSERT_HEAD(&sched.pool, f, link);
    sched.npool++;
    return;
  }
  munmap(f->stack - GUARD_SIZE, GUARD_SIZE + STACK_SIZE);
  free(f);
}

/* Run f until it parks or ends. */
static void fiber_resume(struct fiber *f) {
  struct fiber_ctx *from = sched.self ? &sched.self->ctx : &sched.loop;
  f->back = from;
  f->back_self = sched.self;
  f->parked = false;
  sched.self = f;
  switch_to(from, &f->ctx, false);
  if (f->done)
    fiber_free(f);
}

int fiber_spawn(fiber_fn *fn, void *arg) {
  sched_init();
  struct fiber *f = fiber_alloc();
  if (!f)
    return -ENOMEM;
  char *stack = f->stack;
  *f = (struct fiber){.stack = stack, .fn = fn, .arg = arg};
  /* What fiber_switch pops: six registers and a return address, with the stack aligned as after a call. */
  uint64_t *sp = (uint64_t *)(stack + STACK_SIZE);
  *--sp = 0;
  *--sp = (uint64_t)fiber_main;
  sp -= 6;
  for (int i = 0; i < 6; i++)
    sp[i] = 0;
  f->ctx.sp = sp;
#ifdef __SANITIZE_ADDRESS__
  f->ctx.bottom = stack;
  f->ctx.size = STACK_SIZE;
#endif
  fiber_resume(f);
  return 0;
}

struct fiber *fiber_self(void) {
  return sched.self;
}

void fiber_set_local(void *value) {
  if (sched.self)
    sched.self->local = value;
}

void *fiber_local(void) {
  return sched.self ? sched.self->local : NULL;
}

void fiber_park(void) {
  struct fiber *f = sched.self;
  if (f->woken) {
    f->woken = false;
    return;
  }
  f->parked = true;
  sched.self = f->back_self;
  switch_to(&f->ctx, f->back, false);
  f->woken = false;
}

void fiber_wake(struct fiber *f) {
  if (!f->parked) {
    f->woken = true;
    return;
  }
  if (f->queued)
    return;
  f->queued = true;
  TAILQ_INSERT_TAIL(&sched.runq, f, link);
}

void fiber_run_queue(void) {
  sched_init();
  struct fiber *f;
  while ((f = TAILQ_FIRST(&sched.runq))) {
    TAILQ_REMOVE(&sched.runq, f, link);
    f->queued = false;
    fiber_resume(f);
  }
}
