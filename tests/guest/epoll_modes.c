/* epoll: level and edge triggered, one-shot, modification. */
#include "guest.h"
static int ep;
static void w(const char *what) {
  struct epoll_event e[8];
  int n = epoll_wait(ep, e, 8, 0);
  char buf[200] = "";
  for (int i = 0; i < n; i++)
    sprintf(buf + strlen(buf), " [%u%s%s%s%s%s]", e[i].data.u32, e[i].events & EPOLLIN ? " IN" : "", e[i].events & EPOLLOUT ? " OUT" : "",
            e[i].events & EPOLLHUP ? " HUP" : "", e[i].events & EPOLLERR ? " ERR" : "", e[i].events & EPOLLRDHUP ? " RDHUP" : "");
  say("%s: %d%s", what, n, buf);
}
static void add(int op, int fd, uint32_t ev, uint32_t tag) {
  struct epoll_event e = {.events = ev, .data.u32 = tag};
  MUST(epoll_ctl(ep, op, fd, &e));
}
int main(void) {
  int p[2], q[2], s[2];
  char b[8];
  ep = MUST(epoll_create1(0));
  pipe(p), pipe(q);
  add(EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
  add(EPOLL_CTL_ADD, q[0], EPOLLIN | EPOLLET, 2);
  w("nothing");
  write(p[1], "ab", 2), write(q[1], "ab", 2);
  struct epoll_event e[8];
  say("both: %d", epoll_wait(ep, e, 8, 0));
  w("level stays");
  read(p[0], b, 1), read(q[0], b, 1);
  w("after a partial read");
  write(q[1], "c", 1);
  w("edge again");
  read(p[0], b, 1);
  w("drained");
  add(EPOLL_CTL_MOD, q[0], EPOLLIN | EPOLLET, 22);
  w("modification rearms the edge");
  read(q[0], b, 8);
  add(EPOLL_CTL_MOD, q[0], EPOLLIN | EPOLLONESHOT, 3);
  write(q[1], "x", 1);
  w("one-shot");
  write(q[1], "x", 1);
  w("spent");
  add(EPOLL_CTL_MOD, q[0], EPOLLIN | EPOLLONESHOT, 4);
  w("rearmed");
  add(EPOLL_CTL_MOD, p[0], 0, 5);
  write(p[1], "x", 1);
  w("no events asked");
  close(p[1]);
  w("HUP comes unasked");
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  add(EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 6);
  epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL);
  w("socket");
  w("edge once");
  write(s[1], "x", 1);
  w("data");
  shutdown(s[1], SHUT_WR);
  w("peer shut down");
  close(s[1]);
  w("peer gone");
  int d = dup(s[0]);
  close(s[0]);
  add(EPOLL_CTL_MOD, d == s[0] ? d : q[0], EPOLLIN, 7);
  w("closed, but a duplicate keeps it");
  close(d);
  w("gone with the last one");
  /* More at once than any small limit, as many as asked for. */
  struct rlimit rl;
  static struct epoll_event many[1200];
  getrlimit(RLIMIT_NOFILE, &rl);
  rl.rlim_cur = 2000;
  MUST(setrlimit(RLIMIT_NOFILE, &rl));
  int v = MUST(eventfd(1, 0));
  for (unsigned i = 0; i < 1100; i++)
    add(EPOLL_CTL_ADD, MUST(dup(v)), EPOLLIN, i);
  say("many: %d", epoll_wait(ep, many, 1200, 0));
  say("fewer: %d", epoll_wait(ep, many, 1050, 0));
}
