/* Directories of gofer trees: names are looked up, made, moved and removed by message. */
#include "client.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- listings ---- */

#define LIST_CACHED_ENTRIES 4096     /* longer ones are not kept */
#define LIST_CACHED_BYTES (4u << 20) /* of all directories */
#define MISSES_BEFORE_LISTING 3

static int by_name(const void *a, const void *b, void *names) {
  return strcmp((char *)names + ((const struct gofer_ent *)a)->name,
                (char *)names + ((const struct gofer_ent *)b)->name);
}

static bool list_has(const struct gofer_list *l, const char *name) {
  size_t lo = 0, hi = l->n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    int c = strcmp(name, l->names + l->ent[mid].name);
    if (!c)
      return true;
    if (c < 0)
      hi = mid;
    else
      lo = mid + 1;
  }
  return false;
}

static size_t list_bytes(const struct gofer_list *l) {
  return l->cap * sizeof *l->ent + l->names_cap;
}

void gofer_list_forget(struct gofer_inode *gi) {
  if (!gi->list)
    return;
  gofer_sb_of(gi->inode)->g->list_bytes -= list_bytes(gi->list);
  gofer_list_put(gi->list);
  gi->list = NULL;
}

/* In exclusive trees a listing holds until the directory is changed here. */
static void list_keep(struct gofer_inode *gi, struct gofer_list *l) {
  struct gofer *g = gofer_sb_of(gi->inode)->g;
  if (gi->list || l->n > LIST_CACHED_ENTRIES || g->list_bytes + list_bytes(l) > LIST_CACHED_BYTES)
    return;
  if (l->n)
    qsort_r(l->ent, l->n, sizeof *l->ent, by_name, l->names);
  ref_get(&l->ref);
  gi->list = l;
  g->list_bytes += list_bytes(l);
}

static int fetch_list(struct inode *i, struct dentry *d, struct gofer_list **out) {
  struct gofer_inode *gi = gofer_inode_of(i);
  if (gi->list) {
    ref_get(&gi->list->ref);
    *out = gi->list;
    return 0;
  }
  uint64_t generation = gi->generation;
  int err = i->nlink == 0 || (d->unhashed && d->parent != d) ? -ENOENT : gc_readdir(gofer_sb_of(i), d, out);
  if (err == -ENOENT) { /* a removed directory is empty */
    *out = calloc(1, sizeof **out);
    if (!*out)
      return -ENOMEM;
    ref_init(&(*out)->ref);
    return 0;
  }
  if (!err && gofer_sb_of(i)->exclusive && generation == gi->generation)
    list_keep(gi, *out);
  return err;
}

/* File systems that do not count subdirectories show 1 link (btrfs, overlayfs), and that stays: see find(1). */
static void count_subdirs(struct inode *dir, int delta) {
  if (dir->nlink > 2 || (dir->nlink == 2 && delta > 0))
    dir->nlink += (uint32_t)delta;
}

/*
 * Programs look for the same file in one directory after the other, and for many files in one, mostly in vain. Once
 * that was noticed, the directory's listing answers.
 */
static bool known_absent(struct inode *dir, struct dentry *d, const char *name) {
  struct gofer_inode *gi = gofer_inode_of(dir);
  struct gofer_list *l;
  if (!gi->list && gi->misses >= MISSES_BEFORE_LISTING) {
    gi->misses = INT_MIN / 2; /* if it cannot be kept, not again so soon */
    if (fetch_list(dir, d, &l) == 0)
      gofer_list_put(l);
  }
  return gi->list && !list_has(gi->list, name);
}

int gofer_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out) {
  struct gofer_sb *s = gofer_sb_of(dir);
  struct gofer_attr a;
  char *target;
  if (s->exclusive && known_absent(dir, parent, name))
    return -ENOENT;
  int err = gc_lookup(s, (struct gofer_at){parent, name}, &a, &target);
  if (err == -ENOENT)
    gofer_inode_of(dir)->misses++;
  return err ? err : gofer_iget(s, &a, target, out);
}

int gofer_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *ia,
                 struct inode **out) {
  struct gofer_sb *s = gofer_sb_of(dir);
  struct gofer_attr a;
  int fd = -1;
  int err = gc_make(s, GOFER_CREATE, (struct gofer_at){parent, name}, ia, &a, &fd);
  if (err)
    return err;
  gofer_dir_changed(dir);
  if ((err = gofer_iget(s, &a, NULL, out))) {
    close(fd);
    return err;
  }
  gofer_fd_adopt(*out, fd);
  return 0;
}

int gofer_mkdir(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *ia,
                struct inode **out) {
  struct gofer_attr a;
  int err = gc_make(gofer_sb_of(dir), GOFER_MKDIR, (struct gofer_at){parent, name}, ia, &a, NULL);
  if (err)
    return err;
  gofer_dir_changed(dir);
  count_subdirs(dir, 1);
  return gofer_iget(gofer_sb_of(dir), &a, NULL, out);
}

int gofer_mknod(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *ia, dev_t rdev,
                struct inode **out) {
  struct gofer_attr a;
  int err = gc_make(gofer_sb_of(dir), GOFER_MKNOD, (struct gofer_at){parent, name}, ia, &a, NULL);
  if (err)
    return err;
  gofer_dir_changed(dir);
  return gofer_iget(gofer_sb_of(dir), &a, NULL, out);
}

