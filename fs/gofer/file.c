/*
 * Open regular files of gofer trees: data goes between the guest and the host's page cache through the descriptor that
 * the gofer handed over, without the gofer. The Sentry must not wait for a disk: what is not in the page cache goes
 * through the ring.
 */
#include "client.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct open_file {     /* file->priv */
  struct inode *inode; /* counted; an overlay's file->inode is another one */
  struct gofer_fd *h;
};

/* Data read this recently is taken to be in the page cache still, on host file systems that cannot say (overlayfs). */
#define WARM_NS (10 * 1000000000ll)

static bool is_warm(struct gofer_inode *gi, off_t off, size_t n) {
  return off >= gi->warm_lo && off + (off_t)n <= gi->warm_hi && loop_now() - gi->warm_at < WARM_NS;
}

static void set_warm(struct gofer_inode *gi, off_t off, size_t n) {
  off_t end = off + (off_t)n;
  bool extend = off <= gi->warm_hi && end >= gi->warm_lo && loop_now() - gi->warm_at < WARM_NS;
  if (!extend || off < gi->warm_lo)
    gi->warm_lo = off;
  if (!extend || end > gi->warm_hi)
    gi->warm_hi = end;
  gi->warm_at = loop_now();
}

static ssize_t host_read(struct gofer_fd *h, void *buf, size_t n, off_t off, bool nowait) {
  struct iovec iov = {buf, n};
  ssize_t r = -1;
  if (!h->no_nowait_read) {
    r = preadv2(h->fd, &iov, 1, off, RWF_NOWAIT);
    if (r == 0 || r == (ssize_t)n || (r > 0 && nowait))
      return r;
    if (r > 0) { /* up to a page that is not in the cache, or to the end of the file */
      ssize_t rest = host_read(h, (char *)buf + r, n - (size_t)r, off + r, false);
      return rest > 0 ? r + rest : r;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS)
      h->no_nowait_read = true;
    else if (errno != EAGAIN && errno != EINTR)
      return -errno;
  }
  if (h->no_nowait_read && is_warm(h->gi, off, n)) {
    r = pread(h->fd, buf, n, off);
    return r < 0 ? -errno : r;
  }
  if (nowait)
    return -EAGAIN;
  r = loop_readv(h->fd, &iov, 1, off);
  /* At the end of the file the whole page around what was read is there. */
  if (r > 0 && h->no_nowait_read)
    set_warm(h->gi, off, n);
  return r;
}

static ssize_t gofer_read(struct file *f, struct uio *u, off_t *pos) {
  struct open_file *of = f->priv;
  struct gofer_sb *s = gofer_sb_of(of->inode);
  ssize_t total = 0, err = 0;
  void *buf = u->resid ? gofer_buf_get(s->g) : NULL;
  if (!buf)
    return u->resid ? -ENOMEM : 0;
  while (u->resid) {
    size_t n = u->resid < GOFER_CHUNK ? u->resid : GOFER_CHUNK;
    if (s->exclusive) {
      off_t size = of->inode->size;
      if (*pos >= size)
        break;
      if ((off_t)n > size - *pos)
        n = (size_t)(size - *pos);
    }
    ssize_t r = host_read(of->h, buf, n, *pos, u->rwf & RWF_NOWAIT);
    if (r <= 0) {
      err = r;
      break;
    }
    ssize_t c = uio_copy_to(u, buf, (size_t)r);
    if (c <= 0) {
      err = c;
      break;
    }
    *pos += c;
    total += c;
    if (c < r || (size_t)r < n)
      break;
  }
  gofer_buf_put(s->g, buf);
  if (total && s->exclusive && !(f->flags & O_NOATIME))
    vfs_touch_atime(f->mnt, of->inode);
  return total ? total : err;
}

/* Once: into the page cache if that needs no waiting, else through the ring. append: somebody on the host may append
 * too, so that only the host knows where the end is. */
static ssize_t write_once(struct gofer_fd *h, const struct iovec *iov, off_t off, bool append, bool nowait) {
  if (!h->no_nowait_write) {
    ssize_t r = pwritev2(h->fd, iov, 1, append ? 0 : off, RWF_NOWAIT | (append ? RWF_APPEND : 0));
    if (r >= 0)
      return r;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
      h->no_nowait_write = true;
    else if (errno != EAGAIN)
      return -errno;
  }
  if (nowait)
    return -EAGAIN;
  return append ? loop_appendv(h->fd, iov, 1) : loop_writev(h->fd, iov, 1, off);
}

/* All n bytes, or as many as the host takes; -errno if none. */
static ssize_t host_write(struct gofer_fd *h, const char *buf, size_t n, off_t *off, bool append, int rwf) {
  size_t done = 0;
  while (done < n) {
    struct iovec iov = {(void *)(buf + done), n - done};
    ssize_t r = write_once(h, &iov, *off, append, rwf & RWF_NOWAIT);
    if (r == -EINTR)
      continue;
    if (r <= 0)
      return done ? (ssize_t)done : r ? r : -EIO;
    done += (size_t)r;
    *off += r;
  }
  return (ssize_t)done;
}

