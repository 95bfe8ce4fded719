/*
 * net/'s half of a network namespace, and what all of them share.
 *
 * A subsystem (IP, TCP, packet sockets, …) is one line in subsystems[] of stack.c: its functions are called when a
 * namespace begins and ends and when something happens to a device. They are weak there: a build without the subsystem
 * is a kernel without it.
 */
#pragma once
#include "../core/kernel.h"
#include "../core/net_files.h"
#include "../core/ns.h"
#include "netdev.h"

enum net_subsystem { NET_LO, NET_IP, NET_INET, NET_NETLINK, NET_PACKET, NET_DNS, NET_BRIDGE, NET_SUBSYSTEMS };

struct net_stack {
  struct net_namespace *ns; /* borrowed */
  TAILQ_HEAD(netdev_list, netdev) devs;
  unsigned ndevs;
  int last_ifindex;
  struct netdev *lo;         /* borrowed from devs */
  void *sub[NET_SUBSYSTEMS]; /* each subsystem's own state */
};

struct net_subsystem_ops {
  int (*init)(struct net_stack *st);  /* may set st->sub[its]; -errno fails the namespace. NULL: nothing to do */
  void (*fini)(struct net_stack *st); /* devices are gone already; must not park */
  void (*event)(struct netdev *d, enum netdev_event ev);
};

/* Work that a transport puts off until a batch of packets is through. One per object that may have some. */
struct net_deferred {
  TAILQ_ENTRY(net_deferred) link;
  void (*fn)(struct net_deferred *d);
  bool queued, late;
};

/* kernel.net: one per sandbox. */
struct net {
  struct kernel *k;
  TAILQ_HEAD(, net_deferred) deferred, late; /* late: before frames leave */
  struct pbuf_queue backlog;                 /* p->dev: who receives it */
  unsigned nbacklog;
  unsigned copies; /* that bridges made of the packet which is being received */
  struct {
    struct netdev **v; /* borrowed: netdev_unlist() takes it out */
    unsigned n, cap;
    bool now; /* enough is queued: no waiting for more */
  } flush;
  LIST_HEAD(nl_nets, nl_net) netlink; /* net/netlink/'s halves of all namespaces */
  uint8_t secret[16];                 /* for hashes of what strangers choose */
};

/* Once, after kernel_new(): hooks, the initial namespace's stack (with lo up), the loop's end of a turn. 0 or -ENOMEM.
 * Without it a namespace has no stack: net_stack_of() gives NULL. */
int net_boot(struct kernel *k);
void net_shutdown(struct kernel *k);

static inline struct net_stack *net_stack_of(const struct net_namespace *ns) {
  return ns->stack;
}
struct net_namespace *net_current_ns_borrow(void); /* the calling task's; the initial one outside of tasks */
void net_event(struct netdev *d, enum netdev_event ev);

void net_defer(struct net *n, struct net_deferred *d);      /* idempotent */
void net_defer_late(struct net *n, struct net_deferred *d); /* until devices are flushed */
void net_defer_cancel(struct net *n, struct net_deferred *d);

/* ---- net/proc/files.c: /proc/net, /proc/sys/net, /sys/class/net ---- */
extern const struct net_files net_files;

/* ---- net/loopback.c ---- */
int lo_init(struct net_stack *st);
