/* RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE: rtnetlink(7), ip-route(8). One next hop a route; what the table cannot hold
 * (several next hops, encapsulation, source routing) is refused. */
#include "rtnl.h"
#include "../../core/errno.h"
#include <stdlib.h>

#define RTA_MAX_KNOWN RTA_MAX
#define RTCF_LOCAL_K 0x80000000u
#define RTCF_MULTICAST_K 0x20000000u
#define RTCF_BROADCAST_K 0x10000000u

/* ---- how one is told of ---- */

static void put_metrics(struct nlbuf *b, const struct ip_rt_entry *e) {
  if (!e->mtu && !e->advmss)
    return;
  size_t at = nla_nest(b, RTA_METRICS);
  if (e->mtu)
    nla_put_u32(b, RTAX_MTU, e->mtu);
  if (e->advmss)
    nla_put_u32(b, RTAX_ADVMSS, e->advmss);
  nla_nest_end(b, at);
}

static bool link_down(const struct net_namespace *ns, const struct ip_rt_entry *e) {
  const struct netdev *d = e->oif ? netdev_by_index_borrow((struct net_namespace *)ns, e->oif) : NULL;
  return d && !(d->flags & IFF_LOWER_UP) && !(d->flags & IFF_LOOPBACK);
}

static struct rtmsg header_of(const struct net_namespace *ns, const struct ip_rt_entry *e) {
  return (struct rtmsg){.rtm_family = e->family,
                        .rtm_dst_len = e->prefix,
                        .rtm_tos = e->tos,
                        .rtm_table = e->table < 256 ? (uint8_t)e->table : RT_TABLE_COMPAT,
                        .rtm_protocol = e->protocol,
                        .rtm_scope = e->scope,
                        .rtm_type = e->type,
                        .rtm_flags = (e->flags & RTNH_F_ONLINK) | (link_down(ns, e) ? RTNH_F_LINKDOWN : 0)};
}

static void put4(struct nlbuf *b, const struct ip_rt_entry *e) {
  if (e->metric)
    nla_put_u32(b, RTA_PRIORITY, e->metric);
  put_metrics(b, e);
  if (!ip_is_any(&e->prefsrc))
    rtnl_put_addr(b, RTA_PREFSRC, &e->prefsrc);
  if (!ip_is_any(&e->gateway))
    rtnl_put_addr(b, RTA_GATEWAY, &e->gateway);
  if (e->oif)
    nla_put_u32(b, RTA_OIF, (uint32_t)e->oif);
}

static void put6(struct nlbuf *b, const struct ip_rt_entry *e, int lo) {
  if (!ip_is_any(&e->prefsrc))
    rtnl_put_addr(b, RTA_PREFSRC, &e->prefsrc);
  put_metrics(b, e);
  nla_put_u32(b, RTA_PRIORITY, e->metric);
  if (!ip_is_any(&e->gateway))
    rtnl_put_addr(b, RTA_GATEWAY, &e->gateway);
  nla_put_u32(b, RTA_OIF, (uint32_t)(e->oif ? e->oif : lo));
  nla_put(b, RTA_CACHEINFO, &(struct rta_cacheinfo){0}, sizeof(struct rta_cacheinfo));
  nla_put_u8(b, RTA_PREF, 0); /* ICMPV6_ROUTER_PREF_MEDIUM */
}

static int lo_index(const struct net_namespace *ns) {
  const struct net_stack *st = net_stack_of(ns);
  return st && st->lo ? st->lo->ifindex : 1;
}

static void fill(struct nlbuf *b, const struct net_namespace *ns, const struct ip_rt_entry *e, uint16_t type,
                 uint16_t flags, uint32_t pid, uint32_t seq) {
  struct rtmsg m = header_of(ns, e);
  size_t at = nlb_begin(b, type, flags, pid, seq, &m, sizeof m);
  nla_put_u32(b, RTA_TABLE, e->table);
  if (e->prefix)
    rtnl_put_addr(b, RTA_DST, &e->dst);
  if (e->family == AF_INET)
    put4(b, e);
  else
    put6(b, e, lo_index(ns));
  nlb_end(b, at);
}

