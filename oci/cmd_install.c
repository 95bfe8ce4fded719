/* install, uninstall: this binary as a runtime in Docker's daemon.json. */
#include "cmd.h"
#include "spec_json.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct install_opts {
  const char *file, *name;
  char **args;
  int nargs;
};

static int parse(struct globals *g, int argc, char **argv, struct install_opts *o) {
  static const struct option options[] = {
      {"config_file", required_argument, NULL, 'c'}, {"config-file", required_argument, NULL, 'c'},
      {"runtime", required_argument, NULL, 'r'},     {"experimental", optional_argument, NULL, 'x'},
      {"clobber", optional_argument, NULL, 'x'},     {0}};
  int c;
  *o = (struct install_opts){.file = "/etc/docker/daemon.json", .name = "runsc-notify"};
  while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
    if (c == 'c')
      o->file = optarg;
    else if (c == 'r')
      o->name = optarg;
    else if (c != 'x')
      return cli_usage(g, argv[0], "unknown or incomplete option");
  }
  o->args = argv + optind;
  o->nargs = argc - optind;
  return 0;
}

/* What is there is kept; a missing or empty file is an empty configuration. */
static json_t *load(const char *path, struct err *e) {
  struct stat st;
  if ((stat(path, &st) && errno == ENOENT) || (!stat(path, &st) && st.st_size == 0))
    return json_object();
  return js_load_file(path, e);
}

static int store(const char *path, json_t *doc, struct err *e) {
  char tmp[PATH_MAX], dir[PATH_MAX];
  snprintf(dir, sizeof dir, "%s", path);
  char *slash = strrchr(dir, '/');
  if (slash && slash != dir) {
    *slash = 0;
    mkdir(dir, 0755);
  }
  snprintf(tmp, sizeof tmp, "%s.new", path);
  int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0)
    return err_sys(e, errno, "open %s", tmp);
  int rc = json_dumpfd(doc, fd, JSON_INDENT(4)) || write(fd, "\n", 1) != 1;
  close(fd);
  if (rc || rename(tmp, path)) {
    unlink(tmp);
    return err_sys(e, errno, "write %s", path);
  }
  return 0;
}

static json_t *runtime_entry(const struct install_opts *o, struct err *e) {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0) {
    err_sys(e, errno, "find this binary");
    return NULL;
  }
  self[n] = 0;
  json_t *entry = json_pack("{s:s}", "path", self), *args = json_array();
  for (int i = 0; i < o->nargs; i++)
    json_array_append_new(args, json_string(o->args[i]));
  if (o->nargs)
    json_object_set(entry, "runtimeArgs", args);
  json_decref(args);
  return entry;
}

int cmd_install(struct globals *g, int argc, char **argv) {
  struct install_opts o;
  struct err e;
  int rc = parse(g, argc, argv, &o);
  if (rc)
    return rc;
  json_t *doc = load(o.file, &e), *entry = doc ? runtime_entry(&o, &e) : NULL;
  if (!entry) {
    json_decref(doc);
    return cli_fail(g, &e);
  }
  if (!json_is_object(json_object_get(doc, "runtimes")))
    json_object_set_new(doc, "runtimes", json_object());
  json_object_set_new(json_object_get(doc, "runtimes"), o.name, entry);
  rc = store(o.file, doc, &e) ? cli_fail(g, &e) : 0;
  if (!rc)
    printf("Runtime %s is in %s now; restart Docker to use it.\n", o.name, o.file);
  json_decref(doc);
  return rc;
}

int cmd_uninstall(struct globals *g, int argc, char **argv) {
  struct install_opts o;
  struct err e;
  int rc = parse(g, argc, argv, &o);
  if (rc)
    return rc;
  json_t *doc = load(o.file, &e);
  if (!doc)
    return cli_fail(g, &e);
  json_t *runtimes = json_object_get(doc, "runtimes");
  if (json_object_del(runtimes, o.name)) {
    err_set(&e, "runtime %s is not in %s", o.name, o.file);
    rc = cli_fail(g, &e);
  } else {
    if (!json_object_size(runtimes))
      json_object_del(doc, "runtimes");
    rc = store(o.file, doc, &e) ? cli_fail(g, &e) : 0;
  }
  json_decref(doc);
  return rc;
}
