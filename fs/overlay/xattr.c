/* Extended attributes of the overlay: the lower inode's until one is changed, then a set of our own. */
#include "overlay.h"
#include <stdlib.h>

#define LIST_MAX 65536 /* XATTR_LIST_MAX, XATTR_SIZE_MAX */

static int copy_lower(struct ovl_inode *oi, struct xattr_set *to) {
  const struct inode_ops *ops = oi->lower_inode->ops;
  if (!ops->listxattr || !ops->getxattr)
    return 0;
  char *names = malloc(2 * LIST_MAX), *value = names ? names + LIST_MAX : NULL;
  if (!names)
    return -ENOMEM;
  ssize_t n = ops->listxattr(oi->lower_inode, oi->lower, names, LIST_MAX);
  int err = n < 0 && n != -EOPNOTSUPP ? (int)n : 0;
  for (ssize_t at = 0; !err && at < n; at += (ssize_t)strlen(names + at) + 1) {
    ssize_t len = ops->getxattr(oi->lower_inode, oi->lower, names + at, value, LIST_MAX);
    err = len < 0 ? (int)len : xattr_set_set(to, names + at, value, (size_t)len, 0);
  }
  free(names);
  return err;
}

/* Asking the lower layer parks: the set is built aside, and whoever finishes first wins. */
static int own_xattrs(struct ovl_inode *oi) {
  if (oi->own_xattrs)
    return 0;
  struct xattr_set copy = {0};
  int err = copy_lower(oi, &copy);
  if (err || oi->own_xattrs) {
    xattr_set_free(&copy);
    return err;
  }
  oi->xattrs = copy;
  oi->own_xattrs = true;
  return 0;
}

static void xattr_changed(struct inode *i) {
  i->ctime = vfs_now();
  if (i->nlink)
    ovl_pin(ovl_inode_of(i));
}

ssize_t ovl_getxattr(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (oi->own_xattrs)
    return xattr_set_get(&oi->xattrs, name, buf, cap);
  const struct inode_ops *ops = oi->lower_inode->ops;
  ssize_t n = ops->getxattr ? ops->getxattr(oi->lower_inode, oi->lower, name, buf, cap) : -ENODATA;
  return n == -EOPNOTSUPP ? -ENODATA : n;
}

int ovl_setxattr(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags) {
  struct ovl_inode *oi = ovl_inode_of(i);
  int err = own_xattrs(oi);
  if (!err)
    err = xattr_set_set(&oi->xattrs, name, val, len, flags);
  if (!err)
    xattr_changed(i);
  return err;
}

ssize_t ovl_listxattr(struct inode *i, struct dentry *d, char *buf, size_t cap) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (oi->own_xattrs)
    return xattr_set_list(&oi->xattrs, buf, cap);
  const struct inode_ops *ops = oi->lower_inode->ops;
  ssize_t n = ops->listxattr ? ops->listxattr(oi->lower_inode, oi->lower, buf, cap) : 0;
  return n == -EOPNOTSUPP ? 0 : n;
}

int ovl_removexattr(struct inode *i, struct dentry *d, const char *name) {
  struct ovl_inode *oi = ovl_inode_of(i);
  int err = own_xattrs(oi);
  if (!err)
    err = xattr_set_remove(&oi->xattrs, name);
  if (!err)
    xattr_changed(i);
  return err;
}
