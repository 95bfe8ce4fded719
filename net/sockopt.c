/* The options of SOL_SOCKET that all families have: socket(7). */
#include "../core/errno.h"
#include "../core/task.h"
#include "../core/timers.h"
#include "sock_filter.h"
#include "inet/inet.h"
#include "sockopt.h"
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define MIN_SNDBUF 4608 /* SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF of include/net/sock.h */
#define MIN_RCVBUF 2304

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

/* Newer than some C libraries. */
#define SO_RCVMARK_K 75
#define SO_PASSPIDFD_K 76
#define SO_RCVPRIORITY_K 82

struct flag_opt {
  int opt;
  size_t off;
};
static const struct flag_opt flag_opts[] = {
    {SO_REUSEADDR, offsetof(struct sock_opts, reuseaddr)},
    {SO_REUSEPORT, offsetof(struct sock_opts, reuseport)},
    {SO_KEEPALIVE, offsetof(struct sock_opts, keepalive)},
    {SO_BROADCAST, offsetof(struct sock_opts, broadcast)},
    {SO_PASSPIDFD_K, offsetof(struct sock_opts, passpidfd)},
    {SO_PASSCRED, offsetof(struct sock_opts, passcred)},
    {SO_PASSSEC, offsetof(struct sock_opts, passsec)},
    {SO_NO_CHECK, offsetof(struct sock_opts, no_check)},
    {SO_RCVMARK_K, offsetof(struct sock_opts, rcvmark)},
    {SO_OOBINLINE, offsetof(struct sock_opts, oobinline)},
    {SO_DONTROUTE, offsetof(struct sock_opts, dontroute)},
    {SO_RXQ_OVFL, offsetof(struct sock_opts, rxq_ovfl)},
    {SO_NOFCS, offsetof(struct sock_opts, nofcs)},
    {SO_WIFI_STATUS, offsetof(struct sock_opts, wifi_status)},
    {SO_SELECT_ERR_QUEUE, offsetof(struct sock_opts, select_err_queue)},
    {SO_RCVPRIORITY_K, offsetof(struct sock_opts, rcvpriority)},
};

static bool *flag_of(struct socket *s, int opt) {
  for (size_t i = 0; i < sizeof flag_opts / sizeof *flag_opts; i++)
    if (flag_opts[i].opt == opt)
      return (bool *)((char *)&s->opt + flag_opts[i].off);
  return NULL;
}

static bool net_raw_or_admin(void) {
  const struct task *t = task_current();
  return socket_net_admin() || (t && ns_capable(t->cred, t->nsproxy->net->ns.owner, CAP_NET_RAW));
}

/* net.core.wmem_max, rmem_max. */
static int buf_max(bool send) {
  const struct inet_net *n = inet_net_of(net_current_ns_borrow());
  return !n ? SOCK_MEM_DEFAULT : send ? n->sysctl.wmem_max : n->sysctl.rmem_max;
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

static int buf_size(int v, bool force, int max, int min) {
  int64_t val = !force && (v > max || v < 0) ? max : v < 0 ? 0 : v;
  if (val > INT32_MAX / 2)
    val = INT32_MAX / 2;
  return 2 * val < min ? min : (int)(2 * val); /* doubled for book-keeping: socket(7) */
}

static int set_buf(struct socket *s, int opt, int v) {
  bool send = opt == SO_SNDBUF || opt == SO_SNDBUFFORCE, force = opt == SO_SNDBUFFORCE || opt == SO_RCVBUFFORCE;
  if (force && !socket_net_admin())
    return -EPERM;
  if (send)
    s->opt.sndbuf = buf_size(v, force, buf_max(true), MIN_SNDBUF);
  else
    s->opt.rcvbuf = buf_size(v, force, buf_max(false), MIN_RCVBUF);
  s->opt.buf_lock |= send ? 1 : 2;
  if (send)
    waitq_wake(&s->wq, EPOLLOUT | EPOLLWRNORM);
  return 0;
}

static bool has_peek_off(const struct socket *s) {
  return s->family == AF_UNIX || ((s->family == AF_INET || s->family == AF_INET6) &&
                                  (s->protocol == IPPROTO_UDP || s->protocol == IPPROTO_TCP));
}

static int set_int(struct socket *s, int opt, int v) {
  switch (opt) {
  case SO_SNDBUFFORCE:
  case SO_RCVBUFFORCE:
  case SO_SNDBUF:
  case SO_RCVBUF:
    return set_buf(s, opt, v);
  case SO_RCVLOWAT:
    s->opt.rcvlowat = v < 0 ? INT32_MAX : v ? v : 1;
    return 0;
  case SO_PRIORITY:
    if ((v < 0 || v > 6) && !net_raw_or_admin())
      return -EPERM;
    s->opt.priority = v;
    return 0;
  case SO_MARK:
    if (!net_raw_or_admin())
      return -EPERM;
    s->opt.mark = (uint32_t)v;
    return 0;
  case SO_DEBUG:
    if (v && !socket_net_admin())
      return -EACCES;
    s->opt.debug = v;
    return 0;
  case SO_PEEK_OFF:
    if (!has_peek_off(s))
      return -EOPNOTSUPP;
    s->opt.peek_off = v;
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
  if (!flag) {
    r = set_int(s, opt, v);
    return r == -ENOPROTOOPT ? sockopt_rare_set(s, opt, val, len, v) : r;
  }
  if (opt == SO_RCVMARK_K && !net_raw_or_admin())
    return -EPERM;
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
  case SO_DEBUG:
    *v = s->opt.debug;
    return 0;
  case SO_PEEK_OFF:
    *v = s->opt.peek_off;
    return has_peek_off(s) ? 0 : -EOPNOTSUPP;
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
  if (r == -ENOPROTOOPT)
    return sockopt_rare_get(s, opt, val, len);
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
