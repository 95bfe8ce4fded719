/* ptrace(2) while another thread kills the tracee and waits for it, and while threads come and go: nothing hangs. */
#include "ptrace.h"

static volatile pid_t target;
static volatile int quit;

static void *killer(void *arg) {
  for (unsigned i = 0; !quit; i++) {
    pid_t p = target;
    if (p) {
      usleep(i * 37 % 900);
      kill(p, SIGKILL);
      waitpid(p, NULL, __WALL);
      target = 0;
    }
    sched_yield();
  }
  return NULL;
}

static void poke_at(pid_t p) {
  struct user_regs_struct r;
  static uint8_t x[16384];
  siginfo_t si;
  for (int i = 0; target == p; i++) {
    struct iovec v = {x, sizeof x};
    P(PTRACE_GETREGS, p, 0, (long)&r);
    P(PTRACE_SETREGS, p, 0, (long)&r);
    if (!P(PTRACE_GETREGSET, p, NT_X86_XSTATE, (long)&v))
      P(PTRACE_SETREGSET, p, NT_X86_XSTATE, (long)&v);
    if (!P(PTRACE_GETSIGINFO, p, 0, (long)&si))
      P(PTRACE_SETSIGINFO, p, 0, (long)&si);
    P(i % 3 ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, p, 0, 0);
    P(PTRACE_INTERRUPT, p, 0, 0);
  }
}

static void *spin(void *arg) {
  usleep(500);
  return NULL;
}

static void threads_come_and_go(void) {
  for (int i = 0; i < 20; i++) {
    pthread_t a, b;
    pthread_create(&a, NULL, spin, NULL);
    pthread_create(&b, NULL, spin, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
  }
  _exit(5);
}

/* Whatever stops goes on, as in any simple tracer. */
static void follow(pid_t p) {
  int st, threads = 0;
  pid_t r;
  while ((r = waitpid(-1, &st, __WALL)) > 0) {
    if (r == p && !WIFSTOPPED(st)) {
      say("leader exited with %d", WEXITSTATUS(st));
      break;
    }
    threads += !WIFSTOPPED(st);
    if (WIFSTOPPED(st))
      P(PTRACE_SYSCALL, r, 0, 0);
  }
  say("threads: %s", threads >= 30 ? "many" : "few");
}

int main(void) {
  pthread_t k;
  pthread_create(&k, NULL, killer, NULL);
  for (int i = 0; i < 60; i++) {
    pid_t p = fork();
    if (!p)
      for (;;)
        getppid();
    P(PTRACE_SEIZE, p, 0, i % 2 ? PTRACE_O_TRACEEXIT : 0);
    P(PTRACE_INTERRUPT, p, 0, 0);
    target = p;
    poke_at(p);
  }
  quit = 1;
  pthread_join(k, NULL);
  say("survived");
  pid_t p = fork();
  if (!p) {
    raise(SIGSTOP);
    threads_come_and_go();
  }
  waitpid(p, NULL, WUNTRACED);
  P(PTRACE_SEIZE, p, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT);
  kill(p, SIGCONT);
  follow(p);
}
