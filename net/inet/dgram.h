/*
 * What the sockets of UDP, raw IP and ping share: a bounded queue of received packets, where a message goes to,
 * waiting.
 *
 * A queued pbuf begins at what recv(2) gives; its cb is a struct dgram_cb. Nothing here parks but dgram_recvmsg() and
 * the copies from the guest in dgram_payload().
 */
#pragma once
#include "../../core/errno.h"
#include "inet.h"

#define DGRAM_QUEUE_MAX 65536 /* packets of one socket, whatever SO_RCVBUF is */

#define DGRAM_NO_STAMP INT64_MIN
#define DGRAM_LOANS 4 /* packets of a queue that may keep a device's receive buffer, most of it unused */

struct dgram_cb { /* in pbuf.cb */
  struct in6_addr src, dst;
  int ifindex;
  uint32_t drops, charge;
  uint16_t sport, dport, gro;
  uint8_t ttl, tos, many; /* many: it was sent to a group or broadcast */
};
_Static_assert(sizeof(struct dgram_cb) <= sizeof(((struct pbuf *)0)->cb), "fits into a pbuf's cb");
static inline struct dgram_cb *dgram_cb(struct pbuf *p) {
  return (struct dgram_cb *)p->cb;
}

struct dgram_cork { /* MSG_MORE, UDP_CORK: a datagram in the making */
  struct inet_tx tx;
  uint16_t dport;
  uint32_t len, cap;
  uint8_t *buf;
};
struct dgram_key { /* what the cached route is for */
  struct in6_addr src, dst;
  int oif;
  uint32_t mark, tos;
};

struct dgram_sock { /* inet_sock.priv */
  struct pbuf_queue rx;
  unsigned nrx;
  uint32_t rmem;  /* charged to SO_RCVBUF */
  uint32_t drops; /* since the socket was made */
  int64_t stamp;  /* SIOCGSTAMP: CLOCK_REALTIME ns of the last packet; 0: not known, DGRAM_NO_STAMP: there was none */
  bool want_stamp;
  struct dgram_key key;
  /* UDP's */
  struct dgram_cork *cork;
  bool corked, gro, no_check6_tx, no_check6_rx, hashed;
  uint16_t gso_size;
  /* UDP-Lite's: bytes that the checksum covers at least, sent and wanted; 0 means all */
  bool send_cscov_set, recv_cscov_set;
  uint16_t send_cscov, recv_cscov;
};
static inline struct dgram_sock *dgram_of(const struct inet_sock *is) {
  return is->priv;
}

/* dgram.c */
int dgram_init(struct inet_sock *is);
void dgram_fini(struct inet_sock *is); /* frees the queue and priv */
/* Takes p over, data at what the socket is to see. False: there was no room. */
bool dgram_enqueue(struct inet_sock *is, struct pbuf *p, const struct ip_info *i, uint16_t sport, uint16_t dport);
/* A packet of its own that holds n bytes of p from off, and p's headers for control messages. NULL: no memory. */
struct pbuf *dgram_slice(const struct pbuf *p, uint32_t off, uint32_t n);
ssize_t dgram_recvmsg(struct socket *s, struct msg_k *m);
uint32_t dgram_poll(struct socket *s);
int dgram_shutdown(struct socket *s, int how);
long dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg);
/* What waits to be read, and what was dropped: /proc/net, sock_diag. *tx is 0: what is sent is gone. */
void dgram_queues(const struct inet_sock *is, uint32_t *rx, uint32_t *tx, uint64_t *drops);
/* After AF_UNSPEC: no peer, and no more of a local name than bind(2) gave. */
void dgram_disconnect(struct inet_sock *is);
/* connect(2) but for the port: checks a, chooses the source, sets the peer. */
int dgram_connect(struct inet_sock *is, const struct sockaddr *a, socklen_t len);

/* dgram_tx.c */
/* Where a message goes: m->name, or the peer. tx becomes what it is sent with, control messages applied. need_port: 0
 * is none. 0 or the errors of sendto(2). */
int dgram_dest(struct inet_sock *is, const struct msg_k *m, bool need_port, struct inet_tx *tx, uint16_t *port);
/* The route of tx->f; is->route when it is the same as the last one. */
int dgram_route(struct inet_sock *is, struct inet_tx *tx, struct ip_route *r);
/* Again, if it is out of date because somebody parked. */
int dgram_route_again(struct inet_sock *is, struct inet_tx *tx, struct ip_route *r);
/* A packet of hdr bytes of room and then what m says, len bytes. -EFAULT, -ENOBUFS. May park. */
int dgram_payload(struct msg_k *m, uint32_t hdr, uint32_t len, struct pbuf **out);
/* Hands p down. Queue overruns are an error only for those who want to hear of errors; EMSGSIZE is told twice. */
int dgram_output(struct inet_sock *is, struct pbuf *p, struct inet_tx *tx, struct ip_route *r, uint16_t dport);
int dgram_too_big(struct inet_sock *is, const struct inet_tx *tx, const struct ip_route *r,
                  uint16_t dport); /* -EMSGSIZE */
/* The pending error or the end of sending, as sock_alloc_send_skb() of Linux finds them. */
int dgram_may_send(struct inet_sock *is);
bool dgram_dev_ok(const struct inet_sock *is, const struct ip_info *i); /* SO_BINDTODEVICE */
