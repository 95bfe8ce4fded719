/*
 * Synthetic file systems: trees whose entries are described by constant tables, plus directories whose entries come and
 * go with objects of the kernel (processes, descriptors, terminals). proc, sys, devpts and cgroup are built on it.
 *
 * An inode stands for (table entry, object, number). The object is counted through the super's ctx_get and ctx_put.
 */
#pragma once
#include "sbuf.h"
#include "vfs.h"

struct synth_ent;

/* One entry of a dynamic directory. */
struct synth_child {
  char name[64];
  const struct synth_ent *ent;
  void *ctx;    /* lookup: counted for the new inode; NULL: the directory's */
  uint64_t n;   /* the inode's number */
  uint64_t key; /* next(): where it stands in the directory, ascending, < 2^40 */
};

struct synth_ent {
  const char *name; /* NULL ends a table */
  uint32_t mode;    /* type and permissions */
  /* Regular files. The content: `text`, or what show() prints. show() may park. */
  const char *text;
  int (*show)(struct inode *i, struct sbuf *b);
  /* A write: buf is NUL-terminated behind n bytes (at most 4096). The bytes taken or -errno. */
  ssize_t (*store)(struct inode *i, char *buf, size_t n);
  /* The same, with the credentials that the file was opened with: for what a privileged program may be made to write
   * to a descriptor that it inherited. Only at offset 0. */
  ssize_t (*store_as)(struct inode *i, const struct cred *opener, char *buf, size_t n);
  /* Directories: fixed entries first, then dynamic ones. lookup: 0 or -ENOENT. next: the first entry with a key >= key:
   * 1, 0 at the end, -errno. Only name, key and ent matter of what next() fills in. */
  const struct synth_ent *children;
  int (*lookup)(struct inode *dir, const char *name, struct synth_child *c);
  int (*next)(struct inode *dir, uint64_t key, struct synth_child *c);
  /* Symlinks: `text`, or link(); follow() makes it a magic link, as inode_ops.follow. */
  ssize_t (*link)(struct inode *i, char *buf, size_t cap);
  int (*follow)(struct inode *i, struct mount **mnt, struct dentry **d);
  /* Files that can be watched: poll(2) shows EPOLLPRI|EPOLLERR once after seq() changed; what changes it wakes wq(). */
  uint64_t (*seq)(struct inode *i);
  struct waitq *(*wq)(struct inode *i);
  /* Anything: open by another's rules. */
  int (*open)(struct inode *i, struct file *f);
  /* May the current task look into it? 0 or -errno: asked at open, readlink, follow, lookup and reading of directories.
   */
  int (*allow)(struct inode *i);
  /* Does it still exist, and with which owner: updates i, 0 when it is gone. */
  int (*alive)(struct inode *i);
  /* Is this still what the directory shows under that name? NULL: names do not change hands. */
  bool (*named)(struct inode *i, const char *name);
  uint64_t arg; /* the generator's */
};

struct synth_super { /* super->priv */
  struct kernel *k;
  void *(*ctx_get)(void *ctx);
  void (*ctx_put)(void *ctx);
  int (*alive)(struct inode *i); /* for every inode, before its entry's own */
  int (*setattr)(struct inode *i, struct dentry *d, const struct iattr *a); /* NULL: refuse changes of mode and owner */
  int (*remount)(struct super *sb, const char *options); /* NULL: options are ignored */
  void (*kill)(struct synth_super *s); /* NULL, or frees priv */
  int create_errno; /* what making an entry is refused with; 0: -EPERM, or -EACCES for files */
  void *priv;
};

struct synth_inode { /* inode->priv */
  const struct synth_ent *ent;
  void *ctx;
  uint64_t n;
};

static inline const struct synth_ent *synth_ent_of(const struct inode *i) {
  return ((struct synth_inode *)i->priv)->ent;
}
static inline void *synth_ctx(const struct inode *i) {
  return ((struct synth_inode *)i->priv)->ctx;
}
static inline uint64_t synth_num(const struct inode *i) {
  return ((struct synth_inode *)i->priv)->n;
}
static inline struct synth_super *synth_super_of(const struct inode *i) {
  return i->sb->priv;
}
static inline struct kernel *synth_kernel(const struct inode *i) {
  return synth_super_of(i)->k;
}

/* A mountable file system with `root` as its root directory. tmpl is copied. */
int synth_mount(struct kernel *k, const char *fstype, unsigned long magic, const struct synth_ent *root,
                const struct synth_super *tmpl, struct super **out);
/* Takes over the reference on ctx, also on failure. */
int synth_inode_new(struct super *sb, const struct synth_ent *ent, void *ctx, uint64_t n, uint64_t ino,
                    struct inode **out);
extern const struct inode_ops synth_inode_ops;
extern const struct file_ops synth_dir_fops;
