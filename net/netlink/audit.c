/*
 * NETLINK_AUDIT as a container sees it: audit(7). The audit daemon is the host's; who is not in the initial user and
 * pid namespaces is told -ECONNREFUSED, which PAM, sudo and shadow take for "there is no audit", and go on.
 */
#include "netlink.h"
#include "../../core/errno.h"
#include <linux/audit.h>
#include <linux/capability.h>

int audit_join(struct netlink_sock *nk, unsigned group) {
  const struct task *t = task_current();
  return t && ns_capable(t->cred, t->k->init_user_ns, CAP_AUDIT_READ) ? 0 : -EPERM;
}

/* audit_netlink_ok(), where no caller is in the initial namespaces of the host. */
static int serve(struct nl_req *r) {
  return -ECONNREFUSED;
}

void audit_input(struct netlink_sock *nk, const void *p, size_t len) {
  nl_serve(nk, p, len, serve);
}
