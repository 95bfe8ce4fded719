/*
 * The open file description and the descriptor table. Every file system, pipe, socket and anonymous inode implements
 * struct file_ops; core/ and syscalls/ know nothing more of them.
 */
#pragma once
#include "ref.h"
#include "uio.h"
#include "wait.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/stat.h>

struct file;
struct task;
struct dentry;
struct mount;
struct inode;
struct pipe;
struct sbuf;

/* Directory reading: emit() returns false when the caller's buffer is full; the entry was then not taken. */
struct dir_ctx {
  bool (*emit)(struct dir_ctx *d, const char *name, size_t len, int64_t next_pos, uint64_t ino, unsigned char dtype);
};

struct file_ops {
  const char *name; /* "pipe", "tmpfs", …: for logs */
  /* What mmap() below gives may have to be read from a disk or a network when touched (files of the gofer's), unlike
   * memfds. */
  bool may_block_mmap;
  bool secret; /* memfd_secret(2): only shared mappings, locked, closed to other processes and debuggers */
  /* pos: where; the operation advances *pos. &f->pos itself when the call uses the shared position. Files that do not
   * seek ignore it. NULL op: -EINVAL. Both may park; with u->nonblock they return -EAGAIN instead. A count, 0 for end
   * of file, or -errno; short counts as in Linux. */
  ssize_t (*read)(struct file *f, struct uio *u, off_t *pos);
  ssize_t (*write)(struct file *f, struct uio *u, off_t *pos);
  /* The EPOLL* bits that hold now. NULL: always EPOLLIN|EPOLLOUT|EPOLLRDNORM|EPOLLWRNORM. */
  uint32_t (*poll)(struct file *f);
  /* arg is the raw argument; guest memory through uaccess.h. NULL: -ENOTTY. */
  long (*ioctl)(struct file *f, unsigned cmd, uint64_t arg);
  /* NULL: generic_llseek on inode size if the file has an inode, else -ESPIPE. */
  off_t (*llseek)(struct file *f, off_t off, int whence);
  /* Directories. Starts at f->pos, leaves f->pos behind the last entry taken. */
  int (*iterate)(struct file *f, struct dir_ctx *d);
  /*
   * The host descriptor to map [off, off+len) of, borrowed, valid while the file is open. prot/flags as given to mmap;
   * *host_off is where in it (usually off). -ENODEV if it cannot be mapped; MMAP_ANON if the mapping is to be plain
   * anonymous memory (/dev/zero).
   */
  int (*mmap)(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off);
  int (*fsync)(struct file *f, bool datasync);
  int (*fallocate)(struct file *f, int mode, off_t off, off_t len);
  /* F_SETFL changed f->flags (O_ASYNC, O_DIRECT, …); -errno refuses. */
  int (*setfl)(struct file *f, int flags);
  /* close(2) of one descriptor (not the last reference): flock and POSIX locks are handled by the VFS. */
  int (*flush)(struct file *f);
  /* open() of /proc/PID/fd/N where the file has no dentry (pipes, host descriptors): another open file on the same
   * object; flags as of open(2). NULL: -ENXIO, as for sockets. */
  int (*reopen)(struct file *f, int flags, struct file **out);
  /* What /proc/PID/fdinfo/N shows of it beside the common lines; NULL: nothing. fs/sbuf.h */
  void (*fdinfo)(struct file *f, struct sbuf *b);
  /* The last reference is gone. */
  void (*release)(struct file *f);
};
#define MMAP_ANON (-1000000) /* from file_ops.mmap */

struct file {
  ref_t ref;
  const struct file_ops *ops;
  int flags; /* O_ACCMODE and status flags; no creation flags */
  off_t pos;
  struct fmutex pos_lock; /* held over read/write with the shared position */
  struct waitq *wq;       /* the object's wait queue, for poll and epoll; NULL if it is always ready */
  void *priv;             /* the implementation's */
  struct mount *mnt;      /* NULL for anonymous files; counted */
  struct dentry *dentry;  /* NULL for anonymous files; counted */
  struct inode *inode;    /* borrowed from dentry, or counted by the anonymous file's owner; may be NULL */
  const char *anon_name;  /* what /proc/PID/fd shows without a dentry: "pipe:[N]", "anon_inode:[eventpoll]"; owned by
                             priv or static */
  uint64_t anon_ino;      /* st_ino and the N of the above */
  uint32_t anon_uid, anon_gid;    /* of a file without an inode: fsuid and fsgid of who made it, for pipes and sockets */
  struct epitem_list *epitems;    /* fs/epoll.c's: who watches this file */
  int owner_pid, owner_sig;       /* F_SETOWN (a number of the initial pid namespace), F_SETSIG */
  uint32_t owner_uid, owner_euid; /* who called F_SETOWN */
  struct fasync *fasync;          /* core/fasync.c: O_ASYNC is on */
  void *locks;                    /* fs/locks.c's */
  unsigned fmode;                 /* FMODE_*: set by the VFS when it opens */
};
#define FMODE_ATOMIC_POS                                                                                               \
  1u                 /* regular files and directories: pos_lock is held over reads and writes at the shared position */
