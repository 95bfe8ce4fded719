/* What datagram sockets share: the receive queue, recvmsg(2), poll(2), connect(2), shutdown(2). See dgram.h. */
#include "dgram.h"
#include "../../core/timers.h"
#include "../../core/uaccess.h"
#include "../../core/uio.h"
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

int dgram_init(struct inet_sock *is) {
  struct dgram_sock *d = calloc(1, sizeof *d);
  if (!d)
    return -ENOMEM;
  STAILQ_INIT(&d->rx);
  d->stamp = DGRAM_NO_STAMP;
  is->priv = d;
  return 0;
}

void dgram_fini(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  if (!d)
    return;
  pbuf_queue_free(&d->rx);
  if (d->cork)
    free(d->cork->buf);
  free(d->cork);
  free(d);
  is->priv = NULL;
}

/* ---- the queue ---- */

/* What a packet costs its receiver: what Linux 6.18 charges for one that came over lo (its truesize), so that as many
 * fit into SO_RCVBUF as there. Headers and bookkeeping, then the allocator's sizes; beyond them, pages. */
static uint32_t charge_of(uint32_t len, bool v4) {
  uint32_t n = len + (v4 ? 376 : 388), size = 1024;
  if (n <= 576)
    return 576 + 256;
  while (size < n)
    size *= 2;
  return size <= 16384 ? size + 256 : len + 832;
}

