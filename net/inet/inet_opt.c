/* Options of Internet sockets: who decodes which level, what ip(7)'s and ipv6(7)'s numbers have in common, and those of
 * SOL_SOCKET that need the network (socket(7)). */
#include "../../core/errno.h"
#include "../../core/task.h"
#include "dgram.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define ICMP_FILTER_OPT 1   /* ICMP_FILTER of SOL_RAW */
#define ICMPV6_FILTER_OPT 1 /* of SOL_ICMPV6 */
#define SO_MEMINFO_K 55
#define SO_PASSPIDFD_K 76 /* newer than this C library */
#define SO_PEERPIDFD_K 77

void inet_opts_init(struct inet_sock *is) {
  struct inet_opts *o = &is->opt;
  const struct socket *s = is->sock;
  *o = (struct inet_opts){.ttl = -1,
                          .hoplimit = -1,
                          .mc_ttl = 1,
                          .mc_hops = 1,
                          .mc_loop = {true, true},
                          .mc_all = {true, true},
                          .pmtudisc = {IP_PMTUDISC_WANT, IPV6_PMTUDISC_WANT},
                          .autoflowlabel = true,
                          .csum_offset = -1,
                          .hdrincl = s->type == SOCK_RAW && s->protocol == IPPROTO_RAW,
                          .addr_prefs = 0x500};
  if (s->family == AF_INET6) {
    o->mc_all[0] = false; /* Linux sets it for AF_INET only */
    o->v6only = is->net && is->net->sysctl.bindv6only;
    if (s->type == SOCK_RAW && s->protocol == IPPROTO_ICMPV6)
      o->csum_offset = 2;
  }
}

void inet_opts_fini(struct inet_sock *is) {
  free(is->opt.ip_options);
  is->opt.ip_options = NULL;
  is->opt.ip_options_len = 0;
  for (size_t i = 0; i < sizeof is->opt.ext / sizeof *is->opt.ext; i++) {
    free(is->opt.ext[i].data);
    is->opt.ext[i] = (struct inet_ext){0};
  }
}

/* ---- numbers ---- */

int inet_opt_int(const void *val, socklen_t len, bool bytes) {
  int v = 0;
  if (len >= sizeof v)
    memcpy(&v, val, sizeof v);
  else if (len && bytes)
    v = *(const uint8_t *)val;
  return v;
}

void inet_opt_give(void *val, socklen_t *len, const void *src, size_t n) {
  if (*len > n)
    *len = (socklen_t)n;
  if (*len)
    memcpy(val, src, *len);
}

int inet_optdef_set(struct inet_sock *is, const struct inet_optdef *d, int v, bool sized) {
  void *at = (char *)&is->opt + d->at;
  if ((d->flags & INET_OPTF_RAW) && is->sock->type != SOCK_RAW)
    return -ENOPROTOOPT;
  if ((d->flags & INET_OPTF_NOSTREAM) && is->sock->type == SOCK_STREAM)
    return -EINVAL;
  if ((d->flags & INET_OPTF_CAP) && v && !inet_may(is, CAP_NET_RAW) && !inet_may(is, CAP_NET_ADMIN))
    return -EPERM;
  if (((d->flags & INET_OPTF_SIZED) && !sized) || ((d->flags & INET_OPTF_RANGE) && (v < d->lo || v > d->hi)))
    return -EINVAL;
  switch (d->kind) {
  case INET_OPT_BIT:
    is->opt.recv = v ? is->opt.recv | d->at : is->opt.recv & ~d->at;
    break;
  case INET_OPT_BOOL:
    *(bool *)at = v;
    break;
  case INET_OPT_U8:
    *(uint8_t *)at = (uint8_t)v;
    break;
  default:
    *(int *)at = v;
  }
  if (d->flags & INET_OPTF_ROUTE)
    is->route.gen = 0;
  return 0;
}

int inet_optdef_get(const struct inet_sock *is, const struct inet_optdef *d) {
  const void *at = (const char *)&is->opt + d->at;
  switch (d->kind) {
  case INET_OPT_BIT:
    return !!(is->opt.recv & d->at);
  case INET_OPT_BOOL:
    return *(const bool *)at;
  case INET_OPT_U8:
    return *(const uint8_t *)at;
  default:
    return *(const int *)at;
  }
}

unsigned inet_route_mtu(const struct ip_route *r, bool v4) {
  if (v4 || r->mtu != 65535 || !r->dev)
    return r->mtu;
  /* IPv6's limit is on the payload: a packet may be longer than 65535 (IP6_MAX_MTU of Linux). */
  return r->dev->mtu < 65535 + 40 ? r->dev->mtu : 65535 + 40;
}

