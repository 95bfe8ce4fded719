/* Where the parts of an ELF program go in a fresh address space: load_elf_binary() of Linux. */
#include "area.h"
#include "elf.h"
#include "errno.h"
#include "kernel.h"
#include <stdlib.h>

#define ELF_ET_DYN_BASE 0x555555554000ul
#define PIE_RND_MASK ((1ul << 40) - 1) /* 28 bits of pages, as mmap_rnd_bits */
#define MMAP_RND_MASK ((1ul << 40) - 1)
#define STACK_RND_MASK ((1ul << 34) - 1) /* 22 bits of pages */
#define BRK_RND_MASK (0x02000000ul - 1)
#define GAP_MIN (128ul << 20)
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

static uint64_t rnd(const struct exec_new *n, int i, uint64_t mask) {
  return n->mm->aslr_off ? 0 : n->rnd[i] & mask & ~(PAGE_SIZE - 1);
}

static int place(struct exec_new *n, struct area *a) {
  struct area *dead = NULL;
  uint64_t min = mm_addr_min(), max = mm_addr_max();
  if (a->start < min || a->end > max || a->start >= a->end)
    return a->start < min ? -EPERM : -ENOMEM;
  for (struct area *b = mm_find_next_borrow(n->mm, a->start); b && b->start < a->end;
       b = RB_NEXT(area_tree, &n->mm->areas, b))
    if (area_special(b))
      return -ENOMEM;
  if (!mm_may_expand(n->t, n->mm, area_pages(a), area_is_data(a->prot, a->flags, a->kind)))
    return -ENOMEM;
  int r = area_cut(n->mm, a->start, a->end, &dead); /* segments of one file may share a page: the later one wins */
  area_free_dead(dead);
  return r ? r : mm_place(n->mm, n->ctx, a, 0);
}

static int place_anon(struct exec_new *n, uint64_t start, uint64_t end, int prot, enum area_kind kind) {
  struct area a = {.start = start,
                   .end = end,
                   .prot = prot,
                   .max_prot = PROT_ALL,
                   .flags = MAP_PRIVATE,
                   .kind = kind,
                   .host_fd = -1};
  return place(n, &a);
}

static int place_file(struct exec_new *n, struct file *f, uint64_t start, uint64_t end, int prot, uint64_t off) {
  struct area a = {
      .start = start, .end = end, .prot = prot, .max_prot = PROT_ALL, .flags = MAP_PRIVATE, .kind = AREA_FILE};
  off_t host_off = (off_t)off;
  if (!f->ops->mmap)
    return -ENODEV;
  int fd = f->ops->mmap(f, prot, MAP_PRIVATE, (off_t)off, end - start, &host_off);
  if (fd < 0)
    return fd == MMAP_ANON ? -ENOEXEC : fd;
  a.file = f;
  a.off = (off_t)off;
  a.host_fd = fd;
  a.host_off = host_off;
  return place(n, &a);
}

static int want_zero(struct exec_new *n, uint64_t start, uint64_t end) {
  struct iovec *v = reallocarray(n->zero, (size_t)n->nzero + 1, sizeof *v);
  if (!v)
    return -ENOMEM;
  n->zero = v;
  v[n->nzero++] = (struct iovec){(void *)start, end - start};
  return 0;
}

static int place_load(struct exec_new *n, struct file *f, const struct elf_load *l, uint64_t bias) {
  uint64_t start = PAGE_DOWN(bias + l->vaddr), file_end = bias + l->vaddr + l->filesz,
           mem_end = bias + l->vaddr + l->memsz;
  uint64_t in_page = l->vaddr & (PAGE_SIZE - 1), anon = start;
  if (l->filesz) {
    anon = PAGE_ALIGN(file_end);
    int r = place_file(n, f, start, anon, l->prot, l->off - in_page);
    if (r < 0)
      return r;
    if (mem_end > file_end && file_end < anon && (l->prot & PROT_WRITE))
      r = want_zero(n, file_end, anon);
    if (r < 0)
      return r;
  }
  return mem_end > anon ? place_anon(n, anon, PAGE_ALIGN(mem_end), l->prot, AREA_ANON) : 0;
}

static int place_image(struct exec_new *n, struct file *f, const struct elf_image *img, uint64_t bias) {
  if (img->hi + bias < bias || img->hi + bias > mm_addr_max())
    return -ENOMEM;
  for (int i = 0; i < img->nloads; i++) {
    int r = place_load(n, f, &img->load[i], bias);
    if (r < 0)
      return r;
  }
  return 0;
}

