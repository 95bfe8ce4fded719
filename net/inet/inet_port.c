/*
 * Local ports: who may have which, and the choice of one. The rules of conflicts are Linux's (inet_csk_get_port(),
 * udp_lib_get_port()), ephemeral ports are chosen at random (RFC 6056 3.3.2).
 *
 * A hold (struct inet_port) is a socket's, shared by the connections that came from it, which may outlive it: what
 * SO_REUSEADDR says of them is what the socket said last.
 */
#include "inet.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/random.h>

#define PAGE_PORTS 256u

struct port_bucket { /* a port that somebody has */
  struct inet_ports *table;
  LIST_HEAD(, inet_port) holds;
  uint16_t port;
};

struct inet_ports { /* two levels, so that a namespace without sockets costs little */
  struct port_bucket **page[65536 / PAGE_PORTS];
  enum inet_table kind;
};

struct inet_port {
  ref_t ref;
  struct port_bucket *bucket;
  LIST_ENTRY(inet_port) link;
  struct inet_sock *is; /* borrowed; NULL: it was released, and only connections are left */
  struct in6_addr addr;
  bool v6only, reuse, reuseport, listening, by_connect;
  uint32_t kuid;
  int dev;
};

/* ---- the table ---- */

static struct inet_ports *table(struct inet_net *n, enum inet_table t) {
  if (!n->ports[t] && (n->ports[t] = calloc(1, sizeof *n->ports[t])))
    n->ports[t]->kind = t;
  return n->ports[t];
}

void inet_ports_free(struct inet_ports *ps) {
  if (!ps)
    return;
  for (unsigned i = 0; i < 65536 / PAGE_PORTS; i++)
    free(ps->page[i]); /* its buckets went with their last holds */
  free(ps);
}

static struct port_bucket *bucket(const struct inet_ports *ps, uint16_t port) {
  struct port_bucket **page = ps->page[port / PAGE_PORTS];
  return page ? page[port % PAGE_PORTS] : NULL;
}

static struct port_bucket *bucket_new(struct inet_ports *ps, uint16_t port) {
  struct port_bucket ***page = &ps->page[port / PAGE_PORTS], *b = bucket(ps, port);
  if (b)
    return b;
  if (!*page && !(*page = calloc(PAGE_PORTS, sizeof **page)))
    return NULL;
  if (!(b = calloc(1, sizeof *b)))
    return NULL;
  b->table = ps;
  b->port = port;
  LIST_INIT(&b->holds);
  return (*page)[port % PAGE_PORTS] = b;
}

/* ---- holds ---- */

/* What the socket says now; after its end, what it said last. */
static void refresh(struct inet_port *p) {
  const struct inet_sock *is = p->is;
  if (!is)
    return;
  p->v6only = is->opt.v6only;
  p->reuse = is->sock->opt.reuseaddr;
  p->reuseport = is->sock->opt.reuseport;
  p->dev = is->bound_dev;
  p->kuid = is->kuid;
}

static int hold_new(struct inet_sock *is, struct inet_ports *ps, const struct in6_addr *a, uint16_t port) {
  struct inet_port *p = calloc(1, sizeof *p);
  struct port_bucket *b = p ? bucket_new(ps, port) : NULL;
  if (!b) {
    free(p);
    return -ENOMEM;
  }
  ref_init(&p->ref);
  p->bucket = b;
  p->is = is;
  p->addr = *a;
  refresh(p);
  LIST_INSERT_HEAD(&b->holds, p, link);
  is->port = p;
  is->lport = port;
  return 0;
}

struct inet_port *inet_port_hold(struct inet_port *p) {
  ref_get(&p->ref);
  return p;
}

void inet_port_drop(struct inet_port *p) {
  if (!p || !ref_put(&p->ref))
    return;
  struct port_bucket *b = p->bucket;
  LIST_REMOVE(p, link);
  free(p);
  if (!LIST_EMPTY(&b->holds))
    return;
  b->table->page[b->port / PAGE_PORTS][b->port % PAGE_PORTS] = NULL;
  free(b);
}

void inet_port_release(struct inet_sock *is) {
  struct inet_port *p = is->port;
  if (!p)
    return;
  if (p->is == is) {
    refresh(p);
    p->is = NULL;
    p->listening = false;
  }
  is->port = NULL;
  inet_port_drop(p);
}

/* ---- conflicts ---- */

bool inet_addrs_meet(const struct in6_addr *a, bool a_v6only, const struct in6_addr *b, bool b_v6only) {
  bool a4 = ip_is4(a), b4 = ip_is4(b);
  if (a4 && b4)
    return ip_same(a, b) || !ip_get4(a) || !ip_get4(b);
  if (ip_is_any(a) && !a4)
    return !(a_v6only && b4);
  if (ip_is_any(b) && !b4)
    return !(b_v6only && a4);
  return ip_same(a, b);
}

struct claim { /* what is asked for */
  const struct inet_sock *is;
  struct in6_addr addr;
  bool udp;
  bool pick; /* an ephemeral port: SO_REUSEADDR and SO_REUSEPORT do not make one acceptable that is in use */
};

