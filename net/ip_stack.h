/*
 * Inside of the Internet layer: what its files share. The state of one network namespace is a struct ip_net, that of a
 * device a struct ip_dev. Everything a peer or a guest can make grow has its bound here.
 */
#pragma once
#include "../core/loop.h"
#include "ip.h"
#include "ip_wire.h"
#include "siphash.h"
#include "stack.h"
#include <linux/rtnetlink.h>

#define NS_PER_S 1000000000ll
#define NS_PER_MS 1000000ll

#define IP_ADDRS_MAX 256   /* of one device, both versions */
#define IP_GROUPS_MAX 256  /* multicast groups of one device, both versions */
#define IP_ROUTES_MAX 8192 /* of a namespace and version */
#define ROUTE_BUCKETS 256  /* hash chains of prefixes */
#define NEIGH_MAX 1024     /* entries of a namespace, Linux's gc_thresh3 */
#define NEIGH_BUCKETS 256
#define NEIGH_QUEUE_BYTES 212992 /* of packets that wait for one resolution: Linux's unres_qlen_bytes */
#define NEIGH_PACKET_COST(len) ((len) + 594)
#define PMTU_MAX 512 /* path MTUs that ICMP taught */
#define PMTU_BUCKETS 64
#define FRAG_BUCKETS 64
#define FRAG_MEM_MAX (4u << 20)     /* bytes of fragments held in a namespace: ipfrag_high_thresh */
#define FRAG_SRC_MEM_MAX (1u << 20) /* … of one source */
#define FRAG_DATAGRAMS_MAX 256
#define FRAG_PIECES_MAX 512 /* of one datagram */
#define IP6_EXT_MAX 8       /* extension headers of a packet */
#define IP6_EXT_BYTES_MAX 512
#define IP6_OPTIONS_MAX 16 /* options in one of them: RFC 8504 5.3 */
#define ICMP_BUCKETS 128   /* per-destination rate limits */
#define IP_ID_BUCKETS 256
#define IP_LOOPED_MAX 256 /* looped copies that wait for the end of the turn */

/* net.ipv4.*, net.ipv6.* and net.*.neigh.default.* that this layer obeys. Milliseconds where the name says so. */
struct neigh_sysctl {
  int retrans_ms, base_reachable_ms, delay_first_probe_s, gc_stale_s, locktime_ms;
  int mcast_solicit, ucast_solicit;
};
struct ip_sysctl {
  int default_ttl, hop_limit;
  int forward4, forward6;
  int echo_ignore_all, echo_ignore_broadcasts, echo6_ignore_all;
  int icmp_ratelimit_ms, icmp_ratemask, icmp_msgs_per_sec, icmp_msgs_burst, icmp6_ratelimit_ms;
  int frag_time_s, frag6_time_s, min_pmtu, pmtu_expires_s;
  struct neigh_sysctl neigh[2]; /* by version: 0 is IPv4 */
};
/* net.ipv4.conf.DEV.*, net.ipv6.conf.DEV.* */
struct ip_devconf {
  int dad_transmits, disable_ipv6, accept_local, route_localnet;
  int rp_filter;                /* RFC 3704: 1 the way back is this device, 2 there is a way back */
  int arp_ignore, arp_announce; /* ip-sysctl: 0, 1, 2, 8 and 0, 1, 2 */
  int drop_gratuitous_arp;
};
/* The larger of a device's and all devices' (n->conf_all) counts: Linux's IN_DEV_MAXCONF(). */
#define IP_CONF_MAX(n, i, what) ((i)->conf.what > (n)->conf_all.what ? (i)->conf.what : (n)->conf_all.what)

struct ip_addr_node {
  TAILQ_ENTRY(ip_addr_node) link;
  struct ip_ifaddr a;
  int dad_left; /* probes still to send; IFA_F_TENTATIVE is set meanwhile */
  int64_t dad_next;
};
TAILQ_HEAD(ip_addr_list, ip_addr_node);

struct ip_group {
  LIST_ENTRY(ip_group) link;
  struct in6_addr addr;
  unsigned users;
  int reports_left;   /* unsolicited ones still to send */
  int64_t report_due; /* 0: none */
};

