/* madvise(2), mlock(2), msync(2). */
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include <stdlib.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

enum treatment { T_UNKNOWN, T_HINT, T_ORDER, T_FLAG, T_FLAG_ORDER, T_REMOVE };

/* What an advice needs: nothing, the host to do it, or a mark on the area. */
static enum treatment treatment(int advice) {
  switch (advice) {
  case MADV_NORMAL:
  case MADV_RANDOM:
  case MADV_SEQUENTIAL:
  case MADV_WILLNEED:
  case MADV_MERGEABLE:
  case MADV_UNMERGEABLE:
  case MADV_COLLAPSE:
    return T_HINT;
  case MADV_DONTNEED:
  case MADV_DONTNEED_LOCKED:
  case MADV_FREE:
  case MADV_COLD:
  case MADV_PAGEOUT:
  case MADV_POPULATE_READ:
  case MADV_POPULATE_WRITE:
    return T_ORDER;
  case MADV_DONTDUMP:
  case MADV_DODUMP:
  case MADV_HUGEPAGE:
  case MADV_NOHUGEPAGE:
    return T_FLAG;
  case MADV_DONTFORK:
  case MADV_DOFORK:
  case MADV_WIPEONFORK:
  case MADV_KEEPONFORK:
    return T_FLAG_ORDER;
  case MADV_REMOVE:
    return T_REMOVE;
  default:
    return T_UNKNOWN; /* MADV_HWPOISON and MADV_SOFT_OFFLINE too: as a kernel without CONFIG_MEMORY_FAILURE */
  }
}

static int new_marks(int have, int advice) {
  switch (advice) {
  case MADV_DONTFORK:
    return have | AREA_DONTFORK;
  case MADV_DOFORK:
    return have & ~AREA_DONTFORK;
  case MADV_WIPEONFORK:
    return have | AREA_WIPEONFORK;
  case MADV_KEEPONFORK:
    return have & ~AREA_WIPEONFORK;
  case MADV_DONTDUMP:
    return have | AREA_DONTDUMP;
  case MADV_DODUMP:
    return have & ~AREA_DONTDUMP;
  case MADV_HUGEPAGE:
    return (have | AREA_HUGEPAGE) & ~AREA_NOHUGEPAGE;
  case MADV_NOHUGEPAGE:
    return (have | AREA_NOHUGEPAGE) & ~AREA_HUGEPAGE;
  }
  return have;
}

/* What changes contents: not for sealed memory that cannot be written either. can_madv_modify() */
static bool discards(int advice) {
  switch (advice) {
  case MADV_FREE:
  case MADV_DONTNEED:
  case MADV_DONTNEED_LOCKED:
  case MADV_REMOVE:
  case MADV_DONTFORK:
  case MADV_WIPEONFORK:
    return true;
  }
  return false;
}

/* May this area get it? 0 or -errno. */
static int allowed(const struct area *a, int advice) {
  if (area_special(a) && advice != MADV_NORMAL)
    return -EINVAL;
  if ((a->advice & AREA_SEALED) && discards(advice) && !(a->flags & MAP_SHARED) && !(a->prot & PROT_WRITE) && !a->file)
    return -EPERM;
  switch (advice) {
  case MADV_DONTNEED:
  case MADV_COLD:
  case MADV_PAGEOUT:
    return a->flags & MAP_LOCKED ? -EINVAL : 0;
  case MADV_FREE:
    return a->host_fd >= 0 || (a->flags & (MAP_LOCKED | MAP_SHARED)) ? -EINVAL : 0;
  case MADV_WIPEONFORK:
    return a->host_fd >= 0 || (a->flags & MAP_SHARED) ? -EINVAL : 0;
  case MADV_REMOVE:
    if (a->flags & MAP_LOCKED)
      return -EINVAL;
    if (!a->file || !a->file->ops->fallocate)
      return -EINVAL;
    return (a->flags & MAP_SHARED) && (a->max_prot & PROT_WRITE) ? 0 : -EACCES;
  case MADV_POPULATE_READ:
    return a->prot & PROT_READ ? 0 : -EINVAL;
  case MADV_POPULATE_WRITE:
    return a->prot & PROT_WRITE ? 0 : -EINVAL;
  }
  return 0;
}

static int order_advice(struct task *t, uint64_t start, uint64_t end, int advice) {
  struct plat_order o = {.kind = PLAT_MADVISE, .addr = start, .len = end - start, .advice = advice, .fd = -1};
  return plat_order(t->ctx, &o);
}

