/* read(2), write(2) and their relatives. */
#include "path.h"
#include <limits.h>
#include <sys/uio.h>

#define FAST_IOV 8
#define RWF_NOAPPEND_K 0x20
#define RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND_K)

/* May f be read or written at a given position? */
static int check_seek(struct file *f) {
  if (f->fmode & FMODE_REG)
    return 0;
  if (!f->ops->llseek)
    return f->inode ? 0 : -ESPIPE;
  return f->ops->llseek(f, 0, SEEK_CUR) == -ESPIPE ? -ESPIPE : 0;
}

static ssize_t sync_after(struct file *f, const struct uio *u, ssize_t n) {
  bool full = (u->rwf & RWF_SYNC) || (f->flags & O_SYNC) == O_SYNC, data = (u->rwf & RWF_DSYNC) || (f->flags & O_DSYNC);
  if (n <= 0 || (!full && !data) || !f->ops->fsync)
    return n;
  int r = f->ops->fsync(f, !full);
  return r ? r : n;
}

static int64_t rw_uio(struct file *f, struct uio *u, bool write, off_t *pos) {
  if (!write)
    return file_read(f, u, pos);
  return sync_after(f, u, file_write(f, u, pos));
}

static int64_t rw_buffer(struct task *t, const uint64_t a[6], bool write, bool at) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f || !(write ? file_can_write(f) : file_can_read(f)))
    return at && f && check_seek(f) ? -ESPIPE : -EBADF;
  off_t pos = (off_t)a[3];
  if (at && pos < 0)
    return -EINVAL;
  if (at && check_seek(f))
    return -ESPIPE;
  struct uio u;
  struct iovec iov;
  int r = uio_user(&u, &iov, a[1], a[2]);
  return r ? r : rw_uio(f, &u, write, at ? &pos : NULL);
}

SYSCALL_HANDLER(read) {
  return rw_buffer(t, a, false, false);
}
SYSCALL_HANDLER(write) {
  return rw_buffer(t, a, true, false);
}
SYSCALL_HANDLER(pread64) {
  return rw_buffer(t, a, false, true);
}
SYSCALL_HANDLER(pwrite64) {
  return rw_buffer(t, a, true, true);
}

static int set_rwf(struct file *f, struct uio *u, int rwf, bool write) {
  if (rwf & ~RWF_KNOWN)
    return -EOPNOTSUPP;
  if ((rwf & RWF_APPEND) && (rwf & RWF_NOAPPEND_K))
    return -EINVAL;
  if (!write && (rwf & (RWF_APPEND | RWF_NOAPPEND_K)))
    rwf &= ~(RWF_APPEND | RWF_NOAPPEND_K);
  u->rwf = rwf;
  if (rwf & RWF_NOWAIT)
    u->nonblock = true;
  (void)f;
  return 0;
}

static int64_t rw_vector(struct task *t, const uint64_t a[6], bool write, bool at, int rwf) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  off_t pos = (off_t)a[3];
  if (at && pos < 0)
    return -EINVAL;
  if (!f || !(write ? file_can_write(f) : file_can_read(f)))
    return -EBADF;
  if (at && check_seek(f))
    return -ESPIPE;
  struct uio u;
  struct iovec fast[FAST_IOV];
  int64_t r = uio_user_vec(&u, fast, FAST_IOV, a[1], a[2]);
  if (r)
    return r;
  r = set_rwf(f, &u, rwf, write);
  if (!r)
    r = rw_uio(f, &u, write, at ? &pos : NULL);
  uio_done(&u, fast);
  return r;
}

SYSCALL_HANDLER(readv) {
  return rw_vector(t, a, false, false, 0);
}
SYSCALL_HANDLER(writev) {
  return rw_vector(t, a, true, false, 0);
}
SYSCALL_HANDLER(preadv) {
  return rw_vector(t, a, false, true, 0);
}
SYSCALL_HANDLER(pwritev) {
  return rw_vector(t, a, true, true, 0);
}
/* Position -1 is the file's own. */
SYSCALL_HANDLER(preadv2) {
  return rw_vector(t, a, false, (int64_t)a[3] != -1, (int)a[5]);
}
SYSCALL_HANDLER(pwritev2) {
  return rw_vector(t, a, true, (int64_t)a[3] != -1, (int)a[5]);
}
