/*
 * Neighbours: the states of RFC 4861 7.3 for both versions; arp.c and ndp.c ask and tell. An entry is made when we send
 * to somebody, or when somebody asks for us; the table is bounded, the least useful entry makes room.
 */
#include "../core/errno.h"
#include "ip_stack.h"
#include <linux/neighbour.h>
#include <stdlib.h>

#define NUD_VALID (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)
#define GC_THRESH1 128 /* below, nothing is collected */

struct neigh {
  LIST_ENTRY(neigh) hash;
  TAILQ_ENTRY(neigh) lru;
  struct ip_net *n;
  struct neigh_entry e;
  struct pbuf_queue queue;
  uint32_t queued; /* bytes */
  struct timer timer;
};

static unsigned bucket_of(struct ip_net *n, const struct netdev *d, const struct in6_addr *ip) {
  struct {
    struct in6_addr ip;
    uint64_t ifindex;
  } k = {*ip, (uint64_t)d->ifindex};
  return ip_hash(n, &k, sizeof k) % NEIGH_BUCKETS;
}

static struct neigh *find(struct ip_net *n, const struct netdev *d, const struct in6_addr *ip) {
  struct neigh *e;
  LIST_FOREACH(e, &n->neigh[bucket_of(n, d, ip)], hash)
  if (e->e.dev == d && ip_same(&e->e.ip, ip))
    return e;
  return NULL;
}

static void tell(const struct neigh *e, bool gone) {
  if (ip_event_neigh)
    ip_event_neigh(&e->e, gone);
}

static void drop(struct neigh *e) {
  if (e->e.state != NUD_NONE)
    tell(e, true);
  timer_disarm(&e->timer);
  pbuf_queue_free(&e->queue);
  LIST_REMOVE(e, hash);
  TAILQ_REMOVE(&e->n->neigh_lru, e, lru);
  e->n->nneigh--;
  if (!++e->n->neigh_gen)
    e->n->neigh_gen = 1;
  free(e);
}

static const struct neigh_sysctl *conf(const struct neigh *e) {
  return &e->n->sysctl.neigh[ip_version_index(&e->e.ip)];
}

static void touch(struct neigh *e) {
  e->e.used = loop_now();
  TAILQ_REMOVE(&e->n->neigh_lru, e, lru);
  TAILQ_INSERT_TAIL(&e->n->neigh_lru, e, lru);
}

/* ---- states ---- */

static void flush_queue(struct neigh *e) {
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&e->queue))) {
    STAILQ_REMOVE_HEAD(&e->queue, link);
    e->queued -= NEIGH_PACKET_COST(p->len);
    (void)ether_output(e->e.dev, p, e->e.lladdr, p->protocol);
  }
}

/* Nobody answers: those who sent are told, as by a router (RFC 1122 2.3.2.2, RFC 4861 7.2.2). */
static void fail(struct neigh *e) {
  struct pbuf_queue q = STAILQ_HEAD_INITIALIZER(q);
  struct ip_net *n = e->n;
  e->e.state = NUD_FAILED;
  e->e.updated = loop_now();
  tell(e, false);
  STAILQ_CONCAT(&q, &e->queue);
  e->queued = 0;
  struct pbuf *p;
  while ((p = STAILQ_FIRST(&q))) {
    STAILQ_REMOVE_HEAD(&q, link);
    if (p->protocol == ETH_P_IP)
      icmp4_send(n, p, 3, 1, 0);
    else
      icmp6_send(n, p, 1, 3, 0);
    pbuf_free(p);
  }
}

static void solicit(struct neigh *e, bool unicast) {
  e->e.probes++;
  timer_arm(&e->timer, loop_now() + conf(e)->retrans_ms * NS_PER_MS);
  if (ip_is4(&e->e.ip))
    arp_solicit(e->e.dev, &e->e.ip, unicast ? e->e.lladdr : NULL, STAILQ_FIRST(&e->queue));
  else
    ndp_solicit(e->e.dev, &e->e.ip, NULL, unicast ? e->e.lladdr : NULL);
}

static void neigh_timer(struct timer *t) {
  struct neigh *e = t->arg;
  switch (e->e.state) {
  case NUD_INCOMPLETE:
    if (e->e.probes < (unsigned)conf(e)->mcast_solicit)
      solicit(e, false);
    else
      fail(e);
    break;
  case NUD_DELAY:
    e->e.state = NUD_PROBE;
    e->e.probes = 0;
    tell(e, false);
    solicit(e, true);
    break;
  case NUD_PROBE:
    if (e->e.probes < (unsigned)conf(e)->ucast_solicit)
      solicit(e, true);
    else
      fail(e);
    break;
  default:
    break;
  }
}

static void set_reachable(struct neigh *e) {
  if (e->e.state & (NUD_PERMANENT | NUD_NOARP))
    return;
  bool news = e->e.state != NUD_REACHABLE;
  e->e.state = NUD_REACHABLE;
  e->e.confirmed = loop_now();
  e->e.probes = 0;
  timer_disarm(&e->timer);
  if (news)
    tell(e, false);
}

