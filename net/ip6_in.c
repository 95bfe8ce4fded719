/* Receiving IPv6: RFC 8200. Extension headers are walked with bounds on their number, length and options (RFC
 * 8504 5.3); routing headers with segments left (RFC 5095) and jumbograms are refused. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

static bool header_ok(struct pbuf *p) {
  struct ip6_hdr_wire *h = p->len >= IP6_HDR ? (struct ip6_hdr_wire *)pbuf_linear(p, IP6_HDR) : NULL;
  if (!h || *p->data >> 4 != 6)
    return false;
  unsigned plen = ntohs(h->plen);
  if (plen > p->len - IP6_HDR || !plen) /* no payload: a jumbogram, or nothing to do */
    return false;
  pbuf_trim(p, IP6_HDR + plen);
  p->net = p->data;
  return true;
}

static bool addresses_ok(const struct pbuf *p, const struct ip_info *i) {
  bool inside = i->dev->flags & IFF_LOOPBACK || p->pkt_type == PACKET_LOOPBACK;
  if (IN6_IS_ADDR_MULTICAST(&i->src) || IN6_IS_ADDR_UNSPECIFIED(&i->dst))
    return false;
  if (ip_is4(&i->src) || ip_is4(&i->dst)) /* mapped addresses are not for the wire: RFC 4038 4.2 */
    return false;
  if (!inside && (IN6_IS_ADDR_LOOPBACK(&i->src) || IN6_IS_ADDR_LOOPBACK(&i->dst)))
    return false;
  return !(i->multicast && !inside && (i->dst.s6_addr[1] & 15) <= 1); /* interface-local */
}

static uint8_t classify(struct ip_net *n, const struct ip_info *i) {
  if (i->multicast) {
    static const struct in6_addr all_nodes = {.s6_addr = {0xff, 2, [15] = 1}};
    return ip_same(&i->dst, &all_nodes) || ip_group_member(i->dev, &i->dst) || i->dev->flags & IFF_ALLMULTI
               ? RTN_MULTICAST
               : RTN_BLACKHOLE;
  }
  uint8_t type = ip_local_type(n, &i->dst);
  if (type == RTN_LOCAL && ip_is_linklocal(&i->dst) && !(i->dev->flags & IFF_LOOPBACK) &&
      !ip_addr_find(ip_dev_of(i->dev), &i->dst))
    return RTN_BLACKHOLE;
  return type;
}

/* ---- extension headers ---- */

struct walk {
  uint8_t next;
  uint32_t next_at; /* where in the packet that was said: for errors */
  unsigned headers, bytes;
  bool fragment; /* reassembled already */
};

static void problem(struct ip_net *n, const struct pbuf *p, uint8_t code, uint32_t at) {
  n->mib[1].in_hdr_errors++;
  icmp6_send(n, p, 4, code, htonl(at));
}

/* RFC 8200 4.2: the upper bits of an option that we do not know say what to do. */
static bool unknown_option(struct ip_net *n, const struct pbuf *p, const struct ip_info *i, uint8_t type, uint32_t at) {
  if (!(type >> 6))
    return true;
  if (type >> 6 == 2 || (type >> 6 == 3 && !i->multicast))
    problem(n, p, 2, at);
  return false;
}

/* The options of a header at p->data, len bytes long. False: drop the packet. */
static bool options_ok(struct ip_net *n, const struct pbuf *p, const struct ip_info *i, unsigned len, bool hop) {
  const uint8_t *o = p->data;
  uint32_t base = (uint32_t)(p->data - p->net);
  unsigned count = 0;
  for (unsigned at = 2; at < len;) {
    if (!o[at]) { /* Pad1 */
      at++;
      continue;
    }
    if (at + 2 > len || o[at + 1] > len - at - 2)
      return false;
    if (o[at] != 1 && ++count > IP6_OPTIONS_MAX)
      return false;
    /* PadN, router alert (RFC 2711), tunnel limit: nothing to do. */
    if (o[at] != 1 && !(hop && o[at] == 5) && !(!hop && o[at] == 4) && !unknown_option(n, p, i, o[at], base + at))
      return false;
    at += 2u + o[at + 1];
  }
  return true;
}

/* The header at p->data is whole and linear: its length, 0 if not. */
static unsigned take(struct pbuf *p, struct walk *w) {
  if (++w->headers > IP6_EXT_MAX || p->len < 8 || !pbuf_linear(p, 8))
    return 0;
  unsigned len = w->next == IPPROTO_FRAGMENT ? 8 : (p->data[1] + 1u) * 8;
  w->bytes += len;
  if (w->bytes > IP6_EXT_BYTES_MAX || len > p->len || !pbuf_linear(p, len))
    return 0;
  return len;
}

static void skip(struct pbuf *p, struct walk *w, unsigned len) {
  w->next_at = (uint32_t)(p->data - p->net);
  w->next = p->data[0];
  pbuf_pull(p, len);
}

