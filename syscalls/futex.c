/* futex(2), futex_waitv(2), set_robust_list(2), get_robust_list(2). */
#include "../core/errno.h"
#include "../core/futex.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/futex.h>
#include <time.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define FUTEX2_SIZE_U32_K 2
#define FUTEX2_PRIVATE_K 128

static int read_deadline(uint64_t uts, bool absolute, clockid_t clock, int64_t *deadline) {
  struct timespec ts;
  *deadline = NO_DEADLINE;
  if (!uts)
    return 0;
  if (get_user(&ts, uts) < 0)
    return -EFAULT;
  if (!timespec_ok(&ts))
    return -EINVAL;
  *deadline = absolute ? clock_deadline(clock, timespec_ns(&ts) - clock_offset(task_current(), clock)) : deadline_after(timespec_ns(&ts));
  return 0;
}

SYSCALL_HANDLER(futex) {
  int op = (int)a[1], cmd = op & FUTEX_CMD_MASK;
  bool priv = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
  uint64_t uaddr = a[0];
  uint32_t val = (uint32_t)a[2], val3 = (uint32_t)a[5];
  int64_t deadline = NO_DEADLINE;
  if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_LOCK_PI2)
    return -ENOSYS;
  if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_WAIT_REQUEUE_PI || cmd == FUTEX_LOCK_PI ||
      cmd == FUTEX_LOCK_PI2) {
    clockid_t clock = realtime || cmd == FUTEX_LOCK_PI ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    int r = read_deadline(a[3], cmd != FUTEX_WAIT, clock, &deadline);
    if (r < 0)
      return r;
  }
  switch (cmd) {
  case FUTEX_WAIT:
    return futex_wait(t, uaddr, priv, val, FUTEX_BITSET_ALL, deadline);
  case FUTEX_WAIT_BITSET:
    return futex_wait(t, uaddr, priv, val, val3, deadline);
  case FUTEX_WAKE:
    return futex_wake(t, uaddr, priv, (int)val, FUTEX_BITSET_ALL);
  case FUTEX_WAKE_BITSET:
    return futex_wake(t, uaddr, priv, (int)val, val3);
  case FUTEX_REQUEUE:
    return futex_requeue(t, uaddr, priv, a[4], priv, (int)val, (int)a[3], NULL);
  case FUTEX_CMP_REQUEUE:
    return futex_requeue(t, uaddr, priv, a[4], priv, (int)val, (int)a[3], &val3);
  case FUTEX_WAKE_OP:
    return futex_wake_op(t, uaddr, a[4], priv, (int)val, (int)a[3], val3);
  case FUTEX_LOCK_PI:
  case FUTEX_LOCK_PI2:
    return futex_lock_pi(t, uaddr, priv, deadline, false);
  case FUTEX_TRYLOCK_PI:
    return futex_lock_pi(t, uaddr, priv, NO_DEADLINE, true);
  case FUTEX_UNLOCK_PI:
    return futex_unlock_pi(t, uaddr, priv);
  case FUTEX_WAIT_REQUEUE_PI:
    return futex_wait_requeue_pi(t, uaddr, a[4], priv, val, FUTEX_BITSET_ALL, deadline);
  case FUTEX_CMP_REQUEUE_PI:
    return futex_cmp_requeue_pi(t, uaddr, a[4], priv, (int)val, (int)a[3], val3);
  }
  return -ENOSYS;
}

struct user_waitv { /* struct futex_waitv of the ABI */
  uint64_t val, uaddr;
  uint32_t flags, reserved;
};

static bool futex2_flags_ok(uint32_t flags) {
  return (flags & ~FUTEX2_PRIVATE_K) == FUTEX2_SIZE_U32_K;
}

SYSCALL_HANDLER(futex_waitv) {
  struct user_waitv in[FUTEX_WAITV_MAX_K];
  struct futex_want want[FUTEX_WAITV_MAX_K];
  unsigned n = (unsigned)a[1];
  clockid_t clock = (clockid_t)a[4];
  int64_t deadline;
  if (a[2] || !n || n > FUTEX_WAITV_MAX_K || !a[0])
    return -EINVAL;
  if (a[3] && clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
    return -EINVAL;
  int r = read_deadline(a[3], true, clock, &deadline);
  if (!r && copy_from_user(in, a[0], n * sizeof in[0]) < 0)
    r = -EFAULT;
  if (r < 0)
    return r;
  for (unsigned i = 0; i < n; i++) {
    if (!futex2_flags_ok(in[i].flags) || in[i].reserved || in[i].val > UINT32_MAX)
      return -EINVAL;
    want[i] = (struct futex_want){in[i].uaddr, (uint32_t)in[i].val, in[i].flags & FUTEX2_PRIVATE_K};
  }
  return futex_waitv(t, want, (int)n, deadline);
}

/* ---- the calls of Linux 6.7 ---- */

SYSCALL_HANDLER(futex_wake) {
  uint64_t mask = a[1];
  int n = (int)a[2];
  if (!futex2_flags_ok((uint32_t)a[3]) || mask > UINT32_MAX || !mask)
    return -EINVAL;
  if (!n)
    return a[0] & 3 ? -EINVAL : 0;
  return futex_wake(t, a[0], a[3] & FUTEX2_PRIVATE_K, n, (uint32_t)mask);
}

SYSCALL_HANDLER(futex_wait) {
  uint64_t val = a[1], mask = a[2];
  clockid_t clock = (clockid_t)a[5];
  int64_t deadline;
  if (!futex2_flags_ok((uint32_t)a[3]) || val > UINT32_MAX || mask > UINT32_MAX || !mask)
    return -EINVAL;
  if (a[4] && clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
    return -EINVAL;
  int r = read_deadline(a[4], true, clock, &deadline);
  return r < 0 ? r : futex_wait(t, a[0], a[3] & FUTEX2_PRIVATE_K, (uint32_t)val, (uint32_t)mask, deadline);
}

SYSCALL_HANDLER(futex_requeue) {
  struct user_waitv w[2];
  if (a[1] || !a[0])
    return -EINVAL;
  if (copy_from_user(w, a[0], sizeof w) < 0)
    return -EFAULT;
  for (int i = 0; i < 2; i++)
    if (!futex2_flags_ok(w[i].flags) || w[i].reserved || w[i].val > UINT32_MAX)
      return -EINVAL;
  uint32_t cmp = (uint32_t)w[0].val;
  return futex_requeue(t, w[0].uaddr, w[0].flags & FUTEX2_PRIVATE_K, w[1].uaddr, w[1].flags & FUTEX2_PRIVATE_K,
                       (int)a[2], (int)a[3], &cmp);
}

SYSCALL_HANDLER(set_robust_list) {
  if (a[1] != 24)
    return -EINVAL;
  t->robust_list = a[0];
  return 0;
}

SYSCALL_HANDLER(get_robust_list) {
  struct task *of = (int)a[0] ? task_find_borrow(t->k, (int)a[0]) : t;
  if (!of)
    return -ESRCH;
  if (of != t && !task_may_access(t, of))
    return -EPERM;
  uint64_t head = of->robust_list, len = 24;
  if (put_user(a[2], &len) < 0 || put_user(a[1], &head) < 0)
    return -EFAULT;
  return 0;
}
