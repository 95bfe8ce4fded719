/* Two TCP sockets of one program meet over lo, in both families: names, data both ways, half close, the end. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static union {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} a, b;
static socklen_t alen, blen;

static void show_poll(const char *who, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI | POLLRDNORM | POLLWRNORM, 0};
  poll(&p, 1, 0);
  printf("%-10s%s%s%s%s%s%s\n", who, p.revents & POLLIN ? " IN" : "", p.revents & POLLOUT ? " OUT" : "",
         p.revents & POLLERR ? " ERR" : "", p.revents & POLLHUP ? " HUP" : "", p.revents & POLLRDHUP ? " RDHUP" : "",
         p.revents & POLLPRI ? " PRI" : "");
}

static void loopback(int family) {
  memset(&a, 0, sizeof a);
  a.sa.sa_family = (sa_family_t)family;
  if (family == AF_INET)
    a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else
    a.in6.sin6_addr = in6addr_loopback;
  alen = family == AF_INET ? sizeof a.in : sizeof a.in6;
}

static void scene(int family) {
  char buf[100];
  printf("== %s\n", family == AF_INET ? "AF_INET" : "AF_INET6");
  loopback(family);
  int l = socket(family, SOCK_STREAM, 0), c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
  show_poll("fresh", l);
  SHOW(bind(l, &a.sa, alen));
  SHOW(bind(l, &a.sa, alen));
  SHOW(listen(l, 5));
  blen = sizeof b;
  SHOW(getsockname(l, &b.sa, &blen));
  printf("len %d family %d port %s\n", (int)blen, b.sa.sa_family == family, b.in.sin_port ? "some" : "none");
  show_poll("listener", l);
  a.in.sin_port = b.in.sin_port;
  SHOW(connect(c, &a.sa, alen));
  struct pollfd p = {c, POLLOUT, 0};
  SHOW(poll(&p, 1, 1000));
  SHOW(connect(c, &a.sa, alen));
  SHOW(connect(c, &a.sa, alen));
  show_poll("listener", l);
  blen = sizeof b;
  int s = accept(l, &b.sa, &blen);
  SHOW(s >= 0);
  printf("len %d\n", (int)blen);
  socklen_t n = sizeof a;
  SHOW(getsockname(c, &a.sa, &n));
  printf("same %d\n", !memcmp(&a, &b, n));
  show_poll("client", c);
  show_poll("server", s);
  SHOW(recv(c, buf, sizeof buf, 0));
  SHOW(send(c, "hello", 5, 0));
  SHOW(recv(s, buf, sizeof buf, MSG_PEEK));
  SHOW(recv(s, buf, 3, 0));
  show_poll("server", s);
  SHOW(recv(s, buf, sizeof buf, 0));
  SHOW(recv(s, buf, sizeof buf, MSG_DONTWAIT));
  SHOW(shutdown(c, SHUT_WR));
  SHOW(send(c, "x", 1, MSG_NOSIGNAL));
  show_poll("client", c);
  p = (struct pollfd){s, POLLRDHUP, 0};
  SHOW(poll(&p, 1, 1000));
  show_poll("server", s);
  SHOW(recv(s, buf, sizeof buf, 0));
  SHOW(write(s, "bye", 3));
  SHOW(close(s));
  p = (struct pollfd){c, POLLHUP, 0};
  SHOW(poll(&p, 1, 1000));
  show_poll("client", c);
  SHOW(read(c, buf, sizeof buf));
  SHOW(read(c, buf, sizeof buf));
  SHOW(getpeername(c, &b.sa, &n));
  SHOW(shutdown(c, SHUT_WR));
  close(c);
  close(l);
}

/* Blocking, between processes; more than the buffers hold. */
static void bulk(int family) {
  static char buf[65536];
  loopback(family);
  int l = socket(family, SOCK_STREAM, 0);
  if (bind(l, &a.sa, alen) || listen(l, 1))
    perror("listen");
  getsockname(l, &a.sa, &alen);
  pid_t pid = fork();
  if (!pid) {
    int c = socket(family, SOCK_STREAM, 0);
    if (connect(c, &a.sa, alen))
      perror("connect");
    for (int i = 0; i < 200; i++) {
      memset(buf, i, sizeof buf);
      if (write(c, buf, sizeof buf) != sizeof buf)
        perror("write");
    }
    _exit(0);
  }
  int s = accept(l, NULL, NULL);
  long total = 0, bad = 0;
  ssize_t n;
  while ((n = read(s, buf, sizeof buf)) > 0)
    for (ssize_t i = 0; i < n; i++, total++)
      bad += (unsigned char)buf[i] != (unsigned char)(total / 65536);
  printf("bulk %ld bad %ld end %zd\n", total, bad, n);
  waitpid(pid, NULL, 0);
  close(s);
  close(l);
}

int main(void) {
  scene(AF_INET);
  scene(AF_INET6);
  bulk(AF_INET);
  bulk(AF_INET6);
  loopback(AF_INET);
  a.in.sin_port = htons(1);
  int c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, &a.sa, alen)); /* refused */
  show_poll("refused", c);
  SHOW(send(c, "x", 1, MSG_NOSIGNAL));
  int v;
  socklen_t n = sizeof v;
  SHOW(getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n));
  printf("%d\n", v);
  SHOW(recv(c, &v, 1, 0));
  return 0;
}
