/* /proc/net/dev, dev_mcast, softnet_stat, ptype: proc(5). */
#include "files.h"
#include <string.h>

typedef unsigned long long ull;

static void dev_row(struct net_text *t, const struct netdev *d) {
  const struct rtnl_link_stats64 *s = &d->stats;
  nt_printf(
      t, "%6s: %7llu %7llu %4llu %4llu %4llu %5llu %10llu %9llu %8llu %7llu %4llu %4llu %4llu %5llu %7llu %10llu\n",
      d->name, (ull)s->rx_bytes, (ull)s->rx_packets, (ull)s->rx_errors, (ull)(s->rx_dropped + s->rx_missed_errors),
      (ull)s->rx_fifo_errors, (ull)(s->rx_length_errors + s->rx_over_errors + s->rx_crc_errors + s->rx_frame_errors),
      (ull)s->rx_compressed, (ull)s->multicast, (ull)s->tx_bytes, (ull)s->tx_packets, (ull)s->tx_errors,
      (ull)s->tx_dropped, (ull)s->tx_fifo_errors, (ull)s->collisions,
      (ull)(s->tx_carrier_errors + s->tx_aborted_errors + s->tx_window_errors + s->tx_heartbeat_errors),
      (ull)s->tx_compressed);
}

NET_SHOW(net_show_dev) {
  struct netdev *d;
  if (nt_row(t))
    nt_puts(t, "Inter-|   Receive                                                |  Transmit\n"
               " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
               "colls carrier compressed\n");
  TAILQ_FOREACH(d, &net_stack_of(w->ns)->devs, link)
  if (nt_row(t))
    dev_row(t, d);
  return 0;
}

/* The link-layer addresses that groups stand for: RFC 1112 6.4, RFC 2464 7. */
static void mcast_row(struct net_text *t, const struct netdev *d, const struct in6_addr *g, unsigned users) {
  const uint8_t *b = g->s6_addr;
  if (!nt_row(t))
    return;
  nt_printf(t, "%-4d %-15s %5u %5d ", d->ifindex, d->name, users, 0);
  if (ip_is4(g))
    nt_printf(t, "01005e%02x%02x%02x\n", b[13] & 127, b[14], b[15]);
  else
    nt_printf(t, "3333%02x%02x%02x%02x\n", b[12], b[13], b[14], b[15]);
}

NET_SHOW(net_show_dev_mcast) {
  struct netdev *d;
  struct in6_addr hosts = ip_from4(htonl(INADDR_ALLHOSTS_GROUP)), nodes = {.s6_addr = {0xff, 2, [15] = 1}};
  TAILQ_FOREACH(d, &net_stack_of(w->ns)->devs, link) {
    struct ip_dev *i = ip_dev_of(d);
    struct ip_group *g;
    if (!i || !(d->flags & IFF_MULTICAST) || !(d->flags & IFF_UP))
      continue;
    LIST_FOREACH(g, &i->groups, link)
    mcast_row(t, d, &g->addr, g->users);
    mcast_row(t, d, &hosts, 1);
    if (!i->conf.disable_ipv6)
      mcast_row(t, d, &nodes, 1);
  }
  return 0;
}

/* One row for a CPU natively; here one loop receives for all. */
NET_SHOW(net_show_softnet) {
  struct netdev *d;
  uint64_t seen = 0, dropped = 0;
  TAILQ_FOREACH(d, &net_stack_of(w->ns)->devs, link)
  seen += d->stats.rx_packets, dropped += d->stats.rx_dropped;
  nt_printf(t, "%08x %08x", (uint32_t)seen, (uint32_t)dropped);
  for (int i = 0; i < 13; i++)
    nt_puts(t, " 00000000");
  nt_puts(t, "\n");
  return 0;
}

NET_SHOW(net_show_ptype) {
  (void)w;
  nt_puts(t, "Type Device      Function\n0800          ip_rcv\n0806          arp_rcv\n86dd          ipv6_rcv\n");
  return 0;
}
