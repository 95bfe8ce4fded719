/*
 * What the files of net/proc/ share: the tables that say what /proc/net, /proc/sys/net and /sys/class/net hold (see
 * core/net_files.h). A file is one line in its directory's table and one function that prints it.
 */
#pragma once
#include "../../core/net_files.h"
#include "../inet/inet.h"
#include "../ip_stack.h"
#include "../netdev.h"
#include "../stack.h"

enum net_dir_id {
  NET_DIR_ROOTS, /* entry n is the root of tree n */
  NET_DIR_PROC,
  NET_DIR_SYSCTL,
  NET_DIR_CORE,
  NET_DIR_UNIX,
  NET_DIR_IPV4,
  NET_DIR_IPV4_CONF,
  NET_DIR_IPV4_CONF_DEV,
  NET_DIR_IPV4_NEIGH,
  NET_DIR_IPV4_NEIGH_DEV,
  NET_DIR_IPV4_ROUTE,
  NET_DIR_IPV6,
  NET_DIR_IPV6_CONF,
  NET_DIR_IPV6_CONF_DEV,
  NET_DIR_IPV6_NEIGH,
  NET_DIR_IPV6_NEIGH_DEV,
  NET_DIR_IPV6_ROUTE,
  NET_DIR_IPV6_ICMP,
  NET_DIR_CLASS,
  NET_DIR_CLASS_DEV,
  NET_DIR_CLASS_STATISTICS,
  NET_DIR_CLASS_QUEUES,
  NET_DIR_CLASS_RX0,
  NET_DIR_CLASS_TX0,
  NET_DIR_CLASS_POWER,
  NET_DIRS
};

enum net_scope { NET_SCOPE_NONE, NET_SCOPE_ALL, NET_SCOPE_DEFAULT, NET_SCOPE_DEV };

struct net_ent;
struct net_where { /* a node in a namespace */
  struct net_namespace *ns;
  const struct net_ent *ent;
  struct netdev *dev; /* borrowed; NET_SCOPE_DEV only */
  enum net_scope scope;
};

/* A setting: `count` numbers at `off` of what var_base() gives. */
enum net_var_kind { NET_VAR_INT, NET_VAR_BOOL, NET_VAR_UINT };
enum net_var_base {
  NET_BASE_IP,   /* ip_net.sysctl */
  NET_BASE_INET, /* inet_net.sysctl */
  NET_BASE_TCP,  /* tcp_settings() */
  NET_BASE_DEV,  /* a device's struct ip_devconf, or those for all and for new ones */
  NET_BASE_NEIGH4,
  NET_BASE_NEIGH6,
  NET_BASE_UNIX, /* net_namespace.unix_dgram_qlen */
};
struct net_var {
  uint8_t base, kind, count;
  uint16_t off;
  int64_t min, max;
  int mul, div;                                                   /* stored = written * mul / div; 0: 1 */
  int (*check)(const struct net_where *w, const int64_t *v);      /* -errno refuses; NULL: all in range */
  void (*changed)(const struct net_where *w, const int64_t *old); /* obey it now; NULL: whoever reads it does */
};

struct net_ent {
  const char *name;
  uint32_t mode;
  uint8_t dir;      /* directories: whose table */
  uint8_t scope;    /* enum net_scope of what is below; 0: as above */
  bool init_only;   /* not in other namespaces than the first */
  bool init_write;  /* there, but only to be read */
  const char *text; /* a constant; what a symlink says */
  const struct net_var *var;
  int (*show)(const struct net_where *w, struct net_text *t);
  ssize_t (*store)(const struct net_where *w, const struct cred *opener, char *text, size_t n);
  uint64_t arg; /* show's and store's */
};
struct net_dir {
  const struct net_ent *ents; /* a NULL name ends it */
  const struct net_ent *dev;  /* and one like this for each device; NULL: none */
};
extern const struct net_ent net_proc_ents[];                                                    /* proc.c */
extern const struct net_ent net_sysctl_ents[], net_sysctl_core[], net_sysctl_unix[];            /* sysctl.c */
extern const struct net_ent net_sysctl_ipv4[], net_sysctl_ipv4_route[];                         /* sysctl_ipv4.c */
extern const struct net_ent net_sysctl_ipv6[], net_sysctl_ipv6_route[], net_sysctl_ipv6_icmp[]; /* sysctl_ipv6.c */
extern const struct net_ent net_sysctl_conf[], net_sysctl_conf4[], net_sysctl_conf6[];          /* sysctl_conf.c */
extern const struct net_ent net_sysctl_neigh[], net_sysctl_neigh4[], net_sysctl_neigh6[];       /* sysctl_conf.c */
extern const struct net_ent net_class_dev[], net_class_statistics[], net_class_queues[], net_class_rx0[],
    net_class_tx0[], net_class_power[]; /* class.c */

