/*
 * Forwarding between devices, both versions: RFC 1812 5.2, RFC 8200, when net.ipv4.ip_forward or net.ipv6.conf.all.
 * forwarding is set. Redirects are never sent (send_redirects is off): our own bridge or veth is the only link that
 * both could be on.
 */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

static bool take_hop(struct pbuf *p, bool v4) {
  uint8_t *ttl = v4 ? &((struct ip4_hdr *)p->data)->ttl : &((struct ip6_hdr_wire *)p->data)->hops;
  if (*ttl <= 1)
    return false;
  --*ttl;
  if (v4)
    ip4_hdr_csum((struct ip4_hdr *)p->data);
  return true;
}

/* Linux's ip_error() and ip6_pkt_drop(): a blackhole says nothing. */
static void no_route(struct ip_net *n, const struct pbuf *p, bool v4, int err) {
  n->mib[!v4].in_no_routes += err == -ENETUNREACH;
  switch (err) {
  case -ENETUNREACH:
    v4 ? icmp4_send(n, p, 3, 0, 0) : icmp6_send(n, p, 1, 0, 0);
    break;
  case -EHOSTUNREACH:
    v4 ? icmp4_send(n, p, 3, 1, 0) : icmp6_send(n, p, 1, 3, 0);
    break;
  case -EACCES:
    v4 ? icmp4_send(n, p, 3, 13, 0) : icmp6_send(n, p, 1, 1, 0);
    break;
  default:
    break;
  }
}

/* Who may not be forwarded, whatever the routes say. */
static bool may_travel(struct ip_net *n, const struct pbuf *p, const struct in6_addr *src, const struct in6_addr *dst) {
  if (p->pkt_type != PACKET_HOST || ip_is_loopback(dst) || ip_is_loopback(src) || ip_is_any(src))
    return false;
  if (ip_is4(dst))
    return true;
  if (ip_is_linklocal(src)) /* RFC 4443 3.1: beyond the scope of the source */
    icmp6_send(n, p, 1, 2, 0);
  return !ip_is_linklocal(src) && !ip_is_linklocal(dst);
}

static bool fits(struct pbuf *p, bool v4, unsigned mtu) {
  unsigned hlen = v4 ? (*p->data & 15) * 4u : IP6_HDR;
  uint8_t proto = v4 ? ((struct ip4_hdr *)p->data)->proto : ((struct ip6_hdr_wire *)p->data)->next;
  if (!p->gso)
    return p->len <= mtu;
  pbuf_pull(p, hlen);
  bool yes = !ip_gso_fits(p, proto, hlen, mtu);
  pbuf_push(p, hlen);
  return yes;
}

/* p is at its IP header, which has been checked. Errors quote it as it came. */
void ip_forward(struct ip_net *n, struct pbuf *p, const struct in6_addr *src, const struct in6_addr *dst) {
  bool v4 = ip_is4(dst);
  struct ip_route r;
  struct ip_flow f = {.src = *src, .dst = *dst, .freebind = true, .tos = v4 ? p->data[1] : 0};
  if (!may_travel(n, p, src, dst)) {
    n->mib[!v4].in_addr_errors++;
    goto drop;
  }
  int rc = ip_route_output(n->ns, &f, &r);
  if (rc || r.type != RTN_UNICAST) {
    n->mib[!v4].in_addr_errors += !rc;
    no_route(n, p, v4, rc);
    goto drop;
  }
  if ((v4 ? ((struct ip4_hdr *)p->data)->ttl : ((struct ip6_hdr_wire *)p->data)->hops) <= 1) {
    n->mib[!v4].in_hdr_errors++;
    v4 ? icmp4_send(n, p, 11, 0, 0) : icmp6_send(n, p, 3, 0, 0);
    goto drop;
  }
  bool df = !v4 || (((struct ip4_hdr *)p->data)->off & htons(IP4_DF)), whole = fits(p, v4, r.mtu);
  if (!whole && (df || p->gso)) {
    n->mib[!v4].frag_fails++;
    v4 ? icmp4_send(n, p, 3, 4, htonl(r.mtu & 0xffff)) : icmp6_send(n, p, 2, 0, htonl(r.mtu));
    goto drop;
  }
  if (p->csum == PB_CSUM_PARTIAL) /* a frame's offsets become the packet's */
    p->csum_start -= (uint16_t)(p->mac ? p->data - p->mac : 0);
  if (!take_hop(p, v4) || (!whole && csum_complete(p)))
    goto drop;
  n->mib[!v4].forwarded++;
  n->mib[!v4].out_octets += p->len;
  if (whole)
    (void)ip_link_output(p, &r, dst);
  else
    (void)ip4_fragment(n, p, dst, &r);
  return;
drop:
  pbuf_free(p);
}
