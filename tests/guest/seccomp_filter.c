/* seccomp(2): the checker, verdicts and their order, inheritance, what a denied call looks like. */
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define LD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LDARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define EQ(k, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, f)
#define RET(k) BPF_STMT(BPF_RET | BPF_K, k)
#define N(a) (sizeof(a) / sizeof *(a))

static long install(unsigned flags, const struct sock_filter *f, unsigned n) {
  struct sock_fprog p = {(unsigned short)n, (struct sock_filter *)f};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}
/* One call gets `verdict`, all others are allowed. */
static long on_call(int nr, uint32_t verdict) {
  struct sock_filter f[] = {LD(nr), EQ(nr, 0, 1), RET(verdict), RET(SECCOMP_RET_ALLOW)};
  return install(0, f, N(f));
}
static void nnp(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
static const char *name(long r) {
  return r < 0 ? strerrorname_np(errno) : "ok";
}

static void report(const char *what, long r) {
  printf("%s %ld %d\n", what, r, r < 0 ? errno : 0);
}

/* In a child, so that filters do not add up. */
static void child(const char *what, void (*fn)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    nnp();
    fn();
    fflush(stdout);
    _exit(7);
  }
  int st;
  waitpid(p, &st, 0);
  if (WIFSIGNALED(st))
    printf("%s: signal %d\n", what, WTERMSIG(st));
  else
    printf("%s: exit %d\n", what, WEXITSTATUS(st));
}

static void check_one(const char *what, const struct sock_filter *f, unsigned n) {
  long r = install(0, f, n);
  printf("check %s: %s\n", what, name(r));
}
#define CHECK(what, ...)                                                                                               \
  do {                                                                                                                 \
    struct sock_filter f_[] = {__VA_ARGS__};                                                                           \
    check_one(what, f_, N(f_));                                                                                        \
  } while (0)
static void checker(void) {
  struct sock_filter ok = RET(SECCOMP_RET_ALLOW);
  CHECK("ret", ok);
  CHECK("no ret", LD(nr));
  CHECK("unaligned", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ok);
  CHECK("beyond", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ok);
  CHECK("half word", BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ok);
  CHECK("byte", BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), ok);
  CHECK("indirect", BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ok);
  CHECK("msh", BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), ok);
  CHECK("len", BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), ok);
  CHECK("ldx len", BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), ok);
  CHECK("mod", BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ok);
  CHECK("xor", BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 3), ok);
  CHECK("neg", BPF_STMT(BPF_ALU | BPF_NEG, 0), ok);
  CHECK("div 0", BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ok);
  CHECK("div x", BPF_STMT(BPF_LDX | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ok);
  CHECK("shift 32", BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ok);
  CHECK("shift 31", BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 31), ok);
  CHECK("jump out", BPF_STMT(BPF_JMP | BPF_JA, 1), ok);
  CHECK("jump on", BPF_STMT(BPF_JMP | BPF_JA, 0), ok);
  CHECK("branch out", EQ(0, 0, 1), ok);
  CHECK("mem 16", BPF_STMT(BPF_ST, 16), ok);
  CHECK("mem unset", BPF_STMT(BPF_LD | BPF_MEM, 1), ok);
  CHECK("mem", BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LD | BPF_MEM, 1), ok);
  CHECK("mem on one path", EQ(0, 0, 1), BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LD | BPF_MEM, 1), ok);
  CHECK("mem on both", EQ(0, 0, 2), BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_STX, 1),
        BPF_STMT(BPF_LDX | BPF_MEM, 1), ok);
  CHECK("ret a", BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_A, 0));
  CHECK("ret x", BPF_STMT(BPF_RET | BPF_X, 0));
  CHECK("unknown", {0xffff, 0, 0, 0}, ok);
  struct sock_fprog none = {0, NULL}, bad = {1, (void *)8}, big = {4097, &ok};
  printf("empty %s", name(syscall(SYS_seccomp, 1, 0, &none)));
  printf(" bad %s", name(syscall(SYS_seccomp, 1, 0, &bad)));
  printf(" big %s", name(syscall(SYS_seccomp, 1, 0, &big)));
  printf(" null %s", name(syscall(SYS_seccomp, 1, 0, NULL)));
  printf(" flags %s", name(syscall(SYS_seccomp, 1, 64, &none)));
  printf(" op %s\n", name(syscall(SYS_seccomp, 99, 0, &none)));
  printf("tsync+listener %s", name(install(1 | 8, &ok, 1)));
  printf(" killable %s\n", name(install(32, &ok, 1)));
}

