/* net.ipv4.*: ip-sysctl of Linux's documentation. What this stack does not have a switch for, but programs read, is a
 * constant. */
#include "files.h"
#include "../../core/errno.h"
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the ranges of ports ---- */

static int range_check(const struct net_where *w, const int64_t *v) {
  return v[1] < v[0] || v[0] < inet_net_of(w->ns)->sysctl.unprivileged_port_start ? -EINVAL : 0;
}
static int unprivileged_check(const struct net_where *w, const int64_t *v) {
  return v[0] > inet_net_of(w->ns)->sysctl.port_lo ? -EINVAL : 0;
}

static int reserved_show(const struct net_where *w, struct net_text *t) {
  const struct inet_net *n = inet_net_of(w->ns);
  const char *sep = "";
  for (unsigned p = 0; n && n->sysctl.reserved && p < 65536; p++) {
    unsigned from = p;
    if (!inet_port_reserved(&n->sysctl, p))
      continue;
    while (p < 65535 && inet_port_reserved(&n->sysctl, p + 1))
      p++;
    nt_printf(t, from == p ? "%s%u" : "%s%u-%u", sep, from, p);
    sep = ",";
  }
  nt_puts(t, "\n");
  return 0;
}

/* "8080,9148-9150" into a map. */
static int parse_ports(const char *at, uint32_t *map) {
  while (*at && *at != '\n') {
    char *end;
    if (!isdigit((unsigned char)*at))
      return -EINVAL;
    unsigned long from = strtoul(at, &end, 10), to = from;
    if (*end == '-') {
      at = end + 1;
      if (!isdigit((unsigned char)*at))
        return -EINVAL;
      to = strtoul(at, &end, 10);
    }
    if (from > 65535 || to > 65535 || to < from)
      return -EINVAL;
    for (; from <= to; from++)
      if (from % 32 || to - from < 31)
        map[from / 32] |= 1u << from % 32;
      else
        map[from / 32] = UINT32_MAX, from += 31;
    if (*end == ',')
      end++;
    else if (*end && *end != '\n')
      return -EINVAL;
    at = end;
  }
  return 0;
}

static ssize_t reserved_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  struct inet_net *net = inet_net_of(w->ns);
  uint32_t *map = net ? calloc(65536 / 32, sizeof *map) : NULL;
  (void)opener;
  if (!map)
    return -ENOMEM;
  int r = parse_ports(text + strspn(text, " \t"), map);
  if (r) {
    free(map);
    return r;
  }
  free(net->sysctl.reserved);
  net->sysctl.reserved = map;
  return (ssize_t)n;
}

/* ---- ping_group_range: group ids of whoever looks ---- */

static int ping_show(const struct net_where *w, struct net_text *t) {
  const struct inet_net *n = inet_net_of(w->ns);
  if (n)
    nt_printf(t, "%u\t%u\n", from_kgid_munged(t->user_ns, n->sysctl.ping_group_lo),
              from_kgid_munged(t->user_ns, n->sysctl.ping_group_hi));
  return 0;
}

static ssize_t ping_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  struct inet_net *net = inet_net_of(w->ns);
  const struct user_namespace *u = current_user_ns_borrow();
  int64_t v[2];
  (void)opener;
  if (!net || net_parse(text, v, 2) != 2 || v[0] < 0 || v[1] < 0 || v[0] > INT32_MAX || v[1] > INT32_MAX)
    return -EINVAL;
  uint32_t lo = make_kgid(u, (uint32_t)v[0]), hi = make_kgid(u, (uint32_t)v[1]);
  if (lo == INVALID_ID || hi == INVALID_ID)
    return -EINVAL;
  if (v[1] < v[0] || hi < lo) /* nobody */
    lo = 1, hi = 0;
  net->sysctl.ping_group_lo = lo;
  net->sysctl.ping_group_hi = hi;
  return (ssize_t)n;
}

/* ---- congestion control ---- */

static int congestion_show(const struct net_where *w, struct net_text *t) {
  nt_printf(t, "%s\n", tcp_settings(inet_net_of(w->ns)->tcp)->congestion);
  return 0;
}

static ssize_t congestion_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  char *name = text + strspn(text, " \t\n");
  (void)opener;
  name[strcspn(name, " \t\n")] = 0;
  struct tcp_settings *s = tcp_settings(inet_net_of(w->ns)->tcp);
  if (strlen(name) >= sizeof s->congestion || !tcp_congestion_known(name))
    return -ENOENT;
  strcpy(s->congestion, name);
  return (ssize_t)n;
}

