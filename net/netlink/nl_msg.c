/* Datagrams of AF_NETLINK: between sockets, to groups, to the kernel's end and from it. See netlink.h. */
#include "netlink.h"
#include "../sock_filter.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <linux/net_namespace.h>
#include <stdlib.h>

#define WAKE_READ (EPOLLIN | EPOLLRDNORM)

static struct ucred current_ucred(void) {
  const struct task *t = task_current();
  return t ? (struct ucred){.pid = t->proc->pid->nr, .uid = t->cred->euid, .gid = t->cred->egid}
           : (struct ucred){.pid = 0};
}

static struct nl_msg *msg_new(const void *p, size_t len) {
  struct nl_msg *m = malloc(sizeof *m + len);
  if (!m)
    return NULL;
  *m = (struct nl_msg){.len = len, .nsid = NETNSA_NSID_NOT_ASSIGNED};
  ref_init(&m->ref);
  if (len && p)
    memcpy(m->data, p, len);
  return m;
}

static void msg_put(struct nl_msg *m) {
  if (ref_put(&m->ref))
    free(m);
}

/* ---- the queue ---- */

static size_t charge(const struct nl_msg *m) {
  return m->len + NL_MSG_OVERHEAD;
}

static size_t limit(const struct netlink_sock *nk) {
  return nk->sock->opt.rcvbuf < NL_QUEUE_MAX ? (size_t)nk->sock->opt.rcvbuf : NL_QUEUE_MAX;
}

static bool full(const struct netlink_sock *nk) {
  return nk->rmem > limit(nk) || nk->congested;
}

/* The reader will be told once, until it has emptied the queue: netlink_overrun(). */
static void overrun(struct netlink_sock *nk) {
  nk->drops++;
  if (nk->no_enobufs || nk->congested)
    return;
  nk->congested = true;
  nk->sock->err = ENOBUFS;
  waitq_wake(&nk->sock->wq, EPOLLERR | WAKE_READ);
}

/* Takes m over. What a socket filter does not want is not missed by the sender. */
static void enqueue(struct netlink_sock *nk, struct nl_msg *m) {
  uint32_t keep;
  if (!sock_filter_pass_bytes(nk->sock, m->data, (uint32_t)m->len, &keep)) {
    msg_put(m);
    return;
  }
  if (keep < m->len) { /* what is charged is what is held */
    struct nl_msg *cut = realloc(m, sizeof *m + keep);
    m = cut ? cut : m;
    m->len = keep;
  }
  TAILQ_INSERT_TAIL(&nk->queue, m, link);
  nk->nqueued++;
  nk->rmem += charge(m);
  waitq_wake(&nk->sock->wq, WAKE_READ);
}

static void dequeue(struct netlink_sock *nk, struct nl_msg *m) {
  TAILQ_REMOVE(&nk->queue, m, link);
  nk->nqueued--;
  nk->rmem -= charge(m);
  if (nk->nqueued)
    return;
  nk->congested = false;
  waitq_wake(&nk->sock->wq, EPOLLOUT | EPOLLWRNORM); /* who waits to send to us */
}

void netlink_flush(struct netlink_sock *nk) {
  struct nl_msg *m;
  while ((m = TAILQ_FIRST(&nk->queue))) {
    dequeue(nk, m);
    msg_put(m);
  }
}

/* ---- from the kernel ---- */

static int deliver(struct netlink_sock *nk, const void *p, size_t len, uint32_t group, int nsid) {
  struct nl_msg *m = full(nk) ? NULL : msg_new(p, len);
  if (!m) {
    overrun(nk);
    return -ENOBUFS;
  }
  m->group = group;
  m->nsid = nsid;
  enqueue(nk, m);
  return 0;
}

int nl_deliver(struct netlink_sock *nk, const void *p, size_t len, uint32_t group) {
  return deliver(nk, p, len, group, NETNSA_NSID_NOT_ASSIGNED);
}

bool nl_queue_full(const struct netlink_sock *nk) {
  return nk->rmem >= limit(nk);
}

void nl_deliver_part(struct netlink_sock *nk, const void *p, size_t len) {
  struct nl_msg *m = msg_new(p, len);
  if (m)
    enqueue(nk, m);
  else
    overrun(nk);
}

