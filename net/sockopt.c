/* The options of SOL_SOCKET that all families have: socket(7). */
#include "../core/errno.h"
#include "../core/task.h"
#include "../core/timers.h"
#include "sock_filter.h"
#include "socket.h"
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#define MIN_SNDBUF 4608 /* SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF of include/net/sock.h */
#define MIN_RCVBUF 2304
#define BUF_MAX (SOCK_MEM_DEFAULT)

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

/* Newer than some C libraries. */
#define SO_TIMESTAMP_NEW_K 63
#define SO_TIMESTAMPNS_NEW_K 64
#define SO_TIMESTAMPING_NEW_K 65
#define SO_PREFER_BUSY_POLL_K 69
#define SO_BUSY_POLL_BUDGET_K 70
#define SO_NETNS_COOKIE_K 71
#define SO_BUF_LOCK_K 72
#define SO_RESERVE_MEM_K 73
#define SO_TXREHASH_K 74
#define SO_RCVMARK_K 75
#define SO_PASSPIDFD_K 76
#define SO_RCVPRIORITY_K 82

struct flag_opt {
  int opt;
  size_t off;
};
static const struct flag_opt flag_opts[] = {
    {SO_REUSEADDR, offsetof(struct sock_opts, reuseaddr)},     {SO_REUSEPORT, offsetof(struct sock_opts, reuseport)},
    {SO_KEEPALIVE, offsetof(struct sock_opts, keepalive)},     {SO_BROADCAST, offsetof(struct sock_opts, broadcast)},
    {SO_PASSPIDFD_K, offsetof(struct sock_opts, passpidfd)},   {SO_PASSCRED, offsetof(struct sock_opts, passcred)},
    {SO_PASSSEC, offsetof(struct sock_opts, passsec)},         {SO_NO_CHECK, offsetof(struct sock_opts, no_check)},
    {SO_RCVMARK_K, offsetof(struct sock_opts, rcvmark)},       {SO_OOBINLINE, offsetof(struct sock_opts, oobinline)},
    {SO_DONTROUTE, offsetof(struct sock_opts, dontroute)},     {SO_RXQ_OVFL, offsetof(struct sock_opts, rxq_ovfl)},
    {SO_NOFCS, offsetof(struct sock_opts, nofcs)},             {SO_WIFI_STATUS, offsetof(struct sock_opts, wifi_status)},
    {SO_SELECT_ERR_QUEUE, offsetof(struct sock_opts, select_err_queue)},
    {SO_RCVPRIORITY_K, offsetof(struct sock_opts, rcvpriority)},
};

static bool *flag_of(struct socket *s, int opt) {
  for (size_t i = 0; i < sizeof flag_opts / sizeof *flag_opts; i++)
    if (flag_opts[i].opt == opt)
      return (bool *)((char *)&s->opt + flag_opts[i].off);
  return NULL;
}

static bool net_admin(void) {
  const struct task *t = task_current();
  return t && ns_capable(t->cred, t->nsproxy->net->ns.owner, CAP_NET_ADMIN);
}

static int set_timeo(int64_t *out, const void *val, socklen_t len) {
  struct timeval tv;
  if (len < sizeof tv)
    return -EINVAL;
  memcpy(&tv, val, sizeof tv);
  if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
    return -EDOM;
  *out = tv.tv_sec < 0 ? 1 : timeval_ns(&tv); /* negative: as good as no wait at all */
  return 0;
}

static int set_linger(struct socket *s, const void *val, socklen_t len) {
  struct linger l;
  if (len < sizeof l)
    return -EINVAL;
  memcpy(&l, val, sizeof l);
  s->opt.linger_on = l.l_onoff;
  if (l.l_onoff)
    s->opt.linger = l.l_linger;
  return 0;
}

