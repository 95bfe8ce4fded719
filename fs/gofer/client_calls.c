/* Requests to the gofer with their answers taken apart: what comes back is checked here and nowhere else. */
#include "client.h"
#include <errno.h>
#include <stdlib.h>

static bool time_ok(struct gofer_time t) {
  return t.nsec < 1000000000;
}

bool gofer_attr_ok(const struct gofer_attr *a) {
  switch (a->mode & S_IFMT) {
  case S_IFREG:
  case S_IFDIR:
  case S_IFLNK:
  case S_IFIFO:
  case S_IFSOCK:
  case S_IFCHR:
  case S_IFBLK:
    break;
  default:
    return false;
  }
  return (a->mode & ~(uint32_t)(S_IFMT | 07777)) == 0 && a->size <= INT64_MAX && time_ok(a->atime) &&
         time_ok(a->mtime) && time_ok(a->ctime) && time_ok(a->btime);
}

bool gm_get_attr(struct gofer_msg *m, struct gofer_attr *a) {
  gm_get(m, a, sizeof *a);
  return !m->bad && gofer_attr_ok(a);
}

/* For answers that are one attr. */
static int call_attr(struct gofer_sb *s, struct gofer_msg *m, struct gofer_attr *a, int *fd) {
  AUTO_REPLY r = {.fd = -1};
  int err = gofer_call(s, m, &r);
  if (err)
    return err;
  if (!gm_get_attr(&r.m, a) || !gm_done(&r.m))
    return gofer_protocol_error(s->g);
  if (fd) {
    *fd = r.fd;
    r.fd = -1;
  }
  return 0;
}

/* For answers without a payload. */
static int call_void(struct gofer_sb *s, struct gofer_msg *m) {
  AUTO_REPLY r = {.fd = -1};
  int err = gofer_call(s, m, &r);
  if (err)
    return err;
  return gm_done(&r.m) ? 0 : gofer_protocol_error(s->g);
}

static void put_at(struct gofer_msg *m, struct gofer_at at) {
  gm_put_dentry(m, at.dir);
  gm_put_str(m, at.name);
}

int gc_getattr(struct gofer_sb *s, struct dentry *d, struct gofer_attr *a) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_GETATTR, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  return call_attr(s, &m, a, NULL);
}

int gc_lookup(struct gofer_sb *s, struct gofer_at at, struct gofer_attr *a, char **target) {
  struct gofer_msg m;
  AUTO_REPLY r = {.fd = -1};
  *target = NULL;
  int err = gofer_begin(s, GOFER_WALK, &m);
  if (err)
    return err;
  gm_put_dentry(&m, at.dir);
  gm_put_u32(&m, 1);
  gm_put_str(&m, at.name);
  if ((err = gofer_call(s, &m, &r)))
    return err;
  uint32_t got = gm_get_u32(&r.m);
  bool ok = got <= 1 && (got == 0 || gm_get_attr(&r.m, a));
  uint32_t stop = gm_get_u32(&r.m);
  size_t len;
  const char *t = gm_get_str(&r.m, &len);
  if (!ok || !gm_done(&r.m) || stop >= 4096 || (got == 0) != (stop != 0) || len >= PATH_MAX ||
      (len > 0) != (got && S_ISLNK(a->mode)))
    return gofer_protocol_error(s->g);
  if (!got)
    return -(int)stop;
  if (len && !(*target = strdup(t)))
    return -ENOMEM;
  return 0;
}

int gc_open(struct gofer_sb *s, struct dentry *d, int accmode, struct gofer_attr *a, int *fd) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_OPEN, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  gm_put_u32(&m, (uint32_t)accmode);
  return call_attr(s, &m, a, fd);
}

int gc_make(struct gofer_sb *s, enum gofer_op op, struct gofer_at at, const struct iattr *ia, struct gofer_attr *a,
            int *fd) {
  struct gofer_msg m;
  int err = gofer_begin(s, op, &m);
  if (err)
    return err;
  put_at(&m, at);
  gm_put_u32(&m, ia->mode);
  gm_put_u32(&m, ia->uid);
  gm_put_u32(&m, ia->gid);
  return call_attr(s, &m, a, fd);
}

