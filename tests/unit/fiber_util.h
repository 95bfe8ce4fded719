/* Tasks on fibers over a real loop, without a platform: enough for everything that waits. */
#pragma once
#include "../../core/loop.h"
#include "../../core/uio.h"
#include "proc_util.h"
#include <string.h>

struct fib {
  struct loop *loop;
  struct kernel *k;
  struct task *init;
  int live;
};
static struct fib fib;

struct fib_job {
  struct task *t;
  void (*fn)(void *arg);
  void *arg;
};

static void fib_main(void *arg) {
  struct fib_job *j = arg;
  struct fib_job job = *j;
  free(j);
  fiber_set_local(job.t);
  if (job.t)
    job.t->fiber = fiber_self();
  job.fn(job.arg);
  if (job.t)
    job.t->fiber = NULL;
  if (!--fib.live)
    loop_stop(fib.loop);
}

static inline void fib_setup(void) {
  fib.loop = loop_new();
  ck_assert_ptr_nonnull(fib.loop);
  fib.k = util_kernel(&fib.init);
  fib.k->loop = fib.loop;
  fib.k->ncpus = 2;
  fib.live = 0;
}

/* Runs until its first park. */
static inline void fib_start(struct task *t, void (*fn)(void *arg), void *arg) {
  struct fib_job *j = malloc(sizeof *j);
  *j = (struct fib_job){t, fn, arg};
  fib.live++;
  ck_assert_int_eq(fiber_spawn(fib_main, j), 0);
}

/* Until all fibers have ended. */
static inline void fib_run(void) {
  if (fib.live)
    loop_run(fib.loop);
  ck_assert_int_eq(fib.live, 0);
}

static inline void fib_do(void (*fn)(void *arg), void *arg) {
  fib_start(fib.init, fn, arg);
  fib_run();
}

static inline ssize_t k_read(struct file *f, void *buf, size_t n) {
  struct iovec iov;
  struct uio u;
  uio_kernel(&u, &iov, buf, n);
  return file_read(f, &u, NULL);
}

static inline ssize_t k_write(struct file *f, const void *buf, size_t n) {
  struct iovec iov;
  struct uio u;
  uio_kernel(&u, &iov, (void *)buf, n);
  return file_write(f, &u, NULL);
}
