/* The changed names of a directory: what hides, replaces or adds to the names of the lower one. */
#include "overlay.h"
#include <stdlib.h>

static int cmp_len(const char *a, unsigned an, const char *b, unsigned bn) {
  if (an != bn)
    return an < bn ? -1 : 1;
  return memcmp(a, b, an);
}
static int name_cmp(const struct ovl_name *a, const struct ovl_name *b) {
  return cmp_len(a->name, a->len, b->name, b->len);
}
RB_PROTOTYPE_INTERNAL(ovl_names, ovl_name, link, name_cmp, static inline)
RB_GENERATE_INTERNAL(ovl_names, ovl_name, link, name_cmp, static inline)

struct ovl_name *ovl_find(struct ovl_inode *dir, const char *name) {
  unsigned len = (unsigned)strlen(name);
  struct ovl_name *n = RB_ROOT(&dir->names);
  while (n) {
    int c = cmp_len(name, len, n->name, n->len);
    if (!c)
      return n;
    n = c < 0 ? RB_LEFT(n, link) : RB_RIGHT(n, link);
  }
  return NULL;
}

struct ovl_name *ovl_name_new(const char *name) {
  size_t len = strlen(name);
  struct ovl_name *n = calloc(1, sizeof *n + len + 1);
  if (n) {
    n->len = (unsigned)len;
    memcpy(n->name, name, len + 1);
  }
  return n;
}

void ovl_set(struct ovl_inode *dir, const char *name, struct inode *i, struct ovl_name *spare, bool over_lower) {
  struct ovl_name *n = ovl_find(dir, name);
  struct inode *old = n ? n->inode : NULL;
  if (n) {
    free(spare);
  } else if (i || over_lower) {
    n = spare;
    n->over_lower = over_lower;
    RB_INSERT(ovl_names, &dir->names, n);
  } else {
    free(spare);
    return;
  }
  n->inode = i ? inode_get(i) : NULL;
  if (!i && !n->over_lower) {
    RB_REMOVE(ovl_names, &dir->names, n);
    free(n);
  }
  inode_put(old);
}

struct ovl_name *ovl_next_name(struct ovl_inode *dir, struct ovl_name *n) {
  return n ? RB_NEXT(ovl_names, &dir->names, n) : RB_MIN(ovl_names, &dir->names);
}

/* A directory goes with names in it only when the whole file system is taken down: trees may be deeper than the stack.
 */
void ovl_free_names(struct ovl_inode *dir) {
  struct ovl *o = ovl_of(dir->inode);
  struct ovl_name *n;
  while ((n = RB_ROOT(&dir->names))) {
    RB_REMOVE(ovl_names, &dir->names, n);
    n->next_doomed = o->doomed;
    o->doomed = n;
  }
  if (o->draining)
    return;
  o->draining = true;
  while ((n = o->doomed)) {
    o->doomed = n->next_doomed;
    inode_put(n->inode);
    free(n);
  }
  o->draining = false;
}

struct empty_ctx {
  struct ovl_inode *dir;
  bool found;
};
static bool visible(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type) {
  struct empty_ctx *c = arg;
  /* A name in the map is a whiteout here: the caller has looked. */
  c->found = !ovl_find(c->dir, name);
  return !c->found;
}

int ovl_empty(struct inode *dir) {
  struct ovl_inode *oi = ovl_inode_of(dir);
  struct ovl_name *n;
  RB_FOREACH(n, ovl_names, &oi->names)
  if (n->inode)
    return 0;
  if (!oi->lower)
    return 1;
  struct empty_ctx c = {.dir = oi};
  int err = ovl_each_lower(oi, visible, &c);
  return err ? err : !c.found;
}
