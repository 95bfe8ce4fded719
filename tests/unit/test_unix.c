#include "../../core/timers.h"
#include "../../net/socket.h"
#include "../../net/unix.h"
#include "fiber_util.h"
#include <stddef.h>

static struct file *sp[2];

static struct file *sock(int type) {
  struct file *f;
  ck_assert_int_eq(socket_create(fib.k, AF_UNIX, type, 0, 0, &f), 0);
  return f;
}

static void pair(int type) {
  ck_assert_int_eq(socketpair_create(fib.k, AF_UNIX, type, 0, 0, sp), 0);
}

static socklen_t abstract(struct sockaddr_un *a, const char *name) {
  *a = (struct sockaddr_un){.sun_family = AF_UNIX};
  strcpy(a->sun_path + 1, name);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

static int bind_to(struct file *f, const char *name) {
  struct sockaddr_un a;
  socklen_t len = abstract(&a, name);
  struct socket *s = socket_from_file(f);
  return s->ops->bind(s, (struct sockaddr *)&a, len);
}

static int connect_to(struct file *f, const char *name, bool nonblock) {
  struct sockaddr_un a;
  socklen_t len = abstract(&a, name);
  struct socket *s = socket_from_file(f);
  return s->ops->connect(s, (struct sockaddr *)&a, len, nonblock);
}

static struct file *accept_from(struct file *f) {
  struct socket *s = socket_from_file(f), *n;
  int r = s->ops->accept(s, true, &n);
  return r ? NULL : socket_file(n, 0);
}

struct xfer { /* one message */
  struct uio u;
  struct iovec iov;
  struct msg_k m;
  struct sockaddr_storage name;
};

static ssize_t send_to(struct file *f, const void *buf, size_t n, int flags, const char *to, struct file **fds,
                       int nfds) {
  struct xfer x = {.m = {.u = &x.u, .flags = flags, .fds = fds, .nfds = nfds}};
  struct socket *s = socket_from_file(f);
  uio_kernel(&x.u, &x.iov, (void *)buf, n);
  if (to) {
    x.m.name_len = abstract((struct sockaddr_un *)&x.name, to);
    x.m.name = &x.name;
  }
  return s->ops->sendmsg(s, &x.m);
}

static ssize_t recv_from(struct file *f, void *buf, size_t n, int flags, struct xfer *x) {
  struct socket *s = socket_from_file(f);
  *x = (struct xfer){0};
  x->m = (struct msg_k){.u = &x->u, .flags = flags, .name = &x->name, .name_len = sizeof x->name};
  uio_kernel(&x->u, &x->iov, buf, n);
  return s->ops->recvmsg(s, &x->m);
}

static ssize_t recv_simple(struct file *f, void *buf, size_t n, int flags) {
  struct xfer x;
  ssize_t r = recv_from(f, buf, n, flags, &x);
  msg_drop_fds(&x.m);
  return r;
}

/* ---- streams ---- */

static void stream_body(void *arg) {
  char buf[100];
  struct xfer x;
  pair(SOCK_STREAM);
  ck_assert_int_eq(k_write(sp[0], "hello", 5), 5);
  ck_assert_int_eq(k_write(sp[0], "world", 5), 5);
  ck_assert_int_eq(recv_simple(sp[1], buf, 100, MSG_PEEK), 10);
  ck_assert_int_eq(recv_simple(sp[1], buf, 7, MSG_DONTWAIT), 7);
  ck_assert_mem_eq(buf, "hellowo", 7);
  ck_assert_int_eq(recv_simple(sp[1], buf, 100, MSG_DONTWAIT), 3);
  ck_assert_int_eq(recv_simple(sp[1], buf, 100, MSG_DONTWAIT), -EAGAIN);
  ck_assert_int_eq(file_poll(sp[1]), EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
  int off = 0, one = 1;
  struct socket *s1 = socket_from_file(sp[1]);
  ck_assert_int_eq(socket_setsockopt(s1, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off), 0);
  k_write(sp[0], "abcdef", 6);
  ck_assert_int_eq(recv_simple(sp[1], buf, 2, MSG_PEEK), 2);
  ck_assert_int_eq(recv_simple(sp[1], buf, 2, MSG_PEEK), 2);
  ck_assert_mem_eq(buf, "cd", 2);
  ck_assert_int_eq(recv_simple(sp[1], buf, 6, 0), 6);
  ck_assert_int_eq(socket_setsockopt(s1, SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
  k_write(sp[0], "x", 1);
  ck_assert_int_eq(recv_from(sp[1], buf, 6, 0, &x), 1);
  ck_assert(x.m.has_cred);
  ck_assert_int_eq(x.m.cred.pid, fib.init->proc->pid->nr);
  struct socket *s0 = socket_from_file(sp[0]);
  ck_assert_int_eq(s0->ops->shutdown(s0, SHUT_WR), 0);
  ck_assert_int_eq(recv_simple(sp[1], buf, 6, 0), 0);
  ck_assert(file_poll(sp[1]) & EPOLLRDHUP);
  ck_assert(!(file_poll(sp[1]) & EPOLLHUP));
  ck_assert_int_eq(send_to(sp[0], "x", 1, MSG_NOSIGNAL, NULL, NULL, 0), -EPIPE);
  ck_assert_int_eq(send_to(sp[1], "unread", 6, 0, NULL, NULL, 0), 6);
  file_put(sp[0]); /* with unread bytes: a reset */
  ck_assert(file_poll(sp[1]) & EPOLLHUP);
  ck_assert_int_eq(send_to(sp[1], "x", 1, MSG_NOSIGNAL, NULL, NULL, 0), -EPIPE);
  ck_assert_int_eq(recv_simple(sp[1], buf, 6, 0), -ECONNRESET);
  ck_assert_int_eq(recv_simple(sp[1], buf, 6, 0), 0);
  file_put(sp[1]);
}

START_TEST(stream_pairs) {
  fib_setup();
  fib_do(stream_body, NULL);
}
END_TEST

static void listen_body(void *arg) {
  struct file *l = sock(SOCK_STREAM), *c = sock(SOCK_STREAM), *other = sock(SOCK_DGRAM);
  char buf[10];
  struct socket *ls = socket_from_file(l);
  ck_assert_int_eq(ls->ops->listen(ls, 1), -EINVAL);
  ck_assert_int_eq(bind_to(l, "srv"), 0);
  ck_assert_int_eq(bind_to(l, "srv2"), -EINVAL);
  ck_assert_int_eq(bind_to(c, "srv"), -EADDRINUSE);
  ck_assert_int_eq(connect_to(c, "srv", true), -ECONNREFUSED);
  ck_assert_int_eq(ls->ops->listen(ls, 1), 0);
  ck_assert_int_eq(connect_to(other, "srv", true), -ECONNREFUSED); /* names of another type */
  ck_assert_int_eq(file_poll(c), EPOLLHUP | EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
  ck_assert_ptr_null(accept_from(l));
  ck_assert_int_eq(connect_to(c, "srv", true), 0);
  ck_assert_int_eq(connect_to(c, "srv", true), -EISCONN);
  ck_assert_int_eq(k_write(c, "early", 5), 5);
  ck_assert_int_eq(file_poll(l), EPOLLIN | EPOLLRDNORM);
  struct file *a = accept_from(l);
  ck_assert_ptr_nonnull(a);
  ck_assert_int_eq(k_read(a, buf, 10), 5);
  struct sockaddr_storage ss;
  socklen_t len;
  struct socket *cs = socket_from_file(c);
  ck_assert_int_eq(cs->ops->getname(cs, true, &ss, &len), 0);
  ck_assert_int_eq(len, 2 + 4);
  ck_assert_mem_eq(((struct sockaddr_un *)&ss)->sun_path, "\0srv", 4);
  ck_assert_int_eq(ss.ss_family, AF_UNIX);
  struct ucred cred;
  len = sizeof cred;
  ck_assert_int_eq(socket_getsockopt(cs, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
  ck_assert_int_eq(cred.pid, fib.init->proc->pid->nr);
  struct file *more[3];
  for (int i = 0; i < 3; i++) {
    more[i] = sock(SOCK_STREAM);
    ck_assert_int_eq(connect_to(more[i], "srv", true), i < 2 ? 0 : -EAGAIN);
  }
  file_put(l); /* connections that were not accepted are reset */
  ck_assert_int_eq(recv_simple(more[0], buf, 10, 0), -ECONNRESET);
  ck_assert_int_eq(connect_to(more[2], "srv", true), -ECONNREFUSED);
  for (int i = 0; i < 3; i++)
    file_put(more[i]);
  file_put(a);
  file_put(c);
  file_put(other);
}

START_TEST(listening) {
  fib_setup();
  fib_do(listen_body, NULL);
}
END_TEST

static size_t moved;
static void big_send(void *arg) {
  static char data[1000000];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char)(i * 31 >> 3);
  ck_assert_int_eq(k_write(sp[0], data, sizeof data), sizeof data);
  file_put(sp[0]);
}
static void big_recv(void *arg) {
  char buf[3333];
  int wrong = 0;
  ssize_t r;
  while ((r = k_read(sp[1], buf, sizeof buf)) > 0)
    for (ssize_t i = 0; i < r; i++, moved++)
      wrong += buf[i] != (char)(moved * 31 >> 3);
  ck_assert_int_eq(r, 0);
  ck_assert_int_eq(wrong, 0);
  file_put(sp[1]);
}

START_TEST(flow_control) {
  fib_setup();
  pair(SOCK_STREAM);
  fib_start(util_child(fib.init), big_send, NULL);
  fib_start(util_child(fib.init), big_recv, NULL);
  fib_run();
  ck_assert_int_eq(moved, 1000000);
}
END_TEST

/* ---- datagrams ---- */

static void dgram_body(void *arg) {
  struct file *a = sock(SOCK_DGRAM), *b = sock(SOCK_DGRAM), *c = sock(SOCK_DGRAM);
  char buf[100];
  struct xfer x;
  ck_assert_int_eq(bind_to(a, "a"), 0);
  ck_assert_int_eq(bind_to(b, "b"), 0);
  ck_assert_int_eq(send_to(a, "x", 1, MSG_DONTWAIT, NULL, NULL, 0), -ENOTCONN);
  ck_assert_int_eq(send_to(a, "one", 3, MSG_DONTWAIT, "b", NULL, 0), 3);
  ck_assert_int_eq(send_to(a, "", 0, MSG_DONTWAIT, "b", NULL, 0), 0);
  ck_assert_int_eq(recv_from(b, buf, 2, MSG_PEEK | MSG_TRUNC, &x), 3);
  ck_assert_int_eq(recv_from(b, buf, 2, 0, &x), 2);
  ck_assert(x.m.flags & MSG_TRUNC);
  ck_assert_int_eq(x.m.name_len, 2 + 2);
  ck_assert_mem_eq(((struct sockaddr_un *)&x.name)->sun_path, "\0a", 2);
  ck_assert_int_eq(recv_simple(b, buf, 2, MSG_DONTWAIT), 0);
  ck_assert_int_eq(recv_simple(b, buf, 2, MSG_DONTWAIT), -EAGAIN);
  int n = 0;
  while (send_to(c, "fill", 4, MSG_DONTWAIT, "b", NULL, 0) == 4)
    n++;
  ck_assert_int_eq(n, 10 + 1); /* net.unix.max_dgram_qlen */
  ck_assert_int_eq(connect_to(c, "b", true), 0);
  ck_assert_int_eq(file_poll(c), 0);
  recv_simple(b, buf, 4, 0);
  ck_assert_int_eq(file_poll(c), EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
  ck_assert_int_eq(connect_to(b, "a", true), 0);
  ck_assert_int_eq(send_to(c, "no", 2, MSG_DONTWAIT, "b", NULL, 0), -EPERM);
  file_put(b);
  ck_assert_int_eq(send_to(c, "no", 2, MSG_DONTWAIT, NULL, NULL, 0), -ECONNREFUSED);
  ck_assert_int_eq(send_to(c, "no", 2, MSG_DONTWAIT, NULL, NULL, 0), -ENOTCONN);
  ck_assert_int_eq(send_to(a, buf, 300000, 0, "a", NULL, 0), -EMSGSIZE);
  file_put(a);
  file_put(c);
}

START_TEST(datagrams) {
  fib_setup();
  fib_do(dgram_body, NULL);
}
END_TEST

static void seqpacket_body(void *arg) {
  char buf[10];
  pair(SOCK_SEQPACKET);
  ck_assert_int_eq(k_write(sp[0], "abcdef", 6), 6);
  ck_assert_int_eq(k_write(sp[0], "gh", 2), 2);
  ck_assert_int_eq(k_read(sp[1], buf, 3), 3);
  ck_assert_int_eq(k_read(sp[1], buf, 10), 2);
  file_put(sp[0]);
  ck_assert_int_eq(k_read(sp[1], buf, 10), 0);
  file_put(sp[1]);
}

START_TEST(seqpackets) {
  fib_setup();
  fib_do(seqpacket_body, NULL);
}
END_TEST

/* ---- descriptors ---- */

static void rights_body(void *arg) {
  struct xfer x;
  char buf[10];
  pair(SOCK_STREAM);
  struct file *f[2] = {sock(SOCK_DGRAM), sock(SOCK_DGRAM)};
  k_write(sp[0], "1", 1);
  ck_assert_int_eq(send_to(sp[0], "2", 1, 0, NULL, f, 2), 1);
  k_write(sp[0], "3", 1);
  ck_assert_int_eq(f[0]->ref.n, 2);
  ck_assert_int_eq(recv_from(sp[1], buf, 10, MSG_PEEK, &x), 2); /* ends behind the descriptors */
  ck_assert_int_eq(x.m.nfds, 2);
  ck_assert_int_eq(f[0]->ref.n, 3);
  msg_drop_fds(&x.m);
  ck_assert_int_eq(recv_from(sp[1], buf, 10, 0, &x), 2);
  ck_assert_int_eq(x.m.nfds, 2);
  ck_assert_ptr_eq(x.m.fds[1], f[1]);
  msg_drop_fds(&x.m);
  ck_assert_int_eq(recv_simple(sp[1], buf, 10, 0), 1);
  ck_assert_int_eq(send_to(sp[0], "2", 1, 0, NULL, f, 2), 1);
  file_put(sp[1]); /* with the message unread */
  ck_assert_int_eq(f[0]->ref.n, 1);
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 0);
  file_put(f[0]);
  file_put(f[1]);
  file_put(sp[0]);
}

START_TEST(rights) {
  fib_setup();
  fib_do(rights_body, NULL);
}
END_TEST

static void cycles_body(void *arg) {
  struct file *f;
  pair(SOCK_DGRAM); /* each sent through the other */
  ck_assert_int_eq(send_to(sp[0], "x", 1, 0, NULL, &sp[0], 1), 1);
  ck_assert_int_eq(send_to(sp[1], "x", 1, 0, NULL, &sp[1], 1), 1);
  file_put(sp[0]);
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 2);
  file_put(sp[1]);
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 2); /* nothing was released: no collection yet */
  f = sock(SOCK_DGRAM);
  file_put(f);
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 0);

  /* One that is still reachable through a live socket stays. */
  struct file *live[2];
  ck_assert_int_eq(socketpair_create(fib.k, AF_UNIX, SOCK_STREAM, 0, 0, live), 0);
  pair(SOCK_STREAM);
  ck_assert_int_eq(send_to(sp[0], "x", 1, 0, NULL, &sp[1], 1), 1); /* sp[1] in its own queue */
  ck_assert_int_eq(send_to(live[0], "x", 1, 0, NULL, &sp[1], 1), 1);
  file_put(sp[1]);
  file_put(sock(SOCK_DGRAM));
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 2);
  struct xfer x;
  char c;
  ck_assert_int_eq(recv_from(live[1], &c, 1, 0, &x), 1);
  ck_assert_int_eq(x.m.nfds, 1);
  file_put(sock(SOCK_DGRAM));
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 1); /* held by us */
  msg_drop_fds(&x.m);
  file_put(sp[0]);
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 0);
  file_put(live[0]);
  file_put(live[1]);

  /* In the queue of a connection that nobody accepted, of a listener in flight through it. */
  struct file *l = sock(SOCK_STREAM), *cl = sock(SOCK_STREAM);
  bind_to(l, "cyc");
  struct socket *ls = socket_from_file(l);
  ls->ops->listen(ls, 5);
  ck_assert_int_eq(connect_to(cl, "cyc", true), 0);
  ck_assert_int_eq(send_to(cl, "x", 1, 0, NULL, &l, 1), 1);
  file_put(l);
  file_put(cl);
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 0);
}

