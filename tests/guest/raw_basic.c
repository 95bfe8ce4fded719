/* Raw and ping sockets over lo: names, what they see and send, filters, headers of one's own; raw(7), icmp(7), RFC
 * 3542. */
#include "inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint16_t csum(const void *p, size_t n) {
  const uint16_t *w = p;
  uint32_t s = 0;
  for (; n > 1; n -= 2)
    s += *w++;
  s = (s >> 16) + (s & 0xffff);
  return (uint16_t) ~(s + (s >> 16));
}
static const struct sockaddr_in lo = {.sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f};
static struct sockaddr_in6 lo6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

/* The next packet: its length, and what is known of it. */
static void next4(const char *what, int fd) {
  unsigned char b[2000];
  struct pollfd p = {fd, POLLIN, 0};
  struct sockaddr_in from = {0};
  socklen_t l = sizeof from;
  poll(&p, 1, 60);
  long n = recvfrom(fd, b, sizeof b, MSG_DONTWAIT, (void *)&from, &l);
  printf("%s: %s", what, err(n));
  if (n >= 20) {
    const struct iphdr *h = (void *)b;
    printf(" ihl %d len %d ttl %d tos %d proto %d csum %d type %d from %s port %d", h->ihl, ntohs(h->tot_len), h->ttl,
           h->tos, h->protocol, csum(b, h->ihl * 4u) == 0, b[h->ihl * 4], inet_ntoa(from.sin_addr), from.sin_port);
  }
  printf("\n");
}
static void names(const char *what, int fd) {
  struct sockaddr_in a = {0};
  socklen_t l = sizeof a;
  int r = getsockname(fd, (void *)&a, &l);
  printf("%s: %s", what, err(r));
  printf(" %s %d\n", inet_ntoa(a.sin_addr), ntohs(a.sin_port));
}

static void icmp4(void) {
  int r = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), u = socket(AF_INET, SOCK_DGRAM, 0);
  struct {
    struct icmphdr h;
    char data[8];
  } e = {.h = {.type = ICMP_ECHO, .un.echo = {.id = 77, .sequence = 5}}, .data = "payload"};
  names("raw", r);
  e.h.checksum = csum(&e, sizeof e);
  printf("no peer %s\n", err(send(r, &e, sizeof e, 0)));
  printf("echo %s\n", err(sendto(r, &e, sizeof e, 0, (void *)&lo, sizeof lo)));
  next4("request", r);
  next4("reply", r);
  next4("no more", r);
  uint32_t filter = ~(1u << ICMP_ECHOREPLY);
  printf("filter %s\n", err(setsockopt(r, SOL_RAW, 1, &filter, sizeof filter)));
  sendto(r, &e, sizeof e, 0, (void *)&lo, sizeof lo);
  next4("reply", r);
  next4("no more", r);
  filter = ~(1u << ICMP_DEST_UNREACH);
  setsockopt(r, SOL_RAW, 1, &filter, sizeof filter);
  struct sockaddr_in nobody = lo;
  nobody.sin_port = htons(1);
  sendto(u, "x", 1, 0, (void *)&nobody, sizeof nobody);
  next4("unreachable", r);
  struct sockaddr_in b = lo;
  printf("bind %s\n", err(bind(r, (void *)&b, sizeof b)));
  names("bound", r);
  b.sin_addr.s_addr = inet_addr("203.0.113.1");
  printf("bind %s\n", err(bind(r, (void *)&b, sizeof b)));
  printf("short %s\n", err(bind(r, (void *)&b, 8)));
  b = lo;
  b.sin_port = htons(9);
  printf("connect %s\n", err(connect(r, (void *)&b, sizeof b)));
  socklen_t l = sizeof b;
  getpeername(r, (void *)&b, &l);
  printf("peer port %d\n", ntohs(b.sin_port));
  printf("send %s\n", err(send(r, &e, sizeof e, 0)));
  printf("listen %s\n", err(listen(r, 1)));
  printf("nothing at all %s\n", err(send(r, "", 0, 0)));
  close(r), close(u);
}

