/* open(2), openat2(2): from a name to an open file. */
#include "acl.h"
#include "fsnotify.h"
#include "landlock.h"
#include "namei.h"
#include <linux/fs.h>

struct open_op {
  struct task *t;
  const struct cred *cred;
  int flags; /* the guest's, cleaned */
  int acc;   /* MAY_* wanted */
  uint32_t mode;
  bool exec, created;
  uint32_t dir_mode, dir_uid; /* of where the last component was */
};

static const struct file_ops opath_ops = {.name = "O_PATH"};

/* ---- counting of writers against running programs ---- */

static int take_write_access(struct inode *i) {
  if (i->write_count < 0)
    return -ETXTBSY;
  i->write_count++;
  return 0;
}

int inode_deny_write(struct inode *i) {
  if (i->write_count > 0)
    return -ETXTBSY;
  i->write_count--;
  return 0;
}

/* ---- checks ---- */

static int may_open(struct open_op *o, const struct path *p) {
  struct inode *i = p->dentry->inode;
  switch (i->mode & S_IFMT) {
  case S_IFLNK:
    return -ELOOP;
  case S_IFDIR:
    if (o->acc & MAY_WRITE)
      return -EISDIR;
    if (o->exec)
      return -EACCES;
    break;
  case S_IFBLK:
  case S_IFCHR:
    if (((p->mnt->flags & MS_NODEV) || !user_ns_is_init(p->mnt->sb->user_ns)) && !vfs_standin_file_borrow(p->dentry))
      return -EACCES;
    /* fallthrough */
  case S_IFIFO:
  case S_IFSOCK:
    if (o->exec)
      return -EACCES;
    o->flags &= ~O_TRUNC;
    break;
  default:
    if (o->exec && (p->mnt->flags & MS_NOEXEC))
      return -EACCES;
  }
  int r = o->created ? 0 : inode_permission(o->cred, p->mnt, i, o->acc);
  if (r)
    return r;
  if ((i->iflags & FS_APPEND_FL) &&
      (((o->flags & O_ACCMODE) != O_RDONLY && !(o->flags & O_APPEND)) || (o->flags & O_TRUNC)))
    return -EPERM;
  return (o->flags & O_NOATIME) && !cred_owns(o->cred, i) ? -EPERM : 0;
}

/* ---- the file ---- */

static int open_inode(struct inode *i, struct file *f) {
  if (S_ISSOCK(i->mode))
    return -ENXIO;
  if (i->ops->open)
    return i->ops->open(i, f);
  if (S_ISCHR(i->mode))
    return chrdev_open(i, f);
  if (S_ISFIFO(i->mode))
    return fifo_open(i, f);
  return -ENXIO;
}

static int count_access(const struct open_op *o, struct file *f) {
  int r = 0;
  if (!S_ISREG(f->inode->mode))
    return 0;
  if (o->exec) {
    r = inode_deny_write(f->inode);
    f->fmode |= r ? 0 : FMODE_EXEC;
  } else if (file_can_write(f)) {
    r = take_write_access(f->inode);
    if (!r) {
      f->fmode |= FMODE_WRITER;
      f->inode->sb->writers++;
      f->mnt->writers++;
    }
  } else {
    f->fmode |= FMODE_READER;
    f->inode->read_count++;
  }
  return r;
}

static int truncate_opened(const struct open_op *o, const struct path *p) {
  struct inode *i = p->dentry->inode;
  if (!(o->flags & O_TRUNC) || o->created || !S_ISREG(i->mode))
    return 0;
  int r = take_write_access(i);
  if (r)
    return r;
  struct iattr a = {.valid = ATTR_SIZE};
  if (file_caps_maybe(i) && (r = file_caps_kill(i, p->dentry))) {
    i->write_count--;
    return r;
  }
  r = i->ops->setattr ? i->ops->setattr(i, p->dentry, &a) : 0;
  i->write_count--;
  if (!r)
    fsnotify_dentry(p->dentry, IN_MODIFY);
  return r;
}

static struct file *bare_file(const struct path *p, int flags) {
  struct file *f = file_new(NULL, (flags & ~O_NOFOLLOW) | GUEST_O_LARGEFILE, NULL);
  if (!f)
    return NULL;
  f->mnt = mount_get(p->mnt);
  f->dentry = dentry_get(p->dentry);
  f->inode = p->dentry->inode;
  f->inode->opens++;
  f->fmode = FMODE_OPENED;
  if (S_ISREG(f->inode->mode))
    f->fmode |= FMODE_ATOMIC_POS | FMODE_REG;
  else if (S_ISDIR(f->inode->mode))
    f->fmode |= FMODE_ATOMIC_POS;
  return f;
}

static int reopen_standin(const struct open_op *o, struct file *target, struct file **out) {
  if (!target->ops->reopen)
    return -ENXIO;
  return target->ops->reopen(target, o->flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_DIRECTORY), out);
}

