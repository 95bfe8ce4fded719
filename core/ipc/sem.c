/*
 * System V semaphores: semop(2). A set of operations is done all at once or not at all. A sleeper's operations are
 * carried out by whoever makes them possible, in order of arrival; the sleeper only learns of it.
 */
#include "../errno.h"
#include "../fiber.h"
#include "../kernel.h"
#include "sem_impl.h"
#include <stdlib.h>
#include <string.h>

static int make_array(struct ipc_namespace *ns, const struct ipc_get_args *a, struct ipc_object **out) {
  int n = (int)a->size;
  if (!n)
    return -EINVAL;
  if (n > ns->sem_mns - ns->used_sems)
    return -ENOSPC;
  if (ns->ids[IPC_SEM].in_use >= ns->sem_mni)
    return -ENOSPC;
  struct sem_array *s = calloc(1, sizeof *s + (size_t)n * sizeof s->sems[0]);
  if (!s)
    return -ENOMEM;
  s->nsems = n;
  s->ctime = ipc_now();
  TAILQ_INIT(&s->queue);
  LIST_INIT(&s->undos);
  *out = &s->obj;
  return 0;
}

static uint64_t array_size(const struct ipc_object *o) {
  return (uint64_t)((const struct sem_array *)o)->nsems;
}

int ipc_semget(struct task *t, int key, int n, int flags) {
  struct ipc_namespace *ns = t->ipc;
  if (n < 0 || n > ns->sem_msl)
    return -EINVAL;
  int before = ns->ids[IPC_SEM].in_use;
  struct ipc_get_args a = {.kind = IPC_SEM,
                           .key = key,
                           .flags = flags,
                           .limit = ns->sem_mni,
                           .size = (uint64_t)n,
                           .make = make_array,
                           .size_of = array_size};
  int id = ipc_get_id(t, &a);
  if (ns->ids[IPC_SEM].in_use > before)
    ns->used_sems += n;
  return id;
}

/* Take back the first n operations. */
static void take_back(struct sem_array *s, const struct sembuf *ops, unsigned n, struct sem_undo *un) {
  while (n--) {
    s->sems[ops[n].sem_num].val -= ops[n].sem_op;
    if (ops[n].sem_flg & SEM_UNDO)
      un->adj[ops[n].sem_num] += ops[n].sem_op;
  }
}

int sem_try(struct sem_array *s, const struct sembuf *ops, unsigned n, struct sem_undo *un, int pid,
            const struct sembuf **blocking) {
  int r = 0;
  unsigned i;
  for (i = 0; i < n; i++) {
    const struct sembuf *o = &ops[i];
    struct sem *c = &s->sems[o->sem_num];
    int val = c->val + o->sem_op;
    if ((!o->sem_op && c->val) || val < 0) {
      *blocking = o;
      r = o->sem_flg & IPC_NOWAIT ? -EAGAIN : 1;
      break;
    }
    if (val > SEMVMX_K) {
      r = -ERANGE;
      break;
    }
    if (o->sem_flg & SEM_UNDO) {
      int adj = un->adj[o->sem_num] - o->sem_op;
      if (adj < -SEMVMX_K - 1 || adj > SEMVMX_K) {
        r = -ERANGE;
        break;
      }
      un->adj[o->sem_num] = adj;
    }
    c->val = val;
  }
  if (r) {
    take_back(s, ops, i, un);
    return r;
  }
  for (i = 0; i < n; i++)
    s->sems[ops[i].sem_num].pid = pid;
  return 0;
}

static void finish(struct sem_array *s, struct sem_queue *q, int status) {
  TAILQ_REMOVE(&s->queue, q, link);
  q->status = status;
  q->done = true;
  fiber_wake(q->fiber);
}

static bool alters(const struct sem_queue *q) {
  for (unsigned i = 0; i < q->n; i++)
    if (q->ops[i].sem_op)
      return true;
  return false;
}

void sem_update(struct sem_array *s) {
  struct sem_queue *q, *next;
again:
  for (q = TAILQ_FIRST(&s->queue); q; q = next) {
    next = TAILQ_NEXT(q, link);
    int r = sem_try(s, q->ops, q->n, q->un, pid_vnr(q->task->proc->pid), &q->blocking);
    if (r > 0)
      continue;
    bool changed = !r && alters(q);
    if (!r)
      s->otime = ipc_now();
    finish(s, q, r);
    if (changed)
      goto again;
  }
}

static int sleep_on(struct task *t, struct sem_array *s, struct sem_queue *q, int64_t deadline) {
  q->task = t;
  q->fiber = fiber_self();
  TAILQ_INSERT_TAIL(&s->queue, q, link);
  int r = 0;
  while (!q->done && !r)
    r = task_park(deadline);
  if (q->done)
    return q->status;
  TAILQ_REMOVE(&s->queue, q, link);
  return r == -ETIMEDOUT ? -EAGAIN : -EINTR; /* never restarted: signal(7) */
}

/* What the operations ask for, and the checks in Linux's order. */
static int check_ops(struct task *t, struct sem_array *s, const struct sembuf *ops, unsigned n, bool *alter,
                     bool *undo) {
  unsigned max = 0;
  *alter = *undo = false;
  for (unsigned i = 0; i < n; i++) {
    if (ops[i].sem_num > max)
      max = ops[i].sem_num;
    *undo |= (ops[i].sem_flg & SEM_UNDO) != 0;
    *alter |= ops[i].sem_op != 0;
  }
  if (max >= (unsigned)s->nsems)
    return -EFBIG;
  return ipc_permission(t, &s->obj, *alter ? IPC_WUGO : IPC_RUGO);
}

int ipc_semop(struct task *t, int id, const struct sembuf *ops, unsigned n, int64_t deadline) {
  int r;
  struct ipc_object *o = ipc_find_borrow(t->ipc, IPC_SEM, id, &r);
  if (!o)
    return r;
  struct sem_array *s = sem_of(o);
  bool alter, undo;
  r = check_ops(t, s, ops, n, &alter, &undo);
  struct sem_queue q = {.ops = ops, .n = n};
  if (!r && undo)
    r = sem_undo_find(t, s, &q.un);
  if (r)
    return r;
  r = sem_try(s, ops, n, q.un, pid_vnr(t->proc->pid), &q.blocking);
  if (r < 0)
    return r;
  if (!r) {
    s->otime = ipc_now();
    if (alter)
      sem_update(s);
    return 0;
  }
  ipc_object_get(o);
  r = sleep_on(t, s, &q, deadline);
  ipc_object_put(o);
  return r;
}

/* ---- the end of a set ---- */

void sem_rmid(struct ipc_namespace *ns, struct ipc_object *o) {
  struct sem_array *s = sem_of(ipc_object_get(o));
  ns->used_sems -= s->nsems;
  ipc_remove(ns, o);
  struct sem_undo *un;
  while ((un = LIST_FIRST(&s->undos))) {
    LIST_REMOVE(un, of_array);
    LIST_REMOVE(un, of_list);
    free(un);
  }
  struct sem_queue *q;
  while ((q = TAILQ_FIRST(&s->queue)))
    finish(s, q, -EIDRM);
  ipc_object_put(o);
}
