/* Socket filters: see sock_filter.h. What a program may load beside the packet's bytes is in filter.rst, "extensions".
 */
#include "sock_filter.h"
#include "../core/bpf_classic.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "netdev.h"
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

struct sock_filter_prog {
  ref_t ref;
  unsigned len;
  struct sock_filter insns[];
};

/* ---- attaching ---- */

void sock_filter_prog_put(struct sock_filter_prog *f) {
  if (f && ref_put(&f->ref))
    free(f);
}

int sock_filter_load(const void *val, socklen_t len, struct sock_filter_prog **out) {
  struct sock_fprog arg;
  if (len != sizeof arg)
    return -EINVAL;
  memcpy(&arg, val, sizeof arg);
  if (!arg.filter || !arg.len || arg.len > BPF_MAXINSNS)
    return -EINVAL;
  size_t bytes = arg.len * sizeof *arg.filter;
  struct sock_filter_prog *f = malloc(sizeof *f + bytes);
  if (!f)
    return -ENOMEM;
  ref_init(&f->ref);
  f->len = arg.len;
  int rc = copy_from_user(f->insns, (uint64_t)arg.filter, bytes);
  if (!rc)
    rc = bpf_check(f->insns, f->len, BPF_FOR_PACKETS);
  if (rc)
    sock_filter_prog_put(f);
  else
    *out = f;
  return rc;
}

static int attach(struct socket *s, const void *val, socklen_t len) {
  struct sock_filter_prog *f;
  if (len != sizeof(struct sock_fprog))
    return -EINVAL;
  if (s->filter_locked)
    return -EPERM;
  int rc = sock_filter_load(val, len, &f);
  if (rc)
    return rc;
  if (s->filter_locked) { /* by another thread meanwhile */
    sock_filter_prog_put(f);
    return -EPERM;
  }
  sock_filter_prog_put(s->filter);
  s->filter = f;
  return 0;
}

static int detach(struct socket *s) {
  if (s->filter_locked)
    return -EPERM;
  if (!s->filter)
    return -ENOENT;
  sock_filter_free(s);
  return 0;
}

static int lock(struct socket *s, const void *val) {
  int on;
  memcpy(&on, val, sizeof on);
  if (s->filter_locked && !on)
    return -EPERM;
  s->filter_locked = on;
  return 0;
}

int sock_filter_setsockopt(struct socket *s, int opt, const void *val, socklen_t len) {
  switch (opt) {
  case SO_ATTACH_FILTER:
    return len < sizeof(int) ? -EINVAL : attach(s, val, len);
  case SO_DETACH_FILTER:
    return len < sizeof(int) ? -EINVAL : detach(s);
  case SO_LOCK_FILTER:
    return len < sizeof(int) ? -EINVAL : lock(s, val);
  case SO_ATTACH_BPF: /* there is no bpf(2) to load one with, as in a kernel without CONFIG_BPF_SYSCALL */
  case SO_ATTACH_REUSEPORT_EBPF:
    return len != sizeof(int) ? -EINVAL : s->filter_locked ? -EPERM : -EOPNOTSUPP;
  default:
    return -ENOPROTOOPT;
  }
}

int sock_filter_getsockopt(struct socket *s, int opt, void *val, socklen_t *len) {
  int locked = s->filter_locked;
  if (opt == SO_LOCK_FILTER) {
    *len = *len < sizeof locked ? *len : sizeof locked;
    memcpy(val, &locked, *len);
    return 0;
  }
  if (opt != SO_GET_FILTER)
    return -ENOPROTOOPT;
  unsigned room = *len;
  *len = s->filter ? s->filter->len : 0;
  if (!s->filter || !room)
    return 0;
  if (room < s->filter->len)
    return -EINVAL;
  memcpy(val, s->filter->insns, s->filter->len * sizeof *s->filter->insns);
  return 0;
}

void sock_filter_inherit(struct socket *s, const struct socket *from) {
  if (!from->filter)
    return;
  ref_get(&from->filter->ref);
  s->filter = from->filter;
  s->filter_locked = from->filter_locked;
}

void sock_filter_free(struct socket *s) {
  sock_filter_prog_put(s->filter);
  s->filter = NULL;
}

/* ---- running ---- */

struct subject {
  const struct pbuf *p; /* NULL: no packet, but bytes */
  uint32_t base;        /* where the program's byte 0 is, from p->data */
  const uint8_t *bytes;
  uint32_t len;
};

/* From the network or link header on: within the linear part, that is, where headers are. */
static bool load_header(const struct pbuf *p, uint32_t off, unsigned n, uint8_t out[4]) {
  const uint8_t *h = p->net;
  int64_t at = (int64_t)(int32_t)off - SKF_NET_OFF;
  if (at < 0) {
    h = p->mac;
    at = (int64_t)(int32_t)off - SKF_LL_OFF;
  }
  if (!h || at < 0 || h < p->head || at + n > p->data + p->linear - h)
    return false;
  memcpy(out, h + at, n);
  return true;
}

static bool load(void *arg, uint32_t off, unsigned n, uint8_t out[4]) {
  const struct subject *s = arg;
  if (!s->p)
    return false;
  if ((int32_t)off < 0)
    return load_header(s->p, off, n, out);
  if ((uint64_t)s->base + off + n > s->p->len)
    return false;
  pbuf_copy_out(s->p, s->base + off, out, n);
  return true;
}

