/* Packet sockets: making, binding, and the taps through which they see frames. See packet.h. */
#include "packet.h"
#include "../core/errno.h"
#include "../core/task.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "packet_io.h"
#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define SLL_ADDR offsetof(struct sockaddr_ll, sll_addr)

/* ---- queue ---- */

void packet_drop(struct packet_sock *ps) {
  ps->stats.tp_drops++;
  ps->drops++;
}

void packet_purge(struct packet_sock *ps) {
  struct packet_msg *m;
  while ((m = STAILQ_FIRST(&ps->queue))) {
    STAILQ_REMOVE_HEAD(&ps->queue, link);
    free(m);
  }
  ps->charged = 0;
}

int packet_enqueue(struct packet_sock *ps, const struct packet_view *v, uint32_t status) {
  if (ps->charged >= (unsigned)ps->sock->opt.rcvbuf)
    return -ENOBUFS;
  struct packet_msg *m = malloc(sizeof *m + v->snap);
  if (!m)
    return -ENOMEM;
  *m = (struct packet_msg){.sll = v->sll, .len = v->snap, .orig_len = v->p->len - v->base, .stamp = v->stamp};
  m->status = status | v->status;
  m->net = (uint16_t)(v->mac_len - v->base);
  if (ps->vnet_hdr)
    packet_vnet(v, &m->vnet);
  pbuf_copy_out(v->p, v->base, m->data, v->snap);
  STAILQ_INSERT_TAIL(&ps->queue, m, link);
  ps->charged += (unsigned)(PACKET_MSG_CHARGE + m->len);
  waitq_wake(&ps->sock->wq, EPOLLIN | EPOLLRDNORM);
  return 0;
}

void packet_vnet(const struct packet_view *v, struct virtio_net_hdr *h) {
  vnet_hdr_fill(h, v->p);
  if (v->p->csum == PB_CSUM_VALID)
    h->flags |= VIRTIO_NET_HDR_F_DATA_VALID;
}

/* ---- taps ---- */

static int64_t now_realtime(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return timespec_ns(&ts);
}

/* A frame that a socket sends is not shown to the socket. */
static bool own(const struct packet_net *n, const struct packet_sock *ps) {
  return n->sending && (n->sending == ps || (ps->fanout && n->sending->fanout == ps->fanout));
}

static bool wants(const struct packet_net *n, const struct packet_sock *ps, const struct netdev *d, uint16_t proto,
                  bool outgoing) {
  return ps->running && ps->proto == proto && (!ps->ifindex || ps->ifindex == d->ifindex) &&
         !(outgoing && (ps->ignore_outgoing || own(n, ps)));
}

static void fill_sll(struct packet_view *v, const struct pbuf *p) {
  v->sll = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                .sll_protocol = htons(p->protocol),
                                .sll_ifindex = v->d->ifindex,
                                .sll_hatype = v->d->type,
                                .sll_pkttype = p->pkt_type};
  if (!v->mac_len)
    return;
  v->sll.sll_halen = ETH_ALEN;
  memcpy(v->sll.sll_addr, p->data + ETH_ALEN, ETH_ALEN);
}

static uint32_t csum_status(const struct pbuf *p) {
  uint32_t gso = p->gso == PB_GSO_TCP4 || p->gso == PB_GSO_TCP6 ? 1u << 8 /* TP_STATUS_GSO_TCP */ : 0;
  if (p->csum == PB_CSUM_PARTIAL)
    return gso | TP_STATUS_CSUMNOTREADY;
  return gso | (p->pkt_type != PACKET_OUTGOING && p->csum == PB_CSUM_VALID ? TP_STATUS_CSUM_VALID : 0);
}

static void deliver(struct packet_sock *ps, const struct netdev *d, const struct pbuf *p, int64_t stamp) {
  struct packet_view v = {.p = p, .d = d, .mac_len = d->addr_len ? ETH_HLEN : 0, .stamp = stamp};
  v.base = ps->sock->type == SOCK_DGRAM ? v.mac_len : 0;
  if (p->len < v.mac_len)
    return;
  v.snap = p->len - v.base;
  if (ps->sock->filter) {
    uint32_t want = sock_filter_run(ps->sock->filter, p, v.base);
    if (!want)
      return;
    v.snap = want < v.snap ? want : v.snap;
  }
  fill_sll(&v, p);
  v.status = csum_status(p);
  if (ps->ring) {
    packet_ring_rx(ps, &v);
    return;
  }
  if (packet_enqueue(ps, &v, 0))
    packet_drop(ps);
  else
    ps->stats.tp_packets++;
}

