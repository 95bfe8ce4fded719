/* The path walk: path_resolution(7), openat2(2), symlink(7). */
#include "namei.h"
#include "../core/uaccess.h"
#include <stdlib.h>

/* ---- PATH_MAX buffers ---- */

static char *name_buf(void) {
  struct vfs *v = kernel_current() ? kernel_current()->vfs : NULL;
  return v && v->nnames ? v->names[--v->nnames] : malloc(PATH_MAX);
}

void putname(char *name) {
  if (!name)
    return;
  struct vfs *v = kernel_current() ? kernel_current()->vfs : NULL;
  if (v && v->nnames < (int)(sizeof v->names / sizeof *v->names))
    v->names[v->nnames++] = name;
  else
    free(name);
}

char *getname_user(uint64_t uname, int *err) {
  char *b = name_buf();
  if (!b) {
    *err = -ENOMEM;
    return NULL;
  }
  ssize_t n = strncpy_from_user(b, uname, PATH_MAX);
  if (n >= 0)
    return b;
  putname(b);
  *err = (int)n;
  return NULL;
}

/* ---- paths ---- */

void path_get(const struct path *p) {
  if (p->mnt)
    mount_get(p->mnt);
  if (p->dentry)
    dentry_get(p->dentry);
}

void path_put(struct path *p) {
  struct path old = *p;
  *p = (struct path){0};
  if (old.dentry)
    dentry_put(old.dentry);
  if (old.mnt)
    mount_put(old.mnt);
}

static bool path_equal(const struct path *a, const struct path *b) {
  return a->dentry == b->dentry && a->mnt == b->mnt;
}

/* p takes new's references over. */
static void path_replace(struct path *p, const struct path *new) {
  struct path old = *p;
  *p = *new;
  path_put(&old);
}

/* ---- where a walk starts ---- */

static int start_at_fd(struct nameidata *nd, int dfd, const char *name) {
  if (dfd == AT_FDCWD) {
    nd->path = nd->t->fs->pwd;
    path_get(&nd->path);
    return 0;
  }
  AUTO_FILE f = fd_file_raw(nd->t->files, dfd);
  if (!f)
    return -EBADF;
  if (!f->dentry) {
    if (*name)
      return -ENOTDIR;
    return vfs_file_path(f, &nd->path);
  }
  if (*name && !S_ISDIR(f->inode->mode))
    return -ENOTDIR;
  nd->path = (struct path){f->mnt, f->dentry};
  path_get(&nd->path);
  return 0;
}

static void nd_init(struct nameidata *nd, struct task *t, const struct cred *cred, unsigned flags) {
  memset(nd, 0, offsetof(struct nameidata, rest));
  nd->t = t;
  nd->cred = cred;
  nd->flags = flags;
}

int nd_start(struct nameidata *nd, struct task *t, const struct cred *cred, int dfd, const char **name,
             unsigned flags) {
  nd_init(nd, t, cred ? cred : task_cred(t), flags);
  const char *s = *name;
  if (!*s && !(flags & LOOKUP_EMPTY))
    return -ENOENT;
  bool scoped = flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT);
  if (*s == '/' && (flags & LOOKUP_BENEATH))
    return -EXDEV;
  if (scoped || *s != '/') {
    int r = start_at_fd(nd, dfd, s);
    if (r)
      return r;
    nd->root = scoped ? nd->path : t->fs->root;
  } else {
    nd->path = nd->root = t->fs->root;
    path_get(&nd->path);
  }
  path_get(&nd->root);
  return 0;
}

void nd_start_kernel(struct nameidata *nd, const struct path *root, const char **name, unsigned flags) {
  nd_init(nd, NULL, NULL, flags);
  nd->root = nd->path = *root;
  path_get(&nd->root);
  path_get(&nd->path);
}

void nd_end(struct nameidata *nd) {
  path_put(&nd->path);
  path_put(&nd->root);
  for (int i = 0; i < nd->links; i++) {
    if (nd->body[i].inode)
      inode_put(nd->body[i].inode);
    putname(nd->body[i].buf);
  }
  nd->links = 0;
}

/* ---- symbolic links ---- */

