/* open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2), fspick(2), mount_setattr(2). */
#include "../fs/landlock.h"
#include "../fs/fs_context.h"
#include "path.h"
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x00000100
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#define MOVE_FLAGS (0x77 | MOVE_MOUNT_SET_GROUP | MOVE_MOUNT_BENEATH)
#define FSCONFIG_CMD_CREATE_EXCL_K 8
#define PARAM_MAX 256 /* of keys and values, with the NUL */
#define ATTR_NOSYMFOLLOW_K 0x00200000u
#define ATTR_IDMAP_K 0x00100000u
#define ATTR_ATIME_K 0x00000070u
#define ATTR_PLAIN (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | ATTR_NOSYMFOLLOW_K)

static int64_t install(struct task *t, struct file *f, bool cloexec) {
  int fd = fd_install(t->files, f, 0, cloexec);
  file_put(f);
  return fd;
}

/* ---- attributes ---- */

static unsigned plain_attr(uint64_t a) {
  return (a & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0) | (a & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0) |
         (a & MOUNT_ATTR_NODEV ? MS_NODEV : 0) | (a & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0) |
         (a & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0) | (a & ATTR_NOSYMFOLLOW_K ? MS_NOSYMFOLLOW : 0);
}

/* The atime mode is a number, not bits. */
static int atime_attr(uint64_t a, unsigned *out) {
  switch (a & ATTR_ATIME_K) {
  case MOUNT_ATTR_RELATIME:
    *out |= MS_RELATIME;
    return 0;
  case MOUNT_ATTR_NOATIME:
    *out |= MS_NOATIME;
    return 0;
  case MOUNT_ATTR_STRICTATIME:
    return 0;
  default:
    return -EINVAL;
  }
}

/* ---- trees ---- */

