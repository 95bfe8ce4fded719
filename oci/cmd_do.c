/* do: a command in a sandbox over the host's own files, which it sees but cannot change. */
#include "cmd.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/random.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct do_opts {
  const char *cwd, *rootfs, *network, *hostname, *user;
  json_t *env, *mounts;
  bool tty, no_tty, readonly;
};

enum { OPT_CWD = 256, OPT_ROOTFS, OPT_NETWORK, OPT_HOSTNAME, OPT_ENV, OPT_VOLUME, OPT_READONLY, OPT_NO_TTY };
static const struct option do_options[] = {
    {"cwd", required_argument, NULL, OPT_CWD},
    {"rootfs", required_argument, NULL, OPT_ROOTFS},
    {"root-dir", required_argument, NULL, OPT_ROOTFS},
    {"network", required_argument, NULL, OPT_NETWORK},
    {"hostname", required_argument, NULL, OPT_HOSTNAME},
    {"user", required_argument, NULL, 'u'},
    {"env", required_argument, NULL, 'e'},
    {"volume", required_argument, NULL, 'v'},
    {"read-only", no_argument, NULL, OPT_READONLY},
    {"no-tty", no_argument, NULL, OPT_NO_TTY},
    {0},
};

static json_t *mount_entry(const char *dst, const char *type, const char *src, const char *options) {
  json_t *list = json_array();
  char copy[256], *save = NULL;
  snprintf(copy, sizeof copy, "%s", options);
  for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save))
    json_array_append_new(list, json_string(o));
  return json_pack("{s:s,s:s,s:s,s:o}", "destination", dst, "type", type, "source", src, "options", list);
}

/* SRC:DST[:ro] */
static int add_volume(struct do_opts *o, const char *arg, struct err *e) {
  char src[PATH_MAX], dst[PATH_MAX];
  const char *options = "rbind";
  const char *colon = strchr(arg, ':');
  if (!colon || *arg != '/' || colon[1] != '/')
    return err_set(e, "--volume %s: expected /SOURCE:/DESTINATION[:ro]", arg);
  snprintf(src, sizeof src, "%.*s", (int)(colon - arg), arg);
  snprintf(dst, sizeof dst, "%s", colon + 1);
  char *mode = strchr(dst, ':');
  if (mode) {
    *mode++ = 0;
    if (!strcmp(mode, "ro"))
      options = "rbind,ro";
    else if (strcmp(mode, "rw"))
      return err_set(e, "--volume %s: the mode is ro or rw", arg);
  }
  json_array_append_new(o->mounts, mount_entry(dst, "bind", src, options));
  return 0;
}

static int parse(struct globals *g, int argc, char **argv, struct do_opts *o) {
  struct err e;
  int c;
  while ((c = getopt_long(argc, argv, "+te:u:v:", do_options, NULL)) != -1) {
    switch (c) {
    case OPT_CWD:
      o->cwd = optarg;
      break;
    case OPT_ROOTFS:
      o->rootfs = optarg;
      break;
    case OPT_NETWORK:
      o->network = optarg;
      break;
    case OPT_HOSTNAME:
      o->hostname = optarg;
      break;
    case 'u':
      o->user = optarg;
      break;
    case 'e':
      json_array_append_new(o->env, json_string(optarg));
      break;
    case 'v':
      if (add_volume(o, optarg, &e))
        return cli_fail(g, &e);
      break;
    case OPT_READONLY:
      o->readonly = true;
      break;
    case 't':
      o->tty = true;
      break;
    case OPT_NO_TTY:
      o->no_tty = true;
      break;
    default:
      return cli_usage(g, argv[0], "unknown or incomplete option");
    }
  }
  return optind < argc ? 0 : cli_usage(g, argv[0], "a command to run is missing");
}

static json_t *all_caps(void) {
  json_t *list = json_array();
  for (int i = 0; spec_cap_name(i); i++)
    json_array_append_new(list, json_string(spec_cap_name(i)));
  return list;
}

static json_t *user_object(const struct do_opts *o) {
  unsigned uid = 0, gid = 0;
  if (o->user && sscanf(o->user, "%u:%u", &uid, &gid) == 1)
    gid = uid;
  return json_pack("{s:I,s:I}", "uid", (json_int_t)uid, "gid", (json_int_t)gid);
}

