/* Bridges: ports, and the way of a frame from one to the others. See bridge.h. */
#include "bridge.h"
#include "../core/errno.h"
#include "../core/timers.h"
#include "stack.h"
#include <linux/if_bridge.h>
#include <linux/if_packet.h>
#include <string.h>

#define GROUP_LAST(a) ((a)[5] & 15)

static const uint8_t link_local[5] = {0x01, 0x80, 0xc2, 0x00, 0x00}; /* IEEE 802.1D, table 7-10: …:00 to …:0f */
static const uint8_t zero_addr[ETH_ALEN];

static bool station(const uint8_t *addr) { /* is_valid_ether_addr() */
  return !(addr[0] & 1) && memcmp(addr, zero_addr, ETH_ALEN);
}

static struct bridge *bridge_of(const struct netdev *d) {
  return d->priv;
}

/* ---- forwarding ---- */

static bool may_deliver(const struct bridge_port *to, const struct bridge_port *from) {
  return to->state == BR_STATE_FORWARDING && (to != from || to->hairpin) && !(from && from->isolated && to->isolated);
}

/* A frame for one port. Takes p over. */
static void forward(struct bridge_port *to, const struct bridge_port *from, struct pbuf *p) {
  if (may_deliver(to, from))
    netdev_xmit(to->dev, p);
  else
    pbuf_free(p);
}

static bool floods(const struct bridge_port *to, const uint8_t *dst) {
  static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  if (!(dst[0] & 1))
    return to->flood;
  return memcmp(dst, all, ETH_ALEN) ? to->mcast_flood : to->bcast_flood;
}

/* To all ports that want it; p stays the caller's. */
static void flood(struct bridge *br, const struct bridge_port *from, const uint8_t dst[ETH_ALEN],
                  const struct pbuf *p) {
  struct bridge_port *to;
  LIST_FOREACH(to, &br->ports, link)
  if (may_deliver(to, from) && floods(to, dst)) {
    struct netdev *end = to->dev->peer;
    if (end && netdev_backlog_full(end)) { /* not worth a copy */
      end->stats.rx_dropped++;
      continue;
    }
    struct pbuf *copy = pbuf_clone(p);
    br->dev->ns->ns.k->net->copies++;
    if (copy)
      netdev_xmit(to->dev, copy);
    else
      to->dev->stats.tx_dropped++;
  }
}

static int bridge_xmit(struct netdev *d, struct pbuf *p) {
  struct bridge *br = bridge_of(d);
  uint8_t dst[ETH_ALEN];
  if (!pbuf_linear(p, ETH_HLEN)) {
    pbuf_free(p);
    return -EINVAL;
  }
  memcpy(dst, p->data, sizeof dst);
  struct bridge_entry *e = dst[0] & 1 ? NULL : bridge_fdb_find_borrow(br, dst);
  if (e && e->port) {
    forward(e->port, NULL, p);
    return 0;
  }
  if (!e)
    flood(br, NULL, dst, p);
  pbuf_free(p);
  return 0;
}

/* To the sandbox itself, as a frame that the bridge's device received. Takes p over. */
static void pass_up(struct bridge *br, struct pbuf *p) {
  netdev_rx(br->dev, p);
}

static void pass_up_copy(struct bridge *br, const struct pbuf *p) {
  struct pbuf *copy = pbuf_clone(p);
  if (copy)
    pass_up(br, copy);
  else
    br->dev->stats.rx_dropped++;
}

static void relay(struct bridge_port *from, struct pbuf *p) {
  struct bridge *br = from->br;
  uint8_t dst[ETH_ALEN];
  memcpy(dst, p->data, sizeof dst);
  if (dst[0] & 1) {
    flood(br, from, dst, p);
    pass_up(br, p);
    return;
  }
  struct bridge_entry *e = bridge_fdb_find_borrow(br, dst);
  if (e && e->local) {
    pass_up(br, p);
    return;
  }
  if (br->dev->promiscuity || br->dev->flags & IFF_PROMISC)
    pass_up_copy(br, p);
  if (e && e->port) {
    forward(e->port, from, p);
    return;
  }
  flood(br, from, dst, p);
  pbuf_free(p);
}