static void errno_verdicts(void) {
  on_call(SYS_getppid, SECCOMP_RET_ERRNO | 77);
  report("errno", syscall(SYS_getppid));
  on_call(SYS_getpgrp, SECCOMP_RET_ERRNO | 5000);
  report("capped", syscall(SYS_getpgrp));
  on_call(SYS_getuid, SECCOMP_RET_ERRNO | 0);
  printf("zero %ld\n", syscall(SYS_getuid));
  on_call(SYS_getgid, SECCOMP_RET_TRACE | 1);
  errno = 0;
  report("no tracer", syscall(SYS_getgid));
  on_call(SYS_sync, SECCOMP_RET_LOG);
  printf("log %ld\n", syscall(SYS_sync));
  on_call(SYS_getegid, SECCOMP_RET_USER_NOTIF);
  report("no listener", syscall(SYS_getegid));
  /* The stricter one wins, whichever came first; of two equal ones the newer. */
  on_call(SYS_getsid, SECCOMP_RET_ERRNO | 10);
  on_call(SYS_getsid, SECCOMP_RET_TRACE | 1);
  on_call(SYS_getsid, SECCOMP_RET_ERRNO | 11);
  report("order", syscall(SYS_getsid, 0));
  on_call(-1, SECCOMP_RET_ERRNO | 12);
  report("minus one", syscall(-1));
  on_call(9999, SECCOMP_RET_ERRNO | 13);
  report("no such call", syscall(9999));
}

static void by_argument(void) {
  struct sock_filter f[] = {
      LD(arch),
      EQ(AUDIT_ARCH_X86_64, 1, 0),
      RET(SECCOMP_RET_KILL_PROCESS),
      LD(nr),
      EQ(SYS_dup2, 0, 5),
      LDARG(0),
      EQ(1, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 12),
      EQ(0x1234, 0, 1),
      RET(SECCOMP_RET_ERRNO | 99),
      RET(SECCOMP_RET_ALLOW),
  };
  install(0, f, N(f));
  report("dup2 high", syscall(SYS_dup2, 1L, 0x123400000003L));
  printf("dup2 %ld\n", syscall(SYS_dup2, 1L, 50L));
  printf("dup2 other %ld\n", syscall(SYS_dup2, 2L, 0x123400000032L));
}

/* mmap and friends take other ways into the kernel than most calls. */
static void memory_calls(void) {
  void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sock_filter f[] = {
      LD(nr),
      EQ(SYS_mmap, 0, 7),
      LDARG(2),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      RET(SECCOMP_RET_ERRNO | EPERM),
      LDARG(3),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_STACK, 5, 0),
      LDARG(1),
      EQ(12345, 3, 2),
      EQ(SYS_munmap, 2, 0),
      EQ(SYS_mprotect, 1, 0),
      RET(SECCOMP_RET_ALLOW),
      RET(SECCOMP_RET_ERRNO | EXDEV),
  };
  install(0, f, N(f));
  int anon = MAP_PRIVATE | MAP_ANONYMOUS;
  printf("exec %s", mmap(NULL, 4096, PROT_READ | PROT_EXEC, anon, -1, 0) == MAP_FAILED ? name(-1) : "ok");
  printf(" stack %s", mmap(NULL, 4096, PROT_READ, anon | MAP_STACK, -1, 0) == MAP_FAILED ? name(-1) : "ok");
  printf(" length %s", mmap(NULL, 12345, PROT_READ, anon, -1, 0) == MAP_FAILED ? name(-1) : "ok");
  printf(" plain %s", mmap(NULL, 4096, PROT_READ, anon, -1, 0) == MAP_FAILED ? name(-1) : "ok");
  printf(" munmap %s", name(munmap(p, 4096)));
  printf(" mprotect %s\n", name(mprotect(p, 4096, PROT_READ)));
  *(char *)p = 1;
}

