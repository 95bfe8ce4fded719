/*
 * Sockets of AF_INET and AF_INET6 over the Internet layer (net/ip.h) and the TCP engine (net/tcp/tcp.h): ip(7),
 * ipv6(7), tcp(7), udp(7), raw(7), icmp(7).
 *
 * Both families share one kind of socket: addresses are struct in6_addr with IPv4 mapped, ports in host order. A
 * dual-stack socket is bound to :: and sees IPv4 peers mapped. The wildcard of a bound IPv4 socket is ::ffff:0.0.0.0,
 * that of an IPv6 socket ::.
 *
 * Ownership: an inet_sock is its socket's (socket.priv) until release(). What arrives for it is looked up in the tables
 * of its namespace's struct inet_net, borrowed; nothing in the data path parks. The namespace reference is counted.
 */
#pragma once
#include "../../core/loop.h"
#include "../ip.h"
#include "../socket.h"
#include "../stack.h"
#include "../tcp/tcp.h"
#include <linux/errqueue.h>

struct inet_sock;
struct inet_net;

/* ---- what a protocol is: one line in inet.c's table ---- */
struct inet_proto {
  int type, protocol; /* SOCK_*, IPPROTO_*; protocol 0: any (raw) */
  int cap;            /* CAP_NET_RAW over the namespace's owner, or -1 */
  const struct socket_ops *ops;
  int (*init)(struct inet_sock *is); /* may set is->priv; -errno fails socket(2). NULL: nothing to do */
};
extern const struct inet_proto inet_proto_tcp, inet_proto_udp, inet_proto_udplite, inet_proto_raw, inet_proto_ping4,
    inet_proto_ping6;

/* ---- options of ip(7) and ipv6(7): net/inet/inet_opt.c ---- */
struct inet_opts {
  int tos, tclass;     /* tclass -1: the default */
  int ttl, hoplimit;   /* -1: the default */
  int mc_ttl, mc_hops; /* multicast */
  int mc_ifindex[2];   /* by version: 0 IPv4 */
  struct in_addr mc_addr;
  bool mc_loop[2], mc_all[2];
  uint8_t pmtudisc[2];
  bool v6only, freebind, transparent, hdrincl, nodefrag, recverr[2], router_alert, bind_no_port, autoflowlabel, sndflow;
  int min_ttl, min_hops;
  uint32_t recv;       /* INET_RECV_*: control messages wanted */
  uint8_t *ip_options; /* IP_OPTIONS, owned */
  uint8_t ip_options_len;
  int port_range_lo, port_range_hi; /* IP_LOCAL_PORT_RANGE; 0: the namespace's */
  int csum_offset;                  /* IPV6_CHECKSUM, raw sockets; -1: none */
  uint32_t icmp6_filter[8], icmp_filter;
  int unicast_if[2]; /* IP_UNICAST_IF, IPV6_UNICAST_IF */
  bool rfc4884[2], dontfrag, ra_isolate, ra_value;
  int frag_size;              /* IPV6_MTU; 0: the path's */
  int addr_prefs;             /* IPV6_ADDR_PREFERENCES, as getsockopt(2) shows them */
  struct in6_addr sticky_src; /* IPV6_PKTINFO */
  int sticky_if;
  struct inet_ext { /* sticky extension headers of RFC 3542, owned; NULL: none */
    uint8_t *data;
    uint16_t len;
  } ext[4]; /* in the order in which they are sent: INET_EXT_* */
};
enum { INET_EXT_HOP, INET_EXT_RTHDRDST, INET_EXT_RTHDR, INET_EXT_DST };
#define INET_RECV_PKTINFO 1u
#define INET_RECV_PKTINFO6 2u
#define INET_RECV_TTL 4u
#define INET_RECV_HOPLIMIT 8u
#define INET_RECV_TOS 16u
#define INET_RECV_TCLASS 32u
#define INET_RECV_OPTS 64u
#define INET_RECV_RETOPTS 128u
#define INET_RECV_ORIGDSTADDR 256u
#define INET_RECV_ORIGDSTADDR6 512u
#define INET_RECV_FLOWLABEL 1024u
#define INET_RECV_FRAGSIZE 2048u
#define INET_RECV_CHECKSUM 4096u
#define INET_RECV_EXTHDRS 8192u /* IPV6_RECVHOPOPTS; the others have bits of their own */
#define INET_RECV_RTHDR 0x4000u
#define INET_RECV_DSTOPTS 0x8000u
#define INET_RECV_PATHMTU 0x10000u
#define INET_RECV_PASSSEC 0x20000u
#define INET_RECV_2292PKTINFO 0x40000u
#define INET_RECV_2292HOPLIMIT 0x80000u
#define INET_RECV_2292RTHDR 0x100000u
#define INET_RECV_2292HOPOPTS 0x200000u
#define INET_RECV_2292DSTOPTS 0x400000u