static int follow_magic(struct nameidata *nd, struct inode *i) {
  struct path to = {0};
  if (nd->flags & LOOKUP_NO_MAGICLINKS)
    return -ELOOP;
  int r = i->ops->follow(i, &to.mnt, &to.dentry);
  if (r)
    return r;
  if (nd->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
    r = -EXDEV;
  else if ((nd->flags & LOOKUP_NO_XDEV) && to.mnt != nd->path.mnt)
    r = -EXDEV;
  if (r) {
    path_put(&to);
    return r;
  }
  path_replace(&nd->path, &to);
  nd->jumped = true;
  return 0;
}

/* The text of a link, kept alive in *b. */
static int link_text(struct inode *i, struct link_body *b, const char **text) {
  if (!i->link) {
    if (!i->ops->readlink)
      return -EINVAL;
    char *buf = b->buf = name_buf();
    if (!buf)
      return -ENOMEM;
    ssize_t n = i->ops->readlink(i, buf, PATH_MAX);
    if (n < 0)
      return (int)n;
    if (n >= PATH_MAX)
      return -ENAMETOOLONG;
    buf[n] = 0;
    *text = buf;
    if (!i->sb->volatile_links && !i->link)
      i->link = strdup(buf);
    return 0;
  }
  b->inode = inode_get(i);
  *text = i->link;
  return 0;
}

static int jump_root(struct nameidata *nd) {
  if (nd->flags & LOOKUP_BENEATH)
    return -EXDEV;
  if ((nd->flags & LOOKUP_NO_XDEV) && nd->path.mnt != nd->root.mnt)
    return -EXDEV;
  struct path to = nd->root;
  path_get(&to);
  path_replace(&nd->path, &to);
  return 0;
}

/* fs.protected_symlinks: in a sticky directory that all may write to, a link is followed by its owner, or if the
 * directory's owner made it. */
static int may_follow(const struct nameidata *nd, const struct inode *i) {
  const struct inode *dir = nd->path.dentry->inode;
  if (!nd->cred || i->uid == nd->cred->fsuid || (dir->mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
    return 0;
  return dir->uid == i->uid || !kernel_current()->sysctl.protected_symlinks ? 0 : -EACCES;
}

/* 1 and the rest of the way in *name (NULL: arrived through a magic link), or -errno. */
static int follow_link(struct nameidata *nd, struct mount *m, struct inode *i, const char **name) {
  if (nd->links >= MAX_SYMLINKS || (nd->flags & LOOKUP_NO_SYMLINKS) || (m->flags & MS_NOSYMFOLLOW))
    return -ELOOP;
  if (nd->at_last && may_follow(nd, i))
    return -EACCES;
  struct link_body *b = &nd->body[nd->links++];
  *b = (struct link_body){0};
  *name = NULL;
  int r;
  if (i->ops->follow) {
    r = follow_magic(nd, i);
    if (r != -EOPNOTSUPP) /* an ordinary link of a file system that has both kinds */
      return r ? r : 1;
  }
  const char *s = NULL;
  r = link_text(i, b, &s);
  if (r)
    return r;
  vfs_touch_atime(m, i);
  if (!*s)
    return -ENOENT;
  if (*s == '/') {
    r = jump_root(nd);
    if (r)
      return r;
    while (*s == '/')
      s++;
  }
  *name = s;
  return 1;
}

/* ---- steps ---- */

static int cross_mounts(struct nameidata *nd, struct mount **m, struct dentry **d) {
  while ((*d)->nmounts) {
    struct mount *over = mount_at_borrow(*m, *d);
    if (!over)
      return 0;
    if (nd->flags & LOOKUP_NO_XDEV)
      return -EXDEV;
    mount_get(over);
    dentry_get(over->root);
    dentry_put(*d);
    mount_put(*m);
    *m = over;
    *d = over->root;
  }
  return 0;
}

int nd_step(struct nameidata *nd, struct dentry *d, bool follow, const char **name) {
  if (!d->inode) {
    dentry_put(d);
    return -ENOENT;
  }
  if (d->nmounts) {
    struct mount *m = mount_get(nd->path.mnt);
    int r = cross_mounts(nd, &m, &d);
    struct path to = {m, d};
    if (r) {
      path_put(&to);
      return r;
    }
    path_replace(&nd->path, &to);
    return 0;
  }
  if (follow && S_ISLNK(d->inode->mode)) {
    struct mount *m = mount_get(nd->path.mnt);
    int r = follow_link(nd, m, d->inode, name);
    mount_put(m);
    dentry_put(d);
    return r;
  }
  struct dentry *old = nd->path.dentry;
  nd->path.dentry = d;
  dentry_put(old);
  return 0;
}

static int step_dotdot(struct nameidata *nd) {
  struct path p = nd->path;
  path_get(&p);
  for (;;) {
    if (path_equal(&p, &nd->root)) {
      if (nd->flags & LOOKUP_BENEATH) {
        path_put(&p);
        return -EXDEV;
      }
      break;
    }
    if (p.dentry != p.mnt->root) {
      struct dentry *up = dentry_get(p.dentry->parent);
      dentry_put(p.dentry);
      p.dentry = up;
      break;
    }
    if (!p.mnt->parent)
      break;
    if (nd->flags & LOOKUP_NO_XDEV) {
      path_put(&p);
      return -EXDEV;
    }
    struct path up = {p.mnt->parent, p.mnt->mountpoint};
    path_get(&up);
    path_replace(&p, &up);
  }
  int r = cross_mounts(nd, &p.mnt, &p.dentry);
  if (r) {
    path_put(&p);
    return r;
  }
  path_replace(&nd->path, &p);
  return 0;
}

static int step_name(struct nameidata *nd, enum last_type type, const char *c, unsigned len, bool follow,
                     const char **name) {
  if (type == LAST_DOTDOT)
    return step_dotdot(nd);
  if (type != LAST_NORM)
    return 0;
  struct dentry *d;
  int r = dentry_lookup(nd->path.dentry, c, len, name_hash(c, len), false, &d);
  return r ? r : nd_step(nd, d, follow, name);
}

static enum last_type component_type(const char *c, unsigned len) {
  if (c[0] != '.' || len > 2)
    return LAST_NORM;
  if (len == 1)
    return LAST_DOT;
  return c[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

int nd_walk(struct nameidata *nd, const char *name) {
  nd->depth = 0;
  nd->at_last = false;
  nd->jumped = false;
  while (*name == '/')
    name++;
  nd->last_type = LAST_ROOT;
  nd->trailing = false;
  nd->last = name;
  nd->last_len = 0;
  if (!*name)
    return 0;
  for (;;) {
    struct inode *dir = nd->path.dentry->inode;
    if (!S_ISDIR(dir->mode))
      return -ENOTDIR;
    int r = inode_permission(nd->cred, NULL, dir, MAY_EXEC);
    if (r)
      return r;
    const char *c = name, *body;
    while (*name && *name != '/')
      name++;
    unsigned len = (unsigned)(name - c);
    bool slash = *name == '/';
    while (*name == '/')
      name++;
    enum last_type type = component_type(c, len);
    if (!*name) {
      if (!nd->depth) {
        nd->last_type = type;
        nd->trailing = slash;
        nd->last = c;
        nd->last_len = len;
        return 0;
      }
      name = nd->rest[--nd->depth];
    }
    r = step_name(nd, type, c, len, true, &body);
    if (r < 0)
      return r;
    if (r == 1 && body && *body) {
      nd->rest[nd->depth++] = name;
      name = body;
    }
  }
}

int nd_last(struct nameidata *nd, const char **name) {
  nd->jumped = false;
  nd->at_last = true;
  if (nd->trailing)
    nd->flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
  return step_name(nd, nd->last_type, nd->last, nd->last_len, nd->flags & LOOKUP_FOLLOW, name);
}

int nd_complete(struct nameidata *nd) {
  if ((nd->flags & LOOKUP_DIRECTORY) && !S_ISDIR(nd->path.dentry->inode->mode))
    return -ENOTDIR;
  /* A rename while the walk was parked may have carried it out of its scope. */
  if (nd->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) {
    struct mount *m = nd->path.mnt;
    struct dentry *d = nd->path.dentry;
    while (m != nd->root.mnt && m->parent) {
      d = m->mountpoint;
      m = m->parent;
    }
    if (m != nd->root.mnt || !dentry_is_below(d, nd->root.dentry))
      return -EXDEV;
  }
  return 0;
}

static int lookup_all(struct nameidata *nd, const char *name) {
  int r;
  do {
    r = nd_walk(nd, name);
    if (!r)
      r = nd_last(nd, &name);
  } while (r == 1 && name);
  return r < 0 ? r : nd_complete(nd);
}

/* ---- lookups ---- */

int vfs_lookup_cred(struct task *t, const struct cred *c, int dfd, const char *name, unsigned flags, struct path *out) {
  struct nameidata nd;
  int r = nd_start(&nd, t, c, dfd, &name, flags);
  if (!r)
    r = lookup_all(&nd, name);
  *out = (struct path){0};
  if (!r) {
    *out = nd.path;
    nd.path = (struct path){0};
  }
  nd_end(&nd);
  return r;
}

int vfs_lookup(struct task *t, int dfd, const char *name, unsigned flags, struct path *out) {
  return vfs_lookup_cred(t, NULL, dfd, name, flags, out);
}

int vfs_lookup_user(struct task *t, int dfd, uint64_t uname, unsigned flags, struct path *out) {
  int err = 0;
  *out = (struct path){0};
  if (!uname && (flags & LOOKUP_EMPTY) && dfd != AT_FDCWD)
    return vfs_lookup(t, dfd, "", flags, out); /* as Linux 6.11 has it for statx and newfstatat */
  char *name = getname_user(uname, &err);
  if (!name)
    return err;
  int r = vfs_lookup(t, dfd, name, flags, out);
  putname(name);
  return r;
}

int vfs_lookup_kernel(const struct path *root, const char *name, unsigned flags, struct path *out) {
  struct nameidata nd;
  nd_start_kernel(&nd, root, &name, flags);
  int r = lookup_all(&nd, name);
  *out = (struct path){0};
  if (!r) {
    *out = nd.path;
    nd.path = (struct path){0};
  }
  nd_end(&nd);
  return r;
}

int vfs_lookup_parent(struct task *t, int dfd, const char *name, unsigned flags, struct path *parent, char *last,
                      bool *trailing_slash) {
  struct nameidata nd;
  *parent = (struct path){0};
  int r = nd_start(&nd, t, NULL, dfd, &name, flags);
  if (!r)
    r = nd_walk(&nd, name);
  if (!r && nd.last_len > NAME_MAX)
    r = -ENAMETOOLONG;
  if (!r) {
    memcpy(last, nd.last, nd.last_len);
    last[nd.last_len] = 0;
    *trailing_slash = nd.trailing;
    *parent = nd.path;
    nd.path = (struct path){0};
  }
  nd_end(&nd);
  return r;
}
