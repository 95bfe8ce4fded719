/* ARP, neighbour discovery, duplicate addresses, IGMP and MLD. */
#include "ip_util.h"
#include "virtual_time.h"

static uint8_t b[2000], got[2000];
static const uint8_t bcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct neigh_entry found;
static bool pick(void *arg, const struct neigh_entry *e) {
  if (ip_same(&e->ip, arg))
    found = *e;
  return true;
}
static uint16_t state(const char *s) {
  struct in6_addr a = ip(s);
  memset(&found, 0, sizeof found);
  neigh_each(ns, AF_UNSPEC, pick, &a);
  return found.state;
}

static void send_to(const char *s) {
  struct ip_flow f = {.dst = ip(s), .proto = 200, .ttl = -1};
  struct ip_route r;
  ck_assert_int_eq(ip_route_output(ns, &f, &r), 0);
  struct pbuf *p = pbuf_new(10);
  memset(pbuf_put(p, 10), 5, 10);
  ck_assert_int_eq(ip_output(ns, p, &f, &r), 0);
}

static void arp(uint16_t op, const char *spa, const char *tpa, const uint8_t *sha, const uint8_t *to) {
  struct in6_addr s = ip(spa), t = ip(tpa);
  struct arp_packet a = {htons(1), htons(0x800), 6, 4, htons(op), {0}, ip_get4(&s), {0}, ip_get4(&t)};
  memcpy(a.sha, sha, 6);
  rx_to(to, ETH_P_ARP, &a, sizeof a);
}

START_TEST(arp_asks) {
  const int room = NEIGH_QUEUE_BYTES / NEIGH_PACKET_COST(30); /* an IP header and 10 bytes */
  for (int i = 0; i < room + 3; i++)
    send_to("192.0.2.9");
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_ARP, bcast), 28);
  struct in6_addr us = ip("192.0.2.1"), he = ip("192.0.2.9");
  ck_assert_mem_eq(got + 14, &us.s6_addr32[3], 4);
  ck_assert_mem_eq(got + 24, &he.s6_addr32[3], 4);
  ck_assert(STAILQ_EMPTY(&sent)); /* asked once */
  ck_assert_uint_eq(state("192.0.2.9"), 1);
  arp(2, "192.0.2.9", "192.0.2.1", peer_mac, eth->addr);
  ck_assert_uint_eq(state("192.0.2.9"), 2);
  int c = 0;
  while (tx(got, sizeof got, ETH_P_IP, peer_mac))
    c++;
  ck_assert_int_eq(c, room);
  static const uint8_t liar[6] = {2, 6, 6, 6, 6, 6}; /* within the locktime the first answer wins */
  arp(2, "192.0.2.9", "192.0.2.1", liar, eth->addr);
  state("192.0.2.9");
  ck_assert_mem_eq(found.lladdr, peer_mac, 6);
  n->sysctl.neigh[0].locktime_ms = 0;
  arp(1, "192.0.2.9", "192.0.2.9", liar, bcast); /* announced anew */
  ck_assert_uint_eq(state("192.0.2.9"), 4);
  ck_assert_mem_eq(found.lladdr, liar, 6);
}
END_TEST

START_TEST(arp_answers) {
  arp(1, "192.0.2.9", "192.0.2.1", peer_mac, bcast);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_ARP, peer_mac), 28);
  ck_assert_uint_eq(got[7], 2);
  ck_assert_mem_eq(got + 8, eth->addr, 6);
  ck_assert_uint_eq(state("192.0.2.9"), 4); /* stale: he may as well have lied */
  arp(1, "192.0.2.10", "192.0.2.77", peer_mac, bcast);
  arp(1, "192.0.2.10", "127.0.0.1", peer_mac, bcast);
  arp(2, "192.0.2.10", "192.0.2.1", peer_mac, eth->addr); /* not asked for */
  arp(1, "192.0.2.1", "192.0.2.1", peer_mac, bcast);      /* ours */
  arp(1, "192.0.2.10", "192.0.2.10", peer_mac, bcast);
  ck_assert_uint_eq(state("192.0.2.10"), 0);
  ck_assert_uint_eq(state("192.0.2.1"), 0);
  ck_assert(STAILQ_EMPTY(&sent));
  arp(1, "0.0.0.0", "192.0.2.1", peer_mac, bcast); /* a probe is answered, and makes nothing */
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_ARP, peer_mac), 28);
  ck_assert_uint_eq(n->nneigh, 1);
}
END_TEST

