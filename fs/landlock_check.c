/* What a Landlock domain allows: security/landlock/fs.c of Linux for the rules. */
#include "../core/errno.h"
#include "landlock_rules.h"
#include "namei.h"

#define REFER LANDLOCK_ACCESS_FS_REFER /* never allowed without a rule, handled or not */
#define TRUNCATE LANDLOCK_ACCESS_FS_TRUNCATE_K

/* Rights that are still denied, by layer. Layer 0 is the innermost, as the chain begins. */
struct denied {
  int n;
  uint64_t layer[LANDLOCK_LAYERS_MAX];
};

static const struct landlock_layer *layer_of(const struct landlock_domain *d) {
  return (const struct landlock_layer *)d;
}

static void deny_handled(const struct landlock_domain *d, uint64_t access, struct denied *out) {
  for (out->n = 0; d; d = d->parent)
    out->layer[out->n++] = (layer_of(d)->rules->handled | REFER) & access;
}

/* The rules on i itself. A rule gives what its layer does not handle as well, but for REFER: that was not denied. */
static void apply_rules(const struct landlock_domain *d, const struct inode *i, struct denied *den) {
  for (int n = 0; d; d = d->parent, n++)
    if (den->layer[n])
      den->layer[n] &= ~landlock_rules_find(layer_of(d)->rules, i);
}

static bool any(const struct denied *den, uint64_t access) {
  for (int n = 0; n < den->n; n++)
    if (den->layer[n] & access)
      return true;
  return false;
}

bool landlock_internal_mount(const struct mount *m) {
  const struct vfs *v = m->sb->vfs;
  return m == v->shm_mnt || m == v->anon_mnt || m == v->nsfs_mnt || m->sb == v->hostfd_sb;
}

/* What remains denied after all rules on the way from (m, d) up to the root of all mounts. */
static void walk_up(const struct landlock_domain *dom, const struct mount *m, const struct dentry *d,
                    struct denied *den) {
  while (any(den, LANDLOCK_ACCESS_ALL)) {
    if (d->inode)
      apply_rules(dom, d->inode, den);
    while (d == m->root && m->parent) { /* what a mount hides is not asked */
      d = m->mountpoint;
      m = m->parent;
    }
    if (d == m->root || d->parent == d) {
      if (landlock_internal_mount(m))
        den->n = 0;
      return;
    }
    d = d->parent;
  }
}

static void denied_at(const struct cred *c, const struct path *p, uint64_t access, struct denied *out) {
  deny_handled(c->landlock, access, out);
  walk_up(c->landlock, p->mnt, p->dentry, out);
}

int landlock_path_slow(const struct cred *c, const struct path *p, uint64_t access) {
  struct denied den;
  denied_at(c, p, access, &den);
  return any(&den, access) ? -EACCES : 0;
}

static uint64_t make_access(uint32_t mode) {
  switch (mode & S_IFMT) {
  case S_IFLNK:
    return LANDLOCK_ACCESS_FS_MAKE_SYM;
  case S_IFDIR:
    return LANDLOCK_ACCESS_FS_MAKE_DIR;
  case S_IFCHR:
    return LANDLOCK_ACCESS_FS_MAKE_CHAR;
  case S_IFBLK:
    return LANDLOCK_ACCESS_FS_MAKE_BLOCK;
  case S_IFIFO:
    return LANDLOCK_ACCESS_FS_MAKE_FIFO;
  case S_IFSOCK:
    return LANDLOCK_ACCESS_FS_MAKE_SOCK;
  default:
    return LANDLOCK_ACCESS_FS_MAKE_REG;
  }
}

int landlock_make_slow(const struct cred *c, const struct path *dir, uint32_t mode) {
  return landlock_path_slow(c, dir, make_access(mode));
}

int landlock_open_slow(const struct cred *c, struct file *f, bool exec) {
  struct path p = {f->mnt, f->dentry};
  struct denied den;
  uint64_t want = 0;
  if (S_ISDIR(f->inode->mode))
    want = LANDLOCK_ACCESS_FS_READ_DIR;
  else if (file_can_read(f))
    want = LANDLOCK_ACCESS_FS_READ_FILE;
  if (file_can_write(f))
    want |= LANDLOCK_ACCESS_FS_WRITE_FILE;
  if (exec)
    want |= LANDLOCK_ACCESS_FS_EXECUTE;
  denied_at(c, &p, want | TRUNCATE, &den);
  if (any(&den, TRUNCATE))
    f->fmode |= FMODE_NOTRUNCATE;
  return any(&den, want) ? -EACCES : 0;
}

/* ---- reparenting ---- */

static uint64_t remove_access(const struct dentry *d) {
  if (!d->inode)
    return 0;
  return S_ISDIR(d->inode->mode) ? LANDLOCK_ACCESS_FS_REMOVE_DIR : LANDLOCK_ACCESS_FS_REMOVE_FILE;
}

/* Would d, which brings its own rules along, be allowed more below `to` than below `from`? */
static bool gains(const struct landlock_domain *dom, const struct dentry *d, const struct denied *from,
                  const struct denied *to) {
  uint64_t rights = S_ISDIR(d->inode->mode) ? LANDLOCK_ACCESS_ALL : LANDLOCK_ACCESS_FILE;
  struct denied own;
  deny_handled(dom, LANDLOCK_ACCESS_ALL, &own);
  apply_rules(dom, d->inode, &own);
  for (int n = 0; n < own.n; n++)
    if (from->layer[n] & own.layer[n] & rights & ~to->layer[n])
      return true;
  return false;
}

int landlock_refer_slow(const struct landlock_refer *r) {
  const struct landlock_domain *dom = r->c->landlock;
  if (!r->old->inode || (r->exchange && !r->dst->inode))
    return -ENOENT;
  uint64_t want_old = r->exchange ? make_access(r->dst->inode->mode) : 0, want_new = make_access(r->old->inode->mode);
  if (r->removable) {
    want_old |= remove_access(r->old);
    want_new |= remove_access(r->dst);
  }
  struct path to = {r->mnt, r->new_dir}, from = {r->mnt, r->old->parent};
  if (r->old->parent == r->new_dir)
    return landlock_path_slow(r->c, &to, want_old | want_new);
  struct denied at_old, at_new;
  denied_at(r->c, &from, LANDLOCK_ACCESS_ALL, &at_old);
  denied_at(r->c, &to, LANDLOCK_ACCESS_ALL, &at_new);
  if (any(&at_old, want_old) || any(&at_new, want_new))
    return -EACCES;
  bool refer = any(&at_old, REFER) || any(&at_new, REFER);
  if (refer || (at_old.n && at_new.n && gains(dom, r->old, &at_old, &at_new)) ||
      (r->exchange && at_old.n && at_new.n && gains(dom, r->dst, &at_new, &at_old)))
    return -EXDEV;
  return 0;
}
