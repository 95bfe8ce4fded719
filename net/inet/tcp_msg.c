/* Sending and receiving on TCP sockets: tcp_sendmsg() and tcp_recvmsg() of Linux. */
#include "tcp_sock.h"
#include "../../core/errno.h"
#include "../../core/task.h"
#include <linux/capability.h>
#include <string.h>

/* ---- sending ---- */

/* sk_stream_wait_connect(): 0 once there is a connection. The engine says what is wrong if there will be none. */
static int wait_connected(struct tcp_sock *ts, bool nonblock, int64_t deadline) {
  int state;
  while (ts->c && ((state = tcp_state(ts->c)) == TCP_SYN_SENT || state == TCP_SYN_RECV)) {
    struct tcp_status st;
    tcp_status(ts->c, &st);
    if (st.error)
      return 0;
    int err = nonblock ? -EAGAIN : socket_wait(&ts->is->sock->wq, EPOLLOUT, deadline);
    if (err)
      return err;
  }
  return ts->c ? 0 : -EPIPE;
}

/* sock_cmsg_send(): what a stream takes of SOL_SOCKET's control messages has no effect, but is looked at. */
static int check_cmsgs(const struct inet_sock *is, const struct msg_k *m) {
  size_t off = 0;
  while (m->control_len - off >= sizeof(struct cmsghdr)) {
    struct cmsghdr c;
    memcpy(&c, (const char *)m->control + off, sizeof c);
    if (c.cmsg_len < sizeof c || c.cmsg_len > m->control_len - off)
      return -EINVAL;
    bool known = c.cmsg_type == SCM_RIGHTS || c.cmsg_type == SCM_CREDENTIALS || c.cmsg_type == SO_TIMESTAMPING ||
                 (c.cmsg_type == SO_MARK && c.cmsg_len == CMSG_LEN(4) && inet_may(is, CAP_NET_ADMIN));
    if (c.cmsg_level == SOL_SOCKET && !known)
      return -EINVAL;
    size_t step = CMSG_ALIGN(c.cmsg_len);
    if (step > m->control_len - off)
      break;
    off += step;
  }
  return 0;
}

static int stream_error(int err, int flags) {
  return err == -EPIPE ? socket_broken_pipe(flags) : err;
}

/* One go: what there is room for. The buffer is settled first, which may park, and meanwhile there may be more room. */
static ssize_t send_once(struct tcp_sock *ts, struct uio *u, int flags) {
  struct tcp_status st;
  size_t settled = 0;
  for (bool first = true; ts->c; first = false) {
    tcp_status(ts->c, &st);
    size_t n = u->resid < st.room ? u->resid : st.room;
    if (!first && n <= settled)
      break;
    uio_settle(u, settled = n);
  }
  return ts->c ? tcp_send(ts->c, u, flags) : -EPIPE;
}

static ssize_t send_all(struct tcp_sock *ts, struct uio *u, int flags, bool nonblock, int64_t deadline) {
  ssize_t done = 0, r;
  do {
    r = send_once(ts, u, flags);
    if (r >= 0) {
      done += r;
      continue;
    }
    if (r != -EAGAIN || nonblock)
      break;
    r = socket_wait(&ts->is->sock->wq, EPOLLOUT, deadline);
    struct tcp_status st = {0};
    if (ts->c)
      tcp_status(ts->c, &st);
    if (r ||
        (done && (st.error || st.wr_closed))) /* an error is for the next call, if this one has something to tell */
      break;
  } while (u->resid);
  return done ? done : r;
}

ssize_t tcp_sock_sendmsg(struct socket *s, struct msg_k *m) {
  struct tcp_sock *ts = tcp_sock_of(s);
  int flags = m->flags, err = 0;
  bool nonblock = flags & MSG_DONTWAIT || m->u->nonblock;
  int64_t deadline = nonblock ? 0 : socket_deadline(s->opt.sndtimeo);
  if (flags & MSG_FASTOPEN)
    return -EOPNOTSUPP; /* net.ipv4.tcp_fastopen is 0 */
  err = wait_connected(ts, nonblock, deadline);
  if (err)
    return stream_error(err, flags);
  if (m->control_len && (err = check_cmsgs(ts->is, m)))
    return err;
  if (ts->is->shut_wr && tcp_state(ts->c) == TCP_CLOSE) {
    err = -tcp_take_error(ts->c);
    return stream_error(err ? err : -EPIPE, flags);
  }
  ssize_t r = send_all(ts, m->u, flags & (MSG_MORE | MSG_OOB), nonblock, deadline);
  return r < 0 ? stream_error((int)r, flags) : r;
}

