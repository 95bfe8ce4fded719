/* Giving a file of the lower layer data of its own in the upper one. */
#include "overlay.h"
#include <stdlib.h>

int ovl_open_layer(struct dentry *d, int flags, struct file **out) {
  static const struct file_ops nothing = {.name = "overlay-layer"};
  struct file *f = file_new(&nothing, flags, NULL);
  if (!f)
    return -ENOMEM;
  f->dentry = dentry_get(d);
  f->inode = d->inode;
  int err = d->inode->ops->open ? d->inode->ops->open(d->inode, f) : -ENXIO;
  if (err) {
    f->ops = &nothing; /* nothing of the layer's is to be released */
    file_put(f);
    return err;
  }
  *out = f;
  return 0;
}

void ovl_sync_size(struct ovl_inode *oi) {
  oi->inode->size = oi->upper->inode->size;
  oi->inode->blocks = oi->upper->inode->blocks;
}

/* An empty regular file of the upper file system that has no name. */
static int new_upper(struct ovl *o, struct dentry **out) {
  struct inode *root = o->upper->root->inode, *i;
  const struct iattr a = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = S_IFREG | 0600};
  int err = root->ops->tmpfile(root, o->upper->root, &a, &i);
  if (err)
    return err;
  *out = dentry_new_root(o->upper, i);
  inode_put(i);
  return *out ? 0 : -ENOMEM;
}

static ssize_t transfer(struct file *f, bool write, void *buf, size_t n, off_t pos) {
  struct uio u;
  struct iovec iov;
  uio_kernel(&u, &iov, buf, n);
  return write ? f->ops->write(f, &u, &pos) : f->ops->read(f, &u, &pos);
}

static bool all_zero(const char *p, size_t n) {
  return n && !*p && !memcmp(p, p + 1, n - 1);
}

/* Runs of zeros stay holes; the length is set at the end. */
static int copy_data(struct file *from, struct file *to, off_t len, void *buf) {
  for (off_t at = 0; at < len;) {
    size_t want = len - at < VFS_SCRATCH ? (size_t)(len - at) : VFS_SCRATCH;
    ssize_t n = transfer(from, false, buf, want, at);
    if (n <= 0)
      return (int)n;
    for (ssize_t done = 0; done < n;) {
      size_t part = n - done < 65536 ? (size_t)(n - done) : 65536;
      ssize_t w = (ssize_t)part;
      if (!all_zero((char *)buf + done, part))
        w = transfer(to, true, (char *)buf + done, part, at + done);
      if (w <= 0)
        return w ? (int)w : -ENOSPC;
      done += w;
    }
    at += n;
  }
  return 0;
}

static int fill(struct ovl_inode *oi, struct dentry *upper, off_t keep) {
  struct vfs *v = oi->inode->sb->vfs;
  struct file *from = NULL, *to = NULL;
  void *buf = vfs_scratch_get(v);
  int err = buf ? ovl_open_layer(oi->lower, O_RDONLY, &from) : -ENOMEM;
  if (!err)
    err = ovl_open_layer(upper, O_RDWR, &to);
  if (!err)
    err = copy_data(from, to, keep, buf);
  file_put(from);
  file_put(to);
  if (buf)
    vfs_scratch_put(v, buf);
  const struct iattr a = {.valid = ATTR_SIZE, .size = keep};
  if (!err)
    err = upper->inode->ops->setattr(upper->inode, upper, &a);
  return err;
}

int ovl_copy_up(struct ovl_inode *oi, off_t keep) {
  if (oi->upper)
    return 0;
  fmutex_lock(&oi->copy_lock);
  struct dentry *upper = NULL;
  int err = oi->upper ? 0 : new_upper(ovl_of(oi->inode), &upper);
  if (upper) {
    if (keep > oi->inode->size)
      keep = oi->inode->size;
    if (oi->lower && keep > 0)
      err = fill(oi, upper, keep);
    if (err) {
      dentry_put(upper);
    } else {
      oi->upper = upper;
      ovl_sync_size(oi);
      if (oi->inode->nlink)
        ovl_pin(oi);
    }
  }
  fmutex_unlock(&oi->copy_lock);
  return err;
}
