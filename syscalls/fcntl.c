/* fcntl(2), flock(2), and the requests of ioctl(2) that hold for every file. */
#include "../fs/fsnotify.h"
#include "../fs/pipe.h"
#include "path.h"
#include <asm/ioctls.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/file.h>

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)
#define F_DUPFD_QUERY_K 1027
#define F_SETOWN_EX_K 15
#define F_GETOWN_EX_K 16
#define F_GETOWNER_UIDS_K 17

static int64_t set_flags(struct task *t, struct file *f, int fd, int arg) {
  int flags = (f->flags & ~SETFL_MASK) | (arg & SETFL_MASK);
  if ((arg & O_NOATIME) && !(f->flags & O_NOATIME) && f->inode && t->cred->fsuid != f->inode->uid &&
      !cred_inode_cap(t->cred, f->inode->uid, f->inode->gid, 3 /* CAP_FOWNER */))
    return -EPERM;
  if (f->ops->setfl) {
    int r = f->ops->setfl(f, flags);
    if (r)
      return r;
  } else if ((arg & O_DIRECT) && !(f->flags & O_DIRECT) && !(f->fmode & FMODE_REG)) {
    return -EINVAL;
  }
  int r = (flags ^ f->flags) & O_ASYNC ? file_set_async(f, fd, flags & O_ASYNC) : 0;
  if (!r)
    f->flags = flags;
  return r;
}

static int64_t lock_call(struct task *t, struct file *f, int fd, int cmd, uint64_t ufl) {
  struct flock fl;
  if (copy_from_user(&fl, ufl, sizeof fl))
    return -EFAULT;
  int r = vfs_posix_lock(t, f, cmd, &fl);
  if (r)
    return r;
  if (cmd == F_GETLK || cmd == F_OFD_GETLK)
    return copy_to_user(ufl, &fl, sizeof fl);
  /* The descriptor may have been closed while this call waited: then its locks are gone, and so must this one be. */
  if (cmd == F_SETLKW && fl.l_type != F_UNLCK) {
    AUTO_FILE now = fd_file(t->files, fd);
    if (now != f) {
      fl.l_type = F_UNLCK;
      vfs_posix_lock(t, f, F_SETLK, &fl);
      return -EBADF;
    }
  }
  return 0;
}

struct owner_ex {
  int type, pid;
}; /* F_OWNER_TID 0, F_OWNER_PID 1, F_OWNER_PGRP 2 */

static int64_t owner_ex(struct task *t, struct file *f, int cmd, uint64_t uptr) {
  struct owner_ex o;
  if (cmd == F_GETOWN_EX_K) {
    int who = file_owner_here(t, f);
    o = (struct owner_ex){f->owner_pid < 0 ? 2 : 1, who < 0 ? -who : who};
    return put_user(uptr, &o);
  }
  if (get_user(&o, uptr))
    return -EFAULT;
  if (o.type < 0 || o.type > 2 || o.pid < 0)
    return -EINVAL;
  return file_set_owner(t, f, o.type == 2 ? -o.pid : o.pid);
}

static int64_t dup_fd(struct task *t, struct file *f, uint64_t min, bool cloexec) {
  if (min >= task_rlimit(t, RLIMIT_NOFILE) || min > INT_MAX)
    return -EINVAL;
  return fd_install(t->files, f, (int)min, cloexec);
}

/* The commands that O_PATH descriptors know too; 1 if it is none of them. */
static int64_t fcntl_any(struct task *t, struct file *f, int fd, int cmd, uint64_t arg) {
  switch (cmd) {
  case F_DUPFD:
  case F_DUPFD_CLOEXEC:
    return dup_fd(t, f, arg, cmd == F_DUPFD_CLOEXEC);
  case F_DUPFD_QUERY_K: {
    AUTO_FILE other = fd_file_raw(t->files, (int)arg);
    return other ? other == f : -EBADF;
  }
  case F_GETFD:
    return fd_get_cloexec(t->files, fd) ? FD_CLOEXEC : 0;
  case F_SETFD:
    return fd_set_cloexec(t->files, fd, arg & FD_CLOEXEC);
  case F_GETFL:
    return f->flags;
  default:
    return 1;
  }
}

static int64_t set_signal(struct file *f, uint64_t sig) {
  if (sig > NSIG_GUEST)
    return -EINVAL;
  f->owner_sig = (int)sig;
  return 0;
}

