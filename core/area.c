#include "area.h"
#include "errno.h"
#include <stdlib.h>
#include <string.h>

int area_cmp(const struct area *a, const struct area *b) {
  return a->start < b->start ? -1 : a->start > b->start;
}
RB_GENERATE(area_tree, area, link, area_cmp)

struct mm *mm_new(void) {
  struct mm *m = calloc(1, sizeof *m);
  if (!m)
    return NULL;
  ref_init(&m->ref);
  RB_INIT(&m->areas);
  fmutex_init(&m->lock);
  return m;
}

struct area *area_new(const struct area *tmpl) {
  struct area *a = malloc(sizeof *a);
  if (!a)
    return NULL;
  *a = *tmpl;
  a->checked = NULL;
  a->dead_next = NULL;
  if (a->file)
    file_get(a->file);
  if (a->owner)
    a->owner->opened(a->owner);
  return a;
}

void area_free_dead(struct area *list) {
  while (list) {
    struct area *a = list;
    list = a->dead_next;
    if (a->file)
      file_put(a->file);
    if (a->owner)
      a->owner->closed(a->owner);
    free(a->checked);
    free(a);
  }
}

/* ---- lookups ---- */

struct area *mm_find_next_borrow(struct mm *m, uint64_t addr) {
  struct area *best = NULL;
  for (struct area *a = RB_ROOT(&m->areas); a;) {
    if (a->end > addr) {
      best = a;
      if (a->start <= addr)
        break;
      a = RB_LEFT(a, link);
    } else {
      a = RB_RIGHT(a, link);
    }
  }
  return best;
}

struct area *mm_find_borrow(struct mm *m, uint64_t addr) {
  struct area *a = mm_find_next_borrow(m, addr);
  return a && a->start <= addr ? a : NULL;
}

/* The last area that starts below addr. */
static struct area *area_below(const struct mm *m, uint64_t addr) {
  struct area *best = NULL;
  for (struct area *a = RB_ROOT(&m->areas); a;) {
    if (a->start < addr) {
      best = a;
      a = RB_RIGHT(a, link);
    } else {
      a = RB_LEFT(a, link);
    }
  }
  return best;
}

int mm_check_mapped(struct mm *m, uint64_t addr, uint64_t len) {
  uint64_t end = addr + len;
  for (struct area *a = mm_find_next_borrow(m, addr); a && a->start <= addr; a = RB_NEXT(area_tree, &m->areas, a)) {
    if (a->end >= end)
      return 0;
    addr = a->end;
  }
  return len ? -ENOMEM : 0;
}

uint64_t area_pages_in(const struct mm *m, uint64_t start, uint64_t end) {
  uint64_t n = 0;
  for (struct area *a = mm_find_next_borrow((struct mm *)m, start); a && a->start < end;
       a = RB_NEXT(area_tree, &m->areas, a)) {
    uint64_t s = a->start > start ? a->start : start, e = a->end < end ? a->end : end;
    n += (e - s) / PAGE_SIZE;
  }
  return n;
}

/* ---- changes ---- */

static void account(struct mm *m, const struct area *a, int sign) {
  uint64_t n = area_pages(a) * (uint64_t)sign; /* wraps to a subtraction */
  m->total_vm += n;
  if (m->total_vm > m->peak_vm)
    m->peak_vm = m->total_vm;
  if (a->flags & MAP_LOCKED)
    m->locked_vm += n;
  if (area_is_stack(a))
    m->stack_vm += n;
  else if (area_is_data(a->prot, a->flags, a->kind))
    m->data_vm += n;
}

/* Room appeared at [start, end): the search may begin there again, see area_gap_down(). */
static void gap_opened(struct mm *m, uint64_t end) {
  if (end <= m->gap_from)
    return;
  struct area *next = mm_find_next_borrow(m, end);
  uint64_t top = next ? next->start : m->mmap_top;
  m->gap_from = top < m->mmap_top ? top : m->mmap_top;
  if (m->gap_from == m->mmap_top)
    m->gap_hole = 0;
}

static void note_own_pages(struct area *a) {
  if (a->file && (a->prot & PROT_WRITE) && !(a->flags & MAP_SHARED))
    a->advice |= AREA_OWN_PAGES;
}

void area_insert(struct mm *m, struct area *a) {
  note_own_pages(a);
  RB_INSERT(area_tree, &m->areas, a);
  m->nareas++;
  account(m, a, 1);
}

void area_unlink(struct mm *m, struct area *a) {
  RB_REMOVE(area_tree, &m->areas, a);
  m->nareas--;
  account(m, a, -1);
  gap_opened(m, a->end);
}

void area_set_prot(struct mm *m, struct area *a, int prot) {
  account(m, a, -1);
  a->prot = prot;
  note_own_pages(a);
  account(m, a, 1);
}

void area_set_flags(struct mm *m, struct area *a, int flags) {
  account(m, a, -1);
  a->flags = flags;
  account(m, a, 1);
}

static void drop_checked(struct area *a) {
  free(a->checked);
  a->checked = NULL;
}

