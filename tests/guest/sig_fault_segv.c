/* SIGSEGV: codes and addresses for unmapped, protected, non-canonical and kernel addresses; return after mending. */
#include "guest.h"
static sigjmp_buf env;
static char *area;
static volatile int mend;
static void h(int s, siginfo_t *si, void *uc) {
  if (mend) {
    say("mending");
    mend = 0;
    mprotect(area, 4096, PROT_READ | PROT_WRITE);
    return;
  }
  const char *code = si->si_code == SEGV_MAPERR ? "MAPERR" : si->si_code == SEGV_ACCERR ? "ACCERR" : si->si_code == SI_KERNEL ? "KERNEL" : "?";
  long a = (char *)si->si_addr - area;
  char where[32] = "elsewhere";
  if (a >= 0 && a < 65536)
    snprintf(where, sizeof where, "area+%lx", a);
  else if ((unsigned long)si->si_addr < 65536)
    snprintf(where, sizeof where, "%lx", (unsigned long)si->si_addr);
  ucontext_t *c = uc;
  say("%s %s at %s, trapno %d, err %d", signame(s), code, where, (int)c->uc_mcontext.gregs[REG_TRAPNO], (int)c->uc_mcontext.gregs[REG_ERR]);
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
  area = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(area + 8192, 4096);
  on_siginfo(SIGSEGV, h, 0);
  TRY("read NULL", *(volatile char *)0);
  TRY("write 16", *(volatile char *)16 = 1);
  TRY("write a hole", *(volatile char *)(area + 8192 + 5) = 1);
  mprotect(area, 4096, PROT_READ);
  TRY("read read-only", *(volatile char *)area);
  TRY("write read-only", *(volatile char *)(area + 10) = 1);
  mprotect(area, 4096, PROT_NONE);
  TRY("read PROT_NONE", *(volatile char *)(area + 20));
  TRY("execute data", ((void (*)(void))(area + 4096))());
  TRY("jump to NULL", ((void (*)(void))0)());
  TRY("non-canonical", *(volatile char *)0x8000000000000000);
  TRY("kernel address", *(volatile char *)0xffffffff81000000);
  TRY("privileged instruction", asm volatile("hlt"));
  TRY("cli", asm volatile("cli"));
  TRY("in", asm volatile("inb $0x80, %%al" ::: "rax"));
  mend = 1;
  TRY("mended", *(volatile char *)area = 5);
  say("value %d", *area);
  TRY("misaligned SSE", asm volatile("movaps %%xmm0, (%0)" ::"r"(area + 1) : "memory"));
}
