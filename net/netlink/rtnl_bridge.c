/* Ports of bridges and their tables of addresses, family AF_BRIDGE of rtnetlink(7): what bridge(8) asks for and sets.
 */
#include "../bridge.h"
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/neighbour.h>

/* ---- ports: RTM_GETLINK, RTM_SETLINK ---- */

static void fill_port(struct nl_dump *d, struct nlbuf *b, const struct netdev *p) {
  struct ifinfomsg m = {.ifi_family = AF_BRIDGE, .ifi_type = p->type, .ifi_index = p->ifindex, .ifi_flags = p->flags};
  const struct netdev_kind *k = netdev_kind_of(p->master);
  size_t at = nl_dump_begin(d, b, RTM_NEWLINK, &m, sizeof m);
  nla_put_str(b, IFLA_IFNAME, p->name);
  nla_put_u32(b, IFLA_MASTER, (uint32_t)p->master->ifindex);
  nla_put_u32(b, IFLA_MTU, p->mtu);
  nla_put_u8(b, IFLA_OPERSTATE, rtnl_operstate(p));
  nla_put(b, IFLA_ADDRESS, p->addr, p->addr_len);
  if (p->peer)
    nla_put_u32(b, IFLA_LINK, (uint32_t)p->peer->ifindex);
  if (k && k->fill_port) {
    size_t nest = nla_nest(b, IFLA_PROTINFO | NLA_F_NESTED);
    k->fill_port(p->master, p, b);
    nla_nest_end(b, nest);
  }
  nlb_end(b, at);
}

static int dump_ports(struct nl_dump *d, struct nlbuf *b) {
  struct netdev *p;
  while ((p = rtnl_next_dev(d->ns, d->at[0]))) {
    size_t before = b->len;
    if (p->port) {
      fill_port(d, b, p);
      if (b->len == before)
        return 1;
    }
    d->at[0] = p->ifindex;
  }
  return 0;
}

static int start_ports(struct nl_req *r, struct nl_dump *d) {
  d->fn = dump_ports;
  d->generation = rtnl_gen_link;
  if (r->nk->strict && !rtnl_header(r, sizeof(struct ifinfomsg)))
    return nl_err(&r->ext, -EINVAL, "Invalid header for bridge link dump");
  return 0;
}

static int set_port(struct nl_req *r) {
  const struct nlattr *tb[IFLA_MAX + 1];
  int rc = nl_body_len(r) < sizeof(struct ifinfomsg) ? -EINVAL : rtnl_parse_link(r, tb, &r->ext);
  if (rc)
    return rc;
  const struct ifinfomsg *m = nl_body(r);
  struct netdev *d = netdev_by_index_borrow(r->ns, m->ifi_index);
  if (!d)
    return nl_err(&r->ext, -ENODEV, "unknown ifindex");
  const struct netdev_kind *k = d->master ? netdev_kind_of(d->master) : NULL;
  if (!k || !k->change_port)
    return -EOPNOTSUPP;
  rc = tb[IFLA_PROTINFO] ? k->change_port(d->master, d, tb[IFLA_PROTINFO], &r->ext) : 0;
  if (!rc)
    rtnl_link_told(d, RTM_NEWLINK, 0);
  return rc;
}

/* ---- addresses: RTM_GETNEIGH, RTM_NEWNEIGH, RTM_DELNEIGH ---- */

struct fdb_dump {
  struct nl_dump *d;
  struct nlbuf *b;
  long skip, seen; /* entries of this bridge that were told, that were looked at */
  bool full;
};

/* u32[0]: the port or bridge that is asked for, [1] the master */
static bool fdb_wanted(const struct nl_dump *d, const struct bridge *br, const struct bridge_entry *e) {
  const struct netdev *at = e->port ? e->port->dev : br->dev;
  return (!d->arg.u32[0] || at->ifindex == (int)d->arg.u32[0]) &&
         (!d->arg.u32[1] || br->dev->ifindex == (int)d->arg.u32[1]);
}

static bool fill_entry(void *arg, struct bridge *br, const struct bridge_entry *e) {
  struct fdb_dump *f = arg;
  if (f->seen++ < f->skip || !fdb_wanted(f->d, br, e))
    return true;
  int64_t now = loop_now();
  struct ndmsg m = {.ndm_family = AF_BRIDGE,
                    .ndm_ifindex = e->port ? e->port->dev->ifindex : br->dev->ifindex,
                    .ndm_state = e->local       ? NUD_PERMANENT
                                 : e->is_static ? NUD_NOARP
                                                : NUD_REACHABLE};
  struct nda_cacheinfo c = {.ndm_used = (uint32_t)rtnl_clock(now - e->used),
                            .ndm_updated = (uint32_t)rtnl_clock(now - e->updated)};
  size_t before = f->b->len, at = nl_dump_begin(f->d, f->b, RTM_NEWNEIGH, &m, sizeof m);
  nla_put(f->b, NDA_LLADDR, e->addr, ETH_ALEN);
  nla_put_u32(f->b, NDA_MASTER, (uint32_t)br->dev->ifindex);
  nla_put(f->b, NDA_CACHEINFO, &c, sizeof c);
  nlb_end(f->b, at);
  f->full = f->b->len == before;
  f->seen -= f->full;
  return !f->full;
}