#define FMODE_REG 2u /* a regular file: RLIMIT_FSIZE, set-id bits are dropped by writes */
#define FMODE_WRITER 4u    /* counted in inode->write_count */
#define FMODE_READER 128u  /* counted in inode->read_count */
#define FMODE_EXEC 8u      /* opened for execution: denies writers (ETXTBSY) while it is open */
#define FMODE_NOCMTIME 16u /* reserved */
#define FMODE_NOTRUNCATE 256u /* ftruncate(2) is refused: fs/landlock_check.c */
#define FMODE_OPENED 64u   /* counted in inode->opens */
#define FMODE_UNMOUNT 32u  /* of open_tree(2), fsmount(2): with it goes the tree, if that was not moved anywhere */

struct file *file_new(const struct file_ops *ops, int flags, void *priv); /* NULL: no memory */
static inline struct file *file_get(struct file *f) {
  ref_get(&f->ref);
  return f;
}
void file_put(struct file *f); /* may park (release) when it is the last one */

struct fdtable;
/* Hooks that the VFS sets so that core/ can drop what it does not know. Called by file_put before freeing. */
extern void (*file_vfs_release)(struct file *f); /* after ops->release: dentry, mount, locks */
extern void (*file_vfs_close)(struct file *f,
                              struct fdtable *t); /* a descriptor of t was closed: POSIX locks; f->inode is set */
extern int (*file_vfs_write_prepare)(struct file *f, struct uio *u, off_t pos); /* FMODE_REG: limits, set-id bits */
extern void (*file_vfs_done)(struct file *f, bool wrote); /* a read or write took place: inotify */
extern void (*file_epoll_release)(struct file *f);        /* f->epitems is set: fs/epoll.c forgets the file */

static inline bool file_can_read(const struct file *f) {
  int m = f->flags & O_ACCMODE; /* 3 is neither: only ioctl, see open(2) */
  return (m == O_RDONLY || m == O_RDWR) && !(f->flags & O_PATH);
}
static inline bool file_can_write(const struct file *f) {
  int m = f->flags & O_ACCMODE;
  return (m == O_WRONLY || m == O_RDWR) && !(f->flags & O_PATH);
}
/* read/write with the checks of vfs_read/vfs_write (mode, limits) done and the position handled. pos NULL: the file's
 * own. */
ssize_t file_read(struct file *f, struct uio *u, off_t *pos);
ssize_t file_write(struct file *f, struct uio *u, off_t *pos);
uint32_t file_poll(struct file *f);
/* F_SETOWN and F_GETOWN: a pid, or a process group below zero, as t sees them. 0, -ESRCH, -EINVAL. */
int file_set_owner(struct task *t, struct file *f, int who);
int file_owner_here(const struct task *t, const struct file *f);
/* SIGURG to whoever F_SETOWN named. */
void file_signal_urgent(const struct file *f);
/* O_ASYNC was set or cleared through descriptor fd: SIGIO to the owner when f->wq is woken. 0 or -ENOMEM. */
int file_set_async(struct file *f, int fd, bool on);
/* send_sigio() of Linux: F_SETSIG's signal, or SIGIO, to whom F_SETOWN named; code: POLL_IN and so on. */
void file_signal_owner(const struct file *f, int fd, int code, uint32_t events);

/* ---- descriptor table (files_struct) ---- */
struct fdtable {
  ref_t ref;
  int cap;  /* allocated entries */
  int next; /* lowest that may be free */
  struct fdent {
    struct file *file; /* counted */
    bool cloexec;
    bool reserved; /* by fd_reserve */
  } * ent;
};

struct fdtable *fdtable_new(void);
struct fdtable *fdtable_dup(const struct fdtable *t); /* fork without CLONE_FILES */
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* closes everything with the last reference; may park */
/* Install f (takes its own reference) at the lowest free number >= min. The number; -EMFILE by RLIMIT_NOFILE of the
 * current task. */
int fd_install(struct fdtable *t, struct file *f, int min, bool cloexec);
/* The lowest free one is reserved and returned, for calls that must not fail after side effects; fill with fd_fill or
 * fd_unreserve. */
int fd_reserve(struct fdtable *t, int min, bool cloexec);
void fd_fill(struct fdtable *t, int fd, struct file *f);
void fd_unreserve(struct fdtable *t, int fd);
struct file *fd_file(struct fdtable *t, int fd);     /* counted; NULL: -EBADF. O_PATH files are not returned */
struct file *fd_file_raw(struct fdtable *t, int fd); /* counted; O_PATH files too */
int fd_close(struct fdtable *t, int fd);             /* 0 or -EBADF; result of flush */
int fd_dup_to(struct fdtable *t, struct file *f, int newfd, bool cloexec); /* dup2: closes what was there */
void fdtable_close_cloexec(struct fdtable *t);                             /* exec */
bool fd_get_cloexec(const struct fdtable *t, int fd);
int fd_set_cloexec(struct fdtable *t, int fd, bool on); /* 0 or -EBADF */

/* For __attribute__((cleanup)). */
static inline void file_putp(struct file **f) {
  if (*f)
    file_put(*f);
}
#define AUTO_FILE __attribute__((cleanup(file_putp))) struct file *
