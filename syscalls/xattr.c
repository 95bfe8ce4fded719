/* xattr(7) calls. */
#include "path.h"
#include <stdlib.h>

#define NAME_CAP 256 /* XATTR_NAME_MAX and the NUL */
#define VALUE_MAX 65536u

static int get_name(char name[NAME_CAP], uint64_t uname) {
  ssize_t n = strncpy_from_user(name, uname, NAME_CAP);
  if (n == -ENAMETOOLONG || n == 0)
    return -ERANGE;
  return n < 0 ? (int)n : 0;
}

/* What the call is about: a name, followed or not, or an open file. */
enum how { FOLLOW, NOFOLLOW, BY_FD };

static int get_path(struct task *t, uint64_t what, enum how how, struct path *p) {
  *p = (struct path){0};
  if (how != BY_FD)
    return vfs_lookup_user(t, AT_FDCWD, what, how == FOLLOW ? LOOKUP_FOLLOW : 0, p);
  AUTO_FILE f = fd_file(t->files, (int)what);
  return f ? vfs_file_path(f, p) : -EBADF;
}

static int64_t do_set(struct task *t, const uint64_t a[6], enum how how) {
  char name[NAME_CAP];
  if ((int)a[4] & ~3)
    return -EINVAL;
  int r = get_name(name, a[1]);
  if (r)
    return r;
  if (a[3] > VALUE_MAX)
    return -E2BIG;
  void *val = a[3] ? malloc(a[3]) : NULL;
  if (a[3] && !val)
    return -ENOMEM;
  if (a[3] && copy_from_user(val, a[2], a[3])) {
    free(val);
    return -EFAULT;
  }
  AUTO_PATH p = {0};
  r = get_path(t, a[0], how, &p);
  if (!r)
    r = vfs_setxattr(t, &p, name, val, a[3], (int)a[4]);
  free(val);
  return r;
}
SYSCALL_HANDLER(setxattr) {
  return do_set(t, a, FOLLOW);
}
SYSCALL_HANDLER(lsetxattr) {
  return do_set(t, a, NOFOLLOW);
}
SYSCALL_HANDLER(fsetxattr) {
  return do_set(t, a, BY_FD);
}

/* Fetch with fn into a buffer for `size` bytes (0: ask for the size) and hand it out. */
static int64_t fetch(struct task *t, const struct path *p, const char *name, uint64_t ubuf, uint64_t size) {
  size_t cap = size < VALUE_MAX ? size : VALUE_MAX;
  void *buf = cap ? malloc(cap) : NULL;
  if (cap && !buf)
    return -ENOMEM;
  ssize_t n = name ? vfs_getxattr(t, p, name, buf, cap) : vfs_listxattr(t, p, buf, cap);
  if (n > 0 && cap && copy_to_user(ubuf, buf, (size_t)n))
    n = -EFAULT;
  free(buf);
  return n;
}

static int64_t do_get(struct task *t, const uint64_t a[6], enum how how) {
  char name[NAME_CAP];
  AUTO_PATH p = {0};
  int r = get_name(name, a[1]);
  if (!r)
    r = get_path(t, a[0], how, &p);
  return r ? r : fetch(t, &p, name, a[2], a[3]);
}
SYSCALL_HANDLER(getxattr) {
  return do_get(t, a, FOLLOW);
}
SYSCALL_HANDLER(lgetxattr) {
  return do_get(t, a, NOFOLLOW);
}
SYSCALL_HANDLER(fgetxattr) {
  return do_get(t, a, BY_FD);
}

static int64_t do_list(struct task *t, const uint64_t a[6], enum how how) {
  AUTO_PATH p = {0};
  int r = get_path(t, a[0], how, &p);
  return r ? r : fetch(t, &p, NULL, a[1], a[2]);
}
SYSCALL_HANDLER(listxattr) {
  return do_list(t, a, FOLLOW);
}
SYSCALL_HANDLER(llistxattr) {
  return do_list(t, a, NOFOLLOW);
}
SYSCALL_HANDLER(flistxattr) {
  return do_list(t, a, BY_FD);
}

static int64_t do_remove(struct task *t, const uint64_t a[6], enum how how) {
  char name[NAME_CAP];
  AUTO_PATH p = {0};
  int r = get_name(name, a[1]);
  if (!r)
    r = get_path(t, a[0], how, &p);
  return r ? r : vfs_removexattr(t, &p, name);
}
SYSCALL_HANDLER(removexattr) {
  return do_remove(t, a, FOLLOW);
}
SYSCALL_HANDLER(lremovexattr) {
  return do_remove(t, a, NOFOLLOW);
}
SYSCALL_HANDLER(fremovexattr) {
  return do_remove(t, a, BY_FD);
}
