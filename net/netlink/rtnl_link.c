/* RTM_GETLINK, and how a link is told of: rtnetlink(7). Attributes are in the order of Linux. */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/if_addr.h>
#include <stdlib.h>

/* Newer than this libc's headers. */
#define IFLA_DEVLINK_PORT_K 62
#define IFLA_GSO_IPV4_MAX_SIZE_K 63
#define IFLA_GRO_IPV4_MAX_SIZE_K 64
#define IFLA_NETNS_IMMUTABLE_K 67
#define GSO_MAX 65536
#define TSO_MAX 524280

#define OPER_UNKNOWN 0
#define OPER_DOWN 2
#define OPER_LOWERLAYERDOWN 3
#define OPER_UP 6

static void put_names(struct nlbuf *b, const struct netdev *d) {
  const struct netdev_alt *a;
  if (LIST_EMPTY(&d->alts))
    return;
  size_t at = nla_nest(b, IFLA_PROP_LIST | NLA_F_NESTED);
  LIST_FOREACH(a, &d->alts, link)
  nla_put_str(b, IFLA_ALT_IFNAME, a->name);
  nla_nest_end(b, at);
}

static bool is_lo(const struct netdev *d) {
  return d->type == ARPHRD_LOOPBACK;
}
static bool kind_is(const struct netdev *d, const char *kind) {
  return d->ops->kind && !strcmp(d->ops->kind, kind);
}

/* RFC 2863. lo and dummies have no carrier that anybody watches. */
uint8_t rtnl_operstate(const struct netdev *d) {
  if (!(d->flags & IFF_UP))
    return OPER_DOWN;
  if (is_lo(d) || kind_is(d, "dummy"))
    return OPER_UNKNOWN;
  if (d->flags & IFF_LOWER_UP)
    return OPER_UP;
  return d->peer ? OPER_LOWERLAYERDOWN : OPER_DOWN;
}

static void put_stats(struct nlbuf *b, const struct netdev *d) {
  const struct rtnl_link_stats64 *s = &d->stats;
  struct rtnl_link_stats o;
  nla_put(b, IFLA_STATS64, s, sizeof *s);
  const uint64_t *from = (const uint64_t *)s;
  uint32_t *to = (uint32_t *)&o; /* the same counters in the same order, cut */
  for (size_t i = 0; i < sizeof o / sizeof *to; i++)
    to[i] = (uint32_t)from[i];
  nla_put(b, IFLA_STATS, &o, sizeof o);
}

static void put_limits(struct nlbuf *b, const struct netdev *d) {
  bool bounded = !is_lo(d) && !kind_is(d, "dummy");
  nla_put_u32(b, IFLA_MTU, d->mtu);
  nla_put_u32(b, IFLA_MIN_MTU, bounded ? 68 : 0);
  nla_put_u32(b, IFLA_MAX_MTU, bounded ? 65535 : 0);
  nla_put_u32(b, IFLA_GROUP, d->group);
  nla_put_u32(b, IFLA_PROMISCUITY, d->promiscuity > 0 ? (uint32_t)d->promiscuity : 0);
  nla_put_u32(b, IFLA_ALLMULTI, d->allmulti > 0 ? (uint32_t)d->allmulti : 0);
  nla_put_u32(b, IFLA_NUM_TX_QUEUES, 1);
  nla_put_u32(b, IFLA_GSO_MAX_SEGS, 65535);
  nla_put_u32(b, IFLA_GSO_MAX_SIZE, GSO_MAX);
  nla_put_u32(b, IFLA_GRO_MAX_SIZE, GSO_MAX);
  nla_put_u32(b, IFLA_GSO_IPV4_MAX_SIZE_K, GSO_MAX);
  nla_put_u32(b, IFLA_GRO_IPV4_MAX_SIZE_K, GSO_MAX);
  nla_put_u32(b, IFLA_TSO_MAX_SIZE, TSO_MAX);
  nla_put_u32(b, IFLA_TSO_MAX_SEGS, 65535);
  nla_put_u32(b, IFLA_NUM_RX_QUEUES, 1);
}

/* The other end of a veth, and in which namespace it is. */
static void put_peer(struct nlbuf *b, const struct netdev *d) {
  if (!d->peer || !d->peer->ns)
    return;
  nla_put_u32(b, IFLA_LINK, (uint32_t)d->peer->ifindex);
  if (d->peer->ns == d->ns)
    return;
  int id = rtnl_nsid(nl_net_of(d->ns), nl_net_of(d->peer->ns), true);
  if (id >= 0)
    nla_put_u32(b, IFLA_LINK_NETNSID, (uint32_t)id);
}

