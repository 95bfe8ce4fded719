/*
 * Loss: RACK-TLP (RFC 8985) with SACK, NewReno (RFC 6582) without; proportional rate reduction (RFC 6937); undoing what
 * proves to have been no loss (Eifel, RFC 3522/4015, by timestamps; D-SACK, RFC 3708).
 */
#include "tcp_int.h"

void tcp_mark_lost(struct tcp_conn *c, struct tcp_seg *g) {
  uint32_t n = g->end - g->seq;
  if (g->flags & SG_SACKED)
    return;
  if (g->flags & SG_RETX) {
    g->flags &= (uint8_t)~SG_RETX;
    c->retx -= n;
  }
  if (!(g->flags & SG_LOST)) {
    g->flags |= SG_LOST;
    c->lost += n;
  }
}

static bool sent_after(int64_t t1, uint32_t s1, int64_t t2, uint32_t s2) {
  return t1 > t2 || (t1 == t2 && seq_lt(s2, s1));
}

/* RFC 8985 6.2 step 2: the latest sent of what was delivered. */
void tcp_rack_update(struct tcp_conn *c, const struct tcp_seg *g, uint32_t tsecr, bool ts) {
  int64_t rtt = tcp_now(c->s) - g->sent;
  if (g->flags & SG_EVER) {
    if (ts && (int32_t)(tsecr - (uint32_t)(g->sent / MS) - c->tsoff) < 0)
      return; /* an answer to the first transmission */
    if (rtt < c->min_rtt && c->min_rtt)
      return;
  }
  c->rack_rtt = rtt;
  if (sent_after(g->sent, g->end, c->rack_xmit, c->rack_end)) {
    c->rack_xmit = g->sent;
    c->rack_end = g->end;
  }
}

static int64_t reo_window(const struct tcp_conn *c) {
  if (!c->reordering) {
    if (c->ca != CA_OPEN || c->sacked >= 3 * c->mss)
      return 0;
  }
  int64_t w = c->min_rtt / 4 * c->reo_mult;
  return w < c->srtt ? w : c->srtt;
}

/* RFC 8985 6.2 step 5. */
static void rack_detect(struct tcp_conn *c) {
  int64_t now = tcp_now(c->s), wnd = reo_window(c), soonest = 0;
  struct tcp_seg *g;
  c->t_reo = TCP_NEVER;
  if (!c->rack_xmit)
    return;
  TAILQ_FOREACH(g, &c->segs, link) {
    if (g->flags & SG_SACKED || (g->flags & (SG_LOST | SG_RETX)) == SG_LOST)
      continue;
    if (!sent_after(c->rack_xmit, c->rack_end, g->sent, g->end)) {
      if (!(g->flags & SG_EVER) && !c->lost)
        break; /* never sent again: those behind are younger still */
      continue;
    }
    int64_t left = g->sent + c->rack_rtt + wnd - now;
    if (left <= 0)
      tcp_mark_lost(c, g);
    else if (!soonest || left < soonest)
      soonest = left;
  }
  if (soonest)
    c->t_reo = now + soonest + MS / 4;
}

/* Without SACK: three duplicates, then one hole for each partial acknowledgement. */
static void reno_detect(struct tcp_conn *c) {
  struct tcp_seg *g = TAILQ_FIRST(&c->segs);
  uint32_t held = c->snd_nxt - c->snd_una;
  held = held > c->mss ? held - c->mss : 0;
  c->sacked = 0;
  if (!g)
    return;
  if (c->ca == CA_OPEN && c->dupacks >= 3) {
    if (g->end - g->seq > c->mss)
      tcp_seg_split(c, g, g->seq + c->mss);
    tcp_mark_lost(c, g);
  }
  uint32_t room = held > c->lost ? held - c->lost : 0;
  if (c->ca != CA_LOSS)
    c->sacked = u32_min(c->dupacks * c->mss, room); /* duplicates say that so much has left the network */
}

void tcp_detect_loss(struct tcp_conn *c) {
  if (c->sack_on)
    rack_detect(c);
  else
    reno_detect(c);
}

/* ---- episodes ---- */

static void remember(struct tcp_conn *c) {
  c->prior_cwnd = c->cwnd;
  c->prior_ssthresh = c->ssthresh;
  c->undo_una = c->snd_una;
  c->undo_ok = true;
  c->undo_retx = 0;
  c->retx_stamp = 0;
}

void tcp_enter_recovery(struct tcp_conn *c) {
  if (c->ca != CA_OPEN)
    return;
  remember(c);
  c->ca = CA_RECOVERY;
  c->recover = c->snd_nxt;
  c->recover_fs = u32_max(c->snd_nxt - c->snd_una, c->mss);
  c->prr_delivered = c->prr_out = 0;
  c->ssthresh = tcp_ssthresh(c);
  c->cwr_out = c->ecn_on;
  c->s->stats.fast_retrans++;
  c->sack_on ? c->s->stats.sack_recovery++ : c->s->stats.reno_recovery++;
}

void tcp_cwr(struct tcp_conn *c) {
  c->recover = c->snd_nxt;
  c->ssthresh = tcp_ssthresh(c);
  c->cwnd = c->ssthresh;
  c->cwr_out = true;
}

