/*
 * Both ends of the network benchmarks that no common tool measures: an echo server for TCP and UDP, and clients that
 * count round trips, connections, or hold many connections open.
 *
 *   net_peer serve PORT                 echo, one thread, epoll
 *   net_peer tcp|udp ADDR PORT SECONDS  one byte there and back: microseconds of a round trip (median, then mean)
 *   net_peer conn ADDR PORT SECONDS     connect, one byte there and back, close: connections a second
 *   net_peer idle ADDR PORT N           N connections, held until stdin ends; prints how many there are
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void many_files(void) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  r.rlim_cur = r.rlim_max;
  setrlimit(RLIMIT_NOFILE, &r);
}

static struct sockaddr_in address(const char *a, const char *port) {
  struct sockaddr_in s = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, a, &s.sin_addr) != 1)
    die(a);
  return s;
}

static int connected(int type, const struct sockaddr_in *a) {
  int one = 1, fd = socket(AF_INET, type, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof *a))
    die("connect");
  if (type == SOCK_STREAM)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void serve(const char *port) {
  struct sockaddr_in any = address("0.0.0.0", port);
  char buf[16384];
  int one = 1, t = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), u = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int ep = epoll_create1(0);
  setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (t < 0 || bind(t, (struct sockaddr *)&any, sizeof any) || listen(t, 4096) ||
      (u >= 0 && bind(u, (struct sockaddr *)&any, sizeof any)))
    die("serve");
  epoll_ctl(ep, EPOLL_CTL_ADD, t, &(struct epoll_event){.events = EPOLLIN, .data.fd = t});
  epoll_ctl(ep, EPOLL_CTL_ADD, u, &(struct epoll_event){.events = EPOLLIN, .data.fd = u});
  for (;;) {
    struct epoll_event ev[64];
    int n = epoll_wait(ep, ev, 64, -1);
    for (int i = 0; i < n; i++) {
      int fd = ev[i].data.fd;
      if (fd == t) {
        int c = accept4(t, NULL, NULL, SOCK_NONBLOCK);
        if (c < 0)
          continue;
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(ep, EPOLL_CTL_ADD, c, &(struct epoll_event){.events = EPOLLIN, .data.fd = c});
        continue;
      }
      struct sockaddr_in from;
      socklen_t len = sizeof from;
      ssize_t r = fd == u ? recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len) : read(fd, buf, sizeof buf);
      if (fd == u && r >= 0)
        sendto(fd, buf, (size_t)r, 0, (struct sockaddr *)&from, len);
      else if (r > 0)
        (void)!write(fd, buf, (size_t)r);
      else if (fd != u && (r == 0 || errno != EAGAIN))
        close(fd);
    }
  }
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void ping_pong(int type, const struct sockaddr_in *a, double seconds) {
  int fd = connected(type, a);
  static double each[1 << 20];
  size_t n = 0;
  char c = 'x';
  double begin = now(), last = begin;
  while (last - begin < seconds && n < sizeof each / sizeof *each) {
    if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
      die("ping-pong");
    double t = now();
    each[n++] = t - last;
    last = t;
  }
  qsort(each, n, sizeof *each, by_value);
  printf("%.2f %.2f\n", each[n / 2] * 1e6, (last - begin) / (double)n * 1e6);
}

static void connections(const struct sockaddr_in *a, double seconds) {
  double begin = now();
  long n = 0;
  char c = 'x';
  for (; now() - begin < seconds; n++) {
    int fd = connected(SOCK_STREAM, a);
    struct linger l = {1, 0}; /* no TIME-WAIT here: local ports would run out */
    if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
      die("echo");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
  }
  printf("%.1f\n", (double)n / (now() - begin));
}

static void idle(const struct sockaddr_in *a, int n) {
  for (int i = 0; i < n; i++)
    connected(SOCK_STREAM, a);
  printf("%d\n", n);
  fflush(stdout);
  char c;
  while (read(0, &c, 1) > 0)
    ;
}

int main(int argc, char **argv) {
  many_files();
  if (argc == 3 && !strcmp(argv[1], "serve"))
    serve(argv[2]);
  if (argc != 5)
    return 2;
  struct sockaddr_in a = address(argv[2], argv[3]);
  if (!strcmp(argv[1], "idle"))
    idle(&a, atoi(argv[4]));
  else if (!strcmp(argv[1], "conn"))
    connections(&a, atof(argv[4]));
  else
    ping_pong(!strcmp(argv[1], "udp") ? SOCK_DGRAM : SOCK_STREAM, &a, atof(argv[4]));
  return 0;
}
