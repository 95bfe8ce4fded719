/* Sending: segments out of the send queue, Nagle (RFC 9293 3.7.4) with Minshall's rule, cork, silly windows
 * (3.8.6.2.1), acknowledgements, and records of what is in flight. */
#include "tcp_int.h"
#include <arpa/inet.h>

static uint32_t pseudo_sum(const struct tcp_key *k, uint32_t len) {
  uint32_t sum = htons(IPPROTO_TCP) + htons((uint16_t)len);
  if (ip_is4(&k->raddr)) {
    uint32_t a[2] = {ip_get4(&k->laddr), ip_get4(&k->raddr)};
    return csum_add(sum, a, sizeof a);
  }
  return csum_add(csum_add(sum, &k->laddr, 16), &k->raddr, 16);
}

/* p holds the payload in frags, its linear part empty. Header, options, pseudo-header's sum, and off it goes. */
int tcp_emit(struct tcp_stack *s, struct pbuf *p, const struct tcp_key *k, struct ip_flow *f, struct ip_route *r,
             uint32_t seq, uint32_t ack, uint8_t flags, uint32_t wnd, uint16_t urp, const struct tcp_opts *o) {
  uint8_t opts[40];
  uint32_t n = o ? tcp_opts_build(o, opts) : 0;
  memcpy(pbuf_push(p, n), opts, n);
  struct tcp_hdr h = {.sport = htons(k->lport),
                      .dport = htons(k->rport),
                      .seq = htonl(seq),
                      .ack = htonl(ack),
                      .off = (uint8_t)((20 + n) / 4 << 4),
                      .flags = flags,
                      .wnd = htons((uint16_t)wnd),
                      .urp = htons(urp)};
  h.sum = (uint16_t)~csum_fold(pseudo_sum(k, p->len + 20)); /* folded, not inverted */
  memcpy(pbuf_push(p, 20), &h, 20);
  p->transport = p->data;
  p->csum = PB_CSUM_PARTIAL;
  p->csum_start = 0;
  p->csum_offset = offsetof(struct tcp_hdr, sum);
  p->mark = f->mark;
  s->stats.out_segs += p->gso_segs > 1 ? p->gso_segs : 1;
  return s->env.output(s->ctx, p, f, r);
}

/* Everything a segment of this connection carries beside data; it counts as an acknowledgement. */
static int transmit(struct tcp_conn *c, struct pbuf *p, uint32_t seq, uint8_t flags, bool retrans) {
  struct tcp_opts o = {.wscale = -1, .ts = c->ts_on, .tsval = tcp_tsval(c), .tsecr = c->ts_recent};
  if (c->sack_on && (!p->len || p->len + 40 < c->mss)) {
    if (c->dsack_due) {
      o.sack[o.nsack++] = c->dsack;
      c->s->stats.dsack_sent++;
    }
    for (int i = 0; i < c->nsacks && o.nsack < 4; i++)
      o.sack[o.nsack++] = c->sacks[i];
    c->dsack_due = false;
  }
  uint32_t win = tcp_rcv_window(c), urp = 0;
  uint8_t tos = c->flow.tos;
  if (c->urg_out && seq_lt(seq, c->snd_up) && c->snd_up - seq <= 65535) {
    flags |= TF_URG;
    urp = c->snd_up - seq;
  }
  if (c->ecn_on) {
    if (c->ece_out)
      flags |= TF_ECE;
    if (p->len && !retrans) {
      c->flow.tos = (uint8_t)((tos & ~3u) | 2); /* ECT(0), RFC 3168 6.1.5: not on retransmissions */
      if (c->cwr_out)
        flags |= TF_CWR, p->ecn = true;
      c->cwr_out = false;
    }
  }
  uint32_t raw = u32_min(win >> c->rcv_wscale, 65535);
  if (seq_lt(c->rcv_adv, c->rcv_nxt + (raw << c->rcv_wscale)))
    c->rcv_adv = c->rcv_nxt + (raw << c->rcv_wscale);
  c->last_ack_sent = c->rcv_nxt;
  c->ack_due = 0;
  c->t_delack = TCP_NEVER;
  if (c->on_soon)
    TAILQ_REMOVE(&c->s->soon, c, soon);
  c->on_soon = c->ack_sure = false;
  if (c->quick)
    c->quick--;
  c->segs_out++;
  uint32_t len = p->len;
  int r = tcp_emit(c->s, p, &c->n.key, &c->flow, &c->route, seq, c->rcv_nxt, flags | TF_ACK, raw, (uint16_t)urp, &o);
  c->flow.tos = tos;
  if (r == -EMSGSIZE && len && !tcp_set_path(c))
    tcp_sync_mss(c);
  return r;
}

