/* The options of SOL_NETLINK: netlink(7). */
#include "netlink.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <linux/sock_diag.h>

static bool *flag_of(struct netlink_sock *nk, int opt) {
  switch (opt) {
  case NETLINK_PKTINFO:
    return &nk->pktinfo;
  case NETLINK_BROADCAST_ERROR:
    return &nk->bcast_error;
  case NETLINK_NO_ENOBUFS:
    return &nk->no_enobufs;
  case NETLINK_LISTEN_ALL_NSID:
    return &nk->listen_all;
  case NETLINK_CAP_ACK:
    return &nk->cap_ack;
  case NETLINK_EXT_ACK:
    return &nk->ext_ack;
  case NETLINK_GET_STRICT_CHK:
    return &nk->strict;
  default:
    return NULL;
  }
}

int netlink_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  struct netlink_sock *nk = netlink_of(s);
  unsigned v = 0;
  if (level != SOL_NETLINK)
    return -ENOPROTOOPT;
  if (len >= sizeof v)
    memcpy(&v, val, sizeof v);
  if (opt == NETLINK_ADD_MEMBERSHIP || opt == NETLINK_DROP_MEMBERSHIP)
    return netlink_join(nk, v, opt == NETLINK_ADD_MEMBERSHIP);
  bool *flag = flag_of(nk, opt);
  if (!flag)
    return -ENOPROTOOPT;
  if (opt == NETLINK_LISTEN_ALL_NSID && !nl_capable(nk, CAP_NET_BROADCAST))
    return -EPERM;
  *flag = v;
  if (opt == NETLINK_NO_ENOBUFS && v)
    nk->congested = false;
  return 0;
}

/* As many words as there is room for; the length says how many there are. */
static int list_memberships(const struct netlink_sock *nk, void *val, socklen_t *len) {
  socklen_t all = (nk->proto->ngroups + 31) / 32 * 4, n = *len < all ? *len & ~3u : all;
  memcpy(val, nk->groups, n);
  *len = all;
  return 0;
}

/* SO_MEMINFO: ss(8) asks for it */
static int meminfo(const struct netlink_sock *nk, void *val, socklen_t *len) {
  uint32_t m[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = (uint32_t)nk->rmem,
                                 [SK_MEMINFO_RCVBUF] = (uint32_t)nk->sock->opt.rcvbuf,
                                 [SK_MEMINFO_SNDBUF] = (uint32_t)nk->sock->opt.sndbuf,
                                 [SK_MEMINFO_DROPS] = (uint32_t)nk->drops};
  *len = *len < sizeof m ? *len : sizeof m;
  memcpy(val, m, *len);
  return 0;
}

int netlink_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  struct netlink_sock *nk = netlink_of(s);
  if (level == SOL_SOCKET && opt == SO_MEMINFO)
    return meminfo(nk, val, len);
  if (level != SOL_NETLINK)
    return -ENOPROTOOPT;
  if (opt == NETLINK_LIST_MEMBERSHIPS)
    return list_memberships(nk, val, len);
  const bool *flag = flag_of(nk, opt);
  if (!flag)
    return -ENOPROTOOPT;
  if (*len < sizeof(int))
    return -EINVAL;
  int v = *flag;
  memcpy(val, &v, sizeof v);
  *len = sizeof v;
  return 0;
}
