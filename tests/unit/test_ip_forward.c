/* Forwarding between two devices, ways back (rp_filter), who answers ARP, and the neighbour that a route remembers. */
#include "ip_util.h"

static uint8_t b[70000], got[70000], body[66000];
static struct netdev *eth1;

static void two(void) {
  eth1 = wire("eth1");
  ck_assert_int_eq(add_addr(eth1, "198.51.100.1", 24), 0);
  ck_assert_int_eq(add_addr(eth1, "2001:db8:1::1", 64), 0);
  struct neigh_entry e = {.ip = ip("198.51.100.7"), .dev = eth1, .state = 0x80, .lladdr = {2, 0, 0, 0, 0, 7}};
  ck_assert_int_eq(neigh_set(&e, NLM_F_CREATE | NLM_F_REPLACE), 0);
  e.ip = ip("2001:db8:1::7");
  ck_assert_int_eq(neigh_set(&e, NLM_F_CREATE | NLM_F_REPLACE), 0);
  neighbour("192.0.2.9");
  neighbour("2001:db8::9");
  n->sysctl.forward4 = n->sysctl.forward6 = 1;
  forget_sent();
}

/* An error came back: its type, code and second word; what it quotes begins as the packet did. */
static void complained4(unsigned type, unsigned code, uint32_t word, size_t quoted) {
  uint32_t w;
  ck_assert_uint_ge(tx(got, sizeof got, ETH_P_IP, peer_mac), 28 + quoted);
  memcpy(&w, got + 24, 4);
  ck_assert_uint_eq(got[20], type);
  ck_assert_uint_eq(got[21], code);
  ck_assert_uint_eq(ntohl(w), word);
  ck_assert_mem_eq(got + 28, b, quoted);
  ck_assert(STAILQ_EMPTY(&sent));
}
static void complained6(unsigned type, unsigned code, uint32_t word) {
  uint32_t w;
  ck_assert_uint_ge(tx(got, sizeof got, ETH_P_IPV6, peer_mac), 88);
  memcpy(&w, got + 44, 4);
  ck_assert_uint_eq(got[40], type);
  ck_assert_uint_eq(got[41], code);
  ck_assert_uint_eq(ntohl(w), word);
  ck_assert_mem_eq(got + 48, b, 40);
  ck_assert(STAILQ_EMPTY(&sent));
}
static size_t ttl4(size_t len, uint8_t ttl) {
  b[8] = ttl;
  ip4_hdr_csum((struct ip4_hdr *)b);
  return len;
}

START_TEST(forward4) {
  static const uint8_t to[6] = {2, 0, 0, 0, 0, 7};
  two();
  size_t len = make4(b, "192.0.2.9", "198.51.100.7", 17, 5, 0, body, 100);
  rx(ETH_P_IP, b, len);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, to), len);
  ck_assert_uint_eq(got[8], 63);
  ck_assert(!csum_fold(csum_add(0, got, 20)));
  ck_assert_mem_eq(got + 12, b + 12, len - 12);
  /* The last hop; no way; a way that is forbidden, one to nobody, one that swallows. */
  rx(ETH_P_IP, b, ttl4(len, 1));
  complained4(11, 0, 0, len);
  len = make4(b, "192.0.2.9", "203.0.113.1", 17, 5, 0, body, 100);
  rx(ETH_P_IP, b, len);
  complained4(3, 0, 0, len);
  n->sysctl.icmp_ratelimit_ms = 0;
  static const struct { uint8_t type, code; } bad[] = {{RTN_UNREACHABLE, 1}, {RTN_PROHIBIT, 13}, {RTN_BLACKHOLE, 0}};
  for (int i = 0; i < 3; i++) {
    struct ip_rt_entry e = {.dst = ip("203.0.113.0"), .prefix = 24, .type = bad[i].type};
    ck_assert_int_eq(ip_route_add(ns, &e, NLM_F_CREATE), 0);
    rx(ETH_P_IP, b, len);
    if (bad[i].code)
      complained4(3, bad[i].code, 0, len);
    ck_assert(STAILQ_EMPTY(&sent));
    ck_assert_int_eq(ip_route_del(ns, &e), 0);
  }
  /* Never: what came to many, from or to loopback. */
  rx(ETH_P_IP, b, make4(b, "127.0.0.1", "198.51.100.7", 17, 5, 0, body, 100));
  rx_to(eth->broadcast, ETH_P_IP, b, make4(b, "192.0.2.9", "198.51.100.7", 17, 5, 0, body, 100));
  ck_assert(STAILQ_EMPTY(&sent));
  n->sysctl.forward4 = 0;
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "198.51.100.7", 17, 5, 0, body, 100));
  ck_assert(STAILQ_EMPTY(&sent));
}
END_TEST

