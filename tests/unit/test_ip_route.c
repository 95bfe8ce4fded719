/* Addresses, the routes they bring, and which way packets go. */
#include "ip_util.h"

static int out(const char *src, const char *dst, int oif, struct ip_route *r) {
  struct ip_flow f = {.dst = ip(dst), .oif = oif, .ttl = -1};
  if (src)
    f.src = ip(src);
  return ip_route_output(ns, &f, r);
}
#define SAME(a, s)                                                                                                     \
  do {                                                                                                                 \
    struct in6_addr x_ = ip(s), y_ = (a);                                                                              \
    ck_assert_mem_eq(&y_, &x_, 16);                                                                                    \
  } while (0)

START_TEST(ways) {
  struct ip_route r;
  ck_assert_int_eq(out(NULL, "127.0.0.1", 0, &r), 0);
  ck_assert_int_eq(r.type, RTN_LOCAL);
  SAME(r.src, "127.0.0.1");
  ck_assert_int_eq(out(NULL, "127.3.2.1", 0, &r), 0);
  SAME(r.src, "127.0.0.1");
  ck_assert_int_eq(out(NULL, "192.0.2.1", 0, &r), 0);
  ck_assert_ptr_eq(r.dev, net_stack_of(ns)->lo);
  SAME(r.src, "192.0.2.1");
  ck_assert_int_eq(out(NULL, "0.0.0.0", 0, &r), 0);
  ck_assert_int_eq(r.type, RTN_LOCAL);
  SAME(r.src, "127.0.0.1");
  ck_assert_int_eq(out(NULL, "192.0.2.77", 0, &r), 0);
  ck_assert_int_eq(r.type, RTN_UNICAST);
  ck_assert_ptr_eq(r.dev, eth);
  SAME(r.src, "192.0.2.1");
  SAME(r.gateway, "192.0.2.77");
  ck_assert_uint_eq(r.mtu, 1500);
  ck_assert_uint_eq(r.advmss, 1460);
  ck_assert_int_eq(out(NULL, "192.0.2.255", 0, &r), -EACCES);
  ck_assert_int_eq(out(NULL, "255.255.255.255", 0, &r), -ENETUNREACH);
  ck_assert_int_eq(out(NULL, "198.51.100.1", 0, &r), -ENETUNREACH);
  ck_assert_int_eq(out("192.0.2.9", "192.0.2.77", 0, &r), -ENETUNREACH); /* not ours */
  ck_assert_int_eq(out("127.0.0.1", "192.0.2.77", 0, &r), -EINVAL);
  ck_assert_int_eq(out(NULL, "198.51.100.1", eth->ifindex, &r), 0); /* as if on the link */
  SAME(r.gateway, "198.51.100.1");
  ck_assert_int_eq(add_route("0.0.0.0", 0, "192.0.2.254", 0, 0, NLM_F_CREATE | NLM_F_EXCL), 0);
  ck_assert_int_eq(out(NULL, "198.51.100.1", 0, &r), 0);
  SAME(r.gateway, "192.0.2.254");
  ck_assert_uint_eq(r.gen, ip_route_gen(ns));
  ck_assert_int_eq(out(NULL, "224.1.2.3", 0, &r), 0);
  ck_assert_int_eq(r.type, RTN_MULTICAST);
  SAME(r.gateway, "192.0.2.254");
}
END_TEST

