#include "netlink.h"
#include "../../core/errno.h"
static int serve(struct nl_req *r) {
  return -EOPNOTSUPP;
}
void diag_input(struct netlink_sock *nk, const void *p, size_t len) {
  nl_serve(nk, p, len, serve);
}
