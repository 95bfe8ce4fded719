/* IPPROTO_IP: ip(7). Ranges, lengths and errors are Linux's. */
#include "../../core/errno.h"
#include "../ip_stack.h"
#include "inet.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define IP_OPTIONS_MAX 40
#define TOS_ECN 3
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif

#define BIT(name, bit)                                                                                                 \
  { name, INET_OPT_BIT, 0, 0, 0, bit }
#define FIELD(name, kind, member, flags, lo, hi)                                                                       \
  { name, kind, flags, lo, hi, offsetof(struct inet_opts, member) }
static const struct inet_optdef defs[] = {
    BIT(IP_PKTINFO, INET_RECV_PKTINFO),
    BIT(IP_RECVTTL, INET_RECV_TTL),
    BIT(IP_RECVTOS, INET_RECV_TOS),
    BIT(IP_RECVOPTS, INET_RECV_OPTS),
    BIT(IP_RETOPTS, INET_RECV_RETOPTS),
    BIT(IP_PASSSEC, INET_RECV_PASSSEC),
    BIT(IP_RECVORIGDSTADDR, INET_RECV_ORIGDSTADDR),
    BIT(IP_CHECKSUM, INET_RECV_CHECKSUM),
    {IP_RECVFRAGSIZE, INET_OPT_BIT, INET_OPTF_NOSTREAM, 0, 0, INET_RECV_FRAGSIZE},
    FIELD(IP_RECVERR, INET_OPT_BOOL, recverr[0], 0, 0, 0),
    FIELD(IP_RECVERR_RFC4884, INET_OPT_BOOL, rfc4884[0], INET_OPTF_RANGE, 0, 1),
    FIELD(IP_FREEBIND, INET_OPT_BOOL, freebind, INET_OPTF_SIZED, 0, 0),
    FIELD(IP_HDRINCL, INET_OPT_BOOL, hdrincl, INET_OPTF_RAW, 0, 0),
    FIELD(IP_NODEFRAG, INET_OPT_BOOL, nodefrag, INET_OPTF_RAW, 0, 0),
    FIELD(IP_MULTICAST_LOOP, INET_OPT_BOOL, mc_loop[0], INET_OPTF_SIZED, 0, 0),
    FIELD(IP_MULTICAST_ALL, INET_OPT_BOOL, mc_all[0], INET_OPTF_SIZED | INET_OPTF_RANGE, 0, 1),
    FIELD(IP_TRANSPARENT, INET_OPT_BOOL, transparent, INET_OPTF_SIZED | INET_OPTF_CAP, 0, 0),
    FIELD(IP_BIND_ADDRESS_NO_PORT, INET_OPT_BOOL, bind_no_port, 0, 0, 0),
    FIELD(IP_MINTTL, INET_OPT_INT, min_ttl, INET_OPTF_SIZED | INET_OPTF_RANGE, 0, 255),
    FIELD(IP_MTU_DISCOVER, INET_OPT_U8, pmtudisc[0], INET_OPTF_RANGE | INET_OPTF_ROUTE, IP_PMTUDISC_DONT,
          IP_PMTUDISC_OMIT),
    FIELD(IP_TTL, INET_OPT_INT, ttl, INET_OPTF_SIZED | INET_OPTF_RANGE, -1, 255),
    FIELD(IP_MULTICAST_TTL, INET_OPT_INT, mc_ttl, INET_OPTF_SIZED | INET_OPTF_RANGE | INET_OPTF_NOSTREAM, -1, 255),
};

static const struct inet_optdef *find(int opt) {
  for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
    if (defs[i].opt == opt)
      return &defs[i];
  return NULL;
}

/* rt_tos2priority() of Linux: the four bits of RFC 1349 as a packet priority. */
static int tos_priority(int tos) {
  static const uint8_t prio[16] = {0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4};
  return prio[tos >> 1 & 15];
}

static int set_tos(struct inet_sock *is, int v) {
  if (is->sock->type == SOCK_STREAM) /* the ECN bits are TCP's */
    v = (v & ~TOS_ECN) | (is->opt.tos & TOS_ECN);
  v &= 0xff;
  if (is->opt.tos != v) {
    is->opt.tos = v;
    is->sock->opt.priority = tos_priority(v);
    is->route.gen = 0;
  }
  return 0;
}

