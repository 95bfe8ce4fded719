/*
 * Network devices of the sandbox: lo, the packet sockets and TAP descriptors that the launcher hands over, and the
 * guests' own veth pairs, bridges and tunnels. A device belongs to one network namespace.
 *
 * Packets go down through netdev_xmit(), come up through netdev_rx(). Neither parks. A device may batch: what was sent
 * during one turn of the loop leaves when it ends (netdev_ops.flush), and acknowledgements that the transport protocols
 * owe for one batch of received packets are sent in net_rx_end().
 */
#pragma once
#include "pbuf.h"
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>

struct kernel;
struct net_namespace;
struct ip_dev;
struct bridge_port;

#define NETDEV_PER_NS 1024      /* devices of a namespace: what a guest with CAP_NET_ADMIN over it may make */
#define NETDEV_BACKLOG 1000     /* packets that wait to be received by a device: net.core.netdev_max_backlog */
#define NETDEV_BACKLOG_ALL 4096 /* … by all of them, before those that guests made get no more: bridges multiply */

struct netdev_ops {
  const char *kind; /* IFLA_INFO_KIND: "veth", "bridge", "dummy"; NULL for lo and the launcher's */
  /* Takes p over, whole (Ethernet header in front, if the device has one). 0, or -errno and p is freed too: -ENOBUFS
   * when the queue is full; NETDEV_XMIT_LOST: dropped, but the sender is not to hear of it. Must not park. */
  int (*xmit)(struct netdev *d, struct pbuf *p);
  void (*flush)(struct netdev *d);                /* hand batched packets to the host; NULL: nothing is batched */
  int (*set_up)(struct netdev *d, bool up);       /* IFF_UP changed; NULL: nothing to do */
  int (*set_mtu)(struct netdev *d, unsigned mtu); /* -EINVAL; NULL: 68 to 65535 */
  void (*unlisted)(struct netdev *d);             /* netdev_unlist(): it is out of its namespace. NULL: nothing to do */
  void (*free)(struct netdev *d);                 /* the last reference is gone */
};

#define NETDEV_XMIT_LOST 1

#define NETDEV_CSUM 1u  /* fills in PB_CSUM_PARTIAL */
#define NETDEV_TSO 2u   /* takes PB_GSO_TCP4 and _TCP6 frames */
#define NETDEV_USO 4u   /* takes PB_GSO_UDP frames */
#define NETDEV_LOCAL 8u /* stays in its namespace */

#define NETDEV_ALTS 32 /* further names of a device */
struct netdev_alt {
  LIST_ENTRY(netdev_alt) link;
  char name[128]; /* ALTIFNAMSIZ */
};

struct netdev {
  ref_t ref;
  struct net_namespace *ns; /* borrowed: a namespace that ends takes its devices along */
  const struct netdev_ops *ops;
  void *priv;
  TAILQ_ENTRY(netdev) link; /* of ns */
  int ifindex;
  char name[IFNAMSIZ];
  unsigned flags;    /* IFF_UP, IFF_BROADCAST, …; IFF_RUNNING and IFF_LOWER_UP while there is a carrier */
  unsigned features; /* NETDEV_* */
  unsigned mtu, tx_queue_len;
  uint16_t type; /* ARPHRD_* */
  uint8_t addr_len;
  uint8_t addr[8], broadcast[8];
  struct rtnl_link_stats64 stats;
  struct netdev *master;    /* the bridge it is a port of; borrowed */
  struct bridge_port *port; /* net/bridge.c's: frames that come in are its, not the protocols' */
  struct netdev *peer;      /* veth; borrowed */
  int promiscuity, allmulti;
  struct ip_dev *ip;            /* net/ip_dev.c's: addresses, groups, settings of both versions */
  uint32_t group;               /* IFLA_GROUP: a number of the administrator's */
  LIST_HEAD(, netdev_alt) alts; /* it is found by these names, too */
  char alias[256];              /* IFLA_IFALIAS */
  void *taps;                   /* net/packet.c's: packet sockets that see its frames */
  unsigned backlog;             /* packets of netdev_backlog() that are to be received here */
  bool flush_due, listed;
  bool was_up; /* … once: its queue is "noqueue" then, not "noop" */
};

/* What happens to a device; every subsystem in the table of stack.c hears of it, after the fact. */
enum netdev_event {
  NETDEV_REGISTER,
  NETDEV_UP,
  NETDEV_DOWN,
  NETDEV_CHANGE, /* other flags, carrier, master */
  NETDEV_CHANGEMTU,
  NETDEV_CHANGEADDR,
  NETDEV_CHANGENAME,
  NETDEV_UNREGISTER, /* forget it: d->ns is still set */
};

