/* open(2), openat2(2), close(2), close_range(2), dup(2), lseek(2). */
#include "path.h"
#include <limits.h>
#include <linux/openat2.h>

#define OPEN_FLAGS_KNOWN                                                                                               \
  (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | \
   GUEST_O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)

static int64_t do_open(struct task *t, int dfd, uint64_t uname, const struct open_how_k *how) {
  int err = 0;
  AUTO_NAME name = getname_user(uname, &err);
  if (!name)
    return err;
  struct fdtable *files = t->files;
  int fd = fd_reserve(files, 0, how->flags & O_CLOEXEC);
  if (fd < 0)
    return fd;
  AUTO_FILE f = NULL;
  err = vfs_open(t, dfd, name, how, &f);
  if (err) {
    fd_unreserve(files, fd);
    return err;
  }
  fd_fill(files, fd, f);
  return fd;
}

/* open(2) ignores flags it does not know, and the mode where nothing is made. */
static int64_t open_flags(struct task *t, int dfd, uint64_t uname, int flags, uint64_t mode) {
  struct open_how_k how = {.flags = flags & OPEN_FLAGS_KNOWN, .mode = (uint32_t)mode & 07777};
  return do_open(t, dfd, uname, &how);
}

SYSCALL_HANDLER(open) {
  return open_flags(t, AT_FDCWD, a[0], (int)a[1], a[2]);
}
SYSCALL_HANDLER(openat) {
  return open_flags(t, (int)a[0], a[1], (int)a[2], a[3]);
}
SYSCALL_HANDLER(creat) {
  return open_flags(t, AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]);
}

/* Structures that grow: shorter is an error below the first version, longer must be zero behind what is known. */
static int copy_how(struct open_how *h, uint64_t src, size_t size) {
  char rest[256];
  if (size < sizeof *h)
    return -EINVAL;
  if (size > PAGE_SIZE)
    return -E2BIG;
  if (copy_from_user(h, src, sizeof *h))
    return -EFAULT;
  for (size_t at = sizeof *h; at < size;) {
    size_t n = size - at < sizeof rest ? size - at : sizeof rest;
    if (copy_from_user(rest, src + at, n))
      return -EFAULT;
    for (size_t i = 0; i < n; i++)
      if (rest[i])
        return -E2BIG;
    at += n;
  }
  return 0;
}

static int check_how(const struct open_how *h) {
  const uint64_t resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |
                           RESOLVE_IN_ROOT | RESOLVE_CACHED;
  const uint64_t with_opath = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  bool makes = (h->flags & O_CREAT) || (h->flags & O_TMPFILE & ~(uint64_t)O_DIRECTORY);
  if (h->flags & ~(uint64_t)OPEN_FLAGS_KNOWN || h->resolve & ~resolve)
    return -EINVAL;
  if ((h->resolve & RESOLVE_BENEATH) && (h->resolve & RESOLVE_IN_ROOT))
    return -EINVAL;
  if (h->mode & ~07777ull || (h->mode && !makes))
    return -EINVAL;
  if ((h->flags & O_PATH) && h->flags & ~with_opath)
    return -EINVAL;
  /* Whether a walk would have to ask a file system is not known beforehand: the caller tries again without. */
  return h->resolve & RESOLVE_CACHED ? -EAGAIN : 0;
}

SYSCALL_HANDLER(openat2) {
  struct open_how h;
  int r = copy_how(&h, a[2], a[3]);
  if (!r)
    r = check_how(&h);
  if (r)
    return r;
  struct open_how_k how = {.flags = (int)h.flags, .mode = (uint32_t)h.mode};
  how.lookup = (h.resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0) | (h.resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0) |
               (h.resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0) |
               (h.resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0) |
               (h.resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0);
  return do_open(t, (int)a[0], a[1], &how);
}

/* A restart would close a descriptor that may be somebody else's by then: close(2) says EINTR. */
SYSCALL_HANDLER(close) {
  int r = fd_close(t->files, (int)a[0]);
  return r == -ERESTARTSYS || r == -ERESTARTNOINTR || r == -ERESTARTNOHAND ? -EINTR : r;
}

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif

SYSCALL_HANDLER(close_range) {
  unsigned first = (unsigned)a[0], last = (unsigned)a[1], flags = (unsigned)a[2];
  if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
    return -EINVAL;
  if ((flags & CLOSE_RANGE_UNSHARE) && t->files->ref.n > 1) {
    struct fdtable *own = fdtable_dup(t->files), *old = t->files;
    if (!own)
      return -ENOMEM;
    t->files = own;
    fdtable_put(old);
  }
  struct fdtable *files = t->files;
  for (unsigned fd = first; fd <= last && fd < (unsigned)files->cap; fd++) {
    if (flags & CLOSE_RANGE_CLOEXEC)
      fd_set_cloexec(files, (int)fd, true);
    else
      fd_close(files, (int)fd);
  }
  return 0;
}

SYSCALL_HANDLER(dup) {
  AUTO_FILE f = fd_file_raw(t->files, (int)a[0]);
  return f ? fd_install(t->files, f, 0, false) : -EBADF;
}

static int64_t dup_to(struct task *t, int fd, int newfd, bool cloexec) {
  AUTO_FILE f = fd_file_raw(t->files, fd);
  return f ? fd_dup_to(t->files, f, newfd, cloexec) : -EBADF;
}

SYSCALL_HANDLER(dup2) {
  if ((int)a[0] == (int)a[1]) {
    AUTO_FILE f = fd_file_raw(t->files, (int)a[0]);
    return f ? (int)a[0] : -EBADF;
  }
  return dup_to(t, (int)a[0], (int)a[1], false);
}

SYSCALL_HANDLER(dup3) {
  int flags = (int)a[2];
  if (flags & ~O_CLOEXEC || (int)a[0] == (int)a[1])
    return -EINVAL;
  return dup_to(t, (int)a[0], (int)a[1], flags & O_CLOEXEC);
}

SYSCALL_HANDLER(lseek) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  int whence = (int)a[2];
  if (whence < SEEK_SET || whence > SEEK_HOLE)
    return -EINVAL;
  if (!f->ops->llseek && !f->inode)
    return -ESPIPE;
  off_t (*op)(struct file *, off_t, int) = f->ops->llseek ? f->ops->llseek : generic_llseek;
  bool lock = f->fmode & FMODE_ATOMIC_POS;
  if (lock)
    fmutex_lock(&f->pos_lock);
  off_t r = op(f, (off_t)a[1], whence);
  if (lock)
    fmutex_unlock(&f->pos_lock);
  return r;
}
