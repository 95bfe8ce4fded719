/* The command line: global options, the table of commands, and what commands need to parse theirs. */
#include "cmd.h"
#include "title.h"
#include "version.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
  const char *name;
  command_fn *fn;
  const char *args, *help;
} commands[] = {
    {"create", cmd_create, "[--bundle DIR] [--pid-file F] [--console-socket S] ID", "create a container"},
    {"start", cmd_start, "ID", "run the program of a created container"},
    {"run", cmd_run, "[--bundle DIR] [--detach] [--keep] ID", "create, start and wait"},
    {"exec", cmd_exec, "[--process F | options] ID [CMD ARG...]", "run another process in a container"},
    {"kill", cmd_kill, "[--all] ID [SIGNAL]", "send a signal to the container's init"},
    {"delete", cmd_delete, "[--force] ID", "remove a container that has stopped"},
    {"state", cmd_state, "ID", "print the state of a container"},
    {"list", cmd_list, "[--quiet] [--format table|json]", "list containers"},
    {"ps", cmd_ps, "[--format table|json] ID", "list the processes of a container"},
    {"pause", cmd_pause, "ID", "stop answering a container's processes"},
    {"resume", cmd_resume, "ID", "undo pause"},
    {"update", cmd_update, "[--resources F|-] [limits] ID", "change a container's resource limits"},
    {"events", cmd_events, "[--stats] [--interval T] ID", "print resource usage"},
    {"spec", cmd_spec, "[--bundle DIR] [--rootless]", "write a default config.json"},
    {"do", cmd_do, "[options] CMD [ARG...]", "run a command in a sandbox over the host's own files"},
    {"syscalls", cmd_syscalls, "[--format table|json|markdown]", "print the table of system calls"},
    {"features", cmd_features, "", "print what this runtime supports, as JSON"},
    {"install", cmd_install, "[--config_file F] [--runtime NAME] [-- ARGS]",
     "add this runtime to Docker's daemon.json"},
    {"uninstall", cmd_uninstall, "[--config_file F] [--runtime NAME]", "remove it again"},
    {"help", cmd_help, "[COMMAND]", "print this"},
    {"version", cmd_version, "", "print the version"},
};
#define NCOMMANDS (sizeof commands / sizeof *commands)

int cmd_version(struct globals *g, int argc, char **argv) {
  printf("runsc-notify version %s\ncommit: %s\nspec: %s\n", RUNSC_NOTIFY_VERSION, RUNSC_NOTIFY_COMMIT, OCI_VERSION);
  return 0;
}

int cmd_help(struct globals *g, int argc, char **argv) {
  printf("usage: runsc-notify [global options] COMMAND [options]\n\nglobal options:\n"
         "  --root DIR             where state is kept (default /run/runsc-notify)\n"
         "  --log FILE             errors are also written there\n"
         "  --log-format FORMAT    text or json\n"
         "  --debug                log more\n"
         "  --debug-log FILE       the sandbox's own log; a directory if it ends in /\n"
         "  --strace               log every system call to the debug log\n"
         "  --systemd-cgroup       linux.cgroupsPath is SLICE:PREFIX:NAME\n"
         "  --overlay2 MODE        root:memory (default) or none: where writes to the root go\n"
         "  --oci-seccomp          enforce linux.seccomp of the spec inside (default: accepted and ignored)\n"
         "  --network MODE         sandbox (default: a stack of its own on the container's interfaces) or none\n"
         "  --platform NAME        notify, the only one\n"
         "  --version\n\ncommands:\n");
  for (size_t i = 0; i < NCOMMANDS; i++)
    if (argc < 2 || !strcmp(argv[1], commands[i].name))
      printf("  %-10s %s\n             %s\n", commands[i].name, commands[i].help, commands[i].args);
  return 0;
}

int cli_fail(struct globals *g, const struct err *e) {
  oci_log_fatal(&g->log, e->msg);
  return 1;
}

int cli_usage(struct globals *g, const char *command, const char *what) {
  struct err e;
  err_set(&e, "runsc-notify %s: %s (see runsc-notify help %s)", command, what, command);
  return cli_fail(g, &e);
}

