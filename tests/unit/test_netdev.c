/* Devices, lo, framing, and segmentation against plain arithmetic. */
#include "../../net/stack.h"
#include "proc_util.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct kernel *k;
static struct net_namespace *ns;
static struct loop *loop; /* the protocols on top arm timers */

static void setup(void) {
  struct task *init;
  loop = loop_new();
  ck_assert_ptr_nonnull(loop);
  k = util_kernel(&init);
  ck_assert_int_eq(net_boot(k), 0);
  ns = k->init_nsproxy->net;
}
static void teardown(void) {
  net_shutdown(k);
  loop_free(loop);
}

/* ---- a device that keeps what it was given ---- */

static struct pbuf_queue sent = STAILQ_HEAD_INITIALIZER(sent);
static int flushed;
static int keep_xmit(struct netdev *d, struct pbuf *p) {
  STAILQ_INSERT_TAIL(&sent, p, link);
  netdev_flush_later(d);
  return 0;
}
static void keep_flush(struct netdev *d) {
  flushed++;
}
static const struct netdev_ops keep_ops = {.kind = "keep", .xmit = keep_xmit, .flush = keep_flush};

static struct netdev *keeper(unsigned features) {
  struct netdev *d;
  ck_assert_int_eq(netdev_new(ns, "keep%d", &keep_ops, NULL, &d), 0);
  netdev_ether_init(d, NULL);
  d->features = features;
  netdev_list(d);
  ck_assert_int_eq(netdev_set_flags(d, IFF_UP, IFF_UP), 0);
  netdev_put(d);
  return d;
}

static uint16_t sum16(const uint8_t *b, size_t n, uint32_t s) { /* byte by byte; not inverted */
  for (size_t i = 0; i < n; i++)
    s += i & 1 ? b[i] : b[i] << 8;
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return (uint16_t)s;
}

/* A TCP or UDP packet with an Ethernet header, n payload bytes in several fragments, PARTIAL. */
static struct pbuf *large(bool v6, bool tcp, uint32_t n, uint16_t size) {
  uint32_t ip = v6 ? 40 : 20, l4 = tcp ? 32 : 8;
  struct pbuf *p = pbuf_new(14 + ip + l4);
  uint8_t *h = pbuf_put(p, 14 + ip + l4);
  for (uint32_t i = 0; i < 14 + ip + l4; i++)
    h[i] = (uint8_t)(i * 37);
  h[12] = v6 ? 0x86 : 8, h[13] = v6 ? 0xdd : 0;
  uint8_t *l3 = h + 14, *t = l3 + ip;
  l3[0] = v6 ? 0x60 : 0x45;
  uint32_t len = l4 + n, total = v6 ? len : len + ip;
  l3[v6 ? 4 : 2] = (uint8_t)(total >> 8), l3[v6 ? 5 : 3] = (uint8_t)total;
  l3[v6 ? 6 : 9] = tcp ? 6 : 17;
  uint16_t pseudo = sum16(l3 + (v6 ? 8 : 12), v6 ? 32 : 8, (tcp ? 6 : 17) + len);
  if (tcp)
    t[12] = 0x80, t[13] = 0x80 | 0x18 | 1;
  uint8_t *c = t + (tcp ? 16 : 6);
  c[0] = (uint8_t)(pseudo >> 8), c[1] = (uint8_t)pseudo;
  for (uint32_t off = 0; off < n;) {
    uint32_t part = p->nfrags == PBUF_FRAGS - 1 ? n - off : 1 + (uint32_t)rand() % (n - off);
    struct pstore *s = pstore_new(part + 1);
    for (uint32_t i = 0; i < part; i++)
      s->bytes[i] = (uint8_t)((off + i) * 7 + (off + i) / 251);
    ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes, part), 0);
    pstore_put(s);
    off += part;
  }
  p->csum = PB_CSUM_PARTIAL;
  p->csum_start = (uint16_t)(14 + ip);
  p->csum_offset = tcp ? 16 : 6;
  p->gso = tcp ? (v6 ? PB_GSO_TCP6 : PB_GSO_TCP4) : PB_GSO_UDP;
  p->gso_size = size;
  return p;
}

