/* Leaving handlers with siglongjmp and setcontext: mask restored or not, many times. */
#include "guest.h"
static sigjmp_buf env;
static jmp_buf plain;
static void h(int s) { siglongjmp(env, s); }
static void h2(int s) { longjmp(plain, s); }
static volatile int n;
int main(void) {
  on_signal(SIGUSR1, h, 0);
  for (n = 0; n < 100; n++)
    if (!sigsetjmp(env, 1))
      raise(SIGUSR1);
  say("left %d times", n);
  sigset_t m;
  sigprocmask(SIG_BLOCK, NULL, &m);
  say("blocked %d", sigismember(&m, SIGUSR1));
  if (!sigsetjmp(env, 0))
    raise(SIGUSR1);
  sigprocmask(SIG_BLOCK, NULL, &m);
  say("without saving: blocked %d", sigismember(&m, SIGUSR1));
  on_signal(SIGALRM, h, 0);
  if (!sigsetjmp(env, 1)) {
    alarm(0);
    ualarm(5000, 0);
    for (;;) /* out of a loop of pure computation */
      ;
  }
  say("out of the loop");
  on_signal(SIGALRM, h, 0);
  int p[2];
  pipe(p);
  if (!sigsetjmp(env, 1)) {
    ualarm(5000, 0);
    char c;
    read(p[0], &c, 1);
    say("not reached");
  }
  say("out of a blocking read");
  on_signal(SIGUSR2, h2, SA_NODEFER);
  n = 0;
  if (setjmp(plain) < 50 && n++ < 50)
    raise(SIGUSR2);
  say("longjmp %d", n);
  static ucontext_t uc;
  volatile int back = 0;
  getcontext(&uc);
  if (!back++)
    setcontext(&uc);
  say("setcontext came back %d", back);
}
