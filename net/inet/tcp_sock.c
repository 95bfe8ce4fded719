/* TCP sockets: tcp(7). Naming, connecting, accepting, closing, and what poll(2) says; tcp_msg.c moves the bytes. */
#include "tcp_sock.h"
#include "../sock_filter.h"
#include "../../core/errno.h"
#include "../../core/task.h"
#include "../../core/timers.h"
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define IN (EPOLLIN | EPOLLRDNORM)
#define OUT (EPOLLOUT | EPOLLWRNORM)

/* ---- what the engine tells ---- */

static void on_event(void *user, struct tcp_conn *c, unsigned ev) {
  struct tcp_sock *ts = user;
  struct socket *s = ts->is->sock;
  uint32_t e = 0;
  if (ev & (TCP_EV_READ | TCP_EV_ACCEPT))
    e |= IN;
  if (ev & (TCP_EV_WRITE | TCP_EV_CONNECTED))
    e |= OUT;
  if (ev & TCP_EV_RDHUP)
    e |= IN | EPOLLRDHUP;
  if (ev & TCP_EV_PRI)
    e |= EPOLLPRI;
  if (ev & TCP_EV_HUP)
    e |= IN | OUT | EPOLLRDHUP | EPOLLHUP;
  if (ev & TCP_EV_ERROR)
    e |= IN | OUT | EPOLLERR;
  if (ev & TCP_EV_PRI && s->file && s->file->owner_pid)
    file_signal_urgent(s->file);
  if (ev & TCP_EV_HUP && !ts->is->bound_port) /* the port may be somebody else's; its number is still shown */
    inet_port_release(ts->is);
  if (ev & TCP_EV_ACCEPT)
    waitq_wake(&s->wq, e); /* one of those who wait in accept(2) */
  else
    waitq_wake_all(&s->wq, e);
}

static uint32_t on_segment(void *user, const struct pbuf *p) {
  const struct tcp_sock *ts = user;
  uint32_t keep = p->len;
  return sock_filter_pass(ts->is->sock, p, &keep) ? keep : 0;
}

const struct tcp_user_ops tcp_sock_events = {.event = on_event, .filter = on_segment};

static uint32_t tcp_sock_poll(struct socket *s) {
  const struct tcp_sock *ts = tcp_sock_of(s);
  const struct inet_sock *is = ts->is;
  struct tcp_status st;
  if (!ts->c)
    return EPOLLHUP | EPOLLERR | IN | OUT;
  int state = tcp_state(ts->c);
  tcp_status(ts->c, &st);
  uint32_t ev = 0;
  if (st.error || is->nerr)
    ev |= EPOLLERR;
  if (state == TCP_LISTEN)
    return ev | (st.readable ? IN : 0);
  bool rd = st.rd_closed || is->shut_rd, wr = st.wr_closed || is->shut_wr;
  if ((rd && wr) || state == TCP_CLOSE)
    ev |= EPOLLHUP;
  if (rd)
    ev |= IN | EPOLLRDHUP;
  if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
    return ev;
  if (st.readable && st.readable >= (uint32_t)s->opt.rcvlowat)
    ev |= IN;
  if (wr || st.writable || state == TCP_CLOSE)
    ev |= OUT;
  if (st.urgent)
    ev |= EPOLLPRI;
  return ev;
}

/* ---- life ---- */

static int tcp_attach(struct inet_sock *is, struct tcp_conn *c) {
  struct tcp_sock *ts = calloc(1, sizeof *ts);
  if (!ts)
    return -ENOMEM;
  ts->is = is;
  ts->c = c;
  is->priv = ts;
  LIST_INSERT_HEAD(&is->net->tcp_socks, is, hash_link);
  return 0;
}

static int tcp_init(struct inet_sock *is) {
  int err = tcp_attach(is, NULL);
  if (err)
    return err;
  struct tcp_sock *ts = is->priv;
  ts->c = tcp_open(is->net->tcp, &tcp_sock_events, ts);
  if (!ts->c) {
    LIST_REMOVE(is, hash_link);
    free(ts);
    return -ENOMEM;
  }
  return 0;
}

