/* xattr(7): the rules of names and permissions, and a store for file systems in memory. */
#include "xattr.h"
#include "acl.h"
#include "fsnotify.h"
#include "namei.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/xattr.h>

#define XATTR_NAME_LEN_MAX 255
#define XATTR_SIZE_LIMIT 65536
#define XATTR_SET_MAX (1 << 20) /* of one inode: guests must not fill the Sentry with them */

static bool has_prefix(const char *name, const char *prefix) {
  return !strncmp(name, prefix, strlen(prefix));
}

static bool is_caps(const char *name) {
  return !strcmp(name, "security.capability");
}

/* xattr_permission and the name spaces' own rules. */
static int xattr_allowed(struct task *t, const struct path *p, const char *name, bool write) {
  const struct cred *c = task_cred(t);
  struct inode *i = p->dentry->inode;
  size_t len = strlen(name);
  if (!len || len > XATTR_NAME_LEN_MAX)
    return -ERANGE;
  if (write && mount_readonly(p->mnt))
    return -EROFS;
  if (write && (i->iflags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
    return -EPERM;
  if (has_prefix(name, "security.")) {
    if (!name[9])
      return -EINVAL;
    if (!write || !c)
      return 0;
    bool may = is_caps(name) ? cred_inode_cap(c, i->uid, i->gid, CAP_SETFCAP)
                             : ns_capable(c, i->sb->user_ns, CAP_SYS_ADMIN);
    return may ? 0 : -EPERM;
  }
  if (has_prefix(name, "trusted.")) {
    if (!name[8])
      return -EINVAL;
    return cred_cap(c, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
  }
  if (has_prefix(name, "user.")) {
    if (!name[5])
      return -EINVAL;
    if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
      return write ? -EPERM : -ENODATA;
    if (S_ISDIR(i->mode) && (i->mode & S_ISVTX) && write && !cred_owns(c, i))
      return -EPERM;
    return inode_permission(c, p->mnt, i, write ? MAY_WRITE : MAY_READ);
  }
  return -EOPNOTSUPP;
}

ssize_t vfs_getxattr(struct task *t, const struct path *p, const char *name, void *buf, size_t cap) {
  struct inode *i = p->dentry->inode;
  if (acl_is_name(name))
    return acl_get(p, name, buf, cap);
  int r = xattr_allowed(t, p, name, false);
  if (r)
    return r;
  if (is_caps(name) && i->ops->getxattr)
    return file_caps_get(task_cred(t), p, buf, cap);
  return i->ops->getxattr ? i->ops->getxattr(i, p->dentry, name, buf, cap) : -EOPNOTSUPP;
}

static int acl_change(struct task *t, const struct path *p, const char *name, const void *val, size_t len) {
  if (mount_readonly(p->mnt))
    return -EROFS;
  return p->dentry->inode->iflags & (FS_IMMUTABLE_FL | FS_APPEND_FL) ? -EPERM : acl_set(t, p, name, val, len);
}

int vfs_setxattr(struct task *t, const struct path *p, const char *name, const void *val, size_t len, int flags) {
  struct inode *i = p->dentry->inode;
  if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
    return -EINVAL;
  if (len > XATTR_SIZE_LIMIT)
    return -E2BIG;
  if (acl_is_name(name))
    return acl_change(t, p, name, val ? val : "", len);
  uint8_t caps[FILE_CAPS_MAX];
  if (is_caps(name) && len) {
    ssize_t n = mount_readonly(p->mnt) ? -EROFS : file_caps_convert(task_cred(t), i, val, len, caps);
    if (n < 0)
      return (int)n;
    val = caps;
    len = (size_t)n;
  }
  int r = xattr_allowed(t, p, name, true);
  if (is_caps(name))
    i->nosec = false;
  if (!r)
    r = i->ops->setxattr ? i->ops->setxattr(i, p->dentry, name, val, len, flags) : -EOPNOTSUPP;
  if (!r)
    fsnotify_dentry(p->dentry, IN_ATTRIB);
  return r;
}

static ssize_t listxattr_but_acls(struct task *t, const struct path *p, char *buf, size_t cap) {
  struct inode *i = p->dentry->inode;
  bool hide = !cred_cap(task_cred(t), CAP_SYS_ADMIN);
  if (!hide)
    return i->ops->listxattr(i, p->dentry, buf, cap);
  /* trusted.* is shown only to those who may read it: filter a full list. */
  char *all = malloc(XATTR_SIZE_LIMIT);
  if (!all)
    return -ENOMEM;
  ssize_t n = i->ops->listxattr(i, p->dentry, all, XATTR_SIZE_LIMIT), out = 0;
  for (ssize_t at = 0; at < n;) {
    size_t len = strnlen(all + at, (size_t)(n - at)) + 1;
    if (!has_prefix(all + at, "trusted.")) {
      if (cap && (size_t)out + len > cap) {
        out = -ERANGE;
        break;
      }
      if (cap)
        memcpy(buf + out, all + at, len);
      out += (ssize_t)len;
    }
    at += (ssize_t)len;
  }
  free(all);
  return n < 0 ? n : out;
}

ssize_t vfs_listxattr(struct task *t, const struct path *p, char *buf, size_t cap) {
  struct inode *i = p->dentry->inode;
  if (!i->ops->listxattr)
    return 0;
  if (i->acl || i->default_acl) {
    ssize_t n = listxattr_but_acls(t, p, buf, cap);
    return n < 0 ? n : acl_list(i, buf, n, cap);
  }
  return listxattr_but_acls(t, p, buf, cap);
}

int vfs_removexattr(struct task *t, const struct path *p, const char *name) {
  struct inode *i = p->dentry->inode;
  if (acl_is_name(name))
    return acl_change(t, p, name, NULL, 0);
  int r = xattr_allowed(t, p, name, true);
  if (!r)
    r = i->ops->removexattr ? i->ops->removexattr(i, p->dentry, name) : -EOPNOTSUPP;
  if (!r)
    fsnotify_dentry(p->dentry, IN_ATTRIB);
  return r;
}

/* ---- the store ---- */

struct xattr {
  RB_ENTRY(xattr) link;
  char *name;
  void *val;
  size_t len;
};

static int xattr_cmp(const struct xattr *a, const struct xattr *b) {
  return strcmp(a->name, b->name);
}
RB_GENERATE_INTERNAL(xattr_tree, xattr, link, xattr_cmp, static __attribute__((unused)))

static struct xattr *find(struct xattr_set *s, const char *name) {
  struct xattr key = {.name = (char *)(uintptr_t)name};
  return xattr_tree_RB_FIND(&s->tree, &key);
}

ssize_t xattr_set_get(struct xattr_set *s, const char *name, void *buf, size_t cap) {
  struct xattr *x = find(s, name);
  if (!x)
    return -ENODATA;
  if (cap && x->len > cap)
    return -ERANGE;
  if (cap && x->len)
    memcpy(buf, x->val, x->len);
  return (ssize_t)x->len;
}

int xattr_set_set(struct xattr_set *s, const char *name, const void *val, size_t len, int flags) {
  struct xattr *x = find(s, name);
  if (x && (flags & XATTR_CREATE))
    return -EEXIST;
  if (!x && (flags & XATTR_REPLACE))
    return -ENODATA;
  if (s->bytes + len + (x ? 0 : strlen(name)) > XATTR_SET_MAX)
    return -ENOSPC;
  void *copy = malloc(len ? len : 1);
  if (!copy)
    return -ENOMEM;
  if (len)
    memcpy(copy, val, len);
  if (!x) {
    x = calloc(1, sizeof *x);
    if (!x || !(x->name = strdup(name))) {
      free(x);
      free(copy);
      return -ENOMEM;
    }
    xattr_tree_RB_INSERT(&s->tree, x);
    s->bytes += strlen(name);
  }
  s->bytes += len - x->len;
  free(x->val);
  x->val = copy;
  x->len = len;
  return 0;
}

ssize_t xattr_set_list(struct xattr_set *s, char *buf, size_t cap) {
  size_t n = 0;
  struct xattr *x;
  RB_FOREACH(x, xattr_tree, &s->tree) {
    size_t len = strlen(x->name) + 1;
    if (cap && n + len > cap)
      return -ERANGE;
    if (cap)
      memcpy(buf + n, x->name, len);
    n += len;
  }
  return (ssize_t)n;
}

static void drop(struct xattr_set *s, struct xattr *x) {
  xattr_tree_RB_REMOVE(&s->tree, x);
  s->bytes -= x->len + strlen(x->name);
  free(x->name);
  free(x->val);
  free(x);
}

int xattr_set_remove(struct xattr_set *s, const char *name) {
  struct xattr *x = find(s, name);
  if (!x)
    return -ENODATA;
  drop(s, x);
  return 0;
}

void xattr_set_free(struct xattr_set *s) {
  struct xattr *x;
  while ((x = RB_ROOT(&s->tree)))
    drop(s, x);
}
