#include "synth.h"
#include "../core/errno.h"
#include <stdlib.h>
#include <string.h>

#define DYNAMIC_POS                                                                                                    \
  (1ll << 20) /* directory positions: 0 ".", 1 "..", then the table, from here on DYNAMIC_POS + key                    \
               */
#define STORE_MAX 4096u

static const struct inode_ops synth_magic_ops; /* the VFS tells magic links by their having `follow` */

/* Numbers are hashes of the path, so that an inode that was evicted comes back with the number it had. */
static uint64_t child_ino(uint64_t parent, const char *name) {
  uint64_t h = 14695981039346656037ull ^ parent;
  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 1099511628211ull;
  h = (h ^ (h >> 31)) & 0x7fffffff;
  return h < 4096 ? h + 4096 : h;
}

int synth_inode_new(struct super *sb, const struct synth_ent *ent, void *ctx, uint64_t n, uint64_t ino,
                    struct inode **out) {
  struct synth_super *s = sb->priv;
  struct synth_inode *si = malloc(sizeof *si);
  struct inode *i = si ? inode_new(sb, ent->follow ? &synth_magic_ops : &synth_inode_ops, ent->mode) : NULL;
  if (!i) {
    free(si);
    if (ctx)
      s->ctx_put(ctx);
    return -ENOMEM;
  }
  *si = (struct synth_inode){.ent = ent, .ctx = ctx, .n = n};
  i->priv = si;
  i->ino = ino;
  i->uid = i->gid = 0;
  i->nlink = S_ISDIR(ent->mode) ? 2 : 1;
  i->atime = i->mtime = i->ctime = vfs_now();
  for (const struct synth_ent *c = ent->children; c && c->name; c++)
    i->nlink += S_ISDIR(c->mode);
  if (s->alive)
    s->alive(i);
  if (ent->alive)
    ent->alive(i);
  *out = i;
  return 0;
}

static int synth_alive(struct inode *i) {
  struct synth_super *s = i->sb->priv;
  const struct synth_ent *e = synth_ent_of(i);
  if (s->alive && !s->alive(i))
    return 0;
  return !e->alive || e->alive(i);
}

static int synth_allow(struct inode *i) {
  const struct synth_ent *e = synth_ent_of(i);
  return e->allow ? e->allow(i) : 0;
}

static const struct synth_ent *find_static(const struct synth_ent *t, const char *name) {
  for (; t && t->name; t++)
    if (!strcmp(t->name, name))
      return t;
  return NULL;
}

static int synth_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out) {
  struct synth_super *s = dir->sb->priv;
  const struct synth_ent *e = synth_ent_of(dir);
  if (!synth_alive(dir))
    return -ENOENT;
  int r = synth_allow(dir);
  if (r)
    return r;
  struct synth_child c = {.n = synth_num(dir)};
  c.ent = find_static(e->children, name);
  if (!c.ent) {
    if (!e->lookup)
      return -ENOENT;
    r = e->lookup(dir, name, &c);
    if (r)
      return r;
  }
  if (!c.ctx && synth_ctx(dir))
    c.ctx = s->ctx_get(synth_ctx(dir));
  return synth_inode_new(dir->sb, c.ent, c.ctx, c.n, child_ino(dir->ino, name), out);
}

static int refuse(const struct inode *dir, int otherwise) {
  const struct synth_super *s = dir->sb->priv;
  return s->create_errno ? s->create_errno : otherwise;
}

static int synth_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a,
                        struct inode **out) {
  return refuse(dir, -EACCES);
}
static int synth_mkdir(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a,
                       struct inode **out) {
  return refuse(dir, -EPERM);
}
static int synth_mknod(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, dev_t rdev,
                       struct inode **out) {
  return refuse(dir, -EPERM);
}
static int synth_symlink(struct inode *dir, struct dentry *parent, const char *name, const char *target,
                         const struct iattr *a, struct inode **out) {
  return refuse(dir, -EPERM);
}

static int synth_revalidate(struct dentry *d) {
  struct inode *dir = d->parent && d->parent != d ? d->parent->inode : NULL;
  int r = dir && dir->priv && synth_ent_of(dir)->allow ? synth_ent_of(dir)->allow(dir) : 0;
  if (r < 0)
    return r;
  if (d->inode && synth_ent_of(d->inode)->named && !synth_ent_of(d->inode)->named(d->inode, d->name))
    return 0;
  if (d->inode)
    return synth_alive(d->inode);
  return dir && dir->priv ? !synth_ent_of(dir)->lookup : 0;
}

static int synth_getattr(struct inode *i, struct dentry *d) {
  return synth_alive(i) ? 0 : -ENOENT;
}

