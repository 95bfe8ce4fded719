/* Local ports: the range and its end, sharing, what connections keep, sockets that outlive their namespace's stack. */
#include "ip_util.h"
#include "../../net/inet/tcp_sock.h"

static struct file *tcp(struct inet_sock **is) {
  struct file *f;
  ck_assert_int_eq(socket_create(k, AF_INET, SOCK_STREAM, 0, 0, &f), 0);
  *is = inet_of(socket_from_file(f));
  return f;
}

static void narrow(int lo, int hi) {
  inet_net_of(ns)->sysctl.port_lo = lo;
  inet_net_of(ns)->sysctl.port_hi = hi;
}

START_TEST(range_ends) {
  struct file *f[11];
  struct inet_sock *is;
  bool seen[10] = {false};
  struct in6_addr any = ip_from4(0), lo = ip("127.0.0.1");
  narrow(40000, 40009);
  for (int i = 0; i < 10; i++) {
    f[i] = tcp(&is);
    ck_assert_int_eq(inet_port_bind(is, INET_TCP, &any, 0), 0);
    ck_assert(is->lport >= 40000 && is->lport <= 40009 && !seen[is->lport - 40000]);
    if (i < 5)
      ck_assert(is->lport & 1); /* bind(2) takes the odd ones first, connect(2) the even ones */
    seen[is->lport - 40000] = true;
  }
  f[10] = tcp(&is);
  ck_assert_int_eq(inet_port_bind(is, INET_TCP, &any, 0), -EADDRINUSE);
  ck_assert_int_eq(inet_autobind(is), -EAGAIN);
  ck_assert_int_eq(inet_port_connect(is, &lo, &lo, 80), -EADDRNOTAVAIL);
  file_put(f[3]);
  ck_assert_int_eq(inet_port_bind(is, INET_TCP, &any, 0), 0);
  for (int i = 0; i < 11; i++)
    if (i != 3)
      file_put(f[i]);
  narrow(1, 65535); /* all of them, and the privileged ones too: there is no task here whose rights could be asked */
  struct file *g = tcp(&is);
  ck_assert_int_eq(inet_port_bind(is, INET_TCP, &any, 80), 0);
  file_put(g);
}
END_TEST

START_TEST(connections_share) {
  struct inet_sock *a, *b, *c;
  struct file *fa = tcp(&a), *fb = tcp(&b), *fc = tcp(&c);
  struct in6_addr lo = ip("127.0.0.1"), to = ip("192.0.2.7"), any = ip_from4(0);
  narrow(50000, 50000);
  ck_assert_int_eq(inet_port_connect(a, &lo, &to, 80), 0);
  ck_assert_int_eq(inet_port_connect(b, &lo, &to, 81), 0); /* another peer: the same port will do */
  ck_assert_uint_eq(a->lport, b->lport);
  ck_assert_int_eq(inet_port_bind(c, INET_TCP, &any, 0), -EADDRINUSE);
  ck_assert_int_eq(inet_port_bind(c, INET_TCP, &any, 50000), -EADDRINUSE);
  ck_assert_int_eq(inet_port_bind(c, INET_UDP, &any, 50000), 0); /* a table of its own */
  inet_port_release(c);
  struct inet_port *left = inet_port_hold(a->port); /* as TIME-WAIT does */
  c->sock->opt.reuseaddr = true;
  a->sock->opt.reuseaddr = true;
  file_put(fb);
  ck_assert_int_eq(inet_port_bind(c, INET_TCP, &lo, 50000), 0);
  inet_port_release(c);
  file_put(fa); /* what it said last is remembered */
  ck_assert_int_eq(inet_port_bind(c, INET_TCP, &lo, 50000), 0);
  inet_port_release(c);
  c->sock->opt.reuseaddr = false;
  ck_assert_int_eq(inet_port_bind(c, INET_TCP, &lo, 50000), -EADDRINUSE);
  inet_port_drop(left);
  ck_assert_int_eq(inet_port_bind(c, INET_TCP, &lo, 50000), 0);
  file_put(fc);
}
END_TEST

START_TEST(meeting) {
  struct in6_addr any4 = ip_from4(0), a4 = ip("10.0.0.1"), b4 = ip("10.0.0.2"), any6 = in6addr_any, a6 = ip("::1");
  ck_assert(inet_addrs_meet(&any4, false, &a4, false));
  ck_assert(!inet_addrs_meet(&b4, false, &a4, false));
  ck_assert(inet_addrs_meet(&any6, false, &a4, false));
  ck_assert(!inet_addrs_meet(&any6, true, &a4, false));
  ck_assert(!inet_addrs_meet(&a4, false, &any6, true));
  ck_assert(inet_addrs_meet(&any6, true, &any6, false));
  ck_assert(inet_addrs_meet(&any6, true, &a6, false));
  ck_assert(!inet_addrs_meet(&a6, false, &any4, false));
}
END_TEST

START_TEST(sockets_outlive_the_stack) {
  struct inet_sock *a, *b;
  struct file *fa = tcp(&a), *fb = tcp(&b);
  struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(7000), .sin_addr.s_addr = htonl(0x7f000001)};
  struct socket *s = a->sock, *c = b->sock;
  ck_assert_int_eq(s->ops->bind(s, (void *)&sin, sizeof sin), 0);
  ck_assert_int_eq(s->ops->listen(s, 4), 0);
  ck_assert_int_eq(c->ops->connect(c, (void *)&sin, sizeof sin, true), -EINPROGRESS);
  net_rx_end(k);
  net_rx_end(k);
  ck_assert_int_eq(c->ops->connect(c, (void *)&sin, sizeof sin, true), 0);
  net_shutdown(k); /* the sandbox ends; the files have not been closed yet */
  ck_assert_uint_ne(s->ops->poll(s), 0);
  struct socket *child;
  ck_assert_int_eq(s->ops->accept(s, true, &child), -EINVAL);
  struct uio u;
  struct iovec iov;
  char byte = 0;
  uio_kernel(&u, &iov, &byte, 1);
  struct msg_k m = {.u = &u, .flags = MSG_DONTWAIT | MSG_NOSIGNAL};
  ck_assert_int_eq(c->ops->sendmsg(c, &m), -EPIPE);
  m.flags = MSG_DONTWAIT;
  ck_assert_int_lt(c->ops->recvmsg(c, &m), 0);
  int v = 1;
  ck_assert_int_lt(socket_setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v), 0);
  ck_assert_int_lt(s->ops->listen(s, 4), 0);
  struct sockaddr_storage ss;
  socklen_t len;
  s->ops->getname(s, false, &ss, &len);
  file_put(fa);
  file_put(fb);
}
END_TEST

RUN("inet_port", range_ends, connections_share, meeting, sockets_outlive_the_stack)
