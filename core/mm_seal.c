/* mseal(2), and what other processes may see: Documentation/userspace-api/mseal.rst. */
#include "area.h"
#include "errno.h"
#include "task.h"

bool area_any_sealed(struct mm *m, uint64_t start, uint64_t end) {
  for (struct area *a = mm_find_next_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    if (a->advice & AREA_SEALED)
      return true;
  return false;
}

size_t area_open_to_others(struct mm *m, uint64_t addr, size_t len) {
  uint64_t end = addr + len < addr ? UINT64_MAX : addr + len;
  if (!m->has_secret)
    return len;
  for (struct area *a = mm_find_next_borrow(m, addr); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    if (a->advice & AREA_SECRET)
      return a->start > addr ? a->start - addr : 0;
  return len;
}

static int64_t seal_locked(struct mm *m, uint64_t start, uint64_t end, struct area **dead) {
  if (mm_check_mapped(m, start, end - start))
    return -ENOMEM;
  if (m->nareas + 2 >= mm_max_areas() || area_split_at(m, start) || area_split_at(m, end))
    return -ENOMEM;
  for (struct area *a = mm_find_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    a->advice |= AREA_SEALED;
  area_merge(m, start, end, dead);
  return 0;
}

int64_t mm_seal(struct task *t, uint64_t addr, uint64_t len, unsigned long flags) {
  uint64_t size = PAGE_ALIGN(len);
  if (flags || (addr & (PAGE_SIZE - 1)) || (len && !size) || addr + size < addr)
    return -EINVAL;
  if (!size)
    return 0;
  struct mm *m = t->mm;
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  int64_t r = seal_locked(m, addr, addr + size, &dead);
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}
