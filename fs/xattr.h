/* Extended attributes of in-memory file systems: a sorted set in memory. Names and sizes were checked by the VFS. */
#pragma once
#include <bsd/sys/tree.h>
#include <stddef.h>
#include <sys/types.h>

struct xattr;
RB_HEAD(xattr_tree, xattr);
struct xattr_set {
  struct xattr_tree tree;
  size_t bytes; /* names and values, for limits */
};
/* As inode_ops.getxattr and its relatives. Linux's bound of a list is 64 KiB of names; so is this one's. */
ssize_t xattr_set_get(struct xattr_set *s, const char *name, void *buf, size_t cap);
int xattr_set_set(struct xattr_set *s, const char *name, const void *val, size_t len, int flags);
ssize_t xattr_set_list(struct xattr_set *s, char *buf, size_t cap);
int xattr_set_remove(struct xattr_set *s, const char *name);
void xattr_set_free(struct xattr_set *s);
