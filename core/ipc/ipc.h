/*
 * IPC namespaces and the System V objects in them: sysvipc(7), ipc_namespaces(7). Ids are an index and a sequence
 * number, as in Linux: an id that was removed is not soon another's.
 *
 * A task holds one counted reference on its namespace; who makes a new one for a task replaces t->ipc.
 */
#pragma once
#include "../area.h"
#include "../ns.h"
#include "../ref.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

struct kernel;
struct task;

enum ipc_kind { IPC_SEM, IPC_MSG, IPC_SHM, IPC_KINDS };

struct ipc_object { /* kern_ipc_perm: the first member of each kind */
  ref_t ref;        /* one is the table's */
  enum ipc_kind kind;
  int id, key;
  uint32_t uid, gid, cuid, cgid;
  unsigned mode, seq;
  bool deleted; /* out of the table: whoever slept gets EIDRM */
};

struct ipc_ids {
  struct ipc_object **slot; /* cap entries, grown as needed */
  int cap, in_use, max_idx, last_idx;
  unsigned seq;
};

struct ipc_namespace {
  struct ns_common ns; /* first */
  struct ipc_ids ids[IPC_KINDS];
  /* kernel.sem, msgmax, msgmnb, msgmni, shmmax, shmall, shmmni, shm_rmid_forced */
  int sem_msl, sem_mns, sem_opm, sem_mni;
  int msg_max, msg_mnb, msg_mni;
  uint64_t shm_max, shm_all;
  int shm_mni, shm_rmid_forced;
  int used_sems;
  uint64_t msg_bytes, msg_count; /* in all queues */
  uint64_t shm_pages;            /* in all segments */
  void *mq;                      /* POSIX message queues: fs/mqueue's, or NULL */
  void (*mq_free)(void *mq);
};

struct ipc_namespace *ipc_ns_new(struct user_namespace *owner); /* NULL: no memory, or too many */
void ipc_ns_clear(struct ipc_namespace *ns);                    /* the last reference is gone: for ns_put() */
struct ipc_namespace *ipc_ns_get(struct ipc_namespace *ns);
void ipc_ns_put(struct ipc_namespace *ns); /* the last one removes all objects; may park */

/* ---- what the kinds share: core/ipc/ids.c ---- */
#define IPC_INDEX_BITS 15
#define IPC_MNI (1 << IPC_INDEX_BITS)
#define IPC_SEQ_MAX (INT32_MAX >> IPC_INDEX_BITS)

void ipc_object_put(struct ipc_object *o);
static inline struct ipc_object *ipc_object_get(struct ipc_object *o) {
  ref_get(&o->ref);
  return o;
}
/* The object of an id, borrowed. NULL: -EINVAL, or -EIDRM if its place is another's by now (*err). */
struct ipc_object *ipc_find_borrow(struct ipc_namespace *ns, enum ipc_kind kind, int id, int *err);
/* The object at an index, for *_STAT, borrowed or NULL. */
struct ipc_object *ipc_at_borrow(struct ipc_namespace *ns, enum ipc_kind kind, int index);
/* xxxget(2): finds or makes. `make` gives a new object with everything but its key and owner set. */
struct ipc_get_args {
  enum ipc_kind kind;
  int key, flags, limit;
  uint64_t size; /* semaphores or bytes */
  int (*make)(struct ipc_namespace *ns, const struct ipc_get_args *a, struct ipc_object **out);
  uint64_t (*size_of)(const struct ipc_object *o); /* a.size beyond it: EINVAL. NULL: no such check */
};
int ipc_get_id(struct task *t, const struct ipc_get_args *a);
/* ipcperms(): 0 or -EACCES. flags: S_IRUGO, S_IWUGO or of xxxget(2). */
int ipc_permission(struct task *t, const struct ipc_object *o, unsigned flags);
/* IPC_SET and IPC_RMID: owner, creator or CAP_SYS_ADMIN. 0 or -EPERM. */
int ipc_may_control(struct task *t, const struct ipc_object *o);
/* Out of the table: drops the table's reference. */
void ipc_remove(struct ipc_namespace *ns, struct ipc_object *o);
void ipc_perm_out(const struct ipc_object *o, struct ipc_perm *p);
int ipc_perm_set(struct ipc_object *o, const struct ipc_perm *p); /* IPC_SET. 0 or -EINVAL */
void ipc_all_remove(struct ipc_namespace *ns, enum ipc_kind kind,
                    void (*rm)(struct ipc_namespace *, struct ipc_object *));
