/* Options and ioctls of TCP sockets: tcp(7), and those of socket(7) that the engine has to know. */
#include "tcp_sock.h"
#include "../../core/errno.h"
#include "../../core/uaccess.h"
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#pragma weak inet_setsockopt
#pragma weak inet_getsockopt
#pragma weak cmsg_append

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
  if (cmsg_append)
    cmsg_append(m, IPPROTO_TCP, TCP_CM_INQ, &n, sizeof n);
}

/* ---- IPPROTO_TCP ---- */

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
    {TCP_NOTSENT_LOWAT, TCP_OPT_NOTSENT_LOWAT},
};

static int int_option(int opt, enum tcp_option *o) {
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
    if (ints[i].opt == opt) {
      *o = ints[i].o;
      return 0;
    }
  return -ENOPROTOOPT;
}

static int set_tcp(struct tcp_sock *ts, int opt, const void *val, socklen_t len) {
  enum tcp_option o;
  int v;
  if (len < sizeof v)
    return -EINVAL;
  memcpy(&v, val, sizeof v);
  int err = int_option(opt, &o);
  return err ? err : tcp_set_option(ts->c, o, v);
}

static int get_tcp(struct tcp_sock *ts, int opt, void *val, socklen_t *len) {
  enum tcp_option o;
  int v, err;
  if (opt == TCP_INFO) {
    struct tcp_info ti;
    tcp_get_info(ts->c, &ti);
    if (*len > sizeof ti)
      *len = sizeof ti;
    memcpy(val, &ti, *len);
    return 0;
  }
  err = int_option(opt, &o);
  if (!err)
    err = tcp_get_option(ts->c, o, &v);
  if (err)
    return err;
  if (*len > sizeof v)
    *len = sizeof v;
  memcpy(val, &v, *len);
  return 0;
}

/* ---- the entries ---- */

int tcp_sock_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  struct tcp_sock *ts = tcp_sock_of(s);
  if (!ts->c)
    return -ENETDOWN;
  if (level == IPPROTO_TCP)
    return set_tcp(ts, opt, val, len);
  int err = inet_setsockopt ? inet_setsockopt(s, level, opt, val, len) : -ENOPROTOOPT;
  if (err == -ENOPROTOOPT && level == SOL_SOCKET)
    err = socket_set_generic(s, opt, val, len);
  if (err)
    return err;
  if (level == SOL_SOCKET && (opt == SO_SNDBUF || opt == SO_SNDBUFFORCE))
    tcp_set_option(ts->c, TCP_OPT_SNDBUF, s->opt.sndbuf);
  if (level == SOL_SOCKET && (opt == SO_RCVBUF || opt == SO_RCVBUFFORCE))
    tcp_set_option(ts->c, TCP_OPT_RCVBUF, s->opt.rcvbuf);
  tcp_sock_sync(ts);
  return 0;
}

int tcp_sock_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  struct tcp_sock *ts = tcp_sock_of(s);
  if (!ts->c)
    return -ENETDOWN;
  if (level == IPPROTO_TCP)
    return get_tcp(ts, opt, val, len);
  int err = inet_getsockopt ? inet_getsockopt(s, level, opt, val, len) : -ENOPROTOOPT;
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
