/* Inodes of the overlay: where they come from, when they stay, their attributes. */
#include "overlay.h"
#include <stdlib.h>

static const struct inode_ops *ops_for(uint32_t mode) {
  switch (mode & S_IFMT) {
  case S_IFDIR:
    return &ovl_dir_ops;
  case S_IFREG:
    return &ovl_file_iops;
  case S_IFLNK:
    return &ovl_symlink_ops;
  default:
    return &ovl_special_ops;
  }
}

static struct inode *alloc(struct ovl *o, uint32_t mode) {
  struct ovl_inode *oi = calloc(1, sizeof *oi);
  struct inode *i = oi ? inode_new(o->sb, ops_for(mode), mode) : NULL;
  if (!i) {
    free(oi);
    return NULL;
  }
  oi->inode = i;
  fmutex_init(&oi->copy_lock);
  RB_INIT(&oi->names);
  i->priv = oi;
  return i;
}

static void take_attributes(struct inode *i, const struct inode *from) {
  i->ino = from->ino;
  i->uid = from->uid;
  i->gid = from->gid;
  i->nlink = from->nlink;
  i->rdev = from->rdev;
  i->size = from->size;
  i->blocks = from->blocks;
  i->atime = from->atime;
  i->mtime = from->mtime;
  i->ctime = from->ctime;
  i->btime = from->btime;
}

static int take_link(struct inode *i, struct inode *from) {
  char buf[PATH_MAX];
  ssize_t n = from->ops->readlink(from, buf, sizeof buf);
  if (n < 0)
    return (int)n;
  i->link = strdup(buf);
  return i->link ? 0 : -ENOMEM;
}

int ovl_iget(struct ovl *o, struct dentry *lower, struct inode **out) {
  struct inode *li = lower->inode;
  struct ovl_inode *oi = NULL;
  HASH_FIND_PTR(o->by_lower, &li, oi);
  if (oi) {
    *out = inode_get(oi->inode);
    return 0;
  }
  struct inode *i = alloc(o, li->mode);
  if (!i)
    return -ENOMEM;
  oi = i->priv;
  oi->lower = dentry_get(lower);
  oi->lower_inode = li;
  take_attributes(i, li);
  int err = S_ISLNK(li->mode) ? take_link(i, li) : 0;
  if (err) {
    inode_put(i);
    return err;
  }
  HASH_ADD_PTR(o->by_lower, lower_inode, oi);
  oi->hashed = true;
  *out = i;
  return 0;
}

/* Numbers that no host file system is likely to give. */
#define OVL_FIRST_INO (1ull << 48)

int ovl_charge(struct ovl *o) {
  if (o->max && o->used >= o->max)
    return -ENOSPC;
  o->used++;
  return 0;
}

/* Links that came from below were never charged, but may be removed. */
void ovl_uncharge(struct ovl *o) {
  o->used -= o->used > 0;
}

int ovl_new_inode(struct ovl *o, const struct iattr *a, uint32_t type, struct inode **out) {
  int err = ovl_charge(o);
  if (err)
    return err;
  struct inode *i = alloc(o, type | (a->mode & 07777));
  if (!i) {
    ovl_uncharge(o);
    return -ENOMEM;
  }
  i->uid = a->uid;
  i->gid = a->gid;
  i->ino = OVL_FIRST_INO + o->next_ino++;
  ovl_inode_of(i)->own_xattrs = true;
  if (type == S_IFDIR) {
    i->nlink = 2;
    i->size = 4096;
  }
  *out = i;
  return 0;
}

void ovl_pin(struct ovl_inode *oi) {
  if (oi->pinned || !oi->hashed)
    return;
  oi->pinned = true;
  inode_get(oi->inode);
}

void ovl_unpin(struct ovl_inode *oi) {
  if (!oi->pinned)
    return;
  oi->pinned = false;
  inode_put(oi->inode);
}

void ovl_drop_link(struct inode *i) {
  if (S_ISDIR(i->mode))
    i->nlink = 0;
  else if (i->nlink)
    i->nlink--;
  i->ctime = vfs_now();
  if (i->nlink) {
    ovl_uncharge(ovl_of(i)); /* the last name is paid for with the inode */
    ovl_pin(ovl_inode_of(i));
  } else {
    ovl_unpin(ovl_inode_of(i));
  }
}

static void put_lower(struct dentry *d) {
  /* Nobody else will look for it there: do not let it go through the cache's list, whose shortening may evict the next
   * of ours. */
  if (d->ref.n == 1 && d->parent != d)
    dentry_drop(d);
  dentry_put(d);
}

static void ovl_evict(struct inode *i) {
  struct ovl_inode *oi = i->priv;
  if (!oi)
    return;
  i->priv = NULL;
  if (oi->hashed)
    HASH_DEL(ovl_of(i)->by_lower, oi);
  ovl_free_names(oi);
  xattr_set_free(&oi->xattrs);
  if (oi->lower)
    put_lower(oi->lower);
  else
    ovl_uncharge(ovl_of(i));
  dentry_put(oi->upper);
  free(oi);
}

/* Shared mappings of the upper file may have filled holes. */
static int ovl_getattr(struct inode *i, struct dentry *d) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (!oi->upper)
    return 0;
  struct inode *u = oi->upper->inode;
  int err = u->ops->getattr ? u->ops->getattr(u, oi->upper) : 0;
  i->blocks = u->blocks;
  return err;
}

static int set_size(struct ovl_inode *oi, off_t size) {
  int err = ovl_copy_up(oi, size);
  if (err)
    return err;
  struct inode *u = oi->upper->inode;
  const struct iattr a = {.valid = ATTR_SIZE, .size = size};
  err = u->ops->setattr(u, oi->upper, &a);
  ovl_sync_size(oi);
  if (!err)
    oi->inode->mtime = vfs_now();
  return err;
}

static int ovl_setattr(struct inode *i, struct dentry *d, const struct iattr *a) {
  struct ovl_inode *oi = ovl_inode_of(i);
  if (a->valid & ATTR_SIZE) {
    if (!S_ISREG(i->mode))
      return -EINVAL;
    int err = set_size(oi, a->size);
    if (err)
      return err;
  }
  struct iattr rest = *a;
  rest.valid &= ~ATTR_SIZE;
  vfs_setattr_copy(i, &rest);
  if (i->nlink)
    ovl_pin(oi);
  return 0;
}

static ssize_t ovl_readlink(struct inode *i, char *buf, size_t cap) {
  size_t n = strlen(i->link);
  if (n + 1 > cap)
    return -ENAMETOOLONG;
  memcpy(buf, i->link, n + 1);
  return (ssize_t)n;
}

#define COMMON                                                                                                         \
  .getattr = ovl_getattr, .setattr = ovl_setattr, .evict = ovl_evict, .getxattr = ovl_getxattr,                        \
  .setxattr = ovl_setxattr, .listxattr = ovl_listxattr, .removexattr = ovl_removexattr

const struct inode_ops ovl_dir_ops = {
    COMMON,
    .lookup = ovl_lookup,
    .create = ovl_create,
    .mkdir = ovl_mkdir,
    .mknod = ovl_mknod,
    .symlink = ovl_symlink,
    .link = ovl_link,
    .tmpfile = ovl_tmpfile,
    .unlink = ovl_unlink,
    .rmdir = ovl_rmdir,
    .rename = ovl_rename,
    .open = ovl_open_dir,
};
const struct inode_ops ovl_file_iops = {COMMON, .open = ovl_open_file};
const struct inode_ops ovl_symlink_ops = {COMMON, .readlink = ovl_readlink};
const struct inode_ops ovl_special_ops = {COMMON};
