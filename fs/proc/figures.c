/* How much memory processes use: what the host counted where it tells, else what the areas bound. */
#include "proc.h"
#include "../../core/errno.h"
#include <stdlib.h>

#define STACK_RESIDENT (132u * 1024) /* of a stack, which is mapped as large as it may get: what Linux starts with */

static uint64_t bound_of(const struct area *a) {
  uint64_t n = a->end - a->start;
  if (!(a->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) || (a->flags & MAP_NORESERVE) || a->kind == AREA_VVAR ||
      a->kind == AREA_VDSO)
    return 0;
  return a->kind == AREA_STACK && n > STACK_RESIDENT ? STACK_RESIDENT : n;
}

/* A host that shows no procfs: all that is accessible and was not merely reserved, the most that can be resident. */
static void bound_rss(const struct mm *m, struct mm_rss *out) {
  struct area *a;
  *out = (struct mm_rss){0};
  RB_FOREACH(a, area_tree, (struct area_tree *)&m->areas) {
    uint64_t n = bound_of(a);
    if (a->kind == AREA_SHM)
      out->shmem += n;
    else if (a->file && (!(a->prot & PROT_WRITE) || (a->flags & MAP_SHARED)))
      out->file += n;
    else
      out->anon += n;
  }
  out->hwm = out->anon + out->file + out->shmem;
}

void proc_mem_figures(struct mm *m, struct proc_mem *out) {
  struct area *a;
  *out = (struct proc_mem){0};
  if (mm_rss(m, &out->in) < 0)
    bound_rss(m, &out->in);
  out->rss = out->in.anon + out->in.file + out->in.shmem;
  out->shared = out->in.file + out->in.shmem;
  out->size = m->total_vm * PAGE_SIZE;
  out->peak = m->peak_vm * PAGE_SIZE;
  out->data = m->data_vm * PAGE_SIZE;
  out->stack = m->stack_vm * PAGE_SIZE;
  RB_FOREACH(a, area_tree, &m->areas) {
    if (a->file && (a->prot & PROT_EXEC) && !(a->prot & PROT_WRITE))
      out->text += a->end - a->start;
  }
}

uint64_t proc_mem_used(struct kernel *k) {
  struct process *p;
  struct mm **mms = malloc((size_t)k->nprocesses * sizeof *mms);
  uint64_t used = k->shmem_bytes;
  int n = 0;
  if (!mms)
    return used;
  LIST_FOREACH(p, &k->processes, all) {
    if (n < k->nprocesses && p->leader && p->leader->mm)
      mms[n++] = mm_get(p->leader->mm);
  }
  for (int i = 0; i < n; i++) {
    struct mm_rss r;
    if (mm_rss(mms[i], &r) == -EOPNOTSUPP)
      bound_rss(mms[i], &r);
    used += r.anon;
    mm_put(mms[i]);
  }
  free(mms);
  return used;
}
