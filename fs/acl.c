#include "acl.h"
#include "fsnotify.h"
#include "namei.h"
#include <stdlib.h>

#define ACL_VERSION 2u
#define TAG_USER_OBJ 0x01
#define TAG_USER 0x02
#define TAG_GROUP_OBJ 0x04
#define TAG_GROUP 0x08
#define TAG_MASK 0x10
#define TAG_OTHER 0x20
#define ID_UNDEFINED 0xffffffffu
#define ENTRIES_MAX 8000 /* of what fits into an attribute */

bool acl_is_name(const char *name) {
  return !strcmp(name, XATTR_ACL_ACCESS) || !strcmp(name, XATTR_ACL_DEFAULT);
}

/* ---- the attribute's form ---- */

struct wire_entry {
  uint16_t tag, perm;
  uint32_t id;
};

/* In the order owner, users, owning group, groups, mask, other; users and groups ascending is not required. */
static int validate(const struct acl *a) {
  enum { OWNER, USERS, GROUP, OTHER, DONE } state = OWNER;
  bool need_mask = false, mask = false;
  for (unsigned i = 0; i < a->n; i++) {
    if (a->e[i].perm & ~7u)
      return -EINVAL;
    switch (a->e[i].tag) {
    case TAG_USER_OBJ:
      if (state != OWNER)
        return -EINVAL;
      state = USERS;
      break;
    case TAG_USER:
      if (state != USERS || a->e[i].id == ID_UNDEFINED)
        return -EINVAL;
      need_mask = true;
      break;
    case TAG_GROUP_OBJ:
      if (state != USERS)
        return -EINVAL;
      state = GROUP;
      break;
    case TAG_GROUP:
      if (state != GROUP || a->e[i].id == ID_UNDEFINED)
        return -EINVAL;
      need_mask = true;
      break;
    case TAG_MASK:
      if (state != GROUP)
        return -EINVAL;
      mask = true;
      state = OTHER;
      break;
    case TAG_OTHER:
      if (state != OTHER && (state != GROUP || need_mask))
        return -EINVAL;
      state = DONE;
      break;
    default:
      return -EINVAL;
    }
  }
  return state == DONE && (!need_mask || mask) ? 0 : -EINVAL;
}

static int decode(const void *val, size_t len, struct acl **out) {
  uint32_t version;
  *out = NULL;
  if (len < sizeof version)
    return -EINVAL;
  memcpy(&version, val, sizeof version);
  if (version != ACL_VERSION)
    return -EOPNOTSUPP;
  len -= sizeof version;
  if (len % sizeof(struct wire_entry) || len / sizeof(struct wire_entry) > ENTRIES_MAX)
    return -EINVAL;
  unsigned n = (unsigned)(len / sizeof(struct wire_entry));
  if (!n)
    return 0;
  struct acl *a = malloc(sizeof *a + n * sizeof a->e[0]);
  if (!a)
    return -ENOMEM;
  a->n = n;
  const char *at = (const char *)val + sizeof version;
  for (unsigned i = 0; i < n; i++, at += sizeof(struct wire_entry)) {
    struct wire_entry w;
    memcpy(&w, at, sizeof w);
    a->e[i] = (struct acl_entry){w.tag, w.perm, w.tag & (TAG_USER | TAG_GROUP) ? w.id : ID_UNDEFINED};
  }
  int r = validate(a);
  if (r)
    free(a);
  else
    *out = a;
  return r;
}

ssize_t acl_get(const struct path *p, const char *name, void *buf, size_t cap) {
  const struct inode *i = p->dentry->inode;
  const struct acl *a = strcmp(name, XATTR_ACL_ACCESS) ? i->default_acl : i->acl;
  if (!i->sb->acls || S_ISLNK(i->mode))
    return -EOPNOTSUPP;
  if (!a)
    return -ENODATA;
  size_t len = sizeof(uint32_t) + a->n * sizeof(struct wire_entry);
  if (!cap)
    return (ssize_t)len;
  if (len > cap)
    return -ERANGE;
  uint32_t version = ACL_VERSION;
  memcpy(buf, &version, sizeof version);
  char *at = (char *)buf + sizeof version;
  for (unsigned k = 0; k < a->n; k++, at += sizeof(struct wire_entry))
    memcpy(at, &(struct wire_entry){a->e[k].tag, a->e[k].perm, a->e[k].id}, sizeof(struct wire_entry));
  return (ssize_t)len;
}

ssize_t acl_list(const struct inode *i, char *buf, ssize_t n, size_t cap) {
  const struct {
    const struct acl *a;
    const char *name;
  } both[] = {{i->acl, XATTR_ACL_ACCESS}, {i->default_acl, XATTR_ACL_DEFAULT}};
  for (int k = 0; k < 2 && n >= 0; k++) {
    size_t len = strlen(both[k].name) + 1;
    if (!both[k].a)
      continue;
    if (cap && (size_t)n + len > cap)
      return -ERANGE;
    if (cap)
      memcpy(buf + n, both[k].name, len);
    n += (ssize_t)len;
  }
  return n;
}

/* ---- lists and modes ---- */

static struct acl_entry *entry(const struct acl *a, unsigned tag) {
  for (unsigned i = 0; i < a->n; i++)
    if (a->e[i].tag == tag)
      return (struct acl_entry *)&a->e[i];
  return NULL;
}

