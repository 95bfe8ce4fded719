/* Multicast memberships of a socket and their source filters: ip(7), RFC 3376 3, RFC 3493 5.2, RFC 3678. The device's
 * groups (net/ip_group.c) count the sockets; sources are filtered here, at delivery. */
#include "../../core/errno.h"
#include "../ip_stack.h"
#include "inet.h"
#include <stdlib.h>
#include <string.h>

#define MSF_MAX_4 10 /* net.ipv4.igmp_max_msf */
#define MSF_MAX_6 64 /* net.ipv6.mld_max_msf */
#define MEMBERS_MAX_6 512

struct inet_member {
  LIST_ENTRY(inet_member) link;
  struct in6_addr group;
  struct in_addr ifaddr; /* as it was asked for */
  int ifindex;
  bool gone; /* the device is: only the entry is left */
  bool exclude;
  unsigned nsrc;
  struct in6_addr *src; /* owned */
};

/* What the many forms of a request say. */
struct req {
  struct in6_addr group, source;
  struct in_addr ifaddr;
  int ifindex;
};

struct by_addr {
  struct in6_addr a;
  struct netdev *dev;
};
static bool has_addr(void *arg, struct ip_dev *i) {
  struct by_addr *b = arg;
  if (ip_addr_find(i, &b->a))
    b->dev = i->dev;
  return !b->dev;
}
struct netdev *inet_dev_of_addr(struct net_namespace *ns, uint32_t be) {
  struct by_addr b = {.a = ip_from4(be)};
  ip_dev_each(ns, has_addr, &b);
  return b.dev;
}

/* The device that a request is about: by index, by address, or where the group's packets would leave. Sets ifindex. */
static struct netdev *find_dev(const struct inet_sock *is, struct req *r) {
  struct netdev *d;
  if (r->ifindex)
    return netdev_by_index_borrow(is->ns, r->ifindex);
  if (r->ifaddr.s_addr) {
    d = inet_dev_of_addr(is->ns, r->ifaddr.s_addr);
  } else {
    struct ip_flow f = {.dst = r->group, .src = ip_is4(&r->group) ? ip_from4(0) : in6addr_any, .ttl = -1};
    struct ip_route rt;
    d = ip_route_output(is->ns, &f, &rt) ? NULL : rt.dev;
  }
  if (d)
    r->ifindex = d->ifindex;
  return d;
}

static unsigned count(const struct inet_sock *is, bool v4) {
  const struct inet_member *m;
  unsigned n = 0;
  LIST_FOREACH(m, &is->members, link)
  n += ip_is4(&m->group) == v4;
  return n;
}

static struct inet_member *find(const struct inet_sock *is, const struct in6_addr *g, int ifindex) {
  struct inet_member *m;
  LIST_FOREACH(m, &is->members, link)
  if (ip_same(&m->group, g) && (m->ifindex == ifindex || (!ifindex && !ip_is4(g))))
    return m;
  return NULL;
}

static int join(struct inet_sock *is, struct req *r, bool exclude) {
  bool v4 = ip_is4(&r->group);
  if (!ip_is_multicast(&r->group))
    return -EINVAL;
  if (!v4 && find(is, &r->group, r->ifindex))
    return -EADDRINUSE;
  struct netdev *d = find_dev(is, r);
  if (!d)
    return -ENODEV;
  if (find(is, &r->group, r->ifindex))
    return -EADDRINUSE;
  if (count(is, v4) >= (v4 ? (unsigned)is->net->sysctl.igmp_max_memberships : MEMBERS_MAX_6))
    return v4 ? -ENOBUFS : -ENOMEM;
  struct inet_member *m = calloc(1, sizeof *m);
  int rc = m ? ip_group_join(d, &r->group) : -ENOBUFS;
  if (rc) {
    free(m);
    return rc;
  }
  m->group = r->group;
  m->ifaddr = r->ifaddr;
  m->ifindex = r->ifindex;
  m->exclude = exclude;
  LIST_INSERT_HEAD(&is->members, m, link);
  return 0;
}

