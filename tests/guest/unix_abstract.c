/* Abstract names, autobind, name lengths, socket options, wrong calls. */
#include "guest.h"
int main(void) {
  struct sockaddr_un a = {AF_UNIX};
  memcpy(a.sun_path, "\0guest-test-abc", 15);
  int l = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  SHOW(bind(l, (void *)&a, 2 + 15));
  SHOW(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, 2 + 15));
  SHOW(listen(l, 1));
  SHOW(connect(c, (void *)&a, 2 + 14)); /* another name */
  SHOW(connect(c, (void *)&a, 2 + 15));
  struct sockaddr_un n = {0};
  socklen_t len = sizeof n;
  SHOW(getpeername(c, (void *)&n, &len));
  say("%u %d %s", len, n.sun_path[0], n.sun_path + 1);
  close(l);
  l = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  SHOW(bind(l, (void *)&a, 2 + 15)); /* free again */
  int d = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  SHOW(bind(d, (void *)&(struct sockaddr_un){AF_UNIX}, 2));
  len = sizeof n;
  getsockname(d, (void *)&n, &len);
  say("autobind length %u first %d", len, n.sun_path[0]);
  SHOW(bind(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), (void *)&a, 200));
  SHOW(bind(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), (void *)&a, 1));
  a.sun_family = AF_INET;
  SHOW(bind(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), (void *)&a, 17));
  SHOW(socket(AF_UNIX, 77, 0));
  SHOW(socket(AF_UNIX, SOCK_STREAM, 9));
  SHOW(socket(9999, SOCK_STREAM, 0));
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (void *)8));
  int v = -1;
  len = sizeof v;
  SHOW(getsockopt(c, SOL_SOCKET, SO_TYPE, &v, &len));
  say("type %d", v);
  SHOW(getsockopt(c, SOL_SOCKET, SO_DOMAIN, &v, &len));
  say("domain %d", v);
  SHOW(getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &len));
  say("error %d", v);
  SHOW(getsockopt(d, SOL_SOCKET, SO_ACCEPTCONN, &v, &len));
  say("listening %d", v);
  SHOW(getsockopt(c, SOL_SOCKET, 9999, &v, &len));
  SHOW(getsockopt(0, SOL_SOCKET, SO_TYPE, &v, &len));
  SHOW(getsockopt(99, SOL_SOCKET, SO_TYPE, &v, &len));
  v = 30000;
  SHOW(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &v, sizeof v));
  SHOW(getsockopt(c, SOL_SOCKET, SO_SNDBUF, &v, &len));
  say("sndbuf %d", v);
  SHOW(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &v, 2));
  SHOW(accept(c, NULL, NULL));
  SHOW(accept(0, NULL, NULL));
  SHOW(getpeername(d, (void *)&n, &len));
  SHOW(send(d, "x", 1, 0));
  struct timeval tv = {0, 30000};
  SHOW(setsockopt(d, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  char b;
  int64_t t = now_ms();
  SHOW(read(d, &b, 1));
  YES(now_ms() - t >= 29);
}
