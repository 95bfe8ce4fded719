/* UDP over lo: names, connected and not, both versions, errors, what poll and ioctl say. udp(7). */
#include "inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/sockios.h>

static struct sockaddr_in lo4(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}
static int port_of(int fd) {
  struct sockaddr_storage ss;
  socklen_t l = sizeof ss;
  getsockname(fd, (void *)&ss, &l);
  return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}
static void name(const char *what, int fd, int peer) {
  struct sockaddr_storage ss;
  socklen_t l = sizeof ss;
  char b[64] = "?";
  int r = (peer ? getpeername : getsockname)(fd, (void *)&ss, &l);
  if (r)
    printf("%s: %s\n", what, err(r));
  else {
    inet_ntop(ss.ss_family,
              ss.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&ss)->sin_addr
                                      : (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr,
              b, sizeof b);
    printf("%s: family %d len %u %s port %s\n", what, ss.ss_family, l, b,
           ((struct sockaddr_in *)&ss)->sin_port ? "set" : "0");
  }
}
static int ready(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  poll(&p, 1, 0);
  return p.revents;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  char buf[70000] = "", big[70000] = "";
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP), n = 0;
  struct sockaddr_in sa = lo4(0), from;
  socklen_t fl = sizeof from;
  name("fresh", a, 0);
  name("peer", a, 1);
  printf("send without peer %s\n", err(send(a, "x", 1, 0)));
  name("after that", a, 0);
  printf("bind again %s\n", err(bind(a, (void *)&sa, sizeof sa)));
  close(a);
  a = socket(AF_INET, SOCK_DGRAM, 0);
  printf("short bind %s\n", err(bind(a, (void *)&sa, 8)));
  sa.sin_family = AF_INET6;
  printf("wrong family %s\n", err(bind(a, (void *)&sa, sizeof sa)));
  sa.sin_family = AF_INET;
  sa.sin_addr.s_addr = inet_addr("203.0.113.7");
  printf("not ours %s\n", err(bind(a, (void *)&sa, sizeof sa)));
  sa = lo4(0);
  printf("bind %s\n", err(bind(a, (void *)&sa, sizeof sa)));
  printf("bind twice %s\n", err(bind(a, (void *)&sa, sizeof sa)));
  name("bound", a, 0);
  printf("poll %x\n", ready(a));
  printf("recv %s\n", err(recv(b, buf, 10, 0)));
  sa = lo4(port_of(a));
  printf("bind b there %s\n", err(bind(b, (void *)&sa, sizeof sa)));
  printf("sendto %s\n", err(sendto(b, "hello", 5, 0, (void *)&sa, sizeof sa)));
  printf("sendto nothing %s\n", err(sendto(b, "", 0, 0, (void *)&sa, sizeof sa)));
  printf("poll %x\n", ready(a));
  ioctl(a, FIONREAD, &n);
  printf("FIONREAD %d\n", n);
  ioctl(a, SIOCOUTQ, &n);
  printf("SIOCOUTQ %d\n", n);
  printf("peek %s\n", err(recv(a, buf, 3, MSG_PEEK)));
  printf("peek trunc %s\n", err(recv(a, buf, 3, MSG_PEEK | MSG_TRUNC)));
  printf("recvfrom %s\n", err(recvfrom(a, buf, sizeof buf, 0, (void *)&from, &fl)));
  printf("from %d %u %s %d\n", from.sin_family, fl, inet_ntoa(from.sin_addr), ntohs(from.sin_port) == port_of(b));
  ioctl(a, FIONREAD, &n);
  printf("FIONREAD %d poll %x\n", n, ready(a));
  printf("empty one %s\n", err(recv(a, buf, sizeof buf, 0)));
  printf("no more %s\n", err(recv(a, buf, sizeof buf, MSG_DONTWAIT)));
  printf("poll %x\n", ready(a));
  /* errors of destinations */
  sa.sin_port = 0;
  printf("port 0 %s\n", err(sendto(b, "x", 1, 0, (void *)&sa, sizeof sa)));
  sa = lo4(port_of(a));
  printf("short name %s\n", err(sendto(b, "x", 1, 0, (void *)&sa, 10)));
  sa.sin_family = AF_UNIX;
  printf("family %s\n", err(sendto(b, "x", 1, 0, (void *)&sa, sizeof sa)));
  sa.sin_family = AF_UNSPEC;
  printf("unspec %s\n", err(sendto(b, "x", 1, 0, (void *)&sa, sizeof sa)));
  sa.sin_family = AF_INET;
  recv(a, buf, 1, 0);
  printf("oob %s\n", err(sendto(b, "x", 1, MSG_OOB, (void *)&sa, sizeof sa)));
  printf("max %s\n", err(sendto(b, big, 65507, 0, (void *)&sa, sizeof sa)));
  printf("max came %s\n", err(recv(a, buf, sizeof buf, 0)));
  printf("max+1 %s\n", err(sendto(b, big, 65508, 0, (void *)&sa, sizeof sa)));
  printf("too much %s\n", err(sendto(b, big, 70000, 0, (void *)&sa, sizeof sa)));
  sa.sin_addr.s_addr = htonl(INADDR_ANY);
  printf("to any %s\n", err(sendto(b, "any", 3, 0, (void *)&sa, sizeof sa)));
  printf("came %s\n", err(recv(a, buf, sizeof buf, 0)));
  sa.sin_addr.s_addr = inet_addr("127.255.255.255");
  printf("broadcast %s\n", err(sendto(b, "any", 3, 0, (void *)&sa, sizeof sa)));
  sa.sin_addr.s_addr = inet_addr("255.255.255.255");
  n = connect(b, (void *)&sa, sizeof sa);
  printf("connect to broadcast %s\n", errno == EACCES || errno == ENETUNREACH ? "no" : err(n));
  /* connected */
  sa = lo4(port_of(a));
  printf("connect %s\n", err(connect(b, (void *)&sa, sizeof sa)));
  name("local", b, 0);
  name("peer", b, 1);
  printf("send %s\n", err(send(b, "conn", 4, 0)));
  fl = sizeof from;
  printf("recv %s\n", err(recvfrom(a, buf, sizeof buf, 0, (void *)&from, &fl)));
  printf("back %s\n", err(sendto(a, "back", 4, 0, (void *)&from, sizeof from)));
  int c = socket(AF_INET, SOCK_DGRAM, 0);
  printf("a stranger %s\n", err(sendto(c, "strange", 7, 0, (void *)&from, sizeof from)));
  printf("recv %s\n", err(recv(b, buf, sizeof buf, 0)));
  printf("recv %s\n", err(recv(b, buf, sizeof buf, MSG_DONTWAIT)));
  close(a); /* nobody there now */
  printf("send %s\n", err(send(b, "gone", 4, 0)));
  usleep(20000);
  printf("poll %x\n", ready(b));
  printf("send %s\n", err(send(b, "gone", 4, 0)));
  printf("send %s\n", err(send(b, "gone", 4, 0)));
  usleep(20000);
  printf("recv %s\n", err(recv(b, buf, sizeof buf, 0)));
  printf("recv %s\n", err(recv(b, buf, sizeof buf, 0)));
  /* not connected: nobody is told */
  sa = lo4(1);
  printf("to nobody %s\n", err(sendto(c, "x", 1, 0, (void *)&sa, sizeof sa)));
  usleep(20000);
  printf("recv %s\n", err(recv(c, buf, sizeof buf, MSG_DONTWAIT)));
  printf("poll %x\n", ready(c));
  struct sockaddr un = {.sa_family = AF_UNSPEC};
  printf("disconnect %s\n", err(connect(b, &un, sizeof un)));
  name("local", b, 0);
  name("peer", b, 1);
  printf("short unspec %s\n", err(connect(b, &un, 1)));
  sa = lo4(0);
  bind(b, (void *)&sa, sizeof sa);
  name("local", b, 0);
  printf("shutdown %s\n", err(shutdown(b, SHUT_RD)));
  printf("recv %s\n", err(recv(b, buf, sizeof buf, 0)));
  printf("poll %x\n", ready(b));
  sa = lo4(port_of(b));
  connect(c, (void *)&sa, sizeof sa);
  name("c", c, 0);
  printf("shutdown %s\n", err(shutdown(c, SHUT_WR)));
  printf("send %s\n", err(send(c, "x", 1, 0)));
  printf("poll %x\n", ready(c));
  printf("shutdown %s\n", err(shutdown(c, 7)));
  printf("listen %s\n", err(listen(c, 1)));
  printf("accept %s\n", err(accept(c, NULL, NULL)));
  /* IPv6 and dual-stack */
  struct sockaddr_in6 s6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any}, f6;
  int d = socket(AF_INET6, SOCK_DGRAM, 0), e = socket(AF_INET6, SOCK_DGRAM, 0);
  name("v6", d, 0);
  printf("bind6 %s\n", err(bind(d, (void *)&s6, sizeof s6)));
  s6.sin6_port = htons(port_of(d));
  s6.sin6_addr = in6addr_loopback;
  printf("send6 %s\n", err(sendto(e, "six", 3, 0, (void *)&s6, sizeof s6)));
  fl = sizeof f6;
  printf("recv6 %s", err(recvfrom(d, buf, sizeof buf, 0, (void *)&f6, &fl)));
  printf(" %s\n", inet_ntop(AF_INET6, &f6.sin6_addr, big, sizeof big));
  sa = lo4(port_of(d));
  close(c);
  c = socket(AF_INET, SOCK_DGRAM, 0);
  printf("send4 %s\n", err(sendto(c, "four", 4, 0, (void *)&sa, sizeof sa)));
  fl = sizeof f6;
  printf("recv6 %s", err(recvfrom(d, buf, sizeof buf, 0, (void *)&f6, &fl)));
  printf(" %s %u\n", inet_ntop(AF_INET6, &f6.sin6_addr, big, sizeof big), fl);
  printf("answer %s\n", err(sendto(d, "answer", 6, 0, (void *)&f6, fl)));
  printf("came %s\n", err(recv(c, buf, sizeof buf, 0)));
  printf("v6 with v4 name %s\n", err(sendto(e, "x", 1, 0, (void *)&sa, sizeof sa)));
  fl = sizeof f6;
  recvfrom(d, buf, sizeof buf, 0, (void *)&f6, &fl);
  printf("from %s\n", inet_ntop(AF_INET6, &f6.sin6_addr, big, sizeof big));
  printf("max6 %s\n", err(sendto(d, buf, 65527, 0, (void *)&s6, sizeof s6)));
  printf("came %s\n", err(recv(d, buf, sizeof buf, 0)));
  printf("max6+1 %s\n", err(sendto(d, buf, 65528, 0, (void *)&s6, sizeof s6)));
  printf("connect6 to v4 %s\n", err(connect(e, (void *)&sa, sizeof sa)));
  name("e", e, 0);
  name("e", e, 1);
  s6.sin6_addr = in6addr_any;
  printf("connect6 to any %s\n", err(connect(e, (void *)&s6, sizeof s6)));
  name("e", e, 1);
  close(e);
  e = socket(AF_INET6, SOCK_DGRAM, 0);
  n = 1;
  setsockopt(e, IPPROTO_IPV6, IPV6_V6ONLY, &n, sizeof n);
  printf("v6only: v4 name %s\n", err(sendto(e, "x", 1, 0, (void *)&sa, sizeof sa)));
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &s6.sin6_addr);
  printf("v6only: mapped %s\n", err(sendto(e, "x", 1, 0, (void *)&s6, sizeof s6)));
  printf("v6only: connect mapped %s\n", err(connect(e, (void *)&s6, sizeof s6)));
  printf("v6only: connect v4 %s\n", err(connect(e, (void *)&sa, sizeof sa)));
  s6.sin6_addr = in6addr_any;
  printf("v6only bind beside dual %s\n", err(bind(e, (void *)&s6, sizeof s6)));
  return 0;
}
