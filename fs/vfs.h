/*
 * The virtual file system: inodes, dentries, mounts, path walk (path_resolution(7), fs/namei.c of Linux).
 *
 * A file system fills in struct inode_ops and struct super. Operations may park (the gofer answers by message); the VFS
 * holds counted references to everything involved, and for operations that change a directory, that directory's
 * `dir_lock` (two for rename, an ancestor first; and that of a directory being removed). Permission checks (mode bits,
 * capabilities, read-only mounts, sticky bits) are the VFS's: a file system never sees a request that the caller has no
 * right to.
 */
#pragma once
#include "../core/file.h"
#include "../core/kernel.h"
#include "../core/task.h"
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

struct dentry;
struct inode;
struct mount;
struct super;
struct vfs;

/* ---- inodes ---- */
struct iattr { /* which fields of setattr are meant: ATTR_* */
  unsigned valid;
  uint32_t mode, uid, gid;
  off_t size;
  struct timespec atime, mtime;
};
#define ATTR_MODE 1u
#define ATTR_UID 2u
#define ATTR_GID 4u
#define ATTR_SIZE 8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u

struct inode_ops {
  /* Directories. `name` is one component, never "." or "..", NUL-terminated, <= NAME_MAX. Results: a counted inode. */
  int (*lookup)(struct inode *dir, struct dentry *parent, const char *name, struct inode **out); /* -ENOENT: negative */
  int (*create)(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a,
                struct inode **out); /* regular */
  int (*mkdir)(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out);
  int (*mknod)(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, dev_t rdev,
               struct inode **out);
  int (*symlink)(struct inode *dir, struct dentry *parent, const char *name, const char *target, const struct iattr *a,
                 struct inode **out);
  int (*link)(struct inode *dir, struct dentry *parent, const char *name, struct dentry *old);
  int (*unlink)(struct inode *dir, struct dentry *victim);
  int (*rmdir)(struct inode *dir, struct dentry *victim);
  /* flags: RENAME_NOREPLACE was handled, RENAME_EXCHANGE is passed; dst may be a negative dentry. */
  int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *dst, unsigned flags);
  /* O_TMPFILE: a regular file without a name, nlink 0. NULL: -EOPNOTSUPP */
  int (*tmpfile)(struct inode *dir, struct dentry *parent, const struct iattr *a, struct inode **out);
  /* Symlinks: the target, NUL-terminated, into buf. Its length or -errno. */
  ssize_t (*readlink)(struct inode *i, char *buf, size_t cap);
  /* Magic links of /proc (fd/N, exe, cwd, root): a path to go on from, counted both. NULL for ordinary symlinks. */
  int (*follow)(struct inode *i, struct mount **mnt, struct dentry **dentry);
  /* Refresh i's cached attributes from where they live; NULL: the cache is the truth. */
  int (*getattr)(struct inode *i, struct dentry *d);
  int (*setattr)(struct inode *i, struct dentry *d, const struct iattr *a);
  /* Is the cached dentry (positive or negative) still true? Asked of the dentry's own inode if that has the operation,
   * else of its directory's. NULL: always. 1 yes, 0 no, -errno. Volumes shared with the host need it. */
  int (*revalidate)(struct dentry *d);
  /* Fill in f->ops, f->priv, f->wq. f->inode and f->dentry are set, f->flags too. -errno refuses. NULL: by type, device
   * nodes through chrdev_open, FIFOs through fifo_open. O_APPEND is the write operation's business (under io_lock). */
  int (*open)(struct inode *i, struct file *f);
  ssize_t (*getxattr)(struct inode *i, struct dentry *d, const char *name, void *buf, size_t cap); /* cap 0: the size */
  int (*setxattr)(struct inode *i, struct dentry *d, const char *name, const void *val, size_t len, int flags);
  ssize_t (*listxattr)(struct inode *i, struct dentry *d, char *buf, size_t cap);
  int (*removexattr)(struct inode *i, struct dentry *d, const char *name);
  void (*evict)(struct inode *i); /* the last reference is gone: free priv */
};

