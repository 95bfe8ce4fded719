/* ptrace(2): registers, memory, single steps, breakpoints, debug registers. */
#include "ptrace.h"
#include <stddef.h>

static volatile long watched[2];
__attribute__((aligned(64))) static const char text[64] = "read-only private text of the program";

static pid_t start(void (*fn)(void)) {
  pid_t p = fork();
  if (!p) {
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    fn();
    _exit(0);
  }
  see("start", p, 0);
  P(PTRACE_SETOPTIONS, p, 0, PTRACE_O_EXITKILL);
  return p;
}

static void breaks(void) {
  uint64_t rbx, xmm[2] = {0};
  __asm__ volatile("mov $0x1111, %%rbx\n movq %%rbx, %%xmm9\n int3\n mov %%rbx, %0\n movq %%xmm9, %1\n"
                   : "=r"(rbx), "=r"(xmm[0])::"rbx", "xmm9");
  _exit((rbx == 0x2222) | (xmm[0] == 0x3333) << 1 | (text[0] == 'R') << 2);
}

static void registers(void) {
  say("-- registers");
  pid_t p = start(breaks);
  P(PTRACE_CONT, p, 0, 0);
  see("int3", p, 0);
  info_of("int3", p);
  struct user_regs_struct r, s;
  SHOW(P(PTRACE_GETREGS, p, 0, (long)&r));
  say("rbx %llx orig_rax %lld cs %llx ss %llx ds %llx fs %llx fs_base %d gs_base %lld", r.rbx, r.orig_rax, r.cs, r.ss,
      r.ds, r.fs, r.fs_base != 0, r.gs_base);
  struct iovec v = {&s, sizeof s};
  SHOW(P(PTRACE_GETREGSET, p, NT_PRSTATUS, (long)&v));
  say("the same: %d, %zu bytes", !memcmp(&r, &s, sizeof r), v.iov_len);
  v.iov_len = 16;
  SHOW(P(PTRACE_GETREGSET, p, NT_PRSTATUS, (long)&v));
  say("%zu bytes", v.iov_len);
  v.iov_len = 13;
  SHOW(P(PTRACE_GETREGSET, p, NT_PRSTATUS, (long)&v));
  SHOW(P(PTRACE_GETREGSET, p, 0x9999, (long)&v));
  SHOW(P(PTRACE_GETREGSET, p, NT_PRSTATUS, 8));
  r.rbx = 0x2222;
  SHOW(P(PTRACE_SETREGS, p, 0, (long)&r));
  unsigned long w = 0;
  SHOW(P(PTRACE_PEEKUSR, p, offsetof(struct user_regs_struct, rbx), (long)&w));
  say("rbx %lx", w);
  SHOW(P(PTRACE_PEEKUSR, p, 3, (long)&w));
  SHOW(P(PTRACE_PEEKUSR, p, sizeof(struct user), (long)&w));
  SHOW(P(PTRACE_POKEUSR, p, offsetof(struct user_regs_struct, fs_base), 1ul << 63));
  SHOW(P(PTRACE_POKEUSR, p, offsetof(struct user_regs_struct, cs), 0));
  struct user_fpregs_struct fp;
  SHOW(P(PTRACE_GETFPREGS, p, 0, (long)&fp));
  say("xmm9 %x mxcsr %x cwd %x", fp.xmm_space[36], fp.mxcsr, fp.cwd);
  static uint8_t x[16384];
  v = (struct iovec){x, sizeof x};
  SHOW(P(PTRACE_GETREGSET, p, NT_X86_XSTATE, (long)&v));
  uint64_t xcr0, bv;
  memcpy(&xcr0, x + 464, 8);
  memcpy(&bv, x + 512, 8);
  say("xmm9 in XSTATE %d, features %d, used %d, size %d", !memcmp(x + 160 + 9 * 16, fp.xmm_space + 36, 16),
      (xcr0 & 3) == 3, !(bv & ~xcr0), v.iov_len >= 576);
  fp.xmm_space[36] = 0x3333;
  SHOW(P(PTRACE_SETFPREGS, p, 0, (long)&fp));
  fp.mxcsr = 0xffffffff;
  SHOW(P(PTRACE_SETFPREGS, p, 0, (long)&fp));
  SHOW(P(PTRACE_GETFPREGS, p, 0, (long)&fp));
  say("xmm9 %x", fp.xmm_space[36]);
  say("-- memory");
  SHOW(P(PTRACE_PEEKDATA, p, (long)text, (long)&w));
  say("%.8s", (char *)&w);
  memcpy(&w, "Read-Onl", 8);
  SHOW(P(PTRACE_POKEDATA, p, (long)text, w));
  SHOW(P(PTRACE_PEEKTEXT, p, (long)text, (long)&w));
  say("%.8s, ours %.8s", (char *)&w, text);
  SHOW(P(PTRACE_PEEKDATA, p, 8, (long)&w));
  SHOW(P(PTRACE_POKEDATA, p, 8, 1));
  SHOW(P(PTRACE_PEEKDATA, p, (long)text, 8));
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

static volatile int handled;
static void on_usr(int s) {
  handled++;
}
extern char step_from[], step_syscall[], step_to[];
static void steps(void) {
  signal(SIGUSR1, on_usr);
  __asm__ volatile(
      "int3\n.globl step_from, step_syscall, step_to\nstep_from:\n nop\n mov $39, %%eax\nstep_syscall: syscall\n"
      "step_to: nop\n nop\n"
      "mov $39, %%eax\n syscall\n nop\n" ::
          : "rax", "rcx", "r11", "memory");
  _exit(handled);
}

static void where(pid_t p, const char *what) {
  struct user_regs_struct r;
  siginfo_t i;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  P(PTRACE_GETSIGINFO, p, 0, (long)&i);
  say("%s: at %+ld, TF %d, code %d", what, (long)(r.rip - (unsigned long)step_from), !!(r.eflags & 0x100), i.si_code);
}

static void stepping(void) {
  say("-- single steps");
  pid_t p = start(steps);
  P(PTRACE_CONT, p, 0, 0);
  see("int3", p, 0);
  where(p, "int3");
  for (int i = 0; i < 6; i++) {
    P(PTRACE_SINGLESTEP, p, 0, 0);
    see("step", p, 0);
    where(p, "step");
  }
  say("-- into a handler");
  P(PTRACE_SINGLESTEP, p, 0, SIGUSR1);
  see("step", p, 0);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("in the handler: %d, TF %d, rdi %lld", r.rip == (unsigned long)on_usr, !!(r.eflags & 0x100), r.rdi);
  info_of("step", p);
  int n = 0;
  do {
    P(PTRACE_SINGLESTEP, p, 0, 0);
    int st;
    waitpid(p, &st, 0);
    P(PTRACE_GETREGS, p, 0, (long)&r);
  } while ((r.rip < (unsigned long)step_from || r.rip > (unsigned long)step_from + 64) && ++n < 200);
  where(p, "back from it");
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

static void writes(void) {
  for (int i = 0; i < 50; i++)
    watched[0]++;
  for (int i = 0; i < 3; i++)
    watched[1] = i + 7;
}
#define DR(n) (offsetof(struct user, u_debugreg) + 8 * (n))

static void watching(void) {
  say("-- debug registers");
  pid_t p = start(writes);
  unsigned long w = 1;
  SHOW(P(PTRACE_PEEKUSR, p, DR(0), (long)&w));
  SHOW(P(PTRACE_PEEKUSR, p, DR(7), (long)&w));
  say("%lx", w);
  SHOW(P(PTRACE_POKEUSR, p, DR(0), -1ul));
  SHOW(P(PTRACE_POKEUSR, p, DR(0), (long)&watched[1]));
  SHOW(P(PTRACE_POKEUSR, p, DR(7), 1 | 1ul << 16 | 2ul << 18)); /* writes, eight bytes */
  for (int i = 0; i < 3; i++) {
    P(PTRACE_CONT, p, 0, 0);
    see("watch", p, 0);
    info_of("watch", p);
    P(PTRACE_PEEKUSR, p, DR(6), (long)&w);
    say("DR6 %lx", w & 15);
    SHOW(P(PTRACE_POKEUSR, p, DR(6), 0));
    P(PTRACE_PEEKDATA, p, (long)&watched[1], (long)&w);
    say("value %ld", w);
  }
  SHOW(P(PTRACE_POKEUSR, p, DR(7), 0));
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

int main(void) {
  registers();
  stepping();
  watching();
}
