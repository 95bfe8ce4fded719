/* /sys/devices/virtual/net/DEV: what sysfs says of a device. */
#include "files.h"
#include "../../core/errno.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef unsigned long long ull;

static int addr_show(const struct net_where *w, struct net_text *t) {
  const uint8_t *b = w->ent->arg ? w->dev->broadcast : w->dev->addr;
  for (int i = 0; i < w->dev->addr_len; i++)
    nt_printf(t, "%s%02x", i ? ":" : "", b[i]);
  nt_puts(t, "\n");
  return 0;
}

enum { A_ADDR_LEN, A_IFINDEX, A_IFLINK, A_MTU, A_TXQLEN, A_TYPE, A_ASSIGN, A_NAME_ASSIGN };
static int number_show(const struct net_where *w, struct net_text *t) {
  const struct netdev *d = w->dev;
  const unsigned v[] = {[A_ADDR_LEN] = d->addr_len,
                        [A_IFINDEX] = (unsigned)d->ifindex,
                        [A_IFLINK] = (unsigned)(d->peer ? d->peer->ifindex : d->ifindex),
                        [A_MTU] = d->mtu,
                        [A_TXQLEN] = d->tx_queue_len,
                        [A_TYPE] = d->type,
                        [A_ASSIGN] = d->ops->kind && d->addr_len ? 3u : 0u, /* NET_ADDR_SET, NET_ADDR_PERM */
                        [A_NAME_ASSIGN] = d->flags & IFF_LOOPBACK ? 2u : 3u /* NET_NAME_PREDICTABLE, _USER */};
  nt_printf(t, "%u\n", v[w->ent->arg]);
  return 0;
}

/* What SIOCGIFFLAGS does not tell as flags of the device's own is not here either. */
static int flags_show(const struct net_where *w, struct net_text *t) {
  nt_printf(t, "0x%x\n", w->dev->flags & 0xffff & ~(unsigned)IFF_RUNNING);
  return 0;
}

static int carrier_show(const struct net_where *w, struct net_text *t) {
  if (!(w->dev->flags & IFF_UP))
    return -EINVAL;
  nt_printf(t, "%d\n", !!(w->dev->flags & IFF_LOWER_UP));
  return 0;
}

static int operstate_show(const struct net_where *w, struct net_text *t) {
  const struct netdev *d = w->dev;
  nt_puts(t, !(d->flags & IFF_UP)      ? d->flags & IFF_LOOPBACK ? "unknown\n" : "down\n"
             : d->flags & IFF_LOOPBACK ? "unknown\n"
             : d->flags & IFF_LOWER_UP ? "up\n"
                                       : "lowerlayerdown\n");
  return 0;
}

/* A veth says 10 Gbit/s, full duplex; lo and a bridge without ports have no speed. */
static int speed_show(const struct net_where *w, struct net_text *t) {
  const struct netdev *d = w->dev;
  if (!(d->flags & IFF_UP) || d->type != ARPHRD_ETHER || (d->ops->kind && strcmp(d->ops->kind, "veth")))
    return -EINVAL;
  nt_puts(t, w->ent->arg ? "full\n" : "10000\n");
  return 0;
}

static int uevent_show(const struct net_where *w, struct net_text *t) {
  if (w->dev->ops->kind && !strcmp(w->dev->ops->kind, "bridge"))
    nt_puts(t, "DEVTYPE=bridge\n");
  nt_printf(t, "INTERFACE=%s\nIFINDEX=%d\n", w->dev->name, w->dev->ifindex);
  return 0;
}

static ssize_t mtu_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  int64_t v;
  (void)opener;
  if (net_parse(text, &v, 1) != 1 || v < 0 || v > UINT32_MAX)
    return -EINVAL;
  int r = netdev_set_mtu(w->dev, (unsigned)v);
  return r ? r : (ssize_t)n;
}

static ssize_t txqlen_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  int64_t v;
  (void)opener;
  if (net_parse(text, &v, 1) != 1 || v < 0 || v > INT32_MAX)
    return -EINVAL;
  w->dev->tx_queue_len = (unsigned)v;
  return (ssize_t)n;
}

static ssize_t flags_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  char *end;
  unsigned long v = strtoul(text, &end, 0);
  (void)opener;
  if (end == text)
    return -EINVAL;
  int r = netdev_set_flags(w->dev, (unsigned)v, ~0u);
  return r ? r : (ssize_t)n;
}

#define NUMBER(n, which)                                                                                               \
  { .name = n, .mode = S_IFREG | 0444, .show = number_show, .arg = which }
