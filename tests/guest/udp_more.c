/* UDP, the rest: corked datagrams, SO_REUSEPORT, who gets a packet, buffer limits, SO_PEEK_OFF, devices, SIGIO,
 * checksums off, timeouts; udp(7), socket(7). */
#include "inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <linux/sockios.h>

static const char *got(int fd) {
  static char b[4][128];
  static int i;
  char *p = b[i++ & 3];
  long n = recv(fd, p, 127, MSG_DONTWAIT);
  if (n < 0)
    return strerrorname_np(errno);
  p[n] = 0;
  return p;
}
static struct sockaddr_in sa(const char *a, int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(a)};
}
static int mk(const char *a, int port, int opt) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in s = sa(a, port);
  if (opt)
    set(fd, SOL_SOCKET, opt, 1);
  if (bind(fd, (void *)&s, sizeof s))
    printf("bind %s: %s\n", a, err(-1));
  return fd;
}
static int port_of(int fd) {
  struct sockaddr_in s;
  socklen_t l = sizeof s;
  getsockname(fd, (void *)&s, &l);
  return ntohs(s.sin_port);
}
static long to(int fd, const char *a, int port, const char *s, int flags) {
  struct sockaddr_in d = sa(a, port);
  return sendto(fd, s, strlen(s), flags, (void *)&d, sizeof d);
}

static void cork(void) {
  int r = mk("127.0.0.1", 0, 0), s = socket(AF_INET, SOCK_DGRAM, 0), p = port_of(r);
  printf("more %s\n", err(to(s, "127.0.0.1", p, "one ", MSG_MORE)));
  printf("got %s\n", got(r));
  printf("more %s\n", err(to(s, "127.0.0.2", p, "two ", MSG_MORE)));
  printf("last %s\n", err(send(s, "three", 5, 0)));
  printf("got %s\n", got(r));
  set(s, IPPROTO_UDP, UDP_CORK, 1);
  printf("corked %s\n", err(to(s, "127.0.0.1", p, "a", 0)));
  printf("corked %s\n", err(send(s, "b", 1, 0)));
  printf("got %s\n", got(r));
  set(s, IPPROTO_UDP, UDP_CORK, 0);
  printf("got %s\n", got(r));
  static char big[40000];
  printf("more %s\n", err(to(s, "127.0.0.1", p, "x", MSG_MORE)));
  printf("big %s\n", err(send(s, big, sizeof big, MSG_MORE)));
  printf("too big %s\n", err(send(s, big, sizeof big, MSG_MORE)));
  printf("after that %s\n", err(send(s, "y", 1, 0)));
  printf("got %s\n", got(r));
  close(r), close(s);
}

static void choice(void) {
  int any = mk("0.0.0.0", 0, SO_REUSEADDR), p = port_of(any), one = mk("127.0.0.1", p, SO_REUSEADDR),
      s = mk("127.0.0.1", 0, 0), t = mk("127.0.0.1", 0, 0);
  struct sockaddr_in peer = sa("127.0.0.1", port_of(s));
  int conn = mk("127.0.0.1", p, SO_REUSEADDR);
  printf("connect %s\n", err(connect(conn, (void *)&peer, sizeof peer)));
  to(s, "127.0.0.1", p, "from s", 0);
  to(t, "127.0.0.1", p, "from t", 0);
  to(t, "127.0.0.2", p, "to 2", 0);
  printf("any: %s, one: %s, conn: %s\n", got(any), got(one), got(conn));
  printf("left: %s %s %s\n", got(any), got(one), got(conn));
  int twin = mk("127.0.0.1", p, SO_REUSEADDR);
  to(t, "127.0.0.1", p, "whose", 0);
  printf("the older %s, the newer %s\n", got(one), got(twin));
  int other = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = sa("127.0.0.1", p);
  printf("without reuse %s\n", err(bind(other, (void *)&a, sizeof a)));
  printf("device %s\n", err(setsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)));
  char name[IFNAMSIZ];
  socklen_t l = sizeof name;
  printf("is %s", err(getsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, name, &l)));
  printf(" %s %u\n", name, l);
  l = 4;
  printf("small %s\n", err(getsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, name, &l)));
  printf("no device %s\n", err(setsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, "nope0", 6)));
  printf("none %s\n", err(setsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, "", 0)));
  l = sizeof name;
  printf("is %s", err(getsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, name, &l)));
  printf(" %u\n", l);
  close(any), close(one), close(s), close(t), close(conn), close(twin), close(other);
}

static void reuseport(void) {
  int fd[4], p = 0, total = 0, used = 0, n;
  for (int i = 0; i < 4; i++) {
    fd[i] = mk("127.0.0.1", p, SO_REUSEPORT);
    p = port_of(fd[i]);
  }
  for (int i = 0; i < 200; i++) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    to(s, "127.0.0.1", p, "x", 0);
    to(s, "127.0.0.1", p, "x", 0);
    close(s);
  }
  for (int i = 0; i < 4; i++) {
    for (n = 0; recv(fd[i], &(char){0}, 1, MSG_DONTWAIT) == 1; n++)
      ;
    total += n;
    used += n > 20;
    printf("pairs %d\n", n % 2);
  }
  printf("total %d over %d\n", total, used);
  int x = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = sa("127.0.0.1", p);
  set(x, SOL_SOCKET, SO_REUSEADDR, 1);
  printf("reuseaddr beside reuseport %s\n", err(bind(x, (void *)&a, sizeof a)));
  close(x);
  for (int i = 0; i < 4; i++)
    close(fd[i]);
}

