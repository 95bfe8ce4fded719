#include "pipe.h"
#include "pipe_ring.h"
#include "../core/errno.h"
#include "../core/loop.h"
#include "../core/task.h"
#include "../core/uaccess.h"
#include "vfs.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define SHRINK_AFTER_NS 1000000000ll /* a drained pipe keeps a large ring this long, for the next write */

struct pipe {
  struct kernel *k;
  struct waitq wq;    /* readers wait for EPOLLIN, writers for EPOLLOUT */
  struct fmutex lock; /* over changes of the ring: copies of guest memory may park */
  struct pipe_ring ring;
  size_t limit; /* capacity as the guest knows it */
  int files, readers, writers;
  uint64_t r_counter, w_counter; /* opens so far: what fifo_open() and POLLHUP look at */
  struct inode *inode;           /* FIFO: the inode whose ->pipe this is, borrowed from the open files */
  struct timer shrink;
  uint64_t ino;
  char name[32];
};

static size_t slots(const struct pipe *p) {
  return p->limit / PIPE_BUF_SIZE;
}

/* Writable as poll(2) has it: a write of PIPE_BUF bytes would not block. */
static bool pipe_writable(const struct pipe *p) {
  return p->ring.len + PIPE_BUF_SIZE <= p->limit && p->ring.nrec < slots(p);
}

/* ---- memory ---- */

static void pipe_shrink(struct timer *t) {
  struct pipe *p = t->arg;
  if (p->ring.len || p->lock.owner)
    return;
  pipe_ring_free(&p->ring);
  p->ring = (struct pipe_ring){0};
}

/* Bytes were taken out. */
static void drained(struct pipe *p) {
  if (!p->ring.len && p->ring.cap > PIPE_RING_MIN && !p->shrink.armed && loop_current())
    timer_arm(&p->shrink, loop_now() + SHRINK_AFTER_NS);
}

/* ---- reading and writing ---- */

static void wake_readers(struct pipe *p) {
  waitq_wake(&p->wq, EPOLLIN | EPOLLRDNORM);
}
static void wake_writers(struct pipe *p) {
  if (pipe_writable(p))
    waitq_wake(&p->wq, EPOLLOUT | EPOLLWRNORM);
}

/* With the lock held, which is dropped meanwhile. */
static int pipe_wait(struct pipe *p, uint32_t events, bool nonblock) {
  if (nonblock)
    return -EAGAIN;
  fmutex_unlock(&p->lock);
  int r = task_wait(&p->wq, events, NO_DEADLINE);
  fmutex_lock(&p->lock);
  return r;
}

static int broken_pipe(void) {
  struct task *t = task_current();
  if (t) {
    siginfo_t info = {.si_signo = SIGPIPE, .si_code = SI_USER};
    info.si_pid = pid_vnr(t->proc->pid);
    info.si_uid = t->cred->uid;
    send_signal_task(t, SIGPIPE, &info);
  }
  return -EPIPE;
}

static ssize_t pipe_read(struct file *f, struct uio *u, off_t *pos) {
  struct pipe *p = f->priv;
  ssize_t n = 0;
  if (!u->resid)
    return 0;
  fmutex_lock(&p->lock);
  while (!p->ring.len && p->writers && !n)
    n = pipe_wait(p, EPOLLIN, u->nonblock);
  if (p->ring.len) { /* also when a signal ended the wait */
    n = pipe_ring_drain(&p->ring, u);
    drained(p);
    wake_writers(p);
  }
  fmutex_unlock(&p->lock);
  return n;
}

static ssize_t pipe_write(struct file *f, struct uio *u, off_t *pos) {
  struct pipe *p = f->priv;
  bool packet = f->flags & O_DIRECT, atomic = u->resid <= PIPE_BUF_SIZE;
  ssize_t done = 0, err = 0;
  if (!u->resid)
    return 0;
  fmutex_lock(&p->lock);
  while (u->resid && !err) {
    size_t want = packet && u->resid > PIPE_BUF_SIZE ? PIPE_BUF_SIZE : u->resid;
    size_t room = p->limit > p->ring.len ? p->limit - p->ring.len : 0;
    if (!p->readers) {
      err = broken_pipe();
    } else if ((atomic || packet ? room >= want : room > 0) && (!packet || p->ring.nrec < slots(p))) {
      if (want > room)
        want = room;
      ssize_t r = pipe_ring_fill(&p->ring, u, want, packet);
      if (r > 0)
        done += r;
      if (r < (ssize_t)want)
        err = r < 0 ? r : -EFAULT;
    } else {
      if (done)
        wake_readers(p);
      err = pipe_wait(p, EPOLLOUT, u->nonblock);
    }
  }
  if (done)
    wake_readers(p);
  fmutex_unlock(&p->lock);
  return done ? done : err;
}

