/* Listeners: half-open connections as small records, bounded; SYN cookies beyond (RFC 4987); the accept queue. */
#include "tcp_int.h"
#include <netinet/in.h>

#define OVERFLOW_RECENT (120 * SEC) /* cookies are believed that long after the last was given out */
#define SYNACK_AGAIN (500 * MS)

int tcp_listen(struct tcp_conn *c, const struct ip_flow *f, uint16_t lport, int backlog, bool v6only, bool reuseport,
               void *port) {
  struct tcp_stack *s = c->s;
  if (backlog < 0 || backlog > s->set.somaxconn)
    backlog = s->set.somaxconn;
  if (c->state == TCP_LISTEN) {
    c->l->backlog = backlog;
    return 0;
  }
  if (c->state != TCP_CLOSE)
    return -EINVAL;
  if (!(c->l = calloc(1, sizeof *c->l)))
    return -ENOMEM;
  c->l->backlog = backlog;
  c->l->v6only = v6only;
  c->l->reuseport = reuseport;
  TAILQ_INIT(&c->l->queue);
  TAILQ_INIT(&c->l->reqs);
  c->flow = *f;
  c->flow.proto = IPPROTO_TCP;
  c->n.key = (struct tcp_key){.laddr = f->src, .lport = lport};
  tcp_port_put(s, c->port);
  c->port = tcp_port_get(s, port);
  c->err = 0;
  TAILQ_INSERT_TAIL(&s->listeners, c, aq);
  tcp_set_state(c, TCP_LISTEN);
  return 0;
}

void tcp_listen_stop(struct tcp_conn *l) {
  struct tcp_listener *q = l->l;
  struct tcp_req *r;
  struct tcp_conn *c;
  TAILQ_REMOVE(&l->s->listeners, l, aq);
  while ((r = TAILQ_FIRST(&q->reqs)))
    tcp_req_free(r);
  l->l = NULL;
  while ((c = TAILQ_FIRST(&q->queue))) {
    TAILQ_REMOVE(&q->queue, c, aq);
    tcp_hold(c);
    c->parent = NULL;
    c->owned = false;
    tcp_abort(c, 0);
    tcp_release(c);
  }
  free(q);
}

struct tcp_conn *tcp_accept(struct tcp_conn *l, const struct tcp_user_ops *ops, void *user) {
  struct tcp_conn *c = l->l ? TAILQ_FIRST(&l->l->queue) : NULL;
  if (!c)
    return NULL;
  TAILQ_REMOVE(&l->l->queue, c, aq);
  l->l->naccept--;
  c->parent = NULL;
  c->ops = ops;
  c->user = user;
  c->events = 0; /* whoever accepts looks for himself */
  return c;
}

/* ---- half open ---- */

void tcp_req_free(struct tcp_req *q) {
  struct tcp_stack *s = q->listener->s;
  TAILQ_REMOVE(&q->listener->l->reqs, q, link);
  q->listener->l->nreqs--;
  tcp_alarm(s, &q->n, TCP_NEVER);
  tcp_hash_del(s, &q->n);
  s->nreqs--;
  free(q->saved);
  free(q);
}

static uint8_t wscale_for(const struct tcp_conn *l) {
  uint32_t most = u32_max((uint32_t)l->s->set.rmem[2], l->rcvbuf) / 2;
  if (l->clamp)
    most = u32_min(most, l->clamp);
  uint8_t w = 0;
  while (w < TCP_MAX_WSCALE && most >> w > 65535)
    w++;
  return w;
}

static uint32_t first_window(const struct tcp_conn *l) {
  uint32_t w = u32_min(l->rcvbuf / 2, 65535);
  return l->clamp ? u32_min(w, l->clamp) : w;
}

static uint16_t advertised_mss(struct tcp_conn *l, const struct ip_flow *f) {
  struct tcp_path path = {0};
  unsigned hdr = ip_is4(&f->dst) ? 40 : 60, mss = TCP_DEFAULT_MSS;
  if (!l->s->env.route(l->s->ctx, f, &path) && path.mtu > hdr + TCP_MIN_MSS)
    mss = (path.mtu > 65535 ? 65535 : path.mtu) - hdr;
  return (uint16_t)(l->mss_user ? u32_min(mss, l->mss_user) : mss);
}

#define COOKIE_TS_BITS 63u /* of the timestamp: window scale 0-15, SACK 16, ECN 32 */

