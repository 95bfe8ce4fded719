/* IGMP, host's part: RFC 3376 (version 3), with the older versions while their queriers are heard (RFC 2236, 1112). */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

enum { QUERY = 0x11, V1_REPORT = 0x12, V2_REPORT = 0x16, V2_LEAVE = 0x17, V3_REPORT = 0x22 };
#define OLDER_QUERIER (260 * NS_PER_S) /* RFC 3376 8.12 with the default intervals */

static void transmit(struct ip_dev *i, const void *msg, uint32_t len, uint32_t dst) {
  static const uint8_t router_alert[4] = {148, 4, 0, 0}; /* RFC 2113 */
  struct pbuf *p = pbuf_new(len);
  if (!p)
    return;
  uint8_t *b = pbuf_put(p, len);
  memcpy(b, msg, len);
  uint16_t sum = csum_fold(csum_add(0, b, len));
  memcpy(b + 2, &sum, 2);
  struct ip_flow f = {.src = ip_from4(0),
                      .dst = ip_from4(dst),
                      .proto = IPPROTO_IGMP,
                      .tos = 0xc0,
                      .ttl = 1,
                      .oif = i->dev->ifindex,
                      .pmtudisc = IP_PMTUDISC_DO,
                      .options = router_alert,
                      .options_len = sizeof router_alert};
  (void)ip_send(ip_net_of(i->dev->ns), p, &f);
}

void igmp_report(struct ip_dev *i, const struct in6_addr *g, enum group_report what) {
  int64_t now = loop_now();
  uint32_t group = ip_get4(g);
  if (i->igmp_v1_until > now || i->igmp_v2_until > now) {
    bool v1 = i->igmp_v1_until > now;
    if (what == GROUP_LEAVE && v1)
      return;
    uint8_t m[8] = {what == GROUP_LEAVE ? V2_LEAVE : v1 ? V1_REPORT : V2_REPORT};
    memcpy(m + 4, &group, 4);
    transmit(i, m, sizeof m, what == GROUP_LEAVE ? htonl(INADDR_ALLRTRS_GROUP) : group);
    return;
  }
  uint8_t m[16] = {V3_REPORT, [7] = 1, (uint8_t)what};
  memcpy(m + 12, &group, 4);
  transmit(i, m, sizeof m, htonl(0xe0000016));
}

/* RFC 3376 4.1.1: above 127, mantissa and exponent. Tenths of a second. */
static unsigned max_response_ms(uint8_t code) {
  return (code < 128 ? code : (unsigned)((code & 15) | 16) << ((code >> 4 & 7) + 3)) * 100u;
}

static void igmp_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  uint8_t m[8];
  struct ip_dev *d = ip_dev_of(i->dev);
  if (!d || p->len < sizeof m || p->pkt_type == PACKET_LOOPBACK || csum_fold(pbuf_csum_add(p, 0, p->len, 0)))
    goto drop;
  pbuf_copy_out(p, 0, m, sizeof m);
  uint32_t group;
  memcpy(&group, m + 4, 4);
  struct in6_addr g = ip_from4(group);
  if (m[0] != QUERY || !i->multicast || (group && !ip_is_multicast(&g)))
    goto drop;
  unsigned max = max_response_ms(m[1]);
  if (p->len < 12) {
    if (m[1])
      d->igmp_v2_until = loop_now() + OLDER_QUERIER;
    else {
      d->igmp_v1_until = loop_now() + OLDER_QUERIER;
      max = 10000;
    }
    if (m[1] > 127) /* version 2 knows no exponent */
      max = m[1] * 100u;
  }
  ip_group_query(d, &g, false, max);
drop:
  pbuf_free(p);
}

const struct ip_proto ip_proto_igmp = {IPPROTO_IGMP, igmp_input, NULL};
