/*
 * The host descriptor is shared with processes outside, so its status flags are never changed: reads and writes ask for
 * RWF_NOWAIT, and where the host's file cannot do that, wait for readiness and then go through the ring.
 */
#include "../core/errno.h"
#include "../core/loop.h"
#include "../core/signal.h"
#include "../core/uaccess.h"
#include "tty.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHUNK 65536u
#define HOSTFD_MAGIC 0x50495045 /* PIPEFS_MAGIC: what statfs of a pipe says */
#define SAFE_WRITE 4096u        /* PIPE_BUF: what a pipe that polls writable takes at once */

struct hostfd {
  ref_t ref;
  int fd;
  int accmode;
  bool seekable; /* a regular file: reads and writes never wait for readiness */
  uint32_t type; /* S_IFMT bits */
  struct waitq wq;
  struct loop_poll poll[2]; /* for readability, for writability: armed while somebody watches and it is not so */
  bool armed[2];
  char name[48];
};

static const uint32_t watch_bits[2] = {EPOLLIN | EPOLLRDHUP | EPOLLPRI, EPOLLOUT};

static uint32_t host_poll(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 0) > 0 ? (uint32_t)(unsigned short)p.revents : 0;
}

static void on_host_ready(struct loop_poll *p, uint32_t revents) {
  struct hostfd *h = p->arg;
  h->armed[p == &h->poll[1]] = false;
  waitq_wake_all(&h->wq, revents | EPOLLRDNORM | EPOLLWRNORM);
}

/* Arm for the conditions that do not hold now: those that hold would fire at once and for ever. */
static void arm_missing(struct hostfd *h, uint32_t now) {
  if (h->seekable || now & (EPOLLHUP | EPOLLERR))
    return;
  for (int i = 0; i < 2; i++) {
    bool wanted = i ? h->accmode != O_RDONLY : h->accmode != O_WRONLY;
    if (h->armed[i] || now & watch_bits[i] || !wanted)
      continue;
    h->poll[i] = (struct loop_poll){.fd = h->fd, .events = watch_bits[i], .fn = on_host_ready, .arg = h};
    h->armed[i] = loop_poll_arm(loop_current(), &h->poll[i]) == 0;
  }
}

static uint32_t hostfd_poll(struct file *f) {
  struct hostfd *h = f->priv;
  uint32_t now = h->seekable ? EPOLLIN | EPOLLOUT : host_poll(h->fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP);
  arm_missing(h, now);
  if (now & EPOLLIN)
    now |= EPOLLRDNORM;
  if (now & EPOLLOUT)
    now |= EPOLLWRNORM;
  return now;
}

/* An edge-triggered watcher does not poll again before it was woken: arm on its behalf. */
static void rearm(struct hostfd *h) {
  if (!TAILQ_EMPTY(&h->wq.head) && !h->seekable)
    arm_missing(h, host_poll(h->fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP));
}

static ssize_t try_read(struct hostfd *h, void *buf, size_t n, off_t off) {
  struct iovec v = {buf, n};
  ssize_t r = preadv2(h->fd, &v, 1, off, RWF_NOWAIT);
  if (r > 0 && (size_t)r < n && h->seekable) { /* up to a page that is not in the cache, or to the end of the file */
    v = (struct iovec){(char *)buf + r, n - (size_t)r};
    ssize_t rest = loop_readv(h->fd, &v, 1, off < 0 ? -1 : off + r);
    return rest > 0 ? r + rest : r;
  }
  if (r >= 0)
    return r;
  if (errno != EOPNOTSUPP && errno != EAGAIN && errno != EINVAL)
    return -errno;
  if (h->seekable)
    return loop_readv(h->fd, &v, 1, off);
  if (errno == EAGAIN || !host_poll(h->fd, POLLIN))
    return -EAGAIN;
  return loop_readv(h->fd, &v, 1, -1);
}

static ssize_t hostfd_read(struct file *f, struct uio *u, off_t *pos) {
  struct hostfd *h = f->priv;
  size_t n = u->resid < CHUNK ? u->resid : CHUNK;
  char *buf = malloc(n ? n : 1);
  if (!buf)
    return -ENOMEM;
  off_t off = h->seekable && pos != &f->pos ? *pos : -1; /* the host's own position is shared with the outside */
  ssize_t r;
  while ((r = try_read(h, buf, n, off)) == -EAGAIN && !u->nonblock) {
    int w = loop_wait_fd(h->fd, EPOLLIN);
    if (w < 0) {
      r = w;
      break;
    }
  }
  if (r > 0)
    r = uio_copy_to(u, buf, (size_t)r);
  free(buf);
  if (r > 0 && off >= 0)
    *pos += r;
  rearm(h);
  return r;
}

