/* Bridges and packet filters without netlink or guests: learning, ageing, flooding, bounds, devices that come and go.
 */
#include "../../core/bpf_classic.h"
#include "../../net/bridge.h"
#include "../../net/sock_filter.h"
#include "../../net/stack.h"
#include "proc_util.h"
#include <check.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 4

static struct kernel *k;
static struct net_namespace *ns;
static struct loop *loop;
static struct netdev *br, *port[PORTS];
static unsigned sent[PORTS];

static int count_xmit(struct netdev *d, struct pbuf *p) {
  for (int i = 0; i < PORTS; i++)
    sent[i] += d == port[i];
  pbuf_free(p);
  return 0;
}
static const struct netdev_ops count_ops = {.kind = "count", .xmit = count_xmit};

static struct netdev *make(const char *kind, const char *name) {
  const struct nlattr *tb[IFLA_MAX + 1] = {NULL};
  struct netdev_newlink n = {.ns = ns, .req_ns = ns, .name = name, .tb = tb};
  struct netdev *d;
  ck_assert_int_eq(netdev_kind_find(kind)->newlink(&n, &d), 0);
  netdev_put(d);
  return d;
}

static void setup(void) {
  struct task *init;
  loop = loop_new();
  ck_assert_ptr_nonnull(loop);
  k = util_kernel(&init);
  ck_assert_int_eq(net_boot(k), 0);
  ns = k->init_nsproxy->net;
  br = make("bridge", "br0");
  for (int i = 0; i < PORTS; i++) {
    ck_assert_int_eq(netdev_new(ns, "p%d", &count_ops, NULL, &port[i]), 0);
    netdev_ether_init(port[i], (uint8_t[6]){2, 0, 0, 0, 1, (uint8_t)(PORTS - i)});
    netdev_list(port[i]);
    netdev_put(port[i]);
    ck_assert_int_eq(bridge_add_port(br, port[i], NULL), 0);
    netdev_set_flags(port[i], IFF_UP, IFF_UP);
    netdev_carrier(port[i], true);
    sent[i] = 0;
  }
  netdev_set_flags(br, IFF_UP, IFF_UP);
  memset(sent, 0, sizeof sent); /* router solicitations and the like */
}
static void teardown(void) {
  net_shutdown(k);
  loop_free(loop);
}

static void frame(int from, uint64_t dst, uint64_t src) {
  struct pbuf *p = pbuf_new(60);
  uint8_t *h = pbuf_put(p, 60);
  memset(h, 0, 60);
  for (int i = 0; i < 6; i++) {
    h[i] = (uint8_t)(dst >> (40 - 8 * i));
    h[6 + i] = (uint8_t)(src >> (40 - 8 * i));
  }
  h[12] = 0x88, h[13] = 0xb5;
  netdev_rx(port[from], p);
}
static void expect(unsigned a, unsigned b, unsigned c, unsigned d) {
  ck_assert_uint_eq(sent[0], a);
  ck_assert_uint_eq(sent[1], b);
  ck_assert_uint_eq(sent[2], c);
  ck_assert_uint_eq(sent[3], d);
  memset(sent, 0, sizeof sent);
}

#define A 0x020000000a01ull
#define B 0x020000000b01ull

START_TEST(learns) {
  struct bridge *b = br->priv;
  unsigned before = b->nfdb;
  frame(0, A, B);
  expect(0, 1, 1, 1);
  frame(1, B, A);
  expect(1, 0, 0, 0);
  frame(2, 0xffffffffffff, 0x020000000c01);
  expect(1, 1, 0, 1);
  frame(3, 0x0180c2000002, 0x020000000d01); /* stays on its link */
  expect(0, 0, 0, 0);
  frame(3, A, 0x0300000000ff); /* from a group: nobody sends that */
  expect(0, 0, 0, 0);
  frame(1, A, B); /* B moved to A's port: what is for A is there already */
  expect(0, 0, 0, 0);
  ck_assert_uint_eq(b->nfdb, before + 4);
  struct bridge_port *p = port[1]->port;
  p->hairpin = true;
  frame(1, A, B);
  expect(0, 1, 0, 0);
  frame(2, 0x020000000101ull, A); /* port 3's own address: for the bridge */
  expect(0, 0, 0, 0);
}
END_TEST

