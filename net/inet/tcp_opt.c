/* Options and ioctls of TCP sockets: tcp(7), and those of socket(7) that the engine has to know. */
#include "tcp_sock.h"
#include "../../core/errno.h"
#include "../../core/uaccess.h"
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef TCP_CM_INQ
#define TCP_CM_INQ 36
#endif

void tcp_sock_sync(struct tcp_sock *ts) {
  const struct inet_sock *is = ts->is;
  const struct sock_opts *o = &is->sock->opt;
  struct ip_flow want, *f;
  if (!ts->c)
    return;
  f = tcp_flow(ts->c);
  inet_flow(is, is->connected ? &is->raddr : &is->laddr, IPPROTO_TCP, &want);
  f->tos = want.tos;
  f->ttl = want.ttl;
  f->oif = want.oif;
  f->mark = want.mark;
  f->pmtudisc = want.pmtudisc;
  f->freebind = want.freebind;
  f->options = want.options;
  f->options_len = want.options_len;
  tcp_set_option(ts->c, TCP_OPT_KEEPALIVE, o->keepalive);
  tcp_set_option(ts->c, TCP_OPT_OOBINLINE, o->oobinline);
  tcp_set_option(ts->c, TCP_OPT_RCVLOWAT, o->rcvlowat);
}

void tcp_inq_cmsg(const struct tcp_sock *ts, struct msg_k *m) {
  struct tcp_status st;
  tcp_status(ts->c, &st);
  int n = (int)st.inq;
  cmsg_append(m, IPPROTO_TCP, TCP_CM_INQ, &n, sizeof n);
}

/* ---- IPPROTO_TCP ---- */

/* Newer than this libc, or not in <netinet/tcp.h>. */
enum {
  OPT_THIN_LINEAR = 16,
  OPT_THIN_DUPACK = 17,
  OPT_REPAIR = 19,
  OPT_REPAIR_QUEUE = 20,
  OPT_QUEUE_SEQ = 21,
  OPT_REPAIR_OPTIONS = 22,
  OPT_FASTOPEN = 23,
  OPT_TIMESTAMP = 24,
  OPT_CC_INFO = 26,
  OPT_SAVE_SYN = 27,
  OPT_SAVED_SYN = 28,
  OPT_REPAIR_WINDOW = 29,
  OPT_FASTOPEN_CONNECT = 30,
  OPT_ULP = 31,
  OPT_FASTOPEN_NO_COOKIE = 34,
  OPT_INQ = 36,
  OPT_TX_DELAY = 37,
};
#define CC_NAME_MAX 16 /* TCP_CA_NAME_MAX, TCP_ULP_NAME_MAX */
#define TX_DELAY_MAX (1 << 28)
#define REPAIR_WINDOW_SIZE 20

static const struct {
  int opt;
  enum tcp_option o;
} ints[] = {
    {TCP_NODELAY, TCP_OPT_NODELAY},
    {TCP_CORK, TCP_OPT_CORK},
    {TCP_MAXSEG, TCP_OPT_MAXSEG},
    {TCP_KEEPIDLE, TCP_OPT_KEEPIDLE},
    {TCP_KEEPINTVL, TCP_OPT_KEEPINTVL},
    {TCP_KEEPCNT, TCP_OPT_KEEPCNT},
    {TCP_SYNCNT, TCP_OPT_SYNCNT},
    {TCP_LINGER2, TCP_OPT_LINGER2},
    {TCP_DEFER_ACCEPT, TCP_OPT_DEFER_ACCEPT},
    {TCP_WINDOW_CLAMP, TCP_OPT_WINDOW_CLAMP},
    {TCP_QUICKACK, TCP_OPT_QUICKACK},
    {TCP_USER_TIMEOUT, TCP_OPT_USER_TIMEOUT},
    {25, TCP_OPT_NOTSENT_LOWAT},
    {OPT_SAVE_SYN, TCP_OPT_SAVE_SYN},
};

static bool int_option(int opt, enum tcp_option *o) {
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
    if (ints[i].opt == opt) {
      *o = ints[i].o;
      return true;
    }
  return false;
}

