/* What the ptrace tests share: a wait that says in words what it saw. */
#pragma once
#include "guest.h"
#include <linux/ptrace.h>
#include <elf.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

static inline long P(int op, pid_t pid, unsigned long addr, unsigned long data) {
  return syscall(SYS_ptrace, op, pid, addr, data);
}
static inline const char *event_name(int e) {
  static const char *const n[] = {"none", "FORK", "VFORK", "CLONE", "EXEC", "VFORK_DONE", "EXIT", "SECCOMP"};
  return e == PTRACE_EVENT_STOP ? "STOP" : e < 8 ? n[e] : "?";
}

/* Wait for one change of pid and say it. Returns the status. */
static inline int see(const char *who, pid_t pid, int options) {
  int st = 0;
  pid_t r;
  do
    r = waitpid(pid, &st, options);
  while (r < 0 && errno == EINTR);
  if (r <= 0)
    say("%s: %s", who, r ? strerrorname_np(errno) : "nothing");
  else if (WIFSTOPPED(st))
    say("%s: stopped by %s%s, event %s", who, sigabbrev_np(WSTOPSIG(st) & 0x7f), WSTOPSIG(st) & 0x80 ? "|0x80" : "",
        event_name(st >> 16));
  else if (WIFCONTINUED(st))
    say("%s: continued", who);
  else if (WIFSIGNALED(st))
    say("%s: killed by %s", who, sigabbrev_np(WTERMSIG(st)));
  else
    say("%s: exited with %d", who, WEXITSTATUS(st));
  return st;
}

static inline void info_of(const char *who, pid_t pid) {
  siginfo_t i;
  memset(&i, 0, sizeof i);
  if (P(PTRACE_GETSIGINFO, pid, 0, (long)&i))
    say("%s: no siginfo: %s", who, strerrorname_np(errno));
  else
    say("%s: siginfo %s code %d%s", who, sigabbrev_np(i.si_signo), i.si_code,
        i.si_code <= 0 ? i.si_pid == getpid() ? " from me"
                         : i.si_pid == pid    ? " from itself"
                                              : " from other"
                       : "");
}
