#include "namei.h"

bool vfs_emit_dots(struct file *f, struct dir_ctx *d) {
  struct dentry *self = f->dentry, *up = self->parent;
  if (f->pos == 0) {
    if (!d->emit(d, ".", 1, 1, self->inode->ino, DT_DIR))
      return false;
    f->pos = 1;
  }
  if (f->pos == 1) {
    if (!d->emit(d, "..", 2, 2, up->inode->ino, DT_DIR))
      return false;
    f->pos = 2;
  }
  return true;
}

int vfs_iterate(struct file *f, struct dir_ctx *d) {
  if (!f->ops->iterate)
    return -ENOTDIR;
  if (f->inode && f->inode->dead)
    return -ENOENT;
  fmutex_lock(&f->pos_lock);
  int r = f->ops->iterate(f, d);
  fmutex_unlock(&f->pos_lock);
  return r;
}

off_t no_seek_end_llseek(struct file *f, off_t off, int whence) {
  if (whence == SEEK_CUR)
    off += f->pos;
  else if (whence != SEEK_SET)
    return -EINVAL;
  if (off < 0)
    return -EINVAL;
  return f->pos = off;
}

/* SEEK_DATA and SEEK_HOLE as of a file without holes. */
off_t generic_llseek(struct file *f, off_t off, int whence) {
  off_t size = f->inode ? f->inode->size : 0, to;
  switch (whence) {
  case SEEK_SET:
    to = off;
    break;
  case SEEK_CUR:
    if (__builtin_add_overflow(f->pos, off, &to))
      return -EOVERFLOW;
    break;
  case SEEK_END:
    if (__builtin_add_overflow(size, off, &to))
      return -EOVERFLOW;
    break;
  case SEEK_DATA:
    if (off < 0 || off >= size)
      return -ENXIO;
    to = off;
    break;
  case SEEK_HOLE:
    if (off < 0 || off >= size)
      return -ENXIO;
    to = size;
    break;
  default:
    return -EINVAL;
  }
  if (to < 0)
    return -EINVAL;
  f->pos = to;
  return to;
}
