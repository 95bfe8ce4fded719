/* What happens to an address space from outside of the calls on it: faults, refused orders, and pages to bring in. */
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include <stdlib.h>
#include <string.h>

#define STACK_GROWTH (256 * 1024ul) /* at once; a fault in the guest costs a notification */

bool mm_stack_grow(struct task *t, struct mm *m, struct plat_ctx *c, uint64_t addr) {
  struct area *a = mm_find_next_borrow(m, addr);
  if (!a || a->start <= addr || !area_is_stack(a) || addr < mm_addr_min())
    return false;
  uint64_t start = PAGE_DOWN(addr), lim = task_rlimit(t, RLIMIT_STACK);
  if (a->end - start > lim || a->end - start > (1ul << 40))
    return false;
  struct area *below = RB_PREV(area_tree, &m->areas, a);
  uint64_t floor = mm_addr_min();
  if (below)
    floor = below->end + (below->prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? STACK_GUARD_GAP : 0);
  if (start < floor)
    return false;
  uint64_t more = a->start - start > STACK_GROWTH ? start : a->start - STACK_GROWTH;
  if (more < a->start && more >= floor && a->end - more <= lim)
    start = more;
  uint64_t pages = (a->start - start) / PAGE_SIZE;
  if (!mm_may_expand(t, m, pages, false) || ((a->flags & MAP_LOCKED) && mm_check_locked(t, m, pages)))
    return false;
  struct plat_order o = {.kind = PLAT_MMAP, .addr = start, .len = a->start - start, .prot = a->prot, .fd = -1};
  o.flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (plat_order(c, &o))
    return false;
  if (a->end == m->stack_end)
    m->stack_start = start;
  area_resize(m, a, start, a->end);
  return true;
}

bool mm_fault(struct task *t, const struct plat_event *ev, int *sig, int *code) {
  struct mm *m = t->mm;
  *sig = ev->fault.signo;
  *code = ev->fault.code;
  if (ev->fault.signo != SIGSEGV || !m || ev->fault.code != SEGV_MAPERR)
    return false;
  fmutex_lock(&m->lock);
  bool grew = mm_stack_grow(t, m, t->ctx, ev->fault.addr) && mm_commit(t, m) >= 0;
  fmutex_unlock(&m->lock);
  return grew;
}

#define STACK_KEEP (64 * 1024ul) /* below the stack pointer: what the caller may be about to use */

void mm_stack_limit(struct task *t) {
  struct mm *m = t->mm;
  struct plat_regs regs;
  uint64_t lim = task_rlimit(t, RLIMIT_STACK);
  if (!m || !t->ctx || m->stack_end - m->stack_start <= lim || plat_as_shared(m->as) ||
      plat_get_regs(t->ctx, &regs) < 0)
    return;
  fmutex_lock(&m->lock);
  struct area *a = mm_find_borrow(m, m->stack_end - 1);
  /* Only what lies well below the stack in use, or a smaller limit would take live frames away. */
  if (a && area_is_stack(a) && regs.rsp > a->start && regs.rsp < a->end) {
    uint64_t keep = a->end - PAGE_DOWN(regs.rsp) + STACK_KEEP, old = a->start;
    if (keep < PAGE_ALIGN(lim))
      keep = PAGE_ALIGN(lim);
    if (keep < a->end - old) {
      area_resize(m, a, a->end - keep, a->end);
      m->stack_start = a->start;
      mm_order_unmap(t->ctx, old, a->start);
      plat_flush(t->ctx);
    }
  }
  fmutex_unlock(&m->lock);
}

/* ---- refused orders ---- */

static void undo_move(struct mm *m, struct area **dead) {
  struct mm_moved v = m->moved;
  struct area *a = mm_find_borrow(m, v.to);
  if (!a || v.kept) {
    area_cut(m, v.to, v.to + v.to_len, dead);
    return;
  }
  struct area tmpl = *a;
  tmpl.off += (off_t)(v.to - a->start);
  tmpl.host_off += (off_t)(v.to - a->start);
  tmpl.start = v.from;
  tmpl.end = v.from + v.from_len;
  struct area *back = area_new(&tmpl);
  area_cut(m, v.to, v.to + v.to_len, dead);
  if (back) {
    area_cut(m, v.from, v.from + v.from_len, dead);
    area_insert(m, back);
  }
}

static void undo_growth(struct mm *m, const struct plat_event *ev) {
  struct area *a = mm_find_borrow(m, ev->failed.addr);
  uint64_t end = ev->failed.addr + ev->failed.len;
  if (a && a->end > end && end > a->start)
    area_resize(m, a, a->start, end);
}

