/* ICMPv6: RFC 4443. Neighbour discovery and multicast listeners have files of their own. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/errqueue.h>
#include <linux/if_packet.h>

enum { UNREACH = 1, TOO_BIG = 2, TIME_EXCEEDED = 3, PARAM = 4, ECHO = 128, ECHO_REPLY = 129, REDIRECT = 137 };
#define ERROR_MAX 1280u /* RFC 4443 2.4 c */

/* Over the extension headers of a quoted packet: where its transport begins, 0 if that is not to be seen. */
static uint32_t transport_at(const uint8_t *q, uint32_t len, uint8_t *proto) {
  uint32_t at = IP6_HDR;
  *proto = q[6];
  for (int i = 0; i < IP6_EXT_MAX; i++) {
    if (*proto != IPPROTO_HOPOPTS && *proto != IPPROTO_DSTOPTS && *proto != IPPROTO_ROUTING &&
        *proto != IPPROTO_FRAGMENT)
      return at;
    if (len < at + 8)
      return 0;
    bool frag = *proto == IPPROTO_FRAGMENT;
    if (frag && ((q[at + 2] << 8 | q[at + 3]) & 0xfff8))
      return 0;
    *proto = q[at];
    at += frag ? 8 : (q[at + 1] + 1u) * 8;
  }
  return 0;
}

/* RFC 4443 2.4 e. */
static bool may_complain(const struct pbuf *p, const uint8_t *q, uint32_t len, uint8_t type, uint8_t code) {
  struct in6_addr src, dst;
  memcpy(&src, q + 8, 16);
  memcpy(&dst, q + 24, 16);
  bool many = p->pkt_type != PACKET_HOST || IN6_IS_ADDR_MULTICAST(&dst);
  if (many && type != TOO_BIG && !(type == PARAM && code == 2))
    return false;
  if (IN6_IS_ADDR_MULTICAST(&src) || IN6_IS_ADDR_UNSPECIFIED(&src))
    return false;
  uint8_t proto;
  uint32_t at = transport_at(q, len, &proto);
  if (at && proto == IPPROTO_ICMPV6 && (at >= len || q[at] < 128 || q[at] == REDIRECT))
    return false;
  return at || type == TOO_BIG || type == PARAM || type == TIME_EXCEEDED;
}

static int transmit(struct ip_net *n, struct pbuf *p, const struct ip_flow *f) {
  struct ip_route r;
  struct icmp_hdr *h = (struct icmp_hdr *)p->data;
  int rc = ip_route_output(n->ns, f, &r);
  if (rc) {
    pbuf_free(p);
    return rc;
  }
  h->csum = 0;
  uint32_t sum = ip_pseudo_sum(&r.src, &f->dst, IPPROTO_ICMPV6, p->len);
  h->csum = csum_fold(pbuf_csum_add(p, 0, p->len, sum));
  p->csum = PB_CSUM_NONE;
  n->mib[1].icmp_out++;
  n->mib[1].icmp_out_type[h->type]++;
  return ip_output(n->ns, p, f, &r);
}

void icmp6_send(struct ip_net *n, const struct pbuf *p, uint8_t type, uint8_t code, uint32_t arg) {
  uint8_t q[ERROR_MAX - IP6_HDR - sizeof(struct icmp_hdr)];
  if (!p->net || p->net > p->data)
    return;
  uint32_t before = (uint32_t)(p->data - p->net), len = before < sizeof q ? before : (uint32_t)sizeof q;
  memcpy(q, p->net, len);
  uint32_t more = p->len < sizeof q - len ? p->len : (uint32_t)sizeof q - len;
  pbuf_copy_out(p, 0, q + len, more);
  len += more;
  if (len < IP6_HDR || !may_complain(p, q, len, type, code))
    return;
  struct in6_addr to, dst;
  memcpy(&to, q + 8, 16);
  memcpy(&dst, q + 24, 16);
  if (!icmp_allowed(n, 1, type, &to))
    return;
  struct pbuf *e = pbuf_new(sizeof(struct icmp_hdr) + len);
  if (!e)
    return;
  *(struct icmp_hdr *)pbuf_put(e, sizeof(struct icmp_hdr)) = (struct icmp_hdr){.type = type, .code = code, .word = arg};
  memcpy(pbuf_put(e, len), q, len);
  struct ip_flow f = {.dst = to, .proto = IPPROTO_ICMPV6, .ttl = -1};
  if (ip_local_type(n, &dst) == RTN_LOCAL)
    f.src = dst;
  if (ip_is_linklocal(&to) && p->dev)
    f.oif = p->dev->ifindex;
  (void)transmit(n, e, &f);
}

