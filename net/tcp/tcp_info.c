/* What can be asked of a connection: poll states, queue lengths, struct tcp_info. */
#include "tcp_int.h"

int tcp_state(const struct tcp_conn *c) {
  return c->state;
}

static uint32_t unsent(const struct tcp_conn *c) {
  return c->fin_sent ? 0 : c->snd_end - c->snd_nxt;
}

static uint32_t unacked(const struct tcp_conn *c) {
  return seq_lt(c->snd_una, c->snd_end) ? c->snd_end - c->snd_una : 0;
}

void tcp_status(const struct tcp_conn *c, struct tcp_status *st) {
  *st = (struct tcp_status){.error = c->err};
  if (c->l) {
    st->readable = st->inq = c->l->naccept;
    st->backlog = c->l->backlog;
    return;
  }
  bool open = c->state != TCP_CLOSE && c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECV;
  st->readable = st->inq = c->rcv_bytes;
  if (st->inq && !c->oobinline && tcp_at_mark(c)) /* the urgent byte is not to be read here */
    st->readable--;
  st->rd_closed = c->fin_rcvd || c->rd_shut || (c->state == TCP_CLOSE && c->iss);
  st->wr_closed = c->wr_shut;
  st->urgent = c->urg_state == URG_HERE;
  if (open) {
    st->outq = unacked(c);
    st->outq_nsd = unsent(c);
    st->room = c->wr_shut ? 0 : tcp_snd_room(c);
    int lowat = c->notsent_lowat ? c->notsent_lowat : c->s->set.notsent_lowat;
    st->writable = st->room >= st->outq / 2 && st->room && (lowat < 0 || st->outq_nsd < (uint32_t)lowat);
    if (!st->writable && !c->wr_shut)
      ((struct tcp_conn *)c)->want_write = true; /* who asks wants to be told: SOCK_NOSPACE */
  }
}

int tcp_take_error(struct tcp_conn *c) {
  int e = c->err;
  c->err = 0;
  return e;
}

int tcp_take_soft_error(struct tcp_conn *c) {
  int e = c->soft_err;
  c->soft_err = 0;
  return e;
}

static uint32_t us(int64_t ns) {
  return (uint32_t)(ns / 1000);
}
static uint32_t ms_ago(int64_t now, int64_t t) {
  return t ? (uint32_t)((now - t) / MS) : 0;
}
static uint32_t segs(const struct tcp_conn *c, uint32_t bytes) {
  return (bytes + c->mss - 1) / c->mss;
}

void tcp_get_info(const struct tcp_conn *c, struct tcp_info *ti) {
  memset(ti, 0, sizeof *ti);
  int64_t now = tcp_now(c->s);
  ti->tcpi_state = c->state;
  if (c->l) {
    ti->tcpi_unacked = c->l->naccept;
    ti->tcpi_sacked = (uint32_t)c->l->backlog;
    return;
  }
  ti->tcpi_ca_state = c->ca == CA_OPEN ? TCP_CA_Open : c->ca == CA_LOSS ? TCP_CA_Loss : TCP_CA_Recovery;
  ti->tcpi_retransmits = (uint8_t)u32_min(c->retries, 255);
  ti->tcpi_probes = (uint8_t)u32_min(u32_max(c->probes, c->ka_probes), 255);
  ti->tcpi_backoff = c->backoff;
  ti->tcpi_options = (uint8_t)((c->ts_on ? TCPI_OPT_TIMESTAMPS : 0) | (c->sack_on ? TCPI_OPT_SACK : 0) |
                               (c->rcv_wscale || c->snd_wscale ? TCPI_OPT_WSCALE : 0) | (c->ecn_on ? TCPI_OPT_ECN : 0));
  ti->tcpi_snd_wscale = c->snd_wscale & 15;
  ti->tcpi_rcv_wscale = c->rcv_wscale & 15;
  ti->tcpi_rto = us(c->rto);
  ti->tcpi_ato = us(TCP_DELACK);
  ti->tcpi_snd_mss = c->mss;
  ti->tcpi_rcv_mss = u32_min(c->mss, TCP_DEFAULT_MSS > c->mss ? TCP_DEFAULT_MSS : c->mss);
  ti->tcpi_unacked = segs(c, c->snd_nxt - c->snd_una);
  ti->tcpi_sacked = segs(c, c->sacked);
  ti->tcpi_lost = segs(c, c->lost);
  ti->tcpi_retrans = segs(c, c->retx);
  ti->tcpi_last_data_sent = ms_ago(now, c->last_tx_data ? c->last_tx_data : c->born);
  ti->tcpi_last_data_recv = ms_ago(now, c->last_rx_data ? c->last_rx_data : c->born);
  ti->tcpi_last_ack_recv = ms_ago(now, c->last_rx ? c->last_rx : c->born);
  ti->tcpi_pmtu = c->pmtu;
  ti->tcpi_rcv_ssthresh = tcp_rcv_window((struct tcp_conn *)c);
  ti->tcpi_rtt = us(c->srtt);
  ti->tcpi_rttvar = us(c->rttvar);
  ti->tcpi_snd_ssthresh = c->ssthresh == UINT32_MAX ? 0x7fffffff : segs(c, c->ssthresh);
  ti->tcpi_snd_cwnd = segs(c, c->cwnd);
  ti->tcpi_advmss = tcp_adv_mss((struct tcp_conn *)c);
  ti->tcpi_reordering = 3;
  ti->tcpi_rcv_rtt = us(c->srtt);
  ti->tcpi_rcv_space = c->rcvbuf / 2;
  ti->tcpi_total_retrans = c->total_retrans;
}

void tcp_get_info_all(const struct tcp_conn *c, struct tcp_info_all *a) {
  *a = (struct tcp_info_all){.pacing_rate = UINT64_MAX, .max_pacing_rate = UINT64_MAX};
  tcp_get_info(c, &a->ti);
  if (c->l)
    return;
  a->pacing_rate = c->srtt > 0 ? (uint64_t)((double)c->cwnd * 2 * SEC / (double)c->srtt) : UINT64_MAX;
  a->bytes_acked = c->bytes_acked;
  a->bytes_received = c->bytes_rcvd;
  a->segs_out = c->segs_out;
  a->segs_in = c->segs_in;
  a->notsent_bytes = unsent(c);
  a->min_rtt = us(c->min_rtt);
  a->data_segs_in = c->data_in;
  a->data_segs_out = c->data_out;
  a->delivered = c->delivered / c->mss;
  a->bytes_sent = c->bytes_sent;
  a->bytes_retrans = c->bytes_retx;
  a->dsack_dups = c->dsack_dups;
  a->reord_seen = c->reord_seen;
  a->snd_wnd = c->snd_wnd;
}

uint32_t tcp_timestamp(const struct tcp_conn *c) {
  return tcp_tsval(c);
}
