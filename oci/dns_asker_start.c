/* Finding dockerd's DNS server, and making the process that asks it: see dns_asker.h. */
#include "cgroup.h"
#include "dns_asker.h"
#include "fds.h"
#include "launch.h"
#include "rights.h"
#include "standin.h"
#include "title.h"
#include "../net/dns_relay.h"
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 512 /* a socket per question, and a few */

/* proc_net(5): the second column is ADDRESS:PORT, the address as the number it is in memory. */
static bool listed(const char *path) {
  char line[512];
  unsigned addr;
  bool found = false;
  FILE *f = fopen(path, "re");
  while (f && !found && fgets(line, sizeof line, f))
    found = sscanf(line, " %*d: %8x:", &addr) == 1 && ntohl(addr) == DNS_SERVER;
  if (f)
    fclose(f);
  return found;
}

/* A process that changed its namespace sees its new one through its own directory only. */
bool dns_server_is_here(void) {
  return listed("/proc/thread-self/net/udp") || listed("/proc/thread-self/net/tcp");
}

static int install_filter(void) {
  static const int plain[] = {
      SCMP_SYS(poll),    SCMP_SYS(recvfrom),        SCMP_SYS(sendto),        SCMP_SYS(sendmsg),
      SCMP_SYS(connect), SCMP_SYS(close),           SCMP_SYS(clock_gettime), SCMP_SYS(brk),
      SCMP_SYS(munmap),  SCMP_SYS(mremap),          SCMP_SYS(madvise),       SCMP_SYS(exit_group),
      SCMP_SYS(exit),    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),  SCMP_SYS(getrandom)};
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
  int rc = f ? 0 : -ENOMEM;
  for (size_t i = 0; !rc && i < sizeof plain / sizeof *plain; i++)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, plain[i], 0);
  if (!rc)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, AF_INET));
  if (!rc)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (!rc)
    rc = seccomp_load(f);
  seccomp_release(f);
  return rc;
}

static _Noreturn void asker_main(int sock, pid_t p, const char *id) {
  int keep[] = {sock}, root;
  fds_null_stdio(-1); /* the engine waits for the end of the command's streams */
  fds_close_others(keep, 1);
  standin_reset_signals();
  signal(SIGPIPE, SIG_IGN);
  setsid();
  title_set("runsc-notify-dn", "runsc-notify-dns %s", id);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){DESCRIPTORS, DESCRIPTORS});
  if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
      (root = detached_tmpfs()) < 0 || enter_root(root, true))
    _exit(1);
  close(root);
  if (rights_drop(rights_uid(p)) || install_filter())
    _exit(1);
  dns_asker_serve(sock, DNS_SERVER, DNS_PORT);
  _exit(0);
}

int dns_asker_start(pid_t p, const char *id, const struct cgroup *cg, struct err *e) {
  int sv[2], status = 0;
  struct err ignored;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
    return err_sys(e, errno, "socketpair");
  pid_t middle = fork();
  if (middle == 0) { /* the one in between ends at once, so that nobody but a reaper has to wait for the other */
    if (cg)
      cgroup_join(cg, getpid(), &ignored);
    pid_t asker = fork();
    if (asker == 0)
      asker_main(sv[1], p, id);
    _exit(asker < 0);
  }
  close(sv[1]);
  while (middle > 0 && waitpid(middle, &status, 0) < 0 && errno == EINTR)
    ;
  if (middle > 0 && !status)
    return sv[0];
  close(sv[0]);
  return err_set(e, "the process that asks the container's DNS server cannot be started");
}
