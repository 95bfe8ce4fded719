/* What sending of datagram sockets shares: the destination, its route, the bytes. See dgram.h. */
#include "../../core/task.h"
#include "../../core/uio.h"
#include "../stack.h"
#include "dgram.h"
#include <linux/rtnetlink.h>
#include <string.h>

/* ---- where to ---- */

/* The name of a message: 1 if there is none after all. Both families take what Linux's sendto() takes. */
static int dest_name(const struct inet_sock *is, const struct msg_k *m, struct in6_addr *dst, uint16_t *port,
                     int *scope, uint32_t *flow) {
  const struct sockaddr *sa = m->name;
  bool v6 = is->sock->family == AF_INET6;
  if (v6 && m->name_len < sizeof sa->sa_family)
    return -EINVAL;
  if (v6 && sa->sa_family == AF_UNSPEC)
    return 1;
  if (v6 && sa->sa_family == AF_INET) {
    const struct sockaddr_in *sin = m->name;
    if (is->opt.v6only)
      return -ENETUNREACH;
    if (m->name_len < sizeof *sin)
      return -EINVAL;
    *dst = ip_from4(sin->sin_addr.s_addr);
    *port = ntohs(sin->sin_port);
    return 0;
  }
  if (v6 && sa->sa_family == AF_INET6 && is->opt.sndflow)
    *flow = ntohl(((const struct sockaddr_in6 *)m->name)->sin6_flowinfo) & 0x0fffffff;
  int err = inet_addr_get(is, m->name, m->name_len, dst, port, scope);
  if (err == -EINVAL && v6 && m->name_len >= sizeof(struct sockaddr_in6) && !is->bound_dev) {
    /* A link-local name without a device goes where the routes say, unlike in bind(2) and connect(2). */
    const struct sockaddr_in6 *sin6 = m->name;
    *dst = sin6->sin6_addr;
    *port = ntohs(sin6->sin6_port);
    err = IN6_IS_ADDR_LINKLOCAL(dst) ? 0 : err;
  }
  if (!err && IN6_IS_ADDR_UNSPECIFIED(dst))
    *dst = ip_is4(&is->laddr) ? ip_from4(htonl(INADDR_LOOPBACK)) : in6addr_loopback;
  return err;
}

/* The device of link-local names and of groups; the source that the socket sticks to. */
static void choose_device(const struct inet_sock *is, int scope, struct inet_tx *tx) {
  bool v4 = ip_is4(&tx->f.dst);
  if (scope && !tx->f.oif)
    tx->f.oif = scope;
  if (!tx->f.oif && !ip_is_multicast(&tx->f.dst))
    tx->f.oif = is->opt.unicast_if[!v4];
  if (!v4 && is->sock->family == AF_INET6) {
    if (is->opt.sticky_if && !tx->f.oif)
      tx->f.oif = is->opt.sticky_if;
    if (!ip_is_any(&is->opt.sticky_src) && ip_is_any(&tx->f.src) && !ip_is4(&is->opt.sticky_src))
      tx->f.src = is->opt.sticky_src;
  }
}

int dgram_dest(struct inet_sock *is, const struct msg_k *m, bool need_port, struct inet_tx *tx, uint16_t *port) {
  struct in6_addr dst;
  uint32_t flow = 0;
  int scope = 0, err = m->name ? dest_name(is, m, &dst, port, &scope, &flow) : 1;
  if (err < 0)
    return err;
  if (err) {
    if (!is->connected)
      return -EDESTADDRREQ;
    dst = is->raddr;
    *port = is->rport;
  } else if (need_port && !*port) {
    return -EINVAL;
  }
  memset(tx, 0, offsetof(struct inet_tx, buf));
  inet_flow(is, &dst, (uint8_t)is->sock->protocol, &tx->f);
  if (flow) {
    tx->f.flow_label = flow & 0xfffff;
    if (flow >> 20)
      tx->f.tos = (uint8_t)(flow >> 20);
  }
  tx->dontfrag = is->opt.dontfrag;
  memcpy(tx->ext, is->opt.ext, sizeof tx->ext);
  if (m->control_len && (err = inet_cmsg_send(is, m, tx)) < 0)
    return err;
  choose_device(is, scope, tx);
  return inet_tx_ext(tx);
}

/* ---- the route ---- */

static void key_of(const struct ip_flow *f, struct dgram_key *k) {
  *k = (struct dgram_key){.src = f->src, .dst = f->dst, .oif = f->oif, .mark = f->mark, .tos = f->tos};
}

/* IPV6_MTU: the largest packet that the socket wants sent. */
static void limit_mtu(const struct inet_sock *is, const struct inet_tx *tx, struct ip_route *r) {
  if (is->opt.frag_size && !ip_is4(&tx->f.dst) && (unsigned)is->opt.frag_size < r->mtu)
    r->mtu = (unsigned)is->opt.frag_size;
}

int dgram_route(struct inet_sock *is, struct inet_tx *tx, struct ip_route *r) {
  struct dgram_sock *d = dgram_of(is);
  struct dgram_key k;
  key_of(&tx->f, &k);
  if (is->route.gen && is->route.gen == ip_route_gen(is->ns) && !memcmp(&k, &d->key, sizeof k) &&
      (is->route.type != RTN_BROADCAST || tx->f.broadcast_ok)) {
    *r = is->route;
    limit_mtu(is, tx, r);
    return 0;
  }
  int err = ip_route_output(is->ns, &tx->f, r);
  if (err) {
    is->route.gen = 0;
    return err;
  }
  is->route = *r;
  d->key = k;
  limit_mtu(is, tx, r);
  return 0;
}

int dgram_route_again(struct inet_sock *is, struct inet_tx *tx, struct ip_route *r) {
  return r->gen == ip_route_gen(is->ns) ? 0 : dgram_route(is, tx, r);
}

/* ---- the bytes ---- */

int dgram_may_send(struct inet_sock *is) {
  int err = socket_take_error(is->sock);
  return err ? err : is->shut_wr ? -EPIPE : 0;
}

int dgram_payload(struct msg_k *m, uint32_t hdr, uint32_t len, struct pbuf **out) {
  struct pbuf *p = pbuf_new(hdr + len);
  if (!p)
    return -ENOBUFS;
  (void)pbuf_put(p, hdr);
  uint8_t *to = pbuf_put(p, len);
  if (len && uio_copy_from(m->u, to, len) != (ssize_t)len) {
    pbuf_free(p);
    return -EFAULT;
  }
  *out = p;
  return 0;
}

int dgram_too_big(struct inet_sock *is, const struct inet_tx *tx, const struct ip_route *r, uint16_t dport) {
  inet_err_local(is, EMSGSIZE, &tx->f.dst, dport, inet_route_mtu(r, ip_is4(&tx->f.dst)));
  return -EMSGSIZE;
}

int dgram_output(struct inet_sock *is, struct pbuf *p, struct inet_tx *tx, struct ip_route *r, uint16_t dport) {
  bool v6 = !ip_is4(&tx->f.dst);
  int err = ip_output(is->ns, p, &tx->f, r);
  if (is->route.gen == r->gen && is->route.dev == r->dev && ip_same(&is->route.gateway, &r->gateway)) {
    is->route.neigh = r->neigh;
    is->route.neigh_gen = r->neigh_gen;
  }
  if (err == -ENOBUFS && !is->opt.recverr[v6])
    return 0; /* lost, as on the network */
  return err == -EMSGSIZE ? dgram_too_big(is, tx, r, dport) : err;
}
