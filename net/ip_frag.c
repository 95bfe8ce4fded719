/*
 * Putting fragments together again, both versions: RFC 791 3.2, RFC 815, RFC 8200 4.5. A datagram whose fragments
 * overlap is dropped whole (RFC 5722, and as Linux does for IPv4); an exact repetition is ignored. Memory is bounded
 * for the namespace and for each source; the oldest datagrams make room.
 */
#include "../core/errno.h"
#include "ip_stack.h"
#include <stdlib.h>

#define PIECE_OVERHEAD (sizeof(struct pbuf) + 64) /* tiny fragments are charged what they cost */

struct frag_key {
  struct in6_addr src, dst;
  uint32_t id, proto;
};
struct frag_queue {
  LIST_ENTRY(frag_queue) hash;
  TAILQ_ENTRY(frag_queue) lru;
  struct frag_key key;
  struct pbuf_queue pieces; /* by offset: cb[0] is where a piece begins */
  struct pbuf *last;        /* of them; borrowed */
  unsigned npieces;
  uint32_t mem, have, total;   /* total: 0 until the last fragment is here */
  uint32_t end;                /* the highest end seen */
  uint8_t ecn_seen, ecn, next; /* a bit for each ECN codepoint; the first fragment's own */
  bool dead;                   /* it overlapped: what still comes is dropped too */
  int64_t expires;
};

static void drop_pieces(struct ip_net *n, struct frag_queue *q) {
  pbuf_queue_free(&q->pieces);
  STAILQ_INIT(&q->pieces);
  q->last = NULL;
  n->frag_mem -= q->mem;
  q->mem = 0;
  q->npieces = 0;
}

static void queue_free(struct ip_net *n, struct frag_queue *q) {
  drop_pieces(n, q);
  LIST_REMOVE(q, hash);
  TAILQ_REMOVE(&n->frag_lru, q, lru);
  n->nfrag--;
  free(q);
}

/* RFC 792, RFC 4443 3.3: told only if the first fragment is here. */
static void expire(struct ip_net *n, struct frag_queue *q) {
  bool v6 = !ip_is4(&q->key.dst);
  struct pbuf *first = STAILQ_FIRST(&q->pieces);
  n->mib[v6].reasm_timeout++;
  n->mib[v6].reasm_fails++;
  if (first && !first->cb[0]) {
    if (v6)
      icmp6_send(n, first, 3, 1, 0);
    else
      icmp4_send(n, first, 11, 1, 0);
  }
  queue_free(n, q);
}

static void frag_timer(struct timer *t) {
  struct ip_net *n = t->arg;
  struct frag_queue *q, *next;
  int64_t now = loop_now(), soonest = 0;
  for (q = TAILQ_FIRST(&n->frag_lru); q; q = next) {
    next = TAILQ_NEXT(q, lru);
    if (q->expires <= now)
      expire(n, q);
    else if (!soonest || q->expires < soonest)
      soonest = q->expires;
  }
  if (soonest)
    timer_arm(&n->frag_timer, soonest);
}

void ip_frag_init(struct ip_net *n) {
  for (unsigned i = 0; i < FRAG_BUCKETS; i++)
    LIST_INIT(&n->frags[i]);
  TAILQ_INIT(&n->frag_lru);
  n->frag_timer.fn = frag_timer;
  n->frag_timer.arg = n;
}

void ip_frag_fini(struct ip_net *n) {
  struct frag_queue *q;
  while ((q = TAILQ_FIRST(&n->frag_lru)))
    queue_free(n, q);
  timer_disarm(&n->frag_timer);
}

void ip_frag_dev_gone(struct ip_net *n, struct netdev *d) {
  struct frag_queue *q, *next;
  for (q = TAILQ_FIRST(&n->frag_lru); q; q = next) {
    next = TAILQ_NEXT(q, lru);
    struct pbuf *p;
    STAILQ_FOREACH(p, &q->pieces, link)
    if (p->dev == d) {
      queue_free(n, q);
      break;
    }
  }
}

static struct frag_queue *queue_for(struct ip_net *n, const struct frag_piece *f) {
  struct frag_key k = {f->src, f->dst, f->id, f->proto};
  unsigned b = ip_hash(n, &k, sizeof k) % FRAG_BUCKETS;
  struct frag_queue *q;
  LIST_FOREACH(q, &n->frags[b], hash)
  if (!memcmp(&q->key, &k, sizeof k))
    return q;
  if (n->nfrag >= FRAG_DATAGRAMS_MAX)
    queue_free(n, TAILQ_FIRST(&n->frag_lru));
  q = calloc(1, sizeof *q);
  if (!q)
    return NULL;
  q->key = k;
  STAILQ_INIT(&q->pieces);
  bool v6 = !ip_is4(&f->dst);
  q->expires = loop_now() + (v6 ? n->sysctl.frag6_time_s : n->sysctl.frag_time_s) * NS_PER_S;
  LIST_INSERT_HEAD(&n->frags[b], q, hash);
  TAILQ_INSERT_TAIL(&n->frag_lru, q, lru);
  n->nfrag++;
  if (!n->frag_timer.armed || n->frag_timer.deadline > q->expires)
    timer_arm(&n->frag_timer, q->expires);
  return q;
}