static int open_opath(const struct open_op *o, const struct path *p, struct file **out) {
  struct file *f = bare_file(p, 0);
  if (!f)
    return -ENOMEM;
  f->ops = &opath_ops;
  f->fmode = FMODE_OPENED;
  f->flags = o->flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
  *out = f;
  return 0;
}

/* fs.protected_fifos and protected_regular: O_CREAT does not open what another user has put into a sticky directory. */
static int may_reuse(const struct open_op *o, const struct inode *i) {
  const struct kernel_sysctl *s = &kernel_current()->sysctl;
  int level = S_ISREG(i->mode) ? s->protected_regular : S_ISFIFO(i->mode) ? s->protected_fifos : 0;
  if (!o->cred || !(o->dir_mode & S_ISVTX) || !level || i->uid == o->dir_uid || i->uid == o->cred->fsuid)
    return 0;
  return (o->dir_mode & S_IWOTH) || ((o->dir_mode & S_IWGRP) && level >= 2) ? -EACCES : 0;
}

static int do_open(struct open_op *o, const struct path *p, struct file **out) {
  struct inode *i = p->dentry->inode;
  if ((o->flags & O_CREAT) && !o->created && ((o->flags & O_EXCL) || S_ISDIR(i->mode)))
    return o->flags & O_EXCL ? -EEXIST : -EISDIR;
  if ((o->flags & O_CREAT) && !o->created && may_reuse(o, i))
    return -EACCES;
  if ((o->flags & O_DIRECTORY) && !o->created && !S_ISDIR(i->mode))
    return -ENOTDIR;
  if (o->flags & O_PATH)
    return open_opath(o, p, out);
  int r = may_open(o, p);
  if (r)
    return r;
  if ((o->flags & O_TRUNC) && mount_readonly(p->mnt))
    return -EROFS;
  struct file *target = vfs_standin_file_borrow(p->dentry);
  if (target)
    return reopen_standin(o, target, out);
  AUTO_FILE f = bare_file(p, o->flags);
  if (!f)
    return -ENOMEM;
  r = count_access(o, f);
  if (!r)
    r = landlock_open(o->cred, f, o->exec);
  if (!r && (o->flags & O_TRUNC) && !o->created && (f->fmode & FMODE_NOTRUNCATE))
    r = -EACCES;
  if (!r && i->leases)
    r = lease_break(i, o->flags);
  f->flags |= o->flags & O_NOCTTY; /* terminals look at it; no status flag of the open file */
  if (!r)
    r = open_inode(i, f);
  f->flags &= ~O_NOCTTY;
  if (r) {
    f->ops = NULL; /* nothing to release */
    return r;
  }
  r = truncate_opened(o, p);
  if (r)
    return r;
  fsnotify_file(f, IN_OPEN);
  *out = f;
  f = NULL;
  return 0;
}

/* ---- walking with creation ---- */

static int create_last(struct open_op *o, struct nameidata *nd, struct dentry **d) {
  struct dentry *dir = nd->path.dentry;
  struct inode *di = dir->inode, *made = NULL;
  struct iattr a;
  fmutex_lock(&di->dir_lock);
  /* Somebody else may have made it while we waited. */
  int r = dentry_lookup(dir, nd->last, nd->last_len, name_hash(nd->last, nd->last_len), true, d);
  if (r || (*d)->inode)
    goto out;
  r = mount_readonly(nd->path.mnt) ? -EROFS : landlock_make(o->cred, &nd->path, S_IFREG);
  if (!r)
    r = may_create(o->cred, nd->path.mnt, di);
  if (!r) {
    struct acl_new acl;
    r = new_inode_attr_umask(o->t, di, S_IFREG | (o->mode & 07777), &a, &acl);
    if (!r)
      r = di->ops->create ? di->ops->create(di, dir, (*d)->name, &a, &made) : -EACCES;
    acl_give(&acl, r ? NULL : made);
  }
  if (!r) {
    dcache_instantiate(*d, made);
    inode_put(made);
    o->created = true;
    fsnotify_dirent(di, (*d)->name, IN_CREATE);
  }
out:
  fmutex_unlock(&di->dir_lock);
  if (r && *d) {
    dentry_put(*d);
    *d = NULL;
  }
  return r;
}

