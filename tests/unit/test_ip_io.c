/* IPv4 and IPv6 in and out: headers, fragments, ICMP; what hostile packets do not do. */
#include "ip_util.h"
#include "virtual_time.h"

static uint8_t b[70000], got[70000], body[66000];

static void echo4(uint8_t *e, uint8_t type, size_t len) {
  memset(e, 0, 8);
  e[0] = type;
  uint16_t c = csum_fold(csum_add(0, e, len));
  memcpy(e + 2, &c, 2);
}

START_TEST(ping4) {
  for (int i = 0; i < 100; i++)
    body[i] = (uint8_t)i;
  neighbour("192.0.2.9");
  echo4(body, 8, 100);
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 7, 0, body, 100));
  size_t len = tx(got, sizeof got, ETH_P_IP, peer_mac);
  ck_assert_uint_eq(len, 120);
  ck_assert(!csum_fold(csum_add(0, got, 20)));
  ck_assert(!csum_fold(csum_add(0, got + 20, 100)));
  ck_assert_uint_eq(got[20], 0);
  ck_assert_mem_eq(got + 24, body + 4, 96);
  ck_assert_mem_eq(got + 12, b + 16, 4);
  /* Not answered: to many, from nobody, from ourselves, martians, bad sums and lengths. */
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.255", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "224.0.0.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "192.0.2.1", "192.0.2.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "127.0.0.1", "192.0.2.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "127.0.0.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "255.255.255.255", "192.0.2.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "0.0.0.0", "192.0.2.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "192.0.2.255", "192.0.2.1", 1, 7, 0, body, 100));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.200", 1, 7, 0, body, 100)); /* no forwarding */
  len = make4(b, "192.0.2.9", "192.0.2.1", 1, 7, 0, body, 100);
  b[10] ^= 1;
  rx(ETH_P_IP, b, len);
  len = make4(b, "192.0.2.9", "192.0.2.1", 1, 7, 0, body, 100);
  rx(ETH_P_IP, b, len - 1);
  body[50] ^= 1;
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 7, 0, body, 100));
  ck_assert(STAILQ_EMPTY(&sent));
}
END_TEST

START_TEST(options4) { /* a source route is dropped, a malformed option told about */
  static const uint8_t ssrr[4] = {137, 4, 4, 0}, bad[4] = {7, 9, 4, 0}, alert[4] = {148, 4, 0, 0};
  const uint8_t *opt[3] = {ssrr, bad, alert};
  neighbour("192.0.2.9");
  echo4(body, 8, 16);
  for (int i = 0; i < 3; i++) {
    size_t len = make4(b, "192.0.2.9", "192.0.2.1", 1, 7, 0, body, 16);
    memmove(b + 24, b + 20, 16);
    memcpy(b + 20, opt[i], 4);
    b[0] = 0x46;
    b[3] = (uint8_t)(len += 4);
    ip4_hdr_csum((struct ip4_hdr *)b);
    rx(ETH_P_IP, b, len);
    len = tx(got, sizeof got, ETH_P_IP, NULL);
    ck_assert_int_eq(len > 0, i != 0);
    ck_assert(!len || got[20] == (i == 1 ? 12 : 0));
    ck_assert(i != 1 || got[24] == 20); /* where it is wrong */
  }
}
END_TEST

START_TEST(unknown_protocol) {
  neighbour("192.0.2.9");
  neighbour("2001:db8::9");
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 200, 7, 0, body, 100));
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, peer_mac), 20 + 8 + 120);
  ck_assert_uint_eq(got[20] << 8 | got[21], 3 << 8 | 2);
  ck_assert_mem_eq(got + 28, b, 120);
  ck_assert_uint_eq(got[1], 0xc0);
  rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8::1", 200, 64, body, 100));
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IPV6, peer_mac), 40 + 8 + 140);
  ck_assert_uint_eq(got[40] << 8 | got[41], 4 << 8 | 1);
  ck_assert_uint_eq(got[47], 6);
  ck_assert_mem_eq(got + 48, b, 140);
  int told = 0; /* limited */
  for (int i = 0; i < 100; i++) {
    rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 200, 7, 0, body, 100));
    told += tx(got, sizeof got, ETH_P_IP, NULL) > 0;
  }
  ck_assert_int_le(told, 6);
}
END_TEST

