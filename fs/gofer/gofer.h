/*
 * Both ends of the gofer. The server is a process of its own, the only one that sees host files; the client is the
 * file system that the VFS mounts. fs/gofer/proto.h documents the messages between them.
 */
#pragma once
#include <stdbool.h>

/* ---- server (runs in the gofer process) ---- */
struct gofer_tree {
  const char *path; /* in the gofer's own root, e.g. "/0": a directory, or a file bound as a tree of its own */
  bool readonly;    /* refuse every change with -EROFS */
};
/*
 * Serve until the peer hangs up. The caller has already arranged mounts and pivoted into them; this opens the trees,
 * drops capabilities to the few it needs, installs its seccomp filter, and loops. `sock` is a SOCK_SEQPACKET socket.
 * proc_fd is a procfs, not attached anywhere, in which nothing is seen but the sandbox's own processes; 0 if the host
 * would not mount one. Returns the exit code.
 */
int gofer_serve(int sock, const struct gofer_tree *trees, int ntrees, int proc_fd);

/* ---- client (runs in the Sentry) ---- */
struct kernel;
struct gofer;
/* Takes the socket over. on_death is called once when the gofer has gone. */
int gofer_connect(struct kernel *k, int sock, void (*on_death)(void *arg), void *arg, struct gofer **out);
/* kernel_hooks.look_open: a file of the host's /proc/PID, for core/mm_look.c. A descriptor or -errno. Parks. */
int gofer_look_open(struct kernel *k, int host_pid, int what);
