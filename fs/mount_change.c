/* What tasks ask of mounts: mount(2), move_mount(2), open_tree(2), mount_setattr(2); the checks are fs/namespace.c's of
 * Linux. */
#include "mount.h"
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdlib.h>

#define NSFS_MAGIC_K 0x6e736673

unsigned mount_flags_from_ms(unsigned long flags) {
  unsigned f = (unsigned)(flags & MNT_FLAGS) & ~(unsigned)MS_STRICTATIME;
  if (flags & MS_NOATIME)
    return f & ~(unsigned)MS_RELATIME;
  return flags & MS_STRICTATIME ? f & ~(unsigned)MS_RELATIME : f | MS_RELATIME;
}

static bool is_dir(const struct path *p) {
  return S_ISDIR(p->dentry->inode->mode);
}

static bool is_mount_root(const struct path *p) {
  return p->dentry == p->mnt->root;
}

/* ---- new file systems ---- */

#define SB_SHOWN (MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME)

void super_own(struct super *sb, const struct task *t) {
  struct user_namespace *u = t->fs->ns->ns.owner;
  if (!sb->user_ns && !user_ns_is_init(u))
    sb->user_ns = user_ns_get(u);
}

int vfs_new_mount(struct task *t, const struct path *at, const char *source, const char *type, const char *data,
                  unsigned long flags) {
  struct super *sb;
  unsigned mf = mount_flags_from_ms(flags);
  if (!type)
    return -EINVAL;
  const struct fs_type *ft = fs_type_find(type);
  if (!ft)
    return -ENODEV;
  int r = fs_type_allowed(t, ft, mf);
  if (!r)
    r = ft->mount(t->k, data, &sb);
  if (r)
    return r;
  if (!sb->nmounts) {
    sb->readonly = sb->readonly || (flags & MS_RDONLY);
    sb->sbflags = (unsigned)(flags & SB_SHOWN);
    super_own(sb, t);
  }
  r = mount_in_callers_ns(at->mnt) ? 0 : -EINVAL;
  if (!r)
    r = vfs_mount(t->k->vfs, t->fs->ns, sb, at, mf, source ? source : "none", NULL);
  super_put(sb); /* the mount has its own */
  return r;
}

/* ---- remounting ---- */

/* can_change_locked_flags() */
static bool may_set_flags(const struct mount *m, unsigned flags) {
  static const unsigned sticky = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;
  if (m->locked_flags & sticky & ~flags)
    return false;
  return !(m->locked_flags & MNT_ATIME_FLAGS) || !((m->flags ^ flags) & MNT_ATIME_FLAGS);
}

static int set_flags(struct mount *m, unsigned flags) {
  if ((flags & MS_RDONLY) && !(m->flags & MS_RDONLY) && m->writers)
    return -EBUSY;
  m->flags = flags;
  return 0;
}

int super_reconfigure(struct task *t, struct super *sb, const char *options, bool readonly, unsigned sbflags) {
  int r = 0;
  if (!ns_capable(t->cred, sb->user_ns, CAP_SYS_ADMIN))
    return -EPERM;
  if (readonly && !sb->readonly && sb->writers)
    return -EBUSY;
  /* What the sandbox was given read-only stays so. */
  if (!readonly && sb->readonly && sb->fixed_readonly)
    return -EACCES;
  if (options && *options)
    r = sb->ops && sb->ops->remount ? sb->ops->remount(sb, options) : 0;
  if (!r) {
    sb->readonly = readonly;
    sb->sbflags = sbflags;
  }
  return r;
}

int vfs_remount(struct task *t, const struct path *at, unsigned long flags, const char *data) {
  struct mount *m = at->mnt;
  unsigned want = mount_flags_from_ms(flags);
  /* The default of a remount is what was. */
  if (!(flags & MNT_ATIME_FLAGS))
    want = (want & ~(unsigned)MNT_ATIME_FLAGS) | (m->flags & MNT_ATIME_FLAGS);
  if (!mount_in_callers_ns(m) || !is_mount_root(at))
    return -EINVAL;
  if (!may_set_flags(m, want))
    return -EPERM;
  int r = 0;
  if (!(flags & MS_BIND)) {
    r = super_reconfigure(t, m->sb, data, flags & MS_RDONLY, (unsigned)(flags & SB_SHOWN));
    if (!r)
      m->flags = want;
  } else {
    r = set_flags(m, want);
  }
  if (!r)
    mount_table_changed(t->k->vfs, m->ns);
  return r;
}

