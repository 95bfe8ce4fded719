/* Bridges as rtnetlink makes, changes and shows them: IFLA_BR_* and IFLA_BRPORT_*, ip-link(8). */
#include "../core/errno.h"
#include "../core/timers.h"
#include "bridge.h"
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>

#define CSEC (NSEC_PER_SEC / 100) /* USER_HZ, which times are told in */

static const struct nla_policy br_policy[IFLA_BR_MAX + 1] = {
    [IFLA_BR_FORWARD_DELAY] = {NLA_U32}, [IFLA_BR_HELLO_TIME] = {NLA_U32},    [IFLA_BR_MAX_AGE] = {NLA_U32},
    [IFLA_BR_AGEING_TIME] = {NLA_U32},   [IFLA_BR_STP_STATE] = {NLA_U32},     [IFLA_BR_PRIORITY] = {NLA_U16},
    [IFLA_BR_VLAN_FILTERING] = {NLA_U8}, [IFLA_BR_GROUP_FWD_MASK] = {NLA_U16}};

/* What is not there must not be asked for: a spanning tree, VLANs. Multicast is flooded, as without snooping. */
static int refuse(const struct nlattr **tb, struct nl_extack *ext) {
  if (tb[IFLA_BR_STP_STATE] && nla_get_u32(tb[IFLA_BR_STP_STATE]))
    return nl_err(ext, -EOPNOTSUPP, "There is no spanning tree protocol");
  if (tb[IFLA_BR_VLAN_FILTERING] && nla_get_u8(tb[IFLA_BR_VLAN_FILTERING]))
    return nl_err(ext, -EOPNOTSUPP, "There are no VLANs");
  if (tb[IFLA_BR_GROUP_FWD_MASK] && nla_get_u16(tb[IFLA_BR_GROUP_FWD_MASK]))
    return nl_err(ext, -EOPNOTSUPP, "Link-local frames are not forwarded");
  return 0;
}

static int set_times(struct bridge *br, const struct nlattr **tb) {
  const struct {
    int type;
    uint32_t *to, min, max;
  } t[] = {{IFLA_BR_FORWARD_DELAY, &br->forward_delay, 200, 3000},
           {IFLA_BR_HELLO_TIME, &br->hello_time, 100, 1000},
           {IFLA_BR_MAX_AGE, &br->max_age, 600, 4000}};
  for (size_t i = 0; i < sizeof t / sizeof *t; i++)
    if (tb[t[i].type]) {
      uint32_t v = nla_get_u32(tb[t[i].type]);
      /* Without a spanning tree a forward delay of any length is taken: br_set_forward_delay(). */
      if (t[i].type != IFLA_BR_FORWARD_DELAY && (v < t[i].min || v > t[i].max))
        return -ERANGE;
      *t[i].to = v;
    }
  return 0;
}

static int change(struct netdev *d, const struct nlattr *data, struct nl_extack *ext) {
  const struct nlattr *tb[IFLA_BR_MAX + 1] = {NULL};
  struct bridge *br = d->priv;
  int rc = data ? nla_parse_nested(tb, IFLA_BR_MAX, data, br_policy, ext) : 0;
  if (!rc)
    rc = refuse(tb, ext);
  if (!rc)
    rc = set_times(br, tb);
  if (rc)
    return rc;
  if (tb[IFLA_BR_AGEING_TIME])
    br->ageing = nla_get_u32(tb[IFLA_BR_AGEING_TIME]) * CSEC;
  if (tb[IFLA_BR_PRIORITY])
    br->priority = nla_get_u16(tb[IFLA_BR_PRIORITY]);
  if (tb[IFLA_BR_FDB_FLUSH])
    bridge_fdb_flush(br, NULL, false);
  return 0;
}

static struct bridge *bridge_new(void) {
  struct bridge *br = calloc(1, sizeof *br);
  if (!br)
    return NULL;
  LIST_INIT(&br->ports);
  bridge_fdb_init(br);
  br->ageing = 300 * NSEC_PER_SEC;
  br->priority = 0x8000;
  br->forward_delay = 1500;
  br->hello_time = 200;
  br->max_age = 2000;
  return br;
}

