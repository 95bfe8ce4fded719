/*
 * What is remembered of a container between commands: ROOT/ID/ with
 *   state.json    who it is; written whole, by rename
 *   status        "created", "running" or "paused", written by the Sentry itself through a descriptor it was given, so
 *                 that a killed command cannot make it lie
 *   config.json   a copy of the configuration as it was at `create` (exec's defaults, poststart and poststop hooks)
 *   lock          flock(2): create, start and delete exclude each other
 *   control.sock  the Sentry's control socket (control.h)
 * Whether it lives at all is derived from the stand-in process P: its pid with its start time, against reuse of pids.
 */
#pragma once
#include "error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum oci_status { OCI_CREATING, OCI_CREATED, OCI_RUNNING, OCI_PAUSED, OCI_STOPPED };

struct container {
  int dir;    /* O_PATH-like descriptor of ROOT/ID, or -1 */
  int lock;   /* the lock's descriptor, or -1 */
  char *root; /* ROOT */
  char *id;
  json_t *state; /* state.json; an object, possibly empty after a `create` that died early */
};

/* Check an id as runc does: not empty, [A-Za-z0-9_+.-], no "." or "..". */
int state_check_id(const char *id, struct err *e);
/* Make ROOT and ROOT/ID and take the lock. "container with given ID already exists". */
int state_create(struct container *c, const char *root, const char *id, struct err *e);
/* Open an existing one. 1 if there is none ("container does not exist" in *e), -1 for other failures. */
int state_open(struct container *c, const char *root, const char *id, struct err *e);
/* Wait for the lock at most that long; -1 means for ever. 0, or -1 with *e. */
int state_lock(struct container *c, int timeout_ms, struct err *e);
void state_close(struct container *c);
/* Remove ROOT/ID with all that is in it. */
int state_remove(struct container *c, struct err *e);

int state_save(struct container *c, struct err *e);
/* Files of the directory. state_write replaces the file whole. */
int state_write(struct container *c, const char *name, const void *data, size_t len, struct err *e);
json_t *state_read_json(struct container *c, const char *name, struct err *e);

/* Remember P: sets "pid" and "startTime" in c->state. */
void state_set_pid(struct container *c, pid_t pid);
pid_t state_pid(const struct container *c); /* 0: none recorded */
/* Is P alive, and the same process? */
bool state_alive(const struct container *c);
enum oci_status state_status(const struct container *c);
const char *state_status_name(enum oci_status s);
const char *state_str(const struct container *c, const char *key); /* NULL if absent */
/* The state object of the runtime specification, for `state` and hooks. A new reference. */
json_t *state_oci(const struct container *c, enum oci_status status, bool for_hooks);

/* Field 22 of /proc/PID/stat, 0 if there is no such process; *zombie if it has exited already. */
uint64_t proc_start_time(pid_t pid, bool *zombie);
/* Where state lives without --root. Into buf. */
void state_default_root(char *buf, size_t cap);
/* The address of a socket in c's directory, short enough for sun_path whatever ROOT is (goes through /proc/self/fd). */
struct sockaddr_un;
void state_socket_address(const struct container *c, const char *name, struct sockaddr_un *a);
