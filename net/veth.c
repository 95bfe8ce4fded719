/*
 * Pairs of virtual Ethernet devices: veth(4). What one end sends the other receives when the loop's turn ends,
 * checksums not computed and large packets not cut: the bytes have not left this memory. The ends may be in two
 * namespaces; one does not live without the other.
 */
#include "../core/errno.h"
#include "../core/ns.h"
#include "netdev_kind.h"
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#define VLAN_TAG 4 /* bytes that a frame may be longer: is_skb_forwardable() */

static bool fits(const struct netdev *to, const struct pbuf *p) {
  return p->gso || p->len <= (uint64_t)to->mtu + ETH_HLEN + VLAN_TAG;
}

/* What the other end must not learn of the sender's side: skb_scrub_packet(). */
static void scrub(struct pbuf *p, const struct netdev *from, const struct netdev *to) {
  memset(p->cb, 0, sizeof p->cb);
  p->stamp = 0;
  if (from->ns != to->ns)
    p->mark = 0;
}

static int veth_xmit(struct netdev *d, struct pbuf *p) {
  struct netdev *to = d->peer;
  if (!to || !(to->flags & IFF_UP)) {
    pbuf_free(p);
    return NETDEV_XMIT_LOST;
  }
  if (!fits(to, p)) {
    to->stats.rx_dropped++;
    pbuf_free(p);
    return NETDEV_XMIT_LOST;
  }
  scrub(p, d, to);
  netdev_backlog(to, p);
  return 0;
}

/* There is a carrier while both ends are up. */
static int veth_set_up(struct netdev *d, bool up) {
  bool on = up && d->peer && d->peer->flags & IFF_UP;
  netdev_carrier(d, on);
  if (d->peer)
    netdev_carrier(d->peer, on);
  return 0;
}

static void veth_unlisted(struct netdev *d) {
  struct netdev *other = d->peer;
  d->peer = NULL;
  if (!other)
    return;
  other->peer = NULL;
  netdev_unlist(other);
}

static const struct netdev_ops veth_ops = {
    .kind = "veth", .xmit = veth_xmit, .set_up = veth_set_up, .unlisted = veth_unlisted};

/* ---- making a pair ---- */

static int new_end(struct net_namespace *ns, const char *name, int ifindex, const struct nlattr **tb,
                   struct nl_extack *ext, struct netdev **out) {
  struct netdev *d;
  int rc = netdev_new_at(ns, name, ifindex, &veth_ops, NULL, &d);
  if (rc)
    return rc;
  netdev_ether_init(d, NULL);
  d->features = NETDEV_CSUM | NETDEV_TSO | NETDEV_USO;
  rc = netdev_apply_newlink(d, tb, ext);
  if (rc) {
    netdev_unlist(d);
    netdev_put(d);
    return rc;
  }
  *out = d;
  return 0;
}

/* What the message says of the other end: VETH_INFO_PEER, a struct ifinfomsg with attributes of its own. Without it
 * there are those of the first end, but not its name and address. */
struct peer_spec {
  const struct nlattr *own[IFLA_MAX + 1];
  struct ifinfomsg h;
  char name[IFNAMSIZ];
};

static int parse_peer(const struct netdev_newlink *n, struct peer_spec *s) {
  static const struct nla_policy policy[VETH_INFO_MAX + 1] = {
      [VETH_INFO_PEER] = {NLA_UNSPEC, sizeof(struct ifinfomsg)}};
  const struct nlattr *tb[VETH_INFO_MAX + 1] = {NULL};
  int rc = n->data ? nla_parse_nested(tb, VETH_INFO_MAX, n->data, policy, n->ext) : 0;
  const struct nlattr *peer = tb[VETH_INFO_PEER];
  *s = (struct peer_spec){.name = "veth%d"};
  if (rc)
    return rc;
  if (!peer) {
    memcpy(s->own, n->tb, sizeof s->own);
    s->own[IFLA_ADDRESS] = s->own[IFLA_IFNAME] = NULL;
    return 0;
  }
  memcpy(&s->h, nla_data(peer), sizeof s->h);
  rc = netdev_parse_link((const char *)nla_data(peer) + NLMSG_ALIGN(sizeof s->h),
                         nla_len(peer) - NLMSG_ALIGN(sizeof s->h), s->own, n->ext);
  if (!rc && s->h.ifi_index < 0)
    rc = -EINVAL;
  if (!rc && s->own[IFLA_IFNAME] && !nla_get_str(s->own[IFLA_IFNAME], s->name, sizeof s->name))
    rc = -EINVAL;
  return rc;
}

static int new_peer(const struct netdev_newlink *n, struct netdev **out) {
  struct peer_spec s;
  struct net_namespace *ns;
  int rc = parse_peer(n, &s);
  if (!rc)
    rc = netdev_link_ns(s.own, n->req_ns, &ns);
  if (rc)
    return rc;
  rc = new_end(ns, s.name, s.h.ifi_index, s.own, n->ext, out);
  ns_put(&ns->ns);
  return rc;
}

static int veth_newlink(const struct netdev_newlink *n, struct netdev **out) {
  struct netdev *d, *peer;
  int rc = new_peer(n, &peer);
  if (rc)
    return rc;
  rc = new_end(n->ns, n->name, n->ifindex, n->tb, n->ext, &d);
  if (rc) {
    netdev_unlist(peer);
    netdev_put(peer);
    return rc;
  }
  d->peer = peer;
  peer->peer = d;
  netdev_list(peer);
  netdev_list(d);
  netdev_put(peer); /* its namespace's list holds it */
  *out = d;
  return 0;
}

const struct netdev_kind netdev_kind_veth = {.kind = "veth", .newlink = veth_newlink};