static void send_synack(struct tcp_conn *l, const struct tcp_req *q, bool cookie) {
  struct tcp_stack *s = l->s;
  struct pbuf *p = pbuf_new(0);
  if (!p)
    return;
  struct ip_flow f = q->flow;
  struct tcp_opts o = {.mss = advertised_mss(l, &f),
                       .wscale = q->wscale < 0 ? -1 : (int8_t)wscale_for(l),
                       .ts = q->ts,
                       .tsval = (uint32_t)(tcp_now(s) / MS) + q->tsoff,
                       .tsecr = q->ts_recent,
                       .sack_ok = q->sack};
  if (cookie && q->ts) {
    uint32_t v = (o.tsval & ~COOKIE_TS_BITS) | (q->wscale < 0 ? 15u : (uint32_t)q->wscale) | (q->sack ? 16u : 0) |
                 (q->ecn ? 32u : 0);
    o.tsval = seq_lt(o.tsval, v) ? v - 64 : v;
  }
  tcp_emit(s, p, &q->n.key, &f, NULL, q->iss, q->irs + 1, TF_SYN | TF_ACK | (q->ecn ? TF_ECE : 0), first_window(l), 0,
           &o);
}

static void req_init(struct tcp_conn *l, const struct tcp_rx *r, struct tcp_req *q) {
  struct tcp_stack *s = l->s;
  *q = (struct tcp_req){.n = {.key = r->key, .kind = TN_REQ},
                        .listener = l,
                        .flow = l->flow,
                        .irs = r->seq,
                        .wscale = s->set.window_scaling ? r->o.wscale : -1,
                        .ts = s->set.timestamps && r->o.ts,
                        .sack = s->set.sack && r->o.sack_ok,
                        .ts_recent = r->o.tsval,
                        .wnd = r->wnd,
                        .mss = r->o.mss ? r->o.mss : TCP_DEFAULT_MSS};
  if (q->mss < s->set.min_snd_mss)
    q->mss = (uint16_t)s->set.min_snd_mss;
  q->ecn = s->set.ecn && (r->flags & (TF_ECE | TF_CWR)) == (TF_ECE | TF_CWR);
  q->flow.src = r->key.laddr;
  q->flow.dst = r->key.raddr;
  q->flow.options = NULL; /* the listener's user owns them */
  q->flow.options_len = 0;
  q->tsoff = tcp_tsoff(s, &r->key);
  if (!l->flow.oif && r->i->dev && IN6_IS_ADDR_LINKLOCAL(&r->key.raddr))
    q->flow.oif = r->i->dev->ifindex;
}

#define SAVED_MAX 256u /* IPv6 with extension headers, and the link's */

/* TCP_SAVE_SYN: r->p is at the payload now. */
static struct tcp_saved *save_syn(const struct tcp_conn *l, const struct tcp_rx *r) {
  const uint8_t *from = l->save_syn == 2 && r->p->mac ? r->p->mac : r->p->net;
  if (!l->save_syn || !from || r->p->data < from || r->p->data - from > SAVED_MAX)
    return NULL;
  uint32_t n = (uint32_t)(r->p->data - from);
  struct tcp_saved *v = malloc(sizeof *v + n);
  if (v) {
    v->len = n;
    memcpy(v->bytes, from, n);
  }
  return v;
}

int tcp_saved_syn(struct tcp_conn *c, void *to, uint32_t *len) {
  struct tcp_saved *v = c->saved;
  uint32_t room = *len;
  *len = v ? v->len : 0;
  if (room < *len)
    return -EINVAL;
  if (v)
    memcpy(to, v->bytes, v->len);
  c->saved = NULL;
  free(v);
  return 0;
}

