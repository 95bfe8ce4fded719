/* Mounts and mount namespaces: mount_namespaces(7), without propagation: every mount is private. */
#include "fsnotify.h"
#include "namei.h"
#include <stdlib.h>

#define MOUNTS_MAX 100000 /* fs.mount-max */
#define DEPTH_MAX 128     /* mounts upon mounts: trees of them are walked recursively */

struct mount *mount_get(struct mount *m) {
  ref_get(&m->ref);
  return m;
}

void mount_put(struct mount *m) {
  if (!m || !ref_put(&m->ref))
    return;
  struct super *sb = m->sb;
  struct mount *parent = m->parent;
  struct dentry *at = m->mountpoint;
  dentry_put(m->root);
  if (at)
    dentry_put(at);
  free(m->source);
  free(m);
  super_put(sb);
  mount_put(parent);
}

struct mount *mount_at_borrow(const struct mount *parent, const struct dentry *d) {
  struct mount *m;
  LIST_FOREACH(m, &parent->children, child_link)
  if (m->mountpoint == d)
    return m;
  return NULL;
}

static int depth_of(const struct mount *m) {
  int n = 0;
  for (; m->parent; m = m->parent)
    n++;
  return n;
}

static int height_of(const struct mount *m) {
  int n = 0;
  struct mount *c;
  LIST_FOREACH(c, &m->children, child_link) {
    int h = height_of(c) + 1;
    n = h > n ? h : n;
  }
  return n;
}

static void table_changed(struct vfs *v) {
  v->mounts_seq++;
  waitq_wake_all(&v->mounts_wq, EPOLLERR | EPOLLPRI);
}

static struct mount *mount_alloc(struct vfs *v, struct super *sb, struct dentry *root, unsigned flags,
                                 const char *source) {
  struct mount *m = calloc(1, sizeof *m);
  char *s = strdup(source ? source : "none");
  if (!m || !s) {
    free(m);
    free(s);
    return NULL;
  }
  ref_init(&m->ref);
  ref_get(&sb->ref);
  m->sb = sb;
  m->root = dentry_get(root);
  m->flags = flags;
  m->source = s;
  m->id = ++v->next_mount_id;
  return m;
}

/* Put m (whose reference goes to the namespace) onto the tree. */
static void attach(struct mount_ns *ns, struct mount *m, struct mount *parent, struct dentry *at) {
  m->ns = ns;
  ns->nmounts++;
  if (parent) {
    m->parent = mount_get(parent);
    m->mountpoint = dentry_get(at);
    at->nmounts++;
    at->is_mountpoint = true;
    LIST_INSERT_HEAD(&parent->children, m, child_link);
  } else {
    ns->root = m;
  }
  /* In the order of mounting, as /proc/mounts shows them. */
  struct mount *last = LIST_FIRST(&ns->mounts);
  while (last && LIST_NEXT(last, ns_link))
    last = LIST_NEXT(last, ns_link);
  if (last)
    LIST_INSERT_AFTER(last, m, ns_link);
  else
    LIST_INSERT_HEAD(&ns->mounts, m, ns_link);
}

/* Take m off the tree. The namespace's reference is the caller's now. m keeps its parent until it is freed, so that
 * open files in it still have a place; what it covered shows again. */
static void detach(struct mount *m) {
  LIST_REMOVE(m, ns_link);
  m->ns->nmounts--;
  if (m->ns->root == m)
    m->ns->root = NULL;
  m->ns = NULL;
  if (!m->parent)
    return;
  LIST_REMOVE(m, child_link);
  if (--m->mountpoint->nmounts == 0)
    m->mountpoint->is_mountpoint = false;
  struct mount *parent = m->parent;
  struct dentry *at = m->mountpoint;
  m->parent = NULL;
  m->mountpoint = NULL;
  dentry_put(at);
  mount_put(parent);
}

