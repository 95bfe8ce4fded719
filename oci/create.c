/* Making a container: state, terminal, cgroups, sandbox, hooks; and undoing all of it if one fails. */
#include "cmd.h"
#include "hooks.h"
#include "netsetup.h"
#include "spec_json.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What container_create has made so far, to be undone or handed over. */
struct making {
  struct globals *g;
  const struct create_args *a;
  struct created *out;
  struct oci_spec *spec; /* the one in use */
  char bundle[PATH_MAX], rootfs[PATH_MAX];
  struct cgroup cg;
  bool have_cg;
  struct console con;
  struct launched run;
  int control, status, debug;
};

static int check_paths(struct making *m, struct err *e) {
  struct stat st;
  char source[PATH_MAX * 2];
  if (stat(m->rootfs, &st))
    return err_sys(e, errno, "invalid rootfs: stat %s", m->rootfs);
  if (!S_ISDIR(st.st_mode))
    return err_set(e, "invalid rootfs: %s: not a directory", m->rootfs);
  for (size_t i = 0; i < m->spec->nmounts; i++) {
    const struct oci_mount *mt = &m->spec->mounts[i];
    if (!mt->bind)
      continue;
    snprintf(source, sizeof source, "%s%s%s", *mt->source == '/' ? "" : m->bundle, *mt->source == '/' ? "" : "/",
             mt->source);
    if (stat(source, &st))
      return err_sys(e, errno, "error mounting \"%s\" to rootfs at \"%s\": stat %s", mt->source, mt->destination,
                     source);
  }
  return 0;
}

static int find_paths(struct making *m, struct err *e) {
  const char *bundle = m->a->bundle ? m->a->bundle : ".";
  if (!realpath(bundle, m->bundle))
    return err_sys(e, errno, "bundle %s", bundle);
  if (m->a->rootfs)
    snprintf(m->rootfs, sizeof m->rootfs, "%s", m->a->rootfs);
  else if (snprintf(m->rootfs, sizeof m->rootfs, "%s%s%s", *m->spec->root_path == '/' ? "" : m->bundle,
                    *m->spec->root_path == '/' ? "" : "/", m->spec->root_path) >= (int)sizeof m->rootfs)
    return err_set(e, "root.path: is too long");
  return check_paths(m, e);
}

static int check_terminal(const struct making *m, struct err *e) {
  bool terminal = m->spec->process.terminal;
  if (m->a->attached && m->a->console_socket)
    return err_set(e, "cannot use console socket if runsc-notify will not detach or allocate tty");
  if (m->a->attached)
    return 0;
  if (terminal && !m->a->console_socket)
    return err_set(e, "cannot allocate tty if runsc-notify will detach without setting console socket");
  if (!terminal && m->a->console_socket)
    return err_set(e, "cannot use console socket if runsc-notify will not detach or allocate tty");
  return 0;
}

static int check_spec(const struct making *m, struct err *e) {
  if (m->spec->ns[OCI_NS_USER].present && !cgroup_rootless() && !m->spec->ns[OCI_NS_USER].path && m->spec->nuidmap &&
      m->spec->uidmap[0].host != 0)
    return err_set(e, "linux.uidMappings: mapping container ids to other host ids is not supported");
  if (strcmp(m->g->network, "none") && !m->a->start_now && netsetup_check_namespace(&m->spec->ns[OCI_NS_NETWORK], e))
    return -1;
  return check_terminal(m, e);
}

static void describe(struct making *m) {
  json_t *st = m->out->c.state;
  char created[64];
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  size_t n = strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
  snprintf(created + n, sizeof created - n, ".%09ldZ", now.tv_nsec);
  json_object_set_new(st, "bundle", json_string(m->bundle));
  json_object_set_new(st, "rootfs", json_string(m->rootfs));
  json_object_set_new(st, "created", json_string(created));
  json_object_set_new(st, "owner", json_string(""));
  /* `delete --force` comes without --systemd-cgroup, and without the bundle: all it needs is here. */
  json_object_set_new(st, "systemdCgroup", json_boolean(m->g->systemd_cgroup));
  json_object_set_new(st, "network", json_string(netsetup_only_holds(m->spec) ? "none" : m->g->network));
  json_object_set_new(st, "cgroups", cgroup_to_json(&m->cg));
  if (m->spec->annotations)
    json_object_set(st, "annotations", m->spec->annotations);
}

static int plan_cgroups(struct making *m, struct err *e) {
  char rel[2048];
  if (m->a->no_cgroup)
    return 0;
  if (cgroup_path(m->spec->cgroups_path, m->a->id, m->g->systemd_cgroup, rel, sizeof rel, e) ||
      cgroup_plan(&m->cg, "/proc/self/mountinfo", rel, e))
    return -1;
  m->have_cg = true;
  return 0;
}

static int make_cgroups(struct making *m, struct err *e) {
  bool optional = cgroup_rootless();
  if (!m->have_cg)
    return 0;
  if (cgroup_create(&m->cg, optional, e))
    return -1;
  return cgroup_apply(&m->cg, &m->spec->res, e);
}

static int save_files(struct making *m, struct err *e) {
  struct container *c = &m->out->c;
  json_t *doc = m->spec->doc;
  char *text = json_dumps(doc, JSON_COMPACT);
  if (!text)
    return err_set(e, "configuration cannot be written as JSON");
  int rc = state_write(c, "config.json", text, strlen(text), e);
  free(text);
  if (rc || state_write(c, "status", "", 0, e) || state_save(c, e))
    return -1;
  m->status = openat(c->dir, "status", O_WRONLY | O_CLOEXEC);
  return m->status < 0 ? err_sys(e, errno, "open status") : 0;
}

