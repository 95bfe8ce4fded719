/* Messages of AF_UNIX sockets: sending, receiving and polling. unix(7), recv(2), net/unix/af_unix.c for the order of
 * errors. */
#include "../core/errno.h"
#include "../core/task.h"
#include "sock_filter.h"
#include "unix.h"
#include <stdlib.h>
#include <string.h>

#define MSG_OVERHEAD 256   /* what a message is charged beside its bytes */
#define STREAM_CHUNK 65536 /* longest piece of a stream */
#define RCV_SHUT 1
#define SEND_SHUT 2

/* ---- messages and queues ---- */

static struct unix_msg *msg_new(struct unix_sock *sender, size_t len) {
  struct unix_msg *m = malloc(sizeof *m + len);
  if (!m)
    return NULL;
  *m = (struct unix_msg){.sender = unix_get(sender), .len = len, .charge = len + MSG_OVERHEAD};
  ref_init(&m->ref);
  m->addr = unix_addr_get(sender->addr);
  sender->sent_bytes += m->charge;
  return m;
}

/* A quarter of the buffer in use at most: writable for poll, and what blocked senders wait for. */
static bool writable(const struct unix_sock *u) {
  return u->state != UNIX_LISTENING && u->sock && u->sent_bytes * 4 <= (size_t)u->sock->opt.sndbuf;
}

static void uncharge(struct unix_msg *m) {
  struct unix_sock *s = m->sender;
  s->sent_bytes -= m->charge;
  m->charge = 0;
  if (!s->dead && writable(s))
    unix_wake(s, EPOLLOUT | EPOLLWRNORM);
}

void unix_msg_put(struct unix_msg *m) {
  if (!m || !ref_put(&m->ref))
    return;
  int n;
  struct file **fds = unix_detach_fds(m->sender->k, m, &n);
  uncharge(m);
  for (int i = 0; i < n; i++)
    file_put(fds[i]);
  free(fds);
  pid_put(m->pid);
  unix_put(m->sender);
  unix_addr_put(m->addr);
  free(m);
}

static void enqueue(struct unix_sock *to, struct unix_msg *m) {
  TAILQ_INSERT_TAIL(&to->recvq, m, link);
  to->nrecv++;
  to->recv_bytes += m->len;
  unix_wake(to, EPOLLIN | EPOLLRDNORM);
}

/* The queue's reference becomes the caller's. */
static void dequeue(struct unix_sock *u, struct unix_msg *m) {
  if (u->oob == m)
    u->oob = NULL;
  TAILQ_REMOVE(&u->recvq, m, link);
  u->nrecv--;
  u->recv_bytes -= m->len;
}

void unix_purge(struct unix_sock *u) {
  struct unix_msg *m;
  while ((m = TAILQ_FIRST(&u->recvq))) {
    dequeue(u, m);
    unix_msg_put(m);
  }
  waitq_wake_all(&u->peer_wait, 0);
}

static int take_error(struct unix_sock *u) {
  int err = u->err;
  u->err = 0;
  return -err;
}

/* ---- sending ---- */

static bool nonblocking(const struct msg_k *m) {
  return m->flags & MSG_DONTWAIT || m->u->nonblock;
}

static int wait_sndbuf(struct unix_sock *u, const struct msg_k *m, int64_t deadline) {
  while (u->sent_bytes >= (size_t)u->sock->opt.sndbuf) {
    if (u->shutdown & SEND_SHUT)
      return -EPIPE;
    int r = nonblocking(m) ? -EAGAIN : socket_wait(&u->sock->wq, EPOLLOUT, deadline);
    if (r)
      return r;
  }
  return 0;
}

/* A message of len bytes of m, not queued yet. */
static int make_msg(struct unix_sock *u, struct msg_k *m, size_t len, bool with_fds, struct unix_msg **out) {
  struct unix_msg *q = msg_new(u, len);
  if (!q)
    return -ENOMEM;
  struct pid *pid = pid_find_borrow(u->k, (q->cred = m->has_cred ? m->cred : unix_current_cred()).pid);
  q->pid = pid ? pid_get(pid) : NULL;
  int err = 0;
  if (len && uio_copy_from(m->u, q->data, len) != (ssize_t)len)
    err = -EFAULT;
  if (!err && with_fds)
    err = unix_attach_fds(u->k, q, m->fds, m->nfds);
  if (err) {
    unix_msg_put(q);
    return err;
  }
  *out = q;
  return 0;
}