static int notsent_show(const struct net_where *w, struct net_text *t) {
  nt_printf(t, "%u\n", (uint32_t)tcp_settings(inet_net_of(w->ns)->tcp)->notsent_lowat);
  return 0;
}
static ssize_t notsent_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  int64_t v;
  (void)opener;
  if (net_parse(text, &v, 1) != 1 || v < 0 || v > UINT32_MAX)
    return -EINVAL;
  tcp_settings(inet_net_of(w->ns)->tcp)->notsent_lowat = v > INT32_MAX ? -1 : (int)v;
  return (ssize_t)n;
}

/* tcp_mem: pages, the last one is what the engine obeys. */
static int tcp_mem_show(const struct net_where *w, struct net_text *t) {
  long max = tcp_settings(inet_net_of(w->ns)->tcp)->mem_max / 4096;
  nt_printf(t, "%ld\t%ld\t%ld\n", max / 2, max * 2 / 3, max);
  return 0;
}

/* ---- tables ---- */

static void forward_changed(const struct net_where *w, const int64_t *old) {
  (void)old;
  ip_route_changed(ip_net_of(w->ns)); /* what was looked up for others' packets */
}

#define IP(n, field, ...) NET_VAR(n, .base = NET_BASE_IP, .off = offsetof(struct ip_sysctl, field), __VA_ARGS__)
#define INET(n, field, ...) NET_VAR(n, .base = NET_BASE_INET, .off = offsetof(struct inet_sysctl, field), __VA_ARGS__)
#define TCP(n, field, ...) NET_VAR(n, .base = NET_BASE_TCP, .off = offsetof(struct tcp_settings, field), __VA_ARGS__)
#define RANGE(lo, hi) .min = lo, .max = hi
#define U8 RANGE(0, 255)
#define SECONDS RANGE(1, 32767 * 1000) /* 0 would spin */
#define CUSTOM(n, f, s)                                                                                                \
  { .name = n, .mode = S_IFREG | 0644, .show = f, .store = s }
#define TCP_AVAILABLE "reno cubic"