/* ---- SYN, ACK, probes ---- */

void tcp_send_syn(struct tcp_conn *c) {
  struct pbuf *p = pbuf_new(0);
  if (!p)
    return; /* the timer tries again */
  bool ack = c->state == TCP_SYN_RECV;
  struct tcp_opts o = {.mss = tcp_adv_mss(c),
                       .wscale = -1,
                       .ts = c->ts_on,
                       .tsval = tcp_tsval(c),
                       .tsecr = ack ? c->ts_recent : 0,
                       .sack_ok = c->sack_on};
  if (c->s->set.window_scaling && (!ack || c->rcv_wscale || c->snd_wscale))
    o.wscale = (int8_t)c->rcv_wscale;
  uint32_t win = u32_min(c->rcvbuf / 2, 65535);
  if (c->clamp)
    win = u32_min(win, c->clamp);
  uint8_t flags = TF_SYN | (ack ? TF_ACK : 0);
  if (!ack && c->s->set.ecn == 1 && !c->retries)
    flags |= TF_ECE | TF_CWR;
  if (ack && c->ecn_on)
    flags |= TF_ECE;
  c->rcv_adv = c->rcv_nxt + win;
  c->snd_nxt = c->iss + 1;
  c->segs_out++;
  c->rack_xmit = tcp_now(c->s); /* until established: when the SYN left */
  tcp_emit(c->s, p, &c->n.key, &c->flow, &c->route, c->iss, ack ? c->rcv_nxt : 0, flags, win, 0, &o);
}

void tcp_send_ack(struct tcp_conn *c) {
  struct pbuf *p = pbuf_new(0);
  if (!p) {
    c->t_delack = tcp_now(c->s) + TCP_DELACK;
    return;
  }
  /* Never beyond the peer's window, or it would be dropped: RFC 9293 3.10.7.4 */
  uint32_t seq = c->snd_nxt, edge = c->snd_una + c->snd_wnd;
  if (seq_lt(edge, seq))
    seq = seq_lt(edge, c->snd_una) ? c->snd_una : edge;
  transmit(c, p, seq, 0, false);
}

void tcp_send_probe(struct tcp_conn *c) {
  struct pbuf *p = pbuf_new(0);
  if (p)
    transmit(c, p, c->snd_una - 1, 0, false);
}

/* ---- data ---- */

struct tcp_seg *tcp_seg_split(struct tcp_conn *c, struct tcp_seg *g, uint32_t at) {
  if (!seq_lt(g->seq, at) || !seq_lt(at, g->end) || c->nsegs >= TCP_SEGS_MAX)
    return NULL;
  struct tcp_seg *h = malloc(sizeof *h);
  if (!h)
    return NULL;
  *h = *g;
  h->seq = g->end = at;
  g->flags &= (uint8_t)~SG_FIN;
  TAILQ_INSERT_AFTER(&c->segs, g, h, link);
  c->nsegs++;
  return h;
}

/* A packet of up to n bytes (and FIN) from seq. Sets *n to what it holds. */
static struct pbuf *segment(struct tcp_conn *c, uint32_t seq, uint32_t *n) {
  struct pbuf *p = pbuf_new(0);
  if (!p)
    return NULL;
  if (*n) {
    uint32_t got = (uint32_t)tcp_sq_fill(c, p, seq, *n);
    if (got < *n && got > c->mss)
      got -= got % c->mss;
    pbuf_trim(p, got);
    *n = got;
    if (!got) {
      pbuf_free(p);
      return NULL;
    }
  }
  if (*n > c->mss) {
    p->gso = ip_is4(&c->n.key.raddr) ? PB_GSO_TCP4 : PB_GSO_TCP6;
    p->gso_size = (uint16_t)c->mss;
    p->gso_segs = (uint16_t)((*n + c->mss - 1) / c->mss);
  }
  return p;
}

