/* Control messages of datagrams, both ways: ip(7), ipv6(7), udp(7), socket(7), RFC 3542. What is sent is parsed from
 * the Sentry's copy; what is received comes in Linux's order. */
#include "../../core/errno.h"
#include "../ip_wire.h"
#include "inet.h"
#include <linux/capability.h>
#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <string.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif
#define IPV6_FLOWINFO_CMSG 11
#define SO_TIMESTAMP_NEW_K 63
#define SO_TIMESTAMPNS_NEW_K 64
#define SO_TIMESTAMPING_NEW_K 65
#define SO_RCVMARK_K 75
#define TX_RECORD_MASK                                                                                                 \
  (SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK)

/* ---- sending ---- */

struct item {
  int level, type;
  const uint8_t *data;
  size_t len;
};

static bool item_int(const struct item *c, int lo, int hi, int *v) {
  if (c->len != sizeof *v)
    return false;
  memcpy(v, c->data, sizeof *v);
  return *v >= lo && *v <= hi;
}

static int send_socket(const struct inet_sock *is, const struct item *c, struct inet_tx *tx) {
  uint32_t v = 0;
  if (c->type == SCM_RIGHTS || c->type == SCM_CREDENTIALS) /* nothing to us, but no mistake */
    return 0;
  if (c->len != sizeof v)
    return -EINVAL;
  memcpy(&v, c->data, sizeof v);
  switch (c->type) {
  case SO_MARK:
    if (!inet_may(is, CAP_NET_RAW) && !inet_may(is, CAP_NET_ADMIN))
      return -EPERM;
    tx->f.mark = v;
    return 0;
  case SO_PRIORITY:
    return v <= 6 || inet_may(is, CAP_NET_RAW) || inet_may(is, CAP_NET_ADMIN) ? 0 : -EPERM;
  case SO_TIMESTAMPING:
  case SO_TIMESTAMPING_NEW_K:
    return v & ~(uint32_t)TX_RECORD_MASK ? -EINVAL : 0;
  default:
    return -EINVAL;
  }
}

static int send_pktinfo4(const struct item *c, struct inet_tx *tx) {
  struct in_pktinfo i;
  if (c->len != sizeof i)
    return -EINVAL;
  memcpy(&i, c->data, sizeof i);
  if (i.ipi_ifindex)
    tx->f.oif = i.ipi_ifindex;
  tx->f.src = ip_from4(i.ipi_spec_dst.s_addr);
  return 0;
}

static int send_ip4(const struct inet_sock *is, const struct item *c, struct inet_tx *tx) {
  int v;
  switch (c->type) {
  case IP_RETOPTS:
    return inet_ip_options(is, c->data, c->len < 40 ? c->len : 40, tx->buf, &tx->f);
  case IP_PKTINFO:
    return send_pktinfo4(c, tx);
  case IP_TTL:
    if (!item_int(c, 1, 255, &v))
      return -EINVAL;
    tx->f.ttl = (int16_t)v;
    return 0;
  case IP_TOS:
    if (c->len == 1)
      v = *c->data;
    else if (!item_int(c, 0, 255, &v))
      return -EINVAL;
    tx->f.tos = (uint8_t)v;
    return 0;
  case IP_PROTOCOL:
    if (!item_int(c, 1, 255, &v))
      return -EINVAL;
    tx->proto = (uint8_t)v;
    return 0;
  default:
    return -EINVAL;
  }
}

/* A mapped source for a packet that is IPv4's. */
static int send_pktinfo_mapped(const struct item *c, struct inet_tx *tx) {
  struct in6_pktinfo i;
  if (c->len < sizeof i)
    return -EINVAL;
  memcpy(&i, c->data, sizeof i);
  if (!ip_is4(&i.ipi6_addr))
    return -EINVAL;
  if (i.ipi6_ifindex)
    tx->f.oif = (int)i.ipi6_ifindex;
  tx->f.src = i.ipi6_addr;
  return 0;
}

