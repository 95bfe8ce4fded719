/* Calls on names: mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rename(2), readlink(2), chdir(2), getcwd(2). */
#include "path.h"
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The device number in the kernel's ABI (new_decode_dev) is the C library's for majors below 4096. */
static dev_t decode_dev(uint64_t v) {
  unsigned d = (unsigned)v;
  return makedev((d >> 8) & 0xfff, (d & 0xff) | ((d >> 12) & 0xfff00));
}

static int64_t do_mkdir(struct task *t, int dfd, uint64_t uname, uint64_t mode) {
  int err = 0;
  AUTO_NAME n = getname_user(uname, &err);
  return n ? vfs_mkdir(t, dfd, n, (uint32_t)mode) : err;
}
SYSCALL_HANDLER(mkdir) {
  return do_mkdir(t, AT_FDCWD, a[0], a[1]);
}
SYSCALL_HANDLER(mkdirat) {
  return do_mkdir(t, (int)a[0], a[1], a[2]);
}

static int64_t do_mknod(struct task *t, int dfd, uint64_t uname, uint64_t mode, uint64_t dev) {
  int err = 0;
  AUTO_NAME n = getname_user(uname, &err);
  return n ? vfs_mknod(t, dfd, n, (uint32_t)mode, decode_dev(dev)) : err;
}
SYSCALL_HANDLER(mknod) {
  return do_mknod(t, AT_FDCWD, a[0], a[1], a[2]);
}
SYSCALL_HANDLER(mknodat) {
  return do_mknod(t, (int)a[0], a[1], a[2], a[3]);
}

static int64_t do_link(struct task *t, int ofd, uint64_t uold, int nfd, uint64_t unew, int flags) {
  int err = 0;
  AUTO_NAME o = getname_user(uold, &err);
  AUTO_NAME n = o ? getname_user(unew, &err) : NULL;
  return n ? vfs_link(t, ofd, o, nfd, n, flags) : err;
}
SYSCALL_HANDLER(link) {
  return do_link(t, AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}
SYSCALL_HANDLER(linkat) {
  return do_link(t, (int)a[0], a[1], (int)a[2], a[3], (int)a[4]);
}

static int64_t do_symlink(struct task *t, uint64_t utarget, int dfd, uint64_t uname) {
  int err = 0;
  AUTO_NAME target = getname_user(utarget, &err);
  AUTO_NAME n = target ? getname_user(uname, &err) : NULL;
  return n ? vfs_symlink(t, target, dfd, n) : err;
}
SYSCALL_HANDLER(symlink) {
  return do_symlink(t, a[0], AT_FDCWD, a[1]);
}
SYSCALL_HANDLER(symlinkat) {
  return do_symlink(t, a[0], (int)a[1], a[2]);
}

static int64_t do_unlink(struct task *t, int dfd, uint64_t uname, bool dir) {
  int err = 0;
  AUTO_NAME n = getname_user(uname, &err);
  if (!n)
    return err;
  return dir ? vfs_rmdir(t, dfd, n) : vfs_unlink(t, dfd, n);
}
SYSCALL_HANDLER(unlink) {
  return do_unlink(t, AT_FDCWD, a[0], false);
}
SYSCALL_HANDLER(rmdir) {
  return do_unlink(t, AT_FDCWD, a[0], true);
}
SYSCALL_HANDLER(unlinkat) {
  if ((int)a[2] & ~AT_REMOVEDIR)
    return -EINVAL;
  return do_unlink(t, (int)a[0], a[1], (int)a[2] & AT_REMOVEDIR);
}

static int64_t do_rename(struct task *t, int ofd, uint64_t uold, int nfd, uint64_t unew, unsigned flags) {
  int err = 0;
  AUTO_NAME o = getname_user(uold, &err);
  AUTO_NAME n = o ? getname_user(unew, &err) : NULL;
  return n ? vfs_rename(t, ofd, o, nfd, n, flags) : err;
}
SYSCALL_HANDLER(rename) {
  return do_rename(t, AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}
SYSCALL_HANDLER(renameat) {
  return do_rename(t, (int)a[0], a[1], (int)a[2], a[3], 0);
}
SYSCALL_HANDLER(renameat2) {
  return do_rename(t, (int)a[0], a[1], (int)a[2], a[3], (unsigned)a[4]);
}

static int64_t do_readlink(struct task *t, int dfd, uint64_t uname, uint64_t ubuf, int size) {
  int err = 0;
  if (size <= 0)
    return -EINVAL;
  AUTO_NAME n = getname_user(uname, &err);
  if (!n)
    return err;
  char buf[PATH_MAX];
  ssize_t len = vfs_readlink(t, dfd, n, buf, sizeof buf);
  if (len < 0)
    return len;
  len = len < size ? len : size;
  return copy_to_user(ubuf, buf, (size_t)len) ? -EFAULT : len;
}
SYSCALL_HANDLER(readlink) {
  return do_readlink(t, AT_FDCWD, a[0], a[1], (int)a[2]);
}
SYSCALL_HANDLER(readlinkat) {
  return do_readlink(t, (int)a[0], a[1], a[2], (int)a[3]);
}

/* ---- where a process stands ---- */

static int enter_dir(struct task *t, const struct path *p) {
  if (!S_ISDIR(p->dentry->inode->mode))
    return -ENOTDIR;
  return vfs_permission(t, p->mnt, p->dentry->inode, X_OK);
}

SYSCALL_HANDLER(chdir) {
  AUTO_PATH p = {0};
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
  if (!r)
    r = enter_dir(t, &p);
  if (!r)
    fs_ctx_set_pwd(t->fs, &p);
  return r;
}

SYSCALL_HANDLER(fchdir) {
  AUTO_FILE f = fd_file_raw(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  if (!f->dentry)
    return -ENOTDIR;
  struct path p = file_path(f);
  int r = enter_dir(t, &p);
  if (!r)
    fs_ctx_set_pwd(t->fs, &p);
  return r;
}

SYSCALL_HANDLER(chroot) {
  AUTO_PATH p = {0};
  int r = vfs_lookup_user(t, AT_FDCWD, a[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
  if (!r)
    r = enter_dir(t, &p);
  if (!r && !cred_own_cap(t->cred, CAP_SYS_CHROOT))
    r = -EPERM;
  if (!r)
    fs_ctx_set_root(t->fs, &p);
  return r;
}

SYSCALL_HANDLER(getcwd) {
  char buf[PATH_MAX];
  if (t->fs->pwd.dentry->unhashed)
    return -ENOENT;
  char *s = vfs_path_string(t, &t->fs->pwd, buf, sizeof buf);
  if (!s)
    return -ENAMETOOLONG;
  size_t n = strlen(s) + 1;
  if (n > a[1])
    return -ERANGE;
  return copy_to_user(a[0], s, n) ? -EFAULT : (int64_t)n;
}

SYSCALL_HANDLER(umask) {
  uint32_t old = t->fs->umask;
  t->fs->umask = (uint32_t)a[0] & 0777;
  return old;
}
