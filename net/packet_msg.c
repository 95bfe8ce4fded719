/* Sending and receiving on packet sockets: packet(7). */
#include "inet/inet.h"
#include "../core/errno.h"
#include "../core/task.h"
#include "../core/timers.h"
#include "packet.h"
#include "packet_io.h"
#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SLL_ADDR offsetof(struct sockaddr_ll, sll_addr)

/* ---- sending ---- */

struct dest {
  struct netdev *dev; /* counted */
  uint16_t proto;     /* host order */
  uint8_t addr[8];
  bool has_addr;
};

static int find_dest(const struct packet_sock *ps, const struct msg_k *m, struct dest *d) {
  struct sockaddr_ll ll = {.sll_ifindex = ps->ifindex};
  *d = (struct dest){.proto = ps->proto};
  if (m->name_len) {
    if (m->name_len < sizeof ll)
      return -EINVAL;
    memcpy(&ll, m->name, sizeof ll);
    if (m->name_len < SLL_ADDR + ll.sll_halen)
      return -EINVAL;
    d->proto = ntohs(ll.sll_protocol);
    d->has_addr = true;
    memcpy(d->addr, ll.sll_addr, sizeof d->addr);
  }
  struct netdev *dev = ll.sll_ifindex > 0 ? netdev_by_index_borrow(ps->ns, ll.sll_ifindex) : NULL;
  if (!dev)
    return -ENXIO;
  if (!(dev->flags & IFF_UP))
    return -ENETDOWN;
  d->dev = netdev_get(dev);
  return 0;
}

static int get_vnet(const struct packet_sock *ps, struct uio *u, struct virtio_net_hdr *h) {
  if (!ps->vnet_hdr)
    return 0;
  if (u->resid < sizeof *h)
    return -EINVAL;
  ssize_t n = uio_copy_from(u, h, sizeof *h);
  if (n != sizeof *h)
    return -EFAULT;
  if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && h->hdr_len < h->csum_start + h->csum_offset + 2)
    h->hdr_len = (uint16_t)(h->csum_start + h->csum_offset + 2);
  return h->hdr_len > u->resid ? -EINVAL : 0;
}

/* The frame as the guest gives it, with a link header of ours in front for SOCK_DGRAM. */
static int get_frame(const struct packet_sock *ps, const struct dest *d, struct uio *u, struct pbuf **out) {
  bool raw = ps->sock->type == SOCK_RAW;
  uint32_t len = (uint32_t)u->resid, hdr = d->dev->addr_len ? ETH_HLEN : 0;
  if (raw && len < hdr)
    return -EINVAL;
  struct pbuf *p = pbuf_new(len);
  if (!p)
    return -ENOBUFS;
  if (len && uio_copy_from(u, pbuf_put(p, len), len) != (ssize_t)len) {
    pbuf_free(p);
    return -EFAULT;
  }
  p->protocol = d->proto;
  if (raw) {
    uint16_t type;
    if (hdr && (!d->proto || d->proto == ETH_P_ALL)) {
      memcpy(&type, p->data + 2 * ETH_ALEN, sizeof type);
      p->protocol = ntohs(type);
    }
    p->mac = p->data;
    p->net = p->data + hdr;
  }
  p->mark = ps->sock->opt.mark;
  *out = p;
  return 0;
}

/* The device may be gone, or elsewhere, since it was looked up. Takes p over. */
static int transmit(struct packet_sock *ps, const struct dest *d, struct pbuf *p) {
  struct netdev *dev = d->dev;
  if (dev->ns != ps->ns || !(dev->flags & IFF_UP)) {
    pbuf_free(p);
    return dev->ns != ps->ns ? -ENXIO : -ENETDOWN;
  }
  ps->net->sending = ps;
  int rc;
  if (ps->sock->type == SOCK_RAW) {
    p->dev = dev;
    rc = netdev_xmit(dev, p);
  } else {
    p->net = p->data;
    rc = ether_output(dev, p, d->addr, d->proto);
  }
  ps->net->sending = NULL;
  return rc;
}

static int send_to(struct packet_sock *ps, const struct dest *d, struct uio *u) {
  struct virtio_net_hdr h = {0};
  struct pbuf *p;
  bool raw = ps->sock->type == SOCK_RAW;
  int rc = get_vnet(ps, u, &h);
  if (rc)
    return rc;
  uint64_t max = d->dev->mtu + (raw && d->dev->addr_len ? ETH_HLEN : 0);
  if (u->resid > (h.gso_type == VIRTIO_NET_HDR_GSO_NONE ? max : PBUF_MAX - ETH_HLEN))
    return -EMSGSIZE;
  if (!raw && d->dev->addr_len && !d->has_addr && !(d->dev->flags & (IFF_LOOPBACK | IFF_NOARP)))
    return -EINVAL; /* eth_header() of Linux: those two have no addresses to miss */
  rc = get_frame(ps, d, u, &p);
  if (rc)
    return rc;
  rc = ps->vnet_hdr ? vnet_hdr_parse(&h, p) : 0;
  if (rc) {
    pbuf_free(p);
    return rc;
  }
  return transmit(ps, d, p);
}

