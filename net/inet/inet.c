/* The families AF_INET and AF_INET6: which protocols there are, names, what all of their sockets share. */
#include "inet.h"
#include "../../core/errno.h"
#include "../../core/task.h"
#include "../ip_stack.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define IPPROTO_LAST 263 /* IPPROTO_MAX of Linux */


/* ---- socket(2) ---- */

static const struct {
  int family; /* 0: both */
  const struct inet_proto *proto;
} protos[] = {
    {0, &inet_proto_tcp},         {0, &inet_proto_udp},          {0, &inet_proto_udplite},
    {AF_INET, &inet_proto_ping4}, {AF_INET6, &inet_proto_ping6}, {0, &inet_proto_raw},
};

/* As inet_create() of Linux looks for it: the first of the type serves protocol 0, but raw sockets have to name one. */
static int find_proto(int family, int type, int *protocol, const struct inet_proto **out) {
  int err = -ESOCKTNOSUPPORT;
  if (*protocol < 0 || *protocol >= IPPROTO_LAST)
    return -EINVAL;
  for (size_t i = 0; i < sizeof protos / sizeof *protos; i++) {
    const struct inet_proto *p = protos[i].proto;
    if (!p || p->type != type || (protos[i].family && protos[i].family != family))
      continue;
    err = -EPROTONOSUPPORT;
    if (*protocol ? p->protocol && *protocol != p->protocol : !p->protocol)
      continue;
    if (!*protocol)
      *protocol = p->protocol;
    *out = p;
    return 0;
  }
  return err;
}

struct inet_sock *inet_sock_new(struct socket *s, struct net_namespace *ns, const struct inet_proto *proto) {
  struct inet_sock *is = calloc(1, sizeof *is);
  const struct task *t = task_current();
  if (!is)
    return NULL;
  is->sock = s;
  is->ns = (struct net_namespace *)ns_get(&ns->ns);
  is->net = inet_net_of(ns);
  is->proto = proto;
  is->kuid = t ? t->cred->fsuid : 0;
  is->laddr = is->raddr = s->family == AF_INET ? ip_from4(0) : in6addr_any;
  LIST_INIT(&is->members);
  STAILQ_INIT(&is->errq);
  LIST_INSERT_HEAD(&is->net->all, is, all_link);
  is->listed = true;
  s->priv = is;
  s->ops = proto->ops;
  return is;
}

static int create(struct socket *s, int protocol) {
  const struct inet_proto *p;
  struct net_namespace *ns = net_current_ns_borrow();
  int err = inet_net_of(ns) ? find_proto(s->family, s->type, &protocol, &p) : -EAFNOSUPPORT;
  if (err)
    return err;
  const struct task *t = task_current();
  if (p->cap >= 0 && t && !ns_capable(t->cred, ns->ns.owner, p->cap))
    return -EPERM;
  struct inet_sock *is = inet_sock_new(s, ns, p);
  if (!is)
    return -ENOMEM;
  s->protocol = protocol;
  s->opt.rcvbuf = is->net->sysctl.rmem_default;
  s->opt.sndbuf = is->net->sysctl.wmem_default;
  inet_opts_init(is);
  is->opt.v6only = s->family == AF_INET6 && is->net->sysctl.bindv6only;
  err = p->init ? p->init(is) : 0;
  if (err) {
    inet_release(is);
    s->priv = NULL;
    s->ops = NULL;
  }
  return err;
}

int inet_create(struct socket *s, int protocol);
int inet6_create(struct socket *s, int protocol);
int inet_create(struct socket *s, int protocol) {
  return create(s, protocol);
}
int inet6_create(struct socket *s, int protocol) {
  return create(s, protocol);
}

void inet_release(struct inet_sock *is) {
  if (is->listed)
    LIST_REMOVE(is, all_link);
  inet_mcast_flush(is);
  inet_err_flush(is);
  inet_port_release(is);
  inet_opts_fini(is);
  ns_put(&is->ns->ns);
  free(is);
}

/* ---- names ---- */

/* May a socket be bound to this address? inet_addr_valid_or_nonlocal(), ipv6_chk_addr() of Linux. */
static bool may_name(const struct inet_sock *is, const struct in6_addr *a, int scope) {
  bool v6 = !ip_is4(a);
  struct ip_net *n = ip_net_of(is->ns);
  if (ip_is_any(a) || is->opt.freebind || is->opt.transparent || is->net->sysctl.nonlocal_bind[v6])
    return true;
  if (!n)
    return false;
  if (v6)
    return ip_is_multicast(a) || ip_is_local(is->ns, a, scope ? scope : is->bound_dev);
  return ip_local_type(n, a) != RTN_UNICAST;
}

static enum inet_table table_of(const struct inet_sock *is) {
  switch (is->sock->protocol) {
  case IPPROTO_UDP:
    return INET_UDP;
  case IPPROTO_UDPLITE:
    return INET_UDPLITE;
  case IPPROTO_TCP:
    return INET_TCP;
  }
  return INET_PING;
}