static int buf_size(int64_t val, bool force, int min) {
  if (!force && val > BUF_MAX)
    val = BUF_MAX;
  if (val < 0 || val > INT32_MAX / 2)
    val = val < 0 ? BUF_MAX : INT32_MAX / 2;
  return 2 * val < min ? min : (int)(2 * val); /* doubled for book-keeping: socket(7) */
}

static bool has_peek_off(const struct socket *s) {
  return s->family == AF_UNIX || ((s->family == AF_INET || s->family == AF_INET6) &&
                                  (s->protocol == IPPROTO_UDP || s->protocol == IPPROTO_TCP));
}

/* The last one that was set says which form the stamps have. */
static void set_stamp(struct socket *s, int opt, bool on) {
  bool us = opt == SO_TIMESTAMP || opt == SO_TIMESTAMP_NEW_K;
  s->opt.stamp = !on ? SOCK_STAMP_NONE : us ? SOCK_STAMP_US : SOCK_STAMP_NS;
  s->opt.stamp_new = on && (opt == SO_TIMESTAMP_NEW_K || opt == SO_TIMESTAMPNS_NEW_K);
}

static bool get_stamp(const struct socket *s, int opt) {
  bool us = opt == SO_TIMESTAMP || opt == SO_TIMESTAMP_NEW_K;
  bool new = opt == SO_TIMESTAMP_NEW_K || opt == SO_TIMESTAMPNS_NEW_K;
  return s->opt.stamp == (us ? SOCK_STAMP_US : SOCK_STAMP_NS) && s->opt.stamp_new == new;
}

static int set_int(struct socket *s, int opt, int v) {
  switch (opt) {
  case SO_SNDBUFFORCE:
  case SO_RCVBUFFORCE:
    if (!net_admin())
      return -EPERM;
    /* fall through */
  case SO_SNDBUF:
  case SO_RCVBUF:
    if (opt == SO_SNDBUF || opt == SO_SNDBUFFORCE)
      s->opt.sndbuf = buf_size(v < 0 ? BUF_MAX : v, opt == SO_SNDBUFFORCE, MIN_SNDBUF);
    else
      s->opt.rcvbuf = buf_size(v < 0 ? BUF_MAX : v, opt == SO_RCVBUFFORCE, MIN_RCVBUF);
    waitq_wake(&s->wq, EPOLLOUT | EPOLLWRNORM);
    return 0;
  case SO_RCVLOWAT:
    s->opt.rcvlowat = v < 0 ? INT32_MAX : v ? v : 1;
    return 0;
  case SO_PRIORITY:
    if ((v < 0 || v > 6) && !net_admin())
      return -EPERM;
    s->opt.priority = v;
    return 0;
  case SO_MARK:
    if (!net_admin())
      return -EPERM;
    s->opt.mark = (uint32_t)v;
    return 0;
  case SO_PEEK_OFF:
    if (!has_peek_off(s))
      return -EOPNOTSUPP;
    s->opt.peek_off = v < 0 ? -1 : v;
    return 0;
  case SO_TIMESTAMP:
  case SO_TIMESTAMP_NEW_K:
  case SO_TIMESTAMPNS:
  case SO_TIMESTAMPNS_NEW_K:
    set_stamp(s, opt, v);
    return 0;
  case SO_TYPE:
  case SO_PROTOCOL:
  case SO_DOMAIN:
  case SO_ERROR:
  case SO_ACCEPTCONN:
  case SO_SNDLOWAT:
  default:
    return -ENOPROTOOPT;
  }
}

int socket_set_generic(struct socket *s, int opt, const void *val, socklen_t len) {
  int r = sock_filter_setsockopt(s, opt, val, len);
  if (r != -ENOPROTOOPT)
    return r;
  if (opt == SO_RCVTIMEO || opt == SO_RCVTIMEO_NEW)
    return set_timeo(&s->opt.rcvtimeo, val, len);
  if (opt == SO_SNDTIMEO || opt == SO_SNDTIMEO_NEW)
    return set_timeo(&s->opt.sndtimeo, val, len);
  if (opt == SO_LINGER)
    return set_linger(s, val, len);
  int v;
  if (len < sizeof v)
    return -EINVAL;
  memcpy(&v, val, sizeof v);
  bool *flag = flag_of(s, opt);
  if (!flag)
    return set_int(s, opt, v);
  *flag = v;
  return 0;
}

