/* Pseudo-terminal masters: pty(7), /dev/ptmx. */
#include "../core/errno.h"
#include "tty_core.h"

/* One message of packet mode, or data. Bytes, -EAGAIN, -EIO when no slave is left, -EFAULT. */
static ssize_t master_take(struct tty *t, struct uio *u) {
  uint8_t buf[4096];
  size_t at = 0;
  if (t->packet && t->ctrl_status) {
    buf[0] = t->ctrl_status;
    t->ctrl_status = 0;
    return uio_copy_to(u, buf, 1);
  }
  if (!ring_used(&t->n.out))
    return t->slave_closed ? -EIO : -EAGAIN;
  if (t->packet)
    buf[at++] = TIOCPKT_DATA;
  size_t want = u->resid < sizeof buf ? u->resid : sizeof buf;
  at += ring_get(&t->n.out, buf + at, (uint32_t)(want - at));
  tty_drained(t);
  return uio_copy_to(u, buf, at);
}

static ssize_t master_read(struct file *f, struct uio *u, off_t *pos) {
  struct tty *t = f->priv;
  size_t total = 0;
  ssize_t r = 0;
  while (u->resid) {
    r = master_take(t, u);
    if (r > 0) {
      total += (size_t)r;
      if (t->packet)
        break;
      continue;
    }
    if (r != -EAGAIN || total || u->nonblock)
      break;
    r = task_wait(&t->master_wq, EPOLLIN, NO_DEADLINE);
    if (r)
      break;
  }
  return total ? (ssize_t)total : r;
}

static ssize_t master_write(struct file *f, struct uio *u, off_t *pos) {
  struct tty *t = f->priv;
  size_t total = 0;
  ssize_t r = 0;
  while (u->resid) {
    uint8_t buf[2048];
    size_t room = ntty_receive_room(&t->n);
    if (!room) {
      r = u->nonblock ? -EAGAIN : task_wait(&t->master_wq, EPOLLOUT, NO_DEADLINE);
      if (r)
        break;
      continue;
    }
    size_t n = u->resid < sizeof buf ? u->resid : sizeof buf;
    r = uio_copy_from(u, buf, n < room ? n : room);
    if (r <= 0)
      break;
    size_t got = (size_t)r, took = ntty_receive(&t->n, buf, got);
    total += took;
    if (took < got) { /* the copy parked, and another writer took the room */
      r = -EAGAIN;
      break;
    }
  }
  return total ? (ssize_t)total : r;
}

static uint32_t master_poll(struct file *f) {
  struct tty *t = f->priv;
  uint32_t bits = 0;
  if (ring_used(&t->n.out))
    bits |= EPOLLIN | EPOLLRDNORM;
  if (t->packet && t->ctrl_status)
    bits |= EPOLLPRI | EPOLLIN | EPOLLRDNORM;
  if (t->slave_closed)
    bits |= EPOLLHUP;
  if (ntty_receive_room(&t->n))
    bits |= EPOLLOUT | EPOLLWRNORM;
  return bits;
}

static void master_release(struct file *f) {
  struct tty *t = f->priv;
  t->master_open = false;
  tty_unlist(t);
  tty_hangup(t);
  tty_put(t);
}

const struct file_ops tty_master_fops = {
    .name = "ptmx",
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = tty_ioctl,
    .release = master_release,
};

int ptmx_open(struct inode *i, struct file *f) {
  struct tty *t;
  int r = tty_new(kernel_current(), &t);
  if (r)
    return r;
  t->locked = true; /* until unlockpt(3) */
  t->master_open = true;
  f->ops = &tty_master_fops;
  f->priv = t; /* the reference of tty_new */
  f->wq = &t->master_wq;
  return 0;
}
