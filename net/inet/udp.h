/* Inside of UDP: udp.c (table, options, input, errors) and udp_msg.c (sending). RFC 768, udp(7). */
#pragma once
#include "dgram.h"
#include <netinet/udp.h>

#define UDP_HDR 8u
#define UDP_MAX_SEGMENTS 128 /* of one send with UDP_SEGMENT */

struct udp_wire {
  uint16_t sport, dport, len, csum;
};

static inline struct udp_mib *udp_mib_of(const struct inet_sock *is, const struct in6_addr *a) {
  return &is->net->udp_mib[0][!ip_is4(a)];
}
int udp_ready(struct inet_sock *is); /* bound to a port and in the table. 0, -EAGAIN */
ssize_t udp_sendmsg(struct socket *s, struct msg_k *m);
int udp_push(struct inet_sock *is);    /* send what is corked */
void udp_uncork(struct inet_sock *is); /* drop it */
