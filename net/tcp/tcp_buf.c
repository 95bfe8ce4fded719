/* Queues of a connection: what is to be sent (stores that segments refer to, so that nothing is copied again), what
 * came in order, what came out of order; and the sizes of both buffers. */
#include "tcp_int.h"
#include "../../core/uio.h"

/* The last of an STAILQ, which glibc cannot say. */
#define LAST(head, type)                                                                                               \
  (STAILQ_EMPTY(head) ? NULL : (struct type *)((char *)(head)->stqh_last - offsetof(struct type, link)))

#define SMALL 512u   /* received pieces up to here are copied together */
#define GATHER 4096u /* into buffers of this size */
#define COPY_PIECES 64

/* ---- send queue ---- */

static void chunk_free(struct tcp_conn *c, struct tcp_chunk *k) {
  long mem = (long)(k->own ? k->store->cap : k->len) + (long)sizeof *k;
  tcp_mem_force(c->s, -mem);
  if (c->sq_at == k)
    c->sq_at = NULL;
  c->nchunks--;
  pstore_put(k->store);
  free(k);
}

void tcp_sq_free(struct tcp_conn *c) {
  struct tcp_chunk *k;
  while ((k = STAILQ_FIRST(&c->sq))) {
    STAILQ_REMOVE_HEAD(&c->sq, link);
    chunk_free(c, k);
  }
}

void tcp_sq_ack(struct tcp_conn *c) {
  struct tcp_chunk *k;
  while ((k = STAILQ_FIRST(&c->sq)) && seq_le(k->seq + k->len, c->snd_una)) {
    STAILQ_REMOVE_HEAD(&c->sq, link);
    chunk_free(c, k);
  }
}

uint32_t tcp_snd_room(const struct tcp_conn *c) {
  uint32_t used = c->snd_end - c->snd_una;
  if (c->fin_sent && seq_lt(c->snd_end, c->snd_una))
    used = 0;
  return c->nchunks >= TCP_CHUNKS_MAX || used >= c->sndbuf ? 0 : c->sndbuf - used;
}

void tcp_snd_tune(struct tcp_conn *c) {
  if (c->sndbuf_lock)
    return;
  uint64_t want = 2ull * u32_max(c->cwnd, 10 * c->mss) + 2 * c->mss;
  if (want > (uint64_t)c->s->set.wmem[2])
    want = (uint64_t)c->s->set.wmem[2];
  if (want > c->sndbuf && c->s->mem < c->s->set.mem_max / 2)
    c->sndbuf = (uint32_t)want;
}

static struct tcp_chunk *chunk_add(struct tcp_conn *c, struct pstore *st, uint8_t *data, uint32_t len, bool own) {
  struct tcp_chunk *k = malloc(sizeof *k);
  if (!k)
    return NULL;
  long mem = (long)(own ? st->cap : len) + (long)sizeof *k;
  if (!tcp_mem_charge(c->s, mem)) {
    c->s->stats.abort_on_memory++;
    free(k);
    return NULL;
  }
  *k = (struct tcp_chunk){.store = pstore_get(st), .data = data, .len = len, .seq = c->snd_end, .own = own};
  STAILQ_INSERT_TAIL(&c->sq, k, link);
  c->nchunks++;
  return k;
}

/* Errors first, as tcp_sendmsg(): 0 if bytes may be queued. */
static int may_send(struct tcp_conn *c) {
  if (c->err) {
    int e = c->err;
    c->err = 0;
    return -e;
  }
  if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV)
    return c->wr_shut ? -EPIPE : -EAGAIN;
  if (c->wr_shut)
    return -EPIPE;
  if (c->state == TCP_CLOSE || c->state == TCP_LISTEN)
    return -EPIPE;
  return 0;
}

static struct tcp_chunk *chunk_room(struct tcp_conn *c, size_t want) {
  struct tcp_chunk *k = LAST(&c->sq, tcp_chunk);
  if (k && k->own && k->data + k->len < k->store->bytes + k->store->cap)
    return k;
  uint32_t cap = want > TCP_CHUNK ? TCP_CHUNK : (uint32_t)want;
  struct pstore *st = pstore_new(u32_max(cap, k ? 4096 : 1024));
  if (!st)
    return NULL;
  k = chunk_add(c, st, st->bytes, 0, true);
  pstore_put(st);
  return k;
}

