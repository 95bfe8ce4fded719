/* Who may do what: path_resolution(7), capabilities(7), fs/namei.c generic_permission of Linux. */
#include "acl.h"
#include "namei.h"
#include <linux/fs.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <unistd.h>

bool cred_cap(const struct cred *c, int cap) {
  return !c || cred_has_cap(c, cap);
}

bool cred_owns(const struct cred *c, const struct inode *i) {
  return !c || c->fsuid == i->uid || (from_kuid(c->user_ns, i->uid) != INVALID_ID && cred_own_cap(c, CAP_FOWNER));
}

int inode_permission(const struct cred *c, const struct mount *m, const struct inode *i, int mask) {
  uint32_t mode = i->mode;
  mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
  if ((mask & MAY_WRITE) && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)) &&
      (m ? mount_readonly(m) : i->sb->readonly))
    return -EROFS;
  if (i->iflags && (mask & MAY_WRITE) && (i->iflags & FS_IMMUTABLE_FL))
    return -EPERM;
  if (!c)
    return 0;
  uint32_t bits = mode;
  if (c->fsuid == i->uid)
    bits >>= 6;
  else if (i->acl && (mode & 070))
    bits = acl_permission(i, c, mask) ? 0 : 7;
  else if (((mode >> 3) ^ mode) & 7 & (uint32_t)mask && cred_in_group(c, i->gid))
    bits >>= 3; /* asked only where group and others differ: it searches the list */
  if (!((uint32_t)mask & ~bits & 7))
    return 0;
  if (S_ISDIR(mode)) {
    if (!(mask & MAY_WRITE) && cred_inode_cap(c, i->uid, i->gid, CAP_DAC_READ_SEARCH))
      return 0;
    return cred_inode_cap(c, i->uid, i->gid, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if (mask == MAY_READ && cred_inode_cap(c, i->uid, i->gid, CAP_DAC_READ_SEARCH))
    return 0;
  /* Nobody runs what nobody may run. */
  if ((!(mask & MAY_EXEC) || (mode & 0111)) && cred_inode_cap(c, i->uid, i->gid, CAP_DAC_OVERRIDE))
    return 0;
  return -EACCES;
}

int vfs_permission(struct task *t, struct mount *m, struct inode *i, int mask) {
  return inode_permission(task_cred(t), m, i, mask);
}

static int access_check(const struct cred *c, const struct path *p, int mode) {
  struct inode *i = p->dentry->inode;
  if ((mode & X_OK) && S_ISREG(i->mode) && (p->mnt->flags & MS_NOEXEC))
    return -EACCES;
  int r = inode_permission(c, NULL, i, mode);
  if (r || !(mode & W_OK))
    return r;
  bool special = S_ISCHR(i->mode) || S_ISBLK(i->mode) || S_ISFIFO(i->mode) || S_ISSOCK(i->mode);
  return !special && mount_readonly(p->mnt) ? -EROFS : 0;
}

/* access(2) asks for the real user, with the capabilities that user would have. Borrows c's group list. */
static struct cred real_cred(const struct cred *c) {
  struct cred real = *c;
  real.fsuid = real.uid;
  real.fsgid = real.gid;
  if (!(real.securebits & SECBIT_NO_SETUID_FIXUP))
    real.cap_eff = real.uid != make_kuid(real.user_ns, 0) ? 0 : real.cap_prm;
  return real;
}

int vfs_access(struct task *t, const struct path *p, int mode, bool effective) {
  if (!t || effective)
    return access_check(task_cred(t), p, mode);
  struct cred real = real_cred(t->cred);
  return access_check(&real, p, mode);
}

int vfs_access_at(struct task *t, int dfd, const char *name, int mode, int flags) {
  struct path p;
  struct cred c = flags & AT_EACCESS ? *t->cred : real_cred(t->cred);
  unsigned lf = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  int r = vfs_lookup_cred(t, &c, dfd, name, lf, &p);
  if (r)
    return r;
  r = access_check(&c, &p, mode);
  path_put(&p);
  return r;
}

int may_create(const struct cred *c, struct mount *m, struct inode *dir) {
  if (dir->dead)
    return -ENOENT;
  return inode_permission(c, m, dir, MAY_WRITE | MAY_EXEC);
}

void new_inode_attr(const struct cred *c, const struct inode *dir, uint32_t mode, struct iattr *a) {
  *a = (struct iattr){.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .uid = c ? c->fsuid : 0, .gid = c ? c->fsgid : 0};
  if (dir->mode & S_ISGID) {
    a->gid = dir->gid;
    if (S_ISDIR(mode))
      mode |= S_ISGID;
    else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && c && !cred_in_group(c, a->gid) &&
             !cred_inode_cap(c, dir->uid, dir->gid, CAP_FSETID))
      mode &= ~(uint32_t)S_ISGID;
  }
  a->mode = mode;
}

int new_inode_attr_umask(struct task *t, const struct inode *dir, uint32_t mode, struct iattr *a,
                         struct acl_new *acl) {
  int r = acl_inherit(dir, t && t->fs ? t->fs->umask : 0, &mode, acl);
  if (!r)
    new_inode_attr(task_cred(t), dir, mode, a);
  return r;
}
