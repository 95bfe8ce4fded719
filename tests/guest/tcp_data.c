/* What recv(2) and send(2) do with flags and options: MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_OOB, SO_RCVLOWAT, time
 * limits, control messages, queues and their ioctls, writev, sendmmsg, recvmmsg. In both families. */
#include "guest.h"
#include "inet.h"
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#ifndef TCP_INQ
#define TCP_INQ 36
#endif

static int a, b, listener;

static void pair(int family) {
  struct sockaddr_storage ss = {.ss_family = (sa_family_t)family};
  socklen_t n = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  if (family == AF_INET)
    ((struct sockaddr_in *)&ss)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else
    ((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_loopback;
  listener = MUST(socket(family, SOCK_STREAM, 0));
  MUST(bind(listener, (void *)&ss, n));
  MUST(listen(listener, 1));
  MUST(getsockname(listener, (void *)&ss, &n));
  a = MUST(socket(family, SOCK_STREAM, 0));
  MUST(connect(a, (void *)&ss, n));
  b = MUST(accept(listener, NULL, NULL));
  int one = 1;
  MUST(setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
}

static void end(void) {
  close(a);
  close(b);
  close(listener);
}

static void await(int fd, int events) {
  struct pollfd p = {fd, (short)events, 0};
  if (poll(&p, 1, 2000) != 1)
    say("poll: nothing");
}

static ssize_t get(int fd, size_t n, int flags) {
  char buf[100] = "";
  ssize_t r = recv(fd, buf, n, flags);
  say("  recv(%d, %x) = %d %s \"%.*s\"", (int)n, flags, (int)r, r < 0 ? ename(errno) : "", r > 0 && !(flags & MSG_TRUNC) ? (int)r : 0, buf);
  return r;
}

static void peek(void) {
  say("-- peek, truncate, wait");
  send(a, "abcdefgh", 8, 0);
  await(b, POLLIN);
  get(b, 4, MSG_PEEK);
  get(b, 4, 0);
  get(b, 2, MSG_TRUNC);
  get(b, 100, MSG_PEEK | MSG_TRUNC);
  get(b, 0, 0);
  get(b, 2, MSG_WAITALL);
  get(b, 2, MSG_DONTWAIT);
  get(b, 0, MSG_DONTWAIT);
  get(b, 5, MSG_ERRQUEUE);
  get(b, 5, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  pid_t pid = fork();
  if (!pid) {
    usleep(20000);
    send(a, "one", 3, 0);
    usleep(20000);
    send(a, "two", 3, 0);
    usleep(20000);
    shutdown(a, SHUT_WR);
    _exit(0);
  }
  get(b, 6, MSG_WAITALL);
  get(b, 6, MSG_WAITALL);
  waitpid(pid, NULL, 0);
}

static void urgent(void) {
  int v = 0;
  char c;
  say("-- urgent");
  get(b, 1, MSG_OOB);
  send(a, "ab", 2, 0);
  send(a, "X", 1, MSG_OOB);
  send(a, "cd", 2, 0);
  await(b, POLLPRI);
  bits("before", b);
  SHOW(ioctl(b, SIOCATMARK, &v));
  say("  at mark %d", v);
  get(b, 1, MSG_OOB | MSG_PEEK);
  get(b, 100, MSG_PEEK);
  get(b, 100, 0);
  ioctl(b, SIOCATMARK, &v);
  say("  at mark %d", v);
  bits("at the mark", b);
  SHOW(recv(b, &c, 0, MSG_OOB));
  get(b, 1, MSG_OOB);
  get(b, 1, MSG_OOB);
  bits("taken", b);
  get(b, 100, 0);
  ioctl(b, SIOCATMARK, &v);
  say("  at mark %d", v);
  bits("behind it", b);
  say("-- urgent, not taken");
  send(a, "12", 2, MSG_OOB);
  await(b, POLLPRI);
  get(b, 100, 0);
  send(a, "3", 1, 0);
  usleep(10000);
  get(b, 100, 0);
  get(b, 1, MSG_OOB);
  say("-- urgent, in line");
  v = 1;
  SHOW(setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &v, sizeof v));
  send(a, "ab", 2, 0);
  send(a, "X", 1, MSG_OOB);
  send(a, "cd", 2, 0);
  await(b, POLLPRI);
  usleep(10000);
  get(b, 1, MSG_OOB);
  get(b, 100, 0);
  ioctl(b, SIOCATMARK, &v);
  say("  at mark %d", v);
  get(b, 100, 0);
}

static void low(void) {
  int v = 4;
  struct timeval tv = {0, 30000}, none = {0, 0};
  say("-- low water mark, time limits");
  v = 1 << 30; /* more than any buffer: cut, so that a full one wakes */
  SHOW(setsockopt(b, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v));
  socklen_t vl = sizeof v;
  getsockopt(b, SOL_SOCKET, SO_RCVLOWAT, &v, &vl);
  say("cut: %d", v < 1 << 30 && v > 4096);
  v = 4;
  SHOW(setsockopt(b, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v));
  send(a, "abc", 3, 0);
  usleep(10000);
  bits("three of four", b);
  get(b, 100, MSG_DONTWAIT | MSG_PEEK);
  SHOW(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  get(b, 100, 0);
  get(b, 100, 0);
  send(a, "abcd", 4, 0);
  await(b, POLLIN);
  bits("four of four", b);
  get(b, 100, 0);
  v = 1;
  setsockopt(b, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v);
  SHOW(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none));
  SHOW(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
  static char big[1 << 16];
  ssize_t n;
  while ((n = send(a, big, sizeof big, 0)) == sizeof big)
    ;
  bits("full", a);
  bits("its peer", b);
  long in = 0, out = 0, total = 0;
  while (total < (1 << 20) && (n = recv(b, big, sizeof big, MSG_DONTWAIT)) > 0)
    total += n;
  while ((n = recv(b, big, sizeof big, MSG_DONTWAIT)) > 0 || (usleep(5000), n = recv(b, big, sizeof big, MSG_DONTWAIT)) > 0)
    ;
  await(a, POLLOUT);
  bits("empty", a);
  usleep(50000);
  int q = -1;
  SHOW(ioctl(a, SIOCOUTQ, &q));
  say("  out %d %ld %ld", q, in, out);
  SHOW(ioctl(a, SIOCOUTQNSD, &q));
  say("  not sent %d", q);
  send(a, "abc", 3, 0);
  await(b, POLLIN);
  SHOW(ioctl(b, FIONREAD, &q));
  say("  in %d", q);
  get(b, 100, 0);
}

static void messages(void) {
  char x[3][4] = {"ab", "cde", ""}, r[20] = "";
  struct iovec v[3] = {{x[0], 2}, {x[1], 3}, {x[2], 0}}, w[2] = {{r, 2}, {r + 5, 10}};
  char control[200];
  struct sockaddr_storage ss;
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 3}, g = {.msg_name = &ss, .msg_namelen = sizeof ss, .msg_iov = w, .msg_iovlen = 2,
                                                          .msg_control = control, .msg_controllen = sizeof control};
  say("-- messages");
  SHOW(sendmsg(a, &m, MSG_MORE));
  SHOW(sendmsg(a, &m, 0));
  int one = 1;
  SHOW(setsockopt(b, IPPROTO_TCP, TCP_INQ, &one, sizeof one));
  await(b, POLLIN);
  usleep(5000);
  SHOW(recvmsg(b, &g, 0));
  say("  %.2s %.8s name %d control %d flags %x", r, r + 5, (int)g.msg_namelen, (int)g.msg_controllen, g.msg_flags);
  struct cmsghdr *c = CMSG_FIRSTHDR(&g);
  if (g.msg_controllen)
    say("  %d %d %d", c->cmsg_level, c->cmsg_type, *(int *)CMSG_DATA(c));
  struct mmsghdr mm[3] = {{.msg_hdr = {.msg_iov = v, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = v + 1, .msg_iovlen = 1}},
                          {.msg_hdr = {.msg_iov = v + 2, .msg_iovlen = 1}}};
  SHOW(sendmmsg(a, mm, 3, 0));
  await(b, POLLIN);
  usleep(5000);
  struct mmsghdr rr[3] = {{.msg_hdr = {.msg_iov = w, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = w, .msg_iovlen = 1}},
                          {.msg_hdr = {.msg_iov = w + 1, .msg_iovlen = 1}}};
  SHOW(recvmmsg(b, rr, 3, MSG_WAITFORONE, NULL));
  say("  %u %u %u", rr[0].msg_len, rr[1].msg_len, rr[2].msg_len);
  /* control messages of the wrong kind */
  union {
    char buf[CMSG_SPACE(64)];
    struct cmsghdr h;
  } u = {.h = {.cmsg_level = SOL_SOCKET, .cmsg_type = 77, .cmsg_len = CMSG_LEN(4)}};
  m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(4)};
  SHOW(sendmsg(a, &m, 0));
  u.h.cmsg_level = IPPROTO_UDP;
  SHOW(sendmsg(a, &m, 0));
  u.h.cmsg_len = 3;
  SHOW(sendmsg(a, &m, 0));
  u.h = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(4)};
  SHOW(sendmsg(a, &m, 0));
  /* bad memory */
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  SHOW(send(a, page + 4096, 1, 0));
  SHOW(send(a, page + 4090, 12, 0));
  usleep(5000);
  while (recv(b, r, sizeof r, MSG_DONTWAIT) > 0)
    ;
  send(a, "0123456789", 10, 0);
  await(b, POLLIN);
  SHOW(recv(b, page + 4096, 4, 0));
  SHOW(recv(b, page + 4090, 10, 0));
  get(b, 20, MSG_DONTWAIT);
  SHOW(sendto(a, "to", 2, 0, (void *)&ss, 16)); /* the name of a stream's peer is not looked at */
  get(b, 20, MSG_WAITALL | MSG_DONTWAIT);
}

int main(void) {
  int families[] = {AF_INET, AF_INET6};
  alarm(15);
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < 2; i++) {
    say("== %s", i ? "AF_INET6" : "AF_INET");
    pair(families[i]);
    peek();
    end();
    pair(families[i]);
    urgent();
    end();
    pair(families[i]);
    low();
    messages();
    end();
  }
  return 0;
}
