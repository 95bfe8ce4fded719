/* What surrounds the TCP engine in a network namespace: the Internet layer below, the clock, the ports. */
#include "../dns_relay.h"
#include "tcp_sock.h"
#include "../../core/errno.h"
#include <stddef.h>
#include <sys/random.h>

static int64_t env_now(void *ctx) {
  return loop_now();
}

static void env_random(void *ctx, void *buf, size_t n) {
  while (n) {
    ssize_t r = getrandom(buf, n, 0);
    if (r <= 0)
      continue; /* EINTR */
    buf = (char *)buf + r;
    n -= (size_t)r;
  }
}

static int env_output(void *ctx, struct pbuf *p, const struct ip_flow *f, struct ip_route *route) {
  struct inet_net *n = ctx;
  struct ip_route once = {0};
  if (!route)
    route = &once;
  if (route->gen != ip_route_gen(n->ns)) {
    int rc = ip_route_output(n->ns, f, route);
    if (rc) {
      *route = (struct ip_route){0};
      pbuf_free(p);
      return rc;
    }
  }
  return ip_output(n->ns, p, f, route);
}

static int env_route(void *ctx, const struct ip_flow *f, struct tcp_path *out) {
  struct inet_net *n = ctx;
  struct ip_route r;
  int rc = ip_route_output(n->ns, f, &r);
  if (!rc)
    *out = (struct tcp_path){.src = r.src, .mtu = r.mtu, .advmss = r.advmss};
  return rc;
}

static void env_arm(void *ctx, int64_t at) {
  struct inet_net *n = ctx;
  if (at == INT64_MAX)
    timer_disarm(&n->tcp_timer);
  else
    timer_arm(&n->tcp_timer, at);
}

static void *env_port_get(void *port) {
  return inet_port_hold(port);
}
static void env_port_put(void *port) {
  inet_port_drop(port);
}

/* The host's stack beside ours asks DNS servers for dockerd: their answers are none of ours to reset. */
static bool env_no_owner(void *ctx, const struct pbuf *p, const struct ip_info *i) {
  const struct inet_net *n = ctx;
  return dns_relay_is_host_flow && dns_relay_is_host_flow(n->ns, p, i);
}

static void env_push_late(void *ctx) {
  struct inet_net *n = ctx;
  net_defer_late(n->ns->ns.k->net, &n->tcp_late);
}

static const struct tcp_env env = {.now = env_now,
                                   .random = env_random,
                                   .output = env_output,
                                   .route = env_route,
                                   .arm = env_arm,
                                   .port_get = env_port_get,
                                   .port_put = env_port_put,
                                   .no_owner = env_no_owner,
                                   .push_late = env_push_late};

static void on_timer(struct timer *t) {
  struct inet_net *n = t->arg;
  tcp_run_timers(n->tcp);
}

static void batch_end(struct net_deferred *d) {
  struct inet_net *n = (struct inet_net *)((char *)d - offsetof(struct inet_net, tcp_rx));
  tcp_rx_end(n->tcp);
}

static void before_flush(struct net_deferred *d) {
  struct inet_net *n = (struct inet_net *)((char *)d - offsetof(struct inet_net, tcp_late));
  tcp_push_late(n->tcp);
}

int inet_tcp_init(struct inet_net *n) {
  n->tcp_timer = (struct timer){.fn = on_timer, .arg = n};
  n->tcp_rx.fn = batch_end;
  n->tcp_late.fn = before_flush;
  n->tcp = tcp_stack_new(&env, n);
  return n->tcp ? 0 : -ENOMEM;
}

/* Sockets hold their namespace; those that are left when the initial one ends, with the sandbox, lose their
 * connections. */
void inet_tcp_fini(struct inet_net *n) {
  struct inet_sock *is;
  while ((is = LIST_FIRST(&n->tcp_socks))) {
    struct tcp_sock *ts = is->priv;
    LIST_REMOVE(is, hash_link);
    tcp_close(ts->c, 0);
    ts->c = NULL;
    inet_port_release(is);
    is->net = NULL;
  }
  tcp_stack_free(n->tcp);
  n->tcp = NULL;
  net_defer_cancel(n->ns->ns.k->net, &n->tcp_rx);
  net_defer_cancel(n->ns->ns.k->net, &n->tcp_late);
  timer_disarm(&n->tcp_timer);
}

static void input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  struct inet_net *n = inet_net_of(ns);
  if (!n) {
    pbuf_free(p);
    return;
  }
  bool lo = i->dev->flags & IFF_LOOPBACK;
  tcp_input(n->tcp, p, i);
  /* Acknowledgements leave with the frames: one for what several turns have received. */
  if (lo)
    net_defer(ns->ns.k->net, &n->tcp_rx);
  else
    net_defer_late(ns->ns.k->net, &n->tcp_late);
}

static void error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len) {
  struct inet_net *n = inet_net_of(ns);
  if (n)
    tcp_error(n->tcp, e, quoted, len);
}

const struct ip_proto ip_proto_tcp = {.proto = IPPROTO_TCP, .input = input, .error = error};
