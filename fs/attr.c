/* stat(2), chmod(2), chown(2), utimensat(2), truncate(2): fs/attr.c of Linux for the rules. */
#include "acl.h"
#include "anon.h"
#include "anon_fs.h"
#include "fsnotify.h"
#include "namei.h"
#include <linux/capability.h>
#include <linux/fs.h>

static void fill_stat(const struct inode *i, struct stat *st, struct timespec *btime) {
  *st = (struct stat){.st_dev = i->sb->dev,
                      .st_ino = i->ino,
                      .st_nlink = i->nlink,
                      .st_mode = i->mode,
                      .st_uid = i->uid,
                      .st_gid = i->gid,
                      .st_rdev = i->rdev,
                      .st_size = i->size,
                      .st_blksize = 4096,
                      .st_blocks = (blkcnt_t)i->blocks,
                      .st_atim = i->atime,
                      .st_mtim = i->mtime,
                      .st_ctim = i->ctime};
  if (btime)
    *btime = i->btime;
}

int vfs_getattr(const struct path *p, struct stat *st, struct timespec *btime) {
  struct inode *i = p->dentry->inode;
  int r = i->ops->getattr ? i->ops->getattr(i, p->dentry) : 0;
  if (!r)
    fill_stat(i, st, btime);
  return r;
}

static uint32_t anon_mode(const char *name) {
  if (name && !strncmp(name, "pipe:", 5))
    return S_IFIFO | 0600;
  if (name && !strncmp(name, "socket:", 7))
    return S_IFSOCK | 0777;
  return 0600; /* anonymous inodes have no type */
}

int vfs_fgetattr(struct file *f, struct stat *st, struct timespec *btime) {
  if (f->dentry) {
    struct path p = {f->mnt, f->dentry};
    return vfs_getattr(&p, st, btime);
  }
  if (f->inode) {
    fill_stat(f->inode, st, btime);
    return 0;
  }
  struct mount *m = anon_home_borrow(f);
  *st = (struct stat){.st_dev = m ? m->sb->dev : 0,
                      .st_ino = f->anon_ino,
                      .st_nlink = 1,
                      .st_blksize = 4096,
                      .st_mode = nsfs_ns_borrow(f) ? S_IFREG | 0444 : anon_mode(f->anon_name)};
  if (st->st_mode & S_IFMT & ~S_IFREG) { /* the others share one inode, which is root's */
    st->st_uid = f->anon_uid;
    st->st_gid = f->anon_gid;
  }
  st->st_atim = st->st_mtim = st->st_ctim = vfs_now();
  if (btime)
    *btime = st->st_ctim;
  return 0;
}

/* ---- atime ---- */