int socket_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  int r = s->ops->setsockopt ? s->ops->setsockopt(s, level, opt, val, len) : -ENOPROTOOPT;
  if (r != -ENOPROTOOPT)
    return r;
  return level == SOL_SOCKET ? socket_set_generic(s, opt, val, len) : -ENOPROTOOPT;
}

static void give(void *val, socklen_t *len, const void *src, socklen_t n) {
  if (*len > n)
    *len = n;
  memcpy(val, src, *len);
}

static int get_int(struct socket *s, int opt, int *v) {
  switch (opt) {
  case SO_TYPE:
    *v = s->type;
    return 0;
  case SO_DOMAIN:
    *v = s->family;
    return 0;
  case SO_PROTOCOL:
    *v = s->protocol;
    return 0;
  case SO_ERROR:
    *v = -socket_take_error(s);
    return 0;
  case SO_ACCEPTCONN:
    *v = s->listening;
    return 0;
  case SO_SNDBUF:
    *v = s->opt.sndbuf;
    return 0;
  case SO_RCVBUF:
    *v = s->opt.rcvbuf;
    return 0;
  case SO_RCVLOWAT:
    *v = s->opt.rcvlowat;
    return 0;
  case SO_SNDLOWAT:
    *v = 1;
    return 0;
  case SO_PRIORITY:
    *v = s->opt.priority;
    return 0;
  case SO_MARK:
    *v = (int)s->opt.mark;
    return 0;
  case SO_PEEK_OFF:
    *v = s->opt.peek_off;
    return has_peek_off(s) ? 0 : -EOPNOTSUPP;
  case SO_TIMESTAMP:
  case SO_TIMESTAMP_NEW_K:
  case SO_TIMESTAMPNS:
  case SO_TIMESTAMPNS_NEW_K:
    *v = get_stamp(s, opt);
    return 0;
  case SO_BUSY_POLL:
    *v = 0;
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

static int get_generic(struct socket *s, int opt, void *val, socklen_t *len) {
  int f = sock_filter_getsockopt(s, opt, val, len);
  if (f != -ENOPROTOOPT)
    return f;
  if (opt == SO_RCVTIMEO || opt == SO_RCVTIMEO_NEW || opt == SO_SNDTIMEO || opt == SO_SNDTIMEO_NEW) {
    bool rcv = opt == SO_RCVTIMEO || opt == SO_RCVTIMEO_NEW;
    struct timeval tv = ns_timeval(rcv ? s->opt.rcvtimeo : s->opt.sndtimeo);
    give(val, len, &tv, sizeof tv);
    return 0;
  }
  if (opt == SO_LINGER) {
    struct linger l = {.l_onoff = s->opt.linger_on, .l_linger = s->opt.linger};
    give(val, len, &l, sizeof l);
    return 0;
  }
  if (opt == SO_COOKIE) {
    uint64_t cookie = s->file ? s->file->anon_ino : 0;
    if (*len < sizeof cookie)
      return -EINVAL;
    give(val, len, &cookie, sizeof cookie);
    return 0;
  }
  const bool *flag = flag_of(s, opt);
  int v = flag ? *flag : 0, r = flag ? 0 : get_int(s, opt, &v);
  if (!r)
    give(val, len, &v, sizeof v);
  return r;
}

int socket_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  int r = s->ops->getsockopt ? s->ops->getsockopt(s, level, opt, val, len) : -ENOPROTOOPT;
  if (r != -ENOPROTOOPT)
    return r;
  return level == SOL_SOCKET ? get_generic(s, opt, val, len) : -ENOPROTOOPT;
}
