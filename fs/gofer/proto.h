/*
 * The messages between the gofer's client (the Sentry) and its server, over one SOCK_SEQPACKET socket.
 *
 * The server keeps no state: a request names a tree and a path relative to that tree's root ("" is the root itself),
 * which the server resolves beneath the root, following no symlink. A descriptor travels with the answer where the
 * table says so, by SCM_RIGHTS; file data never travels in a message. Both sides distrust each other: whoever gets a
 * message that does not parse to its very last byte, or names that cannot be, hangs up.
 *
 * Every message is a struct gofer_hdr and a payload of fields without padding, little-endian:
 *   u32, u64, i64     as they are
 *   str               u32 length, the bytes, a NUL; no NUL within
 *   blob              u32 length, the bytes
 *   attr, statfs      the structs below
 * Answers carry the request's op and tag; err != 0 means that nothing follows. The server answers in the order of
 * requests.
 *
 *   op           request                                         answer
 *   WALK         str dir, u32 n, n x str name                    u32 got, got x attr, u32 errno, str target
 *                goes down from dir until a name is missing (errno says why), no directory, or a symlink (target)
 *   GETATTR      str path                                        attr
 *   OPEN         str path, u32 O_ACCMODE                         attr + descriptor; regular files only
 *   READDIR      str path, u64 cookie (0: start)                 u32 n, u32 eof, n x {u64 ino, u64 cookie, u32 DT_*,
 * str name} READLINK     str path                                        str target CREATE       str dir, str name, u32
 * mode, u32 uid, u32 gid   attr + descriptor (O_RDWR) MKDIR        the same                                        attr
 *   MKNOD        the same, S_IFMT in mode: FIFO, socket, regular attr
 *   SYMLINK      str dir, str name, str target, u32 uid, u32 gid attr
 *   LINK         str olddir, str old, str newdir, str new        attr of the file
 *   UNLINK       str dir, str name                               -
 *   RMDIR        str dir, str name                               -
 *   RENAME       str olddir, str old, str newdir, str new, u32 f - (f: RENAME_NOREPLACE, RENAME_EXCHANGE)
 *   SETATTR      str path, id, setattr                           attr
 *   STATFS       str path                                        statfs
 *   GETXATTR     str path, str name                              blob
 *   SETXATTR     str path, id, str name, u32 flags, blob         -
 *   LISTXATTR    str path                                        blob (names, each with its NUL)
 *   REMOVEXATTR  str path, id, str name                          -
 *   PROC         u32 host pid, u32 GPROC_*                       descriptor: a file of /proc/PID of a guest's process
 *
 * id is {u64 dev, u64 ino} of what the path is meant to lead to, 0 0 for whatever is there: a guest may hold a
 * descriptor on a file while another exchanges the name, and fchown(2) must not hit the wrong one. -ESTALE if it is
 * another.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GOFER_MSG_MAX 65536
#define GOFER_XATTR_MAX 60000 /* bytes of a value or a list that fit a message beside a path and a name */
#define GOFER_WALK_MAX 64     /* names in one WALK */
#define GOFER_TREES_MAX 4096

enum gofer_op {
  GOFER_WALK = 1,
  GOFER_GETATTR,
  GOFER_OPEN,
  GOFER_READDIR,
  GOFER_READLINK,
  GOFER_CREATE,
  GOFER_MKDIR,
  GOFER_MKNOD,
  GOFER_SYMLINK,
  GOFER_LINK,
  GOFER_UNLINK,
  GOFER_RMDIR,
  GOFER_RENAME,
  GOFER_SETATTR,
  GOFER_STATFS,
  GOFER_GETXATTR,
  GOFER_SETXATTR,
  GOFER_LISTXATTR,
  GOFER_REMOVEXATTR,
  GOFER_PROC,
  GOFER_OP_END
};

/* What PROC opens, by number. The server shows no process but the guests': its own pid and those of its ancestors it
 * refuses, and its procfs has no others in it. */
enum gofer_proc { GPROC_MEM, GPROC_STATUS, GPROC_SMAPS, GPROC_PAGEMAP, GPROC_CLEAR_REFS, GPROC_END };

struct gofer_hdr {
  uint32_t size; /* of the whole message */
  uint32_t tag;  /* the client's */
  uint16_t op;
  uint16_t tree;
  uint32_t err; /* answers: an errno or 0; requests: 0 */
};

struct gofer_time {
  int64_t sec;
  uint64_t nsec;
};

