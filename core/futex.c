#include "futex.h"
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "timers.h"
#include "uaccess.h"
#include <linux/futex.h>
#include <stdlib.h>

/* ---- keys ---- */

unsigned futex_key_hash(const struct futex_key *k) {
  uint64_t h = ((uint64_t)k->obj >> 4) * 0x9e3779b97f4a7c15ull ^ (k->off >> 2) * 0xc2b2ae3d27d4eb4full;
  return (unsigned)(h >> 56) % FUTEX_BUCKETS;
}

int futex_key_make(struct mm *m, const struct area *a, uint64_t uaddr, bool priv, struct futex_key *key,
                   struct file **hold) {
  *hold = NULL;
  if (uaddr & 3)
    return -EINVAL;
  *key = (struct futex_key){m, uaddr};
  if (priv)
    return 0;
  if (!a)
    return -EFAULT;
  if ((a->flags & MAP_SHARED) && a->file) {
    key->obj = a->file->inode ? (const void *)a->file->inode : a->file;
    key->off = (uint64_t)a->off + (uaddr - a->start);
    *hold = a->file;
  }
  return 0;
}

static int key_of(struct mm *m, uint64_t uaddr, bool priv, struct futex_key *key, struct file **hold) {
  return futex_key_make(m, priv ? NULL : mm_find_borrow(m, uaddr), uaddr, priv, key, hold);
}

int futex_key_get(struct task *t, uint64_t uaddr, bool priv, struct futex_key *key, struct file **hold) {
  if (uaddr & 3)
    return -EINVAL;
  if (!access_ok(uaddr, 4))
    return -EFAULT;
  return key_of(t->mm, uaddr, priv, key, hold);
}

/* ---- queues ---- */

struct futex_table *futex_table(struct kernel *k) {
  if (!k->futexes) {
    struct futex_table *tab = calloc(1, sizeof *tab);
    if (!tab)
      return NULL;
    for (int i = 0; i < FUTEX_BUCKETS; i++)
      TAILQ_INIT(&tab->bucket[i]);
    fmutex_init(&tab->pi_lock);
    k->futexes = tab;
  }
  return k->futexes;
}

void futex_enqueue(struct futex_table *tab, struct futex_waiter *w, const struct futex_key *key, struct file *hold) {
  w->key = *key;
  w->hold = hold ? file_get(hold) : NULL;
  w->queued = true;
  w->woken = false;
  TAILQ_INSERT_TAIL(&tab->bucket[futex_key_hash(key)], w, link);
}

void futex_dequeue(struct futex_table *tab, struct futex_waiter *w) {
  if (w->queued)
    TAILQ_REMOVE(&tab->bucket[futex_key_hash(&w->key)], w, link);
  w->queued = false;
}

/* -EINVAL where it meets those who wait for a PI lock: they are woken by other operations. */
static int wake_key(struct futex_table *tab, const struct futex_key *key, int n, uint32_t bitset) {
  struct futex_queue *q = &tab->bucket[futex_key_hash(key)];
  int woken = 0;
  for (struct futex_waiter *w = TAILQ_FIRST(q), *next; w && woken < n; w = next) {
    next = TAILQ_NEXT(w, link);
    if (!futex_key_eq(&w->key, key))
      continue;
    if (w->owner || w->requeue_pi)
      return -EINVAL;
    if (!(w->bitset & bitset))
      continue;
    futex_dequeue(tab, w);
    w->woken = true;
    fiber_wake(w->fiber);
    woken++;
  }
  return woken;
}

int futex_wake_user(struct mm *mm, uint64_t uaddr, int n) {
  struct kernel *k = kernel_current();
  struct futex_key key;
  struct file *hold;
  if (!k || !k->futexes || key_of(mm, uaddr, false, &key, &hold) < 0)
    return 0;
  return wake_key(k->futexes, &key, n, FUTEX_BITSET_ALL);
}

/* ---- wait and wake ---- */

static int64_t wait_restart(struct task *t) {
  const uint64_t *a = t->restart.arg;
  return futex_wait(t, a[0], a[1], (uint32_t)a[2], (uint32_t)a[3], (int64_t)a[4]);
}