/* ---- the socket ---- */
struct inet_port;   /* inet_port.c: a hold on a local port: of a socket and of the connections that are left of it */
struct inet_member; /* inet_mcast.c: a multicast membership */
struct inet_err;    /* inet_err.c: an entry of the error queue */
struct inet_sock {
  struct socket *sock;      /* borrowed; it outlives this */
  struct net_namespace *ns; /* counted */
  struct inet_net *net;     /* borrowed from ns */
  const struct inet_proto *proto;
  void *priv;                   /* the protocol's: struct tcp_sock *, struct dgram_sock * */
  struct in6_addr laddr, raddr; /* as getsockname() and getpeername() show them, mapped */
  uint16_t lport, rport;
  bool bound_addr, bound_port, connected; /* bind(2) named an address, a port; the peer is set */
  bool shut_rd, shut_wr;
  int bound_dev; /* SO_BINDTODEVICE, or the scope of a link-local address: an ifindex; 0 any */
  uint32_t kuid; /* of the creator: ports are shared among one user's sockets only */
  struct inet_opts opt;
  struct inet_port *port;          /* counted; NULL: none */
  LIST_ENTRY(inet_sock) hash_link; /* the protocol's own table */
  LIST_ENTRY(inet_sock) all_link;  /* inet_net.all */
  bool listed;                     /* there; false once the namespace's half is gone */
  struct ip_route route;           /* a cache for a connected socket's flow */
  LIST_HEAD(, inet_member) members;
  STAILQ_HEAD(, inet_err) errq;
  unsigned nerr;
};
static inline struct inet_sock *inet_of(const struct socket *s) {
  return s->priv;
}

/* net.ipv4.ip_local_port_range and relatives; TCP's own are in tcp_settings(). Free to change at any time. */
struct inet_sysctl {
  int port_lo, port_hi, unprivileged_port_start;
  bool nonlocal_bind[2], bindv6only;
  uint32_t ping_group_lo, ping_group_hi; /* kgids; lo > hi: nobody */
  int udp_rmem_min, udp_wmem_min, igmp_max_memberships;
  int rmem_default, rmem_max, wmem_default, wmem_max, optmem_max; /* net.core */
  uint32_t *reserved; /* net.ipv4.ip_local_reserved_ports: a bit for each port; owned, NULL: none */
};
static inline bool inet_port_reserved(const struct inet_sysctl *s, unsigned port) {
  return s->reserved && s->reserved[port / 32] >> port % 32 & 1;
}
enum inet_table { INET_TCP, INET_UDP, INET_UDPLITE, INET_PING, INET_TABLES };
#define INET_HASH 1024 /* chains of a table; keyed with the namespace's secret */
struct udp_mib {
  uint64_t in_datagrams, no_ports, in_errors, out_datagrams, rcvbuf_errors, sndbuf_errors, in_csum_errors,
      ignored_multi;
};
LIST_HEAD(inet_sock_list, inet_sock);
/* A namespace's half: net_stack.sub[NET_INET]. */
struct inet_net {
  struct net_namespace *ns; /* borrowed */
  struct inet_sysctl sysctl;
  struct inet_ports *ports[INET_TABLES]; /* inet_port.c */
  struct tcp_stack *tcp;                 /* tcp_env.c */
  struct timer tcp_timer;
  struct net_deferred tcp_rx, tcp_late;
  struct inet_sock_list udp[INET_HASH], raw, ping, tcp_socks; /* by hash_link */
  struct inet_sock_list all;                                  /* by all_link: bound or not */
  struct udp_mib udp_mib[2][2];                               /* [UDP, UDP-Lite][by version] */
  uint64_t raw_drops;
};
static inline struct inet_net *inet_net_of(const struct net_namespace *ns) {
  return net_stack_of(ns) ? net_stack_of(ns)->sub[NET_INET] : NULL;
}

/* ---- inet.c ---- */
/* For accept(2) and socket(2): sets s->priv and s->ops; its options are still to be begun. NULL: no memory. */
struct inet_sock *inet_sock_new(struct socket *s, struct net_namespace *ns, const struct inet_proto *proto);
/* bind(2) and connect(2) of datagram sockets use these too; TCP has its own connect. Neither parks. */
int inet_bind(struct socket *s, const struct sockaddr *a, socklen_t len);
int inet_autobind(struct inet_sock *is); /* an ephemeral port if it has none. 0, -EAGAIN (none is free) */
int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, socklen_t *len);
void inet_release(struct inet_sock *is); /* the common part: port, memberships, error queue, namespace; frees it */
long inet_ioctl(struct socket *s, unsigned cmd, uint64_t arg); /* what all have: SIOCGSTAMP, then netdevice(7) */
/* Each AF_INET and AF_INET6 socket of a namespace and table, for /proc/net and sock_diag; TCP: tcp_each(). */
int inet_each(struct inet_net *n, enum inet_table t, bool (*fn)(void *arg, struct inet_sock *is), void *arg);

