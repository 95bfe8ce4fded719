/*
 * Neighbour discovery: RFC 4861; duplicate address detection: RFC 4862 5.4. Router advertisements and redirects are not
 * accepted: routes and addresses come from whoever set the network up.
 */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

enum { NS = 135, NA = 136, OPT_SOURCE = 1, OPT_TARGET = 2 };
#define NA_SOLICITED 0x40000000u
#define NA_OVERRIDE 0x20000000u

struct in6_addr ip6_solicited_node(const struct in6_addr *a) {
  struct in6_addr g = {.s6_addr = {0xff, 2, [11] = 1, 0xff}};
  memcpy(g.s6_addr + 13, a->s6_addr + 13, 3);
  return g;
}

/* ---- sending: past the routes, with hop limit 255 ---- */

static void transmit(struct netdev *d, uint8_t type, uint32_t word, const struct in6_addr *target,
                     const struct in6_addr *src, const struct in6_addr *dst, const uint8_t *lladdr) {
  struct pbuf *p = d->addr_len == 6 ? pbuf_new(sizeof(struct nd_msg) + 8) : NULL;
  if (!p)
    return;
  struct nd_msg m = {.icmp = {.type = type, .word = htonl(word)}, .target = *target};
  bool with = !IN6_IS_ADDR_UNSPECIFIED(src);
  memcpy(pbuf_put(p, sizeof m), &m, sizeof m);
  if (with) {
    uint8_t *o = pbuf_put(p, 8);
    o[0] = type == NS ? OPT_SOURCE : OPT_TARGET;
    o[1] = 1;
    memcpy(o + 2, d->addr, 6);
  }
  uint16_t sum = csum_fold(pbuf_csum_add(p, 0, p->len, ip_pseudo_sum(src, dst, IPPROTO_ICMPV6, p->len)));
  memcpy(p->data + 2, &sum, 2);
  struct ip6_hdr_wire h = {.vtf = htonl(6u << 28),
                           .plen = htons((uint16_t)p->len),
                           .next = IPPROTO_ICMPV6,
                           .hops = 255,
                           .src = *src,
                           .dst = *dst};
  memcpy(pbuf_push(p, sizeof h), &h, sizeof h);
  struct ip_net *n = ip_net_of(d->ns);
  n->mib[1].icmp_out++;
  n->mib[1].icmp_out_type[type]++;
  struct ip_route r = {.dev = d, .gateway = *dst, .type = IN6_IS_ADDR_MULTICAST(dst) ? RTN_MULTICAST : RTN_UNICAST};
  if (!lladdr) {
    (void)ip_link_output(p, &r, dst);
    return;
  }
  p->dev = d;
  p->net = p->data;
  (void)ether_output(d, p, lladdr, ETH_P_IPV6);
}

void ndp_solicit(struct netdev *d, const struct in6_addr *target, const struct in6_addr *src, const uint8_t *unicast) {
  struct in6_addr from = in6addr_any, to = unicast ? *target : ip6_solicited_node(target);
  if (src)
    from = *src;
  else if (!ip_addr_select(ip_net_of(d->ns), d, target, RT_SCOPE_LINK, &from))
    return; /* an answer could not come back */
  transmit(d, NS, 0, target, &from, &to, unicast);
}

/* ---- receiving ---- */

/* The link-layer address in the options; false: malformed, drop (4.6, 7.1). */
static bool lladdr_option(const uint8_t *o, uint32_t len, uint8_t which, const uint8_t **found) {
  *found = NULL;
  while (len) {
    if (len < 8 || !o[1] || o[1] * 8u > len)
      return false;
    if (o[0] == which) {
      if (o[1] != 1 || (o[2] & 1))
        return false;
      *found = o + 2;
    }
    len -= o[1] * 8u;
    o += o[1] * 8u;
  }
  return true;
}

static void advertise(struct netdev *d, const struct in6_addr *target, const struct in6_addr *to,
                      const uint8_t *lladdr) {
  static const struct in6_addr all_nodes = {.s6_addr = {0xff, 2, [15] = 1}};
  if (IN6_IS_ADDR_UNSPECIFIED(to))
    transmit(d, NA, NA_OVERRIDE, target, target, &all_nodes, NULL);
  else
    transmit(d, NA, NA_SOLICITED | NA_OVERRIDE, target, target, to, lladdr);
}

