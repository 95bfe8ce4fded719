/* getdents(2), getdents64(2): entries are gathered in a buffer of the Sentry's and copied at once. */
#include "path.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MAX 65536u

struct dirent64_k {
  uint64_t ino;
  int64_t off;
  uint16_t reclen;
  uint8_t type;
  char name[];
} __attribute__((packed));

struct dirent_k { /* the old one: the type is in the last byte of the record */
  uint64_t ino;
  uint64_t off;
  uint16_t reclen;
  char name[];
} __attribute__((packed));

struct fill {
  struct dir_ctx ctx;
  char *buf;
  size_t cap, used;
  bool old, too_small;
};

static bool emit(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct fill *f = (struct fill *)d;
  size_t head = f->old ? offsetof(struct dirent_k, name) : offsetof(struct dirent64_k, name);
  size_t rec = (head + len + 1 + (f->old ? 1 : 0) + 7) & ~(size_t)7;
  if (rec > f->cap - f->used) {
    f->too_small = !f->used;
    return false;
  }
  char *p = f->buf + f->used;
  memset(p + rec - 8, 0, 8);
  if (f->old) {
    struct dirent_k h = {.ino = ino, .off = (uint64_t)next, .reclen = (uint16_t)rec};
    memcpy(p, &h, head);
    p[rec - 1] = (char)type;
  } else {
    struct dirent64_k h = {.ino = ino, .off = next, .reclen = (uint16_t)rec, .type = type};
    memcpy(p, &h, head);
  }
  memcpy(p + head, name, len);
  p[head + len] = 0;
  f->used += rec;
  return true;
}

static int64_t getdents_call(struct task *t, int fd, uint64_t ubuf, unsigned count, bool old) {
  AUTO_FILE f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  struct fill fill = {.ctx.emit = emit, .cap = count < BUF_MAX ? count : BUF_MAX, .old = old};
  fill.buf = vfs_scratch_get(t->k->vfs);
  if (!fill.buf)
    return -ENOMEM;
  off_t before = f->pos;
  int64_t r = vfs_iterate(f, &fill.ctx);
  if (!r || fill.used) {
    r = fill.used ? (int64_t)fill.used : fill.too_small ? -EINVAL : 0;
    if (fill.used && copy_to_user(ubuf, fill.buf, fill.used)) {
      f->pos = before;
      r = -EFAULT;
    }
  }
  vfs_scratch_put(t->k->vfs, fill.buf);
  return r;
}

SYSCALL_HANDLER(getdents64) {
  return getdents_call(t, (int)a[0], a[1], (unsigned)a[2], false);
}
SYSCALL_HANDLER(getdents) {
  return getdents_call(t, (int)a[0], a[1], (unsigned)a[2], true);
}
