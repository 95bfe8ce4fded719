/* Sending IPv4: RFC 791, RFC 1122 3.3, RFC 6864 (identification). The header, fragments, the way to the link. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/if_packet.h>

void ip4_hdr_csum(struct ip4_hdr *h) {
  h->csum = 0;
  h->csum = csum_fold(csum_add(0, h, (h->vihl & 15) * 4u));
}

/* Unpredictable to those who do not see our packets, and not repeated soon for one pair: RFC 6864, RFC 7739. */
uint32_t ip_next_id(struct ip_net *n, const struct in6_addr *src, const struct in6_addr *dst, uint8_t proto) {
  struct {
    struct in6_addr src, dst;
    uint64_t proto;
  } k = {*src, *dst, proto};
  uint64_t h = ip_hash(n, &k, sizeof k);
  return (uint32_t)(h >> 32) + n->ids[h % IP_ID_BUCKETS]++;
}

/* ---- copies for ourselves of what goes to many ---- */

static void loop_deliver(struct net_deferred *due) {
  struct ip_net *n = (struct ip_net *)((char *)due - offsetof(struct ip_net, loop_due));
  struct pbuf_queue q = STAILQ_HEAD_INITIALIZER(q);
  STAILQ_CONCAT(&q, &n->looped);
  n->nlooped = 0;
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&q))) {
    STAILQ_REMOVE_HEAD(&q, link);
    (p->protocol == ETH_P_IP ? ip4_rx : ip6_rx)(p->dev, p);
  }
}

void ip_loop_init(struct ip_net *n) {
  STAILQ_INIT(&n->looped);
  n->loop_due.fn = loop_deliver;
}

void ip_loop_fini(struct ip_net *n) {
  net_defer_cancel(n->ns->ns.k->net, &n->loop_due);
  pbuf_queue_free(&n->looped);
  STAILQ_INIT(&n->looped);
  n->nlooped = 0;
}

void ip_loop_dev_gone(struct ip_net *n, struct netdev *d) {
  struct pbuf_queue q = STAILQ_HEAD_INITIALIZER(q);
  STAILQ_CONCAT(&q, &n->looped);
  n->nlooped = 0;
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&q))) {
    STAILQ_REMOVE_HEAD(&q, link);
    if (p->dev == d) {
      pbuf_free(p);
      continue;
    }
    STAILQ_INSERT_TAIL(&n->looped, p, link);
    n->nlooped++;
  }
}

void ip_loop_copy(struct ip_net *n, const struct pbuf *p, struct netdev *d) {
  struct pbuf *c = n->nlooped < IP_LOOPED_MAX ? pbuf_clone(p) : NULL;
  if (!c)
    return;
  c->dev = d;
  c->net = c->data;
  c->protocol = *c->data >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
  c->mac = NULL;
  c->pkt_type = PACKET_LOOPBACK;
  STAILQ_INSERT_TAIL(&n->looped, c, link);
  n->nlooped++;
  net_defer(n->ns->ns.k->net, &n->loop_due);
}

/* ---- to the link ---- */

int ip_link_output(struct pbuf *p, struct ip_route *r, const struct in6_addr *dst) {
  struct netdev *d = r->dev;
  static const uint8_t none[8];
  uint16_t type = ip_is4(dst) ? ETH_P_IP : ETH_P_IPV6;
  p->dev = d;
  p->net = p->data;
  p->protocol = type;
  if (!d->addr_len)
    return netdev_xmit(d, p);
  if (d->flags & (IFF_LOOPBACK | IFF_NOARP))
    return ether_output(d, p, none, type);
  if (r->type == RTN_BROADCAST)
    return ether_output(d, p, d->broadcast, type);
  if (ip_is4(dst) && r->type == RTN_MULTICAST) { /* RFC 1112 6.4 */
    uint8_t m[6] = {1, 0, 0x5e, dst->s6_addr[13] & 0x7f, dst->s6_addr[14], dst->s6_addr[15]};
    return ether_output(d, p, m, type);
  }
  if (ip_is_multicast(dst)) { /* RFC 2464 7 */
    uint8_t m[6] = {0x33, 0x33, dst->s6_addr[12], dst->s6_addr[13], dst->s6_addr[14], dst->s6_addr[15]};
    return ether_output(d, p, m, type);
  }
  return neigh_output_route(r, p);
}

