/* A connection's life: made, connected, closed, and what it leaves behind. RFC 9293 3.3.2, 3.6. */
#include "tcp_int.h"
#include <sys/socket.h>

struct tcp_conn *tcp_conn_new(struct tcp_stack *s) {
  struct tcp_conn *c = calloc(1, sizeof *c);
  if (!c)
    return NULL;
  c->s = s;
  c->n.kind = TN_CONN;
  c->state = TCP_CLOSE;
  c->flow = (struct ip_flow){.proto = IPPROTO_TCP, .ttl = -1, .pmtudisc = IP_PMTUDISC_WANT};
  STAILQ_INIT(&c->sq);
  STAILQ_INIT(&c->rq);
  STAILQ_INIT(&c->ooq);
  TAILQ_INIT(&c->segs);
  c->sndbuf = (uint32_t)s->set.wmem[1];
  c->rcvbuf = (uint32_t)s->set.rmem[1];
  c->rto = TCP_RTO_INIT;
  c->mss_peer = TCP_DEFAULT_MSS;
  c->mss = TCP_DEFAULT_MSS;
  c->cc = tcp_cc_find(s->set.congestion);
  if (!c->cc)
    c->cc = tcp_cc_find("reno");
  c->ssthresh = UINT32_MAX;
  c->reo_mult = 1;
  c->quick = TCP_BATCH_ACKS;
  c->quickack = true;
  c->rcvlowat = 1;
  c->born = tcp_now(s);
  c->t_retx = c->t_tlp = c->t_reo = c->t_persist = c->t_delack = c->t_keep = c->t_life = TCP_NEVER;
  TAILQ_INSERT_TAIL(&s->all, c, all);
  s->nconns++;
  return c;
}

struct tcp_conn *tcp_open(struct tcp_stack *s, const struct tcp_user_ops *ops, void *user) {
  struct tcp_conn *c = tcp_conn_new(s);
  if (!c)
    return NULL;
  c->ops = ops;
  c->user = user;
  c->owned = true;
  return c;
}

static void conn_free(struct tcp_conn *c) {
  struct tcp_stack *s = c->s;
  tcp_rq_free(c);
  tcp_port_put(s, c->port);
  TAILQ_REMOVE(&s->all, c, all);
  s->nconns--;
  free(c->saved);
  free(c);
}

void tcp_hold(struct tcp_conn *c) {
  c->refs++;
}

void tcp_event(struct tcp_conn *c, unsigned ev) {
  c->events |= (uint8_t)ev;
}

void tcp_release(struct tcp_conn *c) {
  if (c->refs == 1) {
    tcp_timers_update(c);
    while (c->events && c->ops) {
      unsigned ev = c->events;
      c->events = 0;
      c->ops->event(c->user, c, ev);
    }
  }
  if (--c->refs == 0 && !c->owned && c->state == TCP_CLOSE)
    conn_free(c);
}

void tcp_set_state(struct tcp_conn *c, int state) {
  bool was = c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT;
  bool is = state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
  c->s->stats.curr_estab += (uint64_t)is - (uint64_t)was;
  c->state = (uint8_t)state;
}

static void stop_timers(struct tcp_conn *c) {
  c->t_retx = c->t_tlp = c->t_reo = c->t_persist = c->t_delack = c->t_keep = c->t_life = TCP_NEVER;
  tcp_alarm(c->s, &c->n, TCP_NEVER);
  tcp_not_late(c);
  if (c->on_soon)
    TAILQ_REMOVE(&c->s->soon, c, soon);
  c->on_soon = false;
}

/* The end. What was received can still be read by the user. */
void tcp_done(struct tcp_conn *c, int err) {
  struct tcp_stack *s = c->s;
  if (c->state == TCP_CLOSE && !c->n.hashed)
    return;
  if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV)
    s->stats.attempt_fails++;
  else if (err && (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT))
    s->stats.estab_resets++;
  tcp_hold(c);
  if (c->l)
    tcp_listen_stop(c);
  stop_timers(c);
  tcp_hash_del(s, &c->n);
  tcp_set_state(c, TCP_CLOSE);
  tcp_segs_free(c);
  tcp_sq_free(c);
  if (c->orphan)
    s->norphans--;
  c->orphan = false;
  c->wr_shut = true;
  if (err)
    c->err = err;
  if (!c->owned)
    tcp_rq_free(c);
  tcp_event(c, TCP_EV_HUP | TCP_EV_READ | TCP_EV_WRITE | TCP_EV_RDHUP | (err ? TCP_EV_ERROR : 0));
  tcp_release(c);
}

