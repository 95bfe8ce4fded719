/* Packet sockets over lo: who sees what, addresses, lengths, errors. packet(7) */
#include "packet.h"

static uint8_t buf[70000], frame[70000];
static int lo;

static void making(void) {
  OK(socket(AF_PACKET, SOCK_STREAM, 0));
  OK(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
  OK(socket(AF_PACKET, SOCK_DGRAM, 0));
  OK(socketpair(AF_PACKET, SOCK_RAW, 0, (int[2]){0, 0}));
  CHILD("user") {
    become_user(1000);
    OK(socket(AF_PACKET, SOCK_RAW, 0));
    OK(socket(AF_PACKET, SOCK_DGRAM, 0));
  }
  int fd = packet_socket(SOCK_RAW, ETH_P_ALL), v;
  socklen_t len = sizeof v;
  MUST(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len));
  say("domain %d", v);
  MUST(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len));
  say("type %d", v);
  MUST(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &v, &len));
  say("protocol %d", v);
  OK(listen(fd, 1));
  OK(accept(fd, NULL, NULL));
  OK(shutdown(fd, SHUT_RDWR));
  struct sockaddr_ll a = ll_to(lo, ETH_P_ALL);
  OK(connect(fd, (struct sockaddr *)&a, sizeof a));
  struct sockaddr_storage ss;
  len = sizeof ss;
  OK(getpeername(fd, (struct sockaddr *)&ss, &len));
  close(fd);
}

static void name(int fd) {
  struct sockaddr_ll a;
  socklen_t len = sizeof a;
  memset(&a, 0xee, sizeof a);
  MUST(getsockname(fd, (struct sockaddr *)&a, &len));
  say("name: len %u proto %04x if %d hatype %d pkttype %d halen %d", len, ntohs(a.sll_protocol), a.sll_ifindex,
      a.sll_hatype, a.sll_pkttype, a.sll_halen);
}

static void binding(void) {
  int fd = packet_socket(SOCK_RAW, ETH_P_ALL);
  struct sockaddr_ll a = ll_to(lo, TEST_PROTO);
  name(fd);
  OK(bind(fd, (struct sockaddr *)&a, sizeof a - 1));
  OK(bind(fd, (struct sockaddr *)&a, 12));
  a.sll_family = AF_INET;
  OK(bind(fd, (struct sockaddr *)&a, sizeof a));
  a.sll_family = AF_PACKET;
  a.sll_ifindex = 9999;
  OK(bind(fd, (struct sockaddr *)&a, sizeof a));
  name(fd);
  a.sll_ifindex = lo;
  OK(bind(fd, (struct sockaddr *)&a, sizeof a));
  name(fd);
  a.sll_protocol = 0;
  OK(bind(fd, (struct sockaddr *)&a, sizeof a));
  name(fd);
  a.sll_ifindex = 0;
  OK(bind(fd, (struct sockaddr *)&a, sizeof a));
  name(fd);
  close(fd);
}

static void seeing(void) {
  int tx = packet_socket(SOCK_RAW, 0), all = packet_socket(SOCK_RAW, ETH_P_ALL), mine = packet_socket(SOCK_RAW, TEST_PROTO),
      other = packet_socket(SOCK_RAW, 0x88b6), none = packet_socket(SOCK_RAW, 0), dgram = packet_socket(SOCK_DGRAM, TEST_PROTO);
  struct sockaddr_ll to = ll_to(lo, TEST_PROTO);
  int n = make_frame(frame, TEST_PROTO, 50);
  SHOW(sendto(tx, frame, n, 0, (struct sockaddr *)&to, sizeof to));
  get_frame("all, first", all, buf, sizeof buf, 0);
  get_frame("all, second", all, buf, sizeof buf, 0);
  YES(!memcmp(buf, frame, n));
  get_frame("all, third", all, buf, sizeof buf, 0);
  get_frame("mine", mine, buf, sizeof buf, 0);
  get_frame("other", other, buf, sizeof buf, 0);
  get_frame("none", none, buf, sizeof buf, 0);
  get_frame("dgram, peeked", dgram, buf, 10, MSG_PEEK);
  get_frame("dgram, peeked whole", dgram, buf, 10, MSG_PEEK | MSG_TRUNC);
  get_frame("dgram", dgram, buf, sizeof buf, 0);
  YES(!memcmp(buf, frame + 14, n - 14));
  SHOW(sendto(all, frame, n, 0, (struct sockaddr *)&to, sizeof to));
  get_frame("own, incoming only", all, buf, sizeof buf, 0);
  get_frame("own, no more", all, buf, sizeof buf, 0);
  get_frame("mine again", mine, buf, sizeof buf, 0);
  get_frame("dgram again", dgram, buf, sizeof buf, 0);
  int one = 1;
  OK(setsockopt(all, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one));
  SHOW(sendto(dgram, "hello", 5, 0, (struct sockaddr *)&to, sizeof to));
  get_frame("without outgoing", all, buf, sizeof buf, 0);
  get_frame("without outgoing", all, buf, sizeof buf, 0);
  get_frame("mine from dgram", mine, buf, sizeof buf, 0);
  say("type %02x%02x, %.5s", buf[12], buf[13], buf + 14);
  get_frame("dgram from itself", dgram, buf, sizeof buf, 0);
  n = make_frame(frame, 46, 46);
  SHOW(sendto(tx, frame, n, 0, (struct sockaddr *)&to, sizeof to));
  get_frame("802.3 length", all, buf, sizeof buf, 0);
  frame[14] = frame[15] = 0xff;
  SHOW(sendto(tx, frame, n, 0, (struct sockaddr *)&to, sizeof to));
  get_frame("raw 802.3", all, buf, sizeof buf, 0);
  n = make_frame(frame, TEST_PROTO, 0);
  frame[0] = 0xff;
  SHOW(sendto(tx, frame, n, 0, (struct sockaddr *)&to, sizeof to));
  get_frame("empty, for a group", all, buf, sizeof buf, 0);
  close(tx), close(all), close(mine), close(other), close(none), close(dgram);
}

