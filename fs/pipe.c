#include "pipe.h"
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

#define MIN_RING 4096u
#define SHRINK_AFTER_NS 1000000000ll /* a drained pipe keeps a large ring this long, for the next write */

/* Where a message ends, for pipes that were written to with O_DIRECT: kept only while such a message is inside. */
struct record {
  uint32_t len;
  bool packet; /* else bytes that merge with their neighbours */
};

struct pipe {
  struct kernel *k;
  struct waitq wq;    /* readers wait for EPOLLIN, writers for EPOLLOUT */
  struct fmutex lock; /* over changes of the ring: copies of guest memory may park */
  char *ring;         /* `cap` bytes, a power of two; NULL while nothing was written */
  size_t cap, head, len;
  size_t limit;        /* capacity as the guest knows it */
  struct record *recs; /* if nrec > 0 they cover all `len` bytes */
  unsigned nrec, rec_cap;
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
  return p->len + PIPE_BUF_SIZE <= p->limit && p->nrec < slots(p);
}

/* ---- the ring ---- */

static int ring_resize(struct pipe *p, size_t cap) {
  char *n = malloc(cap);
  if (!n)
    return -ENOMEM;
  size_t first = p->cap - p->head < p->len ? p->cap - p->head : p->len;
  if (p->len) {
    memcpy(n, p->ring + p->head, first);
    memcpy(n + first, p->ring, p->len - first);
  }
  free(p->ring);
  p->ring = n;
  p->cap = cap;
  p->head = 0;
  return 0;
}

static int ring_reserve(struct pipe *p, size_t n) {
  size_t cap = p->cap ? p->cap : MIN_RING;
  while (cap < p->len + n)
    cap *= 2;
  return cap == p->cap ? 0 : ring_resize(p, cap);
}

/* The free bytes that can be filled in one go. */
static char *ring_tail(struct pipe *p, size_t *n) {
  size_t tail = (p->head + p->len) & (p->cap - 1);
  *n = p->len && tail <= p->head ? p->head - tail : p->cap - tail;
  return p->ring + tail;
}

static char *ring_front(struct pipe *p, size_t *n) {
  *n = p->cap - p->head < p->len ? p->cap - p->head : p->len;
  return p->ring + p->head;
}

static void pipe_shrink(struct timer *t) {
  struct pipe *p = t->arg;
  if (p->len || p->lock.owner)
    return;
  free(p->ring);
  p->ring = NULL;
  p->cap = p->head = 0;
}

static void drop_records(struct pipe *p, size_t n) {
  unsigned i = 0;
  while (n && i < p->nrec) {
    size_t take = n < p->recs[i].len ? n : p->recs[i].len;
    p->recs[i].len -= take;
    n -= take;
    if (!p->recs[i].len)
      i++;
  }
  p->nrec -= i;
  memmove(p->recs, p->recs + i, p->nrec * sizeof *p->recs);
}

static void ring_consume(struct pipe *p, size_t n) {
  if (p->nrec)
    drop_records(p, n);
  p->head = (p->head + n) & (p->cap - 1);
  p->len -= n;
  if (p->len)
    return;
  p->head = 0; /* the next write is one piece, and touches warm memory */
  if (p->cap > MIN_RING && !p->shrink.armed && loop_current())
    timer_arm(&p->shrink, loop_now() + SHRINK_AFTER_NS);
}

static int add_record(struct pipe *p, uint32_t len, bool packet) {
  if (p->nrec == p->rec_cap) {
    unsigned cap = p->rec_cap ? 2 * p->rec_cap : 16;
    struct record *r = realloc(p->recs, cap * sizeof *r);
    if (!r)
      return -ENOMEM;
    p->recs = r;
    p->rec_cap = cap;
  }
  p->recs[p->nrec++] = (struct record){len, packet};
  return 0;
}

/* n bytes were put behind the tail. */
static int ring_commit(struct pipe *p, size_t n, bool packet) {
  if (packet && !p->nrec && p->len && add_record(p, p->len, false))
    return -ENOMEM;
  if (packet) {
    if (add_record(p, n, true))
      return -ENOMEM;
  } else if (p->nrec) {
    struct record *last = &p->recs[p->nrec - 1];
    if (!last->packet)
      last->len += n;
    else if (add_record(p, n, false))
      return -ENOMEM;
  }
  p->len += n;
  return 0;
}

