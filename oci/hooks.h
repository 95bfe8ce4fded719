/* OCI hooks: programs of the host that the engine wants run at points of a container's life. */
#pragma once
#include "error.h"
#include "spec.h"
#include <sys/types.h>

/*
 * Run them one after the other with the state JSON on stdin. netns_pid > 0: inside that process's network namespace
 * (createContainer). The first that fails ends it: -1, with its stderr in *e. `kind` is for messages.
 */
int hooks_run(const struct oci_hooks *h, const char *kind, json_t *state, const char *cwd, pid_t netns_pid,
              struct err *e);
