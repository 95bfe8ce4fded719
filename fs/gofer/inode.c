/* Inodes of gofer trees: one per host inode, their cached attributes, and the operations on those. */
#include "client.h"
#include "../../core/fiber.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* In shared trees, attributes younger than this are not asked for again: a walk and the stat it is for are one moment.
 */
#define FRESH_NS 200000
/* And directories in use are not looked up again for every file in them. */
#define DIR_FRESH_NS 1000000

/* Inodes of other file systems mounted below the tree's root on the host are told apart by their device. */
uint64_t gofer_ino(const struct gofer_sb *s, uint64_t dev, uint64_t ino) {
  return dev == s->root_dev ? ino : ino ^ ((dev * 0x9e3779b97f4a7c15ull) & 0xffff000000000000ull);
}

static struct timespec ts(struct gofer_time t) {
  return (struct timespec){.tv_sec = t.sec, .tv_nsec = (long)t.nsec};
}

void gofer_apply_attr(struct inode *i, const struct gofer_attr *a) {
  struct gofer_inode *gi = gofer_inode_of(i);
  i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
  i->uid = a->uid;
  i->gid = a->gid;
  i->nlink = a->nlink;
  i->rdev = a->rdev;
  i->size = (off_t)a->size;
  i->blocks = a->blocks;
  i->atime = ts(a->atime);
  i->mtime = ts(a->mtime);
  i->ctime = ts(a->ctime);
  i->btime = ts(a->btime);
  gi->checked = loop_now();
}

bool gofer_same(const struct inode *i, const struct gofer_attr *a) {
  const struct gofer_inode *gi = gofer_inode_of(i);
  /* Host inode numbers are used again after a deletion; the time of birth tells. */
  return gi->id.dev == a->dev && gi->id.ino == a->ino && ((i->mode ^ a->mode) & S_IFMT) == 0 &&
         i->btime.tv_sec == a->btime.sec && i->btime.tv_nsec == (long)a->btime.nsec;
}

static void unhash(struct gofer_sb *s, struct gofer_inode *gi) {
  if (gi->hashed)
    HASH_DEL(s->by_id, gi);
  gi->hashed = false;
}

static const struct inode_ops *ops_for(const struct gofer_sb *s, uint32_t mode) {
  switch (mode & S_IFMT) {
  case S_IFDIR:
    return &gofer_dir_ops[s->exclusive];
  case S_IFREG:
    return &gofer_file_iops[s->exclusive];
  case S_IFLNK:
    return &gofer_symlink_ops[s->exclusive];
  default:
    return &gofer_special_ops[s->exclusive];
  }
}

int gofer_iget(struct gofer_sb *s, const struct gofer_attr *a, char *target, struct inode **out) {
  struct gofer_inode *gi = NULL;
  struct gofer_id id = {a->dev, a->ino};
  HASH_FIND(hh, s->by_id, &id, sizeof id, gi);
  if (gi && !gofer_same(gi->inode, a)) {
    unhash(s, gi);
    gi = NULL;
  }
  if (gi) {
    free(target);
    if (!s->exclusive)
      gofer_apply_attr(gi->inode, a);
    *out = inode_get(gi->inode);
    return 0;
  }
  gi = calloc(1, sizeof *gi);
  struct inode *i = gi ? inode_new(s->sb, ops_for(s, a->mode), a->mode) : NULL;
  if (!i) {
    free(gi);
    free(target);
    return -ENOMEM;
  }
  gi->id = id;
  gi->inode = i;
  i->link = target;
  i->priv = gi;
  i->ino = gofer_ino(s, a->dev, a->ino);
  gofer_apply_attr(i, a);
  HASH_ADD(hh, s->by_id, id, sizeof id, gi);
  gi->hashed = true;
  *out = i;
  return 0;
}

void gofer_evict(struct inode *i) {
  struct gofer_inode *gi = gofer_inode_of(i);
  if (!gi)
    return;
  unhash(gofer_sb_of(i), gi);
  gofer_fds_close_idle(gi);
  gofer_list_forget(gi);
  free(gi);
  i->priv = NULL;
}

