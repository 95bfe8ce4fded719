/*
 * Where a file's bytes are: heap or memfd, and what they count. Blocks of a memfd are counted by asking the host, but
 * not on writes within the prefix that is known to be allocated already.
 */
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/loop.h"
#include "tmpfs.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALLOCATE_PIECE (64 << 20)
#define ALLOCATE_INLINE (1 << 20) /* larger fallocates go through the ring: zeroing takes the host 100 us per MiB */

static void charge(struct inode *i, uint64_t bytes) {
  struct tmpfs_node *n = tmpfs_node(i);
  n->ts->used_bytes += bytes - n->file.charged;
  struct kernel *k = kernel_current();
  if (k)
    k->shmem_bytes += bytes - n->file.charged;
  n->file.charged = bytes;
  i->blocks = bytes / 512;
}

int tmpfs_recharge(struct inode *i) {
  struct tmpfs_node *n = tmpfs_node(i);
  if (n->file.fd < 0) {
    charge(i, n->file.buf ? blocks_of(i->size) : 0);
    return 0;
  }
  struct stat st;
  if (fstat(n->file.fd, &st))
    return -errno;
  charge(i, (uint64_t)st.st_blocks * 512);
  return 0;
}

size_t tmpfs_room(const struct inode *i, off_t off, size_t len) {
  struct tmpfs_node *n = tmpfs_node(i);
  struct tmpfs_sb *ts = n->ts;
  if (!ts->max_bytes)
    return len;
  /* Blocks up to here cost nothing more; a file that stays in the heap has no holes. */
  bool heap = n->file.fd < 0 && (uint64_t)off + len <= TMPFS_SMALL;
  uint64_t have = n->file.fd < 0 ? n->file.charged : blocks_of(n->file.dense);
  uint64_t from = (uint64_t)off, left = ts->max_bytes > ts->used_bytes ? ts->max_bytes - ts->used_bytes : 0;
  if (from + len <= have)
    return len;
  uint64_t base = !heap && from > have ? from / TMPFS_BLOCK * TMPFS_BLOCK : have;
  uint64_t end = base + left / TMPFS_BLOCK * TMPFS_BLOCK;
  if (end <= from)
    return 0;
  return end - from < len ? end - from : len;
}

/* Pages of zeroes stay holes, as they are in Linux where nobody wrote them. *dense: none was found. */
static int write_pages(int fd, const char *p, size_t n, bool *dense) {
  static const char zeroes[TMPFS_BLOCK];
  *dense = true;
  for (size_t at = 0; at < n;) {
    size_t len = n - at < TMPFS_BLOCK ? n - at : TMPFS_BLOCK;
    if (!memcmp(p + at, zeroes, len)) {
      *dense = false;
      at += len;
      continue;
    }
    ssize_t r = pwrite(fd, p + at, len, (off_t)at);
    if (r < 0)
      return -errno;
    at += (size_t)r;
  }
  return 0;
}

