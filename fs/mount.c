/* Mounts: the objects, the tree, mounting and unmounting. See mount.h. */
#include "mount.h"
#include "fsnotify.h"
#include <stdlib.h>

struct mount *mount_get(struct mount *m) {
  ref_get(&m->ref);
  return m;
}

/* A loop and not a recursion: guests decide how deep mounts are stacked. */
void mount_put(struct mount *m) {
  if (m && m->expiry_mark)
    m->expiry_mark--;
  while (m && ref_put(&m->ref)) {
    struct super *sb = m->sb;
    struct mount *parent = m->parent;
    struct dentry *at = m->mountpoint;
    peers_make_private(m);
    dentry_put(m->root);
    if (at)
      dentry_put(at);
    free(m->source);
    free(m);
    super_put(sb);
    m = parent;
  }
}

struct mount *mount_at_borrow(const struct mount *parent, const struct dentry *d) {
  struct mount *m;
  TAILQ_FOREACH(m, &parent->children, child_link)
  if (m->mountpoint == d)
    return m;
  return NULL;
}

void mount_topmost(struct path *p) {
  struct mount *m;
  while (p->dentry->nmounts && (m = mount_at_borrow(p->mnt, p->dentry))) {
    struct path up = {m, m->root};
    path_get(&up);
    path_put(p);
    *p = up;
  }
}

void mount_table_changed(struct vfs *v, struct mount_ns *ns) {
  v->mounts_seq++;
  if (ns)
    ns->event++;
  waitq_wake_all(&v->mounts_wq, EPOLLERR | EPOLLPRI);
}

void mount_root_name(const struct mount *m, char *buf) {
  struct file *f = vfs_standin_file_borrow(m->root);
  strcpy(buf, "/");
  if (f && f->anon_name)
    snprintf(buf, PATH_MAX, "%s", f->anon_name);
  else if (dentry_path_in_fs(m->root, buf + 1, PATH_MAX - 1) < 0)
    strcpy(buf, "/");
}

struct mount *mount_alloc(struct vfs *v, struct super *sb, struct dentry *root, unsigned flags, const char *source) {
  struct mount *m = calloc(1, sizeof *m);
  char *s = strdup(source ? source : "none");
  if (!m || !s) {
    free(m);
    free(s);
    return NULL;
  }
  ref_init(&m->ref);
  ref_get(&sb->ref);
  TAILQ_INIT(&m->children);
  m->sb = sb;
  m->root = dentry_get(root);
  m->flags = flags;
  m->source = s;
  m->id = ++v->next_mount_id;
  return m;
}

struct super *super_find(struct vfs *v, const char *fstype, const void *key) {
  struct super *sb;
  LIST_FOREACH(sb, &v->supers, all) {
    if (sb->key == key && sb->ref.n && !strcmp(sb->fstype, fstype)) {
      ref_get(&sb->ref);
      return sb;
    }
  }
  return NULL;
}

/* ---- the tree ---- */

struct mount *mount_next(struct mount *m, const struct mount *top) {
  struct mount *c = TAILQ_FIRST(&m->children);
  if (c)
    return c;
  for (; m != top; m = m->parent)
    if ((c = TAILQ_NEXT(m, child_link)))
      return c;
  return NULL;
}

unsigned mount_count_tree(const struct mount *top) {
  unsigned n = 0;
  for (struct mount *m = (struct mount *)top; m; m = mount_next(m, top))
    n++;
  return n;
}

void mount_hook(struct mount *m, struct mount *parent, struct dentry *d) {
  m->parent = mount_get(parent);
  m->mountpoint = dentry_get(d);
  d->nmounts++;
  d->is_mountpoint = true;
  TAILQ_INSERT_TAIL(&parent->children, m, child_link);
}

void mount_unhook(struct mount *m) {
  struct mount *parent = m->parent;
  struct dentry *d = m->mountpoint;
  if (!parent)
    return;
  TAILQ_REMOVE(&parent->children, m, child_link);
  if (--d->nmounts == 0)
    d->is_mountpoint = false;
  m->parent = NULL;
  m->mountpoint = NULL;
  dentry_put(d);
  mount_put(parent);
}

static void leave_ns(struct mount *m) {
  if (!m->ns)
    return;
  TAILQ_REMOVE(&m->ns->mounts, m, ns_link);
  m->ns->nmounts--;
  m->sb->vfs->nmounts--;
  m->sb->nmounts--;
  if (m->ns->root == m)
    m->ns->root = NULL;
  m->ns = NULL;
}