static void drop(struct inet_sock *is, struct inet_member *m) {
  struct netdev *d = m->gone ? NULL : netdev_by_index_borrow(is->ns, m->ifindex);
  if (d)
    (void)ip_group_leave(d, &m->group);
  LIST_REMOVE(m, link);
  free(m->src);
  free(m);
}

static int leave(struct inet_sock *is, struct req *r) {
  struct inet_member *m;
  if (ip_is4(&r->group)) {
    const struct netdev *d = find_dev(is, r);
    if (!r->ifindex && !r->ifaddr.s_addr && !d)
      return -ENODEV;
  } else if (!ip_is_multicast(&r->group)) {
    return -EINVAL;
  }
  LIST_FOREACH(m, &is->members, link) {
    if (!ip_same(&m->group, &r->group))
      continue;
    if (r->ifindex ? m->ifindex != r->ifindex : r->ifaddr.s_addr && r->ifaddr.s_addr != m->ifaddr.s_addr)
      continue;
    drop(is, m);
    return 0;
  }
  return -EADDRNOTAVAIL;
}

/* ---- sources ---- */

static int source_index(const struct inet_member *m, const struct in6_addr *a) {
  for (unsigned i = 0; i < m->nsrc; i++)
    if (ip_same(&m->src[i], a))
      return (int)i;
  return -1;
}

static int add_source(struct inet_member *m, const struct in6_addr *a) {
  if (m->nsrc >= (ip_is4(a) ? MSF_MAX_4 : MSF_MAX_6))
    return -ENOBUFS;
  if (source_index(m, a) >= 0)
    return -EADDRNOTAVAIL;
  struct in6_addr *v = realloc(m->src, (m->nsrc + 1) * sizeof *v);
  if (!v)
    return -ENOBUFS;
  m->src = v;
  v[m->nsrc++] = *a;
  return 0;
}

/* RFC 3678 4.1.3: a filter has one mode; only an empty one changes it. */
static int change_source(struct inet_sock *is, struct req *r, bool exclude, bool add) {
  if (!ip_is_multicast(&r->group))
    return -EINVAL;
  if (!find_dev(is, r))
    return -ENODEV;
  struct inet_member *m = find(is, &r->group, r->ifindex);
  if (!m || (m->nsrc && m->exclude != exclude))
    return -EINVAL;
  m->exclude = exclude;
  if (add)
    return add_source(m, &r->source);
  int at = source_index(m, &r->source);
  if (at < 0)
    return -EADDRNOTAVAIL;
  if (m->nsrc == 1 && !exclude) { /* nobody is left to be heard */
    drop(is, m);
    return 0;
  }
  m->src[at] = m->src[--m->nsrc];
  return 0;
}

static int join_source(struct inet_sock *is, struct req *r) {
  int rc = join(is, r, false);
  return rc && rc != -EADDRINUSE ? rc : change_source(is, r, false, true);
}

/* All of it at once. src NULL with n: not mapped yet. */
static int set_filter(struct inet_sock *is, struct req *r, uint32_t mode, const struct in6_addr *src, unsigned n) {
  if (!ip_is_multicast(&r->group) || (mode != MCAST_INCLUDE && mode != MCAST_EXCLUDE))
    return -EINVAL;
  if (!find_dev(is, r))
    return -ENODEV;
  if (mode == MCAST_INCLUDE && !n)
    return leave(is, r);
  struct inet_member *m = find(is, &r->group, r->ifindex);
  if (!m)
    return -EINVAL;
  struct in6_addr *v = n ? malloc(n * sizeof *v) : NULL;
  if (n && !v)
    return -ENOBUFS;
  if (n)
    memcpy(v, src, n * sizeof *v);
  free(m->src);
  m->src = v;
  m->nsrc = n;
  m->exclude = mode == MCAST_EXCLUDE;
  return 0;
}