static void limits(void) {
  int r = mk("127.0.0.1", 0, 0), s = socket(AF_INET, SOCK_DGRAM, 0), p = port_of(r), n = 0, v;
  socklen_t l = sizeof v;
  set(r, SOL_SOCKET, SO_RCVBUF, 8192);
  getsockopt(r, SOL_SOCKET, SO_RCVBUF, &v, &l);
  printf("rcvbuf %d\n", v);
  for (int i = 0; i < 100; i++)
    to(s, "127.0.0.1", p, "a little", 0);
  while (recv(r, &v, 4, MSG_DONTWAIT) > 0)
    n++;
  printf("held %d\n", n);
  set(r, SOL_SOCKET, SO_RXQ_OVFL, 1);
  to(s, "127.0.0.1", p, "a little", 0);
  char c[64], d[16];
  struct iovec iv = {d, sizeof d};
  struct msghdr h = {.msg_iov = &iv, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  recvmsg(r, &h, 0);
  struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
  printf("dropped %u\n", cm ? *(unsigned *)CMSG_DATA(cm) : 0);
  /* what was looked at */
  set(r, SOL_SOCKET, SO_RXQ_OVFL, 0);
  set(r, SOL_SOCKET, SO_PEEK_OFF, 0);
  to(s, "127.0.0.1", p, "abcdef", 0);
  to(s, "127.0.0.1", p, "ghi", 0);
  for (int i = 0; i < 5; i++) {
    memset(d, 0, sizeof d);
    printf("peek %s", err(recv(r, d, 4, MSG_PEEK | MSG_DONTWAIT)));
    l = sizeof v;
    getsockopt(r, SOL_SOCKET, SO_PEEK_OFF, &v, &l);
    printf(" %s %d\n", d, v);
  }
  printf("read %s\n", got(r));
  l = sizeof v;
  getsockopt(r, SOL_SOCKET, SO_PEEK_OFF, &v, &l);
  printf("offset %d\n", v);
  memset(d, 0, sizeof d);
  printf("peek %s", err(recv(r, d, 4, MSG_PEEK | MSG_DONTWAIT)));
  printf(" %s\n", d);
  set(r, SOL_SOCKET, SO_PEEK_OFF, -1);
  printf("read %s\n", got(r));
  /* a timeout */
  struct timeval tv = {0, 20000};
  setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  printf("timeout %s\n", err(recv(r, d, 4, 0)));
  set(s, SOL_SOCKET, SO_NO_CHECK, 1);
  to(s, "127.0.0.1", p, "no checksum", 0);
  printf("got %s\n", got(r));
  close(r), close(s);
}

static volatile sig_atomic_t io;
static void on_io(int sig) {
  io++;
}
static void sigio(void) {
  int r = mk("127.0.0.1", 0, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
  signal(SIGIO, on_io);
  fcntl(r, F_SETOWN, getpid());
  fcntl(r, F_SETFL, O_ASYNC | O_NONBLOCK);
  to(s, "127.0.0.1", port_of(r), "x", 0);
  for (int i = 0; i < 100 && !io; i++)
    usleep(1000);
  printf("SIGIO %d\n", io > 0);
  close(r), close(s);
}

static void broadcast(void) {
  int r = mk("0.0.0.0", 0, 0), s = socket(AF_INET, SOCK_DGRAM, 0), b = mk("127.255.255.255", port_of(r), SO_REUSEADDR);
  close(b);
  printf("no %s\n", err(to(s, "127.255.255.255", port_of(r), "x", 0)));
  set(s, SOL_SOCKET, SO_BROADCAST, 1);
  printf("yes %s\n", err(to(s, "127.255.255.255", port_of(r), "all", 0)));
  usleep(10000);
  printf("got %s\n", got(r));
  set(s, SOL_SOCKET, SO_BROADCAST, 0);
  printf("no %s\n", err(to(s, "127.255.255.255", port_of(r), "x", 0)));
  struct sockaddr_in d = sa("127.255.255.255", 9);
  printf("connect %s\n", err(connect(s, (void *)&d, sizeof d)));
  close(r), close(s);
}

static void stamp(void) {
  int r = mk("127.0.0.1", 0, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval tv = {0};
  struct timespec ts = {0};
  printf("no packet yet %s\n", err(ioctl(r, SIOCGSTAMP, &tv)));
  to(s, "127.0.0.1", port_of(r), "x", 0);
  got(r);
  printf("a packet %s\n", err(ioctl(r, SIOCGSTAMP, &tv)));
  to(s, "127.0.0.1", port_of(r), "x", 0);
  got(r);
  printf("in ns %s", err(ioctl(r, SIOCGSTAMPNS, &ts)));
  printf(" now %d later %d\n", llabs((long long)ts.tv_sec - (long long)time(NULL)) < 5,
         ts.tv_sec > tv.tv_sec || (ts.tv_sec == tv.tv_sec && ts.tv_nsec / 1000 >= tv.tv_usec));
  close(r), close(s);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  cork();
  choice();
  reuseport();
  limits();
  sigio();
  stamp();
  broadcast();
  return 0;
}
