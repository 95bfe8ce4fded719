/*
 * rtnetlink(7) as far as a network namespace with nothing but `lo` needs it: getifaddrs(3), if_nameindex(3) and
 * getaddrinfo(3) ask for lists of links and addresses. Nothing can be changed, and no events come.
 */
#include "../core/errno.h"
#include "../core/task.h"
#include "socket.h"
#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define LO_INDEX 1
#define LO_MTU 65536
#define MAX_REQUEST 8192
#define MAX_QUEUED 64 /* datagrams that nobody reads */

struct reply {
  TAILQ_ENTRY(reply) link;
  size_t len;
  _Alignas(8) char data[1024];
};

struct netlink_sock {
  struct socket *sock;
  uint32_t pid, groups;
  TAILQ_HEAD(, reply) queue;
  int nqueued;
  bool overrun; /* ENOBUFS is due */
};

static struct netlink_sock *netlink_of(struct socket *s) {
  return s->priv;
}

/* ---- building replies ---- */

static struct nlmsghdr *put_header(struct reply *r, uint16_t type, uint16_t flags, const struct nlmsghdr *req,
                                   uint32_t pid, const void *body, size_t n) {
  struct nlmsghdr *h = (struct nlmsghdr *)(r->data + r->len);
  *h = (struct nlmsghdr){NLMSG_LENGTH(n), type, flags, req->nlmsg_seq, pid};
  memcpy(NLMSG_DATA(h), body, n);
  r->len += NLMSG_SPACE(n);
  return h;
}

/* r->data is large enough for all that this file puts. */
static void put_attr(struct reply *r, struct nlmsghdr *h, uint16_t type, const void *val, size_t n) {
  struct rtattr *a = (struct rtattr *)(r->data + r->len);
  *a = (struct rtattr){RTA_LENGTH(n), type};
  memcpy(RTA_DATA(a), val, n);
  r->len += RTA_SPACE(n);
  h->nlmsg_len = (uint32_t)((char *)a - (char *)h + RTA_SPACE(n));
}

static struct net_namespace *net_here(void) {
  struct task *t = task_current();
  return (t && t->nsproxy ? t->nsproxy : kernel_current()->init_nsproxy)->net;
}

static void put_link(struct reply *r, uint16_t flags, const struct nlmsghdr *req, uint32_t pid) {
  struct ifinfomsg m = {.ifi_type = ARPHRD_LOOPBACK,
                        .ifi_index = LO_INDEX,
                        .ifi_flags =
                            IFF_LOOPBACK | (net_here()->lo_up ? IFF_UP | IFF_RUNNING | 0x10000 /* IFF_LOWER_UP */ : 0)};
  static const uint8_t zero_mac[6];
  uint32_t mtu = LO_MTU, txqlen = 1000, group = 0;
  uint8_t operstate = 0, mode = 0;
  struct nlmsghdr *h = put_header(r, RTM_NEWLINK, flags, req, pid, &m, sizeof m);
  put_attr(r, h, IFLA_IFNAME, "lo", 3);
  put_attr(r, h, IFLA_TXQLEN, &txqlen, sizeof txqlen);
  put_attr(r, h, IFLA_OPERSTATE, &operstate, sizeof operstate);
  put_attr(r, h, IFLA_LINKMODE, &mode, sizeof mode);
  put_attr(r, h, IFLA_MTU, &mtu, sizeof mtu);
  put_attr(r, h, IFLA_GROUP, &group, sizeof group);
  put_attr(r, h, IFLA_ADDRESS, zero_mac, sizeof zero_mac);
  put_attr(r, h, IFLA_BROADCAST, zero_mac, sizeof zero_mac);
  put_attr(r, h, IFLA_QDISC, "noqueue", 8);
}

static void put_address(struct reply *r, int family, const struct nlmsghdr *req, uint32_t pid) {
  bool v6 = family == AF_INET6;
  struct ifaddrmsg m = {.ifa_family = (uint8_t)family,
                        .ifa_prefixlen = v6 ? 128 : 8,
                        .ifa_flags = IFA_F_PERMANENT,
                        .ifa_scope = RT_SCOPE_HOST,
                        .ifa_index = LO_INDEX};
  static const uint8_t addr6[16] = {[15] = 1};
  uint32_t addr4 = htonl(INADDR_LOOPBACK), flags = IFA_F_PERMANENT;
  struct nlmsghdr *h = put_header(r, RTM_NEWADDR, NLM_F_MULTI, req, pid, &m, sizeof m);
  if (v6) {
    put_attr(r, h, IFA_ADDRESS, addr6, sizeof addr6);
  } else {
    put_attr(r, h, IFA_ADDRESS, &addr4, sizeof addr4);
    put_attr(r, h, IFA_LOCAL, &addr4, sizeof addr4);
    put_attr(r, h, IFA_LABEL, "lo", 3);
  }
  put_attr(r, h, IFA_FLAGS, &flags, sizeof flags);
}

