/* Path MTUs that ICMP taught: RFC 1191, RFC 8201. A bounded cache by destination. */
#include "ip_stack.h"
#include <stdlib.h>

void ip_pmtu_init(struct ip_net *n) {
  for (unsigned i = 0; i < PMTU_BUCKETS; i++)
    LIST_INIT(&n->pmtu[i]);
  TAILQ_INIT(&n->pmtu_lru);
}

static void drop(struct ip_net *n, struct pmtu_entry *e) {
  LIST_REMOVE(e, hash);
  TAILQ_REMOVE(&n->pmtu_lru, e, lru);
  n->npmtu--;
  free(e);
}

void ip_pmtu_fini(struct ip_net *n) {
  struct pmtu_entry *e;
  while ((e = TAILQ_FIRST(&n->pmtu_lru)))
    drop(n, e);
}

static struct pmtu_entry *find(struct ip_net *n, const struct in6_addr *dst, unsigned *b) {
  *b = ip_hash(n, dst, sizeof *dst) % PMTU_BUCKETS;
  struct pmtu_entry *e;
  LIST_FOREACH(e, &n->pmtu[*b], hash)
  if (ip_same(&e->dst, dst))
    return e;
  return NULL;
}

unsigned ip_pmtu_get(struct ip_net *n, const struct in6_addr *dst) {
  unsigned b;
  struct pmtu_entry *e = n->npmtu ? find(n, dst, &b) : NULL;
  if (e && e->expires <= loop_now()) {
    drop(n, e);
    e = NULL;
  }
  return e ? e->mtu : 0;
}

/* RFC 1191 7.1: routers that do not tell their MTU; the next common one below what was sent. */
static unsigned plateau(unsigned sent) {
  static const uint16_t t[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++)
    if (t[i] < sent)
      return t[i];
  return 68;
}

bool ip_pmtu_update(struct ip_net *n, const struct in6_addr *dst, unsigned mtu, unsigned sent) {
  unsigned min = ip_is4(dst) ? (unsigned)n->sysctl.min_pmtu : 1280, b;
  struct ip_flow f = {.dst = *dst};
  struct ip_route r;
  if (!mtu && ip_is4(dst))
    mtu = plateau(sent);
  if (ip_is4(dst) && sent && mtu >= sent)
    return false; /* it would have fitted */
  if (mtu < min)
    mtu = min;
  if (ip_is_multicast(dst) || ip_route_output(n->ns, &f, &r) || r.type != RTN_UNICAST || mtu >= r.mtu)
    return false; /* it only ever falls; it rises by being forgotten */
  struct pmtu_entry *e = find(n, dst, &b);
  if (!e) {
    if (n->npmtu >= PMTU_MAX)
      drop(n, TAILQ_FIRST(&n->pmtu_lru));
    e = calloc(1, sizeof *e);
    if (!e)
      return false;
    e->dst = *dst;
    LIST_INSERT_HEAD(&n->pmtu[b], e, hash);
    n->npmtu++;
  } else
    TAILQ_REMOVE(&n->pmtu_lru, e, lru);
  TAILQ_INSERT_TAIL(&n->pmtu_lru, e, lru);
  e->mtu = mtu;
  e->expires = loop_now() + n->sysctl.pmtu_expires_s * NS_PER_S;
  ip_route_changed(n);
  return true;
}
