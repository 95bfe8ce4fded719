/* Options of SOL_SOCKET that few programs set: time stamps, busy polling, pacing, what getsockopt(2) alone knows.
 * socket(7), Documentation/networking/timestamping.rst. */
#include "../core/errno.h"
#include "../core/task.h"
#include "inet/inet.h"
#include "sockopt.h"
#include <linux/capability.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <time.h>

/* Newer than some C libraries. */
#define SO_INCOMING_CPU_K 49
#define SO_CNX_ADVICE_K 53
#define SO_MEMINFO_K 55
#define SO_INCOMING_NAPI_ID_K 56
#define SO_TXTIME_K 61
#define SO_TIMESTAMP_NEW_K 63
#define SO_TIMESTAMPNS_NEW_K 64
#define SO_TIMESTAMPING_NEW_K 65
#define SO_PREFER_BUSY_POLL_K 69
#define SO_BUSY_POLL_BUDGET_K 70
#define SO_NETNS_COOKIE_K 71
#define SO_BUF_LOCK_K 72
#define SO_RESERVE_MEM_K 73
#define SO_TXREHASH_K 74
#define BUSY_POLL_BUDGET_DEFAULT 8 /* of Linux */
#define SOF_TIMESTAMPING_OPT_ID_TCP_K (1 << 16)
#define TS_FLAGS_KNOWN 0x3ffffu /* SOF_TIMESTAMPING_* of Linux 6.18: up to OPT_RX_FILTER */
#define MEMINFO_VARS 9
#define BPF_EXTENSIONS 64 /* SKF_AD_MAX */

struct so_stamping {
  int flags, bind_phc;
};

bool socket_net_admin(void) {
  const struct task *t = task_current();
  return t && ns_capable(t->cred, t->nsproxy->net->ns.owner, CAP_NET_ADMIN);
}

static bool is_inet(const struct socket *s) {
  return s->family == AF_INET || s->family == AF_INET6;
}

/* ---- setting ---- */

/* The last one that was set says which form the stamps have. */
static void set_stamp(struct socket *s, int opt, bool on) {
  bool us = opt == SO_TIMESTAMP || opt == SO_TIMESTAMP_NEW_K;
  s->opt.stamp = !on ? SOCK_STAMP_NONE : us ? SOCK_STAMP_US : SOCK_STAMP_NS;
  if (on)
    s->opt.stamp_new = opt == SO_TIMESTAMP_NEW_K || opt == SO_TIMESTAMPNS_NEW_K;
}

static bool get_stamp(const struct socket *s, int opt) {
  bool us = opt == SO_TIMESTAMP || opt == SO_TIMESTAMP_NEW_K;
  bool new = opt == SO_TIMESTAMP_NEW_K || opt == SO_TIMESTAMPNS_NEW_K;
  return s->opt.stamp == (us ? SOCK_STAMP_US : SOCK_STAMP_NS) && s->opt.stamp_new == new;
}

static int set_stamping(struct socket *s, int opt, const void *val, socklen_t len) {
  struct so_stamping t = {0};
  memcpy(&t, val, len >= sizeof t ? sizeof t : sizeof t.flags);
  if ((unsigned)t.flags & ~TS_FLAGS_KNOWN)
    return -EINVAL;
  if (t.flags & SOF_TIMESTAMPING_OPT_ID_TCP_K && !(t.flags & SOF_TIMESTAMPING_OPT_ID))
    return -EINVAL;
  if (t.flags & SOF_TIMESTAMPING_OPT_STATS && !(t.flags & SOF_TIMESTAMPING_OPT_TSONLY))
    return -EINVAL;
  if (t.flags & SOF_TIMESTAMPING_BIND_PHC) /* there is no such clock */
    return -EOPNOTSUPP;
  s->opt.tsflags = (uint32_t)t.flags;
  s->opt.stamp_new = opt == SO_TIMESTAMPING_NEW_K;
  return 0;
}