void tcp_abort(struct tcp_conn *c, int err) {
  if (tcp_synchronized(c) || c->state == TCP_SYN_RECV)
    tcp_send_rst(c);
  tcp_done(c, err);
}

void tcp_established(struct tcp_conn *c) {
  tcp_set_state(c, TCP_ESTABLISHED);
  c->snd_wl1 = c->rcv_nxt;
  c->snd_wl2 = c->snd_una;
  tcp_sync_mss(c);
  c->cwnd = tcp_init_cwnd(c);
  if (c->cc->init)
    c->cc->init(c);
  c->drs_seq = c->rcv_nxt;
  c->drs_at = tcp_now(c->s);
  c->copied = c->drs_copied = 0;
  c->last_rx = c->drs_at;
  c->backoff = 0;
  c->retries = 0;
  c->t_retx = TCP_NEVER;
  tcp_snd_tune(c);
  tcp_keep_reset(c);
}

/* Our FIN is acknowledged. */
void tcp_fin_acked(struct tcp_conn *c) {
  if (c->state == TCP_FIN_WAIT1) {
    tcp_set_state(c, TCP_FIN_WAIT2);
    tcp_event(c, TCP_EV_WRITE);
    if (c->orphan) {
      int secs = c->linger2 > 0 ? c->linger2 : c->s->set.fin_timeout;
      if (c->linger2 < 0) {
        tcp_abort(c, 0);
        return;
      }
      c->t_life = tcp_now(c->s) + secs * SEC;
    }
  } else if (c->state == TCP_CLOSING) {
    tcp_time_wait(c);
  } else if (c->state == TCP_LAST_ACK) {
    tcp_done(c, 0);
  }
}

/* ---- path and segment size ---- */

static uint32_t headers(const struct tcp_conn *c) {
  return (ip_is4(&c->n.key.raddr) ? 20u : 40u) + 20u;
}

int tcp_set_path(struct tcp_conn *c) {
  struct tcp_path path = {0};
  int r = c->s->env.route(c->s->ctx, &c->flow, &path);
  if (r)
    return r;
  if (ip_is_any(&c->flow.src))
    c->flow.src = path.src;
  c->pmtu = path.mtu > 65535 ? 65535 : path.mtu < 68 ? 68 : path.mtu;
  return 0;
}

void tcp_sync_mss(struct tcp_conn *c) {
  uint32_t room = c->pmtu > headers(c) ? c->pmtu - headers(c) : TCP_MIN_MSS, mss = u32_min(room, c->mss_peer);
  if (c->mss_user)
    mss = u32_min(mss, c->mss_user);
  mss -= c->ts_on && mss > 12 ? 12 : 0;
  c->mss = u32_max(mss, TCP_MIN_MSS);
}

uint16_t tcp_adv_mss(struct tcp_conn *c) {
  uint32_t mss = c->pmtu > headers(c) + TCP_MIN_MSS ? c->pmtu - headers(c) : TCP_MIN_MSS;
  if (c->mss_user)
    mss = u32_min(mss, c->mss_user);
  return (uint16_t)mss;
}

/* ---- calls ---- */

static void set_rcv_wscale(struct tcp_conn *c) {
  uint32_t most = u32_max((uint32_t)c->s->set.rmem[2], c->rcvbuf) / 2;
  if (c->clamp)
    most = u32_min(most, c->clamp);
  for (c->rcv_wscale = 0; c->rcv_wscale < TCP_MAX_WSCALE && most >> c->rcv_wscale > 65535;)
    c->rcv_wscale++;
}

