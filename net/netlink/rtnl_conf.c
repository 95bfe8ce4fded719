/* What is configured of a device or of all: IFLA_AF_SPEC of RTM_GETLINK, and RTM_GETNETCONF. The arrays are those of
 * <linux/ip.h> and <linux/ipv6.h>; what nothing here obeys has the value of a kernel that does not do it. */
#include <netinet/in.h> /* before the headers of Linux: <linux/libc-compat.h> */

#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <stdlib.h>

#define IF_READY_K 0x80000000u
#define CONF4 33 /* of Linux 6.18 */
#define CONF6 60
#define MAX_REASM 65535

static const struct ip_devconf *conf_of(const struct netdev *d) {
  return d->ip ? &d->ip->conf : NULL;
}

static void put_inet(struct nlbuf *b, const struct netdev *d, const struct ip_net *n) {
  const struct ip_devconf *c = conf_of(d);
  uint32_t v[CONF4 + 1] = {0}; /* by number, from 1 */
  v[IPV4_DEVCONF_FORWARDING] = n->sysctl.forward4 != 0;
  v[IPV4_DEVCONF_SHARED_MEDIA] = 1;
  v[IPV4_DEVCONF_RP_FILTER] = (uint32_t)c->rp_filter;
  v[IPV4_DEVCONF_NOXFRM] = v[IPV4_DEVCONF_NOPOLICY] = d->type == ARPHRD_LOOPBACK;
  v[IPV4_DEVCONF_ARP_ANNOUNCE] = (uint32_t)c->arp_announce;
  v[IPV4_DEVCONF_ARP_IGNORE] = (uint32_t)c->arp_ignore;
  v[IPV4_DEVCONF_ACCEPT_LOCAL] = (uint32_t)c->accept_local;
  v[IPV4_DEVCONF_ROUTE_LOCALNET] = (uint32_t)c->route_localnet;
  v[IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL] = 10000;
  v[IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL] = 1000;
  v[IPV4_DEVCONF_DROP_GRATUITOUS_ARP] = (uint32_t)c->drop_gratuitous_arp;
  size_t at = nla_nest(b, AF_INET);
  nla_put(b, IFLA_INET_CONF, v + 1, CONF4 * sizeof *v);
  nla_nest_end(b, at);
}

static void put_inet6(struct nlbuf *b, const struct netdev *d, const struct ip_net *n) {
  const struct ip_devconf *c = conf_of(d);
  const struct neigh_sysctl *ns = &n->sysctl.neigh[1];
  int32_t v[CONF6] = {0};
  struct ifla_cacheinfo ci = {.max_reasm_len = MAX_REASM,
                              .reachable_time = (uint32_t)ns->base_reachable_ms,
                              .retrans_time = (uint32_t)ns->retrans_ms};
  v[DEVCONF_FORWARDING] = n->sysctl.forward6 != 0;
  v[DEVCONF_HOPLIMIT] = n->sysctl.hop_limit;
  v[DEVCONF_MTU6] = (int32_t)d->mtu;
  v[DEVCONF_DAD_TRANSMITS] = c->dad_transmits;
  v[DEVCONF_DISABLE_IPV6] = c->disable_ipv6;
  v[DEVCONF_ACCEPT_DAD] = d->type == ARPHRD_LOOPBACK ? -1 : 1;
  v[DEVCONF_MLDV1_UNSOLICITED_REPORT_INTERVAL] = 10000;
  v[DEVCONF_MLDV2_UNSOLICITED_REPORT_INTERVAL] = 1000;
  v[DEVCONF_SUPPRESS_FRAG_NDISC] = 1;
  size_t at = nla_nest(b, AF_INET6);
  nla_put_u32(b, IFLA_INET6_FLAGS, d->flags & IFF_UP ? IF_READY_K : 0);
  nla_put(b, IFLA_INET6_CACHEINFO, &ci, sizeof ci);
  nla_put(b, IFLA_INET6_CONF, v, sizeof v);
  nla_put(b, IFLA_INET6_TOKEN, &in6addr_any, sizeof in6addr_any);
  nla_put_u8(b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_EUI64);
  nla_nest_end(b, at);
}

void rtnl_put_af_spec(struct nlbuf *b, const struct netdev *d) {
  const struct ip_net *n = ip_net_of(d->ns);
  if (!n || !d->ip)
    return;
  put_inet(b, d, n);
  put_inet6(b, d, n);
}

/* ---- RTM_GETNETCONF ---- */

