#include "bpf_classic.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANCILLARY_BASE ((uint32_t)SKF_AD_OFF)

/* ---- the checker: net/core/filter.c bpf_check_classic(), kernel/seccomp.c seccomp_check_filter() ---- */

static bool is_alu(uint16_t code, enum bpf_use use) {
  switch (BPF_OP(code)) {
  case BPF_ADD:
  case BPF_SUB:
  case BPF_MUL:
  case BPF_DIV:
  case BPF_OR:
  case BPF_AND:
  case BPF_LSH:
  case BPF_RSH:
  case BPF_XOR:
    return !(code & 0xff00);
  case BPF_MOD:
    return use == BPF_FOR_PACKETS && !(code & 0xff00);
  case BPF_NEG:
    return code == (BPF_ALU | BPF_NEG);
  }
  return false;
}

static bool is_packet_load(uint16_t code) {
  switch (code) {
  case BPF_LD | BPF_W | BPF_ABS:
  case BPF_LD | BPF_H | BPF_ABS:
  case BPF_LD | BPF_B | BPF_ABS:
  case BPF_LD | BPF_W | BPF_IND:
  case BPF_LD | BPF_H | BPF_IND:
  case BPF_LD | BPF_B | BPF_IND:
  case BPF_LDX | BPF_B | BPF_MSH:
    return true;
  }
  return false;
}

static bool known(uint16_t code, enum bpf_use use) {
  switch (code) {
  case BPF_LD | BPF_IMM:
  case BPF_LD | BPF_MEM:
  case BPF_LD | BPF_W | BPF_LEN:
  case BPF_LDX | BPF_IMM:
  case BPF_LDX | BPF_MEM:
  case BPF_LDX | BPF_W | BPF_LEN:
  case BPF_LD | BPF_W | BPF_ABS:
  case BPF_ST:
  case BPF_STX:
  case BPF_JMP | BPF_JA:
  case BPF_JMP | BPF_JEQ | BPF_K:
  case BPF_JMP | BPF_JEQ | BPF_X:
  case BPF_JMP | BPF_JGE | BPF_K:
  case BPF_JMP | BPF_JGE | BPF_X:
  case BPF_JMP | BPF_JGT | BPF_K:
  case BPF_JMP | BPF_JGT | BPF_X:
  case BPF_JMP | BPF_JSET | BPF_K:
  case BPF_JMP | BPF_JSET | BPF_X:
  case BPF_RET | BPF_K:
  case BPF_RET | BPF_A:
  case BPF_MISC | BPF_TAX:
  case BPF_MISC | BPF_TXA:
    return true;
  }
  if (BPF_CLASS(code) == BPF_ALU)
    return is_alu(code, use);
  return use == BPF_FOR_PACKETS && is_packet_load(code);
}

static bool ancillary_exists(uint32_t k) {
  if (k < ANCILLARY_BASE)
    return true; /* an ordinary offset, or one into the link or network header */
  uint32_t off = k - ANCILLARY_BASE;
  return off < SKF_AD_MAX && off % 4 == 0;
}

static bool operands_ok(const struct sock_filter *i, unsigned pc, unsigned len, enum bpf_use use) {
  switch (BPF_CLASS(i->code)) {
  case BPF_ALU:
    if (BPF_SRC(i->code) == BPF_X)
      return true;
    if (BPF_OP(i->code) == BPF_DIV || BPF_OP(i->code) == BPF_MOD)
      return i->k != 0;
    return (BPF_OP(i->code) != BPF_LSH && BPF_OP(i->code) != BPF_RSH) || i->k < 32;
  case BPF_ST:
  case BPF_STX:
    return i->k < BPF_MEMWORDS;
  case BPF_JMP:
    if (BPF_OP(i->code) == BPF_JA)
      return i->k < len - pc - 1;
    return pc + i->jt + 1 < len && pc + i->jf + 1 < len;
  case BPF_LD:
  case BPF_LDX:
    if (BPF_MODE(i->code) == BPF_MEM)
      return i->k < BPF_MEMWORDS;
    if (BPF_MODE(i->code) != BPF_ABS)
      return true;
    return use == BPF_FOR_SECCOMP ? i->k % 4 == 0 && i->k < 64 : ancillary_exists(i->k);
  }
  return true;
}

/* Every word of scratch memory must have been written on every path to a load of it. `valid` has one set for each
 * instruction: what has been written on all the jumps to it. */
static int check_memory(const struct sock_filter *f, unsigned len) {
  uint16_t *valid = malloc(len * sizeof *valid), now = 0;
  if (!valid)
    return -ENOMEM;
  memset(valid, 0xff, len * sizeof *valid);
  int r = 0;
  for (unsigned pc = 0; pc < len && !r; pc++) {
    const struct sock_filter *i = &f[pc];
    now &= valid[pc];
    switch (BPF_CLASS(i->code)) {
    case BPF_ST:
    case BPF_STX:
      now |= (uint16_t)(1u << i->k);
      break;
    case BPF_LD:
    case BPF_LDX:
      if (BPF_MODE(i->code) == BPF_MEM && !(now & (1u << i->k)))
        r = -EINVAL;
      break;
    case BPF_JMP:
      if (BPF_OP(i->code) == BPF_JA) {
        valid[pc + 1 + i->k] &= now;
      } else {
        valid[pc + 1 + i->jt] &= now;
        valid[pc + 1 + i->jf] &= now;
      }
      now = 0xffff; /* only the jumps that lead to the next one count */
      break;
    }
  }
  free(valid);
  return r;
}

