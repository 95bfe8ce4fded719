/* Raw sockets: raw(7), ipv6(7), RFC 3542 3. They get copies of what comes in for their protocol, and send what they
 * are given behind an IP header, or with one of their own (IP_HDRINCL). */
#include "../../core/uio.h"
#include "../ip_stack.h"
#include "../sock_filter.h"
#include "dgram.h"
#include <linux/capability.h>
#include <string.h>

static int raw_init(struct inet_sock *is) {
  int err = dgram_init(is);
  if (err)
    return err;
  is->lport = (uint16_t)is->sock->protocol; /* what getsockname(2) shows */
  is->sock->opt.reuseaddr = true;
  LIST_INSERT_HEAD(&is->net->raw, is, hash_link);
  return 0;
}

static void raw_release(struct socket *s) {
  struct inet_sock *is = inet_of(s);
  LIST_REMOVE(is, hash_link);
  dgram_fini(is);
  inet_release(is);
}

/* ---- names ---- */

static int raw_bind(struct socket *s, const struct sockaddr *sa, socklen_t len) {
  struct inet_sock *is = inet_of(s);
  struct in6_addr a;
  uint16_t port;
  int scope;
  if (is->connected)
    return -EINVAL;
  int err = inet_addr_get(is, sa, len, &a, &port, &scope);
  if (err == -EAFNOSUPPORT && s->family == AF_INET6)
    return -EINVAL;
  if (err)
    return err == -ENETUNREACH ? -EADDRNOTAVAIL : err;
  if (s->family == AF_INET6 && ip_is4(&a))
    return -EADDRNOTAVAIL;
  bool anywhere = is->opt.freebind || is->opt.transparent || is->net->sysctl.nonlocal_bind[!ip_is4(&a)];
  struct ip_net *n = ip_net_of(is->ns);
  uint8_t type = ip_is_any(&a) ? RTN_LOCAL : ip_local_type(n, &a);
  if (!anywhere && (type == RTN_UNICAST || type == RTN_BLACKHOLE))
    return -EADDRNOTAVAIL;
  if (scope)
    is->bound_dev = scope;
  is->laddr = a;
  is->bound_addr = !ip_is_any(&a);
  is->route.gen = 0;
  return 0;
}

static int raw_connect(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock) {
  struct inet_sock *is = inet_of(s);
  if (len < sizeof a->sa_family)
    return -EINVAL;
  if (a->sa_family != AF_UNSPEC)
    return dgram_connect(is, a, len);
  dgram_disconnect(is);
  return 0;
}

/* ---- what comes in ---- */

static bool suits(const struct inet_sock *is, uint8_t proto, const struct ip_info *i) {
  bool v6 = !ip_is4(&i->dst);
  if (is->sock->protocol != proto || (is->sock->family == AF_INET6) != v6)
    return false;
  if (is->connected && !ip_same(&is->raddr, &i->src))
    return false;
  if (!dgram_dev_ok(is, i))
    return false;
  return ip_is_any(&is->laddr) || ip_same(&is->laddr, &i->dst) || (v6 && i->multicast && inet_mcast_wants(is, i));
}

/* ICMP_FILTER, ICMP6_FILTER: a bit that is set keeps a type away. */
static bool filtered(const struct inet_sock *is, const struct pbuf *p) {
  uint8_t type;
  if (!p->len)
    return true;
  pbuf_copy_out(p, 0, &type, 1);
  if (is->sock->protocol == IPPROTO_ICMP)
    return type < 32 && is->opt.icmp_filter >> type & 1;
  return is->sock->protocol == IPPROTO_ICMPV6 && is->opt.icmp6_filter[type >> 5] >> (type & 31) & 1;
}

static bool csum_ok(const struct inet_sock *is, const struct pbuf *p, const struct ip_info *i) {
  if (is->opt.csum_offset < 0 || p->csum != PB_CSUM_NONE)
    return true;
  return !csum_fold(pbuf_csum_add(p, 0, p->len, ip_pseudo_sum(&i->src, &i->dst, i->proto, p->len)));
}

static void give(struct inet_sock *is, const struct pbuf *p, const struct ip_info *i) {
  struct pbuf *c = csum_ok(is, p, i) ? pbuf_clone(p) : NULL;
  uint32_t head = c && c->net ? (uint32_t)(c->data - c->net) : 0, keep;
  if (!c) {
    is->net->raw_drops++;
    return;
  }
  c->transport = c->data;
  c->gso = PB_GSO_NONE;
  if (ip_is4(&i->dst) && head && !pbuf_push(c, head)) { /* IPv4's header is part of what they see */
    pbuf_free(c);
    return;
  }
  if (is->sock->filter && !sock_filter_pass(is->sock, c, &keep)) {
    pbuf_free(c);
    return;
  }
  if (is->sock->filter)
    pbuf_trim(c, keep);
  if (!dgram_enqueue(is, c, i, 0, 0))
    is->net->raw_drops++;
}

bool ip_raw_deliver(struct net_namespace *ns, const struct pbuf *p, const struct ip_info *i) {
  struct inet_net *n = inet_net_of(ns);
  struct inet_sock *is;
  bool found = false;
  if (!n)
    return false;
  LIST_FOREACH(is, &n->raw, hash_link) {
    if (!suits(is, i->proto, i))
      continue;
    found = true;
    if (!filtered(is, p) && (!i->multicast || inet_mcast_wants(is, i)))
      give(is, p, i);
  }
  return found;
}

