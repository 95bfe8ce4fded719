/*
 * Debug registers. The CPU's are out of reach from user space, so watchpoints on writes and breakpoints on execution
 * are kept by stepping the tracee and comparing: slower than hardware, and many times faster than a debugger that does
 * the stepping itself. Watchpoints on reads cannot be kept so and are refused. A write of the value that was there
 * before is not seen. Intel SDM vol. 3, 18.2.
 */
#include "errno.h"
#include "kernel.h"
#include "mm.h"
#include "ptrace.h"
#include <string.h>

#define DR_STATUS 6
#define DR_CONTROL 7
#define DR7_GD (1ull << 13)

enum { RW_EXECUTE, RW_WRITE, RW_IO, RW_ACCESS };

static bool enabled(uint64_t dr7, int i) {
  return dr7 >> (2 * i) & 3;
}

static int kind(uint64_t dr7, int i) {
  return (int)(dr7 >> (16 + 4 * i) & 3);
}

static size_t length(uint64_t dr7, int i) {
  static const size_t len[4] = {1, 2, 8, 4};
  return len[dr7 >> (18 + 4 * i) & 3];
}

uint64_t ptrace_get_debugreg(const struct ptrace *pt, unsigned n) {
  return pt->dr[n];
}

static int check_control(const struct ptrace *pt, uint64_t dr7) {
  for (int i = 0; i < 4; i++) {
    if (!enabled(dr7, i))
      continue;
    if (kind(dr7, i) != RW_EXECUTE && kind(dr7, i) != RW_WRITE)
      return -EINVAL;
    if (pt->dr[i] & (length(dr7, i) - 1))
      return -EINVAL;
  }
  return 0;
}

int ptrace_set_debugreg(struct task *c, unsigned n, uint64_t v) {
  struct ptrace *pt = c->pt;
  if (n == 4 || n == 5)
    return -EIO;
  if (n < 4 && v >= plat_layout(c->k->plat)->max)
    return -EINVAL;
  if (n == DR_CONTROL) {
    v &= ~DR7_GD;
    int err = check_control(pt, v);
    if (err)
      return err;
  }
  pt->dr[n] = v;
  pt->watching = pt->dr[DR_CONTROL] & 0xff;
  return 0;
}

static bool value_of(struct task *t, int i, uint64_t *v) {
  size_t n = length(t->pt->dr[DR_CONTROL], i);
  *v = 0;
  return t->mm && mm_read(t->mm, v, t->pt->dr[i], n) == (ssize_t)n;
}

void ptrace_arm_watches(struct task *t) {
  struct ptrace *pt = t->pt;
  uint64_t dr7 = pt->dr[DR_CONTROL];
  for (int i = 0; i < 4; i++) {
    if (enabled(dr7, i) && kind(dr7, i) == RW_WRITE && !value_of(t, i, &pt->dr_value[i]))
      pt->dr_value[i] = 0;
  }
}

bool ptrace_watch_hit(struct task *t, uint64_t ip) {
  struct ptrace *pt = t->pt;
  uint64_t dr7 = pt->dr[DR_CONTROL], v, hit = 0;
  for (int i = 0; i < 4; i++) {
    if (!enabled(dr7, i))
      continue;
    if (kind(dr7, i) == RW_EXECUTE ? ip == pt->dr[i] : value_of(t, i, &v) && v != pt->dr_value[i])
      hit |= 1ull << i;
  }
  pt->dr[DR_STATUS] |= hit;
  return hit;
}
