#include "anon_path.h"
#include "hostfd.h"
#include "pipe.h"
#include "../core/errno.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#define ANON_INODE_FS_MAGIC 0x09041934

static const struct super_ops anon_super_ops = {0};
static const struct inode_ops anon_root_ops = {0};

struct mount *anon_mount_borrow(struct kernel *k) {
  if (k->vfs->fdlink_mnt)
    return k->vfs->fdlink_mnt;
  struct super *sb = super_new(k, "anon_inodefs", &anon_super_ops, ANON_INODE_FS_MAGIC);
  struct mount *m = sb ? calloc(1, sizeof *m) : NULL;
  struct inode *i = m ? inode_new(sb, &anon_root_ops, S_IFDIR | 0500) : NULL;
  struct dentry *d = i ? dentry_new_root(sb, i) : NULL;
  inode_put(i);
  if (!d) {
    free(m);
    super_put(sb);
    return NULL;
  }
  sb->root = d;
  ref_init(&m->ref);
  m->sb = sb;
  m->root = dentry_get(d);
  m->flags = MS_NOEXEC | MS_NOSUID;
  k->vfs->fdlink_mnt = m;
  return m;
}

static int proxy_getattr(struct inode *i, struct dentry *d) {
  struct stat st;
  int r = vfs_fgetattr(i->priv, &st, NULL);
  if (r)
    return r;
  i->mode = st.st_mode;
  i->uid = st.st_uid;
  i->gid = st.st_gid;
  i->rdev = st.st_rdev;
  i->ino = st.st_ino;
  i->size = st.st_size;
  return 0;
}

/* What a fresh file of the target's kind consists of moves into f. */
static void file_become(struct file *f, struct file *made) {
  static const struct file_ops none = {.name = "moved"};
  f->ops = made->ops;
  f->priv = made->priv;
  f->wq = made->wq;
  f->anon_name = made->anon_name;
  f->anon_ino = made->anon_ino;
  made->ops = &none;
  made->priv = NULL;
  made->wq = NULL;
  made->anon_name = NULL;
  made->inode = NULL;
  file_put(made);
}

static int proxy_open(struct inode *i, struct file *f) {
  struct file *target = i->priv, *made = NULL;
  int r = -ENXIO; /* as Linux says for sockets and anonymous inodes */
  if (file_is_pipe(target))
    r = pipe_reopen(target, f->flags, &made);
  else if (file_is_hostfd(target))
    r = hostfd_reopen(target, f->flags, &made);
  if (!r)
    file_become(f, made);
  return r;
}

static void proxy_evict(struct inode *i) {
  if (i->priv)
    file_put(i->priv);
  i->priv = NULL;
}

static const struct inode_ops proxy_ops = {
    .getattr = proxy_getattr,
    .open = proxy_open,
    .evict = proxy_evict,
};

int anon_path_of(struct file *f, struct mount **mnt, struct dentry **d) {
  struct mount *m = anon_mount_borrow(kernel_current());
  struct inode *i = m ? inode_new(m->sb, &proxy_ops, S_IFREG | 0600) : NULL;
  if (!i)
    return -ENOMEM;
  i->priv = file_get(f);
  int r = proxy_getattr(i, NULL);
  struct dentry *e = r ? NULL : dentry_new_root(m->sb, i);
  inode_put(i);
  if (!e)
    return r ? r : -ENOMEM;
  e->unhashed = true; /* so that it goes with its last user, and the target with it */
  ref_get(&m->ref);
  *mnt = m;
  *d = e;
  return 0;
}

struct file *anon_path_target_borrow(const struct dentry *d) {
  return d && d->inode && d->inode->ops == &proxy_ops ? d->inode->priv : NULL;
}
