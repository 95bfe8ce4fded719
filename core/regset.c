#include "regset.h"
#include "errno.h"
#include "kernel.h"
#include "task.h"
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#define USER_CS 0x33 /* of 64-bit code on every Linux */
#define USER_DS 0x2b
#define EFLAGS_IF 0x200ul
#define MXCSR_OFF 24
#define MXCSR_MASK_OFF 28
#define SW_OFF 464 /* the bytes that the CPU leaves to software */
#define SW_END 512
#define HEADER_OFF 512
#define HEADER_END 576
#define DEFAULT_MXCSR_MASK 0xffbf

int regset_get_gp(struct task *t, struct regset_gp *r) {
  struct plat_regs p;
  uint64_t fs, gs;
  int err = plat_get_regs(t->ctx, &p);
  if (!err)
    err = plat_get_fsbase(t->ctx, &fs);
  if (!err)
    err = plat_get_gsbase(t->ctx, &gs);
  if (err)
    return err;
  bool call = t->ev.type == PLAT_SYSCALL || t->ev.type == PLAT_ORDER_FAILED;
  *r = (struct regset_gp){
      .r15 = p.r15,
      .r14 = p.r14,
      .r13 = p.r13,
      .r12 = p.r12,
      .rbp = p.rbp,
      .rbx = p.rbx,
      .r11 = p.r11,
      .r10 = p.r10,
      .r9 = p.r9,
      .r8 = p.r8,
      .rax = p.rax,
      .rcx = p.rcx,
      .rdx = p.rdx,
      .rsi = p.rsi,
      .rdi = p.rdi,
      .orig_rax = call ? (uint64_t)t->ev.call.nr : UINT64_MAX,
      .rip = p.rip,
      .cs = USER_CS,
      .eflags = p.eflags | EFLAGS_IF,
      .rsp = p.rsp,
      .ss = USER_DS,
      .fs_base = fs,
      .gs_base = gs,
  };
  return 0;
}

/* The whole vector state as the host saved it: the XSAVE area, or the 512 bytes of FXSAVE. */
struct state {
  uint8_t *buf;
  size_t len;
  uint64_t features;
};
static void state_free(struct state *s) {
  free(s->buf);
}
#define AUTO_STATE __attribute__((cleanup(state_free))) struct state

/* What the CPU takes a part for that XSTATE_BV calls initial: a frame pushed before has left old bytes there. */
static void complete_state(struct state *s) {
  static const uint32_t mxcsr = 0x1f80;
  uint8_t *b = s->buf;
  uint64_t bv;
  memcpy(&bv, b + HEADER_OFF, sizeof bv);
  if (!(bv & 1)) { /* as after FNINIT; MXCSR belongs to the others */
    memset(b, 0, MXCSR_OFF);
    b[0] = 0x7f;
    b[1] = 0x03;
    memset(b + 32, 0, 128);
  }
  if (!(bv & 2))
    memset(b + 160, 0, 256);
  if (!(bv & 6))
    memcpy(b + MXCSR_OFF, &mxcsr, sizeof mxcsr);
  for (unsigned i = 2; i < 63; i++) {
    unsigned len, off, flags, d;
    if (!(s->features >> i & 1) || (bv >> i & 1))
      continue;
    __cpuid_count(0xd, i, len, off, flags, d);
    if (off >= HEADER_END && off <= s->len && len <= s->len - off)
      memset(b + off, 0, len);
  }
}

static int read_state(struct task *t, struct state *s) {
  s->buf = calloc(1, REGSET_XSTATE_MAX);
  if (!s->buf)
    return -ENOMEM;
  ssize_t n = plat_get_fpstate(t->ctx, s->buf, REGSET_XSTATE_MAX, &s->features);
  if (n < 0)
    return (int)n;
  s->len = (size_t)n;
  if (s->len >= HEADER_END)
    complete_state(s);
  return 0;
}

static bool mxcsr_ok(const uint8_t *now, const uint8_t *want) {
  uint32_t mask, mxcsr;
  memcpy(&mask, now + MXCSR_MASK_OFF, sizeof mask);
  memcpy(&mxcsr, want + MXCSR_OFF, sizeof mxcsr);
  return !(mxcsr & ~((mask ? mask : DEFAULT_MXCSR_MASK) & 0xffffu));
}

/* The legacy part of `now` becomes `fx`; the software's bytes and the mask stay the host's. */
static void put_legacy(uint8_t *now, const uint8_t *fx) {
  memcpy(now, fx, MXCSR_MASK_OFF);
  memcpy(now + MXCSR_MASK_OFF + 4, fx + MXCSR_MASK_OFF + 4, SW_OFF - MXCSR_MASK_OFF - 4);
}

int regset_get_fp(struct task *t, struct regset_fp *fp) {
  AUTO_STATE s = {0};
  int err = read_state(t, &s);
  if (err)
    return err;
  memset(s.buf + SW_OFF, 0, SW_END - SW_OFF);
  memcpy(fp->fxsave, s.buf, sizeof fp->fxsave);
  return 0;
}

ssize_t regset_get_xstate(struct task *t, void *out, size_t cap) {
  AUTO_STATE s = {0};
  int err = read_state(t, &s);
  if (err)
    return err;
  if (s.len < HEADER_END)
    return -ENODEV;
  memset(s.buf + SW_OFF, 0, SW_END - SW_OFF);
  memcpy(s.buf + SW_OFF, &s.features, sizeof s.features);
  memcpy(out, s.buf, s.len < cap ? s.len : cap);
  return (ssize_t)s.len;
}

/* xstate_header: features in use, of those the host has; not compacted; the rest zero. */
static bool header_ok(const uint8_t *x, uint64_t features) {
  uint64_t h[8];
  memcpy(h, x + HEADER_OFF, sizeof h);
  for (int i = 1; i < 8; i++)
    if (h[i])
      return false;
  return !(h[0] & ~features);
}

int regset_set_xstate(struct task *t, const void *in, size_t n) {
  const uint8_t *x = in;
  AUTO_STATE s = {0};
  int err = read_state(t, &s);
  if (err)
    return err;
  if (s.len < HEADER_END)
    return -ENODEV;
  if (n != s.len || !header_ok(x, s.features) || !mxcsr_ok(s.buf, x))
    return -EINVAL;
  put_legacy(s.buf, x);
  memcpy(s.buf + HEADER_OFF, x + HEADER_OFF, s.len - HEADER_OFF);
  return plat_set_fpstate(t->ctx, s.buf, s.len);
}
