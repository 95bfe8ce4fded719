/* state, list, ps */
#include "cmd.h"
#include "control.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_json(json_t *o, size_t flags) {
  char *text = json_dumps(o, flags);
  if (text)
    puts(text);
  free(text);
  json_decref(o);
}

int cmd_state(struct globals *g, int argc, char **argv) {
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
  print_json(state_oci(&c, state_status(&c), false), JSON_INDENT(2));
  state_close(&c);
  return 0;
}

static json_t *list_all(struct globals *g) {
  json_t *list = json_array();
  DIR *d = opendir(g->root);
  struct dirent *de;
  while (d && (de = readdir(d))) {
    struct container c;
    struct err e;
    if (state_check_id(de->d_name, &e) || state_open(&c, g->root, de->d_name, &e))
      continue;
    json_array_append_new(list, state_oci(&c, state_status(&c), false));
    state_close(&c);
  }
  if (d)
    closedir(d);
  return list;
}

static const char *text(json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}

int cmd_list(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {
      {"quiet", no_argument, NULL, 'q'}, {"format", required_argument, NULL, 'f'}, {0}};
  bool quiet = false;
  const char *format = "table";
  int o;
  size_t i;
  json_t *c;
  while ((o = getopt_long(argc, argv, "qf:", options, NULL)) != -1) {
    if (o == 'q')
      quiet = true;
    else if (o == 'f')
      format = optarg;
    else
      return cli_usage(g, argv[0], "unknown or incomplete option");
  }
  if (strcmp(format, "table") && strcmp(format, "json"))
    return cli_usage(g, argv[0], "the format is table or json");
  json_t *list = list_all(g);
  if (!strcmp(format, "json")) {
    print_json(list, JSON_COMPACT);
    return 0;
  }
  if (!quiet)
    printf("%-24s %-10s %-10s %-30s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
  json_array_foreach(list, i, c) {
    if (quiet)
      puts(text(c, "id"));
    else
      printf("%-24s %-10d %-10s %-30s %-32s %s\n", text(c, "id"), (int)json_integer_value(json_object_get(c, "pid")),
             text(c, "status"), text(c, "bundle"), text(c, "created"), *text(c, "owner") ? text(c, "owner") : "root");
  }
  json_decref(list);
  return 0;
}

/* For engines: pids of the host, the container's stand-in first, then those of its execs. */
static void print_host_pids(const struct container *c, json_t *answer) {
  json_t *pids = json_array();
  json_array_append_new(pids, json_integer(state_pid(c)));
  json_array_extend(pids, json_object_get(answer, "standins"));
  print_json(pids, JSON_COMPACT);
}

static void print_table(json_t *answer) {
  size_t i;
  json_t *p;
  printf("%-8s %8s %8s %10s %s\n", "UID", "PID", "PPID", "TIME", "CMD");
  json_array_foreach(json_object_get(answer, "processes"), i, p) {
    int s = (int)json_integer_value(json_object_get(p, "time"));
    printf("%-8d %8d %8d   %02d:%02d:%02d %s\n", (int)json_integer_value(json_object_get(p, "uid")),
           (int)json_integer_value(json_object_get(p, "pid")), (int)json_integer_value(json_object_get(p, "ppid")),
           s / 3600, s / 60 % 60, s % 60, text(p, "cmd"));
  }
}

int cmd_ps(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {{"format", required_argument, NULL, 'f'}, {0}};
  const char *format = "table";
  struct container c;
  struct err e;
  int o;
  while ((o = getopt_long(argc, argv, "+f:", options, NULL)) != -1) {
    if (o != 'f')
      return cli_usage(g, argv[0], "unknown or incomplete option");
    format = optarg;
  }
  if (optind >= argc)
    return cli_usage(g, argv[0], "container id is missing");
  if (strcmp(format, "table") && strcmp(format, "json"))
    return cli_usage(g, argv[0], "the format is table or json");
  if (state_open(&c, g->root, argv[optind], &e))
    return cli_fail(g, &e);
  json_t *answer = control_request(&c, json_pack("{s:s}", "op", "ps"), &e);
  int rc = answer ? 0 : cli_fail(g, &e);
  if (answer && !strcmp(format, "json"))
    print_host_pids(&c, answer);
  else if (answer)
    print_table(answer);
  json_decref(answer);
  state_close(&c);
  return rc;
}
