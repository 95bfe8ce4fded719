#include "unix.h"
#include "../core/errno.h"
#include "../core/task.h"
#include "../core/uaccess.h"
#include "inet/inet.h"
#include <linux/sockios.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PATH_OFF offsetof(struct sockaddr_un, sun_path)
#define SO_PEERPIDFD_K 77 /* newer than this libc */
#define SHUT_ALL 3        /* both bits of unix_sock.shutdown */

/* ---- names ---- */

struct unix_addr *unix_addr_get(struct unix_addr *a) {
  if (a)
    ref_get(&a->ref);
  return a;
}

void unix_addr_put(struct unix_addr *a) {
  if (a && ref_put(&a->ref))
    free(a);
}

void unix_copy_addr(const struct unix_addr *a, void *out) {
  memcpy(out, (const char *)a + offsetof(struct unix_addr, sun), a->len);
  ((struct sockaddr *)out)->sa_family = AF_UNIX; /* see put_name() */
}

static int check_addr(const struct sockaddr *sa, socklen_t len) {
  return len <= PATH_OFF || len > sizeof(struct sockaddr_un) || sa->sa_family != AF_UNIX ? -EINVAL : 0;
}

/* A checked copy with a NUL behind it. */
static int addr_new(const struct sockaddr *sa, socklen_t len, struct unix_addr **out) {
  if (check_addr(sa, len))
    return -EINVAL;
  struct unix_addr *a = calloc(1, sizeof *a);
  if (!a)
    return -ENOMEM;
  ref_init(&a->ref);
  memcpy(&a->sun, sa, len);
  a->len = len;
  if (a->sun.sun_path[0]) /* getsockname shows the NUL of a path */
    a->len = PATH_OFF + strnlen(a->sun.sun_path, sizeof a->sun.sun_path) + 1;
  *out = a;
  return 0;
}

static bool is_abstract(const struct unix_addr *a) {
  return !a->sun.sun_path[0];
}

/* Names of different types of sockets do not meet: the family field of the key holds the type. */
struct abstract_key {
  char bytes[sizeof(struct sockaddr_un)];
};

static size_t abstract_key(const struct unix_addr *a, int type, struct abstract_key *key) {
  memcpy(key->bytes, &a->sun, a->len);
  key->bytes[0] = (char)type;
  return a->len;
}

/* Every network namespace has names of its own. Without a task (boot) it is the initial one. */
static struct net_namespace *current_net(struct kernel *k) {
  struct task *t = task_current();
  return (t && t->nsproxy ? t->nsproxy : k->init_nsproxy)->net;
}

static struct unix_sock *find_abstract(const struct net_namespace *n, const struct unix_addr *a, int type) {
  struct unix_sock *names = n->abstract_names;
  struct abstract_key key;
  struct unix_sock *u;
  size_t len = abstract_key(a, type, &key);
  HASH_FIND(hh, names, key.bytes, len, u);
  return u;
}

struct unix_net *unix_net(struct kernel *k) {
  if (!k->unix_net && (k->unix_net = calloc(1, sizeof *k->unix_net)))
    LIST_INIT(&k->unix_net->inflight);
  return k->unix_net;
}

static int find_path(const struct unix_addr *a, int type, struct unix_sock **out) {
  struct task *t = task_current();
  struct path p;
  int err = vfs_lookup(t, AT_FDCWD, a->sun.sun_path, LOOKUP_FOLLOW, &p);
  if (err)
    return err;
  struct inode *i = p.dentry->inode;
  struct unix_sock *u = NULL;
  err = vfs_permission(t, p.mnt, i, W_OK);
  if (!err && S_ISSOCK(i->mode))
    u = i->socket;
  if (!err && !u)
    err = -ECONNREFUSED;
  if (!err && u->type != type)
    err = -EPROTOTYPE;
  if (!err)
    *out = unix_get(u);
  path_put(&p);
  return err;
}

int unix_find(struct net_namespace *net, const struct sockaddr *sa, socklen_t len, int type, struct unix_sock **out) {
  struct unix_addr *a;
  int err = addr_new(sa, len, &a);
  if (err)
    return err;
  if (is_abstract(a)) {
    struct unix_sock *u = find_abstract(net, a, type);
    err = u ? 0 : -ECONNREFUSED;
    *out = u ? unix_get(u) : NULL;
  } else {
    err = find_path(a, type, out);
  }
  unix_addr_put(a);
  return err;
}