static int64_t realtime(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct pbuf *dgram_slice(const struct pbuf *p, uint32_t off, uint32_t n) {
  const uint8_t *from = p->net && p->net >= p->head && p->net <= p->data ? p->net : p->data;
  uint32_t head = (uint32_t)(p->data - from);
  struct pstore *s = pstore_new(head + n);
  struct pbuf *c = s ? pbuf_over(s, s->bytes + head, n) : NULL;
  pstore_put(s);
  if (!c)
    return NULL;
  memcpy(c->head, from, head);
  pbuf_copy_out(p, off, c->data, n);
  c->net = p->net ? c->head : NULL;
  c->transport = p->transport && p->transport >= from ? c->head + (p->transport - from) : NULL;
  c->stamp = p->stamp;
  c->mark = p->mark;
  return c;
}

/* A queue that nobody reads must not keep the devices' receive buffers: small packets move out of large ones. */
static struct pbuf *settle(const struct dgram_sock *d, struct pbuf *p) {
  if (d->nrx < DGRAM_LOANS || p->gso || p->store->cap <= 4 * p->len + 4096)
    return p;
  struct pbuf *c = dgram_slice(p, 0, p->len);
  if (!c)
    return p;
  pbuf_free(p);
  return c;
}

bool dgram_enqueue(struct inet_sock *is, struct pbuf *p, const struct ip_info *i, uint16_t sport, uint16_t dport) {
  struct dgram_sock *d = dgram_of(is);
  uint32_t charge = charge_of(p->len, ip_is4(&i->dst));
  if (d->nrx && (d->rmem + charge > (uint32_t)is->sock->opt.rcvbuf || d->nrx >= DGRAM_QUEUE_MAX)) {
    d->drops++;
    pbuf_free(p);
    return false;
  }
  p = settle(d, p);
  *dgram_cb(p) = (struct dgram_cb){.src = i->src,
                                   .dst = i->dst,
                                   .ifindex = i->dev->ifindex,
                                   .drops = d->drops,
                                   .charge = charge,
                                   .sport = sport,
                                   .dport = dport,
                                   .gro = p->gso ? p->gso_size : 0,
                                   .ttl = i->ttl,
                                   .tos = i->tos,
                                   .many = i->multicast || i->broadcast};
  if (!p->stamp && (d->want_stamp || inet_wants_stamp(is)))
    p->stamp = realtime();
  p->dev = NULL;
  STAILQ_INSERT_TAIL(&d->rx, p, link);
  d->nrx++;
  d->rmem += charge;
  waitq_wake(&is->sock->wq, EPOLLIN | EPOLLRDNORM);
  return true;
}

static void dequeue(struct dgram_sock *d, struct pbuf *p) {
  STAILQ_REMOVE(&d->rx, p, pbuf, link);
  d->nrx--;
  d->rmem -= dgram_cb(p)->charge;
}

/* ---- receiving ---- */

/* SO_PEEK_OFF passes over whole datagrams that were looked at. */
static struct pbuf *front(const struct dgram_sock *d, uint32_t *skip) {
  struct pbuf *p;
  STAILQ_FOREACH(p, &d->rx, link) {
    if (!*skip || *skip < p->len)
      return p;
    *skip -= p->len;
  }
  return NULL;
}

/* The packet to be read, now the caller's; peeking gives a copy, because copying to the guest may park. */
static int take(struct inet_sock *is, int flags, bool nonblock, uint32_t *skip, struct pbuf **out) {
  struct dgram_sock *d = dgram_of(is);
  int64_t deadline = nonblock ? 0 : socket_deadline(is->sock->opt.rcvtimeo);
  uint32_t off = *skip;
  for (;;) {
    int err = socket_take_error(is->sock);
    if (err)
      return err;
    *skip = off;
    struct pbuf *p = front(d, skip);
    if (p && flags & MSG_PEEK) {
      *out = pbuf_clone(p);
      return *out ? 0 : -ENOBUFS;
    }
    if (p) {
      dequeue(d, p);
      *out = p;
      return 0;
    }
    *out = NULL;
    if (is->shut_rd && !nonblock)
      return 0;
    err = nonblock ? -EAGAIN : socket_wait(&is->sock->wq, EPOLLIN, deadline);
    if (err)
      return err;
  }
}

static void fill(const struct inet_sock *is, struct msg_k *m, struct pbuf *p) {
  const struct dgram_cb *c = dgram_cb(p);
  struct inet_meta meta = {.i = {.src = c->src, .dst = c->dst, .ttl = c->ttl, .tos = c->tos, .multicast = c->many},
                           .ifindex = c->ifindex,
                           .sport = c->sport,
                           .dport = c->dport,
                           .stamp = p->stamp,
                           .drops = c->drops,
                           .gro_size = dgram_of(is)->gro ? c->gro : 0,
                           .p = p};
  struct dgram_sock *d = dgram_of(is);
  if (d->want_stamp && !is->sock->opt.stamp)
    d->stamp = p->stamp;
  else if (d->stamp == DGRAM_NO_STAMP)
    d->stamp = 0;
  if (m->name)
    m->name_len = inet_addr_put(is, &c->src, c->sport, c->ifindex, m->name);
  inet_cmsg_recv(is, m, &meta);
}

ssize_t dgram_recvmsg(struct socket *s, struct msg_k *m) {
  struct inet_sock *is = inet_of(s);
  int flags = m->flags, *peek_off = &s->opt.peek_off;
  uint32_t skip = flags & MSG_PEEK && *peek_off > 0 ? (uint32_t)*peek_off : 0;
  struct pbuf *p;
  if (flags & MSG_ERRQUEUE)
    return inet_err_recv(is, m);
  if (flags & MSG_OOB && s->type == SOCK_RAW)
    return -EOPNOTSUPP;
  int err = take(is, flags, flags & MSG_DONTWAIT || m->u->nonblock, &skip, &p);
  m->flags = 0;
  if (err || !p) {
    m->name_len = 0;
    return err;
  }
  uint32_t len = p->len, n = (uint32_t)(m->u->resid < len ? m->u->resid : len);
  if (n > len - skip)
    n = len - skip;
  else if (n < len)
    m->flags |= MSG_TRUNC;
  ssize_t r = n && pbuf_copy_to_uio(p, skip, m->u, n) != (ssize_t)n ? -EFAULT : (ssize_t)(flags & MSG_TRUNC ? len : n);
  if (r >= 0) {
    fill(is, m, p);
    if (*peek_off >= 0)
      *peek_off = flags & MSG_PEEK ? *peek_off + (int)r : *peek_off > (int)r ? *peek_off - (int)r : 0;
  }
  pbuf_free(p);
  return r;
}

uint32_t dgram_poll(struct socket *s) {
  const struct inet_sock *is = inet_of(s);
  uint32_t ev = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  if (s->err || is->nerr)
    ev |= EPOLLERR | (s->opt.select_err_queue && is->nerr ? EPOLLPRI : 0);
  if (is->shut_rd)
    ev |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
  if (is->shut_rd && is->shut_wr)
    ev |= EPOLLHUP;
  if (!STAILQ_EMPTY(&dgram_of(is)->rx))
    ev |= EPOLLIN | EPOLLRDNORM;
  return ev;
}

/* inet_shutdown() of Linux: without a peer it is an error, and done all the same. */
int dgram_shutdown(struct socket *s, int how) {
  struct inet_sock *is = inet_of(s);
  if (how < SHUT_RD || how > SHUT_RDWR)
    return -EINVAL;
  is->shut_rd |= how != SHUT_WR;
  is->shut_wr |= how != SHUT_RD;
  waitq_wake_all(&s->wq, 0);
  return is->connected ? 0 : -ENOTCONN;
}

/* socket(7): when the last packet came that recv(2) gave. */
static long get_stamp(struct dgram_sock *d, bool ns, uint64_t arg) {
  d->want_stamp = true;
  if (d->stamp == DGRAM_NO_STAMP)
    return -ENOENT;
  if (!d->stamp)
    d->stamp = realtime();
  struct timespec ts = {d->stamp / 1000000000, d->stamp % 1000000000};
  if (!ns)
    ts.tv_nsec /= 1000;
  return put_user(arg, &ts) ? -EFAULT : 0;
}

long dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg) {
  const struct inet_sock *is = inet_of(s);
  const struct pbuf *p = STAILQ_FIRST(&dgram_of(is)->rx);
  int v;
  switch (cmd) {
  case SIOCINQ:
    v = p ? (int)p->len : 0;
    break;
  case SIOCOUTQ: /* what was sent is the device's at once */
    v = 0;
    break;
  case SIOCGSTAMP_OLD:
  case SIOCGSTAMP_NEW:
    return get_stamp(dgram_of(is), false, arg);
  case SIOCGSTAMPNS_OLD:
  case SIOCGSTAMPNS_NEW:
    return get_stamp(dgram_of(is), true, arg);
  default:
    return inet_ioctl(s, cmd, arg);
  }
  return put_user(arg, &v) ? -EFAULT : 0;
}

