/* mremap(2). */
#include "area.h"
#include "errno.h"
#include "kernel.h"

struct remap { /* one call, checked */
  struct task *t;
  struct mm *m;
  uint64_t old, old_len, new_len, new_addr;
  int flags;
  struct area *dead;
};

static int check_args(struct remap *r) {
  uint64_t max = mm_addr_max();
  if (r->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
    return -EINVAL;
  if ((r->flags & MREMAP_FIXED) && !(r->flags & MREMAP_MAYMOVE))
    return -EINVAL;
  if ((r->flags & MREMAP_DONTUNMAP) && (!(r->flags & MREMAP_MAYMOVE) || r->old_len != r->new_len))
    return -EINVAL;
  if ((r->old & (PAGE_SIZE - 1)) || r->old_len > max || r->new_len > max)
    return -EINVAL;
  r->old_len = PAGE_ALIGN(r->old_len);
  r->new_len = PAGE_ALIGN(r->new_len);
  if (!r->new_len || r->old > max || r->old_len > max - r->old)
    return -EINVAL;
  if (!(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
    return 0;
  if ((r->flags & MREMAP_FIXED)) {
    if ((r->new_addr & (PAGE_SIZE - 1)) || r->new_len > max || r->new_addr > max - r->new_len)
      return -EINVAL;
    if (r->new_addr < r->old + r->old_len && r->old < r->new_addr + r->new_len)
      return -EINVAL; /* the ranges overlap */
    if (r->new_addr < mm_addr_min())
      return -EPERM;
    for (struct area *a = mm_find_next_borrow(r->m, r->new_addr); a && a->start < r->new_addr + r->new_len;
         a = RB_NEXT(area_tree, &r->m->areas, a))
      if (area_special(a))
        return -EPERM;
  }
  return 0;
}

/* vma_to_resize() */
static int check_area(const struct remap *r, const struct area *a) {
  if (!a)
    return -EFAULT;
  if (area_special(a))
    return -EFAULT;
  if (!r->old_len && !(a->flags & MAP_SHARED))
    return -EINVAL;
  if (r->old_len > a->end - r->old)
    return -EFAULT; /* crosses into another area */
  if (r->new_len <= r->old_len)
    return 0;
  uint64_t more = (r->new_len - r->old_len) / PAGE_SIZE;
  if ((a->flags & MAP_LOCKED) && mm_check_locked(r->t, r->m, more))
    return -EAGAIN;
  if (a->file && a->off + (off_t)(r->old - a->start) > INT64_MAX - (off_t)r->new_len)
    return -EINVAL;
  if (mm_overcommits(r->t, more * PAGE_SIZE, a->prot, a->flags, a->kind))
    return -ENOMEM;
  return mm_may_expand(r->t, r->m, more, area_is_data(a->prot, a->flags, a->kind)) ? 0 : -ENOMEM;
}

static int64_t order_remap(struct remap *r, uint64_t to) {
  struct plat_order o = {
      .kind = PLAT_MREMAP, .addr = r->old, .len = r->old_len, .new_addr = to, .new_len = r->new_len, .fd = -1};
  if (to != r->old)
    o.flags = MREMAP_MAYMOVE | MREMAP_FIXED | (r->flags & MREMAP_DONTUNMAP);
  int e = plat_order(r->t->ctx, &o);
  if (!e)
    e = mm_commit(r->t, r->m);
  return e < 0 ? e : (int64_t)to;
}

static int64_t shrink(struct remap *r) {
  uint64_t end = r->old + r->old_len, cut = r->old + r->new_len;
  int e = area_cut(r->m, cut, end, &r->dead);
  if (!e)
    e = mm_order_unmap(r->t->ctx, cut, end);
  if (!e)
    e = mm_commit(r->t, r->m);
  return e < 0 ? e : (int64_t)r->old;
}

/* In place, if there is room behind. 0: there is none. */
static int64_t grow_here(struct remap *r, struct area *a) {
  uint64_t end = r->old + r->old_len, want = r->old + r->new_len;
  if (end != a->end || want > mm_addr_max() || want < end || !area_range_free(r->m, end, want))
    return 0;
  area_resize(r->m, a, a->start, want);
  int64_t e = order_remap(r, r->old);
  if (e < 0) {
    area_resize(r->m, a, a->start, end);
    return e;
  }
  area_merge(r->m, r->old, want, &r->dead);
  return e;
}

/* Where the area goes: the fixed place, cleared of what was there, or a gap. Host mremap clears the place by itself. */
static int64_t destination(struct remap *r) {
  struct mm *m = r->m;
  if (r->flags & MREMAP_FIXED) {
    int e = area_cut(m, r->new_addr, r->new_addr + r->new_len, &r->dead);
    return e < 0 ? e : (int64_t)r->new_addr;
  }
  uint64_t min = mm_addr_min();
  if ((r->flags & MREMAP_DONTUNMAP) && r->new_addr >= min && !(r->new_addr & (PAGE_SIZE - 1)) &&
      r->new_addr <= mm_addr_max() - r->new_len && area_range_free(m, r->new_addr, r->new_addr + r->new_len))
    return (int64_t)r->new_addr; /* a hint */
  uint64_t at = area_gap_down(m, r->new_len, min);
  return at ? (int64_t)at : -ENOMEM;
}

static int64_t duplicate_shared(struct remap *r, const struct area *tmpl, uint64_t to) {
  int e = mm_place(r->m, r->t->ctx, tmpl, 0);
  if (!e)
    e = mm_commit(r->t, r->m);
  return e < 0 ? e : (int64_t)to;
}

static int64_t move(struct remap *r, const struct area *from) {
  struct mm *m = r->m;
  struct area tmpl = *from;
  uint64_t delta = r->old - from->start;
  struct file *f = tmpl.file ? file_get(tmpl.file) : NULL; /* the area may go away below */
  int64_t ret = destination(r);
  if (ret < 0)
    goto out;
  uint64_t to = (uint64_t)ret;
  tmpl.start = to;
  tmpl.end = to + r->new_len;
  tmpl.off += (off_t)delta;
  tmpl.host_off += (off_t)delta;
  tmpl.checked = NULL;
  if (!r->old_len) {
    ret = duplicate_shared(r, &tmpl, to);
    goto out;
  }
  struct area *n = area_new(&tmpl);
  ret = -ENOMEM;
  if (!n || m->nareas + 3 >= mm_max_areas())
    goto out_free;
  bool keep = r->flags & MREMAP_DONTUNMAP;
  struct area *moved = NULL;
  if (!keep && area_cut(m, r->old, r->old + r->old_len, &moved))
    goto out_free;
  area_insert(m, n);
  m->moved = (struct mm_moved){r->old, r->old_len, to, r->new_len, keep};
  ret = order_remap(r, to);
  if (ret < 0) { /* put it back as it was; nobody else has run with the lock held */
    area_unlink(m, n);
    while (moved) {
      struct area *a = moved;
      moved = a->dead_next;
      a->dead_next = NULL;
      area_insert(m, a);
    }
    goto out_free;
  }
  for (struct area *a; (a = moved);) {
    moved = a->dead_next;
    a->dead_next = r->dead;
    r->dead = a;
  }
  area_merge(m, to, to + r->new_len, &r->dead);
  n = NULL;
out_free:
  if (n) {
    n->dead_next = r->dead;
    r->dead = n;
  }
out:
  if (f)
    file_put(f);
  return ret;
}

static int64_t remap_locked(struct remap *r) {
  int e = check_args(r);
  if (e < 0)
    return e;
  struct area *a = mm_find_borrow(r->m, r->old);
  bool fixed = r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
  if (!a || area_special(a))
    return -EFAULT;
  if (area_any_sealed(r->m, r->old, r->old + (r->old_len ? r->old_len : 1)) ||
      ((r->flags & MREMAP_FIXED) && area_any_sealed(r->m, r->new_addr, r->new_addr + r->new_len)))
    return -EPERM;
  if (!fixed && r->new_len <= r->old_len) {
    if (mm_check_mapped(r->m, r->old, r->old_len) && r->new_len == r->old_len)
      return -EFAULT;
    return r->new_len == r->old_len ? (int64_t)r->old : shrink(r);
  }
  if (r->new_len < r->old_len) { /* MREMAP_FIXED: the tail goes first */
    int64_t s = shrink(r);
    if (s < 0)
      return s;
    r->old_len = r->new_len;
    a = mm_find_borrow(r->m, r->old);
  }
  e = check_area(r, a);
  if (e < 0)
    return e;
  if ((r->flags & MREMAP_DONTUNMAP) && (a->flags & MAP_LOCKED))
    area_set_flags(r->m, a, a->flags & ~MAP_LOCKED);
  if (!fixed && r->old_len) {
    int64_t here = grow_here(r, a);
    if (here)
      return here;
  }
  return r->flags & MREMAP_MAYMOVE ? move(r, a) : -ENOMEM;
}

int64_t mm_mremap(struct task *t, uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t new_addr) {
  struct remap r = {t, t->mm, old, old_len, new_len, new_addr, flags, NULL};
  fmutex_lock(&r.m->lock);
  int64_t ret = remap_locked(&r);
  fmutex_unlock(&r.m->lock);
  area_free_dead(r.dead);
  return ret;
}
