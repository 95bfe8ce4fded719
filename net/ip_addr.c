/* Addresses of devices and the routes they bring: ip-address(8), RFC 1122 3.3.4, RFC 4862 5.5. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <stdlib.h>

static bool prefix_same(const struct in6_addr *a, const struct in6_addr *b, unsigned prefix) {
  unsigned bits = ip_is4(a) ? 96 + prefix : prefix, bytes = bits / 8;
  if (memcmp(a, b, bytes))
    return false;
  return !(bits % 8) || !((a->s6_addr[bytes] ^ b->s6_addr[bytes]) & (0xff00 >> bits % 8) & 0xff);
}

static struct in6_addr network_of(const struct in6_addr *a, unsigned prefix, bool fill) {
  struct in6_addr m = *a;
  unsigned bits = ip_is4(a) ? 96 + prefix : prefix;
  for (unsigned i = 0; i<16; i++, bits = bits> 8 ? bits - 8 : 0)
    if (bits < 8)
      m.s6_addr[i] = (uint8_t)((m.s6_addr[i] & (0xff00 >> bits)) | (fill ? 0xff >> bits : 0));
  return m;
}

struct ip_addr_node *ip_addr_find(struct ip_dev *i, const struct in6_addr *a) {
  struct ip_addr_node *n;
  TAILQ_FOREACH(n, &i->addrs, link)
  if (ip_same(&n->a.addr, a))
    return n;
  return NULL;
}

static bool is_lo(const struct ip_dev *i) {
  return i->dev->flags & IFF_LOOPBACK;
}

/* ---- the routes of an address ---- */

static void route(struct ip_dev *i, bool add, struct ip_rt_entry e) {
  e.protocol = RTPROT_KERNEL;
  e.oif = i->dev->ifindex;
  e.gateway = ip_is4(&e.dst) ? ip_from4(0) : in6addr_any;
  if (IN6_IS_ADDR_UNSPECIFIED(&e.prefsrc) && ip_is4(&e.dst))
    e.prefsrc = ip_from4(0);
  if (add)
    (void)ip_route_add(i->dev->ns, &e, NLM_F_CREATE | NLM_F_APPEND);
  else
    (void)ip_route_del_exact(ip_net_of(i->dev->ns), &e);
}

/* The primary address of the same network: what its routes prefer. */
static const struct ip_ifaddr *primary_of(struct ip_dev *i, const struct ip_ifaddr *a) {
  struct ip_addr_node *n;
  if (a->flags & IFA_F_SECONDARY)
    TAILQ_FOREACH(n, &i->addrs, link)
  if (ip_is4(&n->a.addr) && !(n->a.flags & IFA_F_SECONDARY) && n->a.prefix == a->prefix &&
      prefix_same(&n->a.addr, &a->addr, a->prefix))
    return &n->a;
  return a;
}

static void routes4(struct ip_dev *i, const struct ip_ifaddr *a, bool add) {
  struct in6_addr src = primary_of(i, a)->addr, net = network_of(&a->local_peer, a->prefix, false);
  route(i, add,
        (struct ip_rt_entry){.dst = a->addr,
                             .prefix = 32,
                             .type = RTN_LOCAL,
                             .scope = RT_SCOPE_HOST,
                             .table = RT_TABLE_LOCAL,
                             .prefsrc = a->flags & IFA_F_SECONDARY ? src : a->addr});
  struct ip_rt_entry b = {
      .prefix = 32, .type = RTN_BROADCAST, .scope = RT_SCOPE_LINK, .table = RT_TABLE_LOCAL, .prefsrc = src};
  if (ip_is4(&a->broadcast) && ip_get4(&a->broadcast) && ip_get4(&a->broadcast) != INADDR_BROADCAST) {
    b.dst = a->broadcast;
    route(i, add, b);
  }
  if ((a->flags & IFA_F_SECONDARY) || !net.s6_addr[12] || (a->prefix == 32 && ip_same(&net, &a->addr)))
    return;
  if (!(a->flags & IFA_F_NOPREFIXROUTE))
    route(i, add,
          (struct ip_rt_entry){.dst = net,
                               .prefix = a->prefix,
                               .type = is_lo(i) ? RTN_LOCAL : RTN_UNICAST,
                               .scope = is_lo(i) ? RT_SCOPE_HOST : RT_SCOPE_LINK,
                               .table = is_lo(i) ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
                               .prefsrc = src});
  b.dst = network_of(&a->local_peer, a->prefix, true);
  if (a->prefix < 31 && !ip_same(&b.dst, &a->broadcast))
    route(i, add, b);
}