static int newlink(const struct netdev_newlink *n, struct netdev **out) {
  struct bridge *br = bridge_new();
  struct netdev *d;
  int rc = br ? netdev_new_at(n->ns, n->name, n->ifindex, &bridge_ops, br, &d) : -ENOMEM;
  if (rc) {
    free(br);
    return rc;
  }
  br->dev = d;
  netdev_ether_init(d, NULL);
  d->features = NETDEV_CSUM | NETDEV_TSO | NETDEV_USO | NETDEV_LOCAL;
  br->in_change = true; /* a default, unless the message says otherwise */
  rc = netdev_apply_newlink(d, n->tb, n->ext);
  br->in_change = false;
  br->addr_set = n->tb[IFLA_ADDRESS];
  br->mtu_set = n->tb[IFLA_MTU];
  if (!rc)
    rc = change(d, n->data, n->ext);
  if (!rc)
    rc = bridge_fdb_add(br, NULL, d->addr, true, true, false);
  if (rc) {
    netdev_unlist(d);
    netdev_put(d);
    return rc;
  }
  netdev_list(d);
  *out = d;
  return 0;
}

/* ---- told ---- */

static void bridge_id(const struct bridge *br, uint8_t id[8]) {
  id[0] = (uint8_t)(br->priority >> 8);
  id[1] = (uint8_t)br->priority;
  memcpy(id + 2, br->dev->addr, ETH_ALEN);
}

static void fill_info(const struct netdev *d, struct nlbuf *b) {
  static const uint8_t group[ETH_ALEN] = {0x01, 0x80, 0xc2};
  const struct bridge *br = d->priv;
  uint8_t id[8];
  bridge_id(br, id);
  nla_put_u32(b, IFLA_BR_FORWARD_DELAY, br->forward_delay);
  nla_put_u32(b, IFLA_BR_HELLO_TIME, br->hello_time);
  nla_put_u32(b, IFLA_BR_MAX_AGE, br->max_age);
  nla_put_u32(b, IFLA_BR_AGEING_TIME, (uint32_t)(br->ageing / CSEC));
  nla_put_u32(b, IFLA_BR_STP_STATE, 0);
  nla_put_u16(b, IFLA_BR_PRIORITY, br->priority);
  nla_put_u8(b, IFLA_BR_VLAN_FILTERING, 0);
  nla_put_u16(b, IFLA_BR_GROUP_FWD_MASK, 0);
  nla_put(b, IFLA_BR_BRIDGE_ID, id, sizeof id);
  nla_put(b, IFLA_BR_ROOT_ID, id, sizeof id);
  nla_put_u16(b, IFLA_BR_ROOT_PORT, 0);
  nla_put_u32(b, IFLA_BR_ROOT_PATH_COST, 0);
  nla_put_u8(b, IFLA_BR_TOPOLOGY_CHANGE, 0);
  nla_put_u8(b, IFLA_BR_TOPOLOGY_CHANGE_DETECTED, 0);
  nla_put(b, IFLA_BR_GROUP_ADDR, group, sizeof group);
}

static const struct {
  int type;
  size_t off;
} port_flags[] = {{IFLA_BRPORT_MODE, offsetof(struct bridge_port, hairpin)},
                  {IFLA_BRPORT_LEARNING, offsetof(struct bridge_port, learning)},
                  {IFLA_BRPORT_UNICAST_FLOOD, offsetof(struct bridge_port, flood)},
                  {IFLA_BRPORT_MCAST_FLOOD, offsetof(struct bridge_port, mcast_flood)},
                  {IFLA_BRPORT_BCAST_FLOOD, offsetof(struct bridge_port, bcast_flood)},
                  {IFLA_BRPORT_ISOLATED, offsetof(struct bridge_port, isolated)}};