/* ---- propagation types ---- */

static int change_type(struct vfs *v, struct mount *m, unsigned type) {
  if (type == MS_SHARED)
    return peers_share(v, m);
  peers_make_slave(m);
  if (type != MS_SLAVE) {
    peers_make_private(m);
    m->unbindable = type == MS_UNBINDABLE;
  }
  return 0;
}

static bool one_bit(unsigned long v) {
  return v && !(v & (v - 1));
}

int vfs_change_propagation(struct task *t, const struct path *at, unsigned long flags) {
  unsigned long type = flags & ~(unsigned long)(MS_REC | MS_SILENT);
  if (!is_mount_root(at))
    return -EINVAL;
  if ((type & ~(unsigned long)MNT_PROPAGATION) || !one_bit(type))
    return -EINVAL;
  if (!mount_in_callers_ns(at->mnt))
    return -EINVAL;
  int r = 0;
  for (struct mount *m = at->mnt; m && !r; m = flags & MS_REC ? mount_next(m, at->mnt) : NULL)
    r = change_type(t->k->vfs, m, (unsigned)type);
  mount_table_changed(t->k->vfs, at->mnt->ns);
  return r;
}

/* ---- binding and moving ---- */

/* Files of namespaces and the like may be bound although their file system is mounted nowhere. */
static bool bindable(const struct path *from) {
  unsigned long magic = from->mnt->sb->magic;
  return mount_in_callers_ns(from->mnt) || magic == NSFS_MAGIC_K || magic == 0x50494446 /* pidfs */;
}

static int copy_checked(struct task *t, const struct path *from, bool recursive, struct mount **out) {
  if (from->mnt->unbindable)
    return -EINVAL;
  if (mount_makes_ns_loop(from->dentry))
    return -EINVAL;
  if (!bindable(from) && !(from->mnt->ns && from->mnt->ns->anon))
    return -EINVAL;
  if (!recursive && mount_has_locked_children(from->mnt, from->dentry))
    return -EINVAL;
  return mount_copy_tree(t->k->vfs, from->mnt, from->dentry, recursive, false, COPY_INHERIT, out);
}

int vfs_bind_checked(struct task *t, const struct path *from, const struct path *at, bool recursive) {
  struct mount *m;
  struct path place = *at;
  if (!mount_in_callers_ns(at->mnt))
    return -EINVAL;
  int r = copy_checked(t, from, recursive, &m);
  if (r)
    return r;
  path_get(&place);
  mount_topmost(&place);
  if (is_dir(from) != is_dir(&place))
    r = -ENOTDIR;
  else if (place.dentry->unhashed)
    r = -ENOENT;
  else
    r = mount_graft(t->k->vfs, m, &place, false);
  path_put(&place);
  if (r)
    mount_free_tree(m);
  return r;
}

static bool tree_has_unbindable(struct mount *top) {
  for (struct mount *m = top; m; m = mount_next(m, top))
    if (m->unbindable)
      return true;
  return false;
}

static bool tree_makes_ns_loop(struct mount *top) {
  for (struct mount *m = top; m; m = mount_next(m, top))
    if (mount_makes_ns_loop(m->root))
      return true;
  return false;
}

static bool is_in_tree(const struct mount *m, const struct mount *top) {
  for (; m; m = m->parent)
    if (m == top)
      return true;
  return false;
}

static int move_allowed(const struct path *from, const struct path *to) {
  struct mount *m = from->mnt;
  if (!is_mount_root(from) || !mount_in_callers_ns(to->mnt))
    return -EINVAL;
  bool attached = m->ns && !m->ns->anon;
  if (attached ? !mount_in_callers_ns(m) || !m->parent : !m->ns || m->ns->root != m)
    return -EINVAL;
  if (m->locked || is_dir(from) != is_dir(to))
    return -EINVAL;
  if (m->parent && m->parent->peers)
    return -EINVAL;
  if (to->mnt->peers && tree_has_unbindable(m))
    return -EINVAL;
  if (is_in_tree(to->mnt, m) || tree_makes_ns_loop(m))
    return -ELOOP;
  return to->dentry->unhashed ? -ENOENT : 0;
}

/* The place of the mount that is at the top of `at`: below it. */
static int place_beneath(struct task *t, struct path *place) {
  struct mount *top = place->mnt;
  if (!is_mount_root(place) || !top->parent || !mount_in_callers_ns(top) || t->fs->root.mnt == top)
    return -EINVAL;
  struct path below = {top->parent, top->mountpoint};
  path_get(&below);
  path_put(place);
  *place = below;
  return 0;
}

