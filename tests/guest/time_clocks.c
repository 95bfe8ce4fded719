/* Clocks: monotonic order, agreement of calls and vDSO, resolutions, errors, setting refused to users. */
#include "guest.h"
int main(void) {
  int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
               CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
  for (int i = 0; i < 9; i++) {
    struct timespec a, b, c, res;
    int r = clock_gettime(ids[i], &a);
    long s = syscall(SYS_clock_gettime, ids[i], &b);
    clock_gettime(ids[i], &c);
    double x = a.tv_sec + a.tv_nsec / 1e9, y = b.tv_sec + b.tv_nsec / 1e9, z = c.tv_sec + c.tv_nsec / 1e9;
    say("clock %d: %d %ld, order %d", ids[i], r, s, x <= y + 0.011 && y <= z + 0.011);
    clock_getres(ids[i], &res);
    say("  resolution %ld", (long)res.tv_nsec);
  }
  struct timespec ts;
  SHOW(clock_gettime(99, &ts));
  SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8));
  SHOW(clock_getres(CLOCK_MONOTONIC, NULL));
  clockid_t c;
  SHOW(clock_getcpuclockid(0, &c));
  SHOW(clock_gettime(c, &ts));
  say("unknown process %s", ename(clock_getcpuclockid(1 << 20, &c)));
  struct timeval tv;
  struct timezone tz;
  SHOW(gettimeofday(&tv, &tz));
  SHOW(syscall(SYS_gettimeofday, &tv, NULL));
  clock_gettime(CLOCK_REALTIME, &ts);
  YES(labs((long)(ts.tv_sec - tv.tv_sec)) <= 1);
  time_t t = time(NULL);
  YES(labs((long)(t - ts.tv_sec)) <= 1);
  YES(labs((long)(syscall(SYS_time, NULL) - t)) <= 1);
  long back = 0;
  struct timespec prev = {0};
  for (int i = 0; i < 20000; i++) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    back += ts.tv_sec < prev.tv_sec || (ts.tv_sec == prev.tv_sec && ts.tv_nsec < prev.tv_nsec);
    prev = ts;
  }
  say("went back %ld", back);
  CHILD("setting as a user") {
    become_user(1000);
    SHOW(clock_settime(CLOCK_REALTIME, &ts));
    SHOW(settimeofday(&tv, NULL));
  }
  SHOW(clock_settime(CLOCK_MONOTONIC, &ts));
}
