/* ICMP: RFC 792, RFC 1122 3.2.2, RFC 1812 4.3. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <time.h>

enum { ECHO_REPLY = 0, UNREACH = 3, ECHO = 8, TIME_EXCEEDED = 11, PARAM = 12, TIMESTAMP = 13, TIMESTAMP_REPLY = 14 };
#define ERROR_MAX 576u /* of a whole error message: RFC 1812 4.3.2.3 */

static bool is_error(uint8_t type) {
  return type == UNREACH || type == 4 || type == 5 || type == TIME_EXCEEDED || type == PARAM;
}

static int transmit(struct ip_net *n, struct pbuf *p, const struct ip_flow *f) {
  struct icmp_hdr *h = (struct icmp_hdr *)p->data;
  h->csum = 0;
  h->csum = csum_fold(pbuf_csum_add(p, 0, p->len, 0));
  p->csum = PB_CSUM_NONE;
  n->mib[0].icmp_out++;
  n->mib[0].icmp_out_type[h->type]++;
  return ip_send(n, p, f);
}

/* RFC 1122 3.2.2: no errors about errors, about what was sent to many or by nobody, about fragments but the first. */
static bool may_complain(struct ip_net *n, const struct pbuf *p, const struct ip4_hdr *h, uint32_t avail) {
  struct in6_addr src = ip_from4(h->src), dst = ip_from4(h->dst);
  unsigned hlen = (h->vihl & 15) * 4u;
  if (p->pkt_type != PACKET_HOST || (h->off & htons(IP4_OFFMASK)))
    return false;
  uint8_t to = ip_local_type(n, &dst), from = ip_local_type(n, &src);
  if (to == RTN_MULTICAST || to == RTN_BROADCAST || from == RTN_MULTICAST || from == RTN_BROADCAST)
    return false;
  if (!src.s6_addr[12] || src.s6_addr[12] >= 240)
    return false;
  if (h->proto == IPPROTO_ICMP) {
    if (avail <= hlen)
      return false;
    uint8_t type = ((const uint8_t *)h)[hlen];
    if (type > 18 || is_error(type))
      return false;
  }
  return true;
}

/* The packet from its IP header on, as far as it goes into an error. */
static uint32_t quote(const struct pbuf *p, uint8_t *to, uint32_t max) {
  uint32_t before = (uint32_t)(p->data - p->net), n = before < max ? before : max;
  memcpy(to, p->net, n);
  uint32_t more = p->len < max - n ? p->len : max - n;
  pbuf_copy_out(p, 0, to + n, more);
  return n + more;
}

void icmp4_send(struct ip_net *n, const struct pbuf *p, uint8_t type, uint8_t code, uint32_t arg) {
  uint8_t q[ERROR_MAX - IP4_HDR - 8];
  if (!p->net || p->net > p->data)
    return;
  uint32_t len = quote(p, q, sizeof q);
  const struct ip4_hdr *h = (const struct ip4_hdr *)q;
  if (len < IP4_HDR || (h->vihl & 15) * 4u > len || !may_complain(n, p, h, len))
    return;
  struct in6_addr to = ip_from4(h->src), dst = ip_from4(h->dst);
  if (!icmp_allowed(n, 0, type, &to))
    return;
  struct pbuf *e = pbuf_new(sizeof(struct icmp_hdr) + len);
  if (!e)
    return;
  *(struct icmp_hdr *)pbuf_put(e, sizeof(struct icmp_hdr)) = (struct icmp_hdr){.type = type, .code = code, .word = arg};
  memcpy(pbuf_put(e, len), q, len);
  struct ip_flow f = {.src = ip_local_type(n, &dst) == RTN_LOCAL ? dst : ip_from4(0),
                      .dst = to,
                      .proto = IPPROTO_ICMP,
                      .tos = (uint8_t)((h->tos & 0x1c) | 0xc0), /* internetwork control: RFC 1812 4.3.2.5 */
                      .ttl = -1,
                      .pmtudisc = IP_PMTUDISC_DONT};
  (void)transmit(n, e, &f);
}

/* ---- questions ---- */