/* Less than a segment, and nothing of it is urgent: what the user writes next, within the same few turns of the loop,
 * goes into the same segment. As Linux's tcp_autocorking does it, which looks whether the device still holds the last.
 */
static bool may_be_late(const struct tcp_conn *c, int flags) {
  return !(flags & MSG_OOB) && !c->fin_queued && c->snd_end - c->snd_nxt < c->mss && tcp_leaves_late(c);
}

static void push_later(struct tcp_conn *c) {
  if (!c->on_late)
    TAILQ_INSERT_TAIL(&c->s->late, c, late);
  c->on_late = true;
  c->s->env.push_late(c->s->ctx);
}

static void sent_to_queue(struct tcp_conn *c, int flags) {
  if (flags & MSG_OOB) {
    c->snd_up = c->snd_end;
    c->urg_out = true;
  }
  c->push = !(flags & MSG_MORE);
  c->pingpong = 1;
  if (may_be_late(c, flags))
    push_later(c);
  else
    tcp_push(c);
}

ssize_t tcp_send(struct tcp_conn *c, struct uio *u, int flags) {
  int r = may_send(c);
  if (r)
    return r;
  if (!u->resid)
    return 0;
  ssize_t done = 0;
  tcp_hold(c);
  uint32_t room;
  while (u->resid && (room = tcp_snd_room(c))) {
    struct tcp_chunk *k = chunk_room(c, u->resid < room ? u->resid : room);
    if (!k) {
      r = -EAGAIN;
      break;
    }
    uint32_t n = u32_min(room, (uint32_t)(k->store->bytes + k->store->cap - (k->data + k->len)));
    n = u->resid < n ? (uint32_t)u->resid : n;
    ssize_t got = uio_copy_from(u, k->data + k->len, n);
    if (got != (ssize_t)n) { /* as Linux: all of a piece or nothing */
      r = -EFAULT;
      break;
    }
    k->len += (uint32_t)got;
    c->snd_end += (uint32_t)got;
    done += got;
    if (c->snd_end - c->snd_nxt > TCP_GSO_MAX * 2)
      tcp_push(c); /* overlap: the peer works on the first while the rest is copied */
  }
  struct tcp_chunk *last = LAST(&c->sq, tcp_chunk);
  if (last && !last->len) { /* a fault before the first byte of it */
    STAILQ_REMOVE(&c->sq, last, tcp_chunk, link);
    chunk_free(c, last);
  }
  if (done)
    sent_to_queue(c, flags);
  if (!tcp_snd_room(c) || (!done && r == -EAGAIN))
    c->want_write = true;
  tcp_release(c);
  return done ? done : r ? r : -EAGAIN;
}

ssize_t tcp_send_store(struct tcp_conn *c, struct pstore *s, uint8_t *data, uint32_t len, int flags) {
  int r = may_send(c);
  if (r)
    return r;
  uint32_t n = u32_min(len, tcp_snd_room(c));
  if (!n) {
    c->want_write = true;
    return len ? -EAGAIN : 0;
  }
  if (!chunk_add(c, s, data, n, false))
    return -EAGAIN;
  tcp_hold(c);
  c->snd_end += n;
  sent_to_queue(c, flags);
  tcp_release(c);
  return n;
}

/* The pieces of [seq, seq + n) as references; less than n when the packet has no place for more pieces. */
int tcp_sq_fill(struct tcp_conn *c, struct pbuf *p, uint32_t seq, uint32_t n) {
  struct tcp_chunk *k = c->sq_at && seq_le(c->sq_at->seq, seq) ? c->sq_at : STAILQ_FIRST(&c->sq);
  uint32_t done = 0;
  while (k && seq_le(k->seq + k->len, seq))
    k = STAILQ_NEXT(k, link);
  for (; k && done < n; k = STAILQ_NEXT(k, link)) {
    uint32_t off = seq + done - k->seq, part = u32_min(k->len - off, n - done);
    if (pbuf_add_frag(p, k->store, k->data + off, part))
      break;
    done += part;
    if (!(seq_lt(seq, c->snd_nxt)))
      c->sq_at = k;
  }
  return (int)done;
}