static int64_t fcntl_open(struct task *t, struct file *f, int fd, int cmd, uint64_t arg) {
  switch (cmd) {
  case F_SETFL:
    return set_flags(t, f, fd, (int)arg);
  case F_GETLK:
  case F_SETLK:
  case F_SETLKW:
  case F_OFD_GETLK:
  case F_OFD_SETLK:
  case F_OFD_SETLKW:
    return lock_call(t, f, fd, cmd, arg);
  case F_GETOWN:
    return file_owner_here(t, f);
  case F_SETOWN:
    return file_set_owner(t, f, (int)arg);
  case F_SETOWN_EX_K:
  case F_GETOWN_EX_K:
    return owner_ex(t, f, cmd, arg);
  case F_GETSIG:
    return f->owner_sig;
  case F_SETSIG:
    return set_signal(f, arg);
  case F_NOTIFY:
    return dnotify_set(t, f, fd, (unsigned long)arg);
  case F_GETLEASE:
    return vfs_getlease(f);
  case F_SETLEASE:
    return vfs_setlease(t, f, fd, (int)arg);
  case F_SETPIPE_SZ:
  case F_GETPIPE_SZ:
    return pipe_fcntl(f, cmd, arg);
  case F_ADD_SEALS:
    return tmpfs_add_seals(f, (unsigned)arg);
  case F_GET_SEALS:
    return tmpfs_get_seals(f);
  default:
    return -EINVAL;
  }
}

SYSCALL_HANDLER(fcntl) {
  int fd = (int)a[0], cmd = (int)a[1];
  AUTO_FILE f = fd_file_raw(t->files, fd);
  if (!f)
    return -EBADF;
  int64_t r = cmd == F_DUPFD_QUERY_K || cmd <= F_GETFL || cmd == F_DUPFD_CLOEXEC ? fcntl_any(t, f, fd, cmd, a[2]) : 1;
  if (r != 1 || cmd == F_DUPFD_QUERY_K || cmd == F_GETFD || cmd == F_GETFL || cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
    return r;
  return f->flags & O_PATH ? -EBADF : fcntl_open(t, f, fd, cmd, a[2]);
}

SYSCALL_HANDLER(flock) {
  int op = (int)a[1], kind = op & ~LOCK_NB;
  if (op & LOCK_MAND) /* share modes are gone from Linux, and asking for them does nothing */
    return 0;
  if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  return f ? vfs_flock(f, (int)a[1]) : -EBADF;
}

/* ---- ioctl ---- */

static int64_t ioctl_flag(struct file *f, int fd, uint64_t uarg, int flag) {
  int on;
  if (get_user(&on, uarg))
    return -EFAULT;
  int flags = on ? f->flags | flag : f->flags & ~flag;
  int r = flags != f->flags && f->ops->setfl ? f->ops->setfl(f, flags) : 0;
  if (!r && (flags ^ f->flags) & O_ASYNC)
    r = f->wq ? file_set_async(f, fd, flags & O_ASYNC) : -ENOTTY;
  if (!r)
    f->flags = flags;
  return r;
}

static int64_t ioctl_regular(struct file *f, unsigned cmd, uint64_t uarg) {
  if (cmd == FIBMAP) /* none of the file systems has blocks */
    return cred_has_cap(task_current()->cred, CAP_SYS_RAWIO) ? -EINVAL : -EPERM;
  if (cmd == FS_IOC_FIEMAP)
    return -EOPNOTSUPP;
  if (cmd == FIONREAD) {
    off_t left = f->inode->size - f->pos;
    int n = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
    return put_user(uarg, &n);
  }
  if (cmd == FIGETBSZ) {
    int n = 4096;
    return put_user(uarg, &n);
  }
  return -ENOTTY;
}

SYSCALL_HANDLER(ioctl) {
  int fd = (int)a[0];
  unsigned cmd = (unsigned)a[1];
  AUTO_FILE f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  switch (cmd) {
  case FIOCLEX:
  case FIONCLEX:
    return fd_set_cloexec(t->files, fd, cmd == FIOCLEX);
  case FIONBIO:
    return ioctl_flag(f, fd, a[2], O_NONBLOCK);
  case FIOASYNC:
    return ioctl_flag(f, fd, a[2], O_ASYNC);
  }
  int64_t r = f->ops->ioctl ? f->ops->ioctl(f, cmd, a[2]) : -ENOTTY;
  if (r == -ENOTTY && f->inode)
    r = vfs_ioctl_flags(t, f, cmd, a[2]);
  return r == -ENOTTY && (f->fmode & FMODE_REG) ? ioctl_regular(f, cmd, a[2]) : r;
}