bool inet_mcast_wants(const struct inet_sock *is, const struct ip_info *i) {
  const struct inet_member *m;
  bool v4 = ip_is4(&i->dst);
  LIST_FOREACH(m, &is->members, link)
  if (ip_same(&m->group, &i->dst) && (!v4 || m->ifindex == i->dev->ifindex))
    return source_index(m, &i->src) >= 0 ? !m->exclude : m->exclude;
  return is->opt.mc_all[!v4];
}

void inet_mcast_flush(struct inet_sock *is) {
  struct inet_member *m;
  while ((m = LIST_FIRST(&is->members)))
    drop(is, m);
}

void inet_mcast_dev_gone(struct inet_sock *is, int ifindex) {
  struct inet_member *m;
  LIST_FOREACH(m, &is->members, link)
  if (m->ifindex == ifindex)
    m->gone = true;
}

/* ---- requests: IPv4's own ---- */

static int set4_member(struct inet_sock *is, int opt, const void *val, socklen_t len) {
  struct ip_mreqn m = {0};
  if (is->sock->type == SOCK_STREAM)
    return -EPROTO;
  if (len < sizeof(struct ip_mreq))
    return -EINVAL;
  memcpy(&m, val, len >= sizeof m ? sizeof m : sizeof(struct ip_mreq));
  struct req r = {.group = ip_from4(m.imr_multiaddr.s_addr),
                  .ifaddr = m.imr_address,
                  .ifindex = len >= sizeof m ? m.imr_ifindex : 0};
  if (r.ifindex < 0)
    return -ENODEV;
  return opt == IP_ADD_MEMBERSHIP ? join(is, &r, true) : leave(is, &r);
}

static int set4_source(struct inet_sock *is, int opt, const void *val, socklen_t len) {
  struct ip_mreq_source m;
  if (len != sizeof m)
    return -EINVAL;
  memcpy(&m, val, sizeof m);
  struct req r = {.group = ip_from4(m.imr_multiaddr.s_addr),
                  .source = ip_from4(m.imr_sourceaddr.s_addr),
                  .ifaddr = m.imr_interface};
  switch (opt) {
  case IP_BLOCK_SOURCE:
    return change_source(is, &r, true, true);
  case IP_UNBLOCK_SOURCE:
    return change_source(is, &r, true, false);
  case IP_ADD_SOURCE_MEMBERSHIP:
    return join_source(is, &r);
  default:
    return change_source(is, &r, false, false);
  }
}

static int set4_filter(struct inet_sock *is, const void *val, socklen_t len) {
  struct ip_msfilter h;
  struct in6_addr src[MSF_MAX_4];
  if (len < IP_MSFILTER_SIZE(0))
    return -EINVAL;
  memcpy(&h, val, IP_MSFILTER_SIZE(0));
  if (h.imsf_numsrc > MSF_MAX_4 || len > (socklen_t)is->net->sysctl.optmem_max)
    return -ENOBUFS;
  if (IP_MSFILTER_SIZE(h.imsf_numsrc) > len)
    return -EINVAL;
  for (unsigned i = 0; i < h.imsf_numsrc; i++) {
    uint32_t a;
    memcpy(&a, (const char *)val + IP_MSFILTER_SIZE(i), sizeof a);
    src[i] = ip_from4(a);
  }
  struct req r = {.group = ip_from4(h.imsf_multiaddr.s_addr), .ifaddr = h.imsf_interface};
  return set_filter(is, &r, h.imsf_fmode, src, h.imsf_numsrc);
}

/* ---- requests: IPv6's own and those of both ---- */

static int set6_member(struct inet_sock *is, int opt, const void *val, socklen_t len) {
  struct ipv6_mreq m;
  if (len < sizeof m)
    return -EINVAL;
  if (is->sock->type == SOCK_STREAM)
    return -EPROTO;
  memcpy(&m, val, sizeof m);
  struct req r = {.group = m.ipv6mr_multiaddr, .ifindex = (int)m.ipv6mr_interface};
  if (ip_is4(&r.group))
    return -EINVAL;
  return opt == IPV6_JOIN_GROUP ? join(is, &r, true) : leave(is, &r);
}

