/* Incoming segments in the order of RFC 9293 3.10.7, hardened by RFC 5961, with RFC 7323's PAWS. */
#include "tcp_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#define OOW_EVERY                                                                                                      \
  (500 * MS) /* answers to pure acknowledgements outside the window: two hosts must not play ping-pong */

/* ---- a connection ---- */

static void fin_in(struct tcp_conn *c) {
  c->rcv_nxt++;
  c->fin_rcvd = true;
  c->fin_ooo = false;
  tcp_event(c, TCP_EV_READ | TCP_EV_RDHUP);
  switch (c->state) {
  case TCP_ESTABLISHED:
    tcp_set_state(c, TCP_CLOSE_WAIT);
    break;
  case TCP_FIN_WAIT1: /* the acknowledgement of our FIN would have been seen before */
    tcp_set_state(c, TCP_CLOSING);
    break;
  case TCP_FIN_WAIT2:
    tcp_send_ack(c);
    tcp_time_wait(c);
    return;
  }
  tcp_send_ack(c);
}

static bool quick_acks(const struct tcp_conn *c) {
  return c->quickack && c->quick && !c->pingpong;
}

static void owe_ack(struct tcp_conn *c, uint32_t len, bool now) {
  uint32_t n = c->ack_due + (len + c->mss - 1) / c->mss;
  c->ack_due = n > 255 ? 255 : (uint8_t)n;
  c->last_rx_data = tcp_now(c->s);
  if (now) {
    tcp_send_ack(c);
  } else if (c->ack_due >= 2 || quick_acks(c)) {
    if (!c->on_soon)
      TAILQ_INSERT_TAIL(&c->s->soon, c, soon);
    c->on_soon = true;
  } else if (c->t_delack == TCP_NEVER) {
    c->t_delack = tcp_now(c->s) + TCP_DELACK;
  }
}

/* Text and FIN, within the window. False: the connection is gone. */
static bool data_in(struct tcp_conn *c, struct tcp_rx *r) {
  uint32_t before = c->rcv_nxt;
  bool fin = r->flags & TF_FIN, hole = c->nooo || c->fin_ooo;
  if (c->fin_rcvd)
    return true;
  if (r->len && c->orphan && seq_lt(c->rcv_nxt, r->seq + r->len)) { /* nobody will ever read it: RFC 2525 2.17 */
    c->s->stats.abort_on_data++;
    tcp_abort(c, 0);
    return false;
  }
  if (fin && !c->fin_ooo) {
    c->fin_ooo = true;
    c->fin_seq = r->seq + r->len;
  }
  uint32_t len = r->len;
  if (len) {
    bool small = !c->rcv_bytes;
    tcp_urg_data(c, r);
    tcp_rq_add(c, r);
    if (c->rcv_nxt != before && (small || c->rcv_bytes >= c->rcvlowat))
      tcp_event(c, TCP_EV_READ);
  }
  if (c->fin_ooo && c->fin_seq == c->rcv_nxt) {
    fin_in(c);
    return c->state != TCP_CLOSE;
  }
  if (len || fin)
    owe_ack(c, len, c->rcv_nxt == before || hole || c->nooo || c->dsack_due || (c->ecn_on && r->ce));
  return true;
}

static bool paws_reject(struct tcp_conn *c, const struct tcp_rx *r) {
  if (!c->ts_on || !r->o.ts || (int32_t)(r->o.tsval - c->ts_recent) >= 0)
    return false;
  if (tcp_now(c->s) - c->ts_stamp > 24ll * 24 * 3600 * SEC) /* RFC 7323 5.5 */
    return false;
  c->s->stats.paws_estab++;
  return true;
}

