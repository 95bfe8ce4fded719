/*
 * Every system call number, and beyond, with values that break careless checks, in children that may die of it.
 *   fuzz_calls [SETS-PER-NUMBER [SEED]]
 */
#include "hostile.h"
struct progress {
  volatile long at;
};
static char *page, *ro;
static struct progress *pr;
static unsigned seed;
static int sets = 12;
static unsigned rnd(unsigned *s) { return rand_r(s); }
static bool skip(long nr) {
  switch (nr) {
  case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: /* have tests of their own, and would only slow this one */
  case SYS_vfork: case SYS_pause:
    return true;
  }
  return false;
}
/* Calls that would kill the fuzzer's parents rather than test anything: only as a user who owns nothing else. */
static bool kills(long nr) { return nr == SYS_kill || nr == SYS_tkill || nr == SYS_tgkill || nr == SYS_rt_sigqueueinfo || nr == SYS_rt_tgsigqueueinfo || nr == SYS_pidfd_send_signal || nr == SYS_reboot; }
static sigjmp_buf back;
static void h(int s) { siglongjmp(back, 1); }
static void worker(bool user) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  if (user) {
    setgroups(0, NULL);
    setresgid(4711, 4711, 4711);
    setresuid(4711, 4711, 4711);
  }
  int sigs[] = {SIGALRM, SIGSEGV, SIGBUS, SIGPIPE, SIGSYS, SIGTRAP, SIGXFSZ, SIGFPE, SIGILL};
  static char stk[65536];
  for (;;) {
    long i = pr->at;
    long nr = i / sets;
    if (nr >= 512)
      _exit(0);
    pr->at = i + 1;
    if (skip(nr) || (!user && kills(nr)))
      continue;
    unsigned s = seed * 7919 + i * 104729 + 1;
    rnd(&s);
    long a[6];
    for (int k = 0; k < 6; k++)
      a[k] = hostile_value(rnd(&s) % 5 == 0 ? 38 + rnd(&s) % 6 : rnd(&s), page, ro);
    if (nr == SYS_clone || nr == SYS_fork) /* a child would run this loop too */
      a[0] &= ~0xffL;
    for (unsigned k = 0; k < sizeof sigs / sizeof *sigs; k++) {
      struct sigaction sa = {.sa_handler = h, .sa_flags = SA_NODEFER | SA_ONSTACK};
      sigaction(sigs[k], &sa, NULL);
    }
    stack_t ss = {.ss_sp = stk, .ss_size = sizeof stk};
    sigaltstack(&ss, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct itimerval it = {{0, 0}, {0, 4000}};
    setitimer(ITIMER_REAL, &it, NULL);
    if (!sigsetjmp(back, 1)) {
      pid_t me = getpid();
      raw6(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
      if (getpid() != me)
        _exit(0);
    }
    if (rnd(&s) % 16 == 0)
      syscall(SYS_close_range, 3, ~0u, 0);
  }
}
int main(int argc, char **argv) {
  if (argc > 1)
    sets = atoi(argv[1]);
  seed = argc > 2 ? atoi(argv[2]) : 1;
  page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096, PROT_NONE);
  pr = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  mkdir("/tmp/fuzz", 0777);
  chdir("/tmp/fuzz");
  int deaths = 0;
  for (int user = getuid() != 0; user < 2; user++) {
    pr->at = 0;
    while (pr->at < 512L * sets) {
      long before = pr->at;
      for (int i = 0; i < 512; i++)
        ((uint64_t *)page)[i] = (uint64_t)hostile_value(i * 7 + (unsigned)before, page, ro);
      strcpy(page, "/tmp/fuzz/name");
      pid_t p = fork();
      if (p == 0)
        worker(user);
      int64_t moved = now_ms();
      long last = pr->at;
      int st;
      while (waitpid(p, &st, WNOHANG) == 0) {
        if (pr->at != last)
          last = pr->at, moved = now_ms();
        if (now_ms() - moved > 250) {
          kill(-p, SIGKILL), kill(p, SIGKILL);
          int64_t dead = now_ms() + 15000;
          while (waitpid(p, &st, WNOHANG) == 0)
            if (now_ms() > dead) {
              say("HANG: the fuzzer survives SIGKILL at number %ld", last / sets);
              _exit(77);
            } else
              msleep(1);
          break;
        }
        usleep(1000);
      }
      kill(-p, SIGKILL);
      while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
      deaths++;
      if (pr->at == before)
        pr->at++;
    }
  }
  say("numbers 0 to 511 done");
  return 0;
}