static ssize_t try_write(struct hostfd *h, const char *buf, size_t n, off_t off) {
  struct iovec v = {(void *)(uintptr_t)buf, n};
  ssize_t r = pwritev2(h->fd, &v, 1, off, RWF_NOWAIT);
  if (r >= 0)
    return r;
  if (errno != EOPNOTSUPP && errno != EAGAIN && errno != EINVAL)
    return -errno;
  if (h->seekable)
    return loop_writev(h->fd, &v, 1, off);
  uint32_t now = host_poll(h->fd, POLLOUT);
  if (!(now & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
    return -EAGAIN;
  if (n > SAFE_WRITE)
    v.iov_len = SAFE_WRITE;
  return loop_writev(h->fd, &v, 1, -1);
}

/* Write all of buf, or what goes without waiting. Bytes written, or -errno if none were. */
static ssize_t write_all(struct hostfd *h, const char *buf, size_t n, off_t off, bool nonblock) {
  size_t done = 0;
  while (done < n) {
    ssize_t r = try_write(h, buf + done, n - done, off < 0 ? -1 : off + (off_t)done);
    if (r > 0) {
      done += (size_t)r;
      continue;
    }
    if (r == 0)
      break;
    if (r == -EAGAIN && !nonblock)
      r = loop_wait_fd(h->fd, EPOLLOUT);
    if (r < 0)
      return done ? (ssize_t)done : r;
  }
  return (ssize_t)done;
}

static ssize_t hostfd_write(struct file *f, struct uio *u, off_t *pos) {
  struct hostfd *h = f->priv;
  off_t off = h->seekable && pos != &f->pos ? *pos : -1;
  size_t cap = u->resid < CHUNK ? u->resid : CHUNK;
  char *buf = malloc(cap ? cap : 1);
  if (!buf)
    return -ENOMEM;
  size_t total = 0;
  ssize_t r = 0;
  while (u->resid) {
    ssize_t got = uio_copy_from(u, buf, u->resid < CHUNK ? u->resid : CHUNK);
    if (got <= 0) {
      r = got;
      break;
    }
    r = write_all(h, buf, (size_t)got, off < 0 ? -1 : off + (off_t)total, u->nonblock);
    if (r > 0)
      total += (size_t)r;
    if (r != got)
      break;
  }
  free(buf);
  rearm(h);
  if (off >= 0)
    *pos += (off_t)total;
  if (total)
    return (ssize_t)total;
  if (r == -EPIPE && task_current())
    send_signal_task(task_current(), SIGPIPE, NULL);
  return r;
}

static off_t hostfd_llseek(struct file *f, off_t off, int whence) {
  struct hostfd *h = f->priv;
  if (!h->seekable)
    return h->type == S_IFCHR ? 0 : -ESPIPE;
  off_t r = lseek(h->fd, off, whence);
  return r < 0 ? -errno : r;
}

/* Terminals that the engine passes without asking for one stay usable for isatty(3) and their size, nothing else. */
static long hostfd_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  struct hostfd *h = f->priv;
  union {
    char termios[64];
    struct winsize ws;
    int n;
  } a = {0};
  size_t len = 0;
  if (cmd == FIONREAD)
    len = sizeof a.n;
  else if (cmd == TIOCGWINSZ)
    len = sizeof a.ws;
  else if (cmd == TCGETS)
    len = 36;
  if (!len || h->seekable)
    return -ENOTTY;
  if (ioctl(h->fd, cmd, &a))
    return -errno;
  return copy_to_user(arg, &a, len);
}

static int hostfd_fsync(struct file *f, bool datasync) {
  struct hostfd *h = f->priv;
  return h->seekable ? loop_fsync(h->fd, datasync) : -EINVAL;
}

static void hostfd_put(struct hostfd *h) {
  if (!ref_put(&h->ref))
    return;
  for (int i = 0; i < 2; i++)
    if (h->armed[i])
      loop_poll_del(loop_current(), &h->poll[i]);
  waitq_destroy(&h->wq);
  close(h->fd);
  free(h);
}

static void hostfd_release(struct file *f) {
  struct hostfd *h = f->priv;
  if (!f->dentry && f->inode) {
    inode_put(f->inode);
    f->inode = NULL;
  }
  hostfd_put(h);
}

static int hostfd_reopen(struct file *f, int flags, struct file **out);

static const struct file_ops hostfd_file_ops = {
    .name = "hostfd",
    .read = hostfd_read,
    .write = hostfd_write,
    .poll = hostfd_poll,
    .ioctl = hostfd_ioctl,
    .llseek = hostfd_llseek,
    .fsync = hostfd_fsync,
    .reopen = hostfd_reopen,
    .release = hostfd_release,
};

static const struct inode_ops hostfd_inode_ops = {0};
static const struct super_ops hostfd_super_ops = {0};

static struct file *make_file(struct hostfd *h, int flags) {
  struct file *f = file_new(&hostfd_file_ops, flags, h);
  if (!f)
    return NULL;
  ref_get(&h->ref);
  f->wq = &h->wq;
  f->anon_name = h->name;
  return f;
}

static int hostfd_reopen(struct file *f, int flags, struct file **out) {
  struct hostfd *h = f->priv;
  int want = flags & O_ACCMODE;
  if (h->accmode != O_RDWR && want != h->accmode)
    return -EACCES;
  *out = make_file(h, flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC));
  if (!*out)
    return -ENOMEM;
  if (f->inode)
    (*out)->inode = inode_get(f->inode);
  (*out)->anon_ino = f->anon_ino;
  return 0;
}

