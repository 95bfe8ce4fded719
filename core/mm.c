#include "area.h"
#include "errno.h"
#include "kernel.h"
#include <stdlib.h>
#include <string.h>

struct mm *mm_get(struct mm *m) {
  ref_get(&m->ref);
  return m;
}

void mm_put(struct mm *m) {
  if (!m || !ref_put(&m->ref))
    return;
  if (m->aio)
    m->aio_free(m->aio);
  struct area *dead = NULL, *a;
  while ((a = RB_ROOT(&m->areas))) {
    RB_REMOVE(area_tree, &m->areas, a);
    a->dead_next = dead;
    dead = a;
  }
  area_free_dead(dead);
  if (m->exe)
    file_put(m->exe);
  if (m->as)
    plat_as_put(m->as);
  free(m);
}

void mm_set_as(struct mm *m, struct plat_ctx *c) {
  struct plat_as *old = m->as;
  m->as = plat_as_get(plat_ctx_as(c));
  if (old)
    plat_as_put(old);
}

/* Locks of memory are not inherited (mlock(2)); areas under MADV_DONTFORK are not either. */
struct mm *mm_dup(struct mm *m) {
  struct mm *n = mm_new();
  if (!n)
    return NULL;
  struct fmutex fresh = n->lock;
  *n = *m;
  ref_init(&n->ref);
  n->lock = fresh;
  RB_INIT(&n->areas);
  n->as = NULL;
  n->aio = NULL; /* contexts are not inherited: io_setup(2) */
  n->nareas = 0;
  n->total_vm = n->peak_vm = n->locked_vm = n->data_vm = n->stack_vm = 0;
  n->lock_future = 0;
  n->gap_from = n->gap_hole = 0;
  if (n->exe)
    file_get(n->exe);
  struct area *a;
  RB_FOREACH(a, area_tree, &m->areas) {
    if (a->advice & AREA_DONTFORK)
      continue;
    struct area *c = area_new(a);
    if (!c) {
      mm_put(n);
      return NULL;
    }
    c->flags &= ~MAP_LOCKED;
    area_insert(n, c);
  }
  return n;
}

uint64_t mm_addr_max(void) {
  struct kernel *k = kernel_current();
  return k && k->plat ? plat_layout(k->plat)->max : 0x7ffffffff000ul;
}

uint64_t mm_addr_min(void) {
  struct kernel *k = kernel_current();
  uint64_t min = k && k->plat ? PAGE_ALIGN(plat_layout(k->plat)->min) : 0;
  return min > MMAP_MIN_ADDR ? min : MMAP_MIN_ADDR;
}

/* ---- limits ---- */

static uint64_t rlimit_pages(struct task *t, int which) {
  uint64_t l = task_rlimit(t, which);
  return l == RLIM_INFINITY ? UINT64_MAX : l / PAGE_SIZE;
}

bool mm_may_expand(struct task *t, struct mm *m, uint64_t pages, bool data) {
  uint64_t as = rlimit_pages(t, RLIMIT_AS);
  if (pages > as || m->total_vm > as - pages)
    return false;
  if (!data)
    return true;
  uint64_t lim = rlimit_pages(t, RLIMIT_DATA);
  return pages <= lim && m->data_vm <= lim - pages;
}

int mm_check_locked(struct task *t, struct mm *m, uint64_t more) {
  if (cred_has_cap(t->cred, CAP_IPC_LOCK_K))
    return 0;
  uint64_t lim = rlimit_pages(t, RLIMIT_MEMLOCK);
  return more <= lim && m->locked_vm <= lim - more ? 0 : -EAGAIN;
}

/* ---- orders ---- */

int mm_commit(struct task *t, struct mm *m) {
  return plat_as_shared(m->as) ? plat_flush(t->ctx) : 0;
}

int mm_order_unmap(struct plat_ctx *c, uint64_t start, uint64_t end) {
  struct plat_order o = {.kind = PLAT_MUNMAP, .addr = start, .len = end - start, .fd = -1};
  return plat_order(c, &o);
}

static int host_prot(int prot) {
  return prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

int mm_place(struct mm *m, struct plat_ctx *c, const struct area *tmpl, int host_flags) {
  struct area *a = area_new(tmpl), *dead = NULL;
  if (!a)
    return -ENOMEM;
  struct plat_order o = {.kind = PLAT_MMAP, .addr = a->start, .len = a->end - a->start, .prot = host_prot(a->prot)};
  o.fd = a->host_fd;
  o.off = a->host_fd >= 0 ? (uint64_t)a->host_off : 0;
  o.flags = MAP_FIXED | MAP_NORESERVE | host_flags;
  o.flags |= a->flags & MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
  if (a->host_fd < 0)
    o.flags |= MAP_ANONYMOUS;
  int r = plat_order(c, &o);
  if (r < 0) {
    a->dead_next = NULL;
    area_free_dead(a);
    return r;
  }
  area_insert(m, a);
  area_merge(m, a->start, a->end, &dead);
  area_free_dead(dead); /* parks not: the merged neighbour holds the same file */
  return 0;
}

/* ---- access to memory of any address space ---- */

ssize_t mm_read(struct mm *m, void *dst, uint64_t addr, size_t len) {
  if (!m || !m->as)
    return -ESRCH;
  mm_prefault(m, addr, len);
  size_t n = area_open_to_others(m, addr, len);
  return n || !len ? plat_read(m->as, dst, addr, n) : -EFAULT;
}

ssize_t mm_write(struct mm *m, uint64_t addr, const void *src, size_t len) {
  if (!m || !m->as)
    return -ESRCH;
  mm_prefault(m, addr, len);
  size_t n = area_open_to_others(m, addr, len);
  return n || !len ? plat_write(m->as, addr, src, n) : -EFAULT;
}
