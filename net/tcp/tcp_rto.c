/* Round trip times and the retransmission timer (RFC 6298), tail loss probes (RFC 8985 7). */
#include "tcp_int.h"

void tcp_rtt(struct tcp_conn *c, int64_t rtt) {
  int64_t now = tcp_now(c->s);
  if (rtt < 0 || rtt > TCP_RTO_MAX)
    return;
  if (rtt == 0)
    rtt = 1000;
  c->rtt_sample = rtt;
  if (!c->min_rtt || rtt <= c->min_rtt || now - c->min_rtt_at > 300 * SEC) {
    c->min_rtt = rtt;
    c->min_rtt_at = now;
  }
  if (!c->srtt) {
    c->srtt = rtt;
    c->rttvar = rtt / 2;
  } else {
    int64_t err = c->srtt > rtt ? c->srtt - rtt : rtt - c->srtt;
    c->rttvar += (err - c->rttvar) / 4;
    c->srtt += (rtt - c->srtt) / 8;
  }
  int64_t var = 4 * c->rttvar > TCP_RTO_MIN ? 4 * c->rttvar : TCP_RTO_MIN; /* the floor is on the variance, as Linux */
  c->rto = c->srtt + var < TCP_RTO_MAX ? c->srtt + var : TCP_RTO_MAX;
}

/* restart: the acknowledged edge moved, or nothing was in flight; else a running timer runs on (5.1, 5.3). */
void tcp_rearm_rto(struct tcp_conn *c, bool restart) {
  if (c->snd_nxt == c->snd_una) {
    c->t_retx = c->t_tlp = c->t_reo = TCP_NEVER;
    return;
  }
  if (!restart && c->t_retx != TCP_NEVER)
    return;
  int64_t rto = c->rto;
  for (int i = 0; i < c->backoff && rto < TCP_RTO_MAX; i++)
    rto *= 2;
  c->t_retx = tcp_now(c->s) + (rto < TCP_RTO_MAX ? rto : TCP_RTO_MAX);
}

/* A probe after two round trips of silence, before the retransmission timer would fire. */
void tcp_schedule_tlp(struct tcp_conn *c) {
  c->t_tlp = TCP_NEVER;
  if (!c->s->set.early_retrans || !c->sack_on || c->ca != CA_OPEN || c->sacked || c->tlp_out || c->backoff ||
      c->snd_nxt == c->snd_una || c->t_retx == TCP_NEVER)
    return;
  int64_t pto = c->srtt ? 2 * c->srtt : SEC, now = tcp_now(c->s);
  pto += c->snd_nxt - c->snd_una <= c->mss ? TCP_RTO_MIN : 2 * MS; /* a lone segment may meet a delayed ACK */
  if (now + pto < c->t_retx)
    c->t_tlp = now + pto;
}

void tcp_on_tlp(struct tcp_conn *c) {
  struct tcp_seg *g = TAILQ_LAST(&c->segs, tcp_segs);
  c->t_tlp = TCP_NEVER;
  if (!g || c->tlp_out)
    return;
  c->tlp_retx = false;
  if (!tcp_send_one(c, c->mss)) {
    uint32_t fin = g->flags & SG_FIN ? 1 : 0;
    if (g->end - g->seq > c->mss + fin) {
      struct tcp_seg *h = tcp_seg_split(c, g, g->end - fin - c->mss);
      g = h ? h : g;
    }
    if (g->flags & SG_LOST || tcp_retransmit_seg(c, g))
      return;
    /* A probe is extra: it is not counted as a retransmission of something lost. */
    c->retx -= g->end - g->seq;
    g->flags &= (uint8_t)~SG_RETX;
    c->retx_stamp = 0;
    c->tlp_retx = true;
  }
  c->tlp_out = true;
  c->tlp_high = c->snd_nxt;
  c->s->stats.loss_probes++;
  c->t_retx = TCP_NEVER;
  tcp_rearm_rto(c, true);
}

static bool given_up(struct tcp_conn *c) {
  struct tcp_settings *t = &c->s->set;
  int most = c->orphan ? (t->orphan_retries ? t->orphan_retries : 8) : t->retries2;
  int64_t now = tcp_now(c->s);
  if (c->user_timeout && c->first_retx && now - c->first_retx >= c->user_timeout * MS)
    return true;
  if (c->user_timeout && !c->orphan)
    return false;
  return (int)c->retries >= most;
}

static void syn_timeout(struct tcp_conn *c) {
  int most = c->state == TCP_SYN_RECV ? c->s->set.synack_retries : c->syncnt ? c->syncnt : c->s->set.syn_retries;
  int64_t now = tcp_now(c->s);
  if ((int)c->retries >= most || (c->user_timeout && now - c->first_retx >= c->user_timeout * MS)) {
    tcp_done(c, c->soft_err ? c->soft_err : ETIMEDOUT);
    return;
  }
  c->retries++;
  c->total_retrans++;
  c->s->stats.retrans_segs++;
  tcp_send_syn(c);
  c->t_retx = now + (TCP_RTO_INIT << (c->retries < 7 ? c->retries : 7));
  if (c->t_retx > now + TCP_RTO_MAX)
    c->t_retx = now + TCP_RTO_MAX;
}

void tcp_on_rto(struct tcp_conn *c) {
  c->t_retx = TCP_NEVER;
  if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV) {
    syn_timeout(c);
    return;
  }
  struct tcp_seg *g = TAILQ_FIRST(&c->segs);
  if (!g)
    return;
  if (!c->first_retx)
    c->first_retx = g->sent;
  if (given_up(c)) {
    c->s->stats.abort_on_timeout++;
    tcp_done(c, c->soft_err ? c->soft_err : ETIMEDOUT);
    return;
  }
  c->retries++;
  c->s->stats.timeouts++;
  if ((int)c->retries >= c->s->set.retries1 && !tcp_set_path(c)) /* perhaps the route has changed */
    tcp_sync_mss(c);
  tcp_enter_loss(c);
  if (c->backoff < 16)
    c->backoff++;
  if (g->end - g->seq > c->mss)
    tcp_seg_split(c, g, g->seq + c->mss);
  tcp_retransmit_seg(c, g);
  c->t_retx = TCP_NEVER;
  tcp_rearm_rto(c, true);
}
