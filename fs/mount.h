/*
 * Mounts, between the files that implement them: mount.c has the objects and the trees, mount_peers.c propagation,
 * mount_ns.c namespaces, mount_change.c what mount(2) and its newer relatives change. mount_namespaces(7),
 * Documentation/filesystems/sharedsubtree.rst of Linux. Nothing in here parks but the release of the last references.
 */
#pragma once
#include "namei.h"

#define MOUNTS_MAX 100000     /* fs.mount-max: in one namespace */
#define MOUNTS_MAX_ALL 400000 /* in all of them, as propagation multiplies */
#define MNT_ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define MNT_FLAGS (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW | MNT_ATIME_FLAGS)
#define MNT_PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

/* How the copy of a mount stands to the original. */
enum mount_copy {
  COPY_INHERIT,         /* bind mounts, namespaces: a peer of a shared one, a slave of the same master */
  COPY_SLAVE,           /* a slave of the original, which is shared */
  COPY_SLAVE_SHARED,    /* that, and shared itself */
  COPY_SHARED_TO_SLAVE, /* as COPY_INHERIT, but slaves of shared ones: less privileged namespaces */
};

/* ---- mount.c ---- */
/* What of its file system it shows: "/", "/a/b", "net:[4026532008]". buf holds PATH_MAX bytes. */
void mount_root_name(const struct mount *m, char *buf);
struct mount *mount_alloc(struct vfs *v, struct super *sb, struct dentry *root, unsigned flags, const char *source);
/* The next mount of the tree below top, parents first. NULL at the end. */
struct mount *mount_next(struct mount *m, const struct mount *top);
unsigned mount_count_tree(const struct mount *top);
/* Copies src as seen from root, and what is mounted below it if `recursive`; not in any namespace yet. -EPERM: an
 * unbindable mount is locked in place. `unbindable` ones are copied only when a namespace is. */
int mount_copy_tree(struct vfs *v, struct mount *src, struct dentry *root, bool recursive, bool unbindable,
                    enum mount_copy how, struct mount **out);
/* Drop a tree that is in no namespace. */
void mount_free_tree(struct mount *top);
/* Hang the tree onto parent at d (free there), both into ns; the reference goes to the namespace. parent NULL: as the
 * root. */
void mount_attach_tree(struct mount_ns *ns, struct mount *top, struct mount *parent, struct dentry *d);
void mount_unhook(struct mount *m);                                       /* from its parent only */
void mount_hook(struct mount *m, struct mount *parent, struct dentry *d); /* onto a parent only */
/* The topmost mount at a place: p (counted) moves there. */
void mount_topmost(struct path *p);
/*
 * attach_recursive_mnt(): put a tree that is in no namespace (or, moved, was unhooked from its parent) at `at`, and
 * into all that `at` propagates to. On failure the tree is as it was.
 */
int mount_graft(struct vfs *v, struct mount *top, const struct path *at, bool moving);
/* Take the tree out of its namespace, with what propagation says, and drop the namespace's references. */
void mount_umount_tree(struct mount *top, bool propagate);
bool mount_has_locked_children(const struct mount *m, const struct dentry *below);
/*
 * A mounted file of a mount namespace holds that. So that no two hold each other (mnt_ns_loop()), only files of
 * namespaces younger than the caller's are mounted, and neither new namespaces nor propagation copy such mounts.
 */
bool mount_is_mnt_ns_file(const struct dentry *d);
bool mount_makes_ns_loop(const struct dentry *d);
void mount_table_changed(struct vfs *v, struct mount_ns *ns);
/* In a namespace less privileged than where it came from, what was set stays set and what is covered stays covered. */
void mount_lock_tree(struct mount *top);
struct super *super_find(struct vfs *v, const char *fstype, const void *key); /* counted; NULL: none */

/* ---- mount_peers.c ---- */
struct peer_group {
  int id;
  unsigned long seen; /* by the propagation in progress */
  LIST_HEAD(, mount) members, slaves;
  struct peer_group *work; /* list of the propagation in progress */
  struct mount *tmpl;
};
int peers_share(struct vfs *v, struct mount *m);
void peers_make_slave(struct mount *m);
void peers_make_private(struct mount *m);
int peers_copy(struct vfs *v, struct mount *copy, struct mount *old, enum mount_copy how);
/* Calls fn for each other mount that events at m propagate to, until it returns false. It must not change groups. */
void peers_each_receiver(struct vfs *v, struct mount *m, bool (*fn)(void *arg, struct mount *receiver), void *arg);
/* Copies of top for all that a mount on `parent` at d propagates to; every mount in top is shared. mount_attach comes
 * with peers_commit(). */
struct pending_mounts {
  struct pending_mount {
    struct mount *copy, *parent;
  } * v;
  unsigned n, cap;
};
int peers_propagate(struct vfs *v, struct mount *parent, struct dentry *d, struct mount *top, struct pending_mounts *p);
int peers_master_id(const struct mount *m); /* 0: none */
/* mountinfo's propagate_from: the next master whose group has a mount below the reader's root. 0: none. */
int peers_dominating_id(const struct mount *m, const struct mount_ns *ns, const struct path *root);