/* ---- text ---- */
/* Is the next row one to print? False: it was given before, or (t->more) there is no room. */
bool nt_row(struct net_text *t);
void nt_printf(struct net_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nt_puts(struct net_text *t, const char *s);
/* Fill the line that began at `from` up to `width` columns, and end it: seq_pad(). */
void nt_pad(struct net_text *t, size_t from, size_t width);
void nt_in6(struct net_text *t, const struct in6_addr *a);     /* 32 digits, as they are on the wire */
uint32_t nt_key(const struct net_text *t, const void *object); /* what stands for a kernel pointer */
static inline struct net_namespace *nt_ns(const struct net_text *t) {
  return (struct net_namespace *)t->ns;
}

/* ---- the files of /proc/net ---- */
#define NET_SHOW(f) int f(const struct net_where *w, struct net_text *t)
NET_SHOW(net_show_dev); /* dev.c */
NET_SHOW(net_show_dev_mcast);
NET_SHOW(net_show_softnet);
NET_SHOW(net_show_ptype);
NET_SHOW(net_show_if_inet6); /* addr.c */
NET_SHOW(net_show_igmp);
NET_SHOW(net_show_igmp6);
NET_SHOW(net_show_arp);
NET_SHOW(net_show_route); /* route.c */
NET_SHOW(net_show_route6);
NET_SHOW(net_show_tcp);     /* tcp.c */
NET_SHOW(net_show_dgram);   /* dgram.c */
NET_SHOW(net_show_netlink); /* family.c */
NET_SHOW(net_show_packet);
NET_SHOW(net_show_unix); /* unix.c */
NET_SHOW(net_show_snmp); /* snmp.c */
NET_SHOW(net_show_netstat);
NET_SHOW(net_show_snmp6);
NET_SHOW(net_show_sockstat); /* sockstat.c */
NET_SHOW(net_show_sockstat6);
NET_SHOW(net_show_protocols);
/* Sockets of a namespace by kind; family AF_INET or AF_INET6. */
unsigned net_count_inet(struct net_namespace *ns, int family, int type, int protocol);

/* ---- settings: sysctl.c ---- */
bool net_var_there(const struct net_where *w);
int net_var_show(const struct net_where *w, struct net_text *t);
ssize_t net_var_store(const struct net_where *w, const struct cred *opener, char *text, size_t n);
/* One number of a setting. */
int64_t net_var_get(const struct net_where *w, unsigned i);
/* Numbers out of `text`, between white space: how many (at most max), or -EINVAL. */
int net_parse(const char *text, int64_t *v, int max);

#define NET_F(n, f)                                                                                                    \
  { .name = n, .mode = S_IFREG | 0444, .show = f }
#define NET_D(n, d)                                                                                                    \
  { .name = n, .mode = S_IFDIR | 0555, .dir = d }
/* A value that is what it is: it may be written, as long as it stays the same. */
#define NET_FIXED(n, t)                                                                                                \
  { .name = n, .mode = S_IFREG | 0644, .text = t "\n" }
#define NET_TEXT(n, t)                                                                                                 \
  { .name = n, .mode = S_IFREG | 0444, .text = t "\n" }
#define NET_VAR(n, ...)                                                                                                \
  {                                                                                                                    \
    .name = n, .mode = S_IFREG | 0644, .var = &(const struct net_var) {                                                \
      __VA_ARGS__                                                                                                      \
    }                                                                                                                  \
  }
