/* Inside the TCP engine: the connection's control block and what the files of net/tcp/ call of each other. */
#pragma once
#include "tcp.h"
#include <bsd/sys/tree.h>
#include <errno.h>
#include <string.h>

/* ---- bounds ---- */
#define TCP_GSO_MAX 65400u  /* payload of one pbuf: headers still fit 64 KiB */
#define TCP_SEGS_MAX 2048   /* records of sent segments of a connection: SACK splits no further, ACKs walk them */
#define TCP_OOO_MAX 2048    /* pieces of a connection's out-of-order queue */
#define TCP_CHUNK 32768u    /* a store of the send queue */
#define TCP_CHUNKS_MAX 4096 /* pieces of a send queue */
#define TCP_REQS_MAX 4096   /* half-open connections of a listener, whatever the settings say */
#define TCP_MIN_MSS 48u
#define TCP_DEFAULT_MSS 536u
#define TCP_MAX_WSCALE 14
#define TCP_BATCH_ACKS 16 /* quick acknowledgements at the start */

#define MS 1000000ll
#define SEC 1000000000ll
#define TCP_RTO_MIN (200 * MS)
#define TCP_RTO_MAX (120 * SEC)
#define TCP_RTO_INIT (1 * SEC)
#define TCP_DELACK (40 * MS)
#define TCP_TW_TIME (60 * SEC)
#define TCP_NEVER INT64_MAX

/* Serial arithmetic, RFC 9293 3.4. */
static inline bool seq_lt(uint32_t a, uint32_t b) {
  return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b) {
  return (int32_t)(a - b) <= 0;
}
static inline uint32_t u32_min(uint32_t a, uint32_t b) {
  return a < b ? a : b;
}
static inline uint32_t u32_max(uint32_t a, uint32_t b) {
  return a > b ? a : b;
}

struct __attribute__((packed)) tcp_hdr { /* on the wire; frames do not align it */
  uint16_t sport, dport;
  uint32_t seq, ack;
  uint8_t off, flags;
  uint16_t wnd, sum, urp;
};
#define TF_FIN 1u
#define TF_SYN 2u
#define TF_RST 4u
#define TF_PSH 8u
#define TF_ACK 16u
#define TF_URG 32u
#define TF_ECE 64u
#define TF_CWR 128u

/* ---- what stands in the table of four names ---- */
struct tcp_key {
  struct in6_addr laddr, raddr;
  uint16_t lport, rport;
};
enum tcp_kind { TN_CONN, TN_REQ, TN_TW };
struct tcp_node {
  struct tcp_node *next;
  struct tcp_key key;
  uint8_t kind;
  bool hashed, armed;
  RB_ENTRY(tcp_node) alarm;
  int64_t at; /* valid if armed: not later than what is due */
};
RB_HEAD(tcp_alarms, tcp_node);

/* ---- options of one segment ---- */
struct tcp_sack {
  uint32_t start, end;
};
struct tcp_opts {
  uint16_t mss;  /* 0: absent */
  int8_t wscale; /* -1: absent */
  bool ts, sack_ok;
  uint32_t tsval, tsecr;
  uint8_t nsack;
  struct tcp_sack sack[4];
};
void tcp_opts_parse(const uint8_t *o, uint32_t n, bool syn, struct tcp_opts *out);
/* Writes o, padded; at most 40 bytes. Returns the length. */
uint32_t tcp_opts_build(const struct tcp_opts *o, uint8_t *at);

/* A segment that came in; p->data at its payload. */
struct tcp_rx {
  struct pbuf *p;
  const struct ip_info *i;
  struct tcp_key key;     /* from our side */
  uint32_t seq, ack, len; /* len: payload */
  uint16_t wnd, urp;
  uint8_t flags;
  bool ce;
  struct tcp_opts o;
};
static inline uint32_t rx_end(const struct tcp_rx *r) {
  return r->seq + r->len + !!(r->flags & TF_SYN) + !!(r->flags & TF_FIN);
}