static uint32_t pipe_poll(struct file *f) {
  const struct pipe *p = f->priv;
  uint32_t ev = 0;
  if (file_can_read(f)) {
    if (p->ring.len)
      ev |= EPOLLIN | EPOLLRDNORM;
    /* A FIFO opened for reading before its first writer is not hung up: f->pos remembers what it has seen. */
    if (!p->writers && (uint64_t)f->pos != p->w_counter)
      ev |= EPOLLHUP;
  }
  if (file_can_write(f)) {
    if (pipe_writable(p))
      ev |= EPOLLOUT | EPOLLWRNORM;
    if (!p->readers)
      ev |= EPOLLERR;
  }
  return ev;
}

static long pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  const struct pipe *p = f->priv;
  int n = p->ring.len > INT32_MAX ? INT32_MAX : (int)p->ring.len;
  return cmd == FIONREAD ? put_user(arg, &n) : -ENOTTY;
}

static int pipe_setfl(struct file *f, int flags) {
  return 0; /* O_DIRECT may be switched at any time */
}

static off_t pipe_llseek(struct file *f, off_t off, int whence) {
  return -ESPIPE;
}

/* ---- capacity ---- */

static long set_size(struct pipe *p, uint64_t arg) {
  if ((uint32_t)arg > 1u << 31)
    return -EINVAL;
  size_t size = PIPE_BUF_SIZE;
  while (size < (uint32_t)arg)
    size *= 2;
  const struct task *t = task_current();
  if (size > p->limit && size > PIPE_MAX_SIZE && t && !cred_has_cap(t->cred, CAP_SYS_RESOURCE))
    return -EPERM;
  if (size < p->ring.len || size / PIPE_BUF_SIZE < p->ring.nrec)
    return -EBUSY;
  if (p->ring.cap > size && pipe_ring_resize(&p->ring, size))
    return -ENOMEM;
  p->limit = size;
  wake_writers(p);
  return (long)size;
}

long pipe_fcntl(struct file *f, int cmd, uint64_t arg) {
  if (!file_is_pipe(f))
    return -EBADF;
  struct pipe *p = f->priv;
  if (cmd == F_GETPIPE_SZ)
    return (long)p->limit;
  if (cmd != F_SETPIPE_SZ)
    return -EINVAL;
  fmutex_lock(&p->lock);
  long r = set_size(p, arg);
  fmutex_unlock(&p->lock);
  return r;
}

/* ---- life ---- */

static struct pipe *pipe_alloc(struct kernel *k) {
  struct pipe *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->k = k;
  p->limit = PIPE_DEFAULT_SIZE;
  waitq_init(&p->wq);
  fmutex_init(&p->lock);
  p->shrink = (struct timer){.fn = pipe_shrink, .arg = p};
  return p;
}

static void pipe_put(struct pipe *p) {
  if (--p->files)
    return;
  if (p->inode)
    p->inode->pipe = NULL;
  timer_disarm(&p->shrink);
  waitq_destroy(&p->wq);
  pipe_ring_free(&p->ring);
  free(p);
}

static void drop_ends(struct pipe *p, bool reader, bool writer) {
  p->readers -= reader;
  p->writers -= writer;
  if (!p->readers != !p->writers)
    waitq_wake_all(&p->wq, EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM | EPOLLERR | EPOLLHUP);
  pipe_put(p);
}

static void pipe_release(struct file *f) {
  drop_ends(f->priv, file_can_read(f), file_can_write(f));
}

static void add_ends(struct pipe *p, bool reader, bool writer) {
  p->files++;
  p->readers += reader;
  p->r_counter += reader;
  p->writers += writer;
  p->w_counter += writer;
  waitq_wake_all(&p->wq, 0);
}

