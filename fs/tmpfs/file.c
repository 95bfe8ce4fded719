/* Open files of tmpfs. f->priv is the inode, counted: f->inode may be another file system's (overlay's). */
#include "../../core/errno.h"
#include "../namei.h"
#include "tmpfs.h"
#include <linux/falloc.h>
#include <unistd.h>

#define SIZE_MAX_FILE INT64_MAX
#define NR_CACHESTAT 451      /* Linux 6.5 */
#define RWF_NOAPPEND_BIT 0x20 /* Linux 6.9 */

/* ---- reading ---- */

static ssize_t read_heap(struct inode *i, struct uio *u, off_t pos) {
  struct tmpfs_node *n = tmpfs_node(i);
  if (pos >= i->size)
    return 0;
  size_t len = (size_t)(i->size - pos);
  len = len < u->resid ? len : u->resid;
  return uio_copy_to(u, n->file.buf + pos, len);
}

static ssize_t read_memfd(struct inode *i, struct uio *u, off_t pos) {
  struct vfs *v = i->sb->vfs;
  char small[4096], *buf = small;
  size_t cap = sizeof small;
  if (u->resid > cap && i->size - pos > (off_t)cap) {
    buf = vfs_scratch_get(v);
    cap = VFS_SCRATCH;
    if (!buf)
      return -ENOMEM;
  }
  ssize_t done = 0, r = 0;
  while (u->resid && pos + done < i->size) {
    size_t want = u->resid < cap ? u->resid : cap;
    r = pread(tmpfs_node(i)->file.fd, buf, want, pos + done);
    if (r <= 0) {
      r = r < 0 ? -errno : 0;
      break;
    }
    ssize_t got = r;
    r = uio_copy_to(u, buf, (size_t)got); /* may park */
    if (r > 0)
      done += r;
    if (r < got)
      break;
  }
  if (buf != small)
    vfs_scratch_put(v, buf);
  return done ? done : r;
}

static ssize_t tmpfs_read(struct file *f, struct uio *u, off_t *pos) {
  struct inode *i = f->priv;
  ssize_t r;
  if (*pos < 0)
    return -EINVAL;
  if (tmpfs_node(i)->file.fd >= 0) {
    r = read_memfd(i, u, *pos);
  } else {
    fmutex_lock(&i->io_lock); /* the heap buffer must stay while the copy parks */
    r = tmpfs_node(i)->file.fd >= 0 ? read_memfd(i, u, *pos) : read_heap(i, u, *pos);
    fmutex_unlock(&i->io_lock);
  }
  if (r > 0)
    *pos += r;
  if (!(f->flags & O_NOATIME))
    vfs_touch_atime(f->mnt, i);
  return r;
}

/* ---- writing ---- */

static ssize_t write_heap(struct inode *i, struct uio *u, off_t pos, size_t len) {
  struct tmpfs_node *n = tmpfs_node(i);
  ssize_t r = uio_copy_from(u, n->file.buf + pos, len);
  if (r <= 0)
    return r;
  if (pos + r > i->size)
    i->size = pos + r;
  if (blocks_of(i->size) != n->file.charged)
    tmpfs_recharge(i);
  return r;
}

static ssize_t write_memfd(struct inode *i, struct uio *u, off_t pos, size_t len, char *buf) {
  struct tmpfs_node *n = tmpfs_node(i);
  ssize_t got = uio_copy_from(u, buf, len);
  if (got <= 0)
    return got;
  ssize_t r = pwrite(n->file.fd, buf, (size_t)got, pos);
  if (r < 0)
    return errno == ENOMEM ? -ENOSPC : -errno;
  if (pos + r > i->size)
    i->size = pos + r;
  if (pos + r > n->file.dense) {
    if (pos <= n->file.dense)
      n->file.dense = pos + r;
    tmpfs_recharge(i);
  }
  return r;
}

/* One chunk; 0 at the end of what fits. */
static ssize_t write_chunk(struct inode *i, struct uio *u, off_t pos, size_t len, char **buf) {
  len = len < VFS_SCRATCH ? len : VFS_SCRATCH;
  len = tmpfs_room(i, pos, len);
  if (!len)
    return -ENOSPC;
  int r = tmpfs_data_reserve(i, pos, len);
  if (r < 0)
    return r;
  if (r == 0)
    return write_heap(i, u, pos, len);
  if (!*buf && !(*buf = vfs_scratch_get(i->sb->vfs)))
    return -ENOMEM;
  return write_memfd(i, u, pos, len, *buf);
}