/*
 * The host's memory is the truth; the map is made to say no more than there is. Of a refused munmap or mprotect
 * nothing needs undoing: the guest can only reach what was its own.
 */
int64_t mm_order_failed(struct task *t, const struct plat_event *ev) {
  struct mm *m = t->mm;
  uint64_t start = ev->failed.addr, end = start + ev->failed.len;
  int64_t ret = -ev->failed.err;
  struct area *dead = NULL;
  fmutex_lock(&m->lock);
  switch (ev->failed.kind) {
  case PLAT_MMAP:
    area_cut(m, start, end, &dead);
    if (start >= m->brk_start && end == PAGE_ALIGN(m->brk)) {
      m->brk = start;
      ret = (int64_t)start; /* brk(2) has no errors, it says where the end is */
    }
    mm_order_unmap(t->ctx, start, end); /* what it should have replaced may be there still, or not */
    plat_flush(t->ctx);
    break;
  case PLAT_MREMAP:
    if (m->moved.from == start && m->moved.from_len == ev->failed.len && m->moved.to_len)
      undo_move(m, &dead);
    else
      undo_growth(m, ev);
    break;
  case PLAT_RSEQ:
    t->rseq = (struct rseq_reg){0};
    break;
  }
  m->moved = (struct mm_moved){0};
  fmutex_unlock(&m->lock);
  area_free_dead(dead);
  return ret;
}

/* ---- pages of host files ---- */

#define CHUNK (64 * 1024ul)
#define CHUNK_SHIFT 16
#define MAX_CHECKED (8ul << 30)              /* larger areas are checked each time */
#define CHECKED_VALID_NS (10 * 1000000000ll) /* the host may evict pages: look again now and then */

static bool may_block(const struct area *a) {
  return a->host_fd >= 0 && a->file && a->file->ops->may_block_mmap;
}

static bool is_checked(struct area *a, uint64_t chunk) {
  if (!a->checked)
    return false;
  if (loop_now() - a->checked_at > CHECKED_VALID_NS) {
    free(a->checked);
    a->checked = NULL;
    return false;
  }
  return a->checked[chunk / 8] >> (chunk % 8) & 1;
}

static void set_checked(struct area *a, uint64_t chunk) {
  uint64_t len = a->end - a->start;
  if (len > MAX_CHECKED)
    return;
  if (!a->checked) {
    a->checked = calloc(1, (len >> CHUNK_SHIFT) / 8 + 1);
    a->checked_at = loop_now();
  }
  if (a->checked)
    a->checked[chunk / 8] |= (uint8_t)(1u << (chunk % 8));
}

/* Read the bytes into a scratch buffer: from the page cache if it has them, else through the ring, which parks. */
static void bring_in(int fd, off_t off, size_t len) {
  char *buf = malloc(len);
  if (!buf)
    return;
  size_t done = 0;
  while (done < len) {
    struct iovec v = {buf + done, len - done};
    ssize_t n = preadv2(fd, &v, 1, off + (off_t)done, RWF_NOWAIT);
    if (n < 0)
      n = loop_readv(fd, &v, 1, off + (off_t)done);
    if (n <= 0)
      break; /* the end of the file, or an error that the copy will meet too */
    done += (size_t)n;
  }
  free(buf);
}

void mm_prefault(struct mm *m, uint64_t addr, size_t len) {
  uint64_t end = addr + len;
  if (!len || end < addr)
    return;
  while (addr < end) {
    struct area *a = mm_find_next_borrow(m, addr);
    if (!a || a->start >= end)
      return;
    if (!may_block(a)) {
      addr = a->end;
      continue;
    }
    uint64_t at = addr > a->start ? addr : a->start, chunk = (at - a->start) >> CHUNK_SHIFT;
    uint64_t from = a->start + (chunk << CHUNK_SHIFT), to = a->end - from > CHUNK ? from + CHUNK : a->end;
    addr = to;
    if (is_checked(a, chunk))
      continue;
    uint64_t area_start = a->start, area_end = a->end;
    struct file *f = file_get(a->file);
    bring_in(a->host_fd, a->host_off + (off_t)(from - a->start), to - from);
    a = mm_find_borrow(m, from); /* the map may be another after the park */
    if (a && a->file == f && a->start == area_start && a->end == area_end)
      set_checked(a, chunk);
    file_put(f);
  }
}