static void note_code_and_data(struct mm *m, const struct elf_image *img, uint64_t bias) {
  m->code_start = UINT64_MAX;
  for (int i = 0; i < img->nloads; i++) {
    const struct elf_load *l = &img->load[i];
    uint64_t start = l->vaddr + bias, file_end = start + l->filesz;
    if ((l->prot & PROT_EXEC) && start < m->code_start)
      m->code_start = start;
    if ((l->prot & PROT_EXEC) && file_end > m->code_end)
      m->code_end = file_end;
    if (start > m->data_start)
      m->data_start = start;
    if (file_end > m->data_end)
      m->data_end = file_end;
  }
  if (m->code_start == UINT64_MAX)
    m->code_start = 0;
}

static int insert_vdso(struct mm *m) {
  const struct plat_layout *l = plat_layout(kernel_current()->plat);
  struct area vvar = {
      .start = l->vvar, .end = l->vdso, .prot = PROT_READ, .flags = MAP_PRIVATE, .kind = AREA_VVAR, .host_fd = -1};
  struct area vdso = {.start = l->vdso,
                      .end = l->vdso_end,
                      .prot = PROT_READ | PROT_EXEC,
                      .flags = MAP_PRIVATE,
                      .kind = AREA_VDSO,
                      .host_fd = -1};
  vvar.max_prot = vvar.prot;
  vdso.max_prot = vdso.prot;
  const struct area *both[] = {&vvar, &vdso};
  for (int i = 0; i < 2; i++) {
    if (both[i]->start >= both[i]->end)
      continue;
    struct area *a = area_new(both[i]);
    if (!a)
      return -ENOMEM;
    area_insert(m, a);
  }
  return 0;
}

/* The stack at the top, the mmap area below the room it may ever need (mmap_base() of Linux). */
static void choose_tops(struct exec_new *n) {
  struct mm *m = n->mm;
  uint64_t max = mm_addr_max(), lim = task_rlimit(n->t, RLIMIT_STACK);
  uint64_t gap = lim < GAP_MIN ? GAP_MIN : lim > max / 6 * 5 ? max / 6 * 5 : PAGE_ALIGN(lim);
  gap += (n->mm->aslr_off ? 0 : STACK_RND_MASK + 1) + STACK_GUARD_GAP;
  if (gap > max / 6 * 5)
    gap = max / 6 * 5;
  m->stack_end = PAGE_DOWN(max) - rnd(n, 2, STACK_RND_MASK);
  m->mmap_top = PAGE_DOWN(max - gap - rnd(n, 3, MMAP_RND_MASK));
  /* [vvar] and [vdso] may lie within: the stack goes below them if it would touch them. */
  const struct plat_layout *l = plat_layout(kernel_current()->plat);
  if (l->vvar < m->stack_end && l->vdso_end > m->stack_end - GAP_MIN)
    m->stack_end = PAGE_DOWN(l->vvar) - PAGE_SIZE - rnd(n, 2, STACK_RND_MASK);
}

static int place_interp(struct exec_new *n, struct file *f, const struct elf_image *img) {
  uint64_t bias = 0;
  if (img->dyn) {
    uint64_t at = area_gap_down(n->mm, img->hi - img->lo + img->align, mm_addr_min());
    if (!at)
      return -ENOMEM;
    at += img->hi - img->lo + img->align; /* the top of the gap */
    bias = elf_bias(img, at - (img->hi - img->lo));
  }
  int r = place_image(n, f, img, bias);
  n->base = bias;
  n->entry = img->entry + bias;
  return r;
}

int elf_place(struct exec_new *n, struct file *f, const struct elf_image *img, struct file *interp,
              const struct elf_image *interp_img) {
  struct mm *m = n->mm;
  uint64_t bias = 0, span = img->hi - img->lo;
  int r = insert_vdso(m);
  if (r < 0)
    return r;
  choose_tops(n);
  if (img->dyn && interp) {
    bias = elf_bias(img, ELF_ET_DYN_BASE + rnd(n, 4, PIE_RND_MASK));
  } else if (img->dyn) { /* a loader started by itself, or a static PIE: leave the usual place to what it may load */
    uint64_t at = area_gap_down(m, span + img->align, mm_addr_min());
    if (!at)
      return -ENOMEM;
    bias = elf_bias(img, at + img->align);
  }
  if (img->dyn && span > mm_addr_max() / 2)
    return -ENOMEM;
  r = place_image(n, f, img, bias);
  if (r < 0)
    return r;
  note_code_and_data(m, img, bias);
  n->prog_entry = n->entry = img->entry + bias;
  n->phdr = img->phdr ? img->phdr + bias : 0;
  n->phnum = img->phnum;
  if (interp && (r = place_interp(n, interp, interp_img)) < 0)
    return r;
  uint64_t end = img->hi + bias;
  if (img->dyn && !interp)
    end = ELF_ET_DYN_BASE;
  m->brk_start = m->brk = end + rnd(n, 5, BRK_RND_MASK);
  return 0;
}