struct inode {
  ref_t ref;
  const struct inode_ops *ops;
  struct super *sb; /* borrowed; a super outlives its inodes */
  uint64_t ino;
  uint32_t mode, uid, gid; /* mode with S_IFMT; cached attributes as stat(2) shows them */
  uint32_t nlink;
  dev_t rdev;
  off_t size;
  uint64_t blocks; /* 512-byte units */
  struct timespec atime, mtime, ctime, btime;
  struct fmutex dir_lock; /* directories: held by the VFS over changes */
  struct fmutex io_lock;  /* regular files: O_APPEND writes, truncation */
  void *priv;             /* the file system's */
  void *pipe;             /* FIFO: fs/pipe.c's shared state */
  void *socket;           /* bound AF_UNIX socket: net/unix.c's, weak */
  void *locks;            /* fs/locks.c: POSIX and flock locks */
  void *fsnotify;         /* fs/inotify.c: watches, which hold a dentry of the inode; NULL: none */
  int opens;              /* open files made by open(2): a watch of a removed file ends with the last */
  void *leases;           /* fs/lease.c */
  int read_count;         /* open for reading only: a write lease asks */
  int write_count;        /* writers open (ETXTBSY: > 0); < 0 deny-write by running programs */
  char *link; /* symlinks: the target once it is known, if it never changes (see super.volatile_links); freed with the
                 inode */
  bool dead;  /* a directory that was removed: nothing can be created or found in it */
  struct acl *acl, *default_acl; /* fs/acl.c: owned; NULL: the mode says it all */
  unsigned iflags;               /* FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL, FS_NOATIME_FL: ioctl_iflags(2) */
  bool nosec;                    /* known to have no security.capability; only if sb->file_caps */
  bool linkable;                 /* made by O_TMPFILE without O_EXCL: may be linked although nlink is 0 */
};
struct inode *inode_new(struct super *sb, const struct inode_ops *ops, uint32_t mode);
static inline struct inode *inode_get(struct inode *i) {
  ref_get(&i->ref);
  return i;
}
void inode_put(struct inode *i);

/* ---- supers and mounts ---- */
struct super_ops {
  /* Everything written so far reaches stable storage: sync(2), syncfs(2). NULL: nothing to do. Parks. */
  int (*sync)(struct super *sb);
  int (*statfs)(struct super *sb, struct statfs *st);
  int (*remount)(struct super *sb, const char *options);
  /* name_to_handle_at(2): a handle for i in fh[*words]; *words becomes what it takes. Its type, or -EOVERFLOW,
   * -EOPNOTSUPP. NULL: files have no handles. */
  int (*encode_fh)(const struct inode *i, uint32_t *fh, unsigned *words);
  /* The entry that a handle names, counted, or -ESTALE. Parks. */
  int (*decode_fh)(struct super *sb, const uint32_t *fh, unsigned words, int type, struct dentry **out);
  void (*kill)(struct super *sb);
};
struct super {
  ref_t ref;
  const struct super_ops *ops;
  const char *fstype;  /* as /proc/mounts shows it */
  dev_t dev;           /* st_dev: anonymous, major 0 */
  unsigned long magic; /* f_type */
  struct dentry *root; /* counted */
  char *options;       /* shown in /proc/mounts after rw/ro; "" if none */
  bool readonly;
  bool acls;                      /* its inodes have POSIX ACLs, kept by the VFS: fs/acl.h */
  bool iflags;                    /* … and flags: fs/fileattr.c */
  bool file_caps;                 /* nobody but the VFS changes security.capability of its inodes: inode.nosec */
  bool fixed_readonly;            /* read-only for the sandbox as a whole: no remount changes that */
  struct user_namespace *user_ns; /* counted: whose mount made it; NULL: the initial one */
  unsigned sbflags;               /* MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME: only shown */
  int writers;                    /* files open for writing */
  int nmounts;                    /* mounts of it that are in a namespace */
  const void *key;                /* of file systems that exist once per key (sysfs, cgroup2): super_find() */
  LIST_ENTRY(super) all;
  bool volatile_links; /* targets of symlinks change (procfs): ask every time */
  struct vfs *vfs;
  void *priv;
};
struct super *super_new(struct kernel *k, const char *fstype, const struct super_ops *ops,
                        unsigned long magic); /* gives it a dev */
void super_put(struct super *sb);