int inet_bind(struct socket *s, const struct sockaddr *sa, socklen_t len) {
  struct inet_sock *is = inet_of(s);
  struct in6_addr a;
  uint16_t port;
  int scope, err = inet_addr_get(is, sa, len, &a, &port, &scope);
  if (err)
    return err == -ENETUNREACH ? -EINVAL : err;
  if (sa->sa_family == AF_UNSPEC && !ip_is_any(&a))
    return -EAFNOSUPPORT;
  if (s->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a) && is->opt.v6only)
    return -EINVAL;
  bool v4 = s->family == AF_INET; /* the order of checks differs between the families: inet_bind(), inet6_bind() */
  if (v4 && !may_name(is, &a, scope))
    return -EADDRNOTAVAIL;
  if (port && port < is->net->sysctl.unprivileged_port_start && table_of(is) != INET_PING &&
      !inet_may(is, CAP_NET_BIND_SERVICE))
    return -EACCES;
  if (is->port)
    return -EINVAL;
  if (!v4 && !may_name(is, &a, scope))
    return -EADDRNOTAVAIL;
  int dev = is->bound_dev;
  if (scope)
    is->bound_dev = scope;
  is->laddr = a;
  if (port || !is->opt.bind_no_port) {
    err = inet_port_bind(is, table_of(is), &a, port);
    if (err) {
      is->laddr = v4 ? ip_from4(0) : in6addr_any;
      is->bound_dev = dev;
      return err;
    }
  }
  is->bound_addr = !ip_is_any(&a);
  is->bound_port = port != 0;
  return 0;
}

int inet_autobind(struct inet_sock *is) {
  if (is->port)
    return 0;
  return inet_port_bind(is, table_of(is), &is->laddr, 0) ? -EAGAIN : 0;
}

int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, socklen_t *len) {
  const struct inet_sock *is = inet_of(s);
  if (peer && !is->connected)
    return -ENOTCONN;
  memset(a, 0, sizeof *a);
  *len = inet_addr_put(is, peer ? &is->raddr : &is->laddr, peer ? is->rport : is->lport, is->bound_dev, a);
  return 0;
}

long inet_ioctl(struct socket *s, unsigned cmd, uint64_t arg) {
  return -ENOTTY; /* netdevice(7) is net/socket.c's */
}

/* Those of one list, whose protocol is `proto`. False: fn has had enough. */
static bool each(struct inet_sock_list *l, int proto, bool (*fn)(void *arg, struct inet_sock *is), void *arg) {
  struct inet_sock *is, *next;
  for (is = LIST_FIRST(l); is; is = next) {
    next = LIST_NEXT(is, hash_link);
    if (is->sock->protocol == proto && !fn(arg, is))
      return false;
  }
  return true;
}

int inet_each(struct inet_net *n, enum inet_table t, bool (*fn)(void *arg, struct inet_sock *is), void *arg) {
  bool more = true;
  switch (t) {
  case INET_TCP:
    return !each(&n->tcp_socks, IPPROTO_TCP, fn, arg);
  case INET_PING:
    return !each(&n->ping, IPPROTO_ICMP, fn, arg) || !each(&n->ping, IPPROTO_ICMPV6, fn, arg);
  default:
    for (int i = 0; more && i < INET_HASH; i++)
      more = each(&n->udp[i], t == INET_UDP ? IPPROTO_UDP : IPPROTO_UDPLITE, fn, arg);
    return !more;
  }
}

/* ---- namespaces ---- */

int inet_stack_init(struct net_stack *st);
void inet_stack_fini(struct net_stack *st);
void inet_netdev_event(struct netdev *d, enum netdev_event ev);

int inet_stack_init(struct net_stack *st) {
  struct inet_net *n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->ns = st->ns;
  n->sysctl = (struct inet_sysctl){.port_lo = 32768,
                                   .port_hi = 60999,
                                   .unprivileged_port_start = 1024,
                                   .ping_group_lo = 1,
                                   .ping_group_hi = 0,
                                   .udp_rmem_min = 4096,
                                   .udp_wmem_min = 4096,
                                   .igmp_max_memberships = 20,
                                   .rmem_default = SOCK_MEM_DEFAULT,
                                   .rmem_max = SOCK_MEM_DEFAULT,
                                   .wmem_default = SOCK_MEM_DEFAULT,
                                   .wmem_max = SOCK_MEM_DEFAULT,
                                   .optmem_max = 131072};
  int rc = inet_tcp_init(n);
  if (rc) {
    free(n);
    return rc;
  }
  st->sub[NET_INET] = n;
  return 0;
}

void inet_stack_fini(struct net_stack *st) {
  struct inet_net *n = st->sub[NET_INET];
  if (!n)
    return;
  struct inet_sock *is;
  inet_tcp_fini(n);
  while ((is = LIST_FIRST(&n->all))) { /* the initial namespace's may outlive it */
    LIST_REMOVE(is, all_link);
    is->listed = false;
  }
  st->sub[NET_INET] = NULL;
  for (int t = 0; t < INET_TABLES; t++)
    inet_ports_free(n->ports[t]);
  free(n->sysctl.reserved);
  free(n);
}

static void forget_dev(struct inet_sock *is, const struct netdev *d) {
  if (is->route.dev == d)
    is->route = (struct ip_route){0};
  inet_mcast_dev_gone(is, d->ifindex);
}

void inet_netdev_event(struct netdev *d, enum netdev_event ev) {
  struct inet_net *n = inet_net_of(d->ns);
  struct inet_sock *is;
  if (ev != NETDEV_UNREGISTER || !n)
    return;
  LIST_FOREACH(is, &n->all, all_link)
  forget_dev(is, d);
}