static int listen_control(struct making *m, struct err *e) {
  struct sockaddr_un a;
  m->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  state_socket_address(&m->out->c, "control.sock", &a);
  if (m->control < 0 || bind(m->control, (struct sockaddr *)&a, sizeof a) || listen(m->control, 128))
    return err_sys(e, errno, "control socket");
  return 0;
}

/* As runc: a program that is not root must be able to open /dev/stdout, which is a pipe of the engine's. */
static void give_stdio(uint32_t uid, uint32_t gid) {
  for (int fd = 0; fd < 3; fd++) {
    struct stat st, null;
    if (fstat(fd, &st) || st.st_uid == uid || (!stat("/dev/null", &null) && st.st_rdev == null.st_rdev))
      continue;
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
      (void)!fchown(fd, uid, gid);
  }
}

static int open_terminal(struct making *m, struct err *e) {
  const struct oci_process *p = &m->spec->process;
  if (!p->terminal) {
    if (!m->a->attached && p->uid)
      give_stdio(p->uid, p->gid);
    return 0;
  }
  return console_open(&m->con, p->rows, p->cols, e);
}

static int run_create_hooks(struct making *m, struct err *e) {
  const struct oci_spec *s = m->spec;
  if (!s->prestart.n && !s->create_runtime.n && !s->create_container.n)
    return 0;
  json_t *state = state_oci(&m->out->c, OCI_CREATING, true);
  int rc = hooks_run(&s->prestart, "prestart", state, m->bundle, 0, e) ||
                   hooks_run(&s->create_runtime, "createRuntime", state, m->bundle, 0, e) ||
                   hooks_run(&s->create_container, "createContainer", state, m->bundle, m->run.pid, e)
               ? -1
               : 0;
  json_decref(state);
  if (rc)
    launch_has_failed(&m->run, e);
  return rc;
}

static int start_sandbox(struct making *m, struct err *e) {
  const struct launch l = {
      .spec = m->spec,
      .id = m->a->id,
      .bundle = m->bundle,
      .rootfs = m->rootfs,
      .overlay = m->g->overlay,
      .stdio = {0, 1, 2},
      .console = m->con.slave,
      .control = m->control,
      .status = m->status,
      .debug_log = m->debug,
      .keep_stderr = m->a->keep_stderr,
      .strace = m->g->strace,
      .start_now = m->a->start_now,
      .tied = m->a->start_now,
  };
  if (launch_fork(&l, &m->run, e))
    return -1;
  state_set_pid(&m->out->c, m->run.pid);
  if ((m->have_cg && cgroup_join(&m->cg, m->run.pid, e)) || state_save(&m->out->c, e) || launch_go(&m->run, e) ||
      run_create_hooks(m, e) || launch_wait_ready(&m->run, e))
    return -1;
  return 0;
}

static int make_all(struct making *m, struct err *e) {
  if (check_spec(m, e) || find_paths(m, e) || plan_cgroups(m, e))
    return -1;
  spec_number_trees(m->spec);
  if (state_create(&m->out->c, m->g->root, m->a->id, e))
    return -1;
  describe(m);
  if (save_files(m, e) || listen_control(m, e) || open_terminal(m, e) || make_cgroups(m, e) || start_sandbox(m, e))
    return -1;
  if (m->con.master >= 0 && !m->a->attached && console_send(m->a->console_socket, m->con.master, e))
    return -1;
  return m->a->pid_file ? cli_write_pid_file(m->a->pid_file, m->run.pid, e) : 0;
}

static void undo(struct making *m) {
  struct err ignored;
  if (m->run.pid > 0)
    launch_abort(&m->run);
  if (m->have_cg && m->out->c.dir >= 0)
    cgroup_remove(&m->cg, &ignored);
  if (m->out->c.dir >= 0)
    state_remove(&m->out->c, &ignored);
  state_close(&m->out->c);
  console_close(&m->con);
}

int container_create(struct globals *g, const struct create_args *a, struct created *out, struct err *e) {
  struct making m = {.g = g,
                     .a = a,
                     .out = out,
                     .spec = &out->spec,
                     .con = {-1, -1},
                     .control = -1,
                     .status = -1,
                     .run = {.sync = -1}};
  char config[PATH_MAX];
  *out = (struct created){.c = {.dir = -1, .lock = -1}, .master = -1};
  m.debug = cli_debug_log(g, a->id, "boot");
  int rc;
  snprintf(config, sizeof config, "%s/config.json", a->bundle ? a->bundle : ".");
  rc = a->spec_doc ? spec_parse(&out->spec, a->spec_doc, e) : spec_load(&out->spec, config, e);
  if (!rc && g->oci_seccomp)
    rc = spec_compile_seccomp(&out->spec, e);
  rc = rc || make_all(&m, e) ? -1 : 0;
  if (rc) {
    undo(&m);
    spec_free(&out->spec);
  } else {
    out->pid = m.run.pid;
    if (m.con.master >= 0 && a->attached) {
      out->master = m.con.master;
      m.con.master = -1;
    }
    console_close(&m.con);
  }
  if (m.control >= 0)
    close(m.control);
  if (m.status >= 0)
    close(m.status);
  if (m.debug >= 0)
    close(m.debug);
  cgroup_free(&m.cg);
  return rc;
}
