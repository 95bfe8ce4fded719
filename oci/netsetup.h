/*
 * The container's network, from the host's side. Engines put interfaces with addresses and routes into a network
 * namespace (before `create`, in its hooks, or between `create` and `start`); at `start` the command reads what is
 * there, makes the host's own stack deaf on those interfaces, opens a packet socket on each, and sends all of it to the
 * Sentry, whose stack then answers for them. The Sentry itself can open no socket.
 */
#pragma once
#include "error.h"
#include "spec.h"
#include "state.h"
#include <jansson.h>
#include <stdbool.h>

#define NETSETUP_LINKS 32 /* interfaces of a container; so many descriptors travel with "start" */
#define NETSETUP_ADDRS 512
#define NETSETUP_ROUTES 2048

#define NETSETUP_TAKEN "network.json" /* in the state directory: what netsetup_take_addrs() has taken */

/*
 * Send "start" over `sock`, with "network" (below) and its descriptors if the network namespace of c's stand-in is one
 * of the container's own; the host's is not touched. 0 or -1 with *e: nothing was sent, and nothing is left behind in
 * the namespace; *warning is not empty if something could not be done as it should.
 *
 *   "network": {"links":[{"name","index","mtu","mac","up","multicast"}…],
 *               "addrs":[{"index","addr","prefix","peer"?,"broadcast"?,"scope","flags","label"?}…],
 *               "routes":[{"family","dst","prefix","gateway"?,"src"?,"index"?,"metric","table","type","scope",
 *                          "protocol","tos","mtu","advmss"}…],
 *               "neighs":[{"index","addr","mac"}…],
 *               "hold":B,"dns":B}
 * Descriptors: a packet socket per link, in their order; with "hold" one more that is only to be kept open (the host's
 * stack is deaf as long as it is); with "dns" the socket of net/dns_relay.h.
 */
int netsetup_start(struct container *c, int sock, char *warning, size_t cap, struct err *e);
/* At `create`: -1 with *e if that is the network namespace of the host, or of the caller. */
int netsetup_check_namespace(const struct oci_namespace *n, struct err *e);
/* The opposite, where the namespace outlives the container: the host's stack gets its addresses back, if they had to be
 * taken off. A filter goes by itself when the Sentry ends. */
void netsetup_undo(struct container *c, const char *ns_path);

/* ---- parts of it; in the container's network namespace ---- */
/* netsetup_read.c */
json_t *netsetup_read(struct err *e);    /* the object above; NULL and *e */
void netsetup_take_addrs(json_t *links); /* off these interfaces, where nothing better silences the host's stack */
/* netsetup_give.c: addresses and routes of such an object that are missing now. */
int netsetup_give_addrs(json_t *network, struct err *e);
/* Is this a container that only holds a pod's namespaces open? It needs no network: the pod's other container gets it. */
bool netsetup_only_holds(const struct oci_spec *s);
/* netsetup_alone.c: -1 with *e naming a process, not of our sandbox P, that lives in this network namespace too and
 * would be cut off. */
int netsetup_check_alone(pid_t p, struct err *e);
/* netsetup_silence.c: drop what comes in on these interfaces before the host's stack sees it; packet sockets do see it.
 * answers: all but the answers to what dockerd's DNS server asks. `id` is remembered. Lasts until *hold is closed. 0,
 * or -errno. */
int netsetup_silence(json_t *links, const char *id, bool answers, int *hold);
bool netsetup_silenced_by(char *id, size_t cap); /* false: nobody has done it */
