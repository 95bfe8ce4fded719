/*
 * Calls that only the host can answer, made by the guest's own thread as orders: they concern that thread or process
 * alone. Those with a pointer use the thread's slot, or (rseq) memory that the thread could write anyway.
 */
#include "internal.h"
#include <asm/unistd.h>
#include <errno.h>

/* The result of the ordered call: the guest's word, good for telling it so. */
static int64_t host_call(struct plat_ctx *c, int nr, const uint64_t a[4]) {
  int r = plat_flush(c);
  if (r == 0)
    r = ctx_enter_stub(c);
  if (r < 0)
    return r;
  c->direct = false;
  struct program g = {.n = 0};
  prog_syscall(c, &g, nr, a[0], a[1], a[2], a[3], 0, 0);
  r = prog_run(c, &g);
  return r < 0 ? r : (int64_t)(int32_t)c->report_result;
}

int64_t plat_rseq(struct plat_ctx *c, uint64_t addr, uint32_t len, int flags, uint32_t sig) {
  if (addr >= c->p->layout.max || len > c->p->layout.max - addr)
    return -EFAULT;
  return host_call(c, __NR_rseq, (uint64_t[4]){addr, len, (unsigned)flags, sig});
}

int64_t plat_membarrier(struct plat_ctx *c, int cmd, unsigned flags, int cpu) {
  return host_call(c, __NR_membarrier, (uint64_t[4]){(unsigned)cmd, flags, (unsigned)cpu});
}

int plat_set_affinity(struct plat_ctx *c, const uint64_t mask[2]) {
  ssize_t n = ctx_write_slot(c, offsetof(struct stub_slot, scratch), mask, 16);
  if (n < 0)
    return -EFAULT;
  uint64_t at = ctx_slot_addr(c) + offsetof(struct stub_slot, scratch);
  return (int)host_call(c, __NR_sched_setaffinity, (uint64_t[4]){0, 16, at});
}

int plat_getcpu(struct plat_ctx *c, unsigned *cpu) {
  uint64_t at = ctx_slot_addr(c) + offsetof(struct stub_slot, scratch);
  int r = (int)host_call(c, __NR_getcpu, (uint64_t[4]){at});
  if (r == 0 && ctx_read_slot(c, offsetof(struct stub_slot, scratch), cpu, sizeof *cpu) < 0)
    r = -EFAULT;
  return r;
}

bool plat_exits_directly(const struct plat_ctx *c) {
  return c->direct && c->call.nr == __NR_exit;
}
