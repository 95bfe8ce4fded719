/* What dns_relay.c and dns_tcp.c share. */
#pragma once
#include "../core/loop.h"
#include "dns_relay.h"
#include "ip_stack.h"
#include "tcp/tcp.h"

#define DNS_QUERIES_MAX 256    /* with the asking process */
#define DNS_UDP_QUERY_MAX 4096 /* bytes; nobody asks with more */
#define DNS_CONNS_MAX 64       /* TCP */
#define DNS_TCP_MEM (8l << 20)

struct dns_conn; /* dns_tcp.c */
struct dns_query {
  TAILQ_ENTRY(dns_query) link; /* of in_flight, oldest first, or of unused */
  uint32_t id;                 /* slot, and a count above it: late answers find nothing */
  int64_t due;
  struct dns_conn *conn; /* who asked: TCP, */
  struct pbuf *p;        /* or UDP: the packet, data at the UDP header */
  struct ip_info info;
};
TAILQ_HEAD(dns_query_list, dns_query);

struct dns_relay {
  struct net_namespace *ns; /* borrowed */
  struct loop *loop;
  int fd; /* -1: the asking process is gone */
  struct loop_recv recv;
  struct timer timeout;
  struct dns_query_list in_flight, unused;
  struct dns_query query[DNS_QUERIES_MAX];

  /* dns_tcp.c */
  struct tcp_stack *tcp;
  struct tcp_conn *listener;
  struct timer tcp_timer;
  struct net_deferred tcp_due;
  LIST_HEAD(, dns_conn) conns;
  unsigned nconns;
};

/* ---- dns_relay.c ---- */
/* Ask. NULL: too many are asking, or the process is gone. */
struct dns_query *dns_ask(struct dns_relay *d, bool tcp, const void *msg, uint32_t len);
void dns_forget(struct dns_relay *d, struct dns_query *q); /* whoever asked is gone */

/* ---- dns_tcp.c ---- */
int dns_tcp_init(struct dns_relay *d);
void dns_tcp_fini(struct dns_relay *d);
void dns_tcp_input(struct dns_relay *d, struct pbuf *p, const struct ip_info *i); /* takes p over */
void dns_tcp_answer(struct dns_conn *c, const uint8_t *msg, uint32_t len);        /* NULL: there is none */
