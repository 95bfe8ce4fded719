/* SIOCETHTOOL: the few questions that ethtool(8) and bonding daemons ask of any device. */
#include "ifreq.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "stack.h"
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <stdio.h>
#include <string.h>

#define MODE_WORDS 4 /* of 32 bits: the link modes of today */

/* The launcher's devices are veths at their other end. */
static const char *driver_of(const struct netdev *d) {
  return d->ops->kind ? d->ops->kind : d->flags & IFF_LOOPBACK ? NULL : "veth";
}
static bool has_speed(const struct netdev *d) {
  return driver_of(d) && !strcmp(driver_of(d), "veth");
}

static long drvinfo(const struct netdev *d, uint64_t data) {
  struct ethtool_drvinfo i = {.cmd = ETHTOOL_GDRVINFO};
  const char *driver = driver_of(d);
  if (!driver)
    return -EOPNOTSUPP;
  snprintf(i.driver, sizeof i.driver, "%s", driver);
  snprintf(i.version, sizeof i.version, "%s", has_speed(d) ? "1.0" : d->ns->ns.k->uts.release);
  return put_user(data, &i) ? -EFAULT : 0;
}

static long value(uint64_t data, uint32_t cmd, uint32_t v) {
  struct ethtool_value e = {.cmd = cmd, .data = v};
  return put_user(data, &e) ? -EFAULT : 0;
}

static long settings(const struct netdev *d, uint64_t data) {
  struct ethtool_cmd c = {.cmd = ETHTOOL_GSET, .duplex = DUPLEX_FULL, .port = PORT_TP};
  if (!has_speed(d))
    return -EOPNOTSUPP;
  ethtool_cmd_speed_set(&c, 10000);
  return put_user(data, &c) ? -EFAULT : 0;
}

/* The caller first learns how many words its masks need: a negative count. */
static long link_settings(const struct netdev *d, uint64_t data) {
  struct {
    struct ethtool_link_settings s;
    uint32_t masks[3 * MODE_WORDS];
  } k = {0};
  if (!has_speed(d))
    return -EOPNOTSUPP;
  if (get_user(&k.s, data))
    return -EFAULT;
  bool fits = k.s.link_mode_masks_nwords == MODE_WORDS;
  memset(&k.s, 0, sizeof k.s);
  k.s.cmd = ETHTOOL_GLINKSETTINGS;
  if (!fits) {
    k.s.link_mode_masks_nwords = -MODE_WORDS;
    return put_user(data, &k.s) ? -EFAULT : 0;
  }
  k.s.speed = 10000;
  k.s.duplex = DUPLEX_FULL;
  k.s.port = PORT_TP;
  k.s.link_mode_masks_nwords = MODE_WORDS;
  return copy_to_user(data, &k, sizeof k.s + sizeof k.masks) ? -EFAULT : 0;
}

static long ts_info(uint64_t data) {
  struct ethtool_ts_info i = {.cmd = ETHTOOL_GET_TS_INFO, .phc_index = -1};
  i.so_timestamping = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  return put_user(data, &i) ? -EFAULT : 0;
}

long net_ethtool(struct net_namespace *ns, const char *name, uint64_t data) {
  uint32_t cmd;
  if (get_user(&cmd, data))
    return -EFAULT;
  struct netdev *d = netdev_by_name_borrow(ns, name);
  if (!d)
    return -ENODEV;
  switch (cmd) {
  case ETHTOOL_GDRVINFO:
    return drvinfo(d, data);
  case ETHTOOL_GLINK:
    return value(data, cmd, !!(d->flags & IFF_LOWER_UP));
  case ETHTOOL_GSET:
    return settings(d, data);
  case ETHTOOL_GLINKSETTINGS:
    netdev_get(d);
    long r = link_settings(d, data);
    netdev_put(d);
    return r;
  case ETHTOOL_GRXCSUM:
  case ETHTOOL_GTXCSUM:
    return value(data, cmd, !!(d->features & NETDEV_CSUM));
  case ETHTOOL_GSG:
    return value(data, cmd, 1); /* packets of several pieces go to every device */
  case ETHTOOL_GTSO:
    return value(data, cmd, !!(d->features & NETDEV_TSO));
  case ETHTOOL_GGSO:
  case ETHTOOL_GGRO: /* as the peer's kernel has put packets together */
    return value(data, cmd, 1);
  case ETHTOOL_GUFO:
  case ETHTOOL_GFLAGS:
    return value(data, cmd, 0);
  case ETHTOOL_GET_TS_INFO:
    return ts_info(data);
  default: /* what changes a device needs the right to, before it turns out not to be there */
    return -EOPNOTSUPP;
  }
}
