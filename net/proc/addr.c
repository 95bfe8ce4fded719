/* /proc/net/if_inet6, igmp, igmp6, arp. */
#include "files.h"
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <stdio.h>

/* ---- if_inet6 ---- */

/* What Linux calls the scope of an address: IPV6_ADDR_* of its type. */
static unsigned scope6(const struct in6_addr *a) {
  if (IN6_IS_ADDR_LOOPBACK(a))
    return 0x10;
  if (IN6_IS_ADDR_LINKLOCAL(a))
    return 0x20;
  return IN6_IS_ADDR_SITELOCAL(a) ? 0x40 : 0;
}

static bool inet6_row(void *arg, struct netdev *d, const struct ip_ifaddr *a) {
  struct net_text *t = arg;
  if (ip_is4(&a->addr) || !nt_row(t))
    return !t->more;
  nt_in6(t, &a->addr);
  nt_printf(t, " %02x %02x %02x %02x %8s\n", (unsigned)d->ifindex, a->prefix, scope6(&a->addr), a->flags & 255,
            d->name);
  return true;
}

NET_SHOW(net_show_if_inet6) {
  struct netdev *d;
  TAILQ_FOREACH(d, &net_stack_of(w->ns)->devs, link)
  ip_addr_each(d, inet6_row, t);
  return 0;
}

/* ---- igmp, igmp6 ---- */

/* All hosts, all nodes: a device that is up is a member without having joined. */
static bool in_groups(const struct ip_dev *i, const struct in6_addr *g) {
  const struct ip_group *x;
  LIST_FOREACH(x, &i->groups, link)
  if (ip_same(&x->addr, g))
    return true;
  return false;
}

static void igmp_row(struct net_text *t, uint32_t group, unsigned users, int64_t due, int64_t now) {
  bool runs = due > now;
  if (nt_row(t))
    nt_printf(t, "\t\t\t\t%08X %5u %d:%08lX\t\t%d\n", group, users, runs,
              (unsigned long)(runs ? (due - now) / (NS_PER_S / 100) : 0), due != 0);
}

static const char *querier(const struct ip_dev *i, int64_t now) {
  return now < i->igmp_v1_until ? "V1" : now < i->igmp_v2_until ? "V2" : "V3";
}

NET_SHOW(net_show_igmp) {
  struct netdev *d;
  struct in6_addr hosts = ip_from4(htonl(INADDR_ALLHOSTS_GROUP));
  int64_t now = loop_now();
  if (nt_row(t))
    nt_puts(t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
  TAILQ_FOREACH(d, &net_stack_of(w->ns)->devs, link) {
    struct ip_dev *i = ip_dev_of(d);
    struct ip_group *g;
    int count = 0;
    if (!i || !(d->flags & (IFF_MULTICAST | IFF_LOOPBACK)))
      continue;
    LIST_FOREACH(g, &i->groups, link)
    count += ip_is4(&g->addr);
    bool implied = d->flags & IFF_UP && !in_groups(i, &hosts);
    if (!count && !implied)
      continue;
    if (nt_row(t))
      nt_printf(t, "%d\t%-10s: %5d %7s\n", d->ifindex, d->name, count + implied, querier(i, now));
    LIST_FOREACH(g, &i->groups, link)
    if (ip_is4(&g->addr))
      igmp_row(t, ip_get4(&g->addr), g->users, g->report_due, now);
    if (implied)
      igmp_row(t, ip_get4(&hosts), 1, 0, now);
  }
  return 0;
}

static void igmp6_row(struct net_text *t, const struct netdev *d, const struct in6_addr *a, unsigned users,
                      unsigned flags) {
  if (!nt_row(t))
    return;
  nt_printf(t, "%-4d %-15s ", d->ifindex, d->name);
  nt_in6(t, a);
  nt_printf(t, " %5u %08X %d\n", users, flags, 0);
}

NET_SHOW(net_show_igmp6) {
  static const struct in6_addr nodes = {.s6_addr = {0xff, 2, [15] = 1}}, here = {.s6_addr = {0xff, 1, [15] = 1}};
  struct netdev *d;
  TAILQ_FOREACH(d, &net_stack_of(w->ns)->devs, link) {
    struct ip_dev *i = ip_dev_of(d);
    struct ip_group *g;
    if (!i || i->conf.disable_ipv6)
      continue;
    LIST_FOREACH(g, &i->groups, link)
    if (!ip_is4(&g->addr))
      igmp6_row(t, d, &g->addr, g->users, g->report_due ? 5 : 4);
    if (!in_groups(i, &nodes))
      igmp6_row(t, d, &nodes, 1, 12);
    if (!in_groups(i, &here))
      igmp6_row(t, d, &here, 1, 8);
  }
  return 0;
}

/* ---- arp ---- */

static bool arp_row(void *arg, const struct neigh_entry *e) {
  struct net_text *t = arg;
  char ip[16], mac[3 * sizeof e->lladdr + 1] = "";
  if (!(e->state & ~NUD_NOARP) || !nt_row(t)) /* what needs no question is not shown */
    return !t->more;
  bool known = e->state & (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE);
  const uint8_t *b = e->ip.s6_addr + 12;
  snprintf(ip, sizeof ip, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
  for (int j = 0; j < e->dev->addr_len && j < (int)sizeof e->lladdr; j++)
    snprintf(mac + 3 * j, 4, "%02x:", known ? e->lladdr[j] : 0);
  if (e->dev->addr_len)
    mac[3 * e->dev->addr_len - 1] = 0;
  nt_printf(t, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", ip, e->dev->type,
            e->state & NUD_PERMANENT ? ATF_PERM | ATF_COM
            : known                  ? ATF_COM
                                     : 0,
            mac, e->dev->name);
  return true;
}

NET_SHOW(net_show_arp) {
  if (nt_row(t))
    nt_puts(t, "IP address       HW type     Flags       HW address            Mask     Device\n");
  neigh_each(w->ns, AF_INET, arp_row, t);
  return 0;
}
