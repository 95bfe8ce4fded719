/* What is in /proc/net. */
#include "files.h"
#include <sys/stat.h>

/* Headers of tables that are always empty here. */
#define HEADER(n, t)                                                                                                   \
  { .name = n, .mode = S_IFREG | 0444, .text = t }
#define FILE_ARG(n, f, a)                                                                                              \
  { .name = n, .mode = S_IFREG | 0444, .show = f, .arg = a }
#define DGRAM(n, family, type, proto) FILE_ARG(n, net_show_dgram, (family) | (type) << 8 | (proto) << 16)

const struct net_ent net_proc_ents[] = {
    HEADER("anycast6", ""),
    NET_F("arp", net_show_arp),
    NET_F("dev", net_show_dev),
    NET_F("dev_mcast", net_show_dev_mcast),
    DGRAM("icmp", AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    DGRAM("icmp6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
    NET_F("if_inet6", net_show_if_inet6),
    NET_F("igmp", net_show_igmp),
    NET_F("igmp6", net_show_igmp6),
    NET_F("ipv6_route", net_show_route6),
    HEADER("mcfilter", "Idx Device        MCA        SRC    INC    EXC\n"),
    HEADER("mcfilter6", "Idx Device                Multicast Address                   Source Address    INC    EXC\n"),
    NET_F("netlink", net_show_netlink),
    NET_F("netstat", net_show_netstat),
    NET_F("packet", net_show_packet),
    NET_F("protocols", net_show_protocols),
    NET_TEXT("psched", "000003e8 00000040 000f4240 3b9aca00"),
    NET_F("ptype", net_show_ptype),
    DGRAM("raw", AF_INET, SOCK_RAW, 0),
    DGRAM("raw6", AF_INET6, SOCK_RAW, 0),
    NET_F("route", net_show_route),
    NET_F("snmp", net_show_snmp),
    NET_F("snmp6", net_show_snmp6),
    NET_F("sockstat", net_show_sockstat),
    NET_F("sockstat6", net_show_sockstat6),
    NET_F("softnet_stat", net_show_softnet),
    FILE_ARG("tcp", net_show_tcp, AF_INET),
    FILE_ARG("tcp6", net_show_tcp, AF_INET6),
    DGRAM("udp", AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    DGRAM("udp6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    DGRAM("udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE),
    DGRAM("udplite6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE),
    NET_F("unix", net_show_unix),
    {0},
};
