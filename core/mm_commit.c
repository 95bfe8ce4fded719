/* How much memory may be promised: Documentation/mm/overcommit-accounting, proc(5). */
#include "area.h"
#include "kernel.h"

uint64_t mm_commit_limit(const struct kernel *k) {
  uint64_t total = k->mem_limit && k->mem_limit < k->mem_total ? k->mem_limit : k->mem_total;
  return k->sysctl.overcommit_kbytes ? (uint64_t)k->sysctl.overcommit_kbytes * 1024
                                     : total / 100 * (uint64_t)k->sysctl.overcommit_ratio;
}

/* Private writable memory of all processes, and what shared memory holds. */
uint64_t mm_committed(const struct kernel *k) {
  struct process *p;
  uint64_t pages = 0;
  LIST_FOREACH(p, &k->processes, all) {
    if (p->leader && p->leader->mm)
      pages += p->leader->mm->data_vm + p->leader->mm->stack_vm;
  }
  return pages * PAGE_SIZE + k->shmem_bytes;
}

bool mm_overcommits(const struct task *t, uint64_t len, int prot, int flags, enum area_kind kind) {
  const struct kernel *k = t->k;
  int mode = k->sysctl.overcommit_memory;
  if (mode == 1 || !k->mem_total)
    return false;
  if (!area_is_data(prot, flags, kind) && !((flags & MAP_SHARED) && kind == AREA_SHM))
    return false;
  if (mode == 2) /* MAP_NORESERVE does not count */
    return mm_committed(k) + len > mm_commit_limit(k);
  return !(flags & MAP_NORESERVE) && len > k->mem_total; /* only what is obviously too much */
}

int mm_max_areas(void) {
  const struct kernel *k = kernel_current();
  return k && k->sysctl.max_map_count < MAX_AREAS ? k->sysctl.max_map_count : MAX_AREAS;
}
