/* The file systems that can be mounted: filesystems(5). */
#include "mount.h"
#include <stdlib.h>

/* Those that take no options, as the constructors of old have it. */
#define PLAIN(name)                                                                                                    \
  static int name##_new(struct kernel *k, const char *options, struct super **out) {                                   \
    (void)options;                                                                                                     \
    return name##_mount(k, out);                                                                                       \
  }
PLAIN(mqueue)

/* One for everybody who sees the same thing: a second mount shows the first one's. */
static int single(struct kernel *k, const char *fstype, int (*make)(struct kernel *k, struct super **out),
                  struct super **out) {
  *out = super_find(k->vfs, fstype, NULL);
  return *out ? 0 : make(k, out);
}
static int sysfs_new(struct kernel *k, const char *options, struct super **out) {
  (void)options;
  return single(k, "sysfs", sysfs_mount, out);
}
static int cgroup_new(struct kernel *k, const char *options, struct super **out) {
  (void)options;
  return single(k, "cgroup2", cgroup_mount, out);
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
static int proc_new(struct kernel *k, const char *options, struct super **out) {
  (void)options;
  return proc_mount(k, out);
}

static const struct fs_type types[] = {
    {"sysfs", FS_USERNS_MOUNT | FS_REVEALING, sysfs_new, NULL},
    {"tmpfs", FS_USERNS_MOUNT, tmpfs_mount, tmpfs_check},
    {"proc", FS_USERNS_MOUNT | FS_REVEALING, proc_new, NULL},
    {"cgroup2", FS_USERNS_MOUNT, cgroup_new, cgroup_check},
    {"devtmpfs", 0, dev_mount, tmpfs_check},
    {"ramfs", FS_USERNS_MOUNT, ramfs_mount, tmpfs_check},
    {"devpts", FS_USERNS_MOUNT, devpts_mount, devpts_check},
    {"mqueue", FS_USERNS_MOUNT, mqueue_new, NULL},
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

int fs_type_allowed(const struct task *t, const struct fs_type *ft, unsigned *mount_flags) {
  (void)mount_flags;
  if (user_ns_is_init(t->fs->ns->ns.owner))
    return may_mount(t) ? 0 : -EPERM;
  return ft->flags & FS_USERNS_MOUNT ? 0 : -EPERM;
}
