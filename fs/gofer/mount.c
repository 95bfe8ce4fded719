/* A gofer's tree as a mountable file system. */
#include "client.h"
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>

static int gofer_sb_statfs(struct super *sb, struct statfs *st) {
  struct gofer_statfs g;
  int err = gc_statfs(sb->priv, sb->root, &g);
  if (err)
    return err;
  *st = (struct statfs){
      .f_type = (__fsword_t)sb->magic,
      .f_bsize = (__fsword_t)g.bsize,
      .f_frsize = (__fsword_t)g.frsize,
      .f_blocks = g.blocks,
      .f_bfree = g.bfree,
      .f_bavail = g.bavail,
      .f_files = g.files,
      .f_ffree = g.ffree,
      .f_namelen = (__fsword_t)g.namelen,
  };
  return 0;
}

static void gofer_sb_kill(struct super *sb) {
  struct gofer_sb *s = sb->priv;
  if (s) {
    waitq_destroy(&s->rename_wq);
    free(s);
  }
  sb->priv = NULL;
}

static const struct super_ops super_ops = {.statfs = gofer_sb_statfs, .kill = gofer_sb_kill};

/* The root is asked for before there is a dentry to name it by: the empty path. */
static int root_attr(struct gofer_sb *s, struct gofer_attr *a) {
  struct gofer_msg m;
  AUTO_REPLY r = {.fd = -1};
  int err = gofer_begin(s, GOFER_GETATTR, &m);
  if (err)
    return err;
  gm_put_str(&m, "");
  if ((err = gofer_call(s, &m, &r)))
    return err;
  return gm_get_attr(&r.m, a) && gm_done(&r.m) ? 0 : gofer_protocol_error(s->g);
}

int gofer_mount(struct kernel *k, struct gofer *g, int tree, bool exclusive, bool readonly, struct super **out) {
  if (tree < 0 || tree >= GOFER_TREES_MAX)
    return -EINVAL;
  struct gofer_sb *s = calloc(1, sizeof *s);
  struct super *sb = s ? super_new(k, "9p", &super_ops, V9FS_MAGIC) : NULL;
  if (!sb) {
    free(s);
    return -ENOMEM;
  }
  *s = (struct gofer_sb){.g = g, .sb = sb, .tree = tree, .exclusive = exclusive};
  waitq_init(&s->rename_wq);
  sb->priv = s;
  sb->readonly = sb->fixed_readonly = readonly;
  struct gofer_attr a;
  struct inode *root = NULL;
  int err = root_attr(s, &a);
  if (!err) {
    s->root_dev = a.dev;
    err = gofer_iget(s, &a, NULL, &root);
  }
  if (!err && !(sb->root = dentry_new_root(sb, root)))
    err = -ENOMEM;
  if (root)
    inode_put(root); /* the dentry has its own reference */
  if (err) {
    super_put(sb);
    return err;
  }
  *out = sb;
  return 0;
}
