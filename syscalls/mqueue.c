/* POSIX message queues: decode; fs/mqueue does it. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "../fs/mqueue/mqueue.h"
#include "table.h"
#include <stdlib.h>
#include <string.h>

SYSCALL_HANDLER(mq_open) {
  struct mq_attr attr;
  int flags = (int)a[1], r;
  if ((flags & O_CREAT) && a[3] && get_user(&attr, a[3]))
    return -EFAULT;
  char *name = getname_user(a[0], &r);
  if (!name)
    return r;
  AUTO_FILE f = NULL;
  r = mq_open_name(t, name, flags, (uint32_t)a[2], (flags & O_CREAT) && a[3] ? &attr : NULL, &f);
  putname(name);
  return r ? r : fd_install(t->files, f, 0, true); /* always close-on-exec */
}

SYSCALL_HANDLER(mq_unlink) {
  int r;
  char *name = getname_user(a[0], &r);
  if (!name)
    return r;
  r = mq_unlink_name(t, name);
  putname(name);
  return r;
}

/* An absolute time of CLOCK_REALTIME, or 0 for none. */
static int get_deadline(uint64_t uts, int64_t *deadline) {
  struct timespec ts;
  *deadline = NO_DEADLINE;
  if (!uts)
    return 0;
  if (get_user(&ts, uts))
    return -EFAULT;
  if (!timespec_ok(&ts))
    return -EINVAL;
  *deadline = clock_deadline(CLOCK_REALTIME, timespec_ns(&ts));
  return 0;
}

/* The queue of a descriptor that is open for what is wanted; -EBADF. */
static int get_queue(struct task *t, int fd, bool write, struct file **f, struct mqueue **q) {
  *f = fd_file(t->files, fd);
  *q = *f ? mq_of_file(*f) : NULL;
  return *q && (write ? file_can_write(*f) : file_can_read(*f)) ? 0 : -EBADF;
}

SYSCALL_HANDLER(mq_timedsend) {
  int64_t deadline;
  unsigned prio = (unsigned)a[3];
  size_t len = a[2];
  AUTO_FILE f = NULL;
  struct mqueue *q;
  int r = get_deadline(a[4], &deadline);
  if (!r && prio >= MQ_PRIO_LIMIT)
    r = -EINVAL;
  if (!r)
    r = get_queue(t, (int)a[0], true, &f, &q);
  if (!r && len > (size_t)q->msgsize)
    r = -EMSGSIZE;
  if (r)
    return r;
  struct mq_msg *m = mq_msg_new(prio, len);
  if (!m)
    return -ENOMEM;
  r = copy_from_user(m->text, a[1], len);
  if (!r)
    r = mqueue_send(q, m, f->flags & O_NONBLOCK, deadline);
  if (r)
    free(m);
  return r;
}

SYSCALL_HANDLER(mq_timedreceive) {
  int64_t deadline;
  AUTO_FILE f = NULL;
  struct mqueue *q;
  struct mq_msg *m;
  int r = get_deadline(a[4], &deadline);
  if (!r)
    r = get_queue(t, (int)a[0], false, &f, &q);
  if (!r && a[2] < (size_t)q->msgsize)
    r = -EMSGSIZE;
  if (!r)
    r = mqueue_receive(q, f->flags & O_NONBLOCK, deadline, &m);
  if (r)
    return r;
  int64_t n = (int64_t)m->len;
  if ((a[3] && put_user(a[3], &m->prio)) || copy_to_user(a[1], m->text, m->len))
    n = -EFAULT;
  free(m);
  return n;
}

/* What libc gives for SIGEV_THREAD: the socket in sigev_signo, the cookie behind sigev_value. */
static int get_thread_notify(struct task *t, const struct sigevent *ev, struct mq_notify *n, struct file **sock) {
  if (copy_from_user(n->cookie, (uint64_t)ev->sigev_value.sival_ptr, MQ_COOKIE_LEN))
    return -EFAULT;
  *sock = fd_file(t->files, ev->sigev_signo);
  if (!*sock)
    return -EBADF;
  n->sock = *sock;
  return t->k->hooks.netlink_push ? t->k->hooks.netlink_push(*sock, NULL, 0) : -ENOTSOCK;
}

SYSCALL_HANDLER(mq_notify) {
  struct sigevent ev;
  struct mq_notify n = {0};
  AUTO_FILE sock = NULL;
  AUTO_FILE f = NULL;
  int r = 0;
  if (a[1]) {
    if (get_user(&ev, a[1]))
      return -EFAULT;
    n.how = ev.sigev_notify;
    n.signo = ev.sigev_signo;
    n.value = (uint64_t)ev.sigev_value.sival_ptr;
    if (n.how != SIGEV_NONE && n.how != SIGEV_SIGNAL && n.how != SIGEV_THREAD)
      return -EINVAL;
    if (n.how == SIGEV_SIGNAL && (unsigned)n.signo > NSIG_GUEST)
      return -EINVAL;
    if (n.how == SIGEV_THREAD)
      r = get_thread_notify(t, &ev, &n, &sock);
    if (r)
      return r;
  }
  f = fd_file(t->files, (int)a[0]);
  struct mqueue *q = f ? mq_of_file(f) : NULL;
  return q ? mq_set_notify(t, q, a[1] ? &n : NULL) : -EBADF;
}

SYSCALL_HANDLER(mq_getsetattr) {
  struct mq_attr set, old = {0};
  if (a[1]) {
    if (get_user(&set, a[1]))
      return -EFAULT;
    if (set.mq_flags & ~(long)O_NONBLOCK)
      return -EINVAL;
  }
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  struct mqueue *q = f ? mq_of_file(f) : NULL;
  if (!q)
    return -EBADF;
  old.mq_flags = f->flags & O_NONBLOCK;
  old.mq_maxmsg = q->maxmsg;
  old.mq_msgsize = q->msgsize;
  old.mq_curmsgs = q->curmsgs;
  if (a[1])
    f->flags = (f->flags & ~O_NONBLOCK) | (int)set.mq_flags;
  return a[2] ? put_user(a[2], &old) : 0;
}
