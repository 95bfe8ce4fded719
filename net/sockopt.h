/* What net/sockopt.c asks net/sockopt_rare.c. */
#pragma once
#include "socket.h"

/* -ENOPROTOOPT: not one of these. v is val's integer. */
int sockopt_rare_set(struct socket *s, int opt, const void *val, socklen_t len, int v);
int sockopt_rare_get(struct socket *s, int opt, void *val, socklen_t *len);
bool socket_net_admin(void); /* CAP_NET_ADMIN over the caller's network namespace */
