/* Making and removing directory entries: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2). */
#include "acl.h"
#include "fsnotify.h"
#include "landlock.h"
#include "mount.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <stdlib.h>

/* ---- new entries ---- */

int create_begin(struct task *t, int dfd, const char *name, bool is_dir, unsigned lookup, struct create_ctx *c) {
  struct nameidata nd;
  *c = (struct create_ctx){0};
  int r = nd_start(&nd, t, NULL, dfd, &name, lookup);
  if (!r)
    r = nd_walk(&nd, name);
  if (!r && nd.last_type != LAST_NORM)
    r = -EEXIST;
  if (!r && !S_ISDIR(nd.path.dentry->inode->mode))
    r = -ENOTDIR;
  if (r)
    goto out;
  struct dentry *dir = nd.path.dentry;
  fmutex_lock(&dir->inode->dir_lock);
  r = dentry_lookup(dir, nd.last, nd.last_len, name_hash(nd.last, nd.last_len), true, &c->d);
  if (!r && c->d->inode)
    r = -EEXIST;
  else if (!r && nd.trailing && !is_dir)
    r = -ENOENT;
  else if (!r && mount_readonly(nd.path.mnt))
    r = -EROFS;
  if (!r)
    r = may_create(nd.cred, nd.path.mnt, dir->inode);
  if (r) {
    fmutex_unlock(&dir->inode->dir_lock);
    if (c->d)
      dentry_put(c->d);
    goto out;
  }
  c->parent = nd.path;
  nd.path = (struct path){0};
out:
  nd_end(&nd);
  return r;
}

void create_end(struct create_ctx *c) {
  fmutex_unlock(&c->parent.dentry->inode->dir_lock);
  dentry_put(c->d);
  path_put(&c->parent);
}

/* The file system made it: the entry becomes positive. Drops the caller's reference on made. */
static void created(struct create_ctx *c, struct inode *made) {
  struct inode *dir = c->parent.dentry->inode;
  dcache_instantiate(c->d, made);
  inode_put(made);
  fsnotify_dirent(dir, c->d->name, IN_CREATE | (S_ISDIR(c->d->inode->mode) ? IN_ISDIR : 0));
}

int vfs_mkdir(struct task *t, int dfd, const char *name, uint32_t mode) {
  struct create_ctx c;
  int r = create_begin(t, dfd, name, true, 0, &c);
  if (r)
    return r;
  struct inode *dir = c.parent.dentry->inode, *made = NULL;
  struct iattr a;
  struct acl_new acl;
  r = new_inode_attr_umask(t, dir, S_IFDIR | (mode & 01777), &a, &acl);
  if (!r)
    r = landlock_make(task_cred(t), &c.parent, S_IFDIR);
  if (!r)
    r = dir->ops->mkdir ? dir->ops->mkdir(dir, c.parent.dentry, c.d->name, &a, &made) : -EPERM;
  acl_give(&acl, r ? NULL : made);
  if (!r)
    created(&c, made);
  create_end(&c);
  return r;
}

static int mknod_type(const struct cred *cr, uint32_t mode, dev_t dev) {
  switch (mode & S_IFMT) {
  case 0:
  case S_IFREG:
  case S_IFIFO:
  case S_IFSOCK:
    return 0;
  case S_IFCHR:
    if (!dev) /* a whiteout of overlayfs */
      return 0;
    return cred_cap(cr, CAP_MKNOD) ? 0 : -EPERM;
  case S_IFBLK:
    return cred_cap(cr, CAP_MKNOD) ? 0 : -EPERM;
  case S_IFDIR:
    return -EPERM;
  default:
    return -EINVAL;
  }
}

int vfs_mknod_path(struct task *t, int dfd, const char *name, uint32_t mode, dev_t dev, struct path *out) {
  struct create_ctx c;
  uint32_t type = mode & S_IFMT;
  if (type == S_IFDIR)
    return -EPERM;
  if (type && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK)
    return -EINVAL;
  int r = create_begin(t, dfd, name, false, 0, &c);
  if (r)
    return r;
  struct inode *dir = c.parent.dentry->inode, *made = NULL;
  struct iattr a;
  struct acl_new acl = {0};
  r = landlock_make(task_cred(t), &c.parent, mode);
  if (!r)
    r = mknod_type(task_cred(t), mode, dev);
  if (!r)
    r = new_inode_attr_umask(t, dir, (type ? type : S_IFREG) | (mode & 07777), &a, &acl);
  if (r)
    ;
  else if (S_ISREG(a.mode))
    r = dir->ops->create ? dir->ops->create(dir, c.parent.dentry, c.d->name, &a, &made) : -EACCES;
  else
    r = dir->ops->mknod ? dir->ops->mknod(dir, c.parent.dentry, c.d->name, &a, dev, &made) : -EPERM;
  acl_give(&acl, r ? NULL : made);
  if (!r) {
    created(&c, made);
    if (out) {
      *out = (struct path){c.parent.mnt, c.d};
      path_get(out);
    }
  }
  create_end(&c);
  return r;
}

