#include "../../core/errno.h"
#include "../namei.h"
#include "tmpfs.h"
#include <stdlib.h>

static int name_cmp(const struct tmpfs_ent *a, const struct tmpfs_ent *b) {
  if (a->hash != b->hash)
    return a->hash < b->hash ? -1 : 1;
  if (a->len != b->len)
    return a->len < b->len ? -1 : 1;
  return memcmp(a->name, b->name, a->len);
}
static int cookie_cmp(const struct tmpfs_ent *a, const struct tmpfs_ent *b) {
  return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}
RB_GENERATE_INTERNAL(tmpfs_names, tmpfs_ent, by_name, name_cmp, static __attribute__((unused)))
RB_GENERATE_INTERNAL(tmpfs_cookies, tmpfs_ent, by_cookie, cookie_cmp, static __attribute__((unused)))

static struct tmpfs_ent *find(const struct inode *dir, const char *name) {
  unsigned len = (unsigned)strlen(name);
  uint32_t hash = name_hash(name, len);
  struct tmpfs_ent *e = RB_ROOT(&tmpfs_node(dir)->dir.names);
  while (e) {
    int c = hash != e->hash ? (hash < e->hash ? -1 : 1)
            : len != e->len ? (len < e->len ? -1 : 1)
                            : memcmp(name, e->name, len);
    if (!c)
      return e;
    e = c < 0 ? RB_LEFT(e, by_name) : RB_RIGHT(e, by_name);
  }
  return NULL;
}

static struct tmpfs_ent *ent_alloc(const char *name) {
  size_t len = strlen(name);
  struct tmpfs_ent *e = calloc(1, sizeof *e + len + 1);
  if (!e)
    return NULL;
  memcpy(e->name, name, len);
  e->len = (uint16_t)len;
  e->hash = name_hash(name, (unsigned)len);
  return e;
}

static void dir_changed(struct inode *dir) {
  dir->mtime = dir->ctime = vfs_now();
}

/* Hangs e into dir, with a reference on i of its own. */
static void ent_insert(struct inode *dir, struct tmpfs_ent *e, struct inode *i) {
  struct tmpfs_node *n = tmpfs_node(dir);
  e->inode = inode_get(i);
  e->cookie = n->dir.next_cookie++;
  tmpfs_names_RB_INSERT(&n->dir.names, e);
  tmpfs_cookies_RB_INSERT(&n->dir.cookies, e);
  dir->size += TMPFS_DIRENT_SIZE;
  dir_changed(dir);
}

/* The entry's reference on the inode is the caller's then. */
static struct inode *ent_remove(struct inode *dir, struct tmpfs_ent *e) {
  struct tmpfs_node *n = tmpfs_node(dir);
  struct inode *i = e->inode;
  tmpfs_names_RB_REMOVE(&n->dir.names, e);
  tmpfs_cookies_RB_REMOVE(&n->dir.cookies, e);
  dir->size -= TMPFS_DIRENT_SIZE;
  dir_changed(dir);
  free(e);
  return i;
}

struct tmpfs_ent *tmpfs_dir_from(const struct inode *dir, uint64_t cookie) {
  struct tmpfs_ent key = {.cookie = cookie};
  return tmpfs_cookies_RB_NFIND(&tmpfs_node(dir)->dir.cookies, &key);
}

void tmpfs_dir_take_all(struct inode *dir, void (*fn)(struct inode *child)) {
  struct tmpfs_ent *e;
  while ((e = RB_ROOT(&tmpfs_node(dir)->dir.names)))
    fn(ent_remove(dir, e));
}

/* ---- operations ---- */

static int tmpfs_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out) {
  (void)parent;
  struct tmpfs_ent *e = find(dir, name);
  if (!e)
    return -ENOENT;
  *out = inode_get(e->inode);
  return 0;
}

static int make(struct inode *dir, const char *name, const struct iattr *a, dev_t rdev, struct inode **out) {
  if (find(dir, name))
    return -EEXIST;
  struct tmpfs_ent *e = ent_alloc(name);
  struct inode *i;
  int r = e ? tmpfs_new_inode(tmpfs_node(dir)->ts, a, rdev, &i) : -ENOMEM;
  if (r) {
    free(e);
    return r;
  }
  ent_insert(dir, e, i);
  if (S_ISDIR(i->mode))
    dir->nlink++;
  *out = i;
  return 0;
}

static int tmpfs_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a,
                        struct inode **out) {
  (void)parent;
  return make(dir, name, a, 0, out);
}

static int tmpfs_mknod(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, dev_t rdev,
                       struct inode **out) {
  (void)parent;
  return make(dir, name, a, rdev, out);
}

static int tmpfs_symlink(struct inode *dir, struct dentry *parent, const char *name, const char *target,
                         const struct iattr *a, struct inode **out) {
  (void)parent;
  char *copy = strdup(target);
  if (!copy)
    return -ENOMEM;
  int r = make(dir, name, a, 0, out);
  if (r) {
    free(copy);
    return r;
  }
  (*out)->link = copy;
  (*out)->size = (off_t)strlen(copy);
  return 0;
}

static int tmpfs_tmpfile(struct inode *dir, struct dentry *parent, const struct iattr *a, struct inode **out) {
  (void)parent;
  int r = tmpfs_new_inode(tmpfs_node(dir)->ts, a, 0, out);
  if (!r)
    (*out)->nlink = 0;
  return r;
}