static void put_done(struct reply *r, const struct nlmsghdr *req, uint32_t pid) {
  int zero = 0;
  put_header(r, NLMSG_DONE, NLM_F_MULTI, req, pid, &zero, sizeof zero);
}

static void put_error(struct reply *r, const struct nlmsghdr *req, uint32_t pid, int err) {
  struct nlmsgerr e = {.error = err, .msg = *req};
  put_header(r, NLMSG_ERROR, 0, req, pid, &e, sizeof e);
}

/* ---- requests ---- */

static int dump(struct reply *r, const struct nlmsghdr *req, int family, uint32_t pid) {
  switch (req->nlmsg_type) {
  case RTM_GETLINK:
    put_link(r, NLM_F_MULTI, req, pid);
    break;
  case RTM_GETADDR:
    if (!net_here()->lo_up)
      break; /* lo gets its addresses when it is brought up */
    if (family == AF_UNSPEC || family == AF_INET)
      put_address(r, AF_INET, req, pid);
    if (family == AF_UNSPEC || family == AF_INET6)
      put_address(r, AF_INET6, req, pid);
    break;
  case RTM_GETROUTE:
  case RTM_GETNEIGH:
  case RTM_GETRULE:
    break; /* none */
  default:
    return -EOPNOTSUPP;
  }
  put_done(r, req, pid);
  return 0;
}

/* RTM_GETLINK of one link: by index, or by IFLA_IFNAME. */
static int get_link(struct reply *r, const struct nlmsghdr *req, const char *body, size_t n, uint32_t pid) {
  struct ifinfomsg m;
  if (n < sizeof m)
    return -EINVAL;
  memcpy(&m, body, sizeof m);
  bool found = m.ifi_index == LO_INDEX;
  for (size_t off = NLMSG_ALIGN(sizeof m); !m.ifi_index && off + sizeof(struct rtattr) <= n;) {
    struct rtattr a;
    memcpy(&a, body + off, sizeof a);
    if (a.rta_len < sizeof a || a.rta_len > n - off)
      break;
    if (a.rta_type == IFLA_IFNAME && a.rta_len - sizeof a >= 2 &&
        !strncmp(body + off + sizeof a, "lo", a.rta_len - sizeof a))
      found = true;
    off += RTA_ALIGN(a.rta_len);
  }
  if (!found)
    return -ENODEV;
  put_link(r, 0, req, pid);
  return 0;
}

/* Bringing lo up and down is all there is to change. Attributes that would name another link, or set more, are refused.
 */
static int set_link(const char *body, size_t n) {
  struct ifinfomsg m;
  if (n < sizeof m)
    return -EINVAL;
  memcpy(&m, body, sizeof m);
  if (m.ifi_index != LO_INDEX)
    return m.ifi_index ? -ENODEV : -EOPNOTSUPP;
  unsigned change = m.ifi_change ? m.ifi_change : ~0u;
  if (change & IFF_UP)
    net_here()->lo_up = m.ifi_flags & IFF_UP;
  return 0;
}

/* lo's own address, which is there as soon as it is up, may be given to it again before. */
static int new_address(const struct nlmsghdr *req, const char *body, size_t n) {
  struct ifaddrmsg m;
  if (n < sizeof m)
    return -EINVAL;
  memcpy(&m, body, sizeof m);
  if (m.ifa_index != LO_INDEX)
    return -ENODEV;
  if (m.ifa_family != AF_INET)
    return -EOPNOTSUPP;
  for (size_t off = NLMSG_ALIGN(sizeof m); off + sizeof(struct rtattr) + 4 <= n;) {
    struct rtattr a;
    uint32_t addr;
    memcpy(&a, body + off, sizeof a);
    memcpy(&addr, body + off + sizeof a, sizeof addr);
    if (a.rta_len < sizeof a || a.rta_len > n - off)
      return -EINVAL;
    if ((a.rta_type == IFA_LOCAL || a.rta_type == IFA_ADDRESS) && addr != htonl(INADDR_LOOPBACK))
      return -EOPNOTSUPP;
    off += RTA_ALIGN(a.rta_len);
  }
  return net_here()->lo_up && (req->nlmsg_flags & NLM_F_EXCL) ? -EEXIST : 0;
}