START_TEST(cycles_are_collected) {
  fib_setup();
  fib_do(cycles_body, NULL);
}
END_TEST

/* Sockets sent through sockets at random: when all descriptors are closed and one more socket was released, nothing is
 * in flight. */
static void random_cycles_body(void *arg) {
  enum { N = 24 };
  struct file *f[N] = {0};
  unsigned seed = 12345;
  struct xfer x;
  char c;
  for (int i = 0; i < 20000; i++) {
    seed = seed * 1103515245 + 12345;
    unsigned a = (seed >> 8) % N, b = (seed >> 16) % N;
    struct file *two[2] = {f[b], f[(b + 7) % N]};
    switch (seed >> 24 & 7) {
    case 0:
    case 1:
      if (!f[a & ~1u] && !f[a | 1u]) {
        int type = seed & 0x80000000 ? SOCK_STREAM : SOCK_DGRAM;
        struct file *p[2];
        ck_assert_int_eq(socketpair_create(fib.k, AF_UNIX, type, 0, 0, p), 0);
        f[a & ~1u] = p[0];
        f[a | 1u] = p[1];
      }
      break;
    case 2:
    case 3:
    case 4:
      if (f[a] && two[0])
        send_to(f[a], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, two, two[1] ? 2 : 1);
      break;
    case 5:
      if (f[a] && recv_from(f[a], &c, 1, MSG_DONTWAIT | (seed & 0x40000000 ? MSG_PEEK : 0), &x) > 0)
        msg_drop_fds(&x.m);
      break;
    default:
      if (f[a])
        file_put(f[a]);
      f[a] = NULL;
    }
  }
  for (int i = 0; i < N; i++)
    if (f[i])
      file_put(f[i]);
  file_put(sock(SOCK_DGRAM));
  file_put(sock(SOCK_DGRAM));
  ck_assert_int_eq(fib.k->unix_net->nfds_inflight, 0);
}