int vfs_move_mount(struct task *t, const struct path *from, const struct path *at, bool beneath) {
  struct path place = *at;
  struct mount *m = from->mnt, *old_parent = m->parent;
  struct dentry *old_d = m->mountpoint;
  path_get(&place);
  mount_topmost(&place);
  struct mount *over = beneath ? place.mnt : NULL;
  int r = move_allowed(from, &place);
  if (!r && beneath)
    r = place_beneath(t, &place);
  if (r)
    goto out;
  struct mount_ns *anon = m->ns->anon ? m->ns : NULL;
  mount_get(m);
  if (old_parent) {
    mount_get(old_parent);
    dentry_get(old_d);
    mount_unhook(m);
  }
  r = mount_graft(t->k->vfs, m, &place, true);
  if (r && old_parent)
    mount_hook(m, old_parent, old_d);
  if (!r && over) {
    mount_unhook(over);
    mount_hook(over, m, m->root);
  }
  if (!r && anon)
    mount_ns_put(anon); /* it was the tree's */
  if (old_parent) {
    dentry_put(old_d);
    mount_put(old_parent);
  }
  mount_put(m);
out:
  path_put(&place);
  return r;
}

int vfs_share_group(struct task *t, const struct path *from, const struct path *to) {
  struct mount *f = from->mnt, *m = to->mnt;
  (void)t;
  if (!mount_in_callers_ns(f) || !mount_in_callers_ns(m) || !is_mount_root(from) || !is_mount_root(to))
    return -EINVAL;
  if (m->peers || m->master || (!f->peers && !f->master) || f->sb != m->sb)
    return -EINVAL;
  if (!dentry_is_below(m->root, f->root) || mount_has_locked_children(f, m->root))
    return -EINVAL;
  return peers_copy(t->k->vfs, m, f, COPY_INHERIT);
}

/* ---- mount_setattr(2) ---- */

static unsigned attr_flags(const struct mount *m, const struct mount_attr_k *a) {
  unsigned f = m->flags;
  if (a->atime)
    f &= ~(unsigned)(MS_NOATIME | MS_RELATIME | MS_STRICTATIME);
  return (f & ~a->clear) | a->set;
}

int vfs_mount_setattr(struct task *t, const struct path *at, const struct mount_attr_k *a) {
  struct mount *top = at->mnt, *m;
  if (!is_mount_root(at) || !top->ns || !(mount_in_callers_ns(top) || top->ns->anon))
    return -EINVAL;
  for (m = top; m; m = a->recursive ? mount_next(m, top) : NULL) {
    unsigned f = attr_flags(m, a);
    if (!may_set_flags(m, f))
      return -EPERM;
    if ((f & MS_RDONLY) && !(m->flags & MS_RDONLY) && m->writers)
      return -EBUSY;
  }
  int r = 0;
  for (m = top; m && !r; m = a->recursive ? mount_next(m, top) : NULL) {
    m->flags = attr_flags(m, a);
    if (a->propagation)
      r = change_type(t->k->vfs, m, a->propagation);
  }
  mount_table_changed(t->k->vfs, top->ns);
  return r;
}

/* ---- trees without a place ---- */

static int open_tree_file(struct task *t, struct mount *m, struct file **out) {
  struct path p = {m, m->root};
  struct mount_ns *ns = mount_ns_new(t->k->vfs, true, t->fs->ns->ns.owner);
  if (!ns) {
    mount_free_tree(m);
    return -ENOMEM;
  }
  mount_attach_tree(ns, m, NULL, NULL);
  int r = vfs_open_path(t, &p, O_PATH, out);
  if (r)
    mount_ns_put(ns);
  else
    (*out)->fmode |= FMODE_UNMOUNT;
  return r;
}

int vfs_open_detached_copy(struct task *t, const struct path *from, bool recursive, struct file **out) {
  struct mount *m;
  int r = copy_checked(t, from, recursive, &m);
  return r ? r : open_tree_file(t, m, out);
}

int vfs_open_detached(struct task *t, struct super *sb, unsigned flags, const char *source, struct file **out) {
  struct mount *m = mount_alloc(t->k->vfs, sb, sb->root, flags, source);
  return m ? open_tree_file(t, m, out) : -ENOMEM;
}

void mount_dissolve(struct mount *m) {
  if (m->ns && m->ns->anon && m->ns->root == m)
    mount_ns_put(m->ns);
}
