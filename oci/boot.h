/*
 * Boot of the Sentry: the one place where the kernel is put together. The launcher (oci/) has parsed the spec, made the
 * namespaces, started the gofer and dropped to the final uid; boot() makes the platform, the loop and the kernel,
 * mounts, creates init, reports, and serves until the container has ended.
 */
#pragma once
#include "../core/platform.h"
#include "spec.h"

struct boot_args {
  const struct oci_spec *spec;
  const char *id;
  int gofer_sock;   /* SOCK_SEQPACKET to the gofer */
  int control_sock; /* listening SOCK_STREAM/SEQPACKET socket: exec, kill, ps, wait, … */
  int monitor_sock; /* connection to P, the container's stand-in (control.h) */
  int sync_fd;      /* report "R" or "E" and one error sentence to `create` (SOCK_SEQPACKET); closed after it */
  int status_fd;    /* ROOT/ID/status: what `state` shows, or -1 */
  int stdio[3];     /* host descriptors of init, or -1 */
  int console_fd;   /* pty slave if spec->process.terminal, else -1 */
  int log_fd;       /* debug log or -1 */
  bool strace;
  bool start_now;        /* `do` and tests: do not wait for the start request */
  const char *overlay;   /* "root:memory" or "none" */
  struct plat_host host; /* learned while /proc was visible */
};
/* Runs the sandbox; returns the wait status of init encoded as an exit code (code, or 128+signal). */
int boot(const struct boot_args *a);
