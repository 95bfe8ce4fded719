/* sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2): through a buffer of the Sentry's. */
#include "../fs/pipe.h"
#include "../core/signal.h"
#include "../net/socket.h"
#include "path.h"

#define MAX_RW_COUNT_K (0x7fffffffl & ~0xfffl)
#define SPLICE_KNOWN (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)
#define CHUNK 65536u

static ssize_t kernel_rw(struct file *f, void *buf, size_t n, bool write, bool nonblock, off_t *pos) {
  struct uio u;
  struct iovec iov;
  uio_kernel(&u, &iov, buf, n);
  u.nonblock = nonblock;
  return write ? file_write(f, &u, pos) : file_read(f, &u, pos);
}

/*
 * From `in` at *ipos to `out` at *opos (NULL: its own position): what was read but could not be written is not
 * consumed. Stops at a signal once something was moved.
 */
static ssize_t copy_loop(struct task *t, struct file *in, off_t *ipos, struct file *out, off_t *opos, size_t count) {
  char *buf = vfs_scratch_get(t->k->vfs);
  ssize_t done = 0, r = 0;
  if (!buf)
    return -ENOMEM;
  while ((size_t)done < count) {
    size_t want = count - (size_t)done < CHUNK ? count - (size_t)done : CHUNK;
    off_t at = *ipos;
    ssize_t got = r = kernel_rw(in, buf, want, false, false, ipos);
    if (got <= 0)
      break;
    r = kernel_rw(out, buf, (size_t)got, true, false, opos);
    if (r < got) {
      *ipos = at + (r > 0 ? r : 0);
      if (in->ops->llseek && ipos == &in->pos)
        in->ops->llseek(in, *ipos, SEEK_SET); /* a host file's position is not ours alone */
    }
    if (r <= 0)
      break;
    done += r;
    if (r < got || signal_pending(t))
      break;
  }
  vfs_scratch_put(t->k->vfs, buf);
  return done ? done : r;
}

/* ---- between a pipe and another file ---- */

struct other {
  struct file *f;
  off_t *pos; /* NULL: its own */
  bool nonblock;
};

static ssize_t to_file(void *arg, const void *data, size_t n) {
  struct other *o = arg;
  return kernel_rw(o->f, (void *)(uintptr_t)data, n, true, o->nonblock, o->pos);
}
static ssize_t from_file(void *arg, void *buf, size_t n) {
  struct other *o = arg;
  return kernel_rw(o->f, buf, n, false, o->nonblock, o->pos);
}

SYSCALL_HANDLER(sendfile) {
  AUTO_FILE in = fd_file(t->files, (int)a[1]);
  AUTO_FILE out = fd_file(t->files, (int)a[0]);
  size_t count = a[3] < (uint64_t)MAX_RW_COUNT_K ? a[3] : (uint64_t)MAX_RW_COUNT_K;
  off_t off;
  if (!in || !file_can_read(in) || !out || !file_can_write(out))
    return -EBADF;
  if (a[2] && get_user(&off, a[2]))
    return -EFAULT;
  if (a[2] && off < 0)
    return -EINVAL;
  if (!in->ops->read || !out->ops->write || !in->inode || file_is_pipe(in) || S_ISDIR(in->inode->mode) ||
      (out->flags & O_APPEND))
    return -EINVAL;
  off_t *pos = a[2] ? &off : &in->pos;
  ssize_t r;
  if (file_is_pipe(out)) {
    struct other o = {.f = in, .pos = pos};
    r = pipe_splice_in(out, count, out->flags & O_NONBLOCK, from_file, &o);
  } else {
    r = copy_loop(t, in, pos, out, NULL, count);
  }
  if (r >= 0 && a[2] && put_user(a[2], &off))
    return -EFAULT;
  return r;
}

/* SPLICE_F_NONBLOCK is about the pipe; a socket asks its own O_NONBLOCK, which file_read() and file_write() look at. Only
 * AF_UNIX, when it is read, heeds both: unix_stream_splice_read(). */
static bool other_nonblock(struct file *f, bool nonblock, bool reads) {
  const struct socket *s = socket_from_file(f);
  return nonblock && (!s || (reads && s->family == AF_UNIX));
}

static int64_t do_splice(struct file *in, off_t *ipos, struct file *out, off_t *opos, size_t len, bool nonblock) {
  if (file_is_pipe(in) && file_is_pipe(out))
    return pipe_splice_pipe(in, out, len, nonblock || (in->flags & O_NONBLOCK) || (out->flags & O_NONBLOCK));
  if (file_is_pipe(in)) {
    if (out->flags & O_APPEND)
      return -EINVAL;
    struct other o = {.f = out, .pos = opos, .nonblock = other_nonblock(out, nonblock, false)};
    return pipe_splice_out(in, len, nonblock || (in->flags & O_NONBLOCK), to_file, &o);
  }
  struct other o = {.f = in, .pos = ipos, .nonblock = other_nonblock(in, nonblock, true)};
  return pipe_splice_in(out, len, nonblock || (out->flags & O_NONBLOCK), from_file, &o);
}

static bool can_pread(struct file *f) {
  return (f->fmode & FMODE_REG) || (f->ops->llseek ? f->ops->llseek(f, 0, SEEK_CUR) != -ESPIPE : f->inode != NULL);
}