int vfs_mount(struct vfs *v, struct mount_ns *ns, struct super *sb, const struct path *at, unsigned flags,
              const char *source, struct mount **out) {
  if (ns->nmounts >= MOUNTS_MAX)
    return -ENOSPC;
  if (at && (bool)S_ISDIR(at->dentry->inode->mode) != (bool)S_ISDIR(sb->root->inode->mode))
    return -ENOTDIR;
  if (at && at->dentry->unhashed)
    return -ENOENT;
  struct mount *m = mount_alloc(v, sb, sb->root, flags, source);
  if (!m)
    return -ENOMEM;
  /* Mounting where something is mounted covers it. */
  if (at) {
    struct mount *over = at->mnt, *top;
    struct dentry *d = at->dentry;
    while ((top = mount_at_borrow(over, d))) {
      over = top;
      d = top->root;
    }
    if (depth_of(over) >= DEPTH_MAX) {
      mount_put(m);
      return -ENOSPC;
    }
    attach(ns, m, over, d);
  } else {
    attach(ns, m, NULL, NULL);
  }
  table_changed(v);
  if (out)
    *out = mount_get(m);
  return 0;
}

/* Copies of what is mounted below `from` within `top`, onto the copy. */
static int copy_children(struct vfs *v, struct mount_ns *ns, struct mount *from, struct mount *copy,
                         const struct dentry *top, int depth) {
  struct mount *c;
  LIST_FOREACH(c, &from->children, child_link) {
    if (!dentry_is_below(c->mountpoint, top) || c == copy)
      continue;
    if (ns->nmounts >= MOUNTS_MAX || depth >= DEPTH_MAX)
      return -ENOSPC;
    struct mount *m = mount_alloc(v, c->sb, c->root, c->flags, c->source);
    if (!m)
      return -ENOMEM;
    attach(ns, m, copy, c->mountpoint);
    int r = copy_children(v, ns, c, m, c->root, depth + 1);
    if (r)
      return r;
  }
  return 0;
}

static void detach_tree(struct mount *m) {
  struct mount *c;
  while ((c = LIST_FIRST(&m->children)))
    detach_tree(c);
  detach(m);
  mount_put(m);
}

int vfs_bind(struct vfs *v, struct mount_ns *ns, const struct path *from, const struct path *at, unsigned flags,
             bool recursive) {
  struct dentry *root = from->dentry;
  if ((bool)S_ISDIR(root->inode->mode) != (bool)S_ISDIR(at->dentry->inode->mode))
    return -ENOTDIR;
  if (at->dentry->unhashed || ns->nmounts >= MOUNTS_MAX)
    return at->dentry->unhashed ? -ENOENT : -ENOSPC;
  struct mount *m = mount_alloc(v, from->mnt->sb, root, from->mnt->flags | flags, from->mnt->source);
  if (!m)
    return -ENOMEM;
  struct mount *over = at->mnt, *top;
  struct dentry *d = at->dentry;
  while ((top = mount_at_borrow(over, d))) {
    over = top;
    d = top->root;
  }
  /* The copies are hung onto m before m is in the tree, lest m be copied into itself. */
  int depth = depth_of(over) + 1;
  int r = depth > DEPTH_MAX ? -ENOSPC : recursive ? copy_children(v, ns, from->mnt, m, root, depth) : 0;
  attach(ns, m, over, d);
  if (r)
    detach_tree(m);
  table_changed(v);
  return r;
}

/* Users beside the namespace and the mounts in it: open files, working directories, the caller's path. */
static bool busy(const struct mount *m, unsigned callers) {
  unsigned n = 0;
  struct mount *c;
  LIST_FOREACH(c, &m->children, child_link)
  n++;
  return n || m->ref.n > 1 + callers;
}

int vfs_umount(struct vfs *v, struct mount_ns *ns, struct mount *m, int flags) {
  if (m->ns != ns)
    return -EINVAL;
  if (!m->parent)
    return -EBUSY; /* the root of the namespace */
  /* The caller holds m through one path. */
  if (!(flags & (MNT_DETACH | MNT_FORCE)) && busy(m, 1))
    return -EBUSY;
  if ((flags & MNT_FORCE) && !(flags & MNT_DETACH) && busy(m, 1))
    return -EBUSY;
  fsnotify_unmount(m->sb);
  detach_tree(m);
  table_changed(v);
  return 0;
}

