/* Who may bind what beside whom: every pair of names, with and without SO_REUSEADDR, SO_REUSEPORT and a listener. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>

struct name {
  const char *text;
  int family;
  bool only;
};
static const struct name names[] = {
    {"0.0.0.0", AF_INET, 0}, {"127.0.0.1", AF_INET, 0}, {"127.0.0.2", AF_INET, 0},        {"::", AF_INET6, 0},
    {"::", AF_INET6, 1},     {"::1", AF_INET6, 0},      {"::ffff:127.0.0.1", AF_INET6, 0}, {"::ffff:0.0.0.0", AF_INET6, 0},
};
static const char flags[] = "-ap"; /* none, SO_REUSEADDR, SO_REUSEPORT */
#define N (sizeof names / sizeof *names)

union addr {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
};

static int try(int type, const struct name *n, char flag, uint16_t *port, int *err) {
  union addr a = {.sa.sa_family = (sa_family_t)n->family};
  int fd = MUST(socket(n->family, type, 0)), one = 1;
  socklen_t len = n->family == AF_INET ? sizeof a.in : sizeof a.in6;
  if (n->only)
    MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
  inet_pton(n->family, n->text, n->family == AF_INET ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr);
  if (flag == 'a')
    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  if (flag == 'p')
    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one));
  a.in.sin_port = *port;
  *err = bind(fd, &a.sa, len) ? errno : 0;
  if (!*err && !*port) {
    MUST(getsockname(fd, &a.sa, &len));
    *port = a.in.sin_port;
  }
  return fd;
}

static void pair(int type, const struct name *a, const struct name *b, bool listening) {
  char line[200] = "";
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++) {
      uint16_t port = 0;
      int e1, e2 = 0, e3 = 0, fd2 = -1;
      int fd1 = try(type, a, flags[i], &port, &e1);
      if (!e1 && listening)
        MUST(listen(fd1, 1));
      fd2 = try(type, b, flags[k], &port, &e2);
      if (!e2 && type == SOCK_STREAM)
        e3 = listen(fd2, 1) ? errno : 0;
      sprintf(line + strlen(line), " %c%c%s%s", flags[i], flags[k], e2 == EADDRINUSE ? "X" : e2 ? ename(e2) : "+",
              e2 ? "" : e3 == EADDRINUSE ? "x" : e3 ? ename(e3) : "+");
      close(fd1);
      close(fd2);
    }
  say("%s%s %s%s%s:%s", a->text, a->only ? "(6)" : "", b->text, b->only ? "(6)" : "", listening ? " listening" : "",
      line);
}

int main(int argc, char **argv) {
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < N; k++) {
      pair(SOCK_STREAM, &names[i], &names[k], false);
      pair(SOCK_STREAM, &names[i], &names[k], true);
    }
  return 0;
}
