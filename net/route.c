/*
 * Routes of both versions: RFC 1122 3.3.1, RFC 1812 5.2.4, rtnetlink(7). Prefixes of all lengths are in one hash table;
 * a lookup asks it for each length in use, the longest first. There is no policy: the tables are looked through in the
 * order of the default rules, local, main, default. Other tables can be filled and shown.
 */
#include "../core/errno.h"
#include "ip_stack.h"
#include <stdlib.h>

struct rt_item {
  TAILQ_ENTRY(rt_item) link;
  struct ip_rt_entry e;
};
struct rt_node { /* the routes to one prefix in one table, the best first */
  LIST_ENTRY(rt_node) link;
  struct rt_key {
    struct in6_addr dst;
    uint32_t table, prefix;
  } key;
  TAILQ_HEAD(rt_items, rt_item) items;
};

static const uint32_t searched[3] = {RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT};

static int searched_index(uint32_t table) {
  for (int i = 0; i < 3; i++)
    if (searched[i] == table)
      return i;
  return -1;
}

/* The first `prefix` bits (counted within the version) of a. */
static struct in6_addr masked(const struct in6_addr *a, unsigned prefix) {
  struct in6_addr m = *a;
  unsigned bits = ip_is4(a) ? 96 + prefix : prefix;
  for (unsigned i = 0; i<16; i++, bits = bits> 8 ? bits - 8 : 0)
    if (bits < 8)
      m.s6_addr[i] &= (uint8_t)(0xff00 >> bits);
  return m;
}

static struct rt_node *node_find(struct ip_net *n, const struct rt_key *k, unsigned *bucket) {
  *bucket = ip_hash(n, k, sizeof *k) % ROUTE_BUCKETS;
  struct rt_node *r;
  LIST_FOREACH(r, &n->rt[ip_version_index(&k->dst)].buckets[*bucket], link)
  if (!memcmp(&r->key, k, sizeof *k))
    return r;
  return NULL;
}

static void count_prefix(struct ip_net *n, const struct rt_key *k, int by) {
  int t = searched_index(k->table);
  if (t >= 0)
    n->rt[ip_version_index(&k->dst)].used[t][k->prefix] += (uint32_t)by;
}

static struct rt_node *node_make(struct ip_net *n, const struct rt_key *k) {
  unsigned b;
  struct rt_node *r = node_find(n, k, &b);
  if (r || !(r = calloc(1, sizeof *r)))
    return r;
  r->key = *k;
  TAILQ_INIT(&r->items);
  LIST_INSERT_HEAD(&n->rt[ip_version_index(&k->dst)].buckets[b], r, link);
  count_prefix(n, k, 1);
  return r;
}

static void node_drop_if_empty(struct ip_net *n, struct rt_node *r) {
  if (!TAILQ_EMPTY(&r->items))
    return;
  count_prefix(n, &r->key, -1);
  LIST_REMOVE(r, link);
  free(r);
}

static struct rt_key key_of(const struct ip_rt_entry *e) {
  return (struct rt_key){e->dst, e->table, e->prefix};
}

void ip_route_changed(struct ip_net *n) {
  if (n && !++n->route_gen)
    n->route_gen = 1;
}

uint32_t ip_route_gen(struct net_namespace *ns) {
  struct ip_net *n = ip_net_of(ns);
  return n ? n->route_gen : 1;
}

static void told(struct ip_net *n, const struct ip_rt_entry *e, bool added) {
  ip_route_changed(n);
  if (ip_event_route)
    ip_event_route(n->ns, e, added);
}

static void item_remove(struct ip_net *n, struct rt_node *r, struct rt_item *i, bool tell) {
  TAILQ_REMOVE(&r->items, i, link);
  n->rt[ip_version_index(&i->e.dst)].count--;
  if (tell)
    told(n, &i->e, false);
  free(i);
}

/* ---- lookup ---- */

static bool usable(struct ip_net *n, const struct ip_rt_entry *e, uint8_t tos, int oif) {
  if (e->tos && e->tos != (tos & 0xfc))
    return false;
  if (e->oif) {
    struct netdev *d = netdev_by_index_borrow(n->ns, e->oif);
    /* A local address is reached whatever the device: only the others must go the way that was asked for. */
    if (!d || !(d->flags & IFF_UP))
      return false;
    if (oif && oif != e->oif)
      return false;
  }
  return true;
}

