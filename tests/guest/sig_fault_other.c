/* SIGFPE, SIGILL, SIGTRAP, SIGBUS raised by instructions, with their codes. */
#include "guest.h"
#include <fenv.h>
static sigjmp_buf env;
static char *where;
static void h(int s, siginfo_t *si, void *uc) {
  say("%s code %d trapno %d%s", signame(s), si->si_code, (int)((ucontext_t *)uc)->uc_mcontext.gregs[REG_TRAPNO],
      where ? si->si_addr == where ? " address right" : " address WRONG" : "");
  siglongjmp(env, 1);
}
#define TRY(what, stmt)                                                                                                \
  do {                                                                                                                 \
    say(what);                                                                                                         \
    if (!sigsetjmp(env, 1)) {                                                                                          \
      stmt;                                                                                                            \
      say("no fault");                                                                                                 \
    }                                                                                                                  \
  } while (0)
int main(void) {
  int sigs[] = {SIGFPE, SIGILL, SIGTRAP, SIGBUS, SIGSEGV};
  for (int i = 0; i < 5; i++)
    on_siginfo(sigs[i], h, 0);
  volatile int zero = 0, one = 1, sink, min = INT_MIN, minus = -1;
  TRY("divide by zero", sink = one / zero);
  TRY("overflowing division", sink = min / minus);
  TRY("ud2", asm volatile("ud2"));
  TRY("int3", asm volatile("int3"));
  TRY("int1", asm volatile(".byte 0xf1"));
  TRY("single step", asm volatile("pushf; orl $0x100, (%%rsp); popf; nop" ::: "cc", "memory"));
  feenableexcept(FE_DIVBYZERO);
  volatile double dz = 0;
  TRY("SSE division", dz = 1.0 / dz);
  feenableexcept(FE_INVALID);
  TRY("SSE invalid", dz = (0.0 * zero) / (0.0 * zero));
  fedisableexcept(FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT);
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
  MUST(ftruncate(fd, 100));
  char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  TRY("within the last page", *(volatile char *)(p + 4095) = 1);
  where = p + 4096 + 7;
  TRY("past the end of a file", *(volatile char *)where);
  where = NULL;
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("fault while blocked kills") {
    sigset_t m;
    sigfillset(&m);
    sigprocmask(SIG_SETMASK, &m, NULL);
    *(volatile char *)0;
  }
  CHILD("fault while ignored kills") {
    signal(SIGILL, SIG_IGN);
    asm volatile("ud2");
  }
  CHILD("but a sent one is ignored") {
    signal(SIGSEGV, SIG_IGN);
    raise(SIGSEGV);
    say("alive");
  }
  CHILD("fault in the handler of the same signal kills") {
    signal(SIGFPE, SIG_DFL);
    sink = one / zero;
  }
}
