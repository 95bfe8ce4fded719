/* spec, features, syscalls */
#include "../syscalls/doc.h"
#include "cmd.h"
#include "version.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cmd_spec(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {
      {"bundle", required_argument, NULL, 'b'}, {"rootless", no_argument, NULL, 'r'}, {0}};
  char path[PATH_MAX];
  const char *bundle = ".";
  struct err e;
  bool rootless = false;
  int o;
  while ((o = getopt_long(argc, argv, "b:", options, NULL)) != -1) {
    if (o == 'b')
      bundle = optarg;
    else if (o == 'r')
      rootless = true;
    else
      return cli_usage(g, argv[0], "unknown or incomplete option");
  }
  if (optind < argc)
    return cli_usage(g, argv[0], "no arguments are expected");
  snprintf(path, sizeof path, "%s/config.json", bundle);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) {
    if (errno == EEXIST)
      err_set(&e, "File %s exists. Remove it first", path);
    else
      err_sys(&e, errno, "open %s", path);
    return cli_fail(g, &e);
  }
  json_t *doc = spec_default(rootless);
  int rc = doc && !json_dumpfd(doc, fd, JSON_INDENT(8)) && write(fd, "\n", 1) == 1 ? 0 : 1;
  json_decref(doc);
  close(fd);
  if (rc) {
    err_set(&e, "write %s failed", path);
    return cli_fail(g, &e);
  }
  return 0;
}

/* ociVersionMin and so on: features.md of the runtime specification. */
int cmd_features(struct globals *g, int argc, char **argv) {
  static const char *const hooks[] = {"prestart", "createRuntime", "createContainer", "poststart", "poststop"};
  static const char *const mount_options[] = {
      "async",       "atime",         "bind",    "defaults",  "dev",         "diratime", "dirsync",    "exec",
      "iversion",    "mand",          "noatime", "nodev",     "nodiratime",  "noexec",   "noiversion", "nomand",
      "norelatime",  "nostrictatime", "nosuid",  "private",   "rbind",       "relatime", "remount",    "ro",
      "rprivate",    "rro",           "rshared", "rslave",    "runbindable", "rw",       "shared",     "slave",
      "strictatime", "suid",          "sync",    "tmpcopyup", "unbindable"};
  static const char *const namespaces[] = {"cgroup", "ipc", "mount", "network", "pid", "uts"};
  json_t *h = json_array(), *m = json_array(), *n = json_array(), *caps = json_array();
  for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
    json_array_append_new(h, json_string(hooks[i]));
  for (size_t i = 0; i < sizeof mount_options / sizeof *mount_options; i++)
    json_array_append_new(m, json_string(mount_options[i]));
  for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
    json_array_append_new(n, json_string(namespaces[i]));
  for (int i = 0; spec_cap_name(i); i++)
    json_array_append_new(caps, json_string(spec_cap_name(i)));
  json_t *o =
      json_pack("{s:s,s:s,s:o,s:o,s:{s:o,s:o,s:{s:b,s:b,s:b,s:b,s:b},s:{s:b},s:{s:b},s:{s:b}},s:{s:s,s:s}}",
                "ociVersionMin", "1.0.0", "ociVersionMax", OCI_VERSION, "hooks", h, "mountOptions", m, "linux",
                "namespaces", n, "capabilities", caps, "cgroup", "v1", 1, "v2", 1, "systemd", 0, "systemdUser", 0,
                "rdma", 0, "seccomp", "enabled", 0, "apparmor", "enabled", 0, "selinux", "enabled", 0, "annotations",
                "runsc-notify.version", RUNSC_NOTIFY_VERSION, "runsc-notify.commit", RUNSC_NOTIFY_COMMIT);
  char *text = json_dumps(o, JSON_INDENT(4));
  if (text)
    puts(text);
  free(text);
  json_decref(o);
  return text ? 0 : 1;
}

int cmd_syscalls(struct globals *g, int argc, char **argv) {
  static const struct option options[] = {{"format", required_argument, NULL, 'f'}, {0}};
  const char *format = "table";
  int o;
  while ((o = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
    if (o != 'f')
      return cli_usage(g, argv[0], "unknown or incomplete option");
    format = optarg;
  }
  if (syscalls_print(stdout, format)) {
    struct err e;
    err_set(&e, "unknown format \"%s\"", format);
    return cli_fail(g, &e);
  }
  return 0;
}
