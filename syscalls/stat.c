/* stat(2), statx(2), statfs(2), access(2). */
#include "path.h"
#include <linux/fs.h>
#include <sys/mount.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define ST_VALID 0x0020
#define STATX_MNT_ID_UNIQUE_K 0x4000u

static int64_t put_stat(uint64_t ust, const struct stat *st) {
  struct stat out = *st;
  out.st_uid = kuid_here(st->st_uid);
  out.st_gid = kgid_here(st->st_gid);
  return put_user(ust, &out);
}

/* Of a name relative to dfd, or with AT_EMPTY_PATH of dfd itself, which may be a file without a path. */
static int stat_at(struct task *t, int dfd, uint64_t uname, int flags, struct stat *st, struct timespec *btime,
                   struct path *where) {
  int err = 0;
  AUTO_NAME name = NULL;
  bool empty = flags & AT_EMPTY_PATH;
  if (uname || !empty) {
    name = getname_user(uname, &err);
    if (!name)
      return err;
  }
  if (empty && (!name || !*name) && dfd != AT_FDCWD) {
    AUTO_FILE f = fd_file_raw(t->files, dfd);
    if (!f)
      return -EBADF;
    if (where && f->dentry) {
      *where = file_path(f);
      path_get(where);
    }
    return vfs_fgetattr(f, st, btime);
  }
  AUTO_PATH p = {0};
  unsigned lf = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (empty ? LOOKUP_EMPTY : 0);
  err = vfs_lookup(t, dfd, name ? name : "", lf, &p);
  if (!err)
    err = vfs_getattr(&p, st, btime);
  if (!err && where) {
    *where = p;
    path_get(where);
  }
  return err;
}

static int64_t stat_call(struct task *t, int dfd, uint64_t uname, int flags, uint64_t ust) {
  struct stat st;
  int r = stat_at(t, dfd, uname, flags, &st, NULL, NULL);
  return r ? r : put_stat(ust, &st);
}

SYSCALL_HANDLER(stat) {
  return stat_call(t, AT_FDCWD, a[0], 0, a[1]);
}
SYSCALL_HANDLER(lstat) {
  return stat_call(t, AT_FDCWD, a[0], AT_SYMLINK_NOFOLLOW, a[1]);
}

SYSCALL_HANDLER(fstat) {
  AUTO_FILE f = fd_file_raw(t->files, (int)a[0]);
  struct stat st;
  if (!f)
    return -EBADF;
  int r = vfs_fgetattr(f, &st, NULL);
  return r ? r : put_stat(a[1], &st);
}

SYSCALL_HANDLER(newfstatat) {
  int flags = (int)a[3];
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
    return -EINVAL;
  return stat_call(t, (int)a[0], a[1], flags, a[2]);
}

static struct statx_timestamp sx_time(struct timespec ts) {
  return (struct statx_timestamp){.tv_sec = ts.tv_sec, .tv_nsec = (uint32_t)ts.tv_nsec};
}

SYSCALL_HANDLER(statx) {
  int flags = (int)a[2];
  unsigned mask = (unsigned)a[3];
  if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
    return -EINVAL;
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
    return -EINVAL;
  struct stat st;
  struct timespec btime;
  AUTO_PATH where = {0};
  int r = stat_at(t, (int)a[0], a[1], flags, &st, &btime, &where);
  if (r)
    return r;
  struct statx x = {.stx_mask = STATX_BASIC_STATS | STATX_BTIME,
                    .stx_blksize = (uint32_t)st.st_blksize,
                    .stx_nlink = (uint32_t)st.st_nlink,
                    .stx_uid = kuid_here(st.st_uid),
                    .stx_gid = kgid_here(st.st_gid),
                    .stx_mode = (uint16_t)st.st_mode,
                    .stx_ino = st.st_ino,
                    .stx_size = (uint64_t)st.st_size,
                    .stx_blocks = (uint64_t)st.st_blocks,
                    .stx_rdev_major = major(st.st_rdev),
                    .stx_rdev_minor = minor(st.st_rdev),
                    .stx_dev_major = major(st.st_dev),
                    .stx_dev_minor = minor(st.st_dev)};
  x.stx_atime = sx_time(st.st_atim);
  x.stx_mtime = sx_time(st.st_mtim);
  x.stx_ctime = sx_time(st.st_ctim);
  x.stx_btime = sx_time(btime);
  if (where.mnt) {
    x.stx_mask |= STATX_MNT_ID;
    x.stx_mnt_id = (uint64_t)where.mnt->id;
    x.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
    if (mask & STATX_MNT_ID_UNIQUE_K) {
      x.stx_mask = (x.stx_mask & ~STATX_MNT_ID) | STATX_MNT_ID_UNIQUE_K;
      x.stx_mnt_id = mount_unique_id(where.mnt);
    }
    const struct inode *i = where.dentry->inode;
    if (i->sb->iflags) {
      x.stx_attributes_mask |= STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
      x.stx_attributes |= (i->iflags & FS_IMMUTABLE_FL ? STATX_ATTR_IMMUTABLE : 0) |
                          (i->iflags & FS_APPEND_FL ? STATX_ATTR_APPEND : 0) |
                          (i->iflags & FS_NODUMP_FL ? STATX_ATTR_NODUMP : 0);
    }
    if (where.dentry == where.mnt->root)
      x.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
  }
  return put_user(a[4], &x);
}

