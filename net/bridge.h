/*
 * Bridges, ip-link(8) type bridge: ports joined into one Ethernet, IEEE 802.1D's learning and forwarding without its
 * spanning tree. The bridge is a device too, the sandbox's own station in that Ethernet. Nothing parks.
 *
 * Ownership: a bridge is its device's (netdev.priv), ports are the bridge's; both name devices that they borrow, since
 * a device leaves its bridge before it ends.
 */
#pragma once
#include "../core/loop.h"
#include "netdev_kind.h"
#include "siphash.h"

#define BRIDGE_PORTS 1023
#define BRIDGE_FDB 4096                 /* addresses that are known at most: strangers' frames fill the table */
#define BRIDGE_LOCAL (BRIDGE_PORTS + 1) /* room beside that for the ports' own ones */
#define BRIDGE_BUCKETS 256

struct bridge_entry {
  LIST_ENTRY(bridge_entry) link;
  uint8_t addr[ETH_ALEN];
  bool local, is_static;    /* a station of ours; does not age */
  struct bridge_port *port; /* NULL: the bridge itself */
  int64_t used, updated;    /* loop_now() */
};

struct bridge_port {
  LIST_ENTRY(bridge_port) link;
  struct netdev *dev;
  struct bridge *br;
  uint16_t no, priority;
  uint32_t cost;
  uint8_t state; /* BR_STATE_* */
  bool hairpin, learning, flood, mcast_flood, bcast_flood, isolated;
};

struct bridge {
  struct netdev *dev;
  bool up, addr_set, mtu_set, in_change;
  LIST_HEAD(, bridge_port) ports;
  unsigned nports, nfdb;
  LIST_HEAD(bridge_bucket, bridge_entry) fdb[BRIDGE_BUCKETS];
  struct siphash_key key;
  struct timer gc;
  int64_t ageing; /* ns; 0: nothing is remembered */
  uint16_t priority;
  uint32_t forward_delay, hello_time, max_age; /* 1/100 s; kept for who asks: there is no spanning tree */
};

static inline bool netdev_is_bridge(const struct netdev *d) {
  return d->ops->kind && !strcmp(d->ops->kind, "bridge");
}

/* ---- the table of addresses, for RTM_GETNEIGH and RTM_NEWNEIGH of AF_BRIDGE: net/bridge_fdb.c ---- */
int bridge_fdb_each(struct bridge *br, bool (*fn)(void *arg, struct bridge *br, const struct bridge_entry *e),
                    void *arg);
/* port NULL: the bridge's own. 0, -EEXIST (with exclusive), -ENOSPC, -ENOMEM, -EINVAL. */
int bridge_fdb_add(struct bridge *br, struct bridge_port *port, const uint8_t *addr, bool local, bool is_static,
                   bool exclusive);
int bridge_fdb_del(struct bridge *br, struct bridge_port *port, const uint8_t *addr); /* -ENOENT */
struct bridge_entry *bridge_fdb_find_borrow(struct bridge *br, const uint8_t *addr);
void bridge_fdb_learn(struct bridge_port *p, const uint8_t *addr);
void bridge_fdb_flush(struct bridge *br, struct bridge_port *port, bool all); /* port NULL: of every port */
void bridge_fdb_init(struct bridge *br);

/* ---- net/bridge.c ---- */
bool bridge_port_rx(struct netdev *d, struct pbuf *p); /* false: it goes to the port's own protocols */
int bridge_add_port(struct netdev *br, struct netdev *d, struct nl_extack *ext);
int bridge_del_port(struct netdev *br, struct netdev *d);
void bridge_netdev_event(struct netdev *d, enum netdev_event ev);
extern const struct netdev_ops bridge_ops;
