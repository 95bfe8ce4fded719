/*
 * POSIX access control lists: acl(5), fs/posix_acl.c of Linux for the rules. The VFS keeps and enforces them; a file
 * system only says that its inodes can have them (super.acls) and that it remembers an inode whose mode was set.
 */
#pragma once
#include "vfs.h"

#define XATTR_ACL_ACCESS "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"

struct acl_entry {
  uint16_t tag, perm;
  uint32_t id;
};
struct acl { /* immutable but for chmod(2) */
  unsigned n;
  struct acl_entry e[];
};

bool acl_is_name(const char *name); /* one of the two attributes */
ssize_t acl_get(const struct path *p, const char *name, void *buf, size_t cap);
/* val NULL: remove */
int acl_set(struct task *t, const struct path *p, const char *name, const void *val, size_t len);
/* listxattr: appends the names i has to the n bytes in buf. The new length or -ERANGE */
ssize_t acl_list(const struct inode *i, char *buf, ssize_t n, size_t cap);
/* For one who does not own i: 0, -EACCES, or -EAGAIN: the list says nothing. */
int acl_permission(const struct inode *i, const struct cred *c, int mask);
void acl_chmod(struct inode *i); /* i->mode was set */
/* What a new entry of `dir` gets: *mode, still without the umask, becomes what it is to be made with; *access and
 * *def are to be put onto the inode by acl_give(). */
struct acl_new {
  struct acl *access, *def;
};
int acl_inherit(const struct inode *dir, uint32_t umask, uint32_t *mode, struct acl_new *out);
void acl_give(struct acl_new *n, struct inode *i); /* i NULL: drop them */
