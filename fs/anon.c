/*
 * Files without a path: their inode numbers, and the stand-ins by which /proc/PID/fd/N reaches them. A stand-in is a
 * dropped root dentry of an internal mount; it holds the file and goes with its last user.
 */
#include "anon_fs.h"
#include "anon.h"
#include "namei.h"
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>

#define ANON_INODE_FS_MAGIC 0x09041934

static int anon_statfs(struct super *sb, struct statfs *st) {
  st->f_type = (__fsword_t)sb->magic;
  st->f_bsize = 4096;
  st->f_namelen = NAME_MAX;
  return 0;
}
static const struct super_ops anon_super_ops = {.statfs = anon_statfs};
static const struct inode_ops anon_root_ops = {0};

/* An internal mount, made at the first use. */
static struct mount *internal_mount(struct vfs *v, struct mount **slot, const char *type, unsigned long magic) {
  if (*slot)
    return *slot;
  struct super *sb = super_new(v->k, type, &anon_super_ops, magic);
  struct mount *m = sb ? calloc(1, sizeof *m) : NULL;
  struct inode *i = m ? inode_new(sb, &anon_root_ops, S_IFDIR | 0500) : NULL;
  if (i)
    sb->root = dentry_new_root(sb, i);
  inode_put(i);
  if (!i || !sb->root) {
    free(m);
    super_put(sb);
    return NULL;
  }
  ref_init(&m->ref);
  TAILQ_INIT(&m->children);
  m->sb = sb;
  m->root = dentry_get(sb->root);
  m->flags = magic == NSFS_MAGIC ? 0 : MS_NOEXEC | MS_NOSUID; /* what is bound from there shows them */
  m->source = strdup(type);
  *slot = m;
  return m;
}

struct mount *anon_mount_borrow(struct vfs *v) {
  return internal_mount(v, &v->anon_mnt, "anon_inodefs", ANON_INODE_FS_MAGIC);
}

struct mount *anon_home_borrow(const struct file *f) {
  struct vfs *v = kernel_current()->vfs;
  return nsfs_ns_borrow(f) ? internal_mount(v, &v->nsfs_mnt, "nsfs", NSFS_MAGIC) : anon_mount_borrow(v);
}

struct file *anon_file_new(struct kernel *k, const struct file_ops *ops, int flags, void *priv, const char *anon_name) {
  struct file *f = file_new(ops, flags, priv);
  if (!f)
    return NULL;
  f->anon_name = anon_name;
  f->anon_ino = ++k->next_anon_ino;
  return f;
}

static int standin_getattr(struct inode *i, struct dentry *d) {
  (void)d;
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

static void standin_evict(struct inode *i) {
  file_put(i->priv);
}

static const struct inode_ops standin_ops = {.getattr = standin_getattr, .evict = standin_evict};

int vfs_file_path(struct file *f, struct path *out) {
  *out = (struct path){0};
  if (f->dentry) {
    *out = (struct path){f->mnt, f->dentry};
    path_get(out);
    return 0;
  }
  struct mount *m = anon_home_borrow(f);
  struct inode *i = m ? inode_new(m->sb, &standin_ops, S_IFREG | 0600) : NULL;
  if (!i)
    return -ENOMEM;
  i->priv = file_get(f);
  int r = standin_getattr(i, NULL);
  struct dentry *d = r ? NULL : dentry_new_root(m->sb, i);
  inode_put(i);
  if (!d)
    return r ? r : -ENOMEM;
  d->unhashed = true;
  *out = (struct path){mount_get(m), d};
  return 0;
}

struct file *vfs_standin_file_borrow(const struct dentry *d) {
  return d && d->inode && d->inode->ops == &standin_ops ? d->inode->priv : NULL;
}