int tcp_connect(struct tcp_conn *c, const struct ip_flow *f, uint16_t lport, uint16_t rport, void *port) {
  if (c->state != TCP_CLOSE)
    return c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV ? -EALREADY : c->l ? -EINVAL : -EISCONN;
  struct tcp_stack *s = c->s;
  int r = c->iss || c->irs ? tcp_disconnect(c) : 0; /* an attempt before this one has left its marks */
  if (r)
    return r;
  c->flow = *f;
  c->flow.proto = IPPROTO_TCP;
  c->n.key.raddr = f->dst;
  r = tcp_set_path(c);
  if (r)
    return r;
  c->flow.dst = f->dst;
  c->n.key = (struct tcp_key){c->flow.src, f->dst, lport, rport};
  uint32_t iss = tcp_isn(s, &c->n.key);
  struct tcp_node *old = tcp_lookup(s, &c->n.key);
  if (old && old->kind == TN_TW && tcp_tw_reusable(s, (struct tcp_tw *)old)) {
    struct tcp_tw *t = (struct tcp_tw *)old;
    if (!seq_lt(t->snd_nxt + 65535 + 2, iss))
      iss = t->snd_nxt + 65535 + 2; /* past all that the old one can have sent */
    tcp_tw_free(s, t);
  }
  if ((r = tcp_hash_add(s, &c->n)))
    return r;
  tcp_hold(c);
  tcp_port_put(s, c->port);
  c->port = tcp_port_get(s, port);
  c->iss = c->snd_una = c->snd_nxt = iss;
  c->snd_end = c->snd_up = c->snd_sml = iss + 1;
  c->tsoff = tcp_tsoff(s, &c->n.key);
  c->ts_on = s->set.timestamps;
  c->sack_on = s->set.sack;
  c->err = 0;
  c->wr_shut = c->rd_shut = c->fin_queued = c->fin_sent = c->fin_rcvd = false;
  set_rcv_wscale(c);
  tcp_sync_mss(c);
  s->stats.active_opens++;
  tcp_set_state(c, TCP_SYN_SENT);
  tcp_send_syn(c);
  c->first_retx = tcp_now(s);
  c->t_retx = tcp_now(s) + TCP_RTO_INIT;
  tcp_release(c);
  return 0;
}

static void queue_fin(struct tcp_conn *c) {
  c->wr_shut = true;
  if (c->fin_queued)
    return;
  c->fin_queued = true;
  tcp_set_state(c, c->state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT1);
  c->cork = false;
  tcp_push(c);
}

int tcp_shutdown(struct tcp_conn *c, int how) {
  if (c->state == TCP_LISTEN) {
    if (how != SHUT_WR)
      tcp_done(c, 0);
    return 0;
  }
  if (c->state == TCP_CLOSE)
    return -ENOTCONN;
  tcp_hold(c);
  if (how != SHUT_WR) {
    c->rd_shut = true;
    tcp_event(c, TCP_EV_READ | TCP_EV_RDHUP);
  }
  if (how != SHUT_RD) {
    if (c->state == TCP_SYN_SENT) /* as Linux: nothing to end politely yet */
      tcp_done(c, 0);
    else if (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT)
      queue_fin(c);
    else if (c->state == TCP_SYN_RECV)
      c->wr_shut = c->fin_queued = true; /* FIN-WAIT-1 once established */
    tcp_event(c, TCP_EV_WRITE);
  }
  tcp_release(c);
  return 0;
}

static void make_orphan(struct tcp_conn *c) {
  struct tcp_stack *s = c->s;
  if ((int)s->norphans >= s->set.max_orphans) {
    s->stats.abort_on_memory++;
    tcp_abort(c, 0);
    return;
  }
  c->orphan = true;
  s->norphans++;
  if (c->state == TCP_FIN_WAIT2) {
    if (c->linger2 < 0) {
      tcp_abort(c, 0);
      return;
    }
    c->t_life = tcp_now(s) + (c->linger2 > 0 ? c->linger2 : s->set.fin_timeout) * SEC;
  }
}

