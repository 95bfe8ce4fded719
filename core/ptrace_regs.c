/* A tracee's registers: fetched and put back on its own fiber, read and changed by the tracer in between. */
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "ptrace.h"
#include <stdlib.h>
#include <string.h>

#define EFL_TF 0x100ull
/* CF PF AF ZF SF TF DF OF NT RF AC: what a tracer may change (FLAG_MASK of Linux). */
#define EFL_TRACER 0x54dd5ull
#define USER_CS 0x33
#define USER_DS 0x2b

struct ptrace_request { /* on the tracer's stack */
  unsigned parts;
  struct fiber *waiter;
  bool done;
  int err;
};

/* ---- on the tracee's fiber ---- */

static int fetch_fp(struct task *t) {
  struct ptrace *pt = t->pt;
  if (!pt->fp && !(pt->fp = malloc(REGSET_XSTATE_MAX)))
    return -ENOMEM;
  ssize_t n = regset_get_xstate(t, pt->fp, REGSET_XSTATE_MAX);
  if (n < 0)
    return (int)n;
  pt->fp_len = (size_t)n;
  pt->have_fp = true;
  return 0;
}

int ptrace_fetch(struct task *t, unsigned parts) {
  struct ptrace *pt = t->pt;
  int err = t->ctx ? 0 : -ESRCH;
  if (!err && (parts & PTRACE_PART_REGS) && !pt->have_regs) {
    err = plat_get_regs(t->ctx, &pt->regs);
    pt->have_regs = !err;
    if (pt->in_call)
      pt->regs.rax = (uint64_t)pt->ret;
    if (pt->forced_tf)
      pt->regs.eflags &= ~EFL_TF;
  }
  if (!err && (parts & PTRACE_PART_BASES) && !pt->have_bases) {
    err = plat_get_fsbase(t->ctx, &pt->fs_base);
    if (!err)
      err = plat_get_gsbase(t->ctx, &pt->gs_base);
    pt->have_bases = !err;
  }
  if (!err && (parts & PTRACE_PART_FP) && !pt->have_fp)
    err = fetch_fp(t);
  return err;
}

int ptrace_put_back(struct task *t, bool settled) {
  struct ptrace *pt = t->pt;
  struct plat_regs r = pt->regs;
  int err = 0;
  if (pt->have_regs) {
    if (pt->forced_tf)
      r.eflags |= EFL_TF;
    if (!settled)
      r.rax = (uint64_t)pt->orig_rax;
    err = plat_set_regs(t->ctx, &r, settled);
  }
  if (pt->bases_dirty) {
    int e = plat_set_fsbase(t->ctx, pt->fs_base);
    if (!e)
      e = plat_set_gsbase(t->ctx, pt->gs_base);
    err = err ? err : e;
  }
  if (pt->fp_dirty) {
    int e = regset_set_xstate(t, pt->fp, pt->fp_len);
    err = err ? err : e;
  }
  pt->bases_dirty = pt->fp_dirty = false;
  if (settled)
    pt->dirty = false;
  return err;
}

void ptrace_forget_regs(struct ptrace *pt) {
  pt->have_regs = pt->have_bases = pt->have_fp = false;
  pt->dirty = pt->bases_dirty = pt->fp_dirty = false;
}

static void answer(struct ptrace *pt, struct ptrace_request *q, int err) {
  if (pt->request == q)
    pt->request = NULL;
  q->err = err;
  q->done = true;
  fiber_wake(q->waiter);
}

void ptrace_serve(struct task *t) {
  struct ptrace_request *q = t->pt->request;
  answer(t->pt, q, ptrace_fetch(t, q->parts));
}

void ptrace_fail_request(struct task *t) {
  answer(t->pt, t->pt->request, -ESRCH);
}

/* ---- on the tracer's ---- */

static bool has(const struct ptrace *pt, unsigned parts) {
  return (!(parts & PTRACE_PART_REGS) || pt->have_regs) && (!(parts & PTRACE_PART_BASES) || pt->have_bases) &&
         (!(parts & PTRACE_PART_FP) || pt->have_fp);
}

int ptrace_need(struct task *tracer, struct task *c, unsigned parts) {
  if (has(c->pt, parts))
    return 0;
  if (!c->ctx || !c->fiber || c->pt->request)
    return -ESRCH;
  int tid = pid_vnr(c->tid);
  struct ptrace_request q = {.parts = parts, .waiter = fiber_self()};
  c->pt->request = &q;
  fiber_wake(c->fiber);
  while (!q.done)
    fiber_park();
  if (q.err)
    return q.err == -ENOMEM ? -ENOMEM : -ESRCH;
  /* We have parked: is it still there, and still stopped for us? */
  struct task *again;
  return ptrace_find(tracer, tid, false, &again) || again != c || !has(c->pt, parts) ? -ESRCH : 0;
}

