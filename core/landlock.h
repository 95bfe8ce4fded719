/* What core/ knows of Landlock: a domain is part of the credentials, and whom it may trace depends on whose it is. */
#pragma once
#include "ref.h"
#include <stdbool.h>

#define LANDLOCK_LAYERS_MAX 16

struct landlock_domain { /* immutable; the first member of fs/landlock.c's */
  ref_t ref;
  struct landlock_domain *parent; /* counted: the layer below; NULL: none */
  int layers;
};
void landlock_domain_put(struct landlock_domain *d);
static inline struct landlock_domain *landlock_domain_get(struct landlock_domain *d) {
  if (d)
    ref_get(&d->ref);
  return d;
}
/* Is `inner` under all restrictions of `outer`? (domain_scope_le()) */
static inline bool landlock_within(const struct landlock_domain *outer, const struct landlock_domain *inner) {
  while (outer && inner && inner != outer)
    inner = inner->parent;
  return !outer || inner;
}
