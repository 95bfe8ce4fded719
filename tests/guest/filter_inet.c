/* Socket filters on UDP, raw and netlink sockets: where the program's first byte is, and what is cut. */
#include "packet.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

static void attach(int fd, struct sock_filter *f, int n) {
  struct sock_fprog p = {.len = n, .filter = f};
  MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
}
#define ATTACH(fd, ...)                                                                                                \
  ({                                                                                                                   \
    struct sock_filter prog[] = {__VA_ARGS__};                                                                         \
    attach(fd, prog, sizeof prog / sizeof *prog);                                                                      \
  })
#define S BPF_STMT
#define J BPF_JUMP
#define EXT(off) S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + (off))

static char buf[4000];
static void got(const char *what, int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 100);
  ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  say("%s: %zd %s", what, n, n < 0 ? ename(errno) : "");
}

static void udp(int family) {
  struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr *a = family == AF_INET ? (void *)&a4 : (void *)&a6;
  socklen_t len = family == AF_INET ? sizeof a4 : sizeof a6;
  int r = MUST(socket(family, SOCK_DGRAM, 0)), s = MUST(socket(family, SOCK_DGRAM, 0));
  MUST(bind(r, a, len));
  MUST(getsockname(r, a, &len));
  say("UDP, family %d", family);
  MUST(connect(s, a, len));
  MUST(send(s, "hello", 5, 0));
  got("no filter", r);
  ATTACH(r, S(BPF_RET | BPF_K, 0));
  MUST(send(s, "hello", 5, 0));
  got("none", r);
  ATTACH(r, S(BPF_RET | BPF_K, 10));
  MUST(send(s, "hello", 5, 0));
  got("header and two bytes", r);
  ATTACH(r, S(BPF_RET | BPF_K, 4));
  MUST(send(s, "hello", 5, 0));
  got("within the header", r);
  ATTACH(r, S(BPF_LD | BPF_H | BPF_ABS, 4), S(BPF_RET | BPF_A, 0));
  MUST(send(s, "hello", 5, 0));
  got("length field", r);
  ATTACH(r, S(BPF_LD | BPF_B | BPF_ABS, 8), J(BPF_JMP | BPF_JEQ | BPF_K, 'h', 0, 1), S(BPF_RET | BPF_K, -1),
         S(BPF_RET | BPF_K, 0));
  MUST(send(s, "hello", 5, 0));
  got("first byte h", r);
  MUST(send(s, "jello", 5, 0));
  got("first byte j", r);
  MUST(send(s, "", 0, 0));
  got("empty", r);
  ATTACH(r, S(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF), S(BPF_ALU | BPF_RSH | BPF_K, 4), S(BPF_ALU | BPF_ADD | BPF_K, 5),
         S(BPF_RET | BPF_A, 0));
  MUST(send(s, "hello", 5, 0));
  got("version", r);
  ATTACH(r, EXT(SKF_AD_IFINDEX), S(BPF_ALU | BPF_ADD | BPF_K, 9), S(BPF_RET | BPF_A, 0));
  MUST(send(s, "hello", 5, 0));
  got("interface", r);
  ATTACH(r, EXT(SKF_AD_PROTOCOL), S(BPF_ALU | BPF_AND | BPF_K, 0xff), J(BPF_JMP | BPF_JEQ | BPF_K, family == AF_INET ? 0 : 0xdd, 0, 1),
         S(BPF_RET | BPF_K, -1), S(BPF_RET | BPF_K, 0));
  MUST(send(s, "hello", 5, 0));
  got("protocol", r);
  close(r), close(s);
}

static void raw(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int r = MUST(socket(AF_INET, SOCK_RAW, 253)), s = MUST(socket(AF_INET, SOCK_RAW, 253));
  ATTACH(s, S(BPF_RET | BPF_K, 0));
  MUST(connect(s, (struct sockaddr *)&a, sizeof a));
  MUST(send(s, "hello", 5, 0));
  got("raw, no filter", r);
  ATTACH(r, S(BPF_RET | BPF_K, 22));
  MUST(send(s, "hello", 5, 0));
  got("raw, cut", r);
  ATTACH(r, S(BPF_LD | BPF_B | BPF_ABS, 9), J(BPF_JMP | BPF_JEQ | BPF_K, 253, 0, 1), S(BPF_RET | BPF_K, -1),
         S(BPF_RET | BPF_K, 0));
  MUST(send(s, "hello", 5, 0));
  got("raw, protocol", r);
  ATTACH(r, S(BPF_LDX | BPF_B | BPF_MSH, 0), S(BPF_LD | BPF_B | BPF_IND, 0), J(BPF_JMP | BPF_JEQ | BPF_K, 'h', 0, 1),
         S(BPF_RET | BPF_K, -1), S(BPF_RET | BPF_K, 0));
  MUST(send(s, "hello", 5, 0));
  got("raw, payload h", r);
  MUST(send(s, "jello", 5, 0));
  got("raw, payload j", r);
  ATTACH(r, EXT(SKF_AD_PAY_OFFSET), S(BPF_RET | BPF_A, 0));
  MUST(send(s, "hello", 5, 0));
  got("raw, payload offset", r);
  close(r), close(s);
}

static void netlink(void) {
  int fd = MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  struct {
    struct nlmsghdr h;
    struct ifinfomsg i;
  } q = {{sizeof q, RTM_GETLINK, NLM_F_REQUEST, 7, 0}, {.ifi_index = 1}};
  MUST(send(fd, &q, sizeof q, 0));
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 500);
  YES(recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 100);
  ATTACH(fd, S(BPF_LD | BPF_H | BPF_ABS, 4), J(BPF_JMP | BPF_JEQ | BPF_K, RTM_NEWLINK << 8, 0, 1), S(BPF_RET | BPF_K, 40),
         S(BPF_RET | BPF_K, 0));
  MUST(send(fd, &q, sizeof q, 0));
  got("netlink, cut", fd);
  ATTACH(fd, S(BPF_RET | BPF_K, 0));
  SHOW(send(fd, &q, sizeof q, 0));
  got("netlink, none", fd);
  /* The name's attribute, found behind the header. */
  ATTACH(fd, S(BPF_LD | BPF_IMM, 32), S(BPF_LDX | BPF_IMM, IFLA_IFNAME), EXT(SKF_AD_NLATTR), J(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
         S(BPF_RET | BPF_K, 33), S(BPF_RET | BPF_K, 44));
  MUST(send(fd, &q, sizeof q, 0));
  got("netlink, attribute", fd);
  ATTACH(fd, S(BPF_LD | BPF_IMM, 32), S(BPF_LDX | BPF_IMM, 5000), EXT(SKF_AD_NLATTR), J(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
         S(BPF_RET | BPF_K, 33), S(BPF_RET | BPF_K, 44));
  MUST(send(fd, &q, sizeof q, 0));
  got("netlink, no such attribute", fd);
  close(fd);
}

int main(void) {
  lo_up();
  udp(AF_INET);
  udp(AF_INET6);
  raw();
  netlink();
  return 0;
}