/* p->data is at the link header. To everybody who listens for `proto`. */
static void deliver_all(struct netdev *d, const struct pbuf *p, uint16_t proto, int type) {
  struct packet_net *n = d->taps;
  struct packet_sock *ps;
  struct packet_fanout *f;
  struct pbuf seen = *p; /* the same bytes, described as the sockets are to see them */
  seen.dev = d;
  seen.pkt_type = (uint8_t)type;
  seen.mac = d->addr_len ? p->data : NULL;
  seen.net = p->data + (d->addr_len ? ETH_HLEN : 0);
  int64_t stamp = p->stamp ? p->stamp : now_realtime();
  bool outgoing = type == PACKET_OUTGOING;
  LIST_FOREACH(ps, &n->socks, link)
  if (!ps->fanout && wants(n, ps, d, proto, outgoing))
    deliver(ps, d, &seen, stamp);
  LIST_FOREACH(f, &n->fanouts, link)
  if (f->n && wants(n, f->members[0], d, proto, outgoing) && (ps = packet_fanout_pick(f, &seen)))
    deliver(ps, d, &seen, stamp);
}

void packet_tap(struct netdev *d, const struct pbuf *p, bool outgoing) {
  struct pbuf *flat = NULL;
  if (d->addr_len && p->linear < ETH_HLEN) {
    if (p->len < ETH_HLEN || !(flat = pbuf_clone(p)) || !pbuf_linear(flat, ETH_HLEN)) {
      pbuf_free(flat);
      return;
    }
    p = flat;
  }
  deliver_all(d, p, ETH_P_ALL, outgoing ? PACKET_OUTGOING : p->pkt_type);
  pbuf_free(flat);
}

void packet_rx(struct netdev *d, const struct pbuf *p) {
  deliver_all(d, p, p->protocol, p->pkt_type);
}

void packet_retap(struct packet_net *n) {
  struct net_stack *st = net_stack_of(n->ns);
  struct packet_sock *ps;
  struct netdev *d;
  bool all = false; /* some listen to every device: each of devices and sockets is looked at once, then */
  LIST_FOREACH(ps, &n->socks, link)
  if ((all = ps->running && !ps->ifindex))
    break;
  TAILQ_FOREACH(d, &st->devs, link)
  d->taps = all ? n : NULL;
  int last = 0;
  LIST_FOREACH(ps, &n->socks, link) {
    if (all || !ps->running || ps->ifindex == last || !(d = netdev_by_index_borrow(n->ns, ps->ifindex)))
      continue;
    d->taps = n;
    last = ps->ifindex;
  }
}

/* ---- life ---- */

static const struct socket_ops packet_ops;

static bool may(const struct net_namespace *ns) {
  const struct task *t = task_current();
  return t && ns_capable(t->cred, ns->ns.owner, CAP_NET_RAW);
}

int packet_create(struct socket *s, int protocol) {
  struct net_namespace *ns = net_current_ns_borrow();
  struct net_stack *st = net_stack_of(ns);
  if (!may(ns))
    return -EPERM;
  if (s->type != SOCK_RAW && s->type != SOCK_DGRAM) /* SOCK_PACKET is of Linux 2.0 */
    return -ESOCKTNOSUPPORT;
  if (!st || !st->sub[NET_PACKET])
    return -EAFNOSUPPORT;
  struct packet_sock *ps = calloc(1, sizeof *ps);
  if (!ps)
    return -ENOMEM;
  ps->sock = s;
  ps->ns = (struct net_namespace *)ns_get(&ns->ns);
  ps->net = st->sub[NET_PACKET];
  ps->proto = ntohs((uint16_t)protocol);
  ps->running = ps->proto;
  STAILQ_INIT(&ps->queue);
  LIST_INIT(&ps->members);
  LIST_INSERT_HEAD(&ps->net->socks, ps, link);
  s->priv = ps;
  s->ops = &packet_ops;
  s->protocol = 0;
  packet_retap(ps->net);
  return 0;
}

static void packet_release(struct socket *s) {
  struct packet_sock *ps = packet_of(s);
  struct packet_net *n = ps->net;
  ps->running = false;
  packet_fanout_leave(ps);
  LIST_REMOVE(ps, link);
  packet_members_drop(ps, 0);
  packet_retap(n);
  packet_purge(ps);
  packet_rings_free(ps);
  ns_put(&ps->ns->ns);
  free(ps);
}

static int packet_bind(struct socket *s, const struct sockaddr *a, socklen_t len) {
  struct packet_sock *ps = packet_of(s);
  struct sockaddr_ll ll;
  if (len < sizeof ll || a->sa_family != AF_PACKET)
    return -EINVAL;
  memcpy(&ll, a, sizeof ll);
  struct netdev *d = ll.sll_ifindex ? netdev_by_index_borrow(ps->ns, ll.sll_ifindex) : NULL;
  if (ps->fanout)
    return -EINVAL;
  if (ll.sll_ifindex && !d)
    return -ENODEV;
  uint16_t proto = ll.sll_protocol ? ntohs(ll.sll_protocol) : ps->proto;
  bool rehook = proto != ps->proto || ll.sll_ifindex != ps->ifindex;
  ps->proto = proto;
  ps->ifindex = ll.sll_ifindex;
  if (!proto)
    ps->running = false;
  else if (rehook)
    ps->running = !d || d->flags & IFF_UP;
  if (proto && rehook && !ps->running) {
    s->err = ENETDOWN;
    waitq_wake(&s->wq, EPOLLERR);
  }
  packet_retap(ps->net);
  return 0;
}