/* ---- receive queues ---- */

static uint32_t truesize(const struct pbuf *p) {
  uint32_t t = (uint32_t)sizeof *p + (p->store ? p->store->cap : 0);
  for (int i = 0; i < p->nfrags; i++)
    t += p->frag[i].len;
  return t;
}

static void charge(struct tcp_conn *c, struct pbuf *p) {
  p->cb[2] = truesize(p);
  c->rcvmem += (uint32_t)p->cb[2];
  tcp_mem_force(c->s, (long)p->cb[2]);
}

static void drop(struct tcp_conn *c, struct pbuf *p) {
  c->rcvmem -= (uint32_t)p->cb[2];
  tcp_mem_force(c->s, -(long)p->cb[2]);
  pbuf_free(p);
}

void tcp_rq_free(struct tcp_conn *c) {
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&c->rq))) {
    STAILQ_REMOVE_HEAD(&c->rq, link);
    drop(c, p);
  }
  while ((p = STAILQ_FIRST(&c->ooq))) {
    STAILQ_REMOVE_HEAD(&c->ooq, link);
    drop(c, p);
  }
  c->rcv_bytes = c->nooo = c->ooo_bytes = 0;
  c->nsacks = 0;
}

/* A packet that pins much more memory than it has bytes is copied into one that does not. NULL: no memory. */
static struct pbuf *compact(struct pbuf *p, uint32_t room) {
  if (p->len > SMALL && truesize(p) <= 4 * p->len)
    return p;
  struct pbuf *q = pbuf_new(u32_max(p->len, room));
  if (q)
    pbuf_copy_out(p, 0, pbuf_put(q, p->len), p->len);
  pbuf_free(p);
  return q;
}

/* Queue in-order bytes. p->len > 0. */
static bool append(struct tcp_conn *c, struct pbuf *p) {
  uint32_t n = p->len;
  struct pbuf *last = LAST(&c->rq, pbuf);
  uint8_t *at;
  if (n <= SMALL && last && last->cb[3] && (at = pbuf_put(last, n))) {
    pbuf_copy_out(p, 0, at, n);
    pbuf_free(p);
  } else {
    bool small = n <= SMALL;
    if (!(p = compact(p, small && last ? GATHER : 0)))
      return false;
    p->cb[3] = small && last;
    charge(c, p);
    STAILQ_INSERT_TAIL(&c->rq, p, link);
  }
  c->rcv_bytes += n;
  c->rcv_nxt += n;
  c->bytes_rcvd += n;
  return true;
}

static uint32_t oo_seq(const struct pbuf *p) {
  return (uint32_t)p->cb[0];
}
static uint32_t oo_end(const struct pbuf *p) {
  return oo_seq(p) + p->len;
}

/* The run of pieces around seq becomes the first SACK block: RFC 2018 4. */
static void sack_note(struct tcp_conn *c, uint32_t seq) {
  struct tcp_sack b = {0};
  struct pbuf *p;
  bool open = false;
  STAILQ_FOREACH(p, &c->ooq, link) {
    if (open && oo_seq(p) == b.end) {
      b.end = oo_end(p);
      continue;
    }
    if (open && seq_le(b.start, seq) && seq_lt(seq, b.end))
      break;
    b = (struct tcp_sack){oo_seq(p), oo_end(p)};
    open = true;
  }
  struct tcp_sack keep[4];
  uint8_t n = 0;
  keep[n++] = b;
  for (int i = 0; i < c->nsacks && n < 4; i++)
    if (seq_lt(c->sacks[i].end, b.start) || seq_lt(b.end, c->sacks[i].start))
      keep[n++] = c->sacks[i];
  memcpy(c->sacks, keep, sizeof keep);
  c->nsacks = n;
}