struct told {
  struct net_namespace *ns;
  const struct ip_rt_entry *e;
  bool added;
};
static void fill_told(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq) {
  const struct told *t = arg;
  const struct nl_req *r = nl_net_of(t->ns)->current;
  /* RTM_NEWROUTE that replaces or appends says so. */
  uint16_t flags = t->added && r && r->h->nlmsg_type == RTM_NEWROUTE
                       ? r->h->nlmsg_flags & (NLM_F_REPLACE | NLM_F_EXCL | NLM_F_CREATE | NLM_F_APPEND)
                       : 0;
  fill(b, t->ns, t->e, t->added ? RTM_NEWROUTE : RTM_DELROUTE, flags, pid, seq);
}

void ip_event_route(struct net_namespace *ns, const struct ip_rt_entry *e, bool added) {
  struct nl_net *n = nl_net_of(ns);
  struct told t = {ns, e, added};
  if (!n)
    return;
  n->gen[NL_GEN_ROUTE]++;
  rtnl_tell(ns, e->family == AF_INET ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE, fill_told, &t);
}

/* ---- dumps ---- */

/* Linux goes through its tables by number modulo 256, from main on when only the default ones are there. */
static int by_table(uint32_t a, uint32_t b) {
  uint32_t ha = a & 255, hb = b & 255;
  return ha != hb ? (ha < hb ? -1 : 1) : a < b ? -1 : a > b;
}

/* IPv4: by address, the longer prefix first. IPv6: what lies within a prefix comes before it. */
static int by_prefix(const struct ip_rt_entry *a, const struct ip_rt_entry *b) {
  unsigned bits = (a->family == AF_INET ? 96 : 0) + (a->prefix < b->prefix ? a->prefix : b->prefix);
  int c = memcmp(&a->dst, &b->dst, sizeof a->dst);
  if (a->family == AF_INET6) {
    bool nested = !memcmp(&a->dst, &b->dst, bits / 8) &&
                  (!(bits % 8) || !((a->dst.s6_addr[bits / 8] ^ b->dst.s6_addr[bits / 8]) >> (8 - bits % 8)));
    c = nested ? 0 : c;
  }
  return c ? c : (int)b->prefix - (int)a->prefix;
}

struct item {
  const struct ip_rt_entry *e; /* borrowed: nothing changes while a batch is made */
  unsigned n;                  /* its place among all: keeps the order of equals */
};

static int compare(const void *x, const void *y) {
  const struct item *a = x, *b = y;
  int c = by_table(a->e->table, b->e->table);
  if (!c)
    c = by_prefix(a->e, b->e);
  if (!c)
    c = (int)b->e->tos - (int)a->e->tos;
  return c ? c : a->n < b->n ? -1 : 1;
}

struct collect {
  const struct nl_dump *d;
  struct item *v;
  unsigned n, cap;
};

/* arg: u32[0] family, [1] table, [2] protocol, [3] type, [4] device */
static bool collect(void *arg, const struct ip_rt_entry *e) {
  struct collect *c = arg;
  const uint32_t *f = c->d->arg.u32;
  if ((f[1] && e->table != f[1]) || (f[2] && e->protocol != f[2]) || (f[3] && e->type != f[3]) ||
      (f[4] && e->oif != (int)f[4]))
    return true;
  if (c->n == c->cap)
    return false;
  c->v[c->n] = (struct item){e, c->n};
  c->n++;
  return true;
}

/* at: version, routes of it that were told. The table is gone through anew for each batch: what is kept meanwhile is a
 * number, and the generation tells when that means something else. */
static int dump_version(struct nl_dump *d, struct nlbuf *b, int family) {
  struct collect c = {.d = d, .cap = IP_ROUTES_MAX};
  int rc = 0;
  c.v = malloc(c.cap * sizeof *c.v);
  if (!c.v)
    return -ENOBUFS;
  ip_route_each(d->ns, family, collect, &c);
  qsort(c.v, c.n, sizeof *c.v, compare);
  for (; d->at[1] < (long)c.n; d->at[1]++) {
    size_t before = b->len;
    fill(b, d->ns, c.v[d->at[1]].e, RTM_NEWROUTE, d->flags, d->nk->portid, d->req->nlmsg_seq);
    if (b->len == before) {
      rc = 1;
      break;
    }
  }
  free(c.v);
  return rc;
}