int gc_symlink(struct gofer_sb *s, struct gofer_at at, const char *target, const struct iattr *ia,
               struct gofer_attr *a) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_SYMLINK, &m);
  if (err)
    return err;
  put_at(&m, at);
  gm_put_str(&m, target);
  gm_put_u32(&m, ia->uid);
  gm_put_u32(&m, ia->gid);
  return call_attr(s, &m, a, NULL);
}

int gc_link(struct gofer_sb *s, struct gofer_at old, struct gofer_at at, struct gofer_attr *a) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_LINK, &m);
  if (err)
    return err;
  put_at(&m, old);
  put_at(&m, at);
  return call_attr(s, &m, a, NULL);
}

int gc_remove(struct gofer_sb *s, enum gofer_op op, struct gofer_at at) {
  struct gofer_msg m;
  int err = gofer_begin(s, op, &m);
  if (err)
    return err;
  put_at(&m, at);
  return call_void(s, &m);
}

int gc_rename(struct gofer_sb *s, struct gofer_at old, struct gofer_at at, unsigned flags) {
  struct gofer_msg m;
  int err = gofer_begin_rename(s, &m);
  if (err)
    return err;
  put_at(&m, old);
  put_at(&m, at);
  gm_put_u32(&m, flags);
  return call_void(s, &m);
}

static struct gofer_time wire_time(struct timespec t) {
  return (struct gofer_time){t.tv_sec, (uint64_t)t.tv_nsec};
}

int gc_setattr(struct gofer_sb *s, struct dentry *d, struct gofer_id id, const struct iattr *ia, struct gofer_attr *a) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_SETATTR, &m);
  if (err)
    return err;
  struct gofer_setattr w = {.valid = ia->valid & GSET_ALL};
  if (w.valid & GSET_MODE)
    w.mode = ia->mode & 07777;
  if (w.valid & GSET_UID)
    w.uid = ia->uid;
  if (w.valid & GSET_GID)
    w.gid = ia->gid;
  if (w.valid & GSET_SIZE)
    w.size = (uint64_t)ia->size;
  if (w.valid & GSET_ATIME)
    w.atime = wire_time(ia->atime);
  if (w.valid & GSET_MTIME)
    w.mtime = wire_time(ia->mtime);
  gm_put_dentry(&m, d);
  gm_put(&m, &id, sizeof id);
  gm_put(&m, &w, sizeof w);
  return call_attr(s, &m, a, NULL);
}

int gc_statfs(struct gofer_sb *s, struct dentry *d, struct gofer_statfs *st) {
  struct gofer_msg m;
  AUTO_REPLY r = {.fd = -1};
  int err = gofer_begin(s, GOFER_STATFS, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  if ((err = gofer_call(s, &m, &r)))
    return err;
  gm_get(&r.m, st, sizeof *st);
  return gm_done(&r.m) ? 0 : gofer_protocol_error(s->g);
}

/* ---- extended attributes ---- */

/* The rules of getxattr(2) for sizes. */
static ssize_t call_blob(struct gofer_sb *s, struct gofer_msg *m, void *buf, size_t cap) {
  AUTO_REPLY r = {.fd = -1};
  int err = gofer_call(s, m, &r);
  if (err)
    return err;
  size_t n;
  const void *p = gm_get_blob(&r.m, &n);
  if (!gm_done(&r.m) || n > GOFER_XATTR_MAX)
    return gofer_protocol_error(s->g);
  if (cap && n > cap)
    return -ERANGE;
  if (cap && n)
    memcpy(buf, p, n);
  return (ssize_t)n;
}

ssize_t gc_getxattr(struct gofer_sb *s, struct dentry *d, const char *name, void *buf, size_t cap) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_GETXATTR, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  gm_put_str(&m, name);
  return call_blob(s, &m, buf, cap);
}

ssize_t gc_listxattr(struct gofer_sb *s, struct dentry *d, char *buf, size_t cap) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_LISTXATTR, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  return call_blob(s, &m, buf, cap);
}

