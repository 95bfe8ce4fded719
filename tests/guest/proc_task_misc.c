/* pidfds of threads, process_mrelease, I/O priorities, NUMA policies, prctl options: what they say to whom. */
#include "guest.h"
#include <linux/mempolicy.h>
#include <pthread.h>
static long sc(long x) { return x < 0 ? -errno : x; }
static const char *res(long x) {
  static char b[8][24];
  static int i;
  char *s = b[i++ & 7];
  x < 0 ? snprintf(s, 24, "%s", ename((int)-x)) : snprintf(s, 24, "%ld", x);
  return s;
}
#define P(...) res(sc(prctl(__VA_ARGS__)))
#define S(...) res(sc(syscall(__VA_ARGS__)))
static volatile int tid, hit_code, go;
static void on(int s, siginfo_t *si, void *u) { hit_code = si->si_code * 100000 + (gettid() == tid); }
static void *thread(void *a) {
  tid = gettid();
  while (!go)
    usleep(1000);
  return NULL;
}
static int revents(int fd, int ms) {
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, ms);
  return p.revents;
}
static void pidfds(void) {
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  while (!tid)
    usleep(100);
  say("thread without PIDFD_THREAD: %d", syscall(SYS_pidfd_open, tid, 0) < 0);
  int fd = (int)syscall(SYS_pidfd_open, tid, O_EXCL);
  int pf = (int)syscall(SYS_pidfd_open, getpid(), 0);
  say("with: %d; flags %d %d", fd >= 0, !!(fcntl(fd, F_GETFL) & O_EXCL), !!(fcntl(pf, F_GETFL) & O_EXCL));
  on_siginfo(SIGUSR1, on, 0);
  say("signal the thread: %s", S(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
  while (!hit_code)
    usleep(100);
  say("code %d in it %d", hit_code / 100000, abs(hit_code % 100000));
  hit_code = 0;
  say("thread by a process pidfd: %s", S(SYS_pidfd_send_signal, pf, SIGUSR1, NULL, 1));
  while (!hit_code)
    usleep(100);
  say("in the main thread %d", abs(hit_code % 100000) == 0);
  say("two targets: %s; 8: %s", S(SYS_pidfd_send_signal, pf, 0, NULL, 3), S(SYS_pidfd_send_signal, pf, 0, NULL, 8));
  say("before its end: %x", revents(fd, 0));
  go = 1;
  pthread_join(t, NULL);
  int e = revents(fd, 1000);
  say("after: in %d hup %d; the process: %x", !!(e & POLLIN), !!(e & POLLHUP), revents(pf, 0));
  say("signal then: %s", S(SYS_pidfd_send_signal, fd, 0, NULL, 0));
  say("flags: %s", S(SYS_pidfd_open, getpid(), 1));

  pid_t p = fork();
  if (!p)
    for (;;)
      pause();
  int cf = (int)syscall(SYS_pidfd_open, p, O_NONBLOCK);
  say("mrelease of a living one: %s; flags %s; no pidfd %s", S(448, cf, 0), S(448, cf, 1), S(448, 0, 0));
  siginfo_t si;
  say("waitid of a nonblocking pidfd: %s", res(sc(waitid(P_PIDFD, cf, &si, WEXITED))));
  kill(p, SIGKILL);
  revents(cf, 1000);
  say("getfd of a zombie: %s", S(SYS_pidfd_getfd, cf, 0, 0));
  say("waitid: %s", res(sc(waitid(P_PIDFD, cf, &si, WEXITED))));
  e = revents(cf, 0);
  say("reaped: in %d hup %d", !!(e & POLLIN), !!(e & POLLHUP));
  say("signal: %s; again %s", S(SYS_pidfd_send_signal, cf, 0, NULL, 0), res(sc(waitid(P_PIDFD, cf, &si, WEXITED))));
}
static void ioprio(void) {
  say("ioprio: %s", S(SYS_ioprio_get, 1, 0));
  say("set: %s get %s", S(SYS_ioprio_set, 1, 0, 2 << 13 | 6), S(SYS_ioprio_get, 1, 0));
  setpgid(0, 0);
  say("group: %s get %s", S(SYS_ioprio_set, 2, 0, 3 << 13), S(SYS_ioprio_get, 2, 0));
  say("bad which: %s %s; class 4 %s", S(SYS_ioprio_get, 4, 0), S(SYS_ioprio_set, 0, 0, 0), S(SYS_ioprio_set, 1, 0, 4 << 13));
  say("no process: %s", S(SYS_ioprio_get, 1, 999999));
}
static void numa(void) {
  unsigned long one = 1, two = 2, got[16] = {0};
  int mode = -1;
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  say("default: %s %d", S(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0), mode);
  say("bind 0: %s", S(SYS_set_mempolicy, MPOL_BIND, &one, 65));
  say("get: %s %d %lx", S(SYS_get_mempolicy, &mode, got, 1024, NULL, 0), mode, got[0]);
  say("bind 1: %s", S(SYS_set_mempolicy, MPOL_BIND, &two, 65));
  say("bind none: %s; default with nodes: %s; mode 77: %s", S(SYS_set_mempolicy, MPOL_BIND, NULL, 0), S(SYS_set_mempolicy, MPOL_DEFAULT, &one, 65), S(SYS_set_mempolicy, 77, &one, 65));
  say("preferred none: %s get %s %d", S(SYS_set_mempolicy, MPOL_PREFERRED, NULL, 0), S(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0), mode);
  say("interleave: %s next node %s %d", S(SYS_set_mempolicy, MPOL_INTERLEAVE, &one, 65), S(SYS_get_mempolicy, &mode, NULL, 0, NULL, MPOL_F_NODE), mode);
  say("static and relative: %s; local with nodes: %s", S(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &one, 65), S(SYS_set_mempolicy, MPOL_LOCAL, &one, 65));
  say("back: %s", S(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
  *page = 1;
  say("node of a page: %s %d", S(SYS_get_mempolicy, &mode, NULL, 0, page, MPOL_F_NODE | MPOL_F_ADDR), mode);
  say("of none: %s; address without flag: %s", S(SYS_get_mempolicy, &mode, NULL, 0, page + 4096, MPOL_F_ADDR), S(SYS_get_mempolicy, &mode, NULL, 0, page, 0));
  got[0] = 0;
  say("allowed: %s %lx", S(SYS_get_mempolicy, NULL, got, 1024, NULL, MPOL_F_MEMS_ALLOWED), got[0]);
  say("mbind: %s; unmapped %s; misaligned %s; flags %s; node 1 %s", S(SYS_mbind, page, 4096, MPOL_BIND, &one, 65, 0), S(SYS_mbind, page, 8192, MPOL_BIND, &one, 65, 0), S(SYS_mbind, page + 1, 4096, MPOL_BIND, &one, 65, 0), S(SYS_mbind, page, 4096, MPOL_BIND, &one, 65, 64), S(SYS_mbind, page, 4096, MPOL_BIND, &two, 65, 0));
  say("migrate_pages: %s", S(SYS_migrate_pages, 0, 65, &one, &one));
}
static void prctls(void) {
  int v = -1;
  prctl(PR_SET_PDEATHSIG, 0);
  say("THP %s %s %s %s", P(PR_GET_THP_DISABLE, 0, 0, 0, 0), P(PR_SET_THP_DISABLE, 1, 0, 0, 0), P(PR_GET_THP_DISABLE, 0, 0, 0, 0), P(PR_GET_THP_DISABLE, 1, 0, 0, 0));
  CHILD("child") { say("inherits %s", P(PR_GET_THP_DISABLE, 0, 0, 0, 0)); }
  P(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  say("MCE %s %s %s %s %s %s", P(PR_MCE_KILL_GET, 0, 0, 0, 0), P(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0), P(PR_MCE_KILL_GET, 0, 0, 0, 0), P(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0), P(PR_MCE_KILL_GET, 0, 0, 0, 0), P(PR_MCE_KILL, 7, 0, 0, 0));
  say("timer slack %s %s %s", P(PR_GET_TIMERSLACK), P(PR_SET_TIMERSLACK, 1000), P(PR_GET_TIMERSLACK));
  say("timing %s %s", P(PR_GET_TIMING), P(PR_SET_TIMING, 1));
  say("pdeathsig %s %s %s %d", P(PR_SET_PDEATHSIG, 65), P(PR_SET_PDEATHSIG, 9), P(PR_GET_PDEATHSIG, &v), v);
  say("dumpable %s %s %s %s", P(PR_GET_DUMPABLE), P(PR_SET_DUMPABLE, 2), P(PR_SET_DUMPABLE, 0), P(PR_GET_DUMPABLE));
  say("tsc %s %d", P(PR_GET_TSC, &v), v);
  say("fpu: %s %s endian %s unalign %s", P(PR_GET_FPEMU, &v), P(PR_GET_FPEXC, &v), P(PR_GET_ENDIAN, &v), P(PR_GET_UNALIGN, &v));
  say("SVE %s PAC %s tagged %s", P(50, 0), P(54, 0, 0, 0, 0), P(56, 0, 0, 0, 0));
  say("unknown %s %s", P(999), P(-1));
  say("subreaper %s %s %d", P(PR_SET_CHILD_SUBREAPER, 1), P(PR_GET_CHILD_SUBREAPER, &v), v);
}
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  pidfds();
  ioprio();
  numa();
  prctls();
}
