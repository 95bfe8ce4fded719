/* Orphans go to the nearest subreaper; PR_SET_PDEATHSIG tells the child. */
#include "guest.h"
static volatile int got;
static void h(int s) { got = s; }
int main(void) {
  SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int v = 0;
  SHOW(prctl(PR_GET_CHILD_SUBREAPER, &v));
  say("subreaper %d", v);
  pid_t me = getpid();
  int p[2];
  pipe(p);
  CHILD("parent of an orphan") {
    pid_t first = getpid();
    if (fork() == 0) {
      close(p[0]);
      while (getppid() == first)
        msleep(1);
      _exit(getppid() == me ? 17 : 18);
    }
    _exit(2);
  }
  reap("adopted", -1);
  CHILD("child is no subreaper") {
    int w = 5;
    prctl(PR_GET_CHILD_SUBREAPER, &w);
    say("inherited %d", w);
  }
  close(p[1]);
  int q[2];
  pipe(q);
  CHILD("dying parent") {
    int ready[2];
    pipe(ready);
    if (fork() == 0) {
      on_signal(SIGUSR1, h, 0);
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      int s = 0;
      prctl(PR_GET_PDEATHSIG, &s);
      if (s != SIGUSR1)
        _exit(1);
      write(ready[1], "x", 1);
      while (!got)
        msleep(1);
      _exit(100 + got);
    }
    char c;
    read(ready[0], &c, 1);
  }
  reap("told", -1);
  SHOW(prctl(PR_SET_PDEATHSIG, 65));
}