int gc_setxattr(struct gofer_sb *s, struct dentry *d, struct gofer_id id, const char *name, const void *val, size_t len,
                int flags) {
  struct gofer_msg m;
  if (len > GOFER_XATTR_MAX - PATH_MAX)
    return -E2BIG;
  int err = gofer_begin(s, GOFER_SETXATTR, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  gm_put(&m, &id, sizeof id);
  gm_put_str(&m, name);
  gm_put_u32(&m, (uint32_t)flags);
  gm_put_blob(&m, val, len);
  return call_void(s, &m);
}

int gc_removexattr(struct gofer_sb *s, struct dentry *d, struct gofer_id id, const char *name) {
  struct gofer_msg m;
  int err = gofer_begin(s, GOFER_REMOVEXATTR, &m);
  if (err)
    return err;
  gm_put_dentry(&m, d);
  gm_put(&m, &id, sizeof id);
  gm_put_str(&m, name);
  return call_void(s, &m);
}

/* ---- listings ---- */

static bool list_add(struct gofer_list *l, uint64_t ino, uint8_t type, const char *name, size_t len) {
  if (l->n == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 32;
    void *p = reallocarray(l->ent, cap, sizeof *l->ent);
    if (!p)
      return false;
    l->ent = p;
    l->cap = cap;
  }
  if (l->names_cap - l->names_len < len + 1) {
    size_t cap = l->names_cap ? l->names_cap * 2 : 1024;
    void *p = cap > UINT32_MAX ? NULL : realloc(l->names, cap);
    if (!p)
      return false;
    l->names = p;
    l->names_cap = cap;
  }
  memcpy(l->names + l->names_len, name, len + 1);
  l->ent[l->n++] = (struct gofer_ent){.ino = ino, .name = (uint32_t)l->names_len, .type = type, .len = (uint8_t)len};
  l->names_len += len + 1;
  return true;
}

bool gofer_list_parse(struct gofer_list *l, struct gofer_msg *m, uint64_t *cookie, bool *eof) {
  uint32_t n = gm_get_u32(m), end = gm_get_u32(m);
  if (m->bad || end > 1 || (n == 0 && !end))
    return false;
  while (n-- > 0 && !m->bad) {
    uint64_t ino = gm_get_u64(m);
    *cookie = gm_get_u64(m);
    uint32_t type = gm_get_u32(m);
    size_t len;
    const char *name = gm_get_str(m, &len);
    if (m->bad || type > DT_WHT || !gofer_name_ok(name, len) || !list_add(l, ino, (uint8_t)type, name, len))
      return false;
  }
  *eof = end;
  return gm_done(m);
}

void gofer_list_put(struct gofer_list *l) {
  if (!l || !ref_put(&l->ref))
    return;
  free(l->ent);
  free(l->names);
  free(l);
}

#define LIST_MAX_ENTRIES (8u << 20) /* a gofer gone wrong shall not fill the Sentry's memory */

int gc_readdir(struct gofer_sb *s, struct dentry *d, struct gofer_list **out) {
  struct gofer_list *l = calloc(1, sizeof *l);
  if (!l)
    return -ENOMEM;
  ref_init(&l->ref);
  uint64_t cookie = 0;
  bool eof = false;
  int err = 0;
  while (!err && !eof) {
    struct gofer_msg m;
    AUTO_REPLY r = {.fd = -1};
    if ((err = gofer_begin(s, GOFER_READDIR, &m)))
      break;
    gm_put_dentry(&m, d);
    gm_put_u64(&m, cookie);
    if ((err = gofer_call(s, &m, &r)))
      break;
    if (!gofer_list_parse(l, &r.m, &cookie, &eof) || l->n > LIST_MAX_ENTRIES)
      err = gofer_protocol_error(s->g);
  }
  if (err) {
    gofer_list_put(l);
    return err;
  }
  *out = l;
  return 0;
}

int gofer_look_open(struct kernel *k, int host_pid, int what) {
  if (!k->gofer)
    return -EOPNOTSUPP;
  struct gofer_sb any = {.g = k->gofer};
  waitq_init(&any.rename_wq);
  struct gofer_msg m;
  int err = gofer_begin(&any, GOFER_PROC, &m);
  if (err)
    return err;
  gm_put_u32(&m, (uint32_t)host_pid);
  gm_put_u32(&m, (uint32_t)what);
  AUTO_REPLY r;
  if ((err = gofer_call(&any, &m, &r)) < 0)
    return err;
  if (!gm_done(&r.m) || r.fd < 0)
    return gofer_protocol_error(k->gofer);
  int fd = r.fd;
  r.fd = -1;
  return fd;
}
