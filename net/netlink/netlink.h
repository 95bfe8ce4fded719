/*
 * AF_NETLINK: netlink(7). netlink.c names and joins, nl_msg.c moves datagrams, nl_opt.c has the options, nl_serve.c is
 * the kernel's end: it takes requests apart, acknowledges them, and continues dumps as they are read. A protocol is a
 * file, and one line in nl_proto.c's table.
 *
 * A socket belongs to the network namespace that it was made in (counted). Port numbers, groups and everything that a
 * request asks for are that namespace's. Nothing of the kernel's end parks, except between the messages of a datagram.
 */
#pragma once
#include "../../core/task.h"
#include "../netdev.h"
#include "../socket.h"
#include "../stack.h"
#include "nla.h"
#include <sys/queue.h>
#include <uthash.h>

#define NL_PROTOS 32           /* MAX_LINKS */
#define NL_GROUPS_MAX 1024     /* of one protocol */
#define NL_REQUEST_MAX 1048576 /* bytes of one datagram to the kernel or to another socket, whatever SO_SNDBUF says */
#define NL_QUEUE_MAX 8388608   /* … that wait in one socket, whatever SO_RCVBUFFORCE says */
#define NL_MSG_OVERHEAD 768    /* what Linux charges for a datagram beside its bytes, about: SKB_TRUESIZE(0) */
#define NL_DUMP_MIN 3776       /* NLMSG_GOODSIZE: the least that a dump is given at once */
#define NL_DUMP_MAX 32448      /* and the most */

struct nl_req;
struct nl_dump;
struct netlink_sock;

struct nl_proto {
  int protocol;
  unsigned ngroups;
  bool recv_all, send_all; /* who lacks CAP_NET_ADMIN may join groups; may send to other sockets */
  /* A request (or what the sender takes for one) to the kernel; NULL: nobody is there, -ECONNREFUSED. */
  void (*input)(struct netlink_sock *nk, const void *p, size_t len);
  int (*join)(struct netlink_sock *nk, unsigned group); /* may it? 0 or -errno. NULL: recv_all decides */
};
const struct nl_proto *nl_proto_find(int protocol); /* NULL: -EPROTONOSUPPORT */

struct nl_msg { /* one datagram */
  ref_t ref;
  TAILQ_ENTRY(nl_msg) link;
  uint32_t portid, group; /* the sender's (0: the kernel), and the group it was sent to */
  int nsid;               /* the namespace that it is about, if another one: NETLINK_LISTEN_ALL_NSID; -1 */
  struct ucred cred;
  size_t len;
  _Alignas(8) uint8_t data[];
};

struct netlink_sock {
  struct socket *sock;      /* borrowed; it outlives this */
  struct net_namespace *ns; /* counted */
  struct nl_net *net;       /* borrowed from ns; NULL when its stack has ended */
  const struct nl_proto *proto;
  struct cred *cred; /* who made it; counted */
  uint32_t portid, dst_portid, dst_group;
  bool bound, connected;
  uint32_t groups[NL_GROUPS_MAX / 32];
  unsigned njoined;
  bool pktinfo, bcast_error, no_enobufs, listen_all, cap_ack, ext_ack, strict;
  TAILQ_HEAD(, nl_msg) queue;
  unsigned nqueued;
  size_t rmem; /* charged */
  uint64_t drops;
  bool congested;                        /* something was lost since the queue was last empty */
  size_t max_recv;                       /* the largest buffer it was read with */
  struct nl_dump *dump;                  /* under way; owned */
  UT_hash_handle hh;                     /* net->ports, by portid */
  LIST_ENTRY(netlink_sock) link, member; /* net->socks; net->members while njoined */
};

/* What changes, so that a dump can say that it was disturbed. */
enum nl_generation { NL_GEN_LINK, NL_GEN_ADDR, NL_GEN_ROUTE, NL_GEN_NEIGH, NL_GENS };

struct nl_nsid {
  struct nl_net *peer; /* borrowed: rtnetlink_stack_fini() takes it out */
  int id;
};
struct nl_net {             /* net_stack.sub[NET_NETLINK] */
  struct net_namespace *ns; /* borrowed */
  LIST_ENTRY(nl_net) link;  /* of net.netlink */
  struct netlink_sock *ports[NL_PROTOS];
  LIST_HEAD(, netlink_sock) socks[NL_PROTOS], members[NL_PROTOS];
  uint32_t gen[NL_GENS];
  const struct nl_req *current; /* the request that is being carried out: notifications name it */
  struct nl_nsid *ids;          /* names of other namespaces: RTM_NEWNSID */
  unsigned nids;
};
static inline struct nl_net *nl_net_of(const struct net_namespace *ns) {
  return net_stack_of(ns) ? net_stack_of(ns)->sub[NET_NETLINK] : NULL;
}
static inline struct netlink_sock *netlink_of(const struct socket *s) {
  return s->priv;
}