static bool get_ss(const struct sockaddr_storage *ss, int family, struct in6_addr *a) {
  if (ss->ss_family != family)
    return false;
  if (family == AF_INET)
    *a = ip_from4(((const struct sockaddr_in *)ss)->sin_addr.s_addr);
  else
    *a = ((const struct sockaddr_in6 *)ss)->sin6_addr;
  return family == AF_INET || !ip_is4(a);
}

static int set_group(struct inet_sock *is, int family, int opt, const void *val, socklen_t len) {
  struct group_req g;
  struct req r = {0};
  if (len < sizeof g)
    return -EINVAL;
  memcpy(&g, val, sizeof g);
  if (!get_ss(&g.gr_group, family, &r.group))
    return family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
  r.ifindex = (int)g.gr_interface;
  return opt == MCAST_JOIN_GROUP ? join(is, &r, true) : leave(is, &r);
}

static int set_group_source(struct inet_sock *is, int family, int opt, const void *val, socklen_t len) {
  struct group_source_req g;
  struct req r = {0};
  if (len < sizeof g)
    return -EINVAL;
  memcpy(&g, val, sizeof g);
  if (!get_ss(&g.gsr_group, family, &r.group) || !get_ss(&g.gsr_source, family, &r.source))
    return -EADDRNOTAVAIL;
  r.ifindex = (int)g.gsr_interface;
  switch (opt) {
  case MCAST_BLOCK_SOURCE:
    return change_source(is, &r, true, true);
  case MCAST_UNBLOCK_SOURCE:
    return change_source(is, &r, true, false);
  case MCAST_JOIN_SOURCE_GROUP:
    return join_source(is, &r);
  default:
    return change_source(is, &r, false, false);
  }
}

static int set_group_filter(struct inet_sock *is, int family, const void *val, socklen_t len) {
  struct group_filter h;
  struct in6_addr src[MSF_MAX_6];
  struct req r = {0};
  if (len < GROUP_FILTER_SIZE(0))
    return -EINVAL;
  memcpy(&h, val, GROUP_FILTER_SIZE(0));
  if (h.gf_numsrc > (family == AF_INET ? MSF_MAX_4 : MSF_MAX_6) || len > (socklen_t)is->net->sysctl.optmem_max)
    return -ENOBUFS;
  if (GROUP_FILTER_SIZE(h.gf_numsrc) > len)
    return -EINVAL;
  for (unsigned i = 0; i < h.gf_numsrc; i++) {
    struct sockaddr_storage ss;
    memcpy(&ss, (const char *)val + GROUP_FILTER_SIZE(i), sizeof ss);
    if (!get_ss(&ss, family, &src[i]))
      return -EADDRNOTAVAIL;
  }
  if (!get_ss(&h.gf_group, family, &r.group))
    return family == AF_INET ? -EADDRNOTAVAIL : -EINVAL;
  r.ifindex = (int)h.gf_interface;
  return set_filter(is, &r, h.gf_fmode, src, h.gf_numsrc);
}

int inet_mcast_setsockopt(struct inet_sock *is, int level, int opt, const void *val, socklen_t len) {
  int family = level == IPPROTO_IP ? AF_INET : AF_INET6;
  switch (opt) {
  case MCAST_JOIN_GROUP:
  case MCAST_LEAVE_GROUP:
    return set_group(is, family, opt, val, len);
  case MCAST_BLOCK_SOURCE:
  case MCAST_UNBLOCK_SOURCE:
  case MCAST_JOIN_SOURCE_GROUP:
  case MCAST_LEAVE_SOURCE_GROUP:
    return set_group_source(is, family, opt, val, len);
  case MCAST_MSFILTER:
    return set_group_filter(is, family, val, len);
  default:
    break;
  }
  if (family == AF_INET6)
    return opt == IPV6_JOIN_GROUP || opt == IPV6_LEAVE_GROUP ? set6_member(is, opt, val, len) : -ENOPROTOOPT;
  switch (opt) {
  case IP_ADD_MEMBERSHIP:
  case IP_DROP_MEMBERSHIP:
    return set4_member(is, opt, val, len);
  case IP_BLOCK_SOURCE:
  case IP_UNBLOCK_SOURCE:
  case IP_ADD_SOURCE_MEMBERSHIP:
  case IP_DROP_SOURCE_MEMBERSHIP:
    return set4_source(is, opt, val, len);
  case IP_MSFILTER:
    return set4_filter(is, val, len);
  default:
    return -ENOPROTOOPT;
  }
}

