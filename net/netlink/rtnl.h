/*
 * rtnetlink(7): links, addresses, routes, neighbours and what belongs to them. rtnl.c has the table of requests and
 * tells groups of changes; the rest is a file per object.
 */
#pragma once
#include "../ip_stack.h"
#include "../netdev_kind.h"
#include "netlink.h"
#include <linux/rtnetlink.h>

#define RTNLGRP_MAX_KNOWN 39 /* of Linux 6.18 */

struct rtnl_op {
  uint16_t type; /* RTM_* */
  uint8_t family;
  int (*doit)(struct nl_req *r);
  /* Checks a dump's request and fills in d (fn, filter); -errno. NULL: there is no dump. */
  int (*dump)(struct nl_req *r, struct nl_dump *d);
};
extern const struct rtnl_op rtnl_link_ops[], rtnl_addr_ops[], rtnl_route_ops[], rtnl_neigh_ops[], rtnl_rule_ops[],
    rtnl_conf_ops[], rtnl_nsid_ops[], rtnl_tc_ops[], rtnl_label_ops[], rtnl_bridge_ops[],
    rtnl_prop_ops[]; /* type 0 ends each */

/* What changed is told to a group: fill() puts one message (pid and seq of the request that caused it, if any). */
void rtnl_tell(struct net_namespace *ns, unsigned group,
               void (*fill)(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq), void *arg);
uint32_t rtnl_gen_link(struct nl_dump *d);
uint32_t rtnl_gen_addr(struct nl_dump *d);
uint32_t rtnl_gen_route(struct nl_dump *d);
uint32_t rtnl_gen_neigh(struct nl_dump *d);

/* Addresses in attributes: 4 or 16 bytes of the version that `family` says; *a is mapped. False: another length. */
bool rtnl_get_addr(const struct nlattr *a, int family, struct in6_addr *out);
void rtnl_put_addr(struct nlbuf *b, int type, const struct in6_addr *a);
static inline int rtnl_family(const struct in6_addr *a) {
  return ip_is4(a) ? AF_INET : AF_INET6;
}
/* A header of a dump request: strict (NETLINK_GET_STRICT_CHK) says that it must be there whole. NULL: too short. */
const void *rtnl_header(const struct nl_req *r, size_t n);
struct netdev *rtnl_dev(struct nl_req *r, int ifindex); /* borrowed; NULL: sets the message "…" */
int rtnl_clock(int64_t ns_since_boot);                  /* hundredths of a second, as in cache information */

/* One link, for RTM_NEWLINK and RTM_DELLINK, with what ext_mask (RTEXT_FILTER_*) asks for. */
void rtnl_fill_link(struct nlbuf *b, const struct netdev *d, uint16_t type, uint16_t flags, uint32_t pid, uint32_t seq,
                    uint32_t change, uint32_t ext_mask);
uint8_t rtnl_operstate(const struct netdev *d);
void rtnl_link_told(struct netdev *d, uint16_t type, uint32_t change);
extern const struct nla_policy rtnl_link_policy[];
int rtnl_parse_link(const struct nl_req *r, const struct nlattr **tb, struct nl_extack *x); /* tb: IFLA_MAX + 1 */
int rtnl_find_link(struct nl_req *r, const struct nlattr **tb, struct netdev **out);        /* borrowed. -ENODEV … */
struct netdev *rtnl_next_dev(struct net_namespace *ns, long after); /* the next higher index; borrowed, or NULL */
void rtnl_put_af_spec(struct nlbuf *b, const struct netdev *d);     /* what is in IFLA_AF_SPEC: rtnl_conf.c */

/* rtnl_setlink.c */
int rtnl_newlink(struct nl_req *r);
int rtnl_setlink(struct nl_req *r);
int rtnl_dellink(struct nl_req *r);

/* The namespace that one of the two attributes names: counted. -ESRCH, -EBADF, -EINVAL. rtnl_setlink.c */
int rtnl_ns_named(const struct nlattr *pid, const struct nlattr *fd, struct net_namespace **out);