static int send_pktinfo6(const struct inet_sock *is, const struct item *c, struct inet_tx *tx) {
  struct in6_pktinfo i;
  if (c->len < sizeof i)
    return -EINVAL;
  memcpy(&i, c->data, sizeof i);
  if (i.ipi6_ifindex) {
    if (tx->f.oif && tx->f.oif != (int)i.ipi6_ifindex)
      return -EINVAL;
    tx->f.oif = (int)i.ipi6_ifindex;
  }
  if (tx->f.oif && !netdev_by_index_borrow(is->ns, tx->f.oif))
    return -ENODEV;
  if (!tx->f.oif && ip_is_linklocal(&i.ipi6_addr))
    return -EINVAL;
  if (ip_is_any(&i.ipi6_addr))
    return 0;
  bool anywhere = is->opt.freebind || is->opt.transparent || is->net->sysctl.nonlocal_bind[1];
  if (!anywhere && (ip_is4(&i.ipi6_addr) || !ip_is_local(is->ns, &i.ipi6_addr, 0)))
    return -EINVAL;
  tx->f.src = i.ipi6_addr;
  return 0;
}

/* RFC 3542 7 to 9: a header instead of the sticky one. */
static int send_ext(const struct inet_sock *is, const struct item *c, int which, struct inet_tx *tx) {
  if (which != INET_EXT_RTHDR && !inet_may(is, CAP_NET_RAW))
    return -EPERM;
  if (c->len < 8 || (c->data[1] + 1u) * 8 > c->len || which == INET_EXT_RTHDR)
    return -EINVAL; /* no routing header is: see inet_opt6.c */
  tx->ext[which] = (struct inet_ext){(uint8_t *)c->data, (uint16_t)((c->data[1] + 1u) * 8)};
  return 0;
}

static int send_ip6(const struct inet_sock *is, const struct item *c, struct inet_tx *tx) {
  uint32_t flow;
  int v;
  switch (c->type) {
  case IPV6_PKTINFO:
  case IPV6_2292PKTINFO:
    return send_pktinfo6(is, c, tx);
  case IPV6_FLOWINFO_CMSG:
    if (c->len < sizeof flow)
      return -EINVAL;
    memcpy(&flow, c->data, sizeof flow);
    tx->f.flow_label = ntohl(flow) & 0xfffff;
    return 0;
  case IPV6_HOPOPTS:
  case IPV6_2292HOPOPTS:
    return send_ext(is, c, INET_EXT_HOP, tx);
  case IPV6_DSTOPTS:
  case IPV6_2292DSTOPTS:
    return send_ext(is, c, INET_EXT_DST, tx);
  case IPV6_RTHDRDSTOPTS:
    return send_ext(is, c, INET_EXT_RTHDRDST, tx);
  case IPV6_RTHDR:
  case IPV6_2292RTHDR:
    return send_ext(is, c, INET_EXT_RTHDR, tx);
  case IPV6_HOPLIMIT:
  case IPV6_2292HOPLIMIT:
    if (!item_int(c, -1, 255, &v))
      return -EINVAL;
    tx->f.ttl = v < 0 ? tx->f.ttl : (int16_t)v;
    return 0;
  case IPV6_TCLASS:
    if (!item_int(c, -1, 255, &v))
      return -EINVAL;
    tx->f.tos = v < 0 ? tx->f.tos : (uint8_t)v;
    return 0;
  case IPV6_DONTFRAG:
    if (!item_int(c, 0, 1, &v))
      return -EINVAL;
    tx->dontfrag = v;
    return 0;
  default:
    return -EINVAL;
  }
}

static int send_udp(const struct item *c, struct inet_tx *tx) {
  if (c->type != UDP_SEGMENT || c->len != sizeof tx->gso)
    return -EINVAL;
  memcpy(&tx->gso, c->data, sizeof tx->gso);
  return 0;
}

static int send_item(const struct inet_sock *is, const struct item *c, struct inet_tx *tx) {
  bool v4 = ip_is4(&tx->f.dst), udp = is->sock->type == SOCK_DGRAM && is->sock->protocol == IPPROTO_UDP;
  if (c->level == SOL_SOCKET)
    return send_socket(is, c, tx);
  if (udp && c->level == IPPROTO_UDP)
    return send_udp(c, tx);
  if (c->level == IPPROTO_IP && v4)
    return send_ip4(is, c, tx);
  if (c->level == IPPROTO_IPV6 && v4)
    return is->sock->family == AF_INET6 && c->type == IPV6_PKTINFO ? send_pktinfo_mapped(c, tx) : 0;
  return c->level == IPPROTO_IPV6 ? send_ip6(is, c, tx) : 0;
}