/* ---- reading filters: val holds the question ---- */

static int find_filter(const struct inet_sock *is, struct req *r, const struct inet_member **m) {
  if (!ip_is_multicast(&r->group))
    return -EINVAL;
  if (!find_dev(is, r))
    return -ENODEV;
  *m = find(is, &r->group, r->ifindex);
  return *m ? 0 : -EADDRNOTAVAIL;
}

static int get4_filter(const struct inet_sock *is, void *val, socklen_t *len) {
  struct ip_msfilter h;
  const struct inet_member *m;
  if (*len < IP_MSFILTER_SIZE(0))
    return -EINVAL;
  memcpy(&h, val, IP_MSFILTER_SIZE(0));
  struct req r = {.group = ip_from4(h.imsf_multiaddr.s_addr), .ifaddr = h.imsf_interface};
  int rc = find_filter(is, &r, &m);
  if (rc)
    return rc;
  unsigned n = m->nsrc < h.imsf_numsrc ? m->nsrc : h.imsf_numsrc;
  while (IP_MSFILTER_SIZE(n) > *len)
    n--;
  for (unsigned i = 0; i < n; i++)
    memcpy((char *)val + IP_MSFILTER_SIZE(i), &m->src[i].s6_addr32[3], 4);
  h.imsf_numsrc = m->nsrc;
  h.imsf_fmode = m->exclude ? MCAST_EXCLUDE : MCAST_INCLUDE;
  memcpy(val, &h, IP_MSFILTER_SIZE(0));
  *len = (socklen_t)IP_MSFILTER_SIZE(n);
  return 0;
}

static void put_ss(const struct in6_addr *a, int family, void *to) {
  struct sockaddr_storage ss = {.ss_family = (sa_family_t)family};
  if (family == AF_INET)
    ((struct sockaddr_in *)&ss)->sin_addr.s_addr = ip_get4(a);
  else
    ((struct sockaddr_in6 *)&ss)->sin6_addr = *a;
  memcpy(to, &ss, sizeof ss);
}

static int get_group_filter(const struct inet_sock *is, int family, void *val, socklen_t *len) {
  struct group_filter h;
  const struct inet_member *m;
  struct req r = {0};
  if (*len < GROUP_FILTER_SIZE(0))
    return -EINVAL;
  memcpy(&h, val, GROUP_FILTER_SIZE(0));
  if (!get_ss(&h.gf_group, family, &r.group))
    return family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
  r.ifindex = (int)h.gf_interface;
  int rc = find_filter(is, &r, &m);
  if (rc)
    return rc;
  unsigned n = m->nsrc < h.gf_numsrc ? m->nsrc : h.gf_numsrc;
  while (GROUP_FILTER_SIZE(n) > *len)
    n--;
  for (unsigned i = 0; i < n; i++)
    put_ss(&m->src[i], family, (char *)val + GROUP_FILTER_SIZE(i));
  h.gf_numsrc = m->nsrc;
  h.gf_fmode = m->exclude ? MCAST_EXCLUDE : MCAST_INCLUDE;
  memcpy(val, &h, GROUP_FILTER_SIZE(0));
  *len = (socklen_t)GROUP_FILTER_SIZE(n);
  return 0;
}

int inet_mcast_getsockopt(struct inet_sock *is, int level, int opt, void *val, socklen_t *len) {
  if (level == IPPROTO_IP && opt == IP_MSFILTER)
    return get4_filter(is, val, len);
  if (opt == MCAST_MSFILTER)
    return get_group_filter(is, level == IPPROTO_IP ? AF_INET : AF_INET6, val, len);
  return -ENOPROTOOPT;
}