START_TEST(ways6) {
  struct ip_route r;
  ck_assert_int_eq(out(NULL, "::1", 0, &r), 0);
  ck_assert_int_eq(r.type, RTN_LOCAL);
  SAME(r.src, "::1");
  ck_assert_int_eq(out(NULL, "2001:db8::5", 0, &r), 0);
  SAME(r.src, "2001:db8::1");
  ck_assert_uint_eq(r.advmss, 1440);
  ck_assert_int_eq(out(NULL, "fe80::5", eth->ifindex, &r), 0);
  SAME(r.src, "fe80::1");
  ck_assert_int_eq(out(NULL, "2001:db8:1::5", 0, &r), -ENETUNREACH);
  ck_assert_int_eq(add_route("::", 0, "fe80::99", eth->ifindex, 0, NLM_F_CREATE), 0);
  ck_assert_int_eq(out(NULL, "2001:db8:1::5", 0, &r), 0);
  SAME(r.gateway, "fe80::99");
  SAME(r.src, "2001:db8::1");
  ck_assert_int_eq(out(NULL, "ff02::1", eth->ifindex, &r), 0);
  ck_assert_int_eq(r.type, RTN_MULTICAST);
  SAME(r.src, "fe80::1");
  ck_assert_int_eq(out(NULL, "ff02::1", 0, &r), 0);
  ck_assert_ptr_eq(r.dev, eth);
  ck_assert_int_eq(out("2001:db8::2", "2001:db8::5", 0, &r), -EINVAL);
  ck_assert_int_eq(add_addr(eth, "fd00::1", 64), 0); /* RFC 6724 rules 6 and 8 */
  ck_assert_int_eq(out(NULL, "fd01::1", 0, &r), 0);
  SAME(r.src, "fd00::1");
  ck_assert_int_eq(add_addr(eth, "2001:db8:1::1", 128), 0);
  ck_assert_int_eq(out(NULL, "2001:db8:1::5", 0, &r), 0);
  SAME(r.src, "2001:db8:1::1");
}
END_TEST

START_TEST(longest_prefix) { /* against a plain list */
  struct ip_rt_entry have[200];
  struct ip_route r;
  int nhave = 0;
  srand(1);
  for (int i = 0; i < 200; i++) {
    unsigned prefix = 9 + (unsigned)rand() % 24;
    uint32_t a = 0x0a000000u | ((uint32_t)rand() & 0x3f3f3f);
    a &= prefix == 32 ? ~0u : ~(~0u >> prefix);
    char gw[20];
    struct ip_rt_entry e = {.dst = ip_from4(htonl(a)), .prefix = (uint8_t)prefix, .oif = eth->ifindex};
    snprintf(gw, sizeof gw, "192.0.2.%d", 2 + i % 250);
    e.gateway = ip(gw);
    if (!ip_route_add(ns, &e, NLM_F_CREATE | NLM_F_EXCL))
      have[nhave++] = e;
  }
  ck_assert_int_gt(nhave, 150);
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < 5000; i++) {
      uint32_t a = 0x0a000000u | ((uint32_t)rand() & 0x3f3f3f);
      int best = -1;
      for (int j = 0; j < nhave; j++) {
        uint32_t m = have[j].prefix == 32 ? ~0u : ~(~0u >> have[j].prefix);
        if ((a & m) == ntohl(ip_get4(&have[j].dst)) && (best < 0 || have[j].prefix > have[best].prefix))
          best = j;
      }
      struct ip_flow f = {.dst = ip_from4(htonl(a))};
      int rc = ip_route_output(ns, &f, &r);
      ck_assert_int_eq(rc, best < 0 ? -ENETUNREACH : 0);
      if (best >= 0)
        ck_assert_mem_eq(&r.gateway, &have[best].gateway, 16);
    }
    for (int j = 0; j < nhave; j += 2) {
      ck_assert_int_eq(ip_route_del(ns, &have[j]), 0);
      ck_assert_int_eq(ip_route_del(ns, &have[j]), -ESRCH);
      have[j] = have[--nhave];
    }
  }
}
END_TEST

