/*
 * Fast user-space locks: futex(2), robust lists (get_robust_list(2)). A waiter's place is a key: for memory of one
 * process (address space, address), for memory that is shared through a file (inode, offset).
 */
#pragma once
#include "task.h"
#include <stdbool.h>
#include <stdint.h>

#define FUTEX_BITSET_ALL 0xffffffffu
#define FUTEX_WAITV_MAX_K 128

struct futex_key {
  const void *obj; /* the struct mm, or the inode (a file without one: the file) */
  uint64_t off;    /* address, or offset in the file */
};
static inline bool futex_key_eq(const struct futex_key *a, const struct futex_key *b) {
  return a->obj == b->obj && a->off == b->off;
}
unsigned futex_key_hash(const struct futex_key *k); /* below FUTEX_BUCKETS */
#define FUTEX_BUCKETS 256

/* The key for uaddr in area a (NULL: none found). priv: FUTEX_PRIVATE_FLAG. *hold is the file to keep while the key is
 * in use, borrowed, or NULL. 0, -EINVAL (misaligned), -EFAULT. Pure. */
int futex_key_make(struct mm *m, const struct area *a, uint64_t uaddr, bool priv, struct futex_key *key,
                   struct file **hold);

struct futex_waiter { /* lives on the waiting fiber's stack (or heap) while it is queued */
  TAILQ_ENTRY(futex_waiter) link;
  struct futex_key key;
  struct file *hold; /* counted, or NULL */
  uint32_t bitset;
  struct fiber *fiber;
  bool queued, woken;
  /* PI */
  struct task *task;
  int owner;       /* tid that holds the lock; 0: no PI waiter */
  bool died;       /* the lock came from a dead owner */
  bool requeue_pi; /* in FUTEX_WAIT_REQUEUE_PI, for the lock of key2; `owner` says whether it was moved there */
  struct futex_key key2;
};
TAILQ_HEAD(futex_queue, futex_waiter);
struct futex_table {
  struct futex_queue bucket[FUTEX_BUCKETS];
  struct fmutex pi_lock; /* over the changes of PI words, which park */
  int npi;               /* PI waiters */
};
struct futex_table *futex_table(struct kernel *k); /* made at first use; NULL: no memory */

/* The operations. Deadlines as loop.h's. They park. */
int64_t futex_wait(struct task *t, uint64_t uaddr, bool priv, uint32_t val, uint32_t bitset, int64_t deadline);
int64_t futex_wake(struct task *t, uint64_t uaddr, bool priv, int n, uint32_t bitset);
int64_t futex_requeue(struct task *t, uint64_t from, bool priv, uint64_t to, bool to_priv, int nwake, int nrequeue,
                      const uint32_t *cmp);
int64_t futex_wake_op(struct task *t, uint64_t uaddr, uint64_t uaddr2, bool priv, int nwake, int nwake2, uint32_t op);
int64_t futex_lock_pi(struct task *t, uint64_t uaddr, bool priv, int64_t deadline, bool try_only);
int64_t futex_unlock_pi(struct task *t, uint64_t uaddr, bool priv);
int64_t futex_wait_requeue_pi(struct task *t, uint64_t uaddr, uint64_t uaddr2, bool priv, uint32_t val, uint32_t bitset,
                              int64_t deadline);
int64_t futex_cmp_requeue_pi(struct task *t, uint64_t uaddr, uint64_t uaddr2, bool priv, int nwake, int nrequeue,
                             uint32_t cmp);

struct futex_want { /* one of futex_waitv(2) */
  uint64_t uaddr;
  uint32_t val;
  bool priv;
};
int64_t futex_waitv(struct task *t, const struct futex_want *w, int n,
                    int64_t deadline); /* the index of the one woken */

/* For futex.c's relatives */
int futex_key_get(struct task *t, uint64_t uaddr, bool priv, struct futex_key *key, struct file **hold_borrow);
void futex_enqueue(struct futex_table *tab, struct futex_waiter *w, const struct futex_key *key, struct file *hold);
void futex_dequeue(struct futex_table *tab, struct futex_waiter *w); /* no-op if it is not queued; does not drop hold */
void futex_pi_exit(struct task *t);