static int set_txtime(struct socket *s, const void *val, socklen_t len) {
  struct sock_txtime t;
  if (len != sizeof t)
    return -EINVAL;
  memcpy(&t, val, sizeof t);
  if (t.flags & ~SOF_TXTIME_FLAGS_MASK)
    return -EINVAL;
  if (t.clockid != CLOCK_MONOTONIC && !socket_net_admin())
    return -EPERM;
  s->opt.txtime = true;
  s->opt.txtime_clock = t.clockid;
  s->opt.txtime_flags = t.flags;
  return 0;
}

static int set_busy(struct socket *s, int opt, int v) {
  switch (opt) {
  case SO_BUSY_POLL: /* net.core.busy_read is 0 */
    if (v < 0)
      return -EINVAL;
    if (v > s->opt.busy_poll && !socket_net_admin())
      return -EPERM;
    s->opt.busy_poll = v;
    return 0;
  case SO_PREFER_BUSY_POLL_K:
    if (v && !socket_net_admin())
      return -EPERM;
    s->opt.prefer_busy_poll = v;
    return 0;
  default:
    if (v > (s->opt.busy_poll_budget ? s->opt.busy_poll_budget : BUSY_POLL_BUDGET_DEFAULT) && !socket_net_admin())
      return -EPERM;
    if (v < 0 || v > UINT16_MAX)
      return -EINVAL;
    s->opt.busy_poll_budget = v;
    return 0;
  }
}

static int set_pacing(struct socket *s, const void *val, socklen_t len, int v) {
  uint64_t rate = v == -1 ? UINT64_MAX : (uint32_t)v;
  if (len == sizeof rate)
    memcpy(&rate, val, sizeof rate);
  s->opt.max_pacing_rate = ~rate; /* stored so that 0 is no limit */
  return 0;
}

int sockopt_rare_set(struct socket *s, int opt, const void *val, socklen_t len, int v) {
  switch (opt) {
  case SO_TIMESTAMP:
  case SO_TIMESTAMP_NEW_K:
  case SO_TIMESTAMPNS:
  case SO_TIMESTAMPNS_NEW_K:
    set_stamp(s, opt, v);
    return 0;
  case SO_TIMESTAMPING:
  case SO_TIMESTAMPING_NEW_K:
    return set_stamping(s, opt, val, len);
  case SO_TXTIME_K:
    return set_txtime(s, val, len);
  case SO_BUSY_POLL:
  case SO_PREFER_BUSY_POLL_K:
  case SO_BUSY_POLL_BUDGET_K:
    return set_busy(s, opt, v);
  case SO_MAX_PACING_RATE:
    return set_pacing(s, val, len, v);
  case SO_INCOMING_CPU_K:
    s->opt.incoming_cpu = v == INT32_MAX ? 0 : v + 1; /* no CPU has that number */
    return 0;
  case SO_CNX_ADVICE_K:
  case SO_BSDCOMPAT:
    return 0;
  case SO_BUF_LOCK_K:
    if (v & ~3)
      return -EINVAL;
    s->opt.buf_lock = v;
    return 0;
  case SO_TXREHASH_K: /* flow labels do not change here: only remembered */
    if (!is_inet(s) || s->type != SOCK_STREAM)
      return -EOPNOTSUPP;
    if (v < -1 || v > 1)
      return -EINVAL;
    s->opt.txrehash = v == 0 ? 1 : 0;
    return 0;
  case SO_ZEROCOPY: /* -EOPNOTSUPP where there are no pages to lend, as for most families of Linux */
    return -EOPNOTSUPP;
  case SO_RESERVE_MEM_K: /* no accounting by control group */
    return v < 0 ? -EINVAL : -EOPNOTSUPP;
  default:
    return -ENOPROTOOPT;
  }
}

/* ---- reading ---- */

static void give(void *val, socklen_t *len, const void *src, size_t n) {
  if (*len > n)
    *len = (socklen_t)n;
  if (*len)
    memcpy(val, src, *len);
}

