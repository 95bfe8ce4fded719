/* exec: another process in a running container, with a stand-in on the host for the engine. */
#include "cmd.h"
#include "control.h"
#include "fds.h"
#include "spec_json.h"
#include "standin.h"
#include "title.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct exec_opts {
  const char *id, *process_file, *console_socket, *pid_file, *cwd, *user;
  json_t *env, *caps, *groups;
  bool detach, tty, no_new_privs, ignore_paused;
  int preserve;
  char **args;
};

enum { OPT_CONSOLE = 256, OPT_PIDFILE, OPT_CWD, OPT_PRESERVE, OPT_NNP, OPT_IGNORED_ARG, OPT_IGNORE_PAUSED };
static const struct option exec_options[] = {
    {"process", required_argument, NULL, 'p'},
    {"console-socket", required_argument, NULL, OPT_CONSOLE},
    {"detach", no_argument, NULL, 'd'},
    {"pid-file", required_argument, NULL, OPT_PIDFILE},
    {"tty", no_argument, NULL, 't'},
    {"user", required_argument, NULL, 'u'},
    {"env", required_argument, NULL, 'e'},
    {"cwd", required_argument, NULL, OPT_CWD},
    {"cap", required_argument, NULL, 'c'},
    {"additional-gids", required_argument, NULL, 'g'},
    {"no-new-privs", no_argument, NULL, OPT_NNP},
    {"preserve-fds", required_argument, NULL, OPT_PRESERVE},
    {"process-label", required_argument, NULL, OPT_IGNORED_ARG},
    {"apparmor", required_argument, NULL, OPT_IGNORED_ARG},
    {"pidfd-socket", required_argument, NULL, OPT_IGNORED_ARG},
    {"cgroup", required_argument, NULL, OPT_IGNORED_ARG},
    {"ignore-paused", no_argument, NULL, OPT_IGNORE_PAUSED},
    {0},
};

static int take_option(struct exec_opts *o, int c) {
  switch (c) {
  case 'p':
    o->process_file = optarg;
    return 0;
  case OPT_CONSOLE:
    o->console_socket = optarg;
    return 0;
  case 'd':
    o->detach = true;
    return 0;
  case OPT_PIDFILE:
    o->pid_file = optarg;
    return 0;
  case 't':
    o->tty = true;
    return 0;
  case 'u':
    o->user = optarg;
    return 0;
  case 'e':
    return json_array_append_new(o->env, json_string(optarg));
  case OPT_CWD:
    o->cwd = optarg;
    return 0;
  case 'c':
    return json_array_append_new(o->caps, json_string(optarg));
  case 'g':
    return json_array_append_new(o->groups, json_integer(atoi(optarg)));
  case OPT_NNP:
    o->no_new_privs = true;
    return 0;
  case OPT_PRESERVE:
    o->preserve = atoi(optarg);
    return 0;
  case OPT_IGNORE_PAUSED:
  case OPT_IGNORED_ARG:
    return 0;
  default:
    return -1;
  }
}

/* podman and containerd put the id last; people put the command behind it. So options may stand before the id only. */
static int parse(struct globals *g, int argc, char **argv, struct exec_opts *o) {
  int c;
  while ((c = getopt_long(argc, argv, "+p:dtu:e:c:g:", exec_options, NULL)) != -1)
    if (take_option(o, c))
      return cli_usage(g, argv[0], "unknown or incomplete option");
  if (optind >= argc)
    return cli_usage(g, argv[0], "container id is missing");
  o->id = argv[optind];
  o->args = argv + optind + 1;
  if (!o->process_file && !*o->args)
    return cli_usage(g, argv[0], "process args cannot be empty");
  return 0;
}

/* Without --process: the container's own process object with what the options change. A new reference. */
static json_t *process_from_options(struct container *c, const struct exec_opts *o, struct err *e) {
  json_t *doc = state_read_json(c, "config.json", e), *v;
  size_t i;
  if (!doc)
    return NULL;
  json_t *p = json_deep_copy(json_object_get(doc, "process")), *args = json_array();
  json_decref(doc);
  for (char **a = o->args; *a; a++)
    json_array_append_new(args, json_string(*a));
  json_object_set_new(p, "args", args);
  json_object_set_new(p, "terminal", json_boolean(o->tty));
  if (o->cwd)
    json_object_set_new(p, "cwd", json_string(o->cwd));
  if (o->no_new_privs)
    json_object_set_new(p, "noNewPrivileges", json_true());
  if (!json_object_get(p, "env"))
    json_object_set_new(p, "env", json_array());
  json_array_foreach(o->env, i, v) json_array_append(json_object_get(p, "env"), v);
  json_array_foreach(o->caps, i, v) {
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    if (!json_object_get(p, "capabilities"))
      json_object_set_new(p, "capabilities", json_object());
    for (int k = 0; k < 3; k++) {
      json_t *sets_o = json_object_get(p, "capabilities");
      if (!json_object_get(sets_o, sets[k]))
        json_object_set_new(sets_o, sets[k], json_array());
      json_array_append(json_object_get(sets_o, sets[k]), v);
    }
  }
  unsigned uid, gid = 0;
  if (o->user) {
    if (sscanf(o->user, "%u:%u", &uid, &gid) < 1) {
      err_set(e, "--user %s: expected UID[:GID]", o->user);
      json_decref(p);
      return NULL;
    }
    json_object_set_new(p, "user", json_pack("{s:I,s:I}", "uid", (json_int_t)uid, "gid", (json_int_t)gid));
  }
  if (json_array_size(o->groups))
    json_object_set(json_object_get(p, "user"), "additionalGids", o->groups);
  return p;
}