static bool acceptable(const struct tcp_conn *c, const struct tcp_rx *r) {
  uint32_t end = rx_end(r), edge = seq_lt(c->rcv_nxt, c->rcv_adv) ? c->rcv_adv : c->rcv_nxt;
  if (end == r->seq)
    return seq_le(c->rcv_nxt, r->seq) && seq_le(r->seq, edge);
  return seq_lt(c->rcv_nxt, end) && (seq_lt(r->seq, edge) || (r->seq == c->rcv_nxt && end == r->seq));
}

static void not_acceptable(struct tcp_conn *c, const struct tcp_rx *r) {
  if (r->flags & TF_RST)
    return;
  int64_t now = tcp_now(c->s);
  if (r->len == 0 && !(r->flags & (TF_SYN | TF_FIN))) {
    if (c->oow_at && now - c->oow_at < OOW_EVERY && r->seq + 1 != c->rcv_nxt)
      return;
    c->oow_at = now;
  }
  if (r->flags & TF_SYN) {
    tcp_challenge(c);
    return;
  }
  if (r->len && seq_le(r->seq + r->len, c->rcv_nxt))
    tcp_note_dsack(c, r->seq, r->seq + r->len);
  tcp_send_ack(c);
}

/* What lies outside the window goes. */
static void trim(struct tcp_conn *c, struct tcp_rx *r) {
  if (seq_lt(r->seq, c->rcv_nxt)) {
    uint32_t cut = u32_min(c->rcv_nxt - r->seq, r->len);
    if (cut)
      tcp_note_dsack(c, r->seq, r->seq + cut);
    pbuf_pull(r->p, cut);
    r->seq += cut;
    r->len -= cut;
  }
  uint32_t edge = seq_lt(c->rcv_nxt, c->rcv_adv) ? c->rcv_adv : c->rcv_nxt;
  if (r->len && seq_lt(edge, r->seq + r->len)) {
    r->len = seq_lt(r->seq, edge) ? edge - r->seq : 0;
    pbuf_trim(r->p, r->len);
    r->flags &= (uint8_t)~TF_FIN;
  }
}

