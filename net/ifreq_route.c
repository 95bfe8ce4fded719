/* SIOCADDRT, SIOCDELRT of both versions, and arp(7): what route(8) and arp(8) call. */
#include "ifreq.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "ip_stack.h"
#include <linux/neighbour.h>
#include <linux/sockios.h>
#include <net/route.h>
#include <string.h>

/* ---- IPv4 routes ---- */

static uint32_t addr_of(const struct sockaddr *sa) {
  struct sockaddr_in sin;
  memcpy(&sin, sa, sizeof sin);
  return sin.sin_addr.s_addr;
}

/* The address and mask of a route. */
static int destination(const struct rtentry *rt, struct ip_rt_entry *e) {
  uint32_t be = addr_of(&rt->rt_dst), mask = addr_of(&rt->rt_genmask), host;
  if (rt->rt_dst.sa_family != AF_INET)
    return -EAFNOSUPPORT;
  e->prefix = 32;
  if (!(rt->rt_flags & RTF_HOST)) {
    if (rt->rt_genmask.sa_family != AF_INET && (mask || rt->rt_genmask.sa_family))
      return -EAFNOSUPPORT;
    host = ~ntohl(mask);
    if (host & (host + 1) || be & ~mask)
      return -EINVAL;
    e->prefix = (uint8_t)__builtin_popcount(mask);
  }
  e->dst = ip_from4(be);
  return 0;
}

/* rtentry_to_fib_config(); dev: the name that rt_dev points to, or "". */
static int entry4(struct net_namespace *ns, const struct rtentry *rt, char *dev, bool add, struct ip_rt_entry *e) {
  *e = (struct ip_rt_entry){.family = AF_INET, .table = RT_TABLE_MAIN, .type = RTN_UNICAST};
  e->gateway = e->prefsrc = ip_from4(0);
  int r = destination(rt, e);
  if (r)
    return r;
  e->metric = rt->rt_metric > 0 ? (uint32_t)rt->rt_metric - 1 : 0;
  e->protocol = add ? RTPROT_BOOT : RTPROT_UNSPEC;
  if (rt->rt_flags & RTF_REJECT) {
    e->scope = RT_SCOPE_HOST;
    e->type = RTN_UNREACHABLE;
    return 0;
  }
  e->scope = add ? RT_SCOPE_LINK : RT_SCOPE_NOWHERE;
  if (*dev) {
    dev[strcspn(dev, ":")] = 0;
    const struct netdev *d = netdev_by_name_borrow(ns, dev);
    if (!d)
      return -ENODEV;
    e->oif = d->ifindex;
  }
  uint32_t gw = rt->rt_gateway.sa_family == AF_INET ? addr_of(&rt->rt_gateway) : 0;
  if (gw) {
    e->gateway = ip_from4(gw);
    if (rt->rt_flags & RTF_GATEWAY)
      e->scope = RT_SCOPE_UNIVERSE;
  }
  if (add && rt->rt_flags & RTF_GATEWAY && !gw)
    return -EINVAL;
  if (add && rt->rt_flags & RTF_MTU)
    e->advmss = rt->rt_mtu > 40 ? (uint32_t)rt->rt_mtu - 40 : 0;
  return 0;
}

long net_route_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg) {
  struct rtentry rt;
  struct ip_rt_entry e;
  char dev[IFNAMSIZ] = "";
  if (cmd != SIOCADDRT && cmd != SIOCDELRT)
    return -ENOTTY;
  if (!net_admin(ns))
    return -EPERM;
  if (get_user(&rt, arg) || (rt.rt_dev && copy_from_user(dev, (uint64_t)(uintptr_t)rt.rt_dev, IFNAMSIZ - 1)))
    return -EFAULT;
  int r = entry4(ns, &rt, dev, cmd == SIOCADDRT, &e);
  if (r)
    return r;
  return cmd == SIOCADDRT ? ip_route_add(ns, &e, NLM_F_CREATE) : ip_route_del(ns, &e);
}

/* ---- IPv6 routes ---- */

struct in6_rtmsg_k { /* <linux/ipv6_route.h> */
  struct in6_addr dst, src, gateway;
  uint32_t type;
  uint16_t dst_len, src_len;
  uint32_t metric;
  unsigned long info;
  uint32_t flags;
  int32_t ifindex;
};