static int dump_routes(struct nl_dump *d, struct nlbuf *b) {
  for (; d->at[0] < 2; d->at[0]++, d->at[1] = 0) {
    int family = d->at[0] ? AF_INET6 : AF_INET;
    if (d->arg.u32[0] != AF_UNSPEC && (int)d->arg.u32[0] != family)
      continue;
    int rc = dump_version(d, b, family);
    if (rc)
      return rc;
  }
  return 0;
}

static bool any(void *arg, const struct ip_rt_entry *e) {
  uint32_t *table = arg;
  if (e->table == *table)
    *table = 0;
  return *table;
}

/* A table that nothing was ever put into. (The three default ones count as there.) */
static bool table_missing(struct net_namespace *ns, int family, uint32_t table) {
  if (table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL || table == RT_TABLE_DEFAULT)
    return false;
  ip_route_each(ns, family, any, &table);
  return table;
}

static const struct nla_policy policy[RTA_MAX_KNOWN + 1] = {
    [RTA_OIF] = {NLA_U32},     [RTA_IIF] = {NLA_U32},  [RTA_PRIORITY] = {NLA_U32}, [RTA_METRICS] = {NLA_NESTED},
    [RTA_TABLE] = {NLA_U32},   [RTA_MARK] = {NLA_U32}, [RTA_UID] = {NLA_U32},      [RTA_PREF] = {NLA_U8},
    [RTA_EXPIRES] = {NLA_U32}, [RTA_NH_ID] = {NLA_U32}};

static int parse(struct nl_req *r, const struct nlattr **tb) {
  size_t off = NLMSG_ALIGN(sizeof(struct rtmsg)), n = nl_body_len(r);
  if (n < sizeof(struct rtmsg))
    return -EINVAL;
  return nla_parse(tb, RTA_MAX_KNOWN, (const char *)nl_body(r) + off, n > off ? n - off : 0, policy, 0, &r->ext);
}

static int strict_filter(struct nl_req *r, struct nl_dump *d) {
  const struct nlattr *tb[RTA_MAX_KNOWN + 1];
  const struct rtmsg *m = rtnl_header(r, sizeof *m);
  uint32_t *f = d->arg.u32;
  if (!m)
    return nl_err(&r->ext, -EINVAL, "Invalid header for FIB dump request");
  if (m->rtm_dst_len || m->rtm_src_len || m->rtm_tos || m->rtm_scope)
    return nl_err(&r->ext, -EINVAL, "Invalid values in header for FIB dump request");
  if (m->rtm_flags & ~(RTM_F_CLONED | RTM_F_PREFIX))
    return nl_err(&r->ext, -EINVAL, "Invalid flags for FIB dump request");
  int rc = parse(r, tb);
  for (int i = 1; !rc && i <= RTA_MAX_KNOWN; i++)
    if (tb[i] && i != RTA_TABLE && i != RTA_OIF)
      rc = nl_err_attr(&r->ext, -EINVAL, tb[i], "Unsupported attribute in dump request");
  if (rc)
    return rc;
  f[1] = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : m->rtm_table;
  f[2] = m->rtm_protocol;
  f[3] = m->rtm_type;
  f[4] = tb[RTA_OIF] ? nla_get_u32(tb[RTA_OIF]) : 0;
  d->flags |= NLM_F_DUMP_FILTERED;
  return f[4] && !netdev_by_index_borrow(r->ns, (int)f[4]) ? -ENODEV : 0;
}

