/* Which way a packet of ours goes: the next hop, the device, the source address and the path MTU. As Linux's
 * ip_route_output_key() and ip6_route_output() decide. */
#include "../core/errno.h"
#include "ip_stack.h"

static bool lbcast(const struct in6_addr *a) {
  return ip_is4(a) && ip_get4(a) == INADDR_BROADCAST;
}

bool ip_is_local(struct net_namespace *ns, const struct in6_addr *a, int oif) {
  struct ip_net *n = ip_net_of(ns);
  if (!n || ip_local_type(n, a) != RTN_LOCAL)
    return false;
  struct netdev *d = oif ? netdev_by_index_borrow(ns, oif) : NULL;
  if (!oif || (ip_is4(a) && ip_is_loopback(a) && d && (d->flags & IFF_LOOPBACK)))
    return true;
  struct ip_dev *i = ip_dev_of(d);
  return i && ip_addr_find(i, a);
}

struct owner {
  const struct in6_addr *a;
  struct netdev *dev;
};
static bool owns(void *arg, struct ip_dev *i) {
  struct owner *o = arg;
  if (i->up && ip_addr_find(i, o->a))
    o->dev = i->dev;
  return !o->dev;
}
static struct netdev *dev_of_addr(struct ip_net *n, const struct in6_addr *a) {
  struct owner o = {a, NULL};
  ip_dev_each(n->ns, owns, &o);
  return o.dev;
}

static int source_ok(struct ip_net *n, const struct ip_flow *f) {
  if (ip_is4(&f->src) != ip_is4(&f->dst))
    return -EINVAL;
  if (ip_is_multicast(&f->src) || lbcast(&f->src))
    return -EINVAL;
  if (f->hdrincl || f->freebind)
    return 0;
  if (ip_local_type(n, &f->src) == RTN_LOCAL)
    return 0;
  return ip_is4(&f->src) ? -ENETUNREACH : -EINVAL;
}

/* MTU of the device, what the route says, what the path said. */
static void set_mtu(struct ip_net *n, struct ip_route *r, const struct ip_rt_entry *e, const struct in6_addr *dst) {
  unsigned max = r->dev->mtu < 65535 ? r->dev->mtu : 65535, hdr = ip_is4(dst) ? 20 : 40;
  r->mtu = e && e->mtu && e->mtu < max ? e->mtu : max;
  unsigned path = r->type == RTN_UNICAST ? ip_pmtu_get(n, dst) : 0;
  if (path && path < r->mtu)
    r->mtu = path;
  unsigned mss = max > hdr + 20 ? max - hdr - 20 : 0;
  r->advmss = (uint16_t)(e && e->advmss && e->advmss < mss ? e->advmss : mss);
}

static void to_self(struct ip_net *n, const struct ip_rt_entry *e, struct in6_addr dst, struct ip_route *r) {
  r->type = RTN_LOCAL;
  if (ip_is_any(&r->src))
    r->src = e && !ip_is_any(&e->prefsrc) ? e->prefsrc : dst;
  r->dev = net_stack_of(n->ns)->lo;
  r->gateway = dst;
}

/* A device is asked for but no route goes through it: the destination is taken to be on its link. */
static int on_link(struct ip_net *n, const struct in6_addr *dst, struct netdev *d, struct ip_route *r) {
  r->dev = d;
  r->gateway = *dst;
  r->type = ip_is_multicast(dst) ? RTN_MULTICAST : lbcast(dst) ? RTN_BROADCAST : RTN_UNICAST;
  if (ip_is_any(&r->src))
    (void)ip_addr_select(n, d, dst, RT_SCOPE_LINK, &r->src);
  return 0;
}

static int by_table(struct ip_net *n, const struct ip_flow *f, const struct in6_addr *dst, int oif, struct ip_route *r,
                    const struct ip_rt_entry **e) {
  struct netdev *d = oif ? netdev_by_index_borrow(n->ns, oif) : NULL;
  int rc = ip_route_resolve(n, dst, f->tos, oif, e);
  if (rc) {
    bool link = ip_is4(dst) || ip_is_multicast(dst) || ip_is_linklocal(dst);
    *e = NULL;
    return d && rc == -ENETUNREACH && link ? on_link(n, dst, d, r) : rc;
  }
  const struct ip_rt_entry *x = *e;
  if (x->type == RTN_LOCAL) {
    to_self(n, x, *dst, r);
    return 0;
  }
  r->dev = netdev_by_index_borrow(n->ns, x->oif);
  if (!r->dev)
    return -ENETUNREACH;
  r->type = x->type;
  r->gateway = ip_is_any(&x->gateway) ? *dst : x->gateway;
  if (ip_is_any(&r->src)) {
    if (!ip_is_any(&x->prefsrc))
      r->src = x->prefsrc;
    else if (!ip_addr_select(n, r->dev, ip_is4(dst) ? &r->gateway : dst, x->scope, &r->src) && !ip_is4(dst))
      return -EADDRNOTAVAIL;
  }
  return 0;
}

