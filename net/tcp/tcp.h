/*
 * The TCP engine (RFC 9293): everything of TCP but sockets and devices, which it knows through function pointers only.
 * One tcp_stack serves one network namespace. No call parks, none is re-entrant from within an output() or event().
 *
 * Ownership: a tcp_conn made by tcp_open() or tcp_accept() is its user's until tcp_close() or tcp_abort(); what remains
 * to be done then (data, FIN, TIME-WAIT), the engine does on its own. A uio of guest memory has to be settled
 * (uio_settle()): segments that arrive while a copy is parked would free what it copies from or to. Addresses are
 * struct in6_addr with IPv4 mapped, ports and lengths are in host order, times in ns of env->now().
 */
#pragma once
#include "../ip.h"
#include "../pbuf.h"
#include <netinet/tcp.h>

struct tcp_conn;
struct tcp_stack;
struct uio;

/* What the route says about a destination. */
struct tcp_path {
  struct in6_addr src; /* the address to send from, if the flow has none */
  unsigned mtu;
  unsigned advmss; /* 0: from the MTU */
};
struct tcp_env {
  int64_t (*now)(void *ctx);
  void (*random)(void *ctx, void *buf, size_t n); /* good for secrets */
  /* Send a segment: p->data at the TCP header, PB_CSUM_PARTIAL, gso set if it is to be cut. Takes p over. `route` is a
   * cache of the connection's own (zeroed at first), or NULL. 0 or -errno: -EMSGSIZE leads to another route query. */
  int (*output)(void *ctx, struct pbuf *p, const struct ip_flow *f, struct ip_route *route);
  int (*route)(void *ctx, const struct ip_flow *f, struct tcp_path *out); /* 0, -ENETUNREACH, … */
  void (*arm)(void *ctx, int64_t at); /* call tcp_run_timers() at that time, not later; INT64_MAX: never */
  /* Local ports, optional (all NULL): whoever holds the port of a connection, a listener's child or TIME-WAIT. */
  void *(*port_get)(void *port);
  void (*port_put)(void *port);
  /* A segment found no connection and no listener: false lets the engine answer with RST. Optional. */
  bool (*no_owner)(void *ctx, const struct pbuf *p, const struct ip_info *i);
  /* Call tcp_push_late() soon, before frames leave: less than a segment of new data waits for what the user may add to
   * it at once. Optional. */
  void (*push_late)(void *ctx);
};

/* net.ipv4.tcp_*: times in the sysctl's own units (s, except min_tso). A namespace's values, free to change any time.
 */
struct tcp_settings {
  int syn_retries, synack_retries, retries1, retries2, orphan_retries;
  int keepalive_time, keepalive_intvl, keepalive_probes;
  int fin_timeout, max_syn_backlog, max_tw_buckets, max_orphans, somaxconn, abort_on_overflow;
  int syncookies; /* 0: never, 1: when the SYN queue is full, 2: always */
  int tw_reuse;   /* 0: no, 1: yes, 2: loopback only */
  int ecn;        /* 0: no, 1: ask and accept, 2: accept */
  int timestamps, sack, dsack, window_scaling, moderate_rcvbuf, slow_start_after_idle, rfc1337;
  int challenge_ack_limit; /* per second */
  int notsent_lowat;       /* -1: none */
  int min_snd_mss, base_mss;
  int early_retrans;    /* tail loss probes: 0 off */
  int rmem[3], wmem[3]; /* bytes: least, initial, most */
  long mem_max;         /* bytes of all queues of the stack: tcp_mem[2] */
  char congestion[16];  /* "cubic", "reno" */
};

/* ---- the stack ---- */
struct tcp_stack *tcp_stack_new(const struct tcp_env *env, void *ctx); /* NULL: no memory */
void tcp_stack_free(struct tcp_stack *s); /* users have closed theirs; the rest is dropped without a word */
struct tcp_settings *tcp_settings(struct tcp_stack *s);
void tcp_input(struct tcp_stack *s, struct pbuf *p,
               const struct ip_info *i); /* p->data at the TCP header; taken over */
/* As struct ip_proto.error; the IP layer has updated its path MTU. */
void tcp_error(struct tcp_stack *s, const struct ip_error *e, const uint8_t *quoted, uint32_t len);
void tcp_push_late(struct tcp_stack *s);
void tcp_rx_end(struct tcp_stack *s); /* after a batch of tcp_input(): owed acknowledgements leave */
void tcp_run_timers(struct tcp_stack *s);