/* ---- queues ---- */
struct tcp_chunk { /* of the send queue */
  STAILQ_ENTRY(tcp_chunk) link;
  struct pstore *store;
  uint8_t *data;
  uint32_t len, seq;
  bool own; /* filled by tcp_send(): may grow */
};
enum { SG_SACKED = 1, SG_LOST = 2, SG_RETX = 4, SG_EVER = 8, SG_FIN = 16 };
struct tcp_seg { /* of what was sent and is not acknowledged */
  TAILQ_ENTRY(tcp_seg) link;
  uint32_t seq, end; /* end counts the FIN */
  int64_t sent;
  uint32_t delivered; /* c->delivered then */
  uint8_t flags;
};
TAILQ_HEAD(tcp_segs, tcp_seg);

struct tcp_cc;
struct tcp_cubic {
  int64_t epoch;
  double w_max, k, origin, w_est; /* segments, seconds */
};
struct tcp_cc_ops {
  const char *name;
  void (*init)(struct tcp_conn *c);
  void (*acked)(struct tcp_conn *c, uint32_t bytes, int64_t now); /* congestion avoidance only */
  uint32_t (*ssthresh)(struct tcp_conn *c);
};
enum tcp_ca { CA_OPEN, CA_RECOVERY, CA_LOSS };

enum tcp_urg { URG_NONE, URG_AWAITED, URG_HERE, URG_READ };

struct tcp_saved { /* TCP_SAVE_SYN */
  uint32_t len;
  uint8_t bytes[];
};
struct tcp_req { /* SYN received: half open */
  struct tcp_node n;
  struct tcp_conn *listener; /* borrowed: a listener that ends drops these */
  TAILQ_ENTRY(tcp_req) link;
  struct ip_flow flow;
  uint32_t irs, iss, tsoff, ts_recent;
  uint16_t mss, wnd;
  int8_t wscale;
  bool ts, sack, ecn, acked;
  uint8_t retrans;
  int64_t sent;
  struct tcp_saved *saved; /* owned; NULL: none */
};
TAILQ_HEAD(tcp_reqs, tcp_req);

struct tcp_tw {
  struct tcp_node n;
  uint32_t snd_nxt, rcv_nxt, ts_recent, tsoff, wnd;
  int64_t ts_stamp, expires;
  int oif;
  uint32_t mark;
  uint8_t tos;
  bool ts;
  void *port;
};

TAILQ_HEAD(tcp_conns, tcp_conn);
struct tcp_listener {
  int backlog;
  bool v6only, reuseport;
  uint32_t naccept, nreqs;
  struct tcp_conns queue; /* to be accepted */
  struct tcp_reqs reqs;
  int64_t overflow; /* when the SYN queue was full last */
};

struct tcp_conn {
  struct tcp_node n;
  struct tcp_stack *s;
  uint32_t refs; /* engine's own steps under way; see tcp_hold() */
  const struct tcp_user_ops *ops;
  void *user, *port;
  bool owned; /* has a user, or waits in an accept queue */
  uint8_t state;
  uint8_t events; /* to be told */
  int err, soft_err;
  struct ip_flow flow;
  struct ip_route route;
  struct tcp_listener *l;
  struct tcp_conn *parent;    /* in its accept queue; borrowed */
  TAILQ_ENTRY(tcp_conn) aq;   /* accept queue or listeners */
  TAILQ_ENTRY(tcp_conn) late; /* of the stack: a small piece to send before frames leave */
  TAILQ_ENTRY(tcp_conn) soon; /* of the stack: acknowledge at the end of the batch */
  TAILQ_ENTRY(tcp_conn) all;
  bool on_soon, ack_sure, on_late, orphan; /* ack_sure: the reader does not put off what is on soon */

  /* sending */
  uint32_t iss, snd_una, snd_nxt, snd_end, snd_wnd, snd_wl1, snd_wl2, max_wnd, snd_up;
  uint32_t snd_sml; /* end of the last segment that was not full: Minshall's rule */
  bool fin_queued, fin_sent, urg_out, cork, nodelay, push;
  uint8_t snd_wscale, rcv_wscale;
  uint16_t mss_user, mss_peer;
  uint32_t mss, pmtu; /* mss: payload bytes of a full segment, options taken off */
  STAILQ_HEAD(, tcp_chunk) sq;
  struct tcp_chunk *sq_at; /* where snd_nxt is, or NULL: look from the start */
  uint32_t nchunks, sndbuf, sndmem;
  bool sndbuf_lock, rcvbuf_lock, want_write;
  int notsent_lowat;

