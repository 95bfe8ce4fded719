/*
 * Control messages of datagrams, both ways: what a guest sends beside a message, and what is made of a packet's headers
 * for one that asked for everything. The input is cut into options that the socket has, a buffer of cmsgs, a packet.
 */
#include "../../net/inet/inet.h"
#include "../../core/errno.h"
#include "../../core/uio.h"
#include "../../net/ip_wire.h"
#include <stdlib.h>
#include <string.h>

static struct netdev dev = {.ifindex = 1};
static bool privileged;

struct netdev *netdev_by_index_borrow(struct net_namespace *ns, int ifindex) {
  return ifindex == 1 ? &dev : NULL;
}
bool inet_may(const struct inet_sock *is, int cap) {
  return privileged;
}
bool ip_is_any(const struct in6_addr *a) {
  return IN6_IS_ADDR_UNSPECIFIED(a) || (ip_is4(a) && !ip_get4(a));
}
bool ip_is_linklocal(const struct in6_addr *a) {
  return IN6_IS_ADDR_LINKLOCAL(a);
}
bool ip_is_multicast(const struct in6_addr *a) {
  return IN6_IS_ADDR_MULTICAST(a);
}
bool ip_is_local(struct net_namespace *ns, const struct in6_addr *a, int oif) {
  return IN6_IS_ADDR_LOOPBACK(a);
}
int ip_route_output(struct net_namespace *ns, const struct ip_flow *f, struct ip_route *r) {
  return -ENETUNREACH;
}
/* net/inet/inet_opt4.c wants these. */
struct ip_net *ip_net_of(struct net_namespace *ns) {
  return NULL;
}
int inet_optdef_set(struct inet_sock *is, const struct inet_optdef *d, int v, bool sized) {
  return 0;
}
int inet_optdef_get(const struct inet_sock *is, const struct inet_optdef *d) {
  return 0;
}
int inet_opt_int(const void *val, socklen_t len, bool bytes) {
  return 0;
}
void inet_opt_give(void *val, socklen_t *len, const void *src, size_t n) {}
int inet_path_mtu(struct inet_sock *is) {
  return 1500;
}
void inet_err_flush(struct inet_sock *is) {}
struct netdev *inet_dev_of_addr(struct net_namespace *ns, uint32_t be) {
  return NULL;
}
int inet_mcast_setsockopt(struct inet_sock *is, int level, int opt, const void *val, socklen_t len) {
  return -ENOPROTOOPT;
}
int inet_mcast_getsockopt(struct inet_sock *is, int level, int opt, void *val, socklen_t *len) {
  return -ENOPROTOOPT;
}

ssize_t uio_copy_to_vec(struct uio *u, struct iovec *src, int n) {
  return -EFAULT;
}

static void sending(struct inet_sock *is, const uint8_t *in, size_t n, bool v4) {
  struct inet_tx tx;
  void *copy = malloc(n ? n : 1); /* so that reading beyond it is seen */
  memset(&tx, 0, sizeof tx);
  memcpy(copy, in, n);
  tx.f.dst = v4 ? ip_from4(htonl(INADDR_LOOPBACK)) : in6addr_loopback;
  tx.f.proto = IPPROTO_UDP;
  struct msg_k m = {.control = copy, .control_len = n};
  int rc = inet_cmsg_send(is, &m, &tx);
  if (!rc)
    rc = inet_tx_ext(&tx);
  if (!rc && tx.f.options_len > sizeof tx.buf)
    abort();
  free(copy);
}

/* As the Internet layer leaves it: the IPv4 header is as long as it says, IPv6's extension headers end at transport. */
static void receiving(struct inet_sock *is, const uint8_t *in, size_t n, bool v4, size_t room) {
  size_t head = v4 ? IP4_HDR : IP6_HDR;
  if (n < head || n > 600)
    return;
  struct pstore *s = pstore_new((uint32_t)n);
  struct pbuf *p = s ? pbuf_over(s, s->bytes, (uint32_t)n) : NULL;
  pstore_put(s);
  if (!p)
    return;
  memcpy(p->data, in, n);
  p->net = p->data;
  if (v4)
    head = (p->net[0] & 15) * 4u;
  else
    head = n;
  if (head < IP4_HDR || head > n) {
    pbuf_free(p);
    return;
  }
  pbuf_pull(p, (uint32_t)head);
  p->transport = p->data;
  struct inet_meta meta = {.ifindex = 1, .stamp = 5, .drops = 7, .gro_size = 9, .p = p};
  meta.i.dst = v4 ? ip_from4(htonl(INADDR_LOOPBACK)) : in6addr_loopback;
  meta.i.src = meta.i.dst;
  void *ctl = malloc(room ? room : 1);
  struct msg_k m = {.control = room ? ctl : NULL, .control_cap = room};
  inet_cmsg_recv(is, &m, &meta);
  if (m.control_len > room)
    abort();
  free(ctl);
  pbuf_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n) {
  static struct inet_net net;
  if (n < 8)
    return 0;
  struct socket s = {.family = in[0] & 1 ? AF_INET6 : AF_INET, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP};
  struct inet_sock is = {.sock = &s, .net = &net};
  bool v4 = s.family == AF_INET || in[0] & 2;
  privileged = in[0] & 4;
  memcpy(&is.opt.recv, in + 1, 4);
  s.opt.stamp = in[5] % 3;
  s.opt.stamp_new = in[5] & 4;
  s.opt.tsflags = in[5] & 8 ? 0x18 : 0;
  s.opt.rxq_ovfl = in[5] & 16;
  s.opt.rcvmark = in[5] & 32;
  if (in[0] & 8)
    sending(&is, in + 8, n - 8, v4);
  else
    receiving(&is, in + 8, n - 8, v4, in[6] * 4u);
  return 0;
}