static void put_kind(struct nlbuf *b, const struct netdev *d) {
  const struct netdev_kind *k = netdev_kind_of(d), *m = d->master ? netdev_kind_of(d->master) : NULL;
  if (!k && !m)
    return;
  size_t at = nla_nest(b, IFLA_LINKINFO | NLA_F_NESTED), data;
  if (k) {
    nla_put_str(b, IFLA_INFO_KIND, k->kind);
    if (k->fill_info) {
      data = nla_nest(b, IFLA_INFO_DATA | NLA_F_NESTED);
      k->fill_info(d, b);
      nla_nest_end(b, data);
    }
  }
  if (m) {
    nla_put_str(b, IFLA_INFO_SLAVE_KIND, m->kind);
    if (m->fill_port) {
      data = nla_nest(b, IFLA_INFO_SLAVE_DATA | NLA_F_NESTED);
      m->fill_port(d->master, d, b);
      nla_nest_end(b, data);
    }
  }
  nla_nest_end(b, at);
}

static void put_device(struct nlbuf *b, const struct netdev *d) {
  nla_put_str(b, IFLA_IFNAME, d->name);
  nla_put_u32(b, IFLA_TXQLEN, d->tx_queue_len);
  nla_put_u8(b, IFLA_OPERSTATE, rtnl_operstate(d));
  nla_put_u8(b, IFLA_LINKMODE, 0);
  nla_put_u8(b, IFLA_NETNS_IMMUTABLE_K, is_lo(d) || kind_is(d, "bridge"));
  put_limits(b, d);
  if (d->master)
    nla_put_u32(b, IFLA_MASTER, (uint32_t)d->master->ifindex);
  nla_put_u8(b, IFLA_CARRIER, is_lo(d) || kind_is(d, "dummy") || d->flags & IFF_LOWER_UP);
  nla_put_u32(b, IFLA_CARRIER_CHANGES, 0);
  nla_put_u32(b, IFLA_CARRIER_UP_COUNT, 0);
  nla_put_u32(b, IFLA_CARRIER_DOWN_COUNT, 0);
  nla_put_u8(b, IFLA_PROTO_DOWN, 0);
  if (d->alias[0])
    nla_put_str(b, IFLA_IFALIAS, d->alias);
  if (d->addr_len) {
    nla_put(b, IFLA_ADDRESS, d->addr, d->addr_len);
    nla_put(b, IFLA_BROADCAST, d->broadcast, d->addr_len);
  }
}

void rtnl_fill_link(struct nlbuf *b, const struct netdev *d, uint16_t type, uint16_t flags, uint32_t pid, uint32_t seq,
                    uint32_t change, uint32_t ext_mask) {
  struct ifinfomsg m = {.ifi_type = d->type, .ifi_index = d->ifindex, .ifi_flags = d->flags, .ifi_change = change};
  size_t at = nlb_begin(b, type, flags, pid, seq, &m, sizeof m), nest;
  put_device(b, d);
  if (!(ext_mask & RTEXT_FILTER_SKIP_STATS))
    put_stats(b, d);
  nest = nla_nest(b, IFLA_XDP);
  nla_put_u8(b, IFLA_XDP_ATTACHED, XDP_ATTACHED_NONE);
  nla_nest_end(b, nest);
  put_kind(b, d);
  put_peer(b, d);
  nla_put_str(b, IFLA_QDISC, d->was_up ? "noqueue" : "noop");
  nest = nla_nest(b, IFLA_AF_SPEC);
  rtnl_put_af_spec(b, d);
  nla_nest_end(b, nest);
  nla_put(b, IFLA_MAP, &(struct rtnl_link_ifmap){0}, sizeof(struct rtnl_link_ifmap));
  put_names(b, d);
  nest = nla_nest(b, IFLA_DEVLINK_PORT_K | NLA_F_NESTED);
  nla_nest_end(b, nest);
  nlb_end(b, at);
}

/* ---- told ---- */

struct told {
  const struct netdev *d;
  uint16_t type;
  uint32_t change;
};

static void fill_told(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq) {
  const struct told *t = arg;
  rtnl_fill_link(b, t->d, t->type, 0, pid, seq, t->change, 0);
}

