/*
 * How the gofer gets at objects: always from the tree's descriptor downwards with openat2(2), following no symlink and
 * never leaving the tree, whatever anybody renames or replaces meanwhile.
 */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int do_openat2(int dirfd, const char *path, int flags, mode_t mode) {
  struct open_how how = {
      .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
      .mode = mode,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  /* EAGAIN: a rename or mount raced with the lookup (openat2(2)); it cannot go on for ever in practice, but may not
   * here. */
  for (int tries = 0;; tries++) {
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    if (fd >= 0)
      return (int)fd;
    if ((errno == EAGAIN || errno == EINTR) && tries < 64)
      continue;
    /* A directory on the way has become a symlink, or leads out: what the client asked for is no longer there. */
    if (errno == EXDEV || errno == ELOOP)
      return -ENOENT;
    return -errno;
  }
}

int srv_open_path(const struct gofer_root *r, const char *path, int flags) {
  if (r->file)
    return *path ? -ENOTDIR : do_openat2(r->fd, r->file, flags, 0);
  return do_openat2(r->fd, *path ? path : ".", flags, 0);
}

int srv_open_dir(const struct gofer_root *r, const char *path) {
  return r->file ? -ENOTDIR : srv_open_path(r, path, O_PATH | O_DIRECTORY);
}

int srv_open_name(int dirfd, const char *name, int flags, mode_t mode) {
  return do_openat2(dirfd, name, flags, mode);
}

int srv_reopen(const struct gofer_root *r, const char *path, int opath_fd, int flags) {
  struct stat was, is;
  if (fstat(opath_fd, &was) < 0)
    return -errno;
  /* Opening a device can have effects; nothing that is not a plain file or a directory is ever opened. */
  if (!S_ISREG(was.st_mode) && !S_ISDIR(was.st_mode))
    return -EOPNOTSUPP;
  int fd = srv_open_path(r, path, flags | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return fd;
  if (fstat(fd, &is) < 0 || is.st_dev != was.st_dev || is.st_ino != was.st_ino) {
    close(fd);
    return -ESTALE;
  }
  return fd;
}

static struct gofer_time to_time(struct statx_timestamp t) {
  return (struct gofer_time){t.tv_sec, t.tv_nsec};
}

int srv_attr(int fd, struct gofer_attr *a) {
  struct statx x;
  if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
    return -errno;
  *a = (struct gofer_attr){
      .dev = makedev(x.stx_dev_major, x.stx_dev_minor),
      .ino = x.stx_ino,
      .rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
      .size = x.stx_size,
      .blocks = x.stx_blocks,
      .mode = x.stx_mode,
      .nlink = x.stx_nlink,
      .uid = x.stx_uid,
      .gid = x.stx_gid,
      .atime = to_time(x.stx_atime),
      .mtime = to_time(x.stx_mtime),
      .ctime = to_time(x.stx_ctime),
      .btime = to_time(x.stx_btime),
  };
  return 0;
}

int srv_check_id(int fd, struct gofer_id id) {
  struct stat st;
  if (!id.dev && !id.ino)
    return 0;
  if (fstat(fd, &st) < 0)
    return -errno;
  return st.st_dev == id.dev && st.st_ino == id.ino ? 0 : -ESTALE;
}

const char *srv_get_path(struct gofer_call *c) {
  size_t n;
  const char *s = gm_get_str(&c->in, &n);
  if (!gofer_path_ok(s, n))
    c->in.bad = true;
  return s;
}

const char *srv_get_name(struct gofer_call *c) {
  size_t n;
  const char *s = gm_get_str(&c->in, &n);
  if (!gofer_name_ok(s, n))
    c->in.bad = true;
  return s;
}