const struct net_ent net_class_dev[] = {
    NUMBER("addr_assign_type", A_ASSIGN),
    NUMBER("addr_len", A_ADDR_LEN),
    NET_F("address", addr_show),
    {.name = "broadcast", .mode = S_IFREG | 0444, .show = addr_show, .arg = 1},
    NET_F("carrier", carrier_show),
    NET_TEXT("carrier_changes", "0"),
    NET_TEXT("carrier_down_count", "0"),
    NET_TEXT("carrier_up_count", "0"),
    NET_TEXT("dev_id", "0x0"),
    NET_TEXT("dev_port", "0"),
    NET_TEXT("dormant", "0"),
    {.name = "duplex", .mode = S_IFREG | 0444, .show = speed_show, .arg = 1},
    {.name = "flags", .mode = S_IFREG | 0644, .show = flags_show, .store = flags_store},
    NET_TEXT("ifalias", ""),
    NUMBER("ifindex", A_IFINDEX),
    NUMBER("iflink", A_IFLINK),
    NET_TEXT("link_mode", "0"),
    {.name = "mtu", .mode = S_IFREG | 0644, .show = number_show, .store = mtu_store, .arg = A_MTU},
    NUMBER("name_assign_type", A_NAME_ASSIGN),
    NET_TEXT("netdev_group", "0"),
    NET_F("operstate", operstate_show),
    {.name = "power", .mode = S_IFDIR | 0755, .dir = NET_DIR_CLASS_POWER},
    NET_TEXT("proto_down", "0"),
    {.name = "queues", .mode = S_IFDIR | 0755, .dir = NET_DIR_CLASS_QUEUES},
    NET_F("speed", speed_show),
    {.name = "statistics", .mode = S_IFDIR | 0755, .dir = NET_DIR_CLASS_STATISTICS},
    {.name = "subsystem", .mode = S_IFLNK | 0777, .text = "../../../../class/net"},
    NET_TEXT("testing", "0"),
    {.name = "tx_queue_len", .mode = S_IFREG | 0644, .show = number_show, .store = txqlen_store, .arg = A_TXQLEN},
    NUMBER("type", A_TYPE),
    NET_F("uevent", uevent_show),
    {0},
};

static int counter_show(const struct net_where *w, struct net_text *t) {
  nt_printf(t, "%llu\n", (ull) * (const __u64 *)((const char *)&w->dev->stats + w->ent->arg));
  return 0;
}
#define COUNTER(n)                                                                                                     \
  { .name = #n, .mode = S_IFREG | 0444, .show = counter_show, .arg = offsetof(struct rtnl_link_stats64, n) }
const struct net_ent net_class_statistics[] = {
    COUNTER(collisions),
    COUNTER(multicast),
    COUNTER(rx_bytes),
    COUNTER(rx_compressed),
    COUNTER(rx_crc_errors),
    COUNTER(rx_dropped),
    COUNTER(rx_errors),
    COUNTER(rx_fifo_errors),
    COUNTER(rx_frame_errors),
    COUNTER(rx_length_errors),
    COUNTER(rx_missed_errors),
    COUNTER(rx_nohandler),
    COUNTER(rx_over_errors),
    COUNTER(rx_packets),
    COUNTER(tx_aborted_errors),
    COUNTER(tx_bytes),
    COUNTER(tx_carrier_errors),
    COUNTER(tx_compressed),
    COUNTER(tx_dropped),
    COUNTER(tx_errors),
    COUNTER(tx_fifo_errors),
    COUNTER(tx_heartbeat_errors),
    COUNTER(tx_packets),
    COUNTER(tx_window_errors),
    {0},
};

const struct net_ent net_class_queues[] = {{.name = "rx-0", .mode = S_IFDIR | 0755, .dir = NET_DIR_CLASS_RX0},
                                           {.name = "tx-0", .mode = S_IFDIR | 0755, .dir = NET_DIR_CLASS_TX0},
                                           {0}};
const struct net_ent net_class_rx0[] = {NET_TEXT("rps_cpus", "0"), NET_TEXT("rps_flow_cnt", "0"), {0}};
const struct net_ent net_class_tx0[] = {NET_TEXT("tx_maxrate", "0"), NET_TEXT("tx_timeout", "0"), {0}};
const struct net_ent net_class_power[] = {NET_TEXT("control", "auto"),
                                          NET_TEXT("runtime_active_time", "0"),
                                          NET_TEXT("runtime_status", "unsupported"),
                                          NET_TEXT("runtime_suspended_time", "0"),
                                          {0}};
