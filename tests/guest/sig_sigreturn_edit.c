/* What a handler writes into its ucontext takes effect: registers, instruction pointer, mask, vector state. */
#include "guest.h"
extern char after[];
static void skip_insn(int s, siginfo_t *si, void *p) {
  ucontext_t *uc = p;
  say("skipping");
  uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
  uc->uc_mcontext.gregs[REG_RAX] = 4242;
  uc->uc_mcontext.gregs[REG_R12] = 1212;
}
static void change_mask(int s, siginfo_t *si, void *p) { sigaddset(&((ucontext_t *)p)->uc_sigmask, SIGHUP); }
static void change_result(int s, siginfo_t *si, void *p) { ((ucontext_t *)p)->uc_mcontext.gregs[REG_RAX] = 777; }
static void change_xmm(int s, siginfo_t *si, void *p) {
  ((ucontext_t *)p)->uc_mcontext.fpregs->_xmm[3].element[0] = 0x31415926;
  ((ucontext_t *)p)->uc_mcontext.fpregs->mxcsr |= 0x8000;
}
static void look(int s, siginfo_t *si, void *p) {
  ucontext_t *uc = p;
  say("saved mask: USR1 %d TERM %d; link %s; cs %x", sigismember(&uc->uc_sigmask, SIGUSR1), sigismember(&uc->uc_sigmask, SIGTERM),
      uc->uc_link ? "set" : "null", (int)(uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff));
}
int main(void) {
  long rax = 1, r12 = 2;
  on_siginfo(SIGILL, skip_insn, 0);
  asm volatile("mov $1, %%r12; ud2; mov %%r12, %1" : "=a"(rax), "=r"(r12) : : "r12");
  say("rax %ld r12 %ld", rax, r12);
  on_siginfo(SIGUSR1, change_mask, 0);
  raise(SIGUSR1);
  sigset_t m;
  sigprocmask(SIG_BLOCK, NULL, &m);
  say("HUP blocked %d", sigismember(&m, SIGHUP));
  on_siginfo(SIGUSR2, change_result, 0);
  long r;
  asm volatile("syscall" : "=a"(r) : "0"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR2) : "rcx", "r11", "memory");
  say("kill returned %ld", r);
  on_siginfo(SIGUSR2, change_xmm, 0);
  unsigned x, mx;
  asm volatile("pxor %%xmm3, %%xmm3; syscall; movd %%xmm3, %1; stmxcsr %2"
               : "=a"(r), "=r"(x), "=m"(mx)
               : "0"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR2)
               : "rcx", "r11", "memory", "xmm3");
  say("xmm3 %x, flush to zero %d", x, (int)(mx >> 15));
  sigaddset(&m, SIGTERM);
  sigprocmask(SIG_SETMASK, &m, NULL);
  on_siginfo(SIGUSR1, look, 0);
  raise(SIGUSR1);
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("sigreturn without a frame") {
    asm volatile("mov $0, %%rsp; mov $15, %%eax; syscall" ::: "rax", "rcx", "r11", "memory");
  }
}
