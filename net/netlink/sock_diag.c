/* NETLINK_SOCK_DIAG: a request goes to the family that it names. See sock_diag.h. */
#include "sock_diag.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <linux/inet_diag.h>

void diag_put_cookie(uint32_t out[2], const struct socket *s) {
  uint64_t c = s && s->file ? s->file->anon_ino : 0;
  out[0] = (uint32_t)c;
  out[1] = (uint32_t)(c >> 32);
}

int diag_check_cookie(const uint32_t want[2], const struct socket *s) {
  uint32_t have[2];
  diag_put_cookie(have, s);
  if (want[0] == UINT32_MAX && want[1] == UINT32_MAX)
    return 0;
  return have[0] == want[0] && have[1] == want[1] ? 0 : -ESTALE;
}

bool diag_admin(const struct nl_req *r) {
  return nl_capable(r->nk, CAP_NET_ADMIN);
}

bool diag_wants_dump(const struct nl_req *r) {
  return r->h->nlmsg_flags & NLM_F_DUMP;
}

static int serve(struct nl_req *r) {
  int type = r->h->nlmsg_type;
  if (type == TCPDIAG_GETSOCK)
    return inet_diag_compat(r);
  if (type == DCCPDIAG_GETSOCK)
    return -ENOENT;
  if (type != SOCK_DIAG_BY_FAMILY && type != SOCK_DESTROY)
    return -EINVAL;
  if (nl_body_len(r) < sizeof(struct sock_diag_req))
    return -EINVAL;
  const struct sock_diag_req *q = nl_body(r);
  bool destroy = type == SOCK_DESTROY;
  if (q->sdiag_family >= AF_MAX)
    return -EINVAL;
  switch (q->sdiag_family) {
  case AF_INET:
  case AF_INET6:
    return inet_diag_serve(r, q->sdiag_family, destroy);
  case AF_UNIX:
    return destroy ? -EOPNOTSUPP : unix_diag_serve(r);
  case AF_NETLINK:
    return destroy ? -EOPNOTSUPP : netlink_diag_serve(r);
  case AF_PACKET:
    return destroy ? -EOPNOTSUPP : packet_diag_serve(r);
  default:
    return -ENOENT;
  }
}

void diag_input(struct netlink_sock *nk, const void *p, size_t len) {
  nl_serve(nk, p, len, serve);
}