/* What came out as fragments, put in again the other way round, answers as one packet. */
START_TEST(fragments4) {
  neighbour("192.0.2.9");
  for (int i = 0; i < 5000; i++)
    body[i] = (uint8_t)(i * 7);
  echo4(body, 8, 5000);
  int off[] = {4000, 2000, 0, 1000, 3000};
  for (int i = 0; i < 5; i++) {
    ck_assert(STAILQ_EMPTY(&sent));
    rx(ETH_P_IP, b,
       make4(b, "192.0.2.9", "192.0.2.1", 1, 9, (uint16_t)(off[i] / 8 | (off[i] == 4000 ? 0 : 0x2000)), body + off[i],
             1000));
    if (i == 2) /* a repetition is ignored */
      rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 9, 0x2000, body, 1000));
  }
  size_t len, have = 0;
  uint16_t id = 0;
  while ((len = tx(got, sizeof got, ETH_P_IP, peer_mac))) {
    ck_assert_uint_le(len, 1500);
    unsigned o = (unsigned)(got[6] << 8 | got[7]);
    ck_assert_uint_eq((o & 0x1fff) * 8, have);
    ck_assert(!csum_fold(csum_add(0, got, 20)));
    ck_assert(!have || id == (got[4] << 8 | got[5]));
    id = (uint16_t)(got[4] << 8 | got[5]);
    memcpy(b + have, got + 20, len - 20);
    have += len - 20;
    ck_assert_int_eq(!(o & 0x2000), have == 5000);
  }
  ck_assert_uint_eq(have, 5000);
  ck_assert(!csum_fold(csum_add(0, b, 5000)));
  ck_assert_mem_eq(b + 4, body + 4, 4996);
  ck_assert_uint_eq(n->frag_mem, 0);
}
END_TEST

START_TEST(fragments_overlap) {
  neighbour("192.0.2.9");
  echo4(body, 8, 2000);
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 9, 0x2000, body, 1000));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 9, 0x2000 | 100, body + 800, 400));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 9, 125, body + 1000, 1000));
  ck_assert(STAILQ_EMPTY(&sent));
  ck_assert_uint_eq(n->frag_mem, 0);
  /* The last one says where it ends: nothing beyond. */
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 10, 50, body, 400));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 10, 0x2000 | 100, body, 400));
  ck_assert_uint_eq(n->frag_mem, 0);
  /* The ping of death. */
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 1, 11, 8189, body, 1000));
  ck_assert_uint_eq(n->frag_mem, 0);
}
END_TEST

START_TEST(fragments_bounded) {
  char src[30];
  for (int i = 0; i < 6000; i++) {
    snprintf(src, sizeof src, "198.51.%d.%d", i / 500, 1 + i % 250);
    rx(ETH_P_IP, b, make4(b, src, "192.0.2.1", 17, (uint16_t)i, 0x2000, body, 1400));
    ck_assert_uint_le(n->frag_mem, FRAG_MEM_MAX);
    ck_assert_uint_le(n->nfrag, FRAG_DATAGRAMS_MAX);
  }
  for (int i = 0; i < 3000; i++) { /* tiny pieces of one datagram */
    rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 17, 1, (uint16_t)(0x2000 | (2 * i)), body, 8));
    ck_assert_uint_le(n->frag_mem, FRAG_MEM_MAX);
  }
  ck_assert_uint_gt(n->frag_mem, 0);
  netdev_set_flags(eth, 0, IFF_UP); /* they go with their device */
  ck_assert_uint_eq(n->frag_mem, 0);
  ck_assert_uint_eq(n->nfrag, 0);
}
END_TEST

START_TEST(fragments_timeout) {
  neighbour("192.0.2.9");
  n->sysctl.frag_time_s = 0;
  ip_group_flush(eth->ip); /* no reports in between */
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 17, 9, 0x2000, body, 1000));
  rx(ETH_P_IP, b, make4(b, "192.0.2.9", "192.0.2.1", 17, 10, 0x2000 | 4, body, 1000));
  virtual_ms(5);
  ck_assert_uint_eq(n->nfrag, 0);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, NULL), 576);
  ck_assert_uint_eq(got[20] << 8 | got[21], 11 << 8 | 1);
  ck_assert(STAILQ_EMPTY(&sent)); /* the other one had no first fragment */
}
END_TEST

