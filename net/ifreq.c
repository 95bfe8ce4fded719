/* netdevice(7): the calls about a device itself, and who answers the others. */
#include "ifreq.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "inet/inet.h"
#include "unix.h"
#include <linux/capability.h>
#include <linux/sockios.h>
#include <string.h>

struct net_namespace *socket_net_borrow(struct socket *s) {
  if ((s->family == AF_INET || s->family == AF_INET6) && s->priv)
    return inet_of(s)->ns;
  if (s->family == AF_UNIX && s->priv)
    return unix_of(s)->net;
  return net_current_ns_borrow();
}

bool net_admin(const struct net_namespace *ns) {
  struct task *t = task_current();
  return t && ns_capable(t->cred, ns->ns.owner, CAP_NET_ADMIN);
}

/* ---- asking ---- */

static long get(const struct netdev *d, unsigned cmd, struct ifreq *r) {
  switch (cmd) {
  case SIOCGIFFLAGS:
    r->ifr_flags = (short)(d->flags & 0xffff);
    return 0;
  case SIOCGIFMETRIC:
    r->ifr_metric = 0;
    return 0;
  case SIOCGIFMTU:
    r->ifr_mtu = (int)d->mtu;
    return 0;
  case SIOCGIFHWADDR:
    memset(&r->ifr_hwaddr, 0, sizeof r->ifr_hwaddr);
    memcpy(r->ifr_hwaddr.sa_data, d->addr, d->addr_len);
    r->ifr_hwaddr.sa_family = d->type;
    return 0;
  case SIOCGIFMAP:
    memset(&r->ifr_map, 0, sizeof r->ifr_map);
    return 0;
  case SIOCGIFINDEX:
    r->ifr_ifindex = d->ifindex;
    return 0;
  case SIOCGIFTXQLEN:
    r->ifr_qlen = (int)d->tx_queue_len;
    return 0;
  default: /* SIOCGIFSLAVE */
    return -EINVAL;
  }
}

static bool asks(unsigned cmd) {
  return cmd == SIOCGIFFLAGS || cmd == SIOCGIFMETRIC || cmd == SIOCGIFMTU || cmd == SIOCGIFHWADDR ||
         cmd == SIOCGIFSLAVE || cmd == SIOCGIFMAP || cmd == SIOCGIFINDEX || cmd == SIOCGIFTXQLEN;
}

static long get_name(struct net_namespace *ns, struct ifreq *r) {
  const struct netdev *d = netdev_by_index_borrow(ns, r->ifr_ifindex);
  if (!d)
    return -ENODEV;
  memset(r->ifr_name, 0, sizeof r->ifr_name);
  memcpy(r->ifr_name, d->name, sizeof r->ifr_name);
  return 0;
}

/* ---- changing ---- */

static bool changes(unsigned cmd) {
  return cmd == SIOCSIFFLAGS || cmd == SIOCSIFMETRIC || cmd == SIOCSIFMTU || cmd == SIOCSIFHWADDR ||
         cmd == SIOCSIFHWBROADCAST || cmd == SIOCSIFMAP || cmd == SIOCADDMULTI || cmd == SIOCDELMULTI ||
         cmd == SIOCSIFTXQLEN || cmd == SIOCSIFNAME || cmd == SIOCSIFSLAVE || cmd == SIOCGMIIPHY ||
         cmd == SIOCGMIIREG || cmd == SIOCSMIIREG || cmd == SIOCSHWTSTAMP;
}

