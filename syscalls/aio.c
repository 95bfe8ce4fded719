/*
 * Linux AIO: io_setup(2), io_submit(2) and relatives. Reads, writes and syncs are done when they are submitted, as
 * Linux does for all but direct I/O; polls complete later.
 */
#include "../fs/aio.h"
#include "../core/signal.h"
#include "../core/timers.h"
#include "../fs/anon.h"
#include "path.h"
#include <limits.h>

#define FAST_IOV 8
#define IOCB_FLAG_IOPRIO_K 2u
#define RWF_KNOWN_AIO (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

SYSCALL_HANDLER(io_setup) {
  uint64_t id;
  unsigned nr = (unsigned)a[0];
  if (get_user(&id, a[1]))
    return -EFAULT;
  if (id || !nr)
    return -EINVAL;
  int r = aio_setup(t, nr, &id);
  if (r)
    return r;
  if (put_user(a[1], &id)) {
    aio_destroy(t, id);
    return -EFAULT;
  }
  return 0;
}

SYSCALL_HANDLER(io_destroy) {
  return aio_destroy(t, a[0]);
}

static int prepare_rw(struct file *f, const struct iocb *cb, bool write) {
  if (!(write ? file_can_write(f) : file_can_read(f)))
    return -EBADF;
  if (!(write ? f->ops->write != NULL : f->ops->read != NULL))
    return -EINVAL;
  if (cb->aio_rw_flags & ~(unsigned)RWF_KNOWN_AIO)
    return -EOPNOTSUPP;
  return cb->aio_offset < 0 ? -EINVAL : 0;
}

/* *res is the request's result; the return value is the call's own error. */
static int do_rw(struct file *f, const struct iocb *cb, bool write, bool vec, __s64 *res) {
  struct uio u;
  struct iovec fast[FAST_IOV];
  int r = prepare_rw(f, cb, write);
  if (!r)
    r = vec ? uio_user_vec(&u, fast, FAST_IOV, cb->aio_buf, cb->aio_nbytes)
            : uio_user(&u, fast, cb->aio_buf, cb->aio_nbytes);
  if (r)
    return r;
  u.rwf = (int)cb->aio_rw_flags;
  u.nonblock = u.rwf & RWF_NOWAIT;
  off_t pos = cb->aio_offset;
  *res = write ? file_write(f, &u, &pos) : file_read(f, &u, &pos);
  bool full = (u.rwf & RWF_SYNC) || (f->flags & O_SYNC) == O_SYNC, data = (u.rwf & RWF_DSYNC) || (f->flags & O_DSYNC);
  if (write && *res > 0 && (full || data) && f->ops->fsync) {
    int e = f->ops->fsync(f, !full);
    *res = e ? e : *res;
  }
  if (vec)
    uio_done(&u, fast);
  return 0;
}

static int do_sync(struct file *f, const struct iocb *cb, bool data, __s64 *res) {
  if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || !f->ops->fsync)
    return -EINVAL;
  *res = f->ops->fsync(f, data);
  return 0;
}

static int run(struct aio_ctx *c, struct file *f, const struct iocb *cb, struct io_event *ev, struct file *resfd) {
  int r;
  ev->res = 0;
  switch (cb->aio_lio_opcode) {
  case IOCB_CMD_PREAD:
  case IOCB_CMD_PREADV:
    r = do_rw(f, cb, false, cb->aio_lio_opcode == IOCB_CMD_PREADV, &ev->res);
    break;
  case IOCB_CMD_PWRITE:
  case IOCB_CMD_PWRITEV:
    r = do_rw(f, cb, true, cb->aio_lio_opcode == IOCB_CMD_PWRITEV, &ev->res);
    break;
  case IOCB_CMD_FSYNC:
  case IOCB_CMD_FDSYNC:
    r = do_sync(f, cb, cb->aio_lio_opcode == IOCB_CMD_FDSYNC, &ev->res);
    break;
  case IOCB_CMD_POLL:
    if ((uint16_t)cb->aio_buf != cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags)
      return -EINVAL;
    return aio_poll(c, f, (uint32_t)cb->aio_buf, ev, resfd); /* POLL* and EPOLL* bits are the same */
  default:
    return -EINVAL;
  }
  if (!r)
    aio_complete(c, ev, resfd);
  return r;
}