static int packet_getname(struct socket *s, bool peer, struct sockaddr_storage *out, socklen_t *len) {
  struct packet_sock *ps = packet_of(s);
  struct netdev *d = ps->ifindex > 0 ? netdev_by_index_borrow(ps->ns, ps->ifindex) : NULL;
  struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = ps->ifindex, .sll_protocol = htons(ps->proto)};
  if (peer)
    return -EOPNOTSUPP;
  if (d) {
    ll.sll_hatype = d->type;
    ll.sll_halen = d->addr_len;
    memcpy(ll.sll_addr, d->addr, sizeof ll.sll_addr);
  }
  memset(out, 0, sizeof *out);
  memcpy(out, &ll, sizeof ll);
  *len = (socklen_t)SLL_ADDR + ll.sll_halen;
  return 0;
}

static uint32_t packet_poll(struct socket *s) {
  struct packet_sock *ps = packet_of(s);
  uint32_t ev = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  if (s->err)
    ev |= EPOLLERR;
  if (!STAILQ_EMPTY(&ps->queue) || (ps->ring && packet_ring_readable(ps)))
    ev |= EPOLLIN | EPOLLRDNORM;
  return ev;
}

static long get_stamp(const struct packet_sock *ps, unsigned cmd, uint64_t arg) {
  if (!ps->last_stamp)
    return -ENOENT;
  struct timespec ts = ns_timespec(ps->last_stamp);
  if (cmd == SIOCGSTAMP)
    ts.tv_nsec /= 1000; /* struct timeval is of the same shape */
  return put_user(arg, &ts);
}

static long packet_ioctl(struct socket *s, unsigned cmd, uint64_t arg) {
  struct packet_sock *ps = packet_of(s);
  struct packet_msg *m = STAILQ_FIRST(&ps->queue);
  int v = 0;
  switch (cmd) {
  case SIOCINQ:
    v = m ? (int)m->len : 0;
    return put_user(arg, &v);
  case SIOCOUTQ:
    return put_user(arg, &v);
  case SIOCGSTAMP:
  case SIOCGSTAMPNS:
    return get_stamp(ps, cmd, arg);
  }
  return -ENOTTY;
}

static const struct socket_ops packet_ops = {
    .bind = packet_bind,
    .getname = packet_getname,
    .sendmsg = packet_sendmsg,
    .recvmsg = packet_recvmsg,
    .setsockopt = packet_setsockopt,
    .getsockopt = packet_getsockopt,
    .poll = packet_poll,
    .ioctl = packet_ioctl,
    .mmap = packet_ring_mmap,
    .release = packet_release,
};

/* ---- namespaces and devices ---- */

int packet_stack_init(struct net_stack *st) {
  struct packet_net *n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->ns = st->ns;
  LIST_INIT(&n->socks);
  LIST_INIT(&n->fanouts);
  st->sub[NET_PACKET] = n;
  return 0;
}

void packet_stack_fini(struct net_stack *st) { /* sockets hold the namespace: there are none */
  free(st->sub[NET_PACKET]);
  st->sub[NET_PACKET] = NULL;
}

static void went_down(struct packet_sock *ps, bool gone) {
  if (ps->running) {
    ps->running = false;
    ps->sock->err = ENETDOWN;
    waitq_wake(&ps->sock->wq, EPOLLERR);
  }
  if (gone)
    ps->ifindex = -1;
}

void packet_netdev_event(struct netdev *d, enum netdev_event ev) {
  struct net_stack *st = net_stack_of(d->ns);
  struct packet_net *n = st ? st->sub[NET_PACKET] : NULL;
  struct packet_sock *ps;
  if (!n)
    return;
  LIST_FOREACH(ps, &n->socks, link) {
    if (ev == NETDEV_UNREGISTER)
      packet_members_drop(ps, d->ifindex);
    if (ps->ifindex != d->ifindex)
      continue;
    if (ev == NETDEV_UP && ps->proto)
      ps->running = true;
    else if (ev == NETDEV_DOWN || ev == NETDEV_UNREGISTER)
      went_down(ps, ev == NETDEV_UNREGISTER);
  }
  if (ev == NETDEV_UNREGISTER)
    d->taps = NULL;
  else if (ev == NETDEV_REGISTER || ev == NETDEV_UP || ev == NETDEV_DOWN)
    packet_retap(n);
}
