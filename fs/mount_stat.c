/* Mounts by number: listmount(2), statmount(2). */
#include "mount.h"
#include "sbuf.h"
#include <linux/mount.h>
#include <stdlib.h>

/* STATMOUNT_* */
#define SM_SB_BASIC 0x1u
#define SM_MNT_BASIC 0x2u
#define SM_PROPAGATE_FROM 0x4u
#define SM_MNT_ROOT 0x8u
#define SM_MNT_POINT 0x10u
#define SM_FS_TYPE 0x20u
#define SM_MNT_NS_ID 0x40u
#define SM_MNT_OPTS 0x80u
#define SM_FS_SUBTYPE 0x100u
#define SM_SB_SOURCE 0x200u
#define SM_OPT_ARRAY 0x400u
#define SM_OPT_SEC_ARRAY 0x800u
#define SM_SUPPORTED_MASK 0x1000u
#define SM_ALL 0x1fffu

static struct mount *by_unique_id(const struct mount_ns *ns, uint64_t id) {
  struct mount *m;
  TAILQ_FOREACH(m, &ns->mounts, ns_link)
  if (mount_unique_id(m) == id)
    return m;
  return NULL;
}

/* The mount, and whether t may know of it. */
static int find_mount(struct task *t, uint64_t id, struct mount **out) {
  struct mount_ns *ns = t->fs->ns;
  struct mount *m = by_unique_id(ns, id);
  if (!m)
    return -ENOENT;
  if (!mount_reachable(m, m->root, &t->fs->root) && !mount_ns_capable(t, ns))
    return -EPERM;
  *out = m;
  return 0;
}

