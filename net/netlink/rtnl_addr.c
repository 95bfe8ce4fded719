/* RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR: addresses of both versions. rtnetlink(7), ip-address(8). */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/if_addr.h>
#include <stdlib.h>

#define FOREVER UINT32_MAX
#define SETTABLE6                                                                                                      \
  (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC)

/* ---- how one is told of ---- */

/* Seconds that are left of a lifetime. */
static uint32_t left(uint32_t lft, int64_t since) {
  int64_t gone = (loop_now() - since) / NS_PER_S;
  if (lft == FOREVER)
    return lft;
  return gone < (int64_t)lft ? lft - (uint32_t)gone : 0;
}

static void fill(struct nlbuf *b, const struct netdev *d, const struct ip_ifaddr *a, uint16_t type, uint16_t flags,
                 uint32_t pid, uint32_t seq) {
  bool v4 = ip_is4(&a->addr), peer = !ip_same(&a->addr, &a->local_peer);
  struct ifaddrmsg m = {.ifa_family = (uint8_t)rtnl_family(&a->addr),
                        .ifa_prefixlen = a->prefix,
                        .ifa_flags = (uint8_t)a->flags,
                        .ifa_scope = v4 ? a->scope : (uint8_t)ip_scope_of(&a->addr),
                        .ifa_index = (uint32_t)d->ifindex};
  struct ifa_cacheinfo c = {.cstamp = (uint32_t)rtnl_clock(a->made), .tstamp = (uint32_t)rtnl_clock(a->changed)};
  bool permanent = a->flags & IFA_F_PERMANENT;
  c.ifa_prefered = permanent && v4 ? FOREVER : left(a->preferred_lft, a->changed);
  c.ifa_valid = permanent ? FOREVER : left(a->valid_lft, a->changed);
  size_t at = nlb_begin(b, type, flags, pid, seq, &m, sizeof m);
  if (v4) {
    rtnl_put_addr(b, IFA_ADDRESS, &a->local_peer);
    rtnl_put_addr(b, IFA_LOCAL, &a->addr);
    if (ip_is4(&a->broadcast) && ip_get4(&a->broadcast))
      rtnl_put_addr(b, IFA_BROADCAST, &a->broadcast);
    if (a->label[0])
      nla_put_str(b, IFA_LABEL, a->label);
  } else {
    if (peer)
      rtnl_put_addr(b, IFA_LOCAL, &a->addr);
    rtnl_put_addr(b, IFA_ADDRESS, peer ? &a->local_peer : &a->addr);
  }
  if (v4)
    nla_put_u32(b, IFA_FLAGS, a->flags);
  nla_put(b, IFA_CACHEINFO, &c, sizeof c);
  if (!v4)
    nla_put_u32(b, IFA_FLAGS, a->flags);
  if (d->flags & IFF_LOOPBACK && ip_same(&a->addr, &in6addr_loopback))
    nla_put_u8(b, IFA_PROTO, 1); /* IFAPROT_KERNEL_LO */
  nlb_end(b, at);
}

struct told {
  struct netdev *d;
  const struct ip_ifaddr *a;
  bool added;
};
static void fill_told(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq) {
  const struct told *t = arg;
  fill(b, t->d, t->a, t->added ? RTM_NEWADDR : RTM_DELADDR, 0, pid, seq);
}

void ip_event_addr(struct netdev *d, const struct ip_ifaddr *a, bool added) {
  struct nl_net *n = d->ns ? nl_net_of(d->ns) : NULL;
  struct told t = {d, a, added};
  if (!n)
    return;
  n->gen[NL_GEN_ADDR]++;
  /* An IPv6 address is told when it may be used, or when that failed. */
  if (added && !ip_is4(&a->addr) && (a->flags & IFA_F_TENTATIVE) && !(a->flags & IFA_F_DADFAILED))
    return;
  rtnl_tell(d->ns, ip_is4(&a->addr) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR, fill_told, &t);
}

/* ---- asked for ---- */

struct walk {
  struct nl_dump *d;
  struct nlbuf *b;
  bool v6, full;
  long n; /* of this version, on this device */
};

