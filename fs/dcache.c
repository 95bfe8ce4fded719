/*
 * Dentries. A dentry holds its parent; a hashed one that nobody uses stays in its parent's tree and on the LRU list
 * until the list is too long. A dropped (unhashed) one goes with its last user.
 */
#include "namei.h"
#include <assert.h>
#include <stdlib.h>

uint32_t name_hash(const char *name, unsigned len) {
  uint64_t h = 0x9e3779b97f4a7c15ull ^ len;
  while (len >= 8) {
    uint64_t w;
    memcpy(&w, name, 8);
    h = (h ^ w) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
    name += 8;
    len -= 8;
  }
  uint64_t w = 0;
  memcpy(&w, name, len);
  h = (h ^ w) * 0xff51afd7ed558ccdull;
  return (uint32_t)(h >> 32);
}

static int dentry_cmp(const struct dentry *a, const struct dentry *b) {
  if (a->hash != b->hash)
    return a->hash < b->hash ? -1 : 1;
  if (a->name_len != b->name_len)
    return a->name_len < b->name_len ? -1 : 1;
  return memcmp(a->name, b->name, a->name_len);
}
RB_PROTOTYPE_INTERNAL(dentry_children, dentry, sib_link, dentry_cmp, static inline)
RB_GENERATE_INTERNAL(dentry_children, dentry, sib_link, dentry_cmp, static inline)

int dcache_set_name(struct dentry *d, const char *name, unsigned len) {
  char *to = d->iname;
  if (len >= sizeof d->iname && !(to = malloc(len + 1)))
    return -ENOMEM;
  memcpy(to, name, len);
  to[len] = 0;
  if (d->name && d->name != d->iname)
    free(d->name);
  d->name = to;
  d->name_len = len;
  d->hash = name_hash(name, len);
  return 0;
}

static struct dentry *dentry_alloc(struct super *sb, const char *name, unsigned len, struct inode *i) {
  struct dentry *d = calloc(1, sizeof *d);
  if (!d)
    return NULL;
  ref_init(&d->ref);
  if (dcache_set_name(d, name, len)) {
    free(d);
    return NULL;
  }
  d->sb = sb;
  d->inode = i ? inode_get(i) : NULL;
  RB_INIT(&d->children);
  return d;
}

struct dentry *dentry_new_root(struct super *sb, struct inode *root) {
  struct dentry *d = dentry_alloc(sb, "", 0, root);
  if (d)
    d->parent = d;
  return d;
}

struct dentry *dcache_find_borrow(struct dentry *dir, const char *name, unsigned len, uint32_t hash) {
  struct dentry *d = RB_ROOT(&dir->children);
  while (d) {
    int c = hash != d->hash      ? (hash < d->hash ? -1 : 1)
            : len != d->name_len ? (len < d->name_len ? -1 : 1)
                                 : memcmp(name, d->name, len);
    if (!c)
      return d;
    d = c < 0 ? RB_LEFT(d, sib_link) : RB_RIGHT(d, sib_link);
  }
  return NULL;
}

struct dentry *dcache_new(struct dentry *dir, const char *name, unsigned len, uint32_t hash, struct inode *inode) {
  struct dentry *d = dentry_alloc(dir->sb, name, len, inode);
  if (!d)
    return NULL;
  d->hash = hash;
  d->parent = dentry_get(dir);
  RB_INSERT(dentry_children, &dir->children, d);
  return d;
}

static void lru_remove(struct dentry *d) {
  if (!d->on_lru)
    return;
  struct vfs *v = d->sb->vfs;
  TAILQ_REMOVE(&v->lru, d, lru_link);
  v->nlru--;
  d->on_lru = false;
}

struct dentry *dentry_get(struct dentry *d) {
  if (d->ref.n++ == 0)
    lru_remove(d);
  return d;
}

static void unhash(struct dentry *d) {
  if (d->unhashed)
    return;
  d->unhashed = true;
  if (d->parent != d)
    RB_REMOVE(dentry_children, &d->parent->children, d);
}

