/* Receiving IPv4: RFC 791, RFC 1122 3.2. Everything here is what somebody on the network chose to send. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

/* The header is whole, linear and right; p is cut to the length that it says. */
static bool header_ok(struct pbuf *p, struct ip_mib *m) {
  struct ip4_hdr *h = p->len >= IP4_HDR ? (struct ip4_hdr *)pbuf_linear(p, IP4_HDR) : NULL;
  if (!h || h->vihl >> 4 != 4)
    return false;
  unsigned hlen = (h->vihl & 15) * 4u, len = ntohs(h->len);
  if (hlen < IP4_HDR || len < hlen || !pbuf_linear(p, hlen))
    return false;
  if (csum_fold(csum_add(0, p->data, hlen))) {
    m->in_csum_errors++;
    return false;
  }
  if (len > p->len) {
    m->in_truncated++;
    return false;
  }
  if (p->len > len)
    pbuf_trim(p, len); /* the link's padding */
  p->net = p->data;
  return true;
}

/* RFC 1122 3.2.1.8: well formed, and no source routes. False with *bad: where the error is. */
static bool options_ok(const uint8_t *h, unsigned hlen, unsigned *bad) {
  *bad = 0;
  for (unsigned i = IP4_HDR; i < hlen;) {
    if (!h[i])
      return true; /* end of list */
    if (h[i] == 1) {
      i++;
      continue;
    }
    unsigned n = i + 1 < hlen ? h[i + 1] : 0;
    if (n < 2 || n > hlen - i) {
      *bad = i;
      return false;
    }
    if (h[i] == 131 || h[i] == 137) /* loose, strict source route: accept_source_route is off */
      return false;
    i += n;
  }
  return true;
}

/* Addresses that cannot be a source, RFC 1122 3.2.1.3; and our own, unless it is our own doing. */
static bool source_ok(struct ip_net *n, const struct pbuf *p, const struct ip_info *i) {
  const struct ip_dev *id = ip_dev_of(i->dev);
  uint8_t first = i->src.s6_addr[12];
  if (ip_is_multicast(&i->src) || ip_get4(&i->src) == INADDR_BROADCAST)
    return false;
  if (!first) /* "this host on this network": whoever asks for an address; IGMP queries from 0.0.0.0 */
    return ip_is_any(&i->src) && (i->broadcast || i->multicast);
  if (i->dev->flags & IFF_LOOPBACK || p->pkt_type == PACKET_LOOPBACK)
    return true;
  if ((first == 127 || i->dst.s6_addr[12] == 127) && !id->conf.route_localnet)
    return false;
  uint8_t type = ip_local_type(n, &i->src);
  return type == RTN_UNICAST || (type == RTN_LOCAL && id->conf.accept_local);
}

/* RFC 3704 2.2, 2.4: is there a way back, and does it leave by the device that the packet came in on? */
static bool way_back_ok(struct ip_net *n, const struct ip_info *i) {
  int mode = IP_CONF_MAX(n, ip_dev_of(i->dev), rp_filter);
  const struct ip_rt_entry *e;
  if (!mode || i->dev->flags & IFF_LOOPBACK || ip_is_any(&i->src))
    return true;
  if (!ip_route_resolve(n, &i->src, 0, 0, &e) && (mode == 2 || e->oif == i->dev->ifindex || e->type != RTN_UNICAST))
    return true;
  n->mib[0].rp_filter++;
  return false;
}

/* For us, and as what? Multicast: groups of the device, all hosts always. */
static uint8_t classify(struct ip_net *n, struct ip_info *i) {
  uint8_t type = ip_local_type(n, &i->dst);
  i->broadcast = type == RTN_BROADCAST;
  i->multicast = type == RTN_MULTICAST;
  if (type == RTN_MULTICAST && !(i->dev->flags & IFF_ALLMULTI) && i->dst.s6_addr32[3] != htonl(INADDR_ALLHOSTS_GROUP) &&
      !ip_group_member(i->dev, &i->dst))
    return RTN_BLACKHOLE;
  if (i->broadcast && ip_is_any(&i->dst))
    return RTN_BLACKHOLE;
  return type;
}

/* A fragment: NULL until the datagram is whole. */
static struct pbuf *reassemble(struct ip_net *n, struct pbuf *p, struct ip_info *i, unsigned hlen) {
  const struct ip4_hdr *h = (const struct ip4_hdr *)p->net;
  uint16_t off = ntohs(h->off);
  struct frag_piece f = {i->src, i->dst, h->id, h->proto, (off & IP4_OFFMASK) * 8u, off & IP4_MF, h->tos & 3, 0};
  uint8_t next, ecn;
  n->mib[0].reasm_reqds++;
  pbuf_pull(p, hlen);
  p = ip_frag_add(n, p, &f, &next, &ecn);
  if (!p)
    return NULL;
  struct ip4_hdr *w = (struct ip4_hdr *)p->net;
  unsigned whl = (unsigned)(p->data - p->net);
  if (whl + p->len > 65535) { /* longer than any header can say */
    n->mib[0].in_hdr_errors++;
    pbuf_free(p);
    return NULL;
  }
  w->len = htons((uint16_t)(whl + p->len));
  w->off = 0;
  w->tos = (uint8_t)((w->tos & ~3u) | ecn);
  ip4_hdr_csum(w);
  i->tos = w->tos;
  i->ttl = w->ttl;
  return p;
}

static void deliver(struct ip_net *n, struct pbuf *p, struct ip_info *i) {
  const struct ip4_hdr *h = (const struct ip4_hdr *)p->net;
  unsigned hlen = (h->vihl & 15) * 4u;
  if (h->off & htons(IP4_MF | IP4_OFFMASK))
    p = reassemble(n, p, i, hlen);
  else
    pbuf_pull(p, hlen);
  if (p)
    ip_deliver(n, p, i, true);
}

void ip4_rx(struct netdev *d, struct pbuf *p) {
  struct ip_net *n = ip_net_of(d->ns);
  unsigned bad;
  if (!n || !ip_dev_of(d)) {
    pbuf_free(p);
    return;
  }
  n->mib[0].in_receives++;
  if (!header_ok(p, &n->mib[0])) {
    n->mib[0].in_hdr_errors++;
    pbuf_free(p);
    return;
  }
  const struct ip4_hdr *h = (const struct ip4_hdr *)p->data;
  struct ip_info i = {
      .src = ip_from4(h->src), .dst = ip_from4(h->dst), .proto = h->proto, .tos = h->tos, .ttl = h->ttl, .dev = d};
  uint8_t type = classify(n, &i);
  ip_count_in(n, p, &i);
  if (!source_ok(n, p, &i) || !way_back_ok(n, &i) || type == RTN_BLACKHOLE) {
    n->mib[0].in_addr_errors++;
    pbuf_free(p);
    return;
  }
  if (!options_ok(p->data, (h->vihl & 15) * 4u, &bad)) {
    n->mib[0].in_hdr_errors++;
    if (bad)
      icmp4_send(n, p, 12, 0, htonl(bad << 24));
    pbuf_free(p);
    return;
  }
  if (type != RTN_UNICAST)
    deliver(n, p, &i);
  else if (n->sysctl.forward4)
    ip_forward(n, p, &i.src, &i.dst);
  else {
    n->mib[0].in_addr_errors++;
    pbuf_free(p);
  }
}
