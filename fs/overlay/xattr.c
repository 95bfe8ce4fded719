/* Extended attributes of the overlay: the lower inode's until one is changed, then a list of our own. */
#include "overlay.h"
#include <stdlib.h>
#include <sys/xattr.h>

#define XATTR_BYTES_MAX 65536 /* per inode, names and values: as ext4, more is ENOSPC */

static struct ovl_xattr **find(struct ovl_inode *oi, const char *name) {
  struct ovl_xattr **p = &oi->xattrs;
  while (*p && strcmp((*p)->name, name) != 0)
    p = &(*p)->next;
  return p;
}

static void remove_at(struct ovl_inode *oi, struct ovl_xattr **p) {
  struct ovl_xattr *x = *p;
  *p = x->next;
  oi->xattr_bytes -= strlen(x->name) + x->len;
  free(x->value);
  free(x);
}

static int add(struct ovl_inode *oi, const char *name, const void *val, size_t len) {
  size_t n = strlen(name);
  if (oi->xattr_bytes + n + len > XATTR_BYTES_MAX)
    return -ENOSPC;
  struct ovl_xattr *x = malloc(sizeof *x + n + 1);
  char *copy = malloc(len + 1);
  if (!x || !copy) {
    free(x);
    free(copy);
    return -ENOMEM;
  }
  memcpy(x->name, name, n + 1);
  if (len)
    memcpy(copy, val, len);
  x->value = copy;
  x->len = len;
  x->next = oi->xattrs;
  oi->xattrs = x;
  oi->xattr_bytes += n + len;
  return 0;
}

void ovl_free_xattrs(struct ovl_inode *oi) {
  while (oi->xattrs)
    remove_at(oi, &oi->xattrs);
}

/* Copy what the lower inode has. Parks: the list is built aside, and whoever finishes first wins. */
static int own_xattrs(struct ovl_inode *oi) {
  if (oi->own_xattrs)
    return 0;
  struct ovl_inode copy = {0};
  const struct inode_ops *ops = oi->lower_inode->ops;
  char *names = malloc(2 * XATTR_BYTES_MAX), *value = names ? names + XATTR_BYTES_MAX : NULL;
  if (!names)
    return -ENOMEM;
  ssize_t n = ops->listxattr ? ops->listxattr(oi->lower_inode, oi->lower, names, XATTR_BYTES_MAX) : 0;
  int err = n < 0 && n != -EOPNOTSUPP ? (int)n : 0;
  for (ssize_t at = 0; !err && at < n; at += (ssize_t)strlen(names + at) + 1) {
    ssize_t len = ops->getxattr(oi->lower_inode, oi->lower, names + at, value, XATTR_BYTES_MAX);
    err = len < 0 ? (int)len : add(&copy, names + at, value, (size_t)len);
  }
  free(names);
  if (err || oi->own_xattrs) {
    ovl_free_xattrs(&copy);
    return err;
  }
  oi->xattrs = copy.xattrs;
  oi->xattr_bytes = copy.xattr_bytes;
  oi->own_xattrs = true;
  return 0;
}

static bool storable(const char *name) {
  return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 || strncmp(name, "security.", 9) == 0;
}

ssize_t ovl_getxattr(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (!storable(name))
    return -EOPNOTSUPP;
  if (!oi->own_xattrs) {
    const struct inode_ops *ops = oi->lower_inode->ops;
    if (!ops->getxattr)
      return -ENODATA;
    ssize_t n = ops->getxattr(oi->lower_inode, oi->lower, name, buf, cap);
    return n == -EOPNOTSUPP ? -ENODATA : n;
  }
  const struct ovl_xattr *x = *find(oi, name);
  if (!x)
    return -ENODATA;
  if (cap && x->len > cap)
    return -ERANGE;
  if (cap && x->len)
    memcpy(buf, x->value, x->len);
  return (ssize_t)x->len;
}

int ovl_setxattr(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (!storable(name))
    return -EOPNOTSUPP;
  int err = own_xattrs(oi);
  if (err)
    return err;
  struct ovl_xattr **p = find(oi, name);
  if (*p && (flags & XATTR_CREATE))
    return -EEXIST;
  if (!*p && (flags & XATTR_REPLACE))
    return -ENODATA;
  struct ovl_xattr *old = *p;
  if (old) /* its room counts as free for the new value */
    oi->xattr_bytes -= strlen(name) + old->len;
  err = add(oi, name, val, len);
  if (old)
    oi->xattr_bytes += strlen(name) + old->len;
  if (err)
    return err;
  if (old) {
    p = &oi->xattrs->next; /* the new one is first */
    while (*p != old)
      p = &(*p)->next;
    remove_at(oi, p);
  }
  i->ctime = vfs_now();
  if (i->nlink)
    ovl_pin(oi);
  return 0;
}

ssize_t ovl_listxattr(struct inode *i, struct dentry *d, char *buf, size_t cap) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (!oi->own_xattrs) {
    const struct inode_ops *ops = oi->lower_inode->ops;
    return ops->listxattr ? ops->listxattr(oi->lower_inode, oi->lower, buf, cap) : 0;
  }
  size_t n = 0;
  for (const struct ovl_xattr *x = oi->xattrs; x; x = x->next) {
    size_t len = strlen(x->name) + 1;
    if (cap && n + len > cap)
      return -ERANGE;
    if (cap)
      memcpy(buf + n, x->name, len);
    n += len;
  }
  return (ssize_t)n;
}

int ovl_removexattr(struct inode *i, struct dentry *d, const char *name) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (!storable(name))
    return -EOPNOTSUPP;
  int err = own_xattrs(oi);
  if (err)
    return err;
  struct ovl_xattr **p = find(oi, name);
  if (!*p)
    return -ENODATA;
  remove_at(oi, p);
  i->ctime = vfs_now();
  if (i->nlink)
    ovl_pin(oi);
  return 0;
}