int64_t futex_wait(struct task *t, uint64_t uaddr, bool priv, uint32_t val, uint32_t bitset, int64_t deadline) {
  struct futex_table *tab = futex_table(t->k);
  struct futex_key key;
  struct file *hold;
  uint32_t word;
  if (!bitset || (uaddr & 3))
    return -EINVAL;
  if (!tab)
    return -ENOMEM;
  /* Between the end of this copy and the queueing nothing parks: a waker's call comes before or after both. */
  if (get_user(&word, uaddr) < 0)
    return -EFAULT;
  int r = futex_key_get(t, uaddr, priv, &key, &hold);
  if (r < 0)
    return r;
  if (word != val)
    return -EAGAIN;
  struct futex_waiter w = {.bitset = bitset, .fiber = fiber_self()};
  futex_enqueue(tab, &w, &key, hold);
  while (!w.woken && !r)
    r = task_park(deadline);
  futex_dequeue(tab, &w);
  if (w.hold)
    file_put(w.hold);
  if (w.woken)
    return 0;
  if (r != -ERESTARTSYS || deadline == NO_DEADLINE)
    return r;
  t->restart = (struct restart_block){wait_restart, {uaddr, priv, val, bitset, (uint64_t)deadline}};
  return -ERESTART_RESTARTBLOCK;
}

int64_t futex_wake(struct task *t, uint64_t uaddr, bool priv, int n, uint32_t bitset) {
  struct futex_key key;
  struct file *hold;
  if (!bitset)
    return -EINVAL;
  int r = futex_key_get(t, uaddr, priv, &key, &hold);
  if (r < 0 || !t->k->futexes)
    return r;
  return wake_key(t->k->futexes, &key, n > 0 ? n : 1, bitset); /* Linux wakes one for 0 too */
}

int64_t futex_requeue(struct task *t, uint64_t from, bool priv, uint64_t to, bool to_priv, int nwake, int nrequeue,
                      const uint32_t *cmp) {
  struct futex_key k1, k2;
  struct file *h1, *h2;
  uint32_t word;
  if (nwake < 0 || nrequeue < 0)
    return -EINVAL;
  if ((from | to) & 3)
    return -EINVAL;
  if (cmp && get_user(&word, from) < 0)
    return -EFAULT;
  int r = futex_key_get(t, from, priv, &k1, &h1);
  if (!r)
    r = futex_key_get(t, to, to_priv, &k2, &h2);
  if (r < 0)
    return r;
  if (cmp && word != *cmp)
    return -EAGAIN;
  struct futex_table *tab = t->k->futexes;
  if (!tab)
    return 0;
  int done = nwake ? wake_key(tab, &k1, nwake, FUTEX_BITSET_ALL) : 0, moved = 0;
  if (done < 0 || futex_key_eq(&k1, &k2))
    return done;
  struct futex_queue *q = &tab->bucket[futex_key_hash(&k1)];
  struct file *old[64]; /* dropped afterwards: file_put may park */
  int nold = 0;
  for (struct futex_waiter *w = TAILQ_FIRST(q), *next; w && moved < nrequeue; w = next) {
    next = TAILQ_NEXT(w, link);
    if (!futex_key_eq(&w->key, &k1))
      continue;
    if (w->owner || w->requeue_pi) {
      done = -EINVAL;
      break;
    }
    if (w->hold && nold == 64)
      break; /* the rest stays: waiters of either address are woken by somebody in the end */
    if (w->hold)
      old[nold++] = w->hold;
    futex_dequeue(tab, w);
    futex_enqueue(tab, w, &k2, h2);
    moved++;
  }
  while (nold)
    file_put(old[--nold]);
  return done < 0 ? done : done + moved;
}

static bool op_compares(int cmp, int32_t old, int32_t arg) {
  switch (cmp) {
  case FUTEX_OP_CMP_EQ:
    return old == arg;
  case FUTEX_OP_CMP_NE:
    return old != arg;
  case FUTEX_OP_CMP_LT:
    return old < arg;
  case FUTEX_OP_CMP_LE:
    return old <= arg;
  case FUTEX_OP_CMP_GT:
    return old > arg;
  default:
    return old >= arg;
  }
}