/* The order of starts does not change, so the tree stays as it is. */
void area_resize(struct mm *m, struct area *a, uint64_t start, uint64_t end) {
  uint64_t old_end = a->end;
  account(m, a, -1);
  a->off += (off_t)(start - a->start);
  a->host_off += (off_t)(start - a->start);
  a->start = start;
  a->end = end;
  drop_checked(a);
  account(m, a, 1);
  if (end < old_end)
    gap_opened(m, old_end);
}

int area_split_at(struct mm *m, uint64_t addr) {
  struct area *a = mm_find_borrow(m, addr);
  if (!a || a->start == addr)
    return 0;
  struct area *hi = area_new(a);
  if (!hi)
    return -ENOMEM;
  hi->start = addr;
  hi->off += (off_t)(addr - a->start);
  hi->host_off += (off_t)(addr - a->start);
  account(m, a, -1);
  a->end = addr;
  drop_checked(a);
  account(m, a, 1);
  area_insert(m, hi);
  return 0;
}

int area_cut(struct mm *m, uint64_t start, uint64_t end, struct area **dead) {
  if (start >= end)
    return 0;
  if (area_split_at(m, start) || area_split_at(m, end))
    return -ENOMEM;
  struct area *a = mm_find_next_borrow(m, start);
  while (a && a->start < end) {
    struct area *next = RB_NEXT(area_tree, &m->areas, a);
    area_unlink(m, a);
    a->dead_next = *dead;
    *dead = a;
    a = next;
  }
  return 0;
}

static bool mergeable(const struct area *a, const struct area *b) {
  if (a->end != b->start || a->prot != b->prot || a->flags != b->flags || a->max_prot != b->max_prot ||
      a->kind != b->kind || a->file != b->file || a->owner != b->owner || a->advice != b->advice ||
      a->host_fd != b->host_fd || a->policy.mode != b->policy.mode || a->policy.flags != b->policy.flags || area_special(a) || (a->flags & MAP_GROWSDOWN))
    return false;
  if (!a->file)
    return true;
  off_t len = (off_t)(a->end - a->start);
  return a->off + len == b->off && a->host_off + len == b->host_off;
}

void area_merge(struct mm *m, uint64_t start, uint64_t end, struct area **dead) {
  struct area *a = area_below(m, start);
  if (!a)
    a = RB_MIN(area_tree, &m->areas);
  while (a && a->start < end) {
    struct area *b = RB_NEXT(area_tree, &m->areas, a);
    if (!b || b->start > end)
      break;
    if (!mergeable(a, b)) {
      a = b;
      continue;
    }
    uint64_t bend = b->end;
    RB_REMOVE(area_tree, &m->areas, b);
    m->nareas--;
    account(m, b, -1);
    b->dead_next = *dead;
    *dead = b;
    account(m, a, -1);
    a->end = bend;
    drop_checked(a);
    account(m, a, 1);
  }
}

/* ---- gaps ---- */

static uint64_t start_with_gap(const struct area *a) {
  if (!(a->flags & MAP_GROWSDOWN) && a->kind != AREA_STACK)
    return a->start;
  return a->start > STACK_GUARD_GAP ? a->start - STACK_GUARD_GAP : 0;
}

bool area_range_free(const struct mm *m, uint64_t start, uint64_t end) {
  struct area *a = mm_find_next_borrow((struct mm *)m, start);
  return !a || end <= start_with_gap(a);
}

/*
 * From the top downwards, first fit. So that a process with many areas does not walk all of them at each mmap, m
 * remembers that no gap above gap_from is larger than gap_hole.
 */
uint64_t area_gap_down(struct mm *m, uint64_t len, uint64_t lo) {
  uint64_t top = m->mmap_top;
  bool hinted = m->gap_from && m->gap_from < top && len > m->gap_hole;
  if (hinted)
    top = m->gap_from;
  uint64_t hole = hinted ? m->gap_hole : 0;
  /* `a` is the area below `top`, where top is the start of what lies above. */
  struct area *above = mm_find_next_borrow(m, top);
  if (above && start_with_gap(above) < top)
    top = start_with_gap(above);
  for (;;) {
    struct area *a = area_below(m, top);
    uint64_t floor = a && a->end > lo ? a->end : lo;
    if (top > floor && top - floor >= len) {
      m->gap_from = top;
      m->gap_hole = hole;
      return top - len;
    }
    if (top > floor && top - floor > hole)
      hole = top - floor;
    if (!a || a->start <= lo)
      break;
    uint64_t next = start_with_gap(a);
    top = next < top ? next : a->start;
  }
  return 0;
}

uint64_t area_gap_up(const struct mm *m, uint64_t len, uint64_t lo, uint64_t hi) {
  if (lo >= hi || len > hi - lo)
    return 0;
  uint64_t at = lo;
  for (struct area *a = mm_find_next_borrow((struct mm *)m, lo); a; a = RB_NEXT(area_tree, &m->areas, a)) {
    uint64_t s = start_with_gap(a);
    if (s > at && s - at >= len)
      break;
    if (a->end > at)
      at = a->end;
    if (at >= hi || len > hi - at)
      return 0;
  }
  return at;
}