/* New data: n bytes from snd_nxt, with the FIN if that is all and it is due. False: nothing left. */
static bool send_new(struct tcp_conn *c, uint32_t n) {
  struct tcp_seg *g = c->nsegs < TCP_SEGS_MAX ? malloc(sizeof *g) : NULL;
  if (!g)
    return false;
  uint32_t seq = c->snd_nxt;
  struct pbuf *p = segment(c, seq, &n);
  if (!p) {
    free(g);
    return false;
  }
  bool all = seq + n == c->snd_end, fin = all && c->fin_queued && !c->fin_sent;
  *g = (struct tcp_seg){
      .seq = seq, .end = seq + n + fin, .sent = tcp_now(c->s), .delivered = c->delivered, .flags = fin ? SG_FIN : 0};
  bool idle = c->snd_nxt == c->snd_una;
  TAILQ_INSERT_TAIL(&c->segs, g, link);
  c->nsegs++;
  if (n % c->mss)
    c->snd_sml = seq + n;
  c->snd_nxt = g->end;
  c->fin_sent |= fin;
  c->bytes_sent += n;
  c->data_out += n ? (n + c->mss - 1) / c->mss : 0;
  c->prr_out += n;
  c->last_tx_data = g->sent;
  transmit(c, p, seq, (fin ? TF_FIN : 0) | (all && n ? TF_PSH : 0), false);
  c->t_persist = TCP_NEVER;
  tcp_rearm_rto(c, idle);
  return true;
}

static bool tail_may_go(const struct tcp_conn *c) {
  if (c->fin_queued || (c->urg_out && seq_lt(c->snd_nxt, c->snd_up)))
    return true;
  if (c->cork || !c->push)
    return false;
  return c->nodelay || c->snd_nxt == c->snd_una || seq_le(c->snd_sml, c->snd_una);
}

/* How much new data may leave now; 0: none. */
static uint32_t allowance(struct tcp_conn *c) {
  uint32_t unsent = c->snd_end - c->snd_nxt, pipe = tcp_pipe(c), mss = c->mss;
  uint32_t edge = c->snd_una + c->snd_wnd, wnd = seq_lt(c->snd_nxt, edge) ? edge - c->snd_nxt : 0;
  uint32_t cw = c->cwnd > pipe ? c->cwnd - pipe : 0;
  if (!unsent || !wnd)
    return 0;
  if (cw < u32_min(mss, unsent)) {
    c->cwnd_limited = true;
    return 0;
  }
  uint32_t most = mss >= TCP_GSO_MAX ? mss : TCP_GSO_MAX - TCP_GSO_MAX % mss;
  uint32_t n = u32_min(u32_min(unsent, most), u32_min(wnd, cw));
  if (n >= mss) {
    if (n < unsent || !tail_may_go(c))
      n -= n % mss;
    return n;
  }
  if (n == unsent)
    return tail_may_go(c) ? n : 0;
  if (cw < mss) {
    c->cwnd_limited = true;
    return 0;
  }
  return n >= c->max_wnd / 2 ? n : 0; /* the window is all that holds it back */
}

static void after_idle(struct tcp_conn *c) { /* RFC 5681 4.1 */
  if (c->snd_nxt != c->snd_una || !c->s->set.slow_start_after_idle || !c->last_tx_data)
    return;
  if (tcp_now(c->s) - c->last_tx_data > c->rto) {
    c->ssthresh = u32_max(c->ssthresh == UINT32_MAX ? 0 : c->ssthresh, c->cwnd / 4 * 3);
    c->cwnd = u32_min(c->cwnd, tcp_init_cwnd(c));
  }
}

