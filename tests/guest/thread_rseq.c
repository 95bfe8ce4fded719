/* Restartable sequences: registration rules, true CPU numbers, aborts by signals and preemption; membarrier. */
#include "guest.h"
#include <pthread.h>
#include <sched.h>
#ifndef SYS_rseq
#define SYS_rseq 334
#endif
#define SIG 0x53053053
struct rs {
  uint32_t cpu_id_start, cpu_id;
  uint64_t cs;
  uint32_t flags, node, mm_cid;
  char pad[36];
} __attribute__((aligned(32)));
struct cs {
  uint32_t version, flags;
  uint64_t start, len, abort;
} __attribute__((aligned(32)));
static __thread struct rs r;
static long sc(long x) { return x < 0 ? -errno : x; }
static const char *res(long x) { return x < 0 ? ename((int)-x) : "ok"; }
static volatile int hits;
static void h(int s) { hits++; }

/* Counts in a critical section: how often was it aborted. */
static long loop(long n) {
  long aborts = 0;
  for (long i = 0; i < n; i++) {
    asm volatile goto(".pushsection .data.rel, \"aw\"\n.balign 32\n91: .long 0, 0\n.quad 1f, 2f - 1f, 4f\n.popsection\n"
                      "lea 91b(%%rip), %%rax\nmov %%rax, 8(%0)\n"
                      "1: mov $3000, %%ecx\n3: dec %%ecx\njnz 3b\n2:\n"
                      ".pushsection .text.unlikely, \"ax\"\n.byte 0x0f, 0xb9, 0x3d\n.long 0x53053053\n4: jmp %l[aborted]\n.popsection\n"
                      : : "r"(&r) : "rax", "rcx", "memory", "cc" : aborted);
    continue;
  aborted:
    aborts++;
  }
  return aborts;
}
static void *yielder(void *a) {
  sched_yield();
  return a;
}
static void *thread(void *a) {
  say("in a thread: register %s", res(sc(syscall(SYS_rseq, &r, 32, 0, SIG))));
  say("true: %d", r.cpu_id < 4096 && r.cpu_id == r.cpu_id_start);
  return NULL;
}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1) {
    say("after exec: register %s", res(sc(syscall(SYS_rseq, &r, 32, 0, SIG))));
    return 0;
  }
  if (!getenv("GLIBC_TUNABLES")) {
    setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
    execv("/proc/self/exe", argv);
  }
  say("misaligned %s", res(sc(syscall(SYS_rseq, (char *)&r + 4, 32, 0, SIG))));
  say("length 16 %s", res(sc(syscall(SYS_rseq, &r, 16, 0, SIG))));
  say("flags 2 %s", res(sc(syscall(SYS_rseq, &r, 32, 2, SIG))));
  say("unregister first %s", res(sc(syscall(SYS_rseq, &r, 32, 1, SIG))));
  say("register %s", res(sc(syscall(SYS_rseq, &r, 32, 0, SIG))));
  say("again %s", res(sc(syscall(SYS_rseq, &r, 32, 0, SIG))));
  say("other signature %s", res(sc(syscall(SYS_rseq, &r, 32, 0, SIG + 1))));
  struct rs other;
  say("other area %s", res(sc(syscall(SYS_rseq, &other, 32, 0, SIG))));
  unsigned cpu = 0, node = 99;
  for (int i = 0; i < 5; i++) {
    sched_yield();
    getcpu(&cpu, &node);
  }
  say("cpu %d node %u", r.cpu_id < 4096, node);
  on_signal(SIGALRM, h, 0);
  struct itimerval it = {{0, 300}, {0, 300}};
  setitimer(ITIMER_REAL, &it, NULL);
  long ab = 0;
  for (int i = 0; i < 200 && (ab < 3 || hits < 3); i++)
    ab += loop(2000);
  memset(&it, 0, sizeof it);
  setitimer(ITIMER_REAL, &it, NULL);
  say("aborted by signals: %d", ab >= 3);
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  for (int i = 0; i < 50; i++) {
    pthread_create(&t, NULL, yielder, NULL);
    pthread_join(t, NULL);
  }
  pid_t p = fork();
  if (!p) {
    say("in a child: again %s, unregister %s", res(sc(syscall(SYS_rseq, &r, 32, 0, SIG))), res(sc(syscall(SYS_rseq, &r, 32, 1, SIG))));
    execl("/proc/self/exe", argv[0], "x", NULL);
  }
  waitpid(p, NULL, 0);
  long q = sc(syscall(SYS_membarrier, 0, 0, 0));
  say("membarrier: %d", q > 0 && (q & 8));
  say("private before registration: %s", res(sc(syscall(SYS_membarrier, 8, 0, 0))));
  say("register: %s", res(sc(syscall(SYS_membarrier, 16, 0, 0))));
  say("private: %s", res(sc(syscall(SYS_membarrier, 8, 0, 0))));
  say("bad: %s", res(sc(syscall(SYS_membarrier, 3, 0, 0))));
  say("flags: %s", res(sc(syscall(SYS_membarrier, 8, 5, 0))));
  cpu_set_t set;
  CPU_ZERO(&set);
  getcpu(&cpu, NULL);
  sched_getaffinity(0, sizeof set, &set);
  int n = CPU_COUNT(&set), ok = 0;
  for (int i = 0; i < CPU_SETSIZE; i++) {
    if (!CPU_ISSET(i, &set))
      continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(i, &one);
    sched_setaffinity(0, sizeof one, &one);
    syscall(SYS_getcpu, &cpu, NULL, NULL);
    ok += (int)cpu == i && sched_getcpu() == i && (int)r.cpu_id == i;
  }
  say("on the CPU that was asked for: %d", ok == n);
}
