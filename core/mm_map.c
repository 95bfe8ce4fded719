/* mmap(2), munmap(2), mprotect(2), brk(2). */
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include <stdlib.h>
#include <string.h>

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MAP_32BIT_LO 0x40000000ul
#define MAP_32BIT_HI 0x80000000ul
#define KERNEL_MS_NOEXEC 8
#define HUGE_PAGE (2ul << 20)

/* The range is within what guests may map. len > 0 and page aligned. */
static bool range_ok(uint64_t addr, uint64_t len) {
  uint64_t max = mm_addr_max();
  return !(addr & (PAGE_SIZE - 1)) && len <= max && addr <= max - len;
}

static bool range_has_special(struct mm *m, uint64_t start, uint64_t end) {
  for (struct area *a = mm_find_next_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    if (area_special(a))
      return true;
  return false;
}

static bool is_noexec(const struct file *f) {
  struct kernel *k = kernel_current();
  return k->hooks.file_mount_flags && (k->hooks.file_mount_flags(f) & KERNEL_MS_NOEXEC);
}

/* The checks of do_mmap() in their order, for a file. */
static int check_file(const struct file *f, int prot, int flags, int *max_prot) {
  if (flags & MAP_SHARED) {
    if ((prot & PROT_WRITE) && !file_can_write(f))
      return -EACCES;
    if (!file_can_write(f))
      *max_prot &= ~PROT_WRITE;
  }
  if (!file_can_read(f))
    return -EACCES;
  if (is_noexec(f)) {
    if (prot & PROT_EXEC)
      return -EPERM;
    *max_prot &= ~PROT_EXEC;
  }
  if (!f->ops->mmap)
    return -ENODEV;
  return 0;
}

/* Fill in what backs the area. May park. *own is a file to drop afterwards. */
static int back_area(struct area *a, struct file *f, uint64_t len, int prot, int flags, off_t off, struct file **own) {
  a->host_fd = -1;
  a->kind = AREA_ANON;
  if (f) {
    off_t host_off = off;
    if (f->ops->secret && !(flags & MAP_SHARED))
      return -EINVAL;
    int fd = f->ops->mmap(f, prot, flags & (MAP_SHARED | MAP_PRIVATE), off, len, &host_off);
    if (fd >= 0) {
      a->file = f;
      a->kind = AREA_FILE;
      a->off = off;
      a->host_fd = fd;
      a->host_off = host_off;
      if (f->ops->secret) {
        a->advice |= AREA_SECRET | AREA_DONTDUMP;
        a->flags |= MAP_LOCKED;
      }
      return 0;
    }
    if (fd != MMAP_ANON)
      return fd;
  }
  if (!(flags & MAP_SHARED)) {
    if ((flags & MAP_GROWSDOWN))
      a->kind = AREA_STACK;
    return 0;
  }
  struct kernel *k = kernel_current();
  if (!k->hooks.shm_file)
    return -ENODEV;
  int r = k->hooks.shm_file(len, "/dev/zero", own);
  if (r < 0)
    return r;
  off_t host_off = 0;
  int fd = (*own)->ops->mmap ? (*own)->ops->mmap(*own, prot, MAP_SHARED, 0, len, &host_off) : -ENODEV;
  if (fd < 0)
    return fd == MMAP_ANON ? -ENODEV : fd;
  a->file = *own;
  a->kind = AREA_SHM;
  a->off = 0;
  a->host_fd = fd;
  a->host_off = host_off;
  return 0;
}

/* get_unmapped_area(): an address for len bytes, or -ENOMEM. */
static int64_t choose(struct mm *m, uint64_t addr, uint64_t len, int flags, bool anon) {
  uint64_t min = mm_addr_min(), max = mm_addr_max();
  if (len > max - min)
    return -ENOMEM;
  if (flags & MAP_32BIT) {
    uint64_t at = area_gap_up(m, len, MAP_32BIT_LO, MAP_32BIT_HI);
    return at ? (int64_t)at : -ENOMEM;
  }
  if (addr) { /* a hint */
    addr = PAGE_ALIGN(addr);
    if (addr >= min && addr <= max - len && area_range_free(m, addr, addr + len))
      return (int64_t)addr;
  }
  uint64_t at = 0;
  if (anon && !(len & (HUGE_PAGE - 1))) { /* so that the host can back it with huge pages, as Linux 6.7 does */
    at = area_gap_down(m, len + HUGE_PAGE - PAGE_SIZE, min);
    at = (at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
  }
  if (!at)
    at = area_gap_down(m, len, min);
  if (!at)
    at = area_gap_up(m, len, PAGE_ALIGN(max / 3), max); /* TASK_UNMAPPED_BASE, as Linux falls back */
  return at ? (int64_t)at : -ENOMEM;
}

static int64_t choose_checked(struct mm *m, uint64_t addr, uint64_t len, int flags, bool anon) {
  if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
    return choose(m, addr, len, flags, anon);
  if (addr & (PAGE_SIZE - 1))
    return -EINVAL;
  if (!range_ok(addr, len))
    return -ENOMEM;
  if (addr < mm_addr_min())
    return -EPERM;
  if (flags & MAP_FIXED_NOREPLACE) {
    struct area *a = mm_find_next_borrow(m, addr);
    if (a && a->start < addr + len)
      return -EEXIST;
  } else if (range_has_special(m, addr, addr + len)) {
    return -EPERM;
  }
  return (int64_t)addr;
}

/* Locked memory is brought in at once, unless locked by mlockall(MCL_ONFAULT). */
static bool populates(const struct mm *m, const struct area *a, int flags) {
  if (a->advice & AREA_SECRET)
    return false;
  if (flags & MAP_POPULATE)
    return !(flags & MAP_NONBLOCK);
  return (a->flags & MAP_LOCKED) && ((flags & MAP_LOCKED) || !m->lock_on_fault);
}

static int64_t map_locked(struct task *t, struct mm *m, struct area *tmpl, uint64_t addr, uint64_t len, int flags) {
  int64_t at = choose_checked(m, addr, len, flags, tmpl->kind == AREA_ANON);
  if (at < 0)
    return at;
  uint64_t start = (uint64_t)at, end = start + len, replaced = 0;
  if (flags & MAP_FIXED)
    replaced = area_pages_in(m, start, end);
  if (replaced && area_any_sealed(m, start, end))
    return -EPERM;
  bool data = area_is_data(tmpl->prot, tmpl->flags, tmpl->kind);
  if (!mm_may_expand(t, m, len / PAGE_SIZE - replaced, data) || m->nareas >= mm_max_areas() ||
      mm_overcommits(t, len, tmpl->prot, tmpl->flags, tmpl->kind))
    return -ENOMEM;
  if (tmpl->flags & MAP_LOCKED) {
    int r = mm_check_locked(t, m, len / PAGE_SIZE);
    if (r < 0)
      return r;
  }
  m->has_secret |= tmpl->advice & AREA_SECRET;
  struct area *dead = NULL;
  int r = replaced ? area_cut(m, start, end, &dead) : 0;
  tmpl->start = start;
  tmpl->end = end;
  if (!r)
    r = mm_place(m, t->ctx, tmpl, populates(m, tmpl, flags) ? MAP_POPULATE : 0);
  if (!r)
    r = mm_commit(t, m);
  if (r < 0 && (dead || r != -ENOMEM || mm_find_borrow(m, start))) {
    area_cut(m, start, end, &dead);
    mm_order_unmap(t->ctx, start, end);
    plat_flush(t->ctx);
  }
  area_free_dead(dead);
  return r < 0 ? r : at;
}

int64_t mm_mmap(struct task *t, uint64_t addr, uint64_t len, int prot, int flags, struct file *f, off_t off) {
  struct mm *m = t->mm;
  struct area tmpl = {.prot = prot & PROT_ALL, .max_prot = PROT_ALL};
  if (!len)
    return -EINVAL;
  int type = flags & MAP_TYPE;
  if (type == MAP_SHARED_VALIDATE) {
    const int known = MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |
                      MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |
                      MAP_HUGETLB | MAP_FIXED_NOREPLACE | 0x7c000000 /* huge page sizes, MAP_UNINITIALIZED */;
    if (flags & ~known)
      return -EOPNOTSUPP;
    type = MAP_SHARED;
  }
  if (type != MAP_SHARED && type != MAP_PRIVATE)
    return -EINVAL;
  if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && !f)
    return -EINVAL;
  if ((flags & MAP_SYNC) && f && type == MAP_SHARED)
    return -EOPNOTSUPP; /* no file system here is DAX */
  if (flags & MAP_HUGETLB)
    return f ? -EINVAL : -ENOMEM; /* no page is reserved in any pool */
  flags = (flags & ~MAP_TYPE) | type;
  if (len > UINT64_MAX - PAGE_SIZE)
    return -ENOMEM;
  len = PAGE_ALIGN(len);
  if (off < 0 || (uint64_t)off + len < (uint64_t)off || (f && (uint64_t)off + len > INT64_MAX))
    return -EOVERFLOW;
  if ((flags & MAP_GROWSDOWN) && (f || type == MAP_SHARED))
    return -EINVAL;
  if (len > mm_addr_max())
    return -ENOMEM;
  if (!f)
    off = 0;
  tmpl.flags = (flags & AREA_KEEP_FLAGS) | m->lock_future;
  if ((flags & MAP_LOCKED) && !cred_has_cap(t->cred, CAP_IPC_LOCK_K) && !task_rlimit(t, RLIMIT_MEMLOCK))
    return -EPERM;
  int r = f ? check_file(f, prot, flags, &tmpl.max_prot) : 0;
  if (r < 0)
    return r;
  struct file *own = NULL;
  int64_t ret = back_area(&tmpl, f, len, prot, flags, off, &own);
  if (!ret) {
    fmutex_lock(&m->lock);
    ret = map_locked(t, m, &tmpl, addr, len, flags);
    fmutex_unlock(&m->lock);
  }
  if (own)
    file_put(own);
  return ret;
}

int64_t mm_map_owned(struct task *t, uint64_t addr, uint64_t len, int prot, int max_prot, int flags, struct file *f,
                     struct area_owner *owner) {
  struct mm *m = t->mm;
  struct area tmpl = {.prot = prot, .max_prot = max_prot, .owner = owner};
  len = PAGE_ALIGN(len);
  if (!len || len > mm_addr_max())
    return -ENOMEM;
  tmpl.flags = (flags & AREA_KEEP_FLAGS) | m->lock_future;
  int64_t r = back_area(&tmpl, f, len, prot, flags, 0, NULL);
  if (r)
    return r;
  fmutex_lock(&m->lock);
  r = map_locked(t, m, &tmpl, addr, len, flags);
  fmutex_unlock(&m->lock);
  return r;
}

static int64_t unmap_locked(struct task *t, struct mm *m, uint64_t start, uint64_t end, struct area **dead) {
  struct area *a = mm_find_next_borrow(m, start);
  if (!a || a->start >= end)
    return 0;
  if (range_has_special(m, start, end))
    return -EINVAL;
  if (area_any_sealed(m, start, end))
    return -EPERM;
  if (a->start < start && a->end > end && m->nareas >= mm_max_areas())
    return -ENOMEM;
  int r = area_cut(m, start, end, dead);
  if (!r)
    r = mm_order_unmap(t->ctx, start, end);
  return r < 0 ? r : mm_commit(t, m);
}

int64_t mm_munmap(struct task *t, uint64_t addr, uint64_t len) {
  if (!len || len > UINT64_MAX - PAGE_SIZE)
    return -EINVAL;
  len = PAGE_ALIGN(len);
  if (!range_ok(addr, len))
    return -EINVAL;
  struct mm *m = t->mm;
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  int64_t r = unmap_locked(t, m, addr, addr + len, &dead);
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}

/* ---- mprotect ---- */

/* How far from start the change can be made: *end is cut at the first hole or refusal. 0 or the error of that. */
static int protect_check(struct task *t, struct mm *m, uint64_t start, uint64_t *end, int prot) {
  uint64_t at = start, grow = 0;
  int r = 0;
  struct area *a = mm_find_next_borrow(m, start);
  for (; at < *end; a = RB_NEXT(area_tree, &m->areas, a)) {
    if (!a || a->start > at) {
      r = -ENOMEM;
      break;
    }
    if (area_special(a) || (prot & ~a->max_prot)) {
      r = -EACCES;
      break;
    }
    if (a->advice & AREA_SEALED) {
      r = -EPERM;
      break;
    }
    uint64_t stop = a->end < *end ? a->end : *end;
    if (area_is_data(prot, a->flags, a->kind) && !(a->prot & PROT_WRITE)) {
      grow += (stop - at) / PAGE_SIZE;
      uint64_t lim = task_rlimit(t, RLIMIT_DATA);
      if (lim != RLIM_INFINITY && m->data_vm + grow > lim / PAGE_SIZE) {
        r = -ENOMEM;
        break;
      }
    }
    at = stop;
  }
  *end = at < *end ? at : *end;
  return r;
}

static int64_t protect_locked(struct task *t, struct mm *m, uint64_t start, uint64_t end, int prot,
                              struct area **dead) {
  int refused = protect_check(t, m, start, &end, prot);
  if (end == start)
    return refused;
  struct area *first = mm_find_borrow(m, start);
  if (first->end >= end && first->prot == prot)
    return refused; /* nothing changes */
  if (m->nareas + 2 >= mm_max_areas())
    return -ENOMEM;
  if (area_split_at(m, start) || area_split_at(m, end))
    return -ENOMEM;
  for (struct area *a = mm_find_borrow(m, start); a && a->start < end; a = RB_NEXT(area_tree, &m->areas, a))
    area_set_prot(m, a, prot);
  area_merge(m, start, end, dead);
  struct plat_order o = {.kind = PLAT_MPROTECT, .addr = start, .len = end - start, .prot = prot, .fd = -1};
  int r = plat_order(t->ctx, &o);
  if (!r)
    r = mm_commit(t, m);
  return r < 0 ? r : refused;
}

int64_t mm_mprotect(struct task *t, uint64_t addr, uint64_t len, int prot) {
  const int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  prot &= ~(PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || (addr & (PAGE_SIZE - 1)))
    return -EINVAL;
  if (!len)
    return 0;
  if (len > UINT64_MAX - PAGE_SIZE || addr + PAGE_ALIGN(len) <= addr || addr + PAGE_ALIGN(len) > mm_addr_max())
    return -ENOMEM;
  if (prot & ~(PROT_ALL | 8 /* PROT_SEM */))
    return -EINVAL;
  prot &= PROT_ALL;
  uint64_t start = addr, end = addr + PAGE_ALIGN(len);
  struct mm *m = t->mm;
  struct area *dead = NULL;
  int64_t r = 0;
  fmutex_lock(&m->lock);
  if (grows) {
    struct area *a = mm_find_next_borrow(m, start);
    if (!a || a->start >= end)
      r = -ENOMEM;
    else if (grows == PROT_GROWSUP || !area_is_stack(a))
      r = -EINVAL;
    else
      start = a->start;
  }
  if (!r)
    r = protect_locked(t, m, start, end, prot, &dead);
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}

/* ---- brk ---- */

static bool brk_allowed(struct task *t, struct mm *m, uint64_t brk) {
  uint64_t lim = task_rlimit(t, RLIMIT_DATA);
  if (lim == RLIM_INFINITY)
    return true;
  uint64_t data = m->data_end - m->data_start, heap = brk - m->brk_start;
  return heap <= lim && data <= lim - heap;
}

static bool brk_grow(struct task *t, struct mm *m, uint64_t from, uint64_t to) {
  struct area *next = mm_find_next_borrow(m, from);
  if (to > mm_addr_max() || !area_range_free(m, from, to) || (next && next->start < to + PAGE_SIZE))
    return false; /* a page is kept between the heap and what follows, as Linux does */
  if (!mm_may_expand(t, m, (to - from) / PAGE_SIZE, true) || m->nareas >= mm_max_areas() ||
      mm_overcommits(t, to - from, PROT_WRITE, MAP_PRIVATE, AREA_HEAP))
    return false;
  struct area tmpl = {.start = from,
                      .end = to,
                      .prot = PROT_READ | PROT_WRITE,
                      .max_prot = PROT_ALL,
                      .flags = MAP_PRIVATE | m->lock_future,
                      .kind = AREA_HEAP,
                      .host_fd = -1};
  if ((tmpl.flags & MAP_LOCKED) && mm_check_locked(t, m, (to - from) / PAGE_SIZE))
    return false;
  if (mm_place(m, t->ctx, &tmpl, populates(m, &tmpl, 0) ? MAP_POPULATE : 0))
    return false;
  if (!mm_commit(t, m))
    return true;
  struct area *dead = NULL;
  area_cut(m, from, to, &dead);
  area_free_dead(dead);
  return false;
}

int64_t mm_brk(struct task *t, uint64_t brk) {
  struct mm *m = t->mm;
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  if (brk < m->brk_start || brk > mm_addr_max() || !brk_allowed(t, m, brk))
    goto out;
  uint64_t from = PAGE_ALIGN(m->brk), to = PAGE_ALIGN(brk);
  bool ok = true;
  if (to > from)
    ok = brk_grow(t, m, from, to);
  else if (to < from)
    ok = unmap_locked(t, m, to, from, &dead) >= 0;
  if (ok)
    m->brk = brk;
out:;
  int64_t r = (int64_t)m->brk;
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return r;
}