int gofer_symlink(struct inode *dir, struct dentry *parent, const char *name, const char *target,
                  const struct iattr *ia, struct inode **out) {
  struct gofer_attr a;
  char *copy = strdup(target);
  if (!copy)
    return -ENOMEM;
  int err = gc_symlink(gofer_sb_of(dir), (struct gofer_at){parent, name}, target, ia, &a);
  if (err) {
    free(copy);
    return err;
  }
  gofer_dir_changed(dir);
  return gofer_iget(gofer_sb_of(dir), &a, copy, out);
}

int gofer_link(struct inode *dir, struct dentry *parent, const char *name, struct dentry *old) {
  if (old->unhashed || old->parent == old)
    return -ENOENT;
  struct gofer_attr a;
  int err = gc_link(gofer_sb_of(dir), (struct gofer_at){old->parent, old->name}, (struct gofer_at){parent, name}, &a);
  if (err)
    return err;
  gofer_dir_changed(dir);
  struct inode *i = old->inode;
  i->nlink++;
  i->ctime = vfs_now();
  gofer_inode_of(i)->checked = 0;
  return 0;
}

int gofer_unlink(struct inode *dir, struct dentry *victim) {
  struct inode *i = inode_get(victim->inode);
  int err = gc_remove(gofer_sb_of(dir), GOFER_UNLINK, (struct gofer_at){victim->parent, victim->name});
  if (!err) {
    gofer_dir_changed(dir);
    gofer_drop_link(i);
  }
  inode_put(i);
  return err;
}

int gofer_rmdir(struct inode *dir, struct dentry *victim) {
  struct inode *i = inode_get(victim->inode);
  int err = gc_remove(gofer_sb_of(dir), GOFER_RMDIR, (struct gofer_at){victim->parent, victim->name});
  if (!err) {
    gofer_dir_changed(dir);
    count_subdirs(dir, -1);
    gofer_drop_link(i);
  }
  inode_put(i);
  return err;
}

/* What a rename does to cached counts and times. moved and dead are counted by the caller; dead may be NULL. */
static void renamed(struct inode *from, struct inode *to, struct inode *moved, struct inode *dead, unsigned flags) {
  bool exchange = flags & RENAME_EXCHANGE;
  gofer_dir_changed(from);
  if (to != from)
    gofer_dir_changed(to);
  moved->ctime = vfs_now();
  if (dead && exchange)
    dead->ctime = moved->ctime;
  int delta = S_ISDIR(moved->mode) ? 1 : 0; /* directories that `to` gained and `from` lost */
  if (exchange && dead && S_ISDIR(dead->mode))
    delta--;
  if (to != from) {
    count_subdirs(from, -delta);
    count_subdirs(to, delta);
  }
  if (dead && !exchange) {
    if (S_ISDIR(dead->mode))
      count_subdirs(to, -1);
    gofer_drop_link(dead);
  }
}

int gofer_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *dst, unsigned flags) {
  struct gofer_sb *s = gofer_sb_of(old_dir);
  if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
    return -EINVAL; /* whiteouts are devices */
  struct inode *moved = inode_get(old->inode), *dead = dst->inode ? inode_get(dst->inode) : NULL;
  /* While the server renames a directory, neither its old nor its new path can be relied upon: other requests wait. */
  bool dirs = S_ISDIR(moved->mode) || (dead && S_ISDIR(dead->mode));
  s->renaming += dirs;
  int err = gc_rename(s, (struct gofer_at){old->parent, old->name}, (struct gofer_at){dst->parent, dst->name}, flags);
  s->renaming -= dirs;
  /* Those woken run after this fiber has parked: the VFS has moved the dentries by then. */
  if (dirs && !s->renaming)
    waitq_wake_all(&s->rename_wq, 0);
  if (!err && moved != dead) /* two links of one inode: rename(2) does nothing */
    renamed(old_dir, new_dir, moved, dead, flags);
  inode_put(moved);
  if (dead)
    inode_put(dead);
  return err;
}

/* ---- reading: a snapshot, taken anew whenever the reader is at the start ---- */

static int iterate(struct file *f, struct dir_ctx *ctx) {
  struct inode *dir = f->inode;
  struct dentry *d = f->dentry;
  if (f->pos == 0 || !f->priv) {
    struct gofer_list *l;
    int err = fetch_list(dir, d, &l);
    if (err)
      return err;
    gofer_list_put(f->priv);
    f->priv = l;
  }
  if (f->pos == 0) {
    if (!ctx->emit(ctx, ".", 1, 1, dir->ino, DT_DIR))
      return 0;
    f->pos = 1;
  }
  if (f->pos == 1) {
    if (!ctx->emit(ctx, "..", 2, 2, d->parent->inode->ino, DT_DIR))
      return 0;
    f->pos = 2;
  }
  const struct gofer_list *l = f->priv;
  while (f->pos >= 2 && (uint64_t)f->pos - 2 < l->n) {
    const struct gofer_ent *e = &l->ent[f->pos - 2];
    if (!ctx->emit(ctx, l->names + e->name, e->len, f->pos + 1, e->ino, e->type))
      break;
    f->pos++;
  }
  return 0;
}

static void release_dir(struct file *f) {
  gofer_list_put(f->priv);
}

static const struct file_ops dir_ops = {.name = "gofer-dir", .iterate = iterate, .release = release_dir};

int gofer_open_dir(struct inode *i, struct file *f) {
  f->ops = &dir_ops;
  f->priv = NULL;
  return 0;
}
