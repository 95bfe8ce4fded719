/* pause, resume */
#include "cmd.h"
#include "control.h"

static int request(struct globals *g, int argc, char **argv, const char *op) {
  static const struct option none[] = {{0}};
  struct container c;
  struct err e;
  if (getopt_long(argc, argv, "", none, NULL) != -1)
    return cli_usage(g, argv[0], "unknown option");
  const char *id = cli_only_id(g, argc, argv);
  if (!id)
    return 1;
  if (state_open(&c, g->root, id, &e))
    return cli_fail(g, &e);
  enum oci_status st = state_status(&c);
  bool pausing = op[0] == 'p';
  json_t *answer = NULL;
  if (pausing && st != OCI_RUNNING)
    err_set(&e, st == OCI_PAUSED ? "container already paused" : "container not running");
  else if (!pausing && st != OCI_PAUSED)
    err_set(&e, "container not paused");
  else
    answer = control_request(&c, json_pack("{s:s}", "op", op), &e);
  int rc = answer ? 0 : cli_fail(g, &e);
  json_decref(answer);
  state_close(&c);
  return rc;
}

int cmd_pause(struct globals *g, int argc, char **argv) {
  return request(g, argc, argv, "pause");
}
int cmd_resume(struct globals *g, int argc, char **argv) {
  return request(g, argc, argv, "resume");
}