void gofer_drop_link(struct inode *i) {
  struct gofer_inode *gi = gofer_inode_of(i);
  if (S_ISDIR(i->mode))
    i->nlink = 0;
  else if (i->nlink)
    i->nlink--;
  i->ctime = vfs_now();
  gi->checked = 0;
  if (i->nlink == 0) {
    unhash(gofer_sb_of(i), gi); /* the host may use the number again at once */
    gofer_fds_close_idle(gi);
  }
}

void gofer_dir_changed(struct inode *dir) {
  struct gofer_inode *gi = gofer_inode_of(dir);
  gofer_list_forget(gi);
  gi->generation++;
  gi->misses = 0;
  gi->checked = 0;
  dir->mtime = dir->ctime = vfs_now();
}

/* Size, blocks and times from the descriptor that writes go to: no message, and right for unlinked files too. */
static bool attr_from_fd(struct inode *i) {
  struct stat st;
  int fd = gofer_fd_any(i, false);
  if (fd < 0 || fstat(fd, &st) < 0)
    return false;
  i->mode = (i->mode & S_IFMT) | (st.st_mode & 07777); /* a write may have cleared set-id bits */
  i->size = st.st_size;
  i->blocks = (uint64_t)st.st_blocks;
  i->atime = st.st_atim;
  i->mtime = st.st_mtim;
  i->ctime = st.st_ctim;
  return true;
}

int gofer_getattr(struct inode *i, struct dentry *d) {
  struct gofer_sb *s = gofer_sb_of(i);
  struct gofer_inode *gi = gofer_inode_of(i);
  if (s->exclusive) {
    if ((gi->dirty || gi->mapped) && attr_from_fd(i))
      gi->dirty = false;
    return 0;
  }
  if (gi->checked && loop_now() - gi->checked < FRESH_NS && !gi->dirty)
    return 0;
  if (d->unhashed || i->nlink == 0) {
    attr_from_fd(i);
    return 0;
  }
  struct gofer_attr a;
  int err = gc_getattr(s, d, &a);
  if (err == -ENOENT || (!err && !gofer_same(i, &a))) {
    /* Somebody on the host removed or replaced the name; what is open stays what it was (fstat(2) of a deleted file).
     */
    attr_from_fd(i);
    return 0;
  }
  if (!err) {
    gofer_apply_attr(i, &a);
    gi->dirty = false;
  }
  return err;
}

bool gofer_io_lock(struct inode *i) {
  if (i->io_lock.owner && i->io_lock.owner == fiber_self())
    return false;
  fmutex_lock(&i->io_lock);
  return true;
}

/* A file without a name: the host knows it by our descriptor only, and nobody else can look. */
static int setattr_unlinked(struct inode *i, const struct iattr *ia) {
  if (ia->valid & ATTR_SIZE) {
    int fd = gofer_fd_any(i, true);
    if (fd < 0)
      return -ESTALE;
    if (ftruncate(fd, ia->size) < 0)
      return -errno;
    i->size = ia->size;
    i->mtime = vfs_now();
  }
  if (ia->valid & ATTR_MODE)
    i->mode = (i->mode & S_IFMT) | (ia->mode & 07777);
  if (ia->valid & ATTR_UID)
    i->uid = ia->uid;
  if (ia->valid & ATTR_GID)
    i->gid = ia->gid;
  if (ia->valid & ATTR_ATIME)
    i->atime = ia->atime;
  if (ia->valid & ATTR_MTIME)
    i->mtime = ia->mtime;
  i->ctime = vfs_now();
  return 0;
}

static int setattr_once(struct inode *i, struct dentry *d, const struct iattr *ia) {
  if (i->nlink == 0 || (d->unhashed && d->parent != d))
    return setattr_unlinked(i, ia);
  struct gofer_attr a;
  int err = gc_setattr(gofer_sb_of(i), d, gofer_inode_of(i)->id, ia, &a);
  if (!err && !gofer_same(i, &a))
    err = -ESTALE;
  if (!err)
    gofer_apply_attr(i, &a);
  return err;
}

int gofer_setattr(struct inode *i, struct dentry *d, const struct iattr *ia) {
  bool locked = (ia->valid & ATTR_SIZE) && gofer_io_lock(i);
  int err, tries = 0;
  /* A rename of our own may overtake: the dentry knows the new name by the time the answer has come. */
  do
    err = setattr_once(i, d, ia);
  while ((err == -ENOENT || err == -ESTALE) && ++tries < 4);
  if (locked)
    fmutex_unlock(&i->io_lock);
  return err;
}