/* ---- the table ---- */

/* Make room: failed ones, then the least recently used that can be found again by asking. */
static bool collect(struct ip_net *n) {
  struct neigh *e, *next, *victim = NULL;
  int64_t now = loop_now();
  for (e = TAILQ_FIRST(&n->neigh_lru); e; e = next) {
    next = TAILQ_NEXT(e, lru);
    if (e->e.state & (NUD_PERMANENT | NUD_NOARP))
      continue;
    bool idle = now - e->e.used > conf(e)->gc_stale_s * NS_PER_S;
    if (e->e.state == NUD_FAILED || (idle && e->e.state == NUD_STALE))
      drop(e);
    else if (!victim)
      victim = e;
  }
  if (n->nneigh < NEIGH_MAX)
    return true;
  if (!victim)
    return false;
  drop(victim);
  return true;
}

static struct neigh *make(struct netdev *d, const struct in6_addr *ip) {
  struct ip_net *n = ip_net_of(d->ns);
  if (!n || (n->nneigh >= GC_THRESH1 && (n->nneigh >= NEIGH_MAX || n->nneigh % 32 == 0) && !collect(n)))
    return NULL;
  struct neigh *e = calloc(1, sizeof *e);
  if (!e)
    return NULL;
  e->n = n;
  e->e.ip = *ip;
  e->e.dev = d;
  e->e.state = NUD_NONE;
  e->e.used = e->e.updated = loop_now();
  STAILQ_INIT(&e->queue);
  e->timer.fn = neigh_timer;
  e->timer.arg = e;
  LIST_INSERT_HEAD(&n->neigh[bucket_of(n, d, ip)], e, hash);
  TAILQ_INSERT_TAIL(&n->neigh_lru, e, lru);
  n->nneigh++;
  return e;
}

void neigh_init(struct ip_net *n) {
  for (unsigned i = 0; i < NEIGH_BUCKETS; i++)
    LIST_INIT(&n->neigh[i]);
  TAILQ_INIT(&n->neigh_lru);
  n->neigh_gen = 1;
}

void neigh_fini(struct ip_net *n) {
  struct neigh *e;
  while ((e = TAILQ_FIRST(&n->neigh_lru)))
    drop(e);
}

void neigh_dev_gone(struct ip_net *n, struct netdev *d) {
  struct neigh *e, *next;
  for (e = TAILQ_FIRST(&n->neigh_lru); e; e = next) {
    next = TAILQ_NEXT(e, lru);
    if (e->e.dev == d)
      drop(e);
  }
}

/* ---- sending ---- */

static int enqueue(struct neigh *e, struct pbuf *p) {
  struct pbuf *old; /* the newest is worth most */
  while ((old = STAILQ_FIRST(&e->queue)) && e->queued + NEIGH_PACKET_COST(p->len) > NEIGH_QUEUE_BYTES) {
    STAILQ_REMOVE_HEAD(&e->queue, link);
    e->queued -= NEIGH_PACKET_COST(old->len);
    pbuf_free(old);
  }
  STAILQ_INSERT_TAIL(&e->queue, p, link);
  e->queued += NEIGH_PACKET_COST(p->len);
  return 0;
}

/* Takes p over. It may take e away: when nobody answers, ICMP tells our own sockets. */
static int output(struct neigh *e, struct pbuf *p) {
  touch(e);
  const struct neigh_sysctl *c = conf(e);
  if (e->e.state == NUD_REACHABLE && e->e.used - e->e.confirmed > c->base_reachable_ms * NS_PER_MS)
    e->e.state = NUD_STALE;
  if (e->e.state == NUD_STALE) {
    e->e.state = NUD_DELAY;
    timer_arm(&e->timer, e->e.used + c->delay_first_probe_s * NS_PER_S);
  }
  if (e->e.state & NUD_VALID)
    return ether_output(e->e.dev, p, e->e.lladdr, p->protocol);
  int rc = enqueue(e, p);
  if (e->e.state != NUD_INCOMPLETE) {
    e->e.state = NUD_INCOMPLETE;
    e->e.probes = 0;
    solicit(e, false);
  }
  return rc;
}

int neigh_output(struct netdev *d, const struct in6_addr *to, struct pbuf *p) {
  struct ip_net *n = ip_net_of(d->ns);
  struct neigh *e = n ? find(n, d, to) : NULL;
  if (!e)
    e = make(d, to);
  if (e)
    return output(e, p);
  pbuf_free(p);
  return -ENOBUFS;
}

int neigh_output_route(struct ip_route *r, struct pbuf *p) {
  struct ip_net *n = ip_net_of(r->dev->ns);
  if (!n || !r->neigh || r->neigh_gen != n->neigh_gen) {
    r->neigh = n ? find(n, r->dev, &r->gateway) : NULL;
    if (!r->neigh && !(r->neigh = make(r->dev, &r->gateway))) {
      pbuf_free(p);
      return -ENOBUFS;
    }
    r->neigh_gen = n->neigh_gen;
  }
  return output(r->neigh, p);
}

