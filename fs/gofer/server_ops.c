/* The gofer's answers to requests on names: walking, opening, listing, creating, linking, removing, renaming. */
#include "server.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AUTO_FD __attribute__((cleanup(close_fdp))) int
static void close_fdp(int *fd) {
  if (*fd >= 0)
    close(*fd);
}

static void put_attr(struct gofer_call *c, const struct gofer_attr *a) {
  gm_put(&c->out, a, sizeof *a);
}

/* ---- looking ---- */

int srv_walk(struct gofer_call *c) {
  const char *dir = srv_get_path(c);
  uint32_t n = gm_get_u32(&c->in);
  const char *names[GOFER_WALK_MAX];
  if (n == 0 || n > GOFER_WALK_MAX)
    return CALL_MALFORMED;
  for (uint32_t i = 0; i < n; i++)
    names[i] = srv_get_name(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;

  AUTO_FD at = srv_open_dir(c->root, dir);
  if (at < 0)
    return at;
  size_t count_at = c->out.pos;
  uint32_t got = 0;
  int err = 0;
  char target[PATH_MAX] = "";
  gm_put_u32(&c->out, 0);
  while (got < n) {
    struct gofer_attr a;
    AUTO_FD fd = srv_open_name(at, names[got], O_PATH, 0);
    if ((err = fd < 0 ? fd : srv_attr(fd, &a)))
      break;
    put_attr(c, &a);
    got++;
    if (S_ISLNK(a.mode)) {
      ssize_t len = readlinkat(fd, "", target, sizeof target - 1);
      if (len < 0)
        return -errno;
      target[len] = 0;
    }
    if (!S_ISDIR(a.mode))
      break;
    int old = at;
    at = fd;
    fd = old;
  }
  if (!c->out.bad)
    memcpy(c->out.buf + count_at, &got, sizeof got);
  gm_put_u32(&c->out, (uint32_t)-err);
  gm_put_str(&c->out, target);
  return 0;
}

int srv_getattr(struct gofer_call *c) {
  const char *path = srv_get_path(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD fd = srv_open_path(c->root, path, O_PATH);
  struct gofer_attr a;
  int err = fd < 0 ? fd : srv_attr(fd, &a);
  if (!err)
    put_attr(c, &a);
  return err;
}

int srv_readlink(struct gofer_call *c) {
  const char *path = srv_get_path(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD fd = srv_open_path(c->root, path, O_PATH);
  if (fd < 0)
    return fd;
  char target[PATH_MAX];
  ssize_t n = readlinkat(fd, "", target, sizeof target);
  if (n < 0)
    return errno == ENOENT ? -EINVAL : -errno; /* ENOENT: not a symlink (readlink(2), on empty paths) */
  if (n == sizeof target)
    return -ENAMETOOLONG;
  gm_put_strn(&c->out, target, (size_t)n);
  return 0;
}

/* Hand an opened regular file over. io_uring fails requests on O_NONBLOCK files instead of waiting, so that goes. */
static int pass_file(struct gofer_call *c, int fd) {
  struct gofer_attr a;
  int err = srv_attr(fd, &a);
  if (!err && !S_ISREG(a.mode))
    err = -EOPNOTSUPP;
  int flags = err ? -1 : fcntl(fd, F_GETFL);
  if (!err && (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0))
    err = -errno;
  if (err) {
    close(fd);
    return err;
  }
  put_attr(c, &a);
  c->fd = fd;
  return 0;
}

int srv_open(struct gofer_call *c) {
  const char *path = srv_get_path(c);
  uint32_t mode = gm_get_u32(&c->in);
  if (!gm_done(&c->in) || (mode & ~(uint32_t)O_ACCMODE) || mode == O_ACCMODE)
    return CALL_MALFORMED;
  if (mode != O_RDONLY && c->root->readonly)
    return -EROFS;
  AUTO_FD opath = srv_open_path(c->root, path, O_PATH);
  if (opath < 0)
    return opath;
  int fd = srv_reopen(c->root, path, opath, (int)mode);
  return fd < 0 ? fd : pass_file(c, fd);
}

struct dirent64_k { /* linux_dirent64, getdents(2) */
  uint64_t d_ino;
  int64_t d_off;
  unsigned short d_reclen;
  unsigned char d_type;
  char d_name[];
};

/* Copies entries of s->scratch[0..n) that fit. True when all did. */
static bool put_entries(struct gofer_call *c, size_t n, uint32_t *count) {
  const uint8_t *buf = c->s->scratch;
  for (size_t at = 0; at < n;) {
    const struct dirent64_k *e = (const void *)(buf + at);
    at += e->d_reclen;
    size_t len = strlen(e->d_name);
    if (!gofer_name_ok(e->d_name, len))
      continue;
    if (c->out.cap - c->out.pos < len + 32)
      return false;
    gm_put_u64(&c->out, e->d_ino);
    gm_put_u64(&c->out, (uint64_t)e->d_off);
    gm_put_u32(&c->out, e->d_type);
    gm_put_strn(&c->out, e->d_name, len);
    ++*count;
  }
  return true;
}

int srv_readdir(struct gofer_call *c) {
  const char *path = srv_get_path(c);
  uint64_t cookie = gm_get_u64(&c->in);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD opath = srv_open_dir(c->root, path);
  if (opath < 0)
    return opath;
  AUTO_FD fd = srv_reopen(c->root, path, opath, O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    return fd;
  if (cookie && lseek(fd, (off_t)cookie, SEEK_SET) < 0)
    return -errno;
  size_t head = c->out.pos;
  uint32_t count = 0, eof = 0;
  gm_put_u32(&c->out, 0);
  gm_put_u32(&c->out, 0);
  for (;;) {
    long n = syscall(SYS_getdents64, fd, c->s->scratch, sizeof c->s->scratch / 2);
    if (n < 0)
      return -errno;
    if (n == 0)
      eof = 1;
    if (n == 0 || !put_entries(c, (size_t)n, &count))
      break;
  }
  memcpy(c->out.buf + head, &count, sizeof count);
  memcpy(c->out.buf + head + 4, &eof, sizeof eof);
  return 0;
}

/* ---- making ---- */

struct newobj {
  const char *dir, *name;
  uint32_t mode, uid, gid;
};

static bool get_newobj(struct gofer_call *c, struct newobj *o) {
  o->dir = srv_get_path(c);
  o->name = srv_get_name(c);
  o->mode = gm_get_u32(&c->in);
  o->uid = gm_get_u32(&c->in);
  o->gid = gm_get_u32(&c->in);
  return gm_done(&c->in) && o->uid != UINT32_MAX && o->gid != UINT32_MAX;
}

/*
 * Give what was just made (open as fd) its owner, then its mode, since chown clears the set-id bits. Between making and
 * opening it, a process of the host may have put something of its own in its place: that is not ours to give away.
 */
static int dress(struct gofer_call *c, int dirfd, const struct newobj *o, int fd, struct gofer_attr *a) {
  int err = srv_attr(fd, a);
  if (err)
    return err;
  if (a->uid != geteuid())
    return -ESTALE;
  if (a->uid != o->uid || a->gid != o->gid) {
    if (fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH) < 0)
      return -errno;
    err = srv_attr(fd, a);
  }
  if (!err && !S_ISLNK(a->mode) && (a->mode & 07777) != (o->mode & 07777)) {
    struct gofer_root here = {.fd = dirfd};
    err = srv_chmod(c->s, &here, o->name, fd, o->mode & 07777);
    if (!err)
      err = srv_attr(fd, a);
  }
  return err;
}

int srv_create(struct gofer_call *c) {
  struct newobj o;
  if (!get_newobj(c, &o))
    return CALL_MALFORMED;
  AUTO_FD dir = srv_open_dir(c->root, o.dir);
  if (dir < 0)
    return dir;
  int fd = srv_open_name(dir, o.name, O_CREAT | O_EXCL | O_RDWR | O_NOCTTY, 0600);
  if (fd < 0)
    return fd;
  struct gofer_attr a;
  int err = 0;
  if (srv_attr(fd, &a) == 0 && (a.uid != o.uid || a.gid != o.gid) && fchown(fd, o.uid, o.gid) < 0)
    err = -errno;
  if (!err && fchmod(fd, o.mode & 07777) < 0)
    err = -errno;
  if (err) {
    close(fd);
    unlinkat(dir, o.name, 0);
    return err;
  }
  return pass_file(c, fd);
}

/* What the three makers of nodes without a descriptor have in common. */
static int finish_new(struct gofer_call *c, int dir, const struct newobj *o, int unlink_flags) {
  struct gofer_attr a;
  AUTO_FD fd = srv_open_name(dir, o->name, O_PATH, 0);
  int err = fd < 0 ? fd : dress(c, dir, o, fd, &a);
  if (err) {
    if (err != -ESTALE)
      unlinkat(dir, o->name, unlink_flags);
    return err;
  }
  put_attr(c, &a);
  return 0;
}

int srv_mkdir(struct gofer_call *c) {
  struct newobj o;
  if (!get_newobj(c, &o))
    return CALL_MALFORMED;
  AUTO_FD dir = srv_open_dir(c->root, o.dir);
  if (dir < 0)
    return dir;
  if (mkdirat(dir, o.name, o.mode & 01777) < 0)
    return -errno;
  return finish_new(c, dir, &o, AT_REMOVEDIR);
}

int srv_mknod(struct gofer_call *c) {
  struct newobj o;
  if (!get_newobj(c, &o))
    return CALL_MALFORMED;
  /* A device of the host is nothing that a guest may make. */
  if (!S_ISFIFO(o.mode) && !S_ISSOCK(o.mode) && !S_ISREG(o.mode))
    return -EPERM;
  AUTO_FD dir = srv_open_dir(c->root, o.dir);
  if (dir < 0)
    return dir;
  if (mknodat(dir, o.name, o.mode & (S_IFMT | 0777), 0) < 0)
    return -errno;
  return finish_new(c, dir, &o, 0);
}

int srv_symlink(struct gofer_call *c) {
  struct newobj o = {.dir = srv_get_path(c), .name = srv_get_name(c)};
  size_t len;
  const char *target = gm_get_str(&c->in, &len);
  o.uid = gm_get_u32(&c->in);
  o.gid = gm_get_u32(&c->in);
  if (!gm_done(&c->in) || len == 0 || len >= PATH_MAX || o.uid == UINT32_MAX || o.gid == UINT32_MAX)
    return CALL_MALFORMED;
  AUTO_FD dir = srv_open_dir(c->root, o.dir);
  if (dir < 0)
    return dir;
  if (symlinkat(target, dir, o.name) < 0)
    return -errno;
  return finish_new(c, dir, &o, 0);
}

/* ---- linking and removing ---- */

int srv_link(struct gofer_call *c) {
  const char *olddir = srv_get_path(c), *old = srv_get_name(c);
  const char *newdir = srv_get_path(c), *name = srv_get_name(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD from = srv_open_dir(c->root, olddir);
  if (from < 0)
    return from;
  AUTO_FD to = srv_open_dir(c->root, newdir);
  if (to < 0)
    return to;
  if (linkat(from, old, to, name, 0) < 0)
    return -errno;
  AUTO_FD fd = srv_open_name(to, name, O_PATH, 0);
  struct gofer_attr a;
  int err = fd < 0 ? fd : srv_attr(fd, &a);
  if (!err)
    put_attr(c, &a);
  return err;
}

static int remove_name(struct gofer_call *c, int flags) {
  const char *path = srv_get_path(c), *name = srv_get_name(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD dir = srv_open_dir(c->root, path);
  if (dir < 0)
    return dir;
  return unlinkat(dir, name, flags) < 0 ? -errno : 0;
}
int srv_unlink(struct gofer_call *c) {
  return remove_name(c, 0);
}
int srv_rmdir(struct gofer_call *c) {
  return remove_name(c, AT_REMOVEDIR);
}

int srv_rename(struct gofer_call *c) {
  const char *olddir = srv_get_path(c), *old = srv_get_name(c);
  const char *newdir = srv_get_path(c), *name = srv_get_name(c);
  uint32_t flags = gm_get_u32(&c->in);
  if (!gm_done(&c->in) || (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
      flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
    return CALL_MALFORMED;
  AUTO_FD from = srv_open_dir(c->root, olddir);
  if (from < 0)
    return from;
  AUTO_FD to = srv_open_dir(c->root, newdir);
  if (to < 0)
    return to;
  /* glibc turns flags 0 into renameat(2), which the filter does not know. */
  return syscall(SYS_renameat2, from, old, to, name, flags) < 0 ? -errno : 0;
}
