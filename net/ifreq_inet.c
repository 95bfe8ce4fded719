/* netdevice(7): addresses. IPv4's by label, as ifconfig(8) of old has it; IPv6's are only set so. */
#include "ifreq.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "ip_stack.h"
#include <linux/if_addr.h>
#include <linux/sockios.h>
#include <string.h>

/* ---- which address is meant ---- */

struct search {
  const char *label;
  const struct sockaddr_in *sin; /* NULL: any */
  struct ip_ifaddr found;
  bool ok;
};

static bool look(void *arg, struct netdev *d, const struct ip_ifaddr *a) {
  struct search *s = arg;
  (void)d;
  if (!ip_is4(&a->addr) || strncmp(a->label[0] ? a->label : d->name, s->label, IFNAMSIZ))
    return true;
  if (s->sin && ip_get4(&a->addr) != s->sin->sin_addr.s_addr)
    return true;
  s->found = *a;
  s->ok = true;
  return false;
}

static bool find(struct netdev *d, const char *label, const struct sockaddr_in *sin, struct ip_ifaddr *out) {
  struct search s = {.label = label, .sin = sin};
  ip_addr_each(d, look, &s);
  *out = s.found;
  return s.ok;
}

/* ---- SIOCGIFCONF ---- */

struct conf {
  struct net_namespace *ns;
  struct ifreq *v; /* NULL: only count */
  int room, n;
};

static bool conf_one(void *arg, struct netdev *d, const struct ip_ifaddr *a) {
  struct conf *c = arg;
  if (!ip_is4(&a->addr))
    return true;
  if (!c->v) {
    c->n++;
    return true;
  }
  if (c->n >= c->room)
    return false;
  struct ifreq *r = &c->v[c->n++];
  struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = ip_get4(&a->addr)};
  memset(r, 0, sizeof *r);
  memcpy(r->ifr_name, a->label[0] ? a->label : d->name, IFNAMSIZ);
  memcpy(&r->ifr_addr, &sin, sizeof r->ifr_addr);
  return true;
}

static int conf_all(struct conf *c) {
  struct netdev *d;
  TAILQ_FOREACH(d, &net_stack_of(c->ns)->devs, link)
  ip_addr_each(d, conf_one, c);
  return c->n;
}

long net_ifconf(struct net_namespace *ns, uint64_t arg) {
  struct ifconf ic;
  struct conf c = {.ns = ns};
  if (get_user(&ic, arg))
    return -EFAULT;
  if (ic.ifc_buf) {
    c.room = ic.ifc_len > 0 ? ic.ifc_len / (int)sizeof(struct ifreq) : 0;
    int most = conf_all(&(struct conf){.ns = ns});
    if (c.room > most)
      c.room = most;
    c.v = calloc((size_t)c.room + 1, sizeof *c.v);
    if (!c.v)
      return -ENOMEM;
  }
  ic.ifc_len = conf_all(&c) * (int)sizeof(struct ifreq);
  int bad = c.v && ic.ifc_len && copy_to_user((uint64_t)(uintptr_t)ic.ifc_buf, c.v, (size_t)ic.ifc_len);
  free(c.v);
  return bad || put_user(arg, &ic) ? -EFAULT : 0;
}

/* ---- one IPv4 address ---- */

static uint32_t mask_of(unsigned prefix) {
  return prefix ? htonl(UINT32_MAX << (32 - prefix)) : 0;
}

/* The prefix that the class of an address stands for: inet_abc_len(). */
static int class_prefix(uint32_t be) {
  uint32_t a = ntohl(be);
  if (a == UINT32_MAX || !(a >> 24))
    return 0;
  if (!(a & 0x80000000u))
    return 8;
  if ((a & 0xc0000000u) == 0x80000000u)
    return 16;
  if ((a & 0xe0000000u) == 0xc0000000u)
    return 24;
  return (a & 0xf0000000u) == 0xf0000000u ? 32 : -1;
}

static void default_broadcast(const struct netdev *d, struct ip_ifaddr *a) {
  bool has = d->flags & IFF_BROADCAST && a->prefix < 31;
  a->broadcast = ip_from4(has ? ip_get4(&a->addr) | ~mask_of(a->prefix) : 0);
}

static long replace(struct netdev *d, const struct ip_ifaddr *old, const struct ip_ifaddr *new) {
  if (old)
    (void)ip_addr_del(d, old);
  return ip_addr_add(d, new);
}

static long set_addr(struct netdev *d, const char *label, const struct ip_ifaddr *old, uint32_t be) {
  int prefix = class_prefix(be);
  if (prefix < 0)
    return -EINVAL;
  if (old && ip_get4(&old->addr) == be)
    return 0;
  struct ip_ifaddr a = {.addr = ip_from4(be), .prefix = 32, .valid_lft = UINT32_MAX, .preferred_lft = UINT32_MAX};
  a.local_peer = a.addr;
  a.scope = ip_is_loopback(&a.addr) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  a.broadcast = ip_from4(0);
  memcpy(a.label, label, IFNAMSIZ);
  if (!(d->flags & IFF_POINTOPOINT)) {
    a.prefix = (uint8_t)prefix;
    default_broadcast(d, &a);
  }
  if (!be) /* ifconfig DEV 0.0.0.0: only the old one goes */
    return old ? ip_addr_del(d, old) : 0;
  return replace(d, old, &a);
}