void neigh_confirm(struct netdev *d, const struct in6_addr *to) {
  struct ip_net *n = ip_net_of(d->ns);
  struct neigh *e = n ? find(n, d, to) : NULL;
  if (e && e->e.state & NUD_VALID)
    set_reachable(e);
}

/* ---- what the link told: RFC 4861 7.2.5, for ARP alike ---- */

void neigh_heard(struct netdev *d, const struct in6_addr *ip, const uint8_t *lladdr, unsigned flags) {
  struct ip_net *n = ip_net_of(d->ns);
  struct neigh *e = n ? find(n, d, ip) : NULL;
  if (!e && (flags & NEIGH_CREATE) && lladdr)
    e = make(d, ip);
  if (!e || e->e.state & (NUD_PERMANENT | NUD_NOARP) || d->addr_len > sizeof e->e.lladdr)
    return;
  if (!(e->e.state & NUD_VALID)) {
    if (!lladdr || (e->e.state == NUD_FAILED && !(flags & (NEIGH_CREATE | NEIGH_SOLICITED))))
      return;
    memcpy(e->e.lladdr, lladdr, d->addr_len);
    e->e.updated = loop_now();
    e->e.state = NUD_STALE;
    timer_disarm(&e->timer);
    if (flags & NEIGH_SOLICITED)
      set_reachable(e);
    else
      tell(e, false);
    flush_queue(e);
    return;
  }
  bool differs = lladdr && memcmp(e->e.lladdr, lladdr, d->addr_len) != 0;
  /* The first answer wins for a while: who answers later, as well, is a proxy or a liar. */
  if (differs && loop_now() - e->e.updated < conf(e)->locktime_ms * NS_PER_MS)
    flags &= ~NEIGH_OVERRIDE;
  if (differs && !(flags & NEIGH_OVERRIDE)) {
    if (e->e.state == NUD_REACHABLE && !ip_is4(ip))
      e->e.state = NUD_STALE;
    return;
  }
  if (differs) {
    memcpy(e->e.lladdr, lladdr, d->addr_len);
    e->e.updated = loop_now();
    e->e.state = NUD_STALE;
    timer_disarm(&e->timer);
  }
  if (flags & NEIGH_SOLICITED)
    set_reachable(e);
  else if (differs)
    tell(e, false);
}

/* ---- rtnetlink ---- */

int neigh_each(struct net_namespace *ns, int family, bool (*fn)(void *arg, const struct neigh_entry *e), void *arg) {
  struct ip_net *n = ip_net_of(ns);
  struct neigh *e;
  if (n)
    TAILQ_FOREACH(e, &n->neigh_lru, lru)
  if ((family == AF_UNSPEC || family == (ip_is4(&e->e.ip) ? AF_INET : AF_INET6)) && !fn(arg, &e->e))
    break;
  return 0;
}

int neigh_set(const struct neigh_entry *w, unsigned nlm_flags) {
  struct netdev *d = w->dev;
  struct ip_net *n = ip_net_of(d->ns);
  const unsigned known = NUD_VALID | NUD_INCOMPLETE | NUD_FAILED;
  if (!n || (w->state & ~known) || (w->state & (w->state - 1)) || ip_is_multicast(&w->ip) || ip_is_any(&w->ip))
    return -EINVAL;
  struct neigh *e = find(n, d, &w->ip);
  if (e && (nlm_flags & NLM_F_EXCL))
    return -EEXIST;
  if (!e && !(nlm_flags & NLM_F_CREATE))
    return -ENOENT;
  if (e && !(nlm_flags & NLM_F_REPLACE))
    return -EEXIST;
  if (!e && !(e = make(d, &w->ip)))
    return -ENOBUFS;
  memcpy(e->e.lladdr, w->lladdr, sizeof e->e.lladdr);
  e->e.flags = w->flags;
  e->e.updated = e->e.used = e->e.confirmed = loop_now();
  timer_disarm(&e->timer);
  e->e.state = w->state ? w->state : NUD_PERMANENT;
  e->e.probes = 0;
  if (e->e.state & NUD_VALID)
    flush_queue(e);
  else if (e->e.state == NUD_FAILED) {
    fail(e); /* what it sends may have taken e away */
    return 0;
  } else
    solicit(e, false);
  if (e->e.state == NUD_PROBE)
    solicit(e, true);
  else if (e->e.state == NUD_DELAY)
    timer_arm(&e->timer, loop_now() + conf(e)->delay_first_probe_s * NS_PER_S);
  tell(e, false);
  return 0;
}

int neigh_del(struct netdev *d, const struct in6_addr *ip) {
  struct ip_net *n = ip_net_of(d->ns);
  struct neigh *e = n ? find(n, d, ip) : NULL;
  if (!e)
    return -ENOENT;
  drop(e);
  return 0;
}