/* ---- namespaces ---- */

void mount_ns_put(struct mount_ns *ns) {
  if (!ns || !ref_put(&ns->ref))
    return;
  if (ns->root)
    detach_tree(ns->root);
  free(ns);
}

struct ns_copy { /* which mount of the old namespace became which: they are in the same order in both lists */
  struct mount_ns *old, *copy;
};

static struct mount *copied(const struct ns_copy *c, const struct mount *m, struct mount *a, struct mount *b) {
  if (a == m)
    return b;
  struct mount *x, *y = LIST_FIRST(&b->children);
  LIST_FOREACH(x, &a->children, child_link) {
    struct mount *r = y ? copied(c, m, x, y) : NULL;
    if (r)
      return r;
    y = y ? LIST_NEXT(y, child_link) : NULL;
  }
  return NULL;
}

/* attach() puts the latest first, so that copying reverses the order of children: put it right. */
static void reverse_children(struct mount *m) {
  struct mount *c, *next;
  LIST_HEAD(, mount) out = LIST_HEAD_INITIALIZER(out);
  for (c = LIST_FIRST(&m->children); c; c = next) {
    next = LIST_NEXT(c, child_link);
    LIST_REMOVE(c, child_link);
    LIST_INSERT_HEAD(&out, c, child_link);
    reverse_children(c);
  }
  while ((c = LIST_FIRST(&out))) {
    LIST_REMOVE(c, child_link);
    struct mount *last = LIST_FIRST(&m->children);
    while (last && LIST_NEXT(last, child_link))
      last = LIST_NEXT(last, child_link);
    if (last)
      LIST_INSERT_AFTER(last, c, child_link);
    else
      LIST_INSERT_HEAD(&m->children, c, child_link);
  }
}

static void move_path(const struct ns_copy *c, struct path *p) {
  struct mount *m = copied(c, p->mnt, c->old->root, c->copy->root);
  if (!m)
    return;
  struct path to = {m, p->dentry}, old = *p;
  path_get(&to);
  *p = to;
  path_put(&old);
}

int vfs_unshare_ns(struct vfs *v, struct fs_ctx *fs) {
  struct mount_ns *old = fs->ns, *ns = calloc(1, sizeof *ns);
  if (!old || !old->root || !ns) {
    free(ns);
    return old && old->root ? -ENOMEM : -EINVAL;
  }
  ref_init(&ns->ref);
  struct mount *root = mount_alloc(v, old->root->sb, old->root->root, old->root->flags, old->root->source);
  int r = -ENOMEM;
  if (root) {
    attach(ns, root, NULL, NULL);
    r = copy_children(v, ns, old->root, root, old->root->root, 0);
  }
  if (r) {
    mount_ns_put(ns);
    return r;
  }
  reverse_children(root);
  struct ns_copy c = {old, ns};
  move_path(&c, &fs->root);
  move_path(&c, &fs->pwd);
  fs->ns = ns;
  mount_ns_put(old);
  return 0;
}

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

int vfs_pivot_root(struct task *t, const struct path *p, const struct path *put_old) {
  struct mount_ns *ns = t->fs->ns;
  struct path root = t->fs->root;
  struct mount *new = p->mnt, *old = root.mnt;
  if (old->ns != ns || new->ns != ns || p->dentry != new->root || root.dentry != old->root)
    return -EINVAL;
  if (new == old || put_old->mnt == old)
    return -EBUSY;
  if (!new->parent || ns->root != old || !dentry_is_below(put_old->dentry, p->dentry) || put_old->mnt != new)
    return -EINVAL;
  if (put_old->dentry->nmounts || height_of(old) >= DEPTH_MAX)
    return -EBUSY;
  path_get(&root);
  /* new leaves its place and becomes the root; old is hung onto put_old. The namespace's references stay as they are.
   */
  struct mount *parent = new->parent;
  struct dentry *at = new->mountpoint;
  LIST_REMOVE(new, child_link);
  if (--at->nmounts == 0)
    at->is_mountpoint = false;
  new->parent = NULL;
  new->mountpoint = NULL;
  ns->root = new;
  old->parent = mount_get(new);
  old->mountpoint = dentry_get(put_old->dentry);
  old->mountpoint->nmounts++;
  old->mountpoint->is_mountpoint = true;
  LIST_INSERT_HEAD(&new->children, old, child_link);
  dentry_put(at);
  mount_put(parent);
  chroot_all(t->k, &root, p);
  path_put(&root);
  table_changed(t->k->vfs);
  return 0;
}

