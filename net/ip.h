/*
 * The Internet layer, both versions behind one interface: addresses, routes, sending, and what transports register.
 *
 * An address is always 16 bytes; IPv4 ones are mapped (::ffff:a.b.c.d), so that one table of sockets serves both and a
 * dual-stack socket needs no second look. Ports and lengths are in host order, addresses in network order.
 */
#pragma once
#include "netdev.h"
#include <netinet/in.h>

struct net_namespace;

static inline bool ip_is4(const struct in6_addr *a) {
  return IN6_IS_ADDR_V4MAPPED(a);
}
static inline uint32_t ip_get4(const struct in6_addr *a) {
  return a->s6_addr32[3];
}
static inline struct in6_addr ip_from4(uint32_t be) {
  struct in6_addr a = {0};
  a.s6_addr32[2] = htonl(0xffff);
  a.s6_addr32[3] = be;
  return a;
}
bool ip_is_any(const struct in6_addr *a); /* 0.0.0.0 or :: */
bool ip_is_multicast(const struct in6_addr *a);
bool ip_is_loopback(const struct in6_addr *a);
bool ip_is_linklocal(const struct in6_addr *a); /* 169.254/16, fe80::/10 */
static inline bool ip_same(const struct in6_addr *a, const struct in6_addr *b) {
  return IN6_ARE_ADDR_EQUAL(a, b);
}

/* What a packet is to be sent with; a socket keeps one. */
struct ip_flow {
  struct in6_addr src, dst; /* src any: chosen by the route */
  uint8_t proto, tos;       /* tos: the whole octet (traffic class) */
  int16_t ttl;              /* -1: the default */
  int oif;                  /* SO_BINDTODEVICE, IP_PKTINFO, sin6_scope_id; 0: any */
  uint32_t mark, flow_label;
  uint8_t pmtudisc; /* IP_PMTUDISC_* */
  bool hdrincl, broadcast_ok, multicast_loop, freebind;
  const uint8_t *options; /* IPv4 options or IPv6 extension headers to put in, or NULL */
  uint8_t options_len;
  uint8_t options_proto; /* IPv6: what the first extension header is; the last one's next header is proto already */
};

/* Where it goes. Good until ns->route_gen changes; ask again then. */
struct ip_route {
  struct netdev *dev;           /* borrowed */
  struct in6_addr src, gateway; /* gateway: the neighbour to resolve (the destination itself if it is on the link) */
  unsigned mtu;                 /* path MTU: of the device, the route, or what ICMP told */
  uint16_t advmss;
  uint8_t type; /* RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST */
  uint32_t gen;
  struct neigh *neigh; /* borrowed, good while the namespace's neigh_gen is this one: no look-up for each packet */
  uint32_t neigh_gen;
};
/* 0; -ENETUNREACH, -EHOSTUNREACH, -EACCES (broadcast), -EINVAL or -ENETUNREACH (src cannot be one, is not ours),
 * -ENETDOWN. */
int ip_route_output(struct net_namespace *ns, const struct ip_flow *f, struct ip_route *r);
bool ip_is_local(struct net_namespace *ns, const struct in6_addr *a, int oif);
uint32_t ip_route_gen(struct net_namespace *ns); /* never 0: a zeroed struct ip_route is out of date */

/*
 * p->data is at the transport header, with its checksum complete or PARTIAL (csum_start then counts from p->data and is
 * adjusted on the way down). Adds the IP header, fragments if it must and may, resolves the neighbour, transmits. Takes
 * p over. 0, -EMSGSIZE (with the path MTU in r->mtu), -ENOBUFS, -EHOSTUNREACH.
 */
int ip_output(struct net_namespace *ns, struct pbuf *p, const struct ip_flow *f, struct ip_route *r);

/* What the receiving transport learns about a packet, beside p itself (p->data at the transport header). */
struct ip_info {
  struct in6_addr src, dst;
  uint8_t proto, tos, ttl;
  bool multicast, broadcast;
  struct netdev *dev; /* borrowed */
};
/* Why a packet of ours did not arrive: ICMP told, or our own stack. */
struct ip_error {
  struct in6_addr src, dst;    /* of the packet that failed */
  struct in6_addr offender;    /* who said so */
  uint8_t origin, type, code;  /* as in struct sock_extended_err */
  int err;                     /* positive errno */
  bool fatal;                  /* not soft: a connection attempt fails at once */
  unsigned mtu;                /* with EMSGSIZE */
  uint32_t info;               /* ee_info with other errors */
  const struct ip_info *outer; /* the ICMP message's own header; NULL: none told us. Borrowed for the call */
};
struct ip_proto {
  uint8_t proto;
  /* Takes p over. The checksum is this one's to verify, unless p->csum says that it is done. */
  void (*input)(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i);
  /* `quoted` holds what the error quotes of the packet, from its transport header: at least 8 bytes. */
  void (*error)(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len);
};
const struct ip_proto *ip_proto_find(uint8_t proto); /* the table is in ip.c: a protocol is one line there */
/* What ip.c's table names. Weak: a protocol that is not built in is answered with "protocol unreachable". */
extern const struct ip_proto ip_proto_tcp __attribute__((weak)), ip_proto_udp __attribute__((weak)),
    ip_proto_udplite __attribute__((weak));