/* Punches the hole in the file itself. The caller gives up the lock: the operation parks. */
static int remove_pages(struct mm *m, uint64_t start, uint64_t end) {
  while (start < end) {
    struct area *a = mm_find_borrow(m, start);
    int r = a ? allowed(a, MADV_REMOVE) : -ENOMEM;
    if (r < 0)
      return r;
    struct file *f = file_get(a->file);
    uint64_t stop = a->end < end ? a->end : end;
    off_t off = a->off + (off_t)(start - a->start);
    r = f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, (off_t)(stop - start));
    file_put(f);
    if (r < 0)
      return r;
    start = stop;
  }
  return 0;
}

/* Walk the areas of the range; one order per run of areas without a hole between. -ENOMEM if there was a hole. */
static int advise_locked(struct task *t, struct mm *m, uint64_t start, uint64_t end, int advice, struct area **dead) {
  enum treatment tr = treatment(advice);
  bool mark = tr == T_FLAG || tr == T_FLAG_ORDER, order = tr == T_ORDER || tr == T_FLAG_ORDER;
  int hole = 0, r = 0;
  if (mark && (m->nareas + 2 >= mm_max_areas() || area_split_at(m, start) || area_split_at(m, end)))
    return -ENOMEM;
  uint64_t at = start, run = start;
  struct area *a = mm_find_next_borrow(m, start);
  for (; a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a)) {
    if (a->start > at) {
      hole = -ENOMEM;
      if (order && at > run)
        order_advice(t, run, at, advice);
      run = a->start;
    }
    at = a->start > at ? a->start : at;
    if ((r = allowed(a, advice)) < 0)
      break;
    if (mark)
      a->advice = new_marks(a->advice, advice);
    at = a->end < end ? a->end : end;
  }
  if (!r && at < end)
    hole = -ENOMEM;
  if (order && at > run)
    order_advice(t, run, at, advice);
  if (mark)
    area_merge(m, start, end, dead);
  /* Nothing is given to others here, so the orders need not be waited for; but what they refuse is this call's result.
   */
  return r ? r : hole;
}

int64_t mm_madvise(struct task *t, uint64_t addr, uint64_t len, int advice) {
  enum treatment tr = treatment(advice);
  if (tr == T_UNKNOWN || (addr & (PAGE_SIZE - 1)) || len > UINT64_MAX - PAGE_SIZE)
    return -EINVAL;
  uint64_t end = addr + PAGE_ALIGN(len);
  if (end < addr)
    return -EINVAL;
  if (end == addr)
    return 0;
  struct mm *m = t->mm;
  if (tr == T_REMOVE)
    return remove_pages(m, addr, end);
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  int64_t r = advise_locked(t, m, addr, end, advice, &dead);
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}

/* ---- mlock: accounted only. Whether a page may be paged out is the host's decision ---- */

