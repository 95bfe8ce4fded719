/* Network devices: names, indexes, flags, and the way of a frame in and out. See netdev.h. */
#include "netdev.h"
#include "../core/errno.h"
#include "stack.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ETHER_MTU_MIN 68 /* RFC 791: every module must forward that much */
#define MTU_MAX 65535

__attribute__((weak)) void packet_tap(struct netdev *d, const struct pbuf *p, bool outgoing); /* net/packet.c */

/* ---- names ---- */

/* dev_valid_name() */
bool netdev_name_ok(const char *name) {
  size_t n = strnlen(name, IFNAMSIZ);
  if (!n || n == IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
    return false;
  for (; *name; name++)
    if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
      return false;
  return true;
}

/* A pattern with one %d and no other %: its place, or NULL. */
static const char *number_place(const char *name) {
  const char *at = strchr(name, '%');
  return at && at[1] == 'd' && !strchr(at + 1, '%') ? at : NULL;
}

/* Which number `name` has that fits the pattern with its %d at `at`; -1: it does not fit, or none that counts. */
static int number_of(const char *name, const char *pattern, const char *at) {
  const char *digits = name + (at - pattern);
  char *end;
  if (strncmp(name, pattern, (size_t)(at - pattern)) || !isdigit((unsigned char)*digits) ||
      (*digits == '0' && isdigit((unsigned char)digits[1])))
    return -1;
  unsigned long n = strtoul(digits, &end, 10);
  return n <= NETDEV_PER_NS && !strcmp(end, at + 2) ? (int)n : -1;
}

/* __dev_alloc_name(): the names are gone through once. */
static int choose_number(struct net_namespace *ns, const char *pattern, const char *at, char out[IFNAMSIZ]) {
  struct net_stack *st = net_stack_of(ns);
  bool used[NETDEV_PER_NS + 1] = {false};
  const struct netdev_alt *a;
  const struct netdev *d;
  int i;
  TAILQ_FOREACH(d, &st->devs, link) {
    if ((i = number_of(d->name, pattern, at)) >= 0)
      used[i] = true;
    LIST_FOREACH(a, &d->alts, link) if ((i = number_of(a->name, pattern, at)) >= 0) used[i] = true;
  }
  for (i = 0; i <= NETDEV_PER_NS; i++) {
    char full[2 * IFNAMSIZ];
    if (used[i])
      continue;
    int n = snprintf(full, sizeof full, "%.*s%d%s", (int)(at - pattern), pattern, i, at + 2);
    if (n >= IFNAMSIZ)
      return -EINVAL;
    memcpy(out, full, (size_t)n + 1);
    return 0;
  }
  return -ENFILE;
}

static int choose_name(struct net_namespace *ns, const char *want, char out[IFNAMSIZ]) {
  char pattern[IFNAMSIZ];
  if (!netdev_name_ok(want))
    return -EINVAL;
  snprintf(pattern, sizeof pattern, "%s", want);
  const char *at = number_place(pattern);
  if (!at) {
    if (strchr(pattern, '%'))
      return -EINVAL;
    memcpy(out, pattern, IFNAMSIZ);
    return netdev_by_name_borrow(ns, out) ? -EEXIST : 0;
  }
  return choose_number(ns, pattern, at, out);
}

struct netdev *netdev_by_index_borrow(struct net_namespace *ns, int ifindex) {
  struct net_stack *st = net_stack_of(ns);
  struct netdev *d = NULL;
  if (st)
    TAILQ_FOREACH(d, &st->devs, link) if (d->ifindex == ifindex) break;
  return d;
}

static struct netdev_alt *alt_find(const struct netdev *d, const char *name) {
  struct netdev_alt *a;
  LIST_FOREACH(a, &d->alts, link) if (!strcmp(a->name, name)) break;
  return a;
}

struct netdev *netdev_by_name_borrow(struct net_namespace *ns, const char *name) {
  struct net_stack *st = net_stack_of(ns);
  struct netdev *d = NULL;
  if (st)
    TAILQ_FOREACH(d, &st->devs, link) if (!strncmp(d->name, name, IFNAMSIZ) || alt_find(d, name)) break;
  return d;
}

int netdev_alt_add(struct netdev *d, const char *name) {
  struct netdev_alt *a, *last = NULL;
  unsigned n = 0;
  LIST_FOREACH(a, &d->alts, link) last = a, n++;
  if (!*name || strlen(name) >= sizeof a->name)
    return -EINVAL;
  if (netdev_by_name_borrow(d->ns, name))
    return -EEXIST;
  if (n >= NETDEV_ALTS)
    return -ENOSPC;
  a = calloc(1, sizeof *a);
  if (!a)
    return -ENOMEM;
  strcpy(a->name, name);
  if (last)
    LIST_INSERT_AFTER(last, a, link);
  else
    LIST_INSERT_HEAD(&d->alts, a, link);
  return 0;
}

int netdev_alt_del(struct netdev *d, const char *name) {
  struct netdev_alt *a = alt_find(d, name);
  if (!a)
    return strncmp(d->name, name, IFNAMSIZ) ? -ENOENT : -EINVAL;
  LIST_REMOVE(a, link);
  free(a);
  return 0;
}

/* ---- life ---- */

static int next_index(struct net_stack *st) {
  int i = st->last_ifindex;
  do
    i = i == INT32_MAX ? 1 : i + 1;
  while (netdev_by_index_borrow(st->ns, i));
  return st->last_ifindex = i;
}

int netdev_new_at(struct net_namespace *ns, const char *name, int ifindex, const struct netdev_ops *ops, void *priv,
                  struct netdev **out) {
  struct net_stack *st = net_stack_of(ns);
  char chosen[IFNAMSIZ] = "";
  int rc = !st || ifindex < 0 ? -EINVAL : choose_name(ns, name, chosen);
  if (rc)
    return rc;
  if (ifindex && netdev_by_index_borrow(ns, ifindex))
    return -EBUSY;
  if (st->ndevs >= NETDEV_PER_NS)
    return -ENFILE;
  struct netdev *d = calloc(1, sizeof *d);
  if (!d)
    return -ENOMEM;
  ref_init(&d->ref);
  d->ns = ns;
  d->ops = ops;
  d->priv = priv;
  memcpy(d->name, chosen, IFNAMSIZ);
  d->ifindex = ifindex ? ifindex : next_index(st);
  d->tx_queue_len = 1000;
  netdev_get(d); /* the list's */
  TAILQ_INSERT_TAIL(&st->devs, d, link);
  st->ndevs++;
  *out = d;
  return 0;
}

int netdev_new(struct net_namespace *ns, const char *name, const struct netdev_ops *ops, void *priv,
               struct netdev **out) {
  return netdev_new_at(ns, name, 0, ops, priv, out);
}

void netdev_list(struct netdev *d) {
  d->listed = true;
  net_event(d, NETDEV_REGISTER);
}

void netdev_ether_init(struct netdev *d, const uint8_t addr[6]) {
  d->type = ARPHRD_ETHER;
  d->addr_len = ETH_ALEN;
  d->mtu = ETH_DATA_LEN;
  d->flags = IFF_BROADCAST | IFF_MULTICAST;
  memset(d->broadcast, 0xff, ETH_ALEN);
  if (addr) {
    memcpy(d->addr, addr, ETH_ALEN);
    return;
  }
  (void)!getrandom(d->addr, ETH_ALEN, GRND_NONBLOCK);
  d->addr[0] = (uint8_t)((d->addr[0] & ~1) | 2); /* one station's, locally administered */
}

struct netdev *netdev_get(struct netdev *d) {
  ref_get(&d->ref);
  return d;
}

void netdev_put(struct netdev *d) {
  if (!d || !ref_put(&d->ref))
    return;
  struct netdev_alt *a;
  while ((a = LIST_FIRST(&d->alts))) {
    LIST_REMOVE(a, link);
    free(a);
  }
  if (d->ops->free)
    d->ops->free(d);
  free(d);
}

static struct net *net_of(const struct netdev *d) {
  return d->ns->ns.k->net;
}

/* Nothing that waits may name d any longer. */
static void forget_pending(struct netdev *d) {
  struct net *n = net_of(d);
  struct pbuf_queue keep = STAILQ_HEAD_INITIALIZER(keep);
  struct pbuf *p;
  if (n && d->backlog) {
    while ((p = STAILQ_FIRST(&n->backlog))) {
      STAILQ_REMOVE_HEAD(&n->backlog, link);
      if (p->dev != d)
        STAILQ_INSERT_TAIL(&keep, p, link);
      else
        pbuf_free(p), n->nbacklog--;
    }
    STAILQ_CONCAT(&n->backlog, &keep);
    d->backlog = 0;
  }
  for (unsigned i = 0; n && d->flush_due && i < n->flush.n; i++)
    if (n->flush.v[i] == d) {
      n->flush.v[i] = n->flush.v[--n->flush.n];
      d->flush_due = false;
    }
}

/* Out of its namespace's list; the list's reference becomes the caller's. */
static void detach(struct netdev *d) {
  struct net_stack *st = net_stack_of(d->ns);
  netdev_set_flags(d, 0, IFF_UP);
  if (d->listed)
    net_event(d, NETDEV_UNREGISTER);
  d->listed = false;
  forget_pending(d);
  TAILQ_REMOVE(&st->devs, d, link);
  st->ndevs--;
  if (st->lo == d)
    st->lo = NULL;
}

void netdev_unlist(struct netdev *d) {
  if (!d->ns)
    return;
  detach(d);
  d->ns = NULL;
  if (d->ops->unlisted)
    d->ops->unlisted(d);
  netdev_put(d);
}

int netdev_move(struct netdev *d, struct net_namespace *to) {
  struct net_stack *st = net_stack_of(to);
  char name[IFNAMSIZ];
  if (d->ns == to)
    return 0;
  if (!st || d->type == ARPHRD_LOOPBACK || d->features & NETDEV_LOCAL)
    return -EINVAL;
  if (st->ndevs >= NETDEV_PER_NS)
    return -ENFILE;
  const struct netdev_alt *a;
  LIST_FOREACH(a, &d->alts, link) if (netdev_by_name_borrow(to, a->name)) return -EEXIST;
  int rc = choose_name(to, d->name, name);
  if (rc == -EEXIST && d->ns->ns.ref.n == 0) /* its namespace ends: it must go somewhere (Linux: devN) */
    rc = choose_name(to, "dev%d", name);
  if (rc)
    return rc;
  detach(d);
  d->ns = to;
  memcpy(d->name, name, IFNAMSIZ);
  if (netdev_by_index_borrow(to, d->ifindex))
    d->ifindex = next_index(st);
  TAILQ_INSERT_TAIL(&st->devs, d, link);
  st->ndevs++;
  netdev_list(d);
  return 0;
}

/* ---- settings ---- */

int netdev_set_flags(struct netdev *d, unsigned flags, unsigned mask) {
  const unsigned settable = IFF_UP | IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST |
                            IFF_PORTSEL | IFF_AUTOMEDIA | IFF_PROMISC | IFF_ALLMULTI;
  unsigned old = d->flags, new = (old & ~(mask & settable)) | (flags & mask & settable);
  if ((old ^ new) & IFF_UP && d->ops->set_up) {
    int rc = d->ops->set_up(d, new &IFF_UP);
    if (rc && new &IFF_UP)
      return rc;
    new = (new &settable) | (d->flags & ~settable); /* the driver may have told of a carrier */
  }
  d->flags = new;
  if ((old ^ new) & IFF_UP)
    net_event(d, new &IFF_UP ? NETDEV_UP : NETDEV_DOWN);
  else if (old != new)
    net_event(d, NETDEV_CHANGE);
  return 0;
}

void netdev_carrier(struct netdev *d, bool on) {
  unsigned old = d->flags, bits = IFF_RUNNING | IFF_LOWER_UP;
  d->flags = on ? old | bits : old & ~bits;
  if (old != d->flags && d->listed)
    net_event(d, NETDEV_CHANGE);
}

int netdev_set_mtu(struct netdev *d, unsigned mtu) {
  if (mtu == d->mtu)
    return 0;
  unsigned max = d->type == ARPHRD_LOOPBACK ? INT32_MAX : MTU_MAX;
  int rc = d->ops->set_mtu ? d->ops->set_mtu(d, mtu) : mtu < ETHER_MTU_MIN || mtu > max ? -EINVAL : 0;
  if (rc)
    return rc;
  d->mtu = mtu;
  net_event(d, NETDEV_CHANGEMTU);
  return 0;
}

int netdev_set_addr(struct netdev *d, const uint8_t *addr) {
  static const uint8_t zero[sizeof d->addr];
  if (d->type == ARPHRD_ETHER && (addr[0] & 1 || !memcmp(addr, zero, ETH_ALEN)))
    return -EADDRNOTAVAIL;
  memcpy(d->addr, addr, d->addr_len);
  net_event(d, NETDEV_CHANGEADDR);
  return 0;
}

int netdev_rename(struct netdev *d, const char *name) {
  char chosen[IFNAMSIZ];
  if (!strncmp(name, d->name, IFNAMSIZ))
    return 0;
  int rc = choose_name(d->ns, name, chosen);
  if (rc)
    return rc;
  memcpy(d->name, chosen, IFNAMSIZ);
  net_event(d, NETDEV_CHANGENAME);
  return 0;
}

/* ---- frames out ---- */

static int drop_tx(struct netdev *d, struct pbuf *p, int err) {
  d->stats.tx_dropped++;
  pbuf_free(p);
  return err;
}

/* lo counts what is behind its Ethernet header. */
static uint32_t counted(const struct netdev *d, uint32_t len) {
  return d->type == ARPHRD_LOOPBACK && len > ETH_HLEN ? len - ETH_HLEN : len;
}

static int xmit_one(struct netdev *d, struct pbuf *p) {
  uint32_t len = p->len;
  p->dev = d;
  if (p->csum == PB_CSUM_PARTIAL && !(d->features & NETDEV_CSUM) && csum_complete(p))
    return drop_tx(d, p, -EINVAL);
  if (d->taps && packet_tap)
    packet_tap(d, p, true);
  int rc = d->ops->xmit(d, p);
  if (rc) {
    d->stats.tx_dropped++;
    return rc == NETDEV_XMIT_LOST ? 0 : rc;
  }
  d->stats.tx_packets++;
  d->stats.tx_bytes += counted(d, len);
  return 0;
}

static unsigned gso_feature(const struct pbuf *p) {
  return p->gso == PB_GSO_UDP ? NETDEV_USO : NETDEV_TSO;
}

int netdev_xmit(struct netdev *d, struct pbuf *p) {
  if (!(d->flags & IFF_UP))
    return drop_tx(d, p, -ENETDOWN);
  if (!p->gso) {
    if (p->len > (uint64_t)d->mtu + (d->addr_len ? ETH_HLEN : 0))
      return drop_tx(d, p, -EMSGSIZE);
    return xmit_one(d, p);
  }
  if (d->features & gso_feature(p))
    return xmit_one(d, p);
  struct pbuf_queue q = STAILQ_HEAD_INITIALIZER(q);
  p->dev = d;
  int rc = gso_segment(p, &q);
  if (rc) {
    d->stats.tx_dropped++;
    return rc;
  }
  while ((p = STAILQ_FIRST(&q))) {
    STAILQ_REMOVE_HEAD(&q, link);
    int one = xmit_one(d, p);
    rc = rc ? rc : one;
  }
  return rc;
}

void netdev_flush_later(struct netdev *d) {
  struct net *n = net_of(d);
  if (d->flush_due)
    return;
  if (n->flush.n == n->flush.cap) {
    unsigned cap = n->flush.cap ? 2 * n->flush.cap : 8;
    struct netdev **v = reallocarray(n->flush.v, cap, sizeof *v);
    if (!v) { /* then not batched */
      d->ops->flush(d);
      return;
    }
    n->flush.v = v;
    n->flush.cap = cap;
  }
  n->flush.v[n->flush.n++] = d;
  d->flush_due = true;
}

void netdev_flush_soon(struct netdev *d) {
  netdev_flush_later(d);
  net_of(d)->flush.now = true;
}

/* ---- frames in ---- */

bool netdev_backlog_full(const struct netdev *d) {
  return d->backlog >= NETDEV_BACKLOG || (d->ops->kind && net_of(d)->nbacklog >= NETDEV_BACKLOG_ALL);
}

void netdev_backlog(struct netdev *d, struct pbuf *p) {
  struct net *n = net_of(d);
  if (netdev_backlog_full(d)) {
    d->stats.rx_dropped++;
    pbuf_free(p);
    return;
  }
  p->dev = d;
  d->backlog++;
  n->nbacklog++;
  STAILQ_INSERT_TAIL(&n->backlog, p, link);
}

void netdev_rx(struct netdev *d, struct pbuf *p) {
  if (!(d->flags & IFF_UP)) {
    pbuf_free(p);
    return;
  }
  p->dev = d;
  d->stats.rx_packets++;
  d->stats.rx_bytes += counted(d, p->len);
  ether_rx(d, p);
}
