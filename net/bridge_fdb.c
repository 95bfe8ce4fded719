/* A bridge's table of addresses: who was heard of at which port. See bridge.h. */
#include "../core/errno.h"
#include "../core/timers.h"
#include "bridge.h"
#include <sys/random.h>

#define GC_INTERVAL (10 * NSEC_PER_SEC)

static struct bridge_bucket *bucket(struct bridge *br, const uint8_t *addr) {
  return &br->fdb[siphash(&br->key, addr, ETH_ALEN) % BRIDGE_BUCKETS];
}

static bool aged(const struct bridge *br, const struct bridge_entry *e, int64_t now) {
  return !e->local && !e->is_static && now - e->updated >= br->ageing;
}

static void entry_free(struct bridge *br, struct bridge_entry *e) {
  LIST_REMOVE(e, link);
  br->nfdb--;
  free(e);
}

static struct bridge_entry *find(struct bridge *br, const uint8_t *addr) {
  struct bridge_entry *e;
  LIST_FOREACH(e, bucket(br, addr), link)
  if (!memcmp(e->addr, addr, ETH_ALEN))
    break;
  return e;
}

struct bridge_entry *bridge_fdb_find_borrow(struct bridge *br, const uint8_t *addr) {
  struct bridge_entry *e = find(br, addr);
  int64_t now = loop_now();
  if (!e || aged(br, e, now))
    return NULL;
  e->used = now;
  return e;
}

static struct bridge_entry *entry_new(struct bridge *br, struct bridge_port *port, const uint8_t *addr) {
  struct bridge_entry *e = calloc(1, sizeof *e);
  if (!e)
    return NULL;
  memcpy(e->addr, addr, ETH_ALEN);
  e->port = port;
  e->used = e->updated = loop_now();
  LIST_INSERT_HEAD(bucket(br, addr), e, link);
  br->nfdb++;
  if (!br->gc.armed)
    timer_arm(&br->gc, e->updated + GC_INTERVAL);
  return e;
}

void bridge_fdb_learn(struct bridge_port *p, const uint8_t *addr) {
  struct bridge *br = p->br;
  struct bridge_entry *e = find(br, addr);
  if (!br->ageing || !p->learning)
    return;
  if (!e) {
    if (br->nfdb < BRIDGE_FDB)
      entry_new(br, p, addr);
    return;
  }
  if (e->local) /* our own address comes in from outside: a loop, or an impostor */
    return;
  if (e->port != p && !e->is_static)
    e->port = p;
  e->updated = loop_now();
}

int bridge_fdb_add(struct bridge *br, struct bridge_port *port, const uint8_t *addr, bool local, bool is_static,
                   bool exclusive) {
  struct bridge_entry *e = find(br, addr);
  if (local && (addr[0] & 1 || !memcmp(addr, "\0\0\0\0\0", ETH_ALEN)))
    return -EINVAL;
  if (e && exclusive)
    return -EEXIST;
  if (!e && br->nfdb >= BRIDGE_FDB + (local ? BRIDGE_LOCAL : 0u)) /* rtnetlink adds local ones, too */
    return -ENOSPC;
  if (!e && !(e = entry_new(br, port, addr)))
    return -ENOMEM;
  e->port = port;
  e->local = local;
  e->is_static = is_static || local;
  e->updated = loop_now();
  return 0;
}

int bridge_fdb_del(struct bridge *br, struct bridge_port *port, const uint8_t *addr) {
  struct bridge_entry *e = find(br, addr);
  if (!e || e->port != port)
    return -ENOENT;
  entry_free(br, e);
  return 0;
}

int bridge_fdb_each(struct bridge *br, bool (*fn)(void *arg, struct bridge *br, const struct bridge_entry *e),
                    void *arg) {
  struct bridge_entry *e;
  int64_t now = loop_now();
  for (int i = 0; i < BRIDGE_BUCKETS; i++)
    LIST_FOREACH(e, &br->fdb[i], link)
  if (!aged(br, e, now) && !fn(arg, br, e))
    return 1;
  return 0;
}

void bridge_fdb_flush(struct bridge *br, struct bridge_port *port, bool all) {
  struct bridge_entry *e, *next;
  for (int i = 0; i < BRIDGE_BUCKETS; i++)
    for (e = LIST_FIRST(&br->fdb[i]); e; e = next) {
      next = LIST_NEXT(e, link);
      if ((all || !e->is_static) && (!port || e->port == port))
        entry_free(br, e);
    }
}

static void collect(struct timer *t) {
  struct bridge *br = t->arg;
  struct bridge_entry *e, *next;
  int64_t now = loop_now();
  bool more = false;
  for (int i = 0; i < BRIDGE_BUCKETS; i++)
    for (e = LIST_FIRST(&br->fdb[i]); e; e = next) {
      next = LIST_NEXT(e, link);
      if (aged(br, e, now))
        entry_free(br, e);
      else
        more |= !e->is_static;
    }
  if (more)
    timer_arm(t, now + GC_INTERVAL);
}

void bridge_fdb_init(struct bridge *br) {
  for (int i = 0; i < BRIDGE_BUCKETS; i++)
    LIST_INIT(&br->fdb[i]);
  (void)!getrandom(&br->key, sizeof br->key, GRND_NONBLOCK);
  br->gc.fn = collect;
  br->gc.arg = br;
}