static int open_last(struct open_op *o, struct nameidata *nd, const char **name) {
  struct dentry *d = NULL;
  if (!(o->flags & O_CREAT) || nd->last_type != LAST_NORM)
    return nd_last(nd, name);
  if (nd->trailing)
    return -EISDIR;
  int r = dentry_lookup(nd->path.dentry, nd->last, nd->last_len, name_hash(nd->last, nd->last_len), false, &d);
  if (!r && !d->inode) {
    dentry_put(d);
    d = NULL;
    r = create_last(o, nd, &d);
  }
  if (!r && (o->flags & O_EXCL) && !o->created) {
    dentry_put(d);
    r = -EEXIST;
  }
  if (r)
    return r;
  o->dir_mode = nd->path.dentry->inode->mode;
  o->dir_uid = nd->path.dentry->inode->uid;
  nd->at_last = true;
  return nd_step(nd, d, nd->flags & LOOKUP_FOLLOW, name);
}

static int open_tmpfile(struct open_op *o, struct nameidata *nd, struct file **out) {
  struct dentry *dir = nd->path.dentry;
  struct inode *di = dir->inode, *made = NULL;
  struct iattr a;
  if (!S_ISDIR(di->mode))
    return -ENOTDIR;
  if (mount_readonly(nd->path.mnt))
    return -EROFS;
  int r = inode_permission(o->cred, nd->path.mnt, di, MAY_WRITE | MAY_EXEC);
  if (r)
    return r;
  if (!di->ops->tmpfile)
    return -EOPNOTSUPP;
  struct acl_new acl;
  r = new_inode_attr_umask(o->t, di, S_IFREG | (o->mode & 07777), &a, &acl);
  if (!r)
    r = di->ops->tmpfile(di, dir, &a, &made);
  acl_give(&acl, r ? NULL : made);
  if (r)
    return r;
  char name[24];
  int n = snprintf(name, sizeof name, "#%llu", (unsigned long long)made->ino);
  struct dentry *d = dcache_new(dir, name, (unsigned)n, name_hash(name, (unsigned)n), made);
  if (d) {
    dentry_drop(d); /* it has no name; /proc shows "/dir/#N (deleted)" */
    made->linkable = !(o->flags & O_EXCL);
    o->created = true;
    struct path p = {nd->path.mnt, d};
    r = do_open(o, &p, out);
    dentry_put(d);
  }
  inode_put(made);
  return d ? r : -ENOMEM;
}

static int prepare(struct open_op *o, const struct open_how_k *how, unsigned *lookup) {
  static const int acc[4] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
  int fl = how->flags;
  if (fl & O_PATH)
    fl &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  o->acc = how->exec ? MAY_EXEC : acc[fl & O_ACCMODE];
  if (fl & O_PATH)
    o->acc = 0;
  if (fl & GUEST_O_TMPFILE_BIT) {
    if ((fl & O_TMPFILE) != O_TMPFILE || (fl & O_CREAT) || !(o->acc & MAY_WRITE))
      return -EINVAL;
  } else if ((fl & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
    return -EINVAL;
  }
  if (fl & O_TRUNC)
    o->acc |= MAY_WRITE;
  o->flags = fl;
  o->mode = how->mode;
  o->exec = how->exec;
  *lookup = how->lookup;
  if (fl & O_DIRECTORY)
    *lookup |= LOOKUP_DIRECTORY;
  if (!(fl & O_NOFOLLOW) && (fl & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
    *lookup |= LOOKUP_FOLLOW;
  return 0;
}

static int open_once(struct task *t, int dfd, const char *name, const struct open_how_k *how, struct file **out) {
  struct open_op o = {.t = t, .cred = task_cred(t)};
  struct nameidata nd;
  unsigned lookup;
  int r = prepare(&o, how, &lookup);
  if (r)
    return r;
  r = nd_start(&nd, t, NULL, dfd, &name, lookup);
  if (r)
    goto out;
  do {
    r = nd_walk(&nd, name);
    if (!r)
      r = open_last(&o, &nd, &name);
  } while (r == 1 && name);
  if (r >= 0)
    r = nd_complete(&nd);
  if (r >= 0) {
    if (o.flags & GUEST_O_TMPFILE_BIT)
      r = open_tmpfile(&o, &nd, out);
    else
      r = do_open(&o, &nd.path, out);
  }
out:
  nd_end(&nd);
  return r;
}

int vfs_open(struct task *t, int dfd, const char *name, const struct open_how_k *how, struct file **out) {
  /* The gofer finds another file under a name that was replaced since it was looked up: look again, as Linux does. */
  int r, tries = 0;
  do
    r = open_once(t, dfd, name, how, out);
  while (r == -ESTALE && ++tries < 8);
  return r;
}

int vfs_open_path(struct task *t, const struct path *p, int flags, struct file **out) {
  struct open_op o = {.t = t, .cred = task_cred(t)};
  struct open_how_k how = {.flags = flags & ~(O_CREAT | O_EXCL)};
  unsigned lookup;
  int r = prepare(&o, &how, &lookup);
  return r ? r : do_open(&o, p, out);
}

int vfs_open_kernel(const struct path *p, int flags, struct file **out) {
  return vfs_open_path(NULL, p, flags, out);
}
