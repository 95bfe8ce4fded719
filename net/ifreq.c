/* netdevice(7): what sockets of every family answer about network interfaces. There is lo; more come with the stack. */
#include "ifreq.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include <linux/capability.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#define LO_INDEX 1
#define LO_MTU 65536

static struct net_namespace *net_of(struct task *t) {
  return (t->nsproxy ? t->nsproxy : t->k->init_nsproxy)->net;
}

static int lo_flags(const struct net_namespace *n) {
  return IFF_LOOPBACK | (n->lo_up ? IFF_UP | IFF_RUNNING : 0);
}

static long set_flags(struct task *t, const struct ifreq *r) {
  struct net_namespace *n = net_of(t);
  if (!ns_capable(t->cred, n->ns.owner, CAP_NET_ADMIN))
    return -EPERM;
  n->lo_up = r->ifr_flags & IFF_UP;
  return 0;
}

long net_ifreq_ioctl(unsigned cmd, uint64_t arg) {
  struct task *t = task_current();
  struct ifreq r;
  if (cmd != SIOCGIFINDEX && cmd != SIOCGIFNAME && cmd != SIOCGIFFLAGS && cmd != SIOCSIFFLAGS && cmd != SIOCGIFMTU &&
      cmd != SIOCGIFHWADDR && cmd != SIOCGIFTXQLEN)
    return -ENOTTY;
  if (!t || get_user(&r, arg))
    return -EFAULT;
  r.ifr_name[IFNAMSIZ - 1] = 0;
  if (cmd == SIOCGIFNAME ? r.ifr_ifindex != LO_INDEX : strcmp(r.ifr_name, "lo") != 0)
    return -ENODEV;
  switch (cmd) {
  case SIOCSIFFLAGS:
    return set_flags(t, &r);
  case SIOCGIFNAME:
    memset(r.ifr_name, 0, sizeof r.ifr_name);
    strcpy(r.ifr_name, "lo");
    break;
  case SIOCGIFINDEX:
    r.ifr_ifindex = LO_INDEX;
    break;
  case SIOCGIFFLAGS:
    r.ifr_flags = (short)lo_flags(net_of(t));
    break;
  case SIOCGIFMTU:
    r.ifr_mtu = LO_MTU;
    break;
  case SIOCGIFTXQLEN:
    r.ifr_qlen = 1000;
    break;
  default:
    memset(&r.ifr_hwaddr, 0, sizeof r.ifr_hwaddr);
    r.ifr_hwaddr.sa_family = ARPHRD_LOOPBACK;
  }
  return put_user(arg, &r) ? -EFAULT : 0;
}