static int pipe_reopen_op(struct file *f, int flags, struct file **out) {
  return pipe_reopen(f, flags, out);
}

const struct file_ops pipe_file_ops = {
    .name = "pipe",
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .llseek = pipe_llseek,
    .setfl = pipe_setfl,
    .reopen = pipe_reopen_op,
    .release = pipe_release,
};

/* Counts as an end of p at once. */
static struct file *pipe_file(struct pipe *p, int flags) {
  struct file *f = file_new(&pipe_file_ops, flags, p);
  if (!f)
    return NULL;
  f->wq = &p->wq;
  f->anon_name = p->name;
  f->anon_ino = p->ino;
  add_ends(p, file_can_read(f), file_can_write(f));
  return f;
}

int pipe_new(struct kernel *k, int flags, struct file *out[2]) {
  struct pipe *p = pipe_alloc(k);
  if (!p)
    return -ENOMEM;
  p->ino = ++k->next_anon_ino;
  snprintf(p->name, sizeof p->name, "pipe:[%llu]", (unsigned long long)p->ino);
  flags &= O_NONBLOCK | O_DIRECT;
  p->files++; /* until both files hold it */
  out[0] = pipe_file(p, flags | O_RDONLY);
  out[1] = out[0] ? pipe_file(p, flags | O_WRONLY) : NULL;
  int err = out[1] ? 0 : -ENOMEM;
  if (err && out[0])
    file_put(out[0]);
  pipe_put(p);
  return err;
}

int pipe_reopen(struct file *f, int flags, struct file **out) {
  if (!file_is_pipe(f))
    return -ENXIO;
  struct pipe *p = f->priv;
  if ((flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK) && !p->readers)
    return -ENXIO;
  *out = pipe_file(p, flags);
  return *out ? 0 : -ENOMEM;
}

/* ---- FIFOs ---- */

/* Wait until *counter moves: somebody opened the other end. */
static int wait_for_partner(struct pipe *p, const uint64_t *counter) {
  uint64_t seen = *counter;
  while (*counter == seen) {
    int r = task_wait(&p->wq, 0, NO_DEADLINE);
    if (r)
      return *counter != seen ? 0 : r;
  }
  return 0;
}

int fifo_open(struct inode *i, struct file *f) {
  bool reader = file_can_read(f), writer = file_can_write(f), nonblock = f->flags & O_NONBLOCK;
  struct pipe *p = i->pipe;
  if (!p) {
    p = pipe_alloc(kernel_current());
    if (!p)
      return -ENOMEM;
    p->inode = i;
    i->pipe = p;
  }
  if (writer && !reader && nonblock && !p->readers) {
    if (!p->files) {
      p->files++;
      pipe_put(p);
    }
    return -ENXIO;
  }
  add_ends(p, reader, writer);
  int err = 0;
  if (reader && !writer && !p->writers) {
    if (nonblock)
      f->pos = (off_t)p->w_counter;
    else
      err = wait_for_partner(p, &p->w_counter);
  } else if (writer && !reader && !p->readers) {
    err = wait_for_partner(p, &p->r_counter);
  }
  if (err) {
    drop_ends(p, reader, writer);
    return err;
  }
  f->ops = &pipe_file_ops;
  f->priv = p;
  f->wq = &p->wq;
  return 0;
}

/* ---- splice and tee ---- */

static int wait_readable(struct pipe *p, bool nonblock) {
  while (!p->ring.len) {
    if (!p->writers)
      return 0;
    int r = pipe_wait(p, EPOLLIN, nonblock);
    if (r)
      return r;
  }
  return 1;
}

static int wait_writable(struct pipe *p, bool nonblock) {
  for (;;) {
    if (!p->readers)
      return broken_pipe();
    if (p->ring.len < p->limit && p->ring.nrec < slots(p))
      return 1;
    int r = pipe_wait(p, EPOLLOUT, nonblock);
    if (r)
      return r;
  }
}