const struct ip_rt_entry *ip_route_find(struct ip_net *n, uint32_t table, const struct in6_addr *dst, uint8_t tos,
                                        int oif) {
  int t = searched_index(table), v = ip_version_index(dst);
  for (int len = v ? 128 : 32; len >= 0; len--) {
    if (t >= 0 && !n->rt[v].used[t][len])
      continue;
    struct rt_key k = {masked(dst, (unsigned)len), table, (uint32_t)len};
    unsigned b;
    struct rt_node *r = node_find(n, &k, &b);
    struct rt_item *i;
    if (r)
      TAILQ_FOREACH(i, &r->items, link)
    if (usable(n, &i->e, tos, oif))
      return &i->e;
  }
  return NULL;
}

int ip_route_resolve(struct ip_net *n, const struct in6_addr *dst, uint8_t tos, int oif, const struct ip_rt_entry **e) {
  for (int t = 0; t < 3; t++) {
    const struct ip_rt_entry *r = *e = ip_route_find(n, searched[t], dst, tos, oif);
    if (!r || r->type == RTN_THROW)
      continue;
    switch (r->type) {
    case RTN_BLACKHOLE:
      return -EINVAL;
    case RTN_UNREACHABLE:
      return -EHOSTUNREACH;
    case RTN_PROHIBIT:
      return -EACCES;
    default:
      return 0;
    }
  }
  return -ENETUNREACH;
}

uint8_t ip_local_type(struct ip_net *n, const struct in6_addr *a) {
  if (ip_is_multicast(a))
    return RTN_MULTICAST;
  if (ip_is4(a) && (ip_get4(a) == INADDR_BROADCAST || ip_get4(a) == INADDR_ANY))
    return RTN_BROADCAST;
  const struct ip_rt_entry *e = ip_route_find(n, RT_TABLE_LOCAL, a, 0, 0);
  return e ? e->type : RTN_UNICAST;
}

/* ---- changes ---- */

static int gateway_check(struct ip_net *n, struct ip_rt_entry *e) {
  if (ip_is4(&e->gateway) != ip_is4(&e->dst))
    return -EINVAL;
  if (e->flags & RTNH_F_ONLINK)
    return e->oif ? 0 : -EINVAL;
  if (!ip_is4(&e->gateway) && ip_is_linklocal(&e->gateway))
    return e->oif ? 0 : -EINVAL;
  const struct ip_rt_entry *via;
  if (ip_route_find(n, RT_TABLE_LOCAL, &e->gateway, 0, 0))
    return -EINVAL; /* one of our own */
  if (ip_route_resolve(n, &e->gateway, 0, e->oif, &via) || !ip_is_any(&via->gateway))
    return ip_is4(&e->dst) ? -ENETUNREACH : -EHOSTUNREACH;
  if (!e->oif)
    e->oif = via->oif;
  return 0;
}

