/* Sending UDP: udp(7), RFC 768. Datagrams in one piece, in several (MSG_MORE, UDP_CORK), and many at once
 * (UDP_SEGMENT). */
#include "../../core/uio.h"
#include "udp.h"
#include <stdlib.h>
#include <string.h>

#define IP4_PAYLOAD_MAX (65535u - 20)
#define IP6_PAYLOAD_MAX 65535u

/* How much fits behind the IP header, for packets that may be cut on the way. */
static uint32_t payload_max(const struct inet_tx *tx) {
  return ip_is4(&tx->f.dst) ? IP4_PAYLOAD_MAX - tx->f.options_len : IP6_PAYLOAD_MAX - tx->f.options_len;
}

/* UDP-Lite: the length says what the checksum covers, which no device computes. */
static void put_coverage(const struct inet_sock *is, struct pbuf *p, struct udp_wire *h, const struct in6_addr *src,
                         const struct in6_addr *dst) {
  const struct dgram_sock *d = dgram_of(is);
  uint32_t cover = p->len;
  if (d->send_cscov_set && d->send_cscov < p->len) {
    h->len = htons(d->send_cscov);
    cover = d->send_cscov ? d->send_cscov : p->len;
  }
  memcpy(p->data, h, sizeof *h);
  h->csum = csum_fold(pbuf_csum_add(p, 0, cover, ip_pseudo_sum(src, dst, IPPROTO_UDPLITE, p->len)));
  if (!h->csum)
    h->csum = 0xffff;
  memcpy(p->data, h, sizeof *h);
}

/* The header of p, which is len bytes with it. Its checksum is left to the device if there is to be one. */
static void put_header(const struct inet_sock *is, struct pbuf *p, const struct inet_tx *tx, const struct ip_route *r,
                       uint16_t dport) {
  bool v4 = ip_is4(&tx->f.dst);
  struct udp_wire h = {.sport = htons(is->lport), .dport = htons(dport), .len = htons((uint16_t)p->len)};
  struct in6_addr dst = ip_is_any(&tx->f.dst) ? r->gateway : tx->f.dst;
  if (udp_is_lite(is)) {
    put_coverage(is, p, &h, &r->src, &dst);
    return;
  }
  if (v4 ? !is->sock->opt.no_check : !dgram_of(is)->no_check6_tx) {
    h.csum = (uint16_t)~csum_fold(ip_pseudo_sum(&r->src, &dst, IPPROTO_UDP, p->len));
    p->csum = PB_CSUM_PARTIAL;
    p->csum_start = 0;
    p->csum_offset = offsetof(struct udp_wire, csum);
  }
  memcpy(p->data, &h, sizeof h);
}

/* UDP_SEGMENT: what the packet needs beyond its header. -EMSGSIZE, -EINVAL as udp_send_skb() of Linux. */
static int segment(const struct inet_sock *is, struct pbuf *p, const struct inet_tx *tx, const struct ip_route *r) {
  uint32_t len = p->len - UDP_HDR, size = tx->gso, first = len < size ? len : size;
  uint32_t hdr = (ip_is4(&tx->f.dst) ? 20u : 40u) + tx->f.options_len + UDP_HDR;
  if (hdr + first > r->mtu)
    return -EMSGSIZE;
  if (len > size * UDP_MAX_SEGMENTS || is->sock->opt.no_check || dgram_of(is)->no_check6_tx)
    return -EINVAL;
  if (len > size) {
    p->gso = PB_GSO_UDP;
    p->gso_size = (uint16_t)size;
    p->gso_segs = (uint16_t)((len + size - 1) / size);
  }
  return 0;
}

/* p has room for the header, then the payload. Takes it over. */
static int transmit(struct inet_sock *is, struct pbuf *p, struct inet_tx *tx, struct ip_route *r, uint16_t dport) {
  struct udp_mib *mib = udp_mib_of(is, &tx->f.dst);
  if (udp_is_lite(is))
    tx->gso = 0;
  int err = tx->gso ? segment(is, p, tx, r) : 0;
  bool v4 = ip_is4(&tx->f.dst);
  if (!err && !v4 && tx->dontfrag && !p->gso && p->len + 40 + tx->f.options_len > r->mtu)
    err = -EMSGSIZE;
  if (err) {
    pbuf_free(p);
    return err == -EMSGSIZE && !tx->gso ? dgram_too_big(is, tx, r, dport) : err;
  }
  put_header(is, p, tx, r, dport);
  err = dgram_output(is, p, tx, r, dport);
  if (!err)
    mib->out_datagrams++;
  else if (err == -ENOBUFS)
    mib->sndbuf_errors++;
  return err;
}

