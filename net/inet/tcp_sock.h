/* Between the files of TCP sockets: tcp_env.c (the engine's surroundings), tcp_sock.c (calls), tcp_opt.c (options). */
#pragma once
#include "inet.h"

enum tcp_sock_state { TS_UNCONNECTED, TS_CONNECTING, TS_CONNECTED };

struct tcp_sock {
  struct inet_sock *is; /* borrowed: whose priv this is */
  struct tcp_conn *c;   /* NULL only when its namespace's stack is gone */
  uint8_t state;        /* enum tcp_sock_state: Linux's socket.state */
  bool inq;             /* TCP_INQ */
  bool thin_linear, fastopen_no_cookie;
  int tx_delay, fastopen_qlen;
};
static inline struct tcp_sock *tcp_sock_of(const struct socket *s) {
  return inet_of(s)->priv;
}

ssize_t tcp_sock_sendmsg(struct socket *s, struct msg_k *m);
ssize_t tcp_sock_recvmsg(struct socket *s, struct msg_k *m);
extern const struct tcp_user_ops tcp_sock_events;
/* The socket's options are told to its connection: after any change, and when it is new. */
void tcp_sock_sync(struct tcp_sock *ts);
int tcp_sock_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len);
int tcp_sock_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len);
long tcp_sock_ioctl(struct socket *s, unsigned cmd, uint64_t arg);
void tcp_inq_cmsg(const struct tcp_sock *ts, struct msg_k *m);