int inet_path_mtu(struct inet_sock *is) {
  struct ip_flow f;
  struct ip_route r;
  if (!is->connected)
    return -ENOTCONN;
  inet_flow(is, &is->raddr, (uint8_t)is->sock->protocol, &f);
  f.broadcast_ok = true;
  if (ip_route_output(is->ns, &f, &r))
    return -ENOTCONN;
  return (int)inet_route_mtu(&r, ip_is4(&is->raddr));
}

/* ---- SOL_SOCKET ---- */

/* A device that is no port of another one's any more stays named until it is gone. 0: any. */
static int bind_device(struct inet_sock *is, int ifindex) {
  if (is->bound_dev && !inet_may(is, CAP_NET_RAW))
    return -EPERM;
  is->bound_dev = ifindex;
  is->route.gen = 0;
  return 0;
}

static int set_bindtodevice(struct inet_sock *is, const void *val, socklen_t len) {
  char name[IFNAMSIZ] = {0};
  if (is->bound_dev && !inet_may(is, CAP_NET_RAW))
    return -EPERM;
  memcpy(name, val, len < sizeof name - 1 ? len : sizeof name - 1);
  const struct netdev *d = *name ? netdev_by_name_borrow(is->ns, name) : NULL;
  if (*name && !d)
    return -ENODEV;
  return bind_device(is, d ? d->ifindex : 0);
}

static int get_bindtodevice(const struct inet_sock *is, void *val, socklen_t *len) {
  const struct netdev *d = is->bound_dev ? netdev_by_index_borrow(is->ns, is->bound_dev) : NULL;
  if (!is->bound_dev) {
    *len = 0;
    return 0;
  }
  if (*len < IFNAMSIZ)
    return -EINVAL;
  if (!d)
    return -ENODEV;
  inet_opt_give(val, len, d->name, strlen(d->name) + 1);
  return 0;
}

static int set_bindtoifindex(struct inet_sock *is, const void *val, socklen_t len) {
  if (len < sizeof(int))
    return -EINVAL;
  int v = inet_opt_int(val, len, false);
  return v < 0 ? -EINVAL : bind_device(is, v);
}

static int set_socket(struct inet_sock *is, int opt, const void *val, socklen_t len) {
  switch (opt) {
  case SO_BINDTODEVICE:
    return set_bindtodevice(is, val, len);
  case SO_BINDTOIFINDEX:
    return set_bindtoifindex(is, val, len);
  case SO_MARK:
  case SO_DONTROUTE:
    is->route.gen = 0;
    return -ENOPROTOOPT; /* and now the generic ones */
  case SO_PASSCRED:      /* since Linux 6.16: credentials are for families that have them */
  case SO_PASSPIDFD_K:
  case SO_PASSSEC:
    return len < sizeof(int) ? -EINVAL : -EOPNOTSUPP;
  default:
    return -ENOPROTOOPT;
  }
}

/* SK_MEMINFO_*: what is queued, the limits, what was dropped. */
static int get_meminfo(const struct inet_sock *is, void *val, socklen_t *len) {
  const struct dgram_sock *d = is->sock->type == SOCK_STREAM ? NULL : dgram_of(is);
  uint32_t m[9] = {d ? d->rmem : 0, (uint32_t)is->sock->opt.rcvbuf, 0, (uint32_t)is->sock->opt.sndbuf};
  m[8] = d ? d->drops : 0;
  inet_opt_give(val, len, m, sizeof m);
  return 0;
}

static int get_socket(const struct inet_sock *is, int opt, void *val, socklen_t *len) {
  static const struct ucred nobody = {0, (uid_t)-1, (gid_t)-1};
  switch (opt) {
  case SO_MEMINFO_K:
    return get_meminfo(is, val, len);
  case SO_BINDTODEVICE:
    return get_bindtodevice(is, val, len);
  case SO_PEERCRED:
    inet_opt_give(val, len, &nobody, sizeof nobody);
    return 0;
  case SO_PEERGROUPS:
  case SO_PEERPIDFD_K:
    return -ENODATA;
  case SO_BINDTOIFINDEX:
    inet_opt_give(val, len, &is->bound_dev, sizeof is->bound_dev);
    return 0;
  case SO_PASSCRED:
  case SO_PASSPIDFD_K:
  case SO_PASSSEC:
    return -EOPNOTSUPP;
  default:
    return -ENOPROTOOPT;
  }
}

/* ---- raw sockets: raw(7), icmp(7), RFC 3542 3 ---- */

static bool raw_is(const struct inet_sock *is, int family) {
  return is->sock->type == SOCK_RAW && is->sock->family == family;
}

/* The checksum's place in what is sent and received. ICMPv6's is fixed. */
static int set_checksum(struct inet_sock *is, int level, int v) {
  if (is->sock->protocol == IPPROTO_ICMPV6 && level == IPPROTO_IPV6)
    return -EINVAL;
  if (v > 0 && (v & 1))
    return -EINVAL;
  is->opt.csum_offset = v < 0 ? -1 : v;
  return 0;
}