struct ip_dev {
  struct netdev *dev;
  struct ip_addr_list addrs; /* IPv4 first, then IPv6, primary before secondary */
  unsigned naddrs, ngroups;
  LIST_HEAD(, ip_group) groups;
  struct ip_devconf conf;
  struct timer timer;                                 /* the earliest of: duplicate detection, lifetimes, reports */
  int64_t igmp_v1_until, igmp_v2_until, mld_v1_until; /* older queriers were heard */
  bool up;
};

struct rt_node;
struct rt_family {
  LIST_HEAD(, rt_node) buckets[ROUTE_BUCKETS];
  unsigned count;
  uint32_t used[3][129]; /* prefixes of each length: tables local, main, default */
};

struct pmtu_entry {
  TAILQ_ENTRY(pmtu_entry) lru;
  LIST_ENTRY(pmtu_entry) hash;
  struct in6_addr dst;
  unsigned mtu;
  int64_t expires;
};

struct icmp_bucket { /* a token bucket */
  int64_t credit_ns, stamp;
};

struct frag_queue;
struct neigh;
struct ip_net {
  struct net_namespace *ns;
  struct ip_sysctl sysctl;
  struct ip_devconf conf_all, conf_default; /* net.*.conf.all, .default: a new device begins with the latter */
  struct siphash_key key;
  uint32_t route_gen;
  struct rt_family rt[2];

  LIST_HEAD(, neigh) neigh[NEIGH_BUCKETS];
  TAILQ_HEAD(, neigh) neigh_lru; /* least recently used first */
  unsigned nneigh;
  uint32_t neigh_gen; /* counts entries that went: what is remembered of older ones is void. Never 0 */

  LIST_HEAD(, pmtu_entry) pmtu[PMTU_BUCKETS];
  TAILQ_HEAD(, pmtu_entry) pmtu_lru;
  unsigned npmtu;

  LIST_HEAD(, frag_queue) frags[FRAG_BUCKETS];
  TAILQ_HEAD(, frag_queue) frag_lru; /* oldest first */
  unsigned nfrag;
  uint32_t frag_mem;
  struct timer frag_timer;

  struct pbuf_queue looped; /* copies for ourselves of what was sent to many */
  unsigned nlooped;
  struct net_deferred loop_due;

  struct icmp_bucket icmp_all, icmp_peer[ICMP_BUCKETS];
  uint32_t ids[IP_ID_BUCKETS];
  struct ip_mib {
    uint64_t in_receives, in_hdr_errors, in_addr_errors, in_unknown_protos, in_discards, in_delivers, out_requests,
        out_discards, out_no_routes, reasm_timeout, reasm_reqds, reasm_oks, reasm_fails, frag_oks, frag_fails,
        frag_creates, forwarded;
    /* IpExt: of /proc/net/netstat; Ip6: of snmp6 */
    uint64_t in_no_routes, in_truncated, in_csum_errors, in_mcast, out_mcast, in_bcast, out_bcast, in_octets,
        out_octets, in_mcast_octets, out_mcast_octets, in_bcast_octets, out_bcast_octets, in_ecn[4] /* by codepoint */,
        reasm_overlaps, out_forwarded, rp_filter;
    uint64_t icmp_in, icmp_in_errors, icmp_in_csum_errors, icmp_out, icmp_in_type[256], icmp_out_type[256];
  } mib[2]; /* by version: /proc/net/snmp and snmp6 */
};

/* NULL while the namespace is without its network half. */
struct ip_net *ip_net_of(struct net_namespace *ns);
static inline uint64_t ip_hash(const struct ip_net *n, const void *p, size_t len) {
  return siphash(&n->key, p, len);
}
static inline int ip_version_index(const struct in6_addr *a) {
  return !ip_is4(a);
}

/* ---- ip_dev.c ---- */
struct ip_dev *ip_dev_of(struct netdev *d); /* NULL: the device has none yet */
void ip_dev_kick(struct ip_dev *i);         /* look again when its timer has to run */
/* Every device of a namespace, while fn returns true. */
void ip_dev_each(struct net_namespace *ns, bool (*fn)(void *arg, struct ip_dev *i), void *arg);

