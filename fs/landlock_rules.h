/* Between fs/landlock.c and fs/landlock_check.c: what a layer is made of. */
#pragma once
#include "landlock.h"

struct landlock_rule {
  const struct inode *inode; /* kept by dentry */
  struct dentry *dentry;     /* counted, and its super too */
  uint64_t allowed;
};
struct landlock_rules { /* sorted by inode */
  ref_t ref;
  uint64_t handled;
  int n, cap;
  struct landlock_rule *v;
};
struct landlock_layer {
  struct landlock_domain d; /* first */
  struct landlock_rules *rules;
};
uint64_t landlock_rules_find(const struct landlock_rules *r, const struct inode *i); /* what is allowed for it, or 0 */
/* One that the kernel made for itself (pipes, memfds, namespaces): not restricted. */
bool landlock_internal_mount(const struct mount *m);