static void echo(struct ip_net *n, struct pbuf *p, const struct ip_info *i) {
  struct pbuf *r = NULL;
  if (!n->sysctl.echo6_ignore_all && !ip_is_any(&i->src) && icmp_allowed(n, 1, ECHO_REPLY, &i->src))
    r = pbuf_new(p->len);
  if (r) {
    pbuf_copy_out(p, 0, pbuf_put(r, p->len), p->len);
    ((struct icmp_hdr *)r->data)->type = ECHO_REPLY;
    struct ip_flow f = {.dst = i->src, .proto = IPPROTO_ICMPV6, .ttl = -1};
    if (!i->multicast)
      f.src = i->dst;
    if (ip_is_linklocal(&i->src))
      f.oif = i->dev->ifindex;
    (void)transmit(n, r, &f);
  }
  pbuf_free(p);
}

static void convert(struct ip_error *e) {
  static const struct {
    uint8_t err;
    bool fatal;
  } unreach[7] = {{ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
                  {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true}};
  e->err = EPROTO;
  if (e->type == UNREACH) {
    e->fatal = true;
    if (e->code < 7) {
      e->err = unreach[e->code].err;
      e->fatal = unreach[e->code].fatal;
    }
  } else if (e->type == TOO_BIG)
    e->err = EMSGSIZE;
  else if (e->type == TIME_EXCEEDED)
    e->err = EHOSTUNREACH;
  else
    e->fatal = true;
}

static void error_in(struct ip_net *n, struct pbuf *p, const struct ip_info *i) {
  uint32_t len = p->len < 1500 ? p->len : 1500;
  const struct icmp_hdr *h = (const struct icmp_hdr *)pbuf_linear(p, len);
  const uint8_t *q = h ? (const uint8_t *)(h + 1) : NULL;
  uint8_t proto;
  uint32_t have = len - (uint32_t)sizeof *h, at;
  if (!h || have < IP6_HDR || *q >> 4 != 6 || !(at = transport_at(q, have, &proto)) || have < at + 8)
    goto bad;
  struct ip_error e = {.offender = i->src, .origin = SO_EE_ORIGIN_ICMP6, .type = h->type, .code = h->code, .outer = i};
  memcpy(&e.src, q + 8, 16);
  memcpy(&e.dst, q + 24, 16);
  if (ip_local_type(n, &e.src) != RTN_LOCAL || ip_is4(&e.dst))
    goto bad;
  convert(&e);
  if (h->type == TOO_BIG) {
    (void)ip_pmtu_update(n, &e.dst, ntohl(h->word), 0);
    e.mtu = ip_pmtu_get(n, &e.dst);
    e.mtu = e.mtu ? e.mtu : ntohl(h->word);
  }
  icmp_deliver_error(n, proto, &e, q + at, have - at);
  pbuf_free(p);
  return;
bad:
  n->mib[1].icmp_in_errors++;
  pbuf_free(p);
}

static bool sum_ok(const struct pbuf *p, const struct ip_info *i) {
  return p->csum != PB_CSUM_NONE ||
         !csum_fold(pbuf_csum_add(p, 0, p->len, ip_pseudo_sum(&i->src, &i->dst, IPPROTO_ICMPV6, p->len)));
}

static void icmp6_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  struct ip_net *n = ip_net_of(ns);
  n->mib[1].icmp_in++;
  const struct icmp_hdr *h = p->len >= sizeof *h ? (const struct icmp_hdr *)pbuf_linear(p, sizeof *h) : NULL;
  if (!h || !sum_ok(p, i)) {
    n->mib[1].icmp_in_csum_errors += !!h;
    n->mib[1].icmp_in_errors++;
    pbuf_free(p);
    return;
  }
  n->mib[1].icmp_in_type[h->type]++;
  if (h->type >= UNREACH && h->type <= PARAM)
    error_in(n, p, i);
  else if (h->type == ECHO)
    echo(n, p, i);
  else if (h->type == ECHO_REPLY && ip_ping_input)
    ip_ping_input(ns, p, i);
  else if (h->type >= 133 && h->type <= REDIRECT)
    ndp_input(n, p, i);
  else if (h->type >= 130 && h->type <= 132)
    mld_input(n, p, i);
  else
    pbuf_free(p);
}

static void icmp6_error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  if (ip_ping_error && quoted[0] == ECHO)
    ip_ping_error(ns, e, quoted, len);
}

const struct ip_proto ip_proto_icmp6 = {IPPROTO_ICMPV6, icmp6_input, icmp6_error};