/* ---- statfs ---- */

static int64_t statfs_of(struct super *sb, const struct mount *m, uint64_t ubuf) {
  struct statfs st = {.f_type = (long)sb->magic, .f_bsize = 4096, .f_namelen = 255};
  int r = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &st) : 0;
  if (r)
    return r;
  unsigned f = m ? m->flags : 0;
  if (!st.f_frsize)
    st.f_frsize = st.f_bsize;
  /* statfs and mount flags agree but for these. */
  st.f_flags |= ST_VALID | (f & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)) | (f & MS_NOATIME ? 0x400 : 0) |
                (f & MS_NODIRATIME ? 0x800 : 0) | (f & MS_RELATIME ? 0x1000 : 0) | (sb->readonly ? MS_RDONLY : 0);
  if (!st.f_fsid.__val[0])
    st.f_fsid.__val[0] = (int)sb->dev;
  return put_user(ubuf, &st);
}

SYSCALL_HANDLER(statfs) {
  AUTO_PATH p = {0};
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], LOOKUP_FOLLOW, &p);
  return r ? r : statfs_of(p.mnt->sb, p.mnt, a[1]);
}

SYSCALL_HANDLER(fstatfs) {
  AUTO_FILE f = fd_file_raw(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  AUTO_PATH p = {0};
  int r = vfs_file_path(f, &p);
  return r ? r : statfs_of(p.mnt->sb, p.mnt, a[1]);
}

/* ---- access ---- */

static int64_t access_call(struct task *t, int dfd, uint64_t uname, int mode, int flags) {
  int err = 0;
  if (mode & ~7 || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
    return -EINVAL;
  AUTO_NAME name = getname_user(uname, &err);
  return name ? vfs_access_at(t, dfd, name, mode, flags) : err;
}

SYSCALL_HANDLER(access) {
  return access_call(t, AT_FDCWD, a[0], (int)a[1], 0);
}
SYSCALL_HANDLER(faccessat) {
  return access_call(t, (int)a[0], a[1], (int)a[2], 0);
}
SYSCALL_HANDLER(faccessat2) {
  return access_call(t, (int)a[0], a[1], (int)a[2], (int)a[3]);
}

/* ---- ustat: by device number, of what the caller has mounted ---- */
struct ustat_k { /* struct ustat of the kernel's ABI */
  int tfree;
  uint64_t tinode;
  char fname[6], fpack[6];
};

SYSCALL_HANDLER(ustat) {
  struct mount *m;
  struct super *sb = NULL;
  TAILQ_FOREACH(m, &t->fs->ns->mounts, ns_link)
  if ((uint32_t)m->sb->dev == (uint32_t)a[0])
    sb = m->sb;
  if (!sb)
    return -EINVAL;
  ref_get(&sb->ref); /* statfs() may park */
  struct statfs st = {0};
  int r = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &st) : -ENOSYS;
  super_put(sb);
  struct ustat_k u;
  memset(&u, 0, sizeof u);
  u.tfree = (int)st.f_bfree;
  u.tinode = st.f_ffree;
  return r ? r : put_user(a[1], &u);
}