static long set_mask(struct netdev *d, const struct ip_ifaddr *old, uint32_t be) {
  uint32_t host = ~ntohl(be);
  struct ip_ifaddr a = *old;
  if (host & (host + 1))
    return -EINVAL;
  if (be == mask_of(old->prefix))
    return 0;
  bool implied = ip_get4(&old->broadcast) == (ip_get4(&old->addr) | ~mask_of(old->prefix));
  a.prefix = (uint8_t)__builtin_popcount(be);
  a.flags &= ~(uint32_t)IFA_F_SECONDARY;
  if (implied)
    default_broadcast(d, &a);
  return replace(d, old, &a);
}

static long set_one(struct netdev *d, unsigned cmd, const char *label, const struct ip_ifaddr *old,
                    const struct sockaddr_in *sin) {
  uint32_t be = sin->sin_addr.s_addr;
  struct ip_ifaddr a;
  if (cmd == SIOCSIFADDR)
    return set_addr(d, label, old, be);
  if (!old)
    return -EADDRNOTAVAIL;
  a = *old;
  switch (cmd) {
  case SIOCSIFBRDADDR:
    a.broadcast = ip_from4(be);
    break;
  case SIOCSIFDSTADDR:
    if (class_prefix(be) < 0)
      return -EINVAL;
    a.local_peer = ip_from4(be);
    break;
  default:
    return set_mask(d, old, be);
  }
  return replace(d, old, &a);
}

static uint32_t get_one(unsigned cmd, const struct ip_ifaddr *a) {
  switch (cmd) {
  case SIOCGIFADDR:
    return ip_get4(&a->addr);
  case SIOCGIFBRDADDR:
    return ip_get4(&a->broadcast);
  case SIOCGIFDSTADDR:
    return ip_get4(&a->local_peer);
  default:
    return mask_of(a->prefix);
  }
}

static bool is_get(unsigned cmd) {
  return cmd == SIOCGIFADDR || cmd == SIOCGIFBRDADDR || cmd == SIOCGIFDSTADDR || cmd == SIOCGIFNETMASK;
}
static bool is_set(unsigned cmd) {
  return cmd == SIOCSIFADDR || cmd == SIOCSIFBRDADDR || cmd == SIOCSIFDSTADDR || cmd == SIOCSIFNETMASK;
}

/* SIOCSIFFLAGS of a label: without IFF_UP its address goes. */
static long alias_flags(struct netdev *d, const struct ip_ifaddr *a, short flags) {
  if (!a)
    return -EADDRNOTAVAIL;
  return flags & IFF_UP ? 0 : ip_addr_del(d, a);
}

/* devinet_ioctl() */
long net_inet_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg) {
  struct ifreq r;
  struct sockaddr_in sin;
  struct ip_ifaddr a;
  char label[IFNAMSIZ] = "";
  if (!is_get(cmd) && !is_set(cmd) && cmd != SIOCSIFFLAGS)
    return -ENOTTY;
  if (get_user(&r, arg))
    return -EFAULT;
  r.ifr_name[IFNAMSIZ - 1] = 0;
  strcpy(label, r.ifr_name);
  memcpy(&sin, &r.ifr_addr, sizeof sin);
  char *colon = strchr(r.ifr_name, ':');
  if (colon)
    *colon = 0;
  if (cmd == SIOCSIFFLAGS && !colon)
    return -ENOTTY;
  if (!is_get(cmd) && !net_admin(ns))
    return -EPERM;
  if (is_set(cmd) && sin.sin_family != AF_INET)
    return -EINVAL;
  struct netdev *d = netdev_by_name_borrow(ns, r.ifr_name);
  if (!d)
    return -ENODEV;
  bool have = is_get(cmd) && sin.sin_family == AF_INET && find(d, label, &sin, &a); /* 4.3BSD: one of several */
  have = have || find(d, label, NULL, &a);
  if (cmd == SIOCSIFFLAGS)
    return alias_flags(d, have ? &a : NULL, r.ifr_flags);
  if (is_set(cmd))
    return set_one(d, cmd, label, have ? &a : NULL, &sin);
  if (!have)
    return -EADDRNOTAVAIL;
  sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = get_one(cmd, &a)};
  memcpy(&r.ifr_addr, &sin, sizeof r.ifr_addr);
  memcpy(r.ifr_name, label, IFNAMSIZ);
  return put_user(arg, &r) ? -EFAULT : 0;
}

/* ---- IPv6 ---- */

struct in6_ifreq_k { /* <linux/ipv6.h>, which does not go with <netinet/in.h> */
  struct in6_addr addr;
  uint32_t prefixlen;
  int32_t ifindex;
};

long net_inet6_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg) {
  struct in6_ifreq_k r;
  if (cmd != SIOCSIFADDR && cmd != SIOCDIFADDR)
    return -ENOTTY;
  if (!net_admin(ns))
    return -EPERM;
  if (get_user(&r, arg))
    return -EFAULT;
  if (r.prefixlen > 128 || ip_is4(&r.addr) || ip_is_multicast(&r.addr))
    return -EINVAL;
  struct netdev *d = netdev_by_index_borrow(ns, r.ifindex);
  if (!d)
    return -ENODEV;
  struct ip_ifaddr a = {.addr = r.addr, .prefix = (uint8_t)r.prefixlen, .flags = IFA_F_PERMANENT};
  a.valid_lft = a.preferred_lft = UINT32_MAX;
  a.scope = (uint8_t)ip_scope_of(&r.addr);
  return cmd == SIOCSIFADDR ? ip_addr_add(d, &a) : ip_addr_del(d, &a);
}