/* ---- mount_ns.c ---- */
struct mount_ns *mount_ns_new(struct vfs *v, bool anon, struct user_namespace *user_ns);
bool mount_in_callers_ns(const struct mount *m); /* check_mnt(): in the namespace of the current task */
/* May t mount in its namespace? (may_mount) */
bool may_mount(const struct task *t);
/* May t act on file systems of ns (its owner's CAP_SYS_ADMIN)? */
bool mount_ns_capable(const struct task *t, const struct mount_ns *ns);
/* is_path_reachable(): d in m is below root. */
bool mount_reachable(const struct mount *m, const struct dentry *d, const struct path *root);
/* d was removed: what other namespaces had mounted on it goes too. */
void mounts_detach_at(struct vfs *v, struct dentry *d);
bool mountpoint_in_callers_ns(const struct dentry *d);

/* ---- mount_change.c: everything that a task asks for, checks included. Paths are counted by the caller. ---- */
unsigned mount_flags_from_ms(unsigned long flags);
int vfs_new_mount(struct task *t, const struct path *at, const char *source, const char *type, const char *data,
                  unsigned long flags);
int vfs_remount(struct task *t, const struct path *at, unsigned long flags, const char *data);
int vfs_bind_checked(struct task *t, const struct path *from, const struct path *at, bool recursive);
int vfs_change_propagation(struct task *t, const struct path *at, unsigned long flags);
int vfs_move_mount(struct task *t, const struct path *from, const struct path *at, bool beneath);
int vfs_share_group(struct task *t, const struct path *from, const struct path *to); /* MOVE_MOUNT_SET_GROUP */
struct mount_attr_k { /* mount_setattr(2), as MS_* bits; `atime`: the bits of MNT_ATIME_FLAGS are set to those of `set`
                       */
  unsigned set, clear;
  bool atime, recursive;
  unsigned propagation;
};
int vfs_mount_setattr(struct task *t, const struct path *at, const struct mount_attr_k *a);
/* A copy (open_tree) or sb (fsmount) in an anonymous namespace, opened O_PATH; closing it drops what was not moved. */
int vfs_open_detached_copy(struct task *t, const struct path *from, bool recursive, struct file **out);
int vfs_open_detached(struct task *t, struct super *sb, unsigned flags, const char *source, struct file **out);
void mount_dissolve(struct mount *m); /* FMODE_UNMOUNT: its file is closed */
void super_own(struct super *sb, const struct task *t); /* t's mount made it */
int super_reconfigure(struct task *t, struct super *sb, const char *options, bool readonly, unsigned sbflags);

/* ---- mount_stat.c ---- */
#define LSMT_ROOT_ID UINT64_MAX
#define UNIQUE_ID_OFFSET (1ull << 31)
struct statmount_k { /* struct statmount of include/uapi/linux/mount.h; the strings follow */
  uint32_t size, mnt_opts;
  uint64_t mask;
  uint32_t dev_major, dev_minor;
  uint64_t magic;
  uint32_t sb_flags, fs_type;
  uint64_t id, parent_id;
  uint32_t id_old, parent_id_old;
  uint64_t attr, propagation, peer_group, master, propagate_from;
  uint32_t root, point;
  uint64_t ns_id;
  uint32_t fs_subtype, source, opt_num, opt_array, opt_sec_num, opt_sec_array;
  uint64_t supported;
  uint64_t spare[45];
};
/* listmount(2): the ids after `last` (0: from the start) of what is mounted below the mount `id`, in order. How many,
 * or -errno. */
ssize_t vfs_listmount(struct task *t, uint64_t id, uint64_t last, bool reverse, uint64_t *ids, size_t n);
/* statmount(2): what `mask` wants; offsets in *sm are into `strings`. 0 or -errno. Neither parks. */
struct sbuf;
int vfs_statmount(struct task *t, uint64_t id, uint64_t mask, struct statmount_k *sm, struct sbuf *strings);

/* ---- fs_types.c ---- */
#define FS_USERNS_MOUNT 1u /* may be mounted by the owner of a user namespace */
#define FS_REVEALING 2u    /* … only if what is mounted already shows as much: proc, sysfs */
struct fs_type {
  const char *name;
  unsigned flags;
  enum ns_kind ns; /* what it shows: the owner of the mounting task's must be capable. NS_MNT: nothing in particular */
  int (*mount)(struct kernel *k, const char *options, struct super **out);
  /* Is the option ("key" or "key=value") one that mount() takes? NULL: it takes none. 0 or -EINVAL */
  int (*check)(struct kernel *k, const char *option);
};
const struct fs_type *fs_type_find(const char *name); /* NULL: not known */
const struct fs_type *fs_type_at(unsigned i);
/* May t mount it at all, and does it not show more than it may see? 0 or -EPERM */
int fs_type_allowed(const struct task *t, const struct fs_type *ft, unsigned mount_flags);