static void join_ns(struct mount *m, struct mount_ns *ns) {
  if (m->ns == ns)
    return;
  leave_ns(m);
  m->ns = ns;
  ns->nmounts++;
  m->sb->vfs->nmounts++;
  m->sb->nmounts++;
  TAILQ_INSERT_TAIL(&ns->mounts, m, ns_link);
}

void mount_attach_tree(struct mount_ns *ns, struct mount *top, struct mount *parent, struct dentry *d) {
  if (parent)
    mount_hook(top, parent, d);
  else
    ns->root = top;
  for (struct mount *m = top; m; m = mount_next(m, top))
    join_ns(m, ns);
}

/* A copy of one mount, as seen from root. */
static struct mount *copy_one(struct vfs *v, struct mount *old, struct dentry *root, enum mount_copy how) {
  struct mount *m = mount_alloc(v, old->sb, root, old->flags, old->source);
  if (!m)
    return NULL;
  m->locked_flags = old->locked_flags;
  m->locked = old->locked;
  m->unbindable = old->unbindable;
  if (peers_copy(v, m, old, how)) {
    mount_put(m);
    return NULL;
  }
  return m;
}

/* The next mount behind the whole tree of m. */
static struct mount *skip_tree(struct mount *m, const struct mount *top) {
  for (; m != top; m = m->parent)
    if (TAILQ_NEXT(m, child_link))
      return TAILQ_NEXT(m, child_link);
  return NULL;
}

int mount_copy_tree(struct vfs *v, struct mount *src, struct dentry *root, bool recursive, bool unbindable,
                    enum mount_copy how, struct mount **out) {
  if (v->nmounts + (int)(recursive ? mount_count_tree(src) : 1) > MOUNTS_MAX_ALL)
    return -ENOSPC;
  bool ns_files = !unbindable; /* bind mounts only */
  if (!ns_files && mount_is_mnt_ns_file(root))
    return -EINVAL;
  struct mount *top = copy_one(v, src, root, how), *s, *next;
  if (!top)
    return -ENOMEM;
  int r = 0;
  src->copy = top;
  top->locked = false;
  s = recursive ? mount_next(src, src) : NULL;
  for (; s && !r; s = next) {
    bool skip = s->parent == src && !dentry_is_below(s->mountpoint, root);
    if (!skip && s->unbindable && !unbindable) {
      if (s->locked)
        r = -EPERM;
      skip = true;
    }
    if (!skip && !ns_files && mount_is_mnt_ns_file(s->root))
      skip = true;
    next = skip ? skip_tree(s, src) : mount_next(s, src);
    if (skip)
      continue;
    s->copy = copy_one(v, s, s->root, how);
    if (s->copy)
      mount_hook(s->copy, s->parent->copy, s->mountpoint);
    else
      r = -ENOMEM;
  }
  if (r)
    mount_free_tree(top);
  else
    *out = top;
  return r;
}

static struct mount *last_leaf(struct mount *m) {
  while (!TAILQ_EMPTY(&m->children))
    m = TAILQ_LAST(&m->children, mounts);
  return m;
}

void mount_free_tree(struct mount *top) {
  for (bool done = false; !done;) {
    struct mount *m = last_leaf(top);
    done = m == top;
    leave_ns(m);
    mount_unhook(m);
    peers_make_private(m);
    mount_put(m);
  }
}

bool mount_has_locked_children(const struct mount *m, const struct dentry *below) {
  struct mount *c;
  TAILQ_FOREACH(c, &m->children, child_link)
  if (c->locked && dentry_is_below(c->mountpoint, below))
    return true;
  return false;
}

void mount_lock_tree(struct mount *top) {
  for (struct mount *m = top; m; m = mount_next(m, top)) {
    m->locked_flags |= MNT_ATIME_FLAGS | (m->flags & (MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC));
    if (m != top)
      m->locked = true;
  }
}

/* ---- putting trees in ---- */

/* What was at the place moves onto the root of what comes there: the newcomer is tucked beneath. */
static void attach_beneath(struct mount_ns *ns, struct mount *top, struct mount *parent, struct dentry *d) {
  struct mount *over = mount_at_borrow(parent, d);
  mount_attach_tree(ns, top, parent, d);
  if (!over)
    return;
  mount_get(over); /* its parent may hold the last reference but the namespace's */
  mount_unhook(over);
  mount_hook(over, top, top->root);
  mount_put(over);
}

static int share_tree(struct vfs *v, struct mount *top) {
  int r = 0;
  for (struct mount *m = top; m && !r; m = mount_next(m, top))
    r = peers_share(v, m);
  return r;
}

