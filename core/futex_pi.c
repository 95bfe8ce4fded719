/*
 * Priority-inheritance futexes: FUTEX_LOCK_PI and its relatives. The lock word holds the owner's tid. There are no
 * priorities among guests' threads to inherit here (the host schedules them); what remains is the hand-over: the kernel
 * gives the lock to the first waiter.
 */
#include "errno.h"
#include "fiber.h"
#include "futex.h"
#include "kernel.h"
#include "uaccess.h"
#include <linux/futex.h>

static struct futex_waiter *first_waiter(struct futex_table *tab, const struct futex_key *key) {
  struct futex_waiter *w;
  TAILQ_FOREACH(w, &tab->bucket[futex_key_hash(key)], link) {
    if (w->owner && futex_key_eq(&w->key, key))
      return w;
  }
  return NULL;
}

static void set_owner(struct futex_table *tab, const struct futex_key *key, int tid) {
  struct futex_waiter *w;
  TAILQ_FOREACH(w, &tab->bucket[futex_key_hash(key)], link) {
    if (w->owner && futex_key_eq(&w->key, key))
      w->owner = tid;
  }
}

static int cmpxchg(struct task *t, uint64_t uaddr, uint32_t from, uint32_t to) {
  uint32_t old;
  int r = plat_atomic32(t->ctx, PLAT_CMPXCHG, uaddr, to, from, &old);
  return r < 0 ? r : old == from ? 0 : -EAGAIN;
}

/* One attempt with tab->pi_lock held: 0 it is t's, 1 t must wait (the word says so), -EAGAIN try again. */
static int try_lock(struct task *t, struct futex_table *tab, uint64_t uaddr, const struct futex_key *key,
                    bool try_only) {
  uint32_t word, tid = (uint32_t)pid_vnr(t->tid);
  if (get_user(&word, uaddr) < 0)
    return -EFAULT;
  if ((word & FUTEX_TID_MASK) == tid)
    return -EDEADLK;
  struct futex_waiter *first = first_waiter(tab, key);
  if (!(word & FUTEX_TID_MASK)) {
    if (first)
      return -EINVAL; /* the word was changed behind the waiters' back */
    return cmpxchg(t, uaddr, word, tid | (word & FUTEX_OWNER_DIED));
  }
  if (!task_find_borrow(t->k, (int)(word & FUTEX_TID_MASK)))
    return -ESRCH;
  if (try_only)
    return -EWOULDBLOCK;
  if (!(word & FUTEX_WAITERS)) {
    int r = cmpxchg(t, uaddr, word, word | FUTEX_WAITERS);
    if (r < 0)
      return r;
  }
  return (int)(word & FUTEX_TID_MASK) > 0 ? 1 : -EINVAL;
}

int64_t futex_lock_pi(struct task *t, uint64_t uaddr, bool priv, int64_t deadline, bool try_only) {
  struct futex_table *tab = futex_table(t->k);
  struct futex_key key;
  struct file *hold;
  if (!tab)
    return -ENOMEM;
  struct futex_waiter w = {.fiber = fiber_self(), .task = t};
  fmutex_lock(&tab->pi_lock);
  int r, tries = 0;
  do {
    r = futex_key_get(t, uaddr, priv, &key, &hold);
    if (!r)
      r = try_lock(t, tab, uaddr, &key, try_only);
  } while (r == -EAGAIN && !try_only && ++tries < 1000);
  if (r == 1) {
    uint32_t word;
    r = futex_key_get(t, uaddr, priv, &key, &hold);
    if (!r && get_user(&word, uaddr) < 0)
      r = -EFAULT;
    if (!r) {
      w.owner = (int)(word & FUTEX_TID_MASK);
      if (!w.owner) /* freed by hand although WAITERS was set */
        r = -EAGAIN;
    }
    if (!r) {
      futex_enqueue(tab, &w, &key, hold);
      tab->npi++;
    }
  }
  fmutex_unlock(&tab->pi_lock);
  if (!w.owner || r < 0)
    return r;
  while (!w.woken && !r)
    r = task_park(deadline);
  /* Somebody may be handing it over right now, parked in the stub: let that end. */
  fmutex_lock(&tab->pi_lock);
  futex_dequeue(tab, &w);
  tab->npi--;
  fmutex_unlock(&tab->pi_lock);
  if (w.hold)
    file_put(w.hold);
  if (w.woken)
    return w.died ? -ESRCH : 0;
  return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

/* Give the lock from t to the first waiter. t's stopped context does the exchange. pi_lock is held. */
static int hand_over(struct task *t, struct futex_table *tab, uint64_t uaddr, const struct futex_key *key,
                     uint32_t extra) {
  for (int tries = 0; tries < 1000; tries++) {
    uint32_t word, tid = (uint32_t)pid_vnr(t->tid);
    if (get_user(&word, uaddr) < 0)
      return -EFAULT;
    bool orphan = extra && !(word & FUTEX_TID_MASK); /* the walk of the robust list came by before */
    if ((word & FUTEX_TID_MASK) != tid && !orphan)
      return -EPERM;
    struct futex_waiter *w = first_waiter(tab, key);
    if (!w) {
      int r = cmpxchg(t, uaddr, word, extra);
      if (r != -EAGAIN)
        return r;
      continue;
    }
    int next = pid_vnr(w->task->tid);
    int r = cmpxchg(t, uaddr, word, (uint32_t)next | FUTEX_WAITERS | extra);
    if (r == -EAGAIN)
      continue;
    if (r < 0)
      return r;
    futex_dequeue(tab, w);
    w->woken = true;
    fiber_wake(w->fiber);
    set_owner(tab, key, next);
    return 0;
  }
  return -EAGAIN;
}

int64_t futex_unlock_pi(struct task *t, uint64_t uaddr, bool priv) {
  struct futex_table *tab = futex_table(t->k);
  struct futex_key key;
  struct file *hold;
  if (!tab)
    return -ENOMEM;
  fmutex_lock(&tab->pi_lock);
  int r = futex_key_get(t, uaddr, priv, &key, &hold);
  if (!r)
    r = hand_over(t, tab, uaddr, &key, 0);
  fmutex_unlock(&tab->pi_lock);
  return r;
}

/* t ends while others wait for PI locks that it holds: each goes to its first waiter, marked. */
void futex_pi_exit(struct task *t) {
  struct futex_table *tab = t->k->futexes;
  if (!tab || !tab->npi || !t->tid)
    return;
  fmutex_lock(&tab->pi_lock);
again:
  for (int i = 0; i < FUTEX_BUCKETS; i++) {
    struct futex_waiter *w;
    TAILQ_FOREACH(w, &tab->bucket[i], link) {
      if (!w->owner || w->owner != pid_vnr(t->tid))
        continue;
      struct futex_key key = w->key;
      int r = -EFAULT;
      if (t->ctx && t->mm && key.obj == t->mm)
        r = hand_over(t, tab, key.off, &key, FUTEX_OWNER_DIED);
      if (r < 0) { /* the word is out of reach: they must find out for themselves */
        futex_dequeue(tab, w);
        w->woken = true;
        w->died = true;
        fiber_wake(w->fiber);
      }
      goto again;
    }
  }
  fmutex_unlock(&tab->pi_lock);
}
