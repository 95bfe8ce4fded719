#include "anon.h"
#include "../core/errno.h"
#include "sbuf.h"
#include "vfs.h"
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct eventfd {
  struct waitq wq;
  uint64_t count; /* at most UINT64_MAX - 1 */
  bool semaphore;
};

static ssize_t event_read(struct file *f, struct uio *u, off_t *pos) {
  struct eventfd *e = f->priv;
  if (u->resid < sizeof(uint64_t))
    return -EINVAL;
  while (!e->count) {
    if (u->nonblock)
      return -EAGAIN;
    int r = task_wait(&e->wq, EPOLLIN, NO_DEADLINE);
    if (r && !e->count)
      return r;
  }
  uint64_t v = e->semaphore ? 1 : e->count;
  e->count -= v;
  waitq_wake(&e->wq, EPOLLOUT | EPOLLWRNORM);
  ssize_t n = uio_copy_to(u, &v, sizeof v);
  return n == sizeof v ? n : -EFAULT;
}

static ssize_t event_write(struct file *f, struct uio *u, off_t *pos) {
  struct eventfd *e = f->priv;
  uint64_t v;
  if (u->resid < sizeof v)
    return -EINVAL;
  if (uio_copy_from(u, &v, sizeof v) != sizeof v)
    return -EFAULT;
  if (v == UINT64_MAX)
    return -EINVAL;
  while (UINT64_MAX - 1 - e->count < v) {
    if (u->nonblock)
      return -EAGAIN;
    int r = task_wait(&e->wq, EPOLLOUT, NO_DEADLINE);
    if (r)
      return r;
  }
  e->count += v;
  waitq_wake(&e->wq, EPOLLIN | EPOLLRDNORM);
  return sizeof v;
}

static uint32_t event_poll(struct file *f) {
  const struct eventfd *e = f->priv;
  return (e->count ? EPOLLIN | EPOLLRDNORM : 0) | (e->count < UINT64_MAX - 1 ? EPOLLOUT | EPOLLWRNORM : 0);
}

int eventfd_add(struct file *f, uint64_t n) {
  if (f->ops->read != event_read)
    return -EINVAL;
  struct eventfd *e = f->priv;
  uint64_t room = UINT64_MAX - e->count;
  e->count += n < room ? n : room;
  if (n)
    waitq_wake(&e->wq, EPOLLIN | EPOLLRDNORM);
  return 0;
}

static void event_release(struct file *f) {
  struct eventfd *e = f->priv;
  waitq_destroy(&e->wq);
  free(e);
}

static void event_fdinfo(struct file *f, struct sbuf *b) {
  const struct eventfd *e = f->priv;
  sb_printf(b, "eventfd-count: %16llx\neventfd-id: %d\neventfd-semaphore: %d\n", (unsigned long long)e->count,
            (int)f->anon_ino, e->semaphore);
}

static const struct file_ops eventfd_ops = {
    .name = "eventfd",
    .read = event_read,
    .write = event_write,
    .poll = event_poll,
    .fdinfo = event_fdinfo,
    .release = event_release,
};

int eventfd_new(struct kernel *k, unsigned initval, int flags, struct file **out) {
  struct eventfd *e = calloc(1, sizeof *e);
  if (!e)
    return -ENOMEM;
  waitq_init(&e->wq);
  e->count = initval;
  e->semaphore = flags & EFD_SEMAPHORE;
  *out = anon_file_new(k, &eventfd_ops, O_RDWR | (flags & EFD_NONBLOCK), e, "anon_inode:[eventfd]");
  if (!*out) {
    free(e);
    return -ENOMEM;
  }
  (*out)->wq = &e->wq;
  return 0;
}
