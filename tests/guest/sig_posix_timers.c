/* timer_create: signals, SIGEV_NONE, SIGEV_THREAD_ID, overruns, absolute times, errors. */
#include "guest.h"
static volatile int n, overruns;
static void h(int s, siginfo_t *si, void *c) {
  n++;
  overruns += si->si_overrun;
}
int main(void) {
  on_siginfo(SIGRTMIN, h, SA_RESTART);
  timer_t t;
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
  struct itimerspec its = {{0, 5000000}, {0, 5000000}}, old;
  SHOW(timer_settime(t, 0, &its, NULL));
  SHOW(timer_gettime(t, &old));
  YES(old.it_interval.tv_nsec == 5000000 && old.it_value.tv_nsec > 0);
  msleep(60);
  YES(n >= 3);
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &m, NULL);
  n = overruns = 0;
  msleep(60);
  sigprocmask(SIG_UNBLOCK, &m, NULL);
  its = (struct itimerspec){0};
  SHOW(timer_settime(t, 0, &its, NULL));
  YES(n >= 1 && n <= 3);
  YES(overruns >= 3);
  SHOW(timer_delete(t));
  SHOW(timer_delete(t));
  SHOW(timer_gettime(t, &old));
  ev = (struct sigevent){.sigev_notify = SIGEV_NONE};
  SHOW(timer_create(CLOCK_REALTIME, &ev, &t));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  its = (struct itimerspec){{0}, {now.tv_sec + 100, 0}};
  SHOW(timer_settime(t, TIMER_ABSTIME, &its, NULL));
  SHOW(timer_gettime(t, &old));
  YES(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100);
  SHOW(timer_getoverrun(t));
  its.it_value.tv_nsec = 1000000000;
  SHOW(timer_settime(t, 0, &its, NULL));
  ev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
  SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
  ev = (struct sigevent){.sigev_notify = 9, .sigev_signo = SIGRTMIN};
  SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
  ev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  SHOW(timer_create(77, &ev, &t));
  ev = (struct sigevent){.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
  ev._sigev_un._tid = syscall(SYS_gettid);
  n = 0;
  SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
  its = (struct itimerspec){{0}, {0, 1000000}};
  SHOW(timer_settime(t, 0, &its, NULL));
  msleep(20);
  say("to this thread %d", n);
  ev._sigev_un._tid = 1 << 20;
  SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
  SHOW(timer_create(CLOCK_MONOTONIC, NULL, &t));
  CHILD("not inherited") SHOW(timer_delete(t));
}