static void sack_forget(struct tcp_conn *c) {
  uint8_t n = 0;
  for (int i = 0; i < c->nsacks; i++)
    if (seq_lt(c->rcv_nxt, c->sacks[i].end) && seq_lt(c->rcv_nxt, c->sacks[i].start))
      c->sacks[n++] = c->sacks[i];
  c->nsacks = n;
}

void tcp_note_dsack(struct tcp_conn *c, uint32_t start, uint32_t end) { /* RFC 2883 */
  if (!c->sack_on || !c->s->set.dsack || !seq_lt(start, end))
    return;
  c->dsack = (struct tcp_sack){start, end};
  c->dsack_due = true;
}

static void oo_remove_after(struct tcp_conn *c, struct pbuf *prev, struct pbuf *p) {
  if (prev)
    STAILQ_REMOVE(&c->ooq, p, pbuf, link);
  else
    STAILQ_REMOVE_HEAD(&c->ooq, link);
  c->nooo--;
  c->ooo_bytes -= p->len;
}

static void oo_insert(struct tcp_conn *c, struct pbuf *p, uint32_t seq) {
  uint32_t end = seq + p->len;
  struct pbuf *prev = LAST(&c->ooq, pbuf), *q;
  if (!prev || seq_lt(seq, oo_end(prev))) {
    prev = NULL;
    STAILQ_FOREACH(q, &c->ooq, link) {
      if (!seq_le(oo_seq(q), seq))
        break;
      prev = q;
    }
  }
  if (prev && seq_lt(seq, oo_end(prev))) {
    tcp_note_dsack(c, seq, seq_lt(end, oo_end(prev)) ? end : oo_end(prev));
    if (seq_le(end, oo_end(prev))) {
      pbuf_free(p);
      sack_note(c, seq);
      return;
    }
    pbuf_pull(p, oo_end(prev) - seq);
    seq = oo_end(prev);
  }
  while ((q = prev ? STAILQ_NEXT(prev, link) : STAILQ_FIRST(&c->ooq)) && seq_lt(oo_seq(q), end)) {
    if (seq_lt(end, oo_end(q))) { /* keep what it has behind ours */
      pbuf_trim(p, oo_seq(q) - seq);
      break;
    }
    oo_remove_after(c, prev, q);
    drop(c, q);
  }
  if (!p->len || !(p = compact(p, 0))) {
    pbuf_free(p);
    return;
  }
  p->cb[0] = seq;
  p->cb[3] = 0;
  charge(c, p);
  if (prev)
    STAILQ_INSERT_AFTER(&c->ooq, prev, p, link);
  else
    STAILQ_INSERT_HEAD(&c->ooq, p, link);
  c->nooo++;
  c->ooo_bytes += p->len;
  sack_note(c, seq);
}

static void oo_drain(struct tcp_conn *c) {
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&c->ooq)) && seq_le(oo_seq(p), c->rcv_nxt)) {
    uint32_t dup = c->rcv_nxt - oo_seq(p);
    oo_remove_after(c, NULL, p);
    c->rcvmem -= (uint32_t)p->cb[2];
    tcp_mem_force(c->s, -(long)p->cb[2]);
    if (dup >= p->len) {
      pbuf_free(p);
      continue;
    }
    pbuf_pull(p, dup);
    if (!append(c, p))
      return;
  }
}

void tcp_rq_add(struct tcp_conn *c, struct tcp_rx *r) {
  struct pbuf *p = r->p;
  r->p = NULL;
  c->data_in++;
  bool full = c->s->mem > c->s->set.mem_max;
  if (r->seq == c->rcv_nxt) {
    if ((full && c->rcv_bytes) || !append(c, p)) { /* an empty queue takes one, so that every reader comes on */
      if (full && c->rcv_bytes)
        pbuf_free(p);
      c->s->stats.rcv_pruned++;
      return;
    }
    if (c->nooo) {
      oo_drain(c);
      sack_forget(c);
    }
    return;
  }
  c->s->stats.ofo_queue++;
  if (full || c->nooo >= TCP_OOO_MAX || c->rcvmem > 2 * c->rcvbuf) {
    c->s->stats.ofo_drop++;
    pbuf_free(p);
    return;
  }
  oo_insert(c, p, r->seq);
}

