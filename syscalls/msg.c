/* System V message queues: decode; core/ipc/msg.c does it. */
#include "../core/errno.h"
#include "../core/ipc/ipc.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "table.h"
#include <stdlib.h>

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

SYSCALL_HANDLER(msgget) {
  return ipc_msgget(t, (int)a[0], (int)a[1]);
}

SYSCALL_HANDLER(msgsnd) {
  int id = (int)a[0];
  uint64_t n = a[2];
  long type;
  if (get_user(&type, a[1]))
    return -EFAULT;
  if (n > (uint64_t)t->ipc->msg_max || id < 0 || type < 1)
    return -EINVAL;
  char *text = malloc(n ? n : 1);
  if (!text)
    return -ENOMEM;
  if (copy_from_user(text, a[1] + sizeof type, n)) {
    free(text);
    return -EFAULT;
  }
  return ipc_msgsnd(t, id, type, text, n, (int)a[3]);
}

SYSCALL_HANDLER(msgrcv) {
  struct ipc_msg m;
  int r = ipc_msgrcv(t, (int)a[0], a[2], (long)a[3], (int)a[4], &m);
  if (r)
    return r;
  size_t n = m.len < a[2] ? m.len : a[2];
  if (put_user(a[1], &m.type) || copy_to_user(a[1] + sizeof m.type, m.text, n))
    r = -EFAULT; /* the message is lost, as in Linux */
  free(m.text);
  return r ? r : (int64_t)n;
}

SYSCALL_HANDLER(msgctl) {
  int id = (int)a[0], cmd = (int)a[1], r;
  struct msqid_ds ds;
  struct msginfo info;
  if (id < 0 || cmd < 0)
    return -EINVAL;
  switch (cmd) {
  case IPC_INFO:
  case MSG_INFO:
    r = ipc_msg_info(t, cmd, &info);
    return r < 0 || !put_user(a[2], &info) ? r : -EFAULT;
  case IPC_STAT:
  case MSG_STAT:
  case MSG_STAT_ANY:
    r = ipc_msg_stat(t, id, cmd, &ds);
    return r < 0 || !put_user(a[2], &ds) ? r : -EFAULT;
  case IPC_SET:
    return get_user(&ds, a[2]) ? -EFAULT : ipc_msg_set(t, id, &ds);
  case IPC_RMID:
    return ipc_msg_rmid(t, id);
  default:
    return -EINVAL;
  }
}
