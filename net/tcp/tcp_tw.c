/* TIME-WAIT (RFC 9293 3.6.1) as a small record, ended early by a newer SYN (RFC 6191) or our own need for the names. */
#include "tcp_int.h"
#include <netinet/in.h>

void tcp_time_wait(struct tcp_conn *c) {
  struct tcp_stack *s = c->s;
  struct tcp_tw *t = (int)s->ntw < s->set.max_tw_buckets ? malloc(sizeof *t) : NULL;
  if (t) {
    int64_t now = tcp_now(s);
    *t = (struct tcp_tw){.n = {.key = c->n.key, .kind = TN_TW},
                         .snd_nxt = c->snd_nxt,
                         .rcv_nxt = c->rcv_nxt,
                         .ts_recent = c->ts_recent,
                         .tsoff = c->tsoff,
                         .ts = c->ts_on,
                         .ts_stamp = now,
                         .wnd = tcp_rcv_window(c) >> c->rcv_wscale,
                         .oif = c->flow.oif,
                         .mark = c->flow.mark,
                         .tos = c->flow.tos,
                         .port = c->port};
    c->port = NULL;
    tcp_hash_del(s, &c->n);
    tcp_hash_add(s, &t->n);
    s->ntw++;
    tcp_alarm(s, &t->n, now + TCP_TW_TIME);
  }
  tcp_done(c, 0);
}

void tcp_tw_free(struct tcp_stack *s, struct tcp_tw *t) {
  tcp_alarm(s, &t->n, TCP_NEVER);
  tcp_hash_del(s, &t->n);
  tcp_port_put(s, t->port);
  s->ntw--;
  free(t);
}

/* For a connection of our own with the same names: only timestamps can tell old segments from new. */
bool tcp_tw_reusable(struct tcp_stack *s, const struct tcp_tw *t) {
  bool loop =
      ip_is4(&t->n.key.raddr) ? (ntohl(ip_get4(&t->n.key.raddr)) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&t->n.key.raddr);
  return t->ts && (s->set.tw_reuse == 1 || (s->set.tw_reuse == 2 && loop)) && tcp_now(s) - t->ts_stamp > SEC;
}

static void tw_ack(struct tcp_stack *s, struct tcp_tw *t) {
  struct pbuf *p = tcp_challenge_ok(s) ? pbuf_new(0) : NULL;
  if (!p)
    return;
  struct ip_flow f = {.src = t->n.key.laddr,
                      .dst = t->n.key.raddr,
                      .proto = IPPROTO_TCP,
                      .tos = t->tos,
                      .ttl = -1,
                      .oif = t->oif,
                      .mark = t->mark,
                      .pmtudisc = IP_PMTUDISC_WANT};
  struct tcp_opts o = {
      .wscale = -1, .ts = t->ts, .tsval = (uint32_t)(tcp_now(s) / MS) + t->tsoff, .tsecr = t->ts_recent};
  tcp_emit(s, p, &t->n.key, &f, NULL, t->snd_nxt, t->rcv_nxt, TF_ACK, u32_min(t->wnd, 65535), 0, &o);
}

bool tcp_tw_input(struct tcp_stack *s, struct tcp_tw *t, struct tcp_rx *r) {
  bool old = t->ts && r->o.ts && (int32_t)(r->o.tsval - t->ts_recent) < 0;
  if (r->flags & TF_RST) {
    if (!old && r->seq == t->rcv_nxt && !s->set.rfc1337)
      tcp_tw_free(s, t);
    return false;
  }
  if (r->flags & TF_SYN && !(r->flags & TF_ACK)) {
    bool newer = t->ts && r->o.ts ? (int32_t)(r->o.tsval - t->ts_recent) > 0 : false;
    if (!old && (newer || seq_lt(t->rcv_nxt, r->seq))) {
      s->stats.tw_recycled++;
      tcp_tw_free(s, t);
      return true;
    }
  }
  if (r->flags & (TF_SYN | TF_FIN) || r->len || old || r->seq != t->rcv_nxt) {
    if (r->flags & TF_FIN && !old && rx_end(r) == t->rcv_nxt) { /* our last ACK was lost: 2 MSL from now */
      tcp_alarm(s, &t->n, TCP_NEVER);
      tcp_alarm(s, &t->n, tcp_now(s) + TCP_TW_TIME);
    }
    tw_ack(s, t);
  }
  return false;
}
