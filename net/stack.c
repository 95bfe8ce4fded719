/* Network namespaces' stacks: see stack.h. And the end of a turn: the backlog, deferred work, flushes. */
#include "stack.h"
#include "../core/errno.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TURN_ROUNDS 8   /* packets that answer packets, before the loop has its turn again */
#define TURN_BUDGET 300 /* packets: net.core.netdev_budget. A loop of bridges must not keep the other events out */

/* ---- subsystems ---- */

__attribute__((weak)) int ip_stack_init(struct net_stack *st);
__attribute__((weak)) void ip_stack_fini(struct net_stack *st);
__attribute__((weak)) void ip_netdev_event(struct netdev *d, enum netdev_event ev);
__attribute__((weak)) int inet_stack_init(struct net_stack *st);
__attribute__((weak)) void inet_stack_fini(struct net_stack *st);
__attribute__((weak)) void inet_netdev_event(struct netdev *d, enum netdev_event ev);
__attribute__((weak)) int rtnetlink_stack_init(struct net_stack *st);
__attribute__((weak)) void rtnetlink_stack_fini(struct net_stack *st);
__attribute__((weak)) void rtnetlink_netdev_event(struct netdev *d, enum netdev_event ev);
__attribute__((weak)) int packet_stack_init(struct net_stack *st);
__attribute__((weak)) void packet_stack_fini(struct net_stack *st);
__attribute__((weak)) void packet_netdev_event(struct netdev *d, enum netdev_event ev);
__attribute__((weak)) void dns_stack_fini(struct net_stack *st);

__attribute__((weak)) void bridge_netdev_event(struct netdev *d, enum netdev_event ev);

/* In the order in which they begin; they end in the opposite one. lo is last: the others are to hear of it. */
static const enum net_subsystem order[] = {NET_NETLINK, NET_IP, NET_INET, NET_DNS, NET_PACKET, NET_BRIDGE, NET_LO};
static const struct net_subsystem_ops subsystems[NET_SUBSYSTEMS] = {
    [NET_LO] = {lo_init},
    [NET_IP] = {ip_stack_init, ip_stack_fini, ip_netdev_event},
    [NET_INET] = {inet_stack_init, inet_stack_fini, inet_netdev_event},
    [NET_NETLINK] = {rtnetlink_stack_init, rtnetlink_stack_fini, rtnetlink_netdev_event},
    [NET_PACKET] = {packet_stack_init, packet_stack_fini, packet_netdev_event},
    [NET_BRIDGE] = {.event = bridge_netdev_event},
    [NET_DNS] = {NULL, dns_stack_fini}, /* begins when the launcher attaches it */
};

void net_event(struct netdev *d, enum netdev_event ev) {
  /* What is torn down goes in the opposite order: sockets before addresses, and rtnetlink tells the world last. */
  bool down = ev == NETDEV_DOWN || ev == NETDEV_UNREGISTER;
  for (unsigned i = 0; i < NET_SUBSYSTEMS; i++) {
    const struct net_subsystem_ops *s = &subsystems[order[down ? NET_SUBSYSTEMS - 1 - i : i]];
    if (s->event)
      s->event(d, ev);
  }
}

/* ---- namespaces ---- */

static void stop_subsystems(struct net_stack *st, unsigned n) {
  while (n--)
    if (subsystems[order[n]].fini)
      subsystems[order[n]].fini(st);
}

/* The launcher's devices go back to the initial namespace, as hardware does; what guests made ends. */
static void drop_devices(struct net_stack *st) {
  struct net_namespace *init = st->ns->ns.k->init_nsproxy->net;
  struct netdev *d;
  while ((d = TAILQ_LAST(&st->devs, netdev_list))) {
    if (d != st->lo && !d->ops->kind && init != st->ns && net_stack_of(init) && !netdev_move(d, init))
      continue;
    netdev_unlist(d);
  }
}

static void stack_free(struct net_namespace *ns) {
  struct net_stack *st = ns->stack;
  if (!st)
    return;
  drop_devices(st);
  stop_subsystems(st, NET_SUBSYSTEMS);
  ns->stack = NULL;
  free(st);
}

static int stack_new(struct net_namespace *ns) {
  struct net_stack *st = calloc(1, sizeof *st);
  if (!st)
    return -ENOMEM;
  st->ns = ns;
  TAILQ_INIT(&st->devs);
  ns->stack = st;
  for (unsigned i = 0; i < NET_SUBSYSTEMS; i++) {
    const struct net_subsystem_ops *s = &subsystems[order[i]];
    int rc = s->init ? s->init(st) : 0;
    if (rc) {
      drop_devices(st);
      stop_subsystems(st, i);
      ns->stack = NULL;
      free(st);
      return rc;
    }
  }
  return 0;
}

