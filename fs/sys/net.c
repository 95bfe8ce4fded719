/* /sys/class/net: a directory per interface, as net/ lists them in /proc/net/dev. */
#include "sys.h"
#include "../../core/errno.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IFACE_MAX 16 /* IFNAMSIZ */

struct iface {
  char name[IFACE_MAX];
  unsigned long long counter[16]; /* the columns of /proc/net/dev */
};

static void put(void *b, const void *p, size_t n) {
  sb_put(b, p, n);
}

static int ask_net(struct kernel *k, const char *file, struct sbuf *b) {
  int r = k->hooks.net_proc ? k->hooks.net_proc(k, file, put, b) : -ENOENT;
  sb_put(b, "", 1);
  return b->failed ? -ENOMEM : r;
}

/* Interface n of the list: 0 or -ENOENT. There is always a loopback. */
static int iface_at(struct kernel *k, uint64_t n, struct iface *out) {
  struct sbuf b = {0};
  char *save = NULL;
  int r = -ENOENT;
  memset(out, 0, sizeof *out);
  if (ask_net(k, "dev", &b)) {
    strcpy(out->name, "lo");
    r = n ? -ENOENT : 0;
  } else {
    for (char *line = strtok_r(b.p, "\n", &save); line && r; line = strtok_r(NULL, "\n", &save)) {
      char *colon = strchr(line, ':'), *at = line + strspn(line, " ");
      if (!colon || colon - at >= IFACE_MAX || n--)
        continue;
      memcpy(out->name, at, (size_t)(colon - at));
      for (int c = 0; c < 16; c++)
        out->counter[c] = strtoull(c ? at : colon + 1, &at, 10);
      r = 0;
    }
  }
  sb_free(&b);
  return r;
}

/* Other attributes are net/'s to tell under the name "class/IFACE/ATTR"; those of the loopback never change. */
static int attr_show(struct inode *i, struct sbuf *b) {
  static const struct {
    const char *name, *value;
  } loopback[] = {
      {"addr_len", "6"},
      {"address", "00:00:00:00:00:00"},
      {"broadcast", "00:00:00:00:00:00"},
      {"carrier", "1"},
      {"flags", "0x9"},
      {"ifindex", "1"},
      {"iflink", "1"},
      {"mtu", "65536"},
      {"speed", NULL},
      {"operstate", "unknown"},
      {"tx_queue_len", "1000"},
      {"type", "772"},
  };
  const char *attr = synth_ent_of(i)->name;
  struct iface f;
  char file[64];
  int r = iface_at(synth_kernel(i), synth_num(i), &f);
  if (r)
    return r;
  snprintf(file, sizeof file, "class/%s/%s", f.name, attr);
  struct sbuf text = {0};
  r = ask_net(synth_kernel(i), file, &text);
  if (!r)
    sb_puts(b, text.p);
  sb_free(&text);
  for (size_t j = 0; r && !strcmp(f.name, "lo") && j < sizeof loopback / sizeof *loopback; j++) {
    if (strcmp(loopback[j].name, attr) || !loopback[j].value)
      continue;
    sb_printf(b, "%s\n", loopback[j].value);
    r = 0;
  }
  return r == -ENOENT ? -EINVAL : r;
}

static int counter_show(struct inode *i, struct sbuf *b) {
  struct iface f;
  int r = iface_at(synth_kernel(i), synth_num(i), &f);
  if (!r)
    sb_printf(b, "%llu\n", f.counter[synth_ent_of(i)->arg]);
  return r;
}

#define ATTR(n)                                                                                                        \
  { .name = n, .mode = S_IFREG | 0444, .show = attr_show }
#define COUNTER(n, column)                                                                                             \
  { .name = n, .mode = S_IFREG | 0444, .show = counter_show, .arg = column }
static const struct synth_ent statistics[] = {
    COUNTER("rx_bytes", 0),
    COUNTER("rx_packets", 1),
    COUNTER("rx_errors", 2),
    COUNTER("rx_dropped", 3),
    COUNTER("multicast", 7),
    COUNTER("tx_bytes", 8),
    COUNTER("tx_packets", 9),
    COUNTER("tx_errors", 10),
    COUNTER("tx_dropped", 11),
    COUNTER("collisions", 13),
    {0},
};
static const struct synth_ent iface_entries[] = {
    ATTR("addr_len"),
    ATTR("address"),
    ATTR("broadcast"),
    ATTR("carrier"),
    ATTR("flags"),
    ATTR("ifindex"),
    ATTR("iflink"),
    ATTR("mtu"),
    ATTR("operstate"),
    ATTR("speed"),
    {.name = "statistics", .mode = S_IFDIR | 0755, .children = statistics},
    ATTR("tx_queue_len"),
    ATTR("type"),
    {0},
};
static const struct synth_ent iface_ent = {.mode = S_IFDIR | 0755, .children = iface_entries};

static ssize_t class_link(struct inode *i, char *buf, size_t cap) {
  struct iface f;
  int r = iface_at(synth_kernel(i), synth_num(i), &f);
  return r ? r : snprintf(buf, cap, "../../devices/virtual/net/%s", f.name);
}
static const struct synth_ent class_ent = {.mode = S_IFLNK | 0777, .link = class_link};

static int lookup(struct inode *dir, const char *name, struct synth_child *c, const struct synth_ent *ent) {
  struct iface f;
  for (uint64_t n = 0; !iface_at(synth_kernel(dir), n, &f); n++) {
    if (strcmp(f.name, name))
      continue;
    c->ent = ent;
    c->n = n;
    return 0;
  }
  return -ENOENT;
}

static int next(struct inode *dir, uint64_t key, struct synth_child *c, const struct synth_ent *ent) {
  struct iface f;
  if (iface_at(synth_kernel(dir), key, &f))
    return 0;
  strcpy(c->name, f.name);
  c->ent = ent;
  c->key = key;
  return 1;
}

int sys_net_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  return lookup(dir, name, c, &iface_ent);
}
int sys_net_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  return next(dir, key, c, &iface_ent);
}
int sys_net_class_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  return lookup(dir, name, c, &class_ent);
}
int sys_net_class_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  return next(dir, key, c, &class_ent);
}
