/* The file systems that can be mounted: filesystems(5). */
#include "mount.h"
#include <linux/capability.h>
#include <stdlib.h>

/* Those that take no options, as the constructors of old have it. */
#define PLAIN(name)                                                                                                    \
  static int name##_new(struct kernel *k, const char *options, struct super **out) {                                   \
    (void)options;                                                                                                     \
    return name##_mount(k, out);                                                                                       \
  }
PLAIN(mqueue)
PLAIN(sysfs)

/* One for everybody: a second mount shows the first one's. */
static int cgroup_new(struct kernel *k, const char *options, struct super **out) {
  (void)options;
  *out = super_find(k->vfs, "cgroup2", NULL);
  return *out ? 0 : cgroup_mount(k, out);
}
static int cgroup_check(struct kernel *k, const char *option) {
  static const char *const known[] = {"nsdelegate",   "memory_localevents",        "memory_recursiveprot",
                                      "favordynmods", "memory_hugetlb_accounting", "pids_localevents"};
  (void)k;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(option, known[i]))
      return 0;
  return -EINVAL;
}

static const struct fs_type types[] = {
    {"sysfs", FS_USERNS_MOUNT | FS_REVEALING, NS_NET, sysfs_new, NULL},
    {"tmpfs", FS_USERNS_MOUNT, NS_MNT, tmpfs_mount, tmpfs_check},
    {"proc", FS_USERNS_MOUNT | FS_REVEALING, NS_PID, proc_mount, proc_check},
    {"cgroup2", FS_USERNS_MOUNT, NS_CGROUP, cgroup_new, cgroup_check},
    {"devtmpfs", 0, NS_MNT, dev_mount, tmpfs_check},
    {"ramfs", FS_USERNS_MOUNT, NS_MNT, ramfs_mount, tmpfs_check},
    {"devpts", FS_USERNS_MOUNT, NS_MNT, devpts_mount, devpts_check},
    {"mqueue", FS_USERNS_MOUNT, NS_IPC, mqueue_new, NULL},
};

const struct fs_type *fs_type_at(unsigned i) {
  return i < sizeof types / sizeof *types ? &types[i] : NULL;
}

const struct fs_type *fs_type_find(const char *name) {
  const struct fs_type *ft;
  for (unsigned i = 0; (ft = fs_type_at(i)); i++)
    if (!strcmp(ft->name, name))
      return ft;
  return NULL;
}

/* Does m show its whole file system, as a new mount with `flags` would? Mounts that are locked onto it hide something,
 * unless on directories that exist to be mounted on. */
static bool shows_all(const struct mount *m, unsigned flags) {
  const struct mount *c;
  if (m->root != m->sb->root)
    return false;
  if ((m->locked_flags & MS_RDONLY) && !(flags & MS_RDONLY))
    return false;
  if ((m->locked_flags & MNT_ATIME_FLAGS) && ((m->flags ^ flags) & MNT_ATIME_FLAGS))
    return false;
  TAILQ_FOREACH(c, &m->children, child_link)
  if (c->locked)
    return false;
  return true;
}

/* mount_too_revealing() */
static int visible_already(const struct mount_ns *ns, const char *fstype, unsigned flags) {
  const struct mount *m;
  TAILQ_FOREACH(m, &ns->mounts, ns_link)
  if (!strcmp(m->sb->fstype, fstype) && shows_all(m, flags))
    return 0;
  return -EPERM;
}

static bool owner_capable(const struct task *t, enum ns_kind kind) {
  if (kind == NS_MNT)
    return true;
  struct ns_common *ns = task_ns((struct task *)t, kind, false);
  bool can = ns && ns_capable(t->cred, ns->owner, CAP_SYS_ADMIN);
  ns_put(ns);
  return can;
}

int fs_type_allowed(const struct task *t, const struct fs_type *ft, unsigned flags) {
  const struct mount_ns *ns = t->fs->ns;
  if (!may_mount(t) || !owner_capable(t, ft->ns))
    return -EPERM;
  if (user_ns_is_init(ns->ns.owner))
    return 0;
  if (!(ft->flags & FS_USERNS_MOUNT))
    return -EPERM;
  return ft->flags & FS_REVEALING ? visible_already(ns, ft->name, flags) : 0;
}
