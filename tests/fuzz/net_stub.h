/* What the Internet layer stands on, for fuzzing: a namespace with lo and an Ethernet device that swallows what it is
 * given, timers that the input runs, time that it sets. */
#pragma once
#include "../../net/ip_stack.h"
#include <stdlib.h>
#include <string.h>

int ip_stack_init(struct net_stack *st);
void ip_stack_fini(struct net_stack *st);
void ip_netdev_event(struct netdev *d, enum netdev_event ev);

static int64_t fuzz_now = 1000 * NS_PER_S;
static struct timer *timers[4096];
static unsigned ntimers;
static struct kernel fuzz_kernel;
static struct net fuzz_net;
static struct net_namespace fuzz_ns;
static struct net_stack fuzz_st;
static struct netdev fuzz_lo, fuzz_eth;
static const struct netdev_ops fuzz_ops = {0};

int64_t loop_now(void) {
  return fuzz_now;
}
int64_t loop_now_exact(void) {
  return fuzz_now;
}
void timer_arm(struct timer *t, int64_t deadline) {
  t->deadline = deadline;
  if (!t->armed && ntimers < 4096)
    timers[ntimers++] = t;
  t->armed = true;
}
void timer_disarm(struct timer *t) {
  for (unsigned i = 0; i < ntimers; i++)
    if (timers[i] == t)
      timers[i--] = timers[--ntimers];
  t->armed = false;
}
/* Timers that are due, a bounded number of them. */
static void fuzz_timers(void) {
  for (unsigned round = 0; round < 64; round++) {
    unsigned i = 0;
    while (i < ntimers && timers[i]->deadline > fuzz_now)
      i++;
    if (i == ntimers)
      return;
    struct timer *t = timers[i];
    timer_disarm(t);
    t->fn(t);
  }
}

int netdev_xmit(struct netdev *d, struct pbuf *p) {
  for (uint32_t i = 0; i < p->len; i++) { /* every byte is there */
    uint8_t b;
    pbuf_copy_out(p, i, &b, 1);
  }
  pbuf_free(p);
  return 0;
}
int ether_output(struct netdev *d, struct pbuf *p, const uint8_t *dst, uint16_t type) {
  if (!pbuf_push(p, 14)) {
    pbuf_free(p);
    return -1;
  }
  return netdev_xmit(d, p);
}
struct netdev *netdev_by_index_borrow(struct net_namespace *ns, int ifindex) {
  return ifindex == 1 ? &fuzz_lo : ifindex == 2 ? &fuzz_eth : NULL;
}
int csum_complete(struct pbuf *p) {
  p->csum = PB_CSUM_NONE;
  return 0;
}
void net_defer(struct net *n, struct net_deferred *d) {
  d->queued = true;
}
void net_defer_cancel(struct net *n, struct net_deferred *d) {
  d->queued = false;
}
ssize_t uio_copy_to_vec(struct uio *u, struct iovec *src, int n) {
  abort();
}
ssize_t uio_copy_to(struct uio *u, const void *p, size_t len) {
  return (ssize_t)len;
}

static void fuzz_dev(struct netdev *d, int index, unsigned flags) {
  memset(d, 0, sizeof *d);
  d->ns = &fuzz_ns;
  d->ops = &fuzz_ops;
  d->ifindex = index;
  d->flags = IFF_UP | flags;
  d->mtu = index == 1 ? 65536 : 1500;
  d->addr_len = 6;
  d->addr[0] = 2;
  memset(d->broadcast, 0xff, 6);
  TAILQ_INSERT_TAIL(&fuzz_st.devs, d, link);
  ip_netdev_event(d, NETDEV_REGISTER);
  ip_netdev_event(d, NETDEV_UP);
}