  /* in flight */
  struct tcp_segs segs;
  uint32_t nsegs, sacked, lost, retx; /* bytes: pipe = nxt - una - sacked - lost + retx */
  uint32_t dupacks, delivered, highest_sack;
  uint8_t ca;
  bool sack_on, ts_on, ecn_on, ece_out, cwr_out, ecn_cwr_pending;
  uint32_t recover, cwnd, ssthresh, prior_cwnd, prior_ssthresh, undo_una, undo_retx;
  bool undo_ok;
  uint32_t retx_stamp; /* tsval of the first retransmission of the episode */
  uint32_t prr_delivered, prr_out, recover_fs;
  int64_t rack_xmit, rack_rtt, min_rtt, min_rtt_at, reo_due;
  uint32_t rack_end;
  uint8_t reo_mult, reo_persist;
  bool reordering, tlp_out, tlp_retx, cwnd_limited;
  uint32_t tlp_high;
  const struct tcp_cc_ops *cc;
  struct tcp_cubic cubic;

  /* times */
  int64_t srtt, rttvar, rto, rtt_sample;
  uint8_t backoff;
  uint32_t retries, probes, ka_probes, total_retrans;
  int64_t t_retx, t_tlp, t_reo, t_persist, t_delack, t_keep, t_life; /* TCP_NEVER: not running */
  int64_t first_retx; /* when the present unanswered series began; 0: none */
  int64_t last_rx, last_tx_data, last_rx_data, born;
  uint32_t ka_idle, ka_intvl, ka_cnt, user_timeout; /* s, s, n, ms; 0: the settings' */
  int syncnt, linger2, defer_accept;
  uint8_t save_syn;
  struct tcp_saved *saved; /* owned */
  bool keepalive;

  /* receiving */
  uint32_t irs, rcv_nxt, rcv_adv, rcv_up, copied;
  uint32_t rcvbuf, rcvmem, rcv_bytes, clamp, rcvlowat; /* rcvmem: truesize, both queues; rcv_bytes: in order */
  struct pbuf_queue rq;
  STAILQ_HEAD(, pbuf) ooq; /* sorted; cb[0] is the sequence number, cb[1] FIN, cb[2] the charge */
  uint32_t nooo, ooo_bytes;
  bool fin_rcvd, rd_shut, wr_shut, oobinline;
  uint8_t urg_state;                /* enum tcp_urg */
  uint8_t quick, pingpong, ack_due; /* ack_due: full segments since the last ACK */
  bool quickack;
  uint8_t urg_byte, persist_shift;
  bool fin_ooo; /* a FIN is known at fin_seq, beyond a hole */
  uint32_t fin_seq;
  int64_t oow_at; /* the last answer to a segment outside the window */
  struct tcp_sack dsack;
  bool dsack_due;
  struct tcp_sack sacks[4]; /* recent first */
  uint8_t nsacks;
  uint32_t ts_recent, tsoff, last_ack_sent;
  int64_t ts_stamp;
  uint32_t drs_seq, drs_copied; /* auto-tuning */
  int64_t drs_at, rcv_rtt, chal_at;
  uint64_t bytes_acked, bytes_rcvd, bytes_sent, bytes_retx;
  uint32_t segs_out, segs_in, data_out, data_in, reord_seen, dsack_dups;
};

struct tcp_stack {
  struct tcp_env env;
  void *ctx;
  struct tcp_settings set;
  struct tcp_stats stats;
  struct tcp_node **hash;
  uint32_t nbuckets, nnodes, ntw, nconns, norphans, nreqs;
  uint64_t key[2], cookie_key[2];
  struct tcp_conns listeners, soon, late, all;
  struct tcp_alarms alarms;
  int64_t armed;
  int64_t chal_window; /* challenge ACKs: the second that is counted */
  int chal_left;       /* in it */
  long mem;
};