/* ---- connections ---- */
#define TCP_EV_READ 1u  /* bytes or the end to read */
#define TCP_EV_WRITE 2u /* room in the send queue again */
#define TCP_EV_CONNECTED 4u
#define TCP_EV_ACCEPT 8u  /* a listener has a connection to accept */
#define TCP_EV_ERROR 16u  /* tcp_take_error() has something */
#define TCP_EV_HUP 32u    /* the connection is over in both directions */
#define TCP_EV_PRI 64u    /* urgent data: SIGURG, POLLPRI */
#define TCP_EV_RDHUP 128u /* the peer's FIN */
struct tcp_user_ops {
  /* Something happened. May call any query, and tcp_close(). */
  void (*event)(void *user, struct tcp_conn *c, unsigned events);
  /* A segment for it, p->data at the TCP header; a listener is asked for those that nobody has accepted yet. How many
   * bytes of it are wanted: 0 drops it. NULL: all. */
  uint32_t (*filter)(void *user, const struct pbuf *p);
};

struct tcp_conn *tcp_open(struct tcp_stack *s, const struct tcp_user_ops *ops, void *user); /* NULL: no memory */
/* The SYN leaves; TCP_EV_CONNECTED or TCP_EV_ERROR follows. f->src may be any: the route's. `port` is handed to
 * port_get(). -EADDRNOTAVAIL: the four names are in use; -EISCONN, -EALREADY, -EINVAL (listening); the route's errors.
 */
int tcp_connect(struct tcp_conn *c, const struct ip_flow *f, uint16_t lport, uint16_t rport, void *port);
/* f->src (may be any) and lport are the local name, f->oif the device. Again: only the backlog changes. v6only: does
 * not take IPv4. A listener without v6only on :: takes both. */
int tcp_listen(struct tcp_conn *c, const struct ip_flow *f, uint16_t lport, int backlog, bool v6only, bool reuseport,
               void *port);
struct tcp_conn *tcp_accept(struct tcp_conn *listener, const struct tcp_user_ops *ops, void *user); /* NULL: none */
/* linger: -1: send what there is, then FIN, in the background; 0: RST. To linger, shut down and wait first. */
void tcp_close(struct tcp_conn *c, int linger);
/* RST at once; the user, if it has one, is told err (positive) and keeps it. */
void tcp_abort(struct tcp_conn *c, int err);
int tcp_shutdown(struct tcp_conn *c, int how); /* SHUT_*; -ENOTCONN. A listener with SHUT_RD stops listening */
int tcp_disconnect(struct tcp_conn *c);        /* connect(AF_UNSPEC): RST if need be, then as fresh from tcp_open() */
/* A local name before connect() (bind), for getsockname(). */
void tcp_set_local(struct tcp_conn *c, const struct in6_addr *a, uint16_t port);
void tcp_names(const struct tcp_conn *c, struct in6_addr *laddr, uint16_t *lport, struct in6_addr *raddr,
               uint16_t *rport);
struct ip_flow *tcp_flow(struct tcp_conn *c); /* tos, ttl, mark, oif … may be changed in place; not the addresses */
void tcp_set_user(struct tcp_conn *c, const struct tcp_user_ops *ops, void *user);

/* flags: MSG_MORE, MSG_OOB. The bytes taken; -EAGAIN: no room (wait for TCP_EV_WRITE); -EPIPE, -ENOTCONN, -EFAULT, the
 * pending error. Bytes are copied out of u once. */
ssize_t tcp_send(struct tcp_conn *c, struct uio *u, int flags);
/* len bytes of a store, by reference: they must not change any more. For splice and sendfile. */
ssize_t tcp_send_store(struct tcp_conn *c, struct pstore *s, uint8_t *data, uint32_t len, int flags);
/* flags: MSG_PEEK, MSG_TRUNC (drop instead of copying). `skip` bytes are passed over (SO_PEEK_OFF), with MSG_PEEK only.
 * Bytes; 0 at the end; -EAGAIN: nothing yet; -ENOTCONN, the pending error. Stops at the urgent mark. */
ssize_t tcp_recv(struct tcp_conn *c, struct uio *u, int flags, uint32_t skip);
/* MSG_OOB: 1, -EINVAL: there is none (or it is inline), -EAGAIN: announced but not here yet. */
int tcp_recv_urg(struct tcp_conn *c, uint8_t *byte, int flags);
bool tcp_at_mark(const struct tcp_conn *c); /* SIOCATMARK */

/* ---- queries ---- */
int tcp_state(const struct tcp_conn *c); /* TCP_ESTABLISHED, … of <netinet/tcp.h> */
struct tcp_status {
  uint32_t readable;            /* bytes in order; a listener: connections to accept */
  uint32_t room;                /* bytes tcp_send() would take */
  bool writable;                /* POLLOUT by Linux's rule: a third of the buffer, and TCP_NOTSENT_LOWAT */
  bool rd_closed, wr_closed;    /* the peer's FIN or SHUT_RD; SHUT_WR */
  bool urgent;                  /* POLLPRI */
  int error;                    /* positive errno, left pending */
  uint32_t inq, outq, outq_nsd; /* SIOCINQ, SIOCOUTQ, SIOCOUTQNSD */
  int backlog;                  /* of a listener */
};
void tcp_status(const struct tcp_conn *c, struct tcp_status *st);
int tcp_take_error(struct tcp_conn *c);      /* SO_ERROR: positive errno, then 0 */
int tcp_take_soft_error(struct tcp_conn *c); /* what ICMP said that did not end it */
void tcp_get_info(const struct tcp_conn *c, struct tcp_info *ti);
/* TCP_INFO as of Linux 6.1, which libc's header knows the beginning of. */
struct tcp_info_all {
  struct tcp_info ti;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
  uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
  uint32_t delivered, delivered_ce;
  uint64_t bytes_sent, bytes_retrans;
  uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};