/* A device in ns with an index and, if name has a %d, a number of its own. -EEXIST, -EINVAL (name), -ENFILE, -ENOMEM.
 * The caller holds the first reference, the namespace's list one of its own. Not listed yet: set type, addresses, mtu,
 * flags and features, then netdev_list(). */
int netdev_new(struct net_namespace *ns, const char *name, const struct netdev_ops *ops, void *priv,
               struct netdev **out);
/* The same with an index of the caller's choice (0: the next one). -EBUSY. */
int netdev_new_at(struct net_namespace *ns, const char *name, int ifindex, const struct netdev_ops *ops, void *priv,
                  struct netdev **out);
/* Announce it (NETDEV_REGISTER). IFF_UP is not set yet. */
void netdev_list(struct netdev *d);
/* What Ethernet devices begin with: type, address length, broadcast address, MTU 1500, flags. addr NULL: a random one.
 */
void netdev_ether_init(struct netdev *d, const uint8_t addr[6]);
struct netdev *netdev_get(struct netdev *d);
void netdev_put(struct netdev *d);
/* Down, out of its namespace, everything that names it forgets it; d->ns is NULL afterwards. Drops the list's
 * reference. */
void netdev_unlist(struct netdev *d);
struct netdev *netdev_by_index_borrow(struct net_namespace *ns, int ifindex);
struct netdev *netdev_by_name_borrow(struct net_namespace *ns, const char *name);
int netdev_set_flags(struct netdev *d, unsigned flags, unsigned mask); /* IFF_UP and relatives: tells the protocols */
int netdev_set_mtu(struct netdev *d, unsigned mtu);
int netdev_set_addr(struct netdev *d, const uint8_t *addr); /* addr_len bytes. -EADDRNOTAVAIL */
int netdev_rename(struct netdev *d, const char *name);      /* -EEXIST, -EINVAL */
/* IFLA_ALT_IFNAME. -EEXIST, -EINVAL, -ENOSPC, -ENOMEM; -ENOENT. */
int netdev_alt_add(struct netdev *d, const char *name);
int netdev_alt_del(struct netdev *d, const char *name);
bool netdev_name_ok(const char *name);
void netdev_carrier(struct netdev *d, bool on);              /* IFF_RUNNING and IFF_LOWER_UP, for drivers */
int netdev_move(struct netdev *d, struct net_namespace *to); /* RTM_NEWLINK with IFLA_NET_NS_* */

/* Takes p over. The frame is complete; if the device lacks a feature that p asks for, this does it in software. */
int netdev_xmit(struct netdev *d, struct pbuf *p);
/* Takes p over: a frame that came in on d, data at the Ethernet header (at the IP header if addr_len is 0). */
void netdev_rx(struct netdev *d, struct pbuf *p);
/* As netdev_rx(), but when this turn of the loop ends: for devices whose other end is in the sandbox too, so that no
 * packet is received within the call that sent one. Takes p over; drops it when the device has NETDEV_BACKLOG already.
 */
void netdev_backlog(struct netdev *d, struct pbuf *p);
bool netdev_backlog_full(const struct netdev *d); /* … and would drop it */
/* For ops->xmit of a device that batches: its flush is called when the turn ends, or a few turns later. */
void netdev_flush_later(struct netdev *d);
void netdev_flush_soon(struct netdev *d); /* … and this turn's flush is not put off for a larger batch */
/* After a batch of netdev_rx(): what transports put off until here, then the flush of devices. The loop calls it when a
 * turn ends; nobody else has to. False: nothing happened. */
bool net_rx_end(struct kernel *k);

/* ---- net/ether.c, net/gso.c ---- */
void ether_rx(struct netdev *d, struct pbuf *p); /* netdev_rx()'s second half */
/* Puts the Ethernet header in front (none if addr_len is 0) and transmits; dst is addr_len bytes. csum_start counts
 * from p->data as it comes here. Takes p over. */
int ether_output(struct netdev *d, struct pbuf *p, const uint8_t *dst, uint16_t ethertype);
/* In software what the device cannot: cut a GSO packet, whose checksum is PARTIAL, into segments (appended to q, theirs
 * PARTIAL too; p is freed), complete a partial checksum. p->dev says whether there is an Ethernet header. */

int gso_segment(struct pbuf *p, struct pbuf_queue *q);
int csum_complete(struct pbuf *p); /* 0 also if there is nothing to do; -EINVAL: it does not lie in the packet */
