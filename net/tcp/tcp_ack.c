/* Incoming acknowledgements: RFC 9293 3.10.7.4 (fifth), the SACK scoreboard (RFC 2018, 6675), D-SACK (RFC 2883), round
 * trip samples, the send window. What follows from them is tcp_loss.c's. */
#include "tcp_int.h"

void tcp_seg_clear(struct tcp_conn *c, struct tcp_seg *g) {
  uint32_t n = g->end - g->seq;
  if (g->flags & SG_SACKED)
    c->sacked -= n;
  if (g->flags & SG_LOST)
    c->lost -= n;
  if (g->flags & SG_RETX)
    c->retx -= n;
  g->flags &= (uint8_t) ~(SG_SACKED | SG_LOST | SG_RETX);
}

void tcp_seg_free(struct tcp_conn *c, struct tcp_seg *g) {
  tcp_seg_clear(c, g);
  TAILQ_REMOVE(&c->segs, g, link);
  c->nsegs--;
  free(g);
}

void tcp_segs_free(struct tcp_conn *c) {
  struct tcp_seg *g;
  while ((g = TAILQ_FIRST(&c->segs)))
    tcp_seg_free(c, g);
}

struct walk {
  const struct tcp_rx *r;
  struct tcp_ack_info *a;
  int64_t now, rtt; /* rtt: of the youngest record that was sent once only; -1: none */
};

static void delivered(struct tcp_conn *c, struct tcp_seg *g, struct walk *w) {
  w->a->delivered += g->end - g->seq;
  c->delivered += g->end - g->seq;
  if (!(g->flags & SG_EVER)) {
    w->rtt = w->now - g->sent;
    if (seq_lt(g->end, c->highest_sack) && seq_lt(w->a->prior_una, c->highest_sack)) {
      c->reordering = true; /* came behind one that was sent later: RFC 8985 6.2 step 3 */
      c->reord_seen++;
    }
  }
  tcp_rack_update(c, g, w->r->o.tsecr, w->r->o.ts && c->ts_on);
}

static void sack_one(struct tcp_conn *c, struct tcp_sack b, struct walk *w) {
  struct tcp_seg *g, *next;
  for (g = TAILQ_FIRST(&c->segs); g && seq_lt(g->seq, b.end); g = next) {
    next = TAILQ_NEXT(g, link);
    if (!seq_lt(b.start, g->end) || g->flags & SG_SACKED)
      continue;
    if (seq_lt(g->seq, b.start)) { /* the second part is ours */
      next = tcp_seg_split(c, g, b.start);
      if (!next)
        next = TAILQ_NEXT(g, link);
      continue;
    }
    if (seq_lt(b.end, g->end) && !tcp_seg_split(c, g, b.end))
      continue;
    next = TAILQ_NEXT(g, link);
    delivered(c, g, w);
    tcp_seg_clear(c, g);
    g->flags |= SG_SACKED;
    c->sacked += g->end - g->seq;
    w->a->newly_sacked += g->end - g->seq;
    if (seq_lt(c->highest_sack, g->end))
      c->highest_sack = g->end;
  }
}

static void sack_all(struct tcp_conn *c, const struct tcp_rx *r, struct walk *w) {
  for (int i = 0; i < r->o.nsack; i++) {
    struct tcp_sack b = r->o.sack[i];
    if (!seq_lt(b.start, b.end))
      continue;
    bool below = seq_le(b.end, r->ack);
    bool inside = i == 0 && r->o.nsack > 1 && seq_le(r->o.sack[1].start, b.start) && seq_le(b.end, r->o.sack[1].end);
    if (i == 0 && (below || inside)) { /* D-SACK */
      if (c->max_wnd && b.end - b.start <= c->max_wnd && seq_lt(c->snd_una - u32_max(c->max_wnd, 65536), b.start)) {
        w->a->dsack = true;
        c->s->stats.dsack_recv++;
        c->dsack_dups++;
        if (c->undo_retx)
          c->undo_retx -= u32_min(c->undo_retx, (b.end - b.start + c->mss - 1) / c->mss);
      }
      continue;
    }
    if (below || seq_lt(b.start, c->snd_una) || seq_lt(c->snd_nxt, b.end))
      continue; /* of an older time, or of nothing we sent */
    sack_one(c, b, w);
  }
}