int64_t futex_wake_op(struct task *t, uint64_t uaddr, uint64_t uaddr2, bool priv, int nwake, int nwake2, uint32_t enc) {
  static const enum plat_atomic ops[] = {PLAT_XCHG, PLAT_ADD, PLAT_OR, PLAT_ANDN, PLAT_XOR};
  unsigned op = enc >> 28 & 7, cmp = enc >> 24 & 15;
  int32_t arg = (int32_t)(enc << 8) >> 20, cmparg = (int32_t)(enc << 20) >> 20; /* 12 bits each, signed */
  struct futex_key k1, k2;
  struct file *hold;
  uint32_t old;
  if (op >= sizeof ops / sizeof *ops)
    return -ENOSYS;
  if (enc >> 31) /* FUTEX_OP_OPARG_SHIFT */
    arg = (int32_t)(1u << (arg & 31));
  int r = futex_key_get(t, uaddr, priv, &k1, &hold);
  if (!r)
    r = futex_key_get(t, uaddr2, priv, &k2, &hold);
  if (!r) {
    mm_prefault(t->mm, uaddr2, 4);
    r = plat_atomic32(t->ctx, ops[op], uaddr2, (uint32_t)arg, 0, &old);
  }
  if (!r) /* it parked: the areas may be others */
    r = futex_key_get(t, uaddr, priv, &k1, &hold);
  if (!r)
    r = futex_key_get(t, uaddr2, priv, &k2, &hold);
  if (!r && cmp > FUTEX_OP_CMP_GE)
    r = -ENOSYS; /* after the operation, as Linux does */
  if (r < 0 || !t->k->futexes)
    return r;
  r = wake_key(t->k->futexes, &k1, nwake > 0 ? nwake : 1, FUTEX_BITSET_ALL);
  if (r < 0 || !op_compares((int)cmp, (int32_t)old, cmparg))
    return r;
  int more = wake_key(t->k->futexes, &k2, nwake2 > 0 ? nwake2 : 1, FUTEX_BITSET_ALL);
  return more < 0 ? more : r + more;
}

/* ---- futex_waitv ---- */

static int64_t waitv_queue(struct task *t, struct futex_table *tab, struct futex_waiter *ws, const struct futex_want *w,
                           int n) {
  for (int i = 0; i < n; i++) {
    uint32_t word;
    struct futex_key key;
    struct file *hold;
    /* Queued before the word is read, since reading the next ones may park. */
    int r = futex_key_get(t, w[i].uaddr, w[i].priv, &key, &hold);
    if (r < 0)
      return r;
    ws[i] = (struct futex_waiter){.bitset = FUTEX_BITSET_ALL, .fiber = fiber_self()};
    futex_enqueue(tab, &ws[i], &key, hold);
    if (get_user(&word, w[i].uaddr) < 0)
      return -EFAULT;
    if (word != w[i].val)
      return -EAGAIN;
  }
  return 0;
}

int64_t futex_waitv(struct task *t, const struct futex_want *w, int n, int64_t deadline) {
  struct futex_table *tab = futex_table(t->k);
  struct futex_waiter *ws = calloc((size_t)n, sizeof *ws);
  if (!ws || !tab) {
    free(ws);
    return -ENOMEM;
  }
  int64_t r = waitv_queue(t, tab, ws, w, n), woken = -1;
  while (!r) {
    for (int i = 0; i < n && woken < 0; i++)
      if (ws[i].woken)
        woken = i;
    if (woken >= 0)
      break;
    r = task_park(deadline);
  }
  for (int i = 0; i < n; i++) {
    if (ws[i].woken)
      woken = i;
    futex_dequeue(tab, &ws[i]);
  }
  for (int i = 0; i < n; i++)
    if (ws[i].hold)
      file_put(ws[i].hold);
  free(ws);
  return woken >= 0 ? woken : r;
}
