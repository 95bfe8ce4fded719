/* For tests of the Internet layer: a kernel with a network stack, an Ethernet device that keeps what it is given and
 * takes what the test makes up, and the loop for some milliseconds. */
#pragma once
#include "../../net/ip_stack.h"
#include "proc_util.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kernel *k;
static struct net_namespace *ns;
static struct ip_net *n;
static struct netdev *eth;
static struct pbuf_queue sent = STAILQ_HEAD_INITIALIZER(sent);
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};

static int keep_xmit(struct netdev *d, struct pbuf *p) {
  STAILQ_INSERT_TAIL(&sent, p, link);
  return 0;
}
static const struct netdev_ops wire_ops = {.xmit = keep_xmit};

static struct in6_addr ip(const char *s) {
  struct in6_addr a;
  struct in_addr v4;
  if (inet_pton(AF_INET, s, &v4) == 1)
    return ip_from4(v4.s_addr);
  ck_assert_int_eq(inet_pton(AF_INET6, s, &a), 1);
  return a;
}

static int add_addr_flags(struct netdev *d, const char *s, unsigned prefix, uint32_t flags) {
  struct ip_ifaddr a = {
      .addr = ip(s), .prefix = (uint8_t)prefix, .valid_lft = UINT32_MAX, .preferred_lft = UINT32_MAX, .flags = flags};
  a.scope = (uint8_t)ip_scope_of(&a.addr);
  return ip_addr_add(d, &a);
}
static int add_addr(struct netdev *d, const char *s, unsigned prefix) {
  return add_addr_flags(d, s, prefix, IFA_F_NODAD);
}

static int __attribute__((unused)) add_route(const char *dst, unsigned prefix, const char *gw, int oif, unsigned metric, unsigned flags) {
  struct ip_rt_entry e = {.dst = ip(dst), .prefix = (uint8_t)prefix, .oif = oif, .metric = metric};
  if (gw)
    e.gateway = ip(gw);
  return ip_route_add(ns, &e, flags);
}

static struct netdev *wire(const char *name) {
  struct netdev *d;
  static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
  ck_assert_int_eq(netdev_new(ns, name, &wire_ops, NULL, &d), 0);
  netdev_ether_init(d, mac);
  d->features = NETDEV_CSUM;
  netdev_list(d);
  ck_assert_int_eq(netdev_set_flags(d, IFF_UP, IFF_UP), 0);
  netdev_put(d);
  return d;
}

static void forget_sent(void) {
  pbuf_queue_free(&sent);
  STAILQ_INIT(&sent);
}

static void __attribute__((unused)) neighbour(const char *s) {
  struct neigh_entry e = {.ip = ip(s), .dev = eth, .state = 0x80 /* NUD_PERMANENT */};
  memcpy(e.lladdr, peer_mac, 6);
  ck_assert_int_eq(neigh_set(&e, NLM_F_CREATE | NLM_F_REPLACE), 0);
}

static void setup(void) {
  struct task *init;
  struct loop *l = loop_new();
  k = util_kernel(&init);
  k->loop = l;
  ck_assert_int_eq(net_boot(k), 0);
  ns = k->init_nsproxy->net;
  n = ip_net_of(ns);
  eth = wire("eth0");
  ck_assert_int_eq(add_addr(eth, "192.0.2.1", 24), 0);
  ck_assert_int_eq(add_addr(eth, "2001:db8::1", 64), 0);
  ck_assert_int_eq(add_addr(eth, "fe80::1", 64), 0);
  forget_sent();
}
static void teardown(void) {
  net_shutdown(k);
  forget_sent();
}

static void stop(struct timer *t) {
  loop_stop(k->loop);
}
static void __attribute__((unused)) run_ms(int ms) {
  struct timer t = {.fn = stop};
  timer_arm(&t, loop_now_exact() + ms * NS_PER_MS);
  loop_run(k->loop);
}

