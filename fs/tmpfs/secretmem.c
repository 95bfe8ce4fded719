/*
 * memfd_secret(2): a file that can only be mapped, and whose pages only those who map it see. mm/secretmem.c. Other
 * guests are kept out by core/ (AREA_SECRET); the host's kernel still has the pages in its own map.
 */
#include "../../core/errno.h"
#include "tmpfs.h"

static off_t no_llseek(struct file *f, off_t off, int whence) {
  (void)f;
  (void)off;
  (void)whence;
  return -ESPIPE;
}

static int secret_mmap(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off) {
  return tmpfs_file_fops.mmap(f, prot, flags, off, len, host_off);
}

static void secret_release(struct file *f) {
  tmpfs_file_fops.release(f);
}

static const struct file_ops secret_fops = {
    .name = "secretmem",
    .secret = true,
    .llseek = no_llseek,
    .mmap = secret_mmap,
    .release = secret_release,
};

/* The size is set once. */
static int secret_setattr(struct inode *i, struct dentry *d, const struct iattr *a) {
  return (a->valid & ATTR_SIZE) && i->size ? -EINVAL : tmpfs_setattr(i, d, a);
}

static int secret_open(struct inode *i, struct file *f) {
  (void)i;
  (void)f;
  return -ENXIO;
}

static const struct inode_ops secret_inode_ops = {
    .getattr = tmpfs_getattr_file,
    .setattr = secret_setattr,
    .open = secret_open,
    .evict = tmpfs_evict,
};

int tmpfs_secret_file(struct kernel *k, struct file **out) {
  int r = tmpfs_anon_file(k, 0, "secretmem", 0, out);
  if (r)
    return r;
  struct inode *i = (*out)->inode;
  i->ops = &secret_inode_ops;
  i->mode = S_IFREG | 0600;
  i->nlink = 1;
  (*out)->ops = &secret_fops;
  return 0;
}
