/* connect(2), listen(2), shutdown(2), names and options, in every state that a TCP socket can be in. */
#include "guest.h"
#include "inet.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct sockaddr_in to, nobody;

static void names(int fd) {
  struct sockaddr_in a = {0};
  socklen_t n = sizeof a;
  int r = getsockname(fd, (void *)&a, &n);
  say("  own %s %s port %s", r ? ename(errno) : "", inet_ntoa(a.sin_addr), a.sin_port ? "some" : "0");
  n = sizeof a;
  r = getpeername(fd, (void *)&a, &n);
  say("  peer %s", r ? ename(errno) : inet_ntoa(a.sin_addr));
}

static void calls(int fd) {
  char c = 'x';
  int v = -1;
  socklen_t n = sizeof v;
  SHOW(recv(fd, &c, 1, MSG_DONTWAIT));
  SHOW(recv(fd, &c, 1, MSG_DONTWAIT | MSG_OOB));
  SHOW(recv(fd, &c, 0, MSG_DONTWAIT));
  SHOW(read(fd, &c, 0));
  SHOW(send(fd, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
  SHOW(send(fd, &c, 0, MSG_DONTWAIT | MSG_NOSIGNAL));
  int flags = fcntl(fd, F_GETFL);
  MUST(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
  SHOW(accept4(fd, NULL, NULL, SOCK_NONBLOCK));
  MUST(fcntl(fd, F_SETFL, flags));
  SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n));
  say("  SO_ERROR %s", ename(v));
  SHOW(ioctl(fd, FIONREAD, &v));
  SHOW(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &n));
  say("  accepting %d", v);
}

static int fresh(int flags) {
  return MUST(socket(AF_INET, SOCK_STREAM | flags, 0));
}

int main(void) {
  alarm(10);
  struct sockaddr_in any = {.sin_family = AF_UNSPEC};
  socklen_t n = sizeof to;
  signal(SIGPIPE, SIG_IGN);
  int l = fresh(0), fd = fresh(SOCK_NONBLOCK);
  to = nobody = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  MUST(bind(l, (void *)&to, n));
  MUST(getsockname(l, (void *)&to, &n));
  nobody.sin_port = htons(1);

  say("== fresh");
  bits("fresh", fd);
  names(fd);
  calls(fd);
  SHOW(shutdown(fd, SHUT_RD));
  bits("after SHUT_RD", fd);
  calls(fd);
  SHOW(shutdown(fd, SHUT_WR));
  bits("after SHUT_WR", fd);
  calls(fd);
  SHOW(shutdown(fd, 7));
  SHOW(connect(fd, (void *)&any, 2));
  bits("after AF_UNSPEC", fd);
  SHOW(connect(fd, (void *)&to, 1));
  SHOW(connect(fd, (void *)&to, 7));
  SHOW(connect(fd, (void *)&to, 200));

  say("== bound, nobody listens");
  SHOW(connect(fd, (void *)&to, n));
  close(fd);
  fd = fresh(0);
  SHOW(connect(fd, (void *)&to, n));
  bits("refused", fd);
  names(fd);
  calls(fd);
  SHOW(connect(fd, (void *)&nobody, n));
  fd = fresh(SOCK_NONBLOCK);
  SHOW(connect(fd, (void *)&nobody, n));
  struct pollfd p = {fd, POLLOUT, 0};
  SHOW(poll(&p, 1, 1000));
  bits("refused, unseen", fd);
  names(fd);
  SHOW(connect(fd, (void *)&nobody, n));
  bits("refused, told by connect", fd);
  SHOW(connect(fd, (void *)&nobody, n));
  SHOW(poll(&p, 1, 1000));
  calls(fd);
  bits("refused, told by recv", fd);
  SHOW(connect(fd, (void *)&to, n));

  say("== listener");
  MUST(listen(l, 3));
  SHOW(listen(l, -1));
  bits("listener", l);
  names(l);
  calls(l);
  SHOW(connect(l, (void *)&to, n));
  SHOW(bind(l, (void *)&to, n));
  SHOW(shutdown(l, SHUT_WR));
  bits("after SHUT_WR", l);

  say("== connected");
  int c = fresh(SOCK_NONBLOCK);
  SHOW(connect(c, (void *)&to, n));
  p.fd = c;
  SHOW(poll(&p, 1, 1000));
  bits("connected", c);
  SHOW(listen(c, 1));
  SHOW(bind(c, (void *)&nobody, n));
  SHOW(connect(c, (void *)&to, n));
  SHOW(connect(c, (void *)&to, n));
  names(c);
  calls(c);
  p = (struct pollfd){l, POLLIN, 0};
  SHOW(poll(&p, 1, 1000));
  bits("listener", l);
  int s = accept(l, NULL, NULL);
  names(s);
  SHOW(recv(s, &n, 4, 0));
  n = sizeof to;
  SHOW(shutdown(s, SHUT_RD));
  bits("accepted, SHUT_RD", s);
  SHOW(recv(s, &n, 1, 0));
  SHOW(send(c, "late", 4, 0));
  usleep(20000);
  SHOW(recv(s, p.fd ? (char[8]){0} : NULL, 8, MSG_DONTWAIT));
  SHOW(shutdown(s, SHUT_RD));
  SHOW(shutdown(s, SHUT_WR));
  bits("accepted, both", s);
  usleep(20000);
  bits("connected, peer's end", c);
  names(c);
  SHOW(connect(c, (void *)&to, n));
  SHOW(connect(c, (void *)&any, n));
  bits("disconnected", c);
  names(c);
  usleep(20000);
  bits("accepted, reset", s);
  calls(s);
  names(s);
  SHOW(connect(s, (void *)&to, n));
  SHOW(connect(s, (void *)&any, n));
  bits("accepted, disconnected", s);

  say("== again");
  SHOW(connect(c, (void *)&to, n));
  p = (struct pollfd){c, POLLOUT, 0};
  SHOW(poll(&p, 1, 1000));
  names(c);
  SHOW(shutdown(l, SHUT_RD));
  bits("listener, SHUT_RD", l);
  calls(l);
  names(l);
  usleep(20000);
  bits("its connection", c);
  calls(c);
  SHOW(listen(l, 1));
  bits("listens again", l);
  SHOW(connect(l, (void *)&any, n));
  bits("listener, AF_UNSPEC", l);
  return 0;
}