/* A frame from the peer. */
static void __attribute__((unused)) rx_to(const uint8_t *dst, uint16_t type, const void *b, size_t len) {
  struct pbuf *p = pbuf_new((uint32_t)len + 14);
  uint8_t *h = pbuf_put(p, (uint32_t)len + 14);
  memcpy(h, dst, 6);
  memcpy(h + 6, peer_mac, 6);
  h[12] = (uint8_t)(type >> 8), h[13] = (uint8_t)type;
  memcpy(h + 14, b, len);
  netdev_rx(eth, p);
  net_rx_end(k);
}
static void __attribute__((unused)) rx(uint16_t type, const void *b, size_t len) {
  rx_to(eth->addr, type, b, len);
}

/* An IPv4 packet with a right header checksum; off: as in the header. */
static size_t __attribute__((unused)) make4(uint8_t *b, const char *src, const char *dst, uint8_t proto, uint16_t id,
                                            uint16_t off, const void *body, size_t len) {
  struct in6_addr s = ip(src), d = ip(dst);
  struct ip4_hdr h = {.vihl = 0x45,
                      .len = htons((uint16_t)(20 + len)),
                      .id = htons(id),
                      .off = htons(off),
                      .ttl = 64,
                      .proto = proto,
                      .src = ip_get4(&s),
                      .dst = ip_get4(&d)};
  ip4_hdr_csum(&h);
  memcpy(b, &h, 20);
  memcpy(b + 20, body, len);
  return 20 + len;
}
static size_t __attribute__((unused))
make6(uint8_t *b, const char *src, const char *dst, uint8_t next, uint8_t hops, const void *body, size_t len) {
  struct ip6_hdr_wire h = {
      .vtf = htonl(6u << 28), .plen = htons((uint16_t)len), .next = next, .hops = hops, .src = ip(src), .dst = ip(dst)};
  memcpy(b, &h, 40);
  memcpy(b + 40, body, len);
  return 40 + len;
}
static void __attribute__((unused)) sum6(uint8_t *b, size_t len) { /* of an ICMPv6 packet without extension headers */
  struct in6_addr s, d;
  memcpy(&s, b + 8, 16), memcpy(&d, b + 24, 16);
  b[42] = b[43] = 0;
  uint16_t c = csum_fold(csum_add(ip_pseudo_sum(&s, &d, 58, (uint32_t)len - 40), b + 40, len - 40));
  memcpy(b + 42, &c, 2);
}

/* The next frame that was sent, its Ethernet header checked and taken off; 0: none. */
static size_t __attribute__((unused)) tx(uint8_t *b, size_t cap, uint16_t type, const uint8_t *dst) {
  struct pbuf *p = STAILQ_FIRST(&sent);
  if (!p)
    return 0;
  STAILQ_REMOVE_HEAD(&sent, link);
  uint8_t eh[14];
  pbuf_copy_out(p, 0, eh, 14);
  ck_assert_uint_eq(eh[12] << 8 | eh[13], type);
  if (dst)
    ck_assert_mem_eq(eh, dst, 6);
  size_t len = p->len - 14;
  ck_assert_uint_le(len, cap);
  pbuf_copy_out(p, 14, b, (uint32_t)len);
  pbuf_free(p);
  return len;
}

#define RUN(name, ...)                                                                                                 \
  int main(void) {                                                                                                     \
    const TTest *const tests[] = {__VA_ARGS__};                                                                        \
    Suite *s = suite_create(name);                                                                                     \
    TCase *t = tcase_create(name);                                                                                     \
    tcase_add_checked_fixture(t, setup, teardown);                                                                     \
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)                                                          \
      tcase_add_test(t, tests[i]);                                                                                     \
    suite_add_tcase(s, t);                                                                                             \
    SRunner *r = srunner_create(s);                                                                                    \
    srunner_run_all(r, CK_NORMAL);                                                                                     \
    int failed = srunner_ntests_failed(r);                                                                             \
    srunner_free(r);                                                                                                   \
    return failed != 0;                                                                                                \
  }