static inline int64_t tcp_now(const struct tcp_stack *s) {
  return s->env.now(s->ctx);
}
static inline uint32_t tcp_tsval(const struct tcp_conn *c) {
  return (uint32_t)(tcp_now(c->s) / MS) + c->tsoff;
}
static inline uint32_t tcp_pipe(const struct tcp_conn *c) {
  return c->snd_nxt - c->snd_una - c->sacked - c->lost + c->retx;
}
static inline bool tcp_synchronized(const struct tcp_conn *c) {
  return c->state != TCP_CLOSE && c->state != TCP_LISTEN && c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECV;
}

/* tcp_isn.c: keyed hashing */
uint64_t tcp_siphash(const uint64_t key[2], const void *data, size_t n);
uint32_t tcp_isn(struct tcp_stack *s, const struct tcp_key *k);
uint32_t tcp_tsoff(struct tcp_stack *s, const struct tcp_key *k);
uint32_t tcp_cookie_make(struct tcp_stack *s, const struct tcp_key *k, uint32_t irs, uint16_t mss);
bool tcp_cookie_check(struct tcp_stack *s, const struct tcp_key *k, uint32_t irs, uint32_t cookie, uint16_t *mss);

/* tcp_table.c */
struct tcp_node *tcp_lookup(struct tcp_stack *s, const struct tcp_key *k);
int tcp_hash_add(struct tcp_stack *s, struct tcp_node *n); /* -EADDRNOTAVAIL: taken, -ENOMEM */
void tcp_hash_del(struct tcp_stack *s, struct tcp_node *n);
struct tcp_conn *tcp_find_listener(struct tcp_stack *s, const struct tcp_key *k, int ifindex, int oif);
void tcp_alarm(struct tcp_stack *s, struct tcp_node *n, int64_t at); /* at TCP_NEVER: none */
void *tcp_port_get(struct tcp_stack *s, void *port);
void tcp_port_put(struct tcp_stack *s, void *port);
bool tcp_mem_charge(struct tcp_stack *s, long n); /* false: over the limit, nothing charged */
void tcp_mem_force(struct tcp_stack *s, long n);

/* tcp_conn.c */
struct tcp_conn *tcp_conn_new(struct tcp_stack *s);
void tcp_hold(struct tcp_conn *c);
void tcp_release(struct tcp_conn *c); /* tells events; frees what is over and has no user */
void tcp_event(struct tcp_conn *c, unsigned ev);
void tcp_set_state(struct tcp_conn *c, int state);
void tcp_done(struct tcp_conn *c, int err); /* closed; err: positive errno or 0 */
void tcp_time_wait(struct tcp_conn *c);
void tcp_fin_acked(struct tcp_conn *c);
void tcp_established(struct tcp_conn *c);
int tcp_set_path(struct tcp_conn *c); /* asks the route: MSS */
void tcp_sync_mss(struct tcp_conn *c);
uint16_t tcp_adv_mss(struct tcp_conn *c);

/* tcp_buf.c */
void tcp_sq_ack(struct tcp_conn *c); /* free what is before snd_una */
void tcp_sq_free(struct tcp_conn *c);
int tcp_sq_fill(struct tcp_conn *c, struct pbuf *p, uint32_t seq, uint32_t n); /* references; how much fitted */
void tcp_rq_add(struct tcp_conn *c, struct tcp_rx *r);                         /* in-window data, trimmed; takes r->p */
void tcp_rq_free(struct tcp_conn *c);
void tcp_note_dsack(struct tcp_conn *c, uint32_t start, uint32_t end);
uint32_t tcp_rcv_window(struct tcp_conn *c); /* to offer now, not before rcv_adv */
void tcp_rcv_tune(struct tcp_conn *c);
uint32_t tcp_snd_room(const struct tcp_conn *c);
void tcp_snd_tune(struct tcp_conn *c);