static bool closing(const struct tcp_sock *ts) { /* sk_stream_closing() */
  int state = ts->c ? tcp_state(ts->c) : TCP_CLOSE;
  return state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* SO_LINGER: wait until the peer has everything, a signal, or the time is over. */
static void linger(struct tcp_sock *ts) {
  struct socket *s = ts->is->sock;
  const struct task *t = task_current();
  struct tcp_status st;
  if (!s->opt.linger_on || !s->opt.linger || !t || t->exiting)
    return;
  tcp_status(ts->c, &st);
  int state = tcp_state(ts->c);
  if (st.inq || state == TCP_LISTEN || state == TCP_SYN_SENT || tcp_shutdown(ts->c, SHUT_WR))
    return;
  int64_t deadline = deadline_after((int64_t)s->opt.linger * 1000000000);
  while (closing(ts))
    if (task_wait(&s->wq, 0, deadline))
      return;
}

static void tcp_release_sock(struct socket *s) {
  struct inet_sock *is = inet_of(s);
  struct tcp_sock *ts = is->priv;
  if (ts->c)
    linger(ts);
  if (ts->c) {
    struct ip_flow *f = tcp_flow(ts->c);
    f->options = NULL; /* ours */
    f->options_len = 0;
    tcp_close(ts->c, s->opt.linger_on && !s->opt.linger ? 0 : -1);
  }
  if (is->net)
    LIST_REMOVE(is, hash_link);
  free(ts);
  is->priv = NULL;
  inet_release(is);
}

/* ---- bind, listen ---- */

static int tcp_bind(struct socket *s, const struct sockaddr *a, socklen_t len) {
  struct inet_sock *is = inet_of(s);
  struct tcp_sock *ts = is->priv;
  if (!ts->c)
    return -ENETDOWN;
  if (tcp_state(ts->c) != TCP_CLOSE && !is->port)
    return -EINVAL;
  int err = inet_bind(s, a, len);
  if (!err)
    tcp_set_local(ts->c, &is->laddr, is->lport);
  return err;
}

static int tcp_listen_sock(struct socket *s, int backlog) {
  struct inet_sock *is = inet_of(s);
  struct tcp_sock *ts = is->priv;
  struct ip_flow f;
  if (!ts->c || ts->state != TS_UNCONNECTED)
    return -EINVAL;
  int state = tcp_state(ts->c);
  if (state != TCP_CLOSE && state != TCP_LISTEN)
    return -EINVAL;
  int err = is->port ? 0 : inet_port_bind(is, INET_TCP, &is->laddr, 0);
  if (!err && state == TCP_CLOSE)
    err = inet_port_listen(is);
  if (err)
    return err;
  struct in6_addr any = inet_any(is);
  inet_flow(is, &any, IPPROTO_TCP, &f);
  f.src = is->laddr;
  err = tcp_listen(ts->c, &f, is->lport, backlog, is->opt.v6only, s->opt.reuseport, is->port);
  s->listening = !err;
  is->shut_rd = is->shut_wr = false;
  return err;
}

/* ---- accept ---- */

static int wait_accept(struct socket *s, int64_t deadline) {
  int r = task_wait_exclusive(&s->wq, EPOLLIN, deadline);
  if (r == -ETIMEDOUT)
    return -EAGAIN;
  return r == -ERESTARTSYS && deadline != NO_DEADLINE ? -EINTR : r;
}

/* The child begins as its listener is: sk_clone_lock() of Linux. */
static void inherit(struct inet_sock *is, const struct inet_sock *from) {
  is->sock->opt = from->sock->opt;
  is->sock->opt.priority = 0;
  is->opt = from->opt;
  is->opt.ip_options = NULL; /* owned; the child has none */
  is->opt.ip_options_len = 0;
  memset(is->opt.ext, 0, sizeof is->opt.ext);
  is->bound_dev = from->bound_dev;
  is->kuid = from->kuid;
  is->connected = true;
  is->bound_addr = from->bound_addr;
  if (from->port)
    is->port = inet_port_hold(from->port);
}

static int child_socket(struct tcp_sock *l, struct socket **out) {
  struct socket *s = l->is->sock, *n = socket_alloc(s->k, s->family, s->type, s->protocol);
  if (!n)
    return -ENOMEM;
  struct inet_sock *is = inet_sock_new(n, l->is->ns, l->is->proto);
  if (!is) {
    socket_free(n);
    return -ENOMEM;
  }
  if (tcp_attach(is, NULL)) {
    inet_release(is);
    socket_free(n);
    return -ENOMEM;
  }
  struct tcp_sock *ts = is->priv;
  ts->c = tcp_accept(l->c, &tcp_sock_events, ts);
  if (!ts->c) {
    n->ops->release(n);
    socket_free(n);
    return -EAGAIN;
  }
  ts->state = TS_CONNECTED;
  ts->inq = l->inq;
  sock_filter_inherit(n, s);
  inherit(is, l->is);
  tcp_names(ts->c, &is->laddr, &is->lport, &is->raddr, &is->rport);
  if (!is->bound_dev)
    is->bound_dev = tcp_flow(ts->c)->oif; /* a link-local peer */
  tcp_sock_sync(ts);
  *out = n;
  return 0;
}

static int tcp_accept_sock(struct socket *s, bool nonblock, struct socket **out) {
  struct tcp_sock *ts = tcp_sock_of(s);
  int64_t deadline = socket_deadline(s->opt.rcvtimeo);
  for (;;) {
    struct tcp_status st;
    if (!ts->c || tcp_state(ts->c) != TCP_LISTEN)
      return -EINVAL;
    tcp_status(ts->c, &st);
    int err = st.readable ? child_socket(ts, out) : -EAGAIN;
    if (err != -EAGAIN || nonblock)
      return err;
    err = wait_accept(s, deadline);
    if (!err)
      continue;
    if (ts->c && tcp_state(ts->c) == TCP_LISTEN) {
      tcp_status(ts->c, &st);
      if (st.readable)
        continue;
    }
    return err;
  }
}

/* ---- connect ---- */

/* connect(AF_UNSPEC), and the end of an attempt that failed: as a fresh socket, still bound if it was. */
static int disconnect(struct tcp_sock *ts) {
  struct inet_sock *is = ts->is;
  int err = ts->c ? tcp_disconnect(ts->c) : 0;
  if (err)
    return err;
  inet_port_unlisten(is);
  if (!is->bound_port)
    inet_port_release(is);
  if (!is->bound_addr)
    is->laddr = inet_any(is);
  is->raddr = inet_any(is);
  is->rport = 0;
  is->connected = is->shut_rd = is->shut_wr = is->sock->listening = false;
  ts->state = TS_UNCONNECTED;
  if (ts->c)
    tcp_sock_sync(ts);
  waitq_wake_all(&is->sock->wq, 0);
  return 0;
}

static int start_connect(struct tcp_sock *ts, const struct sockaddr *a, socklen_t len) {
  struct inet_sock *is = ts->is;
  struct in6_addr dst;
  struct ip_flow f;
  struct ip_route r;
  uint16_t port;
  int scope, err = a->sa_family == AF_UNSPEC ? -EAFNOSUPPORT : inet_addr_get(is, a, len, &dst, &port, &scope);
  if (err)
    return err;
  if (ip_is_any(&dst) && !ip_is4(&dst)) /* this host: the family of our own name decides */
    dst = ip_is4(&is->laddr) ? ip_from4(htonl(INADDR_LOOPBACK)) : in6addr_loopback;
  if (ip_is_multicast(&dst))
    return -ENETUNREACH;
  if (!ip_is_any(&is->laddr) && ip_is4(&is->laddr) != ip_is4(&dst))
    return ip_is4(&is->laddr) ? -ENETUNREACH : -EINVAL;
  if (scope)
    is->bound_dev = scope;
  inet_flow(is, &dst, IPPROTO_TCP, &f);
  f.broadcast_ok = true;
  err = ip_route_output(is->ns, &f, &r);
  if (err)
    return err;
  if (r.type == RTN_BROADCAST || r.type == RTN_MULTICAST)
    return -ENETUNREACH;
  if (ip_is4(&dst) && ip_is_any(&dst))
    dst = r.src;
  f.dst = dst;
  f.src = r.src;
  if (is->port && !is->bound_port) /* of an attempt that failed */
    inet_port_release(is);
  bool picked = !is->port;
  err = picked ? inet_port_connect(is, &r.src, &dst, port) : 0;
  if (!err)
    err = tcp_connect(ts->c, &f, is->lport, port, is->port);
  if (err) {
    if (picked)
      inet_port_release(is);
    return err;
  }
  is->laddr = r.src;
  is->raddr = dst;
  is->rport = port;
  is->connected = true;
  is->shut_rd = is->shut_wr = false;
  return 0;
}

/* Waits for the end of the handshake, then says how it went: __inet_stream_connect(). */
static int finish_connect(struct tcp_sock *ts, bool nonblock, int unfinished) {
  struct socket *s = ts->is->sock;
  int64_t deadline = socket_deadline(s->opt.sndtimeo);
  int state;
  while ((state = tcp_state(ts->c)) == TCP_SYN_SENT || state == TCP_SYN_RECV) {
    int err = nonblock ? -EAGAIN : socket_wait(&s->wq, EPOLLOUT, deadline);
    if (!ts->c)
      return -ECONNABORTED;
    if (err == -EAGAIN && ((state = tcp_state(ts->c)) == TCP_SYN_SENT || state == TCP_SYN_RECV))
      return unfinished;
    if (err && err != -EAGAIN)
      return err;
  }
  if (ts->state == TS_UNCONNECTED && state == TCP_CLOSE) /* another thread has disconnected, or told of the error */
    return -ECONNABORTED;
  if (state != TCP_CLOSE) {
    ts->state = TS_CONNECTED;
    return 0;
  }
  int err = tcp_take_error(ts->c);
  disconnect(ts);
  return err ? -err : -ECONNABORTED;
}

static int tcp_connect_sock(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock) {
  struct tcp_sock *ts = tcp_sock_of(s);
  if (len < sizeof a->sa_family)
    return -EINVAL;
  if (!ts->c)
    return -ENETDOWN;
  if (a->sa_family == AF_UNSPEC)
    return disconnect(ts);
  switch (ts->state) {
  case TS_CONNECTED:
    return -EISCONN;
  case TS_CONNECTING:
    return finish_connect(ts, nonblock, -EALREADY);
  }
  if (tcp_state(ts->c) != TCP_CLOSE)
    return -EISCONN;
  int err = start_connect(ts, a, len);
  if (err)
    return err;
  ts->state = TS_CONNECTING;
  return finish_connect(ts, nonblock, -EINPROGRESS);
}

/* ---- shutdown, names ---- */

static int tcp_shutdown_sock(struct socket *s, int how) {
  struct tcp_sock *ts = tcp_sock_of(s);
  struct inet_sock *is = ts->is;
  if (how < SHUT_RD || how > SHUT_RDWR)
    return -EINVAL;
  int state = ts->c ? tcp_state(ts->c) : TCP_CLOSE, err = 0;
  if (ts->state == TS_CONNECTING && state != TCP_SYN_SENT && state != TCP_SYN_RECV && state != TCP_CLOSE)
    ts->state = TS_CONNECTED;
  if (state == TCP_SYN_SENT || (state == TCP_LISTEN && how != SHUT_WR))
    return disconnect(ts);
  if (state == TCP_LISTEN)
    return 0;
  is->shut_rd |= how != SHUT_WR;
  is->shut_wr |= how != SHUT_RD;
  err = state == TCP_CLOSE ? -ENOTCONN : tcp_shutdown(ts->c, how);
  waitq_wake_all(&s->wq, 0);
  return err;
}

static int tcp_getname(struct socket *s, bool peer, struct sockaddr_storage *a, socklen_t *len) {
  const struct tcp_sock *ts = tcp_sock_of(s);
  int state = ts->c ? tcp_state(ts->c) : TCP_CLOSE;
  if (peer && (state == TCP_CLOSE || state == TCP_SYN_SENT))
    return -ENOTCONN;
  return inet_getname(s, peer, a, len);
}

static const struct socket_ops tcp_ops = {
    .bind = tcp_bind,
    .connect = tcp_connect_sock,
    .listen = tcp_listen_sock,
    .accept = tcp_accept_sock,
    .getname = tcp_getname,
    .shutdown = tcp_shutdown_sock,
    .sendmsg = tcp_sock_sendmsg,
    .recvmsg = tcp_sock_recvmsg,
    .setsockopt = tcp_sock_setsockopt,
    .getsockopt = tcp_sock_getsockopt,
    .poll = tcp_sock_poll,
    .ioctl = tcp_sock_ioctl,
    .release = tcp_release_sock,
};

const struct inet_proto inet_proto_tcp = {
    .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .cap = -1, .ops = &tcp_ops, .init = tcp_init};
