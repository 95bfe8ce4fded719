/* See inet_diag_bc.h. */
#include "inet_diag_bc.h"
#include "../../core/errno.h"
#include <linux/inet_diag.h>
#include <string.h>
#include <sys/socket.h>

typedef struct inet_diag_bc_op op_t;

static op_t op_at(const uint8_t *bc, size_t off) {
  op_t o;
  memcpy(&o, bc + off, sizeof o);
  return o;
}

/* ---- checking: inet_diag_bc_audit() ---- */

/* Bytes of an address of that family that a prefix is compared with. */
static size_t addr_bytes(uint8_t family) {
  return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* The length of an instruction with its operands; 0: there is no such one, or it is not whole. */
static size_t length(const uint8_t *p, size_t left) {
  struct inet_diag_hostcond c;
  size_t n = sizeof(op_t);
  switch (p[0]) {
  case INET_DIAG_BC_NOP:
  case INET_DIAG_BC_JMP:
  case INET_DIAG_BC_AUTO:
    break;
  case INET_DIAG_BC_S_GE:
  case INET_DIAG_BC_S_LE:
  case INET_DIAG_BC_D_GE:
  case INET_DIAG_BC_D_LE:
  case INET_DIAG_BC_S_EQ:
  case INET_DIAG_BC_D_EQ:
    n += sizeof(op_t);
    break;
  case INET_DIAG_BC_DEV_COND:
    n += sizeof(uint32_t);
    break;
  case INET_DIAG_BC_MARK_COND:
    n += sizeof(struct inet_diag_markcond);
    break;
  case INET_DIAG_BC_S_COND:
  case INET_DIAG_BC_D_COND:
    n += sizeof c;
    if (left < n)
      return 0;
    memcpy(&c, p + sizeof(op_t), sizeof c);
    if (c.family != AF_UNSPEC && !addr_bytes(c.family))
      return 0;
    n += addr_bytes(c.family);
    if (c.prefix_len > 8 * addr_bytes(c.family))
      return 0;
    break;
  default:
    return 0;
  }
  return n <= left ? n : 0;
}

/* The places that the chain of "yes" comes by: there are checked instructions. A bit for each four bytes. */
struct chain {
  uint8_t at[(UINT16_MAX + 1) / sizeof(op_t) / 8];
};

static bool on_chain(const struct chain *c, size_t off) {
  return c->at[off / 32] >> off / 4 % 8 & 1;
}

static void follow(const uint8_t *bc, size_t len, struct chain *c) {
  unsigned step = sizeof(op_t);
  for (size_t off = 0; off < len && len - off >= sizeof(op_t) && step && !(step & 3); off += step) {
    c->at[off / 32] |= (uint8_t)(1u << off / 4 % 8);
    step = op_at(bc, off).yes;
  }
}

static bool jump_ok(size_t to, size_t least, size_t left) {
  return to >= least && to <= left + 4 && !(to & 3);
}

int diag_bc_check(const void *prog, size_t len, bool admin) {
  const uint8_t *bc = prog;
  struct chain chain = {{0}};
  size_t off = 0;
  if (len > UINT16_MAX)
    return -EINVAL;
  follow(bc, len, &chain);
  while (off < len) {
    size_t left = len - off;
    if (left < sizeof(op_t))
      return -EINVAL;
    op_t o = op_at(bc, off);
    size_t least = length(bc + off, left);
    if (!least)
      return -EINVAL;
    if (o.code == INET_DIAG_BC_MARK_COND && !admin)
      return -EPERM;
    if (o.code != INET_DIAG_BC_NOP && (!jump_ok(o.no, least, left) || (o.no < left && !on_chain(&chain, off + o.no))))
      return -EINVAL;
    if (!jump_ok(o.yes, least, left))
      return -EINVAL;
    off += o.yes;
  }
  return off == len ? 0 : -EINVAL;
}

/* ---- running ---- */

static bool prefix_same(const uint8_t *a, const uint8_t *b, unsigned bits) {
  unsigned bytes = bits / 8;
  return !memcmp(a, b, bytes) && (!(bits % 8) || !((a[bytes] ^ b[bytes]) >> (8 - bits % 8)));
}

static bool host_is(const uint8_t *operand, const struct diag_entry *e, const struct in6_addr *addr, uint16_t port) {
  struct inet_diag_hostcond c;
  memcpy(&c, operand, sizeof c);
  const uint8_t *want = operand + sizeof c;
  if (c.port != -1 && c.port != port)
    return false;
  bool mapped = IN6_IS_ADDR_V4MAPPED(addr);
  if (c.family != AF_UNSPEC && c.family != e->family) {
    /* An IPv4 condition fits an IPv6 socket that talks IPv4. */
    if (e->family != AF_INET6 || c.family != AF_INET || !mapped)
      return false;
    return prefix_same(addr->s6_addr + 12, want, c.prefix_len);
  }
  if (!c.prefix_len)
    return true;
  return prefix_same(e->family == AF_INET ? addr->s6_addr + 12 : addr->s6_addr, want, c.prefix_len);
}

static bool holds(const uint8_t *p, const struct diag_entry *e) {
  op_t arg;
  uint32_t index;
  struct inet_diag_markcond m;
  const uint8_t *operand = p + sizeof(op_t);
  switch (p[0]) {
  case INET_DIAG_BC_JMP:
    return false;
  case INET_DIAG_BC_S_GE:
    return memcpy(&arg, operand, sizeof arg), e->sport >= arg.no;
  case INET_DIAG_BC_S_LE:
    return memcpy(&arg, operand, sizeof arg), e->sport <= arg.no;
  case INET_DIAG_BC_S_EQ:
    return memcpy(&arg, operand, sizeof arg), e->sport == arg.no;
  case INET_DIAG_BC_D_GE:
    return memcpy(&arg, operand, sizeof arg), e->dport >= arg.no;
  case INET_DIAG_BC_D_LE:
    return memcpy(&arg, operand, sizeof arg), e->dport <= arg.no;
  case INET_DIAG_BC_D_EQ:
    return memcpy(&arg, operand, sizeof arg), e->dport == arg.no;
  case INET_DIAG_BC_AUTO:
    return !e->port_given;
  case INET_DIAG_BC_S_COND:
    return host_is(operand, e, &e->src, e->sport);
  case INET_DIAG_BC_D_COND:
    return host_is(operand, e, &e->dst, e->dport);
  case INET_DIAG_BC_DEV_COND:
    return memcpy(&index, operand, sizeof index), (int)index == e->ifindex;
  case INET_DIAG_BC_MARK_COND:
    return memcpy(&m, operand, sizeof m), (e->mark & m.mask) == m.mark;
  default:
    return true;
  }
}

bool diag_bc_run(const void *prog, size_t len, const struct diag_entry *e) {
  const uint8_t *bc = prog;
  size_t off = 0;
  while (off < len && len - off >= sizeof(op_t)) {
    op_t o = op_at(bc, off);
    off += holds(bc + off, e) ? o.yes : o.no;
  }
  return off == len;
}
