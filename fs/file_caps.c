/*
 * File capabilities, the attribute security.capability: capabilities(7), "File capability extended attribute
 * versioning"; security/commoncap.c of Linux. Stored with numbers of the file system's user namespace, version 2 for
 * what counts everywhere, version 3 for what counts below one user namespace's root.
 */
#include "namei.h"
#include <endian.h>
#include <linux/capability.h>

#define CAPS_NAME "security.capability"

static bool is_version(const void *val, size_t len, uint32_t rev, size_t size) {
  uint32_t magic;
  if (len != size)
    return false;
  memcpy(&magic, val, sizeof magic);
  return (le32toh(magic) & ~(uint32_t)VFS_CAP_FLAGS_EFFECTIVE) == rev;
}
static bool is_v2(const void *val, size_t len) {
  return is_version(val, len, VFS_CAP_REVISION_2, XATTR_CAPS_SZ_2);
}
static bool is_v3(const void *val, size_t len) {
  return is_version(val, len, VFS_CAP_REVISION_3, XATTR_CAPS_SZ_3);
}

/* val's magic becomes that of another version, the effective bit is kept. */
static void set_version(struct vfs_ns_cap_data *d, uint32_t rev) {
  d->magic_etc = htole32(rev | (le32toh(d->magic_etc) & VFS_CAP_FLAGS_EFFECTIVE));
}

ssize_t file_caps_read(struct inode *i, struct dentry *d, void *buf, size_t cap) {
  if (!i->ops->getxattr || (i->sb->file_caps && i->nosec))
    return -ENODATA;
  ssize_t n = i->ops->getxattr(i, d, CAPS_NAME, buf, cap);
  if (n == -EOPNOTSUPP)
    n = -ENODATA;
  if (n == -ENODATA && i->sb->file_caps)
    i->nosec = true;
  return n;
}

ssize_t file_caps_get(const struct cred *c, const struct path *p, void *buf, size_t cap) {
  struct vfs_ns_cap_data d = {0};
  struct inode *i = p->dentry->inode;
  ssize_t n = file_caps_read(i, p->dentry, &d, sizeof d);
  if (n < 0)
    return n;
  bool v3 = is_v3(&d, (size_t)n);
  if (!v3 && !is_v2(&d, (size_t)n))
    return -EINVAL;
  uint32_t kroot = make_kuid(i->sb->user_ns, v3 ? le32toh(d.rootid) : 0);
  const struct user_namespace *u = c ? c->user_ns : NULL;
  uint32_t root = kroot == INVALID_ID ? INVALID_ID : from_kuid(u, kroot);
  if (root != INVALID_ID && root != 0) {
    set_version(&d, VFS_CAP_REVISION_3);
    d.rootid = htole32(root);
    n = XATTR_CAPS_SZ_3;
  } else if (kroot == INVALID_ID || !user_ns_root_is(u, kroot)) {
    return -EOVERFLOW; /* of a namespace that the caller has no name for */
  } else {
    set_version(&d, VFS_CAP_REVISION_2);
    n = XATTR_CAPS_SZ_2;
  }
  if (cap && cap < (size_t)n)
    return -ERANGE;
  if (cap)
    memcpy(buf, &d, (size_t)n);
  return n;
}

ssize_t file_caps_convert(const struct cred *c, const struct inode *i, const void *val, size_t len, uint8_t *out) {
  struct vfs_ns_cap_data d = {0};
  if (!is_v2(val, len) && !is_v3(val, len))
    return -EINVAL;
  if (c && !cred_inode_cap(c, i->uid, i->gid, CAP_SETFCAP))
    return -EPERM;
  memcpy(&d, val, len);
  if (is_v2(val, len) && (!c || ns_capable(c, i->sb->user_ns, CAP_SETFCAP))) {
    memcpy(out, val, len);
    return (ssize_t)len;
  }
  uint32_t kroot = make_kuid(c ? c->user_ns : NULL, is_v3(val, len) ? le32toh(d.rootid) : 0);
  uint32_t root = kroot == INVALID_ID ? INVALID_ID : from_kuid(i->sb->user_ns, kroot);
  if (root == INVALID_ID)
    return -EINVAL;
  set_version(&d, VFS_CAP_REVISION_3);
  d.rootid = htole32(root);
  memcpy(out, &d, sizeof d);
  return sizeof d;
}

int file_caps_kill(struct inode *i, struct dentry *d) {
  if (file_caps_read(i, d, NULL, 0) == -ENODATA || !i->ops->removexattr)
    return 0;
  int r = i->ops->removexattr(i, d, CAPS_NAME);
  return r == -ENODATA ? 0 : r;
}