SYSCALL_HANDLER(splice) {
  AUTO_FILE in = fd_file(t->files, (int)a[0]);
  AUTO_FILE out = fd_file(t->files, (int)a[2]);
  size_t len = a[4] < (uint64_t)MAX_RW_COUNT_K ? a[4] : (uint64_t)MAX_RW_COUNT_K;
  off_t ioff, ooff;
  if (!len)
    return 0;
  if (a[5] & ~(uint64_t)SPLICE_KNOWN)
    return -EINVAL;
  if (!in || !out || !file_can_read(in) || !file_can_write(out))
    return -EBADF;
  if (!file_is_pipe(in) && !file_is_pipe(out))
    return -EINVAL;
  if (!in->ops->read || !out->ops->write) /* directories, too */
    return -EINVAL;
  if ((a[1] && file_is_pipe(in)) || (a[3] && file_is_pipe(out)))
    return -ESPIPE;
  if ((a[1] && get_user(&ioff, a[1])) || (a[3] && get_user(&ooff, a[3])))
    return -EFAULT;
  if ((a[1] && (!can_pread(in) || ioff < 0)) || (a[3] && (!can_pread(out) || ooff < 0)))
    return -EINVAL;
  int64_t r = do_splice(in, a[1] ? &ioff : NULL, out, a[3] ? &ooff : NULL, len, a[5] & SPLICE_F_NONBLOCK);
  if (r > 0 && ((a[1] && put_user(a[1], &ioff)) || (a[3] && put_user(a[3], &ooff))))
    return -EFAULT;
  return r;
}

SYSCALL_HANDLER(tee) {
  AUTO_FILE in = fd_file(t->files, (int)a[0]);
  AUTO_FILE out = fd_file(t->files, (int)a[1]);
  if (a[3] & ~(uint64_t)SPLICE_KNOWN)
    return -EINVAL;
  if (!a[2])
    return 0;
  if (!in || !out || !file_can_read(in) || !file_can_write(out))
    return -EBADF;
  if (!file_is_pipe(in) || !file_is_pipe(out))
    return -EINVAL;
  bool nonblock = (a[3] & SPLICE_F_NONBLOCK) || ((in->flags | out->flags) & O_NONBLOCK);
  return pipe_tee(in, out, a[2] < (uint64_t)MAX_RW_COUNT_K ? a[2] : (uint64_t)MAX_RW_COUNT_K, nonblock);
}

/* Pages are not given away but copied, which the caller cannot tell but for what later writes to them would do. */
SYSCALL_HANDLER(vmsplice) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (a[3] & ~(uint64_t)SPLICE_KNOWN)
    return -EINVAL;
  if (!f || !file_is_pipe(f))
    return -EBADF;
  bool write = file_can_write(f);
  struct uio u;
  struct iovec fast[8];
  int64_t r = uio_user_vec(&u, fast, 8, a[1], a[2]);
  if (r)
    return r;
  u.nonblock = a[3] & SPLICE_F_NONBLOCK;
  r = !u.resid ? 0 : write ? file_write(f, &u, NULL) : file_read(f, &u, NULL);
  uio_done(&u, fast);
  return r;
}

/* generic_copy_file_checks(): *len is cut to what there is to copy. */
static int check_copy(struct file *in, struct file *out, off_t ioff, off_t ooff, size_t *len) {
  if (!in->inode || !out->inode)
    return -EINVAL;
  if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
    return -EISDIR;
  if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
    return -EINVAL;
  if (!file_can_read(in) || !file_can_write(out) || (out->flags & O_APPEND))
    return -EBADF;
  uint64_t from = (uint64_t)ioff, to = (uint64_t)ooff, end;
  if (__builtin_add_overflow(from, *len, &end) || __builtin_add_overflow(to, *len, &end))
    return -EOVERFLOW;
  if (ioff < 0 || ooff < 0)
    return -EINVAL;
  if (in->inode != out->inode)
    return 0;
  uint64_t size = (uint64_t)in->inode->size, left = from < size ? size - from : 0;
  *len = *len < left ? *len : left;
  return to + *len > from && to < from + *len ? -EINVAL : 0;
}

SYSCALL_HANDLER(copy_file_range) {
  AUTO_FILE in = fd_file(t->files, (int)a[0]);
  AUTO_FILE out = fd_file(t->files, (int)a[2]);
  if (!in || !out)
    return -EBADF;
  off_t ioff = in->pos, ooff = out->pos;
  if ((a[1] && get_user(&ioff, a[1])) || (a[3] && get_user(&ooff, a[3])))
    return -EFAULT;
  if (a[5])
    return -EINVAL;
  size_t len = a[4] < (uint64_t)MAX_RW_COUNT_K ? a[4] : (uint64_t)MAX_RW_COUNT_K;
  int64_t r = check_copy(in, out, ioff, ooff, &len);
  if (r)
    return r;
  r = copy_loop(t, in, a[1] ? &ioff : &in->pos, out, a[3] ? &ooff : &out->pos, len);
  if (r <= 0)
    return r;
  if ((a[1] && put_user(a[1], &ioff)) || (a[3] && put_user(a[3], &ooff)))
    return -EFAULT;
  return r;
}
