/* System V semaphores: decode; core/ipc/sem*.c do it. */
#include "../core/errno.h"
#include "../core/ipc/ipc.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "table.h"
#include <stdlib.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#define FAST_OPS 16

SYSCALL_HANDLER(semget) {
  return ipc_semget(t, (int)a[0], (int)a[1], (int)a[2]);
}

static int64_t semop_until(struct task *t, int id, uint64_t uops, uint64_t n32, int64_t deadline) {
  unsigned n = (unsigned)n32;
  if (n > (unsigned)t->ipc->sem_opm)
    return -E2BIG;
  if (n < 1)
    return -EINVAL;
  struct sembuf fast[FAST_OPS], *ops = n <= FAST_OPS ? fast : malloc(n * sizeof *ops);
  if (!ops)
    return -ENOMEM;
  int64_t r = copy_from_user(ops, uops, n * sizeof *ops);
  if (!r)
    r = id < 0 || deadline < 0 ? -EINVAL : ipc_semop(t, id, ops, n, deadline);
  if (ops != fast)
    free(ops);
  return r;
}

SYSCALL_HANDLER(semop) {
  return semop_until(t, (int)a[0], a[1], a[2], NO_DEADLINE);
}

SYSCALL_HANDLER(semtimedop) {
  struct timespec ts;
  int64_t deadline = NO_DEADLINE;
  if (a[3]) {
    if (get_user(&ts, a[3]))
      return -EFAULT;
    deadline = timespec_ok(&ts) ? deadline_after(timespec_ns(&ts)) : -1;
  }
  return semop_until(t, (int)a[0], a[1], a[2], deadline);
}

static int64_t all_values(struct task *t, int id, bool set, uint64_t array) {
  int n = ipc_sem_count(t, id, set ? IPC_WUGO : IPC_RUGO);
  if (n < 0)
    return n;
  uint16_t *v = malloc((size_t)n * sizeof *v);
  if (!v)
    return -ENOMEM;
  int64_t r = set ? copy_from_user(v, array, (size_t)n * sizeof *v) : ipc_sem_getall(t, id, v, n);
  if (!r)
    r = set ? ipc_sem_setall(t, id, v, n) : copy_to_user(array, v, (size_t)n * sizeof *v);
  free(v);
  return r;
}

SYSCALL_HANDLER(semctl) {
  int id = (int)a[0], num = (int)a[1], cmd = (int)a[2];
  uint64_t arg = a[3];
  struct semid_ds ds;
  struct seminfo info;
  int r;
  if (id < 0)
    return -EINVAL;
  switch (cmd) {
  case IPC_INFO:
  case SEM_INFO:
    r = ipc_sem_info(t, cmd, &info);
    return r < 0 || !put_user(arg, &info) ? r : -EFAULT;
  case IPC_STAT:
  case SEM_STAT:
  case SEM_STAT_ANY:
    r = ipc_sem_stat(t, id, cmd, &ds);
    return r < 0 || !put_user(arg, &ds) ? r : -EFAULT;
  case GETALL:
  case SETALL:
    return all_values(t, id, cmd == SETALL, arg);
  case GETVAL:
  case GETPID:
  case GETNCNT:
  case GETZCNT:
    return ipc_sem_get(t, id, num, cmd);
  case SETVAL:
    return ipc_sem_setval(t, id, num, (int)arg);
  case IPC_SET:
    return get_user(&ds, arg) ? -EFAULT : ipc_sem_set(t, id, &ds);
  case IPC_RMID:
    return ipc_sem_rmid(t, id);
  default:
    return -EINVAL;
  }
}
