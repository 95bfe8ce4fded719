/* UDP and UDP-Lite: RFC 768, RFC 3828, RFC 1122 4.1, RFC 8200 8.1, udp(7). Sockets by port, what comes in, options. */
#include "udp.h"
#include "../sock_filter.h"
#include "../siphash.h"
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>

/* Not in every netinet/udp.h. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif

#define UDPLITE_SEND_CSCOV 10 /* RFC 3828: Linux answers for UDP too */
#define UDPLITE_RECV_CSCOV 11

/* ---- the table ---- */

static struct inet_sock_list *chain(struct inet_net *n, uint16_t port) {
  return &n->udp[port % INET_HASH];
}

static void hash(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  if (d->hashed)
    return;
  LIST_INSERT_HEAD(chain(is->net, is->lport), is, hash_link);
  d->hashed = true;
}

static void unhash(struct inet_sock *is) {
  struct dgram_sock *d = dgram_of(is);
  if (d->hashed)
    LIST_REMOVE(is, hash_link);
  d->hashed = false;
}

int udp_ready(struct inet_sock *is) {
  if (!is->port && inet_autobind(is))
    return -EAGAIN;
  hash(is);
  return 0;
}

/* A packet's names as its receiver sees them. */
struct names {
  const struct ip_info *i;
  uint16_t sport, dport;
  bool lite;
};

static bool local_match(const struct inet_sock *is, const struct in6_addr *dst, int *score) {
  bool v4 = ip_is4(dst);
  if (ip_same(&is->laddr, dst)) {
    *score += ip_is_any(dst) ? 0 : 16;
    return true;
  }
  if (!ip_is_any(&is->laddr))
    return false;
  if (ip_is4(&is->laddr)) {
    *score += 1;
    return v4;
  }
  return !v4 || !is->opt.v6only;
}

/* compute_score() of Linux: -1 no match; connected before an address before the wildcard, a device before any. */
static int score_of(const struct inet_sock *is, const struct names *k) {
  int score = 0;
  if (is->lport != k->dport || udp_is_lite(is) != k->lite || !local_match(is, &k->i->dst, &score) ||
      !dgram_dev_ok(is, k->i))
    return -1;
  if (is->connected) {
    if (!ip_same(&is->raddr, &k->i->src) || (is->rport && is->rport != k->sport))
      return -1;
    score += 64 + (is->rport ? 8 : 0);
  }
  return score + (is->bound_dev ? 4 : 0);
}

static uint64_t flow_hash(struct net_namespace *ns, const struct names *k) {
  struct {
    struct in6_addr src, dst;
    uint16_t sport, dport;
    uint32_t zero;
  } key = {k->i->src, k->i->dst, k->sport, k->dport, 0};
  struct siphash_key sk;
  memcpy(&sk, ns->ns.k->net->secret, sizeof sk);
  return siphash(&sk, &key, sizeof key);
}

/* SO_REUSEPORT: the flow's hash chooses among those that suit as well as `best` and share with it. */
static struct inet_sock *balance(struct inet_net *n, const struct names *k, struct inet_sock *best, int score) {
  struct inet_sock *is;
  unsigned count = 0;
  LIST_FOREACH(is, chain(n, k->dport), hash_link)
  count += is->sock->opt.reuseport && !is->connected && is->kuid == best->kuid && score_of(is, k) == score;
  if (count < 2)
    return best;
  unsigned pick = (unsigned)(((flow_hash(n->ns, k) & 0xffffffff) * count) >> 32);
  LIST_FOREACH(is, chain(n, k->dport), hash_link) {
    if (!is->sock->opt.reuseport || is->connected || is->kuid != best->kuid || score_of(is, k) != score)
      continue;
    if (!pick--)
      return is;
  }
  return best;
}