struct execing {
  struct globals *g;
  const struct exec_opts *o;
  struct container c;
  struct cgroup cg;
  json_t *process;
  struct oci_process spec;
  struct console con;
  int sock; /* to the Sentry */
};

/* The stand-in. `report` takes one byte for success, or the error. */
static _Noreturn void standin_main(struct execing *x, int report) {
  struct err e;
  int fds[3] = {0, 1, 2}, nfds = 3;
  prctl(PR_SET_PDEATHSIG, 0);
  setsid();
  title_set("runsc-notify-ex", "runsc-notify-exec %s", x->o->id);
  if (x->con.slave >= 0) {
    ioctl(x->con.slave, TIOCSCTTY, 0);
    fds[0] = x->con.slave;
    nfds = 1;
  }
  cgroup_join(&x->cg, getpid(), &e); /* for the accounting; the process itself runs in the sandbox */
  json_t *answer = control_call(
      x->sock, json_pack("{s:s,s:O,s:i}", "op", "exec", "process", x->process, "standin", getpid()), fds, nfds, &e);
  if (!answer) {
    (void)!write(report, e.msg, strlen(e.msg));
    _exit(255);
  }
  fds_null_stdio(-1);
  (void)!write(report, "", 1);
  int keep[] = {x->sock};
  fds_close_others(keep, 1);
  if (chdir("/"))
    _exit(255);
  standin_die(standin_wait(x->sock, 0));
}

/* Fork the stand-in and wait until its process runs. Its pid, or -1. */
static pid_t start(struct execing *x, struct err *e) {
  int p[2];
  size_t n = 0;
  if (pipe2(p, O_CLOEXEC))
    return err_sys(e, errno, "pipe");
  standin_block_signals();
  pid_t pid = fork();
  if (pid == 0) {
    close(p[0]);
    standin_main(x, p[1]);
  }
  close(p[1]);
  if (pid < 0) {
    close(p[0]);
    return err_sys(e, errno, "fork");
  }
  e->msg[0] = 0;
  bool up = false;
  while (!up && n < sizeof e->msg - 1) {
    ssize_t r = read(p[0], e->msg + n, sizeof e->msg - 1 - n);
    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0)
      break;
    up = n == 0 && r == 1 && e->msg[0] == 0;
    n += (size_t)r;
  }
  close(p[0]);
  if (up)
    return pid;
  e->msg[n] = 0;
  if (!n)
    err_set(e, "the process's stand-in died");
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
  return -1;
}

static void give_stdio(const struct oci_process *p) {
  for (int fd = 0; fd < 3 && p->uid; fd++) {
    struct stat st;
    if (!fstat(fd, &st) && st.st_uid != p->uid && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
      (void)!fchown(fd, p->uid, p->gid);
  }
}

static int prepare(struct execing *x, struct err *e) {
  const struct exec_opts *o = x->o;
  enum oci_status st = state_status(&x->c);
  if (st == OCI_STOPPED || st == OCI_CREATING)
    return err_set(e, "cannot exec in a stopped container");
  if (st == OCI_PAUSED)
    return err_set(e, "cannot exec in a paused container (use --ignore-paused to override)");
  if (st == OCI_CREATED)
    return err_set(e, "cannot exec in a container that has not been started");
  x->process = o->process_file ? js_load_file(o->process_file, e) : process_from_options(&x->c, o, e);
  if (!x->process || spec_parse_process(&x->spec, x->process, "process", e))
    return -1;
  if (o->process_file && o->tty) { /* podman passes --tty beside the file */
    json_object_set_new(x->process, "terminal", json_true());
    x->spec.terminal = true;
  }
  if (x->spec.terminal && o->detach && !o->console_socket)
    return err_set(e, "cannot allocate tty if runsc-notify will detach without setting console socket");
  if (!x->spec.terminal && o->console_socket)
    return err_set(e, "cannot use console socket if runsc-notify will not detach or allocate tty");
  container_cgroup(&x->c, &x->cg);
  if (x->spec.terminal ? console_open(&x->con, x->spec.rows, x->spec.cols, e) : (give_stdio(&x->spec), 0))
    return -1;
  x->sock = control_connect(&x->c, e);
  return x->sock < 0 ? -1 : 0;
}

static int run(struct execing *x) {
  struct err e;
  const struct exec_opts *o = x->o;
  if (prepare(x, &e))
    goto failed;
  pid_t pid = start(x, &e);
  if (pid < 0)
    goto failed;
  close(x->con.slave);
  x->con.slave = -1;
  if ((o->console_socket && console_send(o->console_socket, x->con.master, &e)) ||
      (o->pid_file && cli_write_pid_file(o->pid_file, pid, &e))) {
    kill(pid, SIGKILL);
    goto failed;
  }
  if (o->detach)
    return 0; /* never waited for: see OCI_ENGINES, section 4 */
  int status = console_relay(o->console_socket ? -1 : x->con.master, pid);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
failed:
  err_wrap(&e, "exec failed");
  cli_fail(x->g, &e);
  return 255;
}

int cmd_exec(struct globals *g, int argc, char **argv) {
  struct exec_opts o = {.env = json_array(), .caps = json_array(), .groups = json_array()};
  struct execing x = {.g = g, .o = &o, .con = {-1, -1}, .sock = -1};
  struct err e;
  int rc = parse(g, argc, argv, &o);
  if (!rc) {
    cli_cloexec_from(0);
    if (state_open(&x.c, g->root, o.id, &e)) {
      err_wrap(&e, "exec failed");
      rc = cli_fail(g, &e);
    } else {
      rc = run(&x);
      spec_free_process(&x.spec);
      json_decref(x.process);
      cgroup_free(&x.cg);
      state_close(&x.c);
    }
  }
  json_decref(o.env);
  json_decref(o.caps);
  json_decref(o.groups);
  return rc;
}
