/* mbind(2), set_mempolicy(2) and relatives. core/mempolicy.h says what they mean. */
#include "../core/mempolicy.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/mm.h"
#include "../core/uaccess.h"
#include "table.h"
#include <stdlib.h>
#include <string.h>

#define CAP_SYS_NICE_K 23
enum { MPOL_F_NODE_K = 1, MPOL_F_ADDR_K = 2, MPOL_F_MEMS_ALLOWED_K = 4 };
enum { MPOL_MF_STRICT_K = 1, MPOL_MF_MOVE_K = 2, MPOL_MF_MOVE_ALL_K = 4 };

struct nodes {
  uint64_t first; /* 64 */
  bool more;
};

/* get_nodes(): bits that cannot be nodes must be clear. */
static int get_nodes(struct nodes *n, uint64_t mask, uint64_t maxnode) {
  *n = (struct nodes){0};
  if (--maxnode == 0 || !mask)
    return 0;
  if (maxnode > PAGE_SIZE * 8)
    return -EINVAL;
  for (uint64_t bit = 0; bit < maxnode; bit += 64) {
    uint64_t w;
    if (copy_from_user(&w, mask + bit / 8, sizeof w))
      return -EFAULT;
    if (maxnode - bit < 64)
      w &= (1ull << (maxnode - bit)) - 1;
    if (bit >= NUMA_NODES_MAX && w)
      return -EINVAL;
    if (bit == 0)
      n->first = w;
    else
      n->more |= w != 0;
  }
  return 0;
}

static int put_nodes(uint64_t mask, uint64_t maxnode, uint64_t w) {
  uint64_t bytes = (maxnode - 1 + 63) / 64 * 8;
  if (bytes > PAGE_SIZE)
    return -EINVAL;
  if (bytes > sizeof w && clear_user(mask + sizeof w, bytes - sizeof w))
    return -EFAULT;
  return bytes && copy_to_user(mask, &w, sizeof w) ? -EFAULT : 0;
}

SYSCALL_HANDLER(set_mempolicy) {
  struct nodes n;
  struct mempolicy p;
  int r = mempolicy_make(&p, (unsigned)a[0], 1, false); /* the mode is looked at before the mask is read */
  if (r < 0 && ((unsigned)a[0] & ~MPOL_MODE_FLAGS_K) >= MPOL_MAX_K)
    return r;
  r = get_nodes(&n, a[1], a[2]);
  if (!r)
    r = mempolicy_make(&p, (unsigned)a[0], n.first, n.more);
  if (!r)
    t->mempolicy = p;
  return r;
}

SYSCALL_HANDLER(mbind) {
  uint64_t start = a[0], end = start + PAGE_ALIGN(a[1]);
  unsigned flags = (unsigned)a[5];
  struct nodes n;
  struct mempolicy p;
  int r = get_nodes(&n, a[3], a[4]);
  if (r)
    return r;
  if (flags & ~(unsigned)(MPOL_MF_STRICT_K | MPOL_MF_MOVE_K | MPOL_MF_MOVE_ALL_K))
    return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL_K) && !cred_has_cap(t->cred, CAP_SYS_NICE_K))
    return -EPERM;
  if ((start & (PAGE_SIZE - 1)) || end < start)
    return -EINVAL;
  if (end == start)
    return 0;
  r = mempolicy_make(&p, (unsigned)a[2], n.first, n.more);
  return r ? r : mm_set_policy(t, start, end, &p);
}

static int policy_at(struct task *t, uint64_t addr, bool node, struct mempolicy *p) {
  struct area *ar = mm_find_borrow(t->mm, addr);
  if (!ar)
    return -EFAULT;
  *p = ar->policy;
  char c;
  return node && copy_from_user(&c, addr, 1) ? -EFAULT : 0; /* the page is brought in to see where it lies */
}

