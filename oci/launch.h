/*
 * Starting a sandbox: P, the stand-in that engines know as the container's pid; its child, the Sentry, pid 1 of a pid
 * namespace of its own; and the Sentry's child, the gofer.
 *
 *   command ──fork──► P ──clone──► Sentry ──clone──► gofer
 *
 * P joins or makes the network namespace that the engine configures; the Sentry sees only an empty one.
 */
#pragma once
#include "error.h"
#include "spec.h"
#include <stdbool.h>
#include <sys/types.h>

struct launch {
  const struct oci_spec *spec;
  const char *id;
  const char *bundle; /* absolute: where relative mount sources and root.path start */
  const char *rootfs; /* absolute */
  const char *overlay;
  int stdio[3];     /* borrowed; used without a terminal */
  int console;      /* the pty's slave, or -1 */
  int control;      /* listening */
  int status;       /* ROOT/ID/status, open for writing, or -1 */
  int debug_log;    /* or -1 */
  bool keep_stderr; /* the Sentry's own complaints (asserts, sanitizers) go to stderr: `do` without a debug log */
  bool strace;
  bool start_now;
  bool tied; /* `do`: P dies with the command, however that ends */
};

struct launched {
  pid_t pid; /* P, a child of the caller */
  int sync;  /* SOCK_SEQPACKET to P, then to the Sentry */
};

/* Fork P. It waits for launch_go(). 0 or -1 with *e. */
int launch_fork(const struct launch *l, struct launched *out, struct err *e);
/* P is in its cgroups: let it make the network namespace. Returns when that is there, so that hooks can be run. */
int launch_go(struct launched *s, struct err *e);
/* Wait until the Sentry is ready to start the program; its error otherwise. Closes the sync socket. */
int launch_wait_ready(struct launched *s, struct err *e);
/* Has the Sentry given up already? Then *e is its error. A hook that failed may only have noticed that P is gone. */
bool launch_has_failed(const struct launched *s, struct err *e);
/* Kill P, and thereby everything, and reap it. */
void launch_abort(struct launched *s);

/* ---- parts of it, in files of their own ---- */
/* In the child that is to be the gofer: build its root out of the trees and serve. Never returns. gofer_main.c */
_Noreturn void gofer_main(const struct launch *l, int sock);
/* In the Sentry's process: namespaces are made; drop everything, then boot. Never returns. sandbox.c */
_Noreturn void sandbox_main(const struct launch *l, int sync, int monitor, unsigned uid);
/* In P: leave the host's files for the container's. -1 if that cannot be; P then must not go on. standin_root.c */
int standin_enter_root(const struct launch *l);
/* A tmpfs, not yet attached to anything; -1 and errno. rootfs.c */
int detached_tmpfs(void);
/* A procfs of this pid namespace that holds nothing but processes, attached nowhere; 0 if the host refuses. rootfs.c */
int detached_procfs(void);
/* Make fd, a detached mount, the root of this process's mount namespace and forget the old one. -1 and errno. */
int enter_root(int fd, bool readonly);