/* The entry that the group bits of the mode stand for. */
static struct acl_entry *group_class(const struct acl *a) {
  struct acl_entry *m = entry(a, TAG_MASK);
  return m ? m : entry(a, TAG_GROUP_OBJ);
}

/* *mode's permission bits as a gives them. True: the mode says it all. */
static bool to_mode(const struct acl *a, uint32_t *mode) {
  uint32_t bits = (uint32_t)entry(a, TAG_USER_OBJ)->perm << 6 | (uint32_t)group_class(a)->perm << 3 |
                  (uint32_t)entry(a, TAG_OTHER)->perm;
  *mode = (*mode & ~0777u) | bits;
  return a->n == 3;
}

void acl_chmod(struct inode *i) {
  if (!i->acl)
    return;
  entry(i->acl, TAG_USER_OBJ)->perm = i->mode >> 6 & 7;
  group_class(i->acl)->perm = i->mode >> 3 & 7;
  entry(i->acl, TAG_OTHER)->perm = i->mode & 7;
}

static int apply_mode(struct task *t, const struct path *p, uint32_t mode) {
  struct inode *i = p->dentry->inode;
  /* As chmod(2) has it. */
  if (!cred_in_group(t->cred, i->gid) && !cred_inode_cap(t->cred, i->uid, i->gid, 4 /* CAP_FSETID */))
    mode &= ~(uint32_t)S_ISGID;
  struct iattr a = {.valid = ATTR_MODE, .mode = mode};
  return i->ops->setattr ? i->ops->setattr(i, p->dentry, &a) : -EOPNOTSUPP;
}

int acl_set(struct task *t, const struct path *p, const char *name, const void *val, size_t len) {
  struct inode *i = p->dentry->inode;
  bool access = !strcmp(name, XATTR_ACL_ACCESS);
  struct acl *a = NULL;
  if (!i->sb->acls || S_ISLNK(i->mode))
    return -EOPNOTSUPP;
  int r = val ? decode(val, len, &a) : 0;
  if (!r && !access && !S_ISDIR(i->mode))
    r = a ? -EACCES : 0;
  else if (!r && !cred_owns(task_cred(t), i))
    r = -EPERM;
  uint32_t mode = i->mode;
  if (!r && access && a && to_mode(a, &mode)) {
    free(a);
    a = NULL;
  }
  if (!r)
    r = access && t ? apply_mode(t, p, mode) : apply_mode(t, p, i->mode);
  if (r) {
    free(a);
    return r;
  }
  struct acl **slot = access ? &i->acl : &i->default_acl, *old = *slot;
  *slot = a;
  free(old);
  fsnotify_dentry(p->dentry, IN_ATTRIB);
  return 0;
}

/* ---- enforcement ---- */

int acl_permission(const struct inode *i, const struct cred *c, int mask) {
  const struct acl *a = i->acl;
  const struct acl_entry *limit = entry(a, TAG_MASK);
  unsigned want = (unsigned)mask & 7, bound = limit ? limit->perm : 7;
  bool in_group = false;
  for (unsigned k = 0; k < a->n; k++) {
    const struct acl_entry *e = &a->e[k];
    switch (e->tag) {
    case TAG_USER:
      if (e->id == c->fsuid)
        return want & ~(e->perm & bound) ? -EACCES : 0;
      break;
    case TAG_GROUP_OBJ:
    case TAG_GROUP:
      if (!cred_in_group(c, e->tag == TAG_GROUP ? e->id : i->gid))
        break;
      in_group = true;
      if (!(want & ~(e->perm & bound)))
        return 0;
      break;
    case TAG_OTHER:
      return in_group || (want & ~e->perm) ? -EACCES : 0;
    }
  }
  return -EACCES;
}

/* ---- inheritance ---- */

static struct acl *clone(const struct acl *a) {
  size_t n = sizeof *a + a->n * sizeof a->e[0];
  struct acl *c = malloc(n);
  if (c)
    memcpy(c, a, n);
  return c;
}

int acl_inherit(const struct inode *dir, uint32_t umask, uint32_t *mode, struct acl_new *out) {
  *out = (struct acl_new){0};
  if (!dir->default_acl || S_ISLNK(*mode)) {
    if (!S_ISLNK(*mode))
      *mode &= ~umask;
    return 0;
  }
  struct acl *a = clone(dir->default_acl);
  if (S_ISDIR(*mode))
    out->def = clone(dir->default_acl);
  if (!a || (S_ISDIR(*mode) && !out->def)) {
    free(a);
    free(out->def);
    *out = (struct acl_new){0};
    return -ENOMEM;
  }
  /* Each class gets what both the list and the caller's mode allow; the umask has no say. */
  entry(a, TAG_USER_OBJ)->perm &= *mode >> 6 & 7;
  group_class(a)->perm &= *mode >> 3 & 7;
  entry(a, TAG_OTHER)->perm &= *mode & 7;
  if (to_mode(a, mode))
    free(a);
  else
    out->access = a;
  return 0;
}

void acl_give(struct acl_new *n, struct inode *i) {
  if (i && i->sb->acls) {
    free(i->acl);
    free(i->default_acl);
    i->acl = n->access;
    i->default_acl = n->def;
  } else {
    free(n->access);
    free(n->def);
  }
  *n = (struct acl_new){0};
}
