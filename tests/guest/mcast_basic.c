/* Multicast over lo: memberships, who receives, source filters, limits, TTL and loop; ip(7), ipv6(7), RFC 3678. */
#include "inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *got(int fd) {
  static char b[64];
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 60);
  long n = recv(fd, b, sizeof b - 1, MSG_DONTWAIT);
  if (n < 0)
    return "nothing";
  b[n] = 0;
  return b;
}
static int rx4(in_addr_t a, int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = a};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (void *)&sin, sizeof sin))
    printf("bind %s\n", err(-1));
  return fd;
}
static int port_of(int fd) {
  struct sockaddr_in6 s;
  socklen_t l = sizeof s;
  getsockname(fd, (void *)&s, &l);
  return ntohs(s.sin6_port);
}
static const char *src = "239.1.2.3";

static void basic4(void) {
  struct ip_mreqn m = {.imr_multiaddr.s_addr = inet_addr(src), .imr_ifindex = 1};
  struct ip_mreq old = {.imr_multiaddr.s_addr = inet_addr(src), .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
  int a = rx4(0, 0), port = port_of(a), b = rx4(0, port), s = socket(AF_INET, SOCK_DGRAM, 0), v;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(src)};
  printf("join %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)));
  printf("again %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)));
  printf("by address %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, sizeof old)));
  printf("short %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, 4)));
  old.imr_interface.s_addr = inet_addr("203.0.113.1");
  printf("no such address %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, sizeof old)));
  m.imr_ifindex = 99999;
  printf("no such device %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)));
  m = (struct ip_mreqn){.imr_multiaddr.s_addr = inet_addr("10.0.0.1"), .imr_ifindex = 1};
  printf("no group %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)));
  printf(
      "leave what was not joined %s\n",
      err(setsockopt(b, IPPROTO_IP, IP_DROP_MEMBERSHIP,
                     &(struct ip_mreqn){.imr_multiaddr.s_addr = inet_addr("239.9.9.9"), .imr_ifindex = 1}, sizeof m)));
  int t = socket(AF_INET, SOCK_STREAM, 0);
  printf("stream %s\n", err(setsockopt(t, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)));
  close(t);
  m = (struct ip_mreqn){.imr_ifindex = 1};
  printf("if %s\n", err(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m)));
  struct in_addr ia;
  socklen_t l = sizeof ia;
  getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &ia, &l);
  printf("if is %s %u\n", inet_ntoa(ia), l);
  printf("send %s\n", err(sendto(s, "hello", 5, 0, (void *)&to, sizeof to)));
  printf("a %s\n", got(a));
  printf("b %s\n", got(b)); /* IP_MULTICAST_ALL */
  v = 0;
  setsockopt(b, IPPROTO_IP, IP_MULTICAST_ALL, &v, sizeof v);
  sendto(s, "second", 6, 0, (void *)&to, sizeof to);
  printf("a %s\n", got(a));
  printf("b %s\n", got(b));
  ia.s_addr = htonl(INADDR_LOOPBACK);
  printf("if by address %s\n", err(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &ia, sizeof ia)));
  getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &ia, &l);
  printf("if is %s\n", inet_ntoa(ia));
  ia.s_addr = inet_addr("203.0.113.1");
  printf("if not ours %s\n", err(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &ia, sizeof ia)));
  m = (struct ip_mreqn){.imr_multiaddr.s_addr = inet_addr(src), .imr_ifindex = 1};
  printf("leave %s\n", err(setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m)));
  printf("leave again %s\n", err(setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m)));
  close(a), close(b), close(s);
  /* the limit */
  a = rx4(0, 0);
  int n = 0;
  for (; n < 60; n++) {
    m.imr_multiaddr.s_addr = htonl(0xef020000u + (unsigned)n);
    if (setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m))
      break;
  }
  printf("joined %d then %s\n", n, err(-1));
  close(a);
}

