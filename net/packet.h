/*
 * Packet sockets, packet(7): frames as devices have them. Seen by net/packet.c's taps only; what others call is in
 * netdev.c and ether.c (packet_tap, packet_rx) and stack.c (packet_stack_init, …).
 *
 * Ownership: a packet_sock is its socket's until release(); the namespace's list borrows it. Delivering never parks.
 */
#pragma once
#include "../core/loop.h"
#include "sock_filter.h"
#include "stack.h"
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#define PACKET_MEMBERS 1024         /* memberships of a socket */
#define PACKET_RING_MAX (64u << 20) /* bytes of one socket's rings, those that are still mapped included */
#define PACKET_FANOUT_MEMBERS 256

struct packet_sock;
struct packet_ring;

/* A namespace's half: net_stack.sub[NET_PACKET]. */
struct packet_net {
  struct net_namespace *ns; /* borrowed */
  LIST_HEAD(, packet_sock) socks;
  LIST_HEAD(, packet_fanout) fanouts;
  const struct packet_sock *sending; /* whose frame is on its way to a device: it does not see it itself */
};

/* A frame in a socket's queue. */
struct packet_msg {
  STAILQ_ENTRY(packet_msg) link;
  struct sockaddr_ll sll;
  struct virtio_net_hdr vnet;
  uint32_t len, orig_len, status; /* status: TP_STATUS_* */
  uint16_t net;                   /* where the network header is */
  int64_t stamp;
  uint8_t data[];
};
#define PACKET_MSG_CHARGE (sizeof(struct packet_msg) + 512) /* beside its bytes: about what Linux's truesize is */

struct packet_member {
  LIST_ENTRY(packet_member) link;
  struct packet_mreq mreq;
  unsigned count;
};

/* Sockets that share what comes in, PACKET_FANOUT: each frame is one member's. */
struct packet_fanout {
  LIST_ENTRY(packet_fanout) link; /* of the namespace */
  struct packet_net *net;
  uint16_t id, type, flags;
  struct packet_sock *members[PACKET_FANOUT_MEMBERS];
  unsigned n, max, next;
  struct sock_filter_prog *prog; /* PACKET_FANOUT_CBPF; counted */
  uint16_t proto;
  int ifindex;
};

struct packet_sock {
  struct socket *sock;
  struct net_namespace *ns; /* counted */
  struct packet_net *net;
  LIST_ENTRY(packet_sock) link;
  uint16_t proto; /* host order; 0: nothing is received */
  int ifindex;    /* bound to; 0: all, -1: to a device that is gone */
  bool running;   /* sees frames */
  bool auxdata, origdev, vnet_hdr, ignore_outgoing, loss;
  int version; /* TPACKET_* */
  unsigned reserve, copy_thresh;
  struct tpacket_stats_v3 stats;
  STAILQ_HEAD(, packet_msg) queue;
  unsigned charged;
  uint32_t drops; /* SO_RXQ_OVFL: since it was made */
  int64_t last_stamp;
  LIST_HEAD(, packet_member) members;
  unsigned nmembers;
  struct packet_ring *ring; /* PACKET_RX_RING */
  struct packet_ring *old;  /* rings that were taken away but may be mapped: until release() */
  struct packet_fanout *fanout;
};
static inline struct packet_sock *packet_of(const struct socket *s) {
  return s->priv;
}

/* What a frame is to one socket. */
struct packet_view {
  const struct pbuf *p;
  const struct netdev *d;
  uint32_t base;    /* where the socket's data begins, from p->data */
  uint32_t snap;    /* how many bytes from there it wants */
  uint32_t mac_len; /* of the link header */
  uint32_t status;  /* TP_STATUS_CSUM* */
  int64_t stamp;
  struct sockaddr_ll sll;
};

/* packet.c */
void packet_retap(struct packet_net *n); /* bind, ring or fanout changed what is listened to */
int packet_enqueue(struct packet_sock *ps, const struct packet_view *v, uint32_t status);
void packet_vnet(const struct packet_view *v, struct virtio_net_hdr *h);
void packet_purge(struct packet_sock *ps);
void packet_drop(struct packet_sock *ps); /* one frame had no room */

/* packet_msg.c */
ssize_t packet_sendmsg(struct socket *s, struct msg_k *m);
ssize_t packet_recvmsg(struct socket *s, struct msg_k *m);

/* packet_opt.c */
int packet_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len);
int packet_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len);
void packet_members_drop(struct packet_sock *ps, int ifindex); /* 0: all */

/* packet_ring.c */
int packet_ring_set(struct packet_sock *ps, const struct tpacket_req3 *req); /* block_nr 0: takes it away */
void packet_ring_rx(struct packet_sock *ps, const struct packet_view *v);
bool packet_ring_readable(const struct packet_sock *ps);
int packet_ring_mmap(struct socket *s, off_t off, size_t len, off_t *host_off); /* socket_ops.mmap */
void packet_rings_free(struct packet_sock *ps);

/* packet_fanout.c */
int packet_fanout_add(struct packet_sock *ps, const struct fanout_args *a);
int packet_fanout_data(struct packet_sock *ps, const void *val, socklen_t len);
void packet_fanout_leave(struct packet_sock *ps);
struct packet_sock *packet_fanout_pick(struct packet_fanout *f, const struct pbuf *p);