/* ---- ip_addr.c ---- */
struct ip_addr_node *ip_addr_find(struct ip_dev *i, const struct in6_addr *a); /* the address itself, any prefix */
void ip_addr_up(struct ip_dev *i, bool up);                                    /* routes of its addresses come or go */
void ip_addr_flush(struct ip_dev *i);
/* net.ipv6.conf.DEV.disable_ipv6: its addresses go, or those that come by themselves are back. */
void ip_dev_set_disable_ipv6(struct ip_dev *i, int v);
void ip_addr_dad_done(struct ip_dev *i, struct ip_addr_node *n, bool failed);
void ip_addr_remove(struct ip_dev *i, struct ip_addr_node *n);
int64_t ip_addr_tick(struct ip_dev *i, int64_t now); /* lifetimes; the next time something is due, 0: never */
/* The address to send from: IPv4 the first that suits, IPv6 RFC 6724. False: there is none. */
bool ip_addr_select(struct ip_net *n, struct netdev *d, const struct in6_addr *dst, unsigned scope,
                    struct in6_addr *src);
unsigned ip_scope_of(const struct in6_addr *a); /* RT_SCOPE_* */

/* ---- route.c ---- */
void ip_route_init(struct ip_net *n);
void ip_route_fini(struct ip_net *n);
/* Longest prefix in one table; NULL: none. oif 0: any device. */
const struct ip_rt_entry *ip_route_find(struct ip_net *n, uint32_t table, const struct in6_addr *dst, uint8_t tos,
                                        int oif);
/* All tables in the order of the default rules. 0 or -errno. */
int ip_route_resolve(struct ip_net *n, const struct in6_addr *dst, uint8_t tos, int oif, const struct ip_rt_entry **e);
uint8_t ip_local_type(struct ip_net *n, const struct in6_addr *a); /* RTN_LOCAL, _BROADCAST, _MULTICAST, _UNICAST */
void ip_route_dev_gone(struct ip_net *n, int ifindex, bool down);
/* An IPv4 address went, the device's last one: what was sent from it, or by the device, is routed no more. */
void ip_route_addr_gone(struct ip_net *n, int ifindex, const struct in6_addr *addr, bool last);
void ip_route_changed(struct ip_net *n);
int ip_route_del_exact(struct ip_net *n, const struct ip_rt_entry *e);

/* ---- pmtu.c ---- */
void ip_pmtu_init(struct ip_net *n);
void ip_pmtu_fini(struct ip_net *n);
unsigned ip_pmtu_get(struct ip_net *n, const struct in6_addr *dst); /* 0: nothing known */
/* An ICMP error says so; sent: how long the packet was. True if anything changed. */
bool ip_pmtu_update(struct ip_net *n, const struct in6_addr *dst, unsigned mtu, unsigned sent);

/* ---- ip4_out.c, ip6_out.c ---- */
int ip4_output(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, struct ip_route *r);
int ip6_output(struct ip_net *n, struct pbuf *p, const struct ip_flow *f, struct ip_route *r);
int ip_link_output(struct pbuf *p, struct ip_route *r, const struct in6_addr *dst); /* p->data at the IP header */
void ip4_hdr_csum(struct ip4_hdr *h);
int ip4_fragment(struct ip_net *n, struct pbuf *p, const struct in6_addr *dst, struct ip_route *r);
void ip_count_out(struct ip_net *n, const struct pbuf *p, const struct ip_route *r, bool v6);
void ip_count_in(struct ip_net *n, const struct pbuf *p, const struct ip_info *i);
int ip_gso_fits(const struct pbuf *p, uint8_t proto, unsigned hlen, unsigned mtu); /* 0 or -EMSGSIZE */
void ip_loop_copy(struct ip_net *n, const struct pbuf *p, struct netdev *d);       /* at the IP header */
void ip_loop_init(struct ip_net *n);
void ip_loop_fini(struct ip_net *n);
void ip_loop_dev_gone(struct ip_net *n, struct netdev *d);
uint32_t ip_next_id(struct ip_net *n, const struct in6_addr *src, const struct in6_addr *dst, uint8_t proto);
/* A packet of the stack's own: route, then ip_output(). Takes p over. */
int ip_send(struct ip_net *n, struct pbuf *p, const struct ip_flow *f);