START_TEST(ping6_and_fragments) {
  neighbour("2001:db8::9");
  memset(body, 0, 8);
  body[0] = 128;
  for (int i = 8; i < 3000; i++)
    body[i] = (uint8_t)i;
  struct in6_addr s = ip("2001:db8::9"), d = ip("2001:db8::1");
  uint16_t c = csum_fold(csum_add(ip_pseudo_sum(&s, &d, 58, 3000), body, 3000));
  memcpy(body + 2, &c, 2);
  for (int o = 2000; o >= 0; o -= 1000) { /* behind a destination options header */
    uint8_t f[1100] = {44, 0, 1, 4, 0, 0, 0, 0, 58, 0, (uint8_t)(o >> 8), (uint8_t)(o | (o < 2000)), 1, 2, 3, 4};
    memcpy(f + 16, body + o, 1000);
    rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8::1", 60, 64, f, 1016));
  }
  size_t len, have = 0;
  while ((len = tx(got, sizeof got, ETH_P_IPV6, peer_mac))) {
    ck_assert_uint_eq(got[6], 44);
    ck_assert_uint_eq((size_t)((got[42] << 8 | got[43]) & 0xfff8), have);
    memcpy(b + have, got + 48, len - 48);
    have += len - 48;
  }
  ck_assert_uint_eq(have, 3000);
  ck_assert_uint_eq(b[0], 129);
  ck_assert_mem_eq(b + 4, body + 4, 2996);
  ck_assert(!csum_fold(csum_add(ip_pseudo_sum(&d, &s, 58, 3000), b, 3000)));
}
END_TEST

START_TEST(extension_headers) {
  neighbour("2001:db8::9");
  static const struct {
    uint8_t h[16], len, first, type, code, ptr;
  } t[] = {
      {{58, 0, 0, 1, 0, 0, 0, 0}, 8, 43, 4, 0, 42},              /* a routing header with segments left */
      {{58, 0, 0xc3, 1, 0, 1, 1, 0}, 8, 60, 4, 2, 42},           /* an unknown option that wants to be told about */
      {{58, 0, 0x43, 1, 0, 1, 1, 0}, 8, 60, 0, 0, 0},            /* … to be dropped */
      {{58, 0, 0x13, 4, 0, 0, 0, 0}, 8, 60, 129, 0, 0},          /* … to be passed over */
      {{58, 0, 0x13, 9, 0, 0, 0, 0}, 8, 60, 0, 0, 0},            /* longer than the header */
      {{58, 7, 1, 4, 0, 0, 0, 0}, 8, 60, 0, 0, 0},               /* a header longer than the packet */
      {{58, 0, 0xc2, 4, 0, 1, 0, 0}, 8, 0, 4, 2, 42},            /* jumbo */
      {{0, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4}, 16, 60, 4, 1, 40}, /* hop-by-hop is first or nowhere */
      {{58, 0, 0, 0, 0, 0, 0, 0}, 8, 43, 129, 0, 0},             /* a routing header that has been followed */
  };
  struct in6_addr s = ip("2001:db8::9"), d = ip("2001:db8::1");
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    uint8_t e[8] = {128}, x[40];
    uint16_t c = csum_fold(csum_add(ip_pseudo_sum(&s, &d, 58, 8), e, 8));
    memcpy(e + 2, &c, 2);
    memcpy(x, t[i].h, t[i].len);
    memcpy(x + t[i].len, e, 8);
    rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8::1", t[i].first, 64, x, t[i].len + 8u));
    memset(got, 0, 60);
    tx(got, sizeof got, ETH_P_IPV6, NULL);
    ck_assert_msg(got[40] == t[i].type && got[41] == t[i].code && got[47] == t[i].ptr, "case %zu: %d %d %d", i, got[40],
                  got[41], got[47]);
    memset(n->icmp_peer, 0, sizeof n->icmp_peer);
  }
  uint8_t many[200] = {0}; /* one header more than are looked at */
  for (int i = 0; i <= IP6_EXT_MAX; i++)
    many[8 * i] = i == IP6_EXT_MAX ? 58 : 60, many[8 * i + 2] = 1, many[8 * i + 3] = 4;
  many[8 * (IP6_EXT_MAX + 1)] = 128;
  rx(ETH_P_IPV6, b, make6(b, "2001:db8::9", "2001:db8::1", 60, 64, many, 8 * (IP6_EXT_MAX + 2)));
  ck_assert(STAILQ_EMPTY(&sent));
}
END_TEST