static bool may_share(const struct claim *c, const struct inet_port *p) {
  const struct sock_opts *o = &c->is->sock->opt;
  bool port = o->reuseport && p->reuseport && c->is->kuid == p->kuid;
  bool addr = o->reuseaddr && p->reuse && (c->udp || !p->listening);
  if (c->udp)
    return addr || port;
  return !c->pick && (addr || port);
}

static bool conflicts(const struct claim *c, struct inet_port *p) {
  if (p == c->is->port)
    return false;
  refresh(p);
  if (c->is->bound_dev && p->dev && c->is->bound_dev != p->dev)
    return false;
  return !may_share(c, p) && inet_addrs_meet(&c->addr, c->is->opt.v6only, &p->addr, p->v6only);
}

static bool refused(const struct claim *c, const struct port_bucket *b) {
  struct inet_port *p;
  if (b)
    LIST_FOREACH(p, &b->holds, link)
  if (conflicts(c, p))
    return true;
  return false;
}

/* ---- choosing ---- */

static uint32_t below(uint32_t n) {
  uint32_t r;
  if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
    r = (uint32_t)loop_now_exact();
  return (uint32_t)(((uint64_t)r * n) >> 32);
}

static void range(const struct inet_sock *is, enum inet_table t, uint32_t *lo, uint32_t *hi) {
  const struct inet_sysctl *s = &is->net->sysctl;
  if (t == INET_PING) { /* identifiers of echo requests */
    *lo = 1;
    *hi = 65535;
    return;
  }
  *lo = (uint32_t)s->port_lo;
  *hi = (uint32_t)s->port_hi;
  uint32_t from = (uint32_t)is->opt.port_range_lo, to = (uint32_t)is->opt.port_range_hi; /* IP_LOCAL_PORT_RANGE */
  if (from >= *lo && from <= *hi)
    *lo = from;
  if (to && to >= *lo && to <= *hi)
    *hi = to;
}

typedef bool port_ok_fn(void *arg, const struct port_bucket *b, uint16_t port);

/* Ports at random, those of one parity first: bind(2) and connect(2) stay out of each other's way, as in Linux. 0:
 * none. */
static uint16_t pick(const struct inet_sock *is, struct inet_ports *ps, bool odd, port_ok_fn *ok, void *arg) {
  uint32_t lo, hi;
  range(is, ps->kind, &lo, &hi);
  if (lo > hi)
    return 0;
  uint32_t n = hi - lo + 1, half = (n + 1) / 2, start = below(half);
  for (uint32_t i = 0; i < 2 * half; i++) {
    bool other = i >= half;
    uint32_t off = ((start + i) % half) * 2 + (odd != other);
    if (off >= n)
      continue;
    uint16_t port = (uint16_t)(lo + off);
    if (ps->kind != INET_PING && inet_port_reserved(&is->net->sysctl, port))
      continue;
    if (ok(arg, bucket(ps, port), port))
      return port;
  }
  return 0;
}

static bool unused(void *arg, const struct port_bucket *b, uint16_t port) {
  return !refused(arg, b);
}

int inet_port_bind(struct inet_sock *is, enum inet_table t, const struct in6_addr *a, uint16_t port) {
  struct inet_ports *ps = table(is->net, t);
  struct claim c = {.is = is, .addr = *a, .udp = t != INET_TCP, .pick = !port};
  if (!ps)
    return -ENOMEM;
  if (port && t != INET_PING && port < is->net->sysctl.unprivileged_port_start && !inet_may(is, CAP_NET_BIND_SERVICE))
    return -EACCES;
  if (!port && !(port = pick(is, ps, true, unused, &c)))
    return -EADDRINUSE;
  if (!c.pick && refused(&c, bucket(ps, port)))
    return -EADDRINUSE;
  return hold_new(is, ps, a, port);
}

struct names {
  struct inet_sock *is;
  const struct in6_addr *laddr, *raddr;
  uint16_t rport;
};

static bool connectable(void *arg, const struct port_bucket *b, uint16_t port) {
  const struct names *m = arg;
  const struct inet_port *p;
  if (b)
    LIST_FOREACH(p, &b->holds, link)
  if (!p->by_connect)
    return false;
  return !tcp_names_taken(m->is->net->tcp, m->laddr, port, m->raddr, m->rport);
}

int inet_port_connect(struct inet_sock *is, const struct in6_addr *laddr, const struct in6_addr *raddr,
                      uint16_t rport) {
  struct inet_ports *ps = table(is->net, INET_TCP);
  struct names m = {is, laddr, raddr, rport};
  uint16_t port = ps ? pick(is, ps, false, connectable, &m) : 0;
  if (!port)
    return ps ? -EADDRNOTAVAIL : -ENOMEM;
  int err = hold_new(is, ps, laddr, port);
  if (!err)
    is->port->by_connect = true;
  return err;
}

int inet_port_listen(struct inet_sock *is) {
  struct inet_port *p = is->port;
  struct claim c = {.is = is, .addr = p->addr};
  if (refused(&c, p->bucket))
    return -EADDRINUSE;
  p->listening = true;
  return 0;
}

void inet_port_unlisten(struct inet_sock *is) {
  if (is->port)
    is->port->listening = false;
}