/* The byte that MSG_OOB sends: a piece of its own, and from now on the one that is urgent. */
static int send_urgent(struct unix_sock *u, struct msg_k *m, bool with_fds, int64_t deadline) {
  struct unix_msg *q;
  int err = wait_sndbuf(u, m, deadline);
  if (!err)
    err = make_msg(u, m, 1, with_fds, &q);
  if (err)
    return err;
  struct unix_sock *p = u->peer;
  if (u->shutdown & SEND_SHUT || !p || p->dead || p->shutdown & RCV_SHUT) {
    unix_msg_put(q);
    return -EPIPE;
  }
  p->oob = q;
  enqueue(p, q);
  if (p->sock && p->sock->file)
    file_signal_urgent(p->sock->file);
  unix_wake(p, EPOLLPRI);
  return 0;
}

static ssize_t send_stream(struct unix_sock *u, struct msg_k *m) {
  int64_t deadline = socket_deadline(u->sock->opt.sndtimeo);
  ssize_t done = 0;
  int err = 0;
  if (m->name_len)
    return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
  if (!u->peer)
    return -ENOTCONN;
  if (u->shutdown & SEND_SHUT)
    return socket_broken_pipe(m->flags);
  size_t urgent = m->flags & MSG_OOB ? 1 : 0;
  if (urgent && !m->u->resid)
    return -EOPNOTSUPP;
  while (m->u->resid > urgent && !err) {
    err = wait_sndbuf(u, m, deadline);
    size_t len = (size_t)u->sock->opt.sndbuf / 2 - 64;
    len = len < STREAM_CHUNK ? len : STREAM_CHUNK;
    len = len < m->u->resid - urgent ? len : m->u->resid - urgent;
    struct unix_msg *q = NULL;
    if (!err)
      err = make_msg(u, m, len, !done, &q);
    if (err)
      break;
    if (u->shutdown & SEND_SHUT || u->peer->dead || u->peer->shutdown & RCV_SHUT) {
      unix_msg_put(q);
      err = -EPIPE;
      break;
    }
    enqueue(u->peer, q);
    done += (ssize_t)len;
  }
  if (urgent && !err) {
    err = send_urgent(u, m, !done, deadline);
    done += !err;
  }
  if (done)
    return done;
  return err == -EPIPE ? socket_broken_pipe(m->flags) : err;
}

static int find_dest(struct unix_sock *u, struct msg_k *m, struct unix_sock **out) {
  if (m->name_len && u->type == SOCK_DGRAM) {
    if (m->name_len < sizeof(sa_family_t))
      return -EINVAL;
    return unix_find(u->net, m->name, m->name_len, u->type, out);
  }
  if (!u->peer)
    return -ENOTCONN;
  *out = unix_get(u->peer);
  return 0;
}

static int dest_gone(struct unix_sock *u, struct unix_sock *p) {
  if (u->type == SOCK_SEQPACKET)
    return -EPIPE;
  if (u->peer == p) {
    u->peer = NULL;
    u->state = UNIX_CLOSED;
    waitq_del(&u->peer_entry);
    unix_put(p);
  }
  return -ECONNREFUSED;
}

static bool room_for(const struct unix_sock *u, const struct unix_sock *p) {
  return p == u || p->peer == u || !unix_recvq_full(p);
}

/* Queue q, whose reference is taken over, at p. */
static int deliver(struct unix_sock *u, struct unix_sock *p, struct unix_msg *q, const struct msg_k *m,
                   int64_t deadline) {
  int err = 0;
  uint32_t keep;
  if (p->sock && !sock_filter_pass_bytes(p->sock, q->data, (uint32_t)q->len, &keep)) {
    unix_msg_put(q); /* the sender is not told */
    return 0;
  }
  if (p->sock)
    q->len = keep;
  while (!err) {
    if (p->dead)
      err = dest_gone(u, p);
    else if (p->peer && p->peer != u && u->type == SOCK_DGRAM)
      err = -EPERM;
    else if (p->shutdown & RCV_SHUT)
      err = -EPIPE;
    else if (room_for(u, p))
      break;
    else
      err = nonblocking(m) ? -EAGAIN : socket_wait(&p->peer_wait, 0, deadline);
  }
  if (err)
    unix_msg_put(q);
  else
    enqueue(p, q);
  return err;
}

