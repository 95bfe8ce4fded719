/*
 * Open regular files of the overlay: each has an open file of one layer behind it, which does the work. It changes over
 * to the upper layer when this file is first written to or mapped for writing, or when somebody else's write copied it
 * up.
 */
#include "overlay.h"
#include <stdlib.h>

struct ovl_file {    /* file->priv */
  struct file *real; /* counted; NULL: a new file without data yet */
  bool upper;
  bool lower_mapped; /* through this file: the mapping may have to wait for a disk */
};

static const struct file_ops lower_ops, upper_ops;

static int switch_to(struct file *f, struct dentry *d, bool upper) {
  struct ovl_file *of = f->priv;
  struct file *real;
  int err = ovl_open_layer(d, upper ? f->flags : O_RDONLY, &real);
  if (err)
    return err;
  if (of->upper) { /* another fiber of this file was faster */
    file_put(real);
    return 0;
  }
  struct file *old = of->real;
  of->real = real;
  of->upper = upper;
  f->ops = upper && !of->lower_mapped ? &upper_ops : &lower_ops;
  file_put(old);
  return 0;
}

/* What to read from, counted: the change to another layer may happen while somebody is parked in an operation. NULL:
 * nothing. */
static int real_for_read(struct file *f, struct file **out) {
  struct ovl_file *of = f->priv;
  struct ovl_inode *oi = ovl_inode_of(f->inode);
  int err = 0;
  if (!of->upper && oi->upper)
    err = switch_to(f, oi->upper, true);
  *out = NULL;
  if (!err && of->real) {
    *out = file_get(of->real);
    if (of->upper)
      of->real->flags = f->flags; /* F_SETFL */
  }
  return err;
}

static int real_for_write(struct file *f, struct file **out) {
  struct ovl_inode *oi = ovl_inode_of(f->inode);
  int err = ovl_copy_up(oi, oi->inode->size);
  return err ? err : real_for_read(f, out);
}

static void wrote(struct inode *i) {
  ovl_sync_size(ovl_inode_of(i));
  i->mtime = i->ctime = vfs_now();
}

static ssize_t ovl_read(struct file *f, struct uio *u, off_t *pos) {
  AUTO_FILE real = NULL;
  int err = real_for_read(f, &real);
  if (err || !real)
    return err;
  ssize_t n = real->ops->read(real, u, pos);
  if (n > 0 && !(f->flags & O_NOATIME))
    vfs_touch_atime(f->mnt, f->inode);
  return n;
}

static ssize_t ovl_write(struct file *f, struct uio *u, off_t *pos) {
  AUTO_FILE real = NULL;
  int err = real_for_write(f, &real);
  if (err)
    return err;
  ssize_t n = real->ops->write(real, u, pos);
  if (n > 0)
    wrote(f->inode);
  return n;
}

static int ovl_mmap(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off) {
  AUTO_FILE real = NULL;
  /* A private mapping never reaches the file, nor does a shared one of a file that cannot be written to. */
  bool shared = (flags & MAP_TYPE) != MAP_PRIVATE && file_can_write(f);
  struct ovl_file *of = f->priv;
  int err = shared || !of->real ? real_for_write(f, &real) : real_for_read(f, &real);
  if (err)
    return err;
  if (!real->ops->mmap)
    return -ENODEV;
  of->lower_mapped |= !of->upper;
  return real->ops->mmap(real, prot, flags, off, len, host_off);
}

static int ovl_fsync(struct file *f, bool datasync) {
  AUTO_FILE real = NULL;
  struct ovl_file *of = f->priv;
  if (!of->upper)
    return 0; /* nothing of ours is below */
  int err = real_for_read(f, &real);
  return err || !real->ops->fsync ? err : real->ops->fsync(real, datasync);
}

static int ovl_fallocate(struct file *f, int mode, off_t off, off_t len) {
  AUTO_FILE real = NULL;
  int err = real_for_write(f, &real);
  if (err)
    return err;
  if (!real->ops->fallocate)
    return -EOPNOTSUPP;
  err = real->ops->fallocate(real, mode, off, len);
  if (!err)
    wrote(f->inode);
  return err;
}

static off_t ovl_llseek(struct file *f, off_t off, int whence) {
  AUTO_FILE real = NULL;
  if (whence != SEEK_DATA && whence != SEEK_HOLE)
    return generic_llseek(f, off, whence);
  int err = real_for_read(f, &real);
  if (err)
    return err;
  if (!real || !real->ops->llseek)
    return generic_llseek(f, off, whence);
  off_t r = real->ops->llseek(real, off, whence);
  if (r >= 0)
    f->pos = r;
  return r;
}

static long ovl_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  AUTO_FILE real = NULL;
  int err = real_for_read(f, &real);
  if (err)
    return err;
  return real && real->ops->ioctl ? real->ops->ioctl(real, cmd, arg) : -ENOTTY;
}

static void ovl_release(struct file *f) {
  struct ovl_file *of = f->priv;
  file_put(of->real);
  free(of);
}

#define OPS                                                                                                            \
  .name = "overlay", .read = ovl_read, .write = ovl_write, .mmap = ovl_mmap, .fsync = ovl_fsync,                       \
  .fallocate = ovl_fallocate, .llseek = ovl_llseek, .ioctl = ovl_ioctl, .release = ovl_release

static const struct file_ops lower_ops = {OPS, .may_block_mmap = true};
static const struct file_ops upper_ops = {OPS};

int ovl_open_file(struct inode *i, struct file *f) {
  struct ovl_inode *oi = ovl_inode_of(i);
  struct ovl_file *of = calloc(1, sizeof *of);
  if (!of)
    return -ENOMEM;
  f->priv = of;
  f->ops = &upper_ops;
  f->wq = NULL;
  int err = 0;
  if (oi->upper)
    err = switch_to(f, oi->upper, true);
  else if (oi->lower)
    err = switch_to(f, oi->lower, false);
  if (err) {
    f->priv = NULL;
    f->ops = NULL;
    free(of);
  }
  return err;
}
