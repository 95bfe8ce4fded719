/* Packet buffers: see pbuf.h. */
#include "pbuf.h"
#include "../core/uio.h"
#include <errno.h>
#include <string.h>

/* ---- stores ---- */

static void store_free(struct pstore *s) {
  free(s);
}

struct pstore *pstore_new(uint32_t cap) {
  struct pstore *s = malloc(sizeof *s + cap);
  if (!s)
    return NULL;
  ref_init(&s->ref);
  s->cap = cap;
  s->bytes = (uint8_t *)(s + 1);
  s->free = store_free;
  s->priv = NULL;
  return s;
}

struct pstore *pstore_get(struct pstore *s) {
  ref_get(&s->ref);
  return s;
}

void pstore_put(struct pstore *s) {
  if (s && ref_put(&s->ref))
    s->free(s);
}

/* ---- packets ---- */

struct pbuf *pbuf_over(struct pstore *s, uint8_t *data, uint32_t len) {
  struct pbuf *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->store = pstore_get(s);
  p->head = s->bytes;
  p->end = s->bytes + s->cap;
  p->data = data;
  p->linear = p->len = len;
  return p;
}

struct pbuf *pbuf_new(uint32_t linear) {
  if (linear > PBUF_MAX)
    return NULL;
  struct pstore *s = pstore_new(PBUF_HEADROOM + linear);
  if (!s)
    return NULL;
  struct pbuf *p = pbuf_over(s, s->bytes + PBUF_HEADROOM, 0);
  pstore_put(s);
  return p;
}

void pbuf_free(struct pbuf *p) {
  if (!p)
    return;
  for (int i = 0; i < p->nfrags; i++)
    pstore_put(p->frag[i].store);
  pstore_put(p->store);
  free(p);
}

void pbuf_queue_free(struct pbuf_queue *q) {
  struct pbuf *p;
  while ((p = STAILQ_FIRST(q))) {
    STAILQ_REMOVE_HEAD(q, link);
    pbuf_free(p);
  }
}

/* Pointers into the old linear part, as pointers into the new one. */
static uint8_t *moved(const uint8_t *p, const uint8_t *from, uint8_t *to) {
  return p ? to + (p - from) : NULL;
}

/* Drop the first `left` bytes of the frags. */
static void eat_frags(struct pbuf *p, uint32_t left) {
  int used = 0;
  while (left) {
    struct pfrag *f = &p->frag[used];
    uint32_t take = left < f->len ? left : f->len;
    f->data += take;
    f->len -= take;
    left -= take;
    if (!f->len)
      pstore_put(f->store), used++;
  }
  memmove(p->frag, p->frag + used, (size_t)(p->nfrags - used) * sizeof *p->frag);
  p->nfrags -= used;
}

/* Exchange the linear part for a copy with n bytes of the packet in it, those behind the old linear part taken out of
 * the frags. What lies before data (headers that were pulled) comes along. */
static int relinearize(struct pbuf *p, uint32_t n) {
  uint32_t before = (uint32_t)(p->data - p->head), from_frags = n - p->linear;
  struct pstore *s = pstore_new(before + n);
  if (!s)
    return -1;
  memcpy(s->bytes, p->head, before + p->linear);
  pbuf_copy_out(p, p->linear, s->bytes + before + p->linear, from_frags);
  p->mac = moved(p->mac, p->head, s->bytes);
  p->net = moved(p->net, p->head, s->bytes);
  p->transport = moved(p->transport, p->head, s->bytes);
  pstore_put(p->store);
  p->store = s;
  p->head = s->bytes;
  p->end = s->bytes + s->cap;
  p->data = s->bytes + before;
  eat_frags(p, from_frags);
  p->linear = n;
  return 0;
}

struct pbuf *pbuf_clone(const struct pbuf *p) {
  struct pbuf *c = malloc(sizeof *c);
  if (!c)
    return NULL;
  *c = *p;
  pstore_get(c->store);
  for (int i = 0; i < c->nfrags; i++)
    pstore_get(c->frag[i].store);
  /* Headers are written in place: they must not be shared. Payload that was received in one piece is copied along,
   * which only packet sockets and bridges that flood pay for. */
  if (relinearize(c, c->linear)) {
    pbuf_free(c);
    return NULL;
  }
  return c;
}

uint8_t *pbuf_push(struct pbuf *p, uint32_t n) {
  if ((size_t)(p->data - p->head) < n)
    return NULL;
  p->linear += n;
  p->len += n;
  return p->data -= n;
}

uint8_t *pbuf_put(struct pbuf *p, uint32_t n) {
  uint8_t *at = p->data + p->linear;
  if ((size_t)(p->end - at) < n || p->nfrags)
    return NULL;
  p->linear += n;
  p->len += n;
  return at;
}

