/* SIGCHLD: for stops unless SA_NOCLDSTOP, merged while blocked, exec keeps the child. */
#include "guest.h"
static volatile int n;
static void h(int s) { n++; }
static void settle(pid_t p, char state) { wait_state(p, state); }
int main(void) {
  for (int nostop = 0; nostop < 2; nostop++) {
    on_signal(SIGCHLD, h, nostop ? SA_NOCLDSTOP : 0);
    n = 0;
    pid_t p = fork();
    if (!p)
      for (;;)
        pause();
    settle(p, 'S');
    kill(p, SIGSTOP);
    settle(p, 'T');
    say("after stop %d", n);
    kill(p, SIGCONT);
    settle(p, 'S');
    say("after continue %d", n);
    kill(p, SIGTERM);
    settle(p, 'Z');
    say("after death %d", n);
    reap("child", p);
  }
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGCHLD);
  sigprocmask(SIG_BLOCK, &m, NULL);
  n = 0;
  pid_t p[4];
  for (int i = 0; i < 4; i++)
    if (!(p[i] = fork()))
      _exit(i);
  for (int i = 0; i < 4; i++)
    settle(p[i], 'Z');
  sigprocmask(SIG_UNBLOCK, &m, NULL);
  say("merged %d", n);
  for (int i = 0; i < 4; i++)
    reap("child", p[i]);
}
