/* The Internet layer's state of namespaces and devices: made, told of changes, ended. One timer for each device serves
 * duplicate address detection, lifetimes and multicast reports. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <stdlib.h>
#include <sys/random.h>

struct ip_net *ip_net_of(struct net_namespace *ns) {
  struct net_stack *st = ns ? net_stack_of(ns) : NULL;
  return st ? st->sub[NET_IP] : NULL;
}

struct ip_dev *ip_dev_of(struct netdev *d) {
  return d ? d->ip : NULL;
}

void ip_dev_each(struct net_namespace *ns, bool (*fn)(void *arg, struct ip_dev *i), void *arg) {
  struct net_stack *st = net_stack_of(ns);
  struct netdev *d;
  if (st)
    TAILQ_FOREACH(d, &st->devs, link)
  if (d->ip && !fn(arg, d->ip))
    return;
}

/* ---- devices ---- */

static int64_t earlier(int64_t a, int64_t b) {
  return !a || (b && b < a) ? b : a;
}

static void dev_timer(struct timer *t) {
  struct ip_dev *i = t->arg;
  int64_t now = loop_now(), next = i->up ? ip_group_tick(i, now) : 0;
  if (i->up)
    next = earlier(next, ndp_dad_tick(i, now));
  next = earlier(next, ip_addr_tick(i, now));
  if (next)
    timer_arm(&i->timer, next > now ? next : now + NS_PER_MS);
}

void ip_dev_kick(struct ip_dev *i) {
  timer_arm(&i->timer, loop_now());
}

static void dev_new(struct netdev *d) {
  if (d->ip)
    return;
  struct ip_dev *i = calloc(1, sizeof *i);
  if (!i)
    return;
  i->dev = d;
  TAILQ_INIT(&i->addrs);
  LIST_INIT(&i->groups);
  i->timer.fn = dev_timer;
  i->timer.arg = i;
  /* Router advertisements are not accepted: a container's addresses come from its runtime. */
  struct ip_net *n = ip_net_of(d->ns);
  i->conf = n ? n->conf_default : (struct ip_devconf){.dad_transmits = 1};
  d->ip = i;
}

static void dev_up(struct ip_dev *i, bool up) {
  if (i->up == up)
    return;
  i->up = up;
  struct ip_net *n = ip_net_of(i->dev->ns);
  if (up) {
    ip_addr_up(i, true);
    ip_group_up(i);
  } else {
    ip_addr_up(i, false);
    ip_route_dev_gone(n, i->dev->ifindex, true);
    neigh_dev_gone(n, i->dev);
    ip_frag_dev_gone(n, i->dev);
    ip_loop_dev_gone(n, i->dev);
  }
  ip_route_changed(n);
  ip_dev_kick(i);
}

static void dev_gone(struct netdev *d) {
  struct ip_dev *i = d->ip;
  struct ip_net *n = ip_net_of(d->ns);
  if (!i)
    return;
  i->up = false;
  ip_group_flush(i);
  ip_addr_flush(i);
  timer_disarm(&i->timer);
  if (n) {
    ip_route_dev_gone(n, d->ifindex, false);
    neigh_dev_gone(n, d);
    ip_frag_dev_gone(n, d);
    ip_loop_dev_gone(n, d);
    ip_route_changed(n);
  }
  d->ip = NULL;
  free(i);
}

void ip_netdev_event(struct netdev *d, enum netdev_event ev) {
  if (ev == NETDEV_REGISTER)
    dev_new(d);
  if (!d->ip || !ip_net_of(d->ns))
    return;
  switch (ev) {
  case NETDEV_UP:
    dev_up(d->ip, true);
    break;
  case NETDEV_DOWN:
    dev_up(d->ip, false);
    break;
  case NETDEV_UNREGISTER:
    dev_gone(d);
    break;
  case NETDEV_CHANGEADDR:
    neigh_dev_gone(ip_net_of(d->ns), d);
    break;
  case NETDEV_CHANGE:
  case NETDEV_CHANGEMTU:
    ip_route_changed(ip_net_of(d->ns));
    break;
  default:
    break;
  }
}

/* ---- namespaces ---- */

static const struct ip_sysctl defaults = {
    .default_ttl = 64,
    .hop_limit = 64,
    .echo_ignore_broadcasts = 1,
    .icmp_ratelimit_ms = 1000,
    .icmp_ratemask = 6168, /* unreachable, quench, time exceeded, parameter problem */
    .icmp_msgs_per_sec = 1000,
    .icmp_msgs_burst = 50,
    .icmp6_ratelimit_ms = 1000,
    .frag_time_s = 30,
    .frag6_time_s = 60,
    .min_pmtu = 552,
    .pmtu_expires_s = 600,
    .neigh = {{1000, 30000, 5, 60, 1000, 3, 3}, {1000, 30000, 5, 60, 0, 3, 3}},
};

int ip_stack_init(struct net_stack *st) {
  struct ip_net *n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->ns = st->ns;
  n->sysctl = defaults;
  n->conf_default = (struct ip_devconf){.dad_transmits = 1};
  n->route_gen = 1;
  memcpy(&n->key, st->ns->ns.k->net->secret, sizeof n->key);
  if (getrandom(n->ids, sizeof n->ids, GRND_NONBLOCK) != sizeof n->ids) {
    free(n);
    return -EAGAIN;
  }
  ip_route_init(n);
  ip_pmtu_init(n);
  ip_frag_init(n);
  ip_loop_init(n);
  neigh_init(n);
  st->sub[NET_IP] = n;
  return 0;
}

void ip_stack_fini(struct net_stack *st) {
  struct ip_net *n = st->sub[NET_IP];
  if (!n)
    return;
  neigh_fini(n);
  ip_frag_fini(n);
  ip_loop_fini(n);
  ip_pmtu_fini(n);
  ip_route_fini(n);
  st->sub[NET_IP] = NULL;
  free(n);
}