static bool dump_one(void *arg, struct netdev *dev, const struct ip_ifaddr *a) {
  struct walk *w = arg;
  if (ip_is4(&a->addr) == w->v6 || w->n++ < w->d->at[2])
    return true;
  size_t before = w->b->len;
  fill(w->b, dev, a, RTM_NEWADDR, w->d->flags, w->d->nk->portid, w->d->req->nlmsg_seq);
  w->full = w->b->len == before;
  if (!w->full)
    w->d->at[2]++;
  return !w->full;
}

/* at: version, the last device that is through, addresses told of the next. arg.u32[0] family, [1] device or 0. */
static int dump_addrs(struct nl_dump *d, struct nlbuf *b) {
  for (; d->at[0] < 2; d->at[0]++, d->at[1] = d->at[2] = 0) {
    struct netdev *dev;
    if (d->arg.u32[0] != AF_UNSPEC && d->arg.u32[0] != (d->at[0] ? AF_INET6 : AF_INET))
      continue;
    for (; (dev = rtnl_next_dev(d->ns, d->at[1])); d->at[1] = dev->ifindex, d->at[2] = 0) {
      struct walk w = {d, b, d->at[0] == 1, false, 0};
      if (d->arg.u32[1] && dev->ifindex != (int)d->arg.u32[1])
        continue;
      ip_addr_each(dev, dump_one, &w);
      if (w.full)
        return 1;
    }
  }
  return 0;
}

static int start_addrs(struct nl_req *r, struct nl_dump *d) {
  const struct ifaddrmsg *m = rtnl_header(r, sizeof *m);
  d->fn = dump_addrs;
  d->split = true;
  d->generation = rtnl_gen_addr;
  d->arg.u32[0] = *(const uint8_t *)nl_body(r);
  if (d->arg.u32[0] != AF_INET && d->arg.u32[0] != AF_INET6)
    d->arg.u32[0] = AF_UNSPEC;
  if (!r->nk->strict)
    return 0;
  bool v4 = d->arg.u32[0] == AF_INET;
  if (!m)
    return nl_err(&r->ext, -EINVAL,
                  v4 ? "ipv4: Invalid header for address dump request" : "Invalid header for address dump request");
  if (m->ifa_prefixlen || m->ifa_flags || m->ifa_scope)
    return nl_err(&r->ext, -EINVAL,
                  v4 ? "ipv4: Invalid values in header for address dump request"
                     : "Invalid values in header for address dump request");
  d->arg.u32[1] = m->ifa_index;
  if (m->ifa_index) {
    d->flags |= NLM_F_DUMP_FILTERED;
    if (!netdev_by_index_borrow(r->ns, (int)m->ifa_index))
      return -ENODEV;
  }
  return 0;
}

/* ---- changed ---- */

static const struct nla_policy policy[IFA_MAX + 1] = {[IFA_LABEL] = {NLA_STRING, IFNAMSIZ - 1},
                                                      [IFA_CACHEINFO] = {NLA_UNSPEC, sizeof(struct ifa_cacheinfo)},
                                                      [IFA_FLAGS] = {NLA_U32},
                                                      [IFA_RT_PRIORITY] = {NLA_U32}};

static int parse(struct nl_req *r, const struct nlattr **tb) {
  size_t off = NLMSG_ALIGN(sizeof(struct ifaddrmsg)), n = nl_body_len(r);
  if (n < sizeof(struct ifaddrmsg))
    return -EINVAL;
  return nla_parse(tb, IFA_MAX, (const char *)nl_body(r) + off, n > off ? n - off : 0, policy, 0, &r->ext);
}

static int family_of(const struct nl_req *r) {
  return ((const struct ifaddrmsg *)nl_body(r))->ifa_family;
}

/* IFA_LOCAL is the address, IFA_ADDRESS the peer's or, for IPv6 alone, the address. */
static int get_addrs(struct nl_req *r, const struct nlattr **tb, struct ip_ifaddr *a) {
  int family = family_of(r);
  const struct nlattr *l = tb[IFA_LOCAL], *p = tb[IFA_ADDRESS];
  if (family == AF_INET6 && !l)
    l = p;
  if (!l)
    return nl_err(&r->ext, -EINVAL, family == AF_INET ? "ipv4: Local address is not supplied" : NULL);
  if (!rtnl_get_addr(l, family, &a->addr))
    return -EINVAL;
  a->local_peer = a->addr;
  return p && !rtnl_get_addr(p, family, &a->local_peer) ? -EINVAL : 0;
}