/* ---- the receive window ---- */

uint32_t tcp_rcv_window(struct tcp_conn *c) {
  uint32_t space = c->rcvbuf / 2, now = seq_lt(c->rcv_nxt, c->rcv_adv) ? c->rcv_adv - c->rcv_nxt : 0;
  if (c->clamp)
    space = u32_min(space, c->clamp);
  uint32_t used = c->rcv_bytes;
  uint32_t free = used < space && c->rcvmem < 2 * c->rcvbuf && c->s->mem < c->s->set.mem_max ? space - used : 0;
  uint32_t step = u32_min(space / 2, c->mss); /* RFC 9293 3.8.6.2.2: no silly windows */
  if (free < step)
    free = 0;
  uint32_t unit = (1u << c->rcv_wscale) - 1;
  if (free > now) {
    free &= ~unit;
    return u32_max(free, now);
  }
  return now; /* the right edge never moves back */
}

/* Dynamic right sizing: twice what the reader took in one round trip must fit. */
void tcp_rcv_tune(struct tcp_conn *c) {
  if (c->rcvbuf_lock || !c->s->set.moderate_rcvbuf)
    return;
  int64_t now = tcp_now(c->s), rtt = c->srtt > MS ? c->srtt : MS;
  if (now - c->drs_at < rtt)
    return;
  uint32_t got = c->copied - c->drs_copied;
  if (2ull * got + 16 * c->mss > c->rcvbuf / 2) {
    uint64_t want = 2 * (2ull * got + 16 * c->mss);
    if (want > (uint64_t)c->s->set.rmem[2])
      want = (uint64_t)c->s->set.rmem[2];
    if (want > c->rcvbuf && c->s->mem < c->s->set.mem_max / 2)
      c->rcvbuf = (uint32_t)want;
  }
  c->drs_copied = c->copied;
  c->drs_at = now;
}

/* ---- reading ---- */

/* Where the urgent byte is, from the next byte to read; UINT32_MAX: not within what can be read. */
static uint32_t urg_offset(const struct tcp_conn *c) {
  if (c->urg_state == URG_NONE)
    return UINT32_MAX;
  uint32_t off = c->rcv_up - (c->rcv_nxt - c->fin_rcvd - c->rcv_bytes);
  return off < c->rcv_bytes ? off : UINT32_MAX;
}

bool tcp_at_mark(const struct tcp_conn *c) {
  return c->urg_state != URG_NONE && c->rcv_up == c->rcv_nxt - c->fin_rcvd - c->rcv_bytes;
}

static void consume(struct tcp_conn *c, uint32_t n) {
  c->rcv_bytes -= n;
  c->copied += n;
  while (n) {
    struct pbuf *p = STAILQ_FIRST(&c->rq);
    uint32_t part = u32_min(n, p->len);
    pbuf_pull(p, part);
    n -= part;
    if (!p->len) {
      STAILQ_REMOVE_HEAD(&c->rq, link);
      drop(c, p);
    }
  }
}

/* Pieces of the queue from *off in *p on, up to *n bytes, for one host call. All three move on. */
static int gather(struct pbuf **p, uint32_t *off, uint32_t *n, struct iovec *v) {
  uint32_t done = 0;
  int k = 0;
  while (*p && done < *n && k < COPY_PIECES) {
    uint32_t got = u32_min(*n - done, (*p)->len - *off);
    k += pbuf_pieces(*p, *off, &got, v + k, COPY_PIECES - k);
    done += got;
    *off += got;
    if (*off == (*p)->len) {
      *p = STAILQ_NEXT(*p, link);
      *off = 0;
    }
  }
  *n = done;
  return k;
}