void ip_raw_error(struct net_namespace *ns, uint8_t proto, const struct ip_error *e, const uint8_t *quoted,
                  uint32_t len) {
  struct inet_net *n = inet_net_of(ns);
  struct ip_info i = {.src = e->dst, .dst = e->src, .dev = e->outer ? e->outer->dev : net_stack_of(ns)->lo};
  struct inet_sock *is;
  if (!n)
    return;
  LIST_FOREACH(is, &n->raw, hash_link)
  if (suits(is, proto, &i) && (is->connected || is->opt.recverr[!ip_is4(&e->dst)]))
    inet_err_queue(is, e, 0, quoted, len);
}

/* ---- sending ---- */

/* RFC 3542 3.1: the checksum of an IPv6 packet that the socket knows no other way to make. */
static int fill_csum(const struct inet_sock *is, struct pbuf *p, const struct inet_tx *tx, const struct ip_route *r) {
  uint32_t at = (uint32_t)is->opt.csum_offset;
  uint16_t zero = 0, sum;
  if (is->sock->family != AF_INET6 || is->opt.csum_offset < 0 || tx->f.hdrincl)
    return 0;
  if (p->len < 2 || at > p->len - 2)
    return -EINVAL;
  struct in6_addr dst = ip_is_any(&tx->f.dst) ? r->gateway : tx->f.dst;
  memcpy(p->data + at, &zero, sizeof zero);
  sum = csum_fold(pbuf_csum_add(p, 0, p->len, ip_pseudo_sum(&r->src, &dst, tx->f.proto, p->len)));
  if (!sum && tx->f.proto == IPPROTO_UDP)
    sum = 0xffff;
  memcpy(p->data + at, &sum, sizeof sum);
  return 0;
}

/* The protocol that is announced. IPv6: what a name has in place of a port has to agree. */
static int choose_proto(const struct inet_sock *is, struct inet_tx *tx, const struct msg_k *m, uint16_t port) {
  uint16_t proto = tx->proto ? tx->proto : (uint16_t)is->sock->protocol;
  if (is->sock->family == AF_INET6 && m->name && port) {
    if (port != is->sock->protocol && is->sock->protocol != IPPROTO_RAW)
      return -EINVAL;
    proto = port;
  }
  if (proto > 255)
    return -EINVAL;
  tx->f.proto = (uint8_t)proto;
  return inet_tx_ext(tx);
}

static int prepare(struct inet_sock *is, struct msg_k *m, struct inet_tx *tx, struct ip_route *r) {
  uint16_t port = 0;
  if (m->flags & MSG_OOB)
    return -EOPNOTSUPP;
  int err = dgram_dest(is, m, false, tx, &port);
  if (err)
    return err;
  if (is->sock->family == AF_INET6 && ip_is4(&tx->f.dst))
    return -ENETUNREACH;
  if (tx->f.hdrincl && tx->f.options_len && ip_is4(&tx->f.dst))
    return -EINVAL;
  if ((err = choose_proto(is, tx, m, port)))
    return err;
  if ((err = dgram_route(is, tx, r)))
    return err;
  /* Linux asks for a pending error when it allocates on behalf of the socket, which it does for whole packets only. */
  return tx->f.hdrincl ? dgram_may_send(is) : 0;
}

static ssize_t raw_sendmsg(struct socket *s, struct msg_k *m) {
  struct inet_sock *is = inet_of(s);
  struct inet_tx tx;
  struct ip_route r;
  struct pbuf *p;
  if (m->u->resid > 65535)
    return -EMSGSIZE;
  uint32_t len = (uint32_t)m->u->resid;
  int err = prepare(is, m, &tx, &r);
  if (!err && tx.f.hdrincl && len > r.mtu)
    return dgram_too_big(is, &tx, &r, 0);
  bool icmp = !err && (tx.f.proto == IPPROTO_ICMP || tx.f.proto == IPPROTO_ICMPV6);
  if (icmp && !tx.f.hdrincl && len < 2) /* Linux looks at type and code */
    err = -EFAULT;
  if (!err)
    err = dgram_payload(m, 0, len, &p);
  if (err)
    return err;
  if ((err = dgram_route_again(is, &tx, &r)) || (err = fill_csum(is, p, &tx, &r))) {
    pbuf_free(p);
    return err;
  }
  err = dgram_output(is, p, &tx, &r, 0);
  return err ? err : (ssize_t)len;
}

static const struct socket_ops raw_ops = {.bind = raw_bind,
                                          .connect = raw_connect,
                                          .getname = inet_getname,
                                          .shutdown = dgram_shutdown,
                                          .sendmsg = raw_sendmsg,
                                          .recvmsg = dgram_recvmsg,
                                          .setsockopt = inet_setsockopt,
                                          .getsockopt = inet_getsockopt,
                                          .poll = dgram_poll,
                                          .ioctl = dgram_ioctl,
                                          .release = raw_release};
const struct inet_proto inet_proto_raw = {SOCK_RAW, 0, CAP_NET_RAW, &raw_ops, raw_init};