static void fill(struct nlbuf *b, const struct ip_net *n, int family, int ifindex, const struct ip_devconf *c,
                 uint16_t flags, uint32_t pid, uint32_t seq) {
  struct netconfmsg m = {.ncm_family = (uint8_t)family};
  bool v4 = family == AF_INET;
  size_t at = nlb_begin(b, RTM_NEWNETCONF, flags, pid, seq, &m, sizeof m);
  nla_put_u32(b, NETCONFA_IFINDEX, (uint32_t)ifindex);
  nla_put_u32(b, NETCONFA_FORWARDING, (v4 ? n->sysctl.forward4 : n->sysctl.forward6) != 0);
  if (v4)
    nla_put_u32(b, NETCONFA_RP_FILTER, (uint32_t)c->rp_filter);
  nla_put_u32(b, NETCONFA_MC_FORWARDING, 0);
  nla_put_u32(b, NETCONFA_PROXY_NEIGH, 0);
  nla_put_u32(b, NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN, 0);
  nlb_end(b, at);
}

/* at: version, the last device (or INT32_MAX), then "all" and "default" */
static int dump_confs(struct nl_dump *d, struct nlbuf *b) {
  const struct ip_net *n = ip_net_of(d->ns);
  for (; n && d->at[0] < 2; d->at[0]++, d->at[1] = d->at[2] = 0) {
    int family = d->at[0] ? AF_INET6 : AF_INET;
    if (d->arg.u32[0] != AF_UNSPEC && (int)d->arg.u32[0] != family)
      continue;
    while (d->at[2] < 2) {
      const struct netdev *dev = d->at[2] ? NULL : rtnl_next_dev(d->ns, d->at[1]);
      size_t before = b->len;
      if (dev && dev->ip)
        fill(b, n, family, dev->ifindex, &dev->ip->conf, d->flags, d->nk->portid, d->req->nlmsg_seq);
      else if (!dev)
        fill(b, n, family, d->at[2] ? NETCONFA_IFINDEX_DEFAULT : NETCONFA_IFINDEX_ALL,
             d->at[2] ? &n->conf_default : &n->conf_all, d->flags, d->nk->portid, d->req->nlmsg_seq);
      if (b->len == before && !(dev && !dev->ip))
        return 1;
      if (dev)
        d->at[1] = dev->ifindex;
      else
        d->at[2]++;
    }
  }
  return 0;
}

static int start_confs(struct nl_req *r, struct nl_dump *d) {
  uint8_t family = *(const uint8_t *)nl_body(r);
  d->fn = dump_confs;
  d->generation = rtnl_gen_link;
  d->arg.u32[0] = family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
  return 0;
}

static int get_conf(struct nl_req *r) {
  const struct nlattr *tb[NETCONFA_MAX + 1];
  const struct ip_net *n = ip_net_of(r->ns);
  size_t off = NLMSG_ALIGN(sizeof(struct netconfmsg)), len = nl_body_len(r);
  int rc = nla_parse(tb, NETCONFA_MAX, (const char *)nl_body(r) + off, len > off ? len - off : 0, NULL, 0, &r->ext);
  if (rc || !n || !tb[NETCONFA_IFINDEX] || nla_len(tb[NETCONFA_IFINDEX]) < 4)
    return rc ? rc : -EINVAL;
  int index = (int)nla_get_u32(tb[NETCONFA_IFINDEX]);
  struct netdev *d = index > 0 ? netdev_by_index_borrow(r->ns, index) : NULL;
  const struct ip_devconf *c = index == NETCONFA_IFINDEX_ALL       ? &n->conf_all
                               : index == NETCONFA_IFINDEX_DEFAULT ? &n->conf_default
                               : d                                 ? conf_of(d)
                                                                   : NULL;
  if (!c)
    return index > 0 && !d ? -ENODEV : -EINVAL;
  struct nlbuf *b = nlbuf_new(256);
  if (!b)
    return -ENOBUFS;
  fill(b, n, ((const struct netconfmsg *)nl_body(r))->ncm_family, index, c, 0, r->nk->portid, r->h->nlmsg_seq);
  rc = nl_reply(r, b);
  free(b);
  return rc;
}

const struct rtnl_op rtnl_conf_ops[] = {
    {RTM_GETNETCONF, AF_INET, get_conf, start_confs},
    {RTM_GETNETCONF, AF_INET6, get_conf, start_confs},
    {RTM_GETNETCONF, AF_UNSPEC, NULL, start_confs},
    {0},
};