/* ---- life ---- */

struct unix_sock *unix_get(struct unix_sock *u) {
  ref_get(&u->ref);
  return u;
}

void unix_put(struct unix_sock *u) {
  if (!u || !ref_put(&u->ref))
    return;
  LIST_REMOVE(u, all_link);
  waitq_destroy(&u->peer_wait);
  unix_addr_put(u->addr);
  ns_put(&u->net->ns);
  unix_drop_peer(u);
  free(u);
}

void unix_wake(struct unix_sock *u, uint32_t events) {
  if (u->sock)
    waitq_wake(&u->sock->wq, events);
}

static void wake_all(struct unix_sock *u) {
  if (u->sock)
    waitq_wake_all(&u->sock->wq, 0);
}

struct ucred unix_current_cred(void) {
  const struct task *t = task_current();
  return t ? (struct ucred){.pid = t->proc->pid->nr, .uid = t->cred->euid, .gid = t->cred->egid}
           : (struct ucred){.pid = 0};
}

static struct unix_sock *unix_new(struct kernel *k, int type) {
  struct unix_sock *u = calloc(1, sizeof *u);
  if (!u)
    return NULL;
  ref_init(&u->ref);
  u->k = k;
  u->net = (struct net_namespace *)ns_get(&current_net(k)->ns);
  u->type = type;
  u->backlog_max = u->net->unix_dgram_qlen;
  u->peercred = (struct ucred){.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
  TAILQ_INIT(&u->recvq);
  TAILQ_INIT(&u->backlog);
  fmutex_init(&u->read_lock);
  waitq_init(&u->peer_wait);
  LIST_INSERT_HEAD(&k->unix_net->all, u, all_link);
  return u;
}

int unix_create(struct socket *s, int protocol) {
  if (protocol && protocol != PF_UNIX)
    return -EPROTONOSUPPORT;
  if (s->type == SOCK_RAW) /* as BSD: unix(7) of Linux takes it for a datagram socket */
    s->type = SOCK_DGRAM;
  if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM && s->type != SOCK_SEQPACKET)
    return -ESOCKTNOSUPPORT;
  struct unix_sock *u = unix_net(s->k) ? unix_new(s->k, s->type) : NULL;
  if (!u)
    return -ENOMEM;
  u->sock = s;
  s->priv = u;
  s->protocol = 0;
  s->ops = &unix_socket_ops;
  return 0;
}

static void unname(struct unix_sock *u) {
  if (u->hashed) {
    struct unix_sock *names = u->net->abstract_names;
    HASH_DEL(names, u);
    u->net->abstract_names = names;
  }
  u->hashed = false;
  if (!u->has_path)
    return;
  u->has_path = false;
  if (u->inode->socket == u)
    u->inode->socket = NULL;
  inode_put(u->inode);
  path_put(&u->path);
}

/* The other end of a connection goes: tell ours. */
static void hang_up_peer(struct unix_sock *u, bool reset) {
  struct unix_sock *p = u->peer;
  u->peer = NULL;
  waitq_del(&u->peer_entry);
  if (!p)
    return;
  if (u->type != SOCK_DGRAM && p->peer == u) {
    p->shutdown = SHUT_ALL;
    if (reset)
      p->err = ECONNRESET;
    wake_all(p);
  }
  unix_put(p);
}

/* Frees the connection's half; the caller's reference remains. */
static void unix_close(struct unix_sock *u, bool embryo) {
  if (u->dead)
    return;
  u->dead = true;
  u->shutdown = SHUT_ALL;
  u->sock = NULL;
  unname(u);
  hang_up_peer(u, embryo || u->nrecv);
  u->state = UNIX_CLOSED;
  waitq_wake_all(&u->peer_wait, 0);
  struct unix_sock *e;
  while ((e = TAILQ_FIRST(&u->backlog))) {
    TAILQ_REMOVE(&u->backlog, e, backlog_link);
    u->nbacklog--;
    unix_close(e, true);
    unix_put(e);
  }
  unix_purge(u);
}

