/* From a place in the tree to its name: getcwd(2), the links of /proc/PID/fd. */
#include "namei.h"

static bool prepend(char *buf, char **at, const char *s, size_t n) {
  if ((size_t)(*at - buf) < n)
    return false;
  *at -= n;
  memcpy(*at, s, n);
  return true;
}

/* In front of *at: "/a/b". True if it ended at root; *whole is false if the buffer was too small. */
static bool prepend_path(const struct path *p, const struct path *root, char *buf, char **at, bool *whole) {
  struct mount *m = p->mnt;
  struct dentry *d = p->dentry;
  for (;;) {
    if (root && d == root->dentry && m == root->mnt)
      return true;
    if (m && d == m->root) {
      if (!m->parent)
        return m->ns && !root;
      d = m->mountpoint;
      m = m->parent;
      continue;
    }
    if (d->parent == d)
      return false;
    if (!prepend(buf, at, d->name, d->name_len) || !prepend(buf, at, "/", 1)) {
      *whole = false;
      return true;
    }
    d = d->parent;
  }
}

char *vfs_path_string(struct task *t, const struct path *p, char *buf, size_t cap) {
  if (cap < 2)
    return NULL;
  char *at = buf + cap - 1;
  *at = 0;
  struct dentry *d = p->dentry;
  bool standin = d->parent == d && !d->name_len; /* of a file without a path: nobody deleted it */
  if (d->unhashed && !standin && !prepend(buf, &at, " (deleted)", 10))
    return NULL;
  /* Nameless file systems (memfd): the entry is its own root. */
  if (d->parent == d && d->name_len)
    return prepend(buf, &at, d->name, d->name_len) && prepend(buf, &at, "/", 1) ? at : NULL;
  bool whole = true;
  char *end = at;
  bool reached = prepend_path(p, t && t->fs ? &t->fs->root : NULL, buf, &at, &whole);
  if (!whole)
    return NULL;
  if (at == end && !prepend(buf, &at, "/", 1))
    return NULL;
  if (!reached && t && !prepend(buf, &at, "(unreachable)", 13))
    return NULL;
  return at;
}