/* at: the last bridge that is done, entries told of the next one */
static int dump_fdb(struct nl_dump *d, struct nlbuf *b) {
  struct netdev *dev;
  while ((dev = rtnl_next_dev(d->ns, d->at[0]))) {
    if (netdev_is_bridge(dev)) {
      struct fdb_dump f = {.d = d, .b = b, .skip = d->at[1]};
      bridge_fdb_each(dev->priv, fill_entry, &f);
      d->at[1] = f.full ? f.seen : 0;
      if (f.full)
        return 1;
    }
    d->at[0] = dev->ifindex;
  }
  return 0;
}

static int parse_neigh(struct nl_req *r, const struct nlattr **tb) {
  static const struct nla_policy policy[NDA_MAX + 1] = {
      [NDA_LLADDR] = {NLA_BINARY, 32}, [NDA_IFINDEX] = {NLA_U32}, [NDA_MASTER] = {NLA_U32}, [NDA_VLAN] = {NLA_U16}};
  size_t off = NLMSG_ALIGN(sizeof(struct ndmsg)), n = nl_body_len(r);
  if (n < sizeof(struct ndmsg))
    return -EINVAL;
  return nla_parse(tb, NDA_MAX, (const char *)nl_body(r) + off, n > off ? n - off : 0, policy, 0, &r->ext);
}

static int start_fdb(struct nl_req *r, struct nl_dump *d) {
  const struct nlattr *tb[NDA_MAX + 1];
  d->fn = dump_fdb;
  if (parse_neigh(r, tb)) /* a struct ifinfomsg, of old programs */
    return r->nk->strict ? nl_err(&r->ext, -EINVAL, "Invalid header for fdb dump request") : 0;
  const struct ndmsg *m = nl_body(r);
  d->arg.u32[0] = tb[NDA_IFINDEX] ? nla_get_u32(tb[NDA_IFINDEX]) : (uint32_t)m->ndm_ifindex;
  d->arg.u32[1] = tb[NDA_MASTER] ? nla_get_u32(tb[NDA_MASTER]) : 0;
  return 0;
}

/* Which table is meant: the bridge and its port (NULL: the bridge's own station). */
static int fdb_target(struct nl_req *r, const struct nlattr **tb, struct bridge **br, struct bridge_port **port) {
  int rc = parse_neigh(r, tb);
  if (rc)
    return rc;
  const struct ndmsg *m = nl_body(r);
  if (!m->ndm_ifindex)
    return nl_err(&r->ext, -EINVAL, "invalid ifindex");
  struct netdev *d = netdev_by_index_borrow(r->ns, m->ndm_ifindex);
  if (!d)
    return nl_err(&r->ext, -ENODEV, "unknown ifindex");
  if (!tb[NDA_LLADDR] || nla_len(tb[NDA_LLADDR]) != ETH_ALEN)
    return nl_err(&r->ext, -EINVAL, "invalid address");
  if (d->type != ARPHRD_ETHER)
    return nl_err(&r->ext, -EINVAL,
                  r->h->nlmsg_type == RTM_NEWNEIGH ? "FDB add only supported for Ethernet devices"
                                                   : "FDB delete only supported for Ethernet devices");
  if (tb[NDA_VLAN])
    return nl_err(&r->ext, -EOPNOTSUPP, "There are no VLANs");
  bool master = !m->ndm_flags || m->ndm_flags & NTF_MASTER;
  if (master && d->port) {
    *port = d->port;
    *br = d->port->br;
    return 0;
  }
  if (!(m->ndm_flags & NTF_SELF) || !netdev_is_bridge(d))
    return -EOPNOTSUPP;
  *port = NULL;
  *br = d->priv;
  return 0;
}

static int new_entry(struct nl_req *r) {
  const struct nlattr *tb[NDA_MAX + 1];
  struct bridge_port *port;
  struct bridge *br;
  int rc = fdb_target(r, tb, &br, &port);
  if (rc)
    return rc;
  const struct ndmsg *m = nl_body(r);
  uint16_t state = m->ndm_state, flags = r->h->nlmsg_flags;
  if (!(state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE)) || (!port && !(state & NUD_PERMANENT)))
    return nl_err(&r->ext, -EINVAL, "Invalid entry state");
  if (!(flags & NLM_F_CREATE) && !bridge_fdb_find_borrow(br, nla_data(tb[NDA_LLADDR])))
    return -ENOENT;
  return bridge_fdb_add(br, port, nla_data(tb[NDA_LLADDR]), state & NUD_PERMANENT, state & NUD_NOARP,
                        flags & NLM_F_EXCL);
}

static int del_entry(struct nl_req *r) {
  const struct nlattr *tb[NDA_MAX + 1];
  struct bridge_port *port;
  struct bridge *br;
  int rc = fdb_target(r, tb, &br, &port);
  return rc ? rc : bridge_fdb_del(br, port, nla_data(tb[NDA_LLADDR]));
}

const struct rtnl_op rtnl_bridge_ops[] = {
    {RTM_GETLINK, AF_BRIDGE, NULL, start_ports}, {RTM_SETLINK, AF_BRIDGE, set_port, NULL},
    {RTM_GETNEIGH, AF_BRIDGE, NULL, start_fdb},  {RTM_NEWNEIGH, AF_BRIDGE, new_entry, NULL},
    {RTM_DELNEIGH, AF_BRIDGE, del_entry, NULL},  {0},
};