int vfs_mknod(struct task *t, int dfd, const char *name, uint32_t mode, dev_t dev) {
  return vfs_mknod_path(t, dfd, name, mode, dev, NULL);
}

int vfs_symlink(struct task *t, const char *target, int dfd, const char *name) {
  struct create_ctx c;
  if (!*target)
    return -ENOENT;
  int r = create_begin(t, dfd, name, false, 0, &c);
  if (r)
    return r;
  struct inode *dir = c.parent.dentry->inode, *made = NULL;
  struct iattr a;
  new_inode_attr(task_cred(t), dir, S_IFLNK | 0777, &a);
  r = landlock_make(task_cred(t), &c.parent, S_IFLNK);
  if (!r)
    r = dir->ops->symlink ? dir->ops->symlink(dir, c.parent.dentry, c.d->name, target, &a, &made) : -EPERM;
  if (!r)
    created(&c, made);
  create_end(&c);
  return r;
}

/* fs.protected_hardlinks: only what one owns, or could write to anyway. */
static bool safe_source(const struct cred *c, const struct inode *i) {
  if (!c || !kernel_current()->sysctl.protected_hardlinks || cred_owns(c, i))
    return true;
  if (!S_ISREG(i->mode) || (i->mode & S_ISUID) || (i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
    return false;
  return !inode_permission(c, NULL, i, MAY_READ | MAY_WRITE);
}

static int link_allowed(const struct cred *cr, const struct create_ctx *c, const struct path *old) {
  struct inode *i = old->dentry->inode, *dir = c->parent.dentry->inode;
  if (c->parent.mnt != old->mnt)
    return -EXDEV;
  if (landlocked(cr)) {
    struct landlock_refer l = {cr, old->mnt, old->dentry, c->parent.dentry, c->d, .removable = false};
    int r = landlock_refer_slow(&l);
    if (r)
      return r;
  }
  if (i->sb != dir->sb)
    return -EXDEV;
  if (S_ISDIR(i->mode) || !dir->ops->link || (i->iflags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
    return -EPERM;
  if (!i->nlink && !i->linkable)
    return -ENOENT;
  return 0;
}

int vfs_link(struct task *t, int olddfd, const char *old, int newdfd, const char *name, int flags) {
  struct path from;
  struct create_ctx c;
  if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
    return -EINVAL;
  if ((flags & AT_EMPTY_PATH) && !cred_cap(task_cred(t), CAP_DAC_READ_SEARCH))
    return -ENOENT;
  unsigned lf = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  int r = vfs_lookup(t, olddfd, old, lf, &from);
  if (r)
    return r;
  r = create_begin(t, newdfd, name, false, 0, &c);
  if (!r) {
    struct inode *dir = c.parent.dentry->inode;
    r = c.parent.mnt == from.mnt && !safe_source(task_cred(t), from.dentry->inode) ? -EPERM : link_allowed(task_cred(t), &c, &from);
    if (!r)
      r = dir->ops->link(dir, c.parent.dentry, c.d->name, from.dentry);
    if (!r) {
      from.dentry->inode->linkable = false;
      created(&c, inode_get(from.dentry->inode));
      fsnotify_link_count(from.dentry->inode);
    }
    create_end(&c);
  }
  path_put(&from);
  return r;
}

/* ---- removal ---- */

static int may_delete(const struct cred *c, struct mount *m, struct inode *dir, struct dentry *victim) {
  int r = inode_permission(c, m, dir, MAY_WRITE | MAY_EXEC);
  if (r)
    return r;
  if ((dir->iflags & FS_APPEND_FL) || (victim->inode->iflags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
    return -EPERM;
  /* Sticky directories: only the owner of the file or of the directory. */
  if ((dir->mode & S_ISVTX) && c && c->fsuid != victim->inode->uid && c->fsuid != dir->uid &&
      !cred_inode_cap(c, victim->inode->uid, victim->inode->gid, CAP_FOWNER))
    return -EPERM;
  return 0;
}

/* The name stays known, as one that leads nowhere. */
static void leave_negative(struct dentry *dir, const char *name) {
  if (dir->inode->dead || dir->sb->volatile_links)
    return;
  unsigned len = (unsigned)strlen(name);
  uint32_t h = name_hash(name, len);
  if (!dcache_find_borrow(dir, name, len, h)) {
    struct dentry *n = dcache_new(dir, name, len, h, NULL);
    if (n)
      dentry_put(n);
  }
}

static int remove_locked(const struct cred *cr, const struct path *parent, struct dentry *d, bool dir_wanted) {
  struct inode *dir = parent->dentry->inode, *i = d->inode;
  int r = landlock_path(cr, parent, dir_wanted ? LANDLOCK_ACCESS_FS_REMOVE_DIR : LANDLOCK_ACCESS_FS_REMOVE_FILE);
  if (!r)
    r = may_delete(cr, parent->mnt, dir, d);
  if (r)
    return r;
  if (dir_wanted && !S_ISDIR(i->mode))
    return -ENOTDIR;
  if (!dir_wanted && S_ISDIR(i->mode))
    return -EISDIR;
  if (mountpoint_in_callers_ns(d))
    return -EBUSY;
  int (*op)(struct inode *, struct dentry *) = dir_wanted ? dir->ops->rmdir : dir->ops->unlink;
  if (!op)
    return -EPERM;
  if (dir_wanted)
    fmutex_lock(&i->dir_lock); /* nothing may be made in it meanwhile */
  r = op(dir, d);
  if (!r && dir_wanted)
    i->dead = true;
  if (dir_wanted)
    fmutex_unlock(&i->dir_lock);
  if (r)
    return r;
  mounts_detach_at(d->sb->vfs, d);
  dentry_drop(d);
  if (dir_wanted)
    dentry_invalidate_children(d);
  leave_negative(parent->dentry, d->name);
  return 0;
}

int vfs_unlink_child(const struct cred *c, const struct path *p, const char *name) {
  struct inode *dir = p->dentry->inode;
  struct dentry *d = NULL;
  unsigned len = (unsigned)strlen(name);
  fmutex_lock(&dir->dir_lock);
  int r = dentry_lookup(p->dentry, name, len, name_hash(name, len), true, &d);
  if (!r)
    r = d->inode ? remove_locked(c, p, d, false) : -ENOENT;
  fmutex_unlock(&dir->dir_lock);
  if (!r) {
    fsnotify_unlinked(d->inode, d->inode->nlink > 0);
    fsnotify_dirent(dir, d->name, IN_DELETE);
  }
  if (d)
    dentry_put(d); /* here the inode may go */
  return r;
}

static int remove_entry(struct task *t, int dfd, const char *name, bool dir_wanted) {
  struct nameidata nd;
  struct dentry *d = NULL;
  int r = nd_start(&nd, t, NULL, dfd, &name, 0);
  if (!r)
    r = nd_walk(&nd, name);
  if (!r && nd.last_type != LAST_NORM) {
    static const int rmdir_err[] = {[LAST_ROOT] = -EBUSY, [LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY};
    r = dir_wanted ? rmdir_err[nd.last_type] : -EISDIR;
  }
  if (!r && mount_readonly(nd.path.mnt))
    r = -EROFS;
  if (r)
    goto out;
  struct dentry *dir = nd.path.dentry;
  fmutex_lock(&dir->inode->dir_lock);
  r = dentry_lookup(dir, nd.last, nd.last_len, name_hash(nd.last, nd.last_len), true, &d);
  if (!r && !d->inode)
    r = -ENOENT;
  else if (!r && !dir_wanted && nd.trailing)
    r = S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
  if (!r)
    r = remove_locked(nd.cred, &nd.path, d, dir_wanted);
  fmutex_unlock(&dir->inode->dir_lock);
  if (!r) {
    fsnotify_unlinked(d->inode, d->inode->nlink > 0 && !dir_wanted);
    fsnotify_dirent(dir->inode, d->name, IN_DELETE | (dir_wanted ? IN_ISDIR : 0));
  }
  if (d)
    dentry_put(d); /* here the inode may go */
out:
  nd_end(&nd);
  return r;
}

int vfs_unlink(struct task *t, int dfd, const char *name) {
  return remove_entry(t, dfd, name, false);
}
int vfs_rmdir(struct task *t, int dfd, const char *name) {
  return remove_entry(t, dfd, name, true);
}

/* ---- rename ---- */

struct rename_ctx {
  const struct cred *cred;
  struct nameidata *o, *n;    /* parents and last components */
  struct dentry *od, *nd;     /* the entries, counted */
  struct dentry *oldp, *newp; /* their directories */
  unsigned flags;
};

/* Two directories: an ancestor before what is below it, as rmdir locks; unrelated ones by address. The caller holds
 * rename_lock if they differ. */
static void lock_two(struct dentry *a, struct dentry *b) {
  if (a == b) {
    fmutex_lock(&a->inode->dir_lock);
    return;
  }
  bool a_first = dentry_is_below(b, a) || (!dentry_is_below(a, b) && a->inode < b->inode);
  fmutex_lock(&(a_first ? a : b)->inode->dir_lock);
  fmutex_lock(&(a_first ? b : a)->inode->dir_lock);
}

static void unlock_two(struct inode *a, struct inode *b) {
  fmutex_unlock(&a->dir_lock);
  if (a != b)
    fmutex_unlock(&b->dir_lock);
}

/* The checks of do_renameat2 on what the names turned out to be. */
static int rename_check_names(const struct rename_ctx *c) {
  if (!c->od->inode)
    return -ENOENT;
  if ((c->flags & RENAME_NOREPLACE) && c->nd->inode)
    return -EEXIST;
  bool old_dir = S_ISDIR(c->od->inode->mode);
  if (c->flags & RENAME_EXCHANGE) {
    if (!c->nd->inode)
      return -ENOENT;
    if (!S_ISDIR(c->nd->inode->mode) && c->n->trailing)
      return -ENOTDIR;
  }
  if (!old_dir) {
    if (c->o->trailing)
      return -ENOTDIR;
    if (!(c->flags & RENAME_EXCHANGE) && c->n->trailing)
      return -ENOTDIR;
  }
  if (dentry_is_below(c->newp, c->od))
    return -EINVAL; /* into itself */
  if (dentry_is_below(c->oldp, c->nd))
    return c->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
  return 0;
}

/* Permissions and types: vfs_rename. */
static int rename_allowed(const struct rename_ctx *c) {
  struct inode *od = c->oldp->inode, *nd = c->newp->inode, *oi = c->od->inode, *ni = c->nd->inode;
  struct mount *m = c->o->path.mnt;
  bool old_dir = S_ISDIR(oi->mode);
  int r = may_delete(c->cred, m, od, c->od);
  if (r)
    return r;
  if (!ni)
    r = may_create(c->cred, m, nd);
  else {
    r = may_delete(c->cred, m, nd, c->nd);
    if (!r && !(c->flags & RENAME_EXCHANGE) && old_dir != (bool)S_ISDIR(ni->mode))
      r = old_dir ? -ENOTDIR : -EISDIR;
  }
  if (r)
    return r;
  if (!od->ops->rename)
    return -EPERM;
  /* A directory that changes its parent has its ".." written. */
  if (od != nd && old_dir && (r = inode_permission(c->cred, m, oi, MAY_WRITE)))
    return r;
  if (od != nd && (c->flags & RENAME_EXCHANGE) && S_ISDIR(ni->mode) &&
      (r = inode_permission(c->cred, m, ni, MAY_WRITE)))
    return r;
  return mountpoint_in_callers_ns(c->od) || mountpoint_in_callers_ns(c->nd) ? -EBUSY : 0;
}

static void renamed(struct rename_ctx *c) {
  struct inode *victim = c->flags & RENAME_EXCHANGE ? NULL : c->nd->inode;
  char old[NAME_MAX + 1], new[NAME_MAX + 1];
  memcpy(old, c->od->name, c->od->name_len + 1);
  memcpy(new, c->nd->name, c->nd->name_len + 1);
  bool emptied = victim && S_ISDIR(victim->mode);
  if (emptied)
    victim->dead = true;
  if (victim)
    mounts_detach_at(c->nd->sb->vfs, c->nd);
  dcache_move(c->od, c->nd, c->flags & RENAME_EXCHANGE);
  if (emptied)
    dentry_invalidate_children(c->nd);
  if (!(c->flags & (RENAME_EXCHANGE | RENAME_WHITEOUT)))
    leave_negative(c->oldp, old);
  fsnotify_move(c->oldp->inode, old, c->newp->inode, new, c->od->inode);
  if (victim)
    fsnotify_unlinked(victim, victim->nlink > 0 && !emptied);
  else if (c->flags & RENAME_EXCHANGE)
    fsnotify_move(c->newp->inode, new, c->oldp->inode, old, c->nd->inode);
}

static int rename_locked(struct rename_ctx *c) {
  struct nameidata *o = c->o, *n = c->n;
  int r = dentry_lookup(c->oldp, o->last, o->last_len, name_hash(o->last, o->last_len), true, &c->od);
  if (!r)
    r = dentry_lookup(c->newp, n->last, n->last_len, name_hash(n->last, n->last_len), true, &c->nd);
  if (!r)
    r = rename_check_names(c);
  if (!r && landlocked(c->cred)) {
    struct landlock_refer l = {c->cred, o->path.mnt, c->od, c->newp, c->nd, true, c->flags & RENAME_EXCHANGE};
    r = landlock_refer_slow(&l);
  }
  if (r)
    return r;
  if (c->od->inode == c->nd->inode) /* two links of one file: nothing is done, rename(2) */
    return 0;
  r = rename_allowed(c);
  if (r)
    return r;
  struct inode *victim = c->nd->inode;
  bool lock_victim = victim && S_ISDIR(victim->mode) && !(c->flags & RENAME_EXCHANGE);
  if (lock_victim)
    fmutex_lock(&victim->dir_lock);
  r = c->oldp->inode->ops->rename(c->oldp->inode, c->od, c->newp->inode, c->nd, c->flags & ~RENAME_NOREPLACE);
  if (lock_victim)
    fmutex_unlock(&victim->dir_lock);
  if (!r)
    renamed(c);
  return r;
}

static int rename_walked(struct task *t, struct nameidata *o, struct nameidata *n, unsigned flags) {
  if (o->path.mnt != n->path.mnt)
    return -EXDEV;
  if (o->last_type != LAST_NORM)
    return -EBUSY;
  if (n->last_type != LAST_NORM)
    return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
  if (mount_readonly(o->path.mnt))
    return -EROFS;
  if ((flags & RENAME_WHITEOUT) && !cred_cap(o->cred, CAP_MKNOD))
    return -EPERM;
  struct rename_ctx c = {
      .cred = o->cred, .o = o, .n = n, .oldp = o->path.dentry, .newp = n->path.dentry, .flags = flags};
  struct vfs *v = c.oldp->sb->vfs;
  bool cross = c.oldp != c.newp;
  if (cross)
    fmutex_lock(&v->rename_lock);
  lock_two(c.oldp, c.newp);
  int r = rename_locked(&c);
  unlock_two(c.oldp->inode, c.newp->inode);
  if (cross)
    fmutex_unlock(&v->rename_lock);
  if (c.od)
    dentry_put(c.od);
  if (c.nd)
    dentry_put(c.nd);
  return r;
}

int vfs_rename(struct task *t, int odfd, const char *old, int ndfd, const char *name, unsigned flags) {
  if ((flags & ~RENAME_FLAGS_KNOWN) || ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
    return -EINVAL;
  struct nameidata *nds = malloc(2 * sizeof *nds); /* too big for two on a fiber's stack */
  if (!nds)
    return -ENOMEM;
  int r = nd_start(&nds[0], t, NULL, odfd, &old, 0);
  if (!r)
    r = nd_walk(&nds[0], old);
  if (!r) {
    r = nd_start(&nds[1], t, NULL, ndfd, &name, 0);
    if (!r)
      r = nd_walk(&nds[1], name);
    if (!r)
      r = rename_walked(t, &nds[0], &nds[1], flags);
    nd_end(&nds[1]);
  }
  nd_end(&nds[0]);
  free(nds);
  return r;
}

/* ---- readlink ---- */

ssize_t vfs_readlink(struct task *t, int dfd, const char *name, char *buf, size_t cap) {
  struct path p;
  ssize_t r = vfs_lookup(t, dfd, name, LOOKUP_EMPTY, &p);
  if (r)
    return r;
  struct inode *i = p.dentry->inode;
  if (!*name && dfd == AT_FDCWD)
    r = -ENOENT;
  else if (!S_ISLNK(i->mode) || (!i->ops->readlink && !i->link))
    r = *name ? -EINVAL : -ENOENT;
  else if (i->link) {
    r = (ssize_t)strlen(i->link);
    memcpy(buf, i->link, (size_t)r < cap ? (size_t)r + 1 : cap);
  } else {
    r = i->ops->readlink(i, buf, cap);
  }
  if (r >= 0)
    vfs_touch_atime(p.mnt, i);
  path_put(&p);
  return r;
}
