/* Options of a connection as setsockopt() and getsockopt() see them. */
#include "tcp_int.h"

static int set_range(int v, int lo, int hi, uint32_t *to) {
  if (v < lo || v > hi)
    return -EINVAL;
  *to = (uint32_t)v;
  return 0;
}

static void set_buffers(struct tcp_conn *c, enum tcp_option o, int v) {
  if (o == TCP_OPT_SNDBUF) {
    c->sndbuf = (uint32_t)(v < 4608 ? 4608 : v); /* SOCK_MIN_SNDBUF */
    c->sndbuf_lock = true;
  } else {
    c->rcvbuf = (uint32_t)(v < 2304 ? 2304 : v);
    c->rcvbuf_lock = true;
  }
}

static int set_flag(struct tcp_conn *c, enum tcp_option o, int v) {
  switch (o) {
  case TCP_OPT_NODELAY:
    c->nodelay = v;
    if (v) {
      c->push = true;
      tcp_push(c);
    }
    return 0;
  case TCP_OPT_CORK:
    c->cork = v;
    if (!v) {
      c->push = true;
      tcp_push(c);
    }
    return 0;
  case TCP_OPT_KEEPALIVE:
    c->keepalive = v;
    tcp_keep_reset(c);
    return 0;
  case TCP_OPT_QUICKACK:
    c->quickack = v;
    c->pingpong = !v;
    if (v) {
      c->quick = TCP_BATCH_ACKS;
      if (c->ack_due && tcp_synchronized(c))
        tcp_send_ack(c);
    }
    return 0;
  case TCP_OPT_OOBINLINE:
    c->oobinline = v;
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

/* Never more than the buffer may become, or nobody would ever be told of anything: tcp_set_rcvlowat() of Linux. */
static void set_rcvlowat(struct tcp_conn *c, int v) {
  uint32_t want = v < 0 ? INT32_MAX : v ? (uint32_t)v : 1;
  c->rcvlowat = u32_min(want, (c->rcvbuf_lock ? c->rcvbuf : (uint32_t)c->s->set.rmem[2]) / 2);
  if (!c->rcvbuf_lock)
    c->rcvbuf = u32_max(c->rcvbuf, 2 * c->rcvlowat);
}

/* The time of the first SYN-ACK that is sent again at `secs` or later. */
static int synack_secs(int secs) {
  int total = secs > 0 ? 1 : 0, wait = 1;
  for (int n = 1; total && total < secs && n < 255; n++) {
    wait = wait * 2 > TCP_RTO_MAX / SEC ? (int)(TCP_RTO_MAX / SEC) : wait * 2;
    total += wait;
  }
  return total;
}

static int set_value(struct tcp_conn *c, enum tcp_option o, int v) {
  int r;
  switch (o) {
  case TCP_OPT_MAXSEG:
    if (v && (v < 88 || v > 32767))
      return -EINVAL;
    c->mss_user = (uint16_t)v;
    return 0;
  case TCP_OPT_KEEPIDLE:
    if (!(r = set_range(v, 1, 32767, &c->ka_idle)))
      tcp_keep_reset(c);
    return r;
  case TCP_OPT_KEEPINTVL:
    return set_range(v, 1, 32767, &c->ka_intvl);
  case TCP_OPT_KEEPCNT:
    return set_range(v, 1, 127, &c->ka_cnt);
  case TCP_OPT_SYNCNT:
    if (v < 1 || v > 127)
      return -EINVAL;
    c->syncnt = v;
    return 0;
  case TCP_OPT_LINGER2:
    c->linger2 = v < 0 ? -1 : v > 120 ? 120 : v;
    return 0;
  case TCP_OPT_DEFER_ACCEPT:
    c->defer_accept = synack_secs(v);
    return 0;
  case TCP_OPT_WINDOW_CLAMP:
    if (!v && c->state != TCP_CLOSE)
      return -EINVAL;
    c->clamp = v < 0 ? 0 : v && v < 1152 ? 1152 : (uint32_t)v;
    return 0;
  case TCP_OPT_USER_TIMEOUT:
    return set_range(v, 0, INT32_MAX, &c->user_timeout);
  case TCP_OPT_NOTSENT_LOWAT:
    c->notsent_lowat = v;
    tcp_event(c, TCP_EV_WRITE);
    return 0;
  case TCP_OPT_SAVE_SYN:
    if (v < 0 || v > 2)
      return -EINVAL;
    c->save_syn = (uint8_t)v;
    return 0;
  case TCP_OPT_RCVLOWAT:
    set_rcvlowat(c, v);
    return 0;
  case TCP_OPT_SNDBUF:
  case TCP_OPT_RCVBUF:
    set_buffers(c, o, v);
    return 0;
  default:
    return set_flag(c, o, v != 0);
  }
}

int tcp_set_option(struct tcp_conn *c, enum tcp_option o, int v) {
  tcp_hold(c);
  int r = set_value(c, o, v);
  tcp_release(c);
  return r;
}

int tcp_get_option(const struct tcp_conn *c, enum tcp_option o, int *v) {
  const struct tcp_settings *t = &c->s->set;
  switch (o) {
  case TCP_OPT_NODELAY:
    *v = c->nodelay;
    break;
  case TCP_OPT_CORK:
    *v = c->cork;
    break;
  case TCP_OPT_MAXSEG:
    *v = c->mss_user && (c->state == TCP_CLOSE || c->l) ? c->mss_user : (int)c->mss;
    break;
  case TCP_OPT_KEEPALIVE:
    *v = c->keepalive;
    break;
  case TCP_OPT_KEEPIDLE:
    *v = c->ka_idle ? (int)c->ka_idle : t->keepalive_time;
    break;
  case TCP_OPT_KEEPINTVL:
    *v = c->ka_intvl ? (int)c->ka_intvl : t->keepalive_intvl;
    break;
  case TCP_OPT_KEEPCNT:
    *v = c->ka_cnt ? (int)c->ka_cnt : t->keepalive_probes;
    break;
  case TCP_OPT_SYNCNT:
    *v = c->syncnt ? c->syncnt : t->syn_retries;
    break;
  case TCP_OPT_LINGER2:
    *v = c->linger2 > 0 ? c->linger2 : c->linger2 < 0 ? -1 : t->fin_timeout;
    break;
  case TCP_OPT_DEFER_ACCEPT:
    *v = c->defer_accept;
    break;
  case TCP_OPT_WINDOW_CLAMP:
    *v = (int)c->clamp;
    break;
  case TCP_OPT_QUICKACK:
    *v = !c->pingpong;
    break;
  case TCP_OPT_USER_TIMEOUT:
    *v = (int)c->user_timeout;
    break;
  case TCP_OPT_NOTSENT_LOWAT:
    *v = c->notsent_lowat;
    break;
  case TCP_OPT_OOBINLINE:
    *v = c->oobinline;
    break;
  case TCP_OPT_SNDBUF:
    *v = (int)c->sndbuf;
    break;
  case TCP_OPT_RCVBUF:
    *v = (int)c->rcvbuf;
    break;
  case TCP_OPT_SAVE_SYN:
    *v = c->save_syn;
    break;
  case TCP_OPT_RCVLOWAT:
    *v = (int)c->rcvlowat;
    break;
  default:
    return -ENOPROTOOPT;
  }
  return 0;
}
