/* /dev: a tmpfs with the nodes, links and directories that the OCI runtime specification asks for. */
#include "dev.h"
#include "../../core/errno.h"
#include "../tty_core.h"
#include "../synth.h"
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

struct dev_node {
  const char *name;
  uint32_t mode;
  unsigned major, minor;
  const char *target; /* symlinks */
};

static const struct dev_node nodes[] = {
    {"null", S_IFCHR | 0666, 1, 3, NULL},
    {"zero", S_IFCHR | 0666, 1, 5, NULL},
    {"full", S_IFCHR | 0666, 1, 7, NULL},
    {"random", S_IFCHR | 0666, 1, 8, NULL},
    {"urandom", S_IFCHR | 0666, 1, 9, NULL},
    {"tty", S_IFCHR | 0666, 5, 0, NULL},
    {"console", S_IFCHR | 0620, 5, 1, NULL},
    {"ptmx", S_IFCHR | 0666, 5, 2, NULL},
    {"pts", S_IFDIR | 0755, 0, 0, NULL},
    {"shm", S_IFDIR | 01777, 0, 0, NULL},
    {"mqueue", S_IFDIR | 01777, 0, 0, NULL},
    {"fd", S_IFLNK | 0777, 0, 0, "/proc/self/fd"},
    {"stdin", S_IFLNK | 0777, 0, 0, "/proc/self/fd/0"},
    {"stdout", S_IFLNK | 0777, 0, 0, "/proc/self/fd/1"},
    {"stderr", S_IFLNK | 0777, 0, 0, "/proc/self/fd/2"},
    {"core", S_IFLNK | 0777, 0, 0, "/proc/kcore"},
};

static int make_node(struct inode *dir, struct dentry *parent, const struct dev_node *n) {
  struct iattr a = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = n->mode};
  struct inode *made = NULL;
  int r;
  if (S_ISDIR(n->mode))
    r = dir->ops->mkdir(dir, parent, n->name, &a, &made);
  else if (S_ISLNK(n->mode))
    r = dir->ops->symlink(dir, parent, n->name, n->target, &a, &made);
  else
    r = dir->ops->mknod(dir, parent, n->name, &a, makedev(n->major, n->minor), &made);
  inode_put(made);
  return r == -EEXIST ? 0 : r;
}

int devices_register(struct kernel *k) {
  int r = mem_chrdevs_register();
  if (!r)
    r = kmsg_chrdev_register();
  return r ? r : tty_chrdevs_register();
}

int dev_mount(struct kernel *k, const char *options, struct super **out) {
  struct super *sb;
  int r = tmpfs_mount(k, options && *options ? options : "mode=755,size=65536k", &sb);
  if (r)
    return r;
  for (size_t i = 0; !r && i < sizeof nodes / sizeof *nodes; i++)
    r = make_node(sb->root->inode, sb->root, &nodes[i]);
  if (r) {
    super_put(sb);
    return r;
  }
  *out = sb;
  return 0;
}
