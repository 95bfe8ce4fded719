/* IPPROTO_IPV6: ipv6(7), RFC 3493 5, RFC 3542. Ranges, lengths and errors are Linux's. */
#include "../../core/errno.h"
#include "../ip_stack.h"
#include "inet.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define EXT_MAX (8 * 255)
#define IPV6_FLOWINFO_OPT 11
#define IPV6_FLOWINFO_SEND_OPT 33
#define MIN_MTU 1280

/* RFC 5014: include/uapi/linux/in6.h has them, this libc does not. */
#define IPV6_PREFER_SRC_TMP 0x0001
#define IPV6_PREFER_SRC_PUBLIC 0x0002
#define IPV6_PREFER_SRC_COA 0x0004
#define IPV6_PREFER_SRC_CGA 0x0008
#define IPV6_PREFER_SRC_PUBTMP_DEFAULT 0x0100
#define IPV6_PREFER_SRC_HOME 0x0400
#define IPV6_PREFER_SRC_NONCGA 0x0800

#define BIT(name, bit)                                                                                                 \
  { name, INET_OPT_BIT, INET_OPTF_SIZED, 0, 0, bit }
#define FIELD(name, kind, member, flags, lo, hi)                                                                       \
  { name, kind, INET_OPTF_SIZED | (flags), lo, hi, offsetof(struct inet_opts, member) }
#define RANGE INET_OPTF_RANGE
static const struct inet_optdef defs[] = {
    BIT(IPV6_RECVPKTINFO, INET_RECV_PKTINFO6),
    BIT(IPV6_RECVHOPLIMIT, INET_RECV_HOPLIMIT),
    BIT(IPV6_RECVTCLASS, INET_RECV_TCLASS),
    BIT(IPV6_RECVORIGDSTADDR, INET_RECV_ORIGDSTADDR6),
    BIT(IPV6_FLOWINFO_OPT, INET_RECV_FLOWLABEL),
    {IPV6_RECVFRAGSIZE, INET_OPT_BIT, 0, 0, 0, INET_RECV_FRAGSIZE}, /* these three look at no length */
    {IPV6_DONTFRAG, INET_OPT_BOOL, 0, 0, 0, offsetof(struct inet_opts, dontfrag)},
    {IPV6_AUTOFLOWLABEL, INET_OPT_BOOL, 0, 0, 0, offsetof(struct inet_opts, autoflowlabel)},
    BIT(IPV6_RECVHOPOPTS, INET_RECV_EXTHDRS),
    BIT(IPV6_RECVRTHDR, INET_RECV_RTHDR),
    BIT(IPV6_RECVDSTOPTS, INET_RECV_DSTOPTS),
    BIT(IPV6_RECVPATHMTU, INET_RECV_PATHMTU),
    BIT(IPV6_2292PKTINFO, INET_RECV_2292PKTINFO),
    BIT(IPV6_2292HOPLIMIT, INET_RECV_2292HOPLIMIT),
    BIT(IPV6_2292RTHDR, INET_RECV_2292RTHDR),
    BIT(IPV6_2292HOPOPTS, INET_RECV_2292HOPOPTS),
    BIT(IPV6_2292DSTOPTS, INET_RECV_2292DSTOPTS),
    FIELD(IPV6_UNICAST_HOPS, INET_OPT_INT, hoplimit, RANGE, -1, 255),
    FIELD(IPV6_MULTICAST_HOPS, INET_OPT_INT, mc_hops, RANGE, -1, 255),
    FIELD(IPV6_MULTICAST_LOOP, INET_OPT_BOOL, mc_loop[1], RANGE, 0, 1),
    FIELD(IPV6_MULTICAST_ALL, INET_OPT_BOOL, mc_all[1], 0, 0, 0),
    FIELD(IPV6_MTU_DISCOVER, INET_OPT_U8, pmtudisc[1], RANGE | INET_OPTF_ROUTE, IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_OMIT),
    FIELD(IPV6_RECVERR, INET_OPT_BOOL, recverr[1], 0, 0, 0),
    FIELD(IPV6_RECVERR_RFC4884, INET_OPT_BOOL, rfc4884[1], RANGE, 0, 1),
    FIELD(IPV6_TCLASS, INET_OPT_INT, tclass, RANGE, -1, 255),
    FIELD(IPV6_MINHOPCOUNT, INET_OPT_INT, min_hops, RANGE, 0, 255),
    FIELD(IPV6_FREEBIND, INET_OPT_BOOL, freebind, 0, 0, 0),
    FIELD(IPV6_TRANSPARENT, INET_OPT_BOOL, transparent, INET_OPTF_CAP, 0, 0),
    FIELD(IPV6_FLOWINFO_SEND_OPT, INET_OPT_BOOL, sndflow, 0, 0, 0),
    FIELD(IPV6_ROUTER_ALERT_ISOLATE, INET_OPT_BOOL, ra_isolate, 0, 0, 0),
};

