/*
 * tmpfs(5): a file system in memory. Small files live in the Sentry's heap; those that grow or are mapped move to a
 * memfd of their own, so that ten thousand small files do not cost ten thousand host descriptors.
 *
 * The inode operations use only the inodes and names they are given, never the dentries' inodes (but for `old` of
 * link), so that overlay can call them with dentries of its own.
 */
#pragma once
#include "../vfs.h"
#include "../xattr.h"

#define TMPFS_SMALL 65536u /* files up to this size stay in the heap until they are mapped */
#define TMPFS_BLOCK 4096u
#define TMPFS_DIRENT_SIZE 20 /* what an entry adds to a directory's st_size, as in Linux */

struct tmpfs_sb { /* super->priv */
  struct super *sb;
  uint64_t max_bytes, used_bytes; /* max 0: no limit */
  uint64_t max_inodes, used_inodes;
  uint64_t next_ino;
  uint32_t mode, uid, gid;
  struct tmpfs_node *doomed; /* see inode.c: trees are taken down without recursion */
  bool draining;
};

struct tmpfs_ent {
  RB_ENTRY(tmpfs_ent) by_name, by_cookie;
  struct inode *inode; /* counted */
  uint64_t cookie;     /* its position for readdir: ascending, never reused */
  uint32_t hash;
  uint16_t len;
  char name[];
};
RB_HEAD(tmpfs_names, tmpfs_ent);
RB_HEAD(tmpfs_cookies, tmpfs_ent);

struct tmpfs_node { /* inode->priv */
  struct inode *inode;
  struct tmpfs_sb *ts;
  struct xattr_set xattrs;
  struct tmpfs_node *next_doomed;
  union {
    struct {
      struct tmpfs_names names;
      struct tmpfs_cookies cookies;
      uint64_t next_cookie;
    } dir;
    struct {
      char *buf; /* heap contents, cap bytes of which inode->size are valid; NULL once fd is used */
      size_t cap;
      int fd;           /* memfd or -1 */
      bool mapped;      /* guests may allocate blocks behind our back */
      off_t dense;      /* bytes [0, dense) of the memfd are known to be allocated */
      uint64_t charged; /* bytes counted in ts->used_bytes */
      unsigned seals;   /* F_SEAL_* */
    } file;
  };
};

static inline uint64_t blocks_of(off_t n) {
  return ((uint64_t)n + TMPFS_BLOCK - 1) / TMPFS_BLOCK * TMPFS_BLOCK;
}
static inline struct tmpfs_node *tmpfs_node(const struct inode *i) {
  return i->priv;
}

/* inode.c */
extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops, tmpfs_special_ops;
int tmpfs_new_inode(struct tmpfs_sb *ts, const struct iattr *a, dev_t rdev,
                    struct inode **out); /* nlink 1, of a directory 2 */
int tmpfs_setattr(struct inode *i, struct dentry *d, const struct iattr *a);
ssize_t tmpfs_getxattr(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap);
int tmpfs_setxattr(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags);
ssize_t tmpfs_listxattr(struct inode *i, struct dentry *d, char *buf, size_t cap);
int tmpfs_removexattr(struct inode *i, struct dentry *d, const char *name);
void tmpfs_evict(struct inode *i);

/* handle.c */
int tmpfs_encode_fh(const struct inode *i, uint32_t *fh, unsigned *words);
int tmpfs_decode_fh(struct super *sb, const uint32_t *fh, unsigned words, int type, struct dentry **out);

/* dir.c */
extern const struct file_ops tmpfs_dir_fops;
int tmpfs_open_dir(struct inode *i, struct file *f);
struct tmpfs_ent *tmpfs_dir_from(const struct inode *dir, uint64_t cookie); /* the first at or behind it, or NULL */
void tmpfs_dir_take_all(struct inode *i, void (*fn)(struct inode *child)); /* empties it; fn gets the references */

/* file.c */
extern const struct file_ops tmpfs_file_fops;
int tmpfs_open_file(struct inode *i, struct file *f);
int tmpfs_getattr_file(struct inode *i, struct dentry *d);
int tmpfs_truncate(struct inode *i, off_t size);
void tmpfs_free_data(struct inode *i);
/* data.c: the contents, with io_lock held where they change. None but tmpfs_data_allocate parks. */
int tmpfs_to_memfd(struct inode *i); /* 0 or -errno; then file.fd is valid */
int tmpfs_data_resize(struct inode *i, off_t size);
int tmpfs_data_reserve(struct inode *i, off_t off,
                       size_t n); /* heap room for a write; 0, or 1: it must go to the memfd; -errno */
int tmpfs_data_punch(struct inode *i, off_t off, off_t len);
int tmpfs_data_allocate(struct inode *i, off_t off, off_t len);
int tmpfs_recharge(struct inode *i); /* count the blocks that are allocated now */
/* How many of n bytes at off may still be written within the file system's size. */
size_t tmpfs_room(const struct inode *i, off_t off, size_t n);
