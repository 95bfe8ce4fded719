/* What the commands share. Each is one file, cmd_NAME.c, and one row of commands[] in cli.c. */
#pragma once
#include "cgroup.h"
#include "console.h"
#include "error.h"
#include "launch.h"
#include "log.h"
#include "spec.h"
#include "state.h"
#include <getopt.h>
#include <stdbool.h>

struct globals {
  const char *root;
  char root_buf[512];
  const char *log_path, *log_format;
  const char *debug_log; /* a file, or a directory if it ends in "/" */
  const char *overlay;   /* "root:memory" or "none" */
  const char *network;   /* "sandbox", or "none": lo only */
  bool debug, strace, systemd_cgroup, oci_seccomp;
  struct oci_log log;
};

/* argv[0] is the command's name. The exit code. */
typedef int command_fn(struct globals *g, int argc, char **argv);
command_fn cmd_create, cmd_start, cmd_run, cmd_exec, cmd_kill, cmd_delete, cmd_state, cmd_list, cmd_ps, cmd_pause,
    cmd_resume, cmd_update, cmd_events, cmd_spec, cmd_do, cmd_syscalls, cmd_features, cmd_install, cmd_uninstall,
    cmd_help, cmd_version;

/* The whole program: global options, then the command. */
int cli_main(int argc, char **argv);
/* Report and give the exit code of a failure. */
int cli_fail(struct globals *g, const struct err *e);
/* A wrong invocation: says what and exits 1 as every failure does. */
int cli_usage(struct globals *g, const char *command, const char *what);
/* The id, the only positional argument; NULL after complaining. */
const char *cli_only_id(struct globals *g, int argc, char **argv);

/* The debug log's descriptor for this container and command; -1 for none. */
int cli_debug_log(const struct globals *g, const char *id, const char *command);
/* Make 3 and up close-on-exec, from 3 + preserve on. */
void cli_cloexec_from(int preserve);
int cli_write_pid_file(const char *path, pid_t pid, struct err *e);
int cli_signal_number(const char *text); /* "9", "KILL", "SIGKILL", "SIGRTMIN+1"; -1 if none */

/* ---- create.c ---- */
struct create_args {
  const char *id, *bundle;
  const char *pid_file, *console_socket;
  const struct oci_spec *spec; /* given by `do`; NULL: bundle/config.json */
  json_t *spec_doc;            /* with spec: what config.json would have held */
  const char *rootfs;          /* with spec: absolute */
  bool attached;               /* run, do: this command is the terminal and waits */
  bool no_cgroup;
  bool start_now;
  bool keep_stderr;
};
struct created {
  struct container c; /* open, locked */
  struct oci_spec spec;
  pid_t pid;  /* P, a child of this process */
  int master; /* attached with a terminal: the pty's master, else -1 */
};
/* Everything `create` does. On failure nothing is left behind. */
int container_create(struct globals *g, const struct create_args *a, struct created *out, struct err *e);
/* Send "start" and run the poststart hooks; a failure ends the container. */
int container_start(struct globals *g, struct container *c, struct err *e);
/* Kill what is left, run the poststop hooks, remove cgroups and state. */
int container_destroy(struct globals *g, struct container *c, struct err *e);
/* The configuration as it was at create. */
int container_spec(struct container *c, struct oci_spec *s, struct err *e);
/* Wait for P, which is not our child, to be gone; false after the timeout. */
bool container_wait_gone(const struct container *c, int timeout_ms);
int container_cgroup(const struct container *c, struct cgroup *g);