static ssize_t ring_fill(struct pipe *p, struct uio *u, size_t n, bool packet) {
  int err = ring_reserve(p, n);
  if (err)
    return err;
  size_t done = 0;
  while (done < n) {
    size_t room;
    /* Uncommitted bytes count as used while the rest is copied. */
    p->len += done;
    char *at = ring_tail(p, &room);
    p->len -= done;
    size_t want = n - done < room ? n - done : room;
    ssize_t r = uio_copy_from(u, at, want);
    if (r > 0)
      done += r;
    if (r < (ssize_t)want) {
      done &= ~(size_t)4095; /* Linux drops the page that a fault left half filled */
      break;
    }
  }
  if (!done)
    return -EFAULT;
  err = ring_commit(p, done, packet);
  return err ? err : (ssize_t)done;
}

static ssize_t ring_drain(struct pipe *p, struct uio *u) {
  bool packet = p->nrec && p->recs[0].packet;
  size_t left = packet ? p->recs[0].len : p->len, done = 0;
  if (!packet && p->nrec)
    left = p->recs[0].len;
  size_t whole = left;
  if (left > u->resid)
    left = u->resid;
  while (left) {
    size_t n, at = (p->head + done) & (p->cap - 1);
    n = p->cap - at < left ? p->cap - at : left;
    ssize_t r = uio_copy_to(u, p->ring + at, n);
    if (r > 0) {
      done += r;
      left -= r;
    }
    if (r < (ssize_t)n) {
      done &= ~(size_t)4095; /* as ring_fill() */
      break;
    }
  }
  if (!done)
    return -EFAULT;
  ring_consume(p, packet ? whole : done); /* what does not fit of a packet is lost: pipe(2), O_DIRECT */
  return done;
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
    info.si_pid = t->proc->pid->nr;
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
  while (!p->len && p->writers && !n)
    n = pipe_wait(p, EPOLLIN, u->nonblock);
  if (p->len) { /* also when a signal ended the wait */
    n = ring_drain(p, u);
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
    size_t room = p->limit > p->len ? p->limit - p->len : 0;
    if (!p->readers) {
      err = broken_pipe();
    } else if ((atomic || packet ? room >= want : room > 0) && (!packet || p->nrec < slots(p))) {
      if (want > room)
        want = room;
      ssize_t r = ring_fill(p, u, want, packet);
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
    if (p->len)
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
  int n = p->len > INT32_MAX ? INT32_MAX : (int)p->len;
  return cmd == FIONREAD ? put_user(arg, &n) : -ENOTTY;
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
  if (size < p->len || size / PIPE_BUF_SIZE < p->nrec)
    return -EBUSY;
  if (p->cap > size && ring_resize(p, size))
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
  free(p->ring);
  free(p->recs);
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
  while (!p->len) {
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
    if (p->len < p->limit && p->nrec < slots(p))
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
  while (r > 0 && p->len && n) {
    size_t chunk;
    char *at = ring_front(p, &chunk);
    if (chunk > n)
      chunk = n;
    r = sink(arg, at, chunk);
    if (r <= 0)
      break;
    ring_consume(p, r);
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

static int append(struct pipe *p, const char *data, size_t n) {
  int err = ring_reserve(p, n);
  while (!err && n) {
    size_t room;
    char *at = ring_tail(p, &room);
    if (room > n)
      room = n;
    memcpy(at, data, room);
    err = ring_commit(p, room, false);
    data += room;
    n -= room;
  }
  return err;
}

ssize_t pipe_splice_in(struct file *f, size_t n, bool nonblock, pipe_source_fn *source, void *arg) {
  if (!file_is_pipe(f) || !file_can_write(f))
    return -EBADF;
  struct pipe *p = f->priv;
  if (!n)
    return 0;
  fmutex_lock(&p->lock);
  ssize_t r = wait_writable(p, nonblock);
  size_t room = p->limit > p->len ? p->limit - p->len : 0;
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
    int err = p->readers ? append(p, buf, r) : broken_pipe();
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
  size_t room = out->limit > out->len ? out->limit - out->len : 0, done = 0;
  if (n > room)
    n = room;
  if (n > in->len)
    n = in->len;
  while (done < n) {
    size_t at = (in->head + done) & (in->cap - 1);
    size_t chunk = in->cap - at < n - done ? in->cap - at : n - done;
    int err = append(out, in->ring + at, chunk);
    if (err)
      return done ? (ssize_t)done : err;
    done += chunk;
  }
  if (consume && done) {
    ring_consume(in, done);
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