START_TEST(random_cycles) {
  fib_setup();
  fib_do(random_cycles_body, NULL);
}
END_TEST

static void creation_body(void *arg) {
  struct file *f;
  ck_assert_int_eq(socket_create(fib.k, AF_UNIX, 77, 0, 0, &f), -EINVAL);
  ck_assert_int_eq(socket_create(fib.k, AF_UNIX, SOCK_STREAM, 99, 0, &f), -EPROTONOSUPPORT);
  ck_assert_int_eq(socket_create(fib.k, AF_UNIX, SOCK_RDM, 0, 0, &f), -ESOCKTNOSUPPORT);
  ck_assert_int_eq(socket_create(fib.k, AF_BLUETOOTH, SOCK_STREAM, 0, 0, &f), -EAFNOSUPPORT);
  f = sock(SOCK_STREAM);
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  struct socket *s = socket_from_file(f);
  ck_assert_int_eq(s->ops->bind(s, (struct sockaddr *)&a, 2), 0); /* autobind */
  struct sockaddr_storage ss;
  socklen_t len;
  s->ops->getname(s, false, &ss, &len);
  ck_assert_int_eq(len, 2 + 6);
  ck_assert_int_eq(s->ops->bind(s, (struct sockaddr *)&a, 111), -EINVAL);
  int v = 1000;
  ck_assert_int_eq(socket_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, sizeof v), 0);
  len = sizeof v;
  ck_assert_int_eq(socket_getsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, &len), 0);
  ck_assert_int_eq(v, 4608);
  file_put(f);
}

START_TEST(creation) {
  fib_setup();
  fib_do(creation_body, NULL);
}
END_TEST

static void timeo_body(void *arg) {
  pair(SOCK_STREAM);
  struct timeval tv = {.tv_usec = 5000};
  char c;
  int64_t t0 = loop_now_exact();
  struct socket *s = socket_from_file(sp[0]);
  ck_assert_int_eq(socket_setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
  ck_assert_int_eq(k_read(sp[0], &c, 1), -EAGAIN);
  ck_assert_int_ge(loop_now_exact() - t0, 5000000);
  file_put(sp[0]);
  file_put(sp[1]);
}

START_TEST(timeouts) {
  fib_setup();
  fib_do(timeo_body, NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("unix");
  TCase *t = tcase_create("unix");
  tcase_add_test(t, creation);
  tcase_add_test(t, stream_pairs);
  tcase_add_test(t, listening);
  tcase_add_test(t, flow_control);
  tcase_add_test(t, datagrams);
  tcase_add_test(t, seqpackets);
  tcase_add_test(t, rights);
  tcase_add_test(t, cycles_are_collected);
  tcase_add_test(t, random_cycles);
  tcase_add_test(t, timeouts);
  suite_add_tcase(s, t);
  return util_run(s);
}
