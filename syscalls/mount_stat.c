/* listmount(2), statmount(2): decode; fs/mount_stat.c does it. */
#include "../fs/mount.h"
#include "../fs/sbuf.h"
#include "path.h"
#include <stdlib.h>

#define REQ_VER0 24u /* MNT_ID_REQ_SIZE_VER0 */
#define LIST_REVERSE 1u
#define LIST_MAX 1000000u
#define STRING_MASK 0xfb8ull /* what of STATMOUNT_* is a string */

struct mnt_id_req {
  uint32_t size, spare;
  uint64_t mnt_id, param, mnt_ns_id;
};

static int get_req(struct task *t, uint64_t from, struct mnt_id_req *q) {
  uint32_t size;
  uint8_t buf[4096] = {0};
  if (get_user(&size, from))
    return -EFAULT;
  if (size > sizeof buf || size < REQ_VER0)
    return size > sizeof buf ? -E2BIG : -EINVAL;
  if (copy_from_user(buf, from, size))
    return -EFAULT;
  for (size_t i = sizeof *q; i < size; i++)
    if (buf[i])
      return -E2BIG;
  memcpy(q, buf, sizeof *q);
  if (q->spare || q->mnt_id <= UNIQUE_ID_OFFSET)
    return -EINVAL;
  /* Other namespaces have no numbers that could be learnt. */
  return q->mnt_ns_id && q->mnt_ns_id != t->fs->ns->seq ? -ENOENT : 0;
}

/* listmount(req, ids, n, flags) */
SYSCALL_HANDLER(listmount) {
  struct mnt_id_req q;
  if ((unsigned)a[3] & ~LIST_REVERSE)
    return -EINVAL;
  if (a[2] > LIST_MAX)
    return -EOVERFLOW;
  if (!access_ok(a[1], a[2] * sizeof(uint64_t)))
    return -EFAULT;
  int r = get_req(t, a[0], &q);
  if (r)
    return r;
  if (q.param && q.param <= UNIQUE_ID_OFFSET)
    return -EINVAL;
  size_t n = a[2] < (size_t)t->fs->ns->nmounts ? a[2] : (size_t)t->fs->ns->nmounts;
  uint64_t *ids = malloc((n + 1) * sizeof *ids);
  if (!ids)
    return -ENOMEM;
  int64_t got = vfs_listmount(t, q.mnt_id, q.param, a[3] & LIST_REVERSE, ids, n);
  if (got > 0 && copy_to_user(a[1], ids, (size_t)got * sizeof *ids))
    got = -EFAULT;
  free(ids);
  return got;
}

/* statmount(req, buf, size, flags) */
SYSCALL_HANDLER(statmount) {
  struct mnt_id_req q;
  struct statmount_k sm = {0};
  struct sbuf strings = {0};
  if ((unsigned)a[3])
    return -EINVAL;
  int r = get_req(t, a[0], &q);
  if (r)
    return r;
  r = vfs_statmount(t, q.mnt_id, q.param, &sm, &strings);
  size_t head = a[2] < sizeof sm ? a[2] : sizeof sm;
  if (!r && strings.failed)
    r = -ENOMEM;
  if (!r && (q.param & STRING_MASK) && (a[2] <= sizeof sm || strings.len > a[2] - sizeof sm))
    r = -EOVERFLOW;
  sm.size = (uint32_t)(head + strings.len);
  if (!r && strings.len && copy_to_user(a[1] + sizeof sm, strings.p, strings.len))
    r = -EFAULT;
  if (!r && copy_to_user(a[1], &sm, head))
    r = -EFAULT;
  sb_free(&strings);
  return r;
}
