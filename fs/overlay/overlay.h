/*
 * A writable overlay in memory over a file system that does not change (the root file system, from the gofer).
 *
 * An inode of the overlay is one object for the life of a file: it starts as a view of a lower inode, takes that one's
 * number and attributes, and keeps every change of attributes itself. Data of regular files is copied to an unnamed
 * file of the upper tmpfs when it is first written. Changes of names live in the directories: a map from names to
 * inodes or whiteouts, which is looked at before the lower directory. So directories are never copied: a renamed one
 * takes its lower dentry along.
 *
 * An inode that differs from its lower one must not be forgotten: it is pinned, and found again by its lower inode.
 * Consequently hard links below stay hard links after a change, as with overlayfs' index=on.
 */
#pragma once
#include "../../core/errno.h"
#include "../namei.h"
#include "../vfs.h"
#include "../xattr.h"
#include <bsd/sys/tree.h>
#include <uthash.h>

struct ovl_name { /* one changed name of a directory */
  union {
    RB_ENTRY(ovl_name) link;
    struct ovl_name *next_doomed;
  };
  struct inode *inode; /* counted; NULL: a whiteout */
  bool over_lower;     /* the lower directory has the name too: a whiteout must stay when this goes */
  unsigned len;
  char name[];
};
RB_HEAD(ovl_names, ovl_name);

struct ovl_inode { /* inode->priv */
  struct inode *inode;
  struct dentry *lower;      /* counted; NULL: made here */
  struct dentry *upper;      /* counted, unnamed: the data of a regular file; NULL: still below, or empty */
  struct inode *lower_inode; /* lower->inode: the hash key */
  UT_hash_handle hh;
  bool hashed, pinned;
  struct fmutex copy_lock;
  struct ovl_names names; /* directories */
  bool own_xattrs;        /* xattrs holds all of them; else the lower inode does */
  struct xattr_set xattrs;
};

struct ovl {                        /* super->priv */
  struct super *sb, *lower, *upper; /* the latter two counted */
  struct ovl_inode *by_lower;       /* every inode that has a lower one */
  uint64_t next_ino;
  uint64_t used, max;      /* inodes made here and further links; max: the upper's, 0 for no bound */
  struct ovl_name *doomed; /* of directories that are going: worked off without recursion */
  bool draining;
};

static inline struct ovl *ovl_of(const struct inode *i) {
  return i->sb->priv;
}
static inline struct ovl_inode *ovl_inode_of(const struct inode *i) {
  return i->priv;
}

/* inode.c */
/* The inode over a lower dentry: the known one or a new one. Counted. */
int ovl_iget(struct ovl *o, struct dentry *lower, struct inode **out);
/* One that exists only here. */
int ovl_new_inode(struct ovl *o, const struct iattr *a, uint32_t type, struct inode **out);
/* Room for one more inode or link? 0 or -ENOSPC: guests must not fill the Sentry's memory with names. */
int ovl_charge(struct ovl *o);
void ovl_uncharge(struct ovl *o);
void ovl_pin(struct ovl_inode *oi);
void ovl_unpin(struct ovl_inode *oi); /* may free it */
void ovl_drop_link(struct inode *i);  /* a name is gone; the caller holds i */
extern const struct inode_ops ovl_dir_ops, ovl_file_iops, ovl_symlink_ops, ovl_special_ops;

/* names.c */
struct ovl_name *ovl_find(struct ovl_inode *dir, const char *name);
/* A new entry, not yet in any directory, for what must not fail later. */
struct ovl_name *ovl_name_new(const char *name);
/* Let `name` mean i (NULL: nothing) from now on. spare, taken over, is used if there is no entry. over_lower: the name
 * was positive and not in the map. */
void ovl_set(struct ovl_inode *dir, const char *name, struct inode *i, struct ovl_name *spare, bool over_lower);
/* 1, 0 or -errno: has the merged directory no entries? May park. */
int ovl_empty(struct inode *dir);
struct ovl_name *ovl_next_name(struct ovl_inode *dir, struct ovl_name *n); /* in the map; NULL: the first */
void ovl_free_names(struct ovl_inode *dir);

/* dir.c */
int ovl_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out);
int ovl_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out);
int ovl_mkdir(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out);
int ovl_mknod(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, dev_t rdev,
              struct inode **out);
int ovl_symlink(struct inode *dir, struct dentry *parent, const char *name, const char *target, const struct iattr *a,
                struct inode **out);
int ovl_link(struct inode *dir, struct dentry *parent, const char *name, struct dentry *old);
int ovl_tmpfile(struct inode *dir, struct dentry *parent, const struct iattr *a, struct inode **out);
int ovl_unlink(struct inode *dir, struct dentry *victim);
int ovl_rmdir(struct inode *dir, struct dentry *victim);
int ovl_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *dst, unsigned flags);

/* readdir.c */
int ovl_open_dir(struct inode *i, struct file *f);
/* Calls fn for each entry of the lower directory but "." and ".."; fn returns false to stop. */
int ovl_each_lower(struct ovl_inode *dir,
                   bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type), void *arg);

/* copyup.c */
/* An open file of a layer's, for the Sentry itself. */
int ovl_open_layer(struct dentry *d, int flags, struct file **out);
/* Give the file data of its own: the first `keep` bytes of the lower one. May park. */
int ovl_copy_up(struct ovl_inode *oi, off_t keep);
void ovl_sync_size(struct ovl_inode *oi); /* size and blocks, from the upper inode */

/* file.c */
int ovl_open_file(struct inode *i, struct file *f);

/* xattr.c */
ssize_t ovl_getxattr(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap);
int ovl_setxattr(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags);
ssize_t ovl_listxattr(struct inode *i, struct dentry *d, char *buf, size_t cap);
int ovl_removexattr(struct inode *i, struct dentry *d, const char *name);