static volatile sig_atomic_t caught;
static siginfo_t seen;
static long seen_rax, seen_at_ip;
static void on_sys(int sig, siginfo_t *si, void *uc_) {
  ucontext_t *uc = uc_;
  caught++;
  seen = *si;
  seen_rax = uc->uc_mcontext.gregs[REG_RAX];
  seen_at_ip =
      uc->uc_mcontext.gregs[REG_RIP] == (long)si->si_call_addr && !memcmp((char *)si->si_call_addr - 2, "\x0f\x05", 2);
  uc->uc_mcontext.gregs[REG_RAX] = 4242 + uc->uc_mcontext.gregs[REG_RDI];
}
static void trapping(void) {
  struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &a, NULL);
  on_call(SYS_getsid, SECCOMP_RET_TRAP | 33);
  long r = syscall(SYS_getsid, 5);
  printf("trap %d ret %ld code %d errno %d nr %d arch %x rax %d ip %ld\n", caught, r, seen.si_code, seen.si_errno,
         seen.si_syscall == SYS_getsid, seen.si_arch, seen_rax == SYS_getsid, seen_at_ip);
  on_call(SYS_mprotect, SECCOMP_RET_TRAP | 34);
  r = syscall(SYS_mprotect, 1, 0, 0);
  printf("trap %d ret %ld errno %d rax %d ip %ld\n", caught, r, seen.si_errno, seen_rax == SYS_mprotect, seen_at_ip);
  on_call(SYS_mmap, SECCOMP_RET_TRAP | 35);
  r = syscall(SYS_mmap, 0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("trap %d ret %ld errno %d rax %d ip %ld\n", caught, r, seen.si_errno, seen_rax == SYS_mmap, seen_at_ip);
  on_call(SYS_fork, SECCOMP_RET_TRAP | 36);
  r = syscall(SYS_fork, 1);
  printf("trap %d ret %ld errno %d rax %d\n", caught, r, seen.si_errno, seen_rax == SYS_fork);
}
static void trap_blocked(void) {
  struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
  sigset_t s;
  sigaction(SIGSYS, &a, NULL);
  sigemptyset(&s);
  sigaddset(&s, SIGSYS);
  sigprocmask(SIG_BLOCK, &s, NULL);
  on_call(SYS_getsid, SECCOMP_RET_TRAP);
  syscall(SYS_getsid, 0);
}
static void trap_ignored(void) {
  signal(SIGSYS, SIG_IGN);
  on_call(SYS_getsid, SECCOMP_RET_TRAP);
  syscall(SYS_getsid, 0);
}

static void kill_process(void) {
  signal(SIGSYS, SIG_IGN);
  on_call(SYS_getsid, SECCOMP_RET_KILL_PROCESS);
  syscall(SYS_getsid, 0);
}
static void kill_thread_alone(void) {
  on_call(SYS_getsid, SECCOMP_RET_KILL_THREAD);
  syscall(SYS_getsid, 0);
}
static void unknown_action(void) {
  on_call(SYS_getsid, 0x20000000);
  syscall(SYS_getsid, 0);
}
static void division_by_zero(void) {
  struct sock_filter f[] = {LD(nr), EQ(SYS_getsid, 0, 2), BPF_STMT(BPF_LDX | BPF_IMM, 0),
                            BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET(SECCOMP_RET_ALLOW)};
  install(0, f, N(f));
  syscall(SYS_getsid, 0);
}
static void *killed_thread(void *arg) {
  on_call(SYS_getsid, SECCOMP_RET_KILL_THREAD);
  syscall(SYS_getsid, 0);
  puts("not reached");
  return NULL;
}
static void kill_one_thread(void) {
  pthread_t t;
  pthread_create(&t, NULL, killed_thread, NULL);
  pthread_join(t, NULL);
  printf("the other lives, %s\n", syscall(SYS_getsid, 0) < 0 ? "filtered" : "free");
}
static void *killing_thread(void *arg) {
  on_call(SYS_getsid, SECCOMP_RET_KILL_PROCESS);
  syscall(SYS_getsid, 0);
  return NULL;
}
static void kill_all_threads(void) {
  pthread_t t;
  pthread_create(&t, NULL, killing_thread, NULL);
  pthread_join(t, NULL);
  puts("not reached");
}
static void no_exit(void) {
  on_call(SYS_exit_group, SECCOMP_RET_KILL_PROCESS);
}
static void no_sigreturn(void) {
  signal(SIGUSR1, SIG_DFL);
  struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  on_call(SYS_rt_sigreturn, SECCOMP_RET_KILL_PROCESS);
  raise(SIGUSR1);
}