static void solicitation(struct ip_dev *d, const struct nd_msg *m, const struct ip_info *i, const uint8_t *lladdr) {
  struct in6_addr target = m->target, group = ip6_solicited_node(&target);
  bool probe = IN6_IS_ADDR_UNSPECIFIED(&i->src);
  if (probe && (lladdr || !ip_same(&i->dst, &group)))
    return;
  struct ip_addr_node *a = ip_addr_find(d, &target);
  if (!a || (a->a.flags & IFA_F_DADFAILED))
    return;
  if (a->a.flags & IFA_F_TENTATIVE) {
    if (probe) /* somebody else wants it too */
      ip_addr_dad_done(d, a, true);
    return;
  }
  if (!probe && ip_addr_find(d, &i->src))
    return; /* one who says that he is we */
  if (!probe && lladdr)
    neigh_heard(d->dev, &i->src, lladdr, NEIGH_CREATE | NEIGH_OVERRIDE);
  advertise(d->dev, &target, &i->src, lladdr);
}

static void advertisement(struct ip_dev *d, const struct nd_msg *m, const struct ip_info *i, const uint8_t *lladdr) {
  struct in6_addr target = m->target;
  uint32_t word = ntohl(m->icmp.word);
  if ((word & NA_SOLICITED) && i->multicast)
    return;
  struct ip_addr_node *a = ip_addr_find(d, &target);
  if (a) { /* whoever has it says so: what is ours stays ours, what was to become ours does not */
    if ((a->a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == IFA_F_TENTATIVE)
      ip_addr_dad_done(d, a, true);
    return;
  }
  neigh_heard(d->dev, &target, lladdr,
              (word & NA_SOLICITED ? NEIGH_SOLICITED : 0) | (word & NA_OVERRIDE ? NEIGH_OVERRIDE : 0));
}

void ndp_input(struct ip_net *n, struct pbuf *p, const struct ip_info *i) {
  struct nd_msg m;
  struct ip_dev *d = ip_dev_of(i->dev);
  const uint8_t *lladdr, *b = p->len <= 1500 ? pbuf_linear(p, p->len) : NULL;
  if (!b || p->len < sizeof m || i->ttl != 255 || p->pkt_type == PACKET_LOOPBACK || !d || i->dev->addr_len != 6)
    goto drop;
  memcpy(&m, b, sizeof m);
  if (m.icmp.code || (m.icmp.type != NS && m.icmp.type != NA))
    goto drop;
  struct in6_addr target = m.target;
  if (IN6_IS_ADDR_MULTICAST(&target) || ip_is4(&target) ||
      !lladdr_option(b + sizeof m, p->len - (uint32_t)sizeof m, m.icmp.type == NS ? OPT_SOURCE : OPT_TARGET, &lladdr)) {
    n->mib[1].icmp_in_errors++;
    goto drop;
  }
  (m.icmp.type == NS ? solicitation : advertisement)(d, &m, i, lladdr);
drop:
  pbuf_free(p);
}

/* ---- duplicate address detection ---- */

void ndp_dad_start(struct ip_dev *i, struct ip_addr_node *a) {
  a->dad_left = i->conf.dad_transmits + 1; /* the last step is to begin to use it */
  a->dad_next = loop_now();
  ip_dev_kick(i);
}

int64_t ndp_dad_tick(struct ip_dev *i, int64_t now) {
  struct ip_addr_node *a;
  int64_t next = 0;
  TAILQ_FOREACH(a, &i->addrs, link) {
    if (!a->dad_left)
      continue;
    if (a->dad_next <= now) {
      if (!--a->dad_left) {
        ip_addr_dad_done(i, a, false);
        continue;
      }
      a->dad_next = now + ip_net_of(i->dev->ns)->sysctl.neigh[1].retrans_ms * NS_PER_MS;
      ndp_solicit(i->dev, &a->a.addr, &in6addr_any, NULL);
    }
    next = next && next < a->dad_next ? next : a->dad_next;
  }
  return next;
}