static struct inet_sock *lookup(struct inet_net *n, const struct names *k) {
  struct inet_sock *is, *best = NULL;
  int top = -1;
  LIST_FOREACH(is, chain(n, k->dport), hash_link) {
    int score = score_of(is, k);
    if (score > top) {
      top = score;
      best = is;
    }
  }
  return best && best->sock->opt.reuseport && !best->connected ? balance(n, k, best, top) : best;
}

/* ---- what comes in ---- */

/* RFC 3828: the header's length is how much the checksum covers, and there must be one. */
static bool lite_ok(const struct pbuf *p, const struct ip_info *i, const struct udp_wire *h) {
  uint32_t cover = h->len ? ntohs(h->len) : p->len;
  if (cover < UDP_HDR || cover > p->len || !h->csum)
    return false;
  if (p->csum != PB_CSUM_NONE)
    return true;
  return !csum_fold(pbuf_csum_add(p, 0, cover, ip_pseudo_sum(&i->src, &i->dst, IPPROTO_UDPLITE, p->len)));
}

/* What the socket wants to have covered. */
static bool covered(const struct inet_sock *is, const struct pbuf *p) {
  const struct dgram_sock *d = dgram_of(is);
  struct udp_wire h;
  if (!udp_is_lite(is) || !d->recv_cscov_set)
    return true;
  pbuf_copy_out(p, 0, &h, sizeof h);
  uint32_t cover = h.len ? ntohs(h.len) : p->len;
  return cover == p->len || (d->recv_cscov && cover >= d->recv_cscov);
}

static bool csum_ok(const struct pbuf *p, const struct ip_info *i, const struct udp_wire *h, bool *none) {
  *none = !h->csum;
  if (!h->csum || p->csum != PB_CSUM_NONE)
    return true;
  return !csum_fold(pbuf_csum_add(p, 0, p->len, ip_pseudo_sum(&i->src, &i->dst, IPPROTO_UDP, p->len)));
}

/* Takes p over; data is at the payload. */
static bool deliver_one(struct inet_sock *is, struct pbuf *p, const struct ip_info *i, const struct names *k) {
  struct udp_mib *mib = udp_mib_of(is, &i->dst);
  if (dgram_enqueue(is, p, i, k->sport, k->dport)) {
    mib->in_datagrams++;
    return true;
  }
  mib->rcvbuf_errors++;
  mib->in_errors++;
  return false;
}

/* A GSO packet for a socket that did not ask for such: a datagram for each segment. Takes p over. */
static void deliver_split(struct inet_sock *is, struct pbuf *p, const struct ip_info *i, const struct names *k) {
  uint32_t size = p->gso_size ? p->gso_size : p->len;
  for (uint32_t off = 0; off < p->len; off += size) {
    struct pbuf *c = dgram_slice(p, off, p->len - off < size ? p->len - off : size);
    if (!c || !deliver_one(is, c, i, k)) /* full: 65,000 segments of a byte are not worth trying */
      break;
  }
  pbuf_free(p);
}

/* Takes p over; data is at the UDP header, which filters see. */
static void deliver(struct inet_sock *is, struct pbuf *p, const struct ip_info *i, const struct names *k) {
  uint32_t keep = p->len;
  if (!covered(is, p) || (is->sock->filter && !sock_filter_pass(is->sock, p, &keep))) {
    dgram_of(is)->drops++;
    udp_mib_of(is, &i->dst)->in_errors++;
    pbuf_free(p);
    return;
  }
  if (keep < p->len)
    pbuf_trim(p, keep < UDP_HDR ? UDP_HDR : keep);
  pbuf_pull(p, UDP_HDR);
  if (p->gso && !dgram_of(is)->gro)
    deliver_split(is, p, i, k);
  else
    deliver_one(is, p, i, k);
}