static void unix_release(struct socket *s) {
  struct unix_sock *u = unix_of(s);
  struct kernel *k = u->k;
  unix_close(u, false);
  unix_put(u);
  unix_collect(k);
}

/* ---- bind ---- */

static void put_name(struct unix_sock *u, struct unix_addr *a) {
  struct unix_sock *names = u->net->abstract_names;
  u->addr = a;
  if (!is_abstract(a))
    return;
  /* The key is the name in a->sun, whose family field holds the type from now on; unix_copy_addr() hides that. */
  a->sun.sun_family = (sa_family_t)u->type;
  HASH_ADD_KEYPTR(hh, names, (char *)&a->sun, a->len, u);
  u->net->abstract_names = names;
  u->hashed = true;
}

int unix_autobind(struct unix_sock *u) {
  struct unix_net *n = unix_net(u->k);
  if (u->addr)
    return 0;
  for (unsigned tries = 0; tries <= 0xfffff; tries++) {
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct unix_addr *a;
    snprintf(sun.sun_path + 1, 6, "%05x", n->autobind++ & 0xfffff);
    int err = addr_new((struct sockaddr *)&sun, PATH_OFF + 6, &a);
    if (err)
      return err;
    if (!find_abstract(u->net, a, u->type)) {
      put_name(u, a);
      return 0;
    }
    unix_addr_put(a);
  }
  return -ENOSPC;
}

static int bind_path(struct unix_sock *u, struct unix_addr *a) {
  struct path p;
  int err = vfs_mknod_path(task_current(), AT_FDCWD, a->sun.sun_path, S_IFSOCK | 0777, 0, &p);
  if (err)
    return err == -EEXIST ? -EADDRINUSE : err;
  if (u->addr || u->dead) {
    path_put(&p);
    vfs_unlink(task_current(), AT_FDCWD, a->sun.sun_path);
    return -EINVAL;
  }
  u->path = p;
  u->has_path = true;
  u->inode = inode_get(p.dentry->inode);
  u->inode->socket = u;
  put_name(u, a);
  return 0;
}

static int unix_bind(struct socket *s, const struct sockaddr *sa, socklen_t len) {
  struct unix_sock *u = unix_of(s);
  struct unix_addr *a;
  if (len == PATH_OFF && sa->sa_family == AF_UNIX)
    return unix_autobind(u);
  int err = addr_new(sa, len, &a);
  if (err)
    return err;
  if (!is_abstract(a)) /* makes the file first, as Linux does: EADDRINUSE before EINVAL */
    err = bind_path(u, a);
  else if (u->addr)
    err = -EINVAL;
  else if (find_abstract(u->net, a, u->type))
    err = -EADDRINUSE;
  else
    put_name(u, a);
  if (err)
    unix_addr_put(a);
  return err;
}

static int unix_getname(struct socket *s, bool peer, struct sockaddr_storage *out, socklen_t *len) {
  struct unix_sock *u = unix_of(s);
  if (peer && !u->peer)
    return -ENOTCONN;
  const struct unix_addr *a = peer ? u->peer->addr : u->addr;
  *out = (struct sockaddr_storage){.ss_family = AF_UNIX};
  *len = a ? a->len : PATH_OFF;
  if (a)
    unix_copy_addr(a, out);
  return 0;
}

/* ---- connect, listen, accept ---- */

static void set_peer(struct unix_sock *u, struct unix_sock *p) {
  u->peer = p ? unix_get(p) : NULL;
  if (p && u->type == SOCK_DGRAM)
    unix_watch_peer(u);
}

static int connect_dgram(struct unix_sock *u, const struct sockaddr *sa, socklen_t len) {
  struct unix_sock *p = NULL, *old = u->peer;
  if (sa->sa_family != AF_UNSPEC) {
    int err = u->sock->opt.passcred || u->sock->opt.passpidfd ? unix_autobind(u) : 0;
    if (!err)
      err = unix_find(u->net, sa, len, u->type, &p);
    if (err)
      return err;
    if (p->dead || (p->peer && p->peer != u)) {
      int refused = p->dead ? -ECONNREFUSED : -EPERM;
      unix_put(p);
      return refused;
    }
  }
  old = u->peer;
  if (old != p) {
    waitq_del(&u->peer_entry);
    if (old && u->nrecv) { /* what came from the old peer is lost, and the old peer hears of it */
      unix_purge(u);
      if (!old->dead && old->peer == u)
        old->err = ECONNRESET;
    }
    set_peer(u, p);
    u->state = p ? UNIX_CONNECTED : UNIX_CLOSED;
    unix_put(old);
    wake_all(u);
  }
  unix_put(p);
  return 0;
}

