/* RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH and the parameters of the tables, RTM_GETNEIGHTBL: ip-neighbour(8). */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/neighbour.h>
#include <stdlib.h>

#define NUD_VALID_K (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)
#define GC_THRESH1 128
#define GC_THRESH2 512

static uint32_t ago(int64_t then) {
  return (uint32_t)rtnl_clock(loop_now() - then);
}

static void fill(struct nlbuf *b, const struct neigh_entry *e, uint16_t type, uint16_t flags, uint32_t pid,
                 uint32_t seq) {
  struct ndmsg m = {.ndm_family = (uint8_t)rtnl_family(&e->ip),
                    .ndm_ifindex = e->dev->ifindex,
                    .ndm_state = e->state,
                    .ndm_flags = e->flags,
                    .ndm_type = RTN_UNICAST};
  struct nda_cacheinfo c = {
      .ndm_confirmed = ago(e->confirmed), .ndm_used = ago(e->used), .ndm_updated = ago(e->updated)};
  size_t at = nlb_begin(b, type, flags, pid, seq, &m, sizeof m);
  rtnl_put_addr(b, NDA_DST, &e->ip);
  if (e->state & NUD_VALID_K && e->dev->addr_len <= sizeof e->lladdr)
    nla_put(b, NDA_LLADDR, e->lladdr, e->dev->addr_len);
  nla_put_u32(b, NDA_PROBES, e->probes);
  nla_put(b, NDA_CACHEINFO, &c, sizeof c);
  nlb_end(b, at);
}

struct told {
  const struct neigh_entry *e;
  bool gone;
};
static void fill_told(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq) {
  const struct told *t = arg;
  fill(b, t->e, t->gone ? RTM_DELNEIGH : RTM_NEWNEIGH, 0, pid, seq);
}

void ip_event_neigh(const struct neigh_entry *e, bool gone) {
  struct nl_net *n = e->dev->ns ? nl_net_of(e->dev->ns) : NULL;
  struct told t = {e, gone};
  if (!n)
    return;
  n->gen[NL_GEN_NEIGH]++;
  rtnl_tell(e->dev->ns, RTNLGRP_NEIGH, fill_told, &t);
}

/* ---- dumps ---- */

struct collect {
  const struct nl_dump *d;
  const struct neigh_entry *v[NEIGH_MAX];
  unsigned n;
};

/* arg: u32[0] family, [1] device, [2] master */
static bool collect(void *arg, const struct neigh_entry *e) {
  struct collect *c = arg;
  const uint32_t *f = c->d->arg.u32;
  if (f[1] && e->dev->ifindex != (int)f[1])
    return true;
  if (f[2] && (!e->dev->master || e->dev->master->ifindex != (int)f[2]))
    return true;
  if (c->n == NEIGH_MAX)
    return false;
  c->v[c->n++] = e;
  return true;
}

/* The table is in the order of use, which changes: a dump needs one that does not. */
static int compare(const void *x, const void *y) {
  const struct neigh_entry *a = *(const struct neigh_entry *const *)x, *b = *(const struct neigh_entry *const *)y;
  if (ip_is4(&a->ip) != ip_is4(&b->ip))
    return ip_is4(&a->ip) ? -1 : 1;
  if (a->dev != b->dev)
    return a->dev->ifindex < b->dev->ifindex ? -1 : 1;
  return memcmp(&a->ip, &b->ip, sizeof a->ip);
}

static int dump_neighs(struct nl_dump *d, struct nlbuf *b) {
  struct collect *c = malloc(sizeof *c);
  int rc = 0;
  if (!c)
    return -ENOBUFS;
  c->d = d;
  c->n = 0;
  neigh_each(d->ns, (int)d->arg.u32[0], collect, c);
  qsort(c->v, c->n, sizeof *c->v, compare);
  for (; d->at[0] < (long)c->n; d->at[0]++) {
    size_t before = b->len;
    fill(b, c->v[d->at[0]], RTM_NEWNEIGH, d->flags, d->nk->portid, d->req->nlmsg_seq);
    if (b->len == before) {
      rc = 1;
      break;
    }
  }
  free(c);
  return rc;
}

static int dump_nothing(struct nl_dump *d, struct nlbuf *b) {
  return 0;
}

static const struct nla_policy policy[NDA_MAX + 1] = {
    [NDA_LLADDR] = {NLA_BINARY, 32}, [NDA_IFINDEX] = {NLA_U32}, [NDA_MASTER] = {NLA_U32}, [NDA_PROBES] = {NLA_U32}};

static int parse(struct nl_req *r, const struct nlattr **tb) {
  size_t off = NLMSG_ALIGN(sizeof(struct ndmsg)), n = nl_body_len(r);
  if (n < sizeof(struct ndmsg))
    return -EINVAL;
  return nla_parse(tb, NDA_MAX, (const char *)nl_body(r) + off, n > off ? n - off : 0, policy, 0, &r->ext);
}

