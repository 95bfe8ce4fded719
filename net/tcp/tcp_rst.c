/* Resets, ours and answers to strangers (RFC 9293 3.5.2), and challenge acknowledgements (RFC 5961), rate limited. */
#include "tcp_int.h"
#include <netinet/in.h>

void tcp_send_rst(struct tcp_conn *c) {
  struct pbuf *p = pbuf_new(0);
  if (!p)
    return;
  c->s->stats.out_rsts++;
  struct tcp_opts o = {.wscale = -1, .ts = c->ts_on, .tsval = tcp_tsval(c), .tsecr = c->ts_recent};
  uint32_t seq = c->snd_nxt, edge = c->snd_una + c->snd_wnd;
  if (seq_lt(edge, seq) && tcp_synchronized(c))
    seq = seq_lt(edge, c->snd_una) ? c->snd_una : edge;
  tcp_emit(c->s, p, &c->n.key, &c->flow, &c->route, seq, c->rcv_nxt, TF_RST | TF_ACK, 0, 0, &o);
}

void tcp_reply_rst(struct tcp_stack *s, const struct tcp_rx *r) {
  if (r->flags & TF_RST || r->i->multicast || r->i->broadcast)
    return;
  struct pbuf *p = pbuf_new(0);
  if (!p)
    return;
  struct ip_flow f = {.src = r->key.laddr,
                      .dst = r->key.raddr,
                      .proto = IPPROTO_TCP,
                      .ttl = -1,
                      .pmtudisc = IP_PMTUDISC_DONT,
                      .freebind = true};
  s->stats.out_rsts++;
  if (r->flags & TF_ACK)
    tcp_emit(s, p, &r->key, &f, NULL, r->ack, 0, TF_RST, 0, 0, NULL);
  else
    tcp_emit(s, p, &r->key, &f, NULL, 0, rx_end(r), TF_RST | TF_ACK, 0, 0, NULL);
}

/* RFC 5961 7: so many a second for the whole stack. How many exactly nobody can know, or who counts those that he is
 * sent himself would learn whether somebody else's connection was sent one (CVE-2016-5696). */
bool tcp_challenge_ok(struct tcp_stack *s) {
  int64_t sec = tcp_now(s) / SEC;
  int limit = s->set.challenge_ack_limit;
  if (sec != s->chal_window) {
    uint32_t r = 0;
    s->env.random(s->ctx, &r, sizeof r);
    s->chal_window = sec;
    s->chal_left = limit > 1 && limit < INT32_MAX / 2 ? limit / 2 + (int)(r % (uint32_t)limit) : limit;
  }
  return s->chal_left > 0 && s->chal_left--;
}

/* And one each half second for a connection. */
void tcp_challenge(struct tcp_conn *c) {
  int64_t now = tcp_now(c->s);
  if ((c->chal_at && now - c->chal_at < 500 * MS) || !tcp_challenge_ok(c->s))
    return;
  c->chal_at = now;
  c->s->stats.challenge_ack++;
  tcp_send_ack(c);
}
