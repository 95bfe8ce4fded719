/*
 * The bookkeeping of an address space without any platform: the tree of areas, gaps, limits' counters. Internal to
 * core/mm*.c and exec; nothing here parks, except area_free_dead(), which may drop the last reference of a file.
 */
#pragma once
#include "mm.h"

#define MMAP_MIN_ADDR 65536ul
#define MAX_AREAS 65000 /* under vm.max_map_count's default: the host's areas of the guest count too */
#define STACK_GUARD_GAP (256 * PAGE_SIZE)
#define AREA_KEEP_FLAGS (MAP_SHARED | MAP_PRIVATE | MAP_GROWSDOWN | MAP_NORESERVE | MAP_LOCKED)

struct mm *mm_new(void);

/* A copy of tmpl as an area of its own, with a file reference of its own; not in any tree. NULL: no memory. */
struct area *area_new(const struct area *tmpl);
/* Frees a list linked by dead_next. May park. */
void area_free_dead(struct area *list);

/* Into and out of the tree, keeping the counters. The range must be free. */
void area_insert(struct mm *m, struct area *a);
void area_unlink(struct mm *m, struct area *a);

/* Make `addr` a boundary of the area around it, if there is one. 0 or -ENOMEM. */
int area_split_at(struct mm *m, uint64_t addr);
/* Take [start, end) out of the map; what was taken goes in front of *dead. 0, or -ENOMEM with nothing changed. */
int area_cut(struct mm *m, uint64_t start, uint64_t end, struct area **dead);
/* Join neighbours that are alike, from the one before start to the one behind end. */
void area_merge(struct mm *m, uint64_t start, uint64_t end, struct area **dead);
/* Change the attributes that the counters depend on. */
void area_set_prot(struct mm *m, struct area *a, int prot);
void area_set_flags(struct mm *m, struct area *a, int flags);
/* Move the lower or upper end of an area (the room must be free). */
void area_resize(struct mm *m, struct area *a, uint64_t start, uint64_t end);

/* Does anything overlap [start, end)? With the guard gap of a stack above it, as vma_start_gap() of Linux. */
bool area_range_free(const struct mm *m, uint64_t start, uint64_t end);
/* The highest free address for len bytes in [lo, m->mmap_top), or 0. */
uint64_t area_gap_down(struct mm *m, uint64_t len, uint64_t lo);
/* The lowest in [lo, hi), or 0. */
uint64_t area_gap_up(const struct mm *m, uint64_t len, uint64_t lo, uint64_t hi);

/* Is any of [start, end) under mseal(2)? */
bool area_any_sealed(struct mm *m, uint64_t start, uint64_t end);
/* How many of len bytes from addr come before the first AREA_SECRET. */
size_t area_open_to_others(struct mm *m, uint64_t addr, size_t len);
/* Pages of [start, end) that are mapped. */
uint64_t area_pages_in(const struct mm *m, uint64_t start, uint64_t end);
static inline uint64_t area_pages(const struct area *a) {
  return (a->end - a->start) / PAGE_SIZE;
}
static inline bool area_is_stack(const struct area *a) {
  return a->kind == AREA_STACK || (a->flags & MAP_GROWSDOWN);
}
static inline bool area_special(const struct area *a) {
  return a->kind == AREA_VDSO || a->kind == AREA_VVAR;
}
/* Private and writable: counts against RLIMIT_DATA and overcommit */
static inline bool area_is_data(int prot, int flags, enum area_kind kind) {
  return (prot & PROT_WRITE) && !(flags & (MAP_SHARED | MAP_GROWSDOWN)) && kind != AREA_STACK;
}

/* ---- shared by the mm_*.c files ---- */
struct task;
/* With a shared host address space the queued orders must be done before the lock goes; else they stay queued. 0 or
 * -errno. */
int mm_commit(struct task *t, struct mm *m);
/* Lay one area into m and queue its order on c. tmpl has start, end and everything else. 0, -ENOMEM or plat_order's. */
int mm_place(struct mm *m, struct plat_ctx *c, const struct area *tmpl, int host_flags);
int mm_order_unmap(struct plat_ctx *c, uint64_t start, uint64_t end);
/* RLIMIT_AS and RLIMIT_DATA: may m grow by that much? */
bool mm_may_expand(struct task *t, struct mm *m, uint64_t pages, bool data);
/* vm.overcommit_memory: may len more bytes of such memory be promised? */
bool mm_overcommits(const struct task *t, uint64_t len, int prot, int flags, enum area_kind kind);
int mm_max_areas(void); /* vm.max_map_count, at most MAX_AREAS */
/* RLIMIT_MEMLOCK: 0 or -EAGAIN/-EPERM as mmap and mremap say it (-EAGAIN). */
int mm_check_locked(struct task *t, struct mm *m, uint64_t more_pages);
/* Grow a stack area down to addr if the limits allow. True when it did; the order is queued on c. */
bool mm_stack_grow(struct task *t, struct mm *m, struct plat_ctx *c, uint64_t addr);
uint64_t mm_addr_max(void); /* what plat_layout says, or a constant without a platform (unit tests) */
uint64_t mm_addr_min(void);
#define CAP_IPC_LOCK_K 14

/* ---- exec ---- */
struct exec_new { /* the program being put together, unknown to everybody else until the point of no return */
  struct task *t;
  struct mm *mm;
  struct plat_ctx *ctx;
  struct iovec *zero; /* guest ranges that must read zero: the tails of segments' last file pages */
  int nzero;
  uint64_t entry, base; /* first instruction; where the interpreter lies (AT_BASE) */
  uint64_t prog_entry, phdr;
  int phnum;
  uint64_t rnd[6]; /* AT_RANDOM (two words), stack, mmap, load base, brk */
};
struct elf_image;
/* Lay out the program and its interpreter (may be NULL) in n->mm: areas and queued orders. 0 or -errno. May park. */
int elf_place(struct exec_new *n, struct file *f, const struct elf_image *img, struct file *interp,
              const struct elf_image *interp_img);
