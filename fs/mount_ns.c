/* Mount namespaces: mount_namespaces(7), pivot_root(2). */
#include "anon.h"
#include "mount.h"
#include <linux/capability.h>
#include <stdlib.h>

struct mount_ns *mount_ns_new(struct vfs *v, bool anon, struct user_namespace *user_ns) {
  struct mount_ns *ns = calloc(1, sizeof *ns);
  if (!ns || ns_init(&ns->ns, v->k, NS_MNT, user_ns)) {
    free(ns);
    return NULL;
  }
  TAILQ_INIT(&ns->mounts);
  ns->anon = anon;
  ns->seq = ++v->next_mount_ns;
  LIST_INSERT_HEAD(&v->mount_namespaces, ns, all);
  return ns;
}

void mount_ns_put(struct mount_ns *ns) {
  ns_put(ns ? &ns->ns : NULL);
}

/* The mount namespace that the file d stands for, NULL if it does not. */
static struct mount_ns *ns_of_file_borrow(const struct dentry *d) {
  struct file *f = vfs_standin_file_borrow(d);
  struct ns_common *ns = f ? nsfs_ns_borrow(f) : NULL;
  return ns && ns->kind == NS_MNT ? (struct mount_ns *)ns : NULL;
}

bool mount_is_mnt_ns_file(const struct dentry *d) {
  return ns_of_file_borrow(d);
}

bool mount_makes_ns_loop(const struct dentry *d) {
  struct mount_ns *of = ns_of_file_borrow(d);
  struct task *t = task_current();
  return of && t && t->fs && t->fs->ns && t->fs->ns->seq >= of->seq;
}

static void free_one(struct mount_ns *ns) {
  if (ns->root)
    mount_umount_tree(ns->root, false);
  LIST_REMOVE(ns, all);
  ns_fini(&ns->ns);
  free(ns);
}

/* Mounts of a namespace's file hold it, and guests decide how long a chain of that is: no recursion. */
void mount_ns_free(struct ns_common *head) {
  struct mount_ns *ns = (struct mount_ns *)head;
  struct vfs *v = head->k->vfs;
  STAILQ_INSERT_TAIL(&v->dead_mount_ns, ns, dead_link);
  if (v->freeing_mount_ns)
    return;
  v->freeing_mount_ns = true;
  while ((ns = STAILQ_FIRST(&v->dead_mount_ns))) {
    STAILQ_REMOVE_HEAD(&v->dead_mount_ns, dead_link);
    free_one(ns);
  }
  v->freeing_mount_ns = false;
}

bool mount_in_callers_ns(const struct mount *m) {
  struct task *t = task_current();
  return m->ns && t && t->fs && m->ns == t->fs->ns;
}

bool mount_ns_capable(const struct task *t, const struct mount_ns *ns) {
  return ns_capable(t->cred, ns->ns.owner, CAP_SYS_ADMIN);
}

bool may_mount(const struct task *t) {
  return t->fs && t->fs->ns && mount_ns_capable(t, t->fs->ns);
}

bool mountpoint_in_callers_ns(const struct dentry *d) {
  struct task *t = task_current();
  struct mount *m;
  if (!d->nmounts)
    return false;
  if (!t || !t->fs || !t->fs->ns)
    return true;
  TAILQ_FOREACH(m, &t->fs->ns->mounts, ns_link)
  if (m->mountpoint == d)
    return true;
  return false;
}

static struct mount *mounted_anywhere(struct vfs *v, const struct dentry *d) {
  struct mount_ns *ns;
  struct mount *m;
  LIST_FOREACH(ns, &v->mount_namespaces, all)
  TAILQ_FOREACH(m, &ns->mounts, ns_link)
  if (m->mountpoint == d)
    return m;
  return NULL;
}

void mounts_detach_at(struct vfs *v, struct dentry *d) {
  struct mount *m;
  while (d->nmounts && (m = mounted_anywhere(v, d)))
    mount_umount_tree(m, false);
}

/* ---- a namespace of one's own ---- */

/* Where p is in the copy; the old mounts know their copies. */
static void move_path(const struct mount_ns *old, struct path *p) {
  if (p->mnt->ns != old || !p->mnt->copy)
    return;
  struct path to = {p->mnt->copy, p->dentry}, was = *p;
  path_get(&to);
  *p = to;
  path_put(&was);
}

