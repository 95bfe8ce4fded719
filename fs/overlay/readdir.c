/* Listing the merged directory: a snapshot, taken anew when the reader is at the start. */
#include "overlay.h"
#include <stdlib.h>

/* ---- the lower directory's entries ---- */
struct lower_ctx {
  struct dir_ctx ctx;
  bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type);
  void *arg;
  bool stopped;
};

static bool lower_emit(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino,
                       unsigned char type) {
  struct lower_ctx *c = (struct lower_ctx *)d;
  if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
    return true;
  c->stopped = !c->fn(c->arg, name, len, ino, type);
  return !c->stopped;
}

int ovl_each_lower(struct ovl_inode *dir,
                   bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type), void *arg) {
  struct file *f;
  int err = ovl_open_layer(dir->lower, O_RDONLY | O_DIRECTORY, &f);
  if (err)
    return err;
  struct lower_ctx c = {.ctx.emit = lower_emit, .fn = fn, .arg = arg};
  err = f->ops->iterate(f, &c.ctx);
  file_put(f);
  return err;
}

/* ---- the snapshot ---- */
struct snapshot { /* file->priv */
  struct ovl_inode *dir;
  size_t n, cap, len, room;
  struct snap_ent {
    uint64_t ino;
    uint32_t name;
    uint8_t type, len;
  } * ent;
  char *names;
  bool no_memory;
};

static void snapshot_free(struct snapshot *s) {
  if (!s)
    return;
  free(s->ent);
  free(s->names);
  free(s);
}

static bool snap_add(struct snapshot *s, const char *name, size_t len, uint64_t ino, unsigned char type) {
  if (s->n == s->cap) {
    size_t cap = s->cap ? s->cap * 2 : 32;
    void *p = reallocarray(s->ent, cap, sizeof *s->ent);
    if (!p)
      return !(s->no_memory = true);
    s->ent = p;
    s->cap = cap;
  }
  if (s->room - s->len < len + 1) {
    size_t room = s->room ? s->room * 2 : 1024;
    void *p = room > UINT32_MAX ? NULL : realloc(s->names, room);
    if (!p)
      return !(s->no_memory = true);
    s->names = p;
    s->room = room;
  }
  memcpy(s->names + s->len, name, len);
  s->names[s->len + len] = 0;
  s->ent[s->n++] = (struct snap_ent){ino, (uint32_t)s->len, type, (uint8_t)len};
  s->len += len + 1;
  return true;
}

static bool add_lower(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type) {
  struct snapshot *s = arg;
  return ovl_find(s->dir, name) ? true : snap_add(s, name, len, ino, type);
}

static int take_snapshot(struct inode *dir, struct snapshot **out) {
  struct snapshot *s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  s->dir = ovl_inode_of(dir);
  int err = 0;
  if (s->dir->lower && dir->nlink)
    err = ovl_each_lower(s->dir, add_lower, s);
  for (struct ovl_name *n = NULL; (n = ovl_next_name(s->dir, n));)
    if (n->inode && !snap_add(s, n->name, n->len, n->inode->ino, IFTODT(n->inode->mode)))
      break;
  if (!err && s->no_memory)
    err = -ENOMEM;
  if (err) {
    snapshot_free(s);
    return err;
  }
  *out = s;
  return 0;
}

static int iterate(struct file *f, struct dir_ctx *ctx) {
  if (f->pos == 0 || !f->priv) {
    struct snapshot *s;
    int err = take_snapshot(f->inode, &s);
    if (err)
      return err;
    snapshot_free(f->priv);
    f->priv = s;
  }
  if (!vfs_emit_dots(f, ctx))
    return 0;
  const struct snapshot *s = f->priv;
  while (f->pos >= 2 && (uint64_t)f->pos - 2 < s->n) {
    const struct snap_ent *e = &s->ent[f->pos - 2];
    if (!ctx->emit(ctx, s->names + e->name, e->len, f->pos + 1, e->ino, e->type))
      break;
    f->pos++;
  }
  return 0;
}

static void release(struct file *f) {
  snapshot_free(f->priv);
}

static const struct file_ops dir_ops = {.name = "overlay-dir", .iterate = iterate, .release = release};

int ovl_open_dir(struct inode *i, struct file *f) {
  f->ops = &dir_ops;
  f->priv = NULL;
  return 0;
}