/* To every socket that suits: RFC 1122 4.1.3.5. The last one gets p itself. */
static void deliver_many(struct inet_net *n, struct pbuf *p, const struct ip_info *i, const struct names *k) {
  struct inet_sock *is, *last = NULL;
  LIST_FOREACH(is, chain(n, k->dport), hash_link) {
    if (score_of(is, k) < 0 || (i->multicast && !inet_mcast_wants(is, i)))
      continue;
    struct pbuf *c = last ? pbuf_clone(p) : NULL;
    if (c)
      deliver(last, c, i, k);
    last = is;
  }
  if (last) {
    deliver(last, p, i, k);
    return;
  }
  n->udp_mib[k->lite][!ip_is4(&i->dst)].ignored_multi++;
  pbuf_free(p);
}

static void input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i, bool lite) {
  struct inet_net *n = inet_net_of(ns);
  struct udp_mib *mib = n ? &n->udp_mib[lite][!ip_is4(&i->dst)] : NULL;
  struct udp_wire h;
  bool none = false;
  if (!n || p->len < UDP_HDR || !pbuf_linear(p, UDP_HDR))
    goto bad;
  memcpy(&h, p->data, sizeof h);
  uint32_t len = ntohs(h.len);
  if (!p->gso && !lite) { /* of a GSO packet the length is the first segment's, or the whole's */
    if (len < UDP_HDR || len > p->len)
      goto bad;
    pbuf_trim(p, len);
  }
  if (lite ? !lite_ok(p, i, &h) : !csum_ok(p, i, &h, &none)) {
    mib->in_csum_errors++;
    goto bad;
  }
  struct names k = {i, ntohs(h.sport), ntohs(h.dport), lite};
  if (i->multicast || i->broadcast) {
    if (none && !ip_is4(&i->dst)) {
      mib->in_csum_errors++;
      goto bad;
    }
    deliver_many(n, p, i, &k);
    return;
  }
  struct inet_sock *is = lookup(n, &k);
  if (none && !ip_is4(&i->dst) && !(is && dgram_of(is)->no_check6_rx)) { /* RFC 8200 8.1: there must be one */
    mib->in_csum_errors++;
    goto bad;
  }
  if (is) {
    deliver(is, p, i, &k);
    return;
  }
  mib->no_ports++;
  icmp_send_unreachable(ns, p, i, 3);
  pbuf_free(p);
  return;
bad:
  if (mib)
    mib->in_errors++;
  pbuf_free(p);
}

static void error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len, bool lite) {
  struct inet_net *n = inet_net_of(ns);
  struct udp_wire h;
  if (!n || len < sizeof h)
    return;
  memcpy(&h, quoted, sizeof h);
  /* Who would receive the answer to the packet. */
  struct netdev *lo = net_stack_of(ns)->lo;
  struct ip_info i = {.src = e->dst, .dst = e->src, .dev = e->outer ? e->outer->dev : lo};
  struct names k = {&i, ntohs(h.dport), ntohs(h.sport), lite};
  struct inet_sock *is = lookup(n, &k);
  if (is)
    inet_err_queue(is, e, k.sport, quoted + sizeof h, len - (uint32_t)sizeof h);
}

static void udp_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  input(ns, p, i, false);
}
static void udp_error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  error(ns, e, quoted, len, false);
}
static void lite_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  input(ns, p, i, true);
}
static void lite_error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  error(ns, e, quoted, len, true);
}
const struct ip_proto ip_proto_udp = {IPPROTO_UDP, udp_input, udp_error};
const struct ip_proto ip_proto_udplite = {IPPROTO_UDPLITE, lite_input, lite_error};

/* ---- the socket ---- */

static int udp_bind(struct socket *s, const struct sockaddr *a, socklen_t len) {
  struct inet_sock *is = inet_of(s);
  int err = inet_bind(s, a, len);
  if (!err && is->port)
    hash(is);
  return err;
}

static int udp_connect(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock) {
  struct inet_sock *is = inet_of(s);
  if (len < sizeof a->sa_family)
    return -EINVAL;
  if (a->sa_family != AF_UNSPEC)
    return udp_ready(is) ? -EAGAIN : dgram_connect(is, a, len);
  dgram_disconnect(is);
  if (!is->bound_port) { /* the port was ours to choose */
    unhash(is);
    inet_port_release(is);
    is->lport = 0;
  }
  return 0;
}

