/* AF_UNIX stream: bind, listen, accept, names, shutdown, end of file, poll bits, non-blocking. */
#include "guest.h"
static void bits(const char *what, int fd) {
  struct pollfd pf = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&pf, 1, 0);
  say("%s:%s%s%s%s%s", what, pf.revents & POLLIN ? " IN" : "", pf.revents & POLLOUT ? " OUT" : "", pf.revents & POLLHUP ? " HUP" : "",
      pf.revents & POLLRDHUP ? " RDHUP" : "", pf.revents & POLLERR ? " ERR" : "");
}
int main(void) {
  struct sockaddr_un a = {AF_UNIX, "sock"}, b;
  socklen_t len = sizeof b;
  char buf[64] = "";
  int l = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  SHOW(connect(c, (void *)&a, sizeof a));
  SHOW(listen(l, 1));
  SHOW(bind(l, (void *)&a, sizeof a));
  SHOW(bind(l, (void *)&a, sizeof a));
  SHOW(connect(c, (void *)&a, sizeof a));
  SHOW(listen(l, 5));
  bits("listening", l);
  SHOW(connect(c, (void *)&a, sizeof a));
  bits("pending", l);
  SHOW(connect(c, (void *)&a, sizeof a));
  int s = MUST(accept(l, (void *)&b, &len));
  say("peer name length %u family %d", len, b.sun_family);
  len = sizeof b;
  SHOW(getpeername(c, (void *)&b, &len));
  say("%u %s", len, b.sun_path);
  len = sizeof b;
  SHOW(getsockname(s, (void *)&b, &len));
  say("%u %s", len, b.sun_path);
  len = 4;
  SHOW(getsockname(s, (void *)&b, &len));
  say("%u", len);
  struct stat st;
  SHOW(stat("sock", &st));
  say("type %o", st.st_mode & S_IFMT);
  bits("connected", s);
  SHOW(write(c, "hello", 5));
  SHOW(recv(s, buf, 2, MSG_PEEK));
  SHOW(read(s, buf, 64));
  say("%.5s", buf);
  SHOW(recv(s, buf, 1, MSG_DONTWAIT));
  SHOW(shutdown(c, SHUT_WR));
  bits("peer will not write", s);
  SHOW(read(s, buf, 1));
  SHOW(write(s, "back", 4));
  SHOW(read(c, buf, 64));
  signal(SIGPIPE, SIG_IGN);
  SHOW(write(c, "x", 1));
  SHOW(shutdown(s, 7));
  close(s);
  bits("peer gone", c);
  SHOW(read(c, buf, 1));
  SHOW(unlink("sock"));
  SHOW(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof a));
  MUST(write_file("plain", ""));
  strcpy(a.sun_path, "plain");
  SHOW(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof a));
  SHOW(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof a));
  strcpy(a.sun_path, "no/such/dir");
  SHOW(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof a));
  /* a large transfer in both directions */
  int sp[2];
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, sp));
  pid_t p = fork();
  if (!p) {
    close(sp[0]);
    char *big = malloc(1 << 20);
    size_t n = 0;
    ssize_t r;
    while (n < 1 << 20 && (r = read(sp[1], big + n, (1 << 20) - n)) > 0)
      n += r;
    for (size_t i = 0; i < n; i++)
      big[i]++;
    for (size_t i = 0; i < n; i += r)
      if ((r = write(sp[1], big + i, n - i)) <= 0)
        break;
    _exit(0);
  }
  close(sp[1]);
  char *big = malloc(1 << 20);
  for (int i = 0; i < 1 << 20; i++)
    big[i] = i * 13;
  size_t n = 0;
  ssize_t r;
  while (n < 1 << 20 && (r = write(sp[0], big + n, (1 << 20) - n)) > 0)
    n += r;
  int bad = 0;
  for (n = 0; (r = read(sp[0], buf, sizeof buf)) > 0;)
    for (ssize_t i = 0; i < r; i++, n++)
      bad += buf[i] != (char)((char)(n * 13) + 1);
  say("received %zu bad %d", n, bad);
  reap("echo", p);
}
