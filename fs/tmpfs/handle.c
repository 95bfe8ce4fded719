/*
 * Handles of tmpfs' files: open_by_handle_at(2). A handle is the inode's number, as shmem_encode_fh() of Linux makes
 * it; numbers are never used twice. No index is kept: opening by handle is rare and looks through the tree.
 */
#include "../../core/errno.h"
#include "../namei.h"
#include "tmpfs.h"
#include <linux/magic.h>
#include <stdlib.h>

#define FH_WORDS 3
#define FH_TYPE 1 /* FILEID_INO32_GEN */

int tmpfs_encode_fh(const struct inode *i, uint32_t *fh, unsigned *words) {
  unsigned room = *words;
  if (i->sb->magic != TMPFS_MAGIC)
    return -EOPNOTSUPP; /* ramfs */
  *words = FH_WORDS;
  if (room < FH_WORDS)
    return -EOVERFLOW;
  fh[0] = 0; /* the generation */
  fh[1] = (uint32_t)i->ino;
  fh[2] = (uint32_t)(i->ino >> 32);
  return FH_TYPE;
}

struct step { /* a directory on the way, and the entry that was taken in it */
  const struct inode *dir;
  const struct tmpfs_ent *ent;
};
struct search {
  struct step *steps;
  size_t n, cap;
};

static int descend(struct search *s, const struct inode *dir) {
  if (s->n == s->cap) {
    size_t cap = s->cap ? 2 * s->cap : 32;
    struct step *more = reallocarray(s->steps, cap, sizeof *more);
    if (!more)
      return -ENOMEM;
    s->steps = more;
    s->cap = cap;
  }
  s->steps[s->n++] = (struct step){.dir = dir};
  return 0;
}

/* Depth first; the steps lead to it. */
static int find_ino(struct search *s, const struct inode *root, uint64_t ino) {
  int r = descend(s, root);
  while (!r && s->n) {
    struct step *top = &s->steps[s->n - 1];
    top->ent = tmpfs_dir_from(top->dir, top->ent ? top->ent->cookie + 1 : 0);
    if (!top->ent)
      s->n--;
    else if (top->ent->inode->ino == ino)
      return 0;
    else if (S_ISDIR(top->ent->inode->mode))
      r = descend(s, top->ent->inode);
  }
  return r ? r : -ESTALE;
}

/* The names of the steps, each with its NUL: what is found must not change under the walk, which parks. */
static char *names_of(const struct search *s) {
  size_t len = 0;
  for (size_t i = 0; i < s->n; i++)
    len += s->steps[i].ent->len + 1u;
  char *out = malloc(len + 1), *p = out;
  for (size_t i = 0; out && i < s->n; i++)
    p = mempcpy(p, s->steps[i].ent->name, s->steps[i].ent->len + 1u);
  return out;
}

static int walk_names(struct dentry *from, const char *names, size_t n, struct dentry **out) {
  struct dentry *at = dentry_get(from), *next;
  for (size_t i = 0; i < n; i++) {
    unsigned len = (unsigned)strlen(names);
    int r = at->inode && S_ISDIR(at->inode->mode) ? dentry_lookup(at, names, len, name_hash(names, len), false, &next)
                                                  : -ESTALE;
    dentry_put(at);
    if (r)
      return r == -ENOENT ? -ESTALE : r;
    at = next;
    names += len + 1;
  }
  *out = at;
  return 0;
}

int tmpfs_decode_fh(struct super *sb, const uint32_t *fh, unsigned words, int type, struct dentry **out) {
  (void)type; /* as in Linux */
  if (sb->magic != TMPFS_MAGIC || words < FH_WORDS || fh[0])
    return -ESTALE;
  uint64_t ino = (uint64_t)fh[2] << 32 | fh[1];
  struct search s = {0};
  struct dentry *root = sb->root, *d;
  if (root->inode->ino == ino) {
    *out = dentry_get(root);
    return 0;
  }
  int r = find_ino(&s, root->inode, ino);
  char *names = r ? NULL : names_of(&s);
  if (!r)
    r = names ? walk_names(root, names, s.n, &d) : -ENOMEM;
  free(names);
  free(s.steps);
  if (r)
    return r;
  if (!d->inode || d->inode->ino != ino) {
    dentry_put(d);
    return -ESTALE;
  }
  *out = d;
  return 0;
}