static void fuzz_addr(const struct in6_addr *a, unsigned prefix) {
  struct ip_ifaddr x = {.addr = *a,
                        .prefix = (uint8_t)prefix,
                        .valid_lft = UINT32_MAX,
                        .preferred_lft = UINT32_MAX,
                        .flags = IFA_F_NODAD};
  if (ip_addr_add(&fuzz_eth, &x))
    abort();
}

static struct ip_net *fuzz_begin(void) {
  memset(&fuzz_st, 0, sizeof fuzz_st);
  fuzz_net.k = &fuzz_kernel;
  fuzz_kernel.net = &fuzz_net;
  fuzz_ns.ns.k = &fuzz_kernel;
  fuzz_ns.stack = &fuzz_st;
  fuzz_st.ns = &fuzz_ns;
  TAILQ_INIT(&fuzz_st.devs);
  fuzz_st.lo = &fuzz_lo;
  if (ip_stack_init(&fuzz_st))
    abort();
  fuzz_dev(&fuzz_lo, 1, IFF_LOOPBACK);
  fuzz_dev(&fuzz_eth, 2, IFF_BROADCAST | IFF_MULTICAST);
  struct in6_addr a6 = {.s6_addr = {0xfe, 0x80, [15] = 1}}, a4 = ip_from4(htonl(0x0a000001));
  fuzz_addr(&a4, 24);
  fuzz_addr(&a6, 64);
  return ip_net_of(&fuzz_ns);
}

static void fuzz_end(struct ip_net *n) {
  if (n->nneigh > NEIGH_MAX || n->frag_mem > FRAG_MEM_MAX || n->npmtu > PMTU_MAX)
    abort();
  struct net_deferred *d = &n->loop_due;
  if (d->queued) {
    d->queued = false;
    d->fn(d);
  }
  fuzz_now += 100 * NS_PER_S;
  fuzz_timers();
  ip_netdev_event(&fuzz_eth, NETDEV_DOWN);
  ip_netdev_event(&fuzz_eth, NETDEV_UNREGISTER);
  ip_netdev_event(&fuzz_lo, NETDEV_DOWN);
  ip_netdev_event(&fuzz_lo, NETDEV_UNREGISTER);
  if (n->frag_mem || n->nfrag || n->nneigh || n->rt[0].count || n->rt[1].count)
    abort();
  ip_stack_fini(&fuzz_st);
  if (ntimers)
    abort();
}

/* A packet of the input's bytes, in one or two pieces. */
static struct pbuf *fuzz_packet(const uint8_t *data, size_t len, size_t linear) {
  struct pbuf *p = pbuf_new((uint32_t)linear);
  memcpy(pbuf_put(p, (uint32_t)linear), data, linear);
  if (len > linear) {
    struct pstore *s = pstore_new((uint32_t)(len - linear));
    memcpy(s->bytes, data + linear, len - linear);
    if (pbuf_add_frag(p, s, s->bytes, (uint32_t)(len - linear)))
      abort();
    pstore_put(s);
  }
  p->dev = &fuzz_eth;
  p->net = p->data;
  return p;
}

/* The input as a number of records {length, pieces, seconds that pass, bytes}; one is given to fn. */
static int __attribute__((unused))
fuzz_records(const uint8_t *data, size_t len, void (*fn)(struct ip_net *n, struct pbuf *p)) {
  struct ip_net *n = fuzz_begin();
  for (int i = 0; len >= 4 && i < 64; i++) {
    size_t want = data[0] | (data[1] & 15) << 8, cut = data[2];
    fuzz_now += (data[3] & 15) * NS_PER_S;
    n->sysctl.forward4 = n->sysctl.forward6 = data[3] >> 7;
    uint8_t type = data[3] >> 4 & 3;
    data += 4, len -= 4;
    want = want < len ? want : len;
    struct pbuf *p = fuzz_packet(data, want, cut < want ? cut : want);
    p->pkt_type = type == 3 ? 0 : type;
    fn(n, p);
    data += want, len -= want;
    fuzz_timers();
  }
  fuzz_end(n);
  return 0;
}
