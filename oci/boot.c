/* Boot: platform, loop, kernel, filter; then, on a fiber, the container. */
#include "boot.h"
#include "../net/socket.h"
#include "../net/stack.h"
#include "../core/fiber.h"
#include "../core/loop.h"
#include "../fs/anon.h"
#include "../fs/gofer/gofer.h"
#include "../fs/tty_core.h"
#include "../syscalls/table.h"
#include "control.h"
#include "sentry.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONSOLE_FLUSH_NS 1000000000ll

/* ---- telling `create` ---- */

static int report(const struct boot_args *a, const char *text) {
  ssize_t n = a->sync_fd >= 0 ? send(a->sync_fd, text, strlen(text), MSG_NOSIGNAL) : 0;
  if (a->sync_fd >= 0)
    close(a->sync_fd);
  return n < 0 ? -1 : 0;
}

static void report_error(const struct boot_args *a, const char *msg) {
  char text[2100];
  snprintf(text, sizeof text, "E%s", msg);
  debug_log("boot: %s", msg);
  report(a, text);
}

/* ---- the end ---- */

static void finish_fiber(void *arg) {
  struct sentry *s = arg;
  struct tty *t = s->console ? file_tty(s->console) : NULL;
  int64_t end = loop_now_exact() + CONSOLE_FLUSH_NS;
  /* What the program has written last is still on its way to the terminal. */
  while (t && t->wire && !tty_wire_drained(t->wire) && loop_now_exact() < end)
    task_sleep(loop_now_exact() + 1000000);
  struct conn *c;
  LIST_FOREACH(c, &s->conns, link) {
    if (c->proc && c->proc == s->init_proc)
      conn_tell_exit(c, s->exit_status);
  }
  loop_stop(s->k->loop);
}

void sentry_end(struct sentry *s, int wait_status) {
  if (s->ended)
    return;
  s->ended = true;
  s->exit_status = wait_status;
  if (fiber_spawn(finish_fiber, s))
    loop_stop(s->k->loop);
}

void sentry_process_reaped(struct process *p) {
  struct sentry *s = p->k->sentry;
  struct conn *c;
  if (p == s->init_proc) {
    sentry_end(s, p->exit_code);
    return;
  }
  LIST_FOREACH(c, &s->conns, link) {
    if (c->proc == p)
      conn_tell_exit(c, p->exit_code);
  }
}

static void gofer_died(void *arg) {
  struct sentry *s = arg;
  if (s->ended)
    return;
  debug_log("the gofer has died: the container ends");
  sentry_end(s, SIGKILL);
}

/* The zygote was killed, and every guest process with it. */
static void guests_lost(void) {
  struct sentry *s = kernel_current()->sentry;
  if (s->ended)
    return;
  debug_log("the guests' host processes are gone: the container ends");
  sentry_end(s, SIGKILL);
}

void sentry_set_status(struct sentry *s, const char *text) {
  if (s->a->status_fd < 0)
    return;
  char line[16];
  int n = snprintf(line, sizeof line, "%-10s\n", text); /* of one length: overwrites what was there */
  (void)!pwrite(s->a->status_fd, line, (size_t)n, 0);
}

/* ---- the container ---- */

static void set_names(struct sentry *s) {
  struct uts_namespace *u = s->k->init_nsproxy->uts;
  const struct oci_spec *spec = s->a->spec;
  if (spec->hostname && *spec->hostname)
    snprintf(u->nodename, sizeof u->nodename, "%s", spec->hostname);
  if (spec->domainname && *spec->domainname)
    snprintf(u->domainname, sizeof u->domainname, "%s", spec->domainname);
  if (spec->res.mem_limit > 0 && (uint64_t)spec->res.mem_limit < s->k->mem_total)
    s->k->mem_limit = (uint64_t)spec->res.mem_limit;
}

/* The task that will be init also sets the container up, with all rights, before it becomes who it is to be. */
static int make_setup_task(struct sentry *s, struct err *e) {
  struct task *t;
  if (task_new_process(s->k, NULL, &t))
    return err_set(e, "out of memory");
  s->init = t;
  s->init_proc = process_get(t->proc);
  struct cred *c = cred_new();
  if (!c)
    return err_set(e, "out of memory");
  c->cap_prm = c->cap_eff = c->cap_bnd = (1ull << (CAP_LAST + 1)) - 1;
  task_set_cred(t, c);
  cred_put(c);
  t->fs = fs_ctx_new(&s->root);
  if (!t->fs)
    return err_set(e, "out of memory");
  t->fs->umask = 0;
  return 0;
}