static int get_lifetimes(struct nl_req *r, const struct nlattr *c, struct ip_ifaddr *a) {
  struct ifa_cacheinfo ci;
  a->valid_lft = a->preferred_lft = FOREVER;
  if (!c)
    return 0;
  memcpy(&ci, nla_data(c), sizeof ci);
  if (!ci.ifa_valid || ci.ifa_prefered > ci.ifa_valid)
    return nl_err(&r->ext, -EINVAL,
                  !ci.ifa_valid ? "address lifetime invalid" : "preferred lifetime is greater than valid lifetime");
  a->valid_lft = ci.ifa_valid;
  a->preferred_lft = ci.ifa_prefered;
  return 0;
}

static int build(struct nl_req *r, const struct nlattr **tb, const struct netdev *d, struct ip_ifaddr *a) {
  const struct ifaddrmsg *m = nl_body(r);
  bool v4 = m->ifa_family == AF_INET;
  *a = (struct ip_ifaddr){.prefix = m->ifa_prefixlen};
  if (a->prefix > (v4 ? 32 : 128))
    return nl_err(&r->ext, -EINVAL, v4 ? "ipv4: Invalid prefix length" : "IPv6 prefix length larger than 128");
  int rc = get_addrs(r, tb, a);
  if (!rc)
    rc = get_lifetimes(r, tb[IFA_CACHEINFO], a);
  if (rc)
    return rc;
  a->flags = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : m->ifa_flags;
  a->scope = v4 ? m->ifa_scope : (uint8_t)ip_scope_of(&a->addr);
  if (!v4) {
    a->flags &= SETTABLE6;
    return 0;
  }
  if (tb[IFA_BROADCAST] && !rtnl_get_addr(tb[IFA_BROADCAST], AF_INET, &a->broadcast))
    return -EINVAL;
  if (!tb[IFA_LABEL])
    memcpy(a->label, d->name, sizeof a->label);
  else if (!nla_get_str(tb[IFA_LABEL], a->label, sizeof a->label))
    return -EINVAL;
  return 0;
}

/* RTM_NEWADDR with NLM_F_REPLACE of one there is: lifetimes and flags. */
static int modify(struct netdev *d, struct ip_addr_node *n, const struct ip_ifaddr *a) {
  const uint32_t keep = IFA_F_SECONDARY | IFA_F_TENTATIVE | IFA_F_DADFAILED;
  n->a.valid_lft = a->valid_lft;
  n->a.preferred_lft = a->preferred_lft;
  n->a.flags = (n->a.flags & keep) | (a->flags & ~(keep | IFA_F_PERMANENT | IFA_F_DEPRECATED));
  n->a.flags |= (a->valid_lft == FOREVER ? IFA_F_PERMANENT : 0) | (a->preferred_lft ? 0 : IFA_F_DEPRECATED);
  n->a.changed = loop_now();
  ip_dev_kick(d->ip);
  ip_event_addr(d, &n->a, true);
  return 0;
}

static int new_addr(struct nl_req *r) {
  const struct nlattr *tb[IFA_MAX + 1];
  struct ip_ifaddr a;
  int rc = parse(r, tb), family = rc ? 0 : family_of(r);
  if (rc)
    return rc;
  struct netdev *d = netdev_by_index_borrow(r->ns, (int)((const struct ifaddrmsg *)nl_body(r))->ifa_index);
  if (!d)
    return nl_err(&r->ext, -ENODEV, family == AF_INET ? "ipv4: Device not found" : "Unable to find the interface");
  rc = build(r, tb, d, &a);
  if (rc)
    return rc;
  struct ip_addr_node *n = d->ip ? ip_addr_find(d->ip, &a.addr) : NULL;
  bool same = n && (family == AF_INET6 || n->a.prefix == a.prefix);
  if (same && r->h->nlmsg_flags & NLM_F_REPLACE && !(r->h->nlmsg_flags & NLM_F_EXCL))
    return modify(d, n, &a);
  rc = ip_addr_add(d, &a);
  if (rc == -EEXIST)
    nl_err(&r->ext, rc, family == AF_INET ? "ipv4: Address already assigned" : "ipv6: address already assigned");
  else if (rc == -EACCES)
    nl_err(&r->ext, rc, "ipv6: IPv6 is disabled on this device");
  return rc;
}

