/* SECCOMP_RET_TRACE: the tracer sees the call with its data, lets it go, changes it or skips it. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static void filter(void) {
  struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 0x1234),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 33),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog p = {6, f};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
}

static void tracee(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  filter();
  long r = syscall(SYS_getsid, 0);
  say("let go: %d", r > 0);
  r = syscall(SYS_getsid, 1);
  say("skipped: %ld", r);
  r = syscall(SYS_getsid, 2);
  say("another call: %d", r == getpid());
  r = syscall(SYS_getsid, 3);
  say("a forbidden one: %ld %d", r, errno);
  r = syscall(SYS_getsid, 0);
  say("the last traced: %d", r > 0);
  r = syscall(SYS_getsid, 0);
  say("untraced: %ld %s", r, strerrorname_np(errno));
  _exit(5);
}

static void change(pid_t p, int n) {
  struct user_regs_struct g;
  unsigned long data = 0;
  ptrace(PTRACE_GETEVENTMSG, p, 0, &data);
  ptrace(PTRACE_GETREGS, p, 0, &g);
  say("event data %lx nr %d arg %lld rax %d", data, g.orig_rax == SYS_getsid, (long long)g.rdi, (long)g.rax == -ENOSYS);
  if (n == 1) {
    g.orig_rax = -1;
    g.rax = 777;
  } else if (n == 2) {
    g.orig_rax = SYS_getpid;
  } else if (n == 3) {
    g.orig_rax = SYS_getpriority;
  }
  ptrace(PTRACE_SETREGS, p, 0, &g);
}

int main(void) {
  pid_t p = fork();
  int st;
  if (!p)
    tracee();
  waitpid(p, &st, 0);
  ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESECCOMP);
  ptrace(PTRACE_CONT, p, 0, 0);
  for (int n = 0; n < 4; n++) {
    waitpid(p, &st, 0);
    say("stop %d", st >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8));
    change(p, n);
    ptrace(PTRACE_CONT, p, 0, 0);
    if (n == 3)
      break;
  }
  waitpid(p, &st, 0);
  say("fifth stop %d", st >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8));
  ptrace(PTRACE_SETOPTIONS, p, 0, 0);
  ptrace(PTRACE_CONT, p, 0, 0);
  while (waitpid(p, &st, 0) == p && WIFSTOPPED(st))
    ptrace(PTRACE_CONT, p, 0, 0);
  say("exit %d", WEXITSTATUS(st));
  return 0;
}