static void cumulative(struct tcp_conn *c, uint32_t ack, struct walk *w) {
  struct tcp_seg *g;
  while ((g = TAILQ_FIRST(&c->segs)) && seq_lt(g->seq, ack)) {
    if (seq_lt(ack, g->end) && !tcp_seg_split(c, g, ack)) {
      /* No memory to split: shrink it. Its flags stay with what remains. */
      uint32_t cut = ack - g->seq;
      if (g->flags & SG_SACKED)
        c->sacked -= cut;
      if (g->flags & SG_LOST)
        c->lost -= cut;
      if (g->flags & SG_RETX)
        c->retx -= cut;
      g->seq = ack;
      w->a->delivered += cut;
      break;
    }
    if (!(g->flags & SG_SACKED))
      delivered(c, g, w);
    else
      w->a->progress = true;
    tcp_seg_free(c, g);
  }
  c->bytes_acked += ack - c->snd_una;
  w->a->acked = ack - c->snd_una;
  c->snd_una = ack;
  if (seq_lt(c->highest_sack, ack))
    c->highest_sack = ack;
  if (c->urg_out && seq_le(c->snd_up, ack))
    c->urg_out = false;
  if (seq_lt(c->snd_sml, ack))
    c->snd_sml = ack;
  tcp_sq_ack(c);
}

static bool update_window(struct tcp_conn *c, const struct tcp_rx *r) {
  uint32_t wnd = (uint32_t)r->wnd << c->snd_wscale;
  bool newer = seq_lt(c->snd_wl1, r->seq) || (c->snd_wl1 == r->seq && seq_le(c->snd_wl2, r->ack));
  if (!newer)
    return false;
  bool grew = wnd != c->snd_wnd;
  c->snd_wnd = wnd;
  c->snd_wl1 = r->seq;
  c->snd_wl2 = r->ack;
  c->max_wnd = u32_max(c->max_wnd, wnd);
  return grew;
}

static void ecn_in(struct tcp_conn *c, const struct tcp_rx *r) {
  if (!c->ecn_on || !(r->flags & TF_ECE) || r->flags & TF_SYN)
    return;
  if (c->ca == CA_OPEN && seq_le(c->recover, c->snd_una) && c->snd_nxt != c->snd_una) /* once a round trip */
    tcp_cwr(c);
}

static void tell_room(struct tcp_conn *c) {
  if (!c->want_write)
    return;
  struct tcp_status st;
  tcp_status(c, &st);
  if (st.writable) {
    c->want_write = false;
    tcp_event(c, TCP_EV_WRITE);
  }
}

bool tcp_ack(struct tcp_conn *c, const struct tcp_rx *r) {
  if (seq_lt(c->snd_nxt, r->ack)) { /* of what was never sent: RFC 5961 5 */
    tcp_challenge(c);
    return false;
  }
  if (seq_lt(r->ack, c->snd_una - c->max_wnd)) {
    tcp_challenge(c);
    return false;
  }
  struct tcp_ack_info a = {.prior_una = c->snd_una, .prior_pipe = tcp_pipe(c)};
  struct walk w = {.r = r, .a = &a, .now = tcp_now(c->s), .rtt = -1};
  c->probes = c->ka_probes = 0;
  uint32_t old_wnd = c->snd_wnd;
  bool wnd = false;
  if (seq_le(c->snd_una, r->ack))
    wnd = update_window(c, r);
  if (c->sack_on && r->o.nsack)
    sack_all(c, r, &w);
  if (seq_lt(c->snd_una, r->ack)) {
    bool fin = c->fin_sent && r->ack == c->snd_nxt;
    cumulative(c, r->ack, &w);
    c->retries = 0;
    c->backoff = 0;
    c->first_retx = 0;
    if (w.rtt >= 0)
      tcp_rtt(c, w.rtt);
    else if (c->ts_on && r->o.ts && r->o.tsecr) /* RFC 7323 4.1 */
      tcp_rtt(c, (int64_t)(uint32_t)(tcp_tsval(c) - r->o.tsecr) * MS);
    if (c->dupacks && !c->sack_on)
      c->dupacks = 0;
    tcp_rearm_rto(c, true);
    tcp_loss_ack(c, r, &a);
    tcp_snd_tune(c);
    if (fin && c->snd_una == c->snd_nxt) {
      tcp_fin_acked(c);
      if (c->state == TCP_CLOSE)
        return false;
    }
    tell_room(c);
  } else if (r->ack == c->snd_una && c->snd_nxt != c->snd_una) {
    if (!r->len && !wnd && !(r->flags & (TF_SYN | TF_FIN)) && c->snd_wnd == old_wnd)
      c->dupacks++;
    tcp_loss_ack(c, r, &a);
  }
  ecn_in(c, r);
  if (c->snd_nxt == c->snd_una)
    c->t_retx = TCP_NEVER;
  return true;
}
