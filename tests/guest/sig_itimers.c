/* setitimer of the three kinds, alarm, getitimer. */
#include "guest.h"
static volatile int n[65];
static void h(int s) { n[s]++; }
static volatile int in_thread, in_main;
static pid_t main_tid;
static void who(int sig) {
  if (gettid() == main_tid)
    in_main++;
  else
    in_thread++;
}
static void *burn(void *end) {
  while (in_thread < 3 && now_ms() < *(int64_t *)end)
    for (volatile int i = 0; i < 100000; i++)
      ;
  return NULL;
}
/* The signal of a CPU timer goes to the thread that uses the time, not to the main one. */
static void profile(void) {
  pthread_t t;
  int64_t end = now_ms() + 3000;
  main_tid = gettid();
  on_signal(SIGPROF, who, SA_RESTART);
  struct itimerval it = {{0, 10000}, {0, 10000}}, off = {0};
  setitimer(ITIMER_PROF, &it, NULL);
  pthread_create(&t, NULL, burn, &end);
  pthread_join(t, NULL);
  setitimer(ITIMER_PROF, &off, NULL);
  say("profiled: %d", in_thread >= 3 && in_main <= 1);
}
int main(void) {
  on_signal(SIGALRM, h, SA_RESTART), on_signal(SIGVTALRM, h, SA_RESTART), on_signal(SIGPROF, h, SA_RESTART);
  struct itimerval it = {{0, 10000}, {0, 20000}}, old;
  SHOW(setitimer(ITIMER_REAL, &it, &old));
  say("old %ld.%ld", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
  SHOW(getitimer(ITIMER_REAL, &old));
  YES(old.it_interval.tv_usec == 10000 && old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 20000);
  msleep(150);
  it = (struct itimerval){0};
  SHOW(setitimer(ITIMER_REAL, &it, NULL));
  YES(n[SIGALRM] >= 5 && n[SIGALRM] <= 15);
  int was = n[SIGALRM];
  msleep(20);
  YES(n[SIGALRM] == was);
  it = (struct itimerval){{0, 0}, {0, 20000}};
  SHOW(setitimer(ITIMER_VIRTUAL, &it, NULL));
  SHOW(setitimer(ITIMER_PROF, &it, NULL));
  msleep(40);
  say("asleep: %d %d", n[SIGVTALRM], n[SIGPROF]);
  int64_t end = now_ms() + 1500;
  while ((!n[SIGVTALRM] || !n[SIGPROF]) && now_ms() < end)
    for (volatile int i = 0; i < 100000; i++)
      ;
  say("running: %d %d", n[SIGVTALRM], n[SIGPROF]);
  CHILD("a thread burns") profile();
  SHOW(setitimer(9, &it, NULL));
  it = (struct itimerval){{0, 0}, {0, 1000000}};
  SHOW(setitimer(ITIMER_REAL, &it, NULL));
  SHOW(alarm(5));
  SHOW(alarm(3) == 5);
  CHILD("not inherited") SHOW(alarm(0));
  SHOW(alarm(0));
  SHOW(alarm(0));
  n[SIGALRM] = 0;
  alarm(1);
  CHILD("kept over exec") {
    alarm(1);
    signal(SIGALRM, SIG_DFL);
    execl(helper("sleeper"), "sleeper", NULL);
  }
  alarm(0);
}