/* ---- corked ---- */

void udp_uncork(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  if (!d->cork)
    return;
  free(d->cork->buf);
  free(d->cork);
  d->cork = NULL;
}

static int cork_begin(struct inet_sock *is, const struct inet_tx *tx, uint16_t dport) {
  struct dgram_sock *d = dgram_of(is);
  struct dgram_cork *c = calloc(1, sizeof *c);
  if (!c)
    return -ENOBUFS;
  c->tx = *tx;
  if (tx->f.options == tx->buf)
    c->tx.f.options = c->tx.buf;
  else if (tx->f.options && tx->f.options_len <= sizeof c->tx.buf) { /* the socket's, which it may change */
    memcpy(c->tx.buf, tx->f.options, tx->f.options_len);
    c->tx.f.options = c->tx.buf;
  }
  memset(c->tx.ext, 0, sizeof c->tx.ext);
  c->dport = dport;
  d->cork = c;
  return 0;
}

/* What m says goes behind what there is. Another sender may have pushed or dropped it while we copied. */
static int cork_add(struct inet_sock *is, struct msg_k *m) {
  struct dgram_sock *d = dgram_of(is);
  struct dgram_cork *c = d->cork;
  uint32_t len = (uint32_t)m->u->resid;
  if (len > payload_max(&c->tx) - UDP_HDR - c->len)
    return dgram_too_big(is, &c->tx, &is->route, c->dport);
  uint8_t *part = malloc(len ? len : 1);
  if (!part)
    return -ENOBUFS;
  int err = len && uio_copy_from(m->u, part, len) != (ssize_t)len ? -EFAULT : 0;
  c = d->cork;
  if (!err && (!c || len > payload_max(&c->tx) - UDP_HDR - c->len))
    err = -EINVAL;
  uint8_t *buf = err ? NULL : realloc(c->buf, c->len + len + 1);
  if (buf) {
    memcpy(buf + c->len, part, len);
    c->buf = buf;
    c->len += len;
  } else if (!err) {
    err = -ENOBUFS;
  }
  free(part);
  return err;
}

int udp_push(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  struct dgram_cork *c = d->cork;
  struct ip_route r;
  d->cork = NULL;
  int err = dgram_route(is, &c->tx, &r);
  struct pbuf *p = err ? NULL : pbuf_new(UDP_HDR + c->len);
  if (p) {
    (void)pbuf_put(p, UDP_HDR);
    if (c->len)
      memcpy(pbuf_put(p, c->len), c->buf, c->len);
    err = transmit(is, p, &c->tx, &r, c->dport);
  } else if (!err) {
    err = -ENOBUFS;
  }
  free(c->buf);
  free(c);
  return err;
}

static ssize_t send_corked(struct inet_sock *is, struct msg_k *m, bool more) {
  ssize_t len = (ssize_t)m->u->resid;
  int err = cork_add(is, m);
  if (err)
    udp_uncork(is);
  else if (!more)
    err = udp_push(is);
  return err ? err : len;
}

/* ---- sendmsg ---- */

ssize_t udp_sendmsg(struct socket *s, struct msg_k *m) {
  struct inet_sock *is = inet_of(s);
  struct dgram_sock *d = dgram_of(is);
  bool more = d->corked || m->flags & MSG_MORE;
  struct inet_tx tx;
  struct ip_route r;
  struct pbuf *p;
  uint16_t port;
  int err = udp_ready(is);
  if (err)
    return err;
  if (m->u->resid > 65535)
    return -EMSGSIZE;
  if (m->flags & MSG_OOB)
    return -EOPNOTSUPP;
  if (d->cork)
    return send_corked(is, m, more);
  if ((err = dgram_dest(is, m, true, &tx, &port)))
    return err;
  if (!tx.gso)
    tx.gso = d->gso_size;
  if ((err = dgram_route(is, &tx, &r)) || (err = dgram_may_send(is)))
    return err;
  if (more) {
    err = cork_begin(is, &tx, port);
    return err ? err : send_corked(is, m, more);
  }
  uint32_t len = (uint32_t)m->u->resid;
  if (len + UDP_HDR > payload_max(&tx))
    return dgram_too_big(is, &tx, &r, port);
  err = dgram_payload(m, UDP_HDR, len, &p);
  if (err)
    return err;
  if ((err = dgram_route_again(is, &tx, &r))) {
    pbuf_free(p);
    return err;
  }
  err = transmit(is, p, &tx, &r, port);
  return err ? err : (ssize_t)len;
}
