/* Packet sockets over a veth pair in a network namespace of the test's own: framing, order, loss, speed. Needs root. */
#include "../../net/packet_io.h"
#include "../../net/stack.h"
#include "fiber_util.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

unsigned if_nametoindex(const char *name); /* <net/if.h> clashes with <linux/if.h> */

static struct netdev *dev;
static int peer = -1;
static uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static int packet_socket(const char *name) {
  int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), big = 8 << 20;
  setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one);
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
  struct sockaddr_ll a = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a)) {
    close(fd);
    return -1;
  }
  return fd;
}

/* False: this host does not let us. */
static bool setup(void) {
  if (unshare(CLONE_NEWNET) ||
      system("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null; ip link add vea type veth peer name veb && "
             "ip link set vea up arp off && ip link set veb up arp off"))
    return false;
  fib_setup();
  ck_assert_int_eq(net_boot(fib.k), 0);
  int fd = packet_socket("vea");
  peer = packet_socket("veb");
  ck_assert_int_ge(fd, 0);
  ck_assert_int_ge(peer, 0);
  struct packet_io_args a = {.fd = fd, .name = "eth0", .ifindex = 7, .mtu = 1500, .type = ARPHRD_ETHER};
  memcpy(a.addr, mac, 6);
  ck_assert_int_eq(packet_io_new(fib.k->init_nsproxy->net, &a, &dev), 0);
  ck_assert_int_eq(netdev_set_flags(dev, IFF_UP, IFF_UP), 0);
  return true;
}

static size_t frame(uint8_t *f, uint32_t payload, uint32_t number) { /* with its vnet header */
  struct virtio_net_hdr h = {0};
  memcpy(f, &h, sizeof h);
  memcpy(f + 10, mac, 6);
  memcpy(f + 16, "\x02\0\0\0\0\x02\x88\xb5", 8);
  memcpy(f + 24, &number, 4);
  memset(f + 28, (int)number, payload - 4);
  return 24 + payload;
}

static void pass(void *arg) {
  int *ms = arg;
  task_sleep(loop_now_exact() + (*ms ? *ms * 1000000ll : 20000));
}
static void spin(int ms) {
  fib_do(pass, &ms);
}

START_TEST(in_and_out) {
  static uint8_t f[70000];
  if (!setup())
    return;
  /* More frames in one turn than there are buffers: none is lost. */
  for (uint32_t i = 0; i < 300; i++) {
    size_t n = frame(f, 60 + i % 1400, i);
    ck_assert_int_eq(send(peer, f, n, 0), (ssize_t)n);
  }
  spin(100);
  ck_assert_uint_eq(dev->stats.rx_packets, 300);
  ck_assert_uint_eq(dev->stats.rx_nohandler, 300);
  ck_assert_uint_eq(loop_buffers_free(fib.loop), 32);
  /* Out: order and bytes. */
  for (uint32_t i = 0; i < 200; i++) {
    struct pbuf *p = pbuf_new(100 + i);
    memset(pbuf_put(p, 100 + i), (int)i, 100 + i);
    ck_assert_int_eq(ether_output(dev, p, (uint8_t *)"\x02\0\0\0\0\x02", 0x88b5), 0);
  }
  net_rx_end(fib.k);
  for (uint32_t i = 0; i < 200; i++) {
    ck_assert_int_eq(recv(peer, f, sizeof f, MSG_DONTWAIT), 24 + 100 + i);
    ck_assert_uint_eq(f[24], (uint8_t)i);
    ck_assert_uint_eq(f[123 + i], (uint8_t)i);
  }
  ck_assert_uint_eq(dev->stats.tx_packets, 200);
}
END_TEST

START_TEST(link_down) {
  static uint8_t f[2000];
  if (!setup())
    return;
  ck_assert_int_eq(system("ip link set vea down"), 0);
  spin(20);
  ck_assert(!(dev->flags & IFF_RUNNING));
  ck_assert_int_eq(system("ip link set vea up"), 0);
  for (uint32_t i = 0; i < 3; i++)
    ck_assert_int_gt(send(peer, f, frame(f, 100, i), 0), 0);
  spin(50);
  ck_assert_uint_eq(dev->stats.rx_packets, 3);
  ck_assert(dev->flags & IFF_RUNNING);
}
END_TEST