struct net_namespace *net_current_ns_borrow(void) {
  struct task *t = task_current();
  struct nsproxy *p = t && t->nsproxy ? t->nsproxy : kernel_current()->init_nsproxy;
  return p->net;
}

/* ---- the end of a turn ---- */

void net_defer(struct net *n, struct net_deferred *d) {
  if (d->queued)
    return;
  d->queued = true;
  d->late = false;
  TAILQ_INSERT_TAIL(&n->deferred, d, link);
}

void net_defer_cancel(struct net *n, struct net_deferred *d) {
  if (!d->queued)
    return;
  d->queued = false;
  if (d->late)
    TAILQ_REMOVE(&n->late, d, link);
  else
    TAILQ_REMOVE(&n->deferred, d, link);
}

void net_defer_late(struct net *n, struct net_deferred *d) {
  if (d->queued)
    return;
  d->queued = d->late = true;
  TAILQ_INSERT_TAIL(&n->late, d, link);
}

static void run_deferred(struct net *n) {
  struct net_deferred *d;
  while ((d = TAILQ_FIRST(&n->deferred))) {
    TAILQ_REMOVE(&n->deferred, d, link);
    d->queued = false;
    d->fn(d);
  }
}

static void receive_backlog(struct net *n, unsigned *budget) {
  struct pbuf *p;
  /* Only what is there now: answers to it wait for the next round. */
  for (unsigned left = n->nbacklog; left && *budget && (p = STAILQ_FIRST(&n->backlog)); left--, --*budget) {
    STAILQ_REMOVE_HEAD(&n->backlog, link);
    n->nbacklog--;
    p->dev->backlog--;
    n->copies = 0;
    netdev_rx(p->dev, p);
    *budget -= n->copies < *budget ? n->copies : *budget - 1;
  }
}

static bool receive_all(struct net *n) {
  unsigned budget = TURN_BUDGET;
  bool any = false;
  for (int i = 0; n && i < TURN_ROUNDS && (!STAILQ_EMPTY(&n->backlog) || !TAILQ_EMPTY(&n->deferred)); i++) {
    any = true;
    receive_backlog(n, &budget);
    run_deferred(n);
  }
  return any;
}

/* True: there is something to receive within the sandbox again. */
static bool flush_all(void *arg) {
  struct net *n = arg;
  struct net_deferred *d;
  while ((d = TAILQ_FIRST(&n->late))) {
    TAILQ_REMOVE(&n->late, d, link);
    d->queued = false;
    d->fn(d);
  }
  n->flush.now = false;
  while (n->flush.n) {
    struct netdev *dev = n->flush.v[--n->flush.n];
    dev->flush_due = false;
    dev->ops->flush(dev);
  }
  return !STAILQ_EMPTY(&n->backlog) || !TAILQ_EMPTY(&n->deferred);
}

static enum loop_flush_due flush_due(void *arg) {
  const struct net *n = arg;
  if (!n->flush.n && TAILQ_EMPTY(&n->late))
    return FLUSH_NONE;
  return n->flush.now ? FLUSH_NOW : FLUSH_MAY_WAIT;
}

bool net_rx_end(struct kernel *k) {
  bool any = receive_all(k->net);
  if (k->net)
    (void)flush_all(k->net);
  return any;
}

static bool turn_end(void *arg) {
  return receive_all(arg);
}

/* ---- boot ---- */

int net_boot(struct kernel *k) {
  struct net *n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->k = k;
  TAILQ_INIT(&n->deferred);
  TAILQ_INIT(&n->late);
  STAILQ_INIT(&n->backlog);
  if (getrandom(n->secret, sizeof n->secret, 0) != sizeof n->secret) {
    free(n);
    return -EAGAIN;
  }
  k->net = n;
  k->hooks.net_ns_init = stack_new;
  k->hooks.net_ns_fini = stack_free;
  k->hooks.net_files = &net_files;
  if (k->loop) {
    loop_set_turn_end(k->loop, turn_end, n);
    loop_set_flush(k->loop, &(struct loop_flush){flush_due, flush_all, n});
  }
  int rc = stack_new(k->init_nsproxy->net);
  if (rc) {
    net_shutdown(k);
    return rc;
  }
  return netdev_set_flags(net_stack_of(k->init_nsproxy->net)->lo, IFF_UP, IFF_UP);
}

void net_shutdown(struct kernel *k) {
  struct net *n = k->net;
  if (!n)
    return;
  stack_free(k->init_nsproxy->net);
  if (k->loop) {
    loop_set_turn_end(k->loop, NULL, NULL);
    loop_set_flush(k->loop, NULL);
  }
  k->hooks.net_ns_init = NULL;
  k->hooks.net_files = NULL;
  k->net = NULL;
  pbuf_queue_free(&n->backlog);
  free(n->flush.v);
  free(n);
}
