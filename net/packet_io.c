/*
 * Packet sockets of the host: see packet_io.h. In: the loop's provided buffers; frames of some size are passed on where
 * they lie, small ones are copied, so that a buffer of 64 KiB is not held for 60 bytes. Out: what one turn of the loop
 * sends leaves in one sendmmsg(2), which measured faster than as many requests to the ring, and is done with the frames
 * when it returns. It never waits: when the socket's buffer is full, the queue stays until the socket can take more.
 */
#include "packet_io.h"
#include "../core/errno.h"
#include "stack.h"
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define COPY_BELOW 4096 /* bytes of a frame */
#define KEEP_FREE 8     /* buffers that are never held, for what comes next */
#define TX_BATCH 32
#define PROBE_NS 100000000
#define TX_ENOUGH (128u << 10) /* bytes: beyond that, a larger batch only keeps the peer waiting */
#define TX_QUEUE_BYTES (16u << 20)

struct packet_io {
  struct netdev *d; /* borrowed: it owns this */
  struct loop *loop;
  int fd;
  struct loop_recv recv;
  struct loop_poll writable;
  struct timer probe; /* while there is no carrier */
  struct pbuf_queue queue;
  unsigned queued, queued_bytes;
};

/* ---- the link ---- */

/*
 * The host says once that an interface went down (ENETDOWN), and not whether it will come back: an engine may have
 * taken it away for good (`docker network disconnect`). A byte too short to be a frame is refused for a reason that
 * tells.
 */
static void link_lost(struct packet_io *io) {
  netdev_carrier(io->d, false);
  timer_arm(&io->probe, loop_now() + PROBE_NS);
}

static void probe(struct timer *t) {
  struct packet_io *io = t->arg;
  char byte = 0;
  int err = send(io->fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
  if (err == ENXIO)
    netdev_unlist(io->d); /* io is gone too */
  else if (err == ENETDOWN)
    timer_arm(t, loop_now() + PROBE_NS);
  else
    netdev_carrier(io->d, true);
}

/* ---- in ---- */

/* A receive buffer that packets refer to. It may outlive the device. */
struct held {
  struct pstore store;
  struct loop *loop;
  int buf;
};

static void held_free(struct pstore *s) {
  struct held *h = (struct held *)s;
  loop_buffer_give(h->loop, h->buf);
  free(h);
}

/* NULL: no memory; the buffer is still the caller's. */
static struct pbuf *hold(struct loop *l, int buf, uint32_t off, uint32_t len) {
  struct held *h = malloc(sizeof *h);
  if (!h)
    return NULL;
  h->store = (struct pstore){.cap = (uint32_t)loop_buffer_size(), .bytes = loop_buffer(l, buf)};
  ref_init(&h->store.ref);
  h->loop = l;
  h->buf = buf;
  struct pbuf *p = pbuf_over(&h->store, h->store.bytes + off, len);
  h->store.free = held_free;
  if (p)
    pstore_put(&h->store);
  else
    free(h);
  return p;
}

static struct pbuf *copied(const uint8_t *frame, uint32_t len) {
  struct pbuf *p = pbuf_new(len);
  if (p)
    memcpy(pbuf_put(p, len), frame, len);
  return p;
}

static void receive(struct packet_io *io, int buf, uint32_t n) {
  const uint8_t *b = loop_buffer(io->loop, buf);
  struct virtio_net_hdr h;
  struct pbuf *p = NULL;
  bool held = false;
  if (n > sizeof h) {
    uint32_t len = n - (uint32_t)sizeof h;
    memcpy(&h, b, sizeof h);
    held = len >= COPY_BELOW && loop_buffers_free(io->loop) > KEEP_FREE;
    p = held ? hold(io->loop, buf, sizeof h, len) : copied(b + sizeof h, len);
    held = held && p;
  }
  if (!held)
    loop_buffer_give(io->loop, buf);
  if (!p) {
    io->d->stats.rx_errors++;
    return;
  }
  if (vnet_hdr_parse(&h, p)) {
    io->d->stats.rx_errors++;
    io->d->stats.rx_frame_errors++;
    pbuf_free(p);
    return;
  }
  netdev_rx(io->d, p);
}

static void received(struct loop_recv *r, int res, int buf) {
  struct packet_io *io = r->arg;
  if (buf >= 0) {
    netdev_carrier(io->d, true);
    receive(io, buf, (uint32_t)res);
  } else if (res == -ENETDOWN) {
    link_lost(io);
  } else if (res < 0) {
    io->d->stats.rx_errors++;
  }
}

/* ---- out ---- */

static void dequeue(struct packet_io *io) {
  struct pbuf *p = STAILQ_FIRST(&io->queue);
  STAILQ_REMOVE_HEAD(&io->queue, link);
  io->queued--;
  io->queued_bytes -= p->len;
  pbuf_free(p);
}

struct batch {
  struct mmsghdr m[TX_BATCH];
  struct virtio_net_hdr h[TX_BATCH];
  struct iovec iov[TX_BATCH][PBUF_FRAGS + 2];
};

static void add_frame(struct batch *b, unsigned i, const struct pbuf *p) {
  struct iovec *v = b->iov[i];
  unsigned n = 0;
  vnet_hdr_fill(&b->h[i], p);
  v[n++] = (struct iovec){&b->h[i], sizeof b->h[i]};
  v[n++] = (struct iovec){p->data, p->linear};
  for (unsigned f = 0; f < p->nfrags; f++)
    v[n++] = (struct iovec){p->frag[f].data, p->frag[f].len};
  b->m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = v, .msg_iovlen = n}};
}

