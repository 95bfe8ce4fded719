/*
 * DNS over TCP to 127.0.0.11:53 (RFC 1035 4.2.2, RFC 7766): a stack of its own with one listener. A connection's
 * queries are answered one after the other; the next is read when the last one's answer is on its way.
 */
#include "../core/errno.h"
#include "../core/uio.h"
#include "dns_relay_int.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define IDLE_NS (10 * NS_PER_S) /* RFC 7766 6.2.3: "a few seconds"; dockerd's is 8 */
#define BACKLOG 32

struct dns_conn {
  LIST_ENTRY(dns_conn) link;
  struct dns_relay *d;
  struct tcp_conn *c;
  struct dns_query *asked; /* by this connection, not answered yet */
  struct timer idle;
  uint8_t head[2];   /* the length before a message */
  uint32_t got;      /* bytes of what is being read: head, then the message */
  uint8_t *in, *out; /* owned */
  uint32_t out_len, out_off;
  bool failed, due; /* due: something happened, to be looked at outside of the engine */
};

/* ---- the engine's environment ---- */

static int64_t env_now(void *ctx) {
  return loop_now();
}

static void env_random(void *ctx, void *buf, size_t n) {
  if (getrandom(buf, n, 0) != (ssize_t)n)
    memset(buf, 0, n); /* cannot be: n is small, and the pool was ready at boot */
}

static int env_output(void *ctx, struct pbuf *p, const struct ip_flow *f, struct ip_route *route) {
  const struct dns_relay *d = ctx;
  struct ip_route mine = {0};
  struct ip_route *r = route ? route : &mine;
  int rc = r->gen == ip_route_gen(d->ns) ? 0 : ip_route_output(d->ns, f, r);
  if (!rc)
    return ip_output(d->ns, p, f, r);
  pbuf_free(p);
  return rc;
}

static int env_route(void *ctx, const struct ip_flow *f, struct tcp_path *out) {
  const struct dns_relay *d = ctx;
  struct ip_route r;
  int rc = ip_route_output(d->ns, f, &r);
  if (!rc)
    *out = (struct tcp_path){.src = r.src, .mtu = r.mtu, .advmss = r.advmss};
  return rc;
}

static void env_arm(void *ctx, int64_t at) {
  struct dns_relay *d = ctx;
  if (at == INT64_MAX)
    timer_disarm(&d->tcp_timer);
  else
    timer_arm(&d->tcp_timer, at);
}

static void run_timers(struct timer *t) {
  struct dns_relay *d = t->arg;
  tcp_run_timers(d->tcp);
}

static const struct tcp_env env = {
    .now = env_now, .random = env_random, .output = env_output, .route = env_route, .arm = env_arm};

/* ---- a connection ---- */

static void conn_free(struct dns_conn *c, int linger) {
  struct dns_relay *d = c->d;
  if (c->asked)
    dns_forget(d, c->asked);
  timer_disarm(&c->idle);
  tcp_close(c->c, linger);
  LIST_REMOVE(c, link);
  d->nconns--;
  free(c->in);
  free(c->out);
  free(c);
}

static void went_idle(struct timer *t) {
  conn_free(t->arg, -1);
}

static ssize_t read_some(struct dns_conn *c, void *to, uint32_t n) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, to, n);
  return tcp_recv(c->c, &u, 0, 0);
}

/* 1: a whole message is in c->in; 0: not yet; -1: the end, or nothing a resolver would go on with. */
static int read_message(struct dns_conn *c, uint32_t *len) {
  ssize_t n;
  do {
    uint32_t body = c->got < 2 ? 0 : (uint32_t)(c->head[0] << 8 | c->head[1]);
    if (c->got >= 2 && body < DNS_MESSAGE_MIN)
      return -1;
    if (c->got >= 2 && !c->in && !(c->in = malloc(body)))
      return -1;
    if (c->got >= 2 && c->got == body + 2) {
      *len = body;
      return 1;
    }
    n = c->got < 2 ? read_some(c, c->head + c->got, 2 - c->got) : read_some(c, c->in + c->got - 2, body + 2 - c->got);
    if (n > 0)
      c->got += (uint32_t)n;
  } while (n > 0);
  return n == -EAGAIN ? 0 : -1;
}

/* 1: all of the answer is sent; 0: not yet; -1: the connection is of no use. */
static int write_answer(struct dns_conn *c) {
  while (c->out) {
    struct uio u;
    struct iovec v;
    uio_kernel(&u, &v, c->out + c->out_off, c->out_len - c->out_off);
    ssize_t n = tcp_send(c->c, &u, 0);
    if (n <= 0)
      return n == -EAGAIN ? 0 : -1;
    c->out_off += (uint32_t)n;
    if (c->out_off == c->out_len) {
      free(c->out);
      c->out = NULL;
    }
  }
  return 1;
}

