/* landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2). */
#include "../fs/landlock.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/capability.h>
#include <string.h>

SYSCALL_HANDLER(landlock_create_ruleset) {
  struct { /* struct landlock_ruleset_attr at ABI 3 */
    uint64_t handled_access_fs;
  } attr;
  uint64_t size = a[1];
  if ((uint32_t)a[2])
    return (uint32_t)a[2] == LANDLOCK_CREATE_RULESET_VERSION && !a[0] && !size ? LANDLOCK_ABI : -EINVAL;
  if (!a[0])
    return -EFAULT;
  if (size < sizeof attr)
    return -EINVAL;
  if (size > PAGE_SIZE)
    return -E2BIG;
  unsigned char buf[PAGE_SIZE];
  if (copy_from_user(buf, a[0], size))
    return -EFAULT;
  for (uint64_t i = sizeof attr; i < size; i++)
    if (buf[i])
      return -E2BIG;
  memcpy(&attr, buf, sizeof attr);
  if (attr.handled_access_fs & ~LANDLOCK_ACCESS_ALL)
    return -EINVAL;
  if (!attr.handled_access_fs)
    return -ENOMSG;
  AUTO_FILE f = NULL;
  int r = landlock_ruleset_file_new(t->k, attr.handled_access_fs, &f);
  return r ? r : fd_install(t->files, f, 0, true);
}

/* The ruleset behind fd, which *f keeps. */
static int ruleset_of(struct task *t, uint64_t fd, struct file **f, struct landlock_ruleset **out) {
  *f = fd_file(t->files, (int)fd);
  if (!*f)
    return -EBADF;
  *out = landlock_ruleset_borrow(*f);
  return *out ? 0 : -EBADFD;
}

SYSCALL_HANDLER(landlock_add_rule) {
  AUTO_FILE f = NULL;
  AUTO_FILE at = NULL;
  struct landlock_ruleset *rs;
  struct landlock_path_beneath_attr attr;
  if ((uint32_t)a[3])
    return -EINVAL;
  int r = ruleset_of(t, a[0], &f, &rs);
  if (r)
    return r;
  if ((uint32_t)a[1] != LANDLOCK_RULE_PATH_BENEATH)
    return -EINVAL;
  if (copy_from_user(&attr, a[2], sizeof attr))
    return -EFAULT;
  if (!attr.allowed_access)
    return -ENOMSG;
  if (attr.allowed_access & ~landlock_handled(rs))
    return -EINVAL;
  at = fd_file_raw(t->files, attr.parent_fd);
  return at ? landlock_add_path(rs, at, attr.allowed_access) : -EBADF;
}

SYSCALL_HANDLER(landlock_restrict_self) {
  AUTO_FILE f = NULL;
  struct landlock_ruleset *rs;
  if (!t->cred->no_new_privs && !cred_own_cap(t->cred, CAP_SYS_ADMIN))
    return -EPERM;
  if ((uint32_t)a[1])
    return -EINVAL;
  int r = ruleset_of(t, a[0], &f, &rs);
  return r ? r : landlock_restrict(t, rs);
}
