/* What a thread leaves behind in user memory when it ends or execs: robust futexes and clear_child_tid. */
#include "errno.h"
#include "fiber.h"
#include "futex.h"
#include "kernel.h"
#include "uaccess.h"
#include <linux/futex.h>

/* The word of a lock that t may hold: mark it and wake a waiter. -errno ends the walk. */
static int owner_died(struct task *t, uint64_t uaddr, bool pi, bool pending) {
  uint32_t word, old, tid = (uint32_t)pid_vnr(t->tid);
  if (uaddr & 3)
    return -EINVAL;
  if (get_user(&word, uaddr) < 0)
    return -EFAULT;
  for (int tries = 0; tries < 1000; tries++) {
    if (pending && !pi && !(word & FUTEX_TID_MASK)) { /* died between unlocking and waking */
      futex_wake_user(t->mm, uaddr, 1);
      return 0;
    }
    if ((word & FUTEX_TID_MASK) != tid)
      return 0;
    if (!t->ctx)
      return -EFAULT;
    int r = plat_atomic32(t->ctx, PLAT_CMPXCHG, uaddr, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, word, &old);
    if (r < 0)
      return r;
    if (old == word)
      break;
    word = old;
  }
  if (!pi && (word & FUTEX_WAITERS))
    futex_wake_user(t->mm, uaddr, 1);
  return 0;
}

static void walk_robust_list(struct task *t) {
  struct {
    uint64_t next;
    int64_t offset;
    uint64_t pending;
  } head;
  if (get_user(&head, t->robust_list) < 0)
    return;
  uint64_t entry = head.next, pend = head.pending & ~1ull;
  /* Brent: each read costs a host call, so a circle that misses the head is not walked up to the limit. */
  uint64_t mark = 0;
  for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1ull) != t->robust_list && (!i || entry != mark); i++) {
    uint64_t next, at = entry & ~1ull;
    if (!(i & (i - 1)))
      mark = entry;
    int r = get_user(&next, at);
    if (at != pend && owner_died(t, at + (uint64_t)head.offset, entry & 1, false) < 0)
      return;
    if (r < 0)
      return;
    entry = next;
  }
  if (pend)
    owner_died(t, pend + (uint64_t)head.offset, head.pending & 1, true);
}

void futex_exit(struct task *t) {
  if (!t->mm)
    return;
  if (t->robust_list && t->mm->as)
    walk_robust_list(t);
  t->robust_list = 0;
  futex_pi_exit(t);
  /* Nobody may be told that this thread is gone while the host could still write to its area. */
  if (t->rseq.addr && t->ctx && t->proc->nlive > 0 && !plat_exits_directly(t->ctx))
    plat_rseq(t->ctx, t->rseq.addr, t->rseq.len, 1, t->rseq.sig);
  uint64_t tidptr = t->clear_child_tid;
  t->clear_child_tid = 0;
  if (!tidptr || t->mm->ref.n < 2)
    return; /* nobody is left to see it */
  uint32_t zero = 0;
  if (!put_user(tidptr, &zero))
    futex_wake_user(t->mm, tidptr, 1);
}