static const struct inet_optdef *find(int opt) {
  for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
    if (defs[i].opt == opt)
      return &defs[i];
  return NULL;
}

/* ---- sticky options: RFC 3542 4, 6 ---- */

static int ext_index(int opt) {
  switch (opt) {
  case IPV6_HOPOPTS:
    return INET_EXT_HOP;
  case IPV6_RTHDRDSTOPTS:
    return INET_EXT_RTHDRDST;
  case IPV6_RTHDR:
    return INET_EXT_RTHDR;
  case IPV6_DSTOPTS:
    return INET_EXT_DST;
  default:
    return -1;
  }
}

static int set_ext(struct inet_sock *is, int opt, const uint8_t *val, socklen_t len) {
  struct inet_ext *x = &is->opt.ext[ext_index(opt)];
  uint8_t *copy = NULL;
  if (opt != IPV6_RTHDR && !inet_may(is, CAP_NET_RAW))
    return -EPERM;
  if (len && (len < 8 || len & 7 || len > EXT_MAX || (val[1] + 1u) * 8 > len))
    return -EINVAL;
  /* RFC 5095 took routing headers of type 0 away; type 2 is mobility's, 4 segment routing's. */
  if (len && opt == IPV6_RTHDR)
    return -EINVAL;
  if (len && !(copy = malloc(len)))
    return -ENOBUFS;
  if (len)
    memcpy(copy, val, len);
  free(x->data);
  *x = (struct inet_ext){copy, (uint16_t)(len ? (val[1] + 1u) * 8 : 0)};
  return 0;
}

static int set_pktinfo(struct inet_sock *is, const void *val, socklen_t len) {
  struct in6_pktinfo i = {0};
  if (len < sizeof i)
    return -EINVAL;
  memcpy(&i, val, sizeof i);
  if (is->bound_dev && i.ipi6_ifindex && (int)i.ipi6_ifindex != is->bound_dev)
    return -EINVAL;
  is->opt.sticky_src = i.ipi6_addr;
  is->opt.sticky_if = (int)i.ipi6_ifindex;
  is->route.gen = 0;
  return 0;
}

/* ---- devices ---- */

static int set_multicast_if(struct inet_sock *is, const void *val, socklen_t len) {
  int v = inet_opt_int(val, len, false);
  if (is->sock->type == SOCK_STREAM)
    return -ENOPROTOOPT;
  if (len < sizeof v)
    return -EINVAL;
  if (v && is->bound_dev && is->bound_dev != v)
    return -EINVAL;
  if (v && !netdev_by_index_borrow(is->ns, v))
    return -ENODEV;
  is->opt.mc_ifindex[1] = v;
  is->route.gen = 0;
  return 0;
}

static int set_unicast_if(struct inet_sock *is, const void *val, socklen_t len) {
  if (len != sizeof(int))
    return -EINVAL;
  int v = (int)ntohl((uint32_t)inet_opt_int(val, len, false));
  if (v && !netdev_by_index_borrow(is->ns, v))
    return -EADDRNOTAVAIL;
  if (v && is->bound_dev && is->bound_dev != v)
    return -EINVAL;
  is->opt.unicast_if[1] = v;
  is->route.gen = 0;
  return 0;
}