/* ---- ip_forward.c ---- */
void ip_forward(struct ip_net *n, struct pbuf *p, const struct in6_addr *src, const struct in6_addr *dst);

/* ---- ip_frag.c ---- */
struct frag_piece {
  struct in6_addr src, dst;
  uint32_t id;
  uint8_t proto; /* IPv6: 0 */
  uint32_t off;
  bool more;
  uint8_t ecn;
  uint8_t next; /* what follows: the first fragment's counts */
};
void ip_frag_init(struct ip_net *n);
void ip_frag_fini(struct ip_net *n);
void ip_frag_dev_gone(struct ip_net *n, struct netdev *d);
/* Takes p over: its data is at the fragment's payload, p->net at the IP header. When the datagram is complete, a packet
 * with the first fragment's headers before p->data; NULL otherwise. */
struct pbuf *ip_frag_add(struct ip_net *n, struct pbuf *p, const struct frag_piece *f, uint8_t *next, uint8_t *ecn);

/* ---- icmp.c, icmp4.c, icmp6.c ---- */
/* Errors about p (p->net is its IP header, p->data anywhere behind). Stays the caller's. arg: the second word. */
void icmp4_send(struct ip_net *n, const struct pbuf *p, uint8_t type, uint8_t code, uint32_t arg);
void icmp6_send(struct ip_net *n, const struct pbuf *p, uint8_t type, uint8_t code, uint32_t arg);
bool icmp_allowed(struct ip_net *n, int v, uint8_t type, const struct in6_addr *to);
/* What an error quotes, from its transport header, to whom it concerns. */
void icmp_deliver_error(struct ip_net *n, uint8_t proto, const struct ip_error *e, const uint8_t *quoted, uint32_t len);
void ip_deliver(struct ip_net *n, struct pbuf *p, const struct ip_info *i, bool final);

/* ---- neigh.c, arp.c, ndp.c ---- */
void neigh_init(struct ip_net *n);
void neigh_fini(struct ip_net *n);
void neigh_dev_gone(struct ip_net *n, struct netdev *d);
#define NEIGH_SOLICITED 1u /* an answer to a question of ours */
#define NEIGH_OVERRIDE 2u
#define NEIGH_CREATE 4u
/* The link told that `ip` is at lladdr (NULL: not said). */
void neigh_heard(struct netdev *d, const struct in6_addr *ip, const uint8_t *lladdr, unsigned flags);
/* p: the packet that waits for the answer, or NULL: its source is who asks. */
void arp_solicit(struct netdev *d, const struct in6_addr *target, const uint8_t *unicast, const struct pbuf *p);
void arp_announce(struct netdev *d, uint32_t addr);
void ndp_solicit(struct netdev *d, const struct in6_addr *target, const struct in6_addr *src, const uint8_t *unicast);
void ndp_input(struct ip_net *n, struct pbuf *p, const struct ip_info *i); /* checksum is verified; takes p over */
void ndp_dad_start(struct ip_dev *i, struct ip_addr_node *a);
int64_t ndp_dad_tick(struct ip_dev *i, int64_t now);
struct in6_addr ip6_solicited_node(const struct in6_addr *a);

/* ---- ip_group.c, igmp.c, mld.c ---- */
void ip_group_flush(struct ip_dev *i);
void ip_group_up(struct ip_dev *i);
int64_t ip_group_tick(struct ip_dev *i, int64_t now);
enum group_report { GROUP_IS = 2, GROUP_LEAVE = 3, GROUP_JOIN = 4 }; /* record types of IGMPv3 and MLDv2 */
void igmp_report(struct ip_dev *i, const struct in6_addr *g, enum group_report what);
void mld_report(struct ip_dev *i, const struct in6_addr *g, enum group_report what);
void mld_input(struct ip_net *n, struct pbuf *p, const struct ip_info *i); /* takes p over */
/* Answer a query for g (any: all groups) within max ms. */
void ip_group_query(struct ip_dev *i, const struct in6_addr *g, bool v6, unsigned max_ms);
unsigned ip_random(unsigned below);
