/* Frames that handlers spoil in every way before they return, and wide vector state through nests and longjmps. */
#include "guest.h"
#include <cpuid.h>
#include <setjmp.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static int how;

struct sw {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size;
};
static struct sw *sw_of(ucontext_t *uc) {
  return (struct sw *)((char *)uc->uc_mcontext.fpregs + 464);
}

static void spoil(int s, siginfo_t *si, void *p) {
  ucontext_t *uc = p;
  greg_t *g = uc->uc_mcontext.gregs;
  char *fp = (char *)uc->uc_mcontext.fpregs;
  struct sw *sw = sw_of(uc);
  switch (how) {
  case 0: /* magic of the end gone: the legacy part alone counts */
    *(uint32_t *)(fp + sw->xstate_size) = 0;
    break;
  case 1:
    sw->magic1 = 0;
    break;
  case 2:
    sw->xfeatures = ~0ull;
    break;
  case 3:
    sw->xstate_size = 100;
    break;
  case 4:
    *(uint64_t *)(fp + 512) = ~0ull; /* features that no CPU has */
    break;
  case 5:
    *(uint64_t *)(fp + 520) = 1ull << 63; /* compacted */
    break;
  case 6:
    *(uint32_t *)(fp + 24) = 0xffffffff; /* MXCSR */
    break;
  case 7:
    uc->uc_mcontext.fpregs = NULL;
    break;
  case 8:
    uc->uc_mcontext.fpregs = (void *)(fp + 8);
    break;
  case 9:
    uc->uc_mcontext.fpregs = (void *)16;
    break;
  case 10:
    g[REG_RIP] = 0x8000000000000000ll;
    break;
  case 11:
    g[REG_RIP] = (greg_t)0xffffffff81000000ull;
    break;
  case 12:
    g[REG_RSP] = 0x8000000000000000ll;
    break;
  case 13:
    g[REG_EFL] |= 0x3000 | 0x4000 | 0x20000 | 0x100000; /* IOPL, NT, VM, VIP: not for us to set */
    break;
  case 14:
    g[REG_EFL] |= 0x100;
    break;
  case 15:
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffll) | 0x10; /* the kernel's code segment */
    break;
  case 16:
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffll) | 0;
    break;
  case 17:
    g[REG_CSGSFS] = (g[REG_CSGSFS] & 0xffffffffffffll) | (0x33ll << 48); /* code as a stack */
    break;
  case 18:
    uc->uc_flags = 0;
    break;
  case 19:
    uc->uc_stack.ss_size = 1; /* ignored */
    uc->uc_stack.ss_flags = 0;
    break;
  case 20:
    uc->uc_stack.ss_flags = 0x1234;
    break;
  case 21:
    memset(&uc->uc_sigmask, 0xff, 8);
    break;
  }
}
static void on_fault(int s, siginfo_t *si, void *p) {
  printf("%s code %d addr %p\n", signame(s), si->si_code, s == SIGTRAP ? NULL : si->si_addr);
  fflush(stdout);
  _exit(0);
}
static void frames(void) {
  static const char *names[] = {"no magic2", "no magic1", "all xfeatures", "size 100", "bad xstate_bv", "bad xcomp_bv", "bad mxcsr", "no fp", "odd fp", "bad fp", "noncanonical rip", "kernel rip", "noncanonical rsp", "flags", "trap flag", "kernel cs", "null cs", "code ss", "uc_flags 0", "tiny altstack", "bad altstack flags", "full mask"};
  for (how = 0; how < (int)(sizeof names / sizeof *names); how++) {
    CHILD(names[how]) {
      static char alt[65536];
      stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
      sigaltstack(&ss, NULL);
      int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
      for (int i = 0; i < 5; i++)
        on_siginfo(sigs[i], on_fault, SA_ONSTACK);
      on_siginfo(SIGUSR1, spoil, 0);
      raise(SIGUSR1);
      unsigned long f;
      asm volatile("pushf; pop %0" : "=r"(f));
      stack_t now;
      sigaltstack(NULL, &now);
      sigset_t m;
      sigprocmask(SIG_SETMASK, NULL, &m);
      say("alive; iopl %ld nt %ld; altstack size %zu flags %x; USR1 blocked %d KILL %d", f >> 12 & 3, f >> 14 & 1, now.ss_size, now.ss_flags, sigismember(&m, SIGUSR1), sigismember(&m, SIGKILL));
    }
  }
}

