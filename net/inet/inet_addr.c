/* Socket addresses of ip(7) and ipv6(7), and what a socket's packets begin with. */
#include "inet.h"
#include "../../core/errno.h"
#include "../../core/task.h"
#include <stddef.h>
#include <string.h>

#define SIN6_LEN_RFC2133 24 /* before there was a scope id */

static int get4(const struct sockaddr_in *sin, socklen_t len, struct in6_addr *a, uint16_t *port) {
  if (len < sizeof *sin)
    return -EINVAL;
  if (sin->sin_family != AF_INET && sin->sin_family != AF_UNSPEC) /* "compatibility games": bind(2), sendto(2) */
    return -EAFNOSUPPORT;
  *a = ip_from4(sin->sin_addr.s_addr);
  *port = ntohs(sin->sin_port);
  return 0;
}

int inet_addr_get(const struct inet_sock *is, const void *name, socklen_t len, struct in6_addr *a, uint16_t *port,
                  int *scope) {
  struct sockaddr_in6 sin6 = {0};
  *scope = 0;
  if (is->sock->family == AF_INET) {
    struct sockaddr_in sin = {0};
    memcpy(&sin, name, len < sizeof sin ? len : sizeof sin);
    return get4(&sin, len, a, port);
  }
  if (len < SIN6_LEN_RFC2133)
    return -EINVAL;
  memcpy(&sin6, name, len < sizeof sin6 ? len : sizeof sin6);
  if (sin6.sin6_family != AF_INET6)
    return -EAFNOSUPPORT;
  *a = sin6.sin6_addr;
  *port = ntohs(sin6.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(a))
    return is->opt.v6only ? -ENETUNREACH : 0;
  if (!IN6_IS_ADDR_LINKLOCAL(a) && !IN6_IS_ADDR_MC_LINKLOCAL(a))
    return 0;
  int id = len >= sizeof sin6 ? (int)sin6.sin6_scope_id : 0;
  if (id && is->bound_dev && id != is->bound_dev)
    return -EINVAL;
  if (!id && !is->bound_dev && IN6_IS_ADDR_LINKLOCAL(a))
    return -EINVAL;
  *scope = id;
  return 0;
}

socklen_t inet_addr_put(const struct inet_sock *is, const struct in6_addr *a, uint16_t port, int scope, void *out) {
  if (is->sock->family == AF_INET) {
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip_get4(a)};
    memcpy(out, &sin, sizeof sin);
    return sizeof sin;
  }
  struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *a};
  if (IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MC_LINKLOCAL(a))
    sin6.sin6_scope_id = (uint32_t)scope;
  memcpy(out, &sin6, sizeof sin6);
  return sizeof sin6;
}

void inet_flow(const struct inet_sock *is, const struct in6_addr *dst, uint8_t proto, struct ip_flow *f) {
  const struct inet_opts *o = &is->opt;
  bool v4 = ip_is4(dst), mc = ip_is_multicast(dst);
  *f = (struct ip_flow){.dst = *dst,
                        .proto = proto,
                        .tos = (uint8_t)(v4              ? o->tos
                                         : o->tclass < 0 ? 0
                                                         : o->tclass),
                        .ttl = (int16_t)(v4 ? (mc ? o->mc_ttl : o->ttl) : (mc ? o->mc_hops : o->hoplimit)),
                        .oif = is->bound_dev,
                        .mark = is->sock->opt.mark,
                        .pmtudisc = o->pmtudisc[!v4],
                        .hdrincl = o->hdrincl,
                        .broadcast_ok = is->sock->opt.broadcast,
                        .multicast_loop = o->mc_loop[!v4],
                        .freebind = o->transparent || (!v4 && (o->freebind || is->net->sysctl.nonlocal_bind[1]))};
  /* IPv4: IP_FREEBIND and ip_nonlocal_bind let a name be bound that is not here yet, but nobody sends from it. */
  /* A wildcard, or a local name of the other family, leaves the choice to the route; a multicast one is no source. */
  f->src = !ip_is_any(&is->laddr) && ip_is4(&is->laddr) == v4 && !ip_is_multicast(&is->laddr) ? is->laddr
           : v4                                                                               ? ip_from4(0)
                                                                                              : in6addr_any;
  if (mc && !f->oif)
    f->oif = o->mc_ifindex[!v4];
  if (mc && v4 && ip_is_any(&f->src) && o->mc_addr.s_addr)
    f->src = ip_from4(o->mc_addr.s_addr);
  if (v4 && o->ip_options) {
    f->options = o->ip_options;
    f->options_len = o->ip_options_len;
  }
}

struct in6_addr inet_any(const struct inet_sock *is) {
  return is->sock->family == AF_INET ? ip_from4(0) : in6addr_any;
}

bool inet_may(const struct inet_sock *is, int cap) {
  const struct task *t = task_current();
  return !t || ns_capable(t->cred, is->ns->ns.owner, cap);
}