time_t ipc_now(void);
#define IPC_RUGO 0444u
#define IPC_WUGO 0222u

/* ---- semaphores: sem.c, sem_undo.c, sem_ctl.c ---- */
int ipc_semget(struct task *t, int key, int n, int flags);
#define SEMVMX_K 32767
/* ops: a Sentry copy of n entries, 1 <= n <= ns->sem_opm. Parks; NO_DEADLINE: no limit. */
int ipc_semop(struct task *t, int id, const struct sembuf *ops, unsigned n, int64_t deadline);
int ipc_sem_stat(struct task *t, int id, int cmd, struct semid_ds *out); /* IPC_STAT, SEM_STAT, SEM_STAT_ANY */
int ipc_sem_info(struct task *t, int cmd, struct seminfo *out);          /* IPC_INFO, SEM_INFO */
int ipc_sem_set(struct task *t, int id, const struct semid_ds *in);      /* IPC_SET */
int ipc_sem_rmid(struct task *t, int id);
int ipc_sem_get(struct task *t, int id, int num, int cmd); /* GETVAL, GETPID, GETNCNT, GETZCNT */
int ipc_sem_setval(struct task *t, int id, int num, int val);
int ipc_sem_count(struct task *t, int id, unsigned perm);         /* how many there are; -EACCES */
int ipc_sem_getall(struct task *t, int id, uint16_t *out, int n); /* n as ipc_sem_count() said; -EIDRM if it changed */
int ipc_sem_setall(struct task *t, int id, const uint16_t *in, int n);
/* Undo lists: shared by CLONE_SYSVSEM, carried out when the last task that has it exits or unshares. */
int sem_undo_clone(struct task *t, struct task *child, bool share); /* 0 or -ENOMEM */
void sem_undo_exit(struct task *t);                                 /* of exit and unshare(CLONE_SYSVSEM) */
void sem_rmid(struct ipc_namespace *ns, struct ipc_object *o);

/* ---- message queues: msg.c ---- */
int ipc_msgget(struct task *t, int key, int flags);
/* text: malloc'ed, taken over in every case. Parks. */
int ipc_msgsnd(struct task *t, int id, long type, char *text, size_t n, int flags);
struct ipc_msg {
  long type;
  size_t len;
  char *text; /* the receiver's to free */
};
/* The message for the caller; -errno. Parks. */
int ipc_msgrcv(struct task *t, int id, size_t room, long type, int flags, struct ipc_msg *out);
int ipc_msg_stat(struct task *t, int id, int cmd, struct msqid_ds *out);
int ipc_msg_info(struct task *t, int cmd, struct msginfo *out);
int ipc_msg_set(struct task *t, int id, const struct msqid_ds *in);
int ipc_msg_rmid(struct task *t, int id);
void msg_rmid(struct ipc_namespace *ns, struct ipc_object *o);

/* ---- shared memory: shm.c ---- */
int ipc_shmget(struct task *t, int key, uint64_t size, int flags);
int64_t ipc_shmat(struct task *t, int id, uint64_t addr, int flags);
int ipc_shmdt(struct task *t, uint64_t addr);
int ipc_shm_stat(struct task *t, int id, int cmd, struct shmid_ds *out);
int ipc_shm_limits(struct task *t, struct shminfo *out); /* IPC_INFO */
int ipc_shm_info(struct task *t, struct shm_info *out);  /* SHM_INFO */
uint64_t ipc_shm_resident(struct ipc_object *o);         /* pages */
int ipc_shm_set(struct task *t, int id, const struct shmid_ds *in);
int ipc_shm_rmid(struct task *t, int id);
int ipc_shm_lock(struct task *t, int id, bool lock);
void ipc_shm_exit(struct task *t);                  /* a task ends: its orphans go if shm_rmid_forced says so */
void ipc_shm_rmid_forced(struct ipc_namespace *ns); /* the setting became 1 */
void shm_rmid(struct ipc_namespace *ns, struct ipc_object *o);
