/* ptrace(2): system-call stops, what a tracer may change at them, SYSEMU, seccomp's events, restarts. */
#include "ptrace.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

static volatile long result;

static pid_t start(void (*fn)(void)) {
  pid_t p = fork();
  if (!p) {
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    fn();
    _exit(0);
  }
  see("start", p, 0);
  P(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  return p;
}

static void describe(pid_t p, bool args) {
  struct ptrace_syscall_info s;
  memset(&s, 0, sizeof s);
  long n = P(PTRACE_GET_SYSCALL_INFO, p, sizeof s, (long)&s);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("info %ld op %d arch %x, ip and sp agree: %d", n, s.op, s.arch,
      s.instruction_pointer == r.rip && s.stack_pointer == r.rsp);
  if (s.op == PTRACE_SYSCALL_INFO_ENTRY)
    say("entry: nr %llu, rax %lld, orig_rax %lld%s", s.entry.nr, r.rax, r.orig_rax,
        args && s.entry.args[0] == r.rdi && s.entry.args[5] == r.r9 ? ", args agree" : "");
  if (s.op == PTRACE_SYSCALL_INFO_EXIT && s.exit.rval == getpid())
    say("exit: the parent's pid, rax %d orig_rax %lld", (long long)r.rax == s.exit.rval, r.orig_rax);
  else if (s.op == PTRACE_SYSCALL_INFO_EXIT)
    say("exit: %lld error %d, rax %lld orig_rax %lld, rcx is rip: %d", s.exit.rval, s.exit.is_error, r.rax, r.orig_rax,
        r.rcx == r.rip);
  if (s.op == PTRACE_SYSCALL_INFO_SECCOMP)
    say("seccomp: nr %llu data %x", s.seccomp.nr, s.seccomp.ret_data);
}

static void calls(void) {
  write(-1, "x", 1);
  result = syscall(SYS_getppid) == getpid();
  syscall(SYS_lseek, -1, 1, 2);
  _exit((int)syscall(SYS_umask, 022) & 0x3f);
}

static void set(pid_t p, long nr, long rax) {
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  if (nr != -2)
    r.orig_rax = nr;
  if (rax != -2)
    r.rax = rax;
  SHOW(P(PTRACE_SETREGS, p, 0, (long)&r));
}

static void plain(void) {
  say("-- entry and exit");
  pid_t p = start(calls);
  for (int i = 0; i < 4; i++) {
    P(PTRACE_SYSCALL, p, 0, 0);
    see("stop", p, 0);
    describe(p, true);
  }
  say("-- skip, with a result");
  P(PTRACE_SYSCALL, p, 0, 0);
  see("getpid or lseek", p, 0);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("stop", p, 0);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("stop", p, 0);
  set(p, -1, -ENOTTY);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("stop", p, 0);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("skipped: rax %lld", r.rax);
  say("-- another result at the exit");
  P(PTRACE_SYSCALL, p, 0, 0);
  see("stop", p, 0);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("stop", p, 0);
  set(p, -2, 42);
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

static void two_getpids(void) {
  long a = syscall(SYS_getppid), b = syscall(SYS_write, -1, "hello\n", 6);
  _exit(a == getpid() && b == -1 && errno == EBADF);
}

/* Change the number: a call that the platform treats differently, and back. */
static void renumber(void) {
  say("-- another number, other arguments");
  pid_t p = start(two_getpids);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("entry", p, 0);
  set(p, SYS_getpid, -2);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("exit", p, 0);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("getpid instead: %d, orig_rax %lld", (pid_t)r.rax == p, r.orig_rax);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("entry", p, 0);
  P(PTRACE_GETREGS, p, 0, (long)&r);
  r.rdi = 1;
  r.rdx = 6;
  P(PTRACE_SETREGS, p, 0, (long)&r);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("exit", p, 0);
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("written %lld", r.rax);
  r.rax = -EBADF;
  P(PTRACE_SETREGS, p, 0, (long)&r);
  /* getpid → an anonymous mmap, which is then used by the tracer */
  P(PTRACE_SYSCALL, p, 0, 0);
  see("entry", p, 0);
  P(PTRACE_GETREGS, p, 0, (long)&r);
  struct user_regs_struct keep = r;
  r.orig_rax = SYS_mmap;
  r.rdi = 0;
  r.rsi = 8192;
  r.rdx = PROT_READ | PROT_WRITE;
  r.r10 = MAP_PRIVATE | MAP_ANONYMOUS;
  r.r8 = -1;
  r.r9 = 0;
  P(PTRACE_SETREGS, p, 0, (long)&r);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("exit", p, 0);
  P(PTRACE_GETREGS, p, 0, (long)&r);
  unsigned long at = r.rax, word = 0;
  say("mapped %d", !(at & 4095) && at > 4096 && at < -4096ul);
  SHOW(P(PTRACE_POKEDATA, p, at + 8, 0x1234));
  P(PTRACE_PEEKDATA, p, at + 8, (long)&word);
  say("word %#lx", word);
  keep.rip = r.rip;
  keep.rax = p; /* wrong on purpose: the child says 0 then */
  P(PTRACE_SETREGS, p, 0, (long)&keep);
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

static void emulated(void) {
  say("-- SYSEMU");
  pid_t p = start(calls);
  for (int i = 0; i < 3; i++) {
    P(PTRACE_SYSEMU, p, 0, 0);
    see("stop", p, 0);
    describe(p, false);
    set(p, -2, 100 + i);
  }
  P(PTRACE_KILL, p, 0, 0);
  see("child", p, 0);
}

static void on_alarm(int s) {}
static void sleeps(void) {
  struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  struct timespec ts = {0, 300000000};
  int fd[2];
  char c;
  pipe(fd);
  read(fd[0], &c, 1);
  nanosleep(&ts, NULL);
}

/* The number and result of the next stop. */
static void next_stop(pid_t p, int sig, const char *what) {
  P(PTRACE_SYSCALL, p, 0, sig);
  int st = see(what, p, 0);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  if (WIFSTOPPED(st))
    say("  orig_rax %lld rax %lld", r.orig_rax, r.rax);
}

static void asleep(pid_t p) {
  char path[64], s[256] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", p);
  for (;;) {
    FILE *f = fopen(path, "r");
    if (!f || !fgets(s, sizeof s, f))
      return;
    fclose(f);
    if (strstr(s, ") S"))
      return;
    usleep(2000);
  }
}

static void restarts(void) {
  say("-- restarts");
  pid_t p = start(sleeps);
  next_stop(p, 0, "rt_sigaction");
  next_stop(p, 0, "rt_sigaction");
  next_stop(p, 0, "pipe");
  next_stop(p, 0, "pipe");
  next_stop(p, 0, "read");
  P(PTRACE_SYSCALL, p, 0, 0);
  asleep(p);
  kill(p, SIGUSR1);
  int st = see("read", p, 0);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("  orig_rax %lld rax %lld %d", r.orig_rax, r.rax, WSTOPSIG(st));
  next_stop(p, 0, "signal");
  next_stop(p, SIGUSR1, "handler: sigreturn");
  next_stop(p, 0, "sigreturn exit");
  next_stop(p, 0, "read again");
  P(PTRACE_SYSCALL, p, 0, 0);
  asleep(p);
  kill(p, SIGUSR1);
  see("read", p, 0);
  next_stop(p, 0, "signal");
  next_stop(p, 0, "swallowed: read again");
  set(p, -1, 0);
  next_stop(p, 0, "read skipped");
  next_stop(p, 0, "nanosleep");
  P(PTRACE_SYSCALL, p, 0, 0);
  asleep(p);
  kill(p, SIGUSR1);
  see("nanosleep", p, 0);
  next_stop(p, 0, "signal");
  next_stop(p, 0, "restart_syscall");
  next_stop(p, 0, "its end");
  P(PTRACE_KILL, p, 0, 0);
  see("child", p, 0);
}

static void filtered(void) {
  struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 0x77),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog prog = {4, f};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
  long a = syscall(SYS_getppid), b = syscall(SYS_getppid), c = syscall(SYS_getppid);
  _exit((a == getppid()) | (b == 55) << 1 | (c == -1 && errno == ENOSYS) << 2);
}

static void seccomp_events(void) {
  say("-- seccomp events");
  pid_t p = start(filtered);
  P(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
  P(PTRACE_CONT, p, 0, 0);
  see("first", p, 0);
  describe(p, false);
  unsigned long msg = 0;
  P(PTRACE_GETEVENTMSG, p, 0, (long)&msg);
  say("message %#lx", msg);
  P(PTRACE_CONT, p, 0, 0);
  see("second", p, 0);
  set(p, -1, 55);
  P(PTRACE_CONT, p, 0, 0);
  see("third", p, 0);
  P(PTRACE_SETOPTIONS, p, 0, PTRACE_O_EXITKILL);
  P(PTRACE_KILL, p, 0, 0);
  see("child", p, 0);
}

int main(void) {
  plain();
  renumber();
  emulated();
  restarts();
  seccomp_events();
}
