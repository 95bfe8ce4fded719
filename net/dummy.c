/* dummy devices: what is sent is counted and dropped. ip-link(8). */
#include "../core/errno.h"
#include "netdev_kind.h"


static int dummy_xmit(struct netdev *d, struct pbuf *p) {
  pbuf_free(p);
  return 0;
}

static int dummy_set_up(struct netdev *d, bool up) {
  netdev_carrier(d, up);
  return 0;
}

static const struct netdev_ops dummy_ops = {.kind = "dummy", .xmit = dummy_xmit, .set_up = dummy_set_up};

static int dummy_newlink(const struct netdev_newlink *n, struct netdev **out) {
  struct netdev *d;
  int rc = netdev_new_at(n->ns, n->name, n->ifindex, &dummy_ops, NULL, &d);
  if (rc)
    return rc;
  netdev_ether_init(d, NULL);
  d->flags = (d->flags | IFF_NOARP) & ~(unsigned)IFF_MULTICAST;
  d->features = NETDEV_CSUM | NETDEV_TSO | NETDEV_USO;
  rc = netdev_apply_newlink(d, n->tb, n->ext);
  if (rc) {
    netdev_unlist(d);
    netdev_put(d);
    return rc;
  }
  netdev_list(d);
  *out = d;
  return 0;
}

const struct netdev_kind netdev_kind_dummy = {.kind = "dummy", .newlink = dummy_newlink};
