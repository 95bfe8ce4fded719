/* An open queue as a file: its state as text (mq_overview(7)), poll, and what closing it does. */
#include "../../core/errno.h"
#include "mqueue.h"
#include <stdio.h>

struct mqueue *mq_of_file(const struct file *f) {
  return f->ops == &mq_fops ? f->inode->priv : NULL;
}

static ssize_t queue_read(struct file *f, struct uio *u, off_t *pos) {
  const struct mqueue *q = f->inode->priv;
  const struct mq_notify *n = &q->notify;
  char line[128];
  int len =
      snprintf(line, sizeof line, "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", (unsigned long)q->qsize,
               n->owner ? n->how : 0, n->owner && n->how == SIGEV_SIGNAL ? n->signo : 0, n->owner ? n->owner->nr : 0);
  if (*pos < 0 || *pos >= len)
    return 0;
  size_t left = (size_t)(len - *pos);
  f->inode->atime = f->inode->ctime = vfs_now();
  ssize_t r = uio_copy_to(u, line + *pos, left < u->resid ? left : u->resid);
  if (r > 0)
    *pos += r;
  return r;
}

static uint32_t queue_poll(struct file *f) {
  const struct mqueue *q = f->inode->priv;
  return (q->curmsgs ? EPOLLIN | EPOLLRDNORM : 0) | (q->curmsgs < q->maxmsg ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* The process that is to be told closes a descriptor of the queue: mq_close(3) ends the registration. */
static int queue_flush(struct file *f) {
  struct mqueue *q = f->inode->priv;
  struct task *t = task_current();
  if (t && q->notify.owner == t->proc->pid)
    mq_forget_owner(q, true);
  return 0;
}

static off_t queue_llseek(struct file *f, off_t off, int whence) {
  return generic_llseek(f, off, whence);
}

const struct file_ops mq_fops = {
    .name = "mqueue", .read = queue_read, .poll = queue_poll, .flush = queue_flush, .llseek = queue_llseek};

int mq_open_inode(struct inode *i, struct file *f) {
  struct mqueue *q = i->priv;
  f->ops = &mq_fops;
  f->wq = &q->wq;
  return 0;
}