static void serve(struct dns_conn *c) {
  uint32_t len;
  int rc = c->failed ? -1 : write_answer(c);
  c->due = false;
  if (rc > 0 && !c->asked && (rc = read_message(c, &len)) > 0) {
    timer_disarm(&c->idle);
    c->asked = dns_ask(c->d, true, c->in, len);
    free(c->in);
    c->in = NULL;
    c->got = 0;
    if (c->asked)
      c->asked->conn = c;
    else
      rc = -1;
  }
  if (rc < 0)
    conn_free(c, -1);
}

static void serve_later(struct dns_conn *c) {
  c->due = true;
  net_defer(c->d->ns->ns.k->net, &c->d->tcp_due);
}

void dns_tcp_answer(struct dns_conn *c, const uint8_t *msg, uint32_t len) {
  c->asked = NULL;
  timer_arm(&c->idle, loop_now() + IDLE_NS);
  c->out = msg && len <= DNS_MESSAGE_MAX ? malloc(len + 2) : NULL;
  c->failed = !c->out;
  if (c->out) {
    c->out[0] = (uint8_t)(len >> 8);
    c->out[1] = (uint8_t)len;
    memcpy(c->out + 2, msg, len);
    c->out_len = len + 2;
    c->out_off = 0;
  }
  serve_later(c);
}

static void conn_event(void *user, struct tcp_conn *tc, unsigned events) {
  struct dns_conn *c = user;
  if (events & (TCP_EV_ERROR | TCP_EV_HUP))
    c->failed = true;
  serve_later(c);
}

static const struct tcp_user_ops conn_ops = {.event = conn_event};

/* ---- the listener ---- */

static void accept_all(struct dns_relay *d) {
  struct dns_conn *c = NULL;
  struct tcp_conn *tc;
  while ((c = calloc(1, sizeof *c)) && (tc = tcp_accept(d->listener, &conn_ops, c))) {
    c->d = d;
    c->c = tc;
    c->idle = (struct timer){.fn = went_idle, .arg = c};
    LIST_INSERT_HEAD(&d->conns, c, link);
    if (++d->nconns > DNS_CONNS_MAX) {
      conn_free(c, 0);
      continue;
    }
    timer_arm(&c->idle, loop_now() + IDLE_NS);
    c->due = true;
  }
  free(c);
}

static void listener_event(void *user, struct tcp_conn *tc, unsigned events) {
  struct dns_relay *d = user;
  net_defer(d->ns->ns.k->net, &d->tcp_due);
}

static const struct tcp_user_ops listener_ops = {.event = listener_event};

static void end_of_batch(struct net_deferred *due) {
  struct dns_relay *d = (struct dns_relay *)((char *)due - offsetof(struct dns_relay, tcp_due));
  struct dns_conn *c, *next;
  tcp_rx_end(d->tcp);
  accept_all(d);
  for (c = LIST_FIRST(&d->conns); c; c = next) {
    next = LIST_NEXT(c, link); /* serving may end it */
    if (c->due)
      serve(c);
  }
}

void dns_tcp_input(struct dns_relay *d, struct pbuf *p, const struct ip_info *i) {
  net_defer(d->ns->ns.k->net, &d->tcp_due);
  tcp_input(d->tcp, p, i);
}

int dns_tcp_init(struct dns_relay *d) {
  struct ip_flow f = {.src = ip_from4(htonl(DNS_SERVER)), .dst = ip_from4(0), .proto = IPPROTO_TCP, .ttl = -1};
  LIST_INIT(&d->conns);
  d->tcp_timer = (struct timer){.fn = run_timers, .arg = d};
  d->tcp_due = (struct net_deferred){.fn = end_of_batch};
  d->tcp = tcp_stack_new(&env, d);
  if (!d->tcp)
    return -ENOMEM;
  tcp_settings(d->tcp)->mem_max = DNS_TCP_MEM;
  d->listener = tcp_open(d->tcp, &listener_ops, d);
  int rc = d->listener ? tcp_listen(d->listener, &f, DNS_PORT, BACKLOG, false, false, NULL) : -ENOMEM;
  if (rc)
    dns_tcp_fini(d);
  return rc;
}

void dns_tcp_fini(struct dns_relay *d) {
  struct dns_conn *c;
  while ((c = LIST_FIRST(&d->conns)))
    conn_free(c, 0);
  net_defer_cancel(d->ns->ns.k->net, &d->tcp_due);
  if (d->listener)
    tcp_close(d->listener, 0);
  d->listener = NULL;
  if (d->tcp)
    tcp_stack_free(d->tcp);
  d->tcp = NULL;
  timer_disarm(&d->tcp_timer);
}
