/* In software what a device cannot do: cut a large packet into segments, complete a checksum. */
#include "../core/errno.h"
#include "netdev.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

int csum_complete(struct pbuf *p) {
  uint32_t field = (uint32_t)p->csum_start + p->csum_offset;
  if (p->csum != PB_CSUM_PARTIAL)
    return 0;
  if (field + 2 > p->len || !pbuf_linear(p, field + 2))
    return -EINVAL;
  uint16_t sum = csum_fold(pbuf_csum_add(p, p->csum_start, p->len - p->csum_start, 0));
  /* 0 would mean "none" in UDP (RFC 768); in TCP both zeros are the same. */
  sum = sum ? sum : 0xffff;
  memcpy(p->data + field, &sum, 2);
  p->csum = PB_CSUM_NONE;
  return 0;
}

/* ---- segments ---- */

struct cut {
  uint32_t l3, l4, headers; /* offsets from data */
  uint32_t payload;         /* of the whole */
  bool v4, tcp;
};

static uint16_t get16(const uint8_t *b) {
  uint16_t v;
  memcpy(&v, b, 2);
  return ntohs(v);
}
static void put16(uint8_t *b, uint32_t v) {
  uint16_t n = htons((uint16_t)v);
  memcpy(b, &n, 2);
}

/* Nothing of the headers is believed: they may come from a guest's packet socket or from the wire. */
static int find_headers(struct pbuf *p, struct cut *c) {
  if (p->csum != PB_CSUM_PARTIAL || !p->gso_size)
    return -EINVAL;
  c->tcp = p->gso != PB_GSO_UDP;
  c->l3 = p->dev && !p->dev->addr_len ? 0 : ETH_HLEN;
  c->l4 = p->csum_start;
  uint32_t l4_min = c->tcp ? 20 : 8;
  if (c->l4 < c->l3 + 20 || c->l4 + l4_min > p->len || !pbuf_linear(p, c->l4 + l4_min))
    return -EINVAL;
  const uint8_t *ip = p->data + c->l3;
  c->v4 = *ip >> 4 == 4;
  if (c->v4 ? (*ip & 15u) * 4 != c->l4 - c->l3 : *ip >> 4 != 6 || c->l4 < c->l3 + 40)
    return -EINVAL;
  if ((p->gso == PB_GSO_TCP4 && !c->v4) || (p->gso == PB_GSO_TCP6 && c->v4) || p->csum_offset != (c->tcp ? 16 : 6))
    return -EINVAL;
  uint32_t l4_len = c->tcp ? (p->data[c->l4 + 12] >> 4) * 4u : 8;
  c->headers = c->l4 + l4_len;
  if (l4_len < l4_min || c->headers >= p->len || !pbuf_linear(p, c->headers))
    return -EINVAL;
  c->payload = p->len - c->headers;
  return 0;
}

/* Let seg refer to n bytes of p. -ENOSPC: in too many pieces. */
static int share(const struct pbuf *p, uint32_t off, uint32_t n, struct pbuf *seg) {
  int rc = 0;
  if (off < p->linear) {
    uint32_t part = n < p->linear - off ? n : p->linear - off;
    rc = pbuf_add_frag(seg, p->store, p->data + off, part);
    off += part;
    n -= part;
  }
  off -= p->linear;
  for (int i = 0; !rc && n; i++) {
    const struct pfrag *f = &p->frag[i];
    if (off >= f->len) {
      off -= f->len;
      continue;
    }
    uint32_t part = n < f->len - off ? n : f->len - off;
    rc = pbuf_add_frag(seg, f->store, f->data + off, part);
    n -= part;
    off = 0;
  }
  return rc;
}

static struct pbuf *new_segment(const struct pbuf *p, const struct cut *c, uint32_t off, uint32_t n) {
  struct pbuf *s = pbuf_new(c->headers);
  if (!s)
    return NULL;
  pbuf_copy_out(p, 0, pbuf_put(s, c->headers), c->headers);
  if (!share(p, c->headers + off, n, s))
    return s;
  pbuf_free(s);
  s = pbuf_new(c->headers + n);
  if (!s)
    return NULL;
  uint8_t *at = pbuf_put(s, c->headers + n);
  pbuf_copy_out(p, 0, at, c->headers);
  pbuf_copy_out(p, c->headers + off, at + c->headers, n);
  return s;
}

static void fix_ip(struct pbuf *s, const struct cut *c, uint32_t i) {
  uint8_t *ip = s->data + c->l3;
  if (!c->v4) {
    put16(ip + 4, s->len - c->l3 - 40);
    return;
  }
  put16(ip + 2, s->len - c->l3);
  put16(ip + 4, get16(ip + 4) + i); /* RFC 6864: distinct, as if they had been sent singly */
  put16(ip + 10, 0);
  uint16_t sum = csum_fold(csum_add(0, ip, c->l4 - c->l3));
  memcpy(ip + 10, &sum, 2);
}

static void fix_transport(struct pbuf *s, const struct cut *c, const struct pbuf *whole, uint32_t off, uint32_t n) {
  uint8_t *h = s->data + c->l4;
  uint32_t seq;
  if (c->tcp) {
    memcpy(&seq, h + 4, 4);
    seq = htonl(ntohl(seq) + off);
    memcpy(h + 4, &seq, 4);
    if (off)
      h[13] &= (uint8_t)~0x80; /* CWR: RFC 3168 6.1.2, once */
    if (off + n < c->payload)
      h[13] &= (uint8_t) ~(0x01 | 0x08); /* FIN, PSH */
  } else {
    put16(h + 4, 8 + n);
  }
  /* The pseudo-header's sum has the length of the whole in it: RFC 1624. */
  uint16_t sum, less = (uint16_t)~htons((uint16_t)(whole->len - c->l4)), more = htons((uint16_t)(s->len - c->l4));
  memcpy(&sum, h + whole->csum_offset, 2);
  sum = (uint16_t)~csum_fold((uint32_t)sum + less + more);
  memcpy(h + whole->csum_offset, &sum, 2);
}

static void describe(struct pbuf *s, const struct pbuf *p, const struct cut *c) {
  s->dev = p->dev;
  s->mac = c->l3 ? s->data : NULL;
  s->net = s->data + c->l3;
  s->transport = s->data + c->l4;
  s->protocol = p->protocol;
  s->pkt_type = p->pkt_type;
  s->mark = p->mark;
  s->stamp = p->stamp;
  s->csum = PB_CSUM_PARTIAL;
  s->csum_start = p->csum_start;
  s->csum_offset = p->csum_offset;
}

int gso_segment(struct pbuf *p, struct pbuf_queue *q) {
  struct pbuf_queue made = STAILQ_HEAD_INITIALIZER(made);
  struct cut c;
  int rc = find_headers(p, &c);
  uint32_t i = 0;
  for (uint32_t off = 0; !rc && off < c.payload; off += p->gso_size, i++) {
    uint32_t n = c.payload - off < p->gso_size ? c.payload - off : p->gso_size;
    struct pbuf *s = new_segment(p, &c, off, n);
    if (!s) {
      rc = -ENOBUFS;
      break;
    }
    describe(s, p, &c);
    fix_ip(s, &c, i);
    fix_transport(s, &c, p, off, n);
    STAILQ_INSERT_TAIL(&made, s, link);
  }
  pbuf_free(p);
  if (rc)
    pbuf_queue_free(&made);
  else
    STAILQ_CONCAT(q, &made);
  return rc;
}