static void own_header(void) {
  int r = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), x = socket(AF_INET, SOCK_RAW, IPPROTO_RAW),
      u = socket(AF_INET, SOCK_DGRAM, 0), v;
  struct sockaddr_in a = lo;
  socklen_t l = sizeof a;
  bind(u, (void *)&a, sizeof a);
  getsockname(u, (void *)&a, &l);
  l = sizeof v;
  getsockopt(x, IPPROTO_IP, IP_HDRINCL, &v, &l);
  printf("IPPROTO_RAW has a header %d\n", v);
  struct {
    struct iphdr ip;
    struct udphdr udp;
    char data[4];
  } p = {.ip = {.version = 4, .ihl = 5, .ttl = 9, .tos = 4, .protocol = IPPROTO_UDP, .daddr = lo.sin_addr.s_addr},
         .udp = {.source = htons(1234), .dest = a.sin_port, .len = htons(12)},
         .data = "abc"};
  printf("send %s\n", err(sendto(x, &p, sizeof p, 0, (void *)&lo, sizeof lo)));
  next4("raw udp", r);
  char d[16] = "";
  printf("udp %s", err(recv(u, d, sizeof d, MSG_DONTWAIT)));
  printf(" %s\n", d);
  printf("short %s\n", err(sendto(x, &p, 10, 0, (void *)&lo, sizeof lo)));
  p.ip.ihl = 15;
  printf("ihl %s\n", err(sendto(x, &p, sizeof p, 0, (void *)&lo, sizeof lo)));
  next4("none", x);
  set(r, IPPROTO_IP, IP_TTL, 44);
  printf("without %s\n", err(sendto(r, &p.udp, 12, 0, (void *)&lo, sizeof lo)));
  next4("raw udp", r);
  printf("udp %s\n", err(recv(u, d, sizeof d, MSG_DONTWAIT)));
  static char big[70000];
  printf("big %s\n", err(sendto(r, big, 65515, 0, (void *)&lo, sizeof lo)));
  printf("too big %s\n", err(sendto(r, big, 65516, 0, (void *)&lo, sizeof lo)));
  printf("much too big %s\n", err(sendto(r, big, 70000, 0, (void *)&lo, sizeof lo)));
  close(r), close(x), close(u);
  printf("protocol 0: %s\n", err(socket(AF_INET, SOCK_RAW, 0)));
  printf("protocol 256: %s\n", err(socket(AF_INET, SOCK_RAW, 256)));
  printf("protocol 300: %s\n", err(socket(AF_INET, SOCK_RAW, 300)));
  /* a protocol that nobody has: no "protocol unreachable" while somebody listens */
  int q = socket(AF_INET, SOCK_RAW, 200), icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  printf("200 %s\n", err(sendto(q, "xyz", 3, 0, (void *)&lo, sizeof lo)));
  next4("200", q);
  next4("icmp", icmp);
  close(q);
  q = socket(AF_INET, SOCK_RAW, 201);
  shutdown(q, SHUT_RD);
  set(q, IPPROTO_IP, IP_RECVERR, 1);
  close(icmp), close(q);
}