START_TEST(isolates_and_blocks) {
  struct bridge_port *p0 = port[0]->port, *p1 = port[1]->port;
  p0->isolated = p1->isolated = true;
  frame(0, 0xffffffffffff, B);
  expect(0, 0, 1, 1);
  frame(2, 0xffffffffffff, A);
  expect(1, 1, 0, 1);
  p1->state = BR_STATE_BLOCKING;
  frame(1, 0xffffffffffff, 0x020000000c01);
  expect(0, 0, 0, 0);
  ck_assert_ptr_null(bridge_fdb_find_borrow(br->priv, (uint8_t[]){2, 0, 0, 0, 0xc, 1}));
  netdev_carrier(port[0], false);
  frame(0, 0xffffffffffff, 0x020000000c01);
  expect(0, 0, 0, 0);
  ck_assert_ptr_null(bridge_fdb_find_borrow(br->priv, (uint8_t[]){2, 0, 0, 0, 0xb, 1}));
}
END_TEST

START_TEST(is_bounded) {
  struct bridge *b = br->priv;
  for (uint64_t i = 0; i < 3 * BRIDGE_FDB; i++)
    frame((int)(i % PORTS), A, 0x020000000000ull + i * 7919);
  ck_assert_uint_eq(b->nfdb, BRIDGE_FDB);
  ck_assert_int_eq(bridge_fdb_add(b, port[0]->port, (uint8_t[]){2, 9, 9, 9, 9, 9}, false, true, false), -ENOSPC);
  b->ageing = 1; /* all is old */
  ck_assert_ptr_null(bridge_fdb_find_borrow(b, (uint8_t[]){2, 0, 0, 0, 0, 0}));
  b->gc.fn(&b->gc);
  ck_assert_uint_eq(b->nfdb, PORTS); /* our own stations: the bridge has a port's address */
  bridge_fdb_flush(b, NULL, true);
  ck_assert_uint_eq(b->nfdb, 0);
  unsigned i = 0; /* local ones too, which rtnetlink takes */
  while (!bridge_fdb_add(b, port[0]->port, (uint8_t[]){2, 8, 8, 0, (uint8_t)(i >> 8), (uint8_t)i}, true, true, false))
    ck_assert_uint_lt(++i, 2 * BRIDGE_FDB);
  ck_assert_uint_eq(b->nfdb, BRIDGE_FDB + BRIDGE_LOCAL);
}
END_TEST

START_TEST(ports_come_and_go) {
  struct bridge *b = br->priv;
  ck_assert_int_eq(memcmp(br->addr, port[PORTS - 1]->addr, 6), 0); /* the smallest */
  ck_assert_int_eq(bridge_add_port(br, port[0], NULL), -EBUSY);
  ck_assert_int_eq(bridge_add_port(br, net_stack_of(ns)->lo, NULL), -EINVAL);
  ck_assert_int_eq(netdev_move(br, ns), 0);
  frame(0, A, B);
  ck_assert_int_eq(netdev_set_addr(br, port[0]->addr),
                   0); /* chosen: it stays, and is the bridge's when the port goes */
  uint64_t mine = 0x020000000100ull + PORTS, got = br->stats.rx_packets;
  ck_assert_int_eq(bridge_del_port(br, port[0]), 0);
  frame(1, mine, B);
  ck_assert_uint_eq(br->stats.rx_packets, got + 1);
  ((struct bridge *)br->priv)->addr_set = false;
  ck_assert_int_eq(bridge_add_port(br, port[0], NULL), 0);
  netdev_unlist(port[PORTS - 1]);
  ck_assert_uint_eq(b->nports, PORTS - 1);
  ck_assert_int_eq(memcmp(br->addr, port[PORTS - 2]->addr, 6), 0);
  ck_assert_int_eq(netdev_set_mtu(port[0], 1300), 0);
  ck_assert_uint_eq(br->mtu, 1300);
  ck_assert_int_eq(bridge_del_port(br, port[0]), 0);
  ck_assert_uint_eq(br->mtu, 1500);
  ck_assert_ptr_null(port[0]->port);
  ck_assert_int_eq(bridge_del_port(br, port[0]), -EINVAL);
  netdev_unlist(br);
  ck_assert_ptr_null(port[1]->master);
  ck_assert_int_eq(port[1]->promiscuity, 0);
  frame(1, A, B);
}
END_TEST

