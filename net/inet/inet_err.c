/* The error queue of datagram and raw sockets: IP_RECVERR and IPV6_RECVERR, ip(7), recv(2) MSG_ERRQUEUE. */
#include "../../core/errno.h"
#include "../../core/uio.h"
#include "inet.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ERR_DATA_MAX 1280 /* of a packet that is kept with its error */
#define ERR_OVERHEAD 768  /* what an entry is charged beside that, against SO_RCVBUF */

struct inet_err {
  STAILQ_ENTRY(inet_err) link;
  struct sock_extended_err ee;
  struct in6_addr dst, offender;
  uint16_t dport;
  struct inet_meta meta; /* of the message that told; meta.p is NULL */
  bool from_icmp;
  uint32_t len;
  uint8_t data[];
};

static void report(struct inet_sock *is, int err) {
  is->sock->err = err;
  waitq_wake_all(&is->sock->wq, EPOLLERR | EPOLLIN | EPOLLOUT);
}

static bool wanted(const struct inet_sock *is, const struct in6_addr *dst) {
  return is->opt.recverr[!ip_is4(dst)];
}

static struct inet_err *entry(struct inet_sock *is, const struct in6_addr *dst, const uint8_t *payload, uint32_t len) {
  if (len > ERR_DATA_MAX)
    len = ERR_DATA_MAX;
  if ((uint64_t)is->nerr * ERR_OVERHEAD >= (uint64_t)is->sock->opt.rcvbuf)
    return NULL;
  struct inet_err *x = calloc(1, sizeof *x + len);
  if (!x)
    return NULL;
  x->dst = *dst;
  x->len = len;
  if (len)
    memcpy(x->data, payload, len);
  STAILQ_INSERT_TAIL(&is->errq, x, link);
  is->nerr++;
  return x;
}

void inet_err_queue(struct inet_sock *is, const struct ip_error *e, uint16_t dport, const uint8_t *payload,
                    uint32_t len) {
  bool v6 = !ip_is4(&e->dst), hard = e->fatal;
  if (e->err == EMSGSIZE) { /* the route knows by now; sockets that let their packets be cut do not care */
    if (!v6 && is->opt.pmtudisc[0] == IP_PMTUDISC_DONT)
      return;
    hard |= is->opt.pmtudisc[v6] != IP_PMTUDISC_DONT;
  }
  if (!wanted(is, &e->dst)) {
    if (hard && is->connected)
      report(is, e->err);
    return;
  }
  struct inet_err *x = entry(is, &e->dst, payload, len);
  if (x) {
    x->ee = (struct sock_extended_err){.ee_errno = (uint32_t)e->err,
                                       .ee_origin = e->origin,
                                       .ee_type = e->type,
                                       .ee_code = e->code,
                                       .ee_info = e->err == EMSGSIZE ? e->mtu : e->info};
    x->offender = e->offender;
    x->dport = dport;
    x->from_icmp = true;
    if (e->outer) {
      x->meta.i = *e->outer;
      x->meta.ifindex = e->outer->dev->ifindex;
      x->meta.i.dev = NULL;
    }
  }
  report(is, e->err);
}

void inet_err_local(struct inet_sock *is, int err, const struct in6_addr *dst, uint16_t dport, uint32_t info) {
  struct inet_err *x = wanted(is, dst) ? entry(is, dst, NULL, 0) : NULL;
  if (!x)
    return;
  x->ee = (struct sock_extended_err){.ee_errno = (uint32_t)err, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = info};
  x->dport = ip_is4(dst) ? is->rport : dport;
  waitq_wake_all(&is->sock->wq, EPOLLERR);
}

/* What SO_ERROR says goes along with the queue. */
static void next_error(struct inet_sock *is, bool was_icmp) {
  const struct inet_err *next = STAILQ_FIRST(&is->errq);
  if (next && next->from_icmp)
    is->sock->err = (int)next->ee.ee_errno;
  else if (was_icmp)
    is->sock->err = 0;
  if (next)
    waitq_wake_all(&is->sock->wq, EPOLLERR);
}

static void put_control(const struct inet_sock *is, struct msg_k *m, const struct inet_err *x) {
  struct {
    struct sock_extended_err ee;
    union {
      struct sockaddr_in6 sin6; /* first: all of it is cleared */
      struct sockaddr_in sin;
    } offender;
  } h = {.ee = x->ee};
  bool v6 = is->sock->family == AF_INET6;
  inet_cmsg_sock(is->sock, m, 0, 0, 0);
  if (x->from_icmp) {
    inet_cmsg_ip(is, m, &x->meta);
    inet_addr_put(is, &x->offender, 0, v6 && ip_is_linklocal(&x->offender) ? x->meta.ifindex : 0, &h.offender);
  }
  if (v6)
    cmsg_append(m, IPPROTO_IPV6, IPV6_RECVERR, &h, sizeof h.ee + sizeof h.offender.sin6);
  else
    cmsg_append(m, IPPROTO_IP, IP_RECVERR, &h, sizeof h.ee + sizeof h.offender.sin);
}

ssize_t inet_err_recv(struct inet_sock *is, struct msg_k *m) {
  struct inet_err *x = STAILQ_FIRST(&is->errq);
  m->flags = 0;
  if (!x)
    return -EAGAIN;
  STAILQ_REMOVE_HEAD(&is->errq, link);
  is->nerr--;
  next_error(is, x->from_icmp);
  size_t n = x->len < m->u->resid ? x->len : m->u->resid;
  ssize_t r = n && uio_copy_to(m->u, x->data, n) != (ssize_t)n ? -EFAULT : (ssize_t)n;
  if (r >= 0) {
    if (n < x->len)
      m->flags |= MSG_TRUNC;
    if (m->name)
      m->name_len = inet_addr_put(is, &x->dst, x->dport, 0, m->name);
    put_control(is, m, x);
    m->flags |= MSG_ERRQUEUE;
  }
  free(x);
  return r;
}

void inet_err_flush(struct inet_sock *is) {
  struct inet_err *x;
  while ((x = STAILQ_FIRST(&is->errq))) {
    STAILQ_REMOVE_HEAD(&is->errq, link);
    free(x);
  }
  is->nerr = 0;
}