static bool rejects(uint8_t type) {
  return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

/* A gateway of zeros is none; it and prefsrc may have been left all zero for IPv4. */
static void normalize(struct ip_rt_entry *e) {
  if (ip_is4(&e->dst)) {
    if (IN6_IS_ADDR_UNSPECIFIED(&e->gateway))
      e->gateway = ip_from4(0);
    if (IN6_IS_ADDR_UNSPECIFIED(&e->prefsrc))
      e->prefsrc = ip_from4(0);
  }
  e->family = ip_is4(&e->dst) ? AF_INET : AF_INET6;
  if (!e->table)
    e->table = RT_TABLE_MAIN;
  if (!e->type)
    e->type = RTN_UNICAST;
  if (e->family == AF_INET6 && !e->metric && e->protocol != RTPROT_KERNEL)
    e->metric = 1024; /* IP6_RT_PRIO_USER */
}

/* The checks of Linux's fib_create_info() and ip6_route_info_create(). */
static int entry_check(struct ip_net *n, struct ip_rt_entry *e) {
  unsigned bits = ip_is4(&e->dst) ? 32 : 128;
  if (e->prefix > bits || e->type > RTN_THROW)
    return -EINVAL;
  struct in6_addr m = masked(&e->dst, e->prefix);
  if (!ip_same(&m, &e->dst)) {
    if (bits == 32)
      return -EINVAL;
    e->dst = m;
  }
  bool gw = !ip_is_any(&e->gateway);
  if (rejects(e->type))
    return gw || (e->oif && bits == 32) ? -EINVAL : 0;
  if (gw) {
    int rc = gateway_check(n, e);
    if (rc)
      return rc;
  }
  struct netdev *d = e->oif ? netdev_by_index_borrow(n->ns, e->oif) : NULL;
  if (!d)
    return -ENODEV;
  if (!(d->flags & IFF_UP))
    return -ENETDOWN;
  if (!ip_is_any(&e->prefsrc) && e->protocol != RTPROT_KERNEL && ip_local_type(n, &e->prefsrc) != RTN_LOCAL)
    return -EINVAL;
  return 0;
}

static bool same_hop(const struct ip_rt_entry *a, const struct ip_rt_entry *b) {
  return a->type == b->type && a->oif == b->oif && ip_same(&a->gateway, &b->gateway);
}

static bool identical(const struct ip_rt_entry *a, const struct ip_rt_entry *b) {
  return same_hop(a, b) && a->scope == b->scope && a->protocol == b->protocol && ip_same(&a->prefsrc, &b->prefsrc) &&
         a->mtu == b->mtu && a->advmss == b->advmss;
}

/* Where e belongs among those to the same prefix: behind *after (NULL: first); *same is the first of its tos and
 * metric, *twin one that is the same throughout. */
static void place(struct rt_node *r, const struct ip_rt_entry *e, bool append, struct rt_item **after,
                  struct rt_item **same, struct rt_item **twin) {
  struct rt_item *i;
  *after = *same = *twin = NULL;
  TAILQ_FOREACH(i, &r->items, link) {
    bool equal = i->e.tos == e->tos && i->e.metric == e->metric;
    if (i->e.tos > e->tos || (i->e.tos == e->tos && i->e.metric < e->metric) || (equal && append))
      *after = i;
    if (!equal)
      continue;
    if (!*same)
      *same = i;
    if (ip_is4(&e->dst) ? identical(&i->e, e) : same_hop(&i->e, e))
      *twin = i;
  }
}

static int insert(struct ip_net *n, struct rt_node *r, const struct ip_rt_entry *e, unsigned fl) {
  struct rt_item *after, *same, *twin;
  /* IPv6 puts further ones with the same metric behind, as more ways to the same place. */
  place(r, e, (fl & NLM_F_APPEND) || !ip_is4(&e->dst), &after, &same, &twin);
  if (same && (fl & NLM_F_EXCL))
    return -EEXIST;
  if (same && (fl & NLM_F_REPLACE)) {
    if (twin)
      return twin == same ? 0 : -EEXIST;
    struct ip_rt_entry old = same->e;
    same->e = *e;
    told(n, ip_is4(&e->dst) ? e : &old, ip_is4(&e->dst));
    if (!ip_is4(&e->dst))
      told(n, e, true);
    return 0;
  }
  if (twin)
    return -EEXIST;
  if (!same && !(fl & NLM_F_CREATE))
    return -ENOENT;
  if (n->rt[ip_version_index(&e->dst)].count >= IP_ROUTES_MAX)
    return -ENOBUFS;
  struct rt_item *i = calloc(1, sizeof *i);
  if (!i)
    return -ENOBUFS;
  i->e = *e;
  if (after)
    TAILQ_INSERT_AFTER(&r->items, after, i, link);
  else
    TAILQ_INSERT_HEAD(&r->items, i, link);
  n->rt[ip_version_index(&e->dst)].count++;
  told(n, e, true);
  return 0;
}

int ip_route_add(struct net_namespace *ns, const struct ip_rt_entry *given, unsigned nlm_flags) {
  struct ip_net *n = ip_net_of(ns);
  struct ip_rt_entry e = *given;
  if (!n)
    return -ENETDOWN;
  normalize(&e);
  int rc = entry_check(n, &e);
  if (rc)
    return rc;
  struct rt_key k = key_of(&e);
  struct rt_node *r = node_make(n, &k);
  if (!r)
    return -ENOBUFS;
  rc = insert(n, r, &e, nlm_flags);
  node_drop_if_empty(n, r);
  return rc;
}

/* What a request to delete leaves open (zero) matches anything. */
static bool del_matches(const struct ip_rt_entry *have, const struct ip_rt_entry *want, bool exact) {
  if (exact)
    return identical(have, want) && have->metric == want->metric && have->tos == want->tos;
  return have->tos == want->tos && (!want->metric || have->metric == want->metric) &&
         (!want->type || have->type == want->type) && (!want->protocol || have->protocol == want->protocol) &&
         (want->scope == RT_SCOPE_NOWHERE || !want->scope || have->scope == want->scope) &&
         (!want->oif || have->oif == want->oif) &&
         (ip_is_any(&want->gateway) || ip_same(&have->gateway, &want->gateway)) &&
         (ip_is_any(&want->prefsrc) || ip_same(&have->prefsrc, &want->prefsrc));
}

static int route_del(struct ip_net *n, const struct ip_rt_entry *want, bool exact) {
  struct rt_key k = key_of(want);
  k.table = k.table ? k.table : RT_TABLE_MAIN;
  if (k.prefix > (ip_is4(&k.dst) ? 32u : 128u))
    return -EINVAL;
  unsigned b;
  struct rt_node *r = node_find(n, &k, &b);
  struct rt_item *i;
  if (r)
    TAILQ_FOREACH(i, &r->items, link)
  if (del_matches(&i->e, want, exact)) {
    item_remove(n, r, i, true);
    node_drop_if_empty(n, r);
    return 0;
  }
  return -ESRCH;
}

int ip_route_del(struct net_namespace *ns, const struct ip_rt_entry *e) {
  struct ip_net *n = ip_net_of(ns);
  return n ? route_del(n, e, false) : -ESRCH;
}

int ip_route_del_exact(struct ip_net *n, const struct ip_rt_entry *given) {
  struct ip_rt_entry e = *given;
  normalize(&e);
  return route_del(n, &e, true);
}

/* ---- all of them ---- */

/* fn: 1 removes the route, 0 goes on, -1 ends. */
static void walk(struct ip_net *n, int v, int (*fn)(void *arg, const struct ip_rt_entry *e), void *arg, bool tell) {
  for (unsigned b = 0; b < ROUTE_BUCKETS; b++) {
    struct rt_node *r, *next;
    for (r = LIST_FIRST(&n->rt[v].buckets[b]); r; r = next) {
      next = LIST_NEXT(r, link);
      struct rt_item *i, *inext;
      for (i = TAILQ_FIRST(&r->items); i; i = inext) {
        inext = TAILQ_NEXT(i, link);
        int what = fn(arg, &i->e);
        if (what < 0)
          return;
        if (what)
          item_remove(n, r, i, tell);
      }
      node_drop_if_empty(n, r);
    }
  }
}

struct each_arg {
  bool (*fn)(void *arg, const struct ip_rt_entry *e);
  void *arg;
};
static int each_one(void *arg, const struct ip_rt_entry *e) {
  struct each_arg *a = arg;
  return a->fn(a->arg, e) ? 0 : -1;
}

int ip_route_each(struct net_namespace *ns, int family, bool (*fn)(void *arg, const struct ip_rt_entry *e), void *arg) {
  struct ip_net *n = ip_net_of(ns);
  struct each_arg a = {fn, arg};
  for (int v = 0; n && v < 2; v++)
    if (family == AF_UNSPEC || family == (v ? AF_INET6 : AF_INET))
      walk(n, v, each_one, &a, false);
  return 0;
}

static int of_dev(void *arg, const struct ip_rt_entry *e) {
  return e->oif == *(int *)arg;
}

/* down: Linux says nothing of IPv4 routes that go with their device. */
void ip_route_dev_gone(struct ip_net *n, int ifindex, bool down) {
  if (!n)
    return;
  walk(n, 0, of_dev, &ifindex, !down);
  walk(n, 1, of_dev, &ifindex, true);
  ip_route_changed(n);
}

struct addr_gone {
  int ifindex;
  const struct in6_addr *addr;
  bool last;
};
static int of_addr(void *arg, const struct ip_rt_entry *e) {
  const struct addr_gone *g = arg;
  return ip_same(&e->prefsrc, g->addr) || (g->last && e->oif == g->ifindex);
}

/* fib_sync_down_addr() and fib_disable_ip() of Linux: nothing is said of what goes. */
void ip_route_addr_gone(struct ip_net *n, int ifindex, const struct in6_addr *addr, bool last) {
  struct addr_gone g = {ifindex, addr, last};
  if (n)
    walk(n, 0, of_addr, &g, false);
  ip_route_changed(n);
}

void ip_route_init(struct ip_net *n) {
  for (int v = 0; v < 2; v++)
    for (unsigned b = 0; b < ROUTE_BUCKETS; b++)
      LIST_INIT(&n->rt[v].buckets[b]);
}

static int every(void *arg, const struct ip_rt_entry *e) {
  return 1;
}

void ip_route_fini(struct ip_net *n) {
  walk(n, 0, every, NULL, false);
  walk(n, 1, every, NULL, false);
}
