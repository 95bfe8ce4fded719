/*
 * ARP for IPv4 over Ethernet: RFC 826, RFC 5227 (probes). Whom questions are answered for, arp_ignore says. Entries are
 * made by questions for us and by our own; anything else that is heard can at most confirm or, after the locktime, move
 * one that exists.
 */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

enum { REQUEST = 1, REPLY = 2 };
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void transmit(struct netdev *d, uint16_t op, uint32_t spa, uint32_t tpa, const uint8_t *tha, const uint8_t *to) {
  struct pbuf *p =
      d->addr_len == 6 && !(d->flags & (IFF_NOARP | IFF_LOOPBACK)) ? pbuf_new(sizeof(struct arp_packet)) : NULL;
  if (!p)
    return;
  struct arp_packet a = {htons(1), htons(ETH_P_IP), 6, 4, htons(op), {0}, spa, {0}, tpa};
  memcpy(a.sha, d->addr, 6);
  if (tha)
    memcpy(a.tha, tha, 6);
  memcpy(pbuf_put(p, sizeof a), &a, sizeof a);
  p->dev = d;
  p->net = p->data;
  (void)ether_output(d, p, to, ETH_P_ARP);
}

/* Who asks, by arp_announce: the packet's own source if it is ours (1: and of the target's network on this device),
 * else the device's best. */
static struct in6_addr asker(struct ip_net *n, struct netdev *d, const struct in6_addr *target, const struct pbuf *p) {
  struct in6_addr best = ip_from4(0);
  struct ip_dev *i = ip_dev_of(d);
  int level = i ? IP_CONF_MAX(n, i, arp_announce) : 0;
  (void)ip_addr_select(n, d, target, RT_SCOPE_LINK, &best);
  if (!p || !p->net || p->protocol != ETH_P_IP || level >= 2 || p->net + IP4_HDR > p->data + p->linear)
    return best;
  struct in6_addr src = ip_from4(((const struct ip4_hdr *)p->net)->src);
  if (ip_local_type(n, &src) != RTN_LOCAL || (level == 1 && !ip_addr_find(i, &src)))
    return best;
  return src;
}

void arp_solicit(struct netdev *d, const struct in6_addr *target, const uint8_t *unicast, const struct pbuf *p) {
  struct ip_net *n = ip_net_of(d->ns);
  struct in6_addr src = asker(n, d, target, p);
  transmit(d, REQUEST, ip_get4(&src), ip_get4(target), NULL, unicast ? unicast : everybody);
}

/* RFC 5227 2.3: caches learn where the address is now. */
void arp_announce(struct netdev *d, uint32_t addr) {
  transmit(d, REQUEST, addr, addr, NULL, everybody);
}

static bool well_formed(const struct netdev *d, const struct arp_packet *a) {
  struct in6_addr spa = ip_from4(a->spa), tpa = ip_from4(a->tpa);
  if (a->hrd != htons(1) || a->pro != htons(ETH_P_IP) || a->hln != 6 || a->pln != 4)
    return false;
  if (ip_is_multicast(&spa) || ip_is_multicast(&tpa) || ip_is_loopback(&spa) || ip_is_loopback(&tpa))
    return false;
  if (a->spa == INADDR_BROADCAST || !a->tpa)
    return false;
  return !(a->sha[0] & 1) && memcmp(a->sha, d->addr, 6);
}

/* arp_ignore: which of our addresses this device answers for. */
static bool answers_for(struct ip_net *n, struct ip_dev *i, const struct in6_addr *tpa, const struct in6_addr *spa) {
  int level = IP_CONF_MAX(n, i, arp_ignore);
  if (!level)
    return ip_local_type(n, tpa) == RTN_LOCAL;
  struct ip_addr_node *a = level < 8 ? ip_addr_find(i, tpa) : NULL;
  if (!a || level == 1)
    return a;
  struct in6_addr x = *spa, y = a->a.addr;
  uint32_t mask = a->a.prefix ? htonl(~0u << (32 - a->a.prefix)) : 0;
  return !((ip_get4(&x) ^ ip_get4(&y)) & mask);
}

void arp_rx(struct netdev *d, struct pbuf *p) {
  struct ip_net *n = ip_net_of(d->ns);
  struct ip_dev *i = ip_dev_of(d);
  struct arp_packet a;
  bool ok = n && i && d->addr_len == 6 && !(d->flags & (IFF_NOARP | IFF_LOOPBACK)) && p->len >= sizeof a;
  uint8_t type = p->pkt_type;
  if (ok)
    pbuf_copy_out(p, 0, &a, sizeof a);
  pbuf_free(p);
  if (!ok || type == PACKET_OTHERHOST || !well_formed(d, &a))
    return;
  struct in6_addr spa = ip_from4(a.spa), tpa = ip_from4(a.tpa);
  bool for_us = answers_for(n, i, &tpa, &spa), ours = a.spa && ip_addr_find(i, &spa);
  if (a.op == htons(REQUEST) && for_us && !ours) {
    if (a.spa && ip_local_type(n, &spa) == RTN_UNICAST) /* not a probe */
      neigh_heard(d, &spa, a.sha, NEIGH_CREATE | NEIGH_OVERRIDE);
    transmit(d, REPLY, a.tpa, a.spa, a.sha, a.sha);
  } else if (a.op == htons(REPLY) && a.spa && !ours) {
    neigh_heard(d, &spa, a.sha, NEIGH_OVERRIDE | (type == PACKET_HOST && for_us ? NEIGH_SOLICITED : 0));
  } else if (a.op == htons(REQUEST) && a.spa == a.tpa && a.spa && !ours && !IP_CONF_MAX(n, i, drop_gratuitous_arp)) {
    neigh_heard(d, &spa, a.sha, NEIGH_OVERRIDE); /* an announcement */
  }
}