START_TEST(pairs) {
  struct netdev *v = make("veth", "v0"), *w = v->peer;
  netdev_set_flags(v, IFF_UP, IFF_UP);
  ck_assert(!(v->flags & IFF_LOWER_UP));
  netdev_set_flags(w, IFF_UP, IFF_UP);
  ck_assert(v->flags & IFF_LOWER_UP && w->flags & IFF_LOWER_UP);
  net_rx_end(k);
  uint64_t before = w->stats.rx_packets;
  for (int i = 0; i < NETDEV_BACKLOG + 10; i++) {
    struct pbuf *p = pbuf_new(60);
    memset(pbuf_put(p, 60), 2, 60);
    netdev_xmit(v, p);
  }
  ck_assert_uint_eq(w->stats.rx_packets, before);
  while (net_rx_end(k)) /* a turn has its budget */
    ;
  ck_assert_uint_eq(w->stats.rx_packets, before + NETDEV_BACKLOG);
  ck_assert_uint_eq(w->stats.rx_dropped, 10);
  netdev_set_mtu(w, 100);
  struct pbuf *p = pbuf_new(1000);
  memset(pbuf_put(p, 1000), 2, 1000);
  uint64_t dropped = v->stats.tx_dropped;
  ck_assert_int_eq(netdev_xmit(v, p), 0);
  ck_assert_uint_eq(v->stats.tx_dropped, dropped + 1);
  netdev_get(w);
  netdev_unlist(v);
  ck_assert_ptr_null(w->ns);
  ck_assert_ptr_null(w->peer);
  netdev_put(w);
}
END_TEST

/* ---- filters over packets in pieces ---- */

struct prog { /* as net/sock_filter.c keeps it; made here without guest memory */
  ref_t ref;
  unsigned len;
  struct sock_filter insns[3];
};

START_TEST(filters_fragments) {
  struct pbuf *p = pbuf_new(20);
  uint8_t *h = pbuf_put(p, 20);
  for (int i = 0; i < 20; i++)
    h[i] = (uint8_t)i;
  for (int f = 0; f < 5; f++) {
    struct pstore *s = pstore_new(7);
    for (int i = 0; i < 7; i++)
      s->bytes[i] = (uint8_t)(20 + 7 * f + i);
    ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes, 7), 0);
    pstore_put(s);
  }
  p->net = p->data + 4;
  p->mac = p->data;
  for (uint32_t base = 0; base <= p->len; base++)
    for (int off = -2; off < 60; off++)
      for (unsigned size = 0; size < 3; size++) {
        static const uint16_t sizes[] = {BPF_B, BPF_H, BPF_W};
        struct prog f = {
            .len = 2, .insns = {BPF_STMT(BPF_LD | BPF_ABS | sizes[size], (uint32_t)off), BPF_STMT(BPF_RET | BPF_A, 0)}};
        uint32_t n = 1u << size, want = 0;
        if (off < 0 || base + (uint32_t)off + n <= p->len)
          for (uint32_t i = 0; off >= 0 && i < n; i++)
            want = want << 8 | (base + (uint32_t)off + i);
        ck_assert_uint_eq(sock_filter_run((const struct sock_filter_prog *)&f, p, base), want);
      }
  for (int off = 0; off < 30; off++) {
    struct prog f = {
        .len = 2,
        .insns = {BPF_STMT(BPF_LD | BPF_ABS | BPF_B, (uint32_t)(SKF_NET_OFF + off)), BPF_STMT(BPF_RET | BPF_A, 0)}};
    uint32_t want = off + 4 < 20 ? (uint32_t)off + 4 : 0;
    ck_assert_uint_eq(sock_filter_run((const struct sock_filter_prog *)&f, p, 10), want);
  }
  pbuf_free(p);
}
END_TEST

int main(void) {
  Suite *s = suite_create("bridge");
  TCase *t = tcase_create("bridge");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, learns);
  tcase_add_test(t, isolates_and_blocks);
  tcase_add_test(t, is_bounded);
  tcase_add_test(t, ports_come_and_go);
  tcase_add_test(t, pairs);
  tcase_add_test(t, filters_fragments);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
