#include "file.h"
#include "errno.h"
#include "task.h"
#include <stdlib.h>

void (*file_vfs_release)(struct file *f);
void (*file_vfs_close)(struct file *f, struct fdtable *t);
int (*file_vfs_write_prepare)(struct file *f, struct uio *u, off_t pos);
void (*file_vfs_done)(struct file *f, bool wrote);
void (*file_epoll_release)(struct file *f);

struct file *file_new(const struct file_ops *ops, int flags, void *priv) {
  struct file *f = calloc(1, sizeof *f);
  if (!f)
    return NULL;
  ref_init(&f->ref);
  f->ops = ops;
  f->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
  f->priv = priv;
  fmutex_init(&f->pos_lock);
  const struct task *t = task_current();
  if (t && t->cred) {
    f->anon_uid = t->cred->fsuid;
    f->anon_gid = t->cred->fsgid;
  }
  return f;
}

void file_put(struct file *f) {
  if (!f || !ref_put(&f->ref))
    return;
  if (f->epitems && file_epoll_release)
    file_epoll_release(f);
  if (f->fasync)
    file_set_async(f, -1, false);
  if (f->ops && f->ops->release)
    f->ops->release(f);
  if (file_vfs_release)
    file_vfs_release(f);
  free(f);
}

/* Linux serialises calls at the shared position only for what has one, and never pipes or terminals, where a blocked
 * reader would otherwise hold up a writer. A description that one call alone can reach needs no lock. */
static bool lock_pos(struct file *f, const off_t *pos) {
  if (pos || !(f->fmode & FMODE_ATOMIC_POS))
    return false;
  fmutex_lock(&f->pos_lock);
  return true;
}

/* task_io_accounting of Linux: what the calling task moved, whatever it moved it through. */
static ssize_t count_read(ssize_t n) {
  struct task *t = task_current();
  if (t) {
    t->io.rchar += n > 0 ? (uint64_t)n : 0;
    t->io.syscr++;
  }
  return n;
}
static ssize_t count_write(ssize_t n) {
  struct task *t = task_current();
  if (t) {
    t->io.wchar += n > 0 ? (uint64_t)n : 0;
    t->io.syscw++;
  }
  return n;
}

ssize_t file_read(struct file *f, struct uio *u, off_t *pos) {
  if (!file_can_read(f))
    return -EBADF;
  if (!f->ops->read) /* with a position but no regular file: a directory */
    return (f->fmode & FMODE_ATOMIC_POS) && !(f->fmode & FMODE_REG) ? -EISDIR : -EINVAL;
  if (f->flags & O_NONBLOCK)
    u->nonblock = true;
  bool locked = lock_pos(f, pos);
  ssize_t n = f->ops->read(f, u, pos ? pos : &f->pos);
  if (locked)
    fmutex_unlock(&f->pos_lock);
  if (n > 0 && f->inode && file_vfs_done)
    file_vfs_done(f, false);
  return count_read(n);
}

ssize_t file_write(struct file *f, struct uio *u, off_t *pos) {
  if (!file_can_write(f))
    return -EBADF;
  if (!f->ops->write)
    return -EINVAL;
  if (f->flags & O_NONBLOCK)
    u->nonblock = true;
  bool locked = lock_pos(f, pos);
  if (!pos)
    pos = &f->pos;
  ssize_t n = 0;
  if ((f->fmode & FMODE_REG) && u->resid && file_vfs_write_prepare)
    n = file_vfs_write_prepare(f, u, *pos);
  if (!n)
    n = f->ops->write(f, u, pos);
  if (locked)
    fmutex_unlock(&f->pos_lock);
  if (n > 0 && f->inode && file_vfs_done)
    file_vfs_done(f, true);
  return count_write(n);
}

uint32_t file_poll(struct file *f) {
  if (!f->ops->poll)
    return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
  return f->ops->poll(f);
}
