/* SIGCHLD ignored or SA_NOCLDWAIT: children leave no zombie; wait blocks until the last is gone, then ECHILD. */
#include "guest.h"
static volatile int n;
static void h(int s) { n++; }
static void round_of(const char *what) {
  pid_t p[3];
  for (int i = 0; i < 3; i++)
    if (!(p[i] = fork())) {
      msleep(20 * i);
      _exit(0);
    }
  say("%s", what);
  SHOW(waitpid(-1, NULL, 0));
  for (int i = 0; i < 3; i++)
    SHOW(kill(p[i], 0));
}
int main(void) {
  signal(SIGCHLD, SIG_IGN);
  round_of("ignored");
  on_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
  round_of("SA_NOCLDWAIT, default");
  on_signal(SIGCHLD, h, SA_NOCLDWAIT | SA_RESTART);
  round_of("SA_NOCLDWAIT, handler");
  YES(n >= 1);
  signal(SIGCHLD, SIG_DFL);
  pid_t p = fork();
  if (!p)
    _exit(3);
  wait_state(p, 'Z');
  signal(SIGCHLD, SIG_IGN); /* a zombie that exists already stays */
  reap("old zombie", p);
}