void rtnl_link_told(struct netdev *d, uint16_t type, uint32_t change) {
  struct told t = {d, type, change};
  rtnl_tell(d->ns, RTNLGRP_LINK, fill_told, &t);
}

void rtnetlink_netdev_event(struct netdev *d, enum netdev_event ev);
void rtnetlink_netdev_event(struct netdev *d, enum netdev_event ev) {
  struct nl_net *n = nl_net_of(d->ns);
  if (!n)
    return;
  n->gen[NL_GEN_LINK]++;
  d->was_up |= ev == NETDEV_UP;
  switch (ev) {
  case NETDEV_REGISTER:
    rtnl_link_told(d, RTM_NEWLINK, UINT32_MAX);
    break;
  case NETDEV_UNREGISTER:
    rtnl_link_told(d, RTM_DELLINK, UINT32_MAX);
    break;
  case NETDEV_UP:
  case NETDEV_DOWN:
    rtnl_link_told(d, RTM_NEWLINK, IFF_UP);
    break;
  default:
    rtnl_link_told(d, RTM_NEWLINK, 0);
  }
}

/* ---- asked for ---- */

const struct nla_policy rtnl_link_policy[IFLA_MAX + 1] = {
    [IFLA_IFNAME] = {NLA_STRING, IFNAMSIZ - 1},
    [IFLA_ADDRESS] = {NLA_BINARY, 32},
    [IFLA_BROADCAST] = {NLA_BINARY, 32},
    [IFLA_MAP] = {NLA_UNSPEC, sizeof(struct rtnl_link_ifmap)},
    [IFLA_MTU] = {NLA_U32},
    [IFLA_LINK] = {NLA_U32},
    [IFLA_MASTER] = {NLA_U32},
    [IFLA_CARRIER] = {NLA_U8},
    [IFLA_TXQLEN] = {NLA_U32},
    [IFLA_WEIGHT] = {NLA_U32},
    [IFLA_OPERSTATE] = {NLA_U8},
    [IFLA_LINKMODE] = {NLA_U8},
    [IFLA_LINKINFO] = {NLA_NESTED},
    [IFLA_NET_NS_PID] = {NLA_U32},
    [IFLA_NET_NS_FD] = {NLA_U32},
    [IFLA_IFALIAS] = {NLA_STRING, 255},
    [IFLA_VFINFO_LIST] = {NLA_NESTED},
    [IFLA_AF_SPEC] = {NLA_NESTED},
    [IFLA_EXT_MASK] = {NLA_U32},
    [IFLA_PROMISCUITY] = {NLA_U32},
    [IFLA_NUM_TX_QUEUES] = {NLA_U32},
    [IFLA_NUM_RX_QUEUES] = {NLA_U32},
    [IFLA_GROUP] = {NLA_U32},
    [IFLA_LINK_NETNSID] = {NLA_U32},
    [IFLA_PROTO_DOWN] = {NLA_U8},
    [IFLA_XDP] = {NLA_NESTED},
    [IFLA_IF_NETNSID] = {NLA_U32},
    [IFLA_NEW_IFINDEX] = {NLA_U32},
    [IFLA_PROP_LIST] = {NLA_NESTED},
    [IFLA_ALT_IFNAME] = {NLA_STRING, ALTIFNAMSIZ - 1},
    [IFLA_PERM_ADDRESS] = {NLA_REJECT},
    [IFLA_PARENT_DEV_NAME] = {NLA_STRING},
};

int rtnl_parse_link(const struct nl_req *r, const struct nlattr **tb, struct nl_extack *x) {
  if (nl_body_len(r) < sizeof(struct ifinfomsg))
    return nl_err(x, -EINVAL, r->h->nlmsg_type == RTM_GETLINK ? "Invalid header for get link" : NULL);
  size_t off = NLMSG_ALIGN(sizeof(struct ifinfomsg)), n = nl_body_len(r);
  return netdev_parse_link((const char *)nl_body(r) + off, n > off ? n - off : 0, tb, x);
}

/* By index, or by IFLA_IFNAME or IFLA_ALT_IFNAME. -EINVAL: by neither. */
int rtnl_find_link(struct nl_req *r, const struct nlattr **tb, struct netdev **out) {
  const struct ifinfomsg *m = nl_body(r);
  char name[ALTIFNAMSIZ];
  const struct nlattr *a = tb[IFLA_IFNAME] ? tb[IFLA_IFNAME] : tb[IFLA_ALT_IFNAME];
  *out = NULL;
  if (m->ifi_index > 0)
    *out = netdev_by_index_borrow(r->ns, m->ifi_index);
  else if (a)
    *out = nla_get_str(a, name, sizeof name) ? netdev_by_name_borrow(r->ns, name) : NULL;
  else
    return -EINVAL;
  return *out ? 0 : -ENODEV;
}

