/* AF_NETLINK sockets: making, naming, joining groups. See netlink.h. */
#include "netlink.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/random.h>

bool nl_capable(const struct netlink_sock *nk, int cap) {
  const struct task *t = task_current();
  const struct user_namespace *u = nk->ns->ns.owner;
  return t && nk->cred && ns_capable(nk->cred, u, cap) && ns_capable(t->cred, u, cap);
}

bool netlink_admin(const struct netlink_sock *nk) {
  const struct task *t = task_current();
  return t && ns_capable(t->cred, nk->ns->ns.owner, CAP_NET_ADMIN);
}

/* ---- ports ---- */

struct netlink_sock *netlink_find(struct nl_net *n, int protocol, uint32_t portid) {
  struct netlink_sock *nk = NULL;
  if (n)
    HASH_FIND(hh, n->ports[protocol], &portid, sizeof portid, nk);
  return nk;
}

static int insert(struct netlink_sock *nk, uint32_t portid) {
  if (!nk->net)
    return -ENETDOWN;
  if (nk->bound)
    return nk->portid == portid ? 0 : -EBUSY;
  if (netlink_find(nk->net, nk->proto->protocol, portid))
    return -EADDRINUSE;
  nk->portid = portid;
  HASH_ADD(hh, nk->net->ports[nk->proto->protocol], portid, sizeof nk->portid, nk);
  nk->bound = true;
  return 0;
}

/* The process's number if it is free, else one below -4096, which no process has: netlink_autobind() of Linux. */
int netlink_autobind(struct netlink_sock *nk) {
  const struct task *t = task_current();
  uint32_t port = t ? (uint32_t)pid_vnr(t->proc->pid) : 0;
  int rc = port ? insert(nk, port) : -EADDRINUSE;
  for (int tries = 0; rc == -EADDRINUSE && tries < 64; tries++) {
    if (getrandom(&port, sizeof port, GRND_NONBLOCK) != sizeof port)
      return -EAGAIN;
    rc = insert(nk, -(4097 + port % (INT32_MAX - 4097)));
  }
  return rc == -EBUSY ? 0 : rc; /* another thread has bound it meanwhile */
}

/* ---- groups ---- */

bool netlink_joined(const struct netlink_sock *nk, unsigned group) {
  return group && group <= nk->proto->ngroups && nk->groups[(group - 1) / 32] >> (group - 1) % 32 & 1;
}

static void set_group(struct netlink_sock *nk, unsigned group, bool on) {
  uint32_t bit = 1u << (group - 1) % 32, *w = &nk->groups[(group - 1) / 32];
  if (!(*w & bit) == !on)
    return;
  *w ^= bit;
  if (on && !nk->njoined++ && nk->net)
    LIST_INSERT_HEAD(&nk->net->members[nk->proto->protocol], nk, member);
  else if (!on && !--nk->njoined && nk->net)
    LIST_REMOVE(nk, member);
}

static int may_join(struct netlink_sock *nk, unsigned group) {
  if (!nk->proto->recv_all && !netlink_admin(nk))
    return -EPERM;
  return group && nk->proto->join ? nk->proto->join(nk, group) : 0;
}

int netlink_join(struct netlink_sock *nk, unsigned group, bool on) {
  int rc = may_join(nk, 0);
  if (rc)
    return rc;
  if (!group || group > nk->proto->ngroups)
    return -EINVAL;
  if (on && (rc = may_join(nk, group)))
    return rc;
  set_group(nk, group, on);
  return 0;
}

/* ---- the calls ---- */

static int netlink_bind(struct socket *s, const struct sockaddr *a, socklen_t len) {
  struct netlink_sock *nk = netlink_of(s);
  const struct sockaddr_nl *nl = (const void *)a;
  if (len < sizeof *nl || nl->nl_family != AF_NETLINK)
    return -EINVAL;
  int rc = nl->nl_groups ? may_join(nk, 0) : 0;
  if (rc)
    return rc;
  if (nk->bound && nl->nl_pid != nk->portid)
    return -EINVAL;
  unsigned n = nk->proto->ngroups < 32 ? nk->proto->ngroups : 32;
  for (unsigned g = 1; g <= n; g++)
    if (nl->nl_groups >> (g - 1) & 1 && (rc = may_join(nk, g)))
      return rc;
  if (!nk->bound)
    rc = nl->nl_pid ? insert(nk, nl->nl_pid) : netlink_autobind(nk);
  if (rc)
    return rc;
  if (nl->nl_groups || nk->groups[0])
    for (unsigned g = 1; g <= n; g++)
      set_group(nk, g, nl->nl_groups >> (g - 1) & 1);
  return 0;
}

