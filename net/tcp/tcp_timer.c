/* A connection's timers: each is a deadline in its block; the stack's alarm is set to the earliest. */
#include "tcp_int.h"

#define CORK_MAX                                                                                                       \
  (200 * MS) /* what cork, Nagle or a silly window hold back leaves after that, if nothing is in flight */

void tcp_timers_update(struct tcp_conn *c) {
  if (c->state == TCP_CLOSE || c->state == TCP_LISTEN)
    return;
  const int64_t all[] = {c->t_retx, c->t_tlp, c->t_reo, c->t_persist, c->t_delack, c->t_keep, c->t_life};
  int64_t min = TCP_NEVER;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    min = all[i] < min ? all[i] : min;
  if (min != TCP_NEVER) /* an alarm left over does no harm, and costs less than taking it off and setting it again */
    tcp_alarm(c->s, &c->n, min);
}

/* ---- zero window probes: RFC 9293 3.8.6.1 ---- */

void tcp_check_persist(struct tcp_conn *c) {
  bool waiting = !c->fin_sent && (c->snd_nxt != c->snd_end || c->fin_queued);
  uint32_t edge = c->snd_una + c->snd_wnd;
  if (c->snd_nxt != c->snd_una || !waiting) {
    c->t_persist = TCP_NEVER;
    c->persist_shift = 0;
    return;
  }
  bool open = seq_lt(c->snd_nxt, edge);
  if (open)
    c->persist_shift = 0;
  if (c->t_persist != TCP_NEVER)
    return;
  int64_t wait = open ? CORK_MAX : c->rto << (c->persist_shift < 12 ? c->persist_shift : 12);
  c->t_persist = tcp_now(c->s) + (wait < TCP_RTO_MAX ? wait : TCP_RTO_MAX);
  if (!c->first_retx && !open)
    c->first_retx = tcp_now(c->s);
}

static void on_persist(struct tcp_conn *c) {
  struct tcp_settings *t = &c->s->set;
  int most = c->orphan ? (t->orphan_retries ? t->orphan_retries : 8) : t->retries2;
  int64_t now = tcp_now(c->s);
  c->t_persist = TCP_NEVER;
  bool late = c->user_timeout && c->first_retx && now - c->first_retx >= c->user_timeout * MS;
  /* Nobody waits for an orphan's data: a peer that acknowledges probes and never opens its window must not keep it. */
  bool held = c->orphan && c->persist_shift >= (most < 12 ? most : 12);
  if ((int)c->probes >= most || late || held) {
    c->s->stats.abort_on_timeout++;
    tcp_done(c, c->soft_err ? c->soft_err : ETIMEDOUT);
    return;
  }
  if (tcp_send_one(c, c->mss))
    return;
  c->probes++;
  if (c->persist_shift < 12)
    c->persist_shift++;
  tcp_send_probe(c);
  tcp_check_persist(c);
}

/* ---- keepalive: RFC 9293 3.8.4 ---- */

static int64_t ka_idle(const struct tcp_conn *c) {
  return (c->ka_idle ? c->ka_idle : (uint32_t)c->s->set.keepalive_time) * SEC;
}
static int64_t ka_intvl(const struct tcp_conn *c) {
  return (c->ka_intvl ? c->ka_intvl : (uint32_t)c->s->set.keepalive_intvl) * SEC;
}

void tcp_keep_reset(struct tcp_conn *c) {
  c->t_keep = TCP_NEVER;
  if (c->keepalive && tcp_synchronized(c))
    c->t_keep = tcp_now(c->s) + ka_idle(c);
}

static void on_keep(struct tcp_conn *c) {
  int64_t now = tcp_now(c->s), quiet = now - (c->last_rx > c->last_tx_data ? c->last_rx : c->last_tx_data);
  uint32_t cnt = c->ka_cnt ? c->ka_cnt : (uint32_t)c->s->set.keepalive_probes;
  c->t_keep = TCP_NEVER;
  if (!c->keepalive)
    return;
  if (c->snd_nxt != c->snd_una || c->snd_end != c->snd_una) { /* other timers watch */
    c->t_keep = now + ka_idle(c);
    return;
  }
  if (quiet < ka_idle(c)) {
    c->ka_probes = 0;
    c->t_keep = now + ka_idle(c) - quiet;
    return;
  }
  bool over = c->user_timeout ? c->ka_probes && quiet >= c->user_timeout * MS : c->ka_probes >= cnt;
  if (over) {
    c->s->stats.abort_on_timeout++;
    tcp_abort(c, c->soft_err ? c->soft_err : ETIMEDOUT);
    return;
  }
  c->ka_probes++;
  c->s->stats.keepalive++;
  tcp_send_probe(c);
  c->t_keep = now + ka_intvl(c);
}

static void on_delack(struct tcp_conn *c) {
  c->t_delack = TCP_NEVER;
  if (!c->ack_due)
    return;
  c->s->stats.delayed_acks++;
  c->pingpong = 0;
  tcp_send_ack(c);
}

static void on_reo(struct tcp_conn *c) {
  c->t_reo = TCP_NEVER;
  tcp_detect_loss(c);
  if (c->ca == CA_OPEN && c->lost > c->retx)
    tcp_enter_recovery(c);
  if (c->ca == CA_RECOVERY && tcp_pipe(c) + c->mss > c->cwnd && !c->prr_out)
    c->cwnd = tcp_pipe(c) + c->mss;
  tcp_push(c);
}

static void on_life(struct tcp_conn *c) {
  c->t_life = TCP_NEVER;
  if (c->state == TCP_FIN_WAIT2)
    tcp_done(c, 0);
}

void tcp_conn_timer(struct tcp_conn *c) {
  static const struct {
    size_t at;
    void (*fn)(struct tcp_conn *c);
  } timers[] = {
      {offsetof(struct tcp_conn, t_life), on_life},    {offsetof(struct tcp_conn, t_delack), on_delack},
      {offsetof(struct tcp_conn, t_reo), on_reo},      {offsetof(struct tcp_conn, t_tlp), tcp_on_tlp},
      {offsetof(struct tcp_conn, t_retx), tcp_on_rto}, {offsetof(struct tcp_conn, t_persist), on_persist},
      {offsetof(struct tcp_conn, t_keep), on_keep},
  };
  int64_t now = tcp_now(c->s);
  tcp_hold(c);
  for (size_t i = 0; i < sizeof timers / sizeof *timers && c->state != TCP_CLOSE; i++)
    if (*(int64_t *)((char *)c + timers[i].at) <= now)
      timers[i].fn(c);
  tcp_release(c);
}