/* The question becomes the answer: what it carries goes back as it is. */
static void reply(struct ip_net *n, struct pbuf *p, const struct ip_info *i, uint8_t type) {
  if (i->multicast || i->broadcast ? n->sysctl.echo_ignore_broadcasts : 0)
    goto drop;
  if (ip_is_any(&i->src) || !icmp_allowed(n, 0, type, &i->src))
    goto drop;
  struct pbuf *r = pbuf_new(p->len);
  if (!r)
    goto drop;
  pbuf_copy_out(p, 0, pbuf_put(r, p->len), p->len);
  struct icmp_hdr *h = (struct icmp_hdr *)r->data;
  h->type = type;
  h->code = 0;
  if (type == TIMESTAMP_REPLY) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    uint32_t ms = htonl((uint32_t)(ts.tv_sec % 86400 * 1000 + ts.tv_nsec / 1000000));
    memcpy(r->data + 12, &ms, 4);
    memcpy(r->data + 16, &ms, 4);
  }
  struct ip_flow f = {.src = i->multicast || i->broadcast ? ip_from4(0) : i->dst,
                      .dst = i->src,
                      .proto = IPPROTO_ICMP,
                      .tos = i->tos,
                      .ttl = -1,
                      .pmtudisc = IP_PMTUDISC_DONT,
                      .mark = 0};
  (void)transmit(n, r, &f);
drop:
  pbuf_free(p);
}

/* ---- errors about packets of ours ---- */

/* RFC 1122 4.2.3.9 and Linux's icmp_err_convert. */
static void convert_unreach(uint8_t code, struct ip_error *e) {
  static const struct {
    uint8_t err;
    bool fatal;
  } t[16] = {{ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
             {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
             {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
             {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true}};
  e->err = t[code & 15].err;
  e->fatal = t[code & 15].fatal;
}

static void error_in(struct ip_net *n, struct pbuf *p, const struct ip_info *i) {
  uint32_t len = p->len < 1500 ? p->len : 1500; /* enough for what anybody looks at */
  const struct icmp_hdr *h = (const struct icmp_hdr *)pbuf_linear(p, len);
  const struct ip4_hdr *q = h ? (const struct ip4_hdr *)(h + 1) : NULL;
  uint32_t have = len - (uint32_t)sizeof *h;
  if (!h || len < sizeof *h + IP4_HDR || q->vihl >> 4 != 4)
    goto bad;
  unsigned hlen = (q->vihl & 15) * 4u;
  if (hlen < IP4_HDR || have < hlen + 8 || (q->off & htons(IP4_OFFMASK)))
    goto bad;
  struct ip_error e = {.src = ip_from4(q->src),
                       .dst = ip_from4(q->dst),
                       .offender = i->src,
                       .origin = SO_EE_ORIGIN_ICMP,
                       .type = h->type,
                       .code = h->code,
                       .err = EHOSTUNREACH,
                       .outer = i};
  /* It must be about a packet that we can have sent, from where we sent it. */
  if (ip_local_type(n, &e.src) != RTN_LOCAL || (h->type == UNREACH && h->code > 15))
    goto bad;
  if (h->type == UNREACH)
    convert_unreach(h->code, &e);
  else if (h->type == PARAM) {
    e.err = EPROTO;
    e.fatal = true;
    e.info = ntohl(h->word) >> 24;
  }
  if (h->type == UNREACH && h->code == 4) {
    unsigned sent = ntohs(q->len);
    (void)ip_pmtu_update(n, &e.dst, ntohs(h->frag.mtu), sent);
    e.mtu = ip_pmtu_get(n, &e.dst);
    e.mtu = e.mtu ? e.mtu : ntohs(h->frag.mtu);
  }
  icmp_deliver_error(n, q->proto, &e, (const uint8_t *)q + hlen, have - hlen);
  pbuf_free(p);
  return;
bad:
  n->mib[0].icmp_in_errors++;
  pbuf_free(p);
}

static void icmp_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  struct ip_net *n = ip_net_of(ns);
  n->mib[0].icmp_in++;
  const struct icmp_hdr *h = p->len >= sizeof *h ? (const struct icmp_hdr *)pbuf_linear(p, sizeof *h) : NULL;
  if (!h || (p->csum == PB_CSUM_NONE && csum_fold(pbuf_csum_add(p, 0, p->len, 0)))) {
    n->mib[0].icmp_in_csum_errors += !!h;
    n->mib[0].icmp_in_errors++;
    pbuf_free(p);
    return;
  }
  n->mib[0].icmp_in_type[h->type]++;
  if (is_error(h->type) && h->type != 4 && h->type != 5) /* quench: RFC 6633; redirects: a host with one way out */
    error_in(n, p, i);
  else if (h->type == ECHO && !n->sysctl.echo_ignore_all)
    reply(n, p, i, ECHO_REPLY);
  else if (h->type == TIMESTAMP && p->len >= 20)
    reply(n, p, i, TIMESTAMP_REPLY);
  else if (h->type == ECHO_REPLY && ip_ping_input)
    ip_ping_input(ns, p, i);
  else
    pbuf_free(p);
}

/* Errors about echo requests of ping sockets. */
static void icmp_error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  if (ip_ping_error && quoted[0] == ECHO)
    ip_ping_error(ns, e, quoted, len);
}

const struct ip_proto ip_proto_icmp = {IPPROTO_ICMP, icmp_input, icmp_error};
