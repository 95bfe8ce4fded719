/* sock_diag(7): what ss(8) asks. sock_diag.c finds the family's file. */
#pragma once
#include "netlink.h"
#include <linux/sock_diag.h>

int inet_diag_serve(struct nl_req *r, int family, bool destroy); /* AF_INET, AF_INET6 */
int inet_diag_compat(struct nl_req *r);                          /* TCPDIAG_GETSOCK, of before Linux 3.3 */
int unix_diag_serve(struct nl_req *r);
int netlink_diag_serve(struct nl_req *r);
int packet_diag_serve(struct nl_req *r);

/* The id of a socket: what SO_COOKIE says. Matches, or asks for none (INET_DIAG_NOCOOKIE): 0, else -ESTALE. */
void diag_put_cookie(uint32_t out[2], const struct socket *s);
int diag_check_cookie(const uint32_t want[2], const struct socket *s);
bool diag_admin(const struct nl_req *r); /* the caller may see what only CAP_NET_ADMIN may */
bool diag_wants_dump(const struct nl_req *r);