void tcp_close(struct tcp_conn *c, int linger) {
  tcp_hold(c);
  c->owned = false;
  c->ops = NULL;
  c->user = NULL; /* tcp_each() shows orphans too */
  if (c->state == TCP_LISTEN || c->state == TCP_SYN_SENT) {
    tcp_done(c, 0);
  } else if (c->state != TCP_CLOSE) {
    bool unread = c->rcv_bytes > 0;
    tcp_rq_free(c);
    if (unread || linger == 0) { /* RFC 2525 2.17: what is lost must be told */
      unread ? c->s->stats.abort_on_close++ : c->s->stats.abort_on_data++;
      tcp_abort(c, 0);
    } else {
      c->rd_shut = true;
      if (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT)
        queue_fin(c);
      else if (c->state == TCP_SYN_RECV)
        c->wr_shut = c->fin_queued = true;
      if (c->state != TCP_CLOSE)
        make_orphan(c);
    }
  }
  tcp_release(c);
}

int tcp_disconnect(struct tcp_conn *c) {
  bool cut = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV || c->state == TCP_ESTABLISHED ||
             c->state == TCP_CLOSE_WAIT || c->state == TCP_FIN_WAIT1 || c->state == TCP_FIN_WAIT2;
  if (c->state == TCP_LISTEN)
    tcp_done(c, 0);
  else if (c->state != TCP_CLOSE)
    tcp_abort(c, 0);
  tcp_rq_free(c);
  tcp_port_put(c->s, c->port);
  c->port = NULL;
  free(c->saved);
  c->saved = NULL;
  struct tcp_stack *s = c->s;
  struct tcp_conn *fresh = tcp_conn_new(s);
  if (!fresh)
    return -ENOMEM;
  /* All that belongs to the old connection goes; what the user has set stays. */
  fresh->ops = c->ops, fresh->user = c->user, fresh->owned = true, fresh->refs = c->refs;
  fresh->nodelay = c->nodelay, fresh->mss_user = c->mss_user, fresh->keepalive = c->keepalive;
  fresh->ka_idle = c->ka_idle, fresh->ka_intvl = c->ka_intvl, fresh->ka_cnt = c->ka_cnt;
  fresh->user_timeout = c->user_timeout, fresh->syncnt = c->syncnt, fresh->linger2 = c->linger2;
  fresh->defer_accept = c->defer_accept, fresh->clamp = c->clamp, fresh->notsent_lowat = c->notsent_lowat;
  fresh->oobinline = c->oobinline, fresh->cc = c->cc, fresh->rcvlowat = c->rcvlowat;
  fresh->sndbuf_lock = c->sndbuf_lock, fresh->rcvbuf_lock = c->rcvbuf_lock;
  fresh->sndbuf = c->sndbuf_lock ? c->sndbuf : fresh->sndbuf;
  fresh->rcvbuf = c->rcvbuf_lock ? c->rcvbuf : fresh->rcvbuf;
  fresh->flow = c->flow, fresh->save_syn = c->save_syn;
  TAILQ_REMOVE(&s->all, fresh, all);
  TAILQ_REMOVE(&s->all, c, all);
  *c = *fresh;
  STAILQ_INIT(&c->sq);
  STAILQ_INIT(&c->rq);
  STAILQ_INIT(&c->ooq);
  TAILQ_INIT(&c->segs);
  TAILQ_INSERT_TAIL(&s->all, c, all);
  s->nconns--;
  free(fresh);
  c->err = cut ? ECONNRESET : 0; /* the next call is told, as in Linux */
  return 0;
}

void tcp_set_local(struct tcp_conn *c, const struct in6_addr *a, uint16_t port) {
  if (c->n.hashed)
    return;
  c->n.key.laddr = c->flow.src = *a;
  c->n.key.lport = port;
}

void tcp_names(const struct tcp_conn *c, struct in6_addr *laddr, uint16_t *lport, struct in6_addr *raddr,
               uint16_t *rport) {
  *laddr = c->n.key.laddr;
  *lport = c->n.key.lport;
  *raddr = c->n.key.raddr;
  *rport = c->n.key.rport;
}

struct ip_flow *tcp_flow(struct tcp_conn *c) {
  c->route.gen = 0; /* asked for to be changed */
  return &c->flow;
}

void tcp_set_user(struct tcp_conn *c, const struct tcp_user_ops *ops, void *user) {
  c->ops = ops;
  c->user = user;
}