int gofer_revalidate(struct dentry *d) {
  struct gofer_sb *s = d->sb->priv;
  if (d->parent == d)
    return 1;
  struct inode *i = d->inode;
  if (i && S_ISDIR(i->mode) && gofer_inode_of(i)->checked && loop_now() - gofer_inode_of(i)->checked < DIR_FRESH_NS)
    return 1;
  struct gofer_attr a;
  char *target;
  int err = gc_lookup(s, (struct gofer_at){d->parent, d->name}, &a, &target);
  free(target);
  if (err == -ENOENT || err == -ENOTDIR)
    return i ? 0 : err == -ENOENT;
  if (err)
    return err;
  if (!i || !gofer_same(i, &a))
    return 0;
  gofer_apply_attr(i, &a);
  return 1;
}

static ssize_t gofer_readlink(struct inode *i, char *buf, size_t cap) {
  const char *t = i->link;
  if (!t)
    return -EINVAL;
  size_t n = strlen(t);
  if (n + 1 > cap)
    return -ENAMETOOLONG;
  memcpy(buf, t, n + 1);
  return (ssize_t)n;
}

static int open_special(struct inode *i, struct file *f) {
  switch (i->mode & S_IFMT) {
  case S_IFIFO:
    return fifo_open(i, f);
  case S_IFCHR:
    return chrdev_open(i, f);
  default: /* sockets and block devices: open(2) */
    return -ENXIO;
  }
}

/* ---- extended attributes: the server would refuse other names; saves the message ---- */
static bool xattr_served(const char *name) {
  return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}
static bool xattr_possible(const struct inode *i, const struct dentry *d) {
  return (S_ISREG(i->mode) || S_ISDIR(i->mode)) && (!d->unhashed || d->parent == d);
}

static ssize_t gofer_getxattr(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap) {
  if (!xattr_served(name))
    return -EOPNOTSUPP;
  return xattr_possible(i, d) ? gc_getxattr(gofer_sb_of(i), d, name, buf, cap) : -ENODATA;
}
static int gofer_setxattr(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags) {
  if (!xattr_served(name))
    return -EOPNOTSUPP;
  return xattr_possible(i, d) ? gc_setxattr(gofer_sb_of(i), d, gofer_inode_of(i)->id, name, val, len, flags) : -EPERM;
}
static ssize_t gofer_listxattr(struct inode *i, struct dentry *d, char *buf, size_t cap) {
  return xattr_possible(i, d) ? gc_listxattr(gofer_sb_of(i), d, buf, cap) : 0;
}
static int gofer_removexattr(struct inode *i, struct dentry *d, const char *name) {
  if (!xattr_served(name))
    return -EOPNOTSUPP;
  return xattr_possible(i, d) ? gc_removexattr(gofer_sb_of(i), d, gofer_inode_of(i)->id, name) : -ENODATA;
}

#define COMMON(excl)                                                                                                   \
  .getattr = gofer_getattr, .setattr = gofer_setattr, .revalidate = (excl) ? NULL : gofer_revalidate,                  \
  .evict = gofer_evict, .getxattr = gofer_getxattr, .setxattr = gofer_setxattr, .listxattr = gofer_listxattr,          \
  .removexattr = gofer_removexattr
#define DIR_OPS(excl)                                                                                                  \
  {                                                                                                                    \
    COMMON(excl), .lookup = gofer_lookup, .create = gofer_create, .mkdir = gofer_mkdir, .mknod = gofer_mknod,          \
                  .symlink = gofer_symlink, .link = gofer_link, .unlink = gofer_unlink, .rmdir = gofer_rmdir,          \
                  .rename = gofer_rename, .open = gofer_open_dir                                                       \
  }

const struct inode_ops gofer_dir_ops[2] = {DIR_OPS(false), DIR_OPS(true)};
const struct inode_ops gofer_file_iops[2] = {{COMMON(false), .open = gofer_open_file},
                                             {COMMON(true), .open = gofer_open_file}};
const struct inode_ops gofer_symlink_ops[2] = {{COMMON(false), .readlink = gofer_readlink},
                                               {COMMON(true), .readlink = gofer_readlink}};
const struct inode_ops gofer_special_ops[2] = {{COMMON(false), .open = open_special},
                                               {COMMON(true), .open = open_special}};