/* ---- the peer ---- */

bool dgram_dev_ok(const struct inet_sock *is, const struct ip_info *i) {
  return !is->bound_dev || is->bound_dev == i->dev->ifindex ||
         (i->dev->master && i->dev->master->ifindex == is->bound_dev);
}

void dgram_disconnect(struct inet_sock *is) {
  is->connected = false;
  is->raddr = inet_any(is);
  is->rport = 0;
  if (!is->bound_addr)
    is->laddr = inet_any(is);
  is->route.gen = 0;
}

/* An AF_INET6 socket takes AF_INET names too. */
static int peer_name(const struct inet_sock *is, const struct sockaddr *a, socklen_t len, struct in6_addr *dst,
                     uint16_t *port, int *scope) {
  *scope = 0;
  if (is->sock->family == AF_INET6 && a->sa_family == AF_INET) {
    const struct sockaddr_in *sin = (const struct sockaddr_in *)a;
    if (is->opt.v6only)
      return -EAFNOSUPPORT;
    if (len < sizeof *sin)
      return -EINVAL;
    *dst = ip_from4(sin->sin_addr.s_addr);
    *port = ntohs(sin->sin_port);
    return 0;
  }
  if (is->sock->family == AF_INET && len >= sizeof(struct sockaddr_in) && a->sa_family != AF_INET)
    return -EAFNOSUPPORT;
  int err = inet_addr_get(is, a, len, dst, port, scope);
  if (!err && IN6_IS_ADDR_UNSPECIFIED(dst)) /* this host: as BSD has it */
    *dst = ip_is4(&is->laddr) ? ip_from4(htonl(INADDR_LOOPBACK)) : in6addr_loopback;
  return err;
}

int dgram_connect(struct inet_sock *is, const struct sockaddr *a, socklen_t len) {
  struct in6_addr dst;
  uint16_t port;
  int scope, err = peer_name(is, a, len, &dst, &port, &scope), dev = is->bound_dev;
  if (err)
    return err;
  if (scope)
    is->bound_dev = scope;
  struct inet_tx tx = {0};
  struct ip_route r;
  inet_flow(is, &dst, (uint8_t)is->sock->protocol, &tx.f);
  if (!tx.f.oif && !ip_is_multicast(&dst))
    tx.f.oif = is->opt.unicast_if[!ip_is4(&dst)];
  err = dgram_route(is, &tx, &r);
  if (err) {
    is->bound_dev = dev;
    return err;
  }
  if (ip_is_any(&is->laddr))
    is->laddr = r.src;
  is->raddr = ip_is_any(&dst) ? r.gateway : dst;
  is->rport = port;
  is->connected = true;
  is->route.gen = 0;
  return 0;
}

void dgram_queues(const struct inet_sock *is, uint32_t *rx, uint32_t *tx, uint64_t *drops) {
  const struct dgram_sock *d = dgram_of(is);
  *rx = d ? d->rmem : 0;
  *tx = 0;
  *drops = d ? d->drops : 0;
}