int mount_graft(struct vfs *v, struct mount *top, const struct path *at, bool moving) {
  struct mount *parent = at->mnt;
  struct mount_ns *ns = parent->ns;
  struct pending_mounts pending = {0};
  unsigned count = mount_count_tree(top);
  int r = 0;
  if ((!moving || top->ns != ns) && (unsigned)ns->nmounts + count > MOUNTS_MAX)
    return -ENOSPC;
  if (parent->peers) {
    r = share_tree(v, top);
    if (!r)
      r = peers_propagate(v, parent, at->dentry, top, &pending);
  }
  if (r) {
    free(pending.v);
    return r;
  }
  mount_attach_tree(ns, top, parent, at->dentry);
  for (unsigned i = 0; i < pending.n; i++) {
    struct pending_mount *p = &pending.v[i];
    if (p->parent->ns->ns.owner != ns->ns.owner)
      mount_lock_tree(p->copy);
    p->copy->locked = false;
    attach_beneath(p->parent->ns, p->copy, p->parent, at->dentry);
    p->parent->ns->event++;
  }
  free(pending.v);
  mount_table_changed(v, ns);
  return 0;
}

/* ---- taking trees out ---- */

struct gone { /* what an unmount finds to go: references */
  struct mount **v;
  unsigned n, cap;
};

static bool gone_add(struct gone *g, struct mount *m) {
  if (g->n == g->cap) {
    unsigned cap = g->cap ? 2 * g->cap : 32;
    struct mount **v = realloc(g->v, cap * sizeof *v);
    if (!v)
      return false;
    g->v = v;
    g->cap = cap;
  }
  g->v[g->n++] = mount_get(m);
  return true;
}

struct counterpart {
  struct mount *of;
  struct gone *list;
};

/* The mount of a receiver that corresponds to one that goes. */
static struct mount *counterpart_of(struct mount *receiver, const struct mount *m) {
  struct mount *c = mount_at_borrow(receiver, m->mountpoint);
  return c && c != m && c->ns ? c : NULL;
}

/* A mount that something was tucked over: only that is mounted on it, on its root. */
static struct mount *topper_of(const struct mount *m) {
  struct mount *c = TAILQ_FIRST(&m->children);
  return c && !TAILQ_NEXT(c, child_link) && c->mountpoint == m->root ? c : NULL;
}

static bool collect_counterpart(void *arg, struct mount *receiver) {
  struct counterpart *cp = arg;
  struct mount *c = counterpart_of(receiver, cp->of);
  if (c && !c->locked)
    gone_add(cp->list, c);
  return true;
}

/* m, whose children are gone, leaves its namespace. */
static void take_out(struct vfs *v, struct mount *m) {
  struct mount_ns *ns = m->ns;
  struct super *sb = m->sb;
  leave_ns(m);
  mount_unhook(m);
  peers_make_private(m);
  if (ns)
    ns->event++;
  if (!sb->nmounts)
    fsnotify_unmount(sb);
  (void)v;
  mount_put(m); /* the namespace's */
}

static void umount_counterparts(struct vfs *v, struct mount *m) {
  struct gone list = {0};
  struct counterpart cp = {m, &list};
  peers_each_receiver(v, m->parent, collect_counterpart, &cp);
  for (unsigned i = 0; i < list.n; i++) {
    struct mount *c = list.v[i], *top = topper_of(c);
    if (c->ns && top && !top->locked) { /* what is over it comes down to its place */
      struct mount *parent = mount_get(c->parent);
      struct dentry *d = dentry_get(c->mountpoint);
      mount_unhook(top);
      take_out(v, c);
      mount_hook(top, parent, d);
      dentry_put(d);
      mount_put(parent);
    } else if (c->ns && TAILQ_EMPTY(&c->children)) {
      take_out(v, c);
    }
    mount_put(c);
  }
  free(list.v);
}

void mount_umount_tree(struct mount *top, bool propagate) {
  struct vfs *v = top->sb->vfs;
  /* What goes may be the last to hold its own namespace: a namespace's file can be mounted. */
  struct mount_ns *ns = top->ns && top->ns->ns.ref.n ? top->ns : NULL;
  struct gone list = {0};
  bool whole = true;
  if (ns)
    ns_get(&ns->ns);
  for (struct mount *m = top; m && whole; m = mount_next(m, top))
    whole = gone_add(&list, m);
  if (!whole) { /* no memory for a list: without propagation it needs none */
    mount_free_tree(top);
  } else {
    for (unsigned i = list.n; i-- > 0;) {
      struct mount *m = list.v[i];
      if (!m->ns)
        continue;
      if (propagate && m->parent && m->parent->peers)
        umount_counterparts(v, m);
      if (m->ns)
        take_out(v, m);
    }
  }
  while (list.n)
    mount_put(list.v[--list.n]);
  free(list.v);
  mount_table_changed(v, ns);
  mount_ns_put(ns);
}