/* How many bytes the seals let be written, or -EPERM. Linux checks block by block: what lies in blocks within a size
 * that must not grow is written. */
static ssize_t sealed_room(const struct inode *i, size_t n, off_t pos) {
  unsigned seals = tmpfs_node(i)->file.seals;
  if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
    return -EPERM;
  if (!(seals & F_SEAL_GROW) || pos + (off_t)n <= i->size)
    return (ssize_t)n;
  off_t end = i->size & ~(off_t)(TMPFS_BLOCK - 1);
  return pos < end ? end - pos : -EPERM;
}

static ssize_t tmpfs_write(struct file *f, struct uio *u, off_t *pos) {
  struct inode *i = f->priv;
  char *buf = NULL;
  ssize_t done = 0, r = 0;
  fmutex_lock(&i->io_lock);
  if (((f->flags & O_APPEND) && !(u->rwf & RWF_NOAPPEND_BIT)) || (u->rwf & RWF_APPEND))
    *pos = i->size;
  if (*pos < 0 || u->resid > (uint64_t)(SIZE_MAX_FILE - *pos))
    r = *pos < 0 ? -EINVAL : -EFBIG;
  else if (u->resid)
    r = sealed_room(i, u->resid, *pos);
  ssize_t room = r;
  while (r >= 0 && done < room) {
    r = write_chunk(i, u, *pos + done, (size_t)(room - done), &buf);
    if (r <= 0)
      break;
    done += r;
  }
  if (done) {
    *pos += done;
    i->mtime = i->ctime = vfs_now();
  }
  fmutex_unlock(&i->io_lock);
  if (buf)
    vfs_scratch_put(i->sb->vfs, buf);
  return done ? done : r < 0 ? r : 0;
}

/* ---- the rest ---- */

int tmpfs_truncate(struct inode *i, off_t size) {
  unsigned seals = tmpfs_node(i)->file.seals;
  if (size < 0)
    return -EINVAL;
  if ((size < i->size && (seals & F_SEAL_SHRINK)) || (size > i->size && (seals & F_SEAL_GROW)))
    return -EPERM;
  fmutex_lock(&i->io_lock);
  int r = size == i->size ? 0 : tmpfs_data_resize(i, size);
  fmutex_unlock(&i->io_lock);
  if (!r)
    i->mtime = i->ctime = vfs_now();
  return r;
}

static int fallocate_locked(struct inode *i, int mode, off_t off, off_t len) {
  unsigned seals = tmpfs_node(i)->file.seals;
  if (mode & FALLOC_FL_PUNCH_HOLE)
    return seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ? -EPERM : tmpfs_data_punch(i, off, len);
  bool grow = !(mode & FALLOC_FL_KEEP_SIZE) && off + len > i->size;
  if (grow && (seals & F_SEAL_GROW))
    return -EPERM;
  int r = tmpfs_data_allocate(i, off, len);
  if (!r && grow)
    r = tmpfs_data_resize(i, off + len);
  return r;
}

static int tmpfs_fallocate(struct file *f, int mode, off_t off, off_t len) {
  struct inode *i = f->priv;
  if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
    return -EOPNOTSUPP;
  if (off < 0 || len <= 0 || off > SIZE_MAX_FILE - len)
    return -EINVAL;
  fmutex_lock(&i->io_lock);
  int r = fallocate_locked(i, mode, off, len);
  fmutex_unlock(&i->io_lock);
  if (!r)
    i->mtime = i->ctime = vfs_now();
  return r;
}