/* Multicast and limited broadcast need no route when it is clear which device they leave by. */
static int special(struct ip_net *n, const struct ip_flow *f, int *oif, struct ip_route *r, bool *done) {
  *done = false;
  if (!ip_is_multicast(&f->dst) && !lbcast(&f->dst))
    return 0;
  if (!*oif && !ip_is_any(&f->src) && ip_is4(&f->dst) && !f->hdrincl) {
    struct netdev *d = dev_of_addr(n, &f->src);
    if (d)
      *oif = d->ifindex;
  }
  if (!*oif)
    return 0;
  struct netdev *d = netdev_by_index_borrow(n->ns, *oif);
  *done = true;
  if (d && !ip_is4(&f->dst) && !(d->flags & IFF_MULTICAST)) /* it has no route for ff00::/8 */
    return -ENETUNREACH;
  return d ? on_link(n, &f->dst, d, r) : -ENODEV;
}

static int resolve(struct ip_net *n, const struct ip_flow *f, struct ip_route *r) {
  struct net_namespace *ns = n->ns;
  const struct ip_rt_entry *e = NULL;
  struct in6_addr dst = f->dst;
  int oif = f->oif, rc;
  bool v4 = ip_is4(&dst), done;
  *r = (struct ip_route){.src = f->src};
  if (v4 && IN6_IS_ADDR_UNSPECIFIED(&r->src))
    r->src = ip_from4(0);
  if (!ip_is_any(&r->src) && (rc = source_ok(n, f)))
    return rc;
  struct netdev *d = oif ? netdev_by_index_borrow(ns, oif) : NULL;
  if (oif && !d)
    return -ENODEV;
  if (d && !(d->flags & IFF_UP))
    return -ENETUNREACH;
  if (ip_is_any(&dst)) { /* this host: RFC 1122 3.2.1.3 */
    dst = !ip_is_any(&r->src) ? r->src : v4 ? ip_from4(htonl(INADDR_LOOPBACK)) : in6addr_loopback;
    if (!net_stack_of(ns)->lo || !(net_stack_of(ns)->lo->flags & IFF_UP))
      return -ENETUNREACH;
    to_self(n, NULL, dst, r);
  } else if ((rc = special(n, f, &oif, r, &done)) || (!done && (rc = by_table(n, f, &dst, oif, r, &e))))
    return rc;
  if (v4 && lbcast(&dst))
    r->type = RTN_BROADCAST;
  else if (ip_is_multicast(&dst))
    r->type = RTN_MULTICAST;
  if (!r->dev)
    return -ENETUNREACH;
  if (!(r->dev->flags & IFF_UP))
    return -ENETDOWN;
  if (v4 && ip_is_loopback(&r->src) && !(r->dev->flags & IFF_LOOPBACK))
    return -EINVAL;
  if (r->type == RTN_BROADCAST && !f->broadcast_ok)
    return -EACCES;
  set_mtu(n, r, e, &dst);
  r->gen = n->route_gen;
  return 0;
}

int ip_route_output(struct net_namespace *ns, const struct ip_flow *f, struct ip_route *r) {
  struct ip_net *n = ip_net_of(ns);
  int rc = n ? resolve(n, f, r) : -ENETUNREACH;
  if (n && rc == -ENETUNREACH)
    n->mib[!ip_is4(&f->dst)].out_no_routes++;
  return rc;
}

int ip_route_lookup(struct net_namespace *ns, const struct ip_flow *f, struct ip_rt_entry *out) {
  struct ip_net *n = ip_net_of(ns);
  const struct ip_rt_entry *e;
  struct ip_route r;
  if (!n)
    return -ENETUNREACH;
  struct ip_flow g = *f;
  g.broadcast_ok = true;
  int rc = ip_route_output(ns, &g, &r);
  if (rc)
    return rc;
  *out = (struct ip_rt_entry){.type = r.type, .scope = RT_SCOPE_UNIVERSE, .table = RT_TABLE_MAIN};
  if (!ip_route_resolve(n, &f->dst, f->tos, f->oif, &e))
    *out = *e;
  /* What is shown is a route to this one destination. */
  out->dst = f->dst;
  out->family = ip_is4(&f->dst) ? AF_INET : AF_INET6;
  out->prefix = ip_is4(&f->dst) ? 32 : 128;
  out->oif = r.dev->ifindex;
  out->prefsrc = r.src;
  return 0;
}
