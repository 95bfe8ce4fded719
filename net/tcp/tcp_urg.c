/* Urgent data as BSD and Linux have it: one byte, the one before the pointer (RFC 6093 describes the practice). */
#include "tcp_int.h"

void tcp_urg_in(struct tcp_conn *c, const struct tcp_rx *r) {
  if (!(r->flags & TF_URG) || !r->urp)
    return;
  uint32_t at = r->seq + r->urp - 1;
  uint32_t next = c->rcv_nxt - c->fin_rcvd - c->rcv_bytes; /* the next to read */
  if (seq_lt(at, next) || seq_lt(at, c->rcv_nxt) || c->fin_rcvd)
    return;
  if (c->urg_state != URG_NONE && seq_le(at, c->rcv_up))
    return; /* known */
  c->rcv_up = at;
  c->urg_state = URG_AWAITED;
  tcp_event(c, TCP_EV_PRI);
}

/* Pick the byte out of a segment about to be queued. It stays in the stream; reading skips it there. */
void tcp_urg_data(struct tcp_conn *c, const struct tcp_rx *r) {
  uint32_t off = c->rcv_up - r->seq;
  if (c->urg_state != URG_AWAITED || off >= r->len)
    return;
  pbuf_copy_out(r->p, off, &c->urg_byte, 1);
  c->urg_state = URG_HERE;
  tcp_event(c, TCP_EV_PRI);
}