static int by_id(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

ssize_t vfs_listmount(struct task *t, uint64_t id, uint64_t last, bool reverse, uint64_t *ids, size_t n) {
  const struct mount_ns *ns = t->fs->ns;
  struct path top = t->fs->root;
  struct mount *m;
  if (id != LSMT_ROOT_ID) {
    int r = find_mount(t, id, &m);
    if (r)
      return r;
    top = (struct path){m, m->root};
  }
  uint64_t *all = malloc(((size_t)ns->nmounts + 1) * sizeof *all);
  size_t have = 0, done = 0;
  if (!all)
    return -ENOMEM;
  TAILQ_FOREACH(m, &ns->mounts, ns_link) {
    uint64_t u = mount_unique_id(m);
    if (u != id && (!last || (reverse ? u < last : u > last)) && mount_reachable(m, m->root, &top) &&
        have < (size_t)ns->nmounts)
      all[have++] = u;
  }
  qsort(all, have, sizeof *all, by_id);
  for (; done < n && done < have; done++)
    ids[done] = all[reverse ? have - 1 - done : done];
  free(all);
  return (ssize_t)done;
}

static uint64_t attributes(const struct mount *m) {
  unsigned f = m->flags;
  return (f & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0u) | (f & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0u) |
         (f & MS_NODEV ? MOUNT_ATTR_NODEV : 0u) | (f & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0u) |
         (f & MS_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0u) | (f & MS_NOSYMFOLLOW ? 0x200000u : 0u) |
         (f & MS_NOATIME    ? MOUNT_ATTR_NOATIME
          : f & MS_RELATIME ? MOUNT_ATTR_RELATIME
                            : MOUNT_ATTR_STRICTATIME);
}

static void basics(struct statmount_k *sm, const struct mount *m, uint64_t mask) {
  const struct super *sb = m->sb;
  if (mask & SM_SB_BASIC) {
    sm->dev_major = major(sb->dev);
    sm->dev_minor = minor(sb->dev);
    sm->magic = sb->magic;
    sm->sb_flags = (sb->readonly ? MS_RDONLY : 0) | (sb->sbflags & (MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME));
  }
  if (mask & SM_MNT_BASIC) {
    const struct mount *up = m->parent ? m->parent : m;
    sm->id = mount_unique_id(m);
    sm->parent_id = mount_unique_id(up);
    sm->id_old = (uint32_t)m->id;
    sm->parent_id_old = (uint32_t)up->id;
    sm->attr = attributes(m);
    sm->propagation = (m->peers ? MS_SHARED : 0u) | (m->master ? MS_SLAVE : 0u) | (m->unbindable ? MS_UNBINDABLE : 0u);
    if (!sm->propagation)
      sm->propagation = MS_PRIVATE;
    sm->peer_group = m->peers ? (uint64_t)m->peers->id : 0;
    sm->master = (uint64_t)peers_master_id(m);
  }
}

/* One string, at the offset that is returned; offset 0 is the empty one. */
static uint32_t put_string(struct sbuf *b, const char *s, size_t len) {
  if (!b->len)
    sb_put(b, "", 1);
  uint32_t at = (uint32_t)b->len;
  sb_put(b, s, len);
  sb_put(b, "", 1);
  return at;
}

static void put_paths(struct task *t, struct statmount_k *sm, const struct mount *m, uint64_t mask, struct sbuf *b,
                      char *buf) {
  if (mask & SM_MNT_ROOT) {
    mount_root_name(m, buf);
    sm->root = put_string(b, buf, strlen(buf));
  }
  if (mask & SM_MNT_POINT) {
    struct path p = {(struct mount *)m, m->root};
    const char *at = vfs_path_string(t, &p, buf, PATH_MAX);
    if (!at || *at != '/')
      at = "";
    sm->point = put_string(b, at, strlen(at));
  }
}

static void put_options(struct statmount_k *sm, const struct super *sb, uint64_t mask, struct sbuf *b) {
  const char *o = sb->options ? sb->options : "";
  size_t len = strlen(o);
  if (!len)
    return;
  if (mask & SM_MNT_OPTS) {
    sm->mnt_opts = put_string(b, o, len);
    sm->mask |= SM_MNT_OPTS;
  }
  if (mask & SM_OPT_ARRAY) {
    for (const char *p = o; p; sm->opt_num++) {
      const char *end = strchrnul(p, ',');
      uint32_t at = put_string(b, p, (size_t)(end - p));
      sm->opt_array = sm->opt_num ? sm->opt_array : at;
      p = *end ? end + 1 : NULL;
    }
    sm->mask |= SM_OPT_ARRAY;
  }
}

int vfs_statmount(struct task *t, uint64_t id, uint64_t mask, struct statmount_k *sm, struct sbuf *strings) {
  const struct mount_ns *ns = t->fs->ns;
  struct mount *m;
  int r = find_mount(t, id, &m);
  if (r)
    return r;
  char *buf = malloc(PATH_MAX);
  if (!buf)
    return -ENOMEM;
  /* Those that are always told; there are no subtypes and no security options. */
  sm->mask = mask & SM_ALL & ~(SM_MNT_OPTS | SM_OPT_ARRAY | SM_OPT_SEC_ARRAY | SM_FS_SUBTYPE | SM_SB_SOURCE);
  basics(sm, m, mask);
  if ((mask & SM_PROPAGATE_FROM) && m->master)
    sm->propagate_from = (uint64_t)peers_dominating_id(m, ns, &t->fs->root);
  if (mask & SM_MNT_NS_ID)
    sm->ns_id = ns->seq;
  if (mask & SM_SUPPORTED_MASK)
    sm->supported = SM_ALL;
  put_paths(t, sm, m, mask, strings, buf);
  free(buf);
  if (mask & SM_FS_TYPE)
    sm->fs_type = put_string(strings, m->sb->fstype, strlen(m->sb->fstype));
  if ((mask & SM_SB_SOURCE) && m->source && *m->source) {
    sm->source = put_string(strings, m->source, strlen(m->source));
    sm->mask |= SM_SB_SOURCE;
  }
  put_options(sm, m->sb, mask, strings);
  return 0;
}
