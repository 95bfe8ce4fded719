/* timerfd: one-shot, periodic, absolute, reading, poll, errors. */
#include "guest.h"
int main(void) {
  uint64_t v;
  int fd = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(read(fd, &v, 8));
  struct itimerspec t = {{0, 0}, {0, 20000000}}, old;
  SHOW(timerfd_settime(fd, 0, &t, &old));
  say("old %ld", (long)old.it_value.tv_nsec);
  SHOW(timerfd_gettime(fd, &old));
  YES(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000);
  struct pollfd pf = {fd, POLLIN, 0};
  SHOW(poll(&pf, 1, 0));
  SHOW(poll(&pf, 1, 5000));
  SHOW(read(fd, &v, 7));
  SHOW(read(fd, &v, 8));
  say("expirations %lu", (unsigned long)v);
  SHOW(read(fd, &v, 8));
  t = (struct itimerspec){{0, 5000000}, {0, 5000000}};
  timerfd_settime(fd, 0, &t, NULL);
  msleep(60);
  SHOW(read(fd, &v, 8));
  YES(v >= 8 && v < 200);
  t = (struct itimerspec){0};
  timerfd_settime(fd, 0, &t, NULL);
  SHOW(poll(&pf, 1, 20));
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  t.it_value = now;
  SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL));
  SHOW(poll(&pf, 1, 1000));
  SHOW(read(fd, &v, 8));
  int rt = MUST(timerfd_create(CLOCK_REALTIME, 0));
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_nsec += 10000000;
  if (now.tv_nsec >= 1000000000)
    now.tv_nsec -= 1000000000, now.tv_sec++;
  t.it_value = now;
  SHOW(timerfd_settime(rt, TFD_TIMER_ABSTIME, &t, NULL));
  SHOW(read(rt, &v, 8));
  say("expirations %lu", (unsigned long)v);
  SHOW(timerfd_create(77, 0));
  SHOW(timerfd_create(CLOCK_MONOTONIC, 1));
  t.it_value.tv_nsec = 1000000000;
  SHOW(timerfd_settime(fd, 0, &t, NULL));
  SHOW(timerfd_settime(0, 0, &old, NULL));
  SHOW(timerfd_settime(fd, 0xff, &old, NULL));
  SHOW(timerfd_gettime(99, &old));
  SHOW(write(fd, &v, 8));
}
