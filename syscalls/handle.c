/* name_to_handle_at(2), open_by_handle_at(2): files by what their file system calls them. */
#include "path.h"
#include <linux/capability.h>

#define HANDLE_FID 0x200u         /* AT_HANDLE_FID: only to compare, need not be openable */
#define HANDLE_MNT_ID_UNIQUE 0x1u /* AT_HANDLE_MNT_ID_UNIQUE */
#define MAX_WORDS (MAX_HANDLE_SZ / 4)
#define FILEID_INO64_GEN 0x81
#define O_TMPFILE_BIT 020000000 /* O_TMPFILE without O_DIRECTORY */

struct handle_head { /* struct file_handle */
  uint32_t bytes;
  int32_t type;
};

/* exportfs_encode_ino64_fid(): what AT_HANDLE_FID gives where there are no handles. */
static int encode_fid(const struct inode *i, uint32_t *fh, unsigned *words) {
  unsigned room = *words;
  *words = 3;
  if (room < 3)
    return -EOVERFLOW;
  fh[0] = (uint32_t)i->ino;
  fh[1] = (uint32_t)(i->ino >> 32);
  fh[2] = 0;
  return FILEID_INO64_GEN;
}

static int encode(const struct inode *i, bool fid, uint32_t *fh, unsigned *words) {
  const struct super_ops *ops = i->sb->ops;
  unsigned room = *words;
  int r = ops->encode_fh ? ops->encode_fh(i, fh, words) : -EOPNOTSUPP;
  if (r == -EOPNOTSUPP && fid) {
    *words = room;
    r = encode_fid(i, fh, words);
  }
  return r;
}

static int put_mount_id(const struct mount *m, uint64_t to, bool unique) {
  uint64_t id = mount_unique_id(m);
  return (unique ? put_user(to, &id) : put_user(to, &m->id)) ? -EFAULT : 0;
}

/* name_to_handle_at(dir, path, handle, mount_id, flags) */
SYSCALL_HANDLER(name_to_handle_at) {
  unsigned flags = (unsigned)a[4], words, probe = 0;
  struct handle_head h;
  uint32_t fh[MAX_WORDS];
  if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | HANDLE_FID | HANDLE_MNT_ID_UNIQUE))
    return -EINVAL;
  AUTO_PATH p = {0};
  int r =
      vfs_lookup_user(t, (int)a[0], a[1],
                      (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
  if (r)
    return r;
  const struct inode *i = p.dentry->inode;
  if (encode(i, flags & HANDLE_FID, fh, &probe) == -EOPNOTSUPP)
    return -EOPNOTSUPP;
  if (get_user(&h, a[2]))
    return -EFAULT;
  if (h.bytes > MAX_HANDLE_SZ)
    return -EINVAL;
  words = h.bytes / 4;
  r = encode(i, flags & HANDLE_FID, fh, &words);
  h.bytes = words * 4;
  if (r >= 0)
    h.type = r;
  if (put_mount_id(p.mnt, a[3], flags & HANDLE_MNT_ID_UNIQUE))
    return -EFAULT;
  if (r < 0) /* too small: how much it takes */
    return put_user(a[2], &h.bytes) ? -EFAULT : r;
  return put_user(a[2], &h) || copy_to_user(a[2] + sizeof h, fh, h.bytes) ? -EFAULT : 0;
}

/* The mount that a descriptor, of whatever it is, lies on. */
static int mount_of(struct task *t, int fd, struct mount **out) {
  if (fd == AT_FDCWD) {
    *out = mount_get(t->fs->pwd.mnt);
    return 0;
  }
  AUTO_FILE f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  if (!f->mnt)
    return -ESTALE;
  *out = mount_get(f->mnt);
  return 0;
}

static int read_handle(uint64_t from, struct handle_head *h, uint32_t *fh) {
  if (get_user(h, from))
    return -EFAULT;
  if (!h->bytes || h->bytes > MAX_HANDLE_SZ)
    return -EINVAL;
  return copy_from_user(fh, from + sizeof *h, h->bytes) ? -EFAULT : 0;
}

/* open_by_handle_at(mount_fd, handle, flags) */
SYSCALL_HANDLER(open_by_handle_at) {
  int flags = (int)a[2];
  struct handle_head h;
  uint32_t fh[MAX_WORDS] = {0};
  struct path p = {0};
  int r = mount_of(t, (int)a[0], &p.mnt);
  if (r)
    return r;
  if (!cred_has_cap(t->cred, CAP_DAC_READ_SEARCH))
    r = -EPERM;
  if (!r)
    r = read_handle(a[1], &h, fh);
  const struct super_ops *ops = p.mnt->sb->ops;
  if (!r)
    r = ops->decode_fh ? ops->decode_fh(p.mnt->sb, fh, h.bytes / 4, h.type, &p.dentry) : -ESTALE;
  if (r) {
    mount_put(p.mnt);
    return r;
  }
  AUTO_FILE f = NULL;
  if (flags & (O_CREAT | O_TMPFILE_BIT))
    r = -EINVAL;
  else
    r = vfs_open_path(t, &p, flags, &f);
  path_put(&p);
  return r ? r : fd_install(t->files, f, 0, flags & O_CLOEXEC);
}