static void send_errors(void) {
  int raw = packet_socket(SOCK_RAW, 0), dgram = packet_socket(SOCK_DGRAM, 0);
  struct sockaddr_ll to = ll_to(lo, TEST_PROTO);
  int n = make_frame(frame, TEST_PROTO, 65536);
  OK(send(raw, frame, 60, 0));
  OK(send(dgram, frame, 60, 0));
  OK(sendto(raw, frame, 60, 0, (struct sockaddr *)&to, sizeof to - 1));
  OK(sendto(raw, frame, 13, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(raw, frame, 0, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(raw, frame, 14, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(raw, frame, n, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(raw, frame, n + 1, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(raw, frame, 70000, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(dgram, frame, 65536, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(dgram, frame, 65537, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(dgram, frame, 0, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(raw, (void *)8, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_halen = 9;
  OK(sendto(raw, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_halen = 0;
  OK(sendto(raw, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  OK(sendto(dgram, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_ifindex = 77;
  OK(sendto(raw, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_ifindex = -1;
  OK(sendto(raw, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_ifindex = lo;
  to.sll_family = AF_INET;
  OK(sendto(raw, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_family = AF_PACKET;
  OK(bind(raw, (struct sockaddr *)&to, sizeof to));
  OK(send(raw, frame, 60, 0));
  OK(bind(dgram, (struct sockaddr *)&to, sizeof to));
  OK(send(dgram, frame, 60, 0));
  OK(recv(raw, buf, sizeof buf, MSG_OOB | MSG_DONTWAIT));
  OK(recv(raw, buf, sizeof buf, MSG_ERRQUEUE));
  close(raw), close(dgram);
}

static void down(void) {
  struct ifreq r = {.ifr_name = "lo"};
  int fd = packet_socket(SOCK_RAW, ETH_P_ALL), any = packet_socket(SOCK_RAW, ETH_P_ALL);
  struct sockaddr_ll to = ll_to(lo, TEST_PROTO);
  struct pollfd p = {fd, POLLIN, 0};
  MUST(bind(fd, (struct sockaddr *)&to, sizeof to));
  MUST(ioctl(any, SIOCGIFFLAGS, &r));
  r.ifr_flags &= ~IFF_UP;
  MUST(ioctl(any, SIOCSIFFLAGS, &r));
  SHOW(poll(&p, 1, 0));
  say("revents %x", p.revents);
  OK(recv(fd, buf, sizeof buf, MSG_DONTWAIT));
  OK(recv(fd, buf, sizeof buf, MSG_DONTWAIT));
  OK(sendto(fd, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  to.sll_protocol = htons(0x88b6);
  OK(bind(fd, (struct sockaddr *)&to, sizeof to));
  OK(recv(fd, buf, sizeof buf, MSG_DONTWAIT));
  OK(recv(any, buf, sizeof buf, MSG_DONTWAIT));
  r.ifr_flags |= IFF_UP;
  MUST(ioctl(any, SIOCSIFFLAGS, &r));
  make_frame(frame, 0x88b6, 46);
  OK(sendto(any, frame, 60, 0, (struct sockaddr *)&to, sizeof to));
  struct sockaddr_ll a;
  socklen_t len = sizeof a;
  poll(&p, 1, 1000);
  SHOW(recvfrom(fd, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *)&a, &len));
  close(fd), close(any);
}

int main(void) {
  lo_up();
  lo = MUST(if_nametoindex("lo"));
  making();
  binding();
  seeing();
  send_errors();
  down();
  return 0;
}