static int copy_ns(struct vfs *v, struct mount_ns *old, struct user_namespace *user_ns, struct mount_ns **out) {
  struct mount *m, *root;
  bool less = user_ns != old->ns.owner;
  if (!old->root)
    return -EINVAL;
  struct mount_ns *ns = mount_ns_new(v, false, user_ns);
  if (!ns)
    return -ENOMEM;
  TAILQ_FOREACH(m, &old->mounts, ns_link)
  m->copy = NULL;
  int r = mount_copy_tree(v, old->root, old->root->root, true, true, less ? COPY_SHARED_TO_SLAVE : COPY_INHERIT, &root);
  if (r) {
    mount_ns_put(ns);
    return r;
  }
  if (less)
    mount_lock_tree(root);
  mount_attach_tree(ns, root, NULL, NULL);
  *out = ns;
  return 0;
}

int vfs_unshare_ns(struct vfs *v, struct fs_ctx *fs, struct user_namespace *owner) {
  struct mount_ns *old = fs->ns, *ns;
  if (!old)
    return -EINVAL;
  int r = copy_ns(v, old, owner, &ns);
  if (r)
    return r;
  move_path(old, &fs->root);
  move_path(old, &fs->pwd);
  fs->ns = ns;
  mount_ns_put(old);
  return 0;
}

/* ---- pivot_root(2) ---- */

/* Every process whose root or working directory is the old root goes along, as in Linux. */
static void chroot_all(struct kernel *k, const struct path *old, const struct path *new) {
  struct process *p;
  LIST_FOREACH(p, &k->processes, all) {
    struct task *t;
    LIST_FOREACH(t, &p->threads, thread_link) {
      if (!t->fs)
        continue;
      if (t->fs->root.mnt == old->mnt && t->fs->root.dentry == old->dentry)
        fs_ctx_set_root(t->fs, new);
      if (t->fs->pwd.mnt == old->mnt && t->fs->pwd.dentry == old->dentry)
        fs_ctx_set_pwd(t->fs, new);
    }
  }
}

bool mount_reachable(const struct mount *m, const struct dentry *d, const struct path *root) {
  while (m != root->mnt && m->parent) {
    d = m->mountpoint;
    m = m->parent;
  }
  return m == root->mnt && dentry_is_below(d, root->dentry);
}

static int pivot_allowed(struct task *t, const struct path *new, const struct path *old, const struct path *root) {
  struct mount_ns *ns = t->fs->ns;
  const struct mount *n = new->mnt, *r = root->mnt, *o = old->mnt;
  if (o->peers || (n->parent && n->parent->peers) || (r->parent && r->parent->peers))
    return -EINVAL;
  if (r->ns != ns || n->ns != ns || n->locked)
    return -EINVAL;
  if (new->dentry->unhashed)
    return -ENOENT;
  if (n == r || o == r)
    return -EBUSY;
  /* The root must be a mount, and not the one of the namespace that nothing shows. (Here that one is the root.) */
  if (root->dentry != r->root || new->dentry != n->root || !n->parent)
    return -EINVAL;
  if (!mount_reachable(o, old->dentry, new) || !mount_reachable(n, new->dentry, root))
    return -EINVAL;
  return 0;
}

int vfs_pivot_root(struct task *t, const struct path *p, const struct path *put_old) {
  struct path root = t->fs->root, place = *put_old;
  struct mount *new = p->mnt;
  path_get(&root);
  path_get(&place);
  mount_topmost(&place);
  int r = pivot_allowed(t, p, &place, &root);
  if (!r) {
    struct mount *old = root.mnt, *up = old->parent;
    struct dentry *d = old->mountpoint;
    if (up) {
      mount_get(up);
      dentry_get(d);
    }
    mount_get(new);
    mount_unhook(new);
    if (old->locked) {
      new->locked = true;
      old->locked = false;
    }
    mount_unhook(old);
    mount_hook(old, place.mnt, place.dentry);
    if (up) {
      mount_hook(new, up, d);
      dentry_put(d);
      mount_put(up);
    } else {
      t->fs->ns->root = new;
    }
    mount_put(new);
    struct path to = {new, new->root};
    chroot_all(t->k, &root, &to);
    mount_table_changed(t->k->vfs, t->fs->ns);
  }
  path_put(&place);
  path_put(&root);
  return r;
}

int vfs_sync_all(struct mount_ns *ns) {
  struct super *done[64];
  int n = 0;
  struct mount *m;
again:
  TAILQ_FOREACH(m, &ns->mounts, ns_link) {
    struct super *sb = m->sb;
    int i = 0;
    while (i < n && done[i] != sb)
      i++;
    if (i < n || n == 64 || !sb->ops || !sb->ops->sync)
      continue;
    ref_get(&sb->ref);
    done[n++] = sb;
    sb->ops->sync(sb); /* parks: the list may have changed */
    goto again;
  }
  while (n)
    super_put(done[--n]);
  return 0;
}
