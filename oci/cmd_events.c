/* events: resource usage, once or every few seconds. */
#include "cmd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_stats(const struct container *c) {
  struct cgroup cg;
  container_cgroup(c, &cg);
  json_t *o = json_pack("{s:s,s:s,s:o}", "type", "stats", "id", c->id, "data", cgroup_stats(&cg));
  char *text = json_dumps(o, JSON_COMPACT);
  if (text)
    puts(text);
  fflush(stdout);
  free(text);
  json_decref(o);
  cgroup_free(&cg);
}

/* "5s", "5000ms", "1m" */
static int interval_ms(const char *text) {
  char *end;
  long n = strtol(text, &end, 10);
  if (end == text || n <= 0 || n > 1000000)
    return -1;
  if (!strcmp(end, "ms"))
    return (int)n;
  if (!*end || !strcmp(end, "s"))
    return (int)n * 1000;
  return !strcmp(end, "m") ? (int)n * 60000 : -1;
}

int cmd_events(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {
      {"stats", no_argument, NULL, 's'}, {"interval", required_argument, NULL, 'i'}, {0}};
  struct container c;
  struct err e;
  bool once = false;
  int o, ms = 5000;
  while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (o == 's')
      once = true;
    else if (o != 'i' || (ms = interval_ms(optarg)) < 0)
      return cli_usage(g, argv[0], "unknown option or bad interval");
  }
  const char *id = cli_only_id(g, argc, argv);
  if (!id)
    return 1;
  if (state_open(&c, g->root, id, &e))
    return cli_fail(g, &e);
  int rc = 0;
  if (state_status(&c) == OCI_STOPPED) {
    err_set(&e, "container with id %s is not running", id);
    rc = cli_fail(g, &e);
  } else {
    print_stats(&c);
    while (!once && !usleep((unsigned)ms * 1000u) && state_alive(&c))
      print_stats(&c);
  }
  state_close(&c);
  return rc;
}