/* Of what a namespace tells a group: who is in it, and who listens to all that his own has a number for. */
static bool hears(const struct netlink_sock *nk, struct nl_net *from, unsigned group) {
  if (!netlink_joined(nk, group))
    return false;
  if (nk->net == from)
    return true;
  return nk->listen_all && rtnl_nsid(nk->net, from, false) >= 0 && nk->cred &&
         ns_capable(nk->cred, from->ns->ns.owner, CAP_NET_BROADCAST);
}

bool nl_has_listeners(struct net_namespace *ns, int protocol, unsigned group) {
  struct nl_net *from = nl_net_of(ns), *n;
  struct netlink_sock *nk;
  if (from)
    LIST_FOREACH(n, &ns->ns.k->net->netlink, link)
  LIST_FOREACH(nk, &n->members[protocol], member)
  if (hears(nk, from, group))
    return true;
  return false;
}

int nl_multicast(struct net_namespace *ns, int protocol, unsigned group, const void *p, size_t len,
                 const struct netlink_sock *but) {
  struct nl_net *from = nl_net_of(ns), *n;
  struct netlink_sock *nk;
  int rc = 0;
  if (from)
    LIST_FOREACH(n, &ns->ns.k->net->netlink, link)
  LIST_FOREACH(nk, &n->members[protocol], member)
  if (nk != but && hears(nk, from, group) &&
      deliver(nk, p, len, group, n == from ? NETNSA_NSID_NOT_ASSIGNED : rtnl_nsid(n, from, false)) && nk->bcast_error)
    rc = -ENOBUFS;
  return rc;
}

/* ---- from one socket to others ---- */

static int broadcast(struct netlink_sock *from, const struct nl_msg *m, uint32_t but_portid, unsigned group) {
  struct netlink_sock *nk;
  int rc = 0;
  if (!from->net)
    return -ENETDOWN;
  LIST_FOREACH(nk, &from->net->members[from->proto->protocol], member) {
    if (nk == from || nk->portid == but_portid || !netlink_joined(nk, group))
      continue;
    struct nl_msg *copy = full(nk) ? NULL : msg_new(m->data, m->len);
    if (!copy) {
      overrun(nk);
      rc = nk->bcast_error ? -ENOBUFS : rc;
      continue;
    }
    copy->portid = m->portid;
    copy->cred = m->cred;
    copy->group = group;
    enqueue(nk, copy);
  }
  return rc;
}

/* Takes m over. Waits for room, unless the caller does not want to; the destination is looked up again after that. */
static int unicast(struct netlink_sock *from, struct nl_msg *m, uint32_t portid, bool nonblock) {
  int64_t deadline = socket_deadline(from->sock->opt.sndtimeo);
  int rc = 0;
  for (;;) {
    struct netlink_sock *to = netlink_find(from->net, from->proto->protocol, portid);
    if (!to || (to->connected && to->dst_portid != from->portid))
      rc = -ECONNREFUSED;
    else if (!full(to)) {
      enqueue(to, m);
      return 0;
    } else
      rc = nonblock ? -EAGAIN : socket_wait(&to->sock->wq, EPOLLOUT, deadline);
    if (rc)
      break;
  }
  msg_put(m);
  return rc;
}

static int destination(struct netlink_sock *nk, const struct msg_k *m, uint32_t *portid, uint32_t *group) {
  const struct sockaddr_nl *nl = m->name;
  if (!nl) {
    *portid = nk->dst_portid;
    *group = nk->dst_group;
    return 0;
  }
  if (m->name_len < sizeof *nl || nl->nl_family != AF_NETLINK)
    return -EINVAL;
  *portid = nl->nl_pid;
  *group = (uint32_t)__builtin_ffs((int)nl->nl_groups);
  return (*portid || *group) && !nk->proto->send_all && !netlink_admin(nk) ? -EPERM : 0;
}

ssize_t netlink_sendmsg(struct socket *s, struct msg_k *k) {
  struct netlink_sock *nk = netlink_of(s);
  size_t len = k->u->resid;
  uint32_t portid, group;
  if (k->flags & MSG_OOB)
    return -EOPNOTSUPP;
  if (!len)
    return -ENODATA;
  int rc = destination(nk, k, &portid, &group);
  if (!rc && !nk->bound)
    rc = netlink_autobind(nk);
  if (rc)
    return rc;
  if (len > NL_REQUEST_MAX || (ssize_t)len > s->opt.sndbuf - 32)
    return -EMSGSIZE;
  struct nl_msg *m = msg_new(NULL, len);
  if (!m)
    return -ENOBUFS;
  if (uio_copy_from(k->u, m->data, len) != (ssize_t)len) {
    msg_put(m);
    return -EFAULT;
  }
  m->portid = nk->portid;
  m->group = group;
  m->cred = k->has_cred ? k->cred : current_ucred();
  if (group)
    (void)broadcast(nk, m, portid, group);
  if (portid) {
    rc = unicast(nk, m, portid, k->flags & MSG_DONTWAIT || k->u->nonblock);
    return rc ? rc : (ssize_t)len;
  }
  /* Also what went to a group goes to the kernel, and fails when nobody is there. */
  rc = nk->proto->input ? 0 : -ECONNREFUSED;
  if (!rc)
    nk->proto->input(nk, m->data, len);
  msg_put(m);
  return rc ? rc : (ssize_t)len;
}

