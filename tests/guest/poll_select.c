/* select and pselect: sets, counts, remaining time, errors. */
#include "guest.h"
static void h(int s) {}
int main(void) {
  int p[2], q[2];
  pipe(p), pipe(q);
  write(q[1], "x", 1);
  fd_set r, w, x;
  FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&x);
  FD_SET(p[0], &r); FD_SET(q[0], &r); FD_SET(p[1], &w); FD_SET(p[0], &x);
  SHOW(select(20, &r, &w, &x, NULL));
  say("%d %d %d %d", FD_ISSET(p[0], &r), FD_ISSET(q[0], &r), FD_ISSET(p[1], &w), FD_ISSET(p[0], &x));
  struct timeval tv = {0, 30000};
  FD_ZERO(&r); FD_SET(p[0], &r);
  int64_t t = now_ms();
  SHOW(select(p[0] + 1, &r, NULL, NULL, &tv));
  YES(now_ms() - t >= 29);
  say("set cleared %d, time left %ld.%06ld", FD_ISSET(p[0], &r), (long)tv.tv_sec, (long)tv.tv_usec);
  tv = (struct timeval){5, 0};
  FD_SET(q[0], &r);
  SHOW(select(20, &r, NULL, NULL, &tv));
  YES(tv.tv_sec >= 4);
  FD_ZERO(&r); FD_SET(77, &r);
  tv = (struct timeval){0, 0};
  SHOW(select(78, &r, NULL, NULL, &tv));
  SHOW(select(-1, NULL, NULL, NULL, &tv));
  tv = (struct timeval){0, -1};
  SHOW(select(0, NULL, NULL, NULL, &tv));
  tv = (struct timeval){0, 1000};
  SHOW(select(0, NULL, NULL, NULL, &tv));
  SHOW(syscall(SYS_select, 10, 8, 0, 0, &tv));
  FD_ZERO(&r); FD_SET(q[0], &r);
  SHOW(select(q[0], &r, NULL, NULL, &(struct timeval){0, 0})); /* n excludes it */
  on_signal(SIGUSR1, h, 0);
  sigset_t m, none;
  sigemptyset(&m), sigemptyset(&none), sigaddset(&m, SIGUSR1);
  sigprocmask(SIG_BLOCK, &m, NULL);
  raise(SIGUSR1);
  FD_ZERO(&r); FD_SET(p[0], &r);
  SHOW(pselect(20, &r, NULL, NULL, &(struct timespec){0, 1000000}, &m));
  FD_SET(p[0], &r);
  SHOW(pselect(20, &r, NULL, NULL, NULL, &none));
  close(p[1]);
  FD_ZERO(&r); FD_SET(p[0], &r);
  SHOW(select(20, &r, NULL, NULL, NULL)); /* end of file is readable */
  pipe(p);
  close(p[0]);
  FD_ZERO(&w); FD_SET(p[1], &w);
  SHOW(select(20, NULL, &w, NULL, NULL)); /* a broken pipe is writable */
  int hi = MUST(dup2(q[0], 900));
  FD_ZERO(&r); FD_SET(hi, &r);
  SHOW(select(901, &r, NULL, NULL, NULL));
}