bool bridge_port_rx(struct netdev *d, struct pbuf *p) {
  struct bridge_port *from = d->port;
  const uint8_t *dst = p->data, *src = p->data + ETH_ALEN;
  bool local_only = !memcmp(dst, link_local, sizeof link_local) && dst[5] < 16 && GROUP_LAST(dst);
  if (!station(src) || from->state == BR_STATE_DISABLED || (local_only && GROUP_LAST(dst) == 1 /* pause */)) {
    pbuf_free(p);
    return true;
  }
  if (from->state == BR_STATE_LEARNING || from->state == BR_STATE_FORWARDING)
    bridge_fdb_learn(from, src);
  if (local_only)
    return false;
  if (from->state == BR_STATE_FORWARDING)
    relay(from, p);
  else
    pbuf_free(p);
  return true;
}

/* ---- what follows from the ports: carrier, address, MTU ---- */

static void update_states(struct bridge *br) {
  struct bridge_port *p;
  bool live = false;
  LIST_FOREACH(p, &br->ports, link) {
    bool on = br->up && p->dev->flags & IFF_UP && p->dev->flags & IFF_LOWER_UP;
    if (!on && p->state != BR_STATE_DISABLED) {
      p->state = BR_STATE_DISABLED;
      bridge_fdb_flush(br, p, false);
    } else if (on && p->state == BR_STATE_DISABLED) {
      p->state = BR_STATE_FORWARDING;
    }
    live |= p->state == BR_STATE_FORWARDING;
  }
  netdev_carrier(br->dev, live);
}

/* The bridge's own address is in the table, whoever had it too and went. */
static void keep_own(struct bridge *br) {
  if (!bridge_fdb_find_borrow(br, br->dev->addr))
    bridge_fdb_add(br, NULL, br->dev->addr, true, true, false);
}

/* The smallest address of a port's, unless one was chosen: br_stp_recalculate_bridge_id(). */
static void update_addr(struct bridge *br) {
  const uint8_t *best = zero_addr;
  struct bridge_port *p;
  if (br->addr_set) {
    keep_own(br);
    return;
  }
  LIST_FOREACH(p, &br->ports, link)
  if (best == zero_addr || memcmp(p->dev->addr, best, ETH_ALEN) < 0)
    best = p->dev->addr;
  bridge_fdb_del(br, NULL, br->dev->addr);
  bool other = memcmp(best, br->dev->addr, ETH_ALEN);
  br->in_change = true;
  memcpy(br->dev->addr, best, ETH_ALEN);
  if (other && br->dev->listed)
    net_event(br->dev, NETDEV_CHANGEADDR);
  br->in_change = false;
  keep_own(br);
}

static void update_mtu(struct bridge *br) {
  struct bridge_port *p;
  unsigned mtu = br->nports ? UINT32_MAX : ETH_DATA_LEN;
  if (br->mtu_set)
    return;
  LIST_FOREACH(p, &br->ports, link)
  if (p->dev->mtu < mtu)
    mtu = p->dev->mtu;
  br->in_change = true;
  netdev_set_mtu(br->dev, mtu);
  br->in_change = false;
}

/* ---- ports ---- */

static uint16_t free_number(const struct bridge *br) {
  for (uint16_t n = 1;; n++) {
    struct bridge_port *p;
    LIST_FOREACH(p, &br->ports, link)
    if (p->no == n)
      break;
    if (!p)
      return n;
  }
}

static struct bridge_port *port_new(struct bridge *br, struct netdev *d) {
  struct bridge_port *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  *p = (struct bridge_port){.dev = d, .br = br, .priority = 32, .cost = 2 /* of a link of 10 Gbit/s, as veth says */};
  p->no = free_number(br);
  p->learning = p->flood = p->mcast_flood = p->bcast_flood = true;
  LIST_INSERT_HEAD(&br->ports, p, link);
  br->nports++;
  return p;
}