/* SOL_RAW and SOL_ICMPV6. A filter may be given in part. */
static int set_raw(struct inet_sock *is, int level, int opt, const void *val, socklen_t len) {
  struct inet_opts *o = &is->opt;
  if (raw_is(is, AF_INET) && level == IPPROTO_RAW && opt == ICMP_FILTER_OPT) {
    if (is->sock->protocol != IPPROTO_ICMP)
      return -EOPNOTSUPP;
    memcpy(&o->icmp_filter, val, len < sizeof o->icmp_filter ? len : sizeof o->icmp_filter);
    return 0;
  }
  if (raw_is(is, AF_INET6) && level == IPPROTO_ICMPV6) {
    if (is->sock->protocol != IPPROTO_ICMPV6)
      return -EOPNOTSUPP;
    if (opt != ICMPV6_FILTER_OPT)
      return -ENOPROTOOPT;
    memcpy(o->icmp6_filter, val, len < sizeof o->icmp6_filter ? len : sizeof o->icmp6_filter);
    return 0;
  }
  if (raw_is(is, AF_INET6) && level == IPPROTO_RAW) {
    if (len < sizeof(int))
      return -EINVAL;
    return opt == IPV6_CHECKSUM ? set_checksum(is, level, inet_opt_int(val, len, false)) : -ENOPROTOOPT;
  }
  return -ENOPROTOOPT;
}

static int get_raw(struct inet_sock *is, int level, int opt, void *val, socklen_t *len) {
  const struct inet_opts *o = &is->opt;
  if (raw_is(is, AF_INET) && level == IPPROTO_RAW && opt == ICMP_FILTER_OPT) {
    if (is->sock->protocol != IPPROTO_ICMP)
      return -EOPNOTSUPP;
    inet_opt_give(val, len, &o->icmp_filter, sizeof o->icmp_filter);
    return 0;
  }
  if (raw_is(is, AF_INET6) && level == IPPROTO_ICMPV6) {
    if (is->sock->protocol != IPPROTO_ICMPV6)
      return -EOPNOTSUPP;
    if (opt != ICMPV6_FILTER_OPT)
      return -ENOPROTOOPT;
    inet_opt_give(val, len, o->icmp6_filter, sizeof o->icmp6_filter);
    return 0;
  }
  if (raw_is(is, AF_INET6) && level == IPPROTO_RAW && opt == IPV6_CHECKSUM) {
    inet_opt_give(val, len, &o->csum_offset, sizeof o->csum_offset);
    return 0;
  }
  return -ENOPROTOOPT;
}

/* ---- levels ---- */

int inet_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  struct inet_sock *is = inet_of(s);
  bool v6 = s->family == AF_INET6;
  switch (level) {
  case SOL_SOCKET:
    return set_socket(is, opt, val, len);
  case IPPROTO_IP: /* also the IPv4 half of a dual-stack socket */
    return v6 && s->type == SOCK_RAW ? -ENOPROTOOPT : inet_opt4_set(is, opt, val, len);
  case IPPROTO_IPV6:
    if (raw_is(is, AF_INET6) && opt == IPV6_CHECKSUM)
      return len < sizeof(int) ? -EINVAL : set_checksum(is, level, inet_opt_int(val, len, false));
    return v6 ? inet_opt6_set(is, opt, val, len) : -ENOPROTOOPT;
  case IPPROTO_RAW:
  case IPPROTO_ICMPV6:
    return set_raw(is, level, opt, val, len);
  default:
    return -ENOPROTOOPT;
  }
}

int inet_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  struct inet_sock *is = inet_of(s);
  bool v6 = s->family == AF_INET6;
  switch (level) {
  case SOL_SOCKET:
    return get_socket(is, opt, val, len);
  case IPPROTO_IP:
    return v6 && s->type == SOCK_RAW ? -ENOPROTOOPT : inet_opt4_get(is, opt, val, len);
  case IPPROTO_IPV6:
    if (raw_is(is, AF_INET6) && opt == IPV6_CHECKSUM) {
      inet_opt_give(val, len, &is->opt.csum_offset, sizeof(int));
      return 0;
    }
    return v6 ? inet_opt6_get(is, opt, val, len) : -EOPNOTSUPP;
  case IPPROTO_RAW:
  case IPPROTO_ICMPV6:
    if (v6 || (s->type == SOCK_RAW && level == IPPROTO_RAW))
      return get_raw(is, level, opt, val, len);
    /* fall through */
  default:
    return v6 ? -ENOPROTOOPT : -EOPNOTSUPP;
  }
}