/* The listener is found anew after every wait: it may be gone, and its name somebody else's. */
static int find_listener(struct unix_sock *u, const struct sockaddr *sa, socklen_t len, bool nonblock, int64_t deadline,
                         struct unix_sock **out) {
  for (;;) {
    struct unix_sock *l;
    int err = unix_find(u->net, sa, len, u->type, &l);
    if (err)
      return err;
    *out = l;
    if (l->dead || l->state != UNIX_LISTENING || l->shutdown & 1)
      err = -ECONNREFUSED;
    else if (l->nbacklog <= l->backlog_max)
      return 0;
    else
      err = nonblock ? -EAGAIN : socket_wait(&l->peer_wait, 0, deadline);
    unix_put(l);
    *out = NULL;
    if (err)
      return err;
  }
}

static int connect_stream(struct unix_sock *u, const struct sockaddr *sa, socklen_t len, bool nonblock) {
  struct unix_sock *l = NULL;
  int err = check_addr(sa, len);
  if (!err && (u->sock->opt.passcred || u->sock->opt.passpidfd))
    err = unix_autobind(u);
  if (!err && u->state != UNIX_CLOSED)
    err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
  if (err)
    return err;
  struct unix_sock *e = unix_new(u->k, u->type);
  if (!e)
    return -ENOMEM;
  err = find_listener(u, sa, len, nonblock, socket_deadline(u->sock->opt.sndtimeo), &l);
  if (!err && (u->dead || u->state != UNIX_CLOSED)) /* another thread, during the wait */
    err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
  if (err) {
    unix_put(l);
    unix_put(e);
    return err;
  }
  e->addr = unix_addr_get(l->addr);
  e->state = u->state = UNIX_CONNECTED;
  unix_set_peer(e, NULL);
  unix_set_peer(u, l);
  set_peer(e, u);
  set_peer(u, e);
  TAILQ_INSERT_TAIL(&l->backlog, e, backlog_link); /* takes over our reference */
  l->nbacklog++;
  unix_wake(l, EPOLLIN | EPOLLRDNORM);
  wake_all(u);
  unix_put(l);
  return 0;
}

static int unix_connect(struct socket *s, const struct sockaddr *sa, socklen_t len, bool nonblock) {
  struct unix_sock *u = unix_of(s);
  if (len < sizeof(sa_family_t))
    return -EINVAL;
  return u->type == SOCK_DGRAM ? connect_dgram(u, sa, len) : connect_stream(u, sa, len, nonblock);
}

static int unix_listen(struct socket *s, int backlog) {
  struct unix_sock *u = unix_of(s);
  if (u->type == SOCK_DGRAM)
    return -EOPNOTSUPP;
  if (!u->addr || u->state == UNIX_CONNECTED)
    return -EINVAL;
  struct inet_net *inet = inet_net_of(u->net);
  int most = inet ? tcp_settings(inet->tcp)->somaxconn : UNIX_SOMAXCONN;
  if ((unsigned)backlog > (unsigned)most)
    backlog = most;
  if (backlog > u->backlog_max)
    waitq_wake_all(&u->peer_wait, 0);
  u->backlog_max = backlog;
  u->state = UNIX_LISTENING;
  s->listening = true;
  unix_set_peer(u, NULL);
  return 0;
}