static int tmpfs_link(struct inode *dir, struct dentry *parent, const char *name, struct dentry *old) {
  (void)parent;
  struct inode *i = old->inode;
  if (i->sb != dir->sb)
    return -EXDEV;
  if (find(dir, name))
    return -EEXIST;
  struct tmpfs_ent *e = ent_alloc(name);
  if (!e)
    return -ENOMEM;
  ent_insert(dir, e, i);
  i->nlink++;
  i->ctime = vfs_now();
  return 0;
}

static bool is_empty(const struct inode *dir) {
  return !RB_ROOT(&tmpfs_node(dir)->dir.names);
}

/* One name of i less. */
static void unlinked(struct inode *dir, struct inode *i) {
  i->ctime = vfs_now();
  if (S_ISDIR(i->mode)) {
    i->nlink = 0;
    dir->nlink--;
  } else {
    i->nlink--;
  }
}

static int tmpfs_unlink(struct inode *dir, struct dentry *victim) {
  struct tmpfs_ent *e = find(dir, victim->name);
  if (!e)
    return -ENOENT;
  struct inode *i = ent_remove(dir, e);
  unlinked(dir, i);
  inode_put(i);
  return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *victim) {
  struct tmpfs_ent *e = find(dir, victim->name);
  if (!e)
    return -ENOENT;
  if (!S_ISDIR(e->inode->mode))
    return -ENOTDIR;
  return is_empty(e->inode) ? tmpfs_unlink(dir, victim) : -ENOTEMPTY;
}

static void swap_entries(struct inode *od, struct tmpfs_ent *a, struct inode *nd, struct tmpfs_ent *b) {
  struct inode *i = a->inode;
  a->inode = b->inode;
  b->inode = i;
  if (od != nd && S_ISDIR(a->inode->mode) != S_ISDIR(b->inode->mode)) {
    struct inode *gains = S_ISDIR(a->inode->mode) ? od : nd;
    gains->nlink++;
    (gains == od ? nd : od)->nlink--;
  }
  a->inode->ctime = b->inode->ctime = vfs_now();
  dir_changed(od);
  dir_changed(nd);
}

static int tmpfs_rename(struct inode *od, struct dentry *old, struct inode *nd, struct dentry *dst, unsigned flags) {
  struct tmpfs_ent *a = find(od, old->name), *b = find(nd, dst->name);
  if (!a)
    return -ENOENT;
  if (flags & RENAME_EXCHANGE) {
    if (!b)
      return -ENOENT;
    swap_entries(od, a, nd, b);
    return 0;
  }
  if (b && S_ISDIR(b->inode->mode) && !is_empty(b->inode))
    return -ENOTEMPTY;
  struct inode *white = NULL;
  struct tmpfs_ent *fresh = b ? NULL : ent_alloc(dst->name);
  if (!b && !fresh)
    return -ENOMEM;
  if (flags & RENAME_WHITEOUT) {
    struct iattr wa = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = S_IFCHR | 0600};
    int r = tmpfs_new_inode(tmpfs_node(od)->ts, &wa, 0, &white);
    if (r) {
      free(fresh);
      return r;
    }
  }
  struct inode *i = a->inode, *gone = NULL;
  bool is_dir = S_ISDIR(i->mode);
  if (b) {
    gone = b->inode;
    unlinked(nd, gone);
    b->inode = inode_get(i);
    dir_changed(nd);
  } else {
    ent_insert(nd, fresh, i);
  }
  if (is_dir) {
    nd->nlink++;
    od->nlink--;
  }
  if (white) {
    a->inode = white;
    dir_changed(od);
    inode_put(i);
  } else {
    inode_put(ent_remove(od, a));
  }
  i->ctime = vfs_now();
  inode_put(gone);
  return 0;
}

/* ---- reading ---- */

static int tmpfs_iterate(struct file *f, struct dir_ctx *d) {
  struct inode *dir = f->priv;
  if (!vfs_emit_dots(f, d))
    return 0;
  struct tmpfs_ent *e = tmpfs_dir_from(dir, (uint64_t)f->pos);
  for (; e; e = tmpfs_cookies_RB_NEXT(e)) {
    if (!d->emit(d, e->name, e->len, (int64_t)e->cookie + 1, e->inode->ino, (unsigned char)IFTODT(e->inode->mode)))
      break;
    f->pos = (off_t)e->cookie + 1;
  }
  vfs_touch_atime(f->mnt, dir);
  return 0;
}

static int dir_fsync(struct file *f, bool datasync) {
  (void)f;
  (void)datasync;
  return 0;
}

static void dir_release(struct file *f) {
  inode_put(f->priv);
}

const struct file_ops tmpfs_dir_fops = {
    .name = "tmpfs-dir",
    .iterate = tmpfs_iterate,
    .llseek = no_seek_end_llseek,
    .fsync = dir_fsync,
    .release = dir_release,
};

int tmpfs_open_dir(struct inode *i, struct file *f) {
  f->ops = &tmpfs_dir_fops;
  f->priv = inode_get(i);
  return 0;
}

const struct inode_ops tmpfs_dir_ops = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .mkdir = tmpfs_create,
    .mknod = tmpfs_mknod,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rmdir = tmpfs_rmdir,
    .rename = tmpfs_rename,
    .tmpfile = tmpfs_tmpfile,
    .setattr = tmpfs_setattr,
    .open = tmpfs_open_dir,
    .getxattr = tmpfs_getxattr,
    .setxattr = tmpfs_setxattr,
    .listxattr = tmpfs_listxattr,
    .removexattr = tmpfs_removexattr,
    .evict = tmpfs_evict,
};