static int submit_checked(struct task *t, struct aio_ctx *c, const struct iocb *cb, uint64_t ucb) {
  AUTO_FILE f = fd_file(t->files, (int)cb->aio_fildes);
  AUTO_FILE resfd = NULL;
  struct io_event ev = {.data = cb->aio_data, .obj = ucb};
  uint32_t key = 0; /* KIOCB_KEY */
  if (!f)
    return -EBADF;
  if (cb->aio_flags & IOCB_FLAG_RESFD) {
    resfd = fd_file(t->files, (int)cb->aio_resfd);
    if (!resfd)
      return -EBADF;
    if (eventfd_add(resfd, 0))
      return -EINVAL;
  }
  if (put_user(ucb + offsetof(struct iocb, aio_key), &key))
    return -EFAULT;
  return run(c, f, cb, &ev, resfd);
}

static int submit_one(struct task *t, struct aio_ctx *c, uint64_t ucb) {
  struct iocb cb;
  if (get_user(&cb, ucb))
    return -EFAULT;
  if (cb.aio_reserved2 || (int64_t)cb.aio_nbytes < 0)
    return -EINVAL;
  int r = aio_reserve(c);
  if (r)
    return r;
  r = submit_checked(t, c, &cb, ucb);
  if (r)
    aio_unreserve(c);
  return r;
}

SYSCALL_HANDLER(io_submit) {
  long nr = (long)a[1], i;
  int r = 0;
  if (nr < 0)
    return -EINVAL;
  AUTO_AIO c = aio_find(t, a[0]);
  if (!c)
    return -EINVAL;
  if (nr > (long)aio_capacity(c))
    nr = (long)aio_capacity(c);
  for (i = 0; i < nr; i++) {
    uint64_t ucb;
    r = get_user(&ucb, a[2] + (uint64_t)i * sizeof ucb) ? -EFAULT : submit_one(t, c, ucb);
    if (r || t->killed)
      break;
  }
  return i ? i : r;
}

SYSCALL_HANDLER(io_cancel) {
  uint32_t key;
  if (get_user(&key, a[1] + offsetof(struct iocb, aio_key)))
    return -EFAULT;
  AUTO_AIO c = key ? NULL : aio_find(t, a[0]);
  return c ? aio_cancel(c, a[1]) : -EINVAL;
}

static int64_t get_events(struct task *t, const uint64_t a[6]) {
  struct timespec ts;
  long min = (long)a[1], nr = (long)a[2];
  int64_t deadline = NO_DEADLINE;
  if (a[4]) {
    if (get_user(&ts, a[4]))
      return -EFAULT;
    int64_t ns = timespec_ok(&ts) ? timespec_ns(&ts) : 0;
    deadline = ns ? deadline_after(ns) : 0;
  }
  AUTO_AIO c = aio_find(t, a[0]);
  if (!c || min > nr || min < 0)
    return -EINVAL;
  return aio_getevents(c, min, nr, a[3], deadline);
}

SYSCALL_HANDLER(io_getevents) {
  return get_events(t, a);
}

SYSCALL_HANDLER(io_pgetevents) {
  struct {
    uint64_t mask, size;
  } s;
  sigset64_t mask;
  if (a[5]) {
    if (get_user(&s, a[5]))
      return -EFAULT;
    if (s.mask) {
      if (s.size != sizeof mask)
        return -EINVAL;
      if (get_user(&mask, s.mask))
        return -EFAULT;
      signal_set_temp_mask(t, mask);
    }
  }
  int64_t r = get_events(t, a);
  return r == -EINTR ? -ERESTARTNOHAND : r;
}