static int set_multicast_if(struct inet_sock *is, const void *val, socklen_t len) {
  struct ip_mreqn m = {0};
  struct netdev *d = NULL;
  if (is->sock->type == SOCK_STREAM || len < sizeof(struct in_addr))
    return -EINVAL;
  if (len >= sizeof m)
    memcpy(&m, val, sizeof m);
  else if (len >= sizeof(struct ip_mreq))
    memcpy(&m, val, sizeof(struct ip_mreq));
  else
    memcpy(&m.imr_address, val, sizeof m.imr_address);
  if (!m.imr_ifindex && m.imr_address.s_addr) {
    d = inet_dev_of_addr(is->ns, m.imr_address.s_addr);
    m.imr_ifindex = d ? d->ifindex : 0;
  } else if (m.imr_ifindex) {
    d = netdev_by_index_borrow(is->ns, m.imr_ifindex);
  }
  if (!d && (m.imr_ifindex || m.imr_address.s_addr))
    return -EADDRNOTAVAIL;
  if (d && is->bound_dev && is->bound_dev != d->ifindex)
    return -EINVAL;
  is->opt.mc_ifindex[0] = m.imr_ifindex;
  is->opt.mc_addr = m.imr_address;
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
  is->opt.unicast_if[0] = v;
  is->route.gen = 0;
  return 0;
}

/* ---- IP_OPTIONS: RFC 791 3.1 ---- */

/* One option at o, `left` bytes before the end of them all. Its length, 0 if it is wrong or not for us to send: source
 * routes are refused, as networks do (RFC 6274 3.13.2.3). */
static unsigned option_ok(const struct inet_sock *is, const uint8_t *o, unsigned left) {
  unsigned n = left > 1 ? o[1] : 0;
  if (n < 2 || n > left)
    return 0;
  switch (*o) {
  case 131: /* loose and strict source route */
  case 137:
    return 0;
  case 7: /* record route: a pointer into what routers fill in */
    return n >= 3 && o[2] >= 4 && (o[2] > n || o[2] + 3u <= n) ? n : 0;
  case 68: /* time stamps */
    return n >= 4 && o[2] >= 5 && (o[3] & 15) <= 3 ? n : 0;
  case 148: /* router alert */
    return n >= 4 ? n : 0;
  default:
    return inet_may(is, CAP_NET_RAW) ? n : 0;
  }
}

int inet_ip_options(const struct inet_sock *is, const void *val, size_t len, uint8_t *buf, struct ip_flow *f) {
  if (len > IP_OPTIONS_MAX)
    return -EINVAL;
  unsigned padded = ((unsigned)len + 3u) & ~3u;
  memset(buf, 0, IP_OPTIONS_MAX);
  if (len)
    memcpy(buf, val, len);
  for (unsigned i = 0; i < padded;) {
    if (!buf[i]) { /* the end: nothing is told behind it */
      memset(buf + i, 0, padded - i);
      break;
    }
    unsigned n = buf[i] == 1 ? 1 : option_ok(is, buf + i, padded - i);
    if (!n)
      return -EINVAL;
    i += n;
  }
  f->options = padded ? buf : NULL;
  f->options_len = (uint8_t)padded;
  return 0;
}

static int set_options(struct inet_sock *is, const uint8_t *val, socklen_t len) {
  uint8_t o[IP_OPTIONS_MAX], *copy = NULL;
  struct ip_flow f;
  int rc = inet_ip_options(is, val, len, o, &f);
  if (rc)
    return rc;
  if (f.options_len && !(copy = malloc(f.options_len)))
    return -ENOBUFS;
  if (copy)
    memcpy(copy, o, f.options_len);
  free(is->opt.ip_options);
  is->opt.ip_options = copy;
  is->opt.ip_options_len = f.options_len;
  return 0;
}

static int set_port_range(struct inet_sock *is, const void *val, socklen_t len) {
  if (len != sizeof(uint32_t))
    return -EINVAL;
  uint32_t v = (uint32_t)inet_opt_int(val, len, false);
  int lo = v & 0xffff, hi = (int)(v >> 16);
  if (lo && hi && lo > hi)
    return -EINVAL;
  is->opt.port_range_lo = lo;
  is->opt.port_range_hi = hi;
  return 0;
}