struct peer_group; /* fs/mount_peers.c */
struct mount {
  ref_t ref;
  struct super *sb;          /* counted */
  struct dentry *root;       /* what it shows; counted */
  struct mount *parent;      /* counted; NULL for the root mount */
  struct dentry *mountpoint; /* in parent; counted */
  unsigned flags;            /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_RELATIME, … */
  unsigned locked_flags;     /* of those, what this user namespace must not clear: mount_namespaces(7) */
  int id;
  char *source; /* /proc/mounts' first field */
  int writers;  /* files open for writing through it: it cannot become read-only */
  /* mount*.c's */
  TAILQ_ENTRY(mount) ns_link;
  struct mount_ns *ns;                /* NULL: detached */
  TAILQ_HEAD(mounts, mount) children; /* mounted in this one, in the order of mounting; one per dentry */
  TAILQ_ENTRY(mount) child_link;
  struct peer_group *peers;  /* shared with those; NULL: not shared */
  struct peer_group *master; /* receives from those; NULL: no slave */
  LIST_ENTRY(mount) peer_link, slave_link;
  bool unbindable;
  bool locked;               /* must not be moved or unmounted by itself: it hides what is below it */
  unsigned char expiry_mark; /* 1: MNT_EXPIRE saw it unused; any use clears it. 2: by the caller in progress */
  struct mount *copy;        /* while a tree is copied */
};
/* Never used twice: statx(2), listmount(2). */
static inline uint64_t mount_unique_id(const struct mount *m) {
  return (1ull << 31) + (uint64_t)m->id;
}
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);

/* ---- dentries ---- */
struct dentry {
  ref_t ref;  /* cached with 0 users is possible: see dcache.c */
  char *name; /* "" for roots */
  uint32_t name_len, hash;
  struct dentry *parent; /* counted; itself for roots */
  struct inode *inode;   /* counted; NULL: a negative entry */
  struct super *sb;
  bool unhashed;      /* unlinked or replaced: " (deleted)" */
  bool is_mountpoint; /* something may be mounted here */
  void *priv;         /* the file system's, freed by it in evict/dentry_release */
  /* the rest is dcache.c's */
  RB_ENTRY(dentry) sib_link;
  RB_HEAD(dentry_children, dentry) children;
  TAILQ_ENTRY(dentry) lru_link;
  bool on_lru;
  int nmounts;    /* is_mountpoint is nmounts > 0 */
  char iname[40]; /* short names */
};
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* A root dentry for a new super. */
struct dentry *dentry_new_root(struct super *sb, struct inode *root);
/* The path from the file system's root ("" for the root itself, else "a/b"), for file systems that work by path. Length
 * or -ENAMETOOLONG. */
ssize_t dentry_path_in_fs(const struct dentry *d, char *buf, size_t cap);
/* Forget cached children (after a host-side change) or one entry. */
void dentry_invalidate_children(struct dentry *d);
/* The child `name` if cached, counted, else NULL. For file systems that make entries of their own (procfs, devpts). */
struct dentry *dentry_lookup_cached(struct dentry *dir, const char *name);
void dentry_drop(struct dentry *d); /* unhash: the name is gone */

