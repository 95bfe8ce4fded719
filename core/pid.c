/* The table of numbers: each struct pid may bear a thread, a process, a process group and a session at once. */
#include "errno.h"
#include "kernel.h"
#include "task.h"
#include <stdlib.h>

#define RESERVED_PIDS 300 /* kernel/pid.c: numbers below are not given again after the first wrap */

static int pid_cmp(struct pid *a, struct pid *b) {
  return a->nr < b->nr ? -1 : a->nr > b->nr;
}
RB_PROTOTYPE_INTERNAL(pid_tree, pid, link, pid_cmp, static __attribute__((unused)))
RB_GENERATE_INTERNAL(pid_tree, pid, link, pid_cmp, static __attribute__((unused)))

struct pid *pid_find_borrow(struct kernel *k, int nr) {
  struct pid key = {.nr = nr};
  return nr > 0 ? RB_FIND(pid_tree, &k->pids, &key) : NULL;
}

struct task *task_find_borrow(struct kernel *k, int tid) {
  struct pid *p = pid_find_borrow(k, tid);
  return p ? p->task : NULL;
}

struct process *process_find_borrow(struct kernel *k, int pid) {
  struct pid *p = pid_find_borrow(k, pid);
  return p ? p->process : NULL;
}

struct pid *pid_get(struct pid *p) {
  ref_get(&p->ref);
  return p;
}

void pid_put(struct pid *p) {
  if (!p || !ref_put(&p->ref))
    return;
  RB_REMOVE(pid_tree, &p->k->pids, p);
  waitq_destroy(&p->wq);
  free(p);
}

static int pid_next_free(struct kernel *k) {
  int nr = k->last_pid + 1;
  for (int tries = 0; tries < k->pid_max; tries++, nr++) {
    if (nr >= k->pid_max)
      nr = k->pid_max > RESERVED_PIDS ? RESERVED_PIDS : 1;
    if (!pid_find_borrow(k, nr))
      return nr;
  }
  return -EAGAIN;
}

int pid_alloc(struct kernel *k, int want, struct pid **out) {
  int nr = want;
  if (want == 0) {
    nr = pid_next_free(k);
    if (nr < 0)
      return nr;
    k->last_pid = nr;
  } else if (want < 1 || want >= k->pid_max) {
    return -EINVAL;
  } else if (pid_find_borrow(k, want)) {
    return -EEXIST;
  }
  struct pid *p = calloc(1, sizeof *p);
  if (!p)
    return -ENOMEM;
  ref_init(&p->ref);
  p->k = k;
  p->nr = nr;
  LIST_INIT(&p->pgrp);
  LIST_INIT(&p->session);
  waitq_init(&p->wq);
  RB_INSERT(pid_tree, &k->pids, p);
  *out = p;
  return 0;
}

struct process *process_get(struct process *p) {
  ref_get(&p->ref);
  return p;
}
