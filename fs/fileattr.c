/* Flags of inodes, ioctl_iflags(2), of the file systems in memory; FS_IOC_FSGETXATTR shows the same. */
#include "../core/uaccess.h"
#include "fsnotify.h"
#include "namei.h"
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define CHANGEABLE (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

static const struct {
  unsigned fl, x;
} both[] = {{FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
            {FS_APPEND_FL, FS_XFLAG_APPEND},
            {FS_NODUMP_FL, FS_XFLAG_NODUMP},
            {FS_NOATIME_FL, FS_XFLAG_NOATIME}};

static unsigned to_x(unsigned fl) {
  unsigned x = 0;
  for (size_t i = 0; i < sizeof both / sizeof *both; i++)
    x |= fl & both[i].fl ? both[i].x : 0;
  return x;
}

static int from_x(unsigned x, unsigned *fl) {
  *fl = 0;
  for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
    *fl |= x & both[i].x ? both[i].fl : 0;
    x &= ~both[i].x;
  }
  return x ? -EOPNOTSUPP : 0;
}

/* vfs_fileattr_set() */
static int set_flags(struct task *t, struct file *f, unsigned flags) {
  struct inode *i = f->inode;
  if (mount_readonly(f->mnt))
    return -EROFS;
  if (!cred_owns(t->cred, i))
    return -EPERM;
  if (((flags ^ i->iflags) & (FS_IMMUTABLE_FL | FS_APPEND_FL)) && !cred_has_cap(t->cred, CAP_LINUX_IMMUTABLE))
    return -EPERM;
  if (flags & ~(unsigned)CHANGEABLE)
    return -EOPNOTSUPP;
  /* The file system must not forget the inode: for it this is a change of its mode to what it is. */
  struct iattr a = {.valid = ATTR_MODE, .mode = i->mode};
  int r = i->ops->setattr ? i->ops->setattr(i, f->dentry, &a) : -ENOTTY;
  if (!r) {
    i->iflags = flags;
    fsnotify_dentry(f->dentry, IN_ATTRIB);
  }
  return r;
}

long vfs_ioctl_flags(struct task *t, struct file *f, unsigned cmd, uint64_t arg) {
  struct inode *i = f->inode;
  struct fsxattr x = {0};
  unsigned flags;
  if (!i || !f->mnt || !i->sb->iflags || !(S_ISREG(i->mode) || S_ISDIR(i->mode)))
    return -ENOTTY;
  switch (cmd) {
  case FS_IOC_GETFLAGS:
    return put_user(arg, &i->iflags);
  case FS_IOC_SETFLAGS:
    return get_user(&flags, arg) ? -EFAULT : set_flags(t, f, flags);
  case FS_IOC_FSGETXATTR:
    x.fsx_xflags = to_x(i->iflags);
    return put_user(arg, &x);
  case FS_IOC_FSSETXATTR:
    if (get_user(&x, arg))
      return -EFAULT;
    if (x.fsx_extsize || x.fsx_projid || x.fsx_cowextsize || from_x(x.fsx_xflags, &flags))
      return -EOPNOTSUPP;
    return set_flags(t, f, flags);
  default:
    return -ENOTTY;
  }
}
