/* What each kind of CPU fault reports: si_code, si_addr, and the trap number and error code in the context. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf out;
static siginfo_t got;
static long long trapno, err, cr2;
static uint64_t ip;

static void on_fault(int sig, siginfo_t *si, void *u) {
  ucontext_t *uc = u;
  (void)sig;
  got = *si;
  trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
  err = uc->uc_mcontext.gregs[REG_ERR];
  cr2 = uc->uc_mcontext.gregs[REG_CR2];
  ip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
  siglongjmp(out, 1);
}

static char *page;
static void show(const char *what, int addr_is_ip) {
  char addr[40];
  uint64_t a = (uint64_t)got.si_addr;
  if (addr_is_ip)
    snprintf(addr, sizeof addr, "ip%+lld", (long long)(a - ip));
  else if (a >= (uint64_t)page && a < (uint64_t)page + 65536)
    snprintf(addr, sizeof addr, "page+%llu", (unsigned long long)(a - (uint64_t)page));
  else
    snprintf(addr, sizeof addr, "%#llx", (unsigned long long)a);
  printf("%-24s sig %2d code %d addr %s trap %lld err %llx\n", what, got.si_signo, got.si_code, addr, trapno, err & 0x17);
  fflush(stdout);
}
#define TRY(what, ipaddr, stmt)                                                                                        \
  do {                                                                                                                 \
    if (!sigsetjmp(out, 1)) {                                                                                          \
      stmt;                                                                                                            \
      printf("%-24s no fault\n", what);                                                                                \
    } else {                                                                                                           \
      show(what, ipaddr);                                                                                              \
    }                                                                                                                  \
  } while (0)

static volatile int zero, sink;
static volatile double dz = 0.0, d1 = 1.0, dbig = 1e308, dsmall = 1e-308, d;

int main(void) {
  struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static char alt[65536];
  stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
  sigaltstack(&ss, NULL);
  int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  for (int i = 0; i < 5; i++)
    sigaction(sigs[i], &sa, NULL);
  page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096, PROT_READ);
  mprotect(page + 8192, 4096, PROT_NONE);
  munmap(page + 12288, 4096);

  TRY("read null", 0, sink = *(volatile int *)8);
  TRY("write null", 0, *(volatile int *)16 = 1);
  TRY("write read-only", 0, page[4100] = 1);
  TRY("read none", 0, sink = *(volatile char *)(page + 8200));
  TRY("read unmapped", 0, sink = *(volatile char *)(page + 12289));
  TRY("write unmapped", 0, *(volatile char *)(page + 12290) = 1);
  TRY("exec nx", 0, ((void (*)(void))page)());
  TRY("exec unmapped", 0, ((void (*)(void))(page + 12288))());
  TRY("read kernel", 0, sink = *(volatile char *)0xffff800000000000);
  TRY("noncanonical read", 0, sink = *(volatile char *)0x8000123456789abc);
  TRY("noncanonical jump", 0, ((void (*)(void))0x8000123456789abc)());
  TRY("noncanonical stack", 0, __asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push %%rax; mov %%rbx, %%rsp" ::"r"(0x8000123456789abcul) : "rbx", "memory"));
  TRY("straddle", 0, sink = *(volatile int *)(page + 8190));
  TRY("divide", 1, sink = 1 / zero);
  TRY("divide overflow", 1, __asm__ volatile("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx" ::: "eax", "ecx", "edx"));
  TRY("ud2", 1, __asm__ volatile("ud2"));
  TRY("ud1", 1, __asm__ volatile(".byte 0x0f, 0xb9, 0xc0"));
  TRY("bad opcode in 64 bit", 1, __asm__ volatile(".byte 0x06"));
  TRY("int3", 0, __asm__ volatile("int3"));
  TRY("icebp", 1, __asm__ volatile(".byte 0xf1"));
  TRY("hlt", 0, __asm__ volatile("hlt"));
  TRY("cli", 0, __asm__ volatile("cli"));
  TRY("int 4", 0, __asm__ volatile("int $4"));
  TRY("int 1", 0, __asm__ volatile("int $1"));
  TRY("int 0x21", 0, __asm__ volatile("int $0x21"));
  TRY("in", 0, __asm__ volatile("in $0x60, %%al" ::: "eax"));
  TRY("rdmsr", 0, __asm__ volatile("rdmsr" ::: "eax", "edx"));
  TRY("mov cr0", 0, __asm__ volatile("mov %%cr0, %%rax" ::: "rax"));
  TRY("lock prefix", 1, __asm__ volatile(".byte 0xf0, 0x90"));
  TRY("bad selector", 0, __asm__ volatile("mov %0, %%ds" ::"r"(0x1237)));
  TRY("sse unaligned", 0, __asm__ volatile("movaps %0, %%xmm0" ::"m"(*(char *)(page + 1)) : "xmm0"));

  /* alignment checks */
  if (!sigsetjmp(out, 1)) {
    __asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq; mov 1(%0), %%eax; pushfq; andl $~0x40000, (%%rsp); popfq" ::"r"(page) : "eax", "memory", "cc");
    printf("alignment: no fault\n");
  } else {
    __asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq" ::: "memory", "cc");
    show("alignment", 0);
  }

  /* single step: one trap per instruction until TF is cleared by the handler's absence */
  TRY("single step", 1, __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc"));

  /* beyond the end of a file */
  int fd = memfd_create("x", 0);
  if (ftruncate(fd, 100))
    return 1;
  char *m = mmap(page + 16384, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  TRY("beyond end of file", 0, m[4096] = 1);
  TRY("private beyond end", 0, {
    char *q = mmap(page + 32768, 8192, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    sink = q[4097];
  });

  /* SSE and x87 exceptions */
  struct {
    const char *name;
    int bit;
  } fe[] = {{"fp divide", FE_DIVBYZERO}, {"fp invalid", FE_INVALID}, {"fp overflow", FE_OVERFLOW}, {"fp underflow", FE_UNDERFLOW}, {"fp inexact", FE_INEXACT}};
  for (int i = 0; i < 5; i++) {
    feclearexcept(FE_ALL_EXCEPT);
    fedisableexcept(FE_ALL_EXCEPT);
    feenableexcept(fe[i].bit);
    if (!sigsetjmp(out, 1)) {
      switch (i) {
      case 0: d = d1 / dz; break;
      case 1: d = dz / dz; break;
      case 2: d = dbig * dbig; break;
      case 3: d = dsmall * dsmall; break;
      case 4: d = d1 / 3.0; break;
      }
      printf("%s: no fault\n", fe[i].name);
    } else {
      fedisableexcept(FE_ALL_EXCEPT);
      show(fe[i].name, 1);
    }
  }
  fedisableexcept(FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT);
  if (!sigsetjmp(out, 1)) {
    unsigned short cw = 0x37f & ~4;
    __asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp; fwait" ::"m"(cw));
    printf("x87: no fault\n");
  } else {
    __asm__ volatile("fninit");
    printf("x87 divide sig %d code %d trap %lld\n", got.si_signo, got.si_code, trapno);
  }
  /* blocked: the default action is forced */
  return 0;
}