uint8_t *pbuf_linear(struct pbuf *p, uint32_t n) {
  if (n <= p->linear)
    return p->data;
  return n > p->len || relinearize(p, n) ? NULL : p->data;
}

static void drop_frags(struct pbuf *p, int from) {
  for (int i = from; i < p->nfrags; i++)
    pstore_put(p->frag[i].store);
  p->nfrags = (uint8_t)from;
}

void pbuf_pull(struct pbuf *p, uint32_t n) {
  ref_check(n <= p->len);
  uint32_t here = n < p->linear ? n : p->linear, left = n - here;
  p->data += here;
  p->linear -= here;
  p->len -= n;
  eat_frags(p, left);
}

void pbuf_trim(struct pbuf *p, uint32_t n) {
  if (n >= p->len)
    return;
  p->len = n;
  if (n <= p->linear) {
    p->linear = n;
    drop_frags(p, 0);
    return;
  }
  uint32_t left = n - p->linear;
  int i = 0;
  while (left > p->frag[i].len)
    left -= p->frag[i++].len;
  p->frag[i].len = left;
  drop_frags(p, i + 1);
}

int pbuf_add_frag(struct pbuf *p, struct pstore *s, uint8_t *data, uint32_t len) {
  if (len > PBUF_MAX - p->len)
    return -ENOSPC;
  if (p->nfrags) { /* the next bytes of the same store lengthen the last one */
    struct pfrag *f = &p->frag[p->nfrags - 1];
    if (f->store == s && f->data + f->len == data) {
      f->len += len;
      p->len += len;
      return 0;
    }
  }
  if (p->nfrags == PBUF_FRAGS)
    return -ENOSPC;
  p->frag[p->nfrags++] = (struct pfrag){pstore_get(s), data, len};
  p->len += len;
  return 0;
}

/* ---- bytes ---- */

/* The piece of the packet that begins at off: its start, and *n what is left of it, at most what was asked for. */
static const uint8_t *piece(const struct pbuf *p, uint32_t off, uint32_t *n) {
  const uint8_t *at = p->data + off;
  uint32_t have = p->linear;
  for (int i = 0; off >= have; i++) {
    off -= have;
    have = p->frag[i].len;
    at = p->frag[i].data + off;
  }
  if (*n > have - off)
    *n = have - off;
  return at;
}

void pbuf_copy_out(const struct pbuf *p, uint32_t off, void *dst, uint32_t n) {
  for (uint8_t *to = dst; n;) {
    uint32_t part = n;
    const uint8_t *from = piece(p, off, &part);
    memcpy(to, from, part);
    to += part;
    off += part;
    n -= part;
  }
}

int pbuf_pieces(const struct pbuf *p, uint32_t off, uint32_t *n, struct iovec *v, int max) {
  uint32_t done = 0;
  int k = 0;
  while (done < *n && k < max) {
    uint32_t part = *n - done;
    const uint8_t *from = piece(p, off + done, &part);
    v[k++] = (struct iovec){(void *)from, part};
    done += part;
  }
  *n = done;
  return k;
}

ssize_t pbuf_copy_to_uio(const struct pbuf *p, uint32_t off, struct uio *u, uint32_t n) {
  struct iovec v[PBUF_FRAGS + 1];
  int k = pbuf_pieces(p, off, &n, v, PBUF_FRAGS + 1);
  return uio_copy_to_vec(u, v, k);
}

uint32_t csum_add(uint32_t sum, const void *p, size_t n) {
  const uint8_t *b = p;
  uint64_t s = sum;
  for (; n >= 8; n -= 8, b += 8) {
    uint64_t w;
    memcpy(&w, b, 8);
    s += w;
    s += s < w; /* the carry comes round: RFC 1071, 2 */
  }
  for (; n >= 2; n -= 2, b += 2) {
    uint16_t w;
    memcpy(&w, b, 2);
    s += w;
    s += s < w;
  }
  if (n) {
    uint64_t w = *b;
    s += w;
    s += s < w;
  }
  s = (s & 0xffffffff) + (s >> 32);
  s = (s & 0xffffffff) + (s >> 32);
  return (uint32_t)s;
}

uint16_t csum_fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

uint32_t pbuf_csum_add(const struct pbuf *p, uint32_t off, uint32_t n, uint32_t sum) {
  bool odd = false; /* a piece that begins at an odd place counts with its bytes exchanged */
  while (n) {
    uint32_t part = n;
    const uint8_t *at = piece(p, off, &part);
    uint32_t s = csum_add(0, at, part);
    if (odd) {
      s = (s & 0xffff) + (s >> 16);
      s = (s & 0xffff) + (s >> 16);
      s = (s >> 8 & 0xff) | (s & 0xff) << 8;
    }
    uint64_t total = (uint64_t)sum + s;
    sum = (uint32_t)((total & 0xffffffff) + (total >> 32));
    odd ^= part & 1;
    off += part;
    n -= part;
  }
  return sum;
}