static void filters4(void) {
  struct ip_mreq_source ms = {.imr_multiaddr.s_addr = inet_addr(src), .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
  struct ip_mreqn m = {.imr_multiaddr.s_addr = inet_addr(src), .imr_ifindex = 1};
  int a = rx4(0, 0), port = port_of(a), x = rx4(inet_addr("127.0.0.2"), 0), y = rx4(inet_addr("127.0.0.3"), 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(src)};
  setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m);
  setsockopt(y, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m);
  ms.imr_sourceaddr.s_addr = inet_addr("127.0.0.2");
  printf("block before join %s\n", err(setsockopt(a, IPPROTO_IP, IP_BLOCK_SOURCE, &ms, sizeof ms)));
  printf("add source %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &ms, sizeof ms)));
  printf("again %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &ms, sizeof ms)));
  printf("block then %s\n", err(setsockopt(a, IPPROTO_IP, IP_BLOCK_SOURCE, &ms, sizeof ms)));
  printf("short %s\n", err(setsockopt(a, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &ms, 8)));
  sendto(y, "from 3", 6, 0, (void *)&to, sizeof to);
  sendto(x, "from 2", 6, 0, (void *)&to, sizeof to);
  printf("got %s\n", got(a));
  printf("got %s\n", got(a));
  char buf[IP_MSFILTER_SIZE(4)];
  struct ip_msfilter *f = (void *)buf;
  memset(buf, 0, sizeof buf);
  f->imsf_multiaddr = m.imr_multiaddr;
  f->imsf_interface.s_addr = htonl(INADDR_LOOPBACK);
  f->imsf_numsrc = 4;
  socklen_t l = sizeof buf;
  printf("filter %s", err(getsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, &l)));
  printf(" len %u mode %u n %u %s\n", l, f->imsf_fmode, f->imsf_numsrc, inet_ntoa(f->imsf_slist[0]));
  f->imsf_fmode = MCAST_EXCLUDE;
  f->imsf_numsrc = 2;
  f->imsf_slist[0].s_addr = inet_addr("127.0.0.3");
  f->imsf_slist[1].s_addr = inet_addr("127.0.0.4");
  printf("set %s\n", err(setsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, IP_MSFILTER_SIZE(2))));
  printf("set short %s\n", err(setsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, IP_MSFILTER_SIZE(1))));
  sendto(y, "from 3", 6, 0, (void *)&to, sizeof to);
  sendto(x, "from 2", 6, 0, (void *)&to, sizeof to);
  printf("got %s\n", got(a));
  printf("got %s\n", got(a));
  ms.imr_sourceaddr.s_addr = inet_addr("127.0.0.3");
  printf("unblock %s\n", err(setsockopt(a, IPPROTO_IP, IP_UNBLOCK_SOURCE, &ms, sizeof ms)));
  printf("unblock again %s\n", err(setsockopt(a, IPPROTO_IP, IP_UNBLOCK_SOURCE, &ms, sizeof ms)));
  sendto(y, "from 3", 6, 0, (void *)&to, sizeof to);
  printf("got %s\n", got(a));
  f->imsf_fmode = MCAST_INCLUDE;
  f->imsf_numsrc = 0;
  printf("include nobody %s\n", err(setsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, IP_MSFILTER_SIZE(0))));
  l = sizeof buf;
  printf("filter %s\n", err(getsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, &l)));
  f->imsf_fmode = 7;
  printf("mode 7 %s\n", err(setsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, IP_MSFILTER_SIZE(0))));
  f->imsf_numsrc = 4000;
  printf("too many %s\n", err(setsockopt(a, IPPROTO_IP, IP_MSFILTER, buf, IP_MSFILTER_SIZE(0))));
  close(a), close(x), close(y);
}

static void six(void) {
  struct ipv6_mreq m = {.ipv6mr_interface = 1};
  struct sockaddr_in6 any = {.sin6_family = AF_INET6}, to = any;
  int a = socket(AF_INET6, SOCK_DGRAM, 0), s = socket(AF_INET6, SOCK_DGRAM, 0), one = 1, zero = 0;
  inet_pton(AF_INET6, "ff05::1:3", &m.ipv6mr_multiaddr);
  bind(a, (void *)&any, sizeof any);
  to.sin6_addr = m.ipv6mr_multiaddr;
  to.sin6_port = htons(port_of(a));
  setsockopt(a, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero, sizeof zero);
  printf("if %s\n", err(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &one, sizeof one)));
  one = 99999;
  printf("if %s\n", err(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &one, sizeof one)));
  printf("send %s\n", err(sendto(s, "before", 6, 0, (void *)&to, sizeof to)));
  printf("got %s\n", got(a));
  printf("join %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m)));
  printf("again %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m)));
  printf("send %s\n", err(sendto(s, "after", 5, 0, (void *)&to, sizeof to)));
  printf("got %s\n", got(a));
  m.ipv6mr_interface = 99999;
  printf("no device %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof m)));
  m.ipv6mr_interface = 0;
  printf("leave %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof m)));
  printf("leave again %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof m)));
  m.ipv6mr_interface = 1;
  m.ipv6mr_multiaddr = in6addr_loopback;
  printf("no group %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m)));
  printf("short %s\n", err(setsockopt(a, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, 8)));
  struct group_req g = {.gr_interface = 1};
  memcpy(&g.gr_group, &to, sizeof to);
  printf("MCAST_JOIN_GROUP %s\n", err(setsockopt(a, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g, sizeof g)));
  sendto(s, "group_req", 9, 0, (void *)&to, sizeof to);
  printf("got %s\n", got(a));
  printf("MCAST_LEAVE_GROUP %s\n", err(setsockopt(a, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &g, sizeof g)));
  g.gr_group.ss_family = AF_INET;
  printf("family %s\n", err(setsockopt(a, IPPROTO_IPV6, MCAST_JOIN_GROUP, &g, sizeof g)));
  struct group_source_req gs = {.gsr_interface = 1};
  memcpy(&gs.gsr_group, &to, sizeof to);
  any.sin6_addr = in6addr_loopback;
  memcpy(&gs.gsr_source, &any, sizeof any);
  printf("join source %s\n", err(setsockopt(a, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &gs, sizeof gs)));
  sendto(s, "source", 6, 0, (void *)&to, sizeof to);
  printf("got %s\n", got(a));
  char buf[GROUP_FILTER_SIZE(2)];
  struct group_filter *f = (void *)buf;
  memset(buf, 0, sizeof buf);
  f->gf_interface = 1;
  memcpy(&f->gf_group, &to, sizeof to);
  f->gf_numsrc = 2;
  socklen_t l = sizeof buf;
  printf("filter %s", err(getsockopt(a, IPPROTO_IPV6, MCAST_MSFILTER, buf, &l)));
  printf(" len %u mode %u n %u family %d\n", l, f->gf_fmode, f->gf_numsrc, f->gf_slist[0].ss_family);
  printf("leave source %s\n", err(setsockopt(a, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, &gs, sizeof gs)));
  printf("leave source %s\n", err(setsockopt(a, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, &gs, sizeof gs)));
  close(a), close(s);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  basic4();
  filters4();
  six();
  return 0;
}
