/*
 * The control protocol between commands (and the stand-ins) and the Sentry, over ROOT/ID/control.sock, SOCK_STREAM.
 * Only the owner of ROOT can connect; still, sizes are bounded on both sides.
 *
 * A message is a 4-byte length in host order and that many bytes of JSON, an object. Descriptors travel with the
 * first byte (SCM_RIGHTS). Requests and answers alternate, except on the connection of a stand-in (see below).
 *
 *   {"op":"start","network":{…}}              run the container's program; with a descriptor per interface (netsetup.h)
 *   {"op":"kill","signal":N,"all":B}          to init, or to every process
 *   {"op":"ps"}                               -> "processes":[{"pid","ppid","uid","time","tty","cmd"}],
 * "standins":[host pids]
 *   {"op":"pause"} {"op":"resume"}
 *   {"op":"state"}                            -> "status", "processes" (how many)
 *   {"op":"shutdown"}                         end the container as if init had been killed
 *   {"op":"exec","process":{…},"standin":P}   with 3 descriptors (stdio), or 1 if process.terminal (the pty's slave)
 *   {"op":"monitor"}                          the container's own stand-in, over a socket pair made at creation
 *
 * Every request is answered with {"ok":true,…} or {"ok":false,"error":"one sentence"}.
 *
 * After a successful "exec", and from the start for the monitor, the connection belongs to that process until it ends:
 *   stand-in -> Sentry: {"op":"signal","signal":N}, {"op":"resize"}       (not answered)
 *   Sentry -> stand-in: {"exit":WAIT_STATUS}                              (once; then the Sentry closes)
 */
#pragma once
#include "error.h"
#include "state.h"
#include <jansson.h>

#define CONTROL_MAX_BYTES (32 << 20)
#define CONTROL_MAX_FDS 64

/* Connect to the container's Sentry. A descriptor, or -1 ("container not running" when nobody listens). */
int control_connect(const struct container *c, struct err *e);
/* Send a message with nfds descriptors. 0 or -1. */
int control_send(int sock, json_t *msg, const int *fds, int nfds, struct err *e);
/* Receive one message, blocking; NULL with *e set (an orderly end: "connection closed"). No descriptors are expected.
 */
json_t *control_recv(int sock, struct err *e);
/* Send and wait for the answer; fails with the answer's error. A new reference to the answer, or NULL. Steals msg. */
json_t *control_call(int sock, json_t *msg, const int *fds, int nfds, struct err *e);
/* Its second half: wait for the answer to what was sent already. */
json_t *control_answer(int sock, struct err *e);
/* Connect, call, close. */
json_t *control_request(const struct container *c, json_t *msg, struct err *e);