static int unix_accept(struct socket *s, bool nonblock, struct socket **out) {
  struct unix_sock *u = unix_of(s), *e;
  int64_t deadline = socket_deadline(s->opt.rcvtimeo);
  if (u->type == SOCK_DGRAM)
    return -EOPNOTSUPP;
  if (u->state != UNIX_LISTENING)
    return -EINVAL;
  while (!(e = TAILQ_FIRST(&u->backlog))) {
    if (u->shutdown & 1)
      return -EINVAL;
    int err = nonblock ? -EAGAIN : socket_wait(&s->wq, EPOLLIN, deadline);
    if (err && TAILQ_EMPTY(&u->backlog))
      return err;
  }
  struct socket *n = socket_alloc(s->k, AF_UNIX, s->type, 0);
  if (!n)
    return -ENOMEM;
  TAILQ_REMOVE(&u->backlog, e, backlog_link);
  u->nbacklog--;
  waitq_wake(&u->peer_wait, 0);
  n->ops = &unix_socket_ops;
  n->priv = e; /* with the backlog's reference */
  n->opt.passcred = s->opt.passcred;
  n->opt.passpidfd = s->opt.passpidfd;
  e->sock = n;
  *out = n;
  return 0;
}

static int unix_socketpair(struct socket *a, struct socket *b) {
  struct unix_sock *ua = unix_of(a), *ub = unix_of(b);
  set_peer(ua, ub);
  set_peer(ub, ua);
  unix_set_peer(ua, NULL);
  unix_set_peer(ub, NULL);
  if (ua->type != SOCK_DGRAM)
    ua->state = ub->state = UNIX_CONNECTED;
  return 0;
}

static int unix_shutdown(struct socket *s, int how) {
  struct unix_sock *u = unix_of(s), *p = u->peer;
  if (how < SHUT_RD || how > SHUT_RDWR)
    return -EINVAL;
  int mode = how + 1; /* 1: receive, 2: send, 3 */
  u->shutdown |= mode;
  if (p && u->type != SOCK_DGRAM) {
    p->shutdown |= (mode & 1) << 1 | mode >> 1;
    wake_all(p);
  }
  wake_all(u);
  return 0;
}

/* ---- options ---- */

static int unix_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  struct unix_sock *u = unix_of(s);
  if (level != SOL_SOCKET)
    return -EOPNOTSUPP;
  if (opt == SO_ERROR) {
    s->err = u->err ? u->err : s->err;
    u->err = 0;
  }
  if (opt == SO_PEERPIDFD_K)
    return unix_peer_pidfd(u, val, len);
  if (opt == SO_PEERGROUPS)
    return unix_peer_groups(u, val, len);
  if (opt != SO_PEERCRED)
    return -ENOPROTOOPT;
  struct ucred c = ucred_here(u->k, &u->peercred);
  if (*len > sizeof c)
    *len = sizeof c;
  memcpy(val, &c, *len);
  return 0;
}

static int unix_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  return level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
}

/* Is the next byte the urgent one, or behind the place of one that was taken? */
static bool at_mark(const struct unix_sock *u) {
  const struct unix_msg *q = TAILQ_FIRST(&u->recvq);
  return q && (q == u->oob || (!q->len && (!u->oob || TAILQ_NEXT(q, link) == u->oob)));
}

static long unix_ioctl(struct socket *s, unsigned cmd, uint64_t arg) {
  struct unix_sock *u = unix_of(s);
  const struct unix_msg *first = TAILQ_FIRST(&u->recvq);
  size_t n;
  switch (cmd) {
  case SIOCOUTQ:
    n = u->sent_bytes;
    break;
  case SIOCINQ:
    if (u->state == UNIX_LISTENING)
      return -EINVAL;
    n = u->type == SOCK_DGRAM ? (first ? first->len : 0) : u->recv_bytes;
    break;
  case SIOCATMARK:
    n = u->type == SOCK_STREAM && at_mark(u);
    break;
  default:
    return -ENOTTY;
  }
  int v = (int)n;
  return put_user(arg, &v);
}

const struct socket_ops unix_socket_ops = {
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .getname = unix_getname,
    .shutdown = unix_shutdown,
    .sendmsg = unix_sendmsg,
    .recvmsg = unix_recvmsg,
    .setsockopt = unix_setsockopt,
    .getsockopt = unix_getsockopt,
    .socketpair = unix_socketpair,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .release = unix_release,
};

struct unix_sock *unix_of_file(struct file *f) {
  struct socket *s = socket_from_file(f);
  return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}