static bool may_transmit(const struct tcp_conn *c) {
  return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT || c->state == TCP_FIN_WAIT1 ||
         c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

static void retransmit_lost(struct tcp_conn *c) {
  struct tcp_seg *g, *next;
  if (c->lost <= c->retx)
    return;
  for (g = TAILQ_FIRST(&c->segs); g; g = next) {
    next = TAILQ_NEXT(g, link);
    if ((g->flags & (SG_LOST | SG_RETX)) != SG_LOST)
      continue;
    uint32_t pipe = tcp_pipe(c), cw = c->cwnd > pipe ? c->cwnd - pipe : 0;
    if (cw < u32_min(c->mss, g->end - g->seq) && pipe)
      return;
    if (g->end - g->seq > u32_max(cw, c->mss))
      tcp_seg_split(c, g, g->seq + u32_max(cw - cw % c->mss, c->mss));
    if (tcp_retransmit_seg(c, g))
      return;
    next = TAILQ_NEXT(g, link); /* it may have been split */
  }
}

bool tcp_leaves_late(const struct tcp_conn *c) {
  return c->s->env.push_late && !ip_is_loopback(&c->n.key.raddr) && !ip_same(&c->n.key.raddr, &c->n.key.laddr);
}

void tcp_ack_late(struct tcp_conn *c) {
  if (!tcp_leaves_late(c)) {
    tcp_send_ack(c);
    return;
  }
  if (!c->on_soon)
    TAILQ_INSERT_TAIL(&c->s->soon, c, soon);
  c->on_soon = c->ack_sure = true;
  c->s->env.push_late(c->s->ctx);
}

void tcp_not_late(struct tcp_conn *c) {
  if (c->on_late)
    TAILQ_REMOVE(&c->s->late, c, late);
  c->on_late = false;
}

void tcp_push_late(struct tcp_stack *s) {
  struct tcp_conn *c;
  while ((c = TAILQ_FIRST(&s->late))) {
    tcp_hold(c);
    tcp_push(c);
    tcp_release(c);
  }
  tcp_rx_end(s); /* what no data has carried */
}

void tcp_push(struct tcp_conn *c) {
  tcp_not_late(c);
  if (!may_transmit(c))
    return;
  retransmit_lost(c);
  c->cwnd_limited = false;
  if (!c->fin_sent) {
    after_idle(c);
    uint32_t n;
    while ((n = allowance(c)) && send_new(c, n))
      ;
    if (c->fin_queued && !c->fin_sent && c->snd_nxt == c->snd_end && (c->snd_wnd || c->snd_nxt != c->snd_una))
      send_new(c, 0);
  }
  tcp_schedule_tlp(c);
  tcp_check_persist(c);
}

bool tcp_send_one(struct tcp_conn *c, uint32_t max) {
  if (!may_transmit(c) || c->fin_sent)
    return false;
  uint32_t edge = c->snd_una + c->snd_wnd, wnd = seq_lt(c->snd_nxt, edge) ? edge - c->snd_nxt : 0;
  uint32_t n = u32_min(u32_min(c->snd_end - c->snd_nxt, max), wnd);
  return n && send_new(c, n);
}

/* g once more, whole if it fits one packet; else it is split and its first part sent. 0, or -errno. */
int tcp_retransmit_seg(struct tcp_conn *c, struct tcp_seg *g) {
  uint32_t most = c->mss >= TCP_GSO_MAX ? c->mss : TCP_GSO_MAX - TCP_GSO_MAX % c->mss;
  if (seq_lt(g->seq, c->snd_una)) /* cannot be: acknowledged parts are cut off */
    return -EINVAL;
  if (g->end - g->seq > most + (g->flags & SG_FIN ? 1 : 0))
    tcp_seg_split(c, g, g->seq + most);
  uint32_t n = g->end - g->seq - (g->flags & SG_FIN ? 1 : 0), want = u32_min(n, most);
  uint32_t edge = c->snd_una + c->snd_wnd;
  if (n && g->seq != c->snd_una && !seq_lt(g->seq, edge))
    return -EAGAIN; /* the window shrank below it: the head alone goes out, as a probe */
  n = want;
  struct pbuf *p = segment(c, g->seq, &n);
  if (!p)
    return -ENOBUFS;
  if (n < want)
    tcp_seg_split(c, g, g->seq + n);
  if (g->flags & SG_RETX)
    c->retx -= g->end - g->seq;
  g->flags |= SG_RETX | SG_EVER;
  c->retx += g->end - g->seq;
  g->sent = tcp_now(c->s);
  uint32_t segs = n ? (n + c->mss - 1) / c->mss : 1;
  c->total_retrans += segs;
  c->s->stats.retrans_segs += segs;
  c->bytes_retx += n;
  c->prr_out += n;
  c->undo_retx += segs;
  if (!c->retx_stamp)
    c->retx_stamp = tcp_tsval(c) ? tcp_tsval(c) : 1;
  bool fin = g->flags & SG_FIN && g->seq + n + 1 == g->end; /* a record that could not be split is sent in part */
  int r = transmit(c, p, g->seq, (fin ? TF_FIN : 0) | (g->seq + n == c->snd_end ? TF_PSH : 0), true);
  tcp_rearm_rto(c, false);
  return r == -EMSGSIZE ? 0 : r < 0 ? 0 : r; /* lost on the way out is lost: the timers see to it */
}
