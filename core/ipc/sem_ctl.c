/* semctl(2). */
#include "../errno.h"
#include "../kernel.h"
#include "sem_impl.h"
#include <string.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

static int find(struct task *t, int id, struct sem_array **out) {
  int r;
  *out = sem_of(ipc_find_borrow(t->ipc, IPC_SEM, id, &r));
  return r;
}

int ipc_sem_stat(struct task *t, int id, int cmd, struct semid_ds *out) {
  struct sem_array *s;
  int r = 0;
  if (cmd == IPC_STAT)
    r = find(t, id, &s);
  else if (!(s = sem_of(ipc_at_borrow(t->ipc, IPC_SEM, id))))
    r = -EINVAL;
  if (!r && cmd != SEM_STAT_ANY)
    r = ipc_permission(t, &s->obj, IPC_RUGO);
  if (r)
    return r;
  memset(out, 0, sizeof *out);
  ipc_perm_out(&s->obj, &out->sem_perm);
  out->sem_otime = s->otime;
  out->sem_ctime = s->ctime;
  out->sem_nsems = (unsigned long)s->nsems;
  return cmd == IPC_STAT ? 0 : s->obj.id;
}

int ipc_sem_info(struct task *t, int cmd, struct seminfo *out) {
  const struct ipc_namespace *ns = t->ipc;
  *out = (struct seminfo){.semmap = 1024000000,
                          .semmni = ns->sem_mni,
                          .semmns = ns->sem_mns,
                          .semmnu = 1024000000,
                          .semmsl = ns->sem_msl,
                          .semopm = ns->sem_opm,
                          .semume = 500,
                          .semusz = 20,
                          .semvmx = SEMVMX_K,
                          .semaem = SEMVMX_K};
  if (cmd == SEM_INFO) {
    out->semusz = ns->ids[IPC_SEM].in_use;
    out->semaem = ns->used_sems;
  }
  int max = ns->ids[IPC_SEM].max_idx;
  return max < 0 ? 0 : max;
}

int ipc_sem_set(struct task *t, int id, const struct semid_ds *in) {
  struct sem_array *s;
  int r = find(t, id, &s);
  if (!r)
    r = ipc_may_control(t, &s->obj);
  if (r)
    return r;
  r = ipc_perm_set(&s->obj, &in->sem_perm);
  if (r)
    return r;
  s->ctime = ipc_now();
  return 0;
}

int ipc_sem_rmid(struct task *t, int id) {
  struct sem_array *s;
  int r = find(t, id, &s);
  if (!r)
    r = ipc_may_control(t, &s->obj);
  if (!r)
    sem_rmid(t->ipc, &s->obj);
  return r;
}

/* How many sleep until semaphore num grows, or becomes zero: each counts where it is stuck. */
static int sleepers(const struct sem_array *s, int num, bool zero) {
  const struct sem_queue *q;
  int n = 0;
  TAILQ_FOREACH(q, &s->queue, link)
  n += q->blocking && q->blocking->sem_num == num && !q->blocking->sem_op == zero;
  return n;
}

int ipc_sem_get(struct task *t, int id, int num, int cmd) {
  struct sem_array *s;
  int r = find(t, id, &s);
  if (!r)
    r = ipc_permission(t, &s->obj, IPC_RUGO);
  if (r)
    return r;
  if (num < 0 || num >= s->nsems)
    return -EINVAL;
  switch (cmd) {
  case GETVAL:
    return s->sems[num].val;
  case GETPID:
    return s->sems[num].pid;
  case GETNCNT:
    return sleepers(s, num, false);
  default:
    return sleepers(s, num, true);
  }
}

static void forget_undo(struct sem_array *s, int num) {
  struct sem_undo *un;
  LIST_FOREACH(un, &s->undos, of_array)
  un->adj[num] = 0;
}

int ipc_sem_setval(struct task *t, int id, int num, int val) {
  struct sem_array *s;
  if (val < 0 || val > SEMVMX_K)
    return -ERANGE;
  int r = find(t, id, &s);
  if (r)
    return r;
  if (num < 0 || num >= s->nsems)
    return -EINVAL;
  r = ipc_permission(t, &s->obj, IPC_WUGO);
  if (r)
    return r;
  forget_undo(s, num);
  s->sems[num].val = val;
  s->sems[num].pid = pid_vnr(t->proc->pid);
  s->ctime = ipc_now();
  sem_update(s);
  return 0;
}

int ipc_sem_count(struct task *t, int id, unsigned perm) {
  struct sem_array *s;
  int r = find(t, id, &s);
  if (!r)
    r = ipc_permission(t, &s->obj, perm);
  return r ? r : s->nsems;
}

int ipc_sem_getall(struct task *t, int id, uint16_t *out, int n) {
  struct sem_array *s;
  int r = find(t, id, &s);
  if (r || s->nsems != n)
    return -EIDRM;
  for (int i = 0; i < n; i++)
    out[i] = (uint16_t)s->sems[i].val;
  return 0;
}

int ipc_sem_setall(struct task *t, int id, const uint16_t *in, int n) {
  struct sem_array *s;
  for (int i = 0; i < n; i++)
    if (in[i] > SEMVMX_K)
      return -ERANGE;
  int r = find(t, id, &s);
  if (r || s->nsems != n)
    return -EIDRM;
  for (int i = 0; i < n; i++) {
    s->sems[i].val = in[i];
    s->sems[i].pid = pid_vnr(t->proc->pid);
    forget_undo(s, i);
  }
  s->ctime = ipc_now();
  sem_update(s);
  return 0;
}