struct match {
  const struct nlattr **tb;
  int family;
  uint8_t prefix;
  struct in6_addr local, addr;
  bool has_local, has_addr, found;
  struct ip_ifaddr a;
};

static bool match_one(void *arg, struct netdev *d, const struct ip_ifaddr *a) {
  struct match *m = arg;
  char label[IFNAMSIZ];
  if (rtnl_family(&a->addr) != m->family || (m->has_local && !ip_same(&a->addr, &m->local)))
    return true;
  if (m->family == AF_INET && m->tb[IFA_LABEL] &&
      (!nla_get_str(m->tb[IFA_LABEL], label, sizeof label) || strcmp(label, a->label)))
    return true;
  if (m->has_addr && (a->prefix != m->prefix || !ip_same(&a->local_peer, &m->addr)))
    return true;
  m->found = true;
  m->a = *a;
  return false;
}

static int del_addr(struct nl_req *r) {
  const struct nlattr *tb[IFA_MAX + 1];
  int rc = parse(r, tb);
  if (rc)
    return rc;
  const struct ifaddrmsg *h = nl_body(r);
  struct match m = {.tb = tb, .family = h->ifa_family, .prefix = h->ifa_prefixlen};
  bool v4 = m.family == AF_INET;
  struct netdev *d = netdev_by_index_borrow(r->ns, (int)h->ifa_index);
  if (!d)
    return nl_err(&r->ext, -ENODEV, v4 ? "ipv4: Device not found" : "Unable to find the interface");
  m.has_local = tb[IFA_LOCAL] && rtnl_get_addr(tb[IFA_LOCAL], m.family, &m.local);
  m.has_addr = tb[IFA_ADDRESS] && rtnl_get_addr(tb[IFA_ADDRESS], m.family, &m.addr);
  if ((tb[IFA_LOCAL] && !m.has_local) || (tb[IFA_ADDRESS] && !m.has_addr) || (!v4 && !m.has_local && !m.has_addr))
    return -EINVAL;
  ip_addr_each(d, match_one, &m);
  if (m.found)
    return ip_addr_del(d, &m.a);
  return nl_err(&r->ext, -EADDRNOTAVAIL, v4 ? "ipv4: Address not found" : "address not found");
}

struct found {
  const struct in6_addr *addr;
  const struct ip_ifaddr *a;
};
static bool find_one(void *arg, struct netdev *d, const struct ip_ifaddr *a) {
  struct found *f = arg;
  f->a = ip_same(&a->addr, f->addr) ? a : NULL;
  return !f->a;
}

/* One address: only IPv6 has that. */
static int get_addr6(struct nl_req *r) {
  const struct nlattr *tb[IFA_MAX + 1];
  struct ip_ifaddr a;
  struct found f = {&a.addr, NULL};
  struct netdev *d = NULL;
  int rc = parse(r, tb);
  if (!rc)
    rc = get_addrs(r, tb, &a);
  if (rc)
    return rc;
  int index = (int)((const struct ifaddrmsg *)nl_body(r))->ifa_index;
  for (long at = 0; !f.a && (d = rtnl_next_dev(r->ns, at)); at = d->ifindex)
    if (!index || d->ifindex == index)
      ip_addr_each(d, find_one, &f);
  if (!f.a)
    return -EADDRNOTAVAIL;
  struct nlbuf *b = nlbuf_new(1024);
  if (!b)
    return -ENOBUFS;
  fill(b, d, f.a, RTM_NEWADDR, 0, r->nk->portid, r->h->nlmsg_seq);
  rc = nl_reply(r, b);
  free(b);
  return rc;
}

const struct rtnl_op rtnl_addr_ops[] = {
    {RTM_GETADDR, AF_UNSPEC, NULL, start_addrs},     {RTM_GETADDR, AF_INET, NULL, start_addrs},
    {RTM_NEWADDR, AF_INET, new_addr, NULL},          {RTM_DELADDR, AF_INET, del_addr, NULL},
    {RTM_GETADDR, AF_INET6, get_addr6, start_addrs}, {RTM_NEWADDR, AF_INET6, new_addr, NULL},
    {RTM_DELADDR, AF_INET6, del_addr, NULL},         {0},
};
