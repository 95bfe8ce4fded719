/* SEM_UNDO: what a process did to semaphores is taken back when it ends (semop(2)). */
#include "../errno.h"
#include "../kernel.h"
#include "sem_impl.h"
#include <stdlib.h>

static struct sem_undo_list *list_new(void) {
  struct sem_undo_list *l = calloc(1, sizeof *l);
  if (l) {
    ref_init(&l->ref);
    LIST_INIT(&l->undos);
  }
  return l;
}

int sem_undo_find(struct task *t, struct sem_array *s, struct sem_undo **out) {
  if (!t->sem_undo)
    t->sem_undo = list_new();
  if (!t->sem_undo)
    return -ENOMEM;
  struct sem_undo *un;
  LIST_FOREACH(un, &t->sem_undo->undos, of_list) {
    if (un->sma == s) {
      *out = un;
      return 0;
    }
  }
  un = calloc(1, sizeof *un + (size_t)s->nsems * sizeof un->adj[0]);
  if (!un)
    return -ENOMEM;
  un->sma = s;
  LIST_INSERT_HEAD(&s->undos, un, of_array);
  LIST_INSERT_HEAD(&t->sem_undo->undos, un, of_list);
  *out = un;
  return 0;
}

int sem_undo_clone(struct task *t, struct task *child, bool share) {
  child->sem_undo = NULL;
  if (!share)
    return 0;
  if (!t->sem_undo)
    t->sem_undo = list_new();
  if (!t->sem_undo)
    return -ENOMEM;
  ref_get(&t->sem_undo->ref);
  child->sem_undo = t->sem_undo;
  return 0;
}

static void apply(struct task *t, struct sem_undo *un) {
  struct sem_array *s = un->sma;
  for (int i = 0; i < s->nsems; i++) {
    if (!un->adj[i])
      continue;
    int v = s->sems[i].val + un->adj[i];
    s->sems[i].val = v < 0 ? 0 : v > SEMVMX_K ? SEMVMX_K : v; /* exit_sem() clamps: there is nobody to tell */
    s->sems[i].pid = pid_vnr(t->proc->pid);
  }
  sem_update(s);
}

void sem_undo_exit(struct task *t) {
  struct sem_undo_list *l = t->sem_undo;
  t->sem_undo = NULL;
  if (!l || !ref_put(&l->ref))
    return;
  struct sem_undo *un;
  while ((un = LIST_FIRST(&l->undos))) {
    LIST_REMOVE(un, of_list);
    LIST_REMOVE(un, of_array);
    apply(t, un);
    free(un);
  }
  free(l);
}