/* An attribute of type x behind offset a of the message, or within the one that is there: 0, none. */
static uint32_t find_nlattr(const struct subject *s, uint32_t a, uint32_t x, bool nested) {
  if (s->p || s->len < sizeof(struct nlattr) || a > s->len - sizeof(struct nlattr))
    return 0;
  uint32_t at = a, end = s->len;
  struct nlattr h;
  if (nested) {
    memcpy(&h, s->bytes + a, sizeof h);
    if (h.nla_len > s->len - a)
      return 0;
    end = a + h.nla_len;
    at = a + NLA_HDRLEN;
  }
  while (at < end && end - at >= sizeof h) {
    memcpy(&h, s->bytes + at, sizeof h);
    if (h.nla_len < sizeof h || h.nla_len > end - at)
      return 0;
    if ((uint32_t)(h.nla_type & NLA_TYPE_MASK) == x)
      return at;
    at += NLA_ALIGN((uint32_t)h.nla_len);
  }
  return 0;
}

/* Where what TCP, UDP or ICMP carry begins, without fragments: __skb_get_poff(). */
static uint32_t payload_offset(const struct subject *s) {
  const struct pbuf *p = s->p;
  uint32_t at = p && p->net && p->net >= p->data ? (uint32_t)(p->net - p->data) : s->base, l4;
  uint8_t h[40], proto;
  if (!p || at + 20 > p->len)
    return 0;
  pbuf_copy_out(p, at, h, 20);
  if (*h >> 4 == 4) {
    proto = h[9];
    l4 = at + (*h & 15u) * 4;
    if ((h[6] & 0x1f) || h[7])
      return l4 - s->base;
  } else {
    if (at + 40 > p->len)
      return 0;
    pbuf_copy_out(p, at, h, 40);
    proto = h[6];
    l4 = at + 40;
  }
  if (proto == IPPROTO_TCP && (uint64_t)l4 + 20 <= p->len) {
    pbuf_copy_out(p, l4 + 12, h, 1);
    l4 += (*h >> 4) * 4u < 20 ? 20 : (*h >> 4) * 4u;
  } else if (proto == IPPROTO_UDP || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 || proto == IPPROTO_UDPLITE) {
    l4 += 8;
  }
  return l4 - s->base;
}

static bool ancillary_of_device(const struct netdev *d, uint32_t off, uint32_t *out) {
  if (!d)
    return false;
  *out = off == SKF_AD_IFINDEX ? (uint32_t)d->ifindex : d->type;
  return true;
}

static bool ancillary(void *arg, uint32_t off, uint32_t a, uint32_t x, uint32_t *out) {
  const struct subject *s = arg;
  const struct pbuf *p = s->p;
  *out = 0; /* no VLAN tags, one queue, no hash computed, one CPU that receives */
  switch (off) {
  case SKF_AD_PROTOCOL:
    *out = p ? p->protocol : 0;
    break;
  case SKF_AD_PKTTYPE:
    *out = p ? p->pkt_type : 0;
    break;
  case SKF_AD_IFINDEX:
  case SKF_AD_HATYPE:
    return ancillary_of_device(p ? p->dev : NULL, off, out);
  case SKF_AD_MARK:
    *out = p ? p->mark : 0;
    break;
  case SKF_AD_NLATTR:
  case SKF_AD_NLATTR_NEST:
    *out = find_nlattr(s, a, x, off == SKF_AD_NLATTR_NEST);
    break;
  case SKF_AD_ALU_XOR_X:
    *out = a ^ x;
    break;
  case SKF_AD_PAY_OFFSET:
    *out = payload_offset(s);
    break;
  case SKF_AD_RANDOM:
    (void)!getrandom(out, sizeof *out, GRND_NONBLOCK);
    break;
  }
  return true;
}

uint32_t sock_filter_run(const struct sock_filter_prog *f, const struct pbuf *p, uint32_t base) {
  struct subject s = {.p = p, .base = base};
  uint32_t linear = p->linear > base ? p->linear - base : 0;
  struct bpf_data d = {.bytes = p->data + (linear ? base : 0),
                       .len = p->len - base,
                       .linear = linear,
                       .load = load,
                       .ancillary = ancillary,
                       .arg = &s};
  return bpf_run(f->insns, BPF_FOR_PACKETS, &d);
}

bool sock_filter_pass(const struct socket *s, const struct pbuf *p, uint32_t *keep) {
  uint32_t n = s->filter ? sock_filter_run(s->filter, p, 0) : UINT32_MAX;
  *keep = n < p->len ? n : p->len;
  return n;
}

bool sock_filter_pass_bytes(const struct socket *s, const void *msg, uint32_t len, uint32_t *keep) {
  *keep = len;
  if (!s->filter)
    return true;
  struct subject sub = {.bytes = msg, .len = len};
  struct bpf_data d = {.bytes = msg, .len = len, .linear = len, .load = load, .ancillary = ancillary, .arg = &sub};
  uint32_t n = bpf_run(s->filter->insns, BPF_FOR_PACKETS, &d);
  *keep = n < len ? n : len;
  return n;
}