static void strict(void) {
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  if (write(1, "strict writes\n", 14) == 14)
    syscall(SYS_exit, 3);
}
static void strict_dies(void) {
  syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
  syscall(SYS_getpid);
}
static void modes(void) {
  printf("mode %d", prctl(PR_GET_SECCOMP));
  printf(" strict args %s", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, "")));
  printf(" strict flags %s", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL)));
  printf(" mode 9 %s\n", name(prctl(PR_SET_SECCOMP, 9, 0)));
  on_call(-1, SECCOMP_RET_LOG);
  printf("mode %d", prctl(PR_GET_SECCOMP));
  printf(" strict after filter %s\n", name(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)));
  struct sock_filter f[] = {RET(SECCOMP_RET_ALLOW)};
  struct sock_fprog p = {1, f};
  printf("prctl %s\n", name(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)));
  char line[256];
  FILE *s = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, s))
    if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNewPrivs", 10))
      fputs(line, stdout);
  fclose(s);
}

static void available(void) {
  uint32_t a[] = {SECCOMP_RET_KILL_PROCESS,
                  SECCOMP_RET_KILL_THREAD,
                  SECCOMP_RET_TRAP,
                  SECCOMP_RET_ERRNO,
                  SECCOMP_RET_USER_NOTIF,
                  SECCOMP_RET_TRACE,
                  SECCOMP_RET_LOG,
                  SECCOMP_RET_ALLOW,
                  0x10000000,
                  SECCOMP_RET_ALLOW | 1,
                  0xdeadbeef};
  for (unsigned i = 0; i < N(a); i++)
    printf("%08x %s\n", a[i], name(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &a[i])));
  printf("flags %s", name(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &a[0])));
  printf(" null %s\n", name(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL)));
  struct seccomp_notif_sizes z = {0};
  printf("sizes %s", name(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &z)));
  printf(" %u %u %u\n", z.seccomp_notif, z.seccomp_notif_resp, z.seccomp_data);
}

static void over_fork_and_exec(void) {
  on_call(SYS_getppid, SECCOMP_RET_ERRNO | 88);
  if (!fork()) {
    report("child", syscall(SYS_getppid));
    fflush(stdout);
    execl("/proc/self/exe", "x", "exec", NULL);
  }
  wait(NULL);
}

static void as_nobody(void) {
  prctl(PR_SET_DUMPABLE, 1);
}

/* The rest of a sleep is restart_syscall to a filter: not interrupted, it never comes to that. */
static void sleeping(void) {
  struct timespec ts = {0, 1000000};
  on_call(SYS_restart_syscall, SECCOMP_RET_KILL_PROCESS);
  printf("sleep %d\n", nanosleep(&ts, NULL));
}

static void chain_limit(void) {
  static struct sock_filter f[4096];
  for (int i = 0; i < 4096; i++)
    f[i] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
  int n = 0;
  while (n < 20 && install(0, f, 4096) == 0)
    n++;
  printf("chain ends: %s\n", n >= 2 && n <= 8 && errno == ENOMEM ? "ENOMEM" : "no");
}

int main(int argc, char **argv) {
  if (argc > 1) {
    report("exec", syscall(SYS_getppid));
    return 0;
  }
  child("checker", checker);
  child("errno", errno_verdicts);
  child("argument", by_argument);
  child("memory", memory_calls);
  child("trap", trapping);
  child("trap blocked", trap_blocked);
  child("trap ignored", trap_ignored);
  child("kill process", kill_process);
  child("kill thread", kill_thread_alone);
  child("unknown action", unknown_action);
  child("division", division_by_zero);
  child("one thread", kill_one_thread);
  child("all threads", kill_all_threads);
  child("exit", no_exit);
  child("sigreturn", no_sigreturn);
  child("strict", strict);
  child("strict dies", strict_dies);
  child("modes", modes);
  child("available", available);
  child("fork", over_fork_and_exec);
  child("sleep", sleeping);
  child("limit", chain_limit);
  child("nobody", as_nobody);
  /* Without no_new_privs and without rights. */
  fflush(stdout);
  if (!fork()) {
    if (setresuid(65534, 65534, 65534))
      return 1;
    struct sock_filter ok = RET(SECCOMP_RET_ALLOW);
    printf("unprivileged %s", name(install(0, &ok, 1)));
    nnp();
    printf(" then %s\n", name(install(0, &ok, 1)));
    fflush(stdout);
    char attr[128] = {0};
    printf("bpf %s", name(syscall(SYS_bpf, 12, attr, 72)));
    ((unsigned *)attr)[1] = 112;
    printf(" perf %s\n", name(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0)));
    return 0;
  }
  wait(NULL);
  return 0;
}