/* ---- receiving ---- */

static ssize_t recv_urgent(struct tcp_sock *ts, struct msg_k *m, int flags) {
  uint8_t byte;
  int r = tcp_recv_urg(ts->c, &byte, flags);
  if (r < 0 && tcp_state(ts->c) == TCP_CLOSE && !ts->is->connected)
    return r == -EINVAL ? r : -ENOTCONN;
  if (r <= 0)
    return r;
  m->flags |= MSG_OOB;
  if (!m->u->resid) {
    m->flags |= MSG_TRUNC;
    return 0;
  }
  if (flags & MSG_TRUNC)
    return 1;
  return uio_copy_to(m->u, &byte, 1) == 1 ? 1 : -EFAULT;
}

/* What is there, up to the urgent mark. The buffer is settled first, which may park. */
static ssize_t recv_once(struct tcp_sock *ts, struct uio *u, int flags, uint32_t skip) {
  struct tcp_status st;
  size_t settled = 0;
  while (ts->c) {
    tcp_status(ts->c, &st);
    size_t n = !st.readable ? 0 : u->resid < st.inq ? u->resid : st.inq;
    if (n <= settled)
      break;
    uio_settle(u, settled = n);
  }
  return ts->c ? tcp_recv(ts->c, u, flags & (MSG_PEEK | MSG_TRUNC), flags & MSG_PEEK ? skip : 0) : -ENOTCONN;
}

/* After `done` bytes, is this all for one call? tcp_recvmsg_locked()'s conditions. */
static bool enough(struct tcp_sock *ts, size_t done, size_t want, bool nonblock) {
  struct tcp_status st;
  if (!ts->c || done >= want)
    return true;
  if (!done)
    return nonblock;
  tcp_status(ts->c, &st);
  return nonblock || st.error || st.rd_closed || tcp_at_mark(ts->c) || tcp_state(ts->c) == TCP_CLOSE;
}

static ssize_t recv_some(struct tcp_sock *ts, struct msg_k *m, int flags, bool nonblock) {
  struct socket *s = ts->is->sock;
  int64_t deadline = nonblock ? 0 : socket_deadline(s->opt.rcvtimeo);
  size_t low = (size_t)s->opt.rcvlowat, done = 0;
  size_t want = flags & MSG_WAITALL || low > m->u->resid ? m->u->resid : low;
  ssize_t r;
  for (;;) {
    r = recv_once(ts, m->u, flags, (uint32_t)done);
    if (r > 0)
      done += (size_t)r;
    else if (r != -EAGAIN)
      break;
    if (enough(ts, done, want ? want : 1, nonblock))
      break;
    struct tcp_status st;
    tcp_status(ts->c, &st);
    if (r > 0 && st.readable > (flags & MSG_PEEK ? done : 0)) /* more behind what one go could not take */
      continue;
    r = socket_wait(&s->wq, EPOLLIN, deadline);
    if (r)
      break;
  }
  return done ? (ssize_t)done : r;
}

ssize_t tcp_sock_recvmsg(struct socket *s, struct msg_k *m) {
  struct tcp_sock *ts = tcp_sock_of(s);
  int flags = m->flags;
  bool nonblock = flags & MSG_DONTWAIT || m->u->nonblock;
  if (flags & MSG_ERRQUEUE)
    return inet_err_recv(ts->is, m);
  m->flags = 0;
  m->name_len = 0;
  if (!ts->c)
    return -ENOTCONN;
  if (tcp_state(ts->c) == TCP_LISTEN)
    return -ENOTCONN;
  if (flags & MSG_OOB)
    return recv_urgent(ts, m, flags);
  if (ts->is->shut_rd && tcp_state(ts->c) == TCP_CLOSE) {
    struct tcp_status st;
    tcp_status(ts->c, &st);
    if (!st.readable && !st.error)
      return 0;
  }
  ssize_t r = recv_some(ts, m, flags, nonblock);
  if (r >= 0 && ts->inq)
    tcp_inq_cmsg(ts, m);
  return r;
}