static void set_name(struct hostfd *h, const struct stat *st, uint64_t ino) {
  unsigned long n = ino;
  if (h->type == S_IFIFO)
    snprintf(h->name, sizeof h->name, "pipe:[%lu]", n);
  else if (h->type == S_IFSOCK)
    snprintf(h->name, sizeof h->name, "socket:[%lu]", n);
  else if (h->type == S_IFCHR && st->st_rdev == makedev(1, 3))
    snprintf(h->name, sizeof h->name, "/dev/null");
  else
    snprintf(h->name, sizeof h->name, "host:[%lu]", n);
}

static int hostfd_new(struct kernel *k, int fd, struct hostfd **out, struct inode **inode) {
  if (!k->vfs->hostfd_sb)
    k->vfs->hostfd_sb = super_new(k, "hostfd", &hostfd_super_ops, HOSTFD_MAGIC);
  struct super *sb = k->vfs->hostfd_sb;
  struct stat st;
  int fl = fcntl(fd, F_GETFL);
  if (fl < 0 || fstat(fd, &st) < 0)
    return -errno;
  struct hostfd *h = calloc(1, sizeof *h);
  struct inode *i = h && sb ? inode_new(sb, &hostfd_inode_ops, st.st_mode & (S_IFMT | 0777)) : NULL;
  if (!i) {
    free(h);
    return -ENOMEM;
  }
  ref_init(&h->ref);
  waitq_init(&h->wq);
  h->fd = fd;
  h->accmode = fl & O_ACCMODE;
  h->type = st.st_mode & S_IFMT;
  if (h->type != S_IFREG)
    i->mode |= 0666; /* /dev/stdout must open for whatever user the container runs as: runtimes chown it to that user */
  h->seekable = h->type == S_IFREG || h->type == S_IFBLK;
  i->ino = ++k->next_anon_ino; /* host ids and inode numbers are none of the guest's business */
  i->uid = i->gid = 0;
  i->nlink = 1;
  i->rdev = h->type == S_IFCHR ? st.st_rdev : 0;
  i->atime = i->mtime = i->ctime = vfs_now();
  set_name(h, &st, i->ino);
  *out = h;
  *inode = i;
  return 0;
}

int hostfd_file_new(struct kernel *k, int fd, struct file **out) {
  struct hostfd *h = NULL;
  struct inode *i = NULL;
  int r = hostfd_new(k, fd, &h, &i);
  if (r)
    return r;
  struct file *f = make_file(h, h->accmode | (fcntl(fd, F_GETFL) & O_APPEND));
  if (!f) {
    inode_put(i);
    h->fd = -1; /* the caller keeps it on failure */
    hostfd_put(h);
    return -ENOMEM;
  }
  f->inode = i;
  f->anon_ino = i->ino;
  ref_put(&h->ref); /* the file has its own */
  *out = f;
  return 0;
}
