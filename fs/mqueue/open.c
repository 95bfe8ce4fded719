/* mq_open(2) and mq_unlink(2): names of queues are looked up in the namespace's own file system, mounted or not. */
#include "../../core/errno.h"
#include "mqueue.h"
#include <string.h>

/* One component, as lookup_one_len() wants it; libc has taken the slash away. */
static int check_name(const char *name) {
  if (!*name)
    return -ENOENT;
  if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
    return -EACCES;
  return strlen(name) > NAME_MAX ? -ENAMETOOLONG : 0;
}

static int create(struct task *t, struct mq_ns *m, struct dentry *d, uint32_t mode, const struct mq_attr *attr) {
  struct inode *dir = m->sb->root->inode, *made;
  struct iattr a;
  int r = may_create(t->cred, m->mnt, dir);
  if (r)
    return r;
  new_inode_attr(t->cred, dir, S_IFREG | (mode & 07777 & ~(t->fs ? t->fs->umask : 0)), &a);
  r = mq_create_in(dir, d->name, &a, attr, &made);
  if (r)
    return r;
  dcache_instantiate(d, made);
  inode_put(made);
  return 0;
}

/* What is there already: checks, in Linux's order. */
static int check_existing(struct task *t, struct mq_ns *m, struct inode *i, int flags) {
  static const int acc[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE};
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
    return -EEXIST;
  if ((flags & O_ACCMODE) == O_ACCMODE)
    return -EINVAL;
  return inode_permission(t->cred, m->mnt, i, acc[flags & O_ACCMODE]);
}

int mq_open_name(struct task *t, const char *name, int flags, uint32_t mode, const struct mq_attr *attr,
                 struct file **out) {
  struct mq_ns *m = mq_ns_borrow(t->ipc);
  int r = m ? check_name(name) : -ENOMEM;
  if (r)
    return r;
  struct path p = {mount_get(m->mnt), NULL};
  struct dentry *root = dentry_get(m->sb->root);
  unsigned len = (unsigned)strlen(name);
  fmutex_lock(&root->inode->dir_lock);
  r = dentry_lookup(root, name, len, name_hash(name, len), true, &p.dentry);
  bool made = false;
  if (!r && p.dentry->inode) {
    r = check_existing(t, m, p.dentry->inode, flags);
  } else if (!r) {
    r = flags & O_CREAT ? create(t, m, p.dentry, mode, attr) : -ENOENT;
    made = !r;
  }
  fmutex_unlock(&root->inode->dir_lock);
  dentry_put(root);
  flags &= O_ACCMODE | O_NONBLOCK;
  if (!r && (flags & O_ACCMODE) == O_ACCMODE)
    r = -EINVAL;
  /* Whoever makes a queue may use it, whatever its mode says. */
  if (!r)
    r = vfs_open_path(made ? NULL : t, &p, flags, out);
  if (p.dentry)
    dentry_put(p.dentry);
  mount_put(p.mnt);
  return r;
}

int mq_unlink_name(struct task *t, const char *name) {
  struct mq_ns *m = mq_ns_borrow(t->ipc);
  int r = m ? check_name(name) : -ENOMEM;
  if (r)
    return r;
  struct path p = {mount_get(m->mnt), dentry_get(m->sb->root)};
  r = vfs_unlink_child(t->cred, &p, name);
  dentry_put(p.dentry);
  mount_put(p.mnt);
  return r;
}