/* ---- inet_addr.c: sockaddrs ---- */
/* Decode a sockaddr for this socket. 0; -EINVAL (too short, or a scope that is missing or contradicts bound_dev),
 * -EAFNOSUPPORT, -ENETUNREACH (mapped on a v6only socket). *scope: sin6_scope_id of a link-local address, or 0. */
int inet_addr_get(const struct inet_sock *is, const void *name, socklen_t len, struct in6_addr *a, uint16_t *port,
                  int *scope);
/* And back, in the socket's family: the full length. */
socklen_t inet_addr_put(const struct inet_sock *is, const struct in6_addr *a, uint16_t port, int scope, void *out);
/* The flow that a packet of this socket begins with: options, mark, device; v4 says whose options count. */
void inet_flow(const struct inet_sock *is, const struct in6_addr *dst, uint8_t proto, struct ip_flow *f);
struct in6_addr inet_any(const struct inet_sock *is); /* the family's wildcard */
bool inet_may(const struct inet_sock *is, int cap);   /* ns_capable(current, the network namespace's owner) */

/* ---- inet_port.c ---- */
/* Take a local port: 0 picks an ephemeral one. -EADDRINUSE by the rules of SO_REUSEADDR and SO_REUSEPORT, -EACCES
 * (privileged), -ENOMEM. Sets is->lport, is->port. `table` is of the protocol. */
int inet_port_bind(struct inet_sock *is, enum inet_table t, const struct in6_addr *a, uint16_t port);
/* For connect(2) of a TCP socket without a port: one that other connections may have too, as long as no two have the
 * same four names. -EADDRNOTAVAIL: all are taken. */
int inet_port_connect(struct inet_sock *is, const struct in6_addr *laddr, const struct in6_addr *raddr, uint16_t rport);
/* May it listen there? Another listener's SO_REUSEADDR does not count. 0, -EADDRINUSE; then the port is marked so. */
int inet_port_listen(struct inet_sock *is);
void inet_port_unlisten(struct inet_sock *is);
struct inet_port *inet_port_hold(struct inet_port *p); /* what a TCP connection without a socket keeps */
void inet_port_drop(struct inet_port *p);
void inet_port_release(struct inet_sock *is);
void inet_ports_free(struct inet_ports *ps);
/* Would binding a to b's port be refused: do the addresses meet? v6only counts for :: */
bool inet_addrs_meet(const struct in6_addr *a, bool a_v6only, const struct in6_addr *b, bool b_v6only);

/* ---- inet_opt.c: SOL_SOCKET's that need the network, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_RAW, IPPROTO_ICMPV6 ----
 * -ENOPROTOOPT is passed on to the generic options. TCP's and UDP's own levels are in their files. */
int inet_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len);
int inet_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len);
void inet_opts_init(struct inet_sock *is);
void inet_opts_fini(struct inet_sock *is);
/* The path MTU to the peer of a connected socket, or -ENOTCONN. IP_MTU, IPV6_MTU, IPV6_PATHMTU. */
int inet_path_mtu(struct inet_sock *is);
unsigned inet_route_mtu(const struct ip_route *r, bool v4); /* as Linux tells it */
/* An option's integer as Linux decodes it: 4 bytes, or (bytes true) one; 0 if there is none. */
int inet_opt_int(const void *val, socklen_t len, bool bytes);
void inet_opt_give(void *val, socklen_t *len, const void *src, size_t n); /* cut to the room; *len what was given */
int inet_opt4_set(struct inet_sock *is, int opt, const void *val, socklen_t len); /* inet_opt4.c */
int inet_opt4_get(struct inet_sock *is, int opt, void *val, socklen_t *len);
int inet_opt6_set(struct inet_sock *is, int opt, const void *val, socklen_t len); /* inet_opt6.c */
int inet_opt6_get(struct inet_sock *is, int opt, void *val, socklen_t *len);
/* Options that are one number: what both versions' tables are made of. */
struct inet_optdef {
  int opt;
  uint8_t kind;  /* INET_OPT_* */
  uint8_t flags; /* INET_OPTF_* */
  int16_t lo, hi;
  uint32_t at; /* offset in struct inet_opts, or the bit */
};
enum { INET_OPT_BIT, INET_OPT_BOOL, INET_OPT_U8, INET_OPT_INT };
#define INET_OPTF_SIZED 1u    /* -EINVAL without a value: one byte for IPv4, four for IPv6 */
#define INET_OPTF_RAW 2u      /* raw sockets only: -ENOPROTOOPT */
#define INET_OPTF_NOSTREAM 4u /* -EINVAL for streams */
#define INET_OPTF_RANGE 8u    /* lo to hi, else -EINVAL */
#define INET_OPTF_CAP 16u     /* CAP_NET_RAW or CAP_NET_ADMIN to switch it on */
#define INET_OPTF_ROUTE 32u   /* routes are looked up again */
int inet_optdef_set(struct inet_sock *is, const struct inet_optdef *d, int v, bool sized);
int inet_optdef_get(const struct inet_sock *is, const struct inet_optdef *d);