static void check_segments(struct netdev *d, bool v6, bool tcp, uint32_t n, uint16_t size) {
  static uint8_t f[70000];
  uint32_t ip = v6 ? 40 : 20, l4 = tcp ? 32 : 8, hdr = 14 + ip + l4, off = 0, i = 0, seq0 = 0;
  uint8_t first[200];
  struct pbuf *p = large(v6, tcp, n, size);
  pbuf_copy_out(p, 0, first, hdr);
  memcpy(&seq0, first + 14 + ip + 4, 4);
  ck_assert_int_eq(netdev_xmit(d, p), 0);
  for (struct pbuf *s; (s = STAILQ_FIRST(&sent)); i++) {
    STAILQ_REMOVE_HEAD(&sent, link);
    uint32_t here = n - off < size ? n - off : size, seq;
    ck_assert_uint_eq(s->len, hdr + here);
    ck_assert_int_eq(s->csum, PB_CSUM_NONE);
    pbuf_copy_out(s, 0, f, s->len);
    uint8_t *l3 = f + 14, *t = l3 + ip;
    ck_assert_uint_eq(l3[v6 ? 4 : 2] << 8 | l3[v6 ? 5 : 3], l4 + here + (v6 ? 0 : ip));
    if (!v6) {
      ck_assert_uint_eq(sum16(l3, 20, 0), 0xffff);
      ck_assert_uint_eq((uint16_t)(l3[4] << 8 | l3[5]), (uint16_t)((first[18] << 8 | first[19]) + i));
    }
    ck_assert_uint_eq(sum16(t, l4 + here, sum16(l3 + (v6 ? 8 : 12), v6 ? 32 : 8, (tcp ? 6 : 17) + l4 + here)), 0xffff);
    if (tcp) {
      memcpy(&seq, t + 4, 4);
      ck_assert_uint_eq(ntohl(seq), ntohl(seq0) + off);
      ck_assert_uint_eq(t[13], 0x10 | (off ? 0 : 0x80) | (off + here == n ? 9 : 0));
    } else {
      ck_assert_uint_eq(t[4] << 8 | t[5], 8 + here);
    }
    uint32_t same = 0;
    while (same < here && f[hdr + same] == (uint8_t)((off + same) * 7 + (off + same) / 251))
      same++;
    ck_assert_uint_eq(same, here);
    off += here;
    pbuf_free(s);
  }
  ck_assert_uint_eq(off, n);
}

START_TEST(segments) {
  struct netdev *d = keeper(0);
  for (int round = 0; round < 200; round++)
    check_segments(d, round & 1, round & 2, 1 + (uint32_t)rand() % 60000,
                   (uint16_t)(1 + (uint32_t)rand() % 9000 + 100));
  check_segments(d, false, true, 65000, 1448);
}
END_TEST

START_TEST(hostile_segments) {
  struct netdev *d = keeper(0);
  for (int round = 0; round < 4000; round++) {
    struct pbuf *p = large(round & 1, round & 2, 1 + (uint32_t)rand() % 3000, (uint16_t)(rand() % 1500));
    uint32_t hits = 1 + (uint32_t)rand() % 4;
    while (hits--)
      p->data[14 + (uint32_t)rand() % 60 % (p->linear - 14)] = (uint8_t)rand();
    if (rand() % 4 == 0)
      p->csum_start = (uint16_t)rand();
    if (rand() % 4 == 0)
      pbuf_trim(p, (uint32_t)rand() % p->len);
    netdev_xmit(d, p);
    pbuf_queue_free(&sent);
    STAILQ_INIT(&sent);
  }
}
END_TEST

/* ---- lo, names, batches ---- */

