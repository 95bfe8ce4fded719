#include "launch.h"
#include "fds.h"
#include "rights.h"
#include "standin.h"
#include "title.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The sync socket, SOCK_SEQPACKET. command -> P: "c" (cgroups are set). P -> command: "n" (network namespace is
 * there); then the Sentry, which inherits it: "R" (ready). Either: "Etext" (failed).
 */
static _Noreturn void p_fail(int sync, const char *what) {
  char msg[512];
  int n = snprintf(msg, sizeof msg, "E%s: %s", what, strerror(errno));
  (void)!send(sync, msg, (size_t)n, MSG_NOSIGNAL);
  _exit(1);
}

static void write_file(int sync, const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0)
    p_fail(sync, path);
  close(fd);
}

/* Without privileges everything happens in a user namespace where the caller is root (user_namespaces(7)). */
static void become_root(int sync) {
  char map[64];
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (uid == 0)
    return;
  if (unshare(CLONE_NEWUSER))
    p_fail(sync, "make a user namespace (are unprivileged user namespaces allowed on this host?)");
  write_file(sync, "/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "0 %u 1", uid);
  write_file(sync, "/proc/self/uid_map", map);
  snprintf(map, sizeof map, "0 %u 1", gid);
  write_file(sync, "/proc/self/gid_map", map);
}

static void lo_up(void) {
  struct ifreq r = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  if (!ioctl(fd, SIOCGIFFLAGS, &r)) {
    r.ifr_flags |= IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &r);
  }
  close(fd);
}

static void enter_network(const struct oci_spec *s, int sync) {
  const struct oci_namespace *n = &s->ns[OCI_NS_NETWORK];
  if (!n->present) /* the host's: the container still gets a stack of its own in the Sentry */
    return;
  if (!n->path) {
    if (unshare(CLONE_NEWNET))
      p_fail(sync, "make a network namespace");
    lo_up();
    return;
  }
  int fd = open(n->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET))
    p_fail(sync, n->path);
  close(fd);
}

static void wait_go(int sync) {
  char c;
  ssize_t n;
  do
    n = recv(sync, &c, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n != 1 || c != 'c')
    _exit(1); /* the command has died: so has the container */
}

static pid_t clone_sentry(const struct launch *l, int sync, int monitor[2], unsigned uid) {
  unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;
  pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0)
    p_fail(sync, "make the sandbox's namespaces");
  if (pid == 0) {
    close(monitor[0]);
    standin_reset_signals();
    sandbox_main(l, sync, monitor[1], uid);
  }
  return pid;
}

static _Noreturn void p_main(const struct launch *l, int sync, pid_t parent) {
  int monitor[2];
  standin_block_signals();
  prctl(PR_SET_PDEATHSIG, 0);
  setsid();
  title_set("runsc-notify-mo", "runsc-notify-monitor %s", l->id);
  wait_go(sync);
  unsigned uid = rights_uid(getpid());
  become_root(sync);
  if (l->tied && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
    _exit(1);
  /* With the terminal as controlling terminal, its resizes and its hang-up come to P as signals. */
  if (l->console >= 0)
    ioctl(l->console, TIOCSCTTY, 0);
  enter_network(l->spec, sync);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor))
    p_fail(sync, "socketpair");
  if (send(sync, "n", 1, MSG_NOSIGNAL) != 1)
    _exit(1);
  pid_t sentry = clone_sentry(l, sync, monitor, uid);
  fds_null_stdio(-1);
  int keep[] = {monitor[0]};
  fds_close_others(keep, 1);
  if (!l->start_now && standin_enter_root(l)) {
    kill(sentry, SIGKILL);
    _exit(1);
  }
  if (chdir("/"))
    _exit(1);
  standin_die(standin_wait(monitor[0], sentry));
}

int launch_fork(const struct launch *l, struct launched *out, struct err *e) {
  int sync[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync))
    return err_sys(e, errno, "socketpair");
  malloc_trim(0); /* what P and the Sentry inherit, they keep */
  pid_t parent = getpid(), pid = fork();
  if (pid < 0) {
    close(sync[0]);
    close(sync[1]);
    return err_sys(e, errno, "fork");
  }
  if (pid == 0) {
    close(sync[0]);
    p_main(l, sync[1], parent);
  }
  close(sync[1]);
  *out = (struct launched){.pid = pid, .sync = sync[0]};
  return 0;
}

/* The first byte of the next message; 'E' leaves its text in *e, and so does the other side's death. */
static char next_message(int sync, struct err *e) {
  char buf[2048];
  ssize_t n;
  do
    n = recv(sync, buf, sizeof buf - 1, 0);
  while (n < 0 && errno == EINTR);
  if (n <= 0) {
    err_set(e, "the sandbox died before it was ready (a debug log may say why: --debug-log)");
    return 0;
  }
  buf[n] = 0;
  if (buf[0] == 'E')
    err_set(e, "%s", buf + 1);
  return buf[0];
}

int launch_go(struct launched *s, struct err *e) {
  if (send(s->sync, "c", 1, MSG_NOSIGNAL) != 1)
    return err_sys(e, errno, "the stand-in process has died");
  return next_message(s->sync, e) == 'n' ? 0 : -1;
}

bool launch_has_failed(const struct launched *s, struct err *e) {
  char buf[2048];
  ssize_t n = recv(s->sync, buf, sizeof buf - 1, MSG_DONTWAIT | MSG_PEEK);
  if (n <= 0 || buf[0] != 'E')
    return false;
  buf[n] = 0;
  err_set(e, "%s", buf + 1);
  return true;
}

int launch_wait_ready(struct launched *s, struct err *e) {
  char c = next_message(s->sync, e);
  close(s->sync);
  s->sync = -1;
  return c == 'R' ? 0 : -1;
}

void launch_abort(struct launched *s) {
  if (s->sync >= 0)
    close(s->sync);
  s->sync = -1;
  kill(s->pid, SIGKILL);
  while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
    ;
}