START_TEST(queue_is_bounded) {
  if (!setup())
    return;
  int lost = 0;
  for (int i = 0; i < 1200; i++) {
    struct pbuf *p = pbuf_new(100);
    pbuf_put(p, 100);
    lost += ether_output(dev, p, mac, 0x88b5) == -ENOBUFS;
  }
  ck_assert_int_eq(lost, 200);
  ck_assert_uint_eq(dev->stats.tx_dropped, 200);
  netdev_unlist(dev); /* with all of them queued */
  spin(5);
}
END_TEST

START_TEST(headers) {
  struct virtio_net_hdr h;
  for (int i = 0; i < 20000; i++) {
    struct pbuf *p = pbuf_new(64);
    pbuf_put(p, (uint32_t)rand() % 65);
    for (size_t j = 0; j < sizeof h; j++)
      ((uint8_t *)&h)[j] = (uint8_t)(rand() % 3 ? rand() % 8 : rand());
    if (!vnet_hdr_parse(&h, p)) {
      ck_assert(p->csum != PB_CSUM_PARTIAL || p->csum_start + p->csum_offset + 2u <= p->len);
      ck_assert(!p->gso || p->gso_size);
      vnet_hdr_fill(&h, p);
    }
    pbuf_free(p);
  }
}
END_TEST

/* Not a test: PACKET_IO_BENCH=1 says what the path costs. */
START_TEST(bench) {
  static uint8_t f[70000];
  if (!getenv("PACKET_IO_BENCH") || !setup())
    return;
  static const uint32_t sizes[] = {60, 1400, 30000};
  for (unsigned s = 0; s < 3; s++) {
    uint64_t in0 = dev->stats.rx_packets;
    int64_t tx = 0, t0, rx = 0;
    for (int round = 0; round < 200; round++) {
      for (uint32_t i = 0; i < 32; i++) {
        struct pbuf *p = pbuf_new(sizes[s]);
        uint8_t *b = pbuf_put(p, sizes[s]);
        memset(b, 0, 40);
        b[0] = 0x45, b[9] = 6, b[32] = 0x50;
        if (sizes[s] > 1500) {
          b[2] = (uint8_t)(sizes[s] >> 8), b[3] = (uint8_t)sizes[s];
          p->csum = PB_CSUM_PARTIAL, p->csum_start = 20, p->csum_offset = 16;
          p->gso = PB_GSO_TCP4, p->gso_size = 1460;
        }
        ether_output(dev, p, (uint8_t *)"\x02\0\0\0\0\x02", sizes[s] > 1500 ? 0x800 : 0x88b5);
      }
      t0 = loop_now_exact();
      net_rx_end(fib.k);
      tx += loop_now_exact() - t0;
      ssize_t n;
      uint32_t got = 0;
      while ((n = recv(peer, f, sizeof f, MSG_DONTWAIT)) > 0) {
        memcpy(f + 10, mac, 6);
        got += send(peer, f, (size_t)n, 0) == n;
      }
      uint64_t want = dev->stats.rx_packets + got;
      t0 = loop_now_exact();
      for (int i = 0; i < 1000 && dev->stats.rx_packets < want; i++)
        spin(0);
      rx += loop_now_exact() - t0;
    }
    uint64_t in = dev->stats.rx_packets - in0;
    printf("%u B: tx %ld ns, rx %ld ns a frame (%lu in, %lu errors)\n", sizes[s], (long)(tx / 6400),
           (long)(rx / (int64_t)(in ? in : 1)), in, (unsigned long)(dev->stats.tx_errors + dev->stats.rx_errors));
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("packet_io");
  TCase *t = tcase_create("packet_io");
  tcase_set_timeout(t, 30);
  tcase_add_test(t, headers);
  tcase_add_test(t, in_and_out);
  tcase_add_test(t, link_down);
  tcase_add_test(t, queue_is_bounded);
  tcase_add_test(t, bench);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int bad = srunner_ntests_failed(r);
  srunner_free(r);
  return bad != 0;
}