ssize_t pipe_splice_out(struct file *f, size_t n, bool nonblock, pipe_sink_fn *sink, void *arg) {
  if (!file_is_pipe(f) || !file_can_read(f))
    return -EBADF;
  struct pipe *p = f->priv;
  ssize_t done = 0;
  fmutex_lock(&p->lock);
  ssize_t r = n ? wait_readable(p, nonblock) : 0;
  while (r > 0 && p->ring.len && n) {
    size_t chunk;
    char *at = pipe_ring_front(&p->ring, &chunk);
    if (chunk > n)
      chunk = n;
    r = sink(arg, at, chunk);
    if (r <= 0)
      break;
    pipe_ring_consume(&p->ring, r);
    drained(p);
    done += r;
    n -= r;
    if ((size_t)r < chunk)
      break;
  }
  if (done)
    wake_writers(p);
  fmutex_unlock(&p->lock);
  return done ? done : r;
}

ssize_t pipe_splice_in(struct file *f, size_t n, bool nonblock, pipe_source_fn *source, void *arg) {
  if (!file_is_pipe(f) || !file_can_write(f))
    return -EBADF;
  struct pipe *p = f->priv;
  if (!n)
    return 0;
  fmutex_lock(&p->lock);
  ssize_t r = wait_writable(p, nonblock);
  size_t room = p->limit > p->ring.len ? p->limit - p->ring.len : 0;
  fmutex_unlock(&p->lock);
  if (r < 0)
    return r;
  /* Not under the lock: the source may take as long as it likes, and what is in the pipe can be read meanwhile. Others
   * may fill the room; then the pipe holds a little more than its limit for once. */
  if (n > room)
    n = room;
  char *buf = malloc(n);
  if (!buf)
    return -ENOMEM;
  r = source(arg, buf, n);
  if (r > 0) {
    fmutex_lock(&p->lock);
    int err = p->readers ? pipe_ring_append(&p->ring, buf, r) : broken_pipe();
    if (err)
      r = err;
    else
      wake_readers(p);
    fmutex_unlock(&p->lock);
  }
  free(buf);
  return r;
}

static void lock_two(struct pipe *a, struct pipe *b) {
  fmutex_lock(a < b ? &a->lock : &b->lock);
  fmutex_lock(a < b ? &b->lock : &a->lock);
}

static ssize_t move_bytes(struct pipe *in, struct pipe *out, size_t n, bool consume) {
  size_t room = out->limit > out->ring.len ? out->limit - out->ring.len : 0, done = 0;
  if (n > room)
    n = room;
  if (n > in->ring.len)
    n = in->ring.len;
  while (done < n) {
    size_t at = (in->ring.head + done) & (in->ring.cap - 1);
    size_t chunk = in->ring.cap - at < n - done ? in->ring.cap - at : n - done;
    int err = pipe_ring_append(&out->ring, in->ring.data + at, chunk);
    if (err)
      return done ? (ssize_t)done : err;
    done += chunk;
  }
  if (consume && done) {
    pipe_ring_consume(&in->ring, done);
    drained(in);
    wake_writers(in);
  }
  if (done)
    wake_readers(out);
  return done;
}

static ssize_t pipe_to_pipe(struct file *fin, struct file *fout, size_t n, bool nonblock, bool consume) {
  if (!file_is_pipe(fin) || !file_is_pipe(fout) || !file_can_read(fin) || !file_can_write(fout))
    return -EBADF;
  struct pipe *in = fin->priv, *out = fout->priv;
  if (in == out)
    return -EINVAL;
  while (n) {
    fmutex_lock(&in->lock);
    int r = wait_readable(in, nonblock);
    fmutex_unlock(&in->lock);
    if (r <= 0)
      return r;
    fmutex_lock(&out->lock);
    r = wait_writable(out, nonblock);
    fmutex_unlock(&out->lock);
    if (r < 0)
      return r;
    lock_two(in, out);
    ssize_t done = move_bytes(in, out, n, consume);
    fmutex_unlock(&in->lock);
    fmutex_unlock(&out->lock);
    if (done)
      return done;
  }
  return 0;
}

ssize_t pipe_splice_pipe(struct file *in, struct file *out, size_t n, bool nonblock) {
  return pipe_to_pipe(in, out, n, nonblock, true);
}

ssize_t pipe_tee(struct file *in, struct file *out, size_t n, bool nonblock) {
  return pipe_to_pipe(in, out, n, nonblock, false);
}