static ssize_t send_packet(struct unix_sock *u, struct msg_k *m) {
  int64_t deadline = socket_deadline(u->sock->opt.sndtimeo);
  size_t len = m->u->resid;
  struct unix_sock *p = NULL;
  struct unix_msg *q;
  if (u->type == SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
    return -ENOTCONN;
  int err = take_error(u);
  if (!err && u->sock->opt.passcred && u->type == SOCK_DGRAM)
    err = unix_autobind(u);
  if (!err && len > (size_t)u->sock->opt.sndbuf - 32)
    err = -EMSGSIZE;
  if (!err && u->shutdown & SEND_SHUT)
    err = -EPIPE;
  if (!err)
    err = wait_sndbuf(u, m, deadline);
  if (!err)
    err = find_dest(u, m, &p);
  if (err)
    return err;
  err = make_msg(u, m, len, true, &q);
  if (!err)
    err = deliver(u, p, q, m, deadline);
  unix_put(p);
  return err ? err : (ssize_t)len;
}

ssize_t unix_sendmsg(struct socket *s, struct msg_k *m) {
  struct unix_sock *u = unix_of(s);
  if ((m->flags & MSG_OOB) && u->type != SOCK_STREAM)
    return -EOPNOTSUPP;
  return u->type == SOCK_STREAM ? send_stream(u, m) : send_packet(u, m);
}

/* ---- receiving ---- */

static void give_name(struct msg_k *m, socklen_t room, const struct unix_addr *a) {
  char buf[sizeof(struct sockaddr_un) + 1];
  m->name_len = a ? a->len : 0;
  if (!m->name || !a)
    return;
  unix_copy_addr(a, buf);
  memcpy(m->name, buf, room < a->len ? room : a->len);
}

static void give_cred(const struct unix_sock *u, struct msg_k *m, const struct unix_msg *q) {
  if (u->sock->opt.passpidfd && q->pid && !m->pid)
    m->pid = pid_get(q->pid);
  m->cred = q->cred;
  if (!u->sock->opt.passcred)
    return;
  m->has_cred = true;
}

/* Hand the descriptors out, or copies of them when peeking. */
static int give_fds(struct unix_sock *u, struct msg_k *m, struct unix_msg *q, bool peek) {
  if (!q->nfds)
    return 0;
  if (!peek) {
    m->fds = unix_detach_fds(u->k, q, &m->nfds);
    return 0;
  }
  m->fds = malloc((size_t)q->nfds * sizeof *m->fds);
  if (!m->fds)
    return -ENOMEM;
  m->nfds = q->nfds;
  for (int i = 0; i < q->nfds; i++)
    m->fds[i] = file_get(q->fds[i]);
  return 0;
}

/*
 * The same for a stream, where the urgent byte interrupts reading: what was read before it is returned first (*stop),
 * then it is passed over, or read in place with SO_OOBINLINE. A piece without bytes is where an urgent byte was taken.
 */
static struct unix_msg *stream_front(struct unix_sock *u, size_t *skip, bool peek, bool copied, bool *stop) {
  bool inl = u->sock->opt.oobinline;
  struct unix_msg *q, *next;
  *stop = false;
  for (q = TAILQ_FIRST(&u->recvq); q; q = next) {
    next = TAILQ_NEXT(q, link);
    bool mark = !q->len, urgent = q == u->oob;
    if (copied && (urgent || (mark && !u->oob))) {
      *stop = true;
      return NULL;
    }
    if (mark || (urgent && !inl)) {
      if (!peek) {
        dequeue(u, q);
        unix_msg_put(q);
      }
      continue;
    }
    if (*skip < q->len) {
      if (urgent && !peek)
        u->oob = NULL;
      return q;
    }
    *skip -= q->len;
  }
  return NULL;
}

/* The message and the place in it that reading starts at; *skip bytes are passed over (SO_PEEK_OFF). */
static struct unix_msg *front(struct unix_sock *u, size_t *skip) {
  struct unix_msg *q;
  TAILQ_FOREACH(q, &u->recvq, link) {
    if (*skip < q->len || (!q->len && !*skip))
      return q;
    *skip -= q->len;
  }
  return NULL;
}

static size_t peek_start(const struct unix_sock *u, bool peek) {
  return peek && u->sock->opt.peek_off > 0 ? (size_t)u->sock->opt.peek_off : 0;
}

static void move_peek_off(struct unix_sock *u, bool peek, size_t n) {
  int *off = &u->sock->opt.peek_off;
  if (*off < 0)
    return;
  if (peek)
    *off += (int)n;
  else
    *off = (size_t)*off > n ? *off - (int)n : 0;
}

/* Wait for something in the queue: 1, 0 at the end of the stream, or an error. */
static int wait_data(struct unix_sock *u, bool nonblock, int64_t deadline) {
  int err = take_error(u);
  if (err)
    return err;
  if (u->shutdown & RCV_SHUT && (!nonblock || u->type != SOCK_DGRAM))
    return 0;
  if (nonblock)
    return -EAGAIN;
  err = socket_wait(&u->sock->wq, EPOLLIN, deadline);
  return err ? err : 1;
}

static bool same_cred(const struct ucred *a, const struct ucred *b) {
  return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Copy from q at skip; without peek the bytes are gone. Bytes copied or -errno. */
static ssize_t read_piece(struct unix_sock *u, struct msg_k *m, struct unix_msg *q, size_t skip, bool peek) {
  size_t n = q->len - skip < m->u->resid ? q->len - skip : m->u->resid;
  ref_get(&q->ref);
  ssize_t r = n ? uio_copy_to(m->u, q->data + q->off + skip, n) : 0;
  int err = r < 0 ? (int)r : give_fds(u, m, q, peek);
  if (r > 0 && !err && !peek) {
    q->off += (size_t)r;
    q->len -= (size_t)r;
    u->recv_bytes -= (size_t)r;
    if (!q->len) {
      dequeue(u, q);
      unix_msg_put(q);
    }
  }
  unix_msg_put(q);
  return err ? err : r;
}

/* With read_lock held. */
static ssize_t recv_pieces(struct unix_sock *u, struct msg_k *m, int flags, socklen_t room) {
  bool peek = flags & MSG_PEEK, nonblock = flags & MSG_DONTWAIT || m->u->nonblock;
  int64_t deadline = socket_deadline(u->sock->opt.rcvtimeo);
  size_t want = flags & MSG_WAITALL ? m->u->resid : (size_t)u->sock->opt.rcvlowat;
  size_t done = 0, skip = peek_start(u, peek);
  ssize_t r = 0;
  bool first = true, stop;
  if (want > m->u->resid || !want)
    want = m->u->resid ? m->u->resid : 1;
  for (;;) {
    size_t at = skip;
    struct unix_msg *q = stream_front(u, &at, peek, done > 0, &stop);
    if (!q) {
      if (done >= want || stop)
        break;
      fmutex_unlock(&u->read_lock);
      r = wait_data(u, nonblock, deadline);
      fmutex_lock(&u->read_lock);
      if (r <= 0 && !stream_front(u, &(size_t){skip}, true, false, &stop))
        break;
      continue;
    }
    if (!first && (u->sock->opt.passcred || u->sock->opt.passpidfd) && !same_cred(&m->cred, &q->cred))
      break;
    if (first) {
      give_name(m, room, q->addr);
      give_cred(u, m, q);
      first = false;
    }
    r = read_piece(u, m, q, at, peek);
    if (r < 0)
      break;
    done += (size_t)r;
    if (peek)
      skip += (size_t)r;
    if (m->nfds || !m->u->resid)
      break;
  }
  if (done)
    move_peek_off(u, peek, done);
  return done ? (ssize_t)done : r < 0 ? r : 0;
}

/* MSG_OOB: the byte goes, its place stays as a mark. */
static ssize_t recv_urgent(struct unix_sock *u, struct msg_k *m, bool peek) {
  struct unix_msg *q = u->oob;
  if (u->sock->opt.oobinline || !q)
    return -EINVAL;
  char c = q->data[q->off];
  if (!peek) {
    u->oob = NULL;
    q->off++;
    q->len--;
    u->recv_bytes--;
  }
  m->flags |= MSG_OOB;
  return m->u->resid && uio_copy_to(m->u, &c, 1) == 1 ? 1 : -EFAULT;
}

static ssize_t recv_stream(struct unix_sock *u, struct msg_k *m, int flags, socklen_t room) {
  if (u->state != UNIX_CONNECTED)
    return -EINVAL;
  fmutex_lock(&u->read_lock);
  ssize_t r = flags & MSG_OOB ? recv_urgent(u, m, flags & MSG_PEEK) : recv_pieces(u, m, flags, room);
  fmutex_unlock(&u->read_lock);
  return r;
}

static ssize_t recv_packet(struct unix_sock *u, struct msg_k *m, int flags, socklen_t room) {
  bool peek = flags & MSG_PEEK, nonblock = flags & MSG_DONTWAIT || m->u->nonblock;
  int64_t deadline = socket_deadline(u->sock->opt.rcvtimeo);
  struct unix_msg *q;
  size_t skip;
  if (u->type == SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
    return -ENOTCONN;
  for (;;) {
    skip = peek_start(u, peek);
    q = front(u, &skip);
    if (q)
      break;
    int r = wait_data(u, nonblock, deadline);
    if (r <= 0 && TAILQ_EMPTY(&u->recvq))
      return r;
  }
  ref_get(&q->ref);
  if (!peek) {
    dequeue(u, q);
    unix_msg_put(q);
    waitq_wake_all(&u->peer_wait, EPOLLOUT | EPOLLWRNORM);
  }
  give_name(m, room, q->addr);
  give_cred(u, m, q);
  size_t left = q->len - skip, n = left < m->u->resid ? left : m->u->resid;
  ssize_t r = 0;
  if (n && uio_copy_to(m->u, q->data + skip, n) != (ssize_t)n)
    r = -EFAULT;
  if (!r)
    r = give_fds(u, m, q, peek);
  if (!r) {
    move_peek_off(u, peek, peek ? n : q->len);
    if (left > n)
      m->flags |= MSG_TRUNC;
    r = flags & MSG_TRUNC ? (ssize_t)left : (ssize_t)n;
  }
  unix_msg_put(q);
  return r;
}

ssize_t unix_recvmsg(struct socket *s, struct msg_k *m) {
  struct unix_sock *u = unix_of(s);
  int flags = m->flags;
  socklen_t room = m->name_len;
  if ((flags & MSG_OOB) && u->type != SOCK_STREAM)
    return -EOPNOTSUPP;
  m->flags = 0;
  m->name_len = 0;
  return u->type == SOCK_STREAM ? recv_stream(u, m, flags, room) : recv_packet(u, m, flags, room);
}

/* ---- poll ---- */

static bool peer_entry_fire(struct wait_entry *e, uint32_t events) {
  unix_wake(e->arg, EPOLLOUT | EPOLLWRNORM);
  return false;
}

void unix_watch_peer(struct unix_sock *u) {
  waitq_del(&u->peer_entry);
  u->peer_entry = (struct wait_entry){.fn = peer_entry_fire, .arg = u};
  waitq_add(&u->peer->peer_wait, &u->peer_entry);
}

uint32_t unix_poll(struct socket *s) {
  const struct unix_sock *u = unix_of(s);
  uint32_t ev = 0;
  if (u->err)
    ev |= EPOLLERR;
  if (u->shutdown == (RCV_SHUT | SEND_SHUT))
    ev |= EPOLLHUP;
  if (u->shutdown & RCV_SHUT)
    ev |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
  if (u->oob)
    ev |= EPOLLPRI;
  if (!TAILQ_EMPTY(&u->recvq) || !TAILQ_EMPTY(&u->backlog))
    ev |= EPOLLIN | EPOLLRDNORM;
  if (u->type != SOCK_DGRAM && u->state == UNIX_CLOSED)
    ev |= EPOLLHUP;
  bool full = u->type == SOCK_DGRAM && u->peer && !room_for(u, u->peer);
  if (writable(u) && !full)
    ev |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  return ev;
}