/* ---- paths ---- */
struct path { /* both counted */
  struct mount *mnt;
  struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(struct path *p);

struct fs_ctx { /* fs_struct */
  ref_t ref;
  struct path root, pwd;
  uint32_t umask;
  struct mount_ns *ns;
};
struct fs_ctx *fs_ctx_new(const struct path *root);

/* Lookup flags */
#define LOOKUP_FOLLOW 1u       /* follow a symlink in the last place */
#define LOOKUP_DIRECTORY 2u    /* must be one */
#define LOOKUP_EMPTY 4u        /* AT_EMPTY_PATH: "" means dfd itself */
#define LOOKUP_PARENT 8u       /* internal */
#define LOOKUP_NO_SYMLINKS 16u /* openat2's RESOLVE_* */
#define LOOKUP_NO_XDEV 32u
#define LOOKUP_BENEATH 64u
#define LOOKUP_IN_ROOT 128u
#define LOOKUP_NO_MAGICLINKS 256u
#define LOOKUP_AUTOMOUNT 0u

/* All on behalf of t (root, cwd, credentials). `name` is a Sentry string. dfd AT_FDCWD or a descriptor. */
int vfs_lookup(struct task *t, int dfd, const char *name, unsigned flags, struct path *out);
/* The parent directory and the last component (into last[NAME_MAX+1]); trailing slashes are reported. */
int vfs_lookup_parent(struct task *t, int dfd, const char *name, unsigned flags, struct path *parent, char *last,
                      bool *trailing_slash);
/* Copies the path from guest memory first: PATH_MAX buffers come from a pool. */
int vfs_lookup_user(struct task *t, int dfd, uint64_t uname, unsigned flags, struct path *out);
char *getname_user(uint64_t uname, int *err); /* free with putname() */
void putname(char *name);

struct open_how_k {
  int flags; /* O_* */
  uint32_t mode;
  unsigned lookup; /* extra LOOKUP_* from openat2 */
  bool exec;       /* open for exec: EACCES unless executable, ETXTBSY if being written */
};
int vfs_open(struct task *t, int dfd, const char *name, const struct open_how_k *how, struct file **out);
int vfs_open_path(struct task *t, const struct path *p, int flags,
                  struct file **out); /* no creation; checks permission */
/* Open without a task and without permission checks: kernel-internal. */
int vfs_open_kernel(const struct path *p, int flags, struct file **out);

int vfs_mkdir(struct task *t, int dfd, const char *name, uint32_t mode);
int vfs_mknod(struct task *t, int dfd, const char *name, uint32_t mode, dev_t dev);
/* The same, giving the new entry (AF_UNIX bind). */
int vfs_mknod_path(struct task *t, int dfd, const char *name, uint32_t mode, dev_t dev, struct path *out);
int vfs_symlink(struct task *t, const char *target, int dfd, const char *name);
int vfs_link(struct task *t, int olddfd, const char *old, int newdfd, const char *name, int flags);
int vfs_unlink(struct task *t, int dfd, const char *name);
/* A file in dir; name is one component. */
int vfs_unlink_child(const struct cred *c, const struct path *dir, const char *name);
int vfs_rmdir(struct task *t, int dfd, const char *name);
int vfs_rename(struct task *t, int odfd, const char *old, int ndfd, const char *name, unsigned flags);
ssize_t vfs_readlink(struct task *t, int dfd, const char *name, char *buf, size_t cap);
int vfs_getattr(const struct path *p, struct stat *st, struct timespec *btime);
int vfs_fgetattr(struct file *f, struct stat *st, struct timespec *btime); /* anonymous files too */
/* chmod/chown/utimes/truncate with permission rules, suid clearing, ctime. now_mask: ATTR_ATIME|ATTR_MTIME to be set to
 * now. */
int vfs_setattr(struct task *t, const struct path *p, struct iattr *a, unsigned now_mask);
int vfs_truncate(struct task *t, const struct path *p, off_t len);
/* In-memory file systems: take over a's fields, set ctime. Does not truncate. */
void vfs_setattr_copy(struct inode *i, const struct iattr *a);
/* A read of f or of its link: atime by the mount's rules (relatime). For file systems whose inode is where the time
 * lives. */
void vfs_touch_atime(struct mount *m, struct inode *i);
int vfs_permission(struct task *t, struct mount *m, struct inode *i, int mask); /* MAY_* = R_OK, W_OK, X_OK; fsuid */
int vfs_access(struct task *t, const struct path *p, int mode, bool effective);
/* faccessat2(2): the walk too is made with the real ids unless AT_EACCESS. */
int vfs_access_at(struct task *t, int dfd, const char *name, int mode, int flags);
/* chroot(2), chdir(2): f's root or working directory becomes p. */
void fs_ctx_set_root(struct fs_ctx *f, const struct path *p);
void fs_ctx_set_pwd(struct fs_ctx *f, const struct path *p);

/* ioctl_iflags(2) and FS_IOC_FSGETXATTR, fs/fileattr.c; -ENOTTY if f has no flags or cmd is another. */
long vfs_ioctl_flags(struct task *t, struct file *f, unsigned cmd, uint64_t arg);

/* xattr(7). Permission and name rules; then the inode's operations. val and buf are Sentry memory. */
ssize_t vfs_getxattr(struct task *t, const struct path *p, const char *name, void *buf, size_t cap);
int vfs_setxattr(struct task *t, const struct path *p, const char *name, const void *val, size_t len, int flags);
ssize_t vfs_listxattr(struct task *t, const struct path *p, char *buf, size_t cap);
int vfs_removexattr(struct task *t, const struct path *p, const char *name);

/* What an open file leads to when its /proc/PID/fd link is followed: its path, or for anonymous files a stand-in
 * (fs/anon.c) that shows the file's attributes and whose open leads to f->ops->reopen. For procfs' follow operation. */
int vfs_file_path(struct file *f, struct path *out);
/* The anonymous file that such a stand-in is of, borrowed; NULL for every other dentry. */
struct file *vfs_standin_file_borrow(const struct dentry *d);

/* Advisory locks, fs/locks.c. fcntl(2), flock(2). They park. */
int vfs_flock(struct file *f, int op);
int vfs_posix_lock(struct task *t, struct file *f, int cmd, struct flock *fl); /* F_GETLK … F_OFD_SETLKW */

/* F_GETLEASE; F_SETLEASE through descriptor fd. fs/lease.c */
int vfs_getlease(struct file *f);
int vfs_setlease(struct task *t, struct file *f, int fd, int type);

/* Directory reading: "." and ".." at positions 0 and 1. True when both are done. */
bool vfs_emit_dots(struct file *f, struct dir_ctx *d);
int vfs_iterate(struct file *f, struct dir_ctx *d);

/* The path of p as seen from t's root ("/a/b", "/a (deleted)", "(unreachable)/…"); returns a pointer into buf or NULL.
 */
char *vfs_path_string(struct task *t, const struct path *p, char *buf, size_t cap);

/* ---- mounting (boot, mount(2)) ---- */
struct mount_ns {
  struct ns_common ns; /* first */
  struct mount *root;
  struct mounts mounts; /* in the order of mounting */
  int nmounts;
  bool anon;      /* of open_tree(2), fsmount(2): no process is in it */
  uint64_t seq;   /* namespaces made later have higher ones */
  uint64_t event; /* counts changes of the table */
  LIST_ENTRY(mount_ns) all;
  STAILQ_ENTRY(mount_ns) dead_link;
};
struct vfs {
  struct kernel *k;
  struct mount_ns *init_ns;
  LIST_HEAD(, mount_ns) mount_namespaces;
  STAILQ_HEAD(, mount_ns) dead_mount_ns; /* nobody's any more; mount_ns_free() is at it */
  bool freeing_mount_ns;
  LIST_HEAD(, super) supers;
  uint64_t next_mount_ns;
  unsigned long propagations; /* counts walks over peer groups */
  int next_mount_id, next_peer_group;
  int nmounts; /* in all namespaces */
  unsigned next_dev_minor;
  struct waitq mounts_wq;  /* poll on /proc/mounts */
  struct mount *shm_mnt;   /* fs/tmpfs: of anonymous shared memory and memfds; in no namespace */
  struct mount *anon_mnt;  /* fs/anon.c: where names of memfds and stand-ins of anonymous files live; in no namespace */
  struct mount *nsfs_mnt;  /* the same for files on namespaces, which can be bind-mounted from it */
  struct super *hostfd_sb; /* fs/hostfd.c: of the inodes of inherited host descriptors; NULL until needed */
  uint64_t mounts_seq;     /* counts changes of the table */
  TAILQ_HEAD(, dentry) lru; /* unused dentries, the least recently used first */
  int nlru, lru_max;
  struct fmutex rename_lock;             /* between directories: no loops */
  LIST_HEAD(, lock_waiter) lock_waiters; /* fs/locks.c */
  LIST_HEAD(, chrdev) chrdevs;           /* fs/chrdev.c */
  char *names[16];                       /* free PATH_MAX buffers */
  int nnames;
  void *scratch; /* one free VFS_SCRATCH buffer, or NULL */
};
/* Bounce buffers for file contents. */
#define VFS_SCRATCH (256 * 1024)
void *vfs_scratch_get(struct vfs *v);
void vfs_scratch_put(struct vfs *v, void *p);
/* hooks.fs_ctx_*, open_exec, shm_file, and those of file.h. Called by vfs_init. */
void vfs_install_hooks(struct kernel *k);
/* A private copy of a mount namespace (unshare(CLONE_NEWNS)); fs's root and pwd are moved into it. fs/mount_ns.c */
int vfs_unshare_ns(struct vfs *v, struct fs_ctx *fs, struct user_namespace *owner);
void mount_ns_put(struct mount_ns *ns);
void mount_ns_free(struct ns_common *ns); /* for ns_put() */
/* pivot_root(2) on t's namespace: p becomes its root, the old root is mounted at put_old. */
int vfs_pivot_root(struct task *t, const struct path *p, const struct path *put_old);
/* sync(2): every file system of the namespace. */
int vfs_sync_all(struct mount_ns *ns);
int vfs_init(struct kernel *k);
void vfs_free(struct kernel *k); /* all mounts go; nothing may be open any more */
/* Mount sb at `at` (NULL: as the root of the namespace). *out counted, may be NULL. */
int vfs_mount(struct vfs *v, struct mount_ns *ns, struct super *sb, const struct path *at, unsigned flags,
              const char *source, struct mount **out);
int vfs_bind(struct vfs *v, struct mount_ns *ns, const struct path *from, const struct path *at, unsigned flags,
             bool recursive);
int vfs_umount(struct vfs *v, struct mount_ns *ns, struct mount *m, int flags);
/* Create missing directories (or an empty file) for a mount point, as runtimes do; kernel-internal. */
int vfs_mkdir_p(struct vfs *v, const struct path *root, const char *path, uint32_t mode, struct path *out);
int vfs_touch_p(struct vfs *v, const struct path *root, const char *path, struct path *out);
/* Kernel-internal lookup from a root, without permission checks, symlinks kept inside the root. */
int vfs_lookup_kernel(const struct path *root, const char *name, unsigned flags, struct path *out);

/* ---- constructors of file systems; each returns a super with a root, *err may point to a reason ---- */
int tmpfs_mount(struct kernel *k, const char *options, struct super **out); /* size=, nr_inodes=, mode=, uid=, gid= */
int tmpfs_check(struct kernel *k, const char *option); /* would tmpfs_mount() take it? 0 or -EINVAL */
int ramfs_mount(struct kernel *k, const char *options, struct super **out); /* mode=; no bounds */
/* Anonymous shared memory and memfd: a tmpfs file without a name in any directory. */
/* `name` is what /proc/PID/fd shows: "memfd:NAME" gives "/memfd:NAME (deleted)". Open for reading and writing,
 * mode 0777. seals_allowed: MFD_ALLOW_SEALING and MFD_NOEXEC_SEAL of memfd_create(2), or 0. */
int tmpfs_anon_file(struct kernel *k, size_t len, const char *name, unsigned seals_allowed, struct file **out);
int tmpfs_secret_file(struct kernel *k, struct file **out); /* memfd_secret(2) */
/* cachestat(2): the five counts of struct cachestat; -EINVAL if f is of no tmpfs. */
int tmpfs_cachestat(struct file *f, const uint64_t range[2], uint64_t out[5]);
/* F_ADD_SEALS, F_GET_SEALS; -EINVAL if f is of no tmpfs. */
int tmpfs_add_seals(struct file *f, unsigned seals);
int tmpfs_get_seals(struct file *f);
int proc_mount(struct kernel *k, const char *options, struct super **out); /* hidepid=, gid=, subset=pid */
int proc_check(struct kernel *k, const char *option);
int sysfs_mount(struct kernel *k, struct super **out);
int dev_mount(struct kernel *k, const char *options, struct super **out); /* devtmpfs with the standard nodes */
int devpts_mount(struct kernel *k, const char *options, struct super **out);
int devpts_check(struct kernel *k, const char *option);
int mqueue_mount(struct kernel *k, struct super **out); /* of the current IPC namespace */
int cgroup_mount(struct kernel *k, struct super **out);
int overlay_mount(struct kernel *k, struct super *lower, struct super *upper_tmpfs, struct super **out);
struct gofer;
/* tree: number of the tree the gofer serves (0 is the root file system). exclusive: nobody else changes it, so the
 * cache is the truth */
int gofer_mount(struct kernel *k, struct gofer *g, int tree, bool exclusive, bool readonly, struct super **out);

/* Character devices by number: dev files created anywhere open through this. fs/dev registers. */
typedef int chrdev_open_fn(struct inode *i, struct file *f);
int chrdev_register(unsigned major, unsigned minor_first, unsigned minor_last, chrdev_open_fn *fn);
int chrdev_open(struct inode *i, struct file *f);
int devices_register(struct kernel *k);         /* fs/dev: the devices there are; called by vfs_init */
int fifo_open(struct inode *i, struct file *f); /* fs/pipe.c; parks until the other end is there */

/* Helpers that most in-memory file systems share */
struct timespec vfs_now(void);
off_t generic_llseek(struct file *f, off_t off, int whence);
off_t no_seek_end_llseek(struct file *f, off_t off, int whence); /* for files that have no end: SEEK_SET and SEEK_CUR */
/* anonymous files: eventfd, epoll, timerfd, …: "anon_inode:[name]" */
struct file *anon_file_new(struct kernel *k, const struct file_ops *ops, int flags, void *priv, const char *anon_name);