static int start_routes(struct nl_req *r, struct nl_dump *d) {
  const struct rtmsg *m = rtnl_header(r, sizeof *m);
  int family = *(const uint8_t *)nl_body(r), rc;
  d->fn = dump_routes;
  d->generation = rtnl_gen_route;
  d->split = true;
  d->arg.u32[0] = family == AF_INET || family == AF_INET6 ? (uint32_t)family : AF_UNSPEC;
  if (r->nk->strict && (rc = strict_filter(r, d)))
    return rc;
  if (m && m->rtm_flags & RTM_F_CLONED)
    d->at[0] = 2; /* exceptions of path MTU discovery are not shown */
  if (d->arg.u32[1] && (uint32_t)family == d->arg.u32[0] && table_missing(r->ns, family, d->arg.u32[1]))
    return nl_err(&r->ext, -ENOENT,
                  family == AF_INET ? "ipv4: FIB table does not exist" : "ipv6: FIB table does not exist");
  return 0;
}

/* ---- changes ---- */

static int get_metrics(const struct nlattr *nest, struct ip_rt_entry *e, struct nl_extack *x) {
  const struct nlattr *tb[RTAX_MAX + 1];
  int rc = nla_parse_nested(tb, RTAX_MAX, nest, NULL, x);
  for (int i = 1; !rc && i <= RTAX_MAX; i++) {
    if (!tb[i])
      continue;
    if (i == RTAX_CC_ALGO || nla_len(tb[i]) < 4) /* one of its own for a route: TCP has none */
      return -EINVAL;
    uint32_t v = nla_get_u32(tb[i]);
    if (i == RTAX_MTU)
      e->mtu = v > 65520 ? 65520 : v;
    else if (i == RTAX_ADVMSS)
      e->advmss = v > 65495 ? 65495 : v;
    /* The others are hints to a TCP that would be tuned by route; they are not kept. */
  }
  return rc;
}

static int refused(struct nl_req *r, const struct nlattr **tb) {
  static const uint8_t unsupported[] = {RTA_MULTIPATH, RTA_FLOW, RTA_VIA, RTA_ENCAP, RTA_ENCAP_TYPE, RTA_NH_ID};
  for (size_t i = 0; i < sizeof unsupported; i++)
    if (tb[unsupported[i]])
      return nl_err_attr(&r->ext, -EOPNOTSUPP, tb[unsupported[i]], "Routes have one next hop here");
  return 0;
}

static int get_rt_addr(const struct nlattr *a, int family, struct in6_addr *out) {
  return a && !rtnl_get_addr(a, family, out) ? -EINVAL : 0;
}

/* rtm_to_fib_config(), rtm_to_fib6_config() */
static int build(struct nl_req *r, struct ip_rt_entry *e) {
  const struct nlattr *tb[RTA_MAX_KNOWN + 1];
  int rc = parse(r, tb), family;
  if (rc)
    return rc;
  const struct rtmsg *m = nl_body(r);
  family = m->rtm_family;
  *e = (struct ip_rt_entry){.family = (uint8_t)family,
                            .prefix = m->rtm_dst_len,
                            .type = m->rtm_type,
                            .scope = family == AF_INET ? m->rtm_scope : 0,
                            .protocol = m->rtm_protocol,
                            .tos = family == AF_INET ? m->rtm_tos : 0,
                            .table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : m->rtm_table,
                            .flags = m->rtm_flags & RTNH_F_ONLINK};
  if (m->rtm_dst_len > (family == AF_INET ? 32 : 128))
    return nl_err(&r->ext, -EINVAL, "Invalid prefix length");
  if (m->rtm_type > RTN_MAX)
    return nl_err(&r->ext, -EINVAL, "Invalid route type");
  if (m->rtm_src_len || (tb[RTA_SRC] && family == AF_INET6))
    return nl_err(&r->ext, -EINVAL, "Source routing is not supported");
  e->dst = e->gateway = e->prefsrc = family == AF_INET ? ip_from4(0) : in6addr_any;
  if ((rc = refused(r, tb)) || (rc = get_rt_addr(tb[RTA_DST], family, &e->dst)) ||
      (rc = get_rt_addr(tb[RTA_GATEWAY], family, &e->gateway)) ||
      (rc = get_rt_addr(tb[RTA_PREFSRC], family, &e->prefsrc)))
    return rc;
  e->oif = tb[RTA_OIF] ? (int)nla_get_u32(tb[RTA_OIF]) : 0;
  e->metric = tb[RTA_PRIORITY] ? nla_get_u32(tb[RTA_PRIORITY]) : 0;
  if (!e->table)
    e->table = RT_TABLE_MAIN;
  return tb[RTA_METRICS] ? get_metrics(tb[RTA_METRICS], e, &r->ext) : 0;
}