static int netlink_connect(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock) {
  struct netlink_sock *nk = netlink_of(s);
  const struct sockaddr_nl *nl = (const void *)a;
  if (len < sizeof a->sa_family)
    return -EINVAL;
  if (a->sa_family == AF_UNSPEC) {
    nk->connected = false;
    nk->dst_portid = nk->dst_group = 0;
    return 0;
  }
  if (a->sa_family != AF_NETLINK || len < sizeof *nl)
    return -EINVAL;
  if ((nl->nl_groups || nl->nl_pid) && !nk->proto->send_all && !netlink_admin(nk))
    return -EPERM;
  int rc = nk->bound ? 0 : netlink_autobind(nk);
  if (rc)
    return rc;
  nk->connected = true;
  nk->dst_portid = nl->nl_pid;
  nk->dst_group = (uint32_t)__builtin_ffs((int)nl->nl_groups);
  return 0;
}

static int netlink_getname(struct socket *s, bool peer, struct sockaddr_storage *a, socklen_t *len) {
  const struct netlink_sock *nk = netlink_of(s);
  struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
  if (peer) {
    nl.nl_pid = nk->dst_portid;
    nl.nl_groups = nk->dst_group && nk->dst_group <= 32 ? 1u << (nk->dst_group - 1) : 0;
  } else {
    nl.nl_pid = nk->portid;
    nl.nl_groups = nk->groups[0];
  }
  memcpy(a, &nl, sizeof nl);
  *len = sizeof nl;
  return 0;
}

static uint32_t netlink_poll(struct socket *s) {
  const struct netlink_sock *nk = netlink_of(s);
  return EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | (nk->nqueued ? EPOLLIN | EPOLLRDNORM : 0) | (s->err ? EPOLLERR : 0);
}

static void leave_net(struct netlink_sock *nk) {
  if (!nk->net)
    return;
  if (nk->bound)
    HASH_DELETE(hh, nk->net->ports[nk->proto->protocol], nk);
  if (nk->njoined)
    LIST_REMOVE(nk, member);
  LIST_REMOVE(nk, link);
  nk->net = NULL;
}

static void netlink_release(struct socket *s) {
  struct netlink_sock *nk = netlink_of(s);
  leave_net(nk);
  netlink_flush(nk);
  nl_dump_free(nk->dump);
  cred_put(nk->cred);
  ns_put(&nk->ns->ns);
  free(nk);
}

static const struct socket_ops netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .getname = netlink_getname,
    .sendmsg = netlink_sendmsg,
    .recvmsg = netlink_recvmsg,
    .setsockopt = netlink_setsockopt,
    .getsockopt = netlink_getsockopt,
    .poll = netlink_poll,
    .release = netlink_release,
};

int netlink_create(struct socket *s, int protocol);
int netlink_create(struct socket *s, int protocol) {
  struct task *t = task_current();
  struct net_namespace *ns = net_current_ns_borrow();
  struct nl_net *n = nl_net_of(ns);
  if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
    return -ESOCKTNOSUPPORT;
  const struct nl_proto *p = nl_proto_find(protocol);
  if (!p)
    return -EPROTONOSUPPORT;
  if (!n)
    return -EAFNOSUPPORT;
  struct netlink_sock *nk = calloc(1, sizeof *nk);
  if (!nk)
    return -ENOMEM;
  nk->sock = s;
  nk->ns = (struct net_namespace *)ns_get(&ns->ns);
  nk->net = n;
  nk->proto = p;
  nk->cred = t ? cred_get(t->cred) : NULL;
  TAILQ_INIT(&nk->queue);
  LIST_INSERT_HEAD(&n->socks[protocol], nk, link);
  s->priv = nk;
  s->ops = &netlink_ops;
  return 0;
}

/* ---- namespaces ---- */

int rtnetlink_stack_init(struct net_stack *st);
int rtnetlink_stack_init(struct net_stack *st) {
  struct nl_net *n = calloc(1, sizeof *n);
  struct nl_nets *all = &st->ns->ns.k->net->netlink;
  if (!n)
    return -ENOMEM;
  n->ns = st->ns;
  for (int i = 0; i < NL_GENS; i++)
    n->gen[i] = 1;
  LIST_INSERT_HEAD(all, n, link);
  st->sub[NET_NETLINK] = n;
  return 0;
}

static void forget_peer(struct nl_net *n, const struct nl_net *gone) {
  for (unsigned i = 0; i < n->nids; i++)
    if (n->ids[i].peer == gone)
      n->ids[i--] = n->ids[--n->nids];
}

void rtnetlink_stack_fini(struct net_stack *st);
void rtnetlink_stack_fini(struct net_stack *st) {
  struct nl_net *n = st->sub[NET_NETLINK], *other;
  struct nl_nets *all = &st->ns->ns.k->net->netlink;
  struct netlink_sock *nk;
  if (!n)
    return;
  for (int p = 0; p < NL_PROTOS; p++)
    while ((nk = LIST_FIRST(&n->socks[p])))
      leave_net(nk);
  LIST_REMOVE(n, link);
  LIST_FOREACH(other, all, link)
  forget_peer(other, n);
  st->sub[NET_NETLINK] = NULL;
  free(n->ids);
  free(n);
}