/* raw(7): packets with the router alert option that are not for us. Nothing is forwarded to user space here: the socket
 * only remembers that it was asked. */
static int set_router_alert(struct inet_sock *is, int v) {
  if (is->sock->type != SOCK_RAW || is->sock->protocol == IPPROTO_RAW)
    return -EINVAL;
  if (is->opt.router_alert == !!v)
    return v ? -EADDRINUSE : -ENOBUFS;
  is->opt.router_alert = v;
  return 0;
}

int inet_opt4_set(struct inet_sock *is, int opt, const void *val, socklen_t len) {
  const struct inet_optdef *d = find(opt);
  int v = inet_opt_int(val, len, true), r;
  if (opt == IP_TTL && len && !v)
    return -EINVAL;
  if (d) {
    r = inet_optdef_set(is, d, v, len > 0);
    if (!r && opt == IP_RECVERR && !v)
      inet_err_flush(is);
    if (!r && opt == IP_MULTICAST_TTL && v < 0)
      is->opt.mc_ttl = 1;
    return r;
  }
  switch (opt) {
  case IP_TOS:
    return set_tos(is, v);
  case IP_OPTIONS:
    return set_options(is, val, len);
  case IP_MULTICAST_IF:
    return set_multicast_if(is, val, len);
  case IP_UNICAST_IF:
    return set_unicast_if(is, val, len);
  case IP_LOCAL_PORT_RANGE:
    return set_port_range(is, val, len);
  case IP_ROUTER_ALERT:
    return set_router_alert(is, v);
  case IP_IPSEC_POLICY:
  case IP_XFRM_POLICY:
    return inet_may(is, CAP_NET_ADMIN) ? -ENOPROTOOPT : -EPERM;
  default:
    return inet_mcast_setsockopt(is, IPPROTO_IP, opt, val, len);
  }
}

static int get_int(struct inet_sock *is, int opt, int *v) {
  const struct inet_optdef *d = find(opt);
  if (d) {
    *v = inet_optdef_get(is, d);
    if (opt == IP_TTL && *v < 0)
      *v = ip_net_of(is->ns) ? ip_net_of(is->ns)->sysctl.default_ttl : 64;
    return 0;
  }
  switch (opt) {
  case IP_TOS:
    *v = is->opt.tos;
    return 0;
  case IP_ROUTER_ALERT:
    *v = is->opt.router_alert;
    return 0;
  case IP_MTU:
    *v = inet_path_mtu(is);
    return *v < 0 ? *v : 0;
  case IP_UNICAST_IF:
    *v = (int)htonl((uint32_t)is->opt.unicast_if[0]);
    return 0;
  case IP_LOCAL_PORT_RANGE:
    *v = (int)((uint32_t)is->opt.port_range_hi << 16 | (uint32_t)is->opt.port_range_lo);
    return 0;
  case IP_PROTOCOL:
    *v = is->lport; /* inet_num: a raw socket's protocol, else the port */
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

int inet_opt4_get(struct inet_sock *is, int opt, void *val, socklen_t *len) {
  int v, r;
  switch (opt) {
  case IP_OPTIONS:
    inet_opt_give(val, len, is->opt.ip_options, is->opt.ip_options_len);
    return 0;
  case IP_MULTICAST_IF:
    inet_opt_give(val, len, &is->opt.mc_addr, sizeof is->opt.mc_addr);
    return 0;
  case IP_PKTOPTIONS:
    if (is->sock->type != SOCK_STREAM)
      return -ENOPROTOOPT;
    *len = 0;
    return 0;
  default:
    break;
  }
  r = get_int(is, opt, &v);
  if (r)
    return r == -ENOPROTOOPT ? inet_mcast_getsockopt(is, IPPROTO_IP, opt, val, len) : r;
  /* Small values fit into a byte if that is the room there is. */
  if (*len > 0 && *len < sizeof v && v >= 0 && v <= 255) {
    uint8_t c = (uint8_t)v;
    inet_opt_give(val, len, &c, 1);
  } else {
    inet_opt_give(val, len, &v, sizeof v);
  }
  return 0;
}