static void syn_in(struct tcp_conn *l, struct tcp_rx *r) {
  struct tcp_stack *s = l->s;
  struct tcp_req tmp, *q;
  if (l->l->naccept > (uint32_t)l->l->backlog) {
    s->stats.listen_overflows++;
    s->stats.listen_drops++;
    return;
  }
  uint32_t most = u32_min(u32_max((uint32_t)l->l->backlog, 8), u32_min((uint32_t)s->set.max_syn_backlog, TCP_REQS_MAX));
  bool full = l->l->nreqs >= most, cookie = s->set.syncookies == 2 || (full && s->set.syncookies);
  if (full && !cookie) {
    s->stats.listen_drops++;
    return;
  }
  req_init(l, r, &tmp);
  if (cookie) {
    l->l->overflow = tcp_now(s);
    if (!tmp.ts) /* there is no place to keep these */
      tmp.sack = tmp.ecn = false, tmp.wscale = -1;
    tmp.iss = tcp_cookie_make(s, &r->key, r->seq, tmp.mss);
    s->stats.syncookies_sent++;
    send_synack(l, &tmp, true);
    return;
  }
  tmp.iss = tcp_isn(s, &r->key);
  if (!(q = malloc(sizeof *q)))
    return;
  *q = tmp;
  q->saved = save_syn(l, r);
  if (tcp_hash_add(s, &q->n)) {
    free(q->saved);
    free(q);
    return;
  }
  TAILQ_INSERT_TAIL(&l->l->reqs, q, link);
  l->l->nreqs++;
  s->nreqs++;
  q->sent = tcp_now(s);
  tcp_alarm(s, &q->n, q->sent + TCP_RTO_INIT);
  send_synack(l, q, false);
}

void tcp_req_timer(struct tcp_req *q) {
  struct tcp_conn *l = q->listener;
  struct tcp_stack *s = l->s;
  int most = l->syncnt ? l->syncnt : s->set.synack_retries;
  if (q->retrans >= most) {
    s->stats.attempt_fails++;
    tcp_req_free(q);
    return;
  }
  q->retrans++;
  int64_t wait = TCP_RTO_INIT << (q->retrans < 7 ? q->retrans : 7);
  tcp_alarm(s, &q->n, tcp_now(s) + (wait < TCP_RTO_MAX ? wait : TCP_RTO_MAX));
  bool quiet = q->acked && l->defer_accept && (1ll << q->retrans) < l->defer_accept; /* it is there: wait for data */
  if (!quiet) {
    s->stats.retrans_segs++;
    send_synack(l, q, false);
  }
}

/* ---- the third step of the handshake ---- */

void tcp_inherit(struct tcp_conn *c, const struct tcp_conn *l) {
  c->nodelay = l->nodelay, c->cork = l->cork, c->mss_user = l->mss_user, c->keepalive = l->keepalive;
  c->ka_idle = l->ka_idle, c->ka_intvl = l->ka_intvl, c->ka_cnt = l->ka_cnt, c->user_timeout = l->user_timeout;
  c->linger2 = l->linger2, c->clamp = l->clamp, c->notsent_lowat = l->notsent_lowat, c->oobinline = l->oobinline;
  c->syncnt = l->syncnt, c->save_syn = l->save_syn;
  c->cc = l->cc, c->sndbuf = l->sndbuf, c->rcvbuf = l->rcvbuf, c->rcvlowat = l->rcvlowat;
  c->sndbuf_lock = l->sndbuf_lock, c->rcvbuf_lock = l->rcvbuf_lock, c->quickack = l->quickack;
}

/* A connection in SYN-RECEIVED out of what the record says, and into the accept queue. The record is not freed. */
static struct tcp_conn *child_new(struct tcp_conn *l, const struct tcp_req *q) {
  struct tcp_stack *s = l->s;
  struct tcp_conn *c = tcp_conn_new(s);
  if (!c)
    return NULL;
  tcp_inherit(c, l);
  c->n.key = q->n.key;
  c->flow = q->flow;
  c->iss = q->iss;
  c->snd_una = q->iss;
  c->snd_nxt = c->snd_end = c->snd_up = c->snd_sml = q->iss + 1;
  c->irs = q->irs;
  c->rcv_nxt = c->rcv_up = c->last_ack_sent = q->irs + 1;
  c->rcv_adv = c->rcv_nxt + first_window(l);
  c->rcv_wscale = q->wscale < 0 ? 0 : wscale_for(l);
  c->snd_wscale = q->wscale < 0 ? 0 : (uint8_t)q->wscale;
  c->ts_on = q->ts, c->sack_on = q->sack, c->ecn_on = q->ecn;
  c->tsoff = q->tsoff, c->ts_recent = q->ts_recent, c->ts_stamp = tcp_now(s);
  c->mss_peer = q->mss;
  c->retries = q->retrans;
  c->rack_xmit = q->sent;
  c->push = true;
  if (tcp_set_path(c))
    c->pmtu = 576;
  tcp_sync_mss(c);
  c->port = tcp_port_get(s, l->port);
  c->owned = true;
  c->parent = l;
  TAILQ_INSERT_TAIL(&l->l->queue, c, aq);
  l->l->naccept++;
  s->stats.passive_opens++;
  tcp_set_state(c, TCP_SYN_RECV);
  return c;
}