/* Room for `need` bytes from this source: its own oldest datagrams go first, then anybody's. */
static void make_room(struct ip_net *n, const struct frag_queue *keep, uint32_t need) {
  struct frag_queue *q, *next;
  uint32_t of_src = 0;
  TAILQ_FOREACH(q, &n->frag_lru, lru)
  if (ip_same(&q->key.src, &keep->key.src))
    of_src += q->mem;
  for (q = TAILQ_FIRST(&n->frag_lru); q && of_src + need > FRAG_SRC_MEM_MAX; q = next) {
    next = TAILQ_NEXT(q, lru);
    if (q == keep || !ip_same(&q->key.src, &keep->key.src))
      continue;
    of_src -= q->mem;
    queue_free(n, q);
  }
  for (q = TAILQ_FIRST(&n->frag_lru); q && n->frag_mem + need > FRAG_MEM_MAX; q = next) {
    next = TAILQ_NEXT(q, lru);
    if (q != keep)
      queue_free(n, q);
  }
}

/* 1: put in; 0: a repetition; -1: it overlaps. */
static int place(struct frag_queue *q, struct pbuf *p, uint32_t off) {
  struct pbuf *at, *before = NULL;
  struct pbuf *last = q->last;
  uint32_t end = off + p->len;
  p->cb[0] = off;
  if (last && last->cb[0] + last->len <= off) { /* in order: the usual case */
    STAILQ_INSERT_TAIL(&q->pieces, p, link);
    q->last = p;
    return 1;
  }
  STAILQ_FOREACH(at, &q->pieces, link) {
    uint32_t a = (uint32_t)at->cb[0], z = a + at->len;
    if (off >= a && end <= z)
      return off == a && end == z ? 0 : -1;
    if (off < z && end > a)
      return -1;
    if (a >= end)
      break;
    before = at;
  }
  if (before)
    STAILQ_INSERT_AFTER(&q->pieces, before, p, link);
  else
    STAILQ_INSERT_HEAD(&q->pieces, p, link);
  if (!STAILQ_NEXT(p, link))
    q->last = p;
  return 1;
}

/* RFC 3168 5.3: congestion seen by one fragment was seen by the datagram; capable and not capable do not go together.
 * ECT(0) with ECT(1): the first fragment's counts, as on Linux. */
static bool merge_ecn(uint8_t seen, uint8_t first, uint8_t *ecn) {
  *ecn = seen & 1 << 3 ? 3 : first;
  return !(seen & 1 << 0) || seen == 1 << 0;
}

/* All pieces in one packet, the first one's headers in front of its data. */
static struct pbuf *join(struct frag_queue *q) {
  struct pbuf *first = STAILQ_FIRST(&q->pieces), *p;
  uint32_t hlen = (uint32_t)(first->data - first->net);
  if (hlen + q->total > 65535 + IP6_HDR + IP6_EXT_BYTES_MAX || hlen > IP6_HDR + IP6_EXT_BYTES_MAX)
    return NULL;
  struct pbuf *w = pbuf_new(hlen + q->total);
  if (!w)
    return NULL;
  memcpy(pbuf_put(w, hlen), first->net, hlen);
  STAILQ_FOREACH(p, &q->pieces, link)
  pbuf_copy_out(p, 0, pbuf_put(w, p->len), p->len);
  w->net = w->data;
  w->dev = first->dev;
  w->protocol = first->protocol;
  w->pkt_type = first->pkt_type;
  w->stamp = first->stamp;
  w->mark = first->mark;
  pbuf_pull(w, hlen);
  return w;
}

/* May it be part of what is there? It must not end beyond the last fragment, nor beyond 64 KiB, nor in the middle of 8
 * bytes unless it is the last. */
static bool bounds_ok(struct frag_queue *q, const struct frag_piece *f, uint32_t len) {
  uint32_t end = f->off + len;
  if (!len || end > 65535 || (f->more && len % 8))
    return false;
  if (q->total && (end > q->total || (!f->more && end != q->total)))
    return false;
  if (!f->more && end < q->end)
    return false;
  return true;
}

struct pbuf *ip_frag_add(struct ip_net *n, struct pbuf *p, const struct frag_piece *f, uint8_t *next, uint8_t *ecn) {
  struct frag_queue *q = queue_for(n, f);
  uint32_t cost = p->len + (uint32_t)PIECE_OVERHEAD;
  bool v6 = !ip_is4(&f->dst);
  struct pbuf *whole = NULL;
  int put = 0;
  if (!q || q->dead || (put = bounds_ok(q, f, p->len) ? 0 : -1) || q->npieces >= FRAG_PIECES_MAX)
    goto drop;
  make_room(n, q, cost);
  if (n->frag_mem + cost > FRAG_MEM_MAX)
    goto drop;
  put = place(q, p, f->off);
  if (put <= 0)
    goto drop;
  p->csum = PB_CSUM_NONE;
  p->gso = PB_GSO_NONE;
  q->npieces++;
  q->mem += cost;
  n->frag_mem += cost;
  q->have += p->len;
  q->ecn_seen |= (uint8_t)(1 << (f->ecn & 3));
  if (f->off + p->len > q->end)
    q->end = f->off + p->len;
  if (!f->more)
    q->total = q->end;
  if (!f->off) {
    q->next = f->next;
    q->ecn = f->ecn & 3;
  }
  if (!q->total || q->have < q->total)
    return NULL;
  *next = q->next;
  whole = merge_ecn(q->ecn_seen, q->ecn, ecn) ? join(q) : NULL;
  n->mib[v6].reasm_oks += !!whole;
  n->mib[v6].reasm_fails += !whole;
  queue_free(n, q);
  return whole;
drop:
  n->mib[v6].reasm_fails++;
  if (q && put < 0) {
    n->mib[v6].reasm_overlaps += !q->dead;
    drop_pieces(n, q);
    q->dead = true;
  }
  pbuf_free(p);
  return NULL;
}
