/* A restarted call goes on correctly: the bytes arrive, the remaining time counts, partial results are kept. */
#include "guest.h"
static volatile int got;
static void h(int s) { got++; }
int main(void) {
  on_signal(SIGALRM, h, SA_RESTART);
  int p[2];
  pipe(p);
  pid_t c = fork();
  if (!c) {
    for (int i = 0; i < 5; i++) {
      msleep(10);
      kill(getppid(), SIGALRM);
    }
    msleep(10);
    write(p[1], "late", 4);
    _exit(0);
  }
  char buf[8] = "";
  SHOW(read(p[0], buf, 8));
  say("%s after signals: %s", buf, got >= 1 ? "yes" : "no");
  reap("sender", c);
  got = 0;
  struct timespec ts = {0, 200000000}, rem = {9, 9};
  struct itimerval it = {{0, 30000}, {0, 30000}};
  setitimer(ITIMER_REAL, &it, NULL);
  int64_t t = now_ms();
  SHOW(nanosleep(&ts, &rem));
  it = (struct itimerval){0};
  setitimer(ITIMER_REAL, &it, NULL);
  YES(rem.tv_sec == 0 && rem.tv_nsec > 50000000 && rem.tv_nsec < 200000000);
  YES(now_ms() - t < 190);
  /* a write larger than the pipe, interrupted half way, is a short write */
  on_signal(SIGUSR1, h, 0);
  pipe(p);
  c = fork();
  if (!c) {
    wait_state(getppid(), 'S');
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  static char big[200000];
  long n = write(p[1], big, sizeof big);
  say("short write: %s", n == 65536 ? "a full pipe" : n < 0 ? ename(errno) : "other");
  reap("signaller", c);
  /* SA_RESTART poll keeps failing with EINTR, but wait4 goes on */
  c = fork();
  if (!c) {
    msleep(60);
    _exit(9);
  }
  it = (struct itimerval){{0, 10000}, {0, 10000}};
  setitimer(ITIMER_REAL, &it, NULL);
  int st;
  YES(waitpid(c, &st, 0) == c);
  it = (struct itimerval){0};
  setitimer(ITIMER_REAL, &it, NULL);
  say_status("waited", st);
}