/* Nobody uses d. Gives back its parent, on which d's reference is now the caller's. */
static struct dentry *dentry_free(struct dentry *d) {
  lru_remove(d);
  unhash(d);
  struct dentry *parent = d->parent == d ? NULL : d->parent;
  struct inode *i = d->inode;
  if (d->name != d->iname)
    free(d->name);
  free(d);
  inode_put(i); /* may park */
  return parent;
}

static void prune(struct vfs *v) {
  /* An eighth at a time: eviction of inodes may park, and others may meanwhile have shortened the list. */
  int n = v->lru_max / 8 + 1;
  struct dentry *d;
  while (n-- > 0 && (d = TAILQ_FIRST(&v->lru)))
    dentry_put(dentry_free(d));
}

/* A loop and not a recursion: guests decide how deep trees are. */
void dentry_put(struct dentry *d) {
  while (d) {
    ref_check(d->ref.n > 0);
    if (--d->ref.n)
      return;
    if (!d->unhashed && d->parent != d) {
      struct vfs *v = d->sb->vfs;
      TAILQ_INSERT_TAIL(&v->lru, d, lru_link);
      d->on_lru = true;
      if (++v->nlru > v->lru_max)
        prune(v);
      return;
    }
    d = dentry_free(d);
  }
}

void dcache_forget_super(struct super *sb) {
  struct dentry *d;
  do {
    TAILQ_FOREACH(d, &sb->vfs->lru, lru_link)
    if (d->sb == sb)
      break;
    if (d)
      dentry_put(dentry_free(d));
  } while (d);
}

void dentry_drop(struct dentry *d) {
  dentry_get(d);
  unhash(d);
  dentry_put(d);
}

void dcache_instantiate(struct dentry *d, struct inode *i) {
  struct inode *old = d->inode;
  d->inode = inode_get(i);
  inode_put(old);
}

static struct dentry *first_leaf(struct dentry *d) {
  struct dentry *c;
  while ((c = RB_MIN(dentry_children, &d->children)))
    d = c;
  return d;
}

/* Forget what is cached below dir, leaves first, but for what leads to a mount; entries in use are only unhashed. First
 * all are taken out of the tree, then dropped, which may park. */
void dentry_invalidate_children(struct dentry *dir) {
  TAILQ_HEAD(, dentry) out = TAILQ_HEAD_INITIALIZER(out);
  struct dentry *d = first_leaf(dir);
  while (d != dir) {
    struct dentry *next = RB_NEXT(dentry_children, &d->parent->children, d);
    next = next ? first_leaf(next) : d->parent;
    if (!d->nmounts && !RB_ROOT(&d->children)) {
      dentry_get(d);
      unhash(d);
      TAILQ_INSERT_TAIL(&out, d, lru_link);
    }
    d = next;
  }
  while ((d = TAILQ_FIRST(&out))) {
    TAILQ_REMOVE(&out, d, lru_link);
    dentry_put(d);
  }
}

struct dentry *dentry_lookup_cached(struct dentry *dir, const char *name) {
  unsigned len = (unsigned)strlen(name);
  struct dentry *d = dcache_find_borrow(dir, name, len, name_hash(name, len));
  return d ? dentry_get(d) : NULL;
}

bool dentry_is_below(const struct dentry *d, const struct dentry *top) {
  for (;; d = d->parent) {
    if (d == top)
      return true;
    if (d->parent == d)
      return false;
  }
}

static void rehash(struct dentry *d, struct dentry *parent) {
  struct dentry *old = d->parent;
  d->parent = dentry_get(parent);
  d->unhashed = false;
  struct dentry *there = RB_INSERT(dentry_children, &parent->children, d);
  if (there) { /* cannot be: the directory is locked and the name was taken out */
    d->unhashed = true;
  }
  if (old != parent)
    dentry_put(old);
  else
    dentry_put(parent);
}