int tmpfs_to_memfd(struct inode *i) {
  struct tmpfs_node *n = tmpfs_node(i);
  if (n->file.fd >= 0)
    return 0;
  bool dense = false;
  int fd = memfd_create("tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return -errno;
  int r = ftruncate(fd, i->size) ? -errno : 0;
  if (!r && n->file.buf)
    r = write_pages(fd, n->file.buf, (size_t)i->size, &dense);
  if (r) {
    close(fd);
    return r;
  }
  n->file.dense = n->file.buf && dense ? i->size : 0;
  free(n->file.buf);
  n->file.buf = NULL;
  n->file.cap = 0;
  n->file.fd = fd;
  return tmpfs_recharge(i);
}

static int heap_grow(struct tmpfs_node *n, size_t need) {
  size_t cap = n->file.cap ? n->file.cap : 64;
  while (cap < need)
    cap *= 2;
  if (cap == n->file.cap)
    return 0;
  char *p = realloc(n->file.buf, cap);
  if (!p)
    return -ENOMEM;
  n->file.buf = p;
  n->file.cap = cap;
  return 0;
}

/* Between the old end and `off` there must be zeros. */
static void heap_zero_gap(struct inode *i, off_t off) {
  if (off > i->size)
    memset(tmpfs_node(i)->file.buf + i->size, 0, (size_t)(off - i->size));
}

int tmpfs_data_reserve(struct inode *i, off_t off, size_t len) {
  struct tmpfs_node *n = tmpfs_node(i);
  if (n->file.fd >= 0)
    return 1;
  uint64_t end = (uint64_t)off + len;
  if (end > TMPFS_SMALL) {
    int r = tmpfs_to_memfd(i);
    return r ? r : 1;
  }
  int r = heap_grow(n, end);
  if (!r)
    heap_zero_gap(i, off);
  return r;
}

int tmpfs_data_resize(struct inode *i, off_t size) {
  struct tmpfs_node *n = tmpfs_node(i);
  int r = 0;
  if (n->file.fd < 0 && size <= TMPFS_SMALL) {
    if (size > i->size) {
      r = heap_grow(n, (size_t)size);
      if (r)
        return r;
      heap_zero_gap(i, size);
    } else if (!size) {
      free(n->file.buf);
      n->file.buf = NULL;
      n->file.cap = 0;
    }
    i->size = size;
    return tmpfs_recharge(i);
  }
  r = tmpfs_to_memfd(i);
  if (r)
    return r;
  if (ftruncate(n->file.fd, size))
    return -errno;
  if (size < n->file.dense)
    n->file.dense = size;
  bool shrank = size < i->size;
  i->size = size;
  return shrank ? tmpfs_recharge(i) : 0;
}

int tmpfs_data_punch(struct inode *i, off_t off, off_t len) {
  struct tmpfs_node *n = tmpfs_node(i);
  if (n->file.fd < 0) {
    if (off < i->size) {
      off_t end = len < i->size - off ? off + len : i->size;
      memset(n->file.buf + off, 0, (size_t)(end - off));
    }
    return 0;
  }
  if (fallocate(n->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len))
    return -errno;
  if (off < n->file.dense)
    n->file.dense = off;
  return tmpfs_recharge(i);
}

/* Piece by piece, so that a kill ends it. Other signals do not: a container's root is made of these files, and where it is
 * ext4 or xfs, programs never see EINTR here. What there is already stays: holes only get pages. */
static int allocate_pieces(int fd, off_t off, off_t len) {
  struct task *t = task_current();
  int r = 0;
  while (len > 0 && !r) {
    off_t n = len < ALLOCATE_PIECE ? len : ALLOCATE_PIECE;
    if (n > ALLOCATE_INLINE && fiber_self() && loop_current())
      r = loop_fallocate(fd, FALLOC_FL_KEEP_SIZE, off, n);
    else
      r = fallocate(fd, FALLOC_FL_KEEP_SIZE, off, n) ? -errno : 0;
    off += n;
    len -= n;
    if (!r && len && t && t->killed)
      r = -EINTR;
  }
  return r;
}

int tmpfs_data_allocate(struct inode *i, off_t off, off_t len) {
  struct tmpfs_node *n = tmpfs_node(i);
  struct kernel *k = kernel_current();
  if (tmpfs_room(i, off, (size_t)len) < (size_t)len || (k && k->mem_limit && (uint64_t)len > k->mem_limit))
    return -ENOSPC; /* an unlimited one (memfd_create(2)) has no more than there is memory */
  int r = tmpfs_to_memfd(i);
  if (r)
    return r;
  r = allocate_pieces(n->file.fd, off, len);
  if (!r && off <= n->file.dense && off + len > n->file.dense)
    n->file.dense = off + len;
  int c = tmpfs_recharge(i);
  return r ? r : c;
}

void tmpfs_free_data(struct inode *i) {
  struct tmpfs_node *n = tmpfs_node(i);
  charge(i, 0);
  free(n->file.buf);
  if (n->file.fd >= 0)
    close(n->file.fd);
}