START_TEST(forward_narrow) { /* RFC 1191: told if it may not be cut, cut if it may */
  two();
  ck_assert_int_eq(netdev_set_mtu(eth1, 576), 0);
  size_t len = make4(b, "192.0.2.9", "198.51.100.7", 17, 5, IP4_DF, body, 1000);
  rx(ETH_P_IP, b, len);
  complained4(3, 4, 576, 500);
  for (int i = 0; i < 1000; i++)
    body[i] = (uint8_t)(i * 7);
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "198.51.100.7", 17, 5, 0, body, 1000));
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, NULL), 20 + 552);
  ck_assert_uint_eq(got[6] << 8 | got[7], IP4_MF);
  ck_assert_mem_eq(got + 20, body, 552);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, NULL), 20 + 448);
  ck_assert_uint_eq(got[6] << 8 | got[7], 552 / 8);
  ck_assert_mem_eq(got + 20, body + 552, 448);
  ck_assert(STAILQ_EMPTY(&sent));
  ck_assert_int_eq(netdev_set_mtu(eth1, 1280), 0);
  rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8:1::7", 17, 64, body, 1300));
  complained6(2, 0, 1280);
}
END_TEST

START_TEST(forward6) {
  static const uint8_t to[6] = {2, 0, 0, 0, 0, 7};
  two();
  n->sysctl.icmp6_ratelimit_ms = 0;
  size_t len = make6(b, "2001:db8::9", "2001:db8:1::7", 17, 64, body, 100);
  rx(ETH_P_IPV6, b, len);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IPV6, to), len);
  ck_assert_uint_eq(got[7], 63);
  ck_assert_mem_eq(got + 8, b + 8, len - 8);
  rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8:1::7", 17, 1, body, 100));
  complained6(3, 0, 0);
  rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8:2::7", 17, 64, body, 100));
  complained6(1, 0, 0);
  rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "fe80::77", 17, 64, body, 100));
  rx(ETH_P_IPV6, b, make6(b, "::", "2001:db8:1::7", 17, 64, body, 100));
  ck_assert(STAILQ_EMPTY(&sent));
}
END_TEST

START_TEST(ways_back) { /* rp_filter: off by default, loose, strict; the larger of the device's and of all */
  two();
  n->sysctl.forward4 = 0;
  memset(body, 0, 100);
  body[0] = 8, body[2] = 0xf7, body[3] = 0xff;
  static const struct {
    int all, dev;
    const char *src;
    bool answered;
  } t[] = {{0, 0, "192.0.2.9", true},     {0, 0, "198.51.100.7", true},  {1, 0, "192.0.2.9", true},
           {1, 0, "198.51.100.7", false}, {0, 1, "198.51.100.7", false}, {1, 2, "198.51.100.7", true},
           {0, 2, "203.0.113.5", false}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    n->conf_all.rp_filter = t[i].all;
    ip_dev_of(eth)->conf.rp_filter = t[i].dev;
    rx(ETH_P_IP, b, make4(b, t[i].src, "192.0.2.1", 1, 7, 0, body, 100));
    ck_assert_msg(STAILQ_EMPTY(&sent) != t[i].answered, "case %zu", i);
    forget_sent();
  }
  ck_assert_uint_eq(n->mib[0].rp_filter, 3);
}
END_TEST

