/* Signal frames, registers and small operations of stopped contexts: all done by the stub, inside the guest. */
#include "internal.h"
#include <errno.h>
#include <string.h>

int plat_push_signal(struct plat_ctx *c, const struct plat_sigframe *f, enum plat_how how, int64_t ret) {
  int r = plat_flush(c);
  if (r == 0)
    r = ctx_enter_stub(c);
  if (r < 0)
    return r;
  c->direct = false;
  struct stub_frame s = {
      .signo = (uint64_t)f->signo,
      .handler = f->handler,
      .restorer = f->restorer,
      .mask = f->mask,
      .ss_sp = f->ss_sp,
      .ss_size = f->ss_size,
      .ss_flags = f->ss_flags,
      .stack_top = f->stack_top,
  };
  memcpy(s.info, &f->info, sizeof s.info);
  if (c->is_call && !c->fixed) {
    /* A trapped call is past its instruction with the number in RAX; a rewound one stands before it, likewise. */
    if (how == PLAT_RESULT) {
      s.set_rax = 1;
      s.rax = (uint64_t)ret;
      s.rip_add = c->rewound ? 2 : 0;
    } else if (how == PLAT_RESTART) {
      s.set_rax = 1;
      s.rax = (uint64_t)c->call.nr;
      s.rip_add = c->rewound ? 0 : (uint64_t)-2;
    }
    c->fixed = true;
  }
  struct program g = {.n = 0};
  prog_op(&g, STUB_OP_PUSH);
  r = (int)ctx_write_slot(c, offsetof(struct stub_slot, frames), &s, sizeof s);
  return r < 0 ? r : prog_run(c, &g);
}

/* Where the interrupted registers lie: the stub's word for it is only good for reading and writing guest memory. */
static int context_addr(struct plat_ctx *c, uint64_t *uc) {
  int r = plat_flush(c);
  if (r == 0)
    r = ctx_enter_stub(c);
  if (r < 0)
    return r;
  c->direct = false;
  r = (int)ctx_read_slot(c, offsetof(struct stub_slot, uc), uc, sizeof *uc);
  return r < 0 ? r : 0;
}

int plat_get_regs(struct plat_ctx *c, struct plat_regs *regs) {
  uint64_t uc;
  int r = context_addr(c, &uc);
  if (r < 0)
    return r;
  _Static_assert(sizeof *regs == 18 * 8, "the general registers of a sigcontext");
  ssize_t n = plat_read(c->as, regs, uc + offsetof(struct stub_uc, g), sizeof *regs);
  if (n != (ssize_t)sizeof *regs)
    return -EFAULT;
  if (c->is_call && !c->fixed && c->rewound)
    regs->rip += 2;
  return 0;
}

int plat_set_regs(struct plat_ctx *c, const struct plat_regs *regs, bool settled) {
  uint64_t uc;
  int r = context_addr(c, &uc);
  if (r < 0)
    return r;
  struct plat_regs to = *regs;
  if (c->is_call && !c->fixed && c->rewound && !settled)
    to.rip -= 2;
  ssize_t n = plat_write(c->as, uc + offsetof(struct stub_uc, g), &to, sizeof to);
  c->fixed |= settled;
  return n == (ssize_t)sizeof *regs ? 0 : -EFAULT;
}

/* struct _fpx_sw_bytes at byte 464 of the FXSAVE area */
struct fp_sw {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size, pad[7];
};
#define FP_MAGIC1 0x46505853u
#define FP_LEGACY 512u
#define FP_SW_OFF 464u

/* Where the vector state lies and how large it is: the guest's word, good for access to its own memory only. */
static ssize_t fpstate_addr(struct plat_ctx *c, uint64_t *addr, struct fp_sw *sw) {
  uint64_t uc;
  int r = context_addr(c, &uc);
  if (r < 0)
    return r;
  if (plat_read(c->as, addr, uc + offsetof(struct stub_uc, fp), sizeof *addr) != (ssize_t)sizeof *addr ||
      plat_read(c->as, sw, *addr + FP_SW_OFF, sizeof *sw) != (ssize_t)sizeof *sw)
    return -EFAULT;
  bool extended = sw->magic1 == FP_MAGIC1 && sw->xstate_size > FP_LEGACY;
  if (!extended)
    sw->xfeatures = 0;
  return extended ? (ssize_t)sw->xstate_size : (ssize_t)FP_LEGACY;
}

ssize_t plat_get_fpstate(struct plat_ctx *c, void *buf, size_t cap, uint64_t *features) {
  uint64_t addr;
  struct fp_sw sw;
  ssize_t n = fpstate_addr(c, &addr, &sw);
  if (n < 0)
    return n;
  if ((size_t)n > cap || plat_read(c->as, buf, addr, (size_t)n) != n)
    return -EFAULT;
  *features = sw.xfeatures;
  return n;
}

int plat_set_fpstate(struct plat_ctx *c, const void *buf, size_t len) {
  uint64_t addr;
  struct fp_sw sw;
  ssize_t n = fpstate_addr(c, &addr, &sw);
  if (n < 0)
    return (int)n;
  return (size_t)n == len && plat_write(c->as, addr, buf, len) == n ? 0 : -EFAULT;
}

static int small_op(struct plat_ctx *c, enum stub_opcode op, const uint64_t a[4]) {
  int r = plat_flush(c);
  if (r == 0)
    r = ctx_enter_stub(c);
  if (r < 0)
    return r;
  c->direct = false;
  struct program g = {.n = 0};
  memcpy(prog_op(&g, op)->a, a, 4 * sizeof *a);
  return prog_run(c, &g);
}

int plat_atomic32(struct plat_ctx *c, enum plat_atomic op, uint64_t addr, uint32_t arg, uint32_t cmp, uint32_t *old) {
  if (addr & 3)
    return -EINVAL;
  if (addr < c->p->layout.min || addr >= c->p->layout.max)
    return -EFAULT;
  int r = small_op(c, STUB_OP_ATOMIC, (uint64_t[4]){addr, op, arg, cmp});
  if (r == 0 && old)
    *old = (uint32_t)c->report_extra;
  return r;
}

int plat_set_fsbase(struct plat_ctx *c, uint64_t base) {
  return small_op(c, STUB_OP_SETFS, (uint64_t[4]){base, 0, 0, 0});
}

int plat_get_fsbase(struct plat_ctx *c, uint64_t *base) {
  int r = small_op(c, STUB_OP_GETFS, (uint64_t[4]){0});
  if (r == 0)
    *base = (uint64_t)c->report_extra;
  return r;
}

int plat_set_gsbase(struct plat_ctx *c, uint64_t base) {
  return small_op(c, STUB_OP_SETGS, (uint64_t[4]){base, 0, 0, 0});
}

int plat_get_gsbase(struct plat_ctx *c, uint64_t *base) {
  int r = small_op(c, STUB_OP_GETGS, (uint64_t[4]){0});
  if (r == 0)
    *base = (uint64_t)c->report_extra;
  return r;
}

int plat_set_traced(struct plat_ctx *c, bool on) {
  uint64_t v = on;
  ssize_t r = ctx_write_slot(c, offsetof(struct stub_slot, traced), &v, sizeof v);
  return r < 0 ? (int)r : 0;
}
