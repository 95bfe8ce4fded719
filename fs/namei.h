/*
 * Between the files of the VFS only: the path walk's state and the dentry cache's insides. File systems use vfs.h.
 */
#pragma once
#include "../core/errno.h"
#include "vfs.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define MAX_SYMLINKS 40 /* path_resolution(7) */
#define MAY_EXEC X_OK
#define MAY_WRITE W_OK
#define MAY_READ R_OK
#define GUEST_O_LARGEFILE 0100000     /* the kernel's; glibc's is 0 on x86-64 */
#define GUEST_O_TMPFILE_BIT 020000000 /* O_TMPFILE without O_DIRECTORY */
#define RENAME_FLAGS_KNOWN (RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)

/* ---- dcache.c ---- */
uint32_t name_hash(const char *name, unsigned len);
/* Cached child of dir, borrowed, or NULL. Positive or negative; not revalidated. */
struct dentry *dcache_find_borrow(struct dentry *dir, const char *name, unsigned len, uint32_t hash);
/* A child of dir, hashed, with one reference; inode (may be NULL) gets a reference. */
struct dentry *dcache_new(struct dentry *dir, const char *name, unsigned len, uint32_t hash, struct inode *inode);
void dcache_instantiate(struct dentry *d, struct inode *i); /* a negative one becomes positive */
int dcache_set_name(struct dentry *d, const char *name, unsigned len);
/* rename: `d` takes dst's place and dst is dropped (exchange: they change places). */
int dcache_move(struct dentry *d, struct dentry *dst, bool exchange);
/* The child `name` of dir, counted, positive or negative, asking the file system if need be. `locked`: the caller holds
 * dir's dir_lock. May park. */
int dentry_lookup(struct dentry *dir, const char *name, unsigned len, uint32_t hash, bool locked, struct dentry **out);
void dcache_forget_super(struct super *sb);                             /* its unused dentries; nobody uses any */
bool dentry_is_below(const struct dentry *d, const struct dentry *top); /* or equal */

/* ---- namei.c ---- */
enum last_type { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };

struct nameidata {
  struct task *t;          /* NULL: kernel-internal */
  const struct cred *cred; /* NULL: no permission checks */
  struct path root, path;  /* counted */
  unsigned flags;          /* LOOKUP_* */
  enum last_type last_type;
  bool trailing;    /* the last component was followed by a slash */
  bool jumped;      /* the last step was a magic link */
  bool at_last;     /* the step is the last one of the walk, so far */
  const char *last; /* within the name or a link body */
  unsigned last_len;
  int links, depth;
  const char *rest[MAX_SYMLINKS]; /* what follows the links whose bodies are being walked */
  struct link_body {              /* keeps the bodies alive */
    struct inode *inode;          /* counted: the body is inode->link */
    char *buf;                    /* putname() */
  } body[MAX_SYMLINKS];
};

/* cred NULL with t set: t's own. *name is moved behind leading slashes. */
int nd_start(struct nameidata *nd, struct task *t, const struct cred *cred, int dfd, const char **name, unsigned flags);
void nd_start_kernel(struct nameidata *nd, const struct path *root, const char **name, unsigned flags);
void nd_end(struct nameidata *nd);
/* All components but the last: nd->path is the directory of nd->last. */
int nd_walk(struct nameidata *nd, const char *name);
/* The last component, without creating: 0, or 1 and *name is what to nd_walk() next (NULL: a magic link, arrived). */
int nd_last(struct nameidata *nd, const char **name);
/* d (counted) is an entry of nd->path: 1 and *name if it is a link that was followed. Else nd->path moves to it
 * (positive entries only) and across mounts. */
int nd_step(struct nameidata *nd, struct dentry *d, bool follow, const char **name);
int nd_complete(struct nameidata *nd); /* the checks at the end of a lookup */
int vfs_lookup_cred(struct task *t, const struct cred *c, int dfd, const char *name, unsigned flags, struct path *out);

/* Preparing a new entry: the parent's dir_lock is held and *d is a negative child until create_end(). */
struct create_ctx {
  struct path parent;
  struct dentry *d;
};
int create_begin(struct task *t, int dfd, const char *name, bool is_dir, unsigned lookup, struct create_ctx *c);
void create_end(struct create_ctx *c);
/* May t make an entry in dir? (may_create) */
int may_create(const struct cred *c, struct mount *m, struct inode *dir);
/* mode, owner and group of a new inode in dir: umask must have been applied to mode. */
void new_inode_attr(const struct cred *c, const struct inode *dir, uint32_t mode, struct iattr *a);
/* The same with t's umask or dir's default ACL applied; *acl is for acl_give(). 0 or -ENOMEM */
struct acl_new;
int new_inode_attr_umask(struct task *t, const struct inode *dir, uint32_t mode, struct iattr *a, struct acl_new *acl);

/* ---- perm.c ---- */
int inode_permission(const struct cred *c, const struct mount *m, const struct inode *i, int mask);
bool cred_owns(const struct cred *c, const struct inode *i); /* owner or CAP_FOWNER */
bool cred_cap(const struct cred *c, int cap);                /* NULL: yes */
static inline const struct cred *task_cred(const struct task *t) {
  return t ? t->cred : NULL;
}
static inline bool mount_readonly(const struct mount *m) {
  return (m->flags & MS_RDONLY) || m->sb->readonly;
}

/* ---- attr.c ---- */
int vfs_remove_privs(struct file *f);

/* ---- file_caps.c: security.capability, capabilities(7) ---- */
/* The raw attribute: its length, -ENODATA if there is none, -errno. */
ssize_t file_caps_read(struct inode *i, struct dentry *d, void *buf, size_t cap);
/* As the caller's user namespace sees it: a v2 or v3 structure. cap 0: the size alone. */
ssize_t file_caps_get(const struct cred *c, const struct path *p, void *buf, size_t cap);
/* What is to be stored for what c sets: into out[FILE_CAPS_MAX]; the length or -errno. */
ssize_t file_caps_convert(const struct cred *c, const struct inode *i, const void *val, size_t len, uint8_t *out);
/* A write, a truncation or a change of owner takes them away, whoever makes it. 0 or -errno. */
int file_caps_kill(struct inode *i, struct dentry *d);
static inline bool file_caps_maybe(const struct inode *i) {
  return i->sb->file_caps && !i->nosec && S_ISREG(i->mode);
}

/* ---- mount.c ---- */
struct mount *mount_at_borrow(const struct mount *parent, const struct dentry *d);

/* ---- chrdev.c ---- */
void chrdev_free_all(struct vfs *v);

/* ---- open.c ---- */
int inode_deny_write(struct inode *i);

/* ---- lease.c ---- */
/* i->leases is set and i is opened with these flags, or truncated (O_WRONLY): wait until no lease is in the way. 0,
 * -EWOULDBLOCK, -ERESTARTSYS. */
int lease_break(struct inode *i, int flags);
void lease_release(struct file *f); /* the last close; f->inode->leases is set */
void leases_free_inode(struct inode *i);

/* ---- locks.c ---- */
void locks_close(struct file *f, struct fdtable *owner); /* POSIX locks of owner on f's inode */
void locks_release(struct file *f);                      /* the last close: flock and OFD locks */
void locks_free_inode(struct inode *i);