static bool ts_before(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

void vfs_touch_atime(struct mount *m, struct inode *i) {
  if (m && (mount_readonly(m) || (m->flags & MS_NOATIME) || ((m->flags & MS_NODIRATIME) && S_ISDIR(i->mode))))
    return;
  if (i->iflags & FS_NOATIME_FL)
    return;
  struct timespec now = vfs_now();
  bool strict = m && !(m->flags & MS_RELATIME);
  if (!strict && ts_before(&i->mtime, &i->atime) && ts_before(&i->ctime, &i->atime) &&
      now.tv_sec - i->atime.tv_sec < 24 * 3600)
    return;
  i->atime = now;
}

/* ---- changes ---- */

void vfs_setattr_copy(struct inode *i, const struct iattr *a) {
  if (a->valid & ATTR_MODE)
    i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
  if (a->valid & ATTR_UID)
    i->uid = a->uid;
  if (a->valid & ATTR_GID)
    i->gid = a->gid;
  if (a->valid & ATTR_ATIME)
    i->atime = a->atime;
  if (a->valid & ATTR_MTIME)
    i->mtime = a->mtime;
  i->ctime = vfs_now();
}

/* The mode that is left of i's after a change by c that takes set-id bits away (a write, a chown). `always`: chown does
 * so whoever asks; a write spares those with CAP_FSETID. */
static uint32_t mode_without_privs(const struct cred *c, const struct inode *i, bool always) {
  uint32_t mode = i->mode;
  bool may = !c || cred_inode_cap(c, i->uid, i->gid, CAP_FSETID);
  if (S_ISDIR(mode) || (may && !always))
    return mode;
  mode &= ~(uint32_t)S_ISUID;
  if ((mode & S_IXGRP) || !(may || cred_in_group(c, i->gid)))
    mode &= ~(uint32_t)S_ISGID;
  return mode;
}

static int apply(const struct path *p, const struct iattr *a) {
  struct inode *i = p->dentry->inode;
  if (i->ops->setattr)
    return i->ops->setattr(i, p->dentry, a);
  vfs_setattr_copy(i, a);
  return 0;
}

int vfs_remove_privs(struct file *f) {
  struct task *t = task_current();
  if (file_caps_maybe(f->inode) && f->dentry) {
    int r = file_caps_kill(f->inode, f->dentry);
    if (r)
      return r;
  }
  uint32_t mode = mode_without_privs(task_cred(t), f->inode, false);
  if (!t || mode == f->inode->mode)
    return 0;
  struct iattr a = {.valid = ATTR_MODE, .mode = mode};
  struct path p = {f->mnt, f->dentry};
  return apply(&p, &a);
}

static int check_owner_change(const struct cred *c, const struct inode *i, const struct iattr *a) {
  if ((a->valid & ATTR_UID) &&
      !((c->fsuid == i->uid && a->uid == i->uid) || cred_inode_cap(c, i->uid, i->gid, CAP_CHOWN)))
    return -EPERM;
  if ((a->valid & ATTR_GID) && !((c->fsuid == i->uid && (a->gid == i->gid || cred_in_group(c, a->gid))) ||
                                 cred_inode_cap(c, i->uid, i->gid, CAP_CHOWN)))
    return -EPERM;
  return 0;
}

static int check_times(const struct cred *c, const struct path *p, const struct iattr *a, unsigned now_mask) {
  struct inode *i = p->dentry->inode;
  unsigned times = a->valid & (ATTR_ATIME | ATTR_MTIME);
  if (!times && !now_mask)
    return 0;
  if (cred_owns(c, i))
    return 0;
  /* "Now" for both needs only the right to write; anything else needs the owner. */
  if (times || now_mask != (ATTR_ATIME | ATTR_MTIME))
    return -EPERM;
  return inode_permission(c, p->mnt, i, MAY_WRITE);
}

int vfs_setattr(struct task *t, const struct path *p, struct iattr *a, unsigned now_mask) {
  const struct cred *c = task_cred(t);
  struct inode *i = p->dentry->inode;
  bool chown = !(a->valid & (ATTR_MODE | ATTR_SIZE | ATTR_ATIME | ATTR_MTIME)) && !now_mask;
  if (mount_readonly(p->mnt))
    return -EROFS;
  if (i->iflags &
      (now_mask == (ATTR_ATIME | ATTR_MTIME) && !a->valid ? FS_IMMUTABLE_FL : FS_IMMUTABLE_FL | FS_APPEND_FL))
    return -EPERM;
  if (c) {
    int r = check_owner_change(c, i, a);
    if (!r)
      r = check_times(c, p, a, now_mask);
    if (r)
      return r;
    if (a->valid & ATTR_MODE) {
      if (!cred_owns(c, i))
        return -EPERM;
      uint32_t gid = a->valid & ATTR_GID ? a->gid : i->gid;
      if (!cred_in_group(c, gid) && !cred_inode_cap(c, i->uid, i->gid, CAP_FSETID))
        a->mode &= ~(uint32_t)S_ISGID;
    }
  }
  if (a->valid & ATTR_MODE) {
    if (S_ISLNK(i->mode))
      return -EOPNOTSUPP;
    a->mode = (a->mode & 07777) | (i->mode & S_IFMT);
  }
  if (chown) {
    uint32_t mode = mode_without_privs(c, i, true);
    if (mode != i->mode) {
      a->valid |= ATTR_MODE;
      a->mode = mode;
    }
  }
  if (now_mask) {
    a->valid |= now_mask;
    if (now_mask & ATTR_ATIME)
      a->atime = vfs_now();
    if (now_mask & ATTR_MTIME)
      a->mtime = vfs_now();
  }
  int r = chown && file_caps_maybe(i) ? file_caps_kill(i, p->dentry) : 0;
  if (!r)
    r = apply(p, a);
  if (!r && (a->valid & ATTR_MODE))
    acl_chmod(i);
  if (!r)
    fsnotify_dentry(p->dentry, IN_ATTRIB);
  return r;
}

int vfs_truncate(struct task *t, const struct path *p, off_t len) {
  struct inode *i = p->dentry->inode;
  if (len < 0)
    return -EINVAL;
  if (S_ISDIR(i->mode))
    return -EISDIR;
  if (!S_ISREG(i->mode))
    return -EINVAL;
  if (mount_readonly(p->mnt))
    return -EROFS;
  if (i->iflags & FS_APPEND_FL)
    return -EPERM;
  if (i->write_count < 0)
    return -ETXTBSY;
  if (t && len > i->size && (uint64_t)len > task_rlimit(t, RLIMIT_FSIZE)) {
    send_signal_task(t, SIGXFSZ, NULL);
    return -EFBIG;
  }
  int r = i->leases ? lease_break(i, O_WRONLY) : 0;
  if (!r && file_caps_maybe(i))
    r = file_caps_kill(i, p->dentry);
  if (r)
    return r;
  struct iattr a = {.valid = ATTR_SIZE, .size = len};
  uint32_t mode = mode_without_privs(task_cred(t), i, false);
  if (mode != i->mode) {
    a.valid |= ATTR_MODE;
    a.mode = mode;
  }
  r = apply(p, &a);
  if (!r)
    fsnotify_dentry(p->dentry, IN_MODIFY);
  return r;
}
