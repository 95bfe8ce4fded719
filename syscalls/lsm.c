/*
 * Linux security modules, as a Linux that has the capabilities and Landlock answers: security/lsm_syscalls.c. Neither
 * has attributes to get or set.
 */
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "table.h"
#include <stddef.h>

#define LSM_ID_CAPABILITY 100
#define LSM_ID_LANDLOCK 110
#define LSM_ATTR_UNDEF 0
#define LSM_FLAG_SINGLE 1

struct lsm_ctx { /* include/uapi/linux/lsm.h */
  uint64_t id, flags, len, ctx_len;
};

/* lsm_list_modules(ids, size, flags) */
SYSCALL_HANDLER(lsm_list_modules) {
  static const uint64_t ids[] = {LSM_ID_CAPABILITY, LSM_ID_LANDLOCK};
  uint32_t room, need = sizeof ids;
  if (a[2])
    return -EINVAL;
  if (get_user(&room, a[1]) || put_user(a[1], &need))
    return -EFAULT;
  if (room < need)
    return -E2BIG;
  return put_user(a[0], &ids) ? -EFAULT : (int64_t)(sizeof ids / sizeof *ids);
}

/* lsm_get_self_attr(attr, ctx, size, flags) */
SYSCALL_HANDLER(lsm_get_self_attr) {
  uint32_t attr = (uint32_t)a[0], flags = (uint32_t)a[3], room;
  struct lsm_ctx want;
  if (attr == LSM_ATTR_UNDEF || !a[2])
    return -EINVAL;
  if (get_user(&room, a[2]))
    return -EFAULT;
  if (flags & LSM_FLAG_SINGLE) {
    if (!a[1])
      return -EINVAL;
    if (get_user(&want, a[1]))
      return -EFAULT;
    if (!want.id)
      return -EINVAL;
  }
  return flags & ~LSM_FLAG_SINGLE ? -EINVAL : -EOPNOTSUPP;
}

/* lsm_set_self_attr(attr, ctx, size, flags) */
SYSCALL_HANDLER(lsm_set_self_attr) {
  uint32_t size = (uint32_t)a[2];
  struct lsm_ctx c;
  if (a[3])
    return -EINVAL;
  if (size < sizeof c)
    return -EINVAL;
  if (size > 4096)
    return -E2BIG;
  if (get_user(&c, a[1]))
    return -EFAULT;
  if (size < c.len || c.ctx_len > size - sizeof c || c.len < c.ctx_len + sizeof c)
    return -EINVAL;
  return -EOPNOTSUPP;
}
