/* prctl(PR_SET_SYSCALL_USER_DISPATCH); beside it sysfs(2), modify_ldt(2) and what every CPU says to protection keys. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define DISPATCH 59
static volatile unsigned char block;
static volatile int caught, code, number;
static void *volatile at;

static void on_sigsys(int sig, siginfo_t *si, void *uc) {
  ucontext_t *u = uc;
  (void)sig;
  block = 0;
  caught++;
  code = si->si_code;
  number = si->si_syscall;
  at = si->si_call_addr;
  if (u->uc_mcontext.gregs[REG_RAX] == si->si_syscall && u->uc_mcontext.gregs[REG_RIP] == (greg_t)si->si_call_addr)
    u->uc_mcontext.gregs[REG_RAX] = 4242;
}

static void say(const char *what, long r) {
  printf("%s: %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : "");
}
static long set(long mode, unsigned long start, unsigned long len, volatile void *sel) {
  return prctl(DISPATCH, mode, start, len, sel);
}

static long blocked(long nr, long a, long b) {
  block = 1;
  long r = syscall(nr, a, b);
  block = 0;
  return r;
}

static int child(void (*fn)(void)) {
  int st;
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    fn();
    _exit(7);
  }
  waitpid(c, &st, 0);
  return WIFSIGNALED(st) ? WTERMSIG(st) : -WEXITSTATUS(st);
}
static void bad_state(void) {
  set(1, 0, 0, &block);
  block = 2;
  getppid();
}
static void no_selector(void) {
  void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  set(1, 0, 0, p);
  mprotect(p, 4096, PROT_NONE);
  getppid();
}
static void not_inherited(void) {
  set(1, 0, 0, &block);
  pid_t c = fork();
  if (!c) {
    block = 1;
    _exit(getppid() > 0 ? 3 : 4);
  }
  int st;
  waitpid(c, &st, 0);
  block = 0;
  _exit(WEXITSTATUS(st));
}

int main(void) {
  struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &sa, NULL);
  say("unknown mode", set(9, 0, 0, 0));
  say("off with a range", set(0, 1, 1, 0));
  say("empty range", set(1, 4096, 0, 0));
  say("wraps", set(1, 4096, -1, 0));
  say("selector", set(1, 0, 0, (void *)-1));
  say("on", set(1, 0, 0, &block));
  say("getppid", blocked(SYS_getppid, 0, 0));
  printf("caught %d code %d number %d\n", caught, code, number == SYS_getppid);
  say("mmap", blocked(SYS_mmap, 0, 4096));
  say("no such call", blocked(5000, 0, 0));
  say("exit", blocked(SYS_exit_group, 0, 0));
  printf("caught %d number %d\n", caught, number == SYS_exit_group);
  say("allowed", syscall(SYS_getppid) > 0);
  /* With that place excluded. */
  say("on", set(1, (unsigned long)at - 16, 32, &block));
  say("excluded", blocked(SYS_getppid, 0, 0) == getppid());
  say("off", set(0, 0, 0, 0));
  say("after", blocked(SYS_getppid, 0, 0) == getppid());
  printf("caught %d\n", caught);
  printf("bad state %d, no selector %d, child %d\n", child(bad_state), child(no_selector), child(not_inherited));

  long n = syscall(SYS_sysfs, 3), same = 0;
  char name[256];
  for (long i = 0; i < n; i++)
    same += !syscall(SYS_sysfs, 2, i, name) && syscall(SYS_sysfs, 1, name) == i;
  printf("sysfs %d %d\n", n > 3, same == n);
  say("sysfs name", syscall(SYS_sysfs, 1, "nosuch"));
  say("sysfs index", syscall(SYS_sysfs, 2, n, name));
  say("sysfs option", syscall(SYS_sysfs, 4));
  say("sysfs tmpfs", syscall(SYS_sysfs, 1, "tmpfs") >= 0);

  char ldt[200];
  memset(ldt, 1, sizeof ldt);
  say("ldt", syscall(SYS_modify_ldt, 0, ldt, sizeof ldt));
  say("default ldt", syscall(SYS_modify_ldt, 2, ldt, sizeof ldt));
  printf("%d %d\n", ldt[127], ldt[128]);
  printf("%lx\n", syscall(SYS_modify_ldt, 1, ldt, 5));
  printf("%lx\n", syscall(SYS_modify_ldt, 9, ldt, 5));

  char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("pkey_alloc flags", syscall(SYS_pkey_alloc, 1, 0));
  say("pkey_alloc rights", syscall(SYS_pkey_alloc, 0, 8));
  say("pkey_free", syscall(SYS_pkey_free, 99));
  say("pkey_mprotect", syscall(SYS_pkey_mprotect, p, 4096, PROT_READ | PROT_WRITE, -1));
  p[0] = 1;
  say("pkey_mprotect key", syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, 99));
  return 0;
}
