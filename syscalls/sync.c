/* sync(2), fsync(2), sync_file_range(2), posix_fadvise(2), readahead(2). */
#include "path.h"

static int64_t do_fsync(struct task *t, int fd, bool datasync) {
  AUTO_FILE f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  return f->ops->fsync ? f->ops->fsync(f, datasync) : -EINVAL;
}
SYSCALL_HANDLER(fsync) {
  return do_fsync(t, (int)a[0], false);
}
SYSCALL_HANDLER(fdatasync) {
  return do_fsync(t, (int)a[0], true);
}

SYSCALL_HANDLER(sync) {
  if (t->fs->ns)
    vfs_sync_all(t->fs->ns);
  return 0;
}

SYSCALL_HANDLER(syncfs) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  struct super *sb = f->mnt ? f->mnt->sb : NULL;
  return sb && sb->ops && sb->ops->sync ? sb->ops->sync(sb) : 0;
}

/* Writing the whole file's data back does what was asked for, and more. */
SYSCALL_HANDLER(sync_file_range) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  off_t off = (off_t)a[1], len = (off_t)a[2], end;
  if (!f)
    return -EBADF;
  if (a[3] & ~7ull || off < 0 || len < 0 || __builtin_add_overflow(off, len, &end))
    return -EINVAL;
  if (!f->inode || S_ISFIFO(f->inode->mode) || S_ISSOCK(f->inode->mode) || S_ISCHR(f->inode->mode))
    return -ESPIPE;
  return a[3] && f->ops->fsync ? f->ops->fsync(f, true) : 0;
}

/* Advice: the host's page cache decides by itself. */
SYSCALL_HANDLER(fadvise64) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  if (!f->inode || S_ISFIFO(f->inode->mode))
    return -ESPIPE;
  return (int64_t)a[2] < 0 || (int)a[3] < 0 || (int)a[3] > 5 ? -EINVAL : 0;
}

SYSCALL_HANDLER(readahead) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f || !file_can_read(f))
    return -EBADF;
  return f->fmode & FMODE_REG ? 0 : -EINVAL;
}
