/* Inside of UDP and UDP-Lite: udp.c (table, options, input, errors) and udp_msg.c (sending). RFC 768, RFC 3828,
 * udp(7). */
#pragma once
#include "dgram.h"
#include <netinet/udp.h>

#define UDP_HDR 8u
#define UDP_MAX_SEGMENTS 128 /* of one send with UDP_SEGMENT */

struct udp_wire {
  uint16_t sport, dport, len, csum;
};

static inline bool udp_is_lite(const struct inet_sock *is) {
  return is->proto->protocol == IPPROTO_UDPLITE;
}
static inline struct udp_mib *udp_mib_of(const struct inet_sock *is, const struct in6_addr *a) {
  return &is->net->udp_mib[udp_is_lite(is)][!ip_is4(a)];
}
int udp_ready(struct inet_sock *is); /* bound to a port and in the table. 0, -EAGAIN */
ssize_t udp_sendmsg(struct socket *s, struct msg_k *m);
int udp_push(struct inet_sock *is);    /* send what is corked */
void udp_uncork(struct inet_sock *is); /* drop it */
