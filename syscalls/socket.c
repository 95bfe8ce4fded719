/* Sockets: socket(2), bind(2), send(2), recv(2) and their relatives. */
#include "../net/socket.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "sockmsg.h"
#include "table.h"
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/uio.h>

#define TYPE_MASK 0xf    /* SOCK_TYPE_MASK */
#define OPT_MAX 65536    /* of setsockopt */
#define OPT_OUT_MAX 4096 /* of getsockopt */

/* Cleans f up at the end of scope; s is NULL and r set if fd is no socket. */
static struct socket *get_socket(struct task *t, uint64_t fd, struct file **f, int64_t *r) {
  *f = fd_file(t->files, (int)fd);
  struct socket *s = *f ? socket_from_file(*f) : NULL;
  *r = s ? 0 : *f ? -ENOTSOCK : -EBADF;
  return s;
}
#define SOCKET(name, fd)                                                                                               \
  int64_t name##_err;                                                                                                  \
  AUTO_FILE name##_file = NULL;                                                                                        \
  struct socket *name = get_socket(t, fd, &name##_file, &name##_err);                                                  \
  if (!name)                                                                                                           \
  return name##_err

static int get_addr(struct sockaddr_storage *ss, uint64_t addr, uint64_t len) {
  if ((int)len < 0 || (int)len > (int)sizeof *ss)
    return -EINVAL;
  *ss = (struct sockaddr_storage){0};
  return (int)len ? copy_from_user(ss, addr, (size_t)(int)len) : 0;
}

/* As move_addr_to_user() of Linux: cut to the room, but the whole length is told. */
static int put_addr(uint64_t addr, uint64_t ulen, const struct sockaddr_storage *ss, socklen_t len) {
  int room;
  if (get_user(&room, ulen))
    return -EFAULT;
  if (room < 0)
    return -EINVAL;
  if (room > (int)len)
    room = (int)len;
  struct ucopy c[] = {{(void *)ss, addr, (size_t)room}, {&len, ulen, sizeof len}};
  return copy_pieces_to_user(c, 2) == 2 ? 0 : -EFAULT;
}

/* ---- making and naming ---- */

static int check_type(uint64_t type) {
  return (int)type & ~(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : 0;
}

SYSCALL_HANDLER(socket) {
  struct file *f;
  int type = (int)a[1], err = check_type(a[1]);
  if (!err)
    err = socket_create(t->k, (int)a[0], type & TYPE_MASK, (int)a[2], type, &f);
  if (err)
    return err;
  int fd = fd_install(t->files, f, 0, type & SOCK_CLOEXEC);
  file_put(f);
  return fd;
}

SYSCALL_HANDLER(socketpair) {
  struct file *f[2];
  int type = (int)a[1], fd[2] = {-1, -1}, err = check_type(a[1]);
  if (!err)
    err = socketpair_create(t->k, (int)a[0], type & TYPE_MASK, (int)a[2], type, f);
  if (err)
    return err;
  for (int i = 0; i < 2 && !err; i++) {
    fd[i] = fd_reserve(t->files, 0, type & SOCK_CLOEXEC);
    err = fd[i] < 0 ? fd[i] : 0;
  }
  if (!err)
    err = copy_to_user(a[3], fd, sizeof fd);
  for (int i = 0; i < 2; i++) {
    if (!err)
      fd_fill(t->files, fd[i], f[i]);
    else if (fd[i] >= 0)
      fd_unreserve(t->files, fd[i]);
    file_put(f[i]);
  }
  return err;
}

SYSCALL_HANDLER(bind) {
  struct sockaddr_storage ss;
  SOCKET(s, a[0]);
  int err = get_addr(&ss, a[1], a[2]);
  if (err)
    return err;
  return s->ops->bind ? s->ops->bind(s, (struct sockaddr *)&ss, (socklen_t)a[2]) : -EOPNOTSUPP;
}

SYSCALL_HANDLER(connect) {
  struct sockaddr_storage ss;
  SOCKET(s, a[0]);
  int err = get_addr(&ss, a[1], a[2]);
  if (err)
    return err;
  bool nonblock = s_file->flags & O_NONBLOCK;
  return s->ops->connect ? s->ops->connect(s, (struct sockaddr *)&ss, (socklen_t)a[2], nonblock) : -EOPNOTSUPP;
}

SYSCALL_HANDLER(listen) {
  SOCKET(s, a[0]);
  return s->ops->listen ? s->ops->listen(s, (int)a[1]) : -EOPNOTSUPP;
}

static int64_t do_accept(struct task *t, const uint64_t a[6], int flags) {
  if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
    return -EINVAL;
  SOCKET(s, a[0]);
  if (!s->ops->accept)
    return -EOPNOTSUPP;
  int fd = fd_reserve(t->files, 0, flags & SOCK_CLOEXEC);
  if (fd < 0)
    return fd;
  struct socket *n;
  struct sockaddr_storage ss;
  socklen_t len;
  struct file *f = NULL;
  int err = s->ops->accept(s, s_file->flags & O_NONBLOCK, &n);
  if (!err && !(f = socket_file(n, flags)))
    err = -ENOMEM;
  if (!err && a[1]) {
    err = n->ops->getname(n, true, &ss, &len);
    err = err ? -ECONNABORTED : put_addr(a[1], a[2], &ss, len);
  }
  if (err)
    fd_unreserve(t->files, fd);
  else
    fd_fill(t->files, fd, f);
  if (f)
    file_put(f);
  return err ? err : fd;
}

SYSCALL_HANDLER(accept) {
  return do_accept(t, a, 0);
}
SYSCALL_HANDLER(accept4) {
  return do_accept(t, a, (int)a[3]);
}

static int64_t get_name(struct task *t, const uint64_t a[6], bool peer) {
  struct sockaddr_storage ss;
  socklen_t len;
  SOCKET(s, a[0]);
  int err = s->ops->getname ? s->ops->getname(s, peer, &ss, &len) : -EOPNOTSUPP;
  return err ? err : put_addr(a[1], a[2], &ss, len);
}

SYSCALL_HANDLER(getsockname) {
  return get_name(t, a, false);
}
SYSCALL_HANDLER(getpeername) {
  return get_name(t, a, true);
}

SYSCALL_HANDLER(shutdown) {
  SOCKET(s, a[0]);
  return s->ops->shutdown ? s->ops->shutdown(s, (int)a[1]) : -EOPNOTSUPP;
}

/* ---- options ---- */

SYSCALL_HANDLER(setsockopt) {
  char fast[128], *val = fast;
  int len = (int)a[4];
  SOCKET(s, a[0]);
  if (len < 0)
    return -EINVAL;
  if (len > OPT_MAX)
    len = OPT_MAX;
  if (len > (int)sizeof fast && !(val = malloc((size_t)len)))
    return -ENOMEM;
  int r = len ? copy_from_user(val, a[3], (size_t)len) : 0;
  if (!r)
    r = socket_setsockopt(s, (int)a[1], (int)a[2], val, (socklen_t)len);
  if (val != fast)
    free(val);
  return r;
}

/* SO_GET_FILTER counts instructions: filter.rst. */
static int64_t get_filter(struct socket *s, uint64_t uval, uint64_t ulen, int room) {
  socklen_t len = room < BPF_MAXINSNS ? (socklen_t)room : BPF_MAXINSNS;
  struct sock_filter *val = calloc(BPF_MAXINSNS, sizeof *val);
  if (!val)
    return -ENOMEM;
  int r = socket_getsockopt(s, SOL_SOCKET, SO_GET_FILTER, val, &len);
  if (!r && room && len && copy_to_user(uval, val, len * sizeof *val))
    r = -EFAULT;
  free(val);
  return r ? r : put_user(ulen, &len);
}

/* Options whose value says what is asked for, the group of a source filter; or that leave bytes as they are: what is
 * behind the last whole word of a list. */
static bool asks(uint64_t level, uint64_t opt) {
  if ((int)level == SOL_NETLINK)
    return (int)opt == NETLINK_LIST_MEMBERSHIPS;
  if ((int)level == IPPROTO_IP && (int)opt == IP_MSFILTER)
    return true;
  return ((int)level == IPPROTO_IP || (int)level == IPPROTO_IPV6) && (int)opt == MCAST_MSFILTER;
}

SYSCALL_HANDLER(getsockopt) {
  char val[OPT_OUT_MAX];
  int room;
  SOCKET(s, a[0]);
  if (get_user(&room, a[4]))
    return -EFAULT;
  if (room < 0)
    return -EINVAL;
  if ((int)a[1] == SOL_SOCKET && (int)a[2] == SO_GET_FILTER)
    return get_filter(s, a[3], a[4], room);
  socklen_t len = room < OPT_OUT_MAX ? (socklen_t)room : OPT_OUT_MAX, most = len;
  memset(val, 0, len); /* a length may promise more than was written */
  if (asks(a[1], a[2]) && len && copy_from_user(val, a[3], len))
    return -EFAULT;
  /* The version of the ring that packet(7) is asked about. */
  if ((int)a[1] == SOL_PACKET && (int)a[2] == PACKET_HDRLEN && len >= sizeof(int) &&
      copy_from_user(val, a[3], sizeof(int)))
    return -EFAULT;
  int r = socket_getsockopt(s, (int)a[1], (int)a[2], val, &len);
  /* The length may say that there is more than room for it. */
  if (!r && len && copy_to_user(a[3], val, len < most ? len : most))
    r = -EFAULT;
  if (r == -ERANGE && len > (socklen_t)room) /* SO_PEERGROUPS says how much there is */
    return put_user(a[4], &len) ? -EFAULT : r;
  return r ? r : put_user(a[4], &len);
}

/* ---- sending and receiving ---- */

/* MSG_* that only the kernel may set are not the guest's to give. */
static int call_flags(const struct file *f, uint64_t flags) {
  return ((int)flags & 0x7fffffff) | (f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
}

SYSCALL_HANDLER(sendto) {
  struct sockaddr_storage ss;
  struct iovec iov;
  struct uio u;
  SOCKET(s, a[0]);
  int err = uio_user(&u, &iov, a[1], a[2]);
  if (!err && a[4])
    err = get_addr(&ss, a[4], a[5]);
  if (err)
    return err;
  struct msg_k m = {.u = &u, .flags = call_flags(s_file, a[3])};
  if (a[4] && (int)a[5]) {
    m.name = &ss;
    m.name_len = (socklen_t)a[5];
  }
  return s->ops->sendmsg ? s->ops->sendmsg(s, &m) : -EOPNOTSUPP;
}

SYSCALL_HANDLER(recvfrom) {
  struct sockaddr_storage ss;
  struct iovec iov;
  struct uio u;
  SOCKET(s, a[0]);
  int err = uio_user(&u, &iov, a[1], a[2]);
  if (err)
    return err;
  struct msg_k m = {.u = &u, .flags = call_flags(s_file, a[3])};
  if (a[4]) {
    m.name = &ss;
    m.name_len = sizeof ss;
  }
  ssize_t n = s->ops->recvmsg ? s->ops->recvmsg(s, &m) : -EOPNOTSUPP;
  msg_drop_fds(&m);
  if (n >= 0 && a[4] && (err = put_addr(a[4], a[5], &ss, m.name_len)))
    return err;
  return n;
}

static int64_t send_one(struct task *t, struct socket *s, uint64_t umsg, int flags) {
  struct user_msg x;
  int64_t r = user_msg_send(t, s, umsg, flags, &x);
  if (r)
    return r;
  r = s->ops->sendmsg ? s->ops->sendmsg(s, &x.m) : -EOPNOTSUPP;
  user_msg_done(&x);
  return r;
}

static int64_t recv_one(struct task *t, struct socket *s, uint64_t umsg, int flags) {
  struct user_msg x;
  int64_t r = user_msg_recv(t, umsg, flags, &x);
  if (r)
    return r;
  r = s->ops->recvmsg ? s->ops->recvmsg(s, &x.m) : -EOPNOTSUPP;
  if (r >= 0) {
    int err = user_msg_put(t, umsg, flags, &x);
    if (err)
      r = err;
  }
  user_msg_done(&x);
  return r;
}

SYSCALL_HANDLER(sendmsg) {
  SOCKET(s, a[0]);
  return send_one(t, s, a[1], call_flags(s_file, a[2]));
}

SYSCALL_HANDLER(recvmsg) {
  SOCKET(s, a[0]);
  return recv_one(t, s, a[1], call_flags(s_file, a[2]));
}

struct user_mmsghdr {
  struct msghdr h;
  unsigned len;
  unsigned pad;
};

/* The result of one message goes behind its header. */
static int put_mmsg_len(uint64_t umsg, int64_t n) {
  unsigned len = (unsigned)n;
  return copy_to_user(umsg + offsetof(struct user_mmsghdr, len), &len, sizeof len);
}

SYSCALL_HANDLER(sendmmsg) {
  unsigned n = (unsigned)a[2] < UIO_MAXIOV ? (unsigned)a[2] : UIO_MAXIOV, done = 0;
  int64_t r = 0;
  SOCKET(s, a[0]);
  while (done < n) {
    uint64_t umsg = a[1] + done * sizeof(struct user_mmsghdr);
    r = send_one(t, s, umsg, call_flags(s_file, a[3]));
    if (r >= 0)
      r = put_mmsg_len(umsg, r);
    if (r < 0)
      break;
    done++;
  }
  return done ? done : r;
}

SYSCALL_HANDLER(recvmmsg) {
  unsigned n = (unsigned)a[2] < UIO_MAXIOV ? (unsigned)a[2] : UIO_MAXIOV, done = 0;
  struct timespec ts;
  int64_t r = 0, deadline = NO_DEADLINE;
  SOCKET(s, a[0]);
  if (a[4]) {
    if (get_user(&ts, a[4]))
      return -EFAULT;
    if (!timespec_ok(&ts))
      return -EINVAL;
    deadline = deadline_after(timespec_ns(&ts));
  }
  int flags = call_flags(s_file, a[3]) & ~MSG_WAITFORONE;
  while (done < n) {
    uint64_t umsg = a[1] + done * sizeof(struct user_mmsghdr);
    r = recv_one(t, s, umsg, flags);
    if (r >= 0)
      r = put_mmsg_len(umsg, r);
    if (r < 0)
      break;
    done++;
    if (a[3] & MSG_WAITFORONE)
      flags |= MSG_DONTWAIT;
    /* recvmmsg(2), BUGS: the timeout is looked at after each message only. */
    if (deadline != NO_DEADLINE && loop_now_exact() >= deadline)
      break;
  }
  if (a[4] && done) {
    int64_t left = deadline - loop_now_exact();
    ts = ns_timespec(left > 0 ? left : 0);
    if (put_user(a[4], &ts))
      return -EFAULT;
  }
  return done ? done : r;
}
