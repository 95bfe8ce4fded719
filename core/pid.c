/*
 * Numbers of tasks: each struct pid may bear a thread, a process, a process group and a session at once, and has one
 * number in its pid namespace and one in each of those above: pid_namespaces(7).
 */
#include "errno.h"
#include "kernel.h"
#include "ns.h"
#include "task.h"
#include <linux/capability.h>
#include <stdlib.h>

#define RESERVED_PIDS 300 /* kernel/pid.c: numbers below are not given again after the first wrap */

static int upid_cmp(struct upid *a, struct upid *b) {
  return a->nr < b->nr ? -1 : a->nr > b->nr;
}
RB_PROTOTYPE_INTERNAL(upid_tree, upid, link, upid_cmp, static __attribute__((unused)))
RB_GENERATE_INTERNAL(upid_tree, upid, link, upid_cmp, static __attribute__((unused)))

struct pid *pid_find_ns_borrow(struct pid_namespace *ns, int nr) {
  struct upid key = {.nr = nr};
  struct upid *u = nr > 0 ? RB_FIND(upid_tree, &ns->pids, &key) : NULL;
  return u ? u->pid : NULL;
}

struct pid *pid_find_borrow(struct kernel *k, int nr) {
  struct task *t = task_current();
  return pid_find_ns_borrow(t && t->k == k ? task_pid_ns_borrow(t) : k->init_pid_ns, nr);
}

struct task *task_find_borrow(struct kernel *k, int tid) {
  struct pid *p = pid_find_borrow(k, tid);
  return p ? p->task : NULL;
}

struct process *process_find_borrow(struct kernel *k, int pid) {
  struct pid *p = pid_find_borrow(k, pid);
  return p ? p->process : NULL;
}

int pid_nr_ns(const struct pid *p, const struct pid_namespace *ns) {
  return p && ns->level <= p->level && p->numbers[ns->level].ns == ns ? p->numbers[ns->level].nr : 0;
}

struct pid_namespace *task_pid_ns_borrow(const struct task *t) {
  return t->tid ? t->tid->numbers[t->tid->level].ns : t->k->init_pid_ns;
}
struct pid_namespace *process_pid_ns_borrow(const struct process *p) {
  return p->pid ? p->pid->numbers[p->pid->level].ns : p->k->init_pid_ns;
}
struct pid_namespace *current_pid_ns_borrow(void) {
  struct task *t = task_current();
  return t ? task_pid_ns_borrow(t) : kernel_current()->init_pid_ns;
}
int pid_vnr(const struct pid *p) {
  return p ? pid_nr_ns(p, current_pid_ns_borrow()) : 0;
}

int pid_nr_here(struct kernel *k, int nr) {
  struct pid_namespace *ns = current_pid_ns_borrow();
  return ns == k->init_pid_ns ? nr : pid_nr_ns(pid_find_ns_borrow(k->init_pid_ns, nr), ns);
}

struct pid *pid_get(struct pid *p) {
  ref_get(&p->ref);
  return p;
}

/* Levels above `from` only: what pid_alloc_in() had done before it failed. */
static void pid_release(struct pid *p, int from) {
  for (int i = (int)p->level; i >= from; i--) {
    struct pid_namespace *ns = p->numbers[i].ns;
    RB_REMOVE(upid_tree, &ns->pids, &p->numbers[i]);
    if (RB_EMPTY(&ns->pids) && !ns->reaper)
      ns->last_pid = 0; /* its first process was not to be: the next is number 1 again */
    pid_ns_put(ns);
  }
  waitq_destroy(&p->wq);
  free(p);
}

void pid_put(struct pid *p) {
  if (p && ref_put(&p->ref))
    pid_release(p, 0);
}

static int pid_next_free(struct pid_namespace *ns) {
  int nr = ns->last_pid + 1;
  for (int tries = 0; tries < ns->pid_max; tries++, nr++) {
    if (nr >= ns->pid_max)
      nr = ns->pid_max > RESERVED_PIDS ? RESERVED_PIDS : 1;
    if (!pid_find_ns_borrow(ns, nr))
      return nr;
  }
  return -EAGAIN;
}

/* The number in one namespace. want 0: the next free one. */
static int choose_number(struct pid_namespace *ns, int want) {
  if (want == 0) {
    int nr = pid_next_free(ns);
    if (nr > 0)
      ns->last_pid = nr;
    return nr;
  }
  if (want < 1 || want >= ns->pid_max || (want != 1 && !ns->reaper))
    return -EINVAL; /* the first process of a namespace is number 1 */
  return pid_find_ns_borrow(ns, want) ? -EEXIST : want;
}

int pid_alloc_in(struct pid_namespace *ns, const int *set_tid, int nset, struct pid **out) {
  struct pid *p = calloc(1, sizeof *p + (ns->level + 1) * sizeof p->numbers[0]);
  if (!p)
    return -ENOMEM;
  ref_init(&p->ref);
  p->k = ns->ns.k;
  p->level = ns->level;
  LIST_INIT(&p->pgrp);
  LIST_INIT(&p->session);
  waitq_init(&p->wq);
  struct pid_namespace *at = ns;
  for (int i = (int)ns->level; i >= 0; i--, at = at->parent) {
    int up = (int)ns->level - i;
    int nr = choose_number(at, up < nset ? set_tid[up] : 0);
    if (nr < 0) {
      pid_release(p, i + 1);
      return nr;
    }
    p->numbers[i] = (struct upid){.nr = nr, .ns = pid_ns_get(at), .pid = p};
    RB_INSERT(upid_tree, &at->pids, &p->numbers[i]);
  }
  p->nr = p->numbers[0].nr;
  *out = p;
  return 0;
}

int pid_alloc(struct kernel *k, int want, struct pid **out) {
  return pid_alloc_in(k->init_pid_ns, &want, want ? 1 : 0, out);
}

struct process *process_get(struct process *p) {
  ref_get(&p->ref);
  return p;
}

/* ---- namespaces ---- */

bool pid_ns_contains(const struct pid_namespace *a, const struct pid_namespace *b) {
  while (b && b->level > a->level)
    b = b->parent;
  return a == b;
}

int pid_ns_new(struct user_namespace *owner, struct pid_namespace *parent, struct pid_namespace **out) {
  if (parent && !user_ns_contains(parent->ns.owner, owner))
    return -EINVAL;
  if (parent && parent->level >= PID_NS_LEVEL_MAX)
    return -ENOSPC;
  struct pid_namespace *ns = calloc(1, sizeof *ns);
  if (!ns)
    return -ENOMEM;
  int err = ns_init(&ns->ns, owner->ns.k, NS_PID, owner);
  if (err) {
    free(ns);
    return err;
  }
  RB_INIT(&ns->pids);
  ns->pid_max = parent ? parent->pid_max : PID_MAX_LIMIT;
  ns->level = parent ? parent->level + 1 : 0;
  ns->parent = parent ? pid_ns_get(parent) : NULL;
  *out = ns;
  return 0;
}

int pid_ns_count(struct pid_namespace *ns, const struct process *but) {
  int n = 0;
  struct process *p;
  LIST_FOREACH(p, &ns->ns.k->processes, all) {
    if (p != but && pid_nr_ns(p->pid, ns))
      n++;
  }
  return n;
}