/* ---- RFC 5014 ---- */

static int set_prefs(struct inet_sock *is, int v) {
  static const int pairs[][3] = {{IPV6_PREFER_SRC_PUBLIC, IPV6_PREFER_SRC_TMP, IPV6_PREFER_SRC_PUBTMP_DEFAULT},
                                 {IPV6_PREFER_SRC_HOME, IPV6_PREFER_SRC_COA, 0},
                                 {IPV6_PREFER_SRC_CGA, IPV6_PREFER_SRC_NONCGA, 0}};
  for (size_t i = 0; i < 3; i++)
    if (__builtin_popcount((unsigned)v & (unsigned)(pairs[i][0] | pairs[i][1] | pairs[i][2])) > 1)
      return -EINVAL;
  int now = v & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_COA);
  if (!(now & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC)))
    now |= IPV6_PREFER_SRC_PUBTMP_DEFAULT;
  if (!(now & IPV6_PREFER_SRC_COA))
    now |= IPV6_PREFER_SRC_HOME;
  is->opt.addr_prefs = now;
  return 0;
}

static int set_tclass(struct inet_sock *is, int before) {
  struct inet_opts *o = &is->opt;
  if (o->tclass < 0)
    o->tclass = 0;
  if (is->sock->type == SOCK_STREAM) /* the ECN bits are TCP's */
    o->tclass = (o->tclass & ~3) | (before & 3);
  is->route.gen = 0;
  return 0;
}

static int after(struct inet_sock *is, int opt, int v, int before) {
  struct inet_opts *o = &is->opt;
  if (opt == IPV6_RECVERR && !v)
    inet_err_flush(is);
  if (opt == IPV6_MULTICAST_HOPS && v < 0)
    o->mc_hops = 1;
  return opt == IPV6_TCLASS ? set_tclass(is, before) : 0;
}