static int64_t lock_range(struct task *t, struct mm *m, uint64_t start, uint64_t end, bool lock, struct area **dead) {
  int r = mm_check_mapped(m, start, end - start);
  struct area *a;
  if (m->nareas + 2 >= mm_max_areas() || area_split_at(m, start) || area_split_at(m, end))
    return -ENOMEM;
  for (a = mm_find_next_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    if (!area_special(a) && !(a->advice & AREA_SECRET))
      area_set_flags(m, a, lock ? a->flags | MAP_LOCKED : a->flags & ~MAP_LOCKED);
  area_merge(m, start, end, dead);
  return r;
}

static uint64_t unlocked_pages(struct mm *m, uint64_t start, uint64_t end) {
  uint64_t n = 0;
  for (struct area *a = mm_find_next_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    if (!(a->flags & MAP_LOCKED) && !area_special(a))
      n += ((a->end < end ? a->end : end) - (a->start > start ? a->start : start)) / PAGE_SIZE;
  return n;
}

/* mlock(2) brings the pages in, and complains where that fails (__mlock_posix_error_return()). The stack, which is
 * mapped as large as it may get, is left alone. */
static int populate(struct task *t, struct mm *m, uint64_t start, uint64_t end) {
  int r = 0;
  for (struct area *a = mm_find_next_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a)) {
    if (area_special(a) || a->kind == AREA_STACK || (a->advice & AREA_SECRET))
      continue;
    if (!(a->prot & (PROT_READ | PROT_WRITE))) {
      r = -ENOMEM;
      continue;
    }
    bool write = (a->prot & PROT_WRITE) && !(a->flags & MAP_SHARED);
    uint64_t from = a->start > start ? a->start : start, to = a->end < end ? a->end : end;
    int e = order_advice(t, from, to, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    if (!e)
      e = plat_flush(t->ctx);
    if (e == -ESRCH)
      return e;
    if (e)
      r = e == -ENOMEM ? -EAGAIN : -ENOMEM;
    a = mm_find_borrow(m, from); /* it parked, but the lock is held */
    if (!a)
      break;
  }
  return r;
}

int64_t mm_mlock(struct task *t, uint64_t addr, uint64_t len, int mode) {
  bool lock = mode != MM_UNLOCK;
  uint64_t start = PAGE_DOWN(addr);
  if (len > UINT64_MAX - PAGE_SIZE || PAGE_ALIGN(len + (addr - start)) < len)
    return -EINVAL;
  uint64_t end = start + PAGE_ALIGN(len + (addr - start));
  if (end < start)
    return -EINVAL;
  if (lock && !task_rlimit(t, RLIMIT_MEMLOCK) && !cred_has_cap(t->cred, CAP_IPC_LOCK_K))
    return -EPERM;
  if (end == start)
    return 0;
  struct mm *m = t->mm;
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  int64_t r = 0;
  if (lock && mm_check_locked(t, m, unlocked_pages(m, start, end)))
    r = -ENOMEM;
  if (!r)
    r = lock_range(t, m, start, end, lock, &dead);
  if (!r && mode == MM_LOCK)
    r = populate(t, m, start, end);
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}

int64_t mm_mlockall(struct task *t, int flags) {
  if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
    return -EINVAL;
  struct mm *m = t->mm;
  uint64_t lim = task_rlimit(t, RLIMIT_MEMLOCK);
  if (flags && !cred_has_cap(t->cred, CAP_IPC_LOCK_K)) {
    if (!lim)
      return -EPERM;
    if ((flags & MCL_CURRENT) && lim != RLIM_INFINITY && m->total_vm > lim / PAGE_SIZE)
      return -ENOMEM;
  }
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  m->lock_future = flags & MCL_FUTURE ? MAP_LOCKED : 0;
  m->lock_on_fault = flags & MCL_ONFAULT;
  if ((flags & MCL_CURRENT) || !flags) {
    struct area *a;
    RB_FOREACH(a, area_tree, &m->areas) {
      if (!area_special(a) && !(a->advice & AREA_SECRET))
        area_set_flags(m, a, flags ? a->flags | MAP_LOCKED : a->flags & ~MAP_LOCKED);
    }
    area_merge(m, 0, UINT64_MAX, &dead);
    if (flags && !(flags & MCL_ONFAULT))
      populate(t, m, 0, UINT64_MAX);
  }
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return 0;
}

/* ---- msync ---- */

int64_t mm_msync(struct task *t, uint64_t addr, uint64_t len, int flags) {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (addr & (PAGE_SIZE - 1)) ||
      ((flags & MS_ASYNC) && (flags & MS_SYNC)))
    return -EINVAL;
  if (len > UINT64_MAX - PAGE_SIZE || addr + PAGE_ALIGN(len) < addr)
    return -ENOMEM;
  uint64_t end = addr + PAGE_ALIGN(len), at = addr;
  struct mm *m = t->mm;
  int r = 0;
  AUTO_FILE last = NULL; /* neighbouring areas often show one file */
  while (at < end) {
    struct area *a = mm_find_next_borrow(m, at); /* looked up anew each time: fsync parks */
    if (!a || a->start >= end)
      r = -ENOMEM;
    if (!a || a->start >= end)
      break;
    if (a->start > at)
      r = -ENOMEM;
    if ((flags & MS_INVALIDATE) && (a->flags & MAP_LOCKED)) {
      r = -EBUSY;
      break;
    }
    at = a->end;
    if (!(flags & MS_SYNC) || !(a->flags & MAP_SHARED) || !a->file || !a->file->ops->fsync || a->file == last)
      continue;
    struct file *f = file_get(a->file);
    file_putp(&last);
    last = f;
    int e = f->ops->fsync(f, true);
    if (e < 0 && e != -EINVAL)
      return e;
  }
  return r;
}
