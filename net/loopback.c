/* lo: what is sent comes in again when the loop's turn ends. Frames have an Ethernet header of zeros, as Linux's have.
 * Nothing is summed or cut: the bytes do not leave this memory. */
#include "../core/errno.h"
#include "stack.h"

#define LO_MTU 65536

static int lo_xmit(struct netdev *d, struct pbuf *p) {
  netdev_backlog(d, p);
  return 0;
}

static int lo_set_up(struct netdev *d, bool up) {
  netdev_carrier(d, up);
  return 0;
}

static const struct netdev_ops lo_ops = {.xmit = lo_xmit, .set_up = lo_set_up};

int lo_init(struct net_stack *st) {
  struct netdev *d;
  int rc = netdev_new(st->ns, "lo", &lo_ops, NULL, &d);
  if (rc)
    return rc;
  d->type = ARPHRD_LOOPBACK;
  d->addr_len = ETH_ALEN;
  d->mtu = LO_MTU;
  d->flags = IFF_LOOPBACK;
  d->features = NETDEV_CSUM | NETDEV_TSO | NETDEV_USO;
  st->lo = d;
  netdev_list(d);
  netdev_put(d); /* the list holds it */
  return 0;
}
