/* System V shared memory: decode; core/ipc/shm.c does it. */
#include "../core/errno.h"
#include "../core/ipc/ipc.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "table.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

SYSCALL_HANDLER(shmget) {
  return ipc_shmget(t, (int)a[0], a[1], (int)a[2]);
}
SYSCALL_HANDLER(shmat) {
  return ipc_shmat(t, (int)a[0], a[1], (int)a[2]);
}
SYSCALL_HANDLER(shmdt) {
  return ipc_shmdt(t, a[0]);
}

SYSCALL_HANDLER(shmctl) {
  int id = (int)a[0], cmd = (int)a[1], r;
  struct shmid_ds ds;
  struct shminfo limits;
  struct shm_info info;
  if (id < 0 || cmd < 0)
    return -EINVAL;
  switch (cmd) {
  case IPC_INFO:
    r = ipc_shm_limits(t, &limits);
    return r < 0 || !put_user(a[2], &limits) ? r : -EFAULT;
  case SHM_INFO:
    r = ipc_shm_info(t, &info);
    return r < 0 || !put_user(a[2], &info) ? r : -EFAULT;
  case IPC_STAT:
  case SHM_STAT:
  case SHM_STAT_ANY:
    r = ipc_shm_stat(t, id, cmd, &ds);
    return r < 0 || !put_user(a[2], &ds) ? r : -EFAULT;
  case IPC_SET:
    return get_user(&ds, a[2]) ? -EFAULT : ipc_shm_set(t, id, &ds);
  case IPC_RMID:
    return ipc_shm_rmid(t, id);
  case SHM_LOCK:
  case SHM_UNLOCK:
    return ipc_shm_lock(t, id, cmd == SHM_LOCK);
  default:
    return -EINVAL;
  }
}