SYSCALL_HANDLER(open_tree) {
  unsigned flags = (unsigned)a[2];
  unsigned known =
      AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if ((flags & ~known) || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
    return -EINVAL;
  if ((flags & OPEN_TREE_CLONE) && !may_mount(t))
    return -EPERM;
  AUTO_PATH p = {0};
  struct file *f;
  int r = vfs_lookup_user(
      t, (int)a[0], a[1],
      (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
  if (!r)
    r = flags & OPEN_TREE_CLONE ? vfs_open_detached_copy(t, &p, flags & AT_RECURSIVE, &f)
                                : vfs_open_path(t, &p, O_PATH, &f);
  return r ? r : install(t, f, flags & OPEN_TREE_CLOEXEC);
}

SYSCALL_HANDLER(move_mount) {
  unsigned flags = (unsigned)a[4];
  if (!may_mount(t) || landlocked(t->cred))
    return -EPERM;
  if ((flags & ~(unsigned)MOVE_FLAGS) ||
      (flags & (MOVE_MOUNT_BENEATH | MOVE_MOUNT_SET_GROUP)) == (MOVE_MOUNT_BENEATH | MOVE_MOUNT_SET_GROUP))
    return -EINVAL;
  AUTO_PATH from = {0};
  AUTO_PATH to = {0};
  int r = vfs_lookup_user(
      t, (int)a[2], a[3],
      (flags & MOVE_MOUNT_T_SYMLINKS ? LOOKUP_FOLLOW : 0) | (flags & MOVE_MOUNT_T_EMPTY_PATH ? LOOKUP_EMPTY : 0), &to);
  if (!r)
    r = vfs_lookup_user(t, (int)a[0], a[1],
                        (flags & MOVE_MOUNT_F_SYMLINKS ? LOOKUP_FOLLOW : 0) |
                            (flags & MOVE_MOUNT_F_EMPTY_PATH ? LOOKUP_EMPTY : 0),
                        &from);
  if (r)
    return r;
  return flags & MOVE_MOUNT_SET_GROUP ? vfs_share_group(t, &from, &to)
                                      : vfs_move_mount(t, &from, &to, flags & MOVE_MOUNT_BENEATH);
}

/* struct mount_attr may be longer than we know if the rest is zero. */
static int get_attr(uint64_t addr, uint64_t size, struct mount_attr *m) {
  char rest[4096 - sizeof *m];
  if (size > 4096)
    return -E2BIG;
  if (size < sizeof *m)
    return -EINVAL;
  size_t more = size - sizeof *m;
  if (copy_from_user(m, addr, sizeof *m) || copy_from_user(rest, addr + sizeof *m, more))
    return -EFAULT;
  for (size_t i = 0; i < more; i++)
    if (rest[i])
      return -E2BIG;
  return 0;
}

static int decode_attr(struct task *t, const struct mount_attr *m, struct mount_attr_k *k) {
  uint64_t known = ATTR_PLAIN | ATTR_ATIME_K | MOUNT_ATTR_NODIRATIME | ATTR_IDMAP_K, p = m->propagation;
  if ((p & ~(uint64_t)MNT_PROPAGATION) || (p & (p - 1)))
    return -EINVAL;
  k->propagation = (unsigned)p;
  if ((m->attr_set | m->attr_clr) & ~known)
    return -EINVAL;
  k->set = plain_attr(m->attr_set);
  k->clear = plain_attr(m->attr_clr);
  if (m->attr_clr & ATTR_ATIME_K) {
    if ((m->attr_clr & ATTR_ATIME_K) != ATTR_ATIME_K || atime_attr(m->attr_set, &k->set))
      return -EINVAL;
    k->atime = true;
  } else if (m->attr_set & ATTR_ATIME_K) {
    return -EINVAL;
  }
  if (!((m->attr_set | m->attr_clr) & ATTR_IDMAP_K))
    return 0;
  /* None of the file systems here can be mounted with mapped ids. */
  if ((m->attr_clr & ATTR_IDMAP_K) || m->userns_fd > INT32_MAX)
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)m->userns_fd);
  return f ? -EINVAL : -EBADF;
}

SYSCALL_HANDLER(mount_setattr) {
  unsigned flags = (unsigned)a[2];
  struct mount_attr m;
  if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
    return -EINVAL;
  if (a[4] > 4096 || a[4] < sizeof m)
    return a[4] > 4096 ? -E2BIG : -EINVAL;
  if (!may_mount(t))
    return -EPERM;
  int r = get_attr(a[3], a[4], &m);
  if (r)
    return r;
  if (!m.attr_set && !m.attr_clr && !m.propagation)
    return 0;
  struct mount_attr_k k = {.recursive = flags & AT_RECURSIVE};
  r = decode_attr(t, &m, &k);
  AUTO_PATH p = {0};
  if (!r)
    r = vfs_lookup_user(t, (int)a[0], a[1],
                        (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
                        &p);
  return r ? r : vfs_mount_setattr(t, &p, &k);
}

/* ---- file systems by description ---- */

SYSCALL_HANDLER(fsopen) {
  int err = 0;
  struct file *f;
  if (!may_mount(t))
    return -EPERM;
  if (a[1] & ~(uint64_t)FSOPEN_CLOEXEC)
    return -EINVAL;
  AUTO_NAME name = getname_user(a[0], &err);
  if (!name)
    return err == -ENAMETOOLONG ? -EINVAL : err;
  const struct fs_type *ft = fs_type_find(name);
  if (!ft)
    return -ENODEV;
  err = fs_context_open(t, ft, NULL, &f);
  return err ? err : install(t, f, a[1] & FSOPEN_CLOEXEC);
}

SYSCALL_HANDLER(fspick) {
  unsigned flags = (unsigned)a[2];
  struct file *f;
  if (!may_mount(t))
    return -EPERM;
  if (flags & ~(unsigned)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
    return -EINVAL;
  AUTO_PATH p = {0};
  int r = vfs_lookup_user(
      t, (int)a[0], a[1],
      (flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & FSPICK_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
  if (!r && p.dentry != p.mnt->root)
    r = -EINVAL;
  if (!r)
    r = fs_context_open(t, NULL, &p, &f);
  return r ? r : install(t, f, flags & FSPICK_CLOEXEC);
}

/* Which of key, value and aux a command takes. */
static int check_shape(unsigned cmd, bool key, bool value, int aux) {
  switch (cmd) {
  case FSCONFIG_SET_FLAG:
    return !key || value || aux ? -EINVAL : 0;
  case FSCONFIG_SET_STRING:
    return !key || !value || aux ? -EINVAL : 0;
  case FSCONFIG_SET_BINARY:
    return !key || !value || aux <= 0 || aux > 1024 * 1024 ? -EINVAL : 0;
  case FSCONFIG_SET_PATH:
  case FSCONFIG_SET_PATH_EMPTY:
    return !key || !value || (aux != AT_FDCWD && aux < 0) ? -EINVAL : 0;
  case FSCONFIG_SET_FD:
    return !key || value || aux < 0 ? -EINVAL : 0;
  case FSCONFIG_CMD_CREATE:
  case FSCONFIG_CMD_CREATE_EXCL_K:
  case FSCONFIG_CMD_RECONFIGURE:
    return key || value || aux ? -EINVAL : 0;
  default:
    return -EOPNOTSUPP;
  }
}

static int get_param(uint64_t addr, char out[PARAM_MAX]) {
  ssize_t n = strncpy_from_user(out, addr, PARAM_MAX);
  return n >= 0 ? 0 : n == -ENAMETOOLONG ? -EINVAL : (int)n;
}

SYSCALL_HANDLER(fsconfig) {
  unsigned cmd = (unsigned)a[1];
  int aux = (int)a[4];
  char key[PARAM_MAX], value[PARAM_MAX];
  if ((int)a[0] < 0)
    return -EINVAL;
  int r = check_shape(cmd, a[2], a[3], aux);
  if (r)
    return r;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  if (!file_is_fs_context(f))
    return -EINVAL;
  if (a[2] && (r = get_param(a[2], key)))
    return r;
  switch (cmd) {
  case FSCONFIG_SET_FLAG:
    return fs_context_set(t, f, key, NULL);
  case FSCONFIG_SET_STRING:
    r = get_param(a[3], value);
    return r ? r : fs_context_set(t, f, key, value);
  case FSCONFIG_CMD_CREATE:
  case FSCONFIG_CMD_CREATE_EXCL_K:
    return fs_context_create(t, f, cmd == FSCONFIG_CMD_CREATE_EXCL_K);
  case FSCONFIG_CMD_RECONFIGURE:
    return fs_context_reconfigure(t, f);
  default: /* no file system here takes files, paths or blobs */
    return -EINVAL;
  }
}

SYSCALL_HANDLER(fsmount) {
  uint64_t attr = (unsigned)a[2];
  struct file *out;
  if (!may_mount(t))
    return -EPERM;
  if ((a[1] & ~(uint64_t)FSMOUNT_CLOEXEC) || (attr & ~(uint64_t)(ATTR_PLAIN | ATTR_ATIME_K | MOUNT_ATTR_NODIRATIME)))
    return -EINVAL;
  unsigned flags = plain_attr(attr);
  if (atime_attr(attr, &flags))
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  if (!file_is_fs_context(f))
    return -EINVAL;
  int r = fs_context_mount(t, f, flags, &out);
  return r ? r : install(t, out, a[1] & FSMOUNT_CLOEXEC);
}
