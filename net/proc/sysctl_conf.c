/* net.ipv4.conf.*, net.ipv6.conf.*, net.*.neigh.*: settings of devices. The neighbour cache has one set for a namespace
 * and version, so every device's neigh/ shows the same. */
#include "files.h"
#include "../../core/errno.h"
#include <stddef.h>
#include <sys/stat.h>

/* ---- forwarding: one switch for each version, which all devices show ---- */

static int forward_show(const struct net_where *w, struct net_text *t) {
  const struct ip_net *n = ip_net_of(w->ns);
  nt_printf(t, "%d\n", n ? w->ent->arg ? n->sysctl.forward6 : n->sysctl.forward4 : 0);
  return 0;
}
static ssize_t forward_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  struct ip_net *net = ip_net_of(w->ns);
  int *have = w->ent->arg ? &net->sysctl.forward6 : &net->sysctl.forward4;
  int64_t v;
  (void)opener;
  if (net_parse(text, &v, 1) != 1 || v < INT32_MIN || v > INT32_MAX)
    return -EINVAL;
  if (w->scope != NET_SCOPE_ALL)
    return !!v == !!*have ? (ssize_t)n : -EINVAL;
  *have = !!v;
  ip_route_changed(net);
  return (ssize_t)n;
}

static int mtu_show(const struct net_where *w, struct net_text *t) {
  nt_printf(t, "%u\n", w->dev ? w->dev->mtu : 1280);
  return 0;
}

/* IPv6 has no MTU of its own here. */
static ssize_t mtu_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  int64_t v;
  (void)opener;
  return net_parse(text, &v, 1) == 1 && w->dev && v == w->dev->mtu ? (ssize_t)n : -EINVAL;
}

/* ---- disable_ipv6 ---- */

static bool apply_disable(void *arg, struct ip_dev *i) {
  ip_dev_set_disable_ipv6(i, *(const int *)arg);
  return true;
}
static void disable_changed(const struct net_where *w, const int64_t *old) {
  struct ip_net *n = ip_net_of(w->ns);
  if (w->scope == NET_SCOPE_ALL) { /* for all there are, and those to come */
    n->conf_default.disable_ipv6 = n->conf_all.disable_ipv6;
    ip_dev_each(w->ns, apply_disable, &n->conf_all.disable_ipv6);
  } else if (w->scope == NET_SCOPE_DEV) {
    struct ip_dev *i = ip_dev_of(w->dev);
    int now = i->conf.disable_ipv6;
    i->conf.disable_ipv6 = (int)old[0];
    ip_dev_set_disable_ipv6(i, now);
  }
}

/* ---- tables ---- */

/* all and default stand for what the devices' own directories hold: dir 0 takes that of the version. */
const struct net_ent net_sysctl_conf[] = {
    {.name = "all", .mode = S_IFDIR | 0555, .scope = NET_SCOPE_ALL},
    {.name = "default", .mode = S_IFDIR | 0555, .scope = NET_SCOPE_DEFAULT},
    {0},
};
const struct net_ent net_sysctl_neigh[] = {
    {.name = "default", .mode = S_IFDIR | 0555, .scope = NET_SCOPE_DEFAULT, .init_only = true}, {0}};

#define CONF(n, field, lo, hi, ...)                                                                                    \
  NET_VAR(n, .base = NET_BASE_DEV, .off = offsetof(struct ip_devconf, field), .min = lo, .max = hi, __VA_ARGS__)

static void conf_changed(const struct net_where *w, const int64_t *old) {
  (void)old;
  ip_route_changed(ip_net_of(w->ns));
}

