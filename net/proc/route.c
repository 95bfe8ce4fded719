/* /proc/net/route and ipv6_route: route(8) reads them. The tables are hashes: rows are put in the order of Linux's
 * tries, by destination. */
#include "files.h"
#include "../../core/errno.h"
#include <net/route.h>
#include <stdlib.h>
#include <string.h>

#define RTF_ANYCAST 0x00100000 /* <linux/ipv6_route.h>, which does not go with <netinet/in.h> */

struct collected {
  struct ip_rt_entry *v;
  unsigned n, cap;
  bool failed;
};

static bool collect(void *arg, const struct ip_rt_entry *e) {
  struct collected *c = arg;
  bool v6 = e->family == AF_INET6;
  if (!v6 && (e->table != RT_TABLE_MAIN || e->type == RTN_BROADCAST || e->type == RTN_MULTICAST))
    return true;
  if (c->n == c->cap) {
    unsigned cap = c->cap ? 2 * c->cap : 16; /* at most IP_ROUTES_MAX */
    struct ip_rt_entry *v = reallocarray(c->v, cap, sizeof *v);
    if (!v) {
      c->failed = true;
      return false;
    }
    c->v = v;
    c->cap = cap;
  }
  c->v[c->n++] = *e;
  return true;
}

static int by_place(const void *pa, const void *pb) {
  const struct ip_rt_entry *a = pa, *b = pb;
  int r = memcmp(&a->dst, &b->dst, sizeof a->dst);
  if (r)
    return r;
  if (a->prefix != b->prefix) /* the longer first for IPv4, a leaf's order; the shorter for IPv6, a tree's */
    return a->family == AF_INET6 ? (int)a->prefix - (int)b->prefix : (int)b->prefix - (int)a->prefix;
  return a->metric < b->metric ? -1 : a->metric > b->metric;
}

static int collect_sorted(struct net_namespace *ns, int family, struct collected *c) {
  ip_route_each(ns, family, collect, c);
  if (c->failed) {
    free(c->v);
    return -ENOMEM;
  }
  if (c->n)
    qsort(c->v, c->n, sizeof *c->v, by_place);
  return 0;
}

static const char *dev_name(struct net_namespace *ns, int ifindex, const char *none) {
  const struct netdev *d = ifindex ? netdev_by_index_borrow(ns, ifindex) : NULL;
  return d ? d->name : none;
}

static bool refuses(const struct ip_rt_entry *e) {
  return e->type == RTN_UNREACHABLE || e->type == RTN_PROHIBIT || e->type == RTN_BLACKHOLE;
}

static void route_row(struct net_text *t, struct net_namespace *ns, const struct ip_rt_entry *e) {
  size_t from = t->len;
  bool gw = !ip_is_any(&e->gateway);
  unsigned flags = RTF_UP | (gw ? RTF_GATEWAY : 0) | (e->prefix == 32 ? RTF_HOST : 0) | (refuses(e) ? RTF_REJECT : 0);
  uint32_t mask = e->prefix ? htonl(UINT32_MAX << (32 - e->prefix)) : 0;
  nt_printf(t, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%u\t%u\t%u", dev_name(ns, e->oif, "*"), ip_get4(&e->dst),
            gw ? ip_get4(&e->gateway) : 0, flags, 0, 0u, e->metric, mask, e->advmss ? e->advmss + 40 : 0, 0u, 0u);
  nt_pad(t, from, 127);
}

NET_SHOW(net_show_route) {
  struct collected c = {0};
  int r = collect_sorted(w->ns, AF_INET, &c);
  if (r)
    return r;
  size_t from = t->len;
  if (nt_row(t)) {
    nt_puts(t, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    nt_pad(t, from, 127);
  }
  for (unsigned i = 0; i < c.n; i++)
    if (nt_row(t))
      route_row(t, w->ns, &c.v[i]);
  free(c.v);
  return 0;
}

static void route6_row(struct net_text *t, struct net_namespace *ns, const struct ip_rt_entry *e) {
  bool gw = !ip_is_any(&e->gateway);
  uint32_t flags = RTF_UP | (gw ? RTF_GATEWAY : 0);
  if (refuses(e))
    flags |= RTF_REJECT | RTF_NONEXTHOP;
  if (e->type == RTN_LOCAL)
    flags |= RTF_LOCAL | RTF_NONEXTHOP;
  if (e->type == RTN_ANYCAST)
    flags |= RTF_ANYCAST | RTF_NONEXTHOP;
  nt_in6(t, &e->dst);
  nt_printf(t, " %02x ", e->prefix);
  nt_in6(t, &in6addr_any);
  nt_puts(t, " 00 ");
  nt_in6(t, gw ? &e->gateway : &in6addr_any);
  nt_printf(t, " %08x %08x %08x %08x %8s\n", e->metric, e->type == RTN_LOCAL ? 2 : 1, 0, flags,
            dev_name(ns, e->oif, "lo"));
}

/* Each table of Linux ends in an entry of its own that refuses everything. */
static void no_route6(struct net_text *t) {
  struct ip_rt_entry none = {.family = AF_INET6, .type = RTN_UNREACHABLE, .metric = UINT32_MAX};
  if (!nt_row(t))
    return;
  nt_in6(t, &none.dst);
  nt_puts(t, " 00 ");
  nt_in6(t, &none.dst);
  nt_puts(t, " 00 ");
  nt_in6(t, &none.dst);
  nt_printf(t, " %08x %08x %08x %08x %8s\n", none.metric, 1, 0, RTF_REJECT | RTF_NONEXTHOP, "lo");
}

NET_SHOW(net_show_route6) {
  static const uint32_t tables[] = {RT_TABLE_MAIN, RT_TABLE_LOCAL};
  struct collected c = {0};
  int r = collect_sorted(w->ns, AF_INET6, &c);
  if (r)
    return r;
  for (int k = 0; k < 2; k++) {
    for (unsigned i = 0; i < c.n; i++)
      if ((c.v[i].table == RT_TABLE_LOCAL) == (tables[k] == RT_TABLE_LOCAL) && nt_row(t))
        route6_row(t, w->ns, &c.v[i]);
    no_route6(t);
  }
  free(c.v);
  return 0;
}