/* RFC 5961 3: only the exact number resets. */
static void rst_in(struct tcp_conn *c, const struct tcp_rx *r) {
  if (r->seq != c->rcv_nxt) {
    tcp_challenge(c);
    return;
  }
  tcp_done(c, c->state == TCP_SYN_RECV ? ECONNREFUSED : c->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

static void become_established(struct tcp_conn *c, const struct tcp_rx *r) {
  c->snd_una = r->ack;
  c->snd_wnd = (uint32_t)r->wnd << (r->flags & TF_SYN ? 0 : c->snd_wscale);
  c->max_wnd = u32_max(c->max_wnd, c->snd_wnd);
  if (c->rack_xmit && !c->retries)
    tcp_rtt(c, tcp_now(c->s) - c->rack_xmit);
  c->rack_xmit = 0;
  c->recover = c->highest_sack = c->snd_sml = c->snd_una;
  c->first_retx = 0;
  tcp_established(c);
  if (c->fin_queued)
    tcp_set_state(c, TCP_FIN_WAIT1);
  tcp_event(c, TCP_EV_CONNECTED | TCP_EV_WRITE);
}

static void syn_options(struct tcp_conn *c, const struct tcp_rx *r) {
  uint32_t offered = c->rcv_adv - c->rcv_nxt; /* by our SYN */
  c->irs = r->seq;
  c->rcv_nxt = c->rcv_up = r->seq + 1;
  c->rcv_adv = c->rcv_nxt + offered;
  c->mss_peer = r->o.mss ? r->o.mss : TCP_DEFAULT_MSS;
  if (c->mss_peer < c->s->set.min_snd_mss)
    c->mss_peer = (uint16_t)c->s->set.min_snd_mss;
  c->sack_on = c->sack_on && r->o.sack_ok;
  c->ts_on = c->ts_on && r->o.ts;
  if (r->o.wscale < 0 || !c->s->set.window_scaling)
    c->rcv_wscale = c->snd_wscale = 0;
  else
    c->snd_wscale = (uint8_t)r->o.wscale;
  if (c->ts_on) {
    c->ts_recent = r->o.tsval;
    c->ts_stamp = tcp_now(c->s);
  }
  tcp_sync_mss(c);
}

static void syn_sent_in(struct tcp_conn *c, struct tcp_rx *r) { /* 3.10.7.3 */
  bool ack = r->flags & TF_ACK;
  if (ack && (seq_le(r->ack, c->iss) || seq_lt(c->snd_nxt, r->ack))) {
    tcp_reply_rst(c->s, r);
    return;
  }
  if (ack && c->ts_on && r->o.ts && r->o.tsecr && seq_lt(tcp_tsval(c), r->o.tsecr)) {
    tcp_reply_rst(c->s, r);
    return;
  }
  if (r->flags & TF_RST) {
    if (ack)
      tcp_done(c, ECONNREFUSED);
    return;
  }
  if (!(r->flags & TF_SYN))
    return;
  syn_options(c, r);
  if (!ack) { /* simultaneous open: 3.5 figure 8 */
    tcp_set_state(c, TCP_SYN_RECV);
    c->snd_wnd = r->wnd;
    tcp_send_syn(c);
    return;
  }
  c->ecn_on = c->s->set.ecn == 1 && (r->flags & (TF_ECE | TF_CWR)) == TF_ECE;
  become_established(c, r);
  c->snd_wl1 = r->seq;
  r->seq++;
  r->flags &= (uint8_t)~TF_SYN;
  trim(c, r);
  if (r->len || r->flags & TF_FIN) {
    if (!data_in(c, r))
      return;
  }
  if (c->snd_end == c->snd_nxt && !c->fin_queued)
    tcp_send_ack(c);
  tcp_push(c);
}

/* The fourth and fifth checks for SYN-RECEIVED. */
static bool syn_recv_ack(struct tcp_conn *c, const struct tcp_rx *r) {
  if (r->ack != c->snd_nxt) {
    tcp_reply_rst(c->s, r);
    return false;
  }
  become_established(c, r);
  return true;
}

static void note_timestamp(struct tcp_conn *c, const struct tcp_rx *r) { /* RFC 7323 4.3 */
  if (c->ts_on && r->o.ts && seq_le(r->seq, c->last_ack_sent) && (int32_t)(r->o.tsval - c->ts_recent) >= 0) {
    c->ts_recent = r->o.tsval;
    c->ts_stamp = tcp_now(c->s);
  }
}

void tcp_conn_input(struct tcp_conn *c, struct tcp_rx *r) {
  c->segs_in++;
  if (c->state == TCP_SYN_SENT) {
    syn_sent_in(c, r);
    return;
  }
  if (c->state == TCP_CLOSE || c->state == TCP_LISTEN)
    return;
  if (c->state == TCP_SYN_RECV && r->flags & TF_SYN && r->seq == c->irs) { /* crossing SYN-ACK, or the SYN again */
    if (!(r->flags & TF_ACK)) {
      tcp_send_syn(c);
      return;
    }
    r->seq++;
    r->flags &= (uint8_t)~TF_SYN;
  }
  if (!(r->flags & TF_RST) && paws_reject(c, r)) {
    not_acceptable(c, r);
    return;
  }
  if (!acceptable(c, r)) {
    /* A zero window takes no data, but acknowledgements and urgent pointers it does. */
    if (r->seq != c->rcv_nxt || r->flags & (TF_SYN | TF_RST) || !(r->flags & TF_ACK)) {
      if (r->flags & TF_ACK && !(r->flags & (TF_SYN | TF_RST)) && seq_le(r->seq, c->rcv_nxt) &&
          seq_lt(c->rcv_nxt - c->rcvbuf, r->seq) && seq_lt(c->snd_una, r->ack) && tcp_synchronized(c) && !r->o.nsack) {
        tcp_ack(c, r); /* an old segment may bring a new acknowledgement */
        if (c->state != TCP_CLOSE)
          tcp_push(c);
      }
      if (c->state != TCP_CLOSE)
        not_acceptable(c, r);
      return;
    }
  }
  if (r->flags & TF_RST) {
    rst_in(c, r);
    return;
  }
  if (r->flags & TF_SYN) {
    tcp_challenge(c);
    return;
  }
  c->last_rx = tcp_now(c->s);
  c->ka_probes = 0;
  if (!(r->flags & TF_ACK))
    return;
  if (c->state == TCP_SYN_RECV && !syn_recv_ack(c, r))
    return;
  note_timestamp(c, r);
  if (c->ecn_on && r->flags & TF_CWR)
    c->ece_out = false;
  if (c->ecn_on && r->ce)
    c->ece_out = true;
  if (!tcp_ack(c, r))
    return;
  tcp_urg_in(c, r);
  bool shut = !acceptable(c, r);
  trim(c, r);
  if (shut && !r->len && !(r->flags & TF_FIN))
    not_acceptable(c, r);
  else if ((r->len || r->flags & TF_FIN) && !data_in(c, r))
    return;
  tcp_push(c);
}

/* ---- the entry ---- */

static bool parse(struct tcp_stack *s, struct pbuf *p, const struct ip_info *i, struct tcp_rx *r) {
  const struct tcp_hdr *h = (const struct tcp_hdr *)pbuf_linear(p, 20);
  if (!h || i->multicast || i->broadcast || p->len > 65535)
    return false;
  uint32_t off = (uint32_t)(h->off >> 4) * 4;
  if (off < 20 || !(h = (const struct tcp_hdr *)pbuf_linear(p, off)))
    return false;
  *r = (struct tcp_rx){.p = p, .i = i, .key = {i->dst, i->src, ntohs(h->dport), ntohs(h->sport)}};
  if (p->csum == PB_CSUM_NONE) {
    uint32_t sum = htons(IPPROTO_TCP) + htons((uint16_t)p->len);
    if (ip_is4(&i->src)) {
      uint32_t a[2] = {ip_get4(&i->src), ip_get4(&i->dst)};
      sum = csum_add(sum, a, sizeof a);
    } else {
      sum = csum_add(csum_add(sum, &i->src, 16), &i->dst, 16);
    }
    if (csum_fold(pbuf_csum_add(p, 0, p->len, sum))) {
      s->stats.in_csum_errs++;
      return false;
    }
  }
  r->seq = ntohl(h->seq);
  r->ack = ntohl(h->ack);
  r->flags = h->flags;
  r->wnd = ntohs(h->wnd);
  r->urp = ntohs(h->urp);
  r->ce = (i->tos & 3) == 3;
  r->len = p->len - off;
  tcp_opts_parse((const uint8_t *)(h + 1), off - 20, h->flags & TF_SYN, &r->o);
  p->transport = p->data;
  pbuf_pull(p, off);
  return true;
}

/* A socket filter of c's user: is the segment dropped? It is not cut within its header. */
static bool filtered(const struct tcp_conn *c, struct tcp_rx *r) {
  if (!c->ops || !c->ops->filter)
    return false;
  uint32_t off = (uint32_t)(r->p->data - r->p->transport);
  if (!pbuf_push(r->p, off))
    return true;
  uint32_t keep = c->ops->filter(c->user, r->p);
  pbuf_pull(r->p, off);
  if (keep && keep < off + r->len) {
    r->len = keep < off ? 0 : keep - off;
    pbuf_trim(r->p, r->len);
  }
  return !keep;
}

static void no_connection(struct tcp_stack *s, struct tcp_rx *r) {
  struct tcp_conn *l = tcp_find_listener(s, &r->key, r->i->dev ? r->i->dev->ifindex : 0, 0);
  if (l) {
    if (filtered(l, r))
      return;
    tcp_hold(l);
    tcp_listen_input(l, r);
    tcp_release(l);
  } else if (!s->env.no_owner || !s->env.no_owner(s->ctx, r->p, r->i)) {
    tcp_reply_rst(s, r);
  }
}

void tcp_input(struct tcp_stack *s, struct pbuf *p, const struct ip_info *i) {
  struct tcp_rx r;
  s->stats.in_segs += p->gso_segs > 1 ? p->gso_segs : 1;
  if (!parse(s, p, i, &r)) {
    s->stats.in_errs++;
    pbuf_free(p);
    return;
  }
  struct tcp_node *n = tcp_lookup(s, &r.key);
  if (n && n->kind == TN_CONN) {
    struct tcp_conn *c = (struct tcp_conn *)n;
    tcp_hold(c);
    if (!filtered(c->parent ? c->parent : c, &r))
      tcp_conn_input(c, &r);
    tcp_release(c);
  } else if (n && n->kind == TN_REQ) {
    if (!filtered(((struct tcp_req *)n)->listener, &r))
      tcp_req_input((struct tcp_req *)n, &r);
  } else if (!n || tcp_tw_input(s, (struct tcp_tw *)n, &r)) {
    no_connection(s, &r);
  }
  pbuf_free(r.p);
}

/*
 * The reader is behind by half of what may be on its way: it has enough to do, and its next read acknowledges what has
 * come until then. As Linux leaves it to the reader where the window would not move (__tcp_ack_snd_check()). Eight
 * streams into the sandbox: half the acknowledgements, larger frames, 7 % less CPU for a byte.
 */
static bool reader_acks(const struct tcp_conn *c) {
  return c->rcv_bytes >= c->rcvbuf / 4 && !c->ack_sure && !quick_acks(c);
}

void tcp_rx_end(struct tcp_stack *s) {
  struct tcp_conn *c;
  while ((c = TAILQ_FIRST(&s->soon))) {
    TAILQ_REMOVE(&s->soon, c, soon);
    c->on_soon = false;
    tcp_hold(c);
    if (!reader_acks(c))
      tcp_send_ack(c);
    else if (c->t_delack == TCP_NEVER)
      c->t_delack = tcp_now(s) + TCP_DELACK;
    tcp_release(c);
  }
}

/* ---- ICMP: RFC 5927's checks ---- */

static void shrink_path(struct tcp_conn *c, unsigned mtu) {
  if (tcp_set_path(c))
    return;
  if (mtu >= 68 && mtu < c->pmtu)
    c->pmtu = mtu;
  uint32_t old = c->mss;
  tcp_sync_mss(c);
  struct tcp_seg *g = TAILQ_FIRST(&c->segs);
  if (c->mss >= old || !g)
    return;
  TAILQ_FOREACH(g, &c->segs, link)
  if (g->end - g->seq > c->mss || g == TAILQ_FIRST(&c->segs))
    tcp_mark_lost(c, g);
  tcp_push(c);
}

void tcp_error(struct tcp_stack *s, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  if (len < 8)
    return;
  struct tcp_hdr h = {0};
  memcpy(&h, quoted, 8);
  struct tcp_key k = {e->src, e->dst, ntohs(h.sport), ntohs(h.dport)};
  struct tcp_node *n = tcp_lookup(s, &k);
  if (!n || n->kind != TN_CONN)
    return;
  struct tcp_conn *c = (struct tcp_conn *)n;
  uint32_t seq = ntohl(h.seq);
  if (seq_lt(seq, c->snd_una) || seq_lt(c->snd_nxt, seq))
    return;
  tcp_hold(c);
  if (e->err == EMSGSIZE)
    shrink_path(c, e->mtu);
  else if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV)
    tcp_done(c, e->err); /* as in Linux: also what RFC 1122 4.2.3.9 calls soft */
  else
    c->soft_err = e->err;
  tcp_release(c);
}