/* ---- vectors ---- */
static int wide; /* bytes */
static volatile int depth;
static sigjmp_buf env;
__attribute__((target("avx512f"))) static void fill_zmm(int v) {
  asm volatile("vpbroadcastd %0, %%zmm0; vpbroadcastd %0, %%zmm7; vpbroadcastd %0, %%zmm15; vpbroadcastd %0, %%zmm31; kmovw %0, %%k3" ::"r"(v));
}
__attribute__((target("avx512f"))) static void read_zmm(uint32_t o[4][16], unsigned *k) {
  asm volatile("vmovdqu32 %%zmm0, (%1); vmovdqu32 %%zmm7, 64(%1); vmovdqu32 %%zmm15, 128(%1); vmovdqu32 %%zmm31, 192(%1); kmovw %%k3, %0" : "=r"(*k) : "r"(o) : "memory");
}
__attribute__((target("avx2"))) static void fill_ymm(int v) {
  asm volatile("vmovd %0, %%xmm0; vpbroadcastd %%xmm0, %%ymm0; vmovdqa %%ymm0, %%ymm7; vmovdqa %%ymm0, %%ymm15" ::"r"(v));
}
__attribute__((target("avx2"))) static void read_ymm(uint32_t o[4][16], unsigned *k) {
  asm volatile("vmovdqu %%ymm0, (%0); vmovdqu %%ymm7, 64(%0); vmovdqu %%ymm15, 128(%0)" ::"r"(o) : "memory");
  *k = 0;
}
static void nest(int s) {
  depth++;
  wide == 64 ? fill_zmm(0x1000 + depth) : wide == 32 ? fill_ymm(0x1000 + depth) : (void)0;
  if (depth < 5)
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR2);
  if (s == SIGUSR1 && depth >= 10)
    siglongjmp(env, 1);
}
static int check(uint32_t v) {
  uint32_t o[4][16];
  unsigned k;
  if (!wide)
    return 1;
  wide == 64 ? read_zmm(o, &k) : read_ymm(o, &k);
  for (int r = 0; r < (wide == 64 ? 4 : 3); r++)
    for (int i = 0; i < wide / 4; i++)
      if (o[r][i] != v)
        return 0;
  return wide != 64 || k == (v & 0xffff);
}
static void vectors(void) {
  wide = __builtin_cpu_supports("avx512f") ? 64 : __builtin_cpu_supports("avx2") ? 32 : 0;
  struct sigaction sa = {.sa_handler = nest, .sa_flags = SA_NODEFER};
  sigaction(SIGUSR1, &sa, NULL);
  sigaction(SIGUSR2, &sa, NULL);
  int pid = getpid(), good = 0;
  for (int i = 0; i < 50; i++) {
    long r;
    depth = 0;
    wide == 64 ? fill_zmm(0x4321 + i) : wide == 32 ? fill_ymm(0x4321 + i) : (void)0;
    asm volatile("syscall" : "=a"(r) : "0"((long)SYS_kill), "D"((long)pid), "S"((long)SIGUSR1) : "rcx", "r11", "memory");
    good += check(0x4321 + (uint32_t)i) && depth == 5;
  }
  say("nested handlers: %d of 50 kept everything", good);
  good = 0;
  for (int i = 0; i < 20; i++) {
    depth = 10;
    if (!sigsetjmp(env, 1))
      raise(SIGUSR1);
    else
      good++;
    depth = 10;
  }
  say("longjmps: %d", good);
  YES(getauxval(AT_MINSIGSTKSZ) > (unsigned)(wide == 64 ? 2048 : 1024) && getauxval(AT_MINSIGSTKSZ) < 20000);
  stack_t ss = {.ss_sp = malloc(65536), .ss_size = 2047};
  say("2047 bytes: %d", sigaltstack(&ss, NULL) ? errno : 0);
  ss.ss_size = 2048;
  say("2048 bytes: %d", sigaltstack(&ss, NULL) ? errno : 0);
}

/* ---- SS_AUTODISARM ---- */
static void disarmed(int s) {
  stack_t o, n = {.ss_sp = malloc(32768), .ss_size = 32768, .ss_flags = 0};
  sigaltstack(NULL, &o);
  say("in the handler: flags %x size %zu", o.ss_flags, o.ss_size);
  say("another can be set: %d", sigaltstack(&n, NULL));
}
static void autodisarm(void) {
  static char alt[32768];
  stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt, .ss_flags = (int)(1u << 31)}, o;
  say("set %d", sigaltstack(&ss, NULL));
  struct sigaction sa = {.sa_handler = disarmed, .sa_flags = SA_ONSTACK};
  sigaction(SIGHUP, &sa, NULL);
  raise(SIGHUP);
  sigaltstack(NULL, &o);
  say("after: flags %x size %zu same %d", o.ss_flags, o.ss_size, o.ss_sp == alt);
  ss.ss_flags = 7;
  say("bad flags: %d", sigaltstack(&ss, NULL) ? errno : 0);
}

int main(void) {
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  frames();
  vectors();
  autodisarm();
}
