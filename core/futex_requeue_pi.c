/*
 * FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: condition variables over PI locks. A waiter sleeps on the first word
 * until it is given the lock in the second one, or is moved to that lock's queue.
 */
#include "errno.h"
#include "fiber.h"
#include "futex.h"
#include "kernel.h"
#include "uaccess.h"
#include <linux/futex.h>

int64_t futex_wait_requeue_pi(struct task *t, uint64_t uaddr, uint64_t uaddr2, bool priv, uint32_t val, uint32_t bitset,
                              int64_t deadline) {
  struct futex_table *tab = futex_table(t->k);
  struct futex_key key;
  struct file *hold;
  uint32_t word;
  if (uaddr == uaddr2 || !bitset || ((uaddr | uaddr2) & 3))
    return -EINVAL;
  if (!tab)
    return -ENOMEM;
  struct futex_waiter w = {.bitset = bitset, .fiber = fiber_self(), .task = t, .requeue_pi = true};
  int r = futex_key_get(t, uaddr2, priv, &w.key2, &hold);
  if (!r && get_user(&word, uaddr) < 0)
    r = -EFAULT;
  if (!r)
    r = futex_key_get(t, uaddr, priv, &key, &hold);
  if (r < 0)
    return r;
  if (word != val)
    return -EAGAIN;
  if (futex_key_eq(&key, &w.key2))
    return -EINVAL;
  futex_enqueue(tab, &w, &key, hold);
  while (!w.woken && !r)
    r = task_park(deadline);
  /* Somebody may be taking the lock for us right now, parked in the stub: let that end. */
  fmutex_lock(&tab->pi_lock);
  futex_dequeue(tab, &w);
  if (w.owner)
    tab->npi--;
  fmutex_unlock(&tab->pi_lock);
  if (w.hold)
    file_put(w.hold);
  if (w.woken)
    return w.died ? -ESRCH : 0;
  if (r != -ERESTARTSYS)
    return r;
  return w.owner ? -EAGAIN : -ERESTARTNOINTR; /* moved already: the caller cannot wait on the first word again */
}

struct requeue {
  struct task *t;
  struct futex_table *tab;
  struct futex_key from, to;
  struct file *hold; /* of `to`, borrowed */
  uint64_t uaddr2;
  int left; /* how many may still be moved */
};

static struct futex_waiter *next_waiter(const struct requeue *q) {
  struct futex_waiter *w;
  TAILQ_FOREACH(w, &q->tab->bucket[futex_key_hash(&q->from)], link) {
    if (futex_key_eq(&w->key, &q->from))
      return w;
  }
  return NULL;
}

/* The lock for the first waiter. 1: it has it; 0: somebody else has (and *owner, with FUTEX_WAITERS set). */
static int take_for(struct requeue *q, struct futex_waiter *w, int *owner) {
  uint32_t word, old, want;
  if (get_user(&word, q->uaddr2) < 0)
    return -EFAULT;
  *owner = (int)(word & FUTEX_TID_MASK);
  if (*owner == pid_vnr(w->task->tid))
    return -EDEADLK;
  if (*owner && !task_find_borrow(q->t->k, *owner))
    return -ESRCH;
  if (*owner && (word & FUTEX_WAITERS))
    return 0;
  want = *owner ? word | FUTEX_WAITERS
                : (uint32_t)pid_vnr(w->task->tid) | (word & FUTEX_OWNER_DIED) | (q->left > 0 ? FUTEX_WAITERS : 0);
  int r = plat_atomic32(q->t->ctx, PLAT_CMPXCHG, q->uaddr2, want, word, &old);
  if (r < 0)
    return r;
  return old == word ? !*owner : -EAGAIN;
}

static bool moves(const struct requeue *q, const struct futex_waiter *w) {
  return w->requeue_pi && !w->owner && futex_key_eq(&w->key2, &q->to);
}

/* All that are left go to the lock's queue. */
static int move_waiters(struct requeue *q, int owner) {
  struct file *old[64]; /* dropped afterwards: file_put may park */
  int nold = 0, moved = 0, err = 0;
  struct futex_waiter *w;
  while (q->left > 0 && nold < 64 && (w = next_waiter(q))) {
    if (!moves(q, w)) {
      err = -EINVAL;
      break;
    }
    if (w->hold)
      old[nold++] = w->hold;
    futex_dequeue(q->tab, w);
    futex_enqueue(q->tab, w, &q->to, q->hold);
    w->owner = owner;
    q->tab->npi++;
    q->left--;
    moved++;
  }
  while (nold)
    file_put(old[--nold]);
  return err ? err : moved;
}

static int requeue_locked(struct requeue *q) {
  int done = 0, owner = 0, r;
  for (int tries = 0; tries < 1000; tries++) {
    struct futex_waiter *w = next_waiter(q);
    if (!w)
      return done;
    if (!moves(q, w))
      return -EINVAL;
    if (done) { /* the first one has the lock: the others wait for it */
      r = move_waiters(q, owner);
      return r < 0 ? r : done + r;
    }
    int self = pid_vnr(w->task->tid);
    r = take_for(q, w, &owner);
    if (r == -EAGAIN)
      continue;
    if (r < 0)
      return r;
    if (r == 1) {
      futex_dequeue(q->tab, w);
      w->woken = true;
      fiber_wake(w->fiber);
      owner = self;
      done = 1;
      continue;
    }
    q->left++; /* nr_wake is part of the number */
    return move_waiters(q, owner);
  }
  return -EAGAIN;
}

int64_t futex_cmp_requeue_pi(struct task *t, uint64_t uaddr, uint64_t uaddr2, bool priv, int nwake, int nrequeue,
                             uint32_t cmp) {
  struct requeue q = {.t = t, .tab = futex_table(t->k), .uaddr2 = uaddr2, .left = nrequeue};
  struct file *hold;
  uint32_t word;
  if (nwake != 1 || nrequeue < 0 || uaddr == uaddr2 || ((uaddr | uaddr2) & 3))
    return -EINVAL;
  if (!q.tab)
    return -ENOMEM;
  fmutex_lock(&q.tab->pi_lock);
  int r = get_user(&word, uaddr) < 0 ? -EFAULT : 0;
  if (!r && word != cmp)
    r = -EAGAIN;
  if (!r)
    r = futex_key_get(t, uaddr, priv, &q.from, &hold);
  if (!r)
    r = futex_key_get(t, uaddr2, priv, &q.to, &q.hold);
  if (!r && q.hold)
    file_get(q.hold); /* the lock is taken for others in parks */
  struct file *keep = r ? NULL : q.hold;
  if (!r)
    r = futex_key_eq(&q.from, &q.to) ? -EINVAL : requeue_locked(&q);
  fmutex_unlock(&q.tab->pi_lock);
  if (keep)
    file_put(keep);
  return r;
}