static int get_peername(struct socket *s, void *val, const socklen_t *len) {
  struct sockaddr_storage ss;
  socklen_t n = sizeof ss;
  memset(&ss, 0, sizeof ss);
  if (!s->ops->getname || s->ops->getname(s, true, &ss, &n))
    return -ENOTCONN;
  if (n < *len)
    return -EINVAL;
  memcpy(val, &ss, *len);
  return 0;
}

static int get_pacing(const struct socket *s, void *val, socklen_t *len) {
  uint64_t rate = ~s->opt.max_pacing_rate;
  uint32_t small = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
  if (*len >= sizeof rate)
    give(val, len, &rate, sizeof rate);
  else
    give(val, len, &small, sizeof small);
  return 0;
}

static int get_cookie(const struct socket *s, void *val, socklen_t *len) {
  const struct net_namespace *ns = is_inet(s) && s->priv ? inet_of(s)->ns : net_current_ns_borrow();
  uint64_t cookie = ns->ns.ino;
  if (*len != sizeof cookie)
    return -EINVAL;
  give(val, len, &cookie, sizeof cookie);
  return 0;
}

static int get_struct(struct socket *s, int opt, void *val, socklen_t *len) {
  struct so_stamping t = {(int)s->opt.tsflags, 0};
  struct sock_txtime x = {s->opt.txtime ? s->opt.txtime_clock : 0, s->opt.txtime ? s->opt.txtime_flags : 0};
  uint32_t mem[MEMINFO_VARS] = {0, (uint32_t)s->opt.rcvbuf, 0, (uint32_t)s->opt.sndbuf};
  switch (opt) {
  case SO_TIMESTAMPING_NEW_K:
    if (!s->opt.stamp_new)
      t = (struct so_stamping){0, 0};
    /* fall through */
  case SO_TIMESTAMPING:
    give(val, len, &t, sizeof t);
    return 0;
  case SO_TXTIME_K:
    give(val, len, &x, sizeof x);
    return 0;
  case SO_MEMINFO_K:
    give(val, len, mem, sizeof mem);
    return 0;
  case SO_PEERNAME:
    return get_peername(s, val, len);
  case SO_MAX_PACING_RATE:
    return get_pacing(s, val, len);
  case SO_NETNS_COOKIE_K:
    return get_cookie(s, val, len);
  default:
    return -ENOPROTOOPT;
  }
}

static int get_int(const struct socket *s, int opt, int *v) {
  switch (opt) {
  case SO_TIMESTAMP:
  case SO_TIMESTAMP_NEW_K:
  case SO_TIMESTAMPNS:
  case SO_TIMESTAMPNS_NEW_K:
    *v = get_stamp(s, opt);
    return 0;
  case SO_BUSY_POLL:
    *v = s->opt.busy_poll;
    return 0;
  case SO_PREFER_BUSY_POLL_K:
    *v = s->opt.prefer_busy_poll;
    return 0;
  case SO_INCOMING_CPU_K:
    *v = s->opt.incoming_cpu - 1;
    return 0;
  case SO_INCOMING_NAPI_ID_K: /* there are no interrupts to poll */
  case SO_BSDCOMPAT:
  case SO_ZEROCOPY:
  case SO_RESERVE_MEM_K:
    *v = 0;
    return 0;
  case SO_BUF_LOCK_K:
    *v = s->opt.buf_lock;
    return 0;
  case SO_TXREHASH_K:
    *v = !s->opt.txrehash;
    return is_inet(s) && s->type == SOCK_STREAM ? 0 : -EOPNOTSUPP;
  case SO_BPF_EXTENSIONS:
    *v = BPF_EXTENSIONS;
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

int sockopt_rare_get(struct socket *s, int opt, void *val, socklen_t *len) {
  int v, r = get_struct(s, opt, val, len);
  if (r != -ENOPROTOOPT)
    return r;
  r = get_int(s, opt, &v);
  if (!r)
    give(val, len, &v, sizeof v);
  return r;
}
