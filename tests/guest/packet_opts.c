/* Options of packet sockets: filters, auxiliary data, statistics, stamps, memberships, bounds. packet(7) */
#include "packet.h"

static uint8_t buf[70000], frame[3000];
static int lo, tx;

static void send_frame(int proto, int n) {
  struct sockaddr_ll to = ll_to(lo, proto);
  int len = make_frame(frame, proto, n);
  MUST(sendto(tx, frame, len, 0, (struct sockaddr *)&to, sizeof to));
}

static void set(int fd, int opt, int v) {
  int r = setsockopt(fd, SOL_PACKET, opt, &v, sizeof v), got = -1;
  socklen_t len = sizeof got;
  say("option %d = %d: %s", opt, v, r ? ename(errno) : "ok");
  r = getsockopt(fd, SOL_PACKET, opt, &got, &len);
  if (r)
    say("  read: %s", ename(errno));
  else
    say("  is %d, %u bytes", got, len);
}

static void options(void) {
  int fd = packet_socket(SOCK_RAW, 0), dg = packet_socket(SOCK_DGRAM, 0), v;
  static const int opts[] = {PACKET_AUXDATA, PACKET_ORIGDEV, PACKET_VNET_HDR, PACKET_VERSION, PACKET_RESERVE,
                             PACKET_LOSS,    PACKET_IGNORE_OUTGOING};
  for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
    set(fd, opts[i], 1);
    set(fd, opts[i], opts[i] == PACKET_VERSION ? 3 : 2);
    set(fd, opts[i], -1);
    set(fd, opts[i], 0);
  }
  set(dg, PACKET_VNET_HDR, 1);
  set(fd, 99, 1);
  for (int i = 0; i < 4; i++) {
    socklen_t len = sizeof v;
    v = i;
    int r = getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &v, &len);
    say("header of version %d: %d", i, r ? -errno : v);
  }
  socklen_t len = 2;
  v = 0;
  OK(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &v, &len));
  OK(getsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &v, &len));
  say("length %u", len);
  OK(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &v, 3));
  OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, 3));
  close(fd), close(dg);
}

static void memberships(void) {
  int fd = packet_socket(SOCK_RAW, 0);
  struct packet_mreq m = {.mr_ifindex = lo, .mr_type = PACKET_MR_PROMISC};
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m - 1));
  OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m));
  OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m));
  OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m));
  m.mr_type = PACKET_MR_ALLMULTI;
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_type = PACKET_MR_MULTICAST;
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_alen = 6;
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_alen = 7;
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_alen = 200;
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_alen = 6;
  m.mr_ifindex = 555;
  OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m));
  close(fd);
}

static void control(int fd) {
  char ctl[300];
  struct iovec iov = {buf, 40};
  struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
  ssize_t n = recvmsg(fd, &h, 0);
  say("received %zd, flags %x", n, h.msg_flags);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
    say("  level %d type %d len %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
    if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
      struct tpacket_auxdata a;
      memcpy(&a, CMSG_DATA(c), sizeof a);
      say("  status %x len %u snaplen %u mac %u net %u vlan %x %x", a.tp_status, a.tp_len, a.tp_snaplen, a.tp_mac,
          a.tp_net, a.tp_vlan_tci, a.tp_vlan_tpid);
    } else if (c->cmsg_type == SO_TIMESTAMP) {
      struct timeval tv;
      memcpy(&tv, CMSG_DATA(c), sizeof tv);
      YES(labs(tv.tv_sec - time(NULL)) < 5);
    }
  }
}

static void messages(void) {
  int one = 1, raw = packet_socket(SOCK_RAW, TEST_PROTO), dg = packet_socket(SOCK_DGRAM, TEST_PROTO);
  struct timespec ts;
  for (int i = 0; i < 2; i++) {
    int fd = i ? dg : raw;
    say("%s", i ? "dgram" : "raw");
    OK(ioctl(fd, 0x8907 /* SIOCGSTAMPNS */, &ts));
    MUST(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one));
    MUST(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one));
    send_frame(TEST_PROTO, 100);
    struct pollfd p = {fd, POLLIN, 0};
    poll(&p, 1, 1000);
    int n = -1;
    OK(ioctl(fd, FIONREAD, &n));
    say("FIONREAD %d", n);
    control(fd);
    recv(i ? raw : dg, buf, sizeof buf, 0);
  }
  MUST(setsockopt(raw, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one));
  send_frame(TEST_PROTO, 10);
  get_frame("with a virtio header", raw, buf, sizeof buf, 0);
  say("header %02x %02x, type %02x%02x", buf[0], buf[1], buf[22], buf[23]);
  send_frame(TEST_PROTO, 10);
  get_frame("room for less than the header", raw, buf, 9, 0);
  get_frame("room for the header", raw, buf, 10, 0);
  close(raw), close(dg);
}

static void stats(void) {
  int fd = packet_socket(SOCK_RAW, TEST_PROTO), v = 1;
  struct tpacket_stats st;
  socklen_t len = sizeof st;
  for (int i = 0; i < 5; i++)
    send_frame(TEST_PROTO, 20);
  msleep(20);
  MUST(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
  say("packets %u drops %u, %u bytes", st.tp_packets, st.tp_drops, len);
  MUST(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
  say("packets %u drops %u", st.tp_packets, st.tp_drops);
  while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
    ;
  v = 2000;
  MUST(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof v));
  for (int i = 0; i < 200; i++)
    send_frame(TEST_PROTO, 500);
  msleep(20);
  MUST(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
  YES(st.tp_packets == 200);
  YES(st.tp_drops > 150 && st.tp_drops < 200);
  int n = 0;
  while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
    n++;
  YES(n > 0 && n < 50);
  struct tpacket_stats_v3 st3;
  v = TPACKET_V3;
  MUST(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof v));
  len = sizeof st3;
  MUST(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st3, &len));
  say("%u bytes: %u %u %u", len, st3.tp_packets, st3.tp_drops, st3.tp_freeze_q_cnt);
  close(fd);
}

