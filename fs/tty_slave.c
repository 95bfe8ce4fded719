/* The end of a terminal that programs run on: /dev/pts/N, /dev/tty, /dev/console. */
#include "../core/errno.h"
#include "../core/loop.h"
#include "../core/signal.h"
#include "tty_core.h"
#include <linux/capability.h>
#include <stdio.h>

#define DECISECOND 100000000ll

/* Reads without ICANON end by count and by time: termios(3), the four cases of MIN and TIME. */
struct read_rule {
  size_t min;
  int64_t between; /* restarted by every byte; 0: none */
  int64_t deadline;
};

static struct read_rule rule_of(const struct tty *t) {
  struct read_rule r = {.min = 1, .deadline = NO_DEADLINE};
  if (ntty_canon(&t->n))
    return r;
  int64_t time = t->n.tio.c_cc[VTIME] * DECISECOND;
  if (t->n.tio.c_cc[VMIN]) {
    r.min = t->n.tio.c_cc[VMIN];
    r.between = time;
  } else {
    r.deadline = loop_now_exact() + time;
  }
  return r;
}

/* What is there now, into u. Bytes, 0 (*eof set) at an end of file, -EAGAIN, -EFAULT. */
static ssize_t read_available(struct tty *t, struct uio *u, bool *eof) {
  uint8_t buf[NTTY_BUF];
  ssize_t n = ntty_read(&t->n, buf, u->resid < sizeof buf ? u->resid : sizeof buf, eof);
  if (n < 0)
    return n;
  if (t->wire)
    tty_wire_room(t->wire);
  else
    waitq_wake_all(&t->master_wq, EPOLLOUT | EPOLLWRNORM);
  return n ? uio_copy_to(u, buf, (size_t)n) : 0;
}

static ssize_t slave_read(struct file *f, struct uio *u, off_t *pos) {
  struct tty *t = f->priv;
  struct read_rule rule = rule_of(t);
  size_t total = 0;
  bool eof = false;
  if (t->hung_up)
    return 0;
  int r = tty_check_change(t, SIGTTIN);
  if (r)
    return r;
  while (u->resid && !eof) {
    ssize_t n = read_available(t, u, &eof);
    if (n > 0) {
      total += (size_t)n;
      if (ntty_canon(&t->n) || total >= rule.min)
        break;
      if (rule.between)
        rule.deadline = loop_now_exact() + rule.between;
      continue;
    }
    if (n != -EAGAIN) {
      r = (int)n;
      break;
    }
    if (t->hung_up)
      break;
    r = u->nonblock ? -EAGAIN : task_wait(&t->wq, EPOLLIN, rule.deadline);
    if (r == -ETIMEDOUT)
      r = 0, eof = true;
    if (r)
      break;
    r = tty_check_change(t, SIGTTIN); /* we may have been moved to the background meanwhile */
    if (r)
      break;
  }
  t->atime = vfs_now();
  return total ? (ssize_t)total : r;
}

static ssize_t write_chunk(struct tty *t, const uint8_t *buf, size_t len, bool nonblock) {
  size_t done = 0;
  while (done < len) {
    if (t->hung_up)
      return done ? (ssize_t)done : -EIO;
    size_t n = ntty_write(&t->n, buf + done, len - done);
    done += n;
    if (n)
      continue;
    int r = nonblock ? -EAGAIN : task_wait(&t->wq, EPOLLOUT, NO_DEADLINE);
    if (r)
      return done ? (ssize_t)done : r;
  }
  return (ssize_t)done;
}

static ssize_t slave_write(struct file *f, struct uio *u, off_t *pos) {
  struct tty *t = f->priv;
  size_t total = 0;
  ssize_t r = 0;
  if (t->hung_up)
    return -EIO;
  if (t->n.tio.c_lflag & TOSTOP) {
    r = tty_check_change(t, SIGTTOU);
    if (r)
      return r;
  }
  while (u->resid) {
    uint8_t buf[NTTY_OUT_SOFT];
    ssize_t got = uio_copy_from(u, buf, u->resid < sizeof buf ? u->resid : sizeof buf);
    if (got <= 0) {
      r = got;
      break;
    }
    r = write_chunk(t, buf, (size_t)got, u->nonblock);
    if (r > 0)
      total += (size_t)r;
    if (r != got)
      break;
  }
  t->mtime = vfs_now();
  return total ? (ssize_t)total : r;
}

static uint32_t slave_poll(struct file *f) {
  struct tty *t = f->priv;
  uint32_t bits = 0;
  if (t->hung_up)
    return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
  if (ntty_readable(&t->n, true))
    bits |= EPOLLIN | EPOLLRDNORM;
  if (ntty_write_room(&t->n))
    bits |= EPOLLOUT | EPOLLWRNORM;
  return bits;
}

static void slave_release(struct file *f) {
  struct tty *t = f->priv;
  if (--t->slaves == 0) {
    t->slave_closed = true;
    t->exclusive = false;
    waitq_wake_all(&t->master_wq, EPOLLIN | EPOLLHUP | EPOLLRDNORM);
    if (t->wire && !t->session)
      tty_wire_close(t->wire);
  }
  tty_put(t);
}

const struct file_ops tty_slave_fops = {
    .name = "tty",
    .read = slave_read,
    .write = slave_write,
    .poll = slave_poll,
    .ioctl = tty_ioctl,
    .release = slave_release,
};

int tty_slave_open(struct tty *t, struct file *f) {
  struct task *me = task_current();
  if (t->hung_up || t->locked)
    return -EIO;
  if (t->exclusive && me && !cred_has_cap(me->cred, CAP_SYS_ADMIN))
    return -EBUSY;
  f->ops = &tty_slave_fops;
  f->priv = tty_get(t);
  f->wq = &t->wq;
  t->slaves++;
  t->slave_closed = false;
  if (!(f->flags & O_NOCTTY) && me && me->proc && me->proc->session_leader && !me->proc->ctty && !t->session &&
      file_can_read(f))
    tty_set_session(t, me);
  return 0;
}

/* The fallback has no path, which only ttyname(3) notices. */
static int open_anonymous(struct tty *t, int flags, struct file **out) {
  struct file *f = file_new(&tty_slave_fops, flags, NULL);
  if (!f)
    return -ENOMEM;
  f->flags |= flags & O_NOCTTY;
  int r = tty_slave_open(t, f);
  if (r) {
    static const struct file_ops none = {.name = "none"};
    f->ops = &none;
    file_put(f);
    return r;
  }
  f->anon_name = "/dev/console";
  f->flags &= ~O_NOCTTY;
  *out = f;
  return 0;
}

int tty_open_by_path(struct tty *t, int flags, struct file **out) {
  struct mount_ns *ns = t->k->vfs ? t->k->vfs->init_ns : NULL;
  struct mount *m = NULL;
  if (ns) {
    TAILQ_FOREACH(m, &ns->mounts, ns_link) {
      if (!strcmp(m->sb->fstype, "devpts"))
        break;
    }
  }
  if (!m)
    return open_anonymous(t, flags, out);
  char name[16];
  snprintf(name, sizeof name, "%d", t->index);
  struct path root = {m, m->root}, p;
  int r = vfs_lookup_kernel(&root, name, 0, &p);
  if (r)
    return r;
  r = vfs_open_kernel(&p, flags, out);
  path_put(&p);
  return r;
}
