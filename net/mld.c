/* Multicast listener discovery: RFC 3810 (version 2), with version 1 (RFC 2710) while its querier is heard. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

enum { QUERY = 130, V1_REPORT = 131, V1_DONE = 132, V2_REPORT = 143 };
#define OLDER_QUERIER (260 * NS_PER_S) /* RFC 3810 9.12 with the default intervals */

static void transmit(struct ip_dev *i, const uint8_t *msg, uint32_t len, const struct in6_addr *dst) {
  /* A hop-by-hop header with the router alert of RFC 2711. */
  static const uint8_t alert[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
  struct ip_net *n = ip_net_of(i->dev->ns);
  struct ip_flow f = {.dst = *dst,
                      .proto = IPPROTO_ICMPV6,
                      .ttl = 1,
                      .oif = i->dev->ifindex,
                      .options = alert,
                      .options_len = sizeof alert,
                      .options_proto = IPPROTO_HOPOPTS};
  struct ip_route r;
  struct pbuf *p = pbuf_new(len);
  if (!p || ip_route_output(n->ns, &f, &r)) {
    pbuf_free(p);
    return;
  }
  if (!ip_is_linklocal(&r.src)) /* RFC 3590: link-local, or none yet */
    r.src = in6addr_any;
  uint8_t *b = pbuf_put(p, len);
  memcpy(b, msg, len);
  uint16_t sum = csum_fold(csum_add(ip_pseudo_sum(&r.src, dst, IPPROTO_ICMPV6, len), b, len));
  memcpy(b + 2, &sum, 2);
  n->mib[1].icmp_out++;
  n->mib[1].icmp_out_type[*msg]++;
  (void)ip_output(n->ns, p, &f, &r);
}

void mld_report(struct ip_dev *i, const struct in6_addr *g, enum group_report what) {
  static const struct in6_addr routers = {.s6_addr = {0xff, 2, [15] = 2}}, v2 = {.s6_addr = {0xff, 2, [15] = 22}};
  if (i->mld_v1_until > loop_now()) {
    uint8_t m[24] = {what == GROUP_LEAVE ? V1_DONE : V1_REPORT};
    memcpy(m + 8, g, 16);
    transmit(i, m, sizeof m, what == GROUP_LEAVE ? &routers : g);
    return;
  }
  uint8_t m[28] = {V2_REPORT, [7] = 1, (uint8_t)what};
  memcpy(m + 12, g, 16);
  transmit(i, m, sizeof m, &v2);
}

void mld_input(struct ip_net *n, struct pbuf *p, const struct ip_info *i) {
  uint8_t m[24];
  struct ip_dev *d = ip_dev_of(i->dev);
  if (!d || p->len < sizeof m || p->pkt_type == PACKET_LOOPBACK || i->ttl != 1 || !ip_is_linklocal(&i->src))
    goto drop;
  pbuf_copy_out(p, 0, m, sizeof m);
  struct in6_addr g;
  memcpy(&g, m + 8, sizeof g);
  unsigned code = (unsigned)m[4] << 8 | m[5];
  if (m[0] != QUERY || !i->multicast || (!IN6_IS_ADDR_UNSPECIFIED(&g) && !IN6_IS_ADDR_MULTICAST(&g)))
    goto drop;
  unsigned max = code < 32768 || p->len < 28 ? code : ((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
  if (p->len < 28)
    d->mld_v1_until = loop_now() + OLDER_QUERIER;
  ip_group_query(d, &g, true, max);
drop:
  pbuf_free(p);
}
