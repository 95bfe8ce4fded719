/* What sem.c, sem_undo.c and sem_ctl.c know of semaphore sets. */
#pragma once
#include "ipc.h"
#include <sys/queue.h>

struct fiber;

struct sem {
  int val;
  int pid; /* of the last operation */
};

struct sem_queue { /* a sleeping semop(), on its fiber's stack */
  TAILQ_ENTRY(sem_queue) link;
  struct task *task;
  struct fiber *fiber;
  const struct sembuf *ops, *blocking; /* the one that could not be done */
  unsigned n;
  struct sem_undo *un; /* or NULL */
  bool done;           /* status says how it ended */
  int status;
};

struct sem_array {
  struct ipc_object obj;
  time_t otime, ctime;
  int nsems;
  TAILQ_HEAD(, sem_queue) queue; /* in order of arrival */
  LIST_HEAD(, sem_undo) undos;
  struct sem sems[];
};

struct sem_undo { /* what one undo list holds for one set */
  LIST_ENTRY(sem_undo) of_array, of_list;
  struct sem_array *sma; /* counted; NULL once it was removed */
  int adj[];
};

struct sem_undo_list {
  ref_t ref; /* tasks */
  LIST_HEAD(, sem_undo) undos;
};

/* All of ops at once: 0 done, 1 would block (*blocking says at which), -errno. */
int sem_try(struct sem_array *s, const struct sembuf *ops, unsigned n, struct sem_undo *un, int pid,
            const struct sembuf **blocking);
/* Values changed: carry out whatever sleepers wait for. */
void sem_update(struct sem_array *s);
/* t's undo entry for s, made if need be. -ENOMEM */
int sem_undo_find(struct task *t, struct sem_array *s, struct sem_undo **out);
static inline struct sem_array *sem_of(struct ipc_object *o) {
  return (struct sem_array *)o;
}
