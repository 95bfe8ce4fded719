#include "mempolicy.h"
#include "area.h"
#include "errno.h"
#include "kernel.h"

int mempolicy_make(struct mempolicy *p, unsigned mode, uint64_t nodes, bool more) {
  unsigned flags = mode & MPOL_MODE_FLAGS_K;
  const unsigned both = MPOL_F_STATIC_NODES_K | MPOL_F_RELATIVE_NODES_K;
  mode &= ~MPOL_MODE_FLAGS_K;
  if (mode >= MPOL_MAX_K || (flags & both) == both)
    return -EINVAL;
  if ((flags & MPOL_F_NUMA_BALANCING_K) && mode != MPOL_BIND_K)
    return -EINVAL;
  bool empty = !nodes && !more, node0 = nodes & 1;
  switch (mode) {
  case MPOL_DEFAULT_K:
    *p = (struct mempolicy){0};
    return empty ? 0 : -EINVAL;
  case MPOL_LOCAL_K:
    *p = (struct mempolicy){.mode = MPOL_LOCAL_K};
    return empty && !flags ? 0 : -EINVAL;
  case MPOL_PREFERRED_K:
    if (!empty)
      break;
    *p = (struct mempolicy){.mode = MPOL_LOCAL_K};
    return flags & both ? -EINVAL : 0;
  }
  /* Relative nodes are counted round; of others only those that exist remain. */
  bool in_effect = flags & MPOL_F_RELATIVE_NODES_K ? !empty : node0;
  if (!in_effect)
    return -EINVAL;
  *p = (struct mempolicy){.mode = (uint16_t)mode, .flags = (uint16_t)flags, .nodes = flags & both ? nodes : 1};
  return 0;
}

int64_t mm_set_policy(struct task *t, uint64_t start, uint64_t end, const struct mempolicy *p) {
  struct mm *m = t->mm;
  struct area *dead = NULL;
  int64_t r = 0;
  fmutex_lock(&m->lock);
  if (mm_check_mapped(m, start, end - start))
    r = -EFAULT;
  else if (m->nareas + 2 >= mm_max_areas() || area_split_at(m, start) || area_split_at(m, end))
    r = -ENOMEM;
  for (struct area *a = r ? NULL : mm_find_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    a->policy = *p;
  if (!r)
    area_merge(m, start, end, &dead);
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}