START_TEST(flags_and_errors) {
  int i = eth->ifindex;
  struct ip_route r;
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.2", 0, 0, 0), -ENOENT);
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.2", 0, 0, NLM_F_CREATE | NLM_F_EXCL), 0);
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.3", 0, 0, NLM_F_CREATE | NLM_F_EXCL), -EEXIST);
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.2", 0, 0, NLM_F_CREATE | NLM_F_APPEND), -EEXIST);
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.3", 0, 0, NLM_F_CREATE | NLM_F_APPEND), 0);
  ck_assert_int_eq(out(NULL, "10.1.1.1", 0, &r), 0);
  SAME(r.gateway, "192.0.2.2");
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.4", 0, 0, NLM_F_CREATE | NLM_F_REPLACE), 0);
  ck_assert_int_eq(out(NULL, "10.1.1.1", 0, &r), 0);
  SAME(r.gateway, "192.0.2.4");
  ck_assert_int_eq(add_route("10.0.0.0", 8, "192.0.2.5", 0, 5, NLM_F_CREATE | NLM_F_EXCL), 0); /* a worse metric */
  ck_assert_int_eq(out(NULL, "10.1.1.1", 0, &r), 0);
  SAME(r.gateway, "192.0.2.4");
  ck_assert_int_eq(add_route("10.0.0.1", 8, NULL, i, 0, NLM_F_CREATE), -EINVAL);
  ck_assert_int_eq(add_route("10.0.0.0", 33, NULL, i, 0, NLM_F_CREATE), -EINVAL);
  ck_assert_int_eq(add_route("11.0.0.0", 8, "198.51.100.1", 0, 0, NLM_F_CREATE), -ENETUNREACH);
  ck_assert_int_eq(add_route("11.0.0.0", 8, "192.0.2.1", 0, 0, NLM_F_CREATE), -EINVAL);
  ck_assert_int_eq(add_route("11.0.0.0", 8, NULL, 99, 0, NLM_F_CREATE), -ENODEV);
  static const struct {
    uint8_t type;
    int err;
  } reject[] = {
      {RTN_BLACKHOLE, -EINVAL}, {RTN_UNREACHABLE, -EHOSTUNREACH}, {RTN_PROHIBIT, -EACCES}, {RTN_THROW, -ENETUNREACH}};
  for (int j = 0; j < 4; j++) {
    struct ip_rt_entry e = {.dst = ip("12.0.0.0"), .prefix = 8, .type = reject[j].type};
    ck_assert_int_eq(ip_route_add(ns, &e, NLM_F_CREATE), 0);
    ck_assert_int_eq(out(NULL, "12.1.1.1", 0, &r), reject[j].err);
    ck_assert_int_eq(ip_route_del(ns, &e), 0);
  }
  uint32_t gen = ip_route_gen(ns);
  ck_assert_int_eq(netdev_set_flags(eth, 0, IFF_UP), 0);
  ck_assert_uint_ne(gen, ip_route_gen(ns));
  ck_assert_int_eq(out(NULL, "10.1.1.1", 0, &r), -ENETUNREACH);
  ck_assert_int_eq(add_route("11.0.0.0", 8, NULL, i, 0, NLM_F_CREATE), -ENETDOWN);
}
END_TEST

static bool count(void *arg, struct netdev *d, const struct ip_ifaddr *a) {
  ++*(int *)arg;
  return true;
}
static bool count_rt(void *arg, const struct ip_rt_entry *e) {
  ++*(int *)arg;
  return true;
}
static int routes_now(int family) {
  int c = 0;
  ip_route_each(ns, family, count_rt, &c);
  return c;
}