static long set(struct netdev *d, unsigned cmd, struct ifreq *r) {
  switch (cmd) {
  case SIOCSIFFLAGS: /* dev_change_flags(): those that are not settable stay */
    return netdev_set_flags(d, (unsigned short)r->ifr_flags, 0xffff);
  case SIOCSIFMTU:
    return r->ifr_mtu < 0 ? -EINVAL : netdev_set_mtu(d, (unsigned)r->ifr_mtu);
  case SIOCSIFHWADDR:
    if (!d->ops->kind && !(d->flags & IFF_LOOPBACK)) /* as with RTM_SETLINK: frames to another one would not come */
      return -EOPNOTSUPP;
    if (r->ifr_hwaddr.sa_family != d->type)
      return -EINVAL;
    return netdev_set_addr(d, (const uint8_t *)r->ifr_hwaddr.sa_data);
  case SIOCSIFHWBROADCAST:
    if (r->ifr_hwaddr.sa_family != d->type)
      return -EINVAL;
    memcpy(d->broadcast, r->ifr_hwaddr.sa_data, d->addr_len);
    net_event(d, NETDEV_CHANGEADDR);
    return 0;
  case SIOCSIFTXQLEN:
    if (r->ifr_qlen < 0)
      return -EINVAL;
    d->tx_queue_len = (unsigned)r->ifr_qlen;
    return 0;
  case SIOCSIFNAME:
    r->ifr_newname[IFNAMSIZ - 1] = 0;
    return netdev_rename(d, r->ifr_newname);
  case SIOCADDMULTI:
  case SIOCDELMULTI:
    return -EINVAL; /* link-layer groups are those of the Internet's */
  default:
    return -EOPNOTSUPP;
  }
}

/* ---- the call ---- */

/* dev_ioctl() */
static long dev_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg) {
  struct ifreq r, in;
  if (cmd == SIOCGIFCONF)
    return net_ifconf(ns, arg);
  if (cmd != SIOCGIFNAME && cmd != SIOCETHTOOL && !asks(cmd) && !changes(cmd))
    return -ENOTTY;
  if (get_user(&r, arg))
    return -EFAULT;
  in = r;
  r.ifr_name[IFNAMSIZ - 1] = 0;
  if (cmd == SIOCGIFNAME) {
    long rc = get_name(ns, &r);
    return rc ? rc : put_user(arg, &r) ? -EFAULT : 0;
  }
  char *colon = strchr(r.ifr_name, ':');
  if (colon) /* the label of an address */
    *colon = 0;
  if (cmd == SIOCETHTOOL)
    return net_ethtool(ns, r.ifr_name, (uint64_t)(uintptr_t)r.ifr_data);
  bool global = cmd == SIOCSIFMAP || cmd == SIOCSIFTXQLEN; /* the right over the machine */
  if (!asks(cmd) && !(global ? cred_has_cap(task_current()->cred, CAP_NET_ADMIN) : net_admin(ns)))
    return -EPERM;
  struct netdev *d = netdev_by_name_borrow(ns, r.ifr_name);
  if (!d)
    return -ENODEV;
  if (!asks(cmd))
    return set(d, cmd, &r);
  long rc = get(d, cmd, &r);
  memcpy(r.ifr_name, in.ifr_name, sizeof r.ifr_name);
  return rc ? rc : put_user(arg, &r) ? -EFAULT : 0;
}

long net_ifreq_ioctl(struct socket *s, unsigned cmd, uint64_t arg) {
  struct net_namespace *ns = socket_net_borrow(s);
  long r = -ENOTTY;
  if (cmd >> 8 != 0x89 || !net_stack_of(ns))
    return -ENOTTY;
  ns_get(&ns->ns); /* the task may move while this parks in a copy */
  if (s->family == AF_INET || s->family == AF_PACKET) {
    r = net_inet_ioctl(ns, cmd, arg);
    r = r == -ENOTTY ? net_route_ioctl(ns, cmd, arg) : r;
    r = r == -ENOTTY ? net_arp_ioctl(ns, cmd, arg) : r;
  } else if (s->family == AF_INET6) {
    r = net_inet6_ioctl(ns, cmd, arg);
    r = r == -ENOTTY ? net_route6_ioctl(ns, cmd, arg) : r;
  }
  r = r == -ENOTTY ? dev_ioctl(ns, cmd, arg) : r;
  ns_put(&ns->ns);
  return r;
}