int bridge_add_port(struct netdev *master, struct netdev *d, struct nl_extack *ext) {
  struct bridge *br = bridge_of(master);
  if (d->type != ARPHRD_ETHER || d->addr_len != ETH_ALEN || !station(d->addr))
    return -EINVAL;
  if (netdev_is_bridge(d))
    return nl_err(ext, -ELOOP, "Can not enslave a bridge to a bridge");
  if (d->master || d->ns != master->ns)
    return d->master ? -EBUSY : -EINVAL;
  if (br->nports >= BRIDGE_PORTS)
    return -EXFULL;
  struct bridge_port *p = port_new(br, d);
  if (!p)
    return -ENOMEM;
  d->master = master;
  d->port = p;
  d->promiscuity++;
  bridge_fdb_add(br, p, d->addr, true, true, false);
  update_addr(br);
  update_mtu(br);
  update_states(br);
  net_event(d, NETDEV_CHANGE);
  return 0;
}

static void port_free(struct bridge_port *p) {
  struct bridge *br = p->br;
  struct netdev *d = p->dev;
  d->master = NULL;
  d->port = NULL;
  d->promiscuity--;
  LIST_REMOVE(p, link);
  br->nports--;
  bridge_fdb_flush(br, p, true);
  free(p);
  update_addr(br);
  update_mtu(br);
  update_states(br);
}

int bridge_del_port(struct netdev *master, struct netdev *d) {
  if (d->master != master || !d->port)
    return -EINVAL;
  port_free(d->port);
  net_event(d, NETDEV_CHANGE);
  return 0;
}

static void port_event(struct bridge_port *p, enum netdev_event ev) {
  struct bridge *br = p->br;
  switch (ev) {
  case NETDEV_UP:
  case NETDEV_DOWN:
  case NETDEV_CHANGE:
    update_states(br);
    break;
  case NETDEV_CHANGEADDR:
    bridge_fdb_flush(br, p, true);
    bridge_fdb_add(br, p, p->dev->addr, true, true, false);
    update_addr(br);
    break;
  case NETDEV_CHANGEMTU:
    update_mtu(br);
    break;
  case NETDEV_UNREGISTER:
    port_free(p);
    break;
  default:
    break;
  }
}

static void own_event(struct bridge *br, enum netdev_event ev) {
  struct bridge_port *p;
  switch (ev) {
  case NETDEV_CHANGEADDR:
    if (br->in_change)
      break;
    br->addr_set = true;
    struct bridge_entry *e, *next;
    for (int i = 0; i < BRIDGE_BUCKETS; i++)
      for (e = LIST_FIRST(&br->fdb[i]); e; e = next) {
        next = LIST_NEXT(e, link);
        if (!e->port && e->local)
          bridge_fdb_del(br, NULL, e->addr);
      }
    bridge_fdb_add(br, NULL, br->dev->addr, true, true, false);
    break;
  case NETDEV_UNREGISTER:
    while ((p = LIST_FIRST(&br->ports)))
      bridge_del_port(br->dev, p->dev);
    break;
  default:
    break;
  }
}

void bridge_netdev_event(struct netdev *d, enum netdev_event ev) {
  if (d->port)
    port_event(d->port, ev);
  if (d->ops == &bridge_ops)
    own_event(bridge_of(d), ev);
}

/* ---- the device ---- */

static int bridge_set_up(struct netdev *d, bool up) {
  struct bridge *br = bridge_of(d);
  br->up = up;
  update_states(br);
  return 0;
}

static int bridge_set_mtu(struct netdev *d, unsigned mtu) {
  struct bridge *br = bridge_of(d);
  if (mtu < 68 || mtu > 65535)
    return -EINVAL;
  if (!br->in_change)
    br->mtu_set = true;
  return 0;
}

static void bridge_free(struct netdev *d) {
  struct bridge *br = bridge_of(d);
  timer_disarm(&br->gc);
  bridge_fdb_flush(br, NULL, true);
  free(br);
}

const struct netdev_ops bridge_ops = {
    .kind = "bridge", .xmit = bridge_xmit, .set_up = bridge_set_up, .set_mtu = bridge_set_mtu, .free = bridge_free};