long net_route6_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg) {
  struct in6_rtmsg_k rt;
  if (cmd != SIOCADDRT && cmd != SIOCDELRT)
    return -ENOTTY;
  if (!net_admin(ns))
    return -EPERM;
  if (get_user(&rt, arg))
    return -EFAULT;
  if (rt.dst_len > 128 || rt.src_len || ip_is4(&rt.dst))
    return -EINVAL;
  struct ip_rt_entry e = {.family = AF_INET6,
                          .table = RT_TABLE_MAIN,
                          .type = rt.flags & RTF_REJECT ? RTN_UNREACHABLE : RTN_UNICAST,
                          .dst = rt.dst,
                          .prefix = (uint8_t)rt.dst_len,
                          .gateway = rt.gateway,
                          .metric = rt.metric ? rt.metric : 1024,
                          .protocol = RTPROT_BOOT,
                          .oif = rt.ifindex};
  if (cmd == SIOCDELRT) {
    e.metric = rt.metric;
    e.protocol = RTPROT_UNSPEC;
    return ip_route_del(ns, &e);
  }
  if (rt.ifindex && !netdev_by_index_borrow(ns, rt.ifindex))
    return -ENODEV;
  return ip_route_add(ns, &e, NLM_F_CREATE | NLM_F_EXCL);
}

/* ---- neighbours ---- */

struct lookup {
  const struct netdev *dev;
  struct in6_addr ip;
  struct neigh_entry e;
  bool ok;
};

static bool look(void *arg, const struct neigh_entry *e) {
  struct lookup *l = arg;
  if (e->dev != l->dev || !ip_same(&e->ip, &l->ip))
    return true;
  l->e = *e;
  l->ok = true;
  return false;
}

static struct netdev *arp_dev(struct net_namespace *ns, const struct arpreq *r, const struct in6_addr *ip) {
  if (r->arp_dev[0])
    return netdev_by_name_borrow(ns, r->arp_dev);
  struct ip_flow f = {.dst = *ip, .src = ip_from4(0), .ttl = -1};
  struct ip_route rt = {0};
  return ip_route_output(ns, &f, &rt) ? NULL : rt.dev;
}

static long arp_get(struct net_namespace *ns, struct netdev *d, const struct in6_addr *ip, struct arpreq *r) {
  struct lookup l = {.dev = d, .ip = *ip};
  neigh_each(ns, AF_INET, look, &l);
  if (!l.ok || l.e.state & NUD_NOARP)
    return -ENXIO;
  bool known = l.e.state & (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE);
  memset(&r->arp_ha, 0, sizeof r->arp_ha);
  r->arp_ha.sa_family = d->type;
  if (known)
    memcpy(r->arp_ha.sa_data, l.e.lladdr, d->addr_len);
  r->arp_flags = l.e.state & NUD_PERMANENT ? ATF_PERM | ATF_COM : known ? ATF_COM : 0;
  memcpy(r->arp_dev, d->name, sizeof r->arp_dev);
  return 0;
}

static long arp_set(struct netdev *d, const struct in6_addr *ip, const struct arpreq *r) {
  struct neigh_entry e = {.ip = *ip, .dev = d, .state = r->arp_flags & ATF_PERM ? NUD_PERMANENT : NUD_STALE};
  if (r->arp_ha.sa_family != d->type)
    return -EINVAL;
  memcpy(e.lladdr, r->arp_ha.sa_data, d->addr_len);
  return neigh_set(&e, NLM_F_CREATE | NLM_F_REPLACE);
}

long net_arp_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg) {
  struct arpreq r;
  if (cmd != SIOCGARP && cmd != SIOCSARP && cmd != SIOCDARP)
    return -ENOTTY;
  if (cmd != SIOCGARP && !net_admin(ns))
    return -EPERM;
  if (get_user(&r, arg))
    return -EFAULT;
  r.arp_dev[sizeof r.arp_dev - 1] = 0;
  struct in6_addr ip = ip_from4(addr_of(&r.arp_pa));
  if (r.arp_pa.sa_family != AF_INET)
    return -EPFNOSUPPORT;
  if (r.arp_flags & ATF_PUBL || r.arp_flags & (ATF_NETMASK | ATF_DONTPUB)) /* no proxy ARP */
    return -EINVAL;
  struct netdev *d = arp_dev(ns, &r, &ip);
  if (!d || (cmd == SIOCGARP && !r.arp_dev[0]))
    return -ENODEV;
  if (!r.arp_ha.sa_family)
    r.arp_ha.sa_family = d->type;
  if (cmd == SIOCSARP)
    return arp_set(d, &ip, &r);
  if (cmd == SIOCDARP) {
    int rc = neigh_del(d, &ip);
    return rc == -ENOENT ? -ENXIO : rc;
  }
  long rc = arp_get(ns, d, &ip, &r);
  return rc ? rc : put_user(arg, &r) ? -EFAULT : 0;
}