static int set_bool(bool *to, int v) {
  if (v < 0 || v > 1)
    return -EINVAL;
  *to = v;
  return 0;
}

/* Those that are stored only: TCP Fast Open is off (net.ipv4.tcp_fastopen), what thin streams asked for is how every
 * stream is treated, and a delay needs a queueing discipline that obeys it. */
static int set_stored(struct tcp_sock *ts, int opt, int v) {
  int state = tcp_state(ts->c), somaxconn = tcp_settings(ts->is->net->tcp)->somaxconn;
  bool idle = state == TCP_CLOSE || state == TCP_LISTEN;
  switch (opt) {
  case OPT_THIN_LINEAR:
    return set_bool(&ts->thin_linear, v);
  case OPT_THIN_DUPACK:
    return v < 0 || v > 1 ? -EINVAL : 0;
  case OPT_INQ:
    return set_bool(&ts->inq, v);
  case OPT_TX_DELAY:
    if (v < 0 || v >= TX_DELAY_MAX)
      return -EINVAL;
    ts->tx_delay = v;
    return 0;
  case OPT_FASTOPEN:
    if (v < 0 || !idle)
      return -EINVAL;
    ts->fastopen_qlen = v < somaxconn ? v : somaxconn;
    return 0;
  case OPT_FASTOPEN_CONNECT:
    return v < 0 || v > 1 ? -EINVAL : -EOPNOTSUPP;
  case OPT_FASTOPEN_NO_COOKIE:
    return v < 0 || v > 1 || !idle ? -EINVAL : set_bool(&ts->fastopen_no_cookie, v);
  case OPT_REPAIR: /* checkpoints are none of this kernel's */
  case OPT_REPAIR_QUEUE:
  case OPT_QUEUE_SEQ:
  case OPT_REPAIR_WINDOW:
  case OPT_TIMESTAMP:
    return -EPERM;
  case OPT_REPAIR_OPTIONS:
    return -EINVAL;
  default:
    return -ENOPROTOOPT;
  }
}

static int set_name(struct tcp_sock *ts, int opt, const void *val, socklen_t len) {
  char name[CC_NAME_MAX] = "";
  if (len < 1)
    return -EINVAL;
  memcpy(name, val, len < sizeof name - 1 ? len : sizeof name - 1);
  return opt == OPT_ULP ? -ENOENT : tcp_set_congestion(ts->c, name);
}

static int set_tcp(struct tcp_sock *ts, int opt, const void *val, socklen_t len) {
  enum tcp_option o;
  int v;
  if (opt == TCP_CONGESTION || opt == OPT_ULP)
    return set_name(ts, opt, val, len);
  if (len < sizeof v)
    return -EINVAL;
  memcpy(&v, val, sizeof v);
  return int_option(opt, &o) ? tcp_set_option(ts->c, o, v) : set_stored(ts, opt, v);
}

static int get_stored(const struct tcp_sock *ts, int opt, int *v) {
  *v = 0;
  switch (opt) {
  case OPT_THIN_LINEAR:
    *v = ts->thin_linear;
    return 0;
  case OPT_THIN_DUPACK:
  case OPT_REPAIR:
  case OPT_FASTOPEN_CONNECT:
    return 0;
  case OPT_INQ:
    *v = ts->inq;
    return 0;
  case OPT_TX_DELAY:
    *v = ts->tx_delay;
    return 0;
  case OPT_FASTOPEN:
    *v = ts->fastopen_qlen;
    return 0;
  case OPT_FASTOPEN_NO_COOKIE:
    *v = ts->fastopen_no_cookie;
    return 0;
  case OPT_TIMESTAMP:
    *v = (int)tcp_timestamp(ts->c);
    return 0;
  case OPT_REPAIR_QUEUE:
  case OPT_QUEUE_SEQ:
    return -EINVAL;
  default:
    return -ENOPROTOOPT;
  }
}

static void give(void *val, socklen_t *len, const void *from, size_t n) {
  if (*len > n)
    *len = (socklen_t)n;
  memcpy(val, from, *len);
}

