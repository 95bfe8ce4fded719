/* The table of kinds: see netdev_kind.h. */
#include "netdev_kind.h"

static const struct netdev_kind *const kinds[] = {&netdev_kind_veth, &netdev_kind_bridge, &netdev_kind_dummy};

const struct netdev_kind *netdev_kind_find(const char *name) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i] && !strcmp(kinds[i]->kind, name))
      return kinds[i];
  return NULL;
}

const struct netdev_kind *netdev_kind_of(const struct netdev *d) {
  return d->ops->kind ? netdev_kind_find(d->ops->kind) : NULL;
}