static void wrote(struct inode *i, off_t end) {
  struct gofer_inode *gi = gofer_inode_of(i);
  if (end > i->size)
    i->size = end;
  i->mtime = i->ctime = vfs_now();
  gi->dirty = true;
}

static ssize_t write_chunks(struct file *f, struct open_file *of, struct uio *u, off_t *pos, void *buf) {
  struct inode *i = of->inode;
  bool append = ((f->flags & O_APPEND) || (u->rwf & RWF_APPEND)) && !gofer_sb_of(i)->exclusive;
  ssize_t total = 0;
  while (u->resid) {
    size_t n = u->resid < GOFER_CHUNK ? u->resid : GOFER_CHUNK;
    ssize_t c = uio_copy_from(u, buf, n);
    if (c <= 0)
      return total ? total : c;
    ssize_t r = host_write(of->h, buf, (size_t)c, pos, append, u->rwf);
    if (r < 0)
      return total ? total : r;
    struct stat st;
    if (append && fstat(of->h->fd, &st) == 0)
      *pos = st.st_size;
    wrote(i, *pos);
    total += r;
    if (r < c || (size_t)c < n)
      break;
  }
  return total;
}

static int gofer_fsync(struct file *f, bool datasync) {
  struct open_file *of = f->priv;
  return loop_fsync(of->h->fd, datasync);
}

static ssize_t gofer_write(struct file *f, struct uio *u, off_t *pos) {
  struct open_file *of = f->priv;
  struct gofer_sb *s = gofer_sb_of(of->inode);
  void *buf = u->resid ? gofer_buf_get(s->g) : NULL;
  if (!buf)
    return u->resid ? -ENOMEM : 0;
  bool locked = gofer_io_lock(of->inode);
  if ((f->flags & O_APPEND) || (u->rwf & RWF_APPEND))
    *pos = of->inode->size;
  ssize_t n = write_chunks(f, of, u, pos, buf);
  if (locked)
    fmutex_unlock(&of->inode->io_lock);
  gofer_buf_put(s->g, buf);
  if (n > 0 && ((f->flags & O_DSYNC) || (u->rwf & (RWF_DSYNC | RWF_SYNC)))) {
    int err = gofer_fsync(f, !(f->flags & (O_SYNC & ~O_DSYNC)));
    if (err)
      return err;
  }
  return n;
}

static int gofer_mmap(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off) {
  struct open_file *of = f->priv;
  if ((flags & MAP_SHARED) && of->h->rw && file_can_write(f))
    gofer_inode_of(of->inode)->mapped = true;
  *host_off = off;
  return of->h->fd;
}

static int gofer_fallocate(struct file *f, int mode, off_t off, off_t len) {
  struct open_file *of = f->priv;
  bool locked = gofer_io_lock(of->inode);
  int err = loop_fallocate(of->h->fd, mode, off, len);
  if (!err)
    wrote(of->inode, mode & FALLOC_FL_KEEP_SIZE ? 0 : off + len);
  if (locked)
    fmutex_unlock(&of->inode->io_lock);
  if (!err && (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)))
    err = gofer_getattr(of->inode, f->dentry);
  return err;
}

/* SEEK_DATA and SEEK_HOLE know the host's extents; the position of the shared descriptor itself is never used. */
static off_t gofer_llseek(struct file *f, off_t off, int whence) {
  struct open_file *of = f->priv;
  if (whence == SEEK_DATA || whence == SEEK_HOLE) {
    off_t r = lseek(of->h->fd, off, whence);
    if (r < 0)
      return -errno;
    f->pos = r;
    return r;
  }
  struct stat st;
  if (whence == SEEK_END && !gofer_sb_of(of->inode)->exclusive && fstat(of->h->fd, &st) == 0)
    of->inode->size = st.st_size;
  struct inode *shown = f->inode;
  f->inode = of->inode;
  off_t r = generic_llseek(f, off, whence);
  f->inode = shown;
  return r;
}

static void gofer_release(struct file *f) {
  struct open_file *of = f->priv;
  gofer_fd_put(of->h);
  inode_put(of->inode);
  free(of);
}

static const struct file_ops ops = {
    .name = "gofer",
    .may_block_mmap = true,
    .read = gofer_read,
    .write = gofer_write,
    .llseek = gofer_llseek,
    .mmap = gofer_mmap,
    .fsync = gofer_fsync,
    .fallocate = gofer_fallocate,
    .release = gofer_release,
};

int gofer_open_file(struct inode *i, struct file *f) {
  struct open_file *of = calloc(1, sizeof *of);
  if (!of)
    return -ENOMEM;
  int err = gofer_fd_get(i, f->dentry, (f->flags & O_ACCMODE) != O_RDONLY, &of->h);
  if (err) {
    free(of);
    return err;
  }
  of->inode = inode_get(i);
  f->ops = &ops;
  f->priv = of;
  f->wq = NULL;
  return 0;
}
