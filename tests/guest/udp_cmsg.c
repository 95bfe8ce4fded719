/* Control messages of datagrams, both ways: which come, in which order, how long, and with what in them; ip(7),
 * ipv6(7), udp(7). */
#include "inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

static void on(int fd, int level, int opt) {
  int v = 1;
  if (setsockopt(fd, level, opt, &v, sizeof v))
    printf("setsockopt %d/%d: %s\n", level, opt, err(-1));
}
static int mk(int domain, struct sockaddr_storage *ss, socklen_t *l) {
  int fd = socket(domain, SOCK_DGRAM, 0);
  memset(ss, 0, sizeof *ss);
  ss->ss_family = domain;
  if (domain == AF_INET)
    ((struct sockaddr_in *)ss)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else
    ((struct sockaddr_in6 *)ss)->sin6_addr = in6addr_loopback;
  *l = domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  bind(fd, (void *)ss, *l);
  getsockname(fd, (void *)ss, l);
  return fd;
}

static void show(const struct cmsghdr *c) {
  const unsigned char *d = CMSG_DATA(c);
  size_t n = c->cmsg_len - CMSG_LEN(0);
  printf("  %d/%d len %zu", c->cmsg_level, c->cmsg_type, n);
  int stamp =
      c->cmsg_level == SOL_SOCKET && (c->cmsg_type == SO_TIMESTAMP || c->cmsg_type == SO_TIMESTAMPNS ||
                                      c->cmsg_type == SO_TIMESTAMPING || (c->cmsg_type >= 63 && c->cmsg_type <= 65));
  if (stamp) {
    time_t t;
    memcpy(&t, d, sizeof t);
    printf(" now %d", llabs((long long)t - (long long)time(NULL)) < 5);
  } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) {
    printf(" %d %s", ((struct sockaddr_in *)d)->sin_family, inet_ntoa(((struct sockaddr_in *)d)->sin_addr));
  } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR) {
    char b[64];
    printf(" %s", inet_ntop(AF_INET6, &((struct sockaddr_in6 *)d)->sin6_addr, b, sizeof b));
  } else {
    for (size_t i = 0; i < n; i++)
      printf(" %02x", d[i]);
  }
  printf("\n");
}

static void get(const char *what, int fd, size_t room, int flags) {
  static char data[70000];
  char ctl[1024];
  struct sockaddr_storage ss;
  struct iovec v = {data, sizeof data};
  struct msghdr h = {.msg_name = &ss,
                     .msg_namelen = sizeof ss,
                     .msg_iov = &v,
                     .msg_iovlen = 1,
                     .msg_control = ctl,
                     .msg_controllen = room};
  long r = recvmsg(fd, &h, flags | MSG_DONTWAIT);
  printf("%s: %s", what, err(r));
  if (r < 0) {
    printf("\n");
    return;
  }
  printf(" flags %x name %u control %zu\n", h.msg_flags, h.msg_namelen, h.msg_controllen);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
    show(c);
}

static long put(int fd, const struct sockaddr_storage *ss, socklen_t l, const char *data, size_t n, const void *ctl,
                size_t cl) {
  struct iovec v = {(void *)data, n};
  struct msghdr h = {.msg_name = (void *)ss,
                     .msg_namelen = l,
                     .msg_iov = &v,
                     .msg_iovlen = 1,
                     .msg_control = (void *)ctl,
                     .msg_controllen = cl};
  return sendmsg(fd, &h, 0);
}
static size_t cm(char *b, int level, int type, const void *d, size_t n) {
  struct cmsghdr c = {.cmsg_len = CMSG_LEN(n), .cmsg_level = level, .cmsg_type = type};
  memset(b, 0, CMSG_SPACE(n));
  memcpy(b, &c, sizeof c);
  memcpy(CMSG_DATA((struct cmsghdr *)b), d, n);
  return CMSG_SPACE(n);
}
static void try_int(int fd, const struct sockaddr_storage *ss, socklen_t l, int level, int type, int v, size_t n) {
  char b[64];
  size_t cl = cm(b, level, type, &v, n);
  printf("send %d/%d %d (%zu): %s\n", level, type, v, n, err(put(fd, ss, l, "x", 1, b, cl)));
}