static int get_tcp(struct tcp_sock *ts, int opt, void *val, socklen_t *len) {
  struct tcp_info_all ti;
  char name[CC_NAME_MAX] = "";
  enum tcp_option o;
  int v, err;
  switch (opt) {
  case TCP_INFO:
    tcp_get_info_all(ts->c, &ti);
    give(val, len, &ti, sizeof ti);
    return 0;
  case TCP_CONGESTION:
    strncpy(name, tcp_congestion(ts->c), sizeof name - 1);
    give(val, len, name, sizeof name);
    return 0;
  case OPT_CC_INFO: /* neither algorithm has any */
  case OPT_ULP:
    *len = 0;
    return 0;
  case OPT_SAVED_SYN:
    return tcp_saved_syn(ts->c, val, len);
  case OPT_REPAIR_WINDOW:
    return *len == REPAIR_WINDOW_SIZE ? -EPERM : -EINVAL;
  }
  err = int_option(opt, &o) ? tcp_get_option(ts->c, o, &v) : get_stored(ts, opt, &v);
  if (!err)
    give(val, len, &v, sizeof v);
  return err;
}

/* ---- the entries ---- */

int tcp_sock_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  struct tcp_sock *ts = tcp_sock_of(s);
  if (!ts->c)
    return -ENETDOWN;
  if (level == IPPROTO_TCP)
    return set_tcp(ts, opt, val, len);
  int err = inet_setsockopt(s, level, opt, val, len);
  if (err == -ENOPROTOOPT && level == SOL_SOCKET)
    err = socket_set_generic(s, opt, val, len);
  if (err)
    return err;
  if (level == SOL_SOCKET && (opt == SO_SNDBUF || opt == SO_SNDBUFFORCE))
    tcp_set_option(ts->c, TCP_OPT_SNDBUF, s->opt.sndbuf);
  if (level == SOL_SOCKET && (opt == SO_RCVBUF || opt == SO_RCVBUFFORCE))
    tcp_set_option(ts->c, TCP_OPT_RCVBUF, s->opt.rcvbuf);
  tcp_sock_sync(ts);
  tcp_get_option(ts->c, TCP_OPT_RCVLOWAT, &s->opt.rcvlowat); /* as it could be had */
  return 0;
}

int tcp_sock_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  struct tcp_sock *ts = tcp_sock_of(s);
  if (!ts->c)
    return -ENETDOWN;
  if (level == IPPROTO_TCP)
    return get_tcp(ts, opt, val, len);
  int err = inet_getsockopt(s, level, opt, val, len);
  if (err != -ENOPROTOOPT || level != SOL_SOCKET)
    return err;
  if (opt == SO_ERROR && !s->err) {
    s->err = tcp_take_error(ts->c);
    if (!s->err)
      s->err = tcp_take_soft_error(ts->c);
  } else if (opt == SO_SNDBUF) {
    tcp_get_option(ts->c, TCP_OPT_SNDBUF, &s->opt.sndbuf);
  } else if (opt == SO_RCVBUF) {
    tcp_get_option(ts->c, TCP_OPT_RCVBUF, &s->opt.rcvbuf);
  }
  return -ENOPROTOOPT;
}

long tcp_sock_ioctl(struct socket *s, unsigned cmd, uint64_t arg) {
  const struct tcp_sock *ts = tcp_sock_of(s);
  struct tcp_status st;
  int v;
  if (cmd != SIOCINQ && cmd != SIOCOUTQ && cmd != SIOCOUTQNSD && cmd != SIOCATMARK)
    return inet_ioctl(s, cmd, arg);
  if (!ts->c)
    return -ENETDOWN;
  tcp_status(ts->c, &st);
  if (cmd != SIOCATMARK && tcp_state(ts->c) == TCP_LISTEN)
    return -EINVAL;
  if (cmd == SIOCINQ)
    v = (int)st.inq;
  else if (cmd == SIOCOUTQ)
    v = (int)st.outq;
  else if (cmd == SIOCOUTQNSD)
    v = (int)st.outq_nsd;
  else
    v = tcp_at_mark(ts->c);
  return put_user(arg, &v);
}