/* ---- inet_cmsg.c ---- */
/* What one datagram is sent with: begun by inet_tx_init() from the socket's options, changed by control messages. */
struct inet_tx {
  struct ip_flow f;
  uint8_t proto; /* IP_PROTOCOL; 0: the socket's */
  bool dontfrag;
  uint16_t gso;           /* UDP_SEGMENT */
  struct inet_ext ext[4]; /* borrowed: the socket's, or the control messages' */
  uint8_t buf[248];       /* what f.options points to, if anything */
};
/* A control message of a send changes tx: IP_PKTINFO, IP_TTL, IP_TOS, IPV6_*, UDP_SEGMENT. 0, -EINVAL, -EPERM, -ENODEV.
 */
int inet_cmsg_send(const struct inet_sock *is, const struct msg_k *m, struct inet_tx *tx);
/* Chain the extension headers into tx->buf, the last one announcing tx->f.proto. -EINVAL: too long. */
int inet_tx_ext(struct inet_tx *tx);
/* Checked IPv4 options into buf (40 bytes), padded; f->options names them. -EINVAL. inet_opt4.c */
int inet_ip_options(const struct inet_sock *is, const void *val, size_t len, uint8_t *buf, struct ip_flow *f);
/* What came with a packet, in the order of Linux; for what the socket asked for. */
struct inet_meta {
  struct ip_info i; /* i.dev may be NULL by now */
  int ifindex;
  uint16_t sport, dport;
  int64_t stamp;  /* CLOCK_REALTIME ns */
  uint32_t drops; /* SO_RXQ_OVFL */
  uint16_t gro_size;
  const struct pbuf *p; /* p->net is the IP header: options, flow label; NULL: not known */
};
void inet_cmsg_recv(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta);
/* Its parts: SOL_SOCKET's (every family's), and those of ip(7) and ipv6(7). */
void inet_cmsg_sock(const struct socket *s, struct msg_k *m, int64_t stamp, uint32_t drops, uint32_t mark);
void inet_cmsg_ip(const struct inet_sock *is, struct msg_k *m, const struct inet_meta *meta);
bool inet_wants_stamp(const struct inet_sock *is);
/* MSG_CTRUNC if there is no room. */
void cmsg_append(struct msg_k *m, int level, int type, const void *data, size_t len);

/* ---- inet_err.c: IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE ---- */
/* An ICMP error about this socket's packet: queued if asked for, s->err set by the rules of ip(7). `quoted`: the
 * payload that the error quotes. */
void inet_err_queue(struct inet_sock *is, const struct ip_error *e, uint16_t dport, const uint8_t *payload,
                    uint32_t len);
/* The same for an error of our own making, if the socket wants to hear of such: EMSGSIZE with the MTU in info. */
void inet_err_local(struct inet_sock *is, int err, const struct in6_addr *dst, uint16_t dport, uint32_t info);
ssize_t inet_err_recv(struct inet_sock *is, struct msg_k *m); /* -EAGAIN: the queue is empty */
void inet_err_flush(struct inet_sock *is);

/* ---- inet_mcast.c ---- */
int inet_mcast_setsockopt(struct inet_sock *is, int level, int opt, const void *val, socklen_t len); /* -ENOPROTOOPT */
int inet_mcast_getsockopt(struct inet_sock *is, int level, int opt, void *val, socklen_t *len);
bool inet_mcast_wants(const struct inet_sock *is, const struct ip_info *i); /* membership and source filters */
void inet_mcast_flush(struct inet_sock *is);
void inet_mcast_dev_gone(struct inet_sock *is, int ifindex);
struct netdev *inet_dev_of_addr(struct net_namespace *ns, uint32_t be); /* whose IPv4 address this is; borrowed */

/* ---- tcp_env.c: begin and end in a namespace ---- */
int inet_tcp_init(struct inet_net *n);
void inet_tcp_fini(struct inet_net *n);