static void udp_release(struct socket *s) {
  struct inet_sock *is = inet_of(s);
  unhash(is);
  udp_uncork(is);
  dgram_fini(is);
  inet_release(is);
}

/* RFC 3828: at least the header is covered. */
static int set_coverage(struct inet_sock *is, bool send, int v) {
  struct dgram_sock *d = dgram_of(is);
  if (!udp_is_lite(is))
    return -ENOPROTOOPT;
  uint16_t cover = v && v < (int)UDP_HDR ? UDP_HDR : v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
  *(send ? &d->send_cscov : &d->recv_cscov) = cover;
  *(send ? &d->send_cscov_set : &d->recv_cscov_set) = true;
  return 0;
}

static int set_udp(struct inet_sock *is, int opt, int v) {
  struct dgram_sock *d = dgram_of(is);
  switch (opt) {
  case UDP_CORK:
    d->corked = v;
    if (!v && d->cork)
      (void)udp_push(is);
    return 0;
  case UDP_ENCAP: /* none: there is no IPsec */
    return v ? -ENOPROTOOPT : 0;
  case UDP_NO_CHECK6_TX:
    d->no_check6_tx = v;
    return 0;
  case UDP_NO_CHECK6_RX:
    d->no_check6_rx = v;
    return 0;
  case UDP_SEGMENT:
    if (v < 0 || v > UINT16_MAX)
      return -EINVAL;
    d->gso_size = (uint16_t)v;
    return 0;
  case UDP_GRO:
    d->gro = v;
    return 0;
  case UDPLITE_SEND_CSCOV:
  case UDPLITE_RECV_CSCOV:
    return set_coverage(is, opt == UDPLITE_SEND_CSCOV, v);
  default:
    return -ENOPROTOOPT;
  }
}

static int udp_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  if (level != IPPROTO_UDP && level != IPPROTO_UDPLITE)
    return inet_setsockopt(s, level, opt, val, len);
  return len < sizeof(int) ? -EINVAL : set_udp(inet_of(s), opt, inet_opt_int(val, len, false));
}

static int udp_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  const struct dgram_sock *d = dgram_of(inet_of(s));
  int v;
  if (level != IPPROTO_UDP && level != IPPROTO_UDPLITE)
    return inet_getsockopt(s, level, opt, val, len);
  switch (opt) {
  case UDP_CORK:
    v = d->corked;
    break;
  case UDP_ENCAP:
    v = 0;
    break;
  case UDP_NO_CHECK6_TX:
    v = d->no_check6_tx;
    break;
  case UDP_NO_CHECK6_RX:
    v = d->no_check6_rx;
    break;
  case UDP_SEGMENT:
    v = d->gso_size;
    break;
  case UDP_GRO:
    v = d->gro;
    break;
  case UDPLITE_SEND_CSCOV: /* Linux answers for UDP, too */
    v = d->send_cscov;
    break;
  case UDPLITE_RECV_CSCOV:
    v = d->recv_cscov;
    break;
  default:
    return -ENOPROTOOPT;
  }
  inet_opt_give(val, len, &v, sizeof v);
  return 0;
}

static const struct socket_ops udp_ops = {.bind = udp_bind,
                                          .connect = udp_connect,
                                          .getname = inet_getname,
                                          .shutdown = dgram_shutdown,
                                          .sendmsg = udp_sendmsg,
                                          .recvmsg = dgram_recvmsg,
                                          .setsockopt = udp_setsockopt,
                                          .getsockopt = udp_getsockopt,
                                          .poll = dgram_poll,
                                          .ioctl = dgram_ioctl,
                                          .release = udp_release};
const struct inet_proto inet_proto_udp = {SOCK_DGRAM, IPPROTO_UDP, -1, &udp_ops, dgram_init};
const struct inet_proto inet_proto_udplite = {SOCK_DGRAM, IPPROTO_UDPLITE, -1, &udp_ops, dgram_init};