static int set_int(struct inet_sock *is, int opt, int v) {
  switch (opt) {
  case IPV6_V6ONLY:
    if (is->lport || is->bound_port)
      return -EINVAL;
    is->opt.v6only = v;
    return 0;
  case IPV6_MTU:
    if (v && v < MIN_MTU)
      return -EINVAL;
    is->opt.frag_size = v;
    return 0;
  case IPV6_ADDR_PREFERENCES:
    return set_prefs(is, v);
  case IPV6_ROUTER_ALERT: /* for routers that want to look: RFC 2711 */
    if (is->sock->type != SOCK_RAW || is->sock->protocol != IPPROTO_RAW)
      return -ENOPROTOOPT;
    if (v >= 0 && is->opt.router_alert)
      return -EADDRINUSE;
    if (v < 0 && !is->opt.router_alert)
      return -ENOBUFS;
    is->opt.router_alert = v >= 0;
    is->opt.ra_value = v;
    return 0;
  case IPV6_HDRINCL:
    is->opt.hdrincl = v;
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

int inet_opt6_set(struct inet_sock *is, int opt, const void *val, socklen_t len) {
  const struct inet_optdef *d = find(opt);
  int v = inet_opt_int(val, len, false), before = is->opt.tclass, r;
  if (opt == IPV6_MULTICAST_HOPS && is->sock->type == SOCK_STREAM)
    return -ENOPROTOOPT;
  if (d) {
    r = inet_optdef_set(is, d, v, len >= sizeof v);
    return r ? r : after(is, opt, v, before);
  }
  if (ext_index(opt) >= 0)
    return set_ext(is, opt, val, len);
  switch (opt) {
  case IPV6_PKTINFO:
    return set_pktinfo(is, val, len);
  case IPV6_MULTICAST_IF:
    return set_multicast_if(is, val, len);
  case IPV6_UNICAST_IF:
    return set_unicast_if(is, val, len);
  case IPV6_ADDRFORM: /* turning into an AF_INET socket: deprecated; the connected peer would have to be IPv4 */
    return len < sizeof v ? -EINVAL : v != AF_INET || !is->connected ? -ENOTCONN : -EADDRNOTAVAIL;
  case IPV6_IPSEC_POLICY:
  case IPV6_XFRM_POLICY:
    return inet_may(is, CAP_NET_ADMIN) ? -ENOPROTOOPT : -EPERM;
  case IPV6_HDRINCL:
    if (is->sock->type != SOCK_RAW)
      return -ENOPROTOOPT;
    /* fall through */
  case IPV6_V6ONLY:
  case IPV6_MTU:
  case IPV6_ADDR_PREFERENCES:
  case IPV6_ROUTER_ALERT:
    return len < sizeof v ? -EINVAL : set_int(is, opt, v);
  default:
    return inet_mcast_setsockopt(is, IPPROTO_IPV6, opt, val, len);
  }
}

/* ---- reading ---- */

static int get_path_mtu(struct inet_sock *is, void *val, socklen_t *len) {
  struct ip6_mtuinfo i = {0};
  int mtu;
  if (*len < sizeof i)
    return -EINVAL;
  mtu = inet_path_mtu(is);
  if (mtu < 0)
    return mtu;
  i.ip6m_mtu = (uint32_t)mtu;
  inet_opt_give(val, len, &i, sizeof i);
  return 0;
}

static int get_int(struct inet_sock *is, int opt, int *v) {
  const struct inet_optdef *d = find(opt);
  if (d) {
    *v = inet_optdef_get(is, d);
    if (opt == IPV6_UNICAST_HOPS && *v < 0)
      *v = ip_net_of(is->ns) ? ip_net_of(is->ns)->sysctl.hop_limit : 64;
    return 0;
  }
  switch (opt) {
  case IPV6_V6ONLY:
    *v = is->opt.v6only;
    return 0;
  case IPV6_MTU:
    *v = inet_path_mtu(is);
    return *v < 0 ? *v : 0;
  case IPV6_ADDR_PREFERENCES:
    *v = is->opt.addr_prefs;
    return 0;
  case IPV6_ROUTER_ALERT:
    *v = is->opt.ra_value;
    return 0;
  case IPV6_MULTICAST_IF:
    *v = is->opt.mc_ifindex[1];
    return 0;
  case IPV6_UNICAST_IF:
    *v = (int)htonl((uint32_t)is->opt.unicast_if[1]);
    return 0;
  case IPV6_HDRINCL:
    *v = is->opt.hdrincl;
    return is->sock->type == SOCK_RAW ? 0 : -ENOPROTOOPT;
  case IPV6_ADDRFORM:
    if (is->sock->type != SOCK_STREAM && is->sock->protocol != IPPROTO_UDP && is->sock->protocol != IPPROTO_UDPLITE)
      return -ENOPROTOOPT;
    *v = AF_INET6;
    return is->connected ? 0 : -ENOTCONN;
  default:
    return -ENOPROTOOPT;
  }
}

int inet_opt6_get(struct inet_sock *is, int opt, void *val, socklen_t *len) {
  int v, r, x = ext_index(opt);
  if (x >= 0) {
    inet_opt_give(val, len, is->opt.ext[x].data ? is->opt.ext[x].data : (const void *)"", is->opt.ext[x].len);
    return 0;
  }
  if (opt == IPV6_PATHMTU)
    return get_path_mtu(is, val, len);
  if (opt == IPV6_2292PKTOPTIONS) {
    *len = 0;
    return is->sock->type == SOCK_STREAM ? 0 : -ENOPROTOOPT;
  }
  r = get_int(is, opt, &v);
  if (r)
    return r == -ENOPROTOOPT ? inet_mcast_getsockopt(is, IPPROTO_IPV6, opt, val, len) : r;
  inet_opt_give(val, len, &v, sizeof v);
  return 0;
}