static void routes6(struct ip_dev *i, const struct ip_ifaddr *a, bool add) {
  if (a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
    return;
  route(i, add,
        (struct ip_rt_entry){
            .dst = a->addr, .prefix = 128, .type = RTN_LOCAL, .scope = RT_SCOPE_UNIVERSE, .table = RT_TABLE_LOCAL});
  if (!(a->flags & IFA_F_NOPREFIXROUTE) && !ip_same(&a->addr, &in6addr_loopback))
    route(i, add,
          (struct ip_rt_entry){.dst = network_of(&a->local_peer, a->prefix, false),
                               .prefix = a->prefix,
                               .type = RTN_UNICAST,
                               .scope = RT_SCOPE_UNIVERSE,
                               .table = RT_TABLE_MAIN,
                               .metric = 256});
}

static void routes(struct ip_dev *i, const struct ip_ifaddr *a, bool add) {
  (ip_is4(&a->addr) ? routes4 : routes6)(i, a, add);
}

/* What addresses share (a network, a broadcast address) went with one of them: the others put it back. */
static void routes_again(struct ip_dev *i, bool v6) {
  struct ip_addr_node *n;
  TAILQ_FOREACH(n, &i->addrs, link)
  if (ip_is4(&n->a.addr) != v6)
    routes(i, &n->a, true);
}

static void join_solicited(struct ip_dev *i, const struct ip_addr_node *n, bool join) {
  if (ip_is4(&n->a.addr) || is_lo(i) || i->dev->flags & IFF_NOARP)
    return;
  struct in6_addr g = ip6_solicited_node(&n->a.addr);
  (void)(join ? ip_group_join : ip_group_leave)(i->dev, &g);
}

/* An address becomes usable: at once, or after nobody answered the question whether he has it already. */
static void begin(struct ip_dev *i, struct ip_addr_node *n) {
  bool v6 = !ip_is4(&n->a.addr);
  if (v6 && !(n->a.flags & IFA_F_NODAD) && i->conf.dad_transmits > 0 && !is_lo(i) && !(i->dev->flags & IFF_NOARP)) {
    n->a.flags |= IFA_F_TENTATIVE;
    ndp_dad_start(i, n);
    return;
  }
  routes(i, &n->a, true);
  if (!v6 && !is_lo(i))
    arp_announce(i->dev, ip_get4(&n->a.addr));
}

void ip_addr_dad_done(struct ip_dev *i, struct ip_addr_node *n, bool failed) {
  n->dad_left = 0;
  n->dad_next = 0;
  n->a.flags &= ~(uint32_t)(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC);
  if (failed)
    n->a.flags |= IFA_F_DADFAILED | IFA_F_TENTATIVE;
  else
    routes(i, &n->a, true);
  ip_route_changed(ip_net_of(i->dev->ns));
  if (ip_event_addr)
    ip_event_addr(i->dev, &n->a, true);
}

/* ---- adding and removing ---- */

static bool addr_ok(const struct ip_ifaddr *a) {
  if (ip_is4(&a->addr))
    return a->prefix <= 32 && !ip_is_multicast(&a->addr) && ip_get4(&a->addr) != INADDR_BROADCAST &&
           a->preferred_lft <= a->valid_lft && a->valid_lft;
  return a->prefix <= 128 && !ip_is_multicast(&a->addr) && !ip_is_any(&a->addr) && a->preferred_lft <= a->valid_lft &&
         a->valid_lft;
}

/* IPv4 before IPv6; its primary ones before the others; IPv6 by scope, the widest and then the newest first. */
static void list_insert(struct ip_dev *i, struct ip_addr_node *n) {
  struct ip_addr_node *at;
  bool v6 = !ip_is4(&n->a.addr);
  TAILQ_FOREACH(at, &i->addrs, link) {
    bool at6 = !ip_is4(&at->a.addr);
    bool here = v6 ? ip_scope_of(&n->a.addr) <= ip_scope_of(&at->a.addr)
                   : (at->a.flags & IFA_F_SECONDARY) && !(n->a.flags & IFA_F_SECONDARY);
    if (v6 != at6 ? at6 : here) {
      TAILQ_INSERT_BEFORE(at, n, link);
      return;
    }
  }
  TAILQ_INSERT_TAIL(&i->addrs, n, link);
}

static void set_lifetimes(struct ip_ifaddr *a) {
  a->flags &= ~(uint32_t)(IFA_F_PERMANENT | IFA_F_DEPRECATED);
  if (a->valid_lft == UINT32_MAX)
    a->flags |= IFA_F_PERMANENT;
  if (!a->preferred_lft)
    a->flags |= IFA_F_DEPRECATED;
}

static int addr_exists(struct ip_dev *i, struct ip_ifaddr *a) {
  struct ip_addr_node *n;
  TAILQ_FOREACH(n, &i->addrs, link) {
    if (ip_is4(&n->a.addr) != ip_is4(&a->addr))
      continue;
    if (ip_same(&n->a.addr, &a->addr) && (!ip_is4(&a->addr) || n->a.prefix == a->prefix))
      return -EEXIST;
    if (ip_is4(&a->addr) && n->a.prefix == a->prefix && prefix_same(&n->a.local_peer, &a->local_peer, a->prefix))
      a->flags |= IFA_F_SECONDARY;
  }
  return 0;
}

int ip_addr_add(struct netdev *d, const struct ip_ifaddr *given) {
  struct ip_dev *i = ip_dev_of(d);
  if (!i || !addr_ok(given))
    return -EINVAL;
  if (!ip_is4(&given->addr) && i->conf.disable_ipv6)
    return -EACCES;
  struct ip_addr_node *n = calloc(1, sizeof *n);
  if (!n)
    return -ENOBUFS;
  n->a = *given;
  if (IN6_IS_ADDR_UNSPECIFIED(&n->a.local_peer) || ip_is_any(&n->a.local_peer))
    n->a.local_peer = n->a.addr;
  n->a.flags &= ~(uint32_t)(IFA_F_SECONDARY | IFA_F_TENTATIVE | IFA_F_DADFAILED);
  set_lifetimes(&n->a);
  n->a.made = n->a.changed = loop_now();
  int rc = i->naddrs >= IP_ADDRS_MAX ? -ENOBUFS : addr_exists(i, &n->a);
  if (rc) {
    free(n);
    return rc;
  }
  list_insert(i, n);
  i->naddrs++;
  join_solicited(i, n, true);
  bool v6 = !ip_is4(&n->a.addr);
  if (!v6 && ip_event_addr) /* before its routes */
    ip_event_addr(d, &n->a, true);
  if (i->up)
    begin(i, n);
  ip_route_changed(ip_net_of(d->ns));
  if (v6 && ip_event_addr)
    ip_event_addr(d, &n->a, true);
  ip_dev_kick(i);
  return 0;
}

static bool has_ip4(const struct ip_dev *i) {
  const struct ip_addr_node *n = TAILQ_FIRST(&i->addrs);
  return n && ip_is4(&n->a.addr);
}

static void remove_one(struct ip_dev *i, struct ip_addr_node *n) {
  struct ip_ifaddr a = n->a;
  TAILQ_REMOVE(&i->addrs, n, link);
  i->naddrs--;
  if (ip_event_addr)
    ip_event_addr(i->dev, &a, false);
  if (i->up)
    routes(i, &n->a, false);
  join_solicited(i, n, false);
  free(n);
  if (ip_is4(&a.addr))
    ip_route_addr_gone(ip_net_of(i->dev->ns), i->dev->ifindex, &a.addr, !has_ip4(i));
  ip_route_changed(ip_net_of(i->dev->ns));
}

void ip_addr_remove(struct ip_dev *i, struct ip_addr_node *n) {
  struct ip_ifaddr a = n->a;
  bool v6 = !ip_is4(&a.addr);
  if (!v6 && !(a.flags & IFA_F_SECONDARY)) { /* promote_secondaries is off: they go along */
    struct ip_addr_node *s, *next;
    for (s = TAILQ_FIRST(&i->addrs); s; s = next) {
      next = TAILQ_NEXT(s, link);
      if (ip_is4(&s->a.addr) && (s->a.flags & IFA_F_SECONDARY) && s->a.prefix == a.prefix &&
          prefix_same(&s->a.local_peer, &a.local_peer, a.prefix))
        remove_one(i, s);
    }
  }
  remove_one(i, n);
  if (i->up)
    routes_again(i, v6);
}

int ip_addr_del(struct netdev *d, const struct ip_ifaddr *a) {
  struct ip_dev *i = ip_dev_of(d);
  struct ip_addr_node *n;
  if (i)
    TAILQ_FOREACH(n, &i->addrs, link)
  if (ip_same(&n->a.addr, &a->addr) && n->a.prefix == a->prefix) {
    ip_addr_remove(i, n);
    return 0;
  }
  return -EADDRNOTAVAIL;
}

int ip_addr_each(struct netdev *d, bool (*fn)(void *arg, struct netdev *d, const struct ip_ifaddr *a), void *arg) {
  struct ip_dev *i = ip_dev_of(d);
  struct ip_addr_node *n;
  if (i)
    TAILQ_FOREACH(n, &i->addrs, link)
  if (!fn(arg, d, &n->a))
    break;
  return 0;
}

/* ---- the device comes up or goes down ---- */

/* RFC 4291 appendix A: the interface identifier made from an Ethernet address. Only for devices that guests make: those
 * of the launcher get what the container's network has. */
static void link_local(struct ip_dev *i) {
  const struct netdev *d = i->dev;
  if (!d->ops->kind || d->addr_len != 6 || i->conf.disable_ipv6 || (d->flags & IFF_NOARP))
    return;
  struct ip_ifaddr a = {.prefix = 64, .scope = RT_SCOPE_LINK, .valid_lft = UINT32_MAX, .preferred_lft = UINT32_MAX};
  const uint8_t *m = d->addr;
  a.addr =
      (struct in6_addr){.s6_addr = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
  (void)ip_addr_add(i->dev, &a);
}

static void multicast_route(struct ip_dev *i, bool add) {
  if (!is_lo(i))
    route(i, add,
          (struct ip_rt_entry){
              .dst = {.s6_addr = {0xff}}, .prefix = 8, .type = RTN_MULTICAST, .table = RT_TABLE_LOCAL, .metric = 256});
}

/* 127.0.0.1 and ::1 come with the device being up, as inetdev_event() and init_loopback() have it. */
static void loopback_addrs(struct ip_dev *i) {
  struct ip_ifaddr a = {.prefix = 8, .scope = RT_SCOPE_HOST, .valid_lft = UINT32_MAX, .preferred_lft = UINT32_MAX};
  a.addr = ip_from4(htonl(INADDR_LOOPBACK));
  memcpy(a.label, i->dev->name, sizeof a.label);
  (void)ip_addr_add(i->dev, &a);
  a.prefix = 128;
  a.addr = in6addr_loopback;
  a.label[0] = 0;
  if (!i->conf.disable_ipv6)
    (void)ip_addr_add(i->dev, &a);
}

void ip_addr_up(struct ip_dev *i, bool up) {
  struct ip_addr_node *n;
  if (!up) { /* the routes go with those of the device */
    TAILQ_FOREACH(n, &i->addrs, link)
    n->dad_left = 0;
    return;
  }
  if (is_lo(i) && !i->naddrs)
    loopback_addrs(i);
  TAILQ_FOREACH(n, &i->addrs, link)
  if (!(n->a.flags & IFA_F_DADFAILED) && !n->dad_left)
    begin(i, n);
  if (i->conf.disable_ipv6)
    return;
  multicast_route(i, true);
  link_local(i);
}

static struct ip_addr_node *first6(struct ip_dev *i) {
  struct ip_addr_node *n;
  TAILQ_FOREACH(n, &i->addrs, link)
  if (!ip_is4(&n->a.addr))
    break;
  return n;
}

void ip_dev_set_disable_ipv6(struct ip_dev *i, int v) {
  bool was = i->conf.disable_ipv6;
  struct ip_addr_node *n;
  i->conf.disable_ipv6 = v;
  if (was == !!v)
    return;
  if (v) {
    while ((n = first6(i)))
      ip_addr_remove(i, n);
    multicast_route(i, false);
  } else if (i->up) {
    if (is_lo(i)) {
      struct ip_ifaddr a = {.addr = in6addr_loopback, .prefix = 128, .scope = RT_SCOPE_HOST};
      a.valid_lft = a.preferred_lft = UINT32_MAX;
      (void)ip_addr_add(i->dev, &a);
    }
    multicast_route(i, true);
    link_local(i);
  }
}

void ip_addr_flush(struct ip_dev *i) {
  struct ip_addr_node *n;
  while ((n = TAILQ_FIRST(&i->addrs)))
    remove_one(i, n);
}

int64_t ip_addr_tick(struct ip_dev *i, int64_t now) {
  int64_t next = 0;
  struct ip_addr_node *n, *after;
  for (n = TAILQ_FIRST(&i->addrs); n; n = after) {
    after = TAILQ_NEXT(n, link);
    if (n->a.flags & IFA_F_PERMANENT)
      continue;
    int64_t valid = n->a.changed + n->a.valid_lft * NS_PER_S, pref = n->a.changed + n->a.preferred_lft * NS_PER_S;
    if (valid <= now) {
      ip_addr_remove(i, n);
      return now; /* others may have gone along: begin anew */
    }
    if (pref <= now && !(n->a.flags & IFA_F_DEPRECATED)) {
      n->a.flags |= IFA_F_DEPRECATED;
      if (ip_event_addr)
        ip_event_addr(i->dev, &n->a, true);
    }
    int64_t due = pref > now ? pref : valid;
    next = next && next < due ? next : due;
  }
  return next;
}
