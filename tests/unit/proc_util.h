/* Processes without a platform: they have no context and run no code, but everything else is real. */
#pragma once
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../core/task.h"
#include <check.h>
#include <stdlib.h>

static inline struct kernel *util_kernel(struct task **init) {
  struct kernel *k = kernel_new(NULL);
  ck_assert_ptr_nonnull(k);
  ck_assert_int_eq(task_new_process(k, NULL, init), 0);
  (*init)->proc->injected = false;
  return k;
}

/* As fork leaves it: in its parent's group and session. */
static inline struct task *util_child(struct task *parent) {
  struct task *t;
  ck_assert_int_eq(task_new_process(parent->k, parent->proc, &t), 0);
  struct process *p = t->proc;
  p->session_leader = p->injected = false;
  process_join_pgrp(p, parent->proc->pgrp, parent->proc->session);
  return t;
}

static inline struct task *util_thread(struct task *of) {
  struct task *t = task_alloc(of->k, of->proc, of);
  ck_assert_ptr_nonnull(t);
  t->sighand = sighand_get(of->sighand);
  t->files = fdtable_get(of->files);
  ck_assert_int_eq(pid_alloc(of->k, 0, &t->tid), 0);
  process_link_thread(of->proc, t);
  return t;
}

struct util_exit {
  struct task *t;
  int status;
};
static void util_exit_fn(void *arg) {
  struct util_exit *e = arg;
  fiber_set_local(e->t);
  e->t->fiber = fiber_self();
  task_exit(e->t, e->status);
}
/* exit(2) of t, to the end. */
static inline void util_exit(struct task *t, int status) {
  struct util_exit e = {t, status};
  ck_assert_int_eq(fiber_spawn(util_exit_fn, &e), 0);
  fiber_run_queue();
}

static inline int util_run(Suite *s) {
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