struct busy_check {
  const struct mount *of;
  bool busy;
};

static bool check_counterpart(void *arg, struct mount *receiver) {
  struct busy_check *b = arg;
  struct mount *c = counterpart_of(receiver, b->of);
  if (!c || c->locked)
    return true;
  const struct mount *top = topper_of(c);
  if (TAILQ_EMPTY(&c->children) || top)
    b->busy = c->ref.n > (top ? 2u : 1u);
  return !b->busy;
}

/* Users beside the namespace and the mounts in it: open files, working directories, the caller's path. The same for
 * those that would go with it. */
static bool busy(struct vfs *v, struct mount *m, unsigned callers) {
  struct busy_check b = {.of = m, .busy = !TAILQ_EMPTY(&m->children) || m->ref.n > 1 + callers};
  if (!b.busy && m->parent && m->parent->peers)
    peers_each_receiver(v, m->parent, check_counterpart, &b);
  return b.busy;
}

int vfs_umount(struct vfs *v, struct mount_ns *ns, struct mount *m, int flags) {
  if (m->ns != ns || m->locked)
    return -EINVAL;
  if (!m->parent)
    return flags & MNT_EXPIRE ? -EINVAL : -EBUSY; /* the root of the namespace */
  if (flags & MNT_EXPIRE) {
    if (flags & (MNT_FORCE | MNT_DETACH))
      return -EINVAL;
    if (m->ref.n > 2)
      return -EBUSY;
    if (!m->expiry_mark) {
      m->expiry_mark = 2; /* the caller's path is about to be put */
      return -EAGAIN;
    }
  }
  /* The caller holds m through one path. */
  if (!(flags & MNT_DETACH) && busy(v, m, 1))
    return -EBUSY;
  mount_umount_tree(m, true);
  return 0;
}

/* ---- for boot and mount(2) ---- */

int vfs_mount(struct vfs *v, struct mount_ns *ns, struct super *sb, const struct path *at, unsigned flags,
              const char *source, struct mount **out) {
  if (at && (bool)S_ISDIR(at->dentry->inode->mode) != (bool)S_ISDIR(sb->root->inode->mode))
    return -ENOTDIR;
  if (at && at->dentry->unhashed)
    return -ENOENT;
  struct path place = {0};
  if (at) { /* mounting where something is mounted covers it */
    place = *at;
    path_get(&place);
    mount_topmost(&place);
    if (place.mnt->sb == sb && place.dentry == sb->root && place.dentry == place.mnt->root) {
      path_put(&place);
      return -EBUSY; /* the same thing in the same place */
    }
  }
  int r = v->nmounts >= MOUNTS_MAX_ALL ? -ENOSPC : 0;
  struct mount *m = r ? NULL : mount_alloc(v, sb, sb->root, flags, source);
  if (!m)
    r = r ? r : -ENOMEM;
  else if (at)
    r = mount_graft(v, m, &place, false);
  else
    mount_attach_tree(ns, m, NULL, NULL);
  if (at)
    path_put(&place);
  if (r) {
    if (m)
      mount_free_tree(m);
    return r;
  }
  if (!at)
    mount_table_changed(v, ns);
  if (out)
    *out = mount_get(m);
  return 0;
}

int vfs_bind(struct vfs *v, struct mount_ns *ns, const struct path *from, const struct path *at, unsigned flags,
             bool recursive) {
  struct dentry *root = from->dentry;
  (void)ns;
  if ((bool)S_ISDIR(root->inode->mode) != (bool)S_ISDIR(at->dentry->inode->mode))
    return -ENOTDIR;
  if (at->dentry->unhashed)
    return -ENOENT;
  struct mount *m;
  int r = mount_copy_tree(v, from->mnt, root, recursive, false, COPY_INHERIT, &m);
  if (r)
    return r;
  m->flags |= flags;
  struct path place = *at;
  path_get(&place);
  mount_topmost(&place);
  r = mount_graft(v, m, &place, false);
  path_put(&place);
  if (r)
    mount_free_tree(m);
  return r;
}