START_TEST(addresses) {
  struct ip_ifaddr a = {.addr = ip("192.0.2.2"), .prefix = 24};
  int c = 0, r4 = routes_now(AF_INET), r6 = routes_now(AF_INET6);
  ck_assert_int_eq(add_addr(eth, "192.0.2.1", 24), -EEXIST);
  ck_assert_int_eq(add_addr(eth, "192.0.2.2", 33), -EINVAL);
  ck_assert_int_eq(add_addr(eth, "224.0.0.1", 24), -EINVAL);
  ck_assert_int_eq(add_addr(eth, "192.0.2.2", 24), 0); /* a secondary one: its local route only */
  ck_assert_int_eq(routes_now(AF_INET), r4 + 1);
  ck_assert(ip_is_local(ns, &a.addr, 0));
  ck_assert(ip_is_local(ns, &a.addr, eth->ifindex));
  ck_assert(ip_addr_find(eth->ip, &a.addr)->a.flags & IFA_F_SECONDARY);
  ck_assert_int_eq(ip_addr_del(eth, &a), 0);
  ck_assert_int_eq(ip_addr_del(eth, &a), -EADDRNOTAVAIL);
  ck_assert_int_eq(routes_now(AF_INET), r4);
  ck_assert_int_eq(add_addr(eth, "192.0.2.2", 24), 0);
  a.addr = ip("192.0.2.1");
  ck_assert_int_eq(ip_addr_del(eth, &a), 0); /* the other goes along */
  ip_addr_each(eth, count, &c);
  ck_assert_int_eq(c, 2);
  ck_assert_int_eq(routes_now(AF_INET), r4 - 3);
  a.addr = ip("2001:db8::1");
  a.prefix = 64;
  ck_assert_int_eq(add_addr(eth, "2001:db8::2", 64), 0);
  ck_assert_int_eq(ip_addr_del(eth, &a), 0);
  ck_assert_int_eq(routes_now(AF_INET6), r6); /* the network's stays, for the second one */
  for (int i = 0; i < IP_ADDRS_MAX + 10; i++) {
    char s[30];
    snprintf(s, sizeof s, "10.%d.%d.1", i / 250, i % 250);
    c = add_addr(eth, s, 24);
  }
  ck_assert_int_eq(c, -ENOBUFS);
  netdev_unlist(eth);
  ck_assert_int_eq(routes_now(AF_INET), 4 - 1); /* lo's: 127.0.0.1, its network, its broadcast address */
}
END_TEST

START_TEST(lifetimes) {
  struct ip_ifaddr a = {.addr = ip("10.9.0.1"), .prefix = 24, .valid_lft = 2, .preferred_lft = 1};
  ck_assert_int_eq(ip_addr_add(eth, &a), 0);
  struct ip_addr_node *x = ip_addr_find(eth->ip, &a.addr);
  ck_assert(!(x->a.flags & (IFA_F_PERMANENT | IFA_F_DEPRECATED)));
  x->a.changed -= NS_PER_S;
  ck_assert_int_gt(ip_addr_tick(eth->ip, loop_now()), 0);
  ck_assert(x->a.flags & IFA_F_DEPRECATED);
  x->a.changed -= NS_PER_S;
  ip_addr_tick(eth->ip, loop_now());
  ck_assert_ptr_null(ip_addr_find(eth->ip, &a.addr));
}
END_TEST

START_TEST(pmtu) {
  struct ip_route r;
  struct in6_addr to = ip("192.0.2.7"), to6 = ip("2001:db8::7");
  ck_assert(ip_pmtu_update(n, &to, 1400, 1500));
  ck_assert_int_eq(out(NULL, "192.0.2.7", 0, &r), 0);
  ck_assert_uint_eq(r.mtu, 1400);
  ck_assert(!ip_pmtu_update(n, &to, 1450, 1500)); /* it does not rise */
  ck_assert(!ip_pmtu_update(n, &to, 1300, 1000)); /* that packet would have fitted */
  ck_assert(ip_pmtu_update(n, &to, 100, 1400));
  ck_assert_uint_eq(ip_pmtu_get(n, &to), 552);
  ck_assert(ip_pmtu_update(n, &to6, 600, 0));
  ck_assert_uint_eq(ip_pmtu_get(n, &to6), 1280);
  for (int i = 0; i < PMTU_MAX + 50; i++) {
    struct in6_addr a = ip_from4(htonl(0xc0000200u + 2 + (unsigned)i % 250));
    ip_pmtu_update(n, &a, 1000 + (unsigned)i % 7, 1500);
  }
  ck_assert_uint_le(n->npmtu, PMTU_MAX);
  TAILQ_FIRST(&n->pmtu_lru)->expires = 0;
  struct in6_addr old = TAILQ_FIRST(&n->pmtu_lru)->dst;
  ck_assert_uint_eq(ip_pmtu_get(n, &old), 0);
}
END_TEST

RUN("ip_route", ways, ways6, longest_prefix, flags_and_errors, addresses, lifetimes, pmtu)
