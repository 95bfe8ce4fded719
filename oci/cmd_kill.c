/* kill, delete */
#include "cmd.h"
#include "control.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left of a container whose init has gone: rc 0 even if that is nothing. */
static int kill_leftovers(struct container *c, int sig) {
  struct cgroup cg;
  container_cgroup(c, &cg);
  cgroup_signal_all(&cg, sig);
  cgroup_free(&cg);
  return 0;
}

static int kill_container(struct container *c, int sig, bool all, struct err *e) {
  enum oci_status st = state_status(c);
  if (st == OCI_STOPPED)
    return all ? kill_leftovers(c, sig) : err_set(e, "container not running");
  if (sig == SIGKILL && st != OCI_RUNNING && st != OCI_PAUSED) {
    kill(state_pid(c), SIGKILL);
    return 0;
  }
  json_t *answer = control_request(c, json_pack("{s:s,s:i,s:b}", "op", "kill", "signal", sig, "all", all), e);
  /* A Sentry that does not answer any more still dies with P. */
  if (!answer && sig == SIGKILL && state_alive(c)) {
    kill(state_pid(c), SIGKILL);
    return 0;
  }
  if (!answer && !state_alive(c))
    return err_set(e, "container not running");
  json_decref(answer);
  return answer ? 0 : -1;
}

int cmd_kill(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {{"all", no_argument, NULL, 'a'}, {0}};
  struct container c;
  struct err e;
  bool all = false;
  int o;
  while ((o = getopt_long(argc, argv, "a", options, NULL)) != -1) {
    if (o != 'a')
      return cli_usage(g, argv[0], "unknown option");
    all = true;
  }
  if (optind >= argc || optind + 2 < argc)
    return cli_usage(g, argv[0], "a container id and at most one signal are expected");
  const char *text = optind + 1 < argc ? argv[optind + 1] : "TERM";
  int sig = cli_signal_number(text);
  if (sig < 0) {
    err_set(&e, "unknown signal \"%s\"", text);
    return cli_fail(g, &e);
  }
  if (state_open(&c, g->root, argv[optind], &e))
    return cli_fail(g, &e);
  int rc = kill_container(&c, sig, all, &e) ? cli_fail(g, &e) : 0;
  state_close(&c);
  return rc;
}

static int delete (struct globals *g, struct container *c, bool force, struct err *e) {
  /* With --force a command that hangs (in a hook, say) does not save its container. */
  struct err busy;
  if (state_lock(c, force ? 1500 : 10000, &busy)) {
    if (!force) {
      *e = busy;
      return -1;
    }
  }
  enum oci_status st = state_status(c);
  /* Like runc: a container that was created but not started may go. */
  if (!force && (st == OCI_RUNNING || st == OCI_PAUSED))
    return err_set(e, "cannot delete container %s that is not stopped: %s", c->id, state_status_name(st));
  return container_destroy(g, c, e);
}

int cmd_delete(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {{"force", no_argument, NULL, 'f'}, {0}};
  struct container c;
  struct err e;
  bool force = false;
  int o;
  while ((o = getopt_long(argc, argv, "f", options, NULL)) != -1) {
    if (o != 'f')
      return cli_usage(g, argv[0], "unknown option");
    force = true;
  }
  const char *id = cli_only_id(g, argc, argv);
  if (!id)
    return 1;
  int rc = state_open(&c, g->root, id, &e);
  if (rc)
    return force && rc == 1 ? 0 : cli_fail(g, &e);
  rc = delete (g, &c, force, &e) ? cli_fail(g, &e) : 0;
  state_close(&c);
  return rc;
}