START_TEST(loopback) {
  struct netdev *lo = netdev_by_name_borrow(ns, "lo");
  ck_assert_int_eq(lo->ifindex, 1);
  ck_assert_uint_eq(lo->flags, IFF_LOOPBACK | IFF_UP | IFF_RUNNING | IFF_LOWER_UP);
  uint8_t zero[6] = {0};
  for (int i = 0; i < NETDEV_BACKLOG + 10; i++) {
    struct pbuf *p = pbuf_new(100);
    pbuf_put(p, 100);
    ck_assert_int_eq(ether_output(lo, p, zero, 0x88b5), 0);
  }
  ck_assert_uint_eq(lo->stats.rx_packets, 0);
  ck_assert_uint_eq(lo->stats.rx_dropped, 10);
  ck_assert(net_rx_end(k));
  ck_assert_uint_lt(lo->stats.rx_packets, NETDEV_BACKLOG); /* a turn has its budget */
  while (net_rx_end(k))
    ;
  ck_assert_uint_eq(lo->stats.rx_packets, NETDEV_BACKLOG);
  ck_assert_uint_eq(lo->stats.rx_nohandler, NETDEV_BACKLOG);
  ck_assert_uint_eq(lo->stats.rx_bytes, 100 * NETDEV_BACKLOG); /* without the header, as Linux's lo */
  ck_assert(!net_rx_end(k));
  struct pbuf *p = pbuf_new(10);
  pbuf_put(p, 10);
  netdev_set_flags(lo, 0, IFF_UP);
  ck_assert_int_eq(ether_output(lo, p, zero, 0x88b5), -ENETDOWN);
}
END_TEST

START_TEST(names) {
  struct netdev *d, *a = keeper(0), *b = keeper(0);
  ck_assert_str_eq(a->name, "keep0");
  ck_assert_str_eq(b->name, "keep1");
  ck_assert_int_eq(netdev_new(ns, "keep1", &keep_ops, NULL, &d), -EEXIST);
  ck_assert_int_eq(netdev_new(ns, "a/b", &keep_ops, NULL, &d), -EINVAL);
  ck_assert_int_eq(netdev_new(ns, "%s", &keep_ops, NULL, &d), -EINVAL);
  ck_assert_int_eq(netdev_new(ns, "", &keep_ops, NULL, &d), -EINVAL);
  ck_assert_int_eq(netdev_new(ns, "0123456789012345", &keep_ops, NULL, &d), -EINVAL);
  ck_assert_int_eq(netdev_new_at(ns, "x", a->ifindex, &keep_ops, NULL, &d), -EBUSY);
  ck_assert_int_eq(netdev_rename(a, "keep1"), -EEXIST);
  ck_assert_int_eq(netdev_rename(a, "eth0"), 0);
  ck_assert_ptr_eq(netdev_by_name_borrow(ns, "eth0"), a);
  netdev_unlist(a);
  ck_assert_ptr_null(netdev_by_name_borrow(ns, "eth0"));
}
END_TEST

START_TEST(batches_and_endings) {
  struct netdev *d = keeper(NETDEV_CSUM);
  struct pbuf *p = pbuf_new(1600);
  pbuf_put(p, 1600);
  ck_assert_int_eq(netdev_xmit(d, p), -EMSGSIZE);
  for (int i = 0; i < 3; i++) {
    p = pbuf_new(60);
    pbuf_put(p, 60);
    ck_assert_int_eq(netdev_xmit(d, p), 0);
  }
  flushed = 0;
  net_rx_end(k);
  ck_assert_int_eq(flushed, 1);
  pbuf_queue_free(&sent);
  STAILQ_INIT(&sent);
  /* A device that ends with packets to come and a flush due. */
  for (int i = 0; i < 3; i++) {
    p = pbuf_new(60);
    pbuf_put(p, 60);
    netdev_backlog(i == 1 ? d : net_stack_of(ns)->lo, p);
  }
  netdev_flush_later(d);
  netdev_unlist(d);
  net_rx_end(k);
  ck_assert_int_eq(flushed, 1);
  ck_assert_uint_eq(net_stack_of(ns)->lo->stats.rx_packets, 2);
}
END_TEST

START_TEST(random_frames) {
  struct netdev *d = keeper(0);
  for (int i = 0; i < 2000; i++) {
    uint32_t n = (uint32_t)rand() % 80;
    struct pbuf *p = pbuf_new(n);
    uint8_t *b = pbuf_put(p, n);
    for (uint32_t j = 0; j < n; j++)
      b[j] = (uint8_t)rand();
    netdev_rx(d, p);
  }
  ck_assert_uint_eq(d->stats.rx_packets, 2000);
}
END_TEST

int main(void) {
  Suite *s = suite_create("netdev");
  TCase *t = tcase_create("netdev");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, segments);
  tcase_add_test(t, hostile_segments);
  tcase_add_test(t, loopback);
  tcase_add_test(t, names);
  tcase_add_test(t, batches_and_endings);
  tcase_add_test(t, random_frames);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int bad = srunner_ntests_failed(r);
  srunner_free(r);
  return bad != 0;
}