static json_t *process_object(const struct do_opts *o, const char *cwd, char **args) {
  json_t *list = json_array(), *env = json_array(), *v;
  size_t i;
  for (; *args; args++)
    json_array_append_new(list, json_string(*args));
  /* The command sees its caller's environment, as `sudo -E` would give it. Text that is not UTF-8 cannot be passed. */
  for (char **p = environ; *p; p++) {
    json_t *s = json_string(*p);
    if (s)
      json_array_append_new(env, s);
  }
  json_array_foreach(o->env, i, v) json_array_append(env, v);
  json_t *p = json_pack("{s:b,s:o,s:o,s:o,s:s}", "terminal", o->tty, "user", user_object(o), "args", list, "env", env,
                        "cwd", cwd);
  if (!o->user || !strncmp(o->user, "0", 2)) {
    json_t *caps = all_caps();
    json_object_set_new(p, "capabilities",
                        json_pack("{s:O,s:O,s:O,s:o}", "bounding", caps, "effective", caps, "permitted", caps,
                                  "inheritable", json_array()));
    json_decref(caps);
  }
  return p;
}

static json_t *config(const struct do_opts *o, const char *cwd, char **args) {
  json_t *mounts = json_array(), *v;
  size_t i;
  json_array_append_new(mounts, mount_entry("/proc", "proc", "proc", "nosuid,noexec,nodev"));
  json_array_append_new(mounts, mount_entry("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"));
  json_array_append_new(
      mounts, mount_entry("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"));
  json_array_append_new(mounts, mount_entry("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"));
  json_array_append_new(mounts, mount_entry("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"));
  json_array_append_new(mounts, mount_entry("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"));
  json_array_foreach(o->mounts, i, v) json_array_append(mounts, v);
  json_t *ns = json_pack("[{s:s},{s:s},{s:s},{s:s}]", "type", "pid", "type", "mount", "type", "ipc", "type", "uts");
  if (!o->network || strcmp(o->network, "host"))
    json_array_append_new(ns, json_pack("{s:s}", "type", "network"));
  return json_pack("{s:s,s:o,s:{s:s,s:b},s:s,s:o,s:{s:o}}", "ociVersion", OCI_VERSION, "process",
                   process_object(o, cwd, args), "root", "path", o->rootfs ? o->rootfs : "/", "readonly", o->readonly,
                   "hostname", o->hostname ? o->hostname : "runsc-notify", "mounts", mounts, "linux", "namespaces", ns);
}

/* Sandboxes of commands that were killed: each held its lock as long as it lived. */
static void sweep(struct globals *g) {
  DIR *d = opendir(g->root);
  struct dirent *de;
  while (d && (de = readdir(d))) {
    struct container c;
    struct err e;
    if (strncmp(de->d_name, "do-", 3) || state_open(&c, g->root, de->d_name, &e))
      continue;
    if (!state_lock(&c, 0, &e) && !state_alive(&c))
      container_destroy(g, &c, &e);
    state_close(&c);
  }
  if (d)
    closedir(d);
}

static int run(struct globals *g, const struct do_opts *o, json_t *doc) {
  char id[64];
  struct created made;
  struct err e;
  uint64_t r = 0; /* a pid would not do: runs in different pid namespaces may share the state directory */
  (void)!getrandom(&r, sizeof r, 0);
  snprintf(id, sizeof id, "do-%016" PRIx64, r);
  struct create_args a = {
      .id = id,
      .spec_doc = doc,
      .bundle = "/",
      .rootfs = o->rootfs ? o->rootfs : "/",
      .attached = true,
      .no_cgroup = true,
      .start_now = true,
      .keep_stderr = !g->debug_log,
  };
  sweep(g);
  if (container_create(g, &a, &made, &e)) {
    cli_fail(g, &e);
    /* As a shell says it: the program is missing, or cannot be run. */
    if (strstr(e.msg, "executable file not found") || strstr(e.msg, "no such file or directory"))
      return 127;
    return strstr(e.msg, "permission denied") ? 126 : 1;
  }
  int status = console_relay(made.master, made.pid);
  if (container_destroy(g, &made.c, &e))
    cli_fail(g, &e);
  spec_free(&made.spec);
  state_close(&made.c);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int cmd_do(struct globals *g, int argc, char **argv) {
  struct do_opts o = {.env = json_array(), .mounts = json_array()};
  char cwd[PATH_MAX];
  int rc = parse(g, argc, argv, &o);
  if (rc)
    return rc;
  cli_cloexec_from(0);
  if (!o.no_tty && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
    o.tty = true;
  if (!o.cwd)
    o.cwd = o.rootfs || !getcwd(cwd, sizeof cwd) ? "/" : cwd;
  json_t *doc = config(&o, o.cwd, argv + optind);
  if (doc) {
    rc = run(g, &o, doc);
  } else {
    struct err e;
    err_set(&e, "the arguments are not valid UTF-8");
    rc = cli_fail(g, &e);
  }
  json_decref(doc);
  json_decref(o.env);
  json_decref(o.mounts);
  return rc;
}