static int answer(struct reply *r, const struct nlmsghdr *req, const char *body, size_t n, uint32_t pid) {
  const struct task *t = task_current();
  if (req->nlmsg_type < RTM_BASE || req->nlmsg_type > RTM_MAX)
    return -EOPNOTSUPP;
  /* Types come in fours: new, delete, get, set. */
  bool get = (req->nlmsg_type - RTM_BASE) % 4 == 2;
  if (!get && t && !ns_capable(t->cred, net_here()->ns.owner, CAP_NET_ADMIN))
    return -EPERM;
  if (req->nlmsg_type == RTM_NEWLINK || req->nlmsg_type == RTM_SETLINK)
    return set_link(body, n);
  if (req->nlmsg_type == RTM_NEWADDR)
    return new_address(req, body, n);
  if (!get)
    return -EOPNOTSUPP;
  if (n < 1)
    return -EINVAL;
  if ((req->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
    return dump(r, req, (uint8_t)body[0], pid);
  return req->nlmsg_type == RTM_GETLINK ? get_link(r, req, body, n, pid) : -EOPNOTSUPP;
}

static void queue(struct netlink_sock *n, struct reply *r) {
  if (!r->len || n->nqueued >= MAX_QUEUED) {
    n->overrun |= r->len != 0;
    free(r);
    return;
  }
  TAILQ_INSERT_TAIL(&n->queue, r, link);
  n->nqueued++;
  waitq_wake(&n->sock->wq, EPOLLIN | EPOLLRDNORM);
}

static int serve(struct netlink_sock *n, const char *buf, size_t len) {
  while (len >= sizeof(struct nlmsghdr)) {
    struct nlmsghdr h;
    memcpy(&h, buf, sizeof h);
    if (h.nlmsg_len < sizeof h || h.nlmsg_len > len)
      break;
    struct reply *r = calloc(1, sizeof *r);
    if (!r)
      return -ENOBUFS;
    if (h.nlmsg_flags & NLM_F_REQUEST && h.nlmsg_type >= NLMSG_MIN_TYPE) {
      int err = answer(r, &h, buf + sizeof h, h.nlmsg_len - sizeof h, n->pid);
      if (err || (h.nlmsg_flags & NLM_F_ACK && !r->len))
        put_error(r, &h, n->pid, err);
    }
    queue(n, r);
    size_t step = NLMSG_ALIGN(h.nlmsg_len);
    if (step > len)
      break;
    buf += step;
    len -= step;
  }
  return 0;
}

int netlink_push(struct file *f, const void *p, size_t n) {
  struct socket *s = socket_from_file(f);
  if (!s)
    return -ENOTSOCK;
  if (s->family != AF_NETLINK)
    return -EINVAL;
  if (!n)
    return 0;
  struct reply *r = calloc(1, sizeof *r);
  if (!r || n > sizeof r->data) {
    free(r);
    return -ENOBUFS;
  }
  memcpy(r->data, p, n);
  r->len = n;
  queue(netlink_of(s), r);
  return 0;
}

/* ---- the socket ---- */

static void autobind(struct netlink_sock *n) {
  const struct task *t = task_current();
  if (!n->pid)
    n->pid = t ? (uint32_t)pid_vnr(t->proc->pid) : 1;
}

static int netlink_bind(struct socket *s, const struct sockaddr *a, socklen_t len) {
  struct netlink_sock *n = netlink_of(s);
  const struct sockaddr_nl *nl = (const void *)a;
  if (len < sizeof *nl || nl->nl_family != AF_NETLINK || (n->pid && nl->nl_pid && nl->nl_pid != n->pid))
    return -EINVAL;
  n->groups = nl->nl_groups;
  if (nl->nl_pid)
    n->pid = nl->nl_pid;
  autobind(n);
  return 0;
}

static int netlink_connect(struct socket *s, const struct sockaddr *a, socklen_t len, bool nonblock) {
  const struct sockaddr_nl *nl = (const void *)a;
  if (len < sizeof(sa_family_t) || (a->sa_family != AF_UNSPEC && (a->sa_family != AF_NETLINK || len < sizeof *nl)))
    return -EINVAL;
  if (a->sa_family == AF_NETLINK && (nl->nl_pid || nl->nl_groups))
    return -EPERM;
  autobind(netlink_of(s));
  return 0;
}

static int netlink_getname(struct socket *s, bool peer, struct sockaddr_storage *a, socklen_t *len) {
  const struct netlink_sock *n = netlink_of(s);
  struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = peer ? 0 : n->pid, .nl_groups = peer ? 0 : n->groups};
  memcpy(a, &nl, sizeof nl);
  *len = sizeof nl;
  return 0;
}

static ssize_t netlink_sendmsg(struct socket *s, struct msg_k *m) {
  struct netlink_sock *n = netlink_of(s);
  const struct sockaddr_nl *nl = m->name;
  size_t len = m->u->resid;
  if (m->flags & MSG_OOB)
    return -EOPNOTSUPP;
  if (nl && (m->name_len < sizeof *nl || nl->nl_family != AF_NETLINK))
    return -EINVAL;
  if (nl && (nl->nl_pid || nl->nl_groups)) /* nobody but the kernel listens */
    return nl->nl_groups ? -EPERM : -ECONNREFUSED;
  if (len > MAX_REQUEST)
    return -EMSGSIZE;
  autobind(n);
  char *buf = malloc(len + 1);
  if (!buf)
    return -ENOBUFS;
  int err = len && uio_copy_from(m->u, buf, len) != (ssize_t)len ? -EFAULT : serve(n, buf, len);
  free(buf);
  return err ? err : (ssize_t)len;
}

static ssize_t netlink_recvmsg(struct socket *s, struct msg_k *m) {
  struct netlink_sock *n = netlink_of(s);
  int flags = m->flags;
  int64_t deadline = socket_deadline(s->opt.rcvtimeo);
  struct reply *r;
  if (flags & MSG_OOB)
    return -EOPNOTSUPP;
  while (!(r = TAILQ_FIRST(&n->queue))) {
    if (n->overrun) {
      n->overrun = false;
      return -ENOBUFS;
    }
    int err = flags & MSG_DONTWAIT || m->u->nonblock ? -EAGAIN : socket_wait(&s->wq, EPOLLIN, deadline);
    if (err && TAILQ_EMPTY(&n->queue))
      return err;
  }
  struct reply copy = *r; /* the copy to the guest may park */
  if (!(flags & MSG_PEEK)) {
    TAILQ_REMOVE(&n->queue, r, link);
    n->nqueued--;
    free(r);
  }
  struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
  if (m->name)
    memcpy(m->name, &nl, m->name_len < sizeof nl ? m->name_len : sizeof nl);
  m->name_len = sizeof nl;
  size_t len = copy.len < m->u->resid ? copy.len : m->u->resid;
  m->flags = len < copy.len ? MSG_TRUNC : 0;
  if (len && uio_copy_to(m->u, copy.data, len) != (ssize_t)len)
    return -EFAULT;
  return flags & MSG_TRUNC ? (ssize_t)copy.len : (ssize_t)len;
}

static uint32_t netlink_poll(struct socket *s) {
  const struct netlink_sock *n = netlink_of(s);
  return EPOLLOUT | EPOLLWRNORM | (n->nqueued || n->overrun ? EPOLLIN | EPOLLRDNORM : 0);
}

/* What changes nothing where there are no events and errors carry no details. */
static int netlink_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  if (level != SOL_NETLINK)
    return -ENOPROTOOPT;
  switch (opt) {
  case NETLINK_ADD_MEMBERSHIP:
  case NETLINK_DROP_MEMBERSHIP:
  case NETLINK_NO_ENOBUFS:
  case NETLINK_CAP_ACK:
  case NETLINK_EXT_ACK:
  case NETLINK_GET_STRICT_CHK:
    return len < sizeof(int) ? -EINVAL : 0;
  default:
    return -ENOPROTOOPT;
  }
}

static void netlink_release(struct socket *s) {
  struct netlink_sock *n = netlink_of(s);
  struct reply *r;
  while ((r = TAILQ_FIRST(&n->queue))) {
    TAILQ_REMOVE(&n->queue, r, link);
    free(r);
  }
  free(n);
}

static const struct socket_ops netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .getname = netlink_getname,
    .sendmsg = netlink_sendmsg,
    .recvmsg = netlink_recvmsg,
    .setsockopt = netlink_setsockopt,
    .poll = netlink_poll,
    .release = netlink_release,
};

int netlink_create(struct socket *s, int protocol);
int netlink_create(struct socket *s, int protocol) {
  if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
    return -ESOCKTNOSUPPORT;
  if (protocol != NETLINK_ROUTE)
    return -EPROTONOSUPPORT;
  struct netlink_sock *n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  n->sock = s;
  TAILQ_INIT(&n->queue);
  s->priv = n;
  s->ops = &netlink_ops;
  return 0;
}
