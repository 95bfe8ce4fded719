/*
 * Policy: RTM_GETRULE shows the rules that routes are looked up by, which cannot be changed; RTM_GETQDISC that frames
 * are not queued; RTM_GETADDRLABEL the policy table of RFC 6724 that getaddrinfo(3) sorts by.
 */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/fib_rules.h>
#include <linux/if_addrlabel.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>

/* ---- rules ---- */

static const struct {
  uint32_t priority, table;
} rules[] = {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}};

static void fill_rule(struct nl_dump *d, struct nlbuf *b, int family, int i) {
  struct fib_rule_hdr h = {.family = (uint8_t)family, .table = (uint8_t)rules[i].table, .action = FR_ACT_TO_TBL};
  size_t at = nl_dump_begin(d, b, RTM_NEWRULE, &h, sizeof h);
  nla_put_u32(b, FRA_TABLE, rules[i].table);
  nla_put_u32(b, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
  nla_put_u8(b, FRA_PROTOCOL, RTPROT_KERNEL);
  if (rules[i].priority)
    nla_put_u32(b, FRA_PRIORITY, rules[i].priority);
  nlb_end(b, at);
}

/* at: version, rule. IPv6 has no default table. */
static int dump_rules(struct nl_dump *d, struct nlbuf *b) {
  for (; d->at[0] < 2; d->at[0]++, d->at[1] = 0) {
    int family = d->at[0] ? AF_INET6 : AF_INET;
    if (d->arg.u32[0] != AF_UNSPEC && (int)d->arg.u32[0] != family)
      continue;
    for (; d->at[1] < (d->at[0] ? 2 : 3); d->at[1]++) {
      size_t before = b->len;
      fill_rule(d, b, family, (int)d->at[1]);
      if (b->len == before)
        return 1;
    }
  }
  return 0;
}

static int start_rules(struct nl_req *r, struct nl_dump *d) {
  uint8_t family = *(const uint8_t *)nl_body(r);
  d->fn = dump_rules;
  d->arg.u32[0] = family;
  return family == AF_UNSPEC || family == AF_INET || family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

const struct rtnl_op rtnl_rule_ops[] = {{RTM_GETRULE, AF_UNSPEC, NULL, start_rules}, {0}};

/* ---- queueing disciplines ---- */

static int dump_qdiscs(struct nl_dump *d, struct nlbuf *b) {
  struct netdev *dev;
  for (; (dev = rtnl_next_dev(d->ns, d->at[0])); d->at[0] = dev->ifindex) {
    struct tcmsg m = {
        .tcm_family = AF_UNSPEC, .tcm_ifindex = dev->ifindex, .tcm_parent = TC_H_ROOT, .tcm_info = 2 /* references */};
    size_t before = b->len;
    /* A device that is down has none, and one other than asked for is not shown. */
    if (!(dev->flags & IFF_UP) || (d->arg.u32[0] && dev->ifindex != (int)d->arg.u32[0]))
      continue;
    size_t at = nl_dump_begin(d, b, RTM_NEWQDISC, &m, sizeof m);
    nla_put_str(b, TCA_KIND, "noqueue");
    nlb_end(b, at);
    if (b->len == before)
      return 1;
  }
  return 0;
}

static int start_qdiscs(struct nl_req *r, struct nl_dump *d) {
  const struct tcmsg *m = rtnl_header(r, sizeof *m);
  d->fn = dump_qdiscs;
  d->generation = rtnl_gen_link;
  d->arg.u32[0] = m ? (uint32_t)m->tcm_ifindex : 0;
  return 0;
}

static int dump_nothing(struct nl_dump *d, struct nlbuf *b) {
  return 0;
}
static int start_nothing(struct nl_req *r, struct nl_dump *d) {
  d->fn = dump_nothing;
  return 0;
}

const struct rtnl_op rtnl_tc_ops[] = {{RTM_GETQDISC, AF_UNSPEC, NULL, start_qdiscs},
                                      {RTM_GETTCLASS, AF_UNSPEC, NULL, start_nothing},
                                      {RTM_GETTFILTER, AF_UNSPEC, NULL, start_nothing},
                                      {0}};

/* ---- address labels ---- */

#define IP6(...)                                                                                                       \
  {                                                                                                                    \
    .s6_addr = { __VA_ARGS__ }                                                                                         \
  }
static const struct {
  struct in6_addr prefix;
  uint8_t len;
  uint32_t label;
} labels[] = {
    {IP6([15] = 1), 128, 0},
    {IP6(0), 96, 3},
    {IP6([10] = 0xff, 0xff), 96, 4},
    {IP6(0x20, 1), 32, 6},
    {IP6(0x20, 1, 0, 0x10), 28, 7},
    {IP6(0x3f, 0xfe), 16, 12},
    {IP6(0x20, 2), 16, 2},
    {IP6(0xfe, 0xc0), 10, 11},
    {IP6(0xfc), 7, 5},
    {IP6(0), 0, 1},
};

static int dump_labels(struct nl_dump *d, struct nlbuf *b) {
  for (; d->at[0] < (long)(sizeof labels / sizeof *labels); d->at[0]++) {
    struct ifaddrlblmsg m = {.ifal_family = AF_INET6, .ifal_prefixlen = labels[d->at[0]].len};
    size_t before = b->len, at = nl_dump_begin(d, b, RTM_NEWADDRLABEL, &m, sizeof m);
    nla_put(b, IFAL_ADDRESS, &labels[d->at[0]].prefix, sizeof labels[0].prefix);
    nla_put_u32(b, IFAL_LABEL, labels[d->at[0]].label);
    nlb_end(b, at);
    if (b->len == before)
      return 1;
  }
  return 0;
}

static int start_labels(struct nl_req *r, struct nl_dump *d) {
  d->fn = dump_labels;
  return 0;
}

const struct rtnl_op rtnl_label_ops[] = {{RTM_GETADDRLABEL, AF_INET6, NULL, start_labels}, {0}};
