#include "../../core/errno.h"
#include "tmpfs.h"
#include <stdlib.h>
#include <string.h>

/* Every inode costs the Sentry memory, whatever it holds: a bound also where none was asked for. */
int tmpfs_new_inode(struct tmpfs_sb *ts, const struct iattr *a, dev_t rdev, struct inode **out) {
  if (ts->max_inodes && ts->used_inodes >= ts->max_inodes)
    return -ENOSPC;
  const struct inode_ops *ops = S_ISDIR(a->mode)   ? &tmpfs_dir_ops
                                : S_ISREG(a->mode) ? &tmpfs_file_ops
                                : S_ISLNK(a->mode) ? &tmpfs_link_ops
                                                   : &tmpfs_special_ops;
  struct tmpfs_node *n = calloc(1, sizeof *n);
  struct inode *i = n ? inode_new(ts->sb, ops, a->mode) : NULL;
  if (!i) {
    free(n);
    return -ENOMEM;
  }
  n->inode = i;
  n->ts = ts;
  i->priv = n;
  i->ino = ++ts->next_ino;
  i->uid = a->uid;
  i->gid = a->gid;
  i->rdev = rdev;
  if (S_ISDIR(a->mode)) {
    i->nlink = 2;
    i->size = 2 * TMPFS_DIRENT_SIZE;
    n->dir.next_cookie = 2; /* behind the dots */
  } else if (S_ISREG(a->mode)) {
    n->file.fd = -1;
    n->file.seals = F_SEAL_SEAL;
  }
  ts->used_inodes++;
  *out = i;
  return 0;
}

/* A directory that goes away with entries in it (the file system is being taken down) hands the directories among them
 * over to a list, which the outermost call works off: recursion could be as deep as guests make trees. */
static void doom(struct inode *child) {
  if (!S_ISDIR(child->mode)) {
    inode_put(child);
    return;
  }
  struct tmpfs_node *n = tmpfs_node(child);
  n->next_doomed = n->ts->doomed;
  n->ts->doomed = n;
}

void tmpfs_evict(struct inode *i) {
  struct tmpfs_node *n = tmpfs_node(i);
  struct tmpfs_sb *ts = n->ts;
  bool outermost = !ts->draining;
  ts->draining = true;
  if (S_ISDIR(i->mode))
    tmpfs_dir_take_all(i, doom);
  else if (S_ISREG(i->mode))
    tmpfs_free_data(i);
  xattr_set_free(&n->xattrs);
  ts->used_inodes--;
  free(n);
  if (!outermost)
    return;
  while ((n = ts->doomed)) {
    ts->doomed = n->next_doomed;
    inode_put(n->inode);
  }
  ts->draining = false;
}

int tmpfs_setattr(struct inode *i, struct dentry *d, const struct iattr *a) {
  (void)d;
  if (a->valid & ATTR_SIZE) {
    int r = S_ISREG(i->mode) ? tmpfs_truncate(i, a->size) : -EINVAL;
    if (r)
      return r;
  }
  vfs_setattr_copy(i, a);
  return 0;
}

static ssize_t tmpfs_readlink(struct inode *i, char *buf, size_t cap) {
  size_t n = strlen(i->link);
  if (n >= cap)
    return -ENAMETOOLONG;
  memcpy(buf, i->link, n + 1);
  return (ssize_t)n;
}

ssize_t tmpfs_getxattr(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap) {
  (void)d;
  return xattr_set_get(&tmpfs_node(i)->xattrs, name, buf, cap);
}
int tmpfs_setxattr(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags) {
  (void)d;
  int r = xattr_set_set(&tmpfs_node(i)->xattrs, name, val, len, flags);
  if (!r)
    i->ctime = vfs_now();
  return r;
}
ssize_t tmpfs_listxattr(struct inode *i, struct dentry *d, char *buf, size_t cap) {
  (void)d;
  return xattr_set_list(&tmpfs_node(i)->xattrs, buf, cap);
}
int tmpfs_removexattr(struct inode *i, struct dentry *d, const char *name) {
  (void)d;
  int r = xattr_set_remove(&tmpfs_node(i)->xattrs, name);
  if (!r)
    i->ctime = vfs_now();
  return r;
}

#define XATTR_OPS                                                                                                      \
  .getxattr = tmpfs_getxattr, .setxattr = tmpfs_setxattr, .listxattr = tmpfs_listxattr, .removexattr = tmpfs_removexattr

const struct inode_ops tmpfs_file_ops = {
    .getattr = tmpfs_getattr_file,
    .setattr = tmpfs_setattr,
    .open = tmpfs_open_file,
    .evict = tmpfs_evict,
    XATTR_OPS,
};
const struct inode_ops tmpfs_link_ops = {
    .readlink = tmpfs_readlink,
    .setattr = tmpfs_setattr,
    .evict = tmpfs_evict,
    XATTR_OPS,
};
const struct inode_ops tmpfs_special_ops = {
    .setattr = tmpfs_setattr,
    .evict = tmpfs_evict,
    XATTR_OPS,
};
