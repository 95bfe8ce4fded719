/*
 * Sockets: what every family implements; syscalls/socket.c decodes, this dispatches. A family is one file and one
 * line in socket_families[].
 */
#pragma once
#include "../core/file.h"
#include "../core/kernel.h"
#include <sys/socket.h>

struct socket;
struct msg_k { /* a decoded msghdr */
  struct uio *u;
  void *name;          /* Sentry buffer: destination (send, NULL if none) or room for the source (recv) */
  socklen_t name_len;  /* in: its length or the room; out of recv: the full length of the address */
  int flags;           /* MSG_* in; out of recv: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, … */
  /* control: decoded for send; filled for recv. Descriptors are open files; syscalls/ turns numbers into files and back */
  struct file **fds;   /* counted */
  int nfds;
  bool has_cred;
  struct ucred cred;
  void *control;       /* other control messages, raw cmsgs (IP_PKTINFO, …), or NULL */
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
  int (*setsockopt)(struct socket *s, int level, int opt, const void *val, socklen_t len); /* val: Sentry copy, <= 64 KiB */
  int (*getsockopt)(struct socket *s, int level, int opt, void *val, socklen_t *len);
  int (*socketpair)(struct socket *a, struct socket *b);
  uint32_t (*poll)(struct socket *s);
  long (*ioctl)(struct socket *s, unsigned cmd, uint64_t arg);
  void (*release)(struct socket *s);
};
struct socket {
  struct kernel *k;
  int family, type, protocol;
  const struct socket_ops *ops;
  struct waitq wq;
  struct file *file; /* borrowed: the file that owns it */
  void *priv;
};
/* -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT as Linux. Result: a file whose ops are the generic socket ops. */
int socket_create(struct kernel *k, int family, int type, int protocol, int flags, struct file **out);
int socketpair_create(struct kernel *k, int family, int type, int protocol, int flags, struct file *out[2]);
struct socket *socket_from_file(struct file *f); /* borrowed; NULL: -ENOTSOCK */