static void four(void) {
  struct sockaddr_storage a, b;
  socklen_t al, bl;
  int r = mk(AF_INET, &a, &al), s = mk(AF_INET, &b, &bl), tos = 0x28, ttl = 33;
  char ctl[256];
  put(s, &a, al, "none", 4, NULL, 0);
  get("nothing asked", r, 512, 0);
  on(r, SOL_SOCKET, SO_TIMESTAMP);
  on(r, IPPROTO_IP, IP_PKTINFO);
  on(r, IPPROTO_IP, IP_RECVTTL);
  on(r, IPPROTO_IP, IP_RECVTOS);
  on(r, IPPROTO_IP, IP_RECVORIGDSTADDR);
  on(r, IPPROTO_IP, IP_RECVOPTS);
  on(r, IPPROTO_IP, IP_RETOPTS);
  on(r, IPPROTO_IP, IP_CHECKSUM);
  on(r, IPPROTO_IP, IP_RECVFRAGSIZE);
  on(r, SOL_SOCKET, SO_RXQ_OVFL);
  put(s, &a, al, "all", 3, NULL, 0);
  get("all", r, 512, MSG_PEEK);
  get("no room", r, 0, MSG_PEEK);
  get("little room", r, 50, MSG_PEEK);
  get("8 bytes", r, 8, 0);
  setsockopt(s, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
  setsockopt(s, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
  put(s, &a, al, "tos", 3, NULL, 0);
  get("socket's tos, ttl", r, 512, 0);
  size_t n = cm(ctl, IPPROTO_IP, IP_TTL, &(int){7}, 4);
  n += cm(ctl + n, IPPROTO_IP, IP_TOS, &(char){0x10}, 1);
  printf("send %s\n", err(put(s, &a, al, "tos", 3, ctl, n)));
  get("control's tos, ttl", r, 512, 0);
  struct in_pktinfo pi = {.ipi_spec_dst.s_addr = inet_addr("127.0.0.9"), .ipi_ifindex = 1};
  int any = socket(AF_INET, SOCK_DGRAM, 0);
  printf("pktinfo %s\n", err(put(any, &a, al, "pi", 2, ctl, cm(ctl, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi))));
  struct sockaddr_in from;
  socklen_t fl = sizeof from;
  char d[8];
  recvfrom(r, d, sizeof d, MSG_DONTWAIT, (void *)&from, &fl);
  printf("from %s\n", inet_ntoa(from.sin_addr));
  pi.ipi_spec_dst.s_addr = inet_addr("203.0.113.5");
  printf("pktinfo not ours %s\n", err(put(any, &a, al, "pi", 2, ctl, cm(ctl, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi))));
  pi = (struct in_pktinfo){.ipi_ifindex = 99999};
  printf("pktinfo no device %s\n",
         err(put(any, &a, al, "pi", 2, ctl, cm(ctl, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi))));
  unsigned char opts[8] = {148, 4, 0, 0, 1, 1, 1, 0};
  setsockopt(s, IPPROTO_IP, IP_OPTIONS, opts, 8);
  put(s, &a, al, "opt", 3, NULL, 0);
  get("options", r, 512, 0);
  /* mistakes */
  for (int v = -1; v <= 256; v += 257)
    try_int(s, &a, al, IPPROTO_IP, IP_TTL, v, 4), try_int(s, &a, al, IPPROTO_IP, IP_TOS, v, 4);
  try_int(s, &a, al, IPPROTO_IP, IP_TTL, 0, 4);
  try_int(s, &a, al, IPPROTO_IP, IP_TTL, 3, 1);
  try_int(s, &a, al, IPPROTO_IP, IP_TOS, 3, 2);
  try_int(s, &a, al, IPPROTO_IP, IP_RECVTTL + 60, 3, 4);
  try_int(s, &a, al, IPPROTO_IPV6, IPV6_HOPLIMIT, 3, 4);
  try_int(s, &a, al, SOL_SOCKET, SCM_RIGHTS, 1, 4);
  try_int(s, &a, al, SOL_SOCKET, 99, 1, 4);
  try_int(s, &a, al, SOL_SOCKET, SO_MARK, 1, 4);
  try_int(s, &a, al, SOL_SOCKET, SO_MARK, 1, 2);
  try_int(s, &a, al, IPPROTO_UDP, UDP_SEGMENT, 1, 2);
  try_int(s, &a, al, IPPROTO_UDP, UDP_SEGMENT, 1, 4);
  try_int(s, &a, al, IPPROTO_UDP, 7, 1, 4);
  try_int(s, &a, al, IPPROTO_TCP, 7, 1, 4);
  struct cmsghdr bad = {.cmsg_len = 4, .cmsg_level = 0, .cmsg_type = IP_TTL};
  printf("short header %s\n", err(put(s, &a, al, "x", 1, &bad, sizeof bad)));
  bad.cmsg_len = 400;
  printf("long header %s\n", err(put(s, &a, al, "x", 1, &bad, sizeof bad)));
  printf("half a header %s\n", err(put(s, &a, al, "x", 1, &bad, 8)));
  close(r), close(s), close(any);
}

static void six(void) {
  struct sockaddr_storage a, b;
  socklen_t al, bl;
  int r = mk(AF_INET6, &a, &al), s = mk(AF_INET6, &b, &bl), tc = 0x28;
  char ctl[256];
  on(r, SOL_SOCKET, SO_TIMESTAMPNS);
  on(r, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  on(r, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
  on(r, IPPROTO_IPV6, IPV6_RECVTCLASS);
  on(r, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR);
  on(r, IPPROTO_IPV6, IPV6_RECVHOPOPTS);
  on(r, IPPROTO_IPV6, IPV6_RECVDSTOPTS);
  on(r, IPPROTO_IPV6, IPV6_RECVRTHDR);
  on(r, IPPROTO_IPV6, IPV6_2292PKTINFO);
  on(r, IPPROTO_IPV6, IPV6_2292HOPLIMIT);
  put(s, &a, al, "all", 3, NULL, 0);
  get("all", r, 512, MSG_PEEK);
  get("little room", r, 60, 0);
  setsockopt(s, IPPROTO_IPV6, IPV6_TCLASS, &tc, sizeof tc);
  put(s, &a, al, "tc", 2, NULL, 0);
  get("socket's tclass", r, 512, 0);
  size_t n = cm(ctl, IPPROTO_IPV6, IPV6_HOPLIMIT, &(int){7}, 4);
  n += cm(ctl + n, IPPROTO_IPV6, IPV6_TCLASS, &(int){0x10}, 4);
  printf("send %s\n", err(put(s, &a, al, "tc", 2, ctl, n)));
  get("control's", r, 512, 0);
  struct in6_pktinfo pi = {.ipi6_addr = in6addr_loopback, .ipi6_ifindex = 1};
  printf("pktinfo %s\n", err(put(s, &a, al, "pi", 2, ctl, cm(ctl, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi))));
  get("pktinfo", r, 512, 0);
  inet_pton(AF_INET6, "2001:db8::1", &pi.ipi6_addr);
  printf("pktinfo not ours %s\n",
         err(put(s, &a, al, "pi", 2, ctl, cm(ctl, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi))));
  pi = (struct in6_pktinfo){.ipi6_ifindex = 99999};
  printf("pktinfo no device %s\n",
         err(put(s, &a, al, "pi", 2, ctl, cm(ctl, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi))));
  unsigned char hop[8] = {0, 0, 1, 4, 0, 0, 0, 0}, dst[8] = {0, 0, 1, 4, 0, 0, 0, 0};
  n = cm(ctl, IPPROTO_IPV6, IPV6_HOPOPTS, hop, 8);
  n += cm(ctl + n, IPPROTO_IPV6, IPV6_DSTOPTS, dst, 8);
  printf("extension headers %s\n", err(put(s, &a, al, "eh", 2, ctl, n)));
  get("extension headers", r, 512, 0);
  printf("sticky %s\n", err(setsockopt(s, IPPROTO_IPV6, IPV6_DSTOPTS, dst, 8)));
  put(s, &a, al, "st", 2, NULL, 0);
  get("sticky", r, 512, 0);
  unsigned char back[64];
  socklen_t bkl = sizeof back;
  printf("getsockopt %s", err(getsockopt(s, IPPROTO_IPV6, IPV6_DSTOPTS, back, &bkl)));
  printf(" %u\n", bkl);
  printf("clear %s\n", err(setsockopt(s, IPPROTO_IPV6, IPV6_DSTOPTS, NULL, 0)));
  for (int v = -2; v <= 256; v += 258)
    try_int(s, &a, al, IPPROTO_IPV6, IPV6_HOPLIMIT, v, 4), try_int(s, &a, al, IPPROTO_IPV6, IPV6_TCLASS, v, 4);
  try_int(s, &a, al, IPPROTO_IPV6, IPV6_TCLASS, 1, 1);
  try_int(s, &a, al, IPPROTO_IPV6, IPV6_DONTFRAG, 2, 4);
  try_int(s, &a, al, IPPROTO_IPV6, 99, 2, 4);
  try_int(s, &a, al, IPPROTO_IP, IP_TTL, 2, 4);
  /* IPv4 on a dual-stack socket */
  int d = socket(AF_INET6, SOCK_DGRAM, 0), f = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in6 any = {.sin6_family = AF_INET6};
  bind(d, (void *)&any, sizeof any);
  bl = sizeof any;
  getsockname(d, (void *)&any, &bl);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = any.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  on(d, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  on(d, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
  on(d, IPPROTO_IPV6, IPV6_RECVTCLASS);
  on(d, IPPROTO_IP, IP_RECVTOS);
  on(d, IPPROTO_IP, IP_RECVTTL);
  sendto(f, "v4", 2, 0, (void *)&to, sizeof to);
  get("mapped", d, 512, 0);
  close(r), close(s), close(d), close(f);
}

static void stamps(void) {
  static const int opts[] = {SO_TIMESTAMP, SO_TIMESTAMPNS, 63, 64};
  struct sockaddr_storage a;
  socklen_t al;
  for (size_t i = 0; i < 4; i++) {
    int r = mk(AF_INET, &a, &al);
    on(r, SOL_SOCKET, opts[i]);
    put(r, &a, al, "x", 1, NULL, 0);
    get("stamp", r, 512, 0);
    close(r);
  }
  for (int i = 37; i <= 65; i += 28) {
    int r = mk(AF_INET, &a, &al), v = 8 | 16; /* RX_SOFTWARE, SOFTWARE */
    setsockopt(r, SOL_SOCKET, i, &v, sizeof v);
    on(r, SOL_SOCKET, SO_TIMESTAMPNS);
    put(r, &a, al, "x", 1, NULL, 0);
    get("both", r, 512, 0);
    close(r);
  }
}

static void segments(void) {
  static char big[70000];
  struct sockaddr_storage a;
  socklen_t al;
  char ctl[64];
  int r = mk(AF_INET, &a, &al), s = socket(AF_INET, SOCK_DGRAM, 0), v = 1000;
  uint16_t size = 1000;
  printf("segments %s\n", err(put(s, &a, al, big, 2500, ctl, cm(ctl, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size))));
  for (int i = 0; i < 4; i++)
    get("segment", r, 512, 0);
  on(r, IPPROTO_UDP, UDP_GRO);
  setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof v);
  printf("segments %s\n", err(put(s, &a, al, big, 2500, NULL, 0)));
  get("together", r, 512, 0);
  get("together", r, 512, 0);
  printf("one %s\n", err(put(s, &a, al, big, 1000, NULL, 0)));
  get("one", r, 512, 0);
  v = 10;
  setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof v);
  printf("too many %s\n", err(put(s, &a, al, big, 1281, NULL, 0)));
  v = 65000;
  setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof v);
  printf("large %s\n", err(put(s, &a, al, big, 65507, NULL, 0)));
  close(r), close(s);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  four();
  six();
  stamps();
  segments();
  return 0;
}
