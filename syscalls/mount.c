/* mount(2), umount2(2), pivot_root(2). */
#include "../fs/landlock.h"
#include "../fs/mount.h"
#include "path.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#define MS_MGC_VAL_K 0xC0ED0000ul

/* An optional string of the guest's; NULL stays NULL. */
static int opt_name(uint64_t u, char **out) {
  int err = 0;
  *out = NULL;
  if (u)
    *out = getname_user(u, &err);
  return err;
}

static int64_t bind_or_move(struct task *t, const struct path *at, const char *source, unsigned long flags) {
  AUTO_PATH from = {0};
  if (!source || !*source)
    return -EINVAL;
  int r = vfs_lookup(t, AT_FDCWD, source, LOOKUP_FOLLOW, &from);
  if (r)
    return r;
  return flags & MS_BIND ? vfs_bind_checked(t, &from, at, flags & MS_REC) : vfs_move_mount(t, &from, at, false);
}

static int64_t do_mount(struct task *t, const struct path *at, const char *source, const char *type, const char *data,
                        unsigned long flags) {
  if (!may_mount(t) || landlocked(t->cred))
    return -EPERM;
  if (flags & MS_REMOUNT)
    return vfs_remount(t, at, flags, data);
  if (flags & MS_BIND)
    return bind_or_move(t, at, source, flags);
  if (flags & MNT_PROPAGATION)
    return vfs_change_propagation(t, at, flags);
  if (flags & MS_MOVE)
    return bind_or_move(t, at, source, flags);
  return vfs_new_mount(t, at, source, type, data, flags);
}

SYSCALL_HANDLER(mount) {
  unsigned long flags = a[3];
  AUTO_NAME source = NULL;
  AUTO_NAME type = NULL;
  AUTO_NAME data = NULL;
  int r = opt_name(a[2], &type);
  if (!r)
    r = opt_name(a[0], &source);
  /* The options may be up to a page; what does not end there is cut, which here is refused. */
  if (!r)
    r = opt_name(a[4], &data);
  if (r)
    return r;
  if ((flags & 0xffff0000ul) == MS_MGC_VAL_K)
    flags &= 0xfffful;
  AUTO_PATH at = {0};
  r = vfs_lookup_user(t, AT_FDCWD, a[1], LOOKUP_FOLLOW, &at);
  return r ? r : do_mount(t, &at, source, type, data, flags);
}

/* sysfs(2): the file systems by number. */
SYSCALL_HANDLER(sysfs) {
  const struct fs_type *ft;
  unsigned n = 0;
  switch ((int)a[0]) {
  case 1: {
    int err = 0;
    AUTO_NAME name = getname_user(a[1], &err);
    if (!name)
      return err;
    for (; (ft = fs_type_at(n)); n++)
      if (!strcmp(ft->name, name))
        return n;
    return -EINVAL;
  }
  case 2:
    ft = a[1] <= UINT32_MAX ? fs_type_at((unsigned)a[1]) : NULL;
    if (!ft)
      return -EINVAL;
    return copy_to_user(a[2], ft->name, strlen(ft->name) + 1) ? -EFAULT : 0;
  case 3:
    while (fs_type_at(n))
      n++;
    return n;
  default:
    return -EINVAL;
  }
}

SYSCALL_HANDLER(umount2) {
  int flags = (int)a[1];
  if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
    return -EINVAL;
  AUTO_PATH p = {0};
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
  if (r)
    return r;
  if (!may_mount(t) || landlocked(t->cred))
    return -EPERM;
  if (p.dentry != p.mnt->root)
    return -EINVAL;
  return vfs_umount(t->k->vfs, t->fs->ns, p.mnt, flags);
}

SYSCALL_HANDLER(pivot_root) {
  AUTO_PATH new = {0};
  AUTO_PATH old = {0};
  if (!may_mount(t) || landlocked(t->cred))
    return -EPERM;
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
  if (!r)
    r = vfs_lookup_user(t, AT_FDCWD, a[1], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
  return r ? r : vfs_pivot_root(t, &new, &old);
}
