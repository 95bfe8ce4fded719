/* What a connection has of its listener's options; SO_REUSEPORT shares connections out among listeners; flags of
 * accept4(2); dual stack sockets; SO_BINDTODEVICE. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static const struct {
  int level, opt, v;
  const char *name;
} options[] = {
    {SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"},   {SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"},
    {SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE"},   {SOL_SOCKET, SO_RCVLOWAT, 7, "SO_RCVLOWAT"},
    {SOL_SOCKET, SO_SNDBUF, 40000, "SO_SNDBUF"},     {SOL_SOCKET, SO_RCVBUF, 50000, "SO_RCVBUF"},
    {SOL_SOCKET, SO_PRIORITY, 3, "SO_PRIORITY"},     {SOL_SOCKET, SO_DONTROUTE, 0, "SO_DONTROUTE"},
    {IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"},    {IPPROTO_TCP, TCP_KEEPIDLE, 77, "TCP_KEEPIDLE"},
    {IPPROTO_TCP, TCP_KEEPINTVL, 7, "TCP_KEEPINTVL"}, {IPPROTO_TCP, TCP_KEEPCNT, 5, "TCP_KEEPCNT"},
    {IPPROTO_TCP, TCP_LINGER2, 33, "TCP_LINGER2"},   {IPPROTO_TCP, TCP_SYNCNT, 3, "TCP_SYNCNT"},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 9999, "TCP_USER_TIMEOUT"}, {IPPROTO_TCP, 25, 12345, "TCP_NOTSENT_LOWAT"},
    {IPPROTO_IP, IP_TOS, 0x10, "IP_TOS"},            {IPPROTO_IP, IP_TTL, 44, "IP_TTL"},
    {IPPROTO_IP, IP_FREEBIND, 1, "IP_FREEBIND"},     {IPPROTO_IP, IP_MTU_DISCOVER, 2, "IP_MTU_DISCOVER"},
};
#define N (sizeof options / sizeof *options)

static socklen_t size(int family) {
  return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int server(const char *ip, int family, struct sockaddr_storage *ss, int reuse, int only) {
  socklen_t n = size(family);
  int fd = MUST(socket(family, SOCK_STREAM, 0));
  ss->ss_family = (sa_family_t)family;
  if (ip)
    inet_pton(family, ip,
              family == AF_INET ? (void *)&((struct sockaddr_in *)ss)->sin_addr
                                : (void *)&((struct sockaddr_in6 *)ss)->sin6_addr);
  if (reuse)
    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof reuse));
  if (only)
    MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
  if (bind(fd, (void *)ss, n))
    say("bind %s", ename(errno));
  MUST(getsockname(fd, (void *)ss, &n));
  return fd;
}

static void inherit(void) {
  struct sockaddr_storage ss = {0};
  struct linger lg = {1, 3}, got;
  struct timeval tv = {7, 0}, t2 = {0, 0};
  int l = server("127.0.0.1", AF_INET, &ss, 0, 0);
  for (size_t i = 0; i < N; i++)
    if (setsockopt(l, options[i].level, options[i].opt, &options[i].v, sizeof(int)))
      say("set %s %s", options[i].name, ename(errno));
  MUST(setsockopt(l, SOL_SOCKET, SO_LINGER, &lg, sizeof lg));
  MUST(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  MUST(setsockopt(l, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  MUST(listen(l, 1));
  int c = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(c, (void *)&ss, size(AF_INET)));
  int s = MUST(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  SHOW(accept4(l, NULL, NULL, 1));
  say("flags %x %x", fcntl(s, F_GETFL), fcntl(s, F_GETFD));
  for (size_t i = 0; i < N; i++) {
    int v = -1;
    socklen_t n = sizeof v;
    int r = getsockopt(s, options[i].level, options[i].opt, &v, &n);
    say("%s %s %d", options[i].name, r ? ename(errno) : "", v);
  }
  socklen_t n = sizeof got;
  getsockopt(s, SOL_SOCKET, SO_LINGER, &got, &n);
  n = sizeof t2;
  getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t2, &n);
  char cc[16] = "";
  n = sizeof cc;
  getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, cc, &n);
  say("linger %d %d, %d s, %s", got.l_onoff, got.l_linger, (int)t2.tv_sec, cc);
  close(c);
  close(s);
  close(l);
}

static void reuseport(void) {
  struct sockaddr_storage ss = {0};
  int l[4], c[64], count[4] = {0}, all = 0;
  for (int i = 0; i < 4; i++) {
    l[i] = server("127.0.0.1", AF_INET, &ss, 1, 0);
    MUST(listen(l[i], 64));
    fcntl(l[i], F_SETFL, O_NONBLOCK);
  }
  for (int i = 0; i < 64; i++) {
    c[i] = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(c[i], (void *)&ss, size(AF_INET)));
  }
  usleep(10000);
  for (int i = 0; i < 4; i++)
    for (int s; (s = accept(l[i], NULL, NULL)) >= 0; count[i]++, all++)
      close(s);
  say("reuseport: %d, each has some: %d", all, count[0] && count[1] && count[2] && count[3]);
  for (int i = 0; i < 64; i++)
    close(c[i]);
  for (int i = 0; i < 4; i++)
    close(l[i]);
}

static void try(const char *what, int family, const char *ip, uint16_t port, int l) {
  struct sockaddr_storage ss = {.ss_family = (sa_family_t)family};
  char text[64] = "?";
  if (family == AF_INET) {
    inet_pton(family, ip, &((struct sockaddr_in *)&ss)->sin_addr);
    ((struct sockaddr_in *)&ss)->sin_port = port;
  } else {
    inet_pton(family, ip, &((struct sockaddr_in6 *)&ss)->sin6_addr);
    ((struct sockaddr_in6 *)&ss)->sin6_port = port;
  }
  int c = MUST(socket(family, SOCK_STREAM, 0));
  int r = connect(c, (void *)&ss, size(family)) ? errno : 0;
  say("%s to %s: %s", what, ip, ename(r));
  if (!r) {
    socklen_t n = sizeof ss;
    int s = MUST(accept(l, (void *)&ss, &n));
    inet_ntop(ss.ss_family, ss.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&ss)->sin_addr : (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr, text, sizeof text);
    n = sizeof ss;
    say("  peer %s", text);
    getsockname(s, (void *)&ss, &n);
    inet_ntop(ss.ss_family, ss.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&ss)->sin_addr : (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr, text, sizeof text);
    say("  own %s length %d", text, (int)n);
    close(s);
  }
  close(c);
}

static void families(void) {
  for (int only = 0; only < 2; only++) {
    struct sockaddr_storage ss = {0};
    int l = server("::", AF_INET6, &ss, 0, only);
    MUST(listen(l, 5));
    uint16_t port = ((struct sockaddr_in6 *)&ss)->sin6_port;
    try(only ? "v6 only" : "dual", AF_INET, "127.0.0.1", port, l);
    try(only ? "v6 only" : "dual", AF_INET6, "::1", port, l);
    try(only ? "v6 only" : "dual", AF_INET6, "::ffff:127.0.0.1", port, l);
    try(only ? "v6 only" : "dual", AF_INET6, "::", port, l);
    try(only ? "v6 only" : "dual", AF_INET, "0.0.0.0", port, l);
    try(only ? "v6 only" : "dual", AF_INET, "127.1.2.3", port, l);
    SHOW(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
    close(l);
  }
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
  int fd = MUST(socket(AF_INET6, SOCK_STREAM, 0)), one = 1;
  MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.sin6_addr);
  SHOW(bind(fd, (void *)&a, sizeof a));
  SHOW(connect(fd, (void *)&a, sizeof a));
  inet_pton(AF_INET6, "2001:db8::1", &a.sin6_addr);
  a.sin6_port = 0;
  SHOW(bind(fd, (void *)&a, sizeof a));
  inet_pton(AF_INET6, "fe80::1", &a.sin6_addr);
  SHOW(bind(fd, (void *)&a, sizeof a));
  SHOW(connect(fd, (void *)&a, sizeof a));
  SHOW(bind(fd, (void *)&a, 24));
  SHOW(bind(fd, (void *)&a, 23));
  a.sin6_family = AF_INET;
  SHOW(bind(fd, (void *)&a, sizeof a));
  SHOW(connect(fd, (void *)&a, sizeof a));
  close(fd);
  struct sockaddr_in b = {.sin_family = AF_INET, .sin_port = htons(9)};
  fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
  inet_pton(AF_INET, "192.0.2.1", &b.sin_addr);
  SHOW(bind(fd, (void *)&b, sizeof b));
  inet_pton(AF_INET, "224.0.0.1", &b.sin_addr);
  SHOW(connect(fd, (void *)&b, sizeof b));
  inet_pton(AF_INET, "255.255.255.255", &b.sin_addr);
  SHOW(connect(fd, (void *)&b, sizeof b));
  b.sin_family = AF_UNSPEC;
  SHOW(bind(fd, (void *)&b, sizeof b));
  b.sin_addr.s_addr = 0;
  b.sin_port = 0;
  SHOW(bind(fd, (void *)&b, sizeof b));
  b.sin_family = AF_INET6;
  SHOW(bind(fd, (void *)&b, sizeof b));
  SHOW(bind(fd, (void *)&b, 15));
  SHOW(connect(fd, (void *)&b, 15));
  close(fd);
}

static void device(void) {
  struct sockaddr_storage ss = {0};
  int l = server("127.0.0.1", AF_INET, &ss, 0, 0), c = MUST(socket(AF_INET, SOCK_STREAM, 0));
  SHOW(setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  SHOW(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  MUST(listen(l, 1));
  SHOW(connect(c, (void *)&ss, size(AF_INET)));
  SHOW(accept(l, NULL, NULL) > 0);
  SHOW(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "no such", 8));
  char name[16] = "";
  socklen_t n = sizeof name;
  SHOW(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
  say("%s %d", name, (int)n);
}

int main(void) {
  alarm(15);
  inherit();
  reuseport();
  families();
  device();
  return 0;
}
