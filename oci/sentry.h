/*
 * The running Sentry as oci/ sees it: the container's init, who waits for which process, and how it all ends. One per
 * process; reachable through kernel.sentry.
 */
#pragma once
#include "../core/kernel.h"
#include "../fs/vfs.h"
#include "boot.h"
#include "error.h"
#include <jansson.h>
#include <sys/queue.h>

struct gofer;

struct conn { /* a connection of control.h; freed by its fiber */
  LIST_ENTRY(conn) link;
  struct sentry *s;
  int fd;
  struct process *proc; /* whose stand-in this is; counted; NULL: an ordinary command */
  struct file *console; /* proc's terminal, or NULL; counted */
  int standin;          /* the stand-in's host pid, 0 unknown */
  bool told;            /* the exit status has been sent */
};

struct sentry {
  const struct boot_args *a;
  struct kernel *k;
  struct gofer *gofer;
  struct path root;          /* of the container */
  struct task *init;         /* until it is started; then only init_proc is used */
  struct process *init_proc; /* counted */
  struct file *console;
  char *exe; /* the program's path, found at creation */
  LIST_HEAD(, conn) conns;
  bool started, starting, ended;
  int exit_status;          /* wait status of the container, once ended */
  int network_hold;         /* what keeps the host's stack deaf on our interfaces while it is open; -1: nothing */
  uint64_t pending_signals; /* asked for while paused: bit n-1 */
};

/* ---- boot.c ---- */
/* The container is over: tell who waits, flush the console, stop the loop. Wait status. */
void sentry_end(struct sentry *s, int wait_status);
void sentry_set_status(struct sentry *s, const char *text); /* ROOT/ID/status */
/* kernel_hooks.process_reaped */
void sentry_process_reaped(struct process *p);

/* ---- boot_mounts.c: the file system as the spec wants it. On a fiber, as the task t with all rights. ---- */
int boot_mount_all(struct sentry *s, struct err *e);
int boot_mount_devices(struct sentry *s, struct task *t, struct err *e);
int boot_hide_paths(struct sentry *s, struct task *t, struct err *e);
/* copy_up.c: fill the tmpfs mounted at `to` with what `from` holds (podman's tmpcopyup). */
int boot_copy_up(struct sentry *s, const struct path *from, const struct path *to);

/* ---- boot_process.c: a process as a `process` object wants it ---- */
/* Credentials, limits, directory, files; no program yet. fds: what becomes 0..2, taken over even on failure (-1: none);
 * console: a pty's slave, or -1. *console_file is counted. */
int process_prepare(struct sentry *s, struct task *t, const struct oci_process *p, bool make_cwd, const int fds[3],
                    int console, struct file **console_file, struct err *e);
/* Find the program as execvp would, as t. *path is malloc'd; errors are runc's. */
int process_find_program(struct task *t, const struct oci_process *p, char **path, struct err *e);
/* Load it into t (parks), with HOME added to the environment if it is missing. */
int process_load(struct sentry *s, struct task *t, const struct oci_process *p, const char *path, struct err *e);
/* Become / stop being t on this fiber, for calls that act on behalf of the current task. */
void act_as(struct task *t);
void act_as_nobody(struct task *t);
/* A task that was prepared but will never run. */
void process_discard(struct task *t);

/* ---- boot_network.c: devices, addresses and routes as "start" describes them (netsetup.h); takes the descriptors
 * over, fds[i] becomes -1. 0 or -1 with *e. ---- */
int boot_network(struct sentry *s, json_t *network, int *fds, int nfds, struct err *e);

/* ---- control_server.c ---- */
int control_serve(struct sentry *s); /* starts the fibers */
void conn_tell_exit(struct conn *c, int wait_status);
/* ---- control_ops.c: a request to its answer; a new reference. May turn c into a stand-in's connection. ---- */
json_t *control_handle(struct conn *c, json_t *req, int *fds, int nfds);
json_t *control_ok(void);
json_t *control_error(const char *text);
json_t *control_ps(struct sentry *s);
json_t *control_kill(struct sentry *s, int sig, bool all);
void process_signal_from_outside(struct process *p, int sig);
/* ---- pause.c: answers control requests, and nothing else, until "resume". ---- */
void pause_serve(struct conn *c);

/* ---- sentry_seccomp.c ---- */
/* The Sentry's own filter: from here on it can open nothing and make no process. 0 or -errno. */
int sentry_seccomp_install(int listener_fd);
/* ---- crash.c ---- */
/* SIGSEGV and relatives: a backtrace to stderr (the debug log), exit code 255. */
void crash_handlers_install(void);