static int attach(int fd, struct sock_filter *f, int n) {
  struct sock_fprog p = {.len = n, .filter = f};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}
#define ATTACH(fd, ...)                                                                                                \
  ({                                                                                                                   \
    struct sock_filter prog[] = {__VA_ARGS__};                                                                         \
    MUST(attach(fd, prog, sizeof prog / sizeof *prog));                                                                \
  })
#define S BPF_STMT
#define J BPF_JUMP

/* What the program returns is how much of the frame comes. */
static void value(const char *what, int fd, int n) {
  send_frame(TEST_PROTO, n);
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 100);
  say("%s: %zd", what, recv(fd, buf, sizeof buf, MSG_DONTWAIT | MSG_TRUNC));
}
#define EXT(off) S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + (off))

static void filters(int type) {
  int fd = packet_socket(type, TEST_PROTO);
  say("filters on %s", type == SOCK_RAW ? "raw" : "dgram");
  ATTACH(fd, S(BPF_RET | BPF_K, 20));
  value("20", fd, 200);
  ATTACH(fd, S(BPF_LD | BPF_W | BPF_LEN, 0), S(BPF_ALU | BPF_SUB | BPF_K, 7), S(BPF_RET | BPF_A, 0));
  value("length less 7", fd, 200);
  ATTACH(fd, S(BPF_LD | BPF_B | BPF_ABS, 20), S(BPF_RET | BPF_A, 0));
  value("byte 20", fd, 200);
  ATTACH(fd, S(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + 3), S(BPF_RET | BPF_A, 0));
  value("network header's byte 3", fd, 200);
  ATTACH(fd, S(BPF_LD | BPF_H | BPF_ABS, SKF_LL_OFF + 12), S(BPF_ALU | BPF_RSH | BPF_K, 8), S(BPF_RET | BPF_A, 0));
  value("link header's type", fd, 200);
  ATTACH(fd, EXT(SKF_AD_PROTOCOL), S(BPF_ALU | BPF_RSH | BPF_K, 8), S(BPF_RET | BPF_A, 0));
  value("protocol", fd, 200);
  ATTACH(fd, EXT(SKF_AD_PKTTYPE), S(BPF_ALU | BPF_ADD | BPF_K, 30), S(BPF_RET | BPF_A, 0));
  value("packet type", fd, 200);
  ATTACH(fd, EXT(SKF_AD_IFINDEX), S(BPF_ALU | BPF_ADD | BPF_K, 40), S(BPF_RET | BPF_A, 0));
  value("interface", fd, 200);
  ATTACH(fd, EXT(SKF_AD_HATYPE), S(BPF_ALU | BPF_SUB | BPF_K, 700), S(BPF_RET | BPF_A, 0));
  value("hardware type", fd, 200);
  ATTACH(fd, EXT(SKF_AD_VLAN_TAG_PRESENT), S(BPF_ALU | BPF_ADD | BPF_K, 50), S(BPF_RET | BPF_A, 0));
  value("VLAN", fd, 200);
  ATTACH(fd, EXT(SKF_AD_MARK), S(BPF_ALU | BPF_ADD | BPF_K, 60), S(BPF_RET | BPF_A, 0));
  value("mark", fd, 200);
  ATTACH(fd, S(BPF_LD | BPF_W | BPF_ABS, 5000), S(BPF_RET | BPF_K, -1));
  value("beyond", fd, 200);
  close(fd);
}

static void fanout(void) {
  int a = packet_socket(SOCK_RAW, TEST_PROTO), b = packet_socket(SOCK_RAW, TEST_PROTO), c = packet_socket(SOCK_RAW, ETH_P_ALL),
      none = packet_socket(SOCK_RAW, 0);
  int v = 7 | PACKET_FANOUT_LB << 16, n = 0, m = 0;
  OK(setsockopt(none, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  OK(setsockopt(a, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  OK(setsockopt(a, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  OK(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  OK(setsockopt(c, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  socklen_t len = sizeof v;
  MUST(getsockopt(b, SOL_PACKET, PACKET_FANOUT, &v, &len));
  say("group %x", v);
  v = 7 | PACKET_FANOUT_HASH << 16;
  OK(setsockopt(c, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  v = 8 | 200 << 16;
  OK(setsockopt(c, SOL_PACKET, PACKET_FANOUT, &v, sizeof v));
  struct sockaddr_ll to = ll_to(lo, TEST_PROTO);
  OK(bind(a, (struct sockaddr *)&to, sizeof to));
  for (int i = 0; i < 10; i++)
    send_frame(TEST_PROTO, 50);
  msleep(20);
  while (recv(a, buf, sizeof buf, MSG_DONTWAIT) > 0)
    n++;
  while (recv(b, buf, sizeof buf, MSG_DONTWAIT) > 0)
    m++;
  say("shared %d %d", n, m);
  close(a), close(b), close(c), close(none);
}

int main(void) {
  lo_up();
  lo = MUST(if_nametoindex("lo"));
  tx = packet_socket(SOCK_RAW, 0);
  options();
  memberships();
  messages();
  stats();
  filters(SOCK_RAW);
  filters(SOCK_DGRAM);
  fanout();
  return 0;
}
