/* Which of our addresses a packet is sent from: the first that suits for IPv4 (inet_select_addr()), RFC 6724 section 5
 * for IPv6. */
#include "ip_stack.h"

static unsigned common_bits(const struct in6_addr *a, const struct in6_addr *b) {
  for (unsigned i = 0; i < 16; i++) {
    uint8_t x = a->s6_addr[i] ^ b->s6_addr[i];
    if (x)
      return i * 8 + (unsigned)__builtin_clz(x) - 24;
  }
  return 128;
}

static const struct in6_addr *first4(struct ip_dev *i, const struct in6_addr *dst, unsigned scope, bool no_link) {
  struct ip_addr_node *n;
  const struct in6_addr *first = NULL;
  TAILQ_FOREACH(n, &i->addrs, link) {
    if (!ip_is4(&n->a.addr) || (n->a.flags & IFA_F_SECONDARY) || n->a.scope > scope)
      continue;
    if (no_link && n->a.scope == RT_SCOPE_LINK)
      continue;
    if (!dst || ip_is_any(dst) || common_bits(dst, &n->a.local_peer) >= 96u + n->a.prefix)
      return &n->a.addr;
    first = first ? first : &n->a.addr;
  }
  return first;
}

struct any4 {
  unsigned scope;
  const struct in6_addr *found;
};
static bool any_dev4(void *arg, struct ip_dev *i) {
  struct any4 *a = arg;
  a->found = first4(i, NULL, a->scope, true);
  return !a->found;
}

static bool select4(struct ip_net *n, struct netdev *d, const struct in6_addr *dst, unsigned scope,
                    struct in6_addr *src) {
  struct ip_dev *i = ip_dev_of(d);
  const struct in6_addr *a = i ? first4(i, dst, scope, false) : NULL;
  struct any4 any = {scope, NULL};
  if (!a) {
    ip_dev_each(n->ns, any_dev4, &any);
    a = any.found;
  }
  if (a)
    *src = *a;
  return a;
}

/* ---- RFC 6724 ---- */

/* RFC 4291's scopes as multicast addresses write them. */
static int scope6(const struct in6_addr *a) {
  if (IN6_IS_ADDR_MULTICAST(a))
    return a->s6_addr[1] & 15;
  if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_LINKLOCAL(a))
    return 2;
  return IN6_IS_ADDR_SITELOCAL(a) ? 5 : 14;
}

/* The policy table of section 2.1; labels only. */
static int label6(const struct in6_addr *a) {
  if (IN6_IS_ADDR_LOOPBACK(a))
    return 0;
  if (IN6_IS_ADDR_V4MAPPED(a))
    return 4;
  if (a->s6_addr[0] == 0x20 && a->s6_addr[1] == 2)
    return 2;
  if (a->s6_addr[0] == 0x20 && a->s6_addr[1] == 1 && !a->s6_addr[2] && !a->s6_addr[3])
    return 5;
  if ((a->s6_addr[0] & 0xfe) == 0xfc)
    return 13;
  if (IN6_IS_ADDR_SITELOCAL(a))
    return 11;
  return a->s6_addr[0] == 0x3f && a->s6_addr[1] == 0xfe ? 12 : 1;
}

struct pick6 {
  const struct in6_addr *dst;
  struct netdev *out;
  const struct ip_ifaddr *best;
  struct netdev *best_dev;
};

/* Is b better than a? */
static bool better(const struct pick6 *p, const struct ip_ifaddr *a, struct netdev *da, const struct ip_ifaddr *b,
                   struct netdev *db) {
  bool ea = ip_same(&a->addr, p->dst), eb = ip_same(&b->addr, p->dst);
  if (ea != eb)
    return eb; /* rule 1 */
  int sa = scope6(&a->addr), sb = scope6(&b->addr), sd = scope6(p->dst);
  if (sa != sb)
    return sa < sb ? sa < sd : sb >= sd; /* rule 2 */
  bool pa = a->flags & IFA_F_DEPRECATED, pb = b->flags & IFA_F_DEPRECATED;
  if (pa != pb)
    return pa; /* rule 3 */
  if ((da == p->out) != (db == p->out))
    return db == p->out; /* rule 5 */
  bool la = label6(&a->addr) == label6(p->dst), lb = label6(&b->addr) == label6(p->dst);
  if (la != lb)
    return lb;                                                                     /* rule 6 */
  unsigned ca = common_bits(&a->addr, p->dst), cb = common_bits(&b->addr, p->dst); /* rule 8, within the prefix */
  return (cb < b->prefix ? cb : b->prefix) > (ca < a->prefix ? ca : a->prefix);
}

static bool consider(void *arg, struct ip_dev *i) {
  struct pick6 *p = arg;
  struct ip_addr_node *n;
  /* Links and multicast are left from the device itself only (section 4). */
  if (p->out && i->dev != p->out && (IN6_IS_ADDR_MULTICAST(p->dst) || scope6(p->dst) == 2))
    return true;
  if (!i->up)
    return true;
  TAILQ_FOREACH(n, &i->addrs, link) {
    if (ip_is4(&n->a.addr) || (n->a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
      continue;
    if (i->dev != p->out && scope6(&n->a.addr) == 2 && !ip_same(&n->a.addr, p->dst))
      continue;
    if (!p->best || better(p, p->best, p->best_dev, &n->a, i->dev)) {
      p->best = &n->a;
      p->best_dev = i->dev;
    }
  }
  return true;
}

bool ip_addr_select(struct ip_net *n, struct netdev *d, const struct in6_addr *dst, unsigned scope,
                    struct in6_addr *src) {
  if (ip_is4(dst))
    return select4(n, d, dst, scope, src);
  struct pick6 p = {.dst = dst, .out = d};
  ip_dev_each(n->ns, consider, &p);
  if (p.best)
    *src = p.best->addr;
  return p.best;
}