int vfs_sync_all(struct mount_ns *ns) {
  struct super *done[64];
  int n = 0;
  struct mount *m;
again:
  LIST_FOREACH(m, &ns->mounts, ns_link) {
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

/* ---- boot: mount points ---- */

static int make_entry(const struct path *parent, const char *name, uint32_t mode, struct path *out) {
  struct inode *dir = parent->dentry->inode, *made = NULL;
  struct dentry *d = NULL;
  struct iattr a;
  unsigned len = (unsigned)strlen(name);
  fmutex_lock(&dir->dir_lock);
  int r = dentry_lookup(parent->dentry, name, len, name_hash(name, len), true, &d);
  if (!r && !d->inode) {
    new_inode_attr(NULL, dir, mode, &a);
    if (S_ISDIR(mode))
      r = dir->ops->mkdir ? dir->ops->mkdir(dir, parent->dentry, name, &a, &made) : -EROFS;
    else
      r = dir->ops->create ? dir->ops->create(dir, parent->dentry, name, &a, &made) : -EROFS;
    if (!r) {
      dcache_instantiate(d, made);
      inode_put(made);
    }
  }
  fmutex_unlock(&dir->dir_lock);
  if (!r) {
    *out = (struct path){parent->mnt, d};
    mount_get(parent->mnt);
  } else if (d) {
    dentry_put(d);
  }
  return r;
}

/* Walks `path` component by component, making what is missing: directories, and for the last one `last_mode`. */
static int make_path(const struct path *root, const char *path, uint32_t dir_mode, uint32_t last_mode,
                     struct path *out) {
  struct nameidata nd;
  char *copy = strdup(path), *at = copy;
  if (!copy)
    return -ENOMEM;
  const char *none = "";
  nd_start_kernel(&nd, root, &none, LOOKUP_FOLLOW);
  int r = 0;
  for (char *c; !r && (c = strsep(&at, "/"));) {
    if (!*c)
      continue;
    const char *rest = at;
    while (rest && *rest == '/')
      rest++;
    uint32_t mode = rest && *rest ? dir_mode : last_mode;
    const char *name = c;
    do {
      r = nd_walk(&nd, name);
      if (!r)
        r = nd_last(&nd, &name);
    } while (r == 1 && name);
    if (r == -ENOENT && nd.last_type == LAST_NORM && S_ISDIR(nd.path.dentry->inode->mode)) {
      char last[NAME_MAX + 1];
      struct path made = {0};
      memcpy(last, nd.last, nd.last_len);
      last[nd.last_len] = 0;
      r = make_entry(&nd.path, last, mode, &made);
      if (!r) {
        path_put(&nd.path);
        nd.path = made;
      }
    } else if (r > 0) {
      r = 0;
    }
  }
  if (!r && S_ISDIR(last_mode) && !S_ISDIR(nd.path.dentry->inode->mode))
    r = -ENOTDIR;
  if (!r && out) {
    *out = nd.path;
    nd.path = (struct path){0};
  }
  nd_end(&nd);
  free(copy);
  return r;
}

int vfs_mkdir_p(struct vfs *v, const struct path *root, const char *path, uint32_t mode, struct path *out) {
  (void)v;
  mode = S_IFDIR | (mode & 07777);
  return make_path(root, path, mode, mode, out);
}

int vfs_touch_p(struct vfs *v, const struct path *root, const char *path, struct path *out) {
  (void)v;
  return make_path(root, path, S_IFDIR | 0755, S_IFREG | 0644, out);
}
