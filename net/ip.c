/* What both versions of the Internet protocol share: address helpers, the pseudo header, the table of protocols. */
#include "ip.h"
#include "../core/errno.h"
#include "dns_relay.h"
#include "ip_stack.h"
#include <sys/random.h>

bool ip_is_any(const struct in6_addr *a) {
  return ip_is4(a) ? !ip_get4(a) : IN6_IS_ADDR_UNSPECIFIED(a);
}

bool ip_is_multicast(const struct in6_addr *a) {
  return ip_is4(a) ? IN_MULTICAST(ntohl(ip_get4(a))) : IN6_IS_ADDR_MULTICAST(a);
}

bool ip_is_loopback(const struct in6_addr *a) {
  return ip_is4(a) ? a->s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(a);
}

bool ip_is_linklocal(const struct in6_addr *a) {
  return ip_is4(a) ? a->s6_addr[12] == 169 && a->s6_addr[13] == 254 : IN6_IS_ADDR_LINKLOCAL(a);
}

unsigned ip_scope_of(const struct in6_addr *a) {
  if (ip_is_loopback(a))
    return RT_SCOPE_HOST;
  return ip_is_linklocal(a) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

uint32_t ip_pseudo_sum(const struct in6_addr *src, const struct in6_addr *dst, uint8_t proto, uint32_t len) {
  uint32_t tail[2] = {htonl(len), htonl(proto)};
  /* IPv4's has 16 bits of length and the mapped prefix is no part of it; the sums of both are the same otherwise. */
  size_t from = ip_is4(dst) ? 12 : 0;
  uint32_t sum = csum_add(0, src->s6_addr + from, 16 - from);
  sum = csum_add(sum, dst->s6_addr + from, 16 - from);
  return csum_add(sum, tail, sizeof tail);
}

const struct ip_proto *ip_proto_find(uint8_t proto) {
  static const struct {
    uint8_t proto;
    const struct ip_proto *p;
  } table[] = {
      {IPPROTO_TCP, &ip_proto_tcp},   {IPPROTO_UDP, &ip_proto_udp},      {IPPROTO_UDPLITE, &ip_proto_udplite},
      {IPPROTO_ICMP, &ip_proto_icmp}, {IPPROTO_ICMPV6, &ip_proto_icmp6}, {IPPROTO_IGMP, &ip_proto_igmp},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].proto == proto)
      return table[i].p;
  return NULL;
}

/* ---- counters: IpExt of /proc/net/netstat, snmp6. Lengths are of the packet with its IP header. ---- */

void ip_count_in(struct ip_net *n, const struct pbuf *p, const struct ip_info *i) {
  struct ip_mib *m = &n->mib[!ip_is4(&i->dst)];
  m->in_octets += p->len;
  m->in_ecn[i->tos & 3]++;
  if (i->multicast) {
    m->in_mcast++;
    m->in_mcast_octets += p->len;
  } else if (i->broadcast) {
    m->in_bcast++;
    m->in_bcast_octets += p->len;
  }
}

void ip_count_out(struct ip_net *n, const struct pbuf *p, const struct ip_route *r, bool v6) {
  struct ip_mib *m = &n->mib[v6];
  m->out_requests++;
  m->out_octets += p->len;
  if (r->type == RTN_MULTICAST) {
    m->out_mcast++;
    m->out_mcast_octets += p->len;
  } else if (r->type == RTN_BROADCAST) {
    m->out_bcast++;
    m->out_bcast_octets += p->len;
  }
}

/*
 * To raw sockets, then to the protocol, which takes p over. final: nobody else may want it, so that an unknown protocol
 * is told to the sender.
 */
void ip_deliver(struct ip_net *n, struct pbuf *p, const struct ip_info *i, bool final) {
  bool v6 = !ip_is4(&i->dst), raw = ip_raw_deliver && ip_raw_deliver(n->ns, p, i);
  const struct ip_proto *proto = ip_proto_find(i->proto);
  /* ICMP and IGMP belong to IPv4, ICMPv6 to IPv6. */
  if (i->proto == (v6 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || (v6 && i->proto == IPPROTO_IGMP))
    proto = NULL;
  p->transport = p->data;
  if (dns_relay_input && net_stack_of(n->ns)->sub[NET_DNS] && dns_relay_input(n->ns, p, i))
    return;
  if (proto && proto->input) {
    n->mib[v6].in_delivers++;
    proto->input(n->ns, p, i);
    return;
  }
  if (!raw && final) {
    n->mib[v6].in_unknown_protos++;
    if (!v6)
      icmp4_send(n, p, 3, 2, 0); /* protocol unreachable */
    else
      icmp6_send(n, p, 4, 1, htonl((uint32_t)p->cb[1])); /* unrecognized next header: ip6_in.c says where */
  }
  pbuf_free(p);
}

int ip_output(struct net_namespace *ns, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  struct ip_net *n = ip_net_of(ns);
  if (!n || !r->dev) {
    pbuf_free(p);
    return -ENETUNREACH;
  }
  return ip_is4(&f->dst) ? ip4_output(n, p, f, r) : ip6_output(n, p, f, r);
}

int ip_send(struct ip_net *n, struct pbuf *p, const struct ip_flow *f) {
  struct ip_route r;
  int rc = ip_route_output(n->ns, f, &r);
  if (rc) {
    pbuf_free(p);
    return rc;
  }
  return ip_output(n->ns, p, f, &r);
}

/* Does every segment of a GSO packet fit, hlen being what lies before the transport header? */
int ip_gso_fits(const struct pbuf *p, uint8_t proto, unsigned hlen, unsigned mtu) {
  unsigned thlen = 8;
  if (p->linear < 8)
    return -EMSGSIZE;
  if (proto == IPPROTO_TCP)
    thlen = p->linear > 12 ? (p->data[12] >> 4) * 4u : 20;
  return hlen + thlen + p->gso_size > mtu ? -EMSGSIZE : 0;
}

unsigned ip_random(unsigned below) {
  uint32_t r = 0;
  if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
    r = (uint32_t)loop_now_exact() / 1000;
  return below ? r % below : 0;
}
