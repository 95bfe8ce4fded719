/* Ping sockets: icmp(7), "net.ipv4.ping_group_range". SOCK_DGRAM of IPPROTO_ICMP and IPPROTO_ICMPV6: echo requests go
 * out, replies with the socket's identifier (its port) come in. */
#include "../../core/task.h"
#include "../../core/uio.h"
#include "../ip_stack.h"
#include "../sock_filter.h"
#include "dgram.h"
#include <string.h>

#define ECHO4 8
#define ECHO6 128

static bool may_ping(const struct inet_sock *is) {
  const struct task *t = task_current();
  uint32_t lo = is->net->sysctl.ping_group_lo, hi = is->net->sysctl.ping_group_hi;
  if (!t)
    return true;
  if (t->cred->egid >= lo && t->cred->egid <= hi)
    return true;
  for (int i = 0; i < t->cred->ngroups; i++)
    if (t->cred->groups[i] >= lo && t->cred->groups[i] <= hi)
      return true;
  return false;
}

static int ping_init(struct inet_sock *is) {
  is->sock->opt.reuseaddr = true;
  return may_ping(is) ? dgram_init(is) : -EACCES;
}

static void hash(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  if (!d->hashed)
    LIST_INSERT_HEAD(&is->net->ping, is, hash_link);
  d->hashed = true;
}

static void unhash(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  if (d && d->hashed)
    LIST_REMOVE(is, hash_link);
  if (d)
    d->hashed = false;
}

static void ping_release(struct socket *s) {
  struct inet_sock *is = inet_of(s);
  unhash(is);
  dgram_fini(is);
  inet_release(is);
}

static int ready(struct inet_sock *is) {
  if (!is->port && inet_autobind(is))
    return -EAGAIN;
  hash(is);
  return 0;
}

static int ping_bind(struct socket *s, const struct sockaddr *a, socklen_t len) {
  struct inet_sock *is = inet_of(s);
  int err = inet_bind(s, a, len);
  if (!err && is->port)
    hash(is);
  return err;
}

static int ping_connect(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock) {
  struct inet_sock *is = inet_of(s);
  if (len < sizeof a->sa_family)
    return -EINVAL;
  if (a->sa_family != AF_UNSPEC)
    return ready(is) ? -EAGAIN : dgram_connect(is, a, len);
  dgram_disconnect(is);
  if (!is->bound_port) {
    unhash(is);
    inet_port_release(is);
    is->lport = 0;
  }
  return 0;
}

/* ---- what comes in ---- */

static struct inet_sock *lookup(struct inet_net *n, uint16_t id, const struct ip_info *i) {
  struct inet_sock *is;
  LIST_FOREACH(is, &n->ping, hash_link) {
    if (is->lport != id || (is->sock->family == AF_INET) != ip_is4(&i->dst) || !dgram_dev_ok(is, i))
      continue;
    if (ip_is_any(&is->laddr) || ip_same(&is->laddr, &i->dst))
      return is;
  }
  return NULL;
}

void ip_ping_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  struct inet_net *n = inet_net_of(ns);
  const struct icmp_hdr *h =
      n && p->len >= sizeof *h ? (const struct icmp_hdr *)pbuf_linear(p, sizeof(struct icmp_hdr)) : NULL;
  struct inet_sock *is = h ? lookup(n, ntohs(h->echo.id), i) : NULL;
  uint32_t keep = p->len;
  if (!is || (is->sock->filter && !sock_filter_pass(is->sock, p, &keep))) {
    pbuf_free(p);
    return;
  }
  pbuf_trim(p, keep);
  (void)dgram_enqueue(is, p, i, 0, 0);
}

void ip_ping_error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  struct inet_net *n = inet_net_of(ns);
  struct icmp_hdr h;
  if (!n || len < sizeof h)
    return;
  memcpy(&h, quoted, sizeof h);
  struct ip_info i = {.src = e->dst, .dst = e->src, .dev = e->outer ? e->outer->dev : net_stack_of(ns)->lo};
  struct inet_sock *is = lookup(n, ntohs(h.echo.id), &i);
  if (is)
    inet_err_queue(is, e, 0, quoted, len);
}

/* ---- sending ---- */

/* p is the guest's message: a request it has to be, the identifier is ours. */
static int make_request(const struct inet_sock *is, struct pbuf *p, const struct inet_tx *tx,
                        const struct ip_route *r) {
  struct icmp_hdr *h = (struct icmp_hdr *)p->data;
  bool v4 = ip_is4(&tx->f.dst);
  struct in6_addr dst = ip_is_any(&tx->f.dst) ? r->gateway : tx->f.dst;
  h->echo.id = htons(is->lport);
  h->csum = 0;
  h->csum = csum_fold(pbuf_csum_add(p, 0, p->len, v4 ? 0 : ip_pseudo_sum(&r->src, &dst, IPPROTO_ICMPV6, p->len)));
  return 0;
}

static int prepare(struct inet_sock *is, struct msg_k *m, struct inet_tx *tx, struct ip_route *r) {
  uint16_t port;
  int err = dgram_dest(is, m, false, tx, &port);
  if (!err && is->sock->family == AF_INET6 && ip_is4(&tx->f.dst))
    err = -EINVAL;
  if (!err)
    err = dgram_route(is, tx, r);
  return err ? err : dgram_may_send(is);
}

static ssize_t ping_sendmsg(struct socket *s, struct msg_k *m) {
  struct inet_sock *is = inet_of(s);
  struct inet_tx tx;
  struct ip_route r;
  struct pbuf *p;
  size_t len = m->u->resid;
  int err = ready(is);
  if (err)
    return err;
  if (len > 65535)
    return -EMSGSIZE;
  if (len < sizeof(struct icmp_hdr))
    return -EINVAL;
  if (m->flags & MSG_OOB)
    return -EOPNOTSUPP;
  if ((err = dgram_payload(m, 0, (uint32_t)len, &p)))
    return err;
  const struct icmp_hdr *h = (const struct icmp_hdr *)p->data;
  if (h->type != (s->family == AF_INET ? ECHO4 : ECHO6) || h->code)
    err = -EINVAL;
  if (!err)
    err = prepare(is, m, &tx, &r);
  if (!err)
    err = make_request(is, p, &tx, &r);
  if (err) {
    pbuf_free(p);
    return err;
  }
  err = dgram_output(is, p, &tx, &r, 0);
  return err ? err : (ssize_t)len;
}

static const struct socket_ops ping_ops = {.bind = ping_bind,
                                           .connect = ping_connect,
                                           .getname = inet_getname,
                                           .shutdown = dgram_shutdown,
                                           .sendmsg = ping_sendmsg,
                                           .recvmsg = dgram_recvmsg,
                                           .setsockopt = inet_setsockopt,
                                           .getsockopt = inet_getsockopt,
                                           .poll = dgram_poll,
                                           .ioctl = dgram_ioctl,
                                           .release = ping_release};
const struct inet_proto inet_proto_ping4 = {SOCK_DGRAM, IPPROTO_ICMP, -1, &ping_ops, ping_init};
const struct inet_proto inet_proto_ping6 = {SOCK_DGRAM, IPPROTO_ICMPV6, -1, &ping_ops, ping_init};