/* ---- receiving ---- */

static int wait_for(struct netlink_sock *nk, const struct msg_k *k, struct nl_msg **out) {
  struct socket *s = nk->sock;
  int64_t deadline = socket_deadline(s->opt.rcvtimeo);
  for (;;) {
    int rc = socket_take_error(s);
    if (rc)
      return rc;
    if ((*out = TAILQ_FIRST(&nk->queue)))
      return 0;
    rc = k->flags & MSG_DONTWAIT || k->u->nonblock ? -EAGAIN : socket_wait(&s->wq, EPOLLIN, deadline);
    if (rc && TAILQ_EMPTY(&nk->queue) && !s->err)
      return rc;
  }
}

static void put_cmsg(struct msg_k *k, int level, int type, const void *p, size_t n) {
  if (k->control_len + CMSG_SPACE(n) > k->control_cap) {
    k->flags |= MSG_CTRUNC;
    return;
  }
  struct cmsghdr *c = (struct cmsghdr *)((char *)k->control + k->control_len);
  memset(c, 0, CMSG_SPACE(n));
  c->cmsg_len = CMSG_LEN(n);
  c->cmsg_level = level;
  c->cmsg_type = type;
  memcpy(CMSG_DATA(c), p, n);
  k->control_len += CMSG_SPACE(n);
}

static void describe(const struct netlink_sock *nk, const struct nl_msg *m, struct msg_k *k) {
  struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = m->portid};
  nl.nl_groups = m->group && m->group <= 32 ? 1u << (m->group - 1) : 0;
  if (k->name)
    memcpy(k->name, &nl, k->name_len < sizeof nl ? k->name_len : sizeof nl);
  k->name_len = sizeof nl;
  if (nk->pktinfo)
    put_cmsg(k, SOL_NETLINK, NETLINK_PKTINFO, &(struct nl_pktinfo){m->group}, sizeof(struct nl_pktinfo));
  if (nk->listen_all && m->nsid >= 0)
    put_cmsg(k, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &m->nsid, sizeof m->nsid);
  if (nk->sock->opt.passcred) {
    struct ucred c = ucred_here(nk->sock->k, &m->cred);
    put_cmsg(k, SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof c);
  }
}

ssize_t netlink_recvmsg(struct socket *s, struct msg_k *k) {
  struct netlink_sock *nk = netlink_of(s);
  struct nl_msg *m = NULL;
  int flags = k->flags;
  if (flags & MSG_OOB)
    return -EOPNOTSUPP;
  int rc = wait_for(nk, k, &m);
  if (rc)
    return rc;
  ref_get(&m->ref); /* the copy to the guest may park */
  if (!(flags & MSG_PEEK)) {
    dequeue(nk, m);
    msg_put(m);
  }
  size_t room = k->u->resid, len = m->len < room ? m->len : room, most = room < NL_DUMP_MAX ? room : NL_DUMP_MAX;
  nk->max_recv = most > nk->max_recv ? most : nk->max_recv;
  if (nk->dump && nk->rmem <= limit(nk) / 2)
    nl_dump_continue(nk);
  k->flags = len < m->len ? MSG_TRUNC : 0;
  describe(nk, m, k);
  ssize_t r = flags & MSG_TRUNC ? (ssize_t)m->len : (ssize_t)len;
  if (len && uio_copy_to(k->u, m->data, len) != (ssize_t)len)
    r = -EFAULT;
  msg_put(m);
  return r;
}

/* ---- mqueue's ---- */

int netlink_push(struct file *f, const void *p, size_t n) {
  struct socket *s = socket_from_file(f);
  if (!s)
    return -ENOTSOCK;
  if (s->family != AF_NETLINK)
    return -EINVAL;
  return n ? nl_deliver(netlink_of(s), p, n, 0) : 0;
}