/* Linux before 6.2 does not know VIRTIO_NET_HDR_GSO_UDP_L4. Then the first frame, and all later ones, are cut here. */
static bool no_uso(struct packet_io *io) {
  struct pbuf *p = STAILQ_FIRST(&io->queue);
  struct pbuf_queue q = STAILQ_HEAD_INITIALIZER(q);
  if (p->gso != PB_GSO_UDP)
    return false;
  io->d->features &= ~NETDEV_USO;
  STAILQ_REMOVE_HEAD(&io->queue, link);
  io->queued--;
  io->queued_bytes -= p->len;
  if (!gso_segment(p, &q))
    STAILQ_FOREACH(p, &q, link) {
      io->queued++;
      io->queued_bytes += p->len;
    }
  STAILQ_CONCAT(&q, &io->queue);
  STAILQ_CONCAT(&io->queue, &q);
  return true;
}

/* How many of the first TX_BATCH frames are done with; 0: the socket is full; -1: try again. */
static int send_some(struct packet_io *io) {
  struct batch b;
  struct pbuf *p;
  unsigned n = 0;
  STAILQ_FOREACH(p, &io->queue, link) {
    if (n == TX_BATCH)
      break;
    add_frame(&b, n++, p);
  }
  int sent = sendmmsg(io->fd, b.m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0)
    return sent;
  if (errno == EAGAIN || errno == EINTR)
    return 0;
  if (errno == EINVAL && no_uso(io))
    return -1;
  /* The first frame cannot be sent: a queue on the host's side is full, the link is down, the frame too long. */
  io->d->stats.tx_errors++;
  if (errno == ENETDOWN || errno == ENXIO) {
    io->d->stats.tx_carrier_errors++;
    link_lost(io); /* it may have been this call that was told */
  }
  return 1;
}

static void packet_io_flush(struct netdev *d) {
  struct packet_io *io = d->priv;
  while (io->queued && !io->writable.priv) {
    int done = send_some(io);
    if (!done && loop_poll_arm(io->loop, &io->writable))
      done = 1; /* no memory to wait with: a frame is lost instead */
    while (done-- > 0)
      dequeue(io);
  }
}

static void became_writable(struct loop_poll *p, uint32_t revents) {
  struct packet_io *io = p->arg;
  packet_io_flush(io->d);
}

static int packet_io_xmit(struct netdev *d, struct pbuf *p) {
  struct packet_io *io = d->priv;
  if (io->queued >= d->tx_queue_len || io->queued_bytes + p->len > TX_QUEUE_BYTES) {
    pbuf_free(p);
    return -ENOBUFS;
  }
  STAILQ_INSERT_TAIL(&io->queue, p, link);
  io->queued++;
  io->queued_bytes += p->len;
  if (io->queued_bytes >= TX_ENOUGH)
    netdev_flush_soon(d);
  else
    netdev_flush_later(d);
  return 0;
}

/* ---- life ---- */

static void packet_io_free(struct netdev *d) {
  struct packet_io *io = d->priv;
  timer_disarm(&io->probe);
  loop_recv_del(io->loop, &io->recv);
  loop_poll_del(io->loop, &io->writable);
  pbuf_queue_free(&io->queue);
  close(io->fd);
  free(io);
}

static const struct netdev_ops packet_io_ops = {
    .xmit = packet_io_xmit, .flush = packet_io_flush, .free = packet_io_free};

static struct packet_io *io_new(struct loop *l, int fd) {
  struct packet_io *io = calloc(1, sizeof *io);
  if (!io)
    return NULL;
  io->loop = l;
  io->fd = fd;
  io->recv = (struct loop_recv){.fd = fd, .fn = received, .arg = io};
  io->probe = (struct timer){.fn = probe, .arg = io};
  io->writable = (struct loop_poll){.fd = fd, .events = EPOLLOUT, .fn = became_writable, .arg = io};
  STAILQ_INIT(&io->queue);
  return io;
}

int packet_io_new(struct net_namespace *ns, const struct packet_io_args *a, struct netdev **out) {
  struct packet_io *io = io_new(ns->ns.k->loop, a->fd);
  struct netdev *d = NULL;
  int rc = io ? netdev_new_at(ns, a->name, a->ifindex, &packet_io_ops, io, &d) : -ENOMEM;
  if (rc) {
    free(io);
    close(a->fd);
    return rc;
  }
  io->d = d;
  netdev_ether_init(d, a->addr);
  if (a->type != ARPHRD_ETHER) {
    d->type = a->type;
    d->addr_len = 0;
    d->flags = IFF_POINTOPOINT | IFF_NOARP;
  }
  if (!a->multicast)
    d->flags &= ~(unsigned)IFF_MULTICAST;
  d->mtu = a->mtu;
  d->features = NETDEV_CSUM | NETDEV_TSO | NETDEV_USO;
  netdev_carrier(d, true);
  netdev_list(d);
  rc = loop_recv_start(io->loop, &io->recv);
  if (rc)
    netdev_unlist(d);
  netdev_put(d); /* the list holds it */
  *out = rc ? NULL : d;
  return rc;
}