const struct net_ent net_sysctl_ipv4[] = {
    NET_D("conf", NET_DIR_IPV4_CONF),
    NET_FIXED("fib_multipath_hash_policy", "0"),
    NET_FIXED("fwmark_reflect", "0"),
    IP("icmp_echo_ignore_all", echo_ignore_all, RANGE(0, 1)),
    IP("icmp_echo_ignore_broadcasts", echo_ignore_broadcasts, RANGE(0, 1)),
    NET_FIXED("icmp_errors_use_inbound_ifaddr", "0"),
    NET_FIXED("icmp_ignore_bogus_error_responses", "1"),
    IP("icmp_msgs_burst", icmp_msgs_burst, RANGE(0, INT32_MAX)),
    IP("icmp_msgs_per_sec", icmp_msgs_per_sec, RANGE(0, INT32_MAX)),
    IP("icmp_ratelimit", icmp_ratelimit_ms, RANGE(0, INT32_MAX)),
    IP("icmp_ratemask", icmp_ratemask, RANGE(INT32_MIN, INT32_MAX)),
    NET_FIXED("igmp_link_local_mcast_reports", "1"),
    INET("igmp_max_memberships", igmp_max_memberships, RANGE(0, INT32_MAX)),
    NET_FIXED("igmp_max_msf", "10"),
    NET_FIXED("igmp_qrv", "2"),
    NET_FIXED("ip_autobind_reuse", "0"),
    IP("ip_default_ttl", default_ttl, RANGE(1, 255)),
    NET_FIXED("ip_dynaddr", "0"),
    NET_FIXED("ip_early_demux", "1"),
    IP("ip_forward", forward4, RANGE(0, 1), .changed = forward_changed),
    NET_FIXED("ip_forward_use_pmtu", "0"),
    INET("ip_local_port_range", port_lo, RANGE(1, 65535), .count = 2, .check = range_check),
    CUSTOM("ip_local_reserved_ports", reserved_show, reserved_store),
    NET_FIXED("ip_no_pmtu_disc", "0"),
    INET("ip_nonlocal_bind", nonlocal_bind[0], RANGE(0, 1), .kind = NET_VAR_BOOL),
    INET("ip_unprivileged_port_start", unprivileged_port_start, RANGE(0, 65535), .check = unprivileged_check),
    NET_FIXED("ipfrag_high_thresh", "4194304"),
    NET_FIXED("ipfrag_low_thresh", "3145728"),
    NET_FIXED("ipfrag_max_dist", "64"),
    IP("ipfrag_time", frag_time_s, RANGE(1, 86400)),
    NET_D("neigh", NET_DIR_IPV4_NEIGH),
    CUSTOM("ping_group_range", ping_show, ping_store),
    NET_D("route", NET_DIR_IPV4_ROUTE),
    TCP("tcp_abort_on_overflow", abort_on_overflow, U8),
    NET_FIXED("tcp_adv_win_scale", "1"),
    NET_FIXED("tcp_allowed_congestion_control", TCP_AVAILABLE),
    NET_FIXED("tcp_app_win", "31"),
    NET_FIXED("tcp_autocorking", "1"),
    NET_TEXT("tcp_available_congestion_control", TCP_AVAILABLE),
    TCP("tcp_base_mss", base_mss, RANGE(48, 65535)),
    TCP("tcp_challenge_ack_limit", challenge_ack_limit, RANGE(0, INT32_MAX)),
    CUSTOM("tcp_congestion_control", congestion_show, congestion_store),
    TCP("tcp_dsack", dsack, U8),
    NET_FIXED("tcp_early_demux", "1"),
    TCP("tcp_early_retrans", early_retrans, RANGE(0, 4)),
    TCP("tcp_ecn", ecn, RANGE(0, 2)),
    NET_FIXED("tcp_ecn_fallback", "1"),
    NET_FIXED("tcp_fack", "0"),
    NET_FIXED("tcp_fastopen", "0"),
    TCP("tcp_fin_timeout", fin_timeout, SECONDS),
    NET_FIXED("tcp_frto", "2"),
    TCP("tcp_keepalive_intvl", keepalive_intvl, SECONDS),
    TCP("tcp_keepalive_probes", keepalive_probes, U8),
    TCP("tcp_keepalive_time", keepalive_time, SECONDS),
    {.name = "tcp_max_orphans",
     .mode = S_IFREG | 0644,
     .init_only = true,
     .var = &(const struct net_var){.base = NET_BASE_TCP,
                                    .off = offsetof(struct tcp_settings, max_orphans),
                                    .max = INT32_MAX}},
    NET_FIXED("tcp_max_reordering", "300"),
    TCP("tcp_max_syn_backlog", max_syn_backlog, RANGE(0, 1 << 20)),
    TCP("tcp_max_tw_buckets", max_tw_buckets, RANGE(0, 1 << 20)),
    {.name = "tcp_mem", .mode = S_IFREG | 0444, .init_only = true, .show = tcp_mem_show},
    TCP("tcp_min_snd_mss", min_snd_mss, RANGE(48, 65535)),
    TCP("tcp_moderate_rcvbuf", moderate_rcvbuf, U8),
    NET_FIXED("tcp_mtu_probing", "0"),
    NET_FIXED("tcp_no_metrics_save", "0"),
    CUSTOM("tcp_notsent_lowat", notsent_show, notsent_store),
    TCP("tcp_orphan_retries", orphan_retries, U8),
    NET_FIXED("tcp_recovery", "1"),
    NET_FIXED("tcp_reordering", "3"),
    NET_FIXED("tcp_retrans_collapse", "1"),
    TCP("tcp_retries1", retries1, U8),
    TCP("tcp_retries2", retries2, U8),
    TCP("tcp_rfc1337", rfc1337, U8),
    TCP("tcp_rmem", rmem, RANGE(1, INT32_MAX), .count = 3),
    TCP("tcp_sack", sack, U8),
    TCP("tcp_slow_start_after_idle", slow_start_after_idle, U8),
    NET_FIXED("tcp_stdurg", "0"),
    TCP("tcp_syn_retries", syn_retries, RANGE(1, 127)),
    TCP("tcp_synack_retries", synack_retries, U8),
    TCP("tcp_syncookies", syncookies, U8),
    TCP("tcp_timestamps", timestamps, U8),
    NET_FIXED("tcp_tso_win_divisor", "3"),
    TCP("tcp_tw_reuse", tw_reuse, RANGE(0, 2)),
    TCP("tcp_window_scaling", window_scaling, U8),
    TCP("tcp_wmem", wmem, RANGE(1, INT32_MAX), .count = 3),
    NET_FIXED("udp_early_demux", "1"),
    INET("udp_rmem_min", udp_rmem_min, RANGE(2048, INT32_MAX)),
    INET("udp_wmem_min", udp_wmem_min, RANGE(2048, INT32_MAX)),
    {0},
};

static ssize_t flush_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  (void)opener, (void)text;
  ip_route_changed(ip_net_of(w->ns));
  return (ssize_t)n;
}

const struct net_ent net_sysctl_ipv4_route[] = {
    {.name = "flush", .mode = S_IFREG | 0200, .store = flush_store},
    NET_FIXED("min_adv_mss", "256"),
    IP("min_pmtu", min_pmtu, RANGE(68, INT32_MAX)),
    IP("mtu_expires", pmtu_expires_s, RANGE(0, 1 << 20)),
    {0},
};