static ssize_t copy_out(struct tcp_conn *c, struct uio *u, uint32_t off, uint32_t n, int flags) {
  ssize_t done = 0;
  if (flags & MSG_TRUNC) {
    uio_advance(u, n);
    return n;
  }
  struct pbuf *p = STAILQ_FIRST(&c->rq);
  for (; p && off >= p->len; p = STAILQ_NEXT(p, link))
    off -= p->len;
  while (p && n) {
    struct iovec v[COPY_PIECES];
    uint32_t batch = n;
    int k = gather(&p, &off, &batch, v);
    ssize_t r = uio_copy_to_vec(u, v, k);
    if (r < 0)
      return done ? done : r;
    done += r;
    n -= batch;
    if ((uint32_t)r < batch)
      break;
  }
  return done;
}

/* Reading made room: tell the peer if it is worth a segment, or if an acknowledgement has waited for it. */
static void window_update(struct tcp_conn *c) {
  if (!tcp_synchronized(c) || c->fin_rcvd)
    return;
  uint32_t now = seq_lt(c->rcv_nxt, c->rcv_adv) ? c->rcv_adv - c->rcv_nxt : 0, then = tcp_rcv_window(c);
  /* All is read, and no answer is likely to carry the acknowledgement: the sender may be waiting for it (Nagle). */
  bool owed = c->ack_due && c->rcv_bytes == 0 && !c->pingpong && c->t_delack != TCP_NEVER;
  if (owed || c->ack_due >= 2 ||
      (then > now && (then - now >= c->rcvbuf / 4 || (now < c->mss * 2 && then - now >= c->mss) || then >= 2 * now)))
    tcp_ack_late(c);
}

static ssize_t nothing_to_read(struct tcp_conn *c) {
  if (c->fin_rcvd) /* an error after the end is for those who send */
    return 0;
  if (c->err) {
    int e = c->err;
    c->err = 0;
    return -e;
  }
  if (c->rd_shut)
    return 0;
  if (c->state == TCP_LISTEN)
    return -ENOTCONN;
  if (c->state == TCP_CLOSE)
    return c->irs || c->iss ? 0 : -ENOTCONN;
  return -EAGAIN;
}

ssize_t tcp_recv(struct tcp_conn *c, struct uio *u, int flags, uint32_t skip) {
  if (c->state == TCP_LISTEN)
    return -ENOTCONN;
  if (!(flags & MSG_PEEK))
    skip = 0;
  uint32_t urg = urg_offset(c);
  if (urg == skip && !c->oobinline) { /* the urgent byte is not part of the stream */
    if (!(flags & MSG_PEEK)) {
      consume(c, 1);
      c->urg_state = URG_NONE; /* taken or not */
      urg = UINT32_MAX;
    } else {
      skip++;
    }
  } else if (urg == skip) {
    urg = UINT32_MAX;
    if (!(flags & MSG_PEEK))
      c->urg_state = URG_NONE;
  }
  if (c->rcv_bytes <= skip)
    return nothing_to_read(c);
  uint32_t n = c->rcv_bytes - skip;
  if (urg != UINT32_MAX && urg > skip)
    n = u32_min(n, urg - skip);
  if (n > u->resid)
    n = (uint32_t)u->resid;
  if (!n)
    return 0;
  ssize_t r = copy_out(c, u, skip, n, flags);
  if (r < (ssize_t)n)
    return -EFAULT; /* nothing is lost */
  if (r > 0 && !(flags & MSG_PEEK)) {
    tcp_hold(c);
    consume(c, (uint32_t)r);
    tcp_rcv_tune(c);
    window_update(c);
    tcp_release(c);
  }
  return r;
}

int tcp_recv_urg(struct tcp_conn *c, uint8_t *byte, int flags) {
  if (c->oobinline || c->urg_state == URG_NONE || c->urg_state == URG_READ)
    return -EINVAL;
  if (c->urg_state == URG_AWAITED)
    return c->fin_rcvd || c->rd_shut || c->state == TCP_CLOSE ? 0 : -EAGAIN;
  *byte = c->urg_byte;
  if (!(flags & MSG_PEEK))
    c->urg_state = URG_READ;
  return 1;
}