static void icmp6(void) {
  int r = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  struct icmp6_hdr e = {.icmp6_type = ICMP6_ECHO_REQUEST, .icmp6_id = 3, .icmp6_seq = 9};
  unsigned char b[200];
  struct sockaddr_in6 from;
  socklen_t l = sizeof from;
  struct icmp6_filter f;
  ICMP6_FILTER_SETBLOCKALL(&f);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
  printf("filter %s\n", err(setsockopt(r, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f)));
  printf("echo6 %s\n", err(sendto(r, &e, sizeof e, 0, (void *)&lo6, sizeof lo6)));
  usleep(10000);
  printf("reply %s", err(recvfrom(r, b, sizeof b, MSG_DONTWAIT, (void *)&from, &l)));
  printf(" type %d seq %d port %d len %u\n", b[0], b[6], from.sin6_port, l);
  printf("no more %s\n", err(recv(r, b, sizeof b, MSG_DONTWAIT)));
  printf("checksum %s\n", err(set(r, IPPROTO_IPV6, IPV6_CHECKSUM, 2)));
  struct sockaddr_in6 a = lo6;
  a.sin6_port = htons(17);
  printf("another protocol %s\n", err(sendto(r, &e, sizeof e, 0, (void *)&a, sizeof a)));
  a.sin6_port = htons(58);
  printf("its own %s\n", err(sendto(r, &e, sizeof e, 0, (void *)&a, sizeof a)));
  close(r);
  r = socket(AF_INET6, SOCK_RAW, 200);
  printf("checksum %s\n", err(set(r, IPPROTO_IPV6, IPV6_CHECKSUM, 2)));
  printf("odd %s\n", err(set(r, IPPROTO_IPV6, IPV6_CHECKSUM, 3)));
  printf("too short %s\n", err(sendto(r, "ab", 2, 0, (void *)&lo6, sizeof lo6)));
  printf("send %s\n", err(sendto(r, "abcdef", 6, 0, (void *)&lo6, sizeof lo6)));
  usleep(10000);
  memset(b, 0, sizeof b);
  printf("got %s", err(recv(r, b, sizeof b, MSG_DONTWAIT)));
  printf(" %02x %02x %02x %02x %02x %02x\n", b[0], b[1], b[2], b[3], b[4], b[5]);
  set(r, IPPROTO_IPV6, IPV6_CHECKSUM, -1);
  sendto(r, "abcdef", 6, 0, (void *)&lo6, sizeof lo6);
  usleep(10000);
  recv(r, b, sizeof b, MSG_DONTWAIT);
  printf("plain %.6s\n", b);
  close(r);
}

static void ping(int domain) {
  int p = socket(domain, SOCK_DGRAM, domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
  unsigned char e[12] = {domain == AF_INET ? 8 : 128, 0, 0, 0, 1, 2, 0, 7, 'p', 'i', 'n', 'g'}, b[64];
  void *a = domain == AF_INET ? (void *)&lo : (void *)&lo6;
  socklen_t l = domain == AF_INET ? sizeof lo : sizeof lo6;
  printf("-- ping %s\n", p < 0 ? err(p) : "ok");
  if (p < 0)
    return;
  printf("send %s\n", err(sendto(p, e, sizeof e, 0, a, l)));
  struct sockaddr_in6 me, from;
  socklen_t ml = sizeof me, fl = sizeof from;
  getsockname(p, (void *)&me, &ml);
  struct pollfd pf = {p, POLLIN, 0};
  poll(&pf, 1, 100);
  printf("reply %s", err(recvfrom(p, b, sizeof b, MSG_DONTWAIT, (void *)&from, &fl)));
  printf(" type %d id %d seq %d %.4s name %u\n", b[0], me.sin6_port && !memcmp(b + 4, &me.sin6_port, 2), b[7], b + 8,
         fl);
  printf("short %s\n", err(sendto(p, e, 7, 0, a, l)));
  e[0] = 13;
  printf("type %s\n", err(sendto(p, e, sizeof e, 0, a, l)));
  e[0] = domain == AF_INET ? 8 : 128;
  e[1] = 1;
  printf("code %s\n", err(sendto(p, e, sizeof e, 0, a, l)));
  e[1] = 0;
  printf("no peer %s\n", err(send(p, e, sizeof e, 0)));
  printf("connect %s\n", err(connect(p, a, l)));
  printf("send %s\n", err(send(p, e, sizeof e, 0)));
  poll(&pf, 1, 100);
  printf("reply %s\n", err(recv(p, b, sizeof b, MSG_DONTWAIT)));
  close(p);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  icmp4();
  own_header();
  icmp6();
  ping(AF_INET);
  ping(AF_INET6);
  return 0;
}