static off_t tmpfs_llseek(struct file *f, off_t off, int whence) {
  struct inode *i = f->priv;
  off_t to = off;
  if (whence == SEEK_DATA || whence == SEEK_HOLE) {
    if (off < 0 || off >= i->size)
      return -ENXIO;
    if (tmpfs_node(i)->file.fd >= 0)
      to = lseek(tmpfs_node(i)->file.fd, off, whence); /* the host's position is not used otherwise */
    else if (whence == SEEK_HOLE)
      to = i->size;
    if (to < 0)
      return -errno;
  } else if (whence == SEEK_CUR || whence == SEEK_END) {
    if (__builtin_add_overflow(whence == SEEK_CUR ? f->pos : i->size, off, &to))
      return -EOVERFLOW;
  } else if (whence != SEEK_SET) {
    return -EINVAL;
  }
  if (to < 0)
    return -EINVAL;
  f->pos = to;
  return to;
}

static int tmpfs_mmap(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off) {
  struct inode *i = f->priv;
  struct tmpfs_node *n = tmpfs_node(i);
  (void)len;
  if ((n->file.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) && (flags & MAP_SHARED) && (prot & PROT_WRITE))
    return -EPERM;
  fmutex_lock(&i->io_lock);
  int r = tmpfs_to_memfd(i);
  fmutex_unlock(&i->io_lock);
  if (r)
    return r == -EMFILE || r == -ENFILE ? -ENOMEM : r;
  n->file.mapped = true;
  *host_off = off;
  return n->file.fd;
}

static int tmpfs_fsync(struct file *f, bool datasync) {
  (void)f;
  (void)datasync;
  return 0;
}

static void tmpfs_release(struct file *f) {
  inode_put(f->priv);
}

const struct file_ops tmpfs_file_fops = {
    .name = "tmpfs",
    .read = tmpfs_read,
    .write = tmpfs_write,
    .llseek = tmpfs_llseek,
    .mmap = tmpfs_mmap,
    .fsync = tmpfs_fsync,
    .fallocate = tmpfs_fallocate,
    .release = tmpfs_release,
};

int tmpfs_open_file(struct inode *i, struct file *f) {
  f->ops = &tmpfs_file_fops;
  f->priv = inode_get(i);
  return 0;
}

int tmpfs_getattr_file(struct inode *i, struct dentry *d) {
  (void)d;
  return tmpfs_node(i)->file.mapped ? tmpfs_recharge(i) : 0;
}

/* ---- seals: memfd_create(2), fcntl(2) ---- */

static struct inode *sealable(struct file *f) {
  return f->ops == &tmpfs_file_fops ? f->priv : NULL;
}

/* cachestat(2): what is in memory. Small files are, all of them. */
int tmpfs_cachestat(struct file *f, const uint64_t range[2], uint64_t out[5]) {
  struct inode *i = sealable(f);
  memset(out, 0, 5 * sizeof *out);
  if (!i)
    return -EINVAL;
  if (tmpfs_node(i)->file.fd >= 0)
    return syscall(NR_CACHESTAT, tmpfs_node(i)->file.fd, range, out, 0) ? -errno : 0;
  uint64_t pages = blocks_of(i->size) / TMPFS_BLOCK, first = range[0] / TMPFS_BLOCK, last = UINT64_MAX;
  if (range[1])
    last = (range[0] + range[1] - 1) / TMPFS_BLOCK;
  if (first < pages && first <= last)
    out[0] = (last < pages ? last + 1 : pages) - first;
  return 0;
}

int tmpfs_get_seals(struct file *f) {
  struct inode *i = sealable(f);
  return i ? (int)tmpfs_node(i)->file.seals : -EINVAL;
}

int tmpfs_add_seals(struct file *f, unsigned seals) {
  struct inode *i = sealable(f);
  const unsigned known =
      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | 0x20; /* EXEC */
  if (!file_can_write(f))
    return -EPERM;
  if (!i || (seals & ~known))
    return -EINVAL;
  struct tmpfs_node *n = tmpfs_node(i);
  if (n->file.seals & F_SEAL_SEAL)
    return -EPERM;
  fmutex_lock(&i->io_lock);
  int r = 0;
  /* The host knows who has it mapped for writing (EBUSY), and refuses later mappings. */
  if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) & ~n->file.seals) {
    r = tmpfs_to_memfd(i);
    if (!r && fcntl(n->file.fd, F_ADD_SEALS, seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
      r = -errno;
  }
  if (!r) {
    if ((seals & 0x20) && (i->mode & 0111))
      seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    n->file.seals |= seals;
  }
  fmutex_unlock(&i->io_lock);
  return r;
}
