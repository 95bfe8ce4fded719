/* Sending IPv6: RFC 8200; fragments are made by the source only (4.5). */
#include "../core/errno.h"
#include "ip_stack.h"

/* How much of what follows the IPv6 header every fragment repeats: a hop-by-hop header. */
static unsigned unfragmentable(const struct pbuf *p) {
  const struct ip6_hdr_wire *h = (const struct ip6_hdr_wire *)p->data;
  if (h->next != IPPROTO_HOPOPTS || p->linear < IP6_HDR + 8)
    return IP6_HDR;
  unsigned n = IP6_HDR + (p->data[IP6_HDR + 1] + 1u) * 8;
  return n <= p->linear ? n : IP6_HDR;
}

static int fragment(struct ip_net *n, struct pbuf *p, const struct in6_addr *src, const struct in6_addr *dst,
                    struct ip_route *r) {
  unsigned fixed = unfragmentable(p), hlen = fixed + sizeof(struct ip6_frag_hdr);
  uint32_t room = r->mtu > hlen + 8 ? (r->mtu - hlen) & ~7u : 0, total = p->len - fixed;
  uint32_t id = ip_next_id(n, src, dst, 0);
  uint8_t *next = fixed > IP6_HDR ? p->data + IP6_HDR : p->data + 6, first = *next;
  *next = IPPROTO_FRAGMENT;
  int rc = room ? 0 : -EMSGSIZE;
  for (uint32_t off = 0; !rc && off < total; off += room) {
    uint32_t part = total - off < room ? total - off : room;
    struct pbuf *f = pbuf_new(hlen + part);
    if (!f) {
      rc = -ENOBUFS;
      break;
    }
    pbuf_copy_out(p, 0, pbuf_put(f, fixed), fixed);
    struct ip6_frag_hdr fh = {first, 0, htons((uint16_t)(off | (off + part < total))), htonl(id)};
    memcpy(pbuf_put(f, sizeof fh), &fh, sizeof fh);
    pbuf_copy_out(p, fixed + off, pbuf_put(f, part), part);
    ((struct ip6_hdr_wire *)f->data)->plen = htons((uint16_t)(f->len - IP6_HDR));
    f->mark = p->mark;
    n->mib[1].frag_creates++;
    rc = ip_link_output(f, r, dst);
  }
  n->mib[1].frag_oks += !rc;
  n->mib[1].frag_fails += !!rc;
  pbuf_free(p);
  return rc;
}

static bool push_header(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, const struct ip_route *r,
                        const struct in6_addr *dst) {
  unsigned hlen = IP6_HDR + f->options_len;
  uint8_t *at = pbuf_push(p, hlen);
  if (!at)
    return false;
  if (p->csum == PB_CSUM_PARTIAL)
    p->csum_start += (uint16_t)hlen;
  struct ip6_hdr_wire h = {.vtf = htonl(6u << 28 | (uint32_t)f->tos << 20 | (f->flow_label & 0xfffff)),
                           .plen = htons((uint16_t)(p->len - IP6_HDR)),
                           .next = f->options_len ? f->options_proto : f->proto,
                           .src = r->src,
                           .dst = *dst};
  h.hops = (uint8_t)(f->ttl >= 0 ? f->ttl : r->type == RTN_MULTICAST ? 1 : n->sysctl.hop_limit);
  memcpy(at, &h, sizeof h);
  if (f->options_len)
    memcpy(at + IP6_HDR, f->options, f->options_len);
  return true;
}

/* IPV6_HDRINCL: the header is there already. */
static int output_hdrincl(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  int rc = p->len < IP6_HDR || !pbuf_linear(p, IP6_HDR) ? -EINVAL : p->len > r->mtu ? -EMSGSIZE : 0;
  if (rc) {
    pbuf_free(p);
    return rc;
  }
  ip_count_out(n, p, r, true);
  return ip_link_output(p, r, &f->dst);
}

int ip6_output(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  if (f->hdrincl)
    return output_hdrincl(n, p, f, r);
  unsigned hlen = IP6_HDR + f->options_len;
  struct in6_addr dst = ip_is_any(&f->dst) ? r->gateway : f->dst;
  if (f->pmtudisc == IP_PMTUDISC_PROBE || f->pmtudisc == IP_PMTUDISC_INTERFACE)
    r->mtu = r->dev->mtu < 65535 ? r->dev->mtu : 65535;
  bool fits = p->gso ? !ip_gso_fits(p, f->proto, hlen, r->mtu) : hlen + p->len <= r->mtu;
  bool whole = f->pmtudisc == IP_PMTUDISC_DO || f->pmtudisc == IP_PMTUDISC_PROBE || f->proto == IPPROTO_TCP || p->gso;
  int rc = f->options_len % 8 ? -EINVAL : f->options_len + p->len > 65535 || (!fits && whole) ? -EMSGSIZE : 0;
  if (!rc && !fits && p->csum == PB_CSUM_PARTIAL)
    rc = csum_complete(p);
  if (!rc && !push_header(n, p, f, r, &dst))
    rc = -ENOBUFS;
  if (rc) {
    n->mib[1].out_discards++;
    pbuf_free(p);
    return rc;
  }
  p->mark = f->mark;
  ip_count_out(n, p, r, true);
  if (r->type == RTN_MULTICAST && !(r->dev->flags & IFF_LOOPBACK)) {
    if (f->multicast_loop && ip_group_member(r->dev, &dst))
      ip_loop_copy(n, p, r->dev);
    if (!((struct ip6_hdr_wire *)p->data)->hops || (dst.s6_addr[1] & 15) <= 1) {
      pbuf_free(p); /* not beyond this host */
      return 0;
    }
  }
  return fits ? ip_link_output(p, r, &dst) : fragment(n, p, &r->src, &dst, r);
}