int inet_cmsg_send(const struct inet_sock *is, const struct msg_k *m, struct inet_tx *tx) {
  const uint8_t *buf = m->control;
  size_t off = 0, len = buf ? m->control_len : 0;
  while (len - off >= sizeof(struct cmsghdr)) {
    struct cmsghdr c;
    memcpy(&c, buf + off, sizeof c);
    if (c.cmsg_len < sizeof c || c.cmsg_len > len - off)
      return -EINVAL;
    struct item i = {c.cmsg_level, c.cmsg_type, buf + off + sizeof c, c.cmsg_len - sizeof c};
    int rc = send_item(is, &i, tx);
    if (rc)
      return rc;
    size_t step = CMSG_ALIGN(c.cmsg_len);
    if (step > len - off)
      break;
    off += step;
  }
  return 0;
}

int inet_tx_ext(struct inet_tx *tx) {
  static const uint8_t kind[4] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};
  uint8_t *next = &tx->f.options_proto;
  size_t at = 0;
  if (ip_is4(&tx->f.dst)) { /* the socket's may be replaced while the payload is copied */
    if (tx->f.options_len && tx->f.options != tx->buf)
      tx->f.options = memcpy(tx->buf, tx->f.options, tx->f.options_len);
    return 0;
  }
  for (int i = 0; i < 4; i++) {
    const struct inet_ext *x = &tx->ext[i];
    if (!x->len || (i == INET_EXT_RTHDRDST && !tx->ext[INET_EXT_RTHDR].len)) /* RFC 3542 9.2: with a route only */
      continue;
    if (x->len > sizeof tx->buf - at)
      return -EINVAL;
    memcpy(tx->buf + at, x->data, x->len);
    *next = kind[i];
    next = tx->buf + at;
    at += x->len;
  }
  *next = tx->f.proto;
  tx->f.options = at ? tx->buf : NULL;
  tx->f.options_len = (uint8_t)at;
  return 0;
}

/* ---- receiving ---- */

void cmsg_append(struct msg_k *m, int level, int type, const void *data, size_t len) {
  size_t at = CMSG_ALIGN(m->control_len);
  if (!m->control || at > m->control_cap || m->control_cap - at < CMSG_SPACE(len)) {
    m->flags |= MSG_CTRUNC;
    return;
  }
  struct cmsghdr c = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
  char *to = (char *)m->control + at;
  memcpy(to, &c, sizeof c);
  if (len)
    memcpy(to + sizeof c, data, len);
  memset(to + sizeof c + len, 0, CMSG_SPACE(len) - sizeof c - len);
  m->control_len = at + CMSG_SPACE(len);
}