/* ---- fragments ---- */

/* RFC 791 3.2: options without the copy bit are in the first fragment only. They become no-operations, so that all
 * headers are of one length. */
static void blank_uncopied(uint8_t *opt, unsigned len) {
  for (unsigned i = 0; i < len && opt[i];) {
    unsigned n = opt[i] == 1 ? 1 : i + 1 < len ? opt[i + 1] : 0;
    if (n < 1 || (opt[i] != 1 && n < 2) || n > len - i)
      return;
    if (!(opt[i] & 0x80))
      memset(opt + i, 1, n);
    i += n;
  }
}

int ip4_fragment(struct ip_net *n, struct pbuf *p, const struct in6_addr *dst, struct ip_route *r) {
  unsigned hlen = (*p->data & 15) * 4u;
  uint32_t room = (r->mtu - hlen) & ~7u, total = p->len - hlen;
  struct ip4_hdr h;
  memcpy(&h, p->data, sizeof h);
  uint16_t off0 = ntohs(h.off);
  int rc = r->mtu < hlen + 8 ? -EMSGSIZE : 0;
  for (uint32_t off = 0; !rc && off < total; off += room) {
    uint32_t part = total - off < room ? total - off : room;
    struct pbuf *f = pbuf_new(hlen + part);
    if (!f) {
      rc = -ENOBUFS;
      break;
    }
    pbuf_copy_out(p, 0, pbuf_put(f, hlen), hlen);
    pbuf_copy_out(p, hlen + off, pbuf_put(f, part), part);
    f->mark = p->mark;
    struct ip4_hdr *fh = (struct ip4_hdr *)f->data;
    fh->len = htons((uint16_t)f->len);
    fh->off = htons((uint16_t)((off0 & (IP4_MF | IP4_OFFMASK)) + off / 8) | (off + part < total ? IP4_MF : 0));
    if (off && hlen > IP4_HDR)
      blank_uncopied(f->data + IP4_HDR, hlen - IP4_HDR);
    ip4_hdr_csum(fh);
    n->mib[0].frag_creates++;
    rc = ip_link_output(f, r, dst);
  }
  n->mib[0].frag_oks += !rc;
  n->mib[0].frag_fails += !!rc;
  pbuf_free(p);
  return rc;
}

/* Complete packet at its header. frag_ok: it may be cut. */
static int send_whole(struct ip_net *n, struct pbuf *p, const struct in6_addr *dst, struct ip_route *r, bool frag_ok) {
  if (p->gso || p->len <= r->mtu)
    return ip_link_output(p, r, dst);
  if (frag_ok)
    return ip4_fragment(n, p, dst, r);
  n->mib[0].frag_fails++;
  pbuf_free(p);
  return -EMSGSIZE;
}

static void loop_if_asked(struct ip_net *n, const struct pbuf *p, const struct ip_flow *f, const struct ip_route *r) {
  if (r->dev->flags & IFF_LOOPBACK)
    return;
  if (r->type == RTN_BROADCAST || (r->type == RTN_MULTICAST && f->multicast_loop && ip_group_member(r->dev, &f->dst)))
    ip_loop_copy(n, p, r->dev);
}

/* IP_HDRINCL, raw(7): what the sender left zero is filled in. */
static int output_hdrincl(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  struct ip4_hdr *h = p->len >= IP4_HDR ? (struct ip4_hdr *)pbuf_linear(p, IP4_HDR) : NULL;
  unsigned hlen = h ? (h->vihl & 15) * 4u : 0;
  int rc = hlen < IP4_HDR || hlen > p->len || !pbuf_linear(p, hlen) ? -EINVAL : p->len > r->mtu ? -EMSGSIZE : 0;
  if (rc) {
    pbuf_free(p);
    return rc;
  }
  h = (struct ip4_hdr *)p->data;
  h->len = htons((uint16_t)p->len);
  if (!h->src)
    h->src = ip_get4(&r->src);
  if (!h->id)
    h->id = (uint16_t)ip_next_id(n, &r->src, &f->dst, h->proto);
  ip4_hdr_csum(h);
  p->csum = PB_CSUM_NONE;
  ip_count_out(n, p, r, false);
  loop_if_asked(n, p, f, r);
  return ip_link_output(p, r, &f->dst);
}