START_TEST(nobody_answers) {
  n->sysctl.neigh[0].retrans_ms = n->sysctl.neigh[1].retrans_ms = 1;
  send_to("192.0.2.9");
  send_to("2001:db8::9");
  virtual_ms(30);
  ck_assert_uint_eq(state("192.0.2.9"), 0x20);
  ck_assert_uint_eq(state("2001:db8::9"), 0x20);
  int arps = 0, ns6 = 0;
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&sent))) {
    STAILQ_REMOVE_HEAD(&sent, link);
    uint8_t h[60];
    pbuf_copy_out(p, 0, h, p->len < 60 ? p->len : 60);
    arps += h[12] == 8 && h[13] == 6;
    ns6 += h[12] == 0x86 && h[54] == 135;
    pbuf_free(p);
  }
  ck_assert_int_eq(arps, 3);
  ck_assert_int_eq(ns6, 3);
  ck_assert_uint_eq(n->mib[0].icmp_out_type[3], 1); /* told to ourselves */
  ck_assert_uint_eq(n->mib[0].icmp_in_type[3], 1);
  ck_assert_uint_eq(n->mib[1].icmp_in_type[1], 1);
}
END_TEST

START_TEST(bounded) {
  char s[40];
  ck_assert_int_eq(add_addr(eth, "10.0.0.1", 8), 0);
  for (int i = 0; i < 3000; i++) {
    snprintf(s, sizeof s, "10.1.%d.%d", i / 250, 1 + i % 250);
    arp(1, s, "10.0.0.1", peer_mac, bcast);
    snprintf(s, sizeof s, "10.2.%d.%d", i / 250, 1 + i % 250);
    send_to(s);
    ck_assert_uint_le(n->nneigh, NEIGH_MAX);
    forget_sent();
  }
}
END_TEST

static void nd(uint8_t type, const char *src, const char *dst, uint8_t hops, uint32_t word, const char *target,
               uint8_t opt, uint8_t optlen) {
  struct nd_msg m = {.icmp = {.type = type, .word = htonl(word)}, .target = ip(target)};
  uint8_t x[40];
  memcpy(x, &m, 24);
  x[24] = opt, x[25] = optlen;
  memcpy(x + 26, peer_mac, 6);
  size_t len = make6(b, src, dst, 58, hops, x, opt ? 32 : 24);
  sum6(b, len);
  rx(ETH_P_IPV6, b, len);
}

START_TEST(nd_both_ways) {
  send_to("2001:db8::9");
  static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 9};
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IPV6, group), 40 + 32);
  ck_assert_uint_eq(got[7], 255);
  ck_assert_uint_eq(got[40], 135);
  ck_assert_mem_eq(got + 66, eth->addr, 6);
  nd(136, "2001:db8::9", "2001:db8::1", 254, 0x60000000, "2001:db8::9", 2, 1); /* from beyond a router */
  nd(136, "2001:db8::9", "2001:db8::1", 255, 0x60000000, "2001:db8::9", 2, 0); /* an option of no length */
  nd(136, "2001:db8::9", "2001:db8::1", 255, 0x60000000, "2001:db8::9", 2, 2);
  ck_assert_uint_eq(state("2001:db8::9"), 1);
  nd(136, "2001:db8::9", "2001:db8::1", 255, 0x60000000, "2001:db8::9", 2, 1);
  ck_assert_uint_eq(state("2001:db8::9"), 2);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IPV6, peer_mac), 50);
  nd(136, "2001:db8::8", "2001:db8::1", 255, 0x60000000, "2001:db8::8", 2, 1); /* not asked for */
  ck_assert_uint_eq(state("2001:db8::8"), 0);
  nd(135, "2001:db8::7", "2001:db8::1", 255, 0, "2001:db8::1", 1, 1);
  ck_assert_uint_eq(state("2001:db8::7"), 4);
  ck_assert_uint_eq(tx(got, sizeof got, ETH_P_IPV6, peer_mac), 72);
  ck_assert_uint_eq(got[40], 136);
  ck_assert_uint_eq(got[44], 0x60);
  nd(135, "2001:db8::7", "2001:db8::1", 255, 0, "2001:db8::55", 1, 1);
  ck_assert(STAILQ_EMPTY(&sent));
}
END_TEST

