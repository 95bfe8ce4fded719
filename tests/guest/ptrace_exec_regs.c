/* What a new program finds in its registers: nothing of the one before, nor of anybody else's. */
#include "guest.h"
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

int main(void) {
  int st;
  pid_t p = fork();
  if (p == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execl("/bin/true", "true", NULL);
    _exit(1);
  }
  waitpid(p, &st, 0);
  YES(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
  struct user_regs_struct r;
  SHOW(ptrace(PTRACE_GETREGS, p, 0, &r));
  YES(!r.fs_base), YES(!r.gs_base);
  YES(!(r.rbx | r.rbp | r.rdi | r.rsi | r.rdx | r.r8 | r.r9 | r.r10 | r.r12 | r.r13 | r.r14 | r.r15));
  SHOW(ptrace(PTRACE_SETREGS, p, 0, &r));
  ptrace(PTRACE_CONT, p, 0, 0);
  waitpid(p, &st, 0);
  YES(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}
