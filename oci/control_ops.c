/* What can be asked of a running Sentry; control.h describes the messages. */
#include "../core/errno.h"
#include "../core/fiber.h"
#include "../core/loop.h"
#include "../fs/tty.h"
#include "sentry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

json_t *control_ok(void) {
  return json_pack("{s:b}", "ok", 1);
}
json_t *control_error(const char *text) {
  return json_pack("{s:b,s:s}", "ok", 0, "error", text);
}

static void close_all(int *fds, int n) {
  for (int i = 0; i < n; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

/* As kill(2) from an ancestor pid namespace: the sender's pid is 0, and init cannot ignore SIGKILL. */
void process_signal_from_outside(struct process *p, int sig) {
  siginfo_t info = {.si_signo = sig, .si_code = SI_USER};
  send_signal_process(p, sig, &info);
}

/* ---- start ---- */

static json_t *op_start(struct sentry *s, json_t *network, int *fds, int nfds) {
  struct err e;
  if (s->started || s->starting)
    return control_error("cannot start an already running container");
  s->starting = true;
  struct task *t = s->init;
  act_as(t);
  int rc = network ? boot_network(s, network, fds, nfds, &e) : 0;
  rc = rc ? rc : process_load(s, t, &s->a->spec->process, s->exe, &e);
  act_as_nobody(t);
  if (s->ended)
    return control_error("container not running");
  if (rc) {
    /* A failed start ends the container. */
    json_t *answer = control_error(e.msg);
    debug_log("start: %s", e.msg);
    sentry_end(s, 1 << 8);
    return answer;
  }
  /* The root becomes read-only last: mount points have been made in it. */
  if (s->a->spec->root_readonly)
    s->root.mnt->flags |= 1; /* MS_RDONLY */
  s->started = true;
  s->init = NULL;
  /* `do` runs a command as a shell would: what ends a process ends this one too, though its pid is 1. */
  if (s->a->start_now)
    t->proc->unkillable = false;
  sentry_set_status(s, "running");
  task_start(t);
  return control_ok();
}

/* ---- exec ---- */

static json_t *exec_prepared(struct conn *c, struct task *t, const struct oci_process *p, int *fds, int nfds) {
  struct sentry *s = c->s;
  struct err e;
  struct file *console = NULL;
  char *path = NULL;
  int stdio[3] = {-1, -1, -1};
  for (int i = 0; i < 3 && !p->terminal; i++)
    stdio[i] = i < nfds ? fds[i] : -1;
  act_as(t);
  int rc = process_prepare(s, t, p, false, stdio, p->terminal ? fds[0] : -1, &console, &e) ||
                   process_find_program(t, p, &path, &e) || process_load(s, t, p, path, &e)
               ? -1
               : 0;
  act_as_nobody(t);
  free(path);
  if (!rc && s->ended)
    rc = err_set(&e, "container not running");
  if (rc) {
    if (console)
      file_put(console);
    process_discard(t);
    return control_error(e.msg);
  }
  c->proc = process_get(t->proc);
  c->console = console;
  int pid = t->proc->pid->nr;
  task_start(t);
  return json_pack("{s:b,s:i}", "ok", 1, "pid", pid);
}

static json_t *op_exec(struct conn *c, json_t *req, int *fds, int nfds) {
  struct sentry *s = c->s;
  struct oci_process p;
  struct err e;
  struct task *t;
  json_t *answer;
  const char *refuse = c->proc || c->fd < 0                             ? "this connection has a process already"
                       : !s->started || s->ended || s->k->shutting_down ? "container not running"
                                                                        : NULL;
  if (!refuse && spec_parse_process(&p, json_object_get(req, "process"), "process", &e))
    refuse = e.msg;
  else if (!refuse && nfds != (p.terminal ? 1 : 3))
    refuse = "exec needs the process's standard streams";
  if (refuse) {
    close_all(fds, nfds);
    return control_error(refuse);
  }
  /* No parent inside: it is waited for from outside. */
  if (task_new_process(s->k, NULL, &t)) {
    close_all(fds, nfds);
    answer = control_error("no process can be made in the container: out of memory or of pids");
  } else {
    c->standin = (int)json_integer_value(json_object_get(req, "standin"));
    answer = exec_prepared(c, t, &p, fds, nfds);
  }
  spec_free_process(&p);
  return answer;
}

/* ---- kill ---- */

json_t *control_kill(struct sentry *s, int sig, bool all) {
  struct process *p;
  if (sig < 0 || sig > NSIG_GUEST)
    return control_error("invalid signal");
  if (s->ended)
    return control_error("container not running");
  if (sig == 0)
    return control_ok();
  if (!s->started) {
    /* Created: what would be init has no handlers yet, so whatever ends a process ends it. */
    if (sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP)
      sentry_end(s, sig);
    return control_ok();
  }
  if (all) {
    LIST_FOREACH(p, &s->k->processes, all) process_signal_from_outside(p, sig);
    return control_ok();
  }
  if (s->init_proc->zombie)
    return control_error("container not running");
  process_signal_from_outside(s->init_proc, sig);
  return control_ok();
}

/* ---- ps ---- */

static void command_line(struct process *p, char *buf, size_t cap) {
  struct mm *m = p->leader ? p->leader->mm : NULL;
  ssize_t n = -1;
  if (m && m->arg_end > m->arg_start) {
    size_t want = m->arg_end - m->arg_start;
    n = mm_read(m, buf, m->arg_start, want < cap - 1 ? want : cap - 1);
  }
  if (n <= 0) {
    snprintf(buf, cap, "[%s]", p->leader ? p->leader->comm : "?");
    return;
  }
  for (ssize_t i = 0; i < n; i++) /* arguments are separated by NUL; control characters would garble a terminal */
    if ((unsigned char)buf[i] < ' ' || (unsigned char)buf[i] == 127)
      buf[i] = ' ';
  while (n && buf[n - 1] == ' ')
    n--;
  buf[n] = 0;
}

json_t *control_ps(struct sentry *s) {
  json_t *list = json_array(), *standins = json_array();
  struct process *p;
  struct conn *c;
  LIST_FOREACH(p, &s->k->processes, all) {
    char cmd[512];
    struct rusage_acc ru;
    if (p == s->init_proc && !s->started)
      continue;
    command_line(p, cmd, sizeof cmd);
    process_rusage(p, &ru);
    json_t *text = json_string(cmd);
    json_array_insert_new(list, 0,
                          json_pack("{s:i,s:i,s:I,s:I,s:o}", "pid", p->pid->nr, "ppid",
                                    p->parent && p->parent->pid ? p->parent->pid->nr : 0, "uid",
                                    (json_int_t)(p->leader ? p->leader->cred->uid : 0), "time",
                                    (json_int_t)((ru.utime + ru.stime) / 1000000000), "cmd",
                                    text ? text : json_string("?")));
  }
  LIST_FOREACH(c, &s->conns, link) {
    if (c->proc && c->standin && !c->told)
      json_array_append_new(standins, json_integer(c->standin));
  }
  return json_pack("{s:b,s:o,s:o}", "ok", 1, "processes", list, "standins", standins);
}

/* ---- all of them ---- */

static void op_signal(struct conn *c, json_t *req) {
  json_int_t sig = json_integer_value(json_object_get(req, "signal"));
  if (sig <= 0 || sig > NSIG_GUEST || !c->proc)
    return;
  if (c->proc == c->s->init_proc)
    json_decref(control_kill(c->s, (int)sig, false));
  else if (!c->proc->zombie)
    process_signal_from_outside(c->proc, (int)sig);
}

json_t *control_handle(struct conn *c, json_t *req, int *fds, int nfds) {
  struct sentry *s = c->s;
  const char *op = json_string_value(json_object_get(req, "op"));
  if (op && !strcmp(op, "exec"))
    return op_exec(c, req, fds, nfds);
  json_t *answer = NULL;
  if (op && !strcmp(op, "start"))
    answer = op_start(s, json_object_get(req, "network"), fds, nfds);
  close_all(fds, nfds);
  if (answer)
    return answer;
  if (!op)
    return control_error("the request has no \"op\"");
  if (!strcmp(op, "kill"))
    return control_kill(s, (int)json_integer_value(json_object_get(req, "signal")),
                        json_is_true(json_object_get(req, "all")));
  if (!strcmp(op, "ps"))
    return control_ps(s);
  if (!strcmp(op, "state"))
    return json_pack("{s:b,s:s,s:i}", "ok", 1, "status", s->started ? "running" : "created", "processes",
                     s->k->nprocesses);
  if (!strcmp(op, "pause"))
    return control_error("container not running");
  if (!strcmp(op, "resume"))
    return control_error("container not paused");
  if (!strcmp(op, "shutdown")) {
    sentry_end(s, SIGKILL);
    return control_ok();
  }
  if (!strcmp(op, "signal")) {
    op_signal(c, req);
    return control_ok();
  }
  if (!strcmp(op, "resize")) {
    if (c->console)
      tty_console_resized(c->console);
    return control_ok();
  }
  return control_error("the request's \"op\" is not known");
}