START_TEST(duplicate_addresses) {
  n->sysctl.neigh[1].retrans_ms = 5;
  struct in6_addr good = ip("2001:db8::11"), bad = ip("2001:db8::12");
  ck_assert_int_eq(add_addr_flags(eth, "2001:db8::11", 64, 0), 0);
  ck_assert_int_eq(add_addr_flags(eth, "2001:db8::12", 64, 0), 0);
  ck_assert(!ip_is_local(ns, &good, 0));
  forget_sent();
  virtual_ms(2);
  ck_assert(!STAILQ_EMPTY(&sent)); /* it asks */
  nd(136, "fe80::9", "ff02::1", 255, 0x20000000, "2001:db8::12", 2, 1);
  virtual_ms(2);
  ck_assert(!ip_is_local(ns, &good, 0)); /* not yet */
  virtual_ms(2);
  ck_assert(ip_is_local(ns, &good, 0));
  ck_assert(!ip_is_local(ns, &bad, 0));
  ck_assert(ip_addr_find(eth->ip, &bad)->a.flags & IFA_F_DADFAILED);
}
END_TEST

/* The reports among what was sent: of which group, as what. */
static int reports(uint8_t proto_at40, uint8_t type, int record) {
  int c = 0;
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&sent))) {
    STAILQ_REMOVE_HEAD(&sent, link);
    uint8_t h[120] = {0};
    pbuf_copy_out(p, 14, h, p->len - 14 < 120 ? p->len - 14 : 120);
    const uint8_t *m = h[0] >> 4 == 4 ? h + 24 : h + 48;
    if (m[0] == type && (record < 0 || m[8] == record))
      c++;
    pbuf_free(p);
  }
  return c;
}

START_TEST(groups) {
  struct in6_addr g = ip("239.1.2.3"), g6 = ip("ff02::1234");
  virtual_ms(5); /* those of the solicited nodes */
  forget_sent();
  ck_assert_int_eq(ip_group_join(eth, &g), 0);
  ck_assert_int_eq(ip_group_join(eth, &g), 0);
  virtual_ms(2);
  ck_assert_int_eq(reports(0, 0x22, 4), 1);
  ck_assert_int_eq(ip_group_leave(eth, &g), 0);
  ck_assert(ip_group_member(eth, &g));
  ck_assert_int_eq(ip_group_leave(eth, &g), 0);
  ck_assert_int_eq(reports(0, 0x22, 3), 1);
  ck_assert_int_eq(ip_group_leave(eth, &g), -EADDRNOTAVAIL);
  ck_assert_int_eq(ip_group_join(eth, &g6), 0);
  virtual_ms(2);
  ck_assert_int_eq(reports(0, 143, 4), 1);
  ck_assert_int_eq(ip_group_join(eth, &g), 0);
  virtual_ms(2);
  forget_sent();
  uint8_t q[8] = {0x11, 1}; /* a query of version 2: answered as such */
  uint16_t c = csum_fold(csum_add(0, q, 8));
  memcpy(q + 2, &c, 2);
  rx_to((uint8_t[]){1, 0, 0x5e, 0, 0, 1}, ETH_P_IP, b, make4(b, "192.0.2.9", "224.0.0.1", 2, 1, 0, q, 8));
  virtual_ms(130);
  ck_assert_int_ge(reports(0, 0x16, -1), 1);
  for (int i = 0; i < 2000; i++) {
    char s[30];
    snprintf(s, sizeof s, "239.2.%d.%d", i / 250, i % 250);
    struct in6_addr a = ip(s);
    c = (uint16_t)-ip_group_join(eth, &a);
  }
  ck_assert_int_eq(c, ENOBUFS);
}
END_TEST

RUN("ip_neigh", arp_asks, arp_answers, nobody_answers, bounded, nd_both_ways, duplicate_addresses, groups)
