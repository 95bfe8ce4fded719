/* The gofer's answers to requests on attributes: SETATTR, STATFS and the extended ones. */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define AUTO_FD __attribute__((cleanup(close_fdp))) int
static void close_fdp(int *fd) {
  if (*fd >= 0)
    close(*fd);
}

/* fchmod(2) refuses O_PATH descriptors; fchmodat2(2) takes them from 6.6 on. */
int srv_chmod(struct gofer_server *s, const struct gofer_root *r, const char *path, int opath_fd, mode_t mode) {
  if (!s->no_fchmodat2) {
    if (syscall(SYS_fchmodat2, opath_fd, "", mode, AT_EMPTY_PATH) == 0)
      return 0;
    if (errno != ENOSYS)
      return -errno;
    s->no_fchmodat2 = true;
  }
  AUTO_FD fd = srv_reopen(r, path, opath_fd, O_RDONLY);
  if (fd < 0)
    return fd;
  return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int set_size(struct gofer_call *c, const char *path, int opath, uint64_t size) {
  struct stat st;
  if (fstat(opath, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode))
    return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
  AUTO_FD fd = srv_reopen(c->root, path, opath, O_WRONLY);
  if (fd < 0)
    return fd;
  return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static struct timespec time_of(const struct gofer_setattr *s, uint32_t bit, struct gofer_time t) {
  if (!(s->valid & bit))
    return (struct timespec){.tv_nsec = UTIME_OMIT};
  return (struct timespec){.tv_sec = t.sec, .tv_nsec = (long)t.nsec};
}

static int apply(struct gofer_call *c, const char *path, int opath, const struct gofer_setattr *s) {
  int err = 0;
  if (s->valid & GSET_SIZE)
    err = set_size(c, path, opath, s->size);
  if (!err && (s->valid & (GSET_UID | GSET_GID))) {
    uid_t uid = s->valid & GSET_UID ? s->uid : (uid_t)-1;
    gid_t gid = s->valid & GSET_GID ? s->gid : (gid_t)-1;
    if (fchownat(opath, "", uid, gid, AT_EMPTY_PATH) < 0)
      err = -errno;
  }
  if (!err && (s->valid & GSET_MODE))
    err = srv_chmod(c->s, c->root, path, opath, s->mode & 07777);
  if (!err && (s->valid & (GSET_ATIME | GSET_MTIME))) {
    struct timespec ts[2] = {time_of(s, GSET_ATIME, s->atime), time_of(s, GSET_MTIME, s->mtime)};
    if (syscall(SYS_utimensat, opath, "", ts, AT_EMPTY_PATH) < 0)
      err = -errno;
  }
  return err;
}

int srv_setattr(struct gofer_call *c) {
  struct gofer_setattr s;
  struct gofer_id id;
  const char *path = srv_get_path(c);
  gm_get(&c->in, &id, sizeof id);
  gm_get(&c->in, &s, sizeof s);
  if (!gm_done(&c->in) || (s.valid & ~GSET_ALL) || s.size > INT64_MAX || s.atime.nsec >= 1000000000 ||
      s.mtime.nsec >= 1000000000)
    return CALL_MALFORMED;
  if (((s.valid & GSET_UID) && s.uid == UINT32_MAX) || ((s.valid & GSET_GID) && s.gid == UINT32_MAX))
    return CALL_MALFORMED;
  AUTO_FD fd = srv_open_path(c->root, path, O_PATH);
  struct gofer_attr a;
  int err = fd < 0 ? fd : srv_check_id(fd, id);
  if (!err)
    err = apply(c, path, fd, &s);
  if (!err)
    err = srv_attr(fd, &a);
  if (!err)
    gm_put(&c->out, &a, sizeof a);
  return err;
}

int srv_statfs(struct gofer_call *c) {
  const char *path = srv_get_path(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD fd = srv_open_path(c->root, path, O_PATH);
  struct statfs st;
  if (fd < 0)
    return fd;
  if (fstatfs(fd, &st) < 0)
    return -errno;
  struct gofer_statfs g = {
      .type = (uint64_t)st.f_type,
      .bsize = (uint64_t)st.f_bsize,
      .frsize = (uint64_t)st.f_frsize,
      .blocks = st.f_blocks,
      .bfree = st.f_bfree,
      .bavail = st.f_bavail,
      .files = st.f_files,
      .ffree = st.f_ffree,
      .namelen = (uint64_t)st.f_namelen,
  };
  gm_put(&c->out, &g, sizeof g);
  return 0;
}

/* ---- extended attributes ---- */

/* user.* is the guest's to use; of the rest only file capabilities are shown, since exec needs them (xattr(7)). */
static bool name_visible(const char *name) {
  return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}
static bool name_settable(const char *name) {
  return strncmp(name, "user.", 5) == 0;
}

static const char *get_xattr_name(struct gofer_call *c) {
  size_t n;
  const char *s = gm_get_str(&c->in, &n);
  if (n == 0 || n > 255) /* XATTR_NAME_MAX */
    c->in.bad = true;
  return s;
}

/* The f*xattr calls refuse O_PATH descriptors too. */
static int open_for_xattr(struct gofer_call *c, const char *path, struct gofer_id id) {
  AUTO_FD opath = srv_open_path(c->root, path, O_PATH);
  int err = opath < 0 ? opath : srv_check_id(opath, id);
  return err ? err : srv_reopen(c->root, path, opath, O_RDONLY);
}

int srv_getxattr(struct gofer_call *c) {
  const char *path = srv_get_path(c), *name = get_xattr_name(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  if (!name_visible(name))
    return -EOPNOTSUPP;
  AUTO_FD fd = open_for_xattr(c, path, (struct gofer_id){0});
  if (fd < 0)
    return fd;
  ssize_t n = fgetxattr(fd, name, c->s->scratch, GOFER_XATTR_MAX);
  if (n < 0)
    return -errno;
  gm_put_blob(&c->out, c->s->scratch, (size_t)n);
  return 0;
}

int srv_setxattr(struct gofer_call *c) {
  struct gofer_id id;
  const char *path = srv_get_path(c);
  gm_get(&c->in, &id, sizeof id);
  const char *name = get_xattr_name(c);
  uint32_t flags = gm_get_u32(&c->in);
  size_t n;
  const void *val = gm_get_blob(&c->in, &n);
  if (!gm_done(&c->in) || (flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE)))
    return CALL_MALFORMED;
  if (!name_settable(name))
    return -EOPNOTSUPP;
  AUTO_FD fd = open_for_xattr(c, path, id);
  if (fd < 0)
    return fd;
  return fsetxattr(fd, name, val, n, (int)flags) < 0 ? -errno : 0;
}

int srv_listxattr(struct gofer_call *c) {
  const char *path = srv_get_path(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  AUTO_FD fd = open_for_xattr(c, path, (struct gofer_id){0});
  if (fd < 0)
    return fd;
  char *buf = (char *)c->s->scratch;
  ssize_t n = flistxattr(fd, buf, GOFER_XATTR_MAX);
  if (n < 0)
    return -errno;
  size_t keep = 0;
  for (size_t at = 0; at < (size_t)n;) {
    size_t len = strnlen(buf + at, (size_t)n - at) + 1;
    if (at + len > (size_t)n)
      break;
    if (name_visible(buf + at)) {
      memmove(buf + keep, buf + at, len);
      keep += len;
    }
    at += len;
  }
  gm_put_blob(&c->out, buf, keep);
  return 0;
}

int srv_removexattr(struct gofer_call *c) {
  struct gofer_id id;
  const char *path = srv_get_path(c);
  gm_get(&c->in, &id, sizeof id);
  const char *name = get_xattr_name(c);
  if (!gm_done(&c->in))
    return CALL_MALFORMED;
  if (!name_settable(name))
    return -EOPNOTSUPP;
  AUTO_FD fd = open_for_xattr(c, path, id);
  if (fd < 0)
    return fd;
  return fremovexattr(fd, name) < 0 ? -errno : 0;
}