/* tcp_out.c */
void tcp_push(struct tcp_conn *c);     /* send what may be sent */
void tcp_not_late(struct tcp_conn *c); /* off the list of tcp_push_late() */
void tcp_send_syn(struct tcp_conn *c); /* or SYN-ACK of a simultaneous open */
void tcp_send_ack(struct tcp_conn *c);
void tcp_ack_late(struct tcp_conn *c);          /* before frames leave: for what comes in until then, too */
bool tcp_leaves_late(const struct tcp_conn *c); /* is there such a moment? Not within the sandbox */
void tcp_send_probe(struct tcp_conn *c);        /* una - 1, no data */
int tcp_retransmit_seg(struct tcp_conn *c, struct tcp_seg *g); /* at most a full GSO; splits */
bool tcp_send_one(struct tcp_conn *c, uint32_t max); /* new data past the window's and Nagle's rules: TLP, probes */
struct tcp_seg *tcp_seg_split(struct tcp_conn *c, struct tcp_seg *g, uint32_t at); /* the second part; NULL: none */
int tcp_emit(struct tcp_stack *s, struct pbuf *p, const struct tcp_key *k, struct ip_flow *f, struct ip_route *r,
             uint32_t seq, uint32_t ack, uint8_t flags, uint32_t wnd, uint16_t urp, const struct tcp_opts *o);

/* tcp_rst.c */
void tcp_send_rst(struct tcp_conn *c);
void tcp_reply_rst(struct tcp_stack *s, const struct tcp_rx *r);
void tcp_challenge(struct tcp_conn *c);
bool tcp_challenge_ok(struct tcp_stack *s);

/* tcp_ack.c, tcp_loss.c, tcp_rto.c, tcp_cubic.c */
bool tcp_ack(struct tcp_conn *c, const struct tcp_rx *r);  /* false: drop the segment */
void tcp_seg_clear(struct tcp_conn *c, struct tcp_seg *g); /* out of all counts */
void tcp_seg_free(struct tcp_conn *c, struct tcp_seg *g);
void tcp_segs_free(struct tcp_conn *c);
void tcp_mark_lost(struct tcp_conn *c, struct tcp_seg *g);
void tcp_rack_update(struct tcp_conn *c, const struct tcp_seg *g, uint32_t tsecr, bool ts);
void tcp_detect_loss(struct tcp_conn *c);
struct tcp_ack_info {
  uint32_t acked, delivered, newly_sacked, prior_una, prior_pipe;
  bool dsack, progress;
};
void tcp_loss_ack(struct tcp_conn *c, const struct tcp_rx *r, struct tcp_ack_info *a);
void tcp_enter_recovery(struct tcp_conn *c);
void tcp_enter_loss(struct tcp_conn *c);
void tcp_cwr(struct tcp_conn *c);
uint32_t tcp_ssthresh(struct tcp_conn *c);
void tcp_grow(struct tcp_conn *c, uint32_t acked);
const struct tcp_cc_ops *tcp_cc_find(const char *name);
uint32_t tcp_init_cwnd(const struct tcp_conn *c);
void tcp_rtt(struct tcp_conn *c, int64_t rtt);
void tcp_rearm_rto(struct tcp_conn *c, bool restart);
void tcp_schedule_tlp(struct tcp_conn *c);
void tcp_on_rto(struct tcp_conn *c);
void tcp_on_tlp(struct tcp_conn *c);

/* tcp_timer.c */
void tcp_timers_update(struct tcp_conn *c); /* arms the earliest of the connection's */
void tcp_conn_timer(struct tcp_conn *c);
void tcp_keep_reset(struct tcp_conn *c);
void tcp_check_persist(struct tcp_conn *c);

/* tcp_in.c, tcp_urg.c, tcp_listen.c, tcp_tw.c */
void tcp_conn_input(struct tcp_conn *c, struct tcp_rx *r);
void tcp_urg_in(struct tcp_conn *c, const struct tcp_rx *r);
void tcp_urg_data(struct tcp_conn *c, const struct tcp_rx *r);
void tcp_listen_input(struct tcp_conn *l, struct tcp_rx *r);
void tcp_req_input(struct tcp_req *q, struct tcp_rx *r);
void tcp_req_timer(struct tcp_req *q);
void tcp_req_free(struct tcp_req *q);
void tcp_listen_stop(struct tcp_conn *l);
void tcp_inherit(struct tcp_conn *c, const struct tcp_conn *l);
/* True: the record is gone and the SYN is to be handed to a listener. */
bool tcp_tw_input(struct tcp_stack *s, struct tcp_tw *t, struct tcp_rx *r);
void tcp_tw_free(struct tcp_stack *s, struct tcp_tw *t);
bool tcp_tw_reusable(struct tcp_stack *s, const struct tcp_tw *t);