void ptrace_get_user_regs(const struct ptrace *pt, struct regset_gp *u) {
  const struct plat_regs *r = &pt->regs;
  *u = (struct regset_gp){
      .r15 = r->r15,
      .r14 = r->r14,
      .r13 = r->r13,
      .r12 = r->r12,
      .rbp = r->rbp,
      .rbx = r->rbx,
      .r11 = r->r11,
      .r10 = r->r10,
      .r9 = r->r9,
      .r8 = r->r8,
      .rax = r->rax,
      .rcx = r->rcx,
      .rdx = r->rdx,
      .rsi = r->rsi,
      .rdi = r->rdi,
      .orig_rax = (uint64_t)pt->orig_rax,
      .rip = r->rip,
      .cs = USER_CS,
      .eflags = r->eflags,
      .rsp = r->rsp,
      .ss = USER_DS,
      .fs_base = pt->fs_base,
      .gs_base = pt->gs_base,
  };
}

/* Selectors are what they are for every 64-bit program; others (32-bit code, a private LDT) do not exist here. */
static bool selectors_valid(const struct regset_gp *u) {
  return (u->cs & 0xffff) == USER_CS && (u->ss & 0xffff) == USER_DS && !(u->ds & 0xffff & ~3ull) &&
         !(u->es & 0xffff & ~3ull) && !(u->fs & 0xffff & ~3ull) && !(u->gs & 0xffff & ~3ull);
}

int ptrace_set_user_regs(struct ptrace *pt, const struct regset_gp *u) {
  uint64_t max = plat_layout(pt->task->k->plat)->max;
  if (!selectors_valid(u) || u->fs_base >= max || u->gs_base >= max)
    return -EIO;
  struct plat_regs *r = &pt->regs;
  r->r15 = u->r15;
  r->r14 = u->r14;
  r->r13 = u->r13;
  r->r12 = u->r12;
  r->rbp = u->rbp;
  r->rbx = u->rbx;
  r->r11 = u->r11;
  r->r10 = u->r10;
  r->r9 = u->r9;
  r->r8 = u->r8;
  r->rax = u->rax;
  r->rcx = u->rcx;
  r->rdx = u->rdx;
  r->rsi = u->rsi;
  r->rdi = u->rdi;
  r->rip = u->rip;
  r->rsp = u->rsp;
  r->eflags = (r->eflags & ~EFL_TRACER) | (u->eflags & EFL_TRACER);
  pt->orig_rax = (int64_t)u->orig_rax;
  pt->dirty = true;
  if (pt->have_bases && (u->fs_base != pt->fs_base || u->gs_base != pt->gs_base)) {
    pt->fs_base = u->fs_base;
    pt->gs_base = u->gs_base;
    pt->bases_dirty = true;
  }
  return 0;
}

/* What the host's sigreturn would refuse is refused here, when it is set: see plat_set_fpstate(). */
static int check_fp(const struct ptrace *pt, const uint8_t *b, size_t len) {
  uint32_t mxcsr, mask;
  uint64_t features, head[2];
  memcpy(&mxcsr, b + 24, sizeof mxcsr);
  memcpy(&mask, pt->fp + 28, sizeof mask);
  if (mxcsr & ~(mask ? mask & 0xffff : 0xffbf))
    return -EINVAL;
  if (len <= 512)
    return 0;
  memcpy(&features, pt->fp + 464, sizeof features);
  memcpy(head, b + 512, sizeof head);
  return (head[0] & ~features) || head[1] ? -EINVAL : 0;
}

int ptrace_set_fp(struct task *tracer, struct task *c, const void *buf, size_t len) {
  int err = ptrace_need(tracer, c, PTRACE_PART_FP);
  if (err)
    return err;
  struct ptrace *pt = c->pt;
  if (len != 512 && len != pt->fp_len)
    return -EINVAL;
  err = check_fp(pt, buf, len);
  if (err)
    return err;
  uint64_t bv;
  memcpy(pt->fp, buf, 464); /* the software bytes and the CPU's MXCSR mask stay */
  if (len > 512) {
    memcpy(pt->fp + 512, (const uint8_t *)buf + 512, len - 512);
  } else {
    memcpy(&bv, pt->fp + 512, sizeof bv);
    bv |= 3;
    memcpy(pt->fp + 512, &bv, sizeof bv);
  }
  pt->fp_dirty = true;
  return 0;
}