int dcache_move(struct dentry *d, struct dentry *dst, bool exchange) {
  struct dentry *dp = dentry_get(d->parent), *tp = dentry_get(dst->parent);
  char *dn = strndup(d->name, d->name_len), *tn = strndup(dst->name, dst->name_len);
  unsigned dl = d->name_len, tl = dst->name_len;
  int r = dn && tn ? 0 : -ENOMEM;
  unhash(dst);
  unhash(d);
  if (!r)
    r = dcache_set_name(d, tn, tl);
  if (!r)
    rehash(d, tp);
  if (!r && exchange && !(r = dcache_set_name(dst, dn, dl)))
    rehash(dst, dp);
  free(dn);
  free(tn);
  dentry_put(dp);
  dentry_put(tp);
  return r; /* without memory the entries are merely no longer cached */
}

static int revalidate(struct dentry *dir, struct dentry *d) {
  int (*fn)(struct dentry *) =
      d->inode && d->inode->ops->revalidate ? d->inode->ops->revalidate : dir->inode->ops->revalidate;
  return fn ? fn(d) : 1;
}

/* A cached entry that still holds, counted; NULL if there is none. */
static int lookup_cached(struct dentry *dir, const char *name, unsigned len, uint32_t hash, struct dentry **out) {
  struct dentry *d = dcache_find_borrow(dir, name, len, hash);
  *out = NULL;
  if (!d)
    return 0;
  dentry_get(d);
  int ok = revalidate(dir, d);
  if (ok == 1) {
    *out = d;
    return 0;
  }
  if (ok == 0 && !d->nmounts) {
    unhash(d);
    dentry_invalidate_children(d);
  }
  dentry_put(d);
  return ok < 0 ? ok : 0;
}

static int lookup_slow(struct dentry *dir, const char *name, unsigned len, uint32_t hash, struct dentry **out) {
  struct inode *found = NULL;
  char z[NAME_MAX + 1];
  if (dir->inode->dead)
    return -ENOENT;
  if (len > NAME_MAX)
    return -ENAMETOOLONG;
  if (!dir->inode->ops->lookup)
    return -ENOTDIR;
  memcpy(z, name, len);
  z[len] = 0;
  int r = dir->inode->ops->lookup(dir->inode, dir, z, &found);
  if (r && r != -ENOENT)
    return r;
  /* The file system may have made the entry itself meanwhile (procfs, devpts). */
  struct dentry *d = dcache_find_borrow(dir, name, len, hash);
  if (d)
    dentry_get(d);
  else if (!(d = dcache_new(dir, name, len, hash, found)))
    r = -ENOMEM;
  inode_put(found);
  *out = d;
  return d ? 0 : r;
}

int dentry_lookup(struct dentry *dir, const char *name, unsigned len, uint32_t hash, bool locked, struct dentry **out) {
  int r = lookup_cached(dir, name, len, hash, out);
  if (r || *out)
    return r;
  struct inode *di = dir->inode; /* the caller holds dir */
  if (!locked) {
    fmutex_lock(&di->dir_lock);
    r = lookup_cached(dir, name, len, hash, out);
  }
  if (!r && !*out)
    r = lookup_slow(dir, name, len, hash, out);
  if (!locked)
    fmutex_unlock(&di->dir_lock);
  return r;
}

ssize_t dentry_path_in_fs(const struct dentry *d, char *buf, size_t cap) {
  size_t n = 0;
  for (const struct dentry *e = d; e->parent != e; e = e->parent)
    n += e->name_len + (n ? 1 : 0);
  if (n + 1 > cap)
    return -ENAMETOOLONG;
  size_t at = n;
  buf[n] = 0;
  for (const struct dentry *e = d; e->parent != e; e = e->parent) {
    at -= e->name_len;
    memcpy(buf + at, e->name, e->name_len);
    if (at)
      buf[--at] = '/';
  }
  return (ssize_t)n;
}