/* At a fragment header. The datagram, when it is whole: its headers without the fragment header. */
static struct pbuf *reassemble(struct ip_net *n, struct pbuf *p, struct ip_info *i, struct walk *w) {
  struct ip6_frag_hdr fh;
  memcpy(&fh, p->data, sizeof fh);
  uint16_t off = ntohs(fh.off);
  if (!(off & 0xfff9)) { /* RFC 6946: all of it */
    skip(p, w, sizeof fh);
    return p;
  }
  struct frag_piece f = {i->src, i->dst, fh.id, 0, off & 0xfff8u, off & 1, i->tos & 3, fh.next};
  uint8_t next, ecn;
  n->mib[1].reasm_reqds++;
  pbuf_pull(p, sizeof fh);
  p = ip_frag_add(n, p, &f, &next, &ecn);
  if (!p)
    return NULL;
  uint32_t before = (uint32_t)(p->data - p->net) - (uint32_t)sizeof fh;
  memmove(p->net + sizeof fh, p->net, before);
  p->net += sizeof fh;
  p->net[w->next_at < before ? w->next_at : 6] = next;
  struct ip6_hdr_wire *h = (struct ip6_hdr_wire *)p->net;
  uint32_t plen = before - IP6_HDR + p->len;
  if (before < IP6_HDR || plen > 65535) {
    pbuf_free(p);
    return NULL;
  }
  h->plen = htons((uint16_t)plen);
  i->tos = (uint8_t)((i->tos & ~3u) | ecn);
  p->net[1] = (uint8_t)((p->net[1] & 0xcf) | ecn << 4); /* the lower bits of the traffic class */
  w->next = next;
  return p;
}

/* A routing header is passed over once it has been followed to its end. */
static bool routing_ok(struct ip_net *n, const struct pbuf *p) {
  if (!p->data[3])
    return true;
  problem(n, p, 0, (uint32_t)(p->data - p->net) + 2);
  return false;
}

/* Up to the first header that is none of ours. NULL: p is gone. */
static struct pbuf *walk(struct ip_net *n, struct pbuf *p, struct ip_info *i, struct walk *w) {
  for (;;) {
    bool hop = w->next == IPPROTO_HOPOPTS, ok = true;
    unsigned len;
    switch (w->next) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_DSTOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_FRAGMENT:
      break;
    default:
      return p;
    }
    if (hop && w->headers) { /* only the first may be one */
      problem(n, p, 1, w->next_at);
      goto drop;
    }
    len = take(p, w);
    if (!len)
      goto drop;
    if (w->next == IPPROTO_FRAGMENT) {
      if (w->fragment)
        goto drop;
      w->fragment = true;
      p = reassemble(n, p, i, w);
      if (!p)
        return NULL;
      continue;
    }
    ok = w->next == IPPROTO_ROUTING ? routing_ok(n, p) : options_ok(n, p, i, len, hop);
    if (!ok)
      goto drop;
    skip(p, w, len);
  }
drop:
  n->mib[1].in_hdr_errors++;
  pbuf_free(p);
  return NULL;
}

void ip6_rx(struct netdev *d, struct pbuf *p) {
  struct ip_net *n = ip_net_of(d->ns);
  struct ip_dev *id = ip_dev_of(d);
  if (!n || !id || id->conf.disable_ipv6) {
    pbuf_free(p);
    return;
  }
  n->mib[1].in_receives++;
  if (!header_ok(p)) {
    n->mib[1].in_hdr_errors++;
    pbuf_free(p);
    return;
  }
  struct ip6_hdr_wire h;
  memcpy(&h, p->data, sizeof h);
  struct ip_info i = {.src = h.src,
                      .dst = h.dst,
                      .tos = (uint8_t)(ntohl(h.vtf) >> 20),
                      .ttl = h.hops,
                      .dev = d,
                      .multicast = IN6_IS_ADDR_MULTICAST(&h.dst)};
  ip_count_in(n, p, &i);
  uint8_t type = addresses_ok(p, &i) ? classify(n, &i) : RTN_BLACKHOLE;
  if (type == RTN_UNICAST && n->sysctl.forward6) {
    ip_forward(n, p, &i.src, &i.dst);
    return;
  }
  if (type != RTN_LOCAL && type != RTN_MULTICAST) {
    n->mib[1].in_addr_errors++;
    pbuf_free(p);
    return;
  }
  struct walk w = {.next = h.next, .next_at = 6};
  pbuf_pull(p, IP6_HDR);
  p = walk(n, p, &i, &w);
  if (!p)
    return;
  if (w.next == IPPROTO_NONE) {
    pbuf_free(p);
    return;
  }
  i.proto = w.next;
  p->cb[1] = w.next_at;
  ip_deliver(n, p, &i, true);
}
