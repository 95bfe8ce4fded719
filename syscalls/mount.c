/* mount(2), umount2(2), pivot_root(2). */
#include "path.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#define MNT_FLAGS                                                                                                      \
  (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME |          \
   MS_NOSYMFOLLOW)
#define MS_MGC_VAL_K 0xC0ED0000ul
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

static unsigned mnt_flags(unsigned long flags) {
  unsigned f = (unsigned)(flags & MNT_FLAGS);
  return f & (MS_NOATIME | MS_STRICTATIME) ? f : f | MS_RELATIME;
}

/* An optional string of the guest's; NULL stays NULL. */
static int opt_name(uint64_t u, char **out) {
  int err = 0;
  *out = NULL;
  if (u)
    *out = getname_user(u, &err);
  return err;
}

static int make_super(struct kernel *k, const char *type, const char *data, struct super **out) {
  if (!strcmp(type, "tmpfs"))
    return tmpfs_mount(k, data, out);
  if (!strcmp(type, "proc"))
    return proc_mount(k, out);
  if (!strcmp(type, "sysfs"))
    return sysfs_mount(k, out);
  if (!strcmp(type, "devpts"))
    return devpts_mount(k, data, out);
  if (!strcmp(type, "mqueue"))
    return mqueue_mount(k, out);
  if (!strcmp(type, "cgroup2"))
    return cgroup_mount(k, out);
  return -ENODEV;
}

static int64_t new_mount(struct task *t, const struct path *at, const char *source, const char *type, const char *data,
                         unsigned long flags) {
  struct super *sb;
  if (!type)
    return -EINVAL;
  int r = make_super(t->k, type, data, &sb);
  if (r)
    return r;
  r = vfs_mount(t->k->vfs, t->fs->ns, sb, at, mnt_flags(flags), source ? source : "none", NULL);
  super_put(sb); /* the mount has its own */
  return r;
}

static int64_t remount(struct task *t, const struct path *at, unsigned long flags, const char *data) {
  struct mount *m = at->mnt;
  if (at->dentry != m->root)
    return -EINVAL;
  if (!(flags & MS_BIND) && data && *data && m->sb->ops && m->sb->ops->remount) {
    int r = m->sb->ops->remount(m->sb, data);
    if (r)
      return r;
  }
  m->flags = mnt_flags(flags);
  t->k->vfs->mounts_seq++;
  waitq_wake_all(&t->k->vfs->mounts_wq, EPOLLERR | EPOLLPRI);
  return 0;
}

static int64_t bind_mount(struct task *t, const struct path *at, const char *source, unsigned long flags) {
  AUTO_PATH from = {0};
  if (!source || !*source)
    return -EINVAL;
  int r = vfs_lookup(t, AT_FDCWD, source, LOOKUP_FOLLOW, &from);
  return r ? r : vfs_bind(t->k->vfs, t->fs->ns, &from, at, 0, flags & MS_REC);
}

SYSCALL_HANDLER(mount) {
  unsigned long flags = a[3];
  AUTO_NAME source = NULL;
  AUTO_NAME type = NULL;
  AUTO_NAME data = NULL;
  int r = opt_name(a[2], &type);
  if (!r)
    r = opt_name(a[0], &source);
  if (r)
    return r;
  if ((flags & 0xffff0000ul) == MS_MGC_VAL_K)
    flags &= 0xfffful;
  if (a[4] && !(flags & (MS_BIND | MS_MOVE | PROPAGATION)) && (r = opt_name(a[4], &data)))
    return r;
  AUTO_PATH at = {0};
  r = vfs_lookup_user(t, AT_FDCWD, a[1], LOOKUP_FOLLOW, &at);
  if (r)
    return r;
  if (!cred_has_cap(t->cred, CAP_SYS_ADMIN) || !t->fs->ns)
    return -EPERM;
  if (flags & MS_REMOUNT)
    return remount(t, &at, flags, data);
  if (flags & MS_BIND)
    return bind_mount(t, &at, source, flags);
  /* Every mount is private, and a slave of nobody. Sharing there is none. */
  if (flags & PROPAGATION)
    return flags & MS_SHARED || at.dentry != at.mnt->root ? -EINVAL : 0;
  return flags & MS_MOVE ? -EINVAL : new_mount(t, &at, source, type, data, flags);
}

SYSCALL_HANDLER(umount2) {
  int flags = (int)a[1];
  if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
    return -EINVAL;
  AUTO_PATH p = {0};
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
  if (r)
    return r;
  if (!cred_has_cap(t->cred, CAP_SYS_ADMIN) || !t->fs->ns)
    return -EPERM;
  if (p.dentry != p.mnt->root)
    return -EINVAL;
  return vfs_umount(t->k->vfs, t->fs->ns, p.mnt, flags);
}

SYSCALL_HANDLER(pivot_root) {
  AUTO_PATH new = {0};
  AUTO_PATH old = {0};
  if (!cred_has_cap(t->cred, CAP_SYS_ADMIN))
    return -EPERM;
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
  if (!r)
    r = vfs_lookup_user(t, AT_FDCWD, a[1], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
  return r ? r : vfs_pivot_root(t, &new, &old);
}
