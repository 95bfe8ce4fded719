/* Making the places that things are mounted on at boot: missing directories and empty files. */
#include "namei.h"
#include <stdlib.h>

static int make_entry(const struct path *parent, const char *name, uint32_t mode, struct path *out) {
  struct inode *dir = parent->dentry->inode, *made = NULL;
  struct dentry *d = NULL;
  struct iattr a;
  unsigned len = (unsigned)strlen(name);
  fmutex_lock(&dir->dir_lock);
  int r = dentry_lookup(parent->dentry, name, len, name_hash(name, len), true, &d);
  if (!r && !d->inode) {
    new_inode_attr(NULL, dir, mode, &a);
    if (S_ISDIR(mode))
      r = dir->ops->mkdir ? dir->ops->mkdir(dir, parent->dentry, name, &a, &made) : -EROFS;
    else
      r = dir->ops->create ? dir->ops->create(dir, parent->dentry, name, &a, &made) : -EROFS;
    if (!r) {
      dcache_instantiate(d, made);
      inode_put(made);
    }
  }
  fmutex_unlock(&dir->dir_lock);
  if (!r) {
    *out = (struct path){parent->mnt, d};
    mount_get(parent->mnt);
  } else if (d) {
    dentry_put(d);
  }
  return r;
}

/* Walks `path` component by component, making what is missing: directories, and for the last one `last_mode`. */
static int make_path(const struct path *root, const char *path, uint32_t dir_mode, uint32_t last_mode,
                     struct path *out) {
  struct nameidata nd;
  char *copy = strdup(path), *at = copy;
  if (!copy)
    return -ENOMEM;
  const char *none = "";
  nd_start_kernel(&nd, root, &none, LOOKUP_FOLLOW);
  int r = 0;
  for (char *c; !r && (c = strsep(&at, "/"));) {
    if (!*c)
      continue;
    const char *rest = at;
    while (rest && *rest == '/')
      rest++;
    uint32_t mode = rest && *rest ? dir_mode : last_mode;
    const char *name = c;
    do {
      r = nd_walk(&nd, name);
      if (!r)
        r = nd_last(&nd, &name);
    } while (r == 1 && name);
    if (r == -ENOENT && nd.last_type == LAST_NORM && S_ISDIR(nd.path.dentry->inode->mode)) {
      char last[NAME_MAX + 1];
      struct path made = {0};
      memcpy(last, nd.last, nd.last_len);
      last[nd.last_len] = 0;
      r = make_entry(&nd.path, last, mode, &made);
      if (!r) {
        path_put(&nd.path);
        nd.path = made;
      }
    } else if (r > 0) {
      r = 0;
    }
  }
  if (!r && S_ISDIR(last_mode) && !S_ISDIR(nd.path.dentry->inode->mode))
    r = -ENOTDIR;
  if (!r && out) {
    *out = nd.path;
    nd.path = (struct path){0};
  }
  nd_end(&nd);
  free(copy);
  return r;
}

int vfs_mkdir_p(struct vfs *v, const struct path *root, const char *path, uint32_t mode, struct path *out) {
  (void)v;
  mode = S_IFDIR | (mode & 07777);
  return make_path(root, path, mode, mode, out);
}

int vfs_touch_p(struct vfs *v, const struct path *root, const char *path, struct path *out) {
  (void)v;
  return make_path(root, path, S_IFDIR | 0755, S_IFREG | 0644, out);
}