int bpf_check(const struct sock_filter *f, unsigned len, enum bpf_use use) {
  if (!len || len > BPF_MAXINSNS)
    return -EINVAL;
  for (unsigned pc = 0; pc < len; pc++)
    if (!known(f[pc].code, use) || !operands_ok(&f[pc], pc, len, use))
      return -EINVAL;
  if (BPF_CLASS(f[len - 1].code) != BPF_RET)
    return -EINVAL;
  return check_memory(f, len);
}

/* ---- the interpreter ---- */

struct machine {
  uint32_t a, x, mem[BPF_MEMWORDS];
  const struct bpf_data *d;
};

/* Big-endian bytes of a packet. */
static bool packet_bytes(const struct bpf_data *d, uint32_t off, unsigned n, uint32_t *out) {
  uint8_t other[4];
  const uint8_t *b = other;
  if ((uint64_t)off + n <= d->linear)
    b = d->bytes + off;
  else if (!d->load || !d->load(d->arg, off, n, other))
    return false;
  uint32_t v = 0;
  for (unsigned i = 0; i < n; i++)
    v = v << 8 | b[i];
  *out = v;
  return true;
}

static bool load_packet(struct machine *m, const struct sock_filter *i, uint32_t *out) {
  unsigned n = BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1;
  if (BPF_MODE(i->code) == BPF_IND)
    return packet_bytes(m->d, (uint32_t)(m->x + i->k), n, out);
  if (i->k >= ANCILLARY_BASE)
    return m->d->ancillary && m->d->ancillary(m->d->arg, i->k - ANCILLARY_BASE, m->a, m->x, out);
  return packet_bytes(m->d, i->k, n, out);
}

static bool load(struct machine *m, const struct sock_filter *i, enum bpf_use use, uint32_t *out) {
  switch (BPF_MODE(i->code)) {
  case BPF_IMM:
    *out = i->k;
    return true;
  case BPF_MEM:
    *out = m->mem[i->k];
    return true;
  case BPF_LEN:
    *out = m->d->len;
    return true;
  case BPF_MSH: /* the length of an IPv4 header */
    if (!packet_bytes(m->d, i->k, 1, out))
      return false;
    *out = (*out & 15) * 4;
    return true;
  }
  if (use == BPF_FOR_PACKETS)
    return load_packet(m, i, out);
  memcpy(out, m->d->bytes + i->k, sizeof *out);
  return true;
}

/* False: division by zero, which ends the program with 0. */
static bool compute(struct machine *m, const struct sock_filter *i) {
  uint32_t v = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
  switch (BPF_OP(i->code)) {
  case BPF_ADD:
    m->a += v;
    break;
  case BPF_SUB:
    m->a -= v;
    break;
  case BPF_MUL:
    m->a *= v;
    break;
  case BPF_DIV:
  case BPF_MOD:
    if (!v)
      return false;
    m->a = BPF_OP(i->code) == BPF_DIV ? m->a / v : m->a % v;
    break;
  case BPF_OR:
    m->a |= v;
    break;
  case BPF_AND:
    m->a &= v;
    break;
  case BPF_XOR:
    m->a ^= v;
    break;
  case BPF_LSH:
    m->a <<= v & 31;
    break;
  case BPF_RSH:
    m->a >>= v & 31;
    break;
  case BPF_NEG:
    m->a = -m->a;
    break;
  }
  return true;
}

static uint32_t jump(const struct machine *m, const struct sock_filter *i) {
  uint32_t v = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
  bool yes = false;
  switch (BPF_OP(i->code)) {
  case BPF_JA:
    return i->k;
  case BPF_JEQ:
    yes = m->a == v;
    break;
  case BPF_JGT:
    yes = m->a > v;
    break;
  case BPF_JGE:
    yes = m->a >= v;
    break;
  case BPF_JSET:
    yes = m->a & v;
    break;
  }
  return yes ? i->jt : i->jf;
}

uint32_t bpf_run(const struct sock_filter *f, enum bpf_use use, const struct bpf_data *d) {
  struct machine m = {.d = d};
  for (const struct sock_filter *i = f;; i++) {
    switch (BPF_CLASS(i->code)) {
    case BPF_LD:
      if (!load(&m, i, use, &m.a))
        return 0;
      break;
    case BPF_LDX:
      if (!load(&m, i, use, &m.x))
        return 0;
      break;
    case BPF_ST:
      m.mem[i->k] = m.a;
      break;
    case BPF_STX:
      m.mem[i->k] = m.x;
      break;
    case BPF_ALU:
      if (!compute(&m, i))
        return 0;
      break;
    case BPF_JMP:
      i += jump(&m, i);
      break;
    case BPF_RET:
      return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
    case BPF_MISC:
      if (BPF_MISCOP(i->code) == BPF_TAX)
        m.x = m.a;
      else
        m.a = m.x;
      break;
    }
  }
}