static struct ip4_hdr *push_header(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, const struct ip_route *r,
                                   bool df) {
  unsigned opt = (f->options_len + 3u) & ~3u, hlen = IP4_HDR + opt;
  struct ip4_hdr *h = (struct ip4_hdr *)pbuf_push(p, hlen);
  if (!h)
    return NULL;
  if (p->csum == PB_CSUM_PARTIAL)
    p->csum_start += (uint16_t)hlen;
  struct in6_addr dst = ip_is_any(&f->dst) ? r->gateway : f->dst;
  *h = (struct ip4_hdr){.vihl = (uint8_t)(0x40 | hlen / 4), .tos = f->tos, .proto = f->proto};
  h->len = htons((uint16_t)p->len);
  h->off = htons(df ? IP4_DF : 0);
  h->id = df && !p->gso ? 0 : (uint16_t)ip_next_id(n, &r->src, &dst, f->proto);
  h->ttl = (uint8_t)(f->ttl >= 0 ? f->ttl : r->type == RTN_MULTICAST ? 1 : n->sysctl.default_ttl);
  h->src = ip_get4(&r->src);
  h->dst = ip_get4(&dst);
  memset(h + 1, 0, opt);
  if (opt)
    memcpy(h + 1, f->options, f->options_len);
  ip4_hdr_csum(h);
  return h;
}

/* What the socket asks for about the path's MTU: r->mtu as it counts for this packet, and whether DF is set. */
static bool decide_df(const struct ip_flow *f, struct ip_route *r, bool fits) {
  if (f->pmtudisc == IP_PMTUDISC_PROBE || f->pmtudisc == IP_PMTUDISC_INTERFACE)
    r->mtu = r->dev->mtu < 65535 ? r->dev->mtu : 65535;
  if (f->pmtudisc == IP_PMTUDISC_DO || f->pmtudisc == IP_PMTUDISC_PROBE)
    return true;
  return f->pmtudisc == IP_PMTUDISC_WANT && (fits || f->proto == IPPROTO_TCP);
}

int ip4_output(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  if (f->hdrincl)
    return output_hdrincl(n, p, f, r);
  unsigned hlen = IP4_HDR + ((f->options_len + 3u) & ~3u);
  int rc = hlen > IP4_HDR_MAX ? -EINVAL : hlen + p->len > 65535 ? -EMSGSIZE : 0;
  bool fits = p->gso ? !ip_gso_fits(p, f->proto, hlen, r->mtu) : hlen + p->len <= r->mtu;
  bool df = decide_df(f, r, fits);
  fits = p->gso ? !ip_gso_fits(p, f->proto, hlen, r->mtu) : hlen + p->len <= r->mtu;
  if (!rc && !fits && (df || p->gso))
    rc = -EMSGSIZE;
  /* Fragments have no checksum of their own to leave to a device. */
  if (!rc && !fits && p->csum == PB_CSUM_PARTIAL)
    rc = csum_complete(p);
  if (!rc && !push_header(n, p, f, r, df))
    rc = -ENOBUFS;
  if (rc) {
    n->mib[0].out_discards++;
    pbuf_free(p);
    return rc;
  }
  p->mark = f->mark;
  ip_count_out(n, p, r, false);
  loop_if_asked(n, p, f, r);
  if (r->type == RTN_MULTICAST && !((struct ip4_hdr *)p->data)->ttl) {
    pbuf_free(p); /* not beyond this host */
    return 0;
  }
  return send_whole(n, p, &f->dst, r, !df);
}
