/* nanosleep and clock_nanosleep: durations, absolute times, remainders, errors. */
#include "guest.h"
static void h(int s) {}
int main(void) {
  struct timespec ts = {0, 30000000}, rem;
  int64_t t = now_ms();
  SHOW(nanosleep(&ts, NULL));
  YES(now_ms() - t >= 29 && now_ms() - t < 3000);
  ts = (struct timespec){0, 1000000000};
  SHOW(nanosleep(&ts, NULL));
  ts = (struct timespec){-1, 0};
  SHOW(nanosleep(&ts, NULL));
  SHOW(syscall(SYS_nanosleep, 8, NULL));
  ts = (struct timespec){0, 0};
  SHOW(nanosleep(&ts, NULL));
  int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI};
  for (int i = 0; i < 4; i++) {
    clock_gettime(clocks[i], &ts);
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000)
      ts.tv_nsec -= 1000000000, ts.tv_sec++;
    t = now_ms();
    say("absolute %s", ename(clock_nanosleep(clocks[i], TIMER_ABSTIME, &ts, NULL)));
    YES(now_ms() - t >= 18 && now_ms() - t < 3000);
  }
  clock_gettime(CLOCK_MONOTONIC, &ts);
  ts.tv_sec -= 5;
  say("past %s", ename(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL)));
  ts = (struct timespec){0, 1000};
  say("bad clock %s", ename(clock_nanosleep(99, 0, &ts, NULL)));
  say("thread clock %s", ename(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL)));
  on_signal(SIGALRM, h, 0);
  struct itimerval it = {{0}, {0, 20000}};
  setitimer(ITIMER_REAL, &it, NULL);
  ts = (struct timespec){5, 0};
  say("interrupted %s", ename(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rem)));
  YES(rem.tv_sec == 4 && rem.tv_nsec > 0);
  SHOW(usleep(100));
  setitimer(ITIMER_REAL, &it, NULL);
  SHOW(sleep(3) >= 2);
}
