/* Operations on an existing container that more than one command needs. */
#include "cmd.h"
#include "control.h"
#include "hooks.h"
#include "netsetup.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int container_spec(struct container *c, struct oci_spec *s, struct err *e) {
  json_t *doc = state_read_json(c, "config.json", e);
  *s = (struct oci_spec){0};
  if (!doc)
    return -1;
  int rc = spec_parse(s, doc, e);
  json_decref(doc);
  return rc;
}

int container_cgroup(const struct container *c, struct cgroup *g) {
  return cgroup_from_json(g, json_object_get(c->state, "cgroups"));
}

bool container_wait_gone(const struct container *c, int timeout_ms) {
  for (int waited = 0; state_alive(c); waited += 2) {
    if (waited >= timeout_ms)
      return false;
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  }
  return true;
}

static int run_hooks(struct container *c, bool stop, struct err *e) {
  struct oci_spec s;
  struct err ignored;
  if (container_spec(c, &s, &ignored))
    return 0; /* a container that died while being made */
  const struct oci_hooks *h = stop ? &s.poststop : &s.poststart;
  json_t *state = state_oci(c, stop ? OCI_STOPPED : OCI_RUNNING, true);
  int rc = hooks_run(h, stop ? "poststop" : "poststart", state, state_str(c, "bundle"), 0, e);
  json_decref(state);
  spec_free(&s);
  return rc;
}

static bool wants_network(const struct globals *g, const struct container *c) {
  const char *mode = state_str(c, "network"); /* as it was at create: engines do not repeat it */
  return strcmp(g->network, "none") && (!mode || strcmp(mode, "none"));
}

static json_t *start_with_network(struct globals *g, struct container *c, struct err *e) {
  char warning[600] = "";
  int sock = control_connect(c, e);
  if (sock < 0)
    return NULL;
  json_t *answer = NULL;
  if (!wants_network(g, c))
    answer = control_call(sock, json_pack("{s:s}", "op", "start"), NULL, 0, e);
  else if (!netsetup_start(c, sock, warning, sizeof warning, e))
    answer = control_answer(sock, e);
  close(sock);
  if (*warning)
    oci_log(&g->log, "warning", "%s", warning);
  return answer;
}

/* A network namespace that somebody else made outlives the container, and is left as it was found. */
static void leave_network(struct container *c) {
  struct oci_spec s;
  struct err ignored;
  if (container_spec(c, &s, &ignored))
    return;
  if (s.ns[OCI_NS_NETWORK].present && s.ns[OCI_NS_NETWORK].path)
    netsetup_undo(c, s.ns[OCI_NS_NETWORK].path);
  spec_free(&s);
}

int container_start(struct globals *g, struct container *c, struct err *e) {
  enum oci_status st = state_status(c);
  if (st == OCI_RUNNING || st == OCI_PAUSED)
    return err_set(e, "cannot start an already running container");
  if (st == OCI_STOPPED)
    return err_set(e, "cannot start a container that has stopped");
  json_t *answer = start_with_network(g, c, e);
  if (!answer || run_hooks(c, false, e)) {
    json_decref(answer);
    /* Docker makes no clean-up call after a failed start: what is still there would leak. */
    if (state_alive(c))
      kill(state_pid(c), SIGKILL);
    container_wait_gone(c, 5000);
    return -1;
  }
  json_decref(answer);
  return 0;
}

int container_destroy(struct globals *g, struct container *c, struct err *e) {
  struct cgroup cg;
  struct err hook;
  if (state_alive(c)) {
    kill(state_pid(c), SIGKILL);
    if (!container_wait_gone(c, 4000))
      return err_set(e, "container init still running");
  }
  container_cgroup(c, &cg);
  /* Stand-ins of execs, and P if its state was never written. */
  for (int i = 0; i < 100 && cgroup_signal_all(&cg, SIGKILL); i++)
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  leave_network(c);
  /* The specification: a failing poststop hook is logged, and the deletion goes on. */
  if (run_hooks(c, true, &hook))
    oci_log(&g->log, "warning", "%s", hook.msg);
  int rc = cgroup_remove(&cg, e);
  cgroup_free(&cg);
  return rc ? rc : state_remove(c, e);
}
