/* A handler leaves everything as it was: general registers, flags, x87, MXCSR, AVX, the red zone; and starts clean. */
#include "guest.h"
#include <fenv.h>
#include <immintrin.h>
static volatile int got;
__attribute__((target("avx"))) static void h(int s) {
  __m256i z = _mm256_set1_epi32(0x77777777);
  asm volatile("vmovdqa %0, %%ymm0; vmovdqa %0, %%ymm5; vmovdqa %0, %%ymm15" ::"m"(z) : "xmm0", "xmm5", "xmm15");
  fesetround(FE_UPWARD);
  asm volatile("fninit; fld1; fldpi");
  got++;
}
static void hflags(int s) {
  unsigned long f;
  asm volatile("pushf; pop %0" : "=r"(f));
  say("direction flag in the handler %d", (int)(f >> 10 & 1));
}
__attribute__((target("avx"))) static void vectors(void) {
  uint32_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[3][8];
  int pid = getpid();
  for (int round = 0; round < 20; round++) {
    long r;
    asm volatile("vmovdqu (%[in]), %%ymm0; vmovdqu (%[in]), %%ymm5; vmovdqu (%[in]), %%ymm15\n"
                 "syscall\n" /* kill(self): the handler runs at its end */
                 "vmovdqu %%ymm0, (%[out]); vmovdqu %%ymm5, 32(%[out]); vmovdqu %%ymm15, 64(%[out])\n"
                 : "=a"(r)
                 : "0"((long)SYS_kill), "D"((long)pid), "S"((long)SIGUSR1), [in] "r"(in), [out] "r"(out)
                 : "rcx", "r11", "memory", "xmm0", "xmm5", "xmm15");
    for (int i = 0; i < 3; i++)
      if (r || memcmp(out[i], in, 32)) {
        say("round %d: vector %d lost", round, i);
        return;
      }
  }
  say("vectors kept over %d handlers", got);
}
int main(void) {
  on_signal(SIGUSR1, h, 0);
  if (__builtin_cpu_supports("avx"))
    vectors();
  else
    say("vectors kept over 20 handlers");
  got = 0;
  fesetround(FE_TOWARDZERO);
  unsigned short cw1, cw2;
  unsigned m1, m2;
  asm volatile("fnstcw %0; stmxcsr %1" : "=m"(cw1), "=m"(m1));
  raise(SIGUSR1);
  asm volatile("fnstcw %0; stmxcsr %1" : "=m"(cw2), "=m"(m2));
  YES(cw1 == cw2 && m1 == m2 && fegetround() == FE_TOWARDZERO);
  fesetround(FE_TONEAREST);
  /* general registers, flags, and the red zone under the stack pointer, at an asynchronous signal */
  struct itimerval it = {{0, 500}, {0, 500}};
  signal(SIGALRM, h);
  setitimer(ITIMER_REAL, &it, NULL);
  long bad = 0;
  int64_t end = now_ms() + 200;
  while (now_ms() < end || got < 5) {
    long b;
    asm volatile("mov $0x1111111111111111, %%r8; mov $0x2222222222222222, %%r9; mov $0x3333333333333333, %%r10\n"
                 "mov $0x4444444444444444, %%r12; mov $0x5555555555555555, %%r13; mov $0x6666666666666666, %%r14\n"
                 "mov $0x7777777777777777, %%r15; mov $0x7788, %%rbx; mov $0x99aa, %%rsi; mov $0xbbcc, %%rdi\n"
                 "movq %%r8, -8(%%rsp); movq %%r15, -128(%%rsp)\n"
                 "mov $20000, %%rcx; stc\n"
                 "1: dec %%rcx; jnz 1b\n" /* dec keeps the carry flag */
                 "mov $0, %%rax; jc 2f; inc %%rax\n"
                 "2: cmp %%r8, -8(%%rsp); je 3f; inc %%rax\n"
                 "3: cmp %%r15, -128(%%rsp); je 4f; inc %%rax\n"
                 "4: lea (%%r8,%%r9), %%rdx; add %%r10, %%rdx; sub %%r12, %%rdx; add %%r13, %%rdx; add %%r14, %%rdx; sub %%r15, %%rdx\n"
                 "mov $0x6666666666666666, %%rcx; cmp %%rcx, %%rdx; je 5f; inc %%rax\n"
                 "5: add %%rsi, %%rbx; add %%rdi, %%rbx; cmp $0x1ccfe, %%rbx; je 6f; inc %%rax\n6:\n"
                 : "=a"(b)
                 :
                 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "cc", "memory");
    bad += b;
  }
  it = (struct itimerval){0};
  setitimer(ITIMER_REAL, &it, NULL);
  say("registers lost: %ld", bad);
  YES(got >= 5);
  on_signal(SIGUSR2, hflags, 0);
  long r;
  asm volatile("std; syscall; cld" : "=a"(r) : "0"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR2) : "rcx", "r11", "memory");
}
