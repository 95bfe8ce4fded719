/* Ends of connections: SO_LINGER, unread data, SIGPIPE, resets, the last descriptor while data is queued, TIME-WAIT and
 * who may bind then, listeners that go with connections in their queue. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static int a, b, l;
static struct sockaddr_in to;
static volatile int got;

static void on(int sig) {
  got = sig;
}

static void server(void) {
  socklen_t n = sizeof to;
  to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(l, (void *)&to, n));
  MUST(listen(l, 4));
  MUST(getsockname(l, (void *)&to, &n));
}

static void pair(void) {
  server();
  a = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(a, (void *)&to, sizeof to));
  b = MUST(accept(l, NULL, NULL));
}

static void end(void) {
  close(a);
  close(b);
  close(l);
}

static int state(int fd) {
  struct tcp_info ti;
  socklen_t n = sizeof ti;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &n) ? -1 : ti.tcpi_state;
}

static void look(const char *what, int fd) {
  char c;
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  usleep(10000);
  poll(&p, 1, 0);
  ssize_t r = recv(fd, &c, 1, MSG_DONTWAIT);
  int e = errno;
  say("%s: state %d, poll %x, recv %d %s, %s", what, state(fd), p.revents, (int)r, r < 0 ? ename(e) : "",
      recv(fd, &c, 1, MSG_DONTWAIT) ? ename(errno) : "end");
}

int main(void) {
  struct linger hard = {1, 0}, soft = {1, 5};
  char buf[1000];
  alarm(15);
  signal(SIGPIPE, on);
  say("-- plain");
  pair();
  send(a, "abc", 3, 0);
  close(a);
  look("peer", b);
  look("peer", b);
  SHOW(send(b, "x", 1, 0));
  look("after RST", b);
  SHOW(send(b, "x", 1, 0));
  say("signal %d", got);
  got = 0;
  SHOW(send(b, "x", 1, MSG_NOSIGNAL));
  say("signal %d", got);
  SHOW(write(b, "x", 1));
  say("signal %d", got);
  end();
  say("-- unread data");
  pair();
  send(b, "abc", 3, 0);
  usleep(5000);
  close(a);
  look("peer", b);
  end();
  say("-- SO_LINGER 0");
  pair();
  SHOW(setsockopt(a, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
  send(a, "abc", 3, 0);
  usleep(5000);
  close(a);
  look("peer", b);
  end();
  say("-- SO_LINGER 5, all is there soon");
  pair();
  SHOW(setsockopt(a, SOL_SOCKET, SO_LINGER, &soft, sizeof soft));
  send(a, "abc", 3, 0);
  struct timespec t0, t1;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  close(a);
  clock_gettime(CLOCK_MONOTONIC, &t1);
  say("soon %d", t1.tv_sec - t0.tv_sec < 2);
  look("peer", b);
  end();
  say("-- half closed, both ways");
  pair();
  shutdown(a, SHUT_WR);
  look("a", a);
  look("b", b);
  SHOW(send(b, "abc", 3, 0));
  shutdown(b, SHUT_WR);
  usleep(5000);
  say("states %d %d", state(a), state(b));
  SHOW(recv(a, buf, sizeof buf, 0));
  SHOW(recv(a, buf, sizeof buf, 0));
  look("a", a);
  end();
  say("-- the last descriptor while there is data in the queue");
  pair();
  pid_t pid = fork();
  if (!pid) {
    static char big[100000];
    close(b);
    close(l);
    send(a, big, sizeof big, 0);
    _exit(0);
  }
  close(a);
  waitpid(pid, NULL, 0);
  long total = 0;
  for (ssize_t n; (n = recv(b, buf, sizeof buf, 0)) > 0;)
    total += n;
  say("%ld", total);
  a = -1;
  end();
  say("-- a listener goes, with connections in its queue");
  server();
  a = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(a, (void *)&to, sizeof to));
  usleep(5000);
  close(l);
  look("not accepted", a);
  b = MUST(socket(AF_INET, SOCK_STREAM, 0));
  SHOW(connect(b, (void *)&to, sizeof to));
  close(a);
  close(b);
  say("-- TIME-WAIT");
  pair();
  close(b); /* the server ends first */
  usleep(5000);
  close(a);
  close(l);
  usleep(5000);
  int one = 1;
  l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  SHOW(bind(l, (void *)&to, sizeof to));
  MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  SHOW(bind(l, (void *)&to, sizeof to)); /* both must have had it */
  close(l);
  server();
  close(l);
  l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  MUST(bind(l, (void *)&to, sizeof to));
  MUST(listen(l, 1));
  a = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(a, (void *)&to, sizeof to));
  b = MUST(accept(l, NULL, NULL));
  close(b);
  usleep(5000);
  close(a);
  close(l);
  l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  SHOW(bind(l, (void *)&to, sizeof to));
  MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  SHOW(bind(l, (void *)&to, sizeof to));
  SHOW(listen(l, 1));
  close(l);
  return 0;
}
