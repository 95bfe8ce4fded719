/* Signals from several sides while a process computes, forks and does system calls: nothing is lost that must not be. */
#include "guest.h"
static volatile int rt, usr, alrm;
static void h(int s) {
  if (s == SIGRTMIN)
    rt++;
  else if (s == SIGUSR1)
    usr++;
  else
    alrm++;
}
int main(void) {
  on_signal(SIGRTMIN, h, SA_RESTART), on_signal(SIGUSR1, h, SA_RESTART), on_signal(SIGALRM, h, SA_RESTART);
  struct itimerval it = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &it, NULL);
  pid_t p[3], me = getpid();
  for (int i = 0; i < 3; i++)
    if (!(p[i] = fork())) {
      for (int j = 0; j < 200; j++) {
        while (sigqueue(me, SIGRTMIN, (union sigval){j}))
          msleep(1);
        kill(me, SIGUSR1);
      }
      _exit(0);
    }
  int fd[2];
  pipe(fd);
  long sum = 0;
  for (int i = 0; i < 300; i++) {
    char c = i, d = 0;
    if (write(fd[1], &c, 1) != 1 || read(fd[0], &d, 1) != 1 || c != d)
      say("pipe broke at %d", i);
    for (volatile int j = 0; j < 2000; j++)
      sum += j;
    if (i % 60 == 0)
      CHILD("forked in the storm") _exit(3);
  }
  for (int i = 0; i < 3; i++)
    reap("sender", p[i]);
  it = (struct itimerval){0};
  setitimer(ITIMER_REAL, &it, NULL);
  say("sum %ld", sum);
  say("real-time %d", rt);
  YES(usr >= 1 && usr <= 600);
}