void tcp_enter_loss(struct tcp_conn *c) {
  struct tcp_seg *g;
  if (c->ca == CA_OPEN || seq_le(c->recover, c->snd_una)) {
    remember(c);
    c->ssthresh = tcp_ssthresh(c);
  }
  c->ca = CA_LOSS;
  c->recover = c->snd_nxt;
  c->dupacks = 0;
  if (!c->sack_on)
    c->sacked = 0;
  TAILQ_FOREACH(g, &c->segs, link)
  tcp_mark_lost(c, g);
  c->cwnd = tcp_pipe(c) + c->mss;
  c->tlp_high = 0;
  c->tlp_out = false;
  c->cwr_out = c->ecn_on;
}

static void undo(struct tcp_conn *c) {
  struct tcp_seg *g;
  TAILQ_FOREACH(g, &c->segs, link)
  if (g->flags & SG_LOST) {
    g->flags &= (uint8_t)~SG_LOST;
    c->lost -= g->end - g->seq;
    if (g->flags & SG_RETX) {
      g->flags &= (uint8_t)~SG_RETX;
      c->retx -= g->end - g->seq;
    }
  }
  c->cwnd = u32_max(c->cwnd, c->prior_cwnd);
  c->ssthresh = c->prior_ssthresh;
  c->ca = CA_OPEN;
  c->undo_ok = false;
  c->reordering = true;
  c->cwr_out = false;
  c->s->stats.undo++;
}

static bool spurious(const struct tcp_conn *c, const struct tcp_rx *r, const struct tcp_ack_info *a) {
  if (!c->undo_ok)
    return false;
  /* The echo is older than the first retransmission: the original arrived. */
  if (a->acked && c->ts_on && r->o.ts && r->o.tsecr && c->retx_stamp && (int32_t)(r->o.tsecr - c->retx_stamp) < 0)
    return true;
  return a->dsack && c->retx_stamp && !c->undo_retx; /* every retransmission arrived twice */
}

static void leave_recovery(struct tcp_conn *c) {
  if (c->ca == CA_RECOVERY)
    c->cwnd = c->ssthresh;
  c->ca = CA_OPEN;
  c->dupacks = 0;
  if (!c->sack_on)
    c->sacked = 0;
  c->reo_persist = c->reo_persist ? c->reo_persist - 1 : 0;
  if (!c->reo_persist)
    c->reo_mult = 1;
}

/* RFC 6937, with the reduction bound of its successor: slow start only while every acknowledgement makes progress. */
static void prr(struct tcp_conn *c, const struct tcp_ack_info *a, bool lost_more) {
  uint32_t pipe = tcp_pipe(c), send;
  c->prr_delivered += a->delivered;
  if (pipe > c->ssthresh) {
    uint64_t want = ((uint64_t)c->prr_delivered * c->ssthresh + c->recover_fs - 1) / c->recover_fs;
    send = want > c->prr_out ? (uint32_t)want - c->prr_out : 0;
  } else {
    uint32_t behind = c->prr_delivered > c->prr_out ? c->prr_delivered - c->prr_out : 0;
    send = u32_max(behind, a->delivered);
    if (a->acked && !lost_more)
      send += c->mss;
    send = u32_min(send, c->ssthresh - pipe);
  }
  if (!c->prr_out && send < c->mss)
    send = c->mss; /* the fast retransmission itself */
  c->cwnd = pipe + send;
}

static void tlp_ack(struct tcp_conn *c, const struct tcp_rx *r, const struct tcp_ack_info *a) { /* RFC 8985 7.4 */
  if (!c->tlp_out || seq_lt(r->ack, c->tlp_high))
    return;
  if (!c->tlp_retx || a->dsack) {
    c->tlp_out = false; /* the probe was new data, or was superfluous: nothing had been lost */
  } else if (seq_lt(c->tlp_high, r->ack) || a->acked) {
    c->tlp_out = false;
    if (c->ca == CA_OPEN) { /* the probe repaired a loss, which still counts as congestion */
      c->ssthresh = tcp_ssthresh(c);
      c->cwnd = u32_min(c->cwnd, c->ssthresh);
    }
  }
}

static void reno_partial(struct tcp_conn *c) {
  struct tcp_seg *g = TAILQ_FIRST(&c->segs);
  if (!g)
    return;
  if (g->end - g->seq > c->mss)
    tcp_seg_split(c, g, g->seq + c->mss);
  tcp_mark_lost(c, g);
}

void tcp_loss_ack(struct tcp_conn *c, const struct tcp_rx *r, struct tcp_ack_info *a) {
  uint32_t lost = c->lost;
  if (a->dsack && c->ca == CA_OPEN && c->reo_mult < 16) { /* RFC 8985 6.2 step 4 */
    c->reo_mult++;
    c->reo_persist = 16;
  }
  tlp_ack(c, r, a);
  if (c->ca != CA_OPEN && spurious(c, r, a))
    undo(c);
  if (c->ca != CA_OPEN && seq_le(c->recover, c->snd_una))
    leave_recovery(c);
  tcp_detect_loss(c);
  if (!c->sack_on && c->ca == CA_RECOVERY && a->acked)
    reno_partial(c);
  if (c->ca == CA_OPEN && c->lost > c->retx)
    tcp_enter_recovery(c);
  if (c->ca == CA_RECOVERY)
    prr(c, a, c->lost > lost);
  else if (a->acked && (c->ca == CA_LOSS || a->prior_pipe + a->acked >= c->cwnd / 2))
    tcp_grow(c, a->acked);
}