/* ---- netlink.c ---- */
int netlink_autobind(struct netlink_sock *nk);
struct netlink_sock *netlink_find(struct nl_net *n, int protocol, uint32_t portid); /* borrowed */
bool netlink_joined(const struct netlink_sock *nk, unsigned group);
int netlink_join(struct netlink_sock *nk, unsigned group, bool on); /* group from 1 */
bool netlink_admin(const struct netlink_sock *nk);                  /* CAP_NET_ADMIN over its namespace's owner */
bool nl_capable(const struct netlink_sock *nk, int cap);            /* of the caller and of who made the socket */

/* ---- nl_msg.c ---- */
ssize_t netlink_sendmsg(struct socket *s, struct msg_k *m);
ssize_t netlink_recvmsg(struct socket *s, struct msg_k *m);
void netlink_flush(struct netlink_sock *nk);
/* A copy of the bytes to nk's queue, from the kernel: 0; -ENOBUFS: it was full, which its reader will be told. */
int nl_deliver(struct netlink_sock *nk, const void *p, size_t len, uint32_t group);
void nl_deliver_part(struct netlink_sock *nk, const void *p, size_t len); /* of a dump: also if something was lost */
bool nl_queue_full(const struct netlink_sock *nk);
/* … to all of a namespace that have joined the group. but: not to this one. 0 or -ENOBUFS: a member that wants its
 * senders to know (NETLINK_BROADCAST_ERROR) missed it. */
int nl_multicast(struct net_namespace *ns, int protocol, unsigned group, const void *p, size_t len,
                 const struct netlink_sock *but);
bool nl_has_listeners(struct net_namespace *ns, int protocol, unsigned group);

/* ---- nl_opt.c ---- */
int netlink_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len);
int netlink_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len);

/* ---- nl_serve.c ---- */
struct nl_req {
  struct netlink_sock *nk;
  struct net_namespace *ns;
  const struct nlmsghdr *h; /* in the Sentry's copy, whole */
  struct nl_extack ext;
};
static inline const void *nl_body(const struct nl_req *r) {
  return NLMSG_DATA(r->h);
}
static inline size_t nl_body_len(const struct nl_req *r) {
  return r->h->nlmsg_len - NLMSG_HDRLEN;
}
/* Messages of a datagram, one after the other, to fn; acknowledgements as it says: 0, -errno, NL_QUIET. */
#define NL_QUIET 1 /* done, and no acknowledgement: a dump has begun */
void nl_serve(struct netlink_sock *nk, const void *p, size_t len, int (*fn)(struct nl_req *r));
/* An answer of one message: fill() builds it in a buffer of NL_DUMP_MAX bytes. */
#define NL_REPLY_MAX NL_DUMP_MAX
int nl_reply(struct nl_req *r, struct nlbuf *b);
struct nlbuf *nlbuf_new(size_t cap); /* NULL: no memory. free() */

struct nl_dump {
  struct netlink_sock *nk;
  struct net_namespace *ns; /* counted */
  struct nlmsghdr *req;     /* a copy of the request; owned */
  /* Messages to b (empty), as many as fit. 1: there may be more; 0: those were the last; -errno ends it. A message
   * that does not fit an empty buffer ends it with -EMSGSIZE. */
  int (*fn)(struct nl_dump *d, struct nlbuf *b);
  uint32_t (*generation)(struct nl_dump *d); /* NULL: changes are not noticed */
  uint16_t flags;                            /* of the messages: NLM_F_MULTI, NLM_F_DUMP_* */
  uint32_t seen;                             /* the generation of the last batch */
  bool begun, ended;
  int err;    /* given: it ends with that at once */
  bool split; /* the end is a datagram of its own, as programs expect of the oldest dumps */
  long at[4]; /* fn's position */
  union {
    uint32_t u32[24];
    uint8_t bytes[96];
  } arg;      /* fn's filter */
  size_t min; /* the least room it needs at once */
  struct nl_extack ext;
};
/* Fills in a dump that answers r and makes its first batch. -EBUSY: one is under way. Else NL_QUIET or -errno. */
int nl_dump_start(struct nl_req *r, const struct nl_dump *like);
void nl_dump_continue(struct netlink_sock *nk); /* what was queued has been read, at least half of it */
void nl_dump_free(struct nl_dump *d);
static inline size_t nl_dump_begin(struct nl_dump *d, struct nlbuf *b, uint16_t type, const void *body, size_t n) {
  return nlb_begin(b, type, d->flags, d->nk->portid, d->req->nlmsg_seq, body, n);
}

/* The number that `n` knows the namespace of `peer` by; -1: none. make: gives it one then. rtnl_nsid.c */
int rtnl_nsid(struct nl_net *n, struct nl_net *peer, bool make);

/* ---- the protocols ---- */
void rtnl_input(struct netlink_sock *nk, const void *p, size_t len);
void diag_input(struct netlink_sock *nk, const void *p, size_t len);
void genl_input(struct netlink_sock *nk, const void *p, size_t len);
void audit_input(struct netlink_sock *nk, const void *p, size_t len);
int audit_join(struct netlink_sock *nk, unsigned group);
