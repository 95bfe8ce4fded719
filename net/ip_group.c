/* Multicast groups of a device: RFC 1112, RFC 3376, RFC 3810. Who is a member, and when that has to be said. */
#include "../core/errno.h"
#include "ip_stack.h"
#include <stdlib.h>

#define ROBUSTNESS 2 /* how often a change is told */

static struct ip_group *find(struct ip_dev *i, const struct in6_addr *g) {
  struct ip_group *x;
  LIST_FOREACH(x, &i->groups, link)
  if (ip_same(&x->addr, g))
    return x;
  return NULL;
}

/* All hosts and all nodes are never reported; nor is what does not leave the host. */
static bool reported(const struct ip_dev *i, const struct in6_addr *g) {
  if (i->dev->flags & IFF_LOOPBACK || !(i->dev->flags & IFF_MULTICAST))
    return false;
  if (ip_is4(g))
    return ip_get4(g) != htonl(INADDR_ALLHOSTS_GROUP);
  static const struct in6_addr all_nodes = {.s6_addr = {0xff, 2, [15] = 1}};
  return !i->conf.disable_ipv6 && (g->s6_addr[1] & 15) > 1 && !ip_same(g, &all_nodes);
}

static void report(struct ip_dev *i, const struct in6_addr *g, enum group_report what) {
  (ip_is4(g) ? igmp_report : mld_report)(i, g, what);
}

static void announce(struct ip_dev *i, struct ip_group *x) {
  if (!i->up || !reported(i, &x->addr))
    return;
  x->reports_left = ROBUSTNESS;
  x->report_due = loop_now();
  ip_dev_kick(i);
}

int ip_group_join(struct netdev *d, const struct in6_addr *g) {
  struct ip_dev *i = ip_dev_of(d);
  if (!i || !ip_is_multicast(g))
    return -EINVAL;
  struct ip_group *x = find(i, g);
  if (x) {
    if (x->users == UINT32_MAX)
      return -ENOBUFS;
    x->users++;
    return 0;
  }
  if (i->ngroups >= IP_GROUPS_MAX + IP_ADDRS_MAX || !(x = calloc(1, sizeof *x)))
    return -ENOBUFS;
  x->addr = *g;
  x->users = 1;
  LIST_INSERT_HEAD(&i->groups, x, link);
  i->ngroups++;
  announce(i, x);
  return 0;
}

static void drop(struct ip_dev *i, struct ip_group *x) {
  LIST_REMOVE(x, link);
  i->ngroups--;
  free(x);
}

int ip_group_leave(struct netdev *d, const struct in6_addr *g) {
  struct ip_dev *i = ip_dev_of(d);
  struct ip_group *x = i ? find(i, g) : NULL;
  if (!x)
    return -EADDRNOTAVAIL;
  if (--x->users)
    return 0;
  if (i->up && reported(i, g))
    report(i, g, GROUP_LEAVE);
  drop(i, x);
  return 0;
}

bool ip_group_member(struct netdev *d, const struct in6_addr *g) {
  struct ip_dev *i = ip_dev_of(d);
  return i && find(i, g);
}

void ip_group_flush(struct ip_dev *i) {
  struct ip_group *x;
  while ((x = LIST_FIRST(&i->groups)))
    drop(i, x);
}

void ip_group_up(struct ip_dev *i) {
  struct ip_group *x;
  LIST_FOREACH(x, &i->groups, link)
  announce(i, x);
}

int64_t ip_group_tick(struct ip_dev *i, int64_t now) {
  struct ip_group *x;
  int64_t next = 0;
  LIST_FOREACH(x, &i->groups, link) {
    if (!x->report_due)
      continue;
    if (x->report_due <= now) {
      x->report_due = 0;
      report(i, &x->addr, x->reports_left ? GROUP_JOIN : GROUP_IS);
      if (x->reports_left && --x->reports_left)
        x->report_due = now + 1 + ip_random(1000) * NS_PER_MS;
      if (!x->report_due)
        continue;
    }
    next = next && next < x->report_due ? next : x->report_due;
  }
  return next;
}

/* RFC 3376 5.2: an answer that is due sooner anyway stays. */
void ip_group_query(struct ip_dev *i, const struct in6_addr *g, bool v6, unsigned max_ms) {
  struct ip_group *x;
  bool any = ip_is_any(g);
  int64_t now = loop_now();
  if (!i->up)
    return;
  LIST_FOREACH(x, &i->groups, link) {
    if (ip_is4(&x->addr) == v6 || !reported(i, &x->addr) || (!any && !ip_same(g, &x->addr)))
      continue;
    int64_t due = now + 1 + ip_random(max_ms ? max_ms : 1) * NS_PER_MS;
    if (!x->report_due || x->report_due > due)
      x->report_due = due;
  }
  ip_dev_kick(i);
}