static bool *flag_at(struct bridge_port *p, size_t i) {
  return (bool *)((char *)p + port_flags[i].off);
}

static void fill_port(const struct netdev *master, const struct netdev *d, struct nlbuf *b) {
  struct bridge_port *p = d->port;
  uint8_t id[8];
  if (!p)
    return;
  bridge_id(p->br, id);
  uint16_t port_id = (uint16_t)(p->priority << 10 | (p->no & 0x3ff));
  nla_put_u8(b, IFLA_BRPORT_STATE, p->state);
  nla_put_u16(b, IFLA_BRPORT_PRIORITY, p->priority);
  nla_put_u32(b, IFLA_BRPORT_COST, p->cost);
  for (size_t i = 0; i < sizeof port_flags / sizeof *port_flags; i++)
    nla_put_u8(b, port_flags[i].type, *flag_at(p, i));
  nla_put(b, IFLA_BRPORT_ROOT_ID, id, sizeof id);
  nla_put(b, IFLA_BRPORT_BRIDGE_ID, id, sizeof id);
  nla_put_u16(b, IFLA_BRPORT_DESIGNATED_PORT, port_id);
  nla_put_u16(b, IFLA_BRPORT_DESIGNATED_COST, 0);
  nla_put_u16(b, IFLA_BRPORT_ID, port_id);
  nla_put_u16(b, IFLA_BRPORT_NO, p->no);
}

static int change_port(struct netdev *master, struct netdev *d, const struct nlattr *data, struct nl_extack *ext) {
  static const struct nla_policy policy[IFLA_BRPORT_MAX + 1] = {
      [IFLA_BRPORT_STATE] = {NLA_U8},         [IFLA_BRPORT_COST] = {NLA_U32},
      [IFLA_BRPORT_PRIORITY] = {NLA_U16},     [IFLA_BRPORT_MODE] = {NLA_U8},
      [IFLA_BRPORT_LEARNING] = {NLA_U8},      [IFLA_BRPORT_ISOLATED] = {NLA_U8},
      [IFLA_BRPORT_UNICAST_FLOOD] = {NLA_U8}, [IFLA_BRPORT_MCAST_FLOOD] = {NLA_U8},
      [IFLA_BRPORT_BCAST_FLOOD] = {NLA_U8}};
  const struct nlattr *tb[IFLA_BRPORT_MAX + 1] = {NULL};
  struct bridge_port *p = d->port;
  int rc = p ? nla_parse_nested(tb, IFLA_BRPORT_MAX, data, policy, ext) : -EINVAL;
  if (rc)
    return rc;
  if (tb[IFLA_BRPORT_STATE]) {
    uint8_t state = nla_get_u8(tb[IFLA_BRPORT_STATE]);
    if (state > BR_STATE_BLOCKING)
      return -EINVAL;
    if (p->state == BR_STATE_DISABLED && state != BR_STATE_DISABLED)
      return -ENETDOWN;
    p->state = state;
  }
  if (tb[IFLA_BRPORT_PRIORITY] && nla_get_u16(tb[IFLA_BRPORT_PRIORITY]) > 63)
    return -ERANGE;
  if (tb[IFLA_BRPORT_PRIORITY])
    p->priority = nla_get_u16(tb[IFLA_BRPORT_PRIORITY]);
  if (tb[IFLA_BRPORT_COST])
    p->cost = nla_get_u32(tb[IFLA_BRPORT_COST]);
  for (size_t i = 0; i < sizeof port_flags / sizeof *port_flags; i++)
    if (tb[port_flags[i].type])
      *flag_at(p, i) = nla_get_u8(tb[port_flags[i].type]);
  return 0;
}

const struct netdev_kind netdev_kind_bridge = {.kind = "bridge",
                                               .newlink = newlink,
                                               .changelink = change,
                                               .fill_info = fill_info,
                                               .fill_port = fill_port,
                                               .change_port = change_port,
                                               .add_port = bridge_add_port,
                                               .del_port = bridge_del_port};
