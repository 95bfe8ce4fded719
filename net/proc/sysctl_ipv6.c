/* net.ipv6.*: ip-sysctl of Linux's documentation. */
#include "files.h"
#include <stddef.h>
#include <sys/stat.h>

#define IP(n, field, lo, hi, ...)                                                                                      \
  NET_VAR(n, .base = NET_BASE_IP, .off = offsetof(struct ip_sysctl, field), .min = lo, .max = hi, __VA_ARGS__)
#define INET(n, field, lo, hi, ...)                                                                                    \
  NET_VAR(n, .base = NET_BASE_INET, .off = offsetof(struct inet_sysctl, field), .min = lo, .max = hi, __VA_ARGS__)

const struct net_ent net_sysctl_ipv6[] = {
    NET_FIXED("anycast_src_echo_reply", "0"),
    NET_FIXED("auto_flowlabels", "1"),
    INET("bindv6only", bindv6only, 0, 1, .kind = NET_VAR_BOOL),
    NET_D("conf", NET_DIR_IPV6_CONF),
    NET_FIXED("flowlabel_consistency", "1"),
    NET_FIXED("flowlabel_reflect", "0"),
    NET_FIXED("fwmark_reflect", "0"),
    NET_D("icmp", NET_DIR_IPV6_ICMP),
    NET_FIXED("ip6frag_high_thresh", "4194304"),
    NET_FIXED("ip6frag_low_thresh", "3145728"),
    IP("ip6frag_time", frag6_time_s, 1, 86400),
    INET("ip_nonlocal_bind", nonlocal_bind[1], 0, 1, .kind = NET_VAR_BOOL),
    NET_D("neigh", NET_DIR_IPV6_NEIGH),
    NET_D("route", NET_DIR_IPV6_ROUTE),
    {0},
};

const struct net_ent net_sysctl_ipv6_icmp[] = {
    IP("echo_ignore_all", echo6_ignore_all, 0, 255),
    NET_FIXED("echo_ignore_anycast", "0"),
    NET_FIXED("echo_ignore_multicast", "0"),
    IP("ratelimit", icmp6_ratelimit_ms, 0, INT32_MAX),
    {0},
};

const struct net_ent net_sysctl_ipv6_route[] = {
    NET_FIXED("max_size", "2147483647"),
    {0},
};
