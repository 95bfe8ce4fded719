/*
 * Sockets: what every family implements; syscalls/socket.c decodes, this dispatches. A family is one file and one
 * line in socket_families[].
 */
#pragma once
#include "../core/file.h"
#include "../core/kernel.h"
#include <sys/socket.h>
#include <sys/un.h>

struct socket;
struct msg_k { /* a decoded msghdr */
  struct uio *u;
  void *name;         /* Sentry buffer: destination (send, NULL if none) or room for the source (recv) */
  socklen_t name_len; /* in: its length or the room; out of recv: the full length of the address */
  int flags;          /* MSG_* in; out of recv: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, … */
  /* control: decoded for send; filled for recv. Descriptors are open files; syscalls/ turns numbers into files and
   * back. send: array and references stay the caller's. recv: both become the caller's, see msg_drop_fds(). */
  struct file **fds; /* counted */
  int nfds;
  bool has_cred;
  struct ucred cred;
  struct pid *pid; /* recv: whose pidfd SCM_PIDFD is to give; counted, the caller's. NULL: none */
  void *control;   /* other control messages, raw cmsgs (IP_PKTINFO, …), or NULL */
  size_t control_len, control_cap;
};
struct socket_ops {
  int (*bind)(struct socket *s, const struct sockaddr *a, socklen_t len);
  int (*connect)(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock);
  int (*listen)(struct socket *s, int backlog);
  int (*accept)(struct socket *s, bool nonblock, struct socket **out); /* parks */
  int (*getname)(struct socket *s, bool peer, struct sockaddr_storage *a, socklen_t *len);
  int (*shutdown)(struct socket *s, int how);
  ssize_t (*sendmsg)(struct socket *s, struct msg_k *m);
  ssize_t (*recvmsg)(struct socket *s, struct msg_k *m);
  /* Asked first, also for SOL_SOCKET; -ENOPROTOOPT leaves SOL_SOCKET options to the generic ones. */
  int (*setsockopt)(struct socket *s, int level, int opt, const void *val,
                    socklen_t len);                                                   /* val: Sentry copy, <= 64 KiB */
  int (*getsockopt)(struct socket *s, int level, int opt, void *val, socklen_t *len); /* *len in: room, <= 64 KiB */
  int (*socketpair)(struct socket *a, struct socket *b);
  uint32_t (*poll)(struct socket *s);
  long (*ioctl)(struct socket *s, unsigned cmd, uint64_t arg);
  int (*mmap)(struct socket *s, off_t off, size_t len, off_t *host_off); /* as file_ops.mmap. NULL: -ENODEV */
  void (*release)(
      struct socket *s); /* the last descriptor is gone; frees priv. The socket itself is freed by the caller */
};

/* SOL_SOCKET options that only store a value; socket(7). */
struct sock_opts {
  bool reuseaddr, reuseport, keepalive, broadcast, passcred, passpidfd, passsec, oobinline, dontroute, debug, linger_on,
      rxq_ovfl, zerocopy, rcvmark, no_check, select_err_queue, prefer_busy_poll, wifi_status, nofcs, rcvpriority;
  uint8_t stamp;    /* SOCK_STAMP_*: what SO_TIMESTAMP or SO_TIMESTAMPNS asked for */
  bool stamp_new;   /* by a _NEW name, whichever option it was: Linux has one flag too */
  uint32_t tsflags; /* SO_TIMESTAMPING */
  int incoming_cpu; /* SO_INCOMING_CPU, plus 1 */
  int busy_poll_budget, buf_lock, txrehash;
  uint64_t max_pacing_rate; /* inverted: 0 is no limit */
  bool txtime;              /* SO_TXTIME was set, with this */
  int txtime_clock;
  uint32_t txtime_flags;
  int linger;         /* s */
  int sndbuf, rcvbuf; /* as getsockopt shows them: doubled */
  int rcvlowat;
  int64_t rcvtimeo, sndtimeo; /* ns; 0: none */
  int priority, busy_poll;
  uint32_t mark;
  int peek_off; /* -1: off */
};
enum { SOCK_STAMP_NONE, SOCK_STAMP_US, SOCK_STAMP_NS };
#define SOCK_MEM_DEFAULT 212992 /* net.core.{w,r}mem_{default,max} */

struct socket {
  struct kernel *k;
  int family, type, protocol;
  const struct socket_ops *ops;
  struct waitq wq;
  struct file *file; /* borrowed: the file that owns it */
  void *priv;
  struct sock_opts opt;
  int err;                         /* SO_ERROR: positive errno; taken by socket_take_error() */
  bool listening;                  /* SO_ACCEPTCONN */
  bool filter_locked;              /* SO_LOCK_FILTER */
  struct sock_filter_prog *filter; /* net/sock_filter.h; counted, NULL: none */
  char name[32];                   /* "socket:[N]" */
};

struct socket_family {
  int family;
  /* Checks type and protocol, sets s->ops and s->priv. -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -EPERM, … */
  int (*create)(struct socket *s, int protocol);
};

/* -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT as Linux. Result: a file whose ops are the generic socket ops.
 * flags: O_NONBLOCK (SOCK_NONBLOCK). */
int socket_create(struct kernel *k, int family, int type, int protocol, int flags, struct file **out);
int socketpair_create(struct kernel *k, int family, int type, int protocol, int flags, struct file *out[2]);
struct socket *socket_from_file(struct file *f); /* borrowed; NULL: -ENOTSOCK */

/* For accept: a bare socket like `like` with no ops state yet, and its file once it is ready. NULL: no memory. */
struct socket *socket_alloc(struct kernel *k, int family, int type, int protocol);
void socket_free(struct socket *s);                    /* one that has no file; does not call release */
struct file *socket_file(struct socket *s, int flags); /* takes s over; on NULL s is released and freed */

int socket_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len);
int socket_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len);
int socket_set_generic(struct socket *s, int opt, const void *val,
                       socklen_t len);   /* SOL_SOCKET's, without asking ops */
int socket_take_error(struct socket *s); /* -errno and clears it, or 0 */

/* Blocking with SO_RCVTIMEO / SO_SNDTIMEO: the deadline to compute once per call, and a wait that gives -EAGAIN when it
 * passes, -ERESTARTSYS or (with a timeout) -EINTR on a signal. */
int64_t socket_deadline(int64_t timeo);
int socket_wait(struct waitq *q, uint32_t events, int64_t deadline);
/* EPIPE, with SIGPIPE to the current task unless MSG_NOSIGNAL. */
int socket_broken_pipe(int msg_flags);
void msg_drop_fds(struct msg_k *m); /* what recvmsg gave and nobody wanted */

int netlink_push(struct file *f, const void *p, size_t n); /* the hook of that name; net/netlink/nl_msg.c */
int unix_create(struct socket *s, int protocol);           /* net/unix.c */