static bool rejects(uint8_t type) {
  return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

static bool ip_prefix_only(const struct ip_rt_entry *e) {
  return e->prefix >= 32 || !(ntohl(ip_get4(&e->dst)) & (UINT32_MAX >> e->prefix));
}

static const char *why(const struct ip_rt_entry *e, int rc) {
  bool gw = !ip_is_any(&e->gateway), v4 = e->family == AF_INET;
  if (rc == -ENETUNREACH && gw && v4)
    return "Nexthop has invalid gateway";
  if (rc == -EINVAL && v4 && !ip_prefix_only(e))
    return "Invalid prefix for given prefix length";
  if (rc == -EINVAL && !ip_is_any(&e->prefsrc) && !gw)
    return v4 ? "Invalid prefsrc address" : "Invalid source address";
  if (rc == -ENETDOWN)
    return "Device for nexthop is not up";
  return NULL;
}

static int new_route(struct nl_req *r) {
  struct ip_rt_entry e;
  int rc = build(r, &e);
  if (rc)
    return rc;
  if (((const struct rtmsg *)nl_body(r))->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
    return nl_err(&r->ext, -EINVAL, "Invalid rtm_flags - can not contain DEAD or LINKDOWN");
  if (e.family == AF_INET6 && rejects(e.type))
    e.oif = 0; /* Linux shows it on lo */
  if (e.family == AF_INET && e.scope == RT_SCOPE_NOWHERE)
    return nl_err(&r->ext, -EINVAL, "Invalid scope");
  /* IPv4 without a gateway, a scope of the world and a device: what is on the link. fib_create_info() wants the scope
   * to be given; iproute2 does. */
  rc = ip_route_add(r->ns, &e, r->h->nlmsg_flags);
  return rc ? nl_err(&r->ext, rc, why(&e, rc)) : 0;
}

static int del_route(struct nl_req *r) {
  struct ip_rt_entry e;
  int rc = build(r, &e);
  if (rc)
    return rc;
  if (e.family == AF_INET6) {
    if (rejects(e.type))
      e.oif = 0;
    if (e.type == RTN_UNICAST)
      e.type = 0; /* Linux does not compare the type of IPv6 routes */
  }
  if (table_missing(r->ns, e.family, e.table))
    return nl_err(&r->ext, -ESRCH, e.family == AF_INET ? "ipv4: FIB table does not exist" : "FIB table does not exist");
  return ip_route_del(r->ns, &e);
}

/* ---- one route: what would be done with a packet ---- */

static uint32_t cache_flags(uint8_t type) {
  return RTM_F_CLONED | (type == RTN_LOCAL       ? RTCF_LOCAL_K
                         : type == RTN_BROADCAST ? RTCF_BROADCAST_K
                         : type == RTN_MULTICAST ? RTCF_MULTICAST_K
                                                 : 0);
}

static void fill_got4(struct nlbuf *b, const struct nl_req *r, const struct ip_rt_entry *e, const struct ip_flow *f) {
  const struct task *t = task_current();
  struct rtmsg m = {.rtm_family = AF_INET,
                    .rtm_dst_len = 32,
                    .rtm_tos = f->tos,
                    .rtm_table = RT_TABLE_MAIN,
                    .rtm_type = e->type,
                    .rtm_flags = cache_flags(e->type)};
  bool given = !ip_is_any(&f->src);
  m.rtm_src_len = given ? 32 : 0;
  size_t at = nlb_begin(b, RTM_NEWROUTE, 0, r->nk->portid, r->h->nlmsg_seq, &m, sizeof m);
  nla_put_u32(b, RTA_TABLE, e->table == RT_TABLE_LOCAL ? RT_TABLE_MAIN : e->table); /* the two are one in Linux */
  rtnl_put_addr(b, RTA_DST, &f->dst);
  if (given)
    rtnl_put_addr(b, RTA_SRC, &f->src);
  nla_put_u32(b, RTA_OIF, (uint32_t)e->oif);
  if (!given && !ip_is_any(&e->prefsrc))
    rtnl_put_addr(b, RTA_PREFSRC, &e->prefsrc);
  if (!ip_is_any(&e->gateway))
    rtnl_put_addr(b, RTA_GATEWAY, &e->gateway);
  put_metrics(b, e);
  if (f->mark)
    nla_put_u32(b, RTA_MARK, f->mark);
  nla_put_u32(b, RTA_UID, t ? kuid_here(t->cred->uid) : 0);
  nla_put(b, RTA_CACHEINFO, &(struct rta_cacheinfo){0}, sizeof(struct rta_cacheinfo));
  nlb_end(b, at);
}

static void fill_got6(struct nlbuf *b, const struct nl_req *r, const struct ip_rt_entry *e, const struct ip_flow *f) {
  struct rtmsg m = header_of(r->ns, e);
  m.rtm_dst_len = m.rtm_src_len = 128;
  size_t at = nlb_begin(b, RTM_NEWROUTE, 0, r->nk->portid, r->h->nlmsg_seq, &m, sizeof m);
  nla_put_u32(b, RTA_TABLE, e->table);
  rtnl_put_addr(b, RTA_DST, &f->dst);
  nla_put(b, RTA_SRC, &f->src, sizeof f->src);
  put6(b, e, lo_index(r->ns));
  nlb_end(b, at);
}

static int build_flow(struct nl_req *r, const struct nlattr **tb, struct ip_flow *f) {
  const struct rtmsg *m = nl_body(r);
  int family = m->rtm_family, rc;
  *f = (struct ip_flow){.ttl = -1, .tos = m->rtm_tos};
  f->dst = f->src = family == AF_INET ? ip_from4(0) : in6addr_any;
  if (tb[RTA_IIF]) /* a packet that would come in: forwarding is not looked up this way */
    return -EOPNOTSUPP;
  if ((rc = get_rt_addr(tb[RTA_DST], family, &f->dst)) || (rc = get_rt_addr(tb[RTA_SRC], family, &f->src)))
    return rc;
  f->oif = tb[RTA_OIF] ? (int)nla_get_u32(tb[RTA_OIF]) : 0;
  f->mark = tb[RTA_MARK] ? nla_get_u32(tb[RTA_MARK]) : 0;
  return 0;
}

static int get_route(struct nl_req *r) {
  const struct nlattr *tb[RTA_MAX_KNOWN + 1];
  struct ip_flow f;
  struct ip_rt_entry e;
  const struct ip_rt_entry *match;
  struct ip_net *n = ip_net_of(r->ns);
  int rc = parse(r, tb);
  if (!rc)
    rc = build_flow(r, tb, &f);
  if (rc)
    return rc;
  rc = !n ? -ENETUNREACH : ip_route_lookup(r->ns, &f, &e);
  if (rc)
    return rc;
  struct nlbuf *b = nlbuf_new(1024);
  if (!b)
    return -ENOBUFS;
  if (((const struct rtmsg *)nl_body(r))->rtm_flags & RTM_F_FIB_MATCH &&
      !ip_route_resolve(n, &f.dst, f.tos, f.oif, &match))
    fill(b, r->ns, match, RTM_NEWROUTE, 0, r->nk->portid, r->h->nlmsg_seq);
  else if (ip_is4(&f.dst))
    fill_got4(b, r, &e, &f);
  else
    fill_got6(b, r, &e, &f);
  rc = nl_reply(r, b);
  free(b);
  return rc;
}

const struct rtnl_op rtnl_route_ops[] = {
    {RTM_GETROUTE, AF_UNSPEC, NULL, start_routes},     {RTM_GETROUTE, AF_INET, get_route, start_routes},
    {RTM_NEWROUTE, AF_INET, new_route, NULL},          {RTM_DELROUTE, AF_INET, del_route, NULL},
    {RTM_GETROUTE, AF_INET6, get_route, start_routes}, {RTM_NEWROUTE, AF_INET6, new_route, NULL},
    {RTM_DELROUTE, AF_INET6, del_route, NULL},         {0},
};
