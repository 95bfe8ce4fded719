/* The trees of net/'s files: from tables to nodes and back. See core/net_files.h. */
#include "files.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK 1024

/* ---- the tables ---- */

static const struct net_ent roots[] = {
    [NET_TREE_PROC] = {.name = "proc", .mode = S_IFDIR | 0555, .dir = NET_DIR_PROC},
    [NET_TREE_SYSCTL] = {.name = "sys", .mode = S_IFDIR | 0555, .dir = NET_DIR_SYSCTL},
    [NET_TREE_CLASS] = {.name = "class", .mode = S_IFDIR | 0755, .dir = NET_DIR_CLASS},
};
static const struct net_ent nothing[] = {{0}};
#define DEV_DIR(d, m) (&(const struct net_ent){.name = "DEV", .mode = S_IFDIR | m, .dir = d, .scope = NET_SCOPE_DEV})

static const struct net_dir dirs[NET_DIRS] = {
    [NET_DIR_ROOTS] = {roots, NULL},
    [NET_DIR_PROC] = {net_proc_ents, NULL},
    [NET_DIR_SYSCTL] = {net_sysctl_ents, NULL},
    [NET_DIR_CORE] = {net_sysctl_core, NULL},
    [NET_DIR_UNIX] = {net_sysctl_unix, NULL},
    [NET_DIR_IPV4] = {net_sysctl_ipv4, NULL},
    [NET_DIR_IPV4_CONF] = {net_sysctl_conf, DEV_DIR(NET_DIR_IPV4_CONF_DEV, 0555)},
    [NET_DIR_IPV4_CONF_DEV] = {net_sysctl_conf4, NULL},
    [NET_DIR_IPV4_NEIGH] = {net_sysctl_neigh, DEV_DIR(NET_DIR_IPV4_NEIGH_DEV, 0555)},
    [NET_DIR_IPV4_NEIGH_DEV] = {net_sysctl_neigh4, NULL},
    [NET_DIR_IPV4_ROUTE] = {net_sysctl_ipv4_route, NULL},
    [NET_DIR_IPV6] = {net_sysctl_ipv6, NULL},
    [NET_DIR_IPV6_CONF] = {net_sysctl_conf, DEV_DIR(NET_DIR_IPV6_CONF_DEV, 0555)},
    [NET_DIR_IPV6_CONF_DEV] = {net_sysctl_conf6, NULL},
    [NET_DIR_IPV6_NEIGH] = {net_sysctl_neigh, DEV_DIR(NET_DIR_IPV6_NEIGH_DEV, 0555)},
    [NET_DIR_IPV6_NEIGH_DEV] = {net_sysctl_neigh6, NULL},
    [NET_DIR_IPV6_ROUTE] = {net_sysctl_ipv6_route, NULL},
    [NET_DIR_IPV6_ICMP] = {net_sysctl_ipv6_icmp, NULL},
    [NET_DIR_CLASS] = {nothing, DEV_DIR(NET_DIR_CLASS_DEV, 0755)},
    [NET_DIR_CLASS_DEV] = {net_class_dev, NULL},
    [NET_DIR_CLASS_STATISTICS] = {net_class_statistics, NULL},
    [NET_DIR_CLASS_QUEUES] = {net_class_queues, NULL},
    [NET_DIR_CLASS_RX0] = {net_class_rx0, NULL},
    [NET_DIR_CLASS_TX0] = {net_class_tx0, NULL},
    [NET_DIR_CLASS_POWER] = {net_class_power, NULL},
};

/* all and default stand beside the devices in conf/, default in neigh/: which table they have depends on the version.
 */
static unsigned dir_below(unsigned dir, const struct net_ent *e) {
  if (e->dir)
    return e->dir;
  return dirs[dir].dev ? dirs[dir].dev->dir : 0;
}

/* ---- ids: the device's index, the scope, the directory, the entry in it ---- */

#define ENT_DEV 255u /* the directory's dev entry */
#define DEV_KEY 256u /* next(): devices come after the table */

static uint64_t id_make(unsigned dir, unsigned ent, enum net_scope scope, int ifindex) {
  return (uint64_t)(uint32_t)ifindex << 20 | (uint64_t)scope << 16 | dir << 8 | ent;
}