const struct net_ent net_sysctl_conf4[] = {
    CONF("accept_local", accept_local, INT32_MIN, INT32_MAX, .changed = conf_changed),
    NET_FIXED("accept_redirects", "0"),
    NET_FIXED("accept_source_route", "0"),
    NET_FIXED("arp_accept", "0"),
    CONF("arp_announce", arp_announce, INT32_MIN, INT32_MAX),
    NET_FIXED("arp_evict_nocarrier", "1"),
    NET_FIXED("arp_filter", "0"),
    CONF("arp_ignore", arp_ignore, INT32_MIN, INT32_MAX),
    NET_FIXED("arp_notify", "0"),
    NET_FIXED("bc_forwarding", "0"),
    NET_FIXED("disable_policy", "0"),
    NET_FIXED("disable_xfrm", "0"),
    CONF("drop_gratuitous_arp", drop_gratuitous_arp, INT32_MIN, INT32_MAX),
    NET_FIXED("force_igmp_version", "0"),
    {.name = "forwarding", .mode = S_IFREG | 0644, .show = forward_show, .store = forward_store},
    NET_FIXED("ignore_routes_with_linkdown", "0"),
    NET_FIXED("log_martians", "0"),
    NET_TEXT("mc_forwarding", "0"),
    NET_FIXED("promote_secondaries", "0"),
    NET_FIXED("proxy_arp", "0"),
    CONF("route_localnet", route_localnet, INT32_MIN, INT32_MAX, .changed = conf_changed),
    CONF("rp_filter", rp_filter, INT32_MIN, INT32_MAX, .changed = conf_changed),
    NET_FIXED("secure_redirects", "1"),
    NET_FIXED("send_redirects", "0"),
    NET_FIXED("shared_media", "1"),
    NET_FIXED("src_valid_mark", "0"),
    {0},
};

const struct net_ent net_sysctl_conf6[] = {
    NET_FIXED("accept_dad", "1"),
    NET_FIXED("accept_ra", "0"),
    NET_FIXED("accept_redirects", "0"),
    NET_FIXED("accept_source_route", "0"),
    NET_FIXED("addr_gen_mode", "0"),
    NET_FIXED("autoconf", "0"),
    CONF("dad_transmits", dad_transmits, 0, 255),
    CONF("disable_ipv6", disable_ipv6, INT32_MIN, INT32_MAX, .changed = disable_changed),
    NET_FIXED("force_mld_version", "0"),
    {.name = "forwarding", .mode = S_IFREG | 0644, .show = forward_show, .store = forward_store, .arg = 1},
    NET_VAR("hop_limit", .base = NET_BASE_IP, .off = offsetof(struct ip_sysctl, hop_limit), .min = 1, .max = 255),
    NET_FIXED("keep_addr_on_down", "0"),
    NET_FIXED("max_addresses", "16"),
    NET_TEXT("mc_forwarding", "0"),
    {.name = "mtu", .mode = S_IFREG | 0644, .show = mtu_show, .store = mtu_store},
    NET_FIXED("optimistic_dad", "0"),
    NET_FIXED("proxy_ndp", "0"),
    NET_FIXED("router_solicitations", "0"),
    NET_FIXED("seg6_enabled", "0"),
    NET_FIXED("use_tempaddr", "0"),
    {0},
};

#define NEIGH(v, n, field, lo, hi, ...)                                                                                \
  NET_VAR(n, .base = NET_BASE_NEIGH##v, .off = offsetof(struct neigh_sysctl, field), .min = lo, .max = hi, __VA_ARGS__)
#define NEIGH_TABLE(v)                                                                                                 \
  NET_FIXED("anycast_delay", "100"), NET_FIXED("app_solicit", "0"),                                                    \
      NEIGH(v, "base_reachable_time", base_reachable_ms, 1, 1 << 20, .mul = 1000),                                     \
      NEIGH(v, "base_reachable_time_ms", base_reachable_ms, 1000, INT32_MAX),                                          \
      NEIGH(v, "delay_first_probe_time", delay_first_probe_s, 1, 1 << 20),                                             \
      NEIGH(v, "gc_stale_time", gc_stale_s, 1, 1 << 20), NEIGH(v, "locktime", locktime_ms, 0, 1 << 20, .mul = 10),     \
      NET_FIXED("mcast_resolicit", "0"), NEIGH(v, "mcast_solicit", mcast_solicit, 0, 100),                             \
      NET_FIXED("proxy_delay", "80"), NET_FIXED("proxy_qlen", "64"),                                                   \
      NEIGH(v, "retrans_time_ms", retrans_ms, 10, INT32_MAX), NEIGH(v, "ucast_solicit", ucast_solicit, 0, 100), {      \
    0                                                                                                                  \
  }
const struct net_ent net_sysctl_neigh4[] = {NEIGH_TABLE(4)};
const struct net_ent net_sysctl_neigh6[] = {NEIGH_TABLE(6)};
