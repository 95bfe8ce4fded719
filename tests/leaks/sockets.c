#include "leaks.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static void send_fds(int s, const int *fds, int n) {
  char c = 0, control[CMSG_SPACE(4 * sizeof(int))] = {0};
  struct iovec v = {&c, 1};
  struct msghdr m = {
      .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE((size_t)n * sizeof *fds)};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  *h = (struct cmsghdr){
      .cmsg_len = CMSG_LEN((size_t)n * sizeof *fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(h), fds, (size_t)n * sizeof *fds);
  sendmsg(s, &m, MSG_DONTWAIT);
}
static void pairs(int i) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  int sv[2];
  char buf[100] = {0};
  socketpair(AF_UNIX, types[i % 3], 0, sv);
  for (int k = 0; k < 3; k++)
    send(sv[0], buf, sizeof buf, 0);
  recv(sv[1], buf, 10, 0);
  close(sv[i & 1]);
  close(sv[!(i & 1)]);
}
/* Sockets that are only in each other's queues: Linux has a collector for them. */
static void in_flight(int i) {
  int a[2], b[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, a);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, b);
  if (i % 2 == 0) {
    send_fds(a[0], a, 2);
  } else {
    send_fds(a[0], b, 2);
    send_fds(b[0], a, 2);
  }
  for (int k = 0; k < 2; k++) {
    close(a[k]);
    close(b[k]);
  }
}
static void passed(int i) {
  int sv[2], p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  if (pipe(p))
    return;
  send_fds(sv[0], p, 2);
  close(p[0]);
  close(p[1]);
  if (i & 1) {
    char c, control[200];
    struct iovec v = {&c, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(sv[1], &m, 0);
    memcpy(p, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof p);
    close(p[0]);
    close(p[1]);
  }
  close(sv[0]);
  close(sv[1]);
}
static void unix_names(int i) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  snprintf(un.sun_path + (i & 1), 20, "sock%d", i);
  socklen_t len = i & 1 ? 10 : sizeof un;
  int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (void *)&un, len);
  listen(s, 3);
  connect(c, (void *)&un, len);
  send(c, "x", 1, MSG_NOSIGNAL);
  connect(d, (void *)&un, len);
  close(d);
  int a = i % 3 ? accept(s, NULL, NULL) : -1;
  close(s);
  close(c);
  close(a);
  if (!(i & 1))
    unlink(un.sun_path);
}
static void tcp(int i) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof in;
  int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct linger l = {1, 0};
  setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  bind(s, (void *)&in, sizeof in);
  listen(s, 3);
  getsockname(s, (void *)&in, &len);
  connect(c, (void *)&in, sizeof in);
  int a = accept(s, NULL, NULL);
  send(c, "hello", 5, 0);
  char b[10];
  recv(a, b, 10, 0);
  close(c);
  close(a);
  close(s);
}
static void udp(int i) {
  struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  socklen_t len = sizeof in;
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  bind(s, (void *)&in, sizeof in);
  getsockname(s, (void *)&in, &len);
  sendto(s, "hello", 5, 0, (void *)&in, sizeof in);
  connect(s, (void *)&in, sizeof in);
  send(s, "hello", 5, 0);
  close(s);
}
static void netlink(int i) {
  int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct {
    struct nlmsghdr h;
    struct rtgenmsg g;
  } q = {{sizeof q, (uint16_t)(i & 1 ? RTM_GETLINK : RTM_GETADDR), NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
  send(s, &q, sizeof q, 0);
  char buf[8192];
  if (i % 3)
    recv(s, buf, sizeof buf, 0);
  close(s);
}
static void left(void *arg) {
  int sv[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  send_fds(sv[0], sv, 2);
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&in, sizeof in);
  listen(s, 3);
  if (!fork()) {
    struct pollfd p[2] = {{s, POLLIN, 0}, {sv[0], POLLIN | POLLRDHUP, 0}};
    poll(p, 2, 1);
    _exit(0);
  }
}
static void sockets_at_exit(int i) {
  in_child(left, NULL);
  pairs(i); /* the collector runs when a socket is closed */
}
static void packet(int i) {
  int s = socket(AF_PACKET, SOCK_RAW, htons(3)), r = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  close(s);
  close(r);
}

const struct scene net_scenes[] = {
    {"unix-pairs", pairs, 2},
    {"unix-in-flight", in_flight, 3},
    {"unix-passed", passed, 3},
    {"unix-names", unix_names, 4},
    {"tcp", tcp, 8},
    {"udp", udp, 4},
    {"netlink", netlink, 3},
    {"sockets-at-exit", sockets_at_exit, 8},
    {"packet", packet, 2},
    {NULL, NULL, 0},
};
