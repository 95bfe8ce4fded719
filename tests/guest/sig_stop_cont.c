/* Stop and continue: every stop signal, SIGCONT with and without handler, pending stops cancelled, threads stop together. */
#include "guest.h"
static int *handled; /* shared with the children */
static void h(int s) { __atomic_add_fetch(handled, 1, __ATOMIC_SEQ_CST); }
static volatile long counter;
static void *spin(void *shared) {
  for (;;)
    ++*(volatile long *)shared;
}
int main(void) {
  int st;
  handled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  for (int i = 0; i < 4; i++) {
    pid_t p = fork();
    if (!p) {
      setpgid(0, 0);
      signal(SIGCONT, i & 1 ? h : SIG_DFL);
      sigset_t m;
      sigemptyset(&m);
      for (;;)
        sigsuspend(&m);
    }
    setpgid(p, p); /* not orphaned: its parent is in the same session */
    wait_state(p, 'S');
    kill(p, stops[i]);
    waitpid(p, &st, WUNTRACED);
    say_status("child", st);
    say("state %c", proc_state(p));
    kill(p, SIGCONT);
    waitpid(p, &st, WCONTINUED);
    say_status("child", st);
    wait_state(p, 'S');
    say("handled %d", *handled);
    kill(p, SIGTERM);
    reap("end", p);
  }
  /* stopped processes keep their pending signals, but die of SIGKILL at once */
  pid_t p = fork();
  if (!p) {
    on_signal(SIGUSR1, h, 0);
    raise(SIGSTOP);
    if (*handled != 3)
      say("the signal of before the stop is not handled");
    raise(SIGSTOP);
    _exit(0);
  }
  waitpid(p, &st, WUNTRACED);
  kill(p, SIGUSR1);
  msleep(10);
  say("state %c", proc_state(p));
  kill(p, SIGCONT);
  waitpid(p, &st, WUNTRACED);
  say_status("again", st);
  kill(p, SIGKILL);
  reap("stopped one", p);
  /* SIGCONT discards pending stops, a stop discards a pending SIGCONT */
  sigset_t m, pend;
  sigemptyset(&m);
  sigaddset(&m, SIGTSTP), sigaddset(&m, SIGCONT);
  CHILD("discard") {
    setpgid(0, 0);
    sigprocmask(SIG_BLOCK, &m, NULL);
    signal(SIGTSTP, h), signal(SIGCONT, h);
    raise(SIGTSTP);
    sigpending(&pend);
    say("TSTP %d CONT %d", sigismember(&pend, SIGTSTP), sigismember(&pend, SIGCONT));
    raise(SIGCONT);
    sigpending(&pend);
    say("TSTP %d CONT %d", sigismember(&pend, SIGTSTP), sigismember(&pend, SIGCONT));
    raise(SIGTSTP);
    sigpending(&pend);
    say("TSTP %d CONT %d", sigismember(&pend, SIGTSTP), sigismember(&pend, SIGCONT));
  }
  /* an orphaned process group ignores the terminal's stop signals */
  CHILD("orphaned group") {
    setsid();
    raise(SIGTSTP);
    say("not stopped");
  }
  /* all threads stop */
  long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  p = fork();
  if (!p) {
    pthread_t t;
    pthread_create(&t, NULL, spin, shared);
    pthread_create(&t, NULL, spin, shared + 1);
    for (;;)
      pause();
  }
  while (!((volatile long *)shared)[0] || !((volatile long *)shared)[1])
    msleep(1);
  kill(p, SIGSTOP);
  waitpid(p, &st, WUNTRACED);
  long a = shared[0], b = shared[1];
  msleep(20);
  say("threads stand still: %d", a == shared[0] && b == shared[1]);
  kill(p, SIGCONT);
  msleep(30);
  say("threads run: %d", a != shared[0] && b != shared[1]);
  kill(p, SIGKILL);
  reap("threads", p);
}