static int set_up(struct sentry *s, struct err *e) {
  const struct oci_process *p = &s->a->spec->process;
  int rc = gofer_connect(s->k, s->a->gofer_sock, gofer_died, s, &s->gofer);
  if (rc)
    return err_sys(e, -rc, "connect to the gofer");
  set_names(s);
  if (boot_mount_all(s, e) || make_setup_task(s, e))
    return -1;
  act_as(s->init);
  rc = boot_mount_devices(s, s->init, e) || boot_hide_paths(s, s->init, e) ||
               process_prepare(s, s->init, p, true, s->a->stdio, s->a->console_fd, &s->console, e) ||
               process_find_program(s->init, p, &s->exe, e)
           ? -1
           : 0;
  act_as_nobody(s->init);
  return rc;
}

static void boot_fiber(void *arg) {
  struct sentry *s = arg;
  struct err e;
  if (set_up(s, &e)) {
    report_error(s->a, e.msg);
    s->ended = true;
    s->exit_status = 1 << 8;
    loop_stop(s->k->loop);
    return;
  }
  sentry_set_status(s, "created");
  if (control_serve(s)) {
    report_error(s->a, "the control socket cannot be served");
    sentry_end(s, 1 << 8);
    return;
  }
  if (s->a->start_now) {
    json_t *answer = control_handle(&(struct conn){.s = s, .fd = -1}, json_pack("{s:s}", "op", "start"), NULL, 0);
    const char *text = json_string_value(json_object_get(answer, "error"));
    if (text) {
      report_error(s->a, text);
      json_decref(answer);
      sentry_end(s, 1 << 8);
      return;
    }
    json_decref(answer);
  }
  if (report(s->a, "R"))
    sentry_end(s, SIGKILL); /* `create` was killed: nobody will ever know of this container */
}

static int make_kernel(struct sentry *s, char *why, size_t cap) {
  static const struct plat_callbacks callbacks = {.event = task_event, .lost = guests_lost};
  struct plat *plat;
  const char *reason = "the platform cannot be started";
  if (plat_new(&callbacks, &s->a->host, &plat, &reason) < 0) {
    snprintf(why, cap, "%s", reason);
    return -1;
  }
  struct loop *loop = loop_new();
  if (!loop) {
    snprintf(why, cap, "io_uring cannot be set up: %s (is the sysctl kernel.io_uring_disabled 0?)", strerror(errno));
    return -1;
  }
  s->k = kernel_new(loop);
  if (!s->k || plat_attach_loop(plat) < 0) {
    snprintf(why, cap, "out of memory");
    return -1;
  }
  s->k->plat = plat;
  s->k->sentry = s;
  s->k->log_fd = s->a->log_fd;
  s->k->strace = s->a->strace;
  int rc = sentry_seccomp_install(plat_listener_fd(plat));
  if (rc) {
    snprintf(why, cap, "the sandbox's own seccomp filter cannot be installed: %s", strerror(-rc));
    return -1;
  }
  rc = vfs_init(s->k);
  if (rc) {
    snprintf(why, cap, "the file system cannot be set up: %s", strerror(-rc));
    return -1;
  }
  rc = net_boot(s->k);
  if (rc) {
    snprintf(why, cap, "the network cannot be set up: %s", strerror(-rc));
    return -1;
  }
  s->k->hooks.syscall = syscall_dispatch;
  s->k->hooks.look_open = gofer_look_open;
  s->k->hooks.netlink_push = netlink_push;
  s->k->hooks.file_ns_borrow = nsfs_ns_borrow;
  s->k->hooks.process_reaped = sentry_process_reaped;
  s->k->hooks.tty_session_exit = tty_session_exit;
  return 0;
}

static int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int boot(const struct boot_args *a) {
  struct sentry s = {.a = a};
  char why[512];
  LIST_INIT(&s.conns);
  if (make_kernel(&s, why, sizeof why)) {
    report_error(a, why);
    return 1;
  }
  if (fiber_spawn(boot_fiber, &s)) {
    report_error(a, "out of memory");
    return 1;
  }
  if (!s.ended)
    loop_run(s.k->loop);
  return exit_code(s.exit_status);
}
