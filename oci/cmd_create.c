/* create, run, start */
#include "cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPT_PIDFILE = 256, OPT_CONSOLE, OPT_PRESERVE, OPT_IGNORED, OPT_IGNORED_ARG, OPT_KEEP };

static const struct option create_options[] = {
    {"bundle", required_argument, NULL, 'b'},
    {"pid-file", required_argument, NULL, OPT_PIDFILE},
    {"console-socket", required_argument, NULL, OPT_CONSOLE},
    {"preserve-fds", required_argument, NULL, OPT_PRESERVE},
    {"no-pivot", no_argument, NULL, OPT_IGNORED},
    {"no-new-keyring", no_argument, NULL, OPT_IGNORED},
    {"no-subreaper", no_argument, NULL, OPT_IGNORED},
    {"pidfd-socket", required_argument, NULL, OPT_IGNORED_ARG},
    {"detach", no_argument, NULL, 'd'},
    {"keep", no_argument, NULL, OPT_KEEP},
    {0},
};

struct create_opts {
  struct create_args a;
  bool detach, keep;
  int preserve;
};

static int parse(struct globals *g, int argc, char **argv, struct create_opts *o) {
  int c;
  while ((c = getopt_long(argc, argv, "b:d", create_options, NULL)) != -1) {
    switch (c) {
    case 'b':
      o->a.bundle = optarg;
      break;
    case OPT_PIDFILE:
      o->a.pid_file = optarg;
      break;
    case OPT_CONSOLE:
      o->a.console_socket = optarg;
      break;
    case OPT_PRESERVE:
      o->preserve = atoi(optarg);
      break;
    case 'd':
      o->detach = true;
      break;
    case OPT_KEEP:
      o->keep = true;
      break;
    case OPT_IGNORED:
    case OPT_IGNORED_ARG:
      break;
    default:
      return cli_usage(g, argv[0], "unknown or incomplete option");
    }
  }
  o->a.id = cli_only_id(g, argc, argv);
  return o->a.id ? 0 : 1;
}

int cmd_create(struct globals *g, int argc, char **argv) {
  struct create_opts o = {0};
  struct created made;
  struct err e;
  if (parse(g, argc, argv, &o))
    return 1;
  cli_cloexec_from(0);
  if (container_create(g, &o.a, &made, &e)) {
    err_wrap(&e, "runsc-notify create failed");
    return cli_fail(g, &e);
  }
  /* P stays our child until we end and is then an orphan, which the engine's sub-reaper adopts: it must not be waited
   * for. */
  spec_free(&made.spec);
  state_close(&made.c);
  return 0;
}

int cmd_start(struct globals *g, int argc, char **argv) {
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
  int rc = state_lock(&c, 10000, &e) || container_start(g, &c, &e) ? cli_fail(g, &e) : 0;
  state_close(&c);
  return rc;
}

static int wait_and_destroy(struct globals *g, struct created *made, bool keep) {
  struct err e;
  int status = console_relay(made->master, made->pid);
  if (!keep && container_destroy(g, &made->c, &e))
    cli_fail(g, &e);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int cmd_run(struct globals *g, int argc, char **argv) {
  struct create_opts o = {0};
  struct created made;
  struct err e;
  if (parse(g, argc, argv, &o))
    return 1;
  cli_cloexec_from(0);
  o.a.attached = !o.detach;
  if (container_create(g, &o.a, &made, &e)) {
    err_wrap(&e, "runsc-notify run failed");
    return cli_fail(g, &e);
  }
  int rc = 0;
  if (container_start(g, &made.c, &e)) {
    err_wrap(&e, "runsc-notify run failed");
    rc = cli_fail(g, &e);
    while (waitpid(made.pid, NULL, 0) < 0 && errno == EINTR)
      ;
    container_destroy(g, &made.c, &e);
  } else if (!o.detach) {
    rc = wait_and_destroy(g, &made, o.keep);
  }
  spec_free(&made.spec);
  state_close(&made.c);
  return rc;
}