static int synth_setattr(struct inode *i, struct dentry *d, const struct iattr *a) {
  struct synth_super *s = i->sb->priv;
  if (s->setattr)
    return s->setattr(i, d, a);
  if (a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
    return -EPERM;
  return 0; /* a size of 0 comes from O_TRUNC and means nothing here; times are not kept */
}

static ssize_t synth_readlink(struct inode *i, char *buf, size_t cap) {
  const struct synth_ent *e = synth_ent_of(i);
  int r = synth_allow(i);
  if (r)
    return r;
  if (e->link)
    return e->link(i, buf, cap);
  if (!e->text)
    return -EINVAL;
  size_t n = strlen(e->text);
  if (n >= cap)
    return -ENAMETOOLONG;
  memcpy(buf, e->text, n + 1);
  return (ssize_t)n;
}

static int synth_follow(struct inode *i, struct mount **mnt, struct dentry **d) {
  int r = synth_allow(i);
  return r ? r : synth_ent_of(i)->follow(i, mnt, d);
}

static void synth_evict(struct inode *i) {
  struct synth_inode *si = i->priv;
  if (!si)
    return;
  if (si->ctx)
    synth_super_of(i)->ctx_put(si->ctx);
  free(si);
  i->priv = NULL;
}

/* ---- generated files ---- */
struct synth_file {
  struct cred *cred; /* of the opener, for store_as; counted */
  struct sbuf buf;
  bool ready;
  uint64_t seq; /* as it was when the file was opened or last polled */
};

static int generate(struct file *f, struct synth_file *sf) {
  struct sbuf b = {0};
  const struct synth_ent *e = synth_ent_of(f->inode);
  int r = 0;
  if (!synth_alive(f->inode))
    r = -ESRCH;
  else if (e->text)
    sb_puts(&b, e->text);
  else
    r = e->show ? e->show(f->inode, &b) : -EINVAL;
  if (!r && b.failed)
    r = -ENOMEM;
  if (r) {
    sb_free(&b);
    return r;
  }
  sb_free(&sf->buf); /* show() may have parked, and another reader of this file have been here meanwhile */
  sf->buf = b;
  sf->ready = true;
  return 0;
}

static ssize_t gen_read(struct file *f, struct uio *u, off_t *pos) {
  struct synth_file *sf = f->priv;
  if (!sf->ready || *pos == 0) {
    int r = generate(f, sf);
    if (r)
      return r;
  }
  if (*pos < 0 || (uint64_t)*pos >= sf->buf.len) {
    sb_free(&sf->buf); /* read to the end: most never read again */
    sf->ready = false;
    return 0;
  }
  size_t n = sf->buf.len - (size_t)*pos;
  if (n > u->resid)
    n = u->resid;
  char *copy = malloc(n ? n : 1); /* the copy to the guest may park, and another reader regenerate */
  if (!copy)
    return -ENOMEM;
  memcpy(copy, sf->buf.p + *pos, n);
  ssize_t r = uio_copy_to(u, copy, n);
  free(copy);
  if (r > 0)
    *pos += r;
  return r;
}

static ssize_t gen_write(struct file *f, struct uio *u, off_t *pos) {
  const struct synth_ent *e = synth_ent_of(f->inode);
  if (!e->store && !e->store_as)
    return -EIO;
  char buf[STORE_MAX + 1];
  size_t n = u->resid < STORE_MAX ? u->resid : STORE_MAX;
  ssize_t r = uio_copy_from(u, buf, n);
  if (r < 0)
    return r;
  buf[r] = 0;
  if (!synth_alive(f->inode))
    return -ESRCH;
  if (e->store_as)
    r = *pos ? -EINVAL : e->store_as(f->inode, ((struct synth_file *)f->priv)->cred, buf, (size_t)r);
  else
    r = e->store(f->inode, buf, (size_t)r);
  if (r > 0)
    *pos += r;
  return r;
}

static uint32_t gen_poll(struct file *f) {
  struct synth_file *sf = f->priv;
  const struct synth_ent *e = synth_ent_of(f->inode);
  uint32_t bits = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
  if (e->seq && e->seq(f->inode) != sf->seq) {
    sf->seq = e->seq(f->inode);
    bits |= EPOLLPRI | EPOLLERR;
  }
  return bits;
}

static void gen_release(struct file *f) {
  struct synth_file *sf = f->priv;
  sb_free(&sf->buf);
  cred_put(sf->cred);
  free(sf);
}

static const struct file_ops gen_fops = {
    .name = "synth",
    .read = gen_read,
    .write = gen_write,
    .poll = gen_poll,
    .llseek = no_seek_end_llseek,
    .release = gen_release,
};

/* ---- directories ---- */
static unsigned char dtype_of(uint32_t mode) {
  return (mode & S_IFMT) >> 12;
}

static int dir_iterate(struct file *f, struct dir_ctx *d) {
  struct inode *dir = f->inode;
  const struct synth_ent *e = synth_ent_of(dir);
  if (!synth_alive(dir))
    return -ENOENT;
  int r = synth_allow(dir);
  if (r)
    return r;
  if (f->pos == 0) {
    if (!d->emit(d, ".", 1, 1, dir->ino, DT_DIR))
      return 0;
    f->pos = 1;
  }
  if (f->pos == 1) {
    struct dentry *up = f->dentry && f->dentry->parent ? f->dentry->parent : NULL;
    if (!d->emit(d, "..", 2, 2, up && up->inode ? up->inode->ino : dir->ino, DT_DIR))
      return 0;
    f->pos = 2;
  }
  int64_t at = 2;
  for (const struct synth_ent *c = e->children; c && c->name; c++, at++) {
    if (f->pos > at)
      continue;
    if (!d->emit(d, c->name, strlen(c->name), at + 1, child_ino(dir->ino, c->name), dtype_of(c->mode)))
      return 0;
    f->pos = at + 1;
  }
  if (!e->next)
    return 0;
  if (f->pos < DYNAMIC_POS)
    f->pos = DYNAMIC_POS;
  for (;;) {
    struct synth_child c = {0};
    r = e->next(dir, (uint64_t)(f->pos - DYNAMIC_POS), &c);
    if (r <= 0)
      return r;
    int64_t next = DYNAMIC_POS + (int64_t)c.key + 1;
    if (!d->emit(d, c.name, strlen(c.name), next, child_ino(dir->ino, c.name), dtype_of(c.ent->mode)))
      return 0;
    f->pos = next;
  }
}

static off_t dir_llseek(struct file *f, off_t off, int whence) {
  return no_seek_end_llseek(f, off, whence);
}

const struct file_ops synth_dir_fops = {
    .name = "synth-dir",
    .iterate = dir_iterate,
    .llseek = dir_llseek,
};

static int synth_open(struct inode *i, struct file *f) {
  const struct synth_ent *e = synth_ent_of(i);
  if (!synth_alive(i))
    return -ENOENT;
  int r = synth_allow(i);
  if (r)
    return r;
  if (e->open)
    return e->open(i, f);
  if (S_ISDIR(e->mode)) {
    f->ops = &synth_dir_fops;
    return 0;
  }
  if (!S_ISREG(e->mode))
    return -ENXIO;
  struct synth_file *sf = calloc(1, sizeof *sf);
  if (!sf)
    return -ENOMEM;
  if (e->store_as && task_current())
    sf->cred = cred_get(task_current()->cred);
  if (e->seq)
    sf->seq = e->seq(i);
  if (e->wq)
    f->wq = e->wq(i);
  f->ops = &gen_fops;
  f->priv = sf;
  return 0;
}

const struct inode_ops synth_inode_ops = {
    .lookup = synth_lookup,
    .create = synth_create,
    .mkdir = synth_mkdir,
    .mknod = synth_mknod,
    .symlink = synth_symlink,
    .readlink = synth_readlink,
    .getattr = synth_getattr,
    .setattr = synth_setattr,
    .revalidate = synth_revalidate,
    .open = synth_open,
    .evict = synth_evict,
};

static const struct inode_ops synth_magic_ops = {
    .readlink = synth_readlink,
    .follow = synth_follow,
    .getattr = synth_getattr,
    .setattr = synth_setattr,
    .revalidate = synth_revalidate,
    .open = synth_open,
    .evict = synth_evict,
};

static int synth_statfs(struct super *sb, struct statfs *st) {
  memset(st, 0, sizeof *st);
  st->f_type = (__fsword_t)sb->magic;
  st->f_bsize = st->f_frsize = 4096;
  st->f_namelen = 255;
  return 0;
}

static void synth_kill(struct super *sb) {
  struct synth_super *s = sb->priv;
  if (s && s->kill)
    s->kill(s);
  free(sb->priv);
}

static int synth_remount(struct super *sb, const char *options) {
  struct synth_super *s = sb->priv;
  return s->remount ? s->remount(sb, options) : 0;
}

static const struct super_ops synth_super_ops = {.statfs = synth_statfs, .remount = synth_remount, .kill = synth_kill};

int synth_mount(struct kernel *k, const char *fstype, unsigned long magic, const struct synth_ent *root,
                const struct synth_super *tmpl, struct super **out) {
  struct synth_super *s = malloc(sizeof *s);
  struct super *sb = s ? super_new(k, fstype, &synth_super_ops, magic) : NULL;
  if (!sb) {
    free(s);
    return -ENOMEM;
  }
  *s = *tmpl;
  s->k = k;
  sb->priv = s;
  sb->volatile_links = true;
  struct inode *i;
  int r = synth_inode_new(sb, root, NULL, 0, 1, &i);
  if (!r) {
    sb->root = dentry_new_root(sb, i);
    inode_put(i);
    r = sb->root ? 0 : -ENOMEM;
  }
  if (r) {
    super_put(sb);
    return r;
  }
  *out = sb;
  return 0;
}
