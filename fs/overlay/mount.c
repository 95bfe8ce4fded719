/* The overlay as a file system. */
#include "overlay.h"
#include <linux/magic.h>
#include <stdlib.h>

static int ovl_statfs(struct super *sb, struct statfs *st) {
  struct ovl *o = sb->priv;
  int err = o->upper->ops->statfs(o->upper, st);
  st->f_type = OVERLAYFS_SUPER_MAGIC;
  st->f_files = o->max;
  st->f_ffree = o->max > o->used ? o->max - o->used : 0;
  return err;
}

static void ovl_kill(struct super *sb) {
  struct ovl *o = sb->priv;
  if (!o)
    return;
  struct ovl_inode *oi, *next;
  HASH_ITER(hh, o->by_lower, oi, next) {
    /* Freeing one may free others: those are found again by starting over. */
    if (oi->pinned) {
      ovl_unpin(oi);
      next = o->by_lower;
    }
  }
  super_put(o->lower);
  super_put(o->upper);
  free(o);
  sb->priv = NULL;
}

static const struct super_ops super_ops = {.statfs = ovl_statfs, .kill = ovl_kill};

int overlay_mount(struct kernel *k, struct super *lower, struct super *upper_tmpfs, struct super **out) {
  if (!S_ISDIR(lower->root->inode->mode) || !upper_tmpfs->root->inode->ops->tmpfile)
    return -EINVAL;
  struct ovl *o = calloc(1, sizeof *o);
  struct super *sb = o ? super_new(k, "overlay", &super_ops, OVERLAYFS_SUPER_MAGIC) : NULL;
  if (!sb) {
    free(o);
    return -ENOMEM;
  }
  *o = (struct ovl){.sb = sb, .lower = lower, .upper = upper_tmpfs};
  ref_get(&lower->ref);
  ref_get(&upper_tmpfs->ref);
  sb->priv = o;
  sb->acls = sb->iflags = sb->file_caps = true;
  struct statfs st = {0};
  if (upper_tmpfs->ops->statfs(upper_tmpfs, &st) == 0)
    o->max = st.f_files;
  struct inode *root;
  int err = ovl_iget(o, lower->root, &root);
  if (!err) {
    sb->root = dentry_new_root(sb, root);
    inode_put(root);
    err = sb->root ? 0 : -ENOMEM;
  }
  if (err) {
    super_put(sb);
    return err;
  }
  *out = sb;
  return 0;
}