static bool is_init(const struct net_namespace *ns) {
  return ns == ns->ns.k->init_nsproxy->net;
}

static bool decode(struct net_namespace *ns, uint64_t id, struct net_where *w, unsigned *dir) {
  unsigned d = id >> 8 & 255, e = id & 255;
  if (d >= NET_DIRS || !net_stack_of(ns))
    return false;
  const struct net_ent *ent = e == ENT_DEV ? dirs[d].dev : &dirs[d].ents[e];
  *w = (struct net_where){.ns = ns, .ent = ent, .scope = id >> 16 & 15};
  *dir = d;
  if (!ent || !ent->name)
    return false;
  if (w->scope == NET_SCOPE_DEV && !(w->dev = netdev_by_index_borrow(ns, (int)(id >> 20))))
    return false;
  if (ent->init_only && !is_init(ns))
    return false;
  return !ent->var || net_var_there(w);
}

static void fill(uint64_t in, unsigned dir, unsigned i, const struct net_ent *e, struct netdev *d,
                 struct net_node *out) {
  enum net_scope scope = e->scope ? e->scope : in >> 16 & 15;
  int ifindex = d ? d->ifindex : (int)(in >> 20);
  out->id = id_make(dir, i, scope, ifindex);
  out->mode = e->mode;
  snprintf(out->name, sizeof out->name, "%s", d ? d->name : e->name);
}

/* ---- core/net_files.h ---- */

static bool find_dir(struct net_namespace *ns, uint64_t id, unsigned *table) {
  struct net_where w;
  unsigned dir;
  if (!decode(ns, id, &w, &dir) || !S_ISDIR(w.ent->mode))
    return false;
  *table = dir_below(dir, w.ent);
  return *table;
}

static bool there(struct net_namespace *ns, const struct net_node *n) {
  struct net_where w;
  unsigned dir;
  return decode(ns, n->id, &w, &dir);
}

static int lookup(struct net_namespace *ns, uint64_t id, const char *name, struct net_node *out) {
  unsigned table;
  if (!find_dir(ns, id, &table))
    return -ENOENT;
  const struct net_ent *e = dirs[table].ents;
  for (unsigned i = 0; e[i].name; i++) {
    if (strcmp(e[i].name, name))
      continue;
    fill(id, table, i, &e[i], NULL, out);
    return there(ns, out) ? 0 : -ENOENT;
  }
  struct netdev *d = dirs[table].dev ? netdev_by_name_borrow(ns, name) : NULL;
  if (!d || strnlen(name, IFNAMSIZ) == IFNAMSIZ)
    return -ENOENT;
  fill(id, table, ENT_DEV, dirs[table].dev, d, out);
  return 0;
}

/* The device with the lowest index from `from` on. */
static struct netdev *dev_from(struct net_namespace *ns, uint64_t from) {
  struct netdev *d, *best = NULL;
  TAILQ_FOREACH(d, &net_stack_of(ns)->devs, link)
  if ((uint64_t)d->ifindex >= from && (!best || d->ifindex < best->ifindex))
    best = d;
  return best;
}

static int next(struct net_namespace *ns, uint64_t id, uint64_t key, struct net_node *out) {
  unsigned table;
  if (!find_dir(ns, id, &table))
    return 0;
  const struct net_ent *e = dirs[table].ents;
  unsigned count = 0;
  while (e[count].name)
    count++;
  for (; key < count; key++) {
    fill(id, table, (unsigned)key, &e[key], NULL, out);
    out->key = key;
    if (there(ns, out))
      return 1;
  }
  struct netdev *d = dirs[table].dev ? dev_from(ns, key > DEV_KEY ? key - DEV_KEY : 0) : NULL;
  if (!d)
    return 0;
  fill(id, table, ENT_DEV, dirs[table].dev, d, out);
  out->key = DEV_KEY + (uint64_t)d->ifindex;
  return 1;
}

static uint32_t mode(struct net_namespace *ns, uint64_t id, const char *name) {
  struct net_where w;
  unsigned dir;
  if (!decode(ns, id, &w, &dir))
    return 0;
  if (name && (id & 255) == ENT_DEV && strncmp(name, w.dev->name, IFNAMSIZ))
    return 0;
  return w.ent->init_write && !is_init(ns) ? w.ent->mode & ~0222u : w.ent->mode;
}