static int get_link(struct nl_req *r) {
  const struct nlattr *tb[IFLA_MAX + 1];
  struct netdev *d;
  int rc = rtnl_parse_link(r, tb, &r->ext);
  if (!rc && tb[IFLA_IF_NETNSID])
    rc = -EOPNOTSUPP;
  if (!rc)
    rc = rtnl_find_link(r, tb, &d);
  if (rc)
    return rc;
  struct nlbuf *b = nlbuf_new(NL_REPLY_MAX);
  if (!b)
    return -ENOBUFS;
  rtnl_fill_link(b, d, RTM_NEWLINK, 0, r->nk->portid, r->h->nlmsg_seq, 0,
                 tb[IFLA_EXT_MASK] ? nla_get_u32(tb[IFLA_EXT_MASK]) : 0);
  rc = b->len ? nl_reply(r, b) : -EMSGSIZE;
  free(b);
  return rc;
}

/* Filter: u32[0] the extension mask, [1] the master, [2] whether bytes[16…] name a kind. */
static bool wanted(const struct nl_dump *d, const struct netdev *dev) {
  if (d->arg.u32[1] && (!dev->master || (uint32_t)dev->master->ifindex != d->arg.u32[1]))
    return false;
  return !d->arg.u32[2] || kind_is(dev, (const char *)d->arg.bytes + 16);
}

/* The next after an index. */
struct netdev *rtnl_next_dev(struct net_namespace *ns, long after) {
  struct net_stack *st = net_stack_of(ns);
  struct netdev *d, *best = NULL;
  if (st)
    TAILQ_FOREACH(d, &st->devs, link)
  if (d->ifindex > after && (!best || d->ifindex < best->ifindex))
    best = d;
  return best;
}

static int dump_links(struct nl_dump *d, struct nlbuf *b) {
  struct netdev *dev;
  while ((dev = rtnl_next_dev(d->ns, d->at[0]))) {
    size_t before = b->len;
    if (wanted(d, dev)) {
      rtnl_fill_link(b, dev, RTM_NEWLINK, d->flags, d->nk->portid, d->req->nlmsg_seq, 0, d->arg.u32[0]);
      if (b->len == before)
        return 1;
    }
    d->at[0] = dev->ifindex;
  }
  return 0;
}

static int start_links(struct nl_req *r, struct nl_dump *d) {
  const struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
  /* Old programs ask with a struct rtgenmsg only: nothing is filtered then. */
  int rc = nl_body_len(r) < sizeof(struct ifinfomsg) ? 0 : rtnl_parse_link(r, tb, &r->ext);
  d->fn = dump_links;
  d->split = true;
  d->generation = rtnl_gen_link;
  if (rc && r->nk->strict)
    return rc;
  if (rc || nl_body_len(r) < sizeof(struct ifinfomsg))
    return r->nk->strict ? nl_err(&r->ext, -EINVAL, "Invalid header for link dump") : 0;
  if (tb[IFLA_IF_NETNSID])
    return nl_err(&r->ext, -EINVAL, "Invalid target network namespace id");
  d->arg.u32[0] = tb[IFLA_EXT_MASK] ? nla_get_u32(tb[IFLA_EXT_MASK]) : 0;
  d->arg.u32[1] = tb[IFLA_MASTER] ? nla_get_u32(tb[IFLA_MASTER]) : 0;
  if (tb[IFLA_LINKINFO] && !nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL, NULL) &&
      info[IFLA_INFO_KIND])
    d->arg.u32[2] = nla_get_str(info[IFLA_INFO_KIND], (char *)d->arg.bytes + 16, 64);
  if (d->arg.u32[1] || d->arg.u32[2])
    d->flags |= NLM_F_DUMP_FILTERED;
  return 0;
}

const struct rtnl_op rtnl_link_ops[] = {
    {RTM_GETLINK, AF_UNSPEC, get_link, start_links},
    {RTM_NEWLINK, AF_UNSPEC, rtnl_newlink, NULL},
    {RTM_SETLINK, AF_UNSPEC, rtnl_setlink, NULL},
    {RTM_DELLINK, AF_UNSPEC, rtnl_dellink, NULL},
    {0},
};
