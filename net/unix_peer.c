/* Who is at the other end: SO_PEERCRED, SO_PEERPIDFD, SO_PEERGROUPS. unix(7), socket(7). */
#include "../core/errno.h"
#include "../core/task.h"
#include "../fs/anon.h"
#include "unix.h"
#include <string.h>

void unix_drop_peer(struct unix_sock *u) {
  pid_put(u->peer_pid);
  if (u->peer_cred)
    cred_put(u->peer_cred);
  u->peer_pid = NULL;
  u->peer_cred = NULL;
}

void unix_set_peer(struct unix_sock *u, const struct unix_sock *from) {
  struct task *t = task_current();
  unix_drop_peer(u);
  u->peercred = from ? from->peercred : unix_current_cred();
  struct pid *pid = from ? from->peer_pid : t ? t->proc->pid : NULL;
  struct cred *cred = from ? from->peer_cred : t ? t->cred : NULL;
  u->peer_pid = pid ? pid_get(pid) : NULL;
  u->peer_cred = cred ? cred_get(cred) : NULL;
}

int unix_peer_pidfd(const struct unix_sock *u, void *val, socklen_t *len) {
  struct task *t = task_current();
  if (!u->peer_pid || !t)
    return -ENODATA;
  struct file *f = pidfd_file_new(u->k, u->peer_pid, 0);
  if (!f)
    return -ENOMEM;
  int fd = fd_install(t->files, f, 0, true);
  file_put(f);
  if (fd < 0)
    return fd;
  if (*len > sizeof fd)
    *len = sizeof fd;
  memcpy(val, &fd, *len);
  return 0;
}

int unix_peer_groups(const struct unix_sock *u, void *val, socklen_t *len) {
  if (!u->peer_cred)
    return -ENODATA;
  socklen_t need = (socklen_t)u->peer_cred->ngroups * sizeof(uint32_t), room = *len;
  *len = need;
  if (room < need)
    return -ERANGE;
  if (need)
    memcpy(val, u->peer_cred->groups, need);
  return 0;
}
