/*
 * mq_notify(2): one process is told, once, that a message came into the empty queue. SIGEV_THREAD is libc's affair: it
 * gives a netlink socket, to which the kernel sends a cookie of libc's with the last byte saying what happened.
 */
#include "../../core/errno.h"
#include "mqueue.h"
#include <string.h>

#define NOTIFY_WOKENUP_K 1
#define NOTIFY_REMOVED_K 2

static void send_cookie(struct mqueue *q, uint8_t what) {
  struct kernel *k = q->inode->sb->vfs->k;
  q->notify.cookie[MQ_COOKIE_LEN - 1] = what;
  if (q->notify.sock && k->hooks.netlink_push)
    k->hooks.netlink_push(q->notify.sock, q->notify.cookie, MQ_COOKIE_LEN);
}

static void drop(struct mqueue *q) {
  struct mq_notify old = q->notify;
  q->notify = (struct mq_notify){0};
  pid_put(old.owner);
  if (old.sock)
    file_put(old.sock);
}

void mq_forget_owner(struct mqueue *q, bool tell) {
  if (tell && q->notify.owner && q->notify.how == SIGEV_THREAD)
    send_cookie(q, NOTIFY_REMOVED_K);
  drop(q);
}

void mq_tell(struct mqueue *q) {
  struct mq_notify *n = &q->notify;
  struct task *t = task_current();
  if (!n->owner)
    return;
  if (n->how == SIGEV_SIGNAL && n->owner->process && !n->owner->process->zombie) {
    siginfo_t info = {.si_signo = n->signo, .si_code = SI_MESGQ};
    info.si_pid = t ? pid_vnr(t->proc->pid) : 0;
    info.si_uid = t ? t->cred->uid : 0;
    info.si_value.sival_ptr = (void *)n->value;
    if (n->signo)
      send_signal_process(n->owner->process, n->signo, &info);
  } else if (n->how == SIGEV_THREAD) {
    send_cookie(q, NOTIFY_WOKENUP_K);
  }
  drop(q);
}

int mq_set_notify(struct task *t, struct mqueue *q, const struct mq_notify *n) {
  if (!n) {
    if (q->notify.owner == t->proc->pid)
      mq_forget_owner(q, true);
    return 0;
  }
  if (q->notify.owner)
    return -EBUSY;
  q->notify = *n;
  q->notify.owner = pid_get(t->proc->pid);
  if (n->sock)
    file_get(n->sock);
  q->inode->atime = q->inode->ctime = vfs_now();
  return 0;
}
