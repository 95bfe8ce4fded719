/* podman's tmpcopyup: a tmpfs that starts with what the image holds at its place. */
#include "sentry.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 64 /* fibers have small stacks, and images may be hostile */

struct names {
  struct dir_ctx d;
  char **v;
  size_t n, cap;
  bool failed;
};

static bool collect(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct names *l = (struct names *)d;
  if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
    return true;
  if (l->n == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 16;
    char **v = realloc(l->v, cap * sizeof *v);
    if (!v) {
      l->failed = true;
      return false;
    }
    l->v = v;
    l->cap = cap;
  }
  l->v[l->n] = strndup(name, len);
  l->failed = !l->v[l->n];
  l->n += !l->failed;
  return !l->failed;
}

static void free_names(struct names *l) {
  for (size_t i = 0; i < l->n; i++)
    free(l->v[i]);
  free(l->v);
}

static int list(const struct path *dir, struct names *l) {
  struct file *f = NULL;
  *l = (struct names){.d.emit = collect};
  int rc = vfs_open_kernel(dir, O_RDONLY | O_DIRECTORY, &f);
  for (size_t before = SIZE_MAX; !rc && l->n != before;) {
    before = l->n;
    rc = vfs_iterate(f, &l->d);
  }
  if (f)
    file_put(f);
  return l->failed ? -ENOMEM : rc < 0 ? rc : 0;
}

static int copy_bytes(struct vfs *v, const struct path *from, const struct path *to) {
  struct file *in = NULL, *out = NULL;
  void *buf = vfs_scratch_get(v);
  int rc = buf ? vfs_open_kernel(from, O_RDONLY, &in) : -ENOMEM;
  if (!rc)
    rc = vfs_open_kernel(to, O_WRONLY, &out);
  while (!rc) {
    struct uio u;
    struct iovec iov;
    uio_kernel(&u, &iov, buf, VFS_SCRATCH);
    ssize_t n = file_read(in, &u, NULL);
    if (n <= 0) {
      rc = (int)n;
      break;
    }
    uio_kernel(&u, &iov, buf, (size_t)n);
    ssize_t w = file_write(out, &u, NULL);
    rc = w < 0 ? (int)w : w < n ? -ENOSPC : 0;
  }
  if (in)
    file_put(in);
  if (out)
    file_put(out);
  if (buf)
    vfs_scratch_put(v, buf);
  return rc;
}

static int copy_link(const struct path *from, const struct path *dir, const char *name, const struct iattr *a,
                     struct inode **made) {
  char target[1024]; /* longer ones are left out */
  struct inode *i = from->dentry->inode;
  ssize_t n = i->ops->readlink ? i->ops->readlink(i, target, sizeof target) : -EINVAL;
  if (n < 0 || (size_t)n >= sizeof target)
    return n < 0 ? (int)n : -ENAMETOOLONG;
  struct inode *d = dir->dentry->inode;
  return d->ops->symlink(d, dir->dentry, name, target, a, made);
}

static int copy_dir(struct vfs *v, const struct path *from, const struct path *to, int depth);

/* The new tmpfs is nobody's yet: entries are made by its own operations, as the kernel. */
static int copy_entry(struct vfs *v, const struct path *from, const struct path *dir, const char *name, int depth) {
  struct stat st;
  struct path to = {0};
  struct inode *d = dir->dentry->inode, *made = NULL;
  int rc = vfs_getattr(from, &st, NULL);
  if (rc)
    return rc;
  struct iattr a = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid};
  switch (st.st_mode & S_IFMT) {
  case S_IFDIR:
    rc = d->ops->mkdir(d, dir->dentry, name, &a, &made);
    break;
  case S_IFREG:
    rc = d->ops->create(d, dir->dentry, name, &a, &made);
    break;
  case S_IFLNK:
    rc = copy_link(from, dir, name, &a, &made);
    break;
  default: /* devices, sockets and pipes mean nothing in a copy */
    return 0;
  }
  if (made)
    inode_put(made);
  if (rc || S_ISLNK(st.st_mode))
    return rc;
  rc = vfs_lookup_kernel(dir, name, 0, &to);
  if (rc)
    return rc;
  rc = S_ISDIR(st.st_mode) ? copy_dir(v, from, &to, depth + 1) : copy_bytes(v, from, &to);
  path_put(&to);
  return rc;
}

static int copy_dir(struct vfs *v, const struct path *from, const struct path *to, int depth) {
  struct names l;
  if (depth > MAX_DEPTH)
    return -ELOOP;
  int rc = list(from, &l);
  for (size_t i = 0; i < l.n && !rc; i++) {
    struct path child;
    rc = vfs_lookup_kernel(from, l.v[i], 0, &child);
    if (rc)
      break;
    rc = copy_entry(v, &child, to, l.v[i], depth);
    path_put(&child);
  }
  free_names(&l);
  return rc;
}

int boot_copy_up(struct sentry *s, const struct path *from, const struct path *to) {
  return copy_dir(s->k->vfs, from, to, 0);
}
