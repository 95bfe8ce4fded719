/*
 * The process that asks dockerd's DNS server (net/dns_relay.h says why). It stays in the container's network namespace
 * of the host, where 127.0.0.11:53 means what dockerd's rules make of it, also after dockerd was restarted. It has the
 * sandbox's uid, no capabilities, an empty root, a filter of its own (IPv4 sockets, nothing else), and ends when the
 * Sentry closes the other end.
 */
#pragma once
#include "error.h"
#include <stdbool.h>
#include <sys/types.h>

struct cgroup;
/* Does somebody listen on a port of 127.0.0.11 in this network namespace? */
bool dns_server_is_here(void);
/*
 * Start it, as an orphan in the container's cgroups (NULL: the caller's), with the uid of sandbox P. The Sentry's end,
 * or -1 with *e.
 */
int dns_asker_start(pid_t p, const char *id, const struct cgroup *cg, struct err *e);
/* Serve `sock` until it closes. For tests as well: `server` and `port` in host order. */
void dns_asker_serve(int sock, unsigned server, unsigned port);