static int start_neighs(struct nl_req *r, struct nl_dump *d) {
  const struct nlattr *tb[NDA_MAX + 1];
  const struct ndmsg *m = rtnl_header(r, sizeof *m);
  uint8_t family = *(const uint8_t *)nl_body(r);
  d->fn = dump_neighs;
  d->generation = rtnl_gen_neigh;
  d->arg.u32[0] = family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
  if (!m)
    return r->nk->strict ? nl_err(&r->ext, -EINVAL, "Invalid header for neighbor dump request") : 0;
  if (r->nk->strict && (m->ndm_pad1 || m->ndm_pad2 || m->ndm_ifindex || m->ndm_state || m->ndm_type))
    return nl_err(&r->ext, -EINVAL, "Invalid values in header for neighbor dump request");
  if (m->ndm_flags & NTF_PROXY)
    d->fn = dump_nothing;
  int rc = parse(r, tb);
  if (rc)
    return r->nk->strict ? rc : 0;
  d->arg.u32[1] = tb[NDA_IFINDEX] ? nla_get_u32(tb[NDA_IFINDEX]) : 0;
  d->arg.u32[2] = tb[NDA_MASTER] ? nla_get_u32(tb[NDA_MASTER]) : 0;
  if (d->arg.u32[1] || d->arg.u32[2])
    d->flags |= NLM_F_DUMP_FILTERED;
  return 0;
}

/* ---- one ---- */

/* Who is meant: neigh_add(), neigh_delete(), neigh_get(). */
static int target(struct nl_req *r, const struct nlattr **tb, struct netdev **dev, struct in6_addr *ip) {
  int rc = parse(r, tb);
  if (rc)
    return rc;
  const struct ndmsg *m = nl_body(r);
  if (!tb[NDA_DST])
    return nl_err(&r->ext, -EINVAL, "Network address not specified");
  *dev = netdev_by_index_borrow(r->ns, m->ndm_ifindex);
  if (!*dev)
    return m->ndm_ifindex ? -ENODEV : nl_err(&r->ext, -EINVAL, "No device specified");
  if (m->ndm_family != AF_INET && m->ndm_family != AF_INET6)
    return -EAFNOSUPPORT;
  if (!rtnl_get_addr(tb[NDA_DST], m->ndm_family, ip))
    return nl_err(&r->ext, -EINVAL, "Invalid network address");
  return m->ndm_flags & NTF_PROXY ? -EOPNOTSUPP : 0;
}

static int new_neigh(struct nl_req *r) {
  const struct nlattr *tb[NDA_MAX + 1];
  struct neigh_entry e = {0};
  struct netdev *d;
  int rc = target(r, tb, &d, &e.ip);
  if (rc)
    return rc;
  const struct ndmsg *m = nl_body(r);
  if (tb[NDA_LLADDR] && nla_len(tb[NDA_LLADDR]) < d->addr_len)
    return nl_err(&r->ext, -EINVAL, "Invalid link address");
  if (!tb[NDA_LLADDR] && m->ndm_state & NUD_VALID_K && d->addr_len)
    return nl_err(&r->ext, -EINVAL, "No link layer address given");
  e.dev = d;
  e.state = m->ndm_state;
  e.flags = m->ndm_flags & NTF_ROUTER;
  if (tb[NDA_LLADDR])
    memcpy(e.lladdr, nla_data(tb[NDA_LLADDR]), d->addr_len);
  return neigh_set(&e, r->h->nlmsg_flags);
}

static int del_neigh(struct nl_req *r) {
  const struct nlattr *tb[NDA_MAX + 1];
  struct in6_addr ip;
  struct netdev *d;
  int rc = target(r, tb, &d, &ip);
  return rc ? rc : neigh_del(d, &ip);
}

struct find {
  const struct netdev *d;
  const struct in6_addr *ip;
  const struct neigh_entry *found;
};
static bool find_one(void *arg, const struct neigh_entry *e) {
  struct find *f = arg;
  if (e->dev == f->d && ip_same(&e->ip, f->ip))
    f->found = e;
  return !f->found;
}

static int get_neigh(struct nl_req *r) {
  const struct nlattr *tb[NDA_MAX + 1];
  struct in6_addr ip;
  struct netdev *d;
  int rc = target(r, tb, &d, &ip);
  if (rc)
    return rc;
  struct find f = {d, &ip, NULL};
  neigh_each(r->ns, rtnl_family(&ip), find_one, &f);
  if (!f.found)
    return nl_err(&r->ext, -ENOENT, "Neighbour entry not found");
  struct nlbuf *b = nlbuf_new(512);
  if (!b)
    return -ENOBUFS;
  fill(b, f.found, RTM_NEWNEIGH, 0, r->nk->portid, r->h->nlmsg_seq);
  rc = nl_reply(r, b);
  free(b);
  return rc;
}

