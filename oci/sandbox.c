/* The Sentry's process before it is the Sentry: gofer, empty root, no rights; then boot(). */
#include "boot.h"
#include "fds.h"
#include "launch.h"
#include "rights.h"
#include "sentry.h"
#include "title.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One failure sentence to `create`, then the end. */
static _Noreturn void fail(int sync, const char *what) {
  char msg[512];
  int n = snprintf(msg, sizeof msg, "Estarting the sandbox: %s: %s", what, strerror(errno));
  (void)!send(sync, msg, (size_t)n, MSG_NOSIGNAL);
  _exit(1);
}

static _Noreturn void fail_text(int sync, const char *text) {
  char msg[512];
  int n = snprintf(msg, sizeof msg, "E%s", text);
  (void)!send(sync, msg, (size_t)n, MSG_NOSIGNAL);
  _exit(1);
}

static int start_gofer(const struct launch *l, int sync) {
  int sv[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
    fail(sync, "socketpair");
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0)
    fail(sync, "clone the gofer");
  if (pid == 0) {
    close(sv[0]);
    gofer_main(l, sv[1]);
  }
  close(sv[1]);
  return sv[0];
}

/* A change of ids clears the parent-death signal, and P may have died in between: its end of the socket tells. */
static void follow_parent(int sync, int monitor) {
  struct pollfd p = {.fd = monitor, .events = POLLIN};
  if (prctl(PR_SET_PDEATHSIG, SIGKILL))
    fail(sync, "parent-death signal");
  if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
    _exit(1);
}

static void close_unneeded(const struct launch *l, int sync, int monitor, int gofer) {
  int keep[] = {sync,        monitor,    gofer,      l->stdio[0], l->stdio[1],
                l->stdio[2], l->console, l->control, l->status,   l->debug_log};
  fds_close_others(keep, sizeof keep / sizeof *keep);
}

_Noreturn void sandbox_main(const struct launch *l, int sync, int monitor, unsigned uid) {
  struct launch mine = *l;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  title_set("runsc-notify-sa", "runsc-notify-sandbox %s", l->id);
  /* The container's own streams move above 2, where nothing of ours can land on them. */
  for (int i = 0; i < 3; i++) {
    mine.stdio[i] = l->console >= 0 || l->stdio[i] < 0 ? -1 : fcntl(l->stdio[i], F_DUPFD_CLOEXEC, 3);
  }
  fds_null_stdio(l->debug_log >= 0 ? l->debug_log : l->keep_stderr ? STDERR_FILENO : -1);
  signal(SIGPIPE, SIG_IGN);
  crash_handlers_install(); /* while the unwinder's library can still be found */
  /* Every open file of the guests may be a descriptor here. */
  struct rlimit nofile;
  if (!getrlimit(RLIMIT_NOFILE, &nofile)) {
    nofile.rlim_cur = nofile.rlim_max;
    setrlimit(RLIMIT_NOFILE, &nofile);
  }

  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
    fail(sync, "make mounts private");
  struct plat_host host;
  const char *why = "the host cannot be examined";
  if (plat_probe(&host, &why) < 0)
    fail_text(sync, why);
  int gofer = start_gofer(&mine, sync);
  int root = detached_tmpfs();
  if (root < 0 || enter_root(root, true))
    fail(sync, "enter an empty root");
  close(root);
  close_unneeded(&mine, sync, monitor, gofer);
  umask(0);
  const char *step = rights_drop(uid);
  if (step)
    fail(sync, step);
  follow_parent(sync, monitor);

  struct boot_args args = {
      .spec = l->spec,
      .id = l->id,
      .gofer_sock = gofer,
      .control_sock = mine.control,
      .monitor_sock = monitor,
      .sync_fd = sync,
      .status_fd = mine.status,
      .stdio = {mine.stdio[0], mine.stdio[1], mine.stdio[2]},
      .console_fd = mine.console,
      .log_fd = mine.debug_log,
      .strace = l->strace,
      .start_now = l->start_now,
      .overlay = l->overlay,
      .host = host,
  };
  _exit(boot(&args));
}