START_TEST(too_big) { /* RFC 1191, RFC 8201: believed if it is about a packet that we can have sent */
  struct in6_addr to = ip("192.0.2.9"), to6 = ip("2001:db8::9");
  uint8_t q[48] = {3, 4, 0, 0, 0, 0, 1000 >> 8, 1000 & 255}, in[28];
  make4(in, "192.0.2.1", "192.0.2.9", 17, 1, 0x4000, body, 8);
  in[2] = 1500 >> 8, in[3] = 1500 & 255;
  memcpy(q + 8, in, 28);
  uint16_t c = csum_fold(csum_add(0, q, 36));
  memcpy(q + 2, &c, 2);
  rx(ETH_P_IP, b, make4(b, "192.0.2.254", "192.0.2.1", 1, 1, 0, q, 36));
  ck_assert_uint_eq(ip_pmtu_get(n, &to), 1000);
  uint8_t m[56] = {2, 0, 0, 0, 0, 0, 1300 >> 8, 1300 & 255};
  make6(m + 8, "2001:db8::7", "2001:db8::9", 17, 64, body, 8); /* not from us */
  size_t len = make6(b, "2001:db8::fe", "2001:db8::1", 58, 64, m, 56);
  sum6(b, len);
  rx(ETH_P_IPV6, b, len);
  ck_assert_uint_eq(ip_pmtu_get(n, &to6), 0);
  make6(m + 8, "2001:db8::1", "2001:db8::9", 17, 64, body, 8);
  len = make6(b, "2001:db8::fe", "2001:db8::1", 58, 64, m, 56);
  sum6(b, len);
  rx(ETH_P_IPV6, b, len);
  ck_assert_uint_eq(ip_pmtu_get(n, &to6), 1300);
}
END_TEST

START_TEST(sending) {
  neighbour("192.0.2.9");
  struct ip_flow f = {.dst = ip("192.0.2.9"), .proto = 17, .ttl = -1, .pmtudisc = IP_PMTUDISC_DO, .tos = 0x10};
  struct ip_route r;
  ck_assert_int_eq(ip_route_output(ns, &f, &r), 0);
  struct pbuf *p = pbuf_new(2000);
  memset(pbuf_put(p, 2000), 5, 2000);
  ck_assert_int_eq(ip_output(ns, p, &f, &r), -EMSGSIZE);
  ck_assert_uint_eq(r.mtu, 1500);
  p = pbuf_new(100);
  memset(pbuf_put(p, 100), 5, 100);
  p->csum = PB_CSUM_PARTIAL;
  p->csum_start = 0, p->csum_offset = 6;
  ck_assert_int_eq(ip_output(ns, p, &f, &r), 0);
  ck_assert_uint_eq(STAILQ_FIRST(&sent)->csum_start, 34);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, peer_mac), 120);
  ck_assert_uint_eq(got[6], 0x40);
  ck_assert_uint_eq(got[1], 0x10);
  ck_assert_uint_eq(got[8], 64);
  /* Multicast comes back to members, once, and with a TTL of one. */
  struct in6_addr g = ip("239.1.2.3");
  f.dst = g, f.multicast_loop = true, f.oif = eth->ifindex, f.proto = 200;
  ck_assert_int_eq(ip_group_join(eth, &g), 0);
  ck_assert_int_eq(ip_route_output(ns, &f, &r), 0);
  uint64_t before = n->mib[0].in_receives;
  p = pbuf_new(10);
  memset(pbuf_put(p, 10), 5, 10);
  ck_assert_int_eq(ip_output(ns, p, &f, &r), 0);
  net_rx_end(k);
  ck_assert_uint_eq(n->mib[0].in_receives, before + 1);
  static const uint8_t mac[6] = {1, 0, 0x5e, 1, 2, 3};
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IP, mac), 30);
  ck_assert_uint_eq(got[8], 1);
}
END_TEST

RUN("ip_io", ping4, options4, unknown_protocol, fragments4, fragments_overlap, fragments_bounded, fragments_timeout,
    ping6_and_fragments, extension_headers, too_big, sending)
