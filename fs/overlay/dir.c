/* Directories of the overlay. The VFS holds the dir_lock of every directory that changes, and over lookups. */
#include "overlay.h"
#include <stdio.h>
#include <stdlib.h>

int ovl_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out) {
  struct ovl_inode *oi = ovl_inode_of(dir);
  struct ovl_name *n = ovl_find(oi, name);
  if (n) {
    if (!n->inode)
      return -ENOENT;
    *out = inode_get(n->inode);
    return 0;
  }
  if (!oi->lower)
    return -ENOENT;
  struct dentry *d;
  unsigned len = (unsigned)strlen(name);
  int err = dentry_lookup(oi->lower, name, len, name_hash(name, len), false, &d);
  if (err)
    return err;
  if (d->inode) {
    err = ovl_iget(ovl_of(dir), d, out);
  } else {
    err = -ENOENT;
    if (d->ref.n == 1)
      dentry_drop(d); /* the overlay's own negative entry is enough */
  }
  dentry_put(d);
  return err;
}

/* 1 link: the lower file system does not count subdirectories (btrfs, overlayfs); then neither do we: see find(1). */
static void count_subdirs(struct inode *dir, int delta) {
  if (dir->nlink > 2 || (dir->nlink == 2 && delta > 0))
    dir->nlink += (uint32_t)delta;
}

static void changed(struct inode *dir) {
  dir->mtime = dir->ctime = vfs_now();
  if (dir->nlink)
    ovl_pin(ovl_inode_of(dir));
}

/* Enter a new inode. *out is i, whose reference goes to the caller; on failure it is dropped. */
static int enter(struct inode *dir, const char *name, struct inode *i, struct inode **out) {
  struct ovl_name *spare = ovl_name_new(name);
  if (!spare) {
    inode_put(i);
    return -ENOMEM;
  }
  ovl_set(ovl_inode_of(dir), name, i, spare, false);
  if (S_ISDIR(i->mode))
    count_subdirs(dir, 1);
  changed(dir);
  *out = i;
  return 0;
}

int ovl_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out) {
  struct inode *i;
  int err = ovl_new_inode(ovl_of(dir), a, S_IFREG, &i);
  return err ? err : enter(dir, name, i, out);
}

int ovl_mkdir(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out) {
  struct inode *i;
  int err = ovl_new_inode(ovl_of(dir), a, S_IFDIR, &i);
  return err ? err : enter(dir, name, i, out);
}

int ovl_mknod(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, dev_t rdev,
              struct inode **out) {
  struct inode *i;
  int err = ovl_new_inode(ovl_of(dir), a, a->mode & S_IFMT, &i);
  if (err)
    return err;
  if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
    i->rdev = rdev;
  return enter(dir, name, i, out);
}

int ovl_symlink(struct inode *dir, struct dentry *parent, const char *name, const char *target, const struct iattr *a,
                struct inode **out) {
  struct inode *i;
  const struct iattr link_attr = {.mode = 0777, .uid = a->uid, .gid = a->gid};
  int err = ovl_new_inode(ovl_of(dir), &link_attr, S_IFLNK, &i);
  if (err)
    return err;
  i->size = (off_t)strlen(target);
  if (!(i->link = strdup(target))) {
    inode_put(i);
    return -ENOMEM;
  }
  return enter(dir, name, i, out);
}

int ovl_tmpfile(struct inode *dir, struct dentry *parent, const struct iattr *a, struct inode **out) {
  int err = ovl_new_inode(ovl_of(dir), a, S_IFREG, out);
  if (!err)
    (*out)->nlink = 0;
  return err;
}

int ovl_link(struct inode *dir, struct dentry *parent, const char *name, struct dentry *old) {
  struct inode *i = old->inode;
  int err = i->nlink ? ovl_charge(ovl_of(dir)) : 0;
  struct ovl_name *spare = err ? NULL : ovl_name_new(name);
  if (!spare) {
    if (!err && i->nlink)
      ovl_uncharge(ovl_of(dir));
    return err ? err : -ENOMEM;
  }
  ovl_set(ovl_inode_of(dir), name, i, spare, false);
  i->nlink++;
  i->ctime = vfs_now();
  ovl_pin(ovl_inode_of(i));
  changed(dir);
  return 0;
}

static int remove_name(struct inode *dir, struct dentry *victim) {
  struct ovl_name *spare = ovl_name_new(victim->name);
  if (!spare)
    return -ENOMEM;
  struct inode *i = inode_get(victim->inode);
  ovl_set(ovl_inode_of(dir), victim->name, NULL, spare, true);
  if (S_ISDIR(i->mode))
    count_subdirs(dir, -1);
  changed(dir);
  ovl_drop_link(i);
  inode_put(i);
  return 0;
}

int ovl_unlink(struct inode *dir, struct dentry *victim) {
  return remove_name(dir, victim);
}

int ovl_rmdir(struct inode *dir, struct dentry *victim) {
  int empty = ovl_empty(victim->inode);
  if (empty <= 0)
    return empty ? empty : -ENOTEMPTY;
  return remove_name(dir, victim);
}

static void count_moved_dirs(struct inode *from, struct inode *to, const struct inode *moved,
                             const struct inode *back) {
  if (from == to)
    return;
  int delta = S_ISDIR(moved->mode) - (back ? S_ISDIR(back->mode) : 0);
  count_subdirs(from, -delta);
  count_subdirs(to, delta);
}

int ovl_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *dst, unsigned flags) {
  bool exchange = flags & RENAME_EXCHANGE;
  struct inode *i = old->inode, *j = dst->inode;
  if (i == j)
    return 0;
  if (flags & ~(unsigned)(RENAME_EXCHANGE | RENAME_NOREPLACE))
    return -EINVAL;
  if (j && !exchange && S_ISDIR(j->mode)) {
    int empty = ovl_empty(j);
    if (empty <= 0)
      return empty ? empty : -ENOTEMPTY;
  }
  struct ovl_name *a = ovl_name_new(old->name), *b = ovl_name_new(dst->name);
  if (!a || !b) {
    free(a);
    free(b);
    return -ENOMEM;
  }
  inode_get(i);
  if (j)
    inode_get(j);
  /* A name that was positive without an entry in the map came from below. */
  ovl_set(ovl_inode_of(new_dir), dst->name, i, b, j != NULL);
  ovl_set(ovl_inode_of(old_dir), old->name, exchange ? j : NULL, a, true);
  count_moved_dirs(old_dir, new_dir, i, exchange ? j : NULL);
  changed(old_dir);
  changed(new_dir);
  i->ctime = old_dir->ctime;
  ovl_pin(ovl_inode_of(i));
  if (j && exchange) {
    j->ctime = i->ctime;
    ovl_pin(ovl_inode_of(j));
  } else if (j) {
    if (S_ISDIR(j->mode))
      count_subdirs(new_dir, -1);
    ovl_drop_link(j);
  }
  inode_put(i);
  inode_put(j);
  return 0;
}