SYSCALL_HANDLER(get_mempolicy) {
  uint64_t flags = a[4];
  bool node = flags & MPOL_F_NODE_K, addr = flags & MPOL_F_ADDR_K;
  if (a[1] && a[2] < NUMA_NODES)
    return -EINVAL;
  if (flags & ~7ull)
    return -EINVAL;
  struct mempolicy p = t->mempolicy;
  int mode = 0;
  uint64_t mask = 1;
  if (flags & MPOL_F_MEMS_ALLOWED_K) {
    if (node || addr)
      return -EINVAL;
  } else {
    if (addr) {
      int r = policy_at(t, a[3], node, &p);
      if (r)
        return r;
    } else if (a[3]) {
      return -EINVAL;
    }
    if (node && !addr && p.mode != MPOL_INTERLEAVE_K)
      return -EINVAL;
    mode = node ? 0 : p.mode | p.flags;
    mask = p.nodes;
  }
  if (a[0] && put_user(a[0], &mode))
    return -EFAULT;
  return a[1] ? put_nodes(a[1], a[2], mask) : 0;
}

SYSCALL_HANDLER(set_mempolicy_home_node) {
  uint64_t start = a[0], end = start + PAGE_ALIGN(a[1]);
  if ((start & (PAGE_SIZE - 1)) || a[3] || a[2] >= NUMA_NODES || end < start)
    return -EINVAL;
  int r = end == start ? 0 : -ENOENT;
  for (struct area *ar = mm_find_next_borrow(t->mm, start); ar && ar->start < end;
       ar = mm_find_next_borrow(t->mm, ar->end)) {
    if (ar->policy.mode != MPOL_BIND_K && ar->policy.mode != MPOL_PREFERRED_MANY_K)
      return ar->policy.mode ? -EOPNOTSUPP : r;
    r = 0;
  }
  return r;
}

/* The process that migrate_pages and move_pages work on, whose memory the caller may look at. */
static int find_mm(struct task *t, int pid, struct mm **m) {
  struct task *o = pid ? task_find_borrow(t->k, pid) : t;
  if (!o)
    return -ESRCH;
  if (o != t && !task_may_access(t, o))
    return -EPERM;
  if (!o->mm)
    return -EINVAL;
  *m = mm_get(o->mm);
  return 0;
}

SYSCALL_HANDLER(migrate_pages) {
  struct nodes from, to;
  struct mm *m;
  int r = get_nodes(&from, a[2], a[1]);
  if (!r)
    r = get_nodes(&to, a[3], a[1]);
  if (!r)
    r = find_mm(t, (int)a[0], &m);
  if (r)
    return r;
  mm_put(m);
  if (((to.first & ~1ull) || to.more) && !cred_has_cap(t->cred, CAP_SYS_NICE_K))
    return -EPERM;
  return to.first & 1 ? 0 : -EINVAL;
}

/* What move_pages says of one page: it lies on node 0, is not there, or is nothing at all. */
static int page_status(struct mm *m, uint64_t page) {
  unsigned char in;
  if (mm_incore(m, PAGE_DOWN(page), 1, &in))
    return -EFAULT;
  return in ? 0 : -ENOENT;
}

SYSCALL_HANDLER(move_pages) {
  uint64_t nr = a[1];
  unsigned flags = (unsigned)a[5];
  struct mm *m;
  if (flags & ~(unsigned)(MPOL_MF_MOVE_K | MPOL_MF_MOVE_ALL_K))
    return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL_K) && !cred_has_cap(t->cred, CAP_SYS_NICE_K))
    return -EPERM;
  int64_t r = find_mm(t, (int)a[0], &m);
  if (r)
    return r;
  for (uint64_t i = 0; i < nr && !r; i++) {
    uint64_t page;
    int node = 0;
    if (copy_from_user(&page, a[2] + i * 8, sizeof page) || (a[3] && copy_from_user(&node, a[3] + i * 4, sizeof node)))
      r = -EFAULT;
    else if (node < 0 || node >= NUMA_NODES)
      r = -ENODEV;
    if (r)
      break;
    int st = page_status(m, page);
    if (copy_to_user(a[4] + i * 4, &st, sizeof st))
      r = -EFAULT;
    if (signal_pending(t) && i % 64 == 63)
      r = -EINTR;
  }
  mm_put(m);
  return r;
}