struct gofer_attr {
  uint64_t dev, ino, rdev; /* as stat(2) on the host */
  uint64_t size, blocks;
  uint32_t mode, nlink, uid, gid;
  struct gofer_time atime, mtime, ctime, btime;
};

struct gofer_id {
  uint64_t dev, ino;
};

struct gofer_setattr {
  uint32_t valid; /* GSET_* */
  uint32_t mode, uid, gid;
  uint64_t size;
  struct gofer_time atime, mtime;
};
#define GSET_MODE 1u /* the values of ATTR_* in fs/vfs.h */
#define GSET_UID 2u
#define GSET_GID 4u
#define GSET_SIZE 8u
#define GSET_ATIME 16u
#define GSET_MTIME 32u
#define GSET_ALL 63u

struct gofer_statfs {
  uint64_t type, bsize, frsize, blocks, bfree, bavail, files, ffree, namelen;
};

/* ---- writing and reading messages ---- */
struct gofer_msg {
  uint8_t *buf;
  size_t cap; /* writing: room; reading: length */
  size_t pos;
  bool bad; /* a field did not fit, was missing, or was malformed */
};

static inline void gm_put(struct gofer_msg *m, const void *p, size_t n) {
  if (m->bad || n > m->cap - m->pos) {
    m->bad = true;
    return;
  }
  if (n)
    memcpy(m->buf + m->pos, p, n);
  m->pos += n;
}
static inline void gm_put_u32(struct gofer_msg *m, uint32_t v) {
  gm_put(m, &v, sizeof v);
}
static inline void gm_put_u64(struct gofer_msg *m, uint64_t v) {
  gm_put(m, &v, sizeof v);
}
static inline void gm_put_blob(struct gofer_msg *m, const void *p, size_t n) {
  if (n > GOFER_MSG_MAX)
    m->bad = true;
  gm_put_u32(m, (uint32_t)n);
  gm_put(m, p, n);
}
static inline void gm_put_strn(struct gofer_msg *m, const char *s, size_t n) {
  gm_put_blob(m, s, n);
  gm_put(m, "", 1);
}
static inline void gm_put_str(struct gofer_msg *m, const char *s) {
  gm_put_strn(m, s, strlen(s));
}

/* The next n bytes, in place, or NULL. */
static inline const void *gm_take(struct gofer_msg *m, size_t n) {
  if (m->bad || n > m->cap - m->pos) {
    m->bad = true;
    return NULL;
  }
  const void *p = m->buf + m->pos;
  m->pos += n;
  return p;
}
static inline void gm_get(struct gofer_msg *m, void *dst, size_t n) {
  const void *p = gm_take(m, n);
  if (p)
    memcpy(dst, p, n);
  else
    memset(dst, 0, n);
}
static inline uint32_t gm_get_u32(struct gofer_msg *m) {
  uint32_t v;
  gm_get(m, &v, sizeof v);
  return v;
}
static inline uint64_t gm_get_u64(struct gofer_msg *m) {
  uint64_t v;
  gm_get(m, &v, sizeof v);
  return v;
}
static inline const void *gm_get_blob(struct gofer_msg *m, size_t *n) {
  *n = gm_get_u32(m);
  const void *p = gm_take(m, *n);
  if (!p)
    *n = 0;
  return p;
}
/* A string in place; never NULL ("" after an error). */
static inline const char *gm_get_str(struct gofer_msg *m, size_t *len) {
  size_t n;
  const char *s = gm_get_blob(m, &n);
  const char *nul = gm_take(m, 1);
  if (!s || !nul || *nul || memchr(s, 0, n)) {
    m->bad = true;
    n = 0;
    s = "";
  }
  if (len)
    *len = n;
  return s;
}
/* Everything was there, and nothing is left over. */
static inline bool gm_done(const struct gofer_msg *m) {
  return !m->bad && m->pos == m->cap;
}

/* One directory entry's name: not empty, ".", "..", no slash, at most NAME_MAX bytes. */
static inline bool gofer_name_ok(const char *s, size_t n) {
  if (n == 0 || n > NAME_MAX || memchr(s, '/', n) || memchr(s, 0, n))
    return false;
  return !(s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')));
}
/* A path inside a tree: "" or names with single slashes between. */
static inline bool gofer_path_ok(const char *s, size_t n) {
  if (n == 0)
    return true;
  if (n >= PATH_MAX)
    return false;
  for (;;) {
    const char *slash = memchr(s, '/', n);
    size_t part = slash ? (size_t)(slash - s) : n;
    if (!gofer_name_ok(s, part))
      return false;
    if (!slash)
      return true;
    s += part + 1;
    n -= part + 1;
  }
}
