/*
 * The container's network, from the host's side. Engines put interfaces with addresses and routes into a network
 * namespace (before `create`, in its hooks, or between `create` and `start`); at `start` the command reads what is
 * there, makes the host's own stack deaf on those interfaces, opens a packet socket on each, and sends all of it to the
 * Sentry, whose stack then answers for them. The Sentry itself can open no socket.
 */
#pragma once
#include "error.h"
#include "state.h"
#include <jansson.h>
#include <stdbool.h>

#define NETSETUP_LINKS 32 /* interfaces of a container; so many descriptors travel with "start" */
#define NETSETUP_ADDRS 512
#define NETSETUP_ROUTES 2048

/*
 * Send "start" over `sock`, with "network" (below) and a descriptor per interface if the network namespace of process
 * `pid` is one of the container's own; the host's is not touched. 0 or -1 with *e; *warning is not empty if something
 * could not be done as it should.
 *
 *   "network": {"links":[{"name","index","mtu","mac","up","multicast"}…],       in the order of the descriptors
 *               "addrs":[{"index","addr","prefix","peer"?,"broadcast"?,"scope","flags","label"?}…],
 *               "routes":[{"family","dst","prefix","gateway"?,"src"?,"index"?,"metric","table","type","scope",
 *                          "protocol","tos","mtu","advmss"}…],
 *               "neighs":[{"index","addr","mac"}…]}
 */
int netsetup_start(int sock, pid_t pid, char *warning, size_t cap, struct err *e);
/* The opposite, where the namespace outlives the container: the host's stack hears again. */
void netsetup_undo(const char *ns_path);

/* ---- parts of it; in the container's network namespace ---- */
json_t *netsetup_read(struct err *e);    /* netsetup_read.c: the object above; NULL and *e */
void netsetup_take_addrs(json_t *links); /* off these interfaces, where nothing better silences the host's stack */
/* netsetup_silence.c: drop what comes in on these interfaces before the host's stack sees it; packet sockets do. 0,
 * -EEXIST: it has been done already, -errno. */
int netsetup_silence(json_t *links);
int netsetup_unsilence(void);
