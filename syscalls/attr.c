/* chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2). */
#include "../fs/landlock.h"
#include "path.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/time.h>
#include <utime.h>

static unsigned lookup_flags(int at) {
  return (at & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (at & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

/* ---- mode ---- */

static int64_t do_chmod(struct task *t, int dfd, uint64_t uname, uint64_t mode, int at) {
  AUTO_PATH p = {0};
  struct iattr ia = {.valid = ATTR_MODE, .mode = (uint32_t)mode & 07777};
  int r = vfs_lookup_user(t, dfd, uname, lookup_flags(at), &p);
  return r ? r : vfs_setattr(t, &p, &ia, 0);
}
SYSCALL_HANDLER(chmod) {
  return do_chmod(t, AT_FDCWD, a[0], a[1], 0);
}
SYSCALL_HANDLER(fchmodat) {
  return do_chmod(t, (int)a[0], a[1], a[2], 0);
}
SYSCALL_HANDLER(fchmodat2) {
  if ((int)a[3] & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
    return -EINVAL;
  return do_chmod(t, (int)a[0], a[1], a[2], (int)a[3]);
}

/* On an open file. Of those without a path (pipes, sockets) nobody sees mode and owner but by fstat, which shows the
 * usual. */
static int64_t fd_setattr(struct task *t, int fd, struct iattr *ia) {
  AUTO_FILE f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  if (!f->dentry)
    return 0;
  struct path p = file_path(f);
  return vfs_setattr(t, &p, ia, 0);
}

SYSCALL_HANDLER(fchmod) {
  struct iattr ia = {.valid = ATTR_MODE, .mode = (uint32_t)a[1] & 07777};
  return fd_setattr(t, (int)a[0], &ia);
}

/* ---- owner ---- */

/* -EINVAL for an id that the caller's user namespace has none for. */
static int owner_attr(uint64_t uid, uint64_t gid, struct iattr *ia) {
  const struct user_namespace *u = current_user_ns_borrow();
  *ia = (struct iattr){.uid = make_kuid(u, (uint32_t)uid), .gid = make_kgid(u, (uint32_t)gid)};
  if ((uint32_t)uid != UINT32_MAX)
    ia->valid |= ATTR_UID;
  if ((uint32_t)gid != UINT32_MAX)
    ia->valid |= ATTR_GID;
  bool bad = ((ia->valid & ATTR_UID) && ia->uid == INVALID_ID) || ((ia->valid & ATTR_GID) && ia->gid == INVALID_ID);
  return bad ? -EINVAL : 0;
}

static int64_t do_chown(struct task *t, int dfd, uint64_t uname, uint64_t uid, uint64_t gid, int at) {
  AUTO_PATH p = {0};
  struct iattr ia;
  int r = vfs_lookup_user(t, dfd, uname, lookup_flags(at), &p);
  if (!r)
    r = owner_attr(uid, gid, &ia);
  return r ? r : vfs_setattr(t, &p, &ia, 0);
}
SYSCALL_HANDLER(chown) {
  return do_chown(t, AT_FDCWD, a[0], a[1], a[2], 0);
}
SYSCALL_HANDLER(lchown) {
  return do_chown(t, AT_FDCWD, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW);
}
SYSCALL_HANDLER(fchownat) {
  if ((int)a[4] & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
    return -EINVAL;
  return do_chown(t, (int)a[0], a[1], a[2], a[3], (int)a[4]);
}
SYSCALL_HANDLER(fchown) {
  struct iattr ia;
  int r = owner_attr(a[1], a[2], &ia);
  return r ? r : fd_setattr(t, (int)a[0], &ia);
}

/* ---- times ---- */

/* ts NULL: both now. Fills the attributes and what is to be now. */
static int times_attr(const struct timespec *ts, struct iattr *ia, unsigned *now) {
  static const unsigned bit[2] = {ATTR_ATIME, ATTR_MTIME};
  *ia = (struct iattr){0};
  *now = 0;
  if (!ts) {
    *now = ATTR_ATIME | ATTR_MTIME;
    return 0;
  }
  for (int i = 0; i < 2; i++) {
    if (ts[i].tv_nsec == UTIME_OMIT)
      continue;
    if (ts[i].tv_nsec == UTIME_NOW) {
      *now |= bit[i];
      continue;
    }
    if (ts[i].tv_nsec < 0 || ts[i].tv_nsec > 999999999)
      return -EINVAL;
    ia->valid |= bit[i];
    *(i ? &ia->mtime : &ia->atime) = ts[i];
  }
  return 0;
}

static int64_t do_utimes(struct task *t, int dfd, uint64_t uname, const struct timespec *ts, int at) {
  struct iattr ia;
  unsigned now;
  AUTO_PATH p = {0};
  int r = times_attr(ts, &ia, &now);
  if (r)
    return r;
  if (!uname && dfd != AT_FDCWD) { /* futimens(3) */
    AUTO_FILE f = fd_file(t->files, dfd);
    if (at)
      return -EINVAL;
    if (!f)
      return -EBADF;
    r = vfs_file_path(f, &p);
  } else {
    r = vfs_lookup_user(t, dfd, uname, lookup_flags(at), &p);
  }
  if (r || (!ia.valid && !now)) /* both omitted: nothing is checked, utimensat(2) */
    return r;
  return vfs_setattr(t, &p, &ia, now);
}

SYSCALL_HANDLER(utimensat) {
  struct timespec ts[2];
  if ((int)a[3] & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
    return -EINVAL;
  if (a[2]) {
    if (copy_from_user(ts, a[2], sizeof ts))
      return -EFAULT;
    if (ts[0].tv_nsec == UTIME_OMIT && ts[1].tv_nsec == UTIME_OMIT)
      return 0;
  }
  return do_utimes(t, (int)a[0], a[1], a[2] ? ts : NULL, (int)a[3]);
}

static int64_t utimes_call(struct task *t, int dfd, uint64_t uname, uint64_t utv) {
  struct timeval tv[2];
  struct timespec ts[2];
  if (utv && copy_from_user(tv, utv, sizeof tv))
    return -EFAULT;
  for (int i = 0; utv && i < 2; i++) {
    if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
      return -EINVAL;
    ts[i] = (struct timespec){tv[i].tv_sec, tv[i].tv_usec * 1000};
  }
  return do_utimes(t, dfd, uname, utv ? ts : NULL, 0);
}
SYSCALL_HANDLER(utimes) {
  return utimes_call(t, AT_FDCWD, a[0], a[1]);
}
SYSCALL_HANDLER(futimesat) {
  return utimes_call(t, (int)a[0], a[1], a[2]);
}

SYSCALL_HANDLER(utime) {
  struct utimbuf b;
  if (a[1] && copy_from_user(&b, a[1], sizeof b))
    return -EFAULT;
  struct timespec ts[2] = {{.tv_sec = a[1] ? b.actime : 0}, {.tv_sec = a[1] ? b.modtime : 0}};
  return do_utimes(t, AT_FDCWD, a[0], a[1] ? ts : NULL, 0);
}

/* ---- size ---- */

SYSCALL_HANDLER(truncate) {
  AUTO_PATH p = {0};
  off_t len = (off_t)a[1];
  if (len < 0)
    return -EINVAL;
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], LOOKUP_FOLLOW, &p);
  if (r)
    return r;
  struct inode *i = p.dentry->inode;
  if (S_ISDIR(i->mode))
    return -EISDIR;
  if (!S_ISREG(i->mode))
    return -EINVAL;
  r = vfs_permission(t, p.mnt, i, W_OK);
  if (!r)
    r = landlock_path(t->cred, &p, LANDLOCK_ACCESS_FS_TRUNCATE_K);
  return r ? r : vfs_truncate(t, &p, len);
}

SYSCALL_HANDLER(ftruncate) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if ((off_t)a[1] < 0)
    return -EINVAL;
  if (!f)
    return -EBADF;
  if (!f->dentry || !S_ISREG(f->inode->mode) || !file_can_write(f))
    return -EINVAL;
  if (f->fmode & FMODE_NOTRUNCATE)
    return -EACCES;
  struct path p = file_path(f);
  return vfs_truncate(t, &p, (off_t)a[1]);
}

SYSCALL_HANDLER(fallocate) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  int mode = (int)a[1];
  off_t off = (off_t)a[2], len = (off_t)a[3], end;
  if (!f)
    return -EBADF;
  if (off < 0 || len <= 0)
    return -EINVAL;
  if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE |
               FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
    return -EOPNOTSUPP;
  if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
    return -EOPNOTSUPP;
  if (!file_can_write(f))
    return -EBADF;
  if (!f->inode || S_ISFIFO(f->inode->mode))
    return -ESPIPE;
  if (S_ISDIR(f->inode->mode))
    return -EISDIR;
  if (!S_ISREG(f->inode->mode))
    return -ENODEV;
  if ((f->inode->iflags & FS_IMMUTABLE_FL) || ((f->inode->iflags & FS_APPEND_FL) && (mode & ~FALLOC_FL_KEEP_SIZE)))
    return -EPERM;
  if (__builtin_add_overflow(off, len, &end))
    return -EFBIG;
  if (!(mode & FALLOC_FL_KEEP_SIZE) && end > f->inode->size && (uint64_t)end > task_rlimit(t, RLIMIT_FSIZE)) {
    send_signal_task(t, SIGXFSZ, NULL);
    return -EFBIG;
  }
  return f->ops->fallocate ? f->ops->fallocate(f, mode, off, len) : -EOPNOTSUPP;
}
