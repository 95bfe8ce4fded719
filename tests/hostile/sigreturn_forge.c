/* Forged signal frames: through the guest's rt_sigreturn, and at the stub's own. All host signals blocked, bad state, then SIGKILL. */
#include "hostile.h"
static struct stub st;
static int variant;
struct frame {
  struct {
    unsigned long flags, link;
    stack_t stack;
    unsigned long g[23];
    unsigned long fpstate, reserved[8];
    uint64_t mask;
  } uc;
  siginfo_t info;
  unsigned char fp[4096] __attribute__((aligned(64)));
};
static struct frame f __attribute__((aligned(64)));
static void spin(void) {
  for (volatile unsigned long i = 0;; i++)
    if (variant >= 100 && (i & 0xffff) == 0)
      getppid();
}
static char stack[65536] __attribute__((aligned(16)));
static void forge(void *arg) {
  memset(&f, 0, sizeof f);
  f.uc.flags = 0x7;
  f.uc.g[16] = (unsigned long)spin;                      /* RIP */
  f.uc.g[15] = (unsigned long)stack + sizeof stack - 8; /* RSP */
  f.uc.g[17] = 0x202;
  f.uc.g[18] = 0x002b000000000033;
  f.uc.mask = ~0UL;
  int v = variant % 100;
  if (v == 1) f.uc.g[16] = 0xffffffff81000000;
  if (v == 2) f.uc.g[16] = 0x8000000000000000;
  if (v == 3) f.uc.g[18] = 0x0010000000000010; /* kernel segments */
  if (v == 4) f.uc.g[18] = 0x23;               /* 32-bit code */
  if (v == 5) f.uc.g[17] = ~0UL;               /* all flags */
  if (v == 6) f.uc.fpstate = 1;
  if (v == 7) f.uc.fpstate = (unsigned long)f.fp;
  if (v == 8) f.uc.fpstate = (unsigned long)f.fp + 8;
  if (v == 9) f.uc.fpstate = 0xffff800000000000;
  if (v == 10) {
    f.uc.fpstate = (unsigned long)f.fp;
    uint32_t *sw = (void *)(f.fp + 464);
    sw[0] = 0x46505853, sw[1] = 0xffffffff, *(uint64_t *)(sw + 2) = ~0UL, sw[4] = 0xffffffff;
  }
  if (v == 11) {
    f.uc.fpstate = (unsigned long)f.fp;
    memset(f.fp, 0xff, sizeof f.fp);
  }
  if (v == 12) f.uc.stack = (stack_t){(void *)0xffff800000000000, -1, ~0UL};
  if (v == 13) f.uc.stack = (stack_t){st.text, 0, 0x10000};
  if (v == 14) f.uc.g[16] = (unsigned long)st.syscall_insn, f.uc.g[13] = SYS_getppid;
  if (v == 15) f.uc.g[16] = (unsigned long)st.sigreturn_insn, f.uc.g[13] = SYS_openat;
  if (v == 16) f.uc.g[15] = 0;
  unsigned long sp = (unsigned long)&f;
  if (v == 17) sp = 0;
  if (v == 18) sp = 0xffff800000000000;
  if (v == 19) sp = (unsigned long)&f + 1;
  void *where = variant >= 200 ? st.sigreturn_insn : NULL;
  if (where)
    asm volatile("mov %0, %%rsp; mov $15, %%eax; jmp *%1" ::"r"(sp), "r"(where) : "rax", "memory");
  asm volatile("mov %0, %%rsp; mov $15, %%eax; syscall; hlt" ::"r"(sp) : "rax", "rcx", "r11", "memory");
}
int main(void) {
  bool found = find_stub(&st);
  signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL);
  int killed = 0, ended = 0;
  for (int base = 0; base < (found ? 300 : 200); base += 100)
    for (int v = 0; v < 20; v++) {
      if (base == 200 && v % 5) /* each of these takes the platform's whole deadline */
        continue;
      attack_number = variant = base + v;
      int64_t t = now_ms();
      if (attack(forge, NULL, 60, NULL))
        ended++;
      else
        killed++;
      if (now_ms() - t > (base == 200 ? 14000 : 3000))
        say("HANG: variant %d took %d ms to kill", variant, (int)(now_ms() - t));
    }
  say("forged frames %d", killed + ended);
  return 0;
}
