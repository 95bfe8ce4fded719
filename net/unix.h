/*
 * AF_UNIX: unix(7). unix.c names and connects, unix_msg.c moves messages, unix_gc.c frees sockets that only messages in
 * flight still refer to.
 *
 * A struct unix_sock outlives its struct socket while peers refer to it, and exists before it for a connection that was
 * not accepted yet.
 */
#pragma once
#include "../core/ref.h"
#include "../fs/vfs.h"
#include "socket.h"
#include <sys/queue.h>
#include <sys/un.h>
#include <uthash.h>

#define UNIX_SOMAXCONN 4096 /* without a network stack, whose net.core.somaxconn it is */
#define UNIX_SCM_MAX_FD 253

struct unix_addr { /* counted: messages remember their sender's */
  ref_t ref;
  socklen_t len; /* of sun, as getsockname shows it */
  struct sockaddr_un sun;
  char nul; /* a path of 108 bytes has its NUL here */
};
struct unix_addr *unix_addr_get(struct unix_addr *a); /* NULL gives NULL */
void unix_addr_put(struct unix_addr *a);
void unix_copy_addr(const struct unix_addr *a, void *out); /* a->len bytes: up to sizeof(struct sockaddr_un) + 1 */

struct unix_msg { /* one queued message, or piece of a stream */
  ref_t ref;
  TAILQ_ENTRY(unix_msg) link;
  struct unix_sock *sender; /* counted: charged for `charge` bytes */
  struct unix_addr *addr;   /* the sender's name then; counted, may be NULL */
  struct ucred cred;
  struct pid *pid;   /* the sender's process; counted. For SCM_PIDFD */
  struct file **fds; /* counted, and in flight */
  int nfds;
  size_t charge, off, len; /* data[off, len) is left */
  char data[];
};
TAILQ_HEAD(unix_queue, unix_msg);

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_sock {
  ref_t ref;
  struct kernel *k;
  int type;            /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
  struct socket *sock; /* NULL before accept and after release */
  bool dead;           /* released */
  enum unix_state state;
  int shutdown;           /* 1: no more receiving, 2: no more sending */
  int err;                /* SO_ERROR */
  struct unix_sock *peer; /* counted */
  struct unix_addr *addr; /* counted; NULL: unnamed */
  struct path path;       /* the bound file, if has_path */
  struct inode *inode;    /* counted: its ->socket is us */
  bool has_path;
  struct net_namespace *net; /* counted */
  LIST_ENTRY(unix_sock) all_link;
  UT_hash_handle hh;         /* net->abstract_names, key hash_key */
  bool hashed;
  struct ucred peercred;  /* who connected, listened or made the pair */
  struct pid *peer_pid;   /* the same as a process, counted, */
  struct cred *peer_cred; /* and its groups; counted. NULL: nobody yet */

  struct unix_queue recvq;
  struct unix_msg *oob; /* in recvq: the latest out-of-band byte, not yet read; NULL: none */
  int nrecv;
  size_t recv_bytes;
  size_t sent_bytes;            /* charged to us in others' queues */
  struct fmutex read_lock;      /* readers of a stream: copies may park */
  struct waitq peer_wait;       /* who waits for room in recvq (datagrams) or in the backlog */
  struct wait_entry peer_entry; /* a connected datagram socket watches its peer's peer_wait for its own pollers */

  TAILQ_HEAD(, unix_sock) backlog; /* connections to accept; each counted */
  TAILQ_ENTRY(unix_sock) backlog_link;
  int nbacklog, backlog_max;

  int inflight; /* references to our file from messages */
  LIST_ENTRY(unix_sock) inflight_link;
  int gc_refs; /* unix_collect()'s */
  bool gc_candidate, gc_reached, gc_pending;
};

struct unix_net { /* kernel.unix_net */
  LIST_HEAD(, unix_sock) all; /* of every namespace, released ones too: /proc/net/unix, sock_diag */
  LIST_HEAD(, unix_sock) inflight;
  long nfds_inflight, collect_at;
  unsigned autobind;
  bool collecting;
};

extern const struct socket_ops unix_socket_ops;
static inline struct unix_sock *unix_of(struct socket *s) {
  return s->priv;
}
struct unix_sock *unix_of_file(struct file *f); /* borrowed; NULL: no AF_UNIX socket */
struct unix_net *unix_net(struct kernel *k);
struct unix_sock *unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
void unix_wake(struct unix_sock *u, uint32_t events);
struct ucred unix_current_cred(void);
/* The socket bound to a name: counted, or -ECONNREFUSED, -EACCES, -EPROTOTYPE, … */
int unix_find(struct net_namespace *net, const struct sockaddr *a, socklen_t len, int type, struct unix_sock **out);
int unix_autobind(struct unix_sock *u);

/* unix_msg.c */
ssize_t unix_sendmsg(struct socket *s, struct msg_k *m);
ssize_t unix_recvmsg(struct socket *s, struct msg_k *m);
uint32_t unix_poll(struct socket *s);
void unix_msg_put(struct unix_msg *m);
void unix_purge(struct unix_sock *u); /* empty the receive queue */
static inline bool unix_recvq_full(const struct unix_sock *u) {
  return u->nrecv > u->backlog_max;
}
/* Be told, as the pollers of u, when its peer has room again. */
void unix_watch_peer(struct unix_sock *u);

/* unix_peer.c */
/* What the other end is told of u: the current task, or what `from` knows already. */
void unix_set_peer(struct unix_sock *u, const struct unix_sock *from);
void unix_drop_peer(struct unix_sock *u);
int unix_peer_pidfd(const struct unix_sock *u, void *val, socklen_t *len);  /* SO_PEERPIDFD */
int unix_peer_groups(const struct unix_sock *u, void *val, socklen_t *len); /* SO_PEERGROUPS */

/* unix_gc.c */
int unix_attach_fds(struct kernel *k, struct unix_msg *m, struct file **fds, int n); /* takes references */
/* Take m's descriptors out: the array is then the caller's, no longer in flight. */
struct file **unix_detach_fds(struct kernel *k, struct unix_msg *m, int *n);
void unix_collect(struct kernel *k);