static int64_t realtime(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool inet_wants_stamp(const struct inet_sock *is) {
  return is->sock->opt.stamp || is->sock->opt.tsflags & SOF_TIMESTAMPING_RX_SOFTWARE;
}

/* SO_TIMESTAMP and relatives, SO_RXQ_OVFL, SO_RCVMARK. */
void inet_cmsg_sock(const struct socket *s, struct msg_k *m, int64_t stamp, uint32_t drops, uint32_t mark) {
  const struct sock_opts *o = &s->opt;
  if (o->stamp) {
    int64_t ns = stamp ? stamp : realtime();
    struct timespec ts = {ns / 1000000000, ns % 1000000000};
    struct timeval tv = {ts.tv_sec, ts.tv_nsec / 1000};
    if (o->stamp == SOCK_STAMP_US)
      cmsg_append(m, SOL_SOCKET, o->stamp_new ? SO_TIMESTAMP_NEW_K : SO_TIMESTAMP, &tv, sizeof tv);
    else
      cmsg_append(m, SOL_SOCKET, o->stamp_new ? SO_TIMESTAMPNS_NEW_K : SO_TIMESTAMPNS, &ts, sizeof ts);
  }
  if (o->tsflags & SOF_TIMESTAMPING_SOFTWARE && (stamp || o->stamp)) {
    struct timespec ts[3] = {{stamp / 1000000000, stamp % 1000000000}};
    cmsg_append(m, SOL_SOCKET, o->stamp_new ? SO_TIMESTAMPING_NEW_K : SO_TIMESTAMPING, ts, sizeof ts);
  }
  if (o->rxq_ovfl && drops)
    cmsg_append(m, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof drops);
  if (o->rcvmark)
    cmsg_append(m, SOL_SOCKET, SO_RCVMARK_K, &mark, sizeof mark);
}

/* IP_PKTINFO's local address: the one to answer from. */
static uint32_t spec_dst(const struct inet_sock *is, const struct ip_info *i) {
  struct ip_flow f = {.dst = i->src, .src = ip_from4(0), .ttl = -1, .oif = i->dev ? i->dev->ifindex : 0};
  struct ip_route r;
  if (!i->multicast && !i->broadcast)
    return ip_get4(&i->dst);
  return ip_route_output(is->ns, &f, &r) ? 0 : ip_get4(&r.src);
}

/* What an answer would carry: recorded routes and time stamps. RFC 1122 3.2.1.8. */
static unsigned echoed(const uint8_t *o, unsigned n, uint8_t *out) {
  unsigned len = 0, one;
  for (unsigned i = 0; i < n && o[i]; i += one) {
    one = o[i] == 1 ? 1 : i + 1 < n ? o[i + 1] : 0;
    if (!one || one > n - i || (o[i] != 1 && one < 2))
      break;
    if (o[i] == 7 || o[i] == 68) {
      memcpy(out + len, o + i, one);
      len += one;
    }
  }
  while (len & 3)
    out[len++] = 0;
  return len;
}

static void recv_options(const struct inet_sock *is, struct msg_k *m, const struct pbuf *p) {
  unsigned n = p && p->net ? (p->net[0] & 15) * 4u : 0;
  uint8_t back[IP4_HDR_MAX];
  if (n <= IP4_HDR || n > IP4_HDR_MAX)
    return;
  if (is->opt.recv & INET_RECV_OPTS)
    cmsg_append(m, IPPROTO_IP, IP_RECVOPTS, p->net + IP4_HDR, n - IP4_HDR);
  if (is->opt.recv & INET_RECV_RETOPTS)
    cmsg_append(m, IPPROTO_IP, IP_RETOPTS, back, echoed(p->net + IP4_HDR, n - IP4_HDR, back));
}

static void recv_ip4(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta) {
  const struct ip_info *i = &meta->i;
  uint32_t want = is->opt.recv;
  if (want & INET_RECV_PKTINFO) {
    struct in_pktinfo pi = {
        .ipi_ifindex = meta->ifindex, .ipi_spec_dst.s_addr = spec_dst(is, i), .ipi_addr.s_addr = ip_get4(&i->dst)};
    cmsg_append(m, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi);
  }
  if (want & INET_RECV_TTL) {
    int ttl = i->ttl;
    cmsg_append(m, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
  }
  if (want & INET_RECV_TOS)
    cmsg_append(m, IPPROTO_IP, IP_TOS, &i->tos, 1);
  if (want & (INET_RECV_OPTS | INET_RECV_RETOPTS))
    recv_options(is, m, meta->p);
  if (want & INET_RECV_ORIGDSTADDR) {
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(meta->dport), .sin_addr.s_addr = ip_get4(&i->dst)};
    cmsg_append(m, IPPROTO_IP, IP_ORIGDSTADDR, &sin, sizeof sin);
  }
}

/* The extension headers between IPv6's and the transport's, each kind under its option's name. */
static void recv_ext(struct msg_k *m, const struct pbuf *p, uint8_t kind, int type) {
  if (!p || !p->net || !p->transport || p->transport < p->net + IP6_HDR)
    return;
  uint8_t next = p->net[6];
  for (const uint8_t *at = p->net + IP6_HDR; at + 8 <= p->transport;) {
    size_t n = next == IPPROTO_FRAGMENT ? 8 : (at[1] + 1u) * 8;
    if ((next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT) ||
        n > (size_t)(p->transport - at))
      return;
    if (next == kind)
      cmsg_append(m, IPPROTO_IPV6, type, at, n);
    next = *at;
    at += n;
  }
}

static void recv_int6(struct msg_k *m, int type, int v) {
  cmsg_append(m, IPPROTO_IPV6, type, &v, sizeof v);
}

static void recv_pktinfo6(struct msg_k *m, int type, const struct inet_meta *meta) {
  struct in6_pktinfo pi = {.ipi6_addr = meta->i.dst, .ipi6_ifindex = (unsigned)meta->ifindex};
  cmsg_append(m, IPPROTO_IPV6, type, &pi, sizeof pi);
}

static void recv_2292(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta) {
  uint32_t want = is->opt.recv;
  if (want & INET_RECV_2292PKTINFO)
    recv_pktinfo6(m, IPV6_2292PKTINFO, meta);
  if (want & INET_RECV_2292HOPLIMIT)
    recv_int6(m, IPV6_2292HOPLIMIT, meta->i.ttl);
  if (want & INET_RECV_2292HOPOPTS)
    recv_ext(m, meta->p, IPPROTO_HOPOPTS, IPV6_2292HOPOPTS);
  if (want & INET_RECV_2292DSTOPTS)
    recv_ext(m, meta->p, IPPROTO_DSTOPTS, IPV6_2292DSTOPTS);
  if (want & INET_RECV_2292RTHDR)
    recv_ext(m, meta->p, IPPROTO_ROUTING, IPV6_2292RTHDR);
}

static void recv_ip6(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta) {
  const struct ip_info *i = &meta->i;
  uint32_t want = is->opt.recv;
  if (want & INET_RECV_HOPLIMIT)
    recv_int6(m, IPV6_HOPLIMIT, i->ttl);
  if (want & INET_RECV_TCLASS)
    recv_int6(m, IPV6_TCLASS, i->tos);
  if (want & INET_RECV_FLOWLABEL && meta->p && meta->p->net) {
    uint32_t vtf;
    memcpy(&vtf, meta->p->net, sizeof vtf);
    vtf &= htonl(0x0fffffff);
    if (vtf)
      cmsg_append(m, IPPROTO_IPV6, IPV6_FLOWINFO_CMSG, &vtf, sizeof vtf);
  }
  if (want & INET_RECV_EXTHDRS)
    recv_ext(m, meta->p, IPPROTO_HOPOPTS, IPV6_HOPOPTS);
  if (want & INET_RECV_DSTOPTS)
    recv_ext(m, meta->p, IPPROTO_DSTOPTS, IPV6_DSTOPTS);
  if (want & INET_RECV_RTHDR)
    recv_ext(m, meta->p, IPPROTO_ROUTING, IPV6_RTHDR);
  recv_2292(is, m, meta);
  if (want & INET_RECV_ORIGDSTADDR6) {
    struct sockaddr_in6 sin = {.sin6_family = AF_INET6, .sin6_port = htons(meta->dport), .sin6_addr = i->dst};
    sin.sin6_scope_id = ip_is_linklocal(&i->dst) ? (uint32_t)meta->ifindex : 0;
    cmsg_append(m, IPPROTO_IPV6, IPV6_ORIGDSTADDR, &sin, sizeof sin);
  }
}

void inet_cmsg_ip(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta) {
  bool v6 = is->sock->family == AF_INET6;
  if (!is->opt.recv)
    return;
  if (v6 && is->opt.recv & INET_RECV_PKTINFO6)
    recv_pktinfo6(m, IPV6_PKTINFO, meta);
  if (ip_is4(&meta->i.dst))
    recv_ip4(is, m, meta);
  else if (v6)
    recv_ip6(is, m, meta);
}

void inet_cmsg_recv(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta) {
  inet_cmsg_sock(is->sock, m, meta->stamp, meta->drops, meta->p ? meta->p->mark : 0);
  if (meta->gro_size) {
    int size = meta->gro_size;
    cmsg_append(m, IPPROTO_UDP, UDP_GRO, &size, sizeof size);
  }
  inet_cmsg_ip(is, m, meta);
}
