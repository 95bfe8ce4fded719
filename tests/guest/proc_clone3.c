/* clone3: argument checks, pidfd, exit signal, stack, CLEAR_SIGHAND. */
#include "guest.h"
#include <linux/sched.h>
static void h(int s) {}
static long clone3(struct clone_args *a, size_t n) { return syscall(SYS_clone3, a, n); }
int main(void) {
  struct clone_args a = {.exit_signal = SIGCHLD};
  SHOW(clone3(&a, 8));
  SHOW(clone3(&a, 0));
  SHOW(clone3(&a, 100000));
  SHOW(clone3(NULL, sizeof a));
  struct clone_args bad = {.flags = CLONE_SIGHAND, .exit_signal = SIGCHLD};
  SHOW(clone3(&bad, sizeof bad));
  bad = (struct clone_args){.exit_signal = 65};
  SHOW(clone3(&bad, sizeof bad));
  bad = (struct clone_args){.flags = 0xffULL, .exit_signal = SIGCHLD};
  SHOW(clone3(&bad, sizeof bad));
  bad = (struct clone_args){.stack = 4096, .exit_signal = SIGCHLD};
  SHOW(clone3(&bad, sizeof bad));
  bad = (struct clone_args){.stack_size = 4096, .exit_signal = SIGCHLD};
  SHOW(clone3(&bad, sizeof bad));
  struct {
    struct clone_args a;
    uint64_t more[4];
  } longer = {.a = {.exit_signal = SIGCHLD}, .more = {1}};
  SHOW(clone3(&longer.a, sizeof longer));
  longer.more[0] = 0;
  long p = clone3(&longer.a, sizeof longer);
  if (p == 0)
    _exit(21);
  reap("longer struct of zeroes", p);

  int pidfd = -1;
  pid_t ptid = 0;
  a = (struct clone_args){.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uintptr_t)&pidfd,
                          .parent_tid = (uintptr_t)&ptid, .exit_signal = SIGCHLD};
  p = clone3(&a, sizeof a);
  if (p == 0)
    _exit(22);
  YES(pidfd >= 0);
  YES(ptid == p);
  YES(fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
  struct pollfd pf = {pidfd, POLLIN, 0};
  SHOW(poll(&pf, 1, 5000));
  siginfo_t si;
  SHOW(waitid(P_PIDFD, pidfd, &si, WEXITED));
  say("status %d", si.si_status);

  on_signal(SIGUSR1, h, 0);
  on_signal(SIGUSR2, SIG_IGN, 0);
  a = (struct clone_args){.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
  p = clone3(&a, sizeof a);
  if (p == 0) {
    struct sigaction s1, s2;
    sigaction(SIGUSR1, NULL, &s1);
    sigaction(SIGUSR2, NULL, &s2);
    say("USR1 %s, USR2 %s", s1.sa_handler == SIG_DFL ? "default" : "handled", s2.sa_handler == SIG_IGN ? "ignored" : "other");
    _exit(0);
  }
  reap("clear_sighand", p);
}