void tcp_get_info_all(const struct tcp_conn *c, struct tcp_info_all *ti);
/* TCP_SAVED_SYN: the headers that the connection began with, once. *len in: the room. -EINVAL: it is too small for
 * *len. */
int tcp_saved_syn(struct tcp_conn *c, void *to, uint32_t *len);
uint32_t tcp_timestamp(const struct tcp_conn *c); /* TCP_TIMESTAMP: what it would put into a segment now */
/* Everything of the stack, also what has no user any more: /proc/net/tcp, sock_diag. c is NULL for SYN queue entries
 * and TIME-WAIT. */
struct tcp_entry {
  struct tcp_conn *c;
  void *user;
  void *listener; /* of what was not accepted yet: the listener's user; else NULL */
  struct in6_addr laddr, raddr;
  uint16_t lport, rport;
  int state;
  uint32_t txq, rxq; /* listeners: backlog and accept queue */
  uint8_t timer;     /* 0 none, 1 retransmit, 2 keepalive, 3 TIME-WAIT, 4 zero window probe */
  int64_t timer_at;
  uint32_t retransmits, probes;
  int oif;
  uint32_t mark;
};
int tcp_each(struct tcp_stack *s, bool (*fn)(void *arg, const struct tcp_entry *e), void *arg);
/* Does anything other than TIME-WAIT, or anything, hold these four names? For the choice of ports. */
bool tcp_names_taken(struct tcp_stack *s, const struct in6_addr *laddr, uint16_t lport, const struct in6_addr *raddr,
                     uint16_t rport);

/* ---- options: integers as setsockopt() gives them; -EINVAL out of range, -ENOPROTOOPT ---- */
enum tcp_option {
  TCP_OPT_NODELAY,
  TCP_OPT_CORK,
  TCP_OPT_MAXSEG,
  TCP_OPT_KEEPALIVE, /* SO_KEEPALIVE */
  TCP_OPT_KEEPIDLE,  /* s */
  TCP_OPT_KEEPINTVL, /* s */
  TCP_OPT_KEEPCNT,
  TCP_OPT_SYNCNT,
  TCP_OPT_LINGER2,      /* s */
  TCP_OPT_DEFER_ACCEPT, /* s, rounded up to a time at which SYN-ACKs are sent again */
  TCP_OPT_WINDOW_CLAMP,
  TCP_OPT_QUICKACK,
  TCP_OPT_USER_TIMEOUT,  /* ms */
  TCP_OPT_NOTSENT_LOWAT, /* 0: the setting's, -1: none */
  TCP_OPT_OOBINLINE,     /* SO_OOBINLINE */
  TCP_OPT_SNDBUF,        /* bytes, as doubled; locks it against auto-tuning */
  TCP_OPT_RCVBUF,
  TCP_OPT_RCVLOWAT,
  TCP_OPT_SAVE_SYN, /* 1: headers from IP on, 2: the link's too */
};
int tcp_set_option(struct tcp_conn *c, enum tcp_option o, int v);
int tcp_get_option(const struct tcp_conn *c, enum tcp_option o, int *v);
int tcp_set_congestion(struct tcp_conn *c, const char *name); /* -ENOENT */
const char *tcp_congestion(const struct tcp_conn *c);
bool tcp_congestion_known(const char *name);

/* ---- counters of /proc/net/snmp (Tcp:) and netstat (TcpExt:) ---- */
struct tcp_stats {
  uint64_t active_opens, passive_opens, attempt_fails, estab_resets, curr_estab, in_segs, out_segs, retrans_segs,
      in_errs, out_rsts, in_csum_errs;
  uint64_t syncookies_sent, syncookies_recv, syncookies_failed, listen_overflows, listen_drops, tw, tw_recycled,
      paws_estab, delayed_acks, timeouts, loss_probes, fast_retrans, sack_recovery, reno_recovery, dsack_recv,
      dsack_sent, ofo_queue, ofo_drop, rcv_pruned, challenge_ack, abort_on_data, abort_on_close, abort_on_memory,
      abort_on_timeout, keepalive, undo, backlog_drop, orphans, mem;
};
const struct tcp_stats *tcp_stats(const struct tcp_stack *s);