const char *cli_only_id(struct globals *g, int argc, char **argv) {
  if (optind + 1 == argc)
    return argv[optind];
  cli_usage(g, argv[0],
            optind < argc ? "exactly 1 argument is expected, the container's id" : "container id is missing");
  return NULL;
}

void cli_cloexec_from(int preserve) {
  close_range(3 + (unsigned)preserve, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

int cli_debug_log(const struct globals *g, const char *id, const char *command) {
  char path[PATH_MAX];
  if (!g->debug_log || !*g->debug_log)
    return -1;
  size_t n = strlen(g->debug_log);
  if (g->debug_log[n - 1] == '/') {
    mkdir(g->debug_log, 0755);
    snprintf(path, sizeof path, "%srunsc-notify.%s.%s.log", g->debug_log, id, command);
  } else {
    snprintf(path, sizeof path, "%s", g->debug_log);
  }
  return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* Complete at once, and without a newline: containerd hands the bytes to Atoi. */
int cli_write_pid_file(const char *path, pid_t pid, struct err *e) {
  char tmp[PATH_MAX];
  const char *base = strrchr(path, '/');
  int dir = base ? (int)(base - path) + 1 : 0;
  if (snprintf(tmp, sizeof tmp, "%.*s.%s", dir, path, path + dir) >= (int)sizeof tmp)
    return err_set(e, "pid file: path is too long");
  int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0)
    return err_sys(e, errno, "open %s", tmp);
  int n = dprintf(fd, "%d", pid);
  close(fd);
  if (n < 0 || rename(tmp, path)) {
    unlink(tmp);
    return err_sys(e, errno, "write %s", path);
  }
  return 0;
}

int cli_signal_number(const char *s) {
  char *end;
  long n = strtol(s, &end, 10);
  if (*s && !*end)
    return n >= 0 && n <= SIGRTMAX ? (int)n : -1;
  if (!strncasecmp(s, "SIG", 3))
    s += 3;
  for (int i = 1; i < 32; i++) {
    const char *abbrev = sigabbrev_np(i);
    if (abbrev && !strcasecmp(abbrev, s))
      return i;
  }
  /* glibc hides the first two real-time signals; guests see the kernel's numbers, as engines mean them. */
  if (!strncasecmp(s, "RTMIN", 5)) {
    n = s[5] == '+' ? strtol(s + 6, &end, 10) : 0;
    return s[5] == 0 || (s[5] == '+' && s[6] && !*end && n <= 30) ? 34 + (int)n : -1;
  }
  if (!strncasecmp(s, "RTMAX", 5)) {
    n = s[5] == '-' ? strtol(s + 6, &end, 10) : 0;
    return s[5] == 0 || (s[5] == '-' && s[6] && !*end && n >= 0 && n <= 30) ? 64 - (int)n : -1;
  }
  return -1;
}

enum {
  OPT_ROOT = 256,
  OPT_LOG,
  OPT_LOG_FORMAT,
  OPT_DEBUG,
  OPT_DEBUG_LOG,
  OPT_STRACE,
  OPT_SYSTEMD,
  OPT_SECCOMP,
  OPT_OVERLAY,
  OPT_PLATFORM,
  OPT_NETWORK,
  OPT_IGNORED_ARG
};

static const struct option global_options[] = {
    {"root", required_argument, NULL, OPT_ROOT},
    {"log", required_argument, NULL, OPT_LOG},
    {"log-format", required_argument, NULL, OPT_LOG_FORMAT},
    {"debug", optional_argument, NULL, OPT_DEBUG},
    {"debug-log", required_argument, NULL, OPT_DEBUG_LOG},
    {"strace", optional_argument, NULL, OPT_STRACE},
    {"systemd-cgroup", optional_argument, NULL, OPT_SYSTEMD},
    {"oci-seccomp", optional_argument, NULL, OPT_SECCOMP},
    {"overlay2", required_argument, NULL, OPT_OVERLAY},
    {"platform", required_argument, NULL, OPT_PLATFORM},
    {"network", required_argument, NULL, OPT_NETWORK},
    {"criu", required_argument, NULL, OPT_IGNORED_ARG},
    {"rootless", required_argument, NULL, OPT_IGNORED_ARG},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool flag_value(const char *arg) {
  return !arg || strcmp(arg, "false");
}

/* 0 go on, 1 done (version, help), -1 wrong. */
static int take_global(struct globals *g, int c, int argc, char **argv) {
  switch (c) {
  case OPT_ROOT:
    g->root = optarg;
    return 0;
  case OPT_LOG:
    g->log_path = optarg;
    return 0;
  case OPT_LOG_FORMAT:
    g->log_format = optarg;
    return 0;
  case OPT_DEBUG:
    g->debug = flag_value(optarg);
    return 0;
  case OPT_DEBUG_LOG:
    g->debug_log = optarg;
    return 0;
  case OPT_STRACE:
    g->strace = flag_value(optarg);
    return 0;
  case OPT_SYSTEMD:
    g->systemd_cgroup = flag_value(optarg);
    return 0;
  case OPT_SECCOMP:
    g->oci_seccomp = flag_value(optarg);
    return 0;
  case OPT_OVERLAY:
    g->overlay = optarg;
    return !strcmp(optarg, "root:memory") || !strcmp(optarg, "none") ? 0 : -1;
  case OPT_PLATFORM:
    return !strcmp(optarg, "notify") ? 0 : -1;
  case OPT_NETWORK:
    g->network = optarg;
    return 0;
  case OPT_IGNORED_ARG:
    return 0;
  case 'v':
    cmd_version(g, 0, NULL);
    return 1;
  case 'h':
    cmd_help(g, 0, NULL);
    return 1;
  default:
    return -1;
  }
}

static int run_command(struct globals *g, int argc, char **argv) {
  for (size_t i = 0; i < NCOMMANDS; i++)
    if (!strcmp(argv[0], commands[i].name)) {
      optind = 0; /* glibc: start over, with the next function's options */
      opterr = 0;
      return commands[i].fn(g, argc, argv);
    }
  struct err e;
  err_set(&e, "unknown command \"%s\" (see runsc-notify help)", argv[0]);
  return cli_fail(g, &e);
}

static int open_log(struct globals *g) {
  struct err e;
  char text[128];
  if (!oci_log_open(&g->log, g->log_path, g->log_format, g->debug))
    return 0;
  if (errno == EINVAL && g->log_format)
    err_set(&e, "unknown log-format \"%s\"", g->log_format);
  else
    err_set(&e, "open log %s: %s", g->log_path, err_text(errno, text, sizeof text));
  return cli_fail(g, &e);
}

static bool network_ok(struct globals *g) {
  struct err e;
  if (!strcmp(g->network, "sandbox") || !strcmp(g->network, "none"))
    return true;
  if (!strcmp(g->network, "host"))
    err_set(&e, "--network=host: the host's network stack is not supported; sandbox and none are");
  else
    err_set(&e, "--network=%s: sandbox or none is expected", g->network);
  cli_fail(g, &e);
  return false;
}

int cli_main(int argc, char **argv) {
  struct globals g = {.log = {.fd = -1}, .overlay = "root:memory", .network = "sandbox"};
  int c, rc = 0;
  if (argc < 1)
    return 1;
  title_init(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  /* A parent that ignores SIGCHLD must not make our children vanish: engines need them as zombies. */
  signal(SIGCHLD, SIG_DFL);
  opterr = 0;
  while (!rc && (c = getopt_long(argc, argv, "+hv", global_options, NULL)) != -1) {
    rc = take_global(&g, c, argc, argv);
    if (rc < 0)
      return cli_usage(&g, "",
                       c == '?' || c == ':' ? "unknown or incomplete global option" : "bad value of a global option");
  }
  if (rc)
    return 0;
  if (optind >= argc) {
    cmd_help(&g, 0, NULL);
    return 0;
  }
  if (!g.root) {
    state_default_root(g.root_buf, sizeof g.root_buf);
    g.root = g.root_buf;
  }
  if (open_log(&g) || !network_ok(&g))
    return 1;
  return run_command(&g, argc - optind, argv + optind);
}