/* ---- the tables ---- */

static void put_params(struct nlbuf *b, const struct neigh_sysctl *c, int ifindex) {
  size_t at = nla_nest(b, NDTA_PARMS);
  if (ifindex)
    nla_put_u32(b, NDTPA_IFINDEX, (uint32_t)ifindex);
  nla_put_u32(b, NDTPA_REFCNT, 1);
  nla_put_u32(b, NDTPA_QUEUE_LENBYTES, NEIGH_QUEUE_BYTES);
  nla_put_u32(b, NDTPA_QUEUE_LEN, NEIGH_QUEUE_BYTES / NEIGH_PACKET_COST(ETH_FRAME_LEN));
  nla_put_u32(b, NDTPA_PROXY_QLEN, 64);
  nla_put_u32(b, NDTPA_APP_PROBES, 0);
  nla_put_u32(b, NDTPA_UCAST_PROBES, (uint32_t)c->ucast_solicit);
  nla_put_u32(b, NDTPA_MCAST_PROBES, (uint32_t)c->mcast_solicit);
  nla_put_u32(b, NDTPA_MCAST_REPROBES, 0);
  nla_put_u64(b, NDTPA_REACHABLE_TIME, (uint64_t)c->base_reachable_ms);
  nla_put_u64(b, NDTPA_BASE_REACHABLE_TIME, (uint64_t)c->base_reachable_ms);
  nla_put_u64(b, NDTPA_GC_STALETIME, (uint64_t)c->gc_stale_s * 1000);
  nla_put_u64(b, NDTPA_DELAY_PROBE_TIME, (uint64_t)c->delay_first_probe_s * 1000);
  nla_put_u64(b, NDTPA_RETRANS_TIME, (uint64_t)c->retrans_ms);
  nla_put_u64(b, NDTPA_ANYCAST_DELAY, 1000);
  nla_put_u64(b, NDTPA_PROXY_DELAY, 800);
  nla_put_u64(b, NDTPA_LOCKTIME, (uint64_t)c->locktime_ms);
  nla_nest_end(b, at);
}

static void fill_table(struct nlbuf *b, struct nl_dump *d, int v6, int ifindex) {
  const struct ip_net *n = ip_net_of(d->ns);
  struct ndtmsg m = {.ndtm_family = v6 ? AF_INET6 : AF_INET};
  struct ndt_config c = {
      .ndtc_key_len = v6 ? 16 : 4, .ndtc_entry_size = sizeof(struct neigh_entry), .ndtc_entries = n->nneigh};
  size_t at = nl_dump_begin(d, b, RTM_NEWNEIGHTBL, &m, sizeof m);
  nla_put_str(b, NDTA_NAME, v6 ? "ndisc_cache" : "arp_cache");
  if (!ifindex) {
    nla_put_u64(b, NDTA_GC_INTERVAL, 30000);
    nla_put_u32(b, NDTA_THRESH1, GC_THRESH1);
    nla_put_u32(b, NDTA_THRESH2, GC_THRESH2);
    nla_put_u32(b, NDTA_THRESH3, NEIGH_MAX);
    nla_put(b, NDTA_CONFIG, &c, sizeof c);
  }
  put_params(b, &n->sysctl.neigh[v6], ifindex);
  nlb_end(b, at);
}

/* at: version, whether the table itself was told, the last device */
static int dump_tables(struct nl_dump *d, struct nlbuf *b) {
  for (; d->at[0] < 2 && ip_net_of(d->ns); d->at[0]++, d->at[1] = d->at[2] = 0) {
    struct netdev *dev = NULL;
    if (d->arg.u32[0] != AF_UNSPEC && d->arg.u32[0] != (d->at[0] ? AF_INET6 : AF_INET))
      continue;
    for (; !d->at[1] || (dev = rtnl_next_dev(d->ns, d->at[2])); dev ? (d->at[2] = dev->ifindex) : (d->at[1] = 1)) {
      size_t before = b->len;
      fill_table(b, d, (int)d->at[0], dev ? dev->ifindex : 0);
      if (b->len == before)
        return 1;
    }
  }
  return 0;
}

static int start_tables(struct nl_req *r, struct nl_dump *d) {
  uint8_t family = *(const uint8_t *)nl_body(r);
  d->fn = dump_tables;
  d->arg.u32[0] = family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
  return 0;
}

const struct rtnl_op rtnl_neigh_ops[] = {
    {RTM_GETNEIGH, AF_UNSPEC, get_neigh, start_neighs},
    {RTM_NEWNEIGH, AF_UNSPEC, new_neigh, NULL},
    {RTM_DELNEIGH, AF_UNSPEC, del_neigh, NULL},
    {RTM_GETNEIGHTBL, AF_UNSPEC, NULL, start_tables},
    {0},
};