static void child_input(struct tcp_conn *l, struct tcp_conn *c, struct tcp_rx *r) {
  tcp_hash_add(l->s, &c->n);
  tcp_hold(c);
  tcp_conn_input(c, r);
  tcp_release(c);
  tcp_hold(l);
  tcp_event(l, TCP_EV_ACCEPT | TCP_EV_READ);
  tcp_release(l);
}

static bool queue_full(struct tcp_conn *l, struct tcp_rx *r) {
  if (l->l->naccept <= (uint32_t)l->l->backlog)
    return false;
  l->s->stats.listen_overflows++;
  if (l->s->set.abort_on_overflow)
    tcp_reply_rst(l->s, r);
  return true;
}

void tcp_req_input(struct tcp_req *q, struct tcp_rx *r) {
  struct tcp_conn *l = q->listener;
  struct tcp_stack *s = l->s;
  int64_t now = tcp_now(s);
  if (r->flags & TF_SYN && !(r->flags & (TF_ACK | TF_RST)) && r->seq == q->irs) { /* our answer was lost */
    if (now - q->sent >= SYNACK_AGAIN) {
      q->sent = now;
      send_synack(l, q, false);
    }
    return;
  }
  if (r->flags & TF_RST) {
    if (r->seq == q->irs + 1) {
      s->stats.attempt_fails++;
      tcp_req_free(q);
    }
    return;
  }
  bool old = q->ts && r->o.ts && (int32_t)(r->o.tsval - q->ts_recent) < 0;
  if (r->flags & TF_SYN || old || seq_lt(rx_end(r), q->irs + 1) || seq_lt(q->irs + first_window(l), r->seq)) {
    if (tcp_challenge_ok(s))
      send_synack(l, q, false);
    return;
  }
  if (!(r->flags & TF_ACK))
    return;
  if (r->ack != q->iss + 1) {
    tcp_reply_rst(s, r);
    return;
  }
  if (l->defer_accept && !r->len && !(r->flags & TF_FIN) && (1ll << q->retrans) <= l->defer_accept) {
    q->acked = true;
    return;
  }
  if (queue_full(l, r)) {
    q->acked = true;
    return;
  }
  struct tcp_conn *c = child_new(l, q);
  if (!c)
    return;
  c->saved = q->saved;
  q->saved = NULL;
  tcp_req_free(q);
  child_input(l, c, r);
}

/* An acknowledgement that may return a cookie. */
static void cookie_in(struct tcp_conn *l, struct tcp_rx *r) {
  struct tcp_stack *s = l->s;
  struct tcp_req q;
  uint16_t mss;
  bool expected = s->set.syncookies && l->l->overflow && tcp_now(s) - l->l->overflow < OVERFLOW_RECENT;
  if (!expected || !tcp_cookie_check(s, &r->key, r->seq - 1, r->ack - 1, &mss)) {
    s->stats.syncookies_failed += expected;
    tcp_reply_rst(s, r);
    return;
  }
  if (queue_full(l, r))
    return;
  s->stats.syncookies_recv++;
  struct tcp_rx syn = *r;
  syn.seq = r->seq - 1;
  syn.o.mss = mss;
  syn.o.wscale = -1;
  syn.o.sack_ok = false;
  syn.flags = 0;
  if (r->o.ts) {
    uint32_t v = r->o.tsecr & COOKIE_TS_BITS;
    syn.o.wscale = (v & 15) == 15 ? -1 : (v & 15) > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : (int8_t)(v & 15);
    syn.o.sack_ok = v & 16;
    syn.flags = v & 32 ? TF_ECE | TF_CWR : 0;
  }
  req_init(l, &syn, &q);
  q.iss = r->ack - 1;
  q.retrans = 1; /* no round trip can be taken from it */
  struct tcp_conn *c = child_new(l, &q);
  if (c)
    child_input(l, c, r);
}

void tcp_listen_input(struct tcp_conn *l, struct tcp_rx *r) { /* 3.10.7.2 */
  if (r->flags & TF_RST)
    return;
  if (r->flags & TF_ACK) {
    if (r->flags & TF_SYN)
      tcp_reply_rst(l->s, r);
    else
      cookie_in(l, r);
    return;
  }
  if ((r->flags & (TF_SYN | TF_FIN)) == TF_SYN) /* data in a SYN is not kept: the peer sends it again */
    syn_in(l, r);
}
