/*
 * Kinds of devices that guests may make with RTM_NEWLINK (ip-link(8), "type veth"): one file each, one row in
 * netdev_kind.c's table, weak there, so that a kind that is not built in is unknown (-EOPNOTSUPP).
 */
#pragma once
#include "netdev.h"
#include "netlink/nla.h"

struct netdev_newlink {
  struct net_namespace *ns;     /* where the device goes (IFLA_NET_NS_PID, _FD); borrowed */
  struct net_namespace *req_ns; /* the requesting socket's: where IFLA_LINK and the veth peer are; borrowed */
  const char *name;             /* IFLA_IFNAME, or "KIND%d"; netdev_new_at() resolves the number */
  int ifindex;                  /* 0: the next one */
  const struct nlattr **tb;     /* IFLA_*, by type, checked against rtnetlink's policy */
  const struct nlattr *data;    /* IFLA_INFO_DATA, not parsed yet; NULL: none */
  struct nl_extack *ext;
};

struct netdev_kind {
  const char *kind; /* IFLA_INFO_KIND */
  /* Makes the device: netdev_new_at(), its own set-up, netdev_apply_newlink(), netdev_list(). Flags, master and group
   * are set by the caller afterwards. On success *out carries a reference. Must not park. */
  int (*newlink)(const struct netdev_newlink *n, struct netdev **out);
  /* RTM_NEWLINK of a device there is, with IFLA_INFO_DATA. NULL: -EOPNOTSUPP. */
  int (*changelink)(struct netdev *d, const struct nlattr *data, struct nl_extack *ext);
  /* RTM_DELLINK: unlists it, and what goes with it (a veth's peer). NULL: netdev_unlist(). */
  void (*dellink)(struct netdev *d);
  /* Attributes in IFLA_INFO_DATA of an RTM_NEWLINK that is told. NULL: none. */
  void (*fill_info)(const struct netdev *d, struct nlbuf *b);
  /* A port of this kind's master: IFLA_INFO_SLAVE_DATA. NULL: none. */
  void (*fill_port)(const struct netdev *master, const struct netdev *port, struct nlbuf *b);
  int (*change_port)(struct netdev *master, struct netdev *port, const struct nlattr *data, struct nl_extack *ext);
  /* IFLA_MASTER: take a port in (sets port->master), let it go. NULL: cannot be a master (-EOPNOTSUPP). */
  int (*add_port)(struct netdev *master, struct netdev *port, struct nl_extack *ext);
  int (*del_port)(struct netdev *master, struct netdev *port);
};

const struct netdev_kind *netdev_kind_find(const char *name);
const struct netdev_kind *netdev_kind_of(const struct netdev *d); /* by d->ops->kind; NULL: none */
extern const struct netdev_kind netdev_kind_veth __attribute__((weak)), netdev_kind_bridge __attribute__((weak)),
    netdev_kind_dummy __attribute__((weak));

/* ---- for newlink(), in net/netlink/ ---- */
/* IFLA_ADDRESS, IFLA_BROADCAST, IFLA_MTU, IFLA_TXQLEN of tb onto a device that is not listed yet. 0, -EINVAL. */
int netdev_apply_newlink(struct netdev *d, const struct nlattr **tb, struct nl_extack *ext);
/* The attributes behind a struct ifinfomsg (VETH_INFO_PEER has one in it): tb has IFLA_MAX + 1 entries. */
int netdev_parse_link(const void *attrs, size_t len, const struct nlattr **tb, struct nl_extack *ext);
/* The namespace that IFLA_NET_NS_PID or IFLA_NET_NS_FD names, with the caller's rights over it: counted in *out
 * (ns_put(&(*out)->ns)); `def` if there is neither. -ESRCH, -EBADF, -EINVAL, -EPERM. */
int netdev_link_ns(const struct nlattr **tb, struct net_namespace *def, struct net_namespace **out);