static void ask(const char *who) {
  struct arp_packet a = {htons(1), htons(ETH_P_IP), 6, 4, htons(1), {2, 0, 0, 0, 0, 9}, 0, {0}, 0};
  struct in6_addr s = ip("192.0.2.9"), t = ip(who);
  a.spa = ip_get4(&s), a.tpa = ip_get4(&t);
  rx(ETH_P_ARP, &a, sizeof a);
}

START_TEST(arp_for_whom) {
  two();
  static const struct {
    int ignore;
    const char *who;
    bool answered;
  } t[] = {{0, "198.51.100.1", true}, {1, "198.51.100.1", false}, {1, "192.0.2.1", true},   {2, "192.0.2.1", true},
           {8, "192.0.2.1", false},   {0, "198.51.100.2", false}, {0, "192.0.2.255", false}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    ip_dev_of(eth)->conf.arp_ignore = t[i].ignore;
    ask(t[i].who);
    ck_assert_msg(STAILQ_EMPTY(&sent) != t[i].answered, "case %zu", i);
    forget_sent();
  }
}
END_TEST

START_TEST(remembered) { /* a flow's neighbour is looked up again when one has gone, or the route has changed */
  struct ip_flow f = {.dst = ip("192.0.2.9"), .proto = 17, .ttl = -1};
  struct ip_route r = {0};
  neighbour("192.0.2.9");
  ck_assert_int_eq(ip_route_output(ns, &f, &r), 0);
  for (int i = 0; i < 4; i++) {
    if (i == 2)
      ck_assert_int_eq(neigh_del(eth, &f.dst), 0);
    if (i == 3)
      neighbour("192.0.2.9"); /* resolves what waits */
    struct pbuf *p = pbuf_new(64);
    memset(pbuf_put(p, 64), i, 64);
    ck_assert_int_eq(ip_output(ns, p, &f, &r), 0);
    struct pbuf *first = STAILQ_FIRST(&sent);
    ck_assert_ptr_nonnull(first);
    ck_assert_uint_eq(first->data[13], i == 2 ? ETH_P_ARP & 0xff : 0);
    ck_assert(r.neigh);
    forget_sent();
  }
  ck_assert_int_eq(netdev_set_flags(eth, 0, IFF_UP), 0);
  ck_assert_uint_ne(r.gen, n->route_gen);
}
END_TEST

START_TEST(ecn_of_fragments) { /* RFC 3168 5.3 */
  static const struct {
    uint8_t a, z;
    int whole; /* -1: dropped */
  } t[] = {{0, 0, 0}, {2, 2, 2}, {1, 2, 1}, {2, 1, 2}, {2, 3, 3}, {3, 1, 3}, {0, 3, -1}, {2, 0, -1}, {0, 1, -1}};
  neighbour("192.0.2.9");
  memset(body, 0, 64);
  body[0] = 8, body[2] = 0xf7, body[3] = 0xff;
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    uint16_t id = (uint16_t)(100 + i);
    size_t len = make4(b, "192.0.2.9", "192.0.2.1", 1, id, IP4_MF, body, 32);
    b[1] = t[i].a;
    rx(ETH_P_IP, b, ttl4(len, 64));
    len = make4(b, "192.0.2.9", "192.0.2.1", 1, id, 4, body + 32, 32);
    b[1] = t[i].z;
    rx(ETH_P_IP, b, ttl4(len, 64));
    len = tx(got, sizeof got, ETH_P_IP, NULL);
    ck_assert_msg((len > 0) == (t[i].whole >= 0), "case %zu", i);
    if (len) /* the answer has the question's octet */
      ck_assert_int_eq(got[1] & 3, t[i].whole);
  }
}
END_TEST

RUN("ip_forward", forward4, forward_narrow, forward6, ways_back, arp_for_whom, remembered, ecn_of_fragments)