extern const struct ip_proto ip_proto_icmp, ip_proto_icmp6, ip_proto_igmp;
/*
 * Hooks of the socket layer, weak too. Raw sockets get copies of whatever was for us (p->data at the transport header,
 * p->net at the IP header; p stays the caller's): true if one took it, so that no "protocol unreachable" is sent. Ping
 * sockets get echo replies (p taken over) and errors about the requests.
 */
bool ip_raw_deliver(struct net_namespace *ns, const struct pbuf *p, const struct ip_info *i) __attribute__((weak));
void ip_raw_error(struct net_namespace *ns, uint8_t proto, const struct ip_error *e, const uint8_t *quoted,
                  uint32_t len) __attribute__((weak));
void ip_ping_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) __attribute__((weak));
void ip_ping_error(struct net_namespace *ns, const struct ip_error *e, const uint8_t *quoted, uint32_t len)
    __attribute__((weak));

/* The pseudo header's sum, RFC 9293 3.1, RFC 8200 8.1: not folded. */
uint32_t ip_pseudo_sum(const struct in6_addr *src, const struct in6_addr *dst, uint8_t proto, uint32_t len);

/* Errors that transports ask for: port unreachable. Rate limited. p is the offending packet, p->net its IP header; it
 * stays the caller's. */
void icmp_send_unreachable(struct net_namespace *ns, const struct pbuf *p, const struct ip_info *i, uint8_t code);

/* ---- addresses and multicast groups of a device: rtnetlink, ioctl, the launcher's set-up and setsockopt use them ----
 */
struct ip_ifaddr {
  struct in6_addr addr, local_peer, broadcast, anycast;
  uint8_t prefix, scope;
  uint32_t flags;                    /* IFA_F_* */
  uint32_t valid_lft, preferred_lft; /* s, 0xffffffff for ever */
  int64_t made, changed;             /* loop_now() */
  char label[IFNAMSIZ];
};
int ip_addr_add(struct netdev *d, const struct ip_ifaddr *a); /* -EEXIST, -EINVAL; adds its local and prefix routes */
int ip_addr_del(struct netdev *d, const struct ip_ifaddr *a); /* -EADDRNOTAVAIL */
int ip_addr_each(struct netdev *d, bool (*fn)(void *arg, struct netdev *d, const struct ip_ifaddr *a), void *arg);
int ip_group_join(struct netdev *d, const struct in6_addr *g); /* counted per device; IGMP and MLD tell the link */
int ip_group_leave(struct netdev *d, const struct in6_addr *g);
bool ip_group_member(struct netdev *d, const struct in6_addr *g);

/* ---- routes ---- */
struct ip_rt_entry {
  struct in6_addr dst; /* mapped for IPv4; prefix counts from the family's own first bit */
  uint8_t prefix, family, type, scope, protocol, tos;
  uint32_t table, metric, mtu, advmss, flags;
  struct in6_addr gateway, prefsrc;
  int oif;
};
int ip_route_add(struct net_namespace *ns, const struct ip_rt_entry *e, unsigned nlm_flags); /* NLM_F_* */
int ip_route_del(struct net_namespace *ns, const struct ip_rt_entry *e);
int ip_route_each(struct net_namespace *ns, int family, bool (*fn)(void *arg, const struct ip_rt_entry *e), void *arg);
int ip_route_lookup(struct net_namespace *ns, const struct ip_flow *f, struct ip_rt_entry *e); /* RTM_GETROUTE */

/* Changes, for rtnetlink's multicast groups. Weak: netlink has them. */
void ip_event_addr(struct netdev *d, const struct ip_ifaddr *a, bool added) __attribute__((weak));
void ip_event_route(struct net_namespace *ns, const struct ip_rt_entry *e, bool added) __attribute__((weak));
struct neigh_entry;
void ip_event_neigh(const struct neigh_entry *e, bool gone) __attribute__((weak)); /* another state, or the end */

/* ---- neighbours: net/neigh.c with arp.c and ndp.c behind it ---- */
struct neigh;
/* Send p to the link-layer address of `to` on d; queues it while that is being resolved. Takes p over. */
int neigh_output(struct netdev *d, const struct in6_addr *to, struct pbuf *p);
/* The same to r->gateway on r->dev, which remembers the neighbour. */
int neigh_output_route(struct ip_route *r, struct pbuf *p);
/* The upper layer saw an answer from there (RFC 4861 7.3.1). */
void neigh_confirm(struct netdev *d, const struct in6_addr *to);

/* What RTM_GETNEIGH shows and RTM_NEWNEIGH sets. */
struct neigh_entry {
  struct in6_addr ip;
  struct netdev *dev; /* borrowed */
  uint8_t lladdr[8];
  uint16_t state; /* NUD_* */
  uint8_t flags;  /* NTF_* */
  unsigned probes;
  int64_t confirmed, used, updated; /* loop_now() */
};
int neigh_each(struct net_namespace *ns, int family, bool (*fn)(void *arg, const struct neigh_entry *e), void *arg);
int neigh_set(const struct neigh_entry *e, unsigned nlm_flags); /* -EEXIST, -ENOENT, -EINVAL, -ENOBUFS */
int neigh_del(struct netdev *d, const struct in6_addr *ip);     /* -ENOENT */

/* Packets that came in, data at the IP (or ARP) header: net/ether.c's table names them. Take p over. */
void ip4_rx(struct netdev *d, struct pbuf *p);
void ip6_rx(struct netdev *d, struct pbuf *p);
void arp_rx(struct netdev *d, struct pbuf *p);