ssize_t packet_sendmsg(struct socket *s, struct msg_k *m) {
  struct packet_sock *ps = packet_of(s);
  struct dest d;
  size_t len = m->u->resid;
  int rc = find_dest(ps, m, &d);
  if (rc)
    return rc;
  if (s->type == SOCK_DGRAM && m->name_len && m->name_len < SLL_ADDR + d.dev->addr_len)
    rc = -EINVAL;
  else
    rc = send_to(ps, &d, m->u);
  netdev_put(d.dev);
  return rc ? rc : (ssize_t)len;
}

/* ---- receiving ---- */

static void append_cmsg(struct msg_k *m, int level, int type, const void *data, size_t len) {
  struct cmsghdr c = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
  char *at = (char *)m->control + m->control_len;
  if (!m->control || m->control_cap - m->control_len < CMSG_SPACE(len)) {
    m->flags |= MSG_CTRUNC;
    return;
  }
  memset(at, 0, CMSG_SPACE(len));
  memcpy(at, &c, sizeof c);
  memcpy(at + sizeof c, data, len);
  m->control_len += CMSG_SPACE(len);
}

static void give_control(const struct packet_sock *ps, struct msg_k *m, const struct packet_msg *q) {
  inet_cmsg_sock(ps->sock, m, q->stamp, ps->drops, 0);
  if (ps->auxdata) {
    struct tpacket_auxdata aux = {
        .tp_status = TP_STATUS_USER | q->status, .tp_len = q->orig_len, .tp_snaplen = q->len, .tp_net = q->net};
    append_cmsg(m, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof aux);
  }
}

static void give_name(struct msg_k *m, const struct packet_msg *q) {
  if (m->name)
    memcpy(m->name, &q->sll, m->name_len < sizeof q->sll ? m->name_len : sizeof q->sll);
  m->name_len = sizeof q->sll;
}

static int wait_frame(struct packet_sock *ps, const struct msg_k *m) {
  struct socket *s = ps->sock;
  int64_t deadline = socket_deadline(s->opt.rcvtimeo);
  for (;;) {
    if (s->err)
      return socket_take_error(s);
    if (!STAILQ_EMPTY(&ps->queue))
      return 0;
    if (m->flags & MSG_DONTWAIT || m->u->nonblock)
      return -EAGAIN;
    int rc = socket_wait(&s->wq, EPOLLIN, deadline);
    if (rc && STAILQ_EMPTY(&ps->queue))
      return rc;
  }
}

/* What is copied may park: not the queue's own, then. */
static struct packet_msg *take(struct packet_sock *ps, bool peek) {
  struct packet_msg *m = STAILQ_FIRST(&ps->queue);
  if (peek) {
    struct packet_msg *copy = malloc(sizeof *m + m->len);
    return copy ? memcpy(copy, m, sizeof *m + m->len) : NULL;
  }
  STAILQ_REMOVE_HEAD(&ps->queue, link);
  ps->charged -= (unsigned)(PACKET_MSG_CHARGE + m->len);
  return m;
}

ssize_t packet_recvmsg(struct socket *s, struct msg_k *m) {
  struct packet_sock *ps = packet_of(s);
  int flags = m->flags;
  if (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC | MSG_ERRQUEUE))
    return -EINVAL;
  if (flags & MSG_ERRQUEUE)
    return -EAGAIN;
  int rc = wait_frame(ps, m);
  if (rc)
    return rc;
  size_t vnet = ps->vnet_hdr ? sizeof(struct virtio_net_hdr) : 0;
  struct packet_msg *q = take(ps, flags & MSG_PEEK);
  if (!q)
    return -ENOMEM;
  if (m->u->resid < vnet) { /* the frame is gone nevertheless */
    free(q);
    return -EINVAL;
  }
  m->flags = 0;
  ps->last_stamp = q->stamp;
  size_t room = m->u->resid - vnet, n = q->len < room ? q->len : room;
  if (n < q->len)
    m->flags |= MSG_TRUNC;
  ssize_t r = (ssize_t)(vnet + (flags & MSG_TRUNC ? q->len : n));
  if ((vnet && uio_copy_to(m->u, &q->vnet, vnet) != (ssize_t)vnet) ||
      (n && uio_copy_to(m->u, q->data, n) != (ssize_t)n))
    r = -EFAULT;
  give_name(m, q);
  give_control(ps, m, q);
  free(q);
  return r;
}