static int show(struct net_namespace *ns, uint64_t id, struct net_text *t) {
  struct net_where w;
  unsigned dir;
  if (!decode(ns, id, &w, &dir))
    return -ENODEV;
  if (w.ent->show)
    return w.ent->show(&w, t);
  if (w.ent->var)
    return net_var_show(&w, t);
  if (!w.ent->text)
    return -EINVAL;
  nt_puts(t, w.ent->text);
  return 0;
}

/* A constant takes what it says already. */
static ssize_t store_fixed(const struct net_where *w, const char *text, size_t n) {
  const char *have = w->ent->text;
  size_t len = strcspn(text, "\n");
  return strcspn(have, "\n") == len && !strncmp(have, text, len) ? (ssize_t)n : -EINVAL;
}

/* Who may administer the network; settings also root there (net_ctl_permissions()), but not sysfs (netdev_store()). */
static bool may_store(const struct net_namespace *ns, const struct cred *c, unsigned dir) {
  if (!c || ns_capable(c, ns->ns.owner, CAP_NET_ADMIN))
    return true;
  return dir < NET_DIR_CLASS && c->euid == make_kuid(ns->ns.owner, 0);
}

static ssize_t store(struct net_namespace *ns, uint64_t id, const struct cred *opener, char *text, size_t n) {
  struct net_where w;
  unsigned dir;
  struct task *t = task_current();
  if (!decode(ns, id, &w, &dir))
    return -ENODEV;
  if (!may_store(ns, opener, dir) || (t && !may_store(ns, t->cred, dir))) /* when it was opened, and now */
    return -EPERM;
  if (w.ent->store)
    return w.ent->store(&w, opener, text, n);
  if (w.ent->var)
    return net_var_store(&w, opener, text, n);
  return w.ent->text ? store_fixed(&w, text, n) : -EIO;
}

/* A device's directory is a symlink in /sys/class/net. */
static ssize_t link_of(struct net_namespace *ns, uint64_t id, char *buf, size_t cap) {
  struct net_where w;
  unsigned dir;
  if (!decode(ns, id, &w, &dir))
    return -ENOENT;
  int n = S_ISLNK(w.ent->mode) ? snprintf(buf, cap, "%s", w.ent->text)
                               : snprintf(buf, cap, "../../devices/virtual/net/%s", w.dev ? w.dev->name : "");
  return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : n;
}

const struct net_files net_files = {
    .lookup = lookup, .next = next, .mode = mode, .show = show, .store = store, .link = link_of};

/* ---- text ---- */

bool nt_row(struct net_text *t) {
  if (t->more)
    return false;
  if (t->at < t->skip) {
    t->at++;
    return false;
  }
  if (t->len >= t->limit) {
    t->more = true;
    return false;
  }
  t->at++;
  return true;
}

static char *reserve(struct net_text *t, size_t n) {
  if (t->failed || t->cap - t->len >= n)
    return t->failed ? NULL : t->p + t->len;
  size_t cap = t->cap ? t->cap : CHUNK;
  while (cap - t->len < n)
    cap *= 2;
  char *p = realloc(t->p, cap);
  if (!p) {
    t->failed = true;
    return NULL;
  }
  t->p = p;
  t->cap = cap;
  return p + t->len;
}

void nt_puts(struct net_text *t, const char *s) {
  size_t n = strlen(s);
  char *to = reserve(t, n);
  if (to) {
    memcpy(to, s, n);
    t->len += n;
  }
}

void nt_printf(struct net_text *t, const char *fmt, ...) {
  char line[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  nt_puts(t, line);
}

void nt_pad(struct net_text *t, size_t from, size_t width) {
  while (!t->failed && t->len < from + width)
    nt_puts(t, " ");
  nt_puts(t, "\n");
}

void nt_in6(struct net_text *t, const struct in6_addr *a) {
  char text[33];
  for (int i = 0; i < 16; i++)
    snprintf(text + 2 * i, 3, "%02x", a->s6_addr[i]);
  nt_puts(t, text);
}

uint32_t nt_key(const struct net_text *t, const void *object) {
  struct ip_net *n = ip_net_of(nt_ns(t));
  return n ? (uint32_t)ip_hash(n, &object, sizeof object) | 1 : 0;
}
