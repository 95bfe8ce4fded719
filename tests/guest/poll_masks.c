/* ppoll, pselect6 and epoll_pwait: masks during the wait, EINTR, restarts of poll, times that are told. */
#include "guest.h"
static volatile int hits;
static void hit(int s) {
  hits++;
}
static void send_later(int sig, int ms) {
  struct itimerval it = {.it_value = {0, ms * 1000}};
  signal(SIGALRM, hit);
  setitimer(ITIMER_REAL, &it, NULL);
}
static bool blocked(int sig) {
  sigset_t s;
  sigprocmask(SIG_SETMASK, NULL, &s);
  return sigismember(&s, sig);
}
int main(void) {
  int p[2];
  pipe(p);
  struct pollfd pf = {p[0], POLLIN};
  sigset_t block, none;
  sigemptyset(&none);
  sigemptyset(&block);
  sigaddset(&block, SIGALRM);
  sigaddset(&block, SIGUSR1);
  on_signal(SIGALRM, hit, SA_RESTART);
  on_signal(SIGUSR1, hit, SA_RESTART);
  sigprocmask(SIG_BLOCK, &block, NULL);
  struct timespec ts = {5, 0};
  send_later(SIGALRM, 30);
  SHOW(ppoll(&pf, 1, &ts, &none));
  say("hits %d", hits);
  YES(blocked(SIGALRM));
  kill(getpid(), SIGUSR1); /* pending before the call */
  SHOW(pselect(p[0] + 1, NULL, NULL, NULL, &ts, &none));
  say("hits %d", hits);
  kill(getpid(), SIGUSR1);
  write(p[1], "x", 1);
  SHOW(ppoll(&pf, 1, &ts, &none)); /* ready: the signal stays pending */
  say("hits %d", hits);
  sigset_t pend;
  sigpending(&pend);
  YES(sigismember(&pend, SIGUSR1));
  read(p[0], &pend, 1);
  int ep = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
  SHOW(epoll_pwait(ep, &ev, 1, 5000, &none));
  say("hits %d", hits);
  SHOW(epoll_pwait(ep, &ev, 1, 10, &none));
  YES(blocked(SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &block, NULL);
  /* SA_RESTART does not restart these */
  send_later(SIGALRM, 30);
  SHOW(poll(&pf, 1, 5000));
  send_later(SIGALRM, 30);
  SHOW(epoll_wait(ep, &ev, 1, 5000));
  fd_set in;
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  struct timeval tv = {5, 0};
  send_later(SIGALRM, 30);
  SHOW(select(p[0] + 1, &in, NULL, NULL, &tv));
  YES(tv.tv_sec == 4 && tv.tv_usec > 0);
  YES(FD_ISSET(p[0], &in));
  /* Ignored and stop signals go unnoticed, and the time is not begun anew. */
  CHILD("stopped poll") {
    int64_t t0 = now_ms();
    struct pollfd q = {p[0], POLLIN};
    int r = poll(&q, 1, 400);
    int64_t took = now_ms() - t0;
    say("poll %d, %s", r, took >= 400 && took < 900 ? "in time" : "NOT in time");
  }
  pid_t c = fork();
  if (!c) {
    int64_t t0 = now_ms();
    struct pollfd q = {p[0], POLLIN};
    int r = poll(&q, 1, 400);
    int64_t took = now_ms() - t0;
    say("poll over a stop: %d, %s", r, took >= 400 && took < 900 ? "in time" : "NOT in time");
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGSTOP);
  wait_state(c, 'T');
  kill(c, SIGCONT);
  reap("child", c);
  c = fork();
  if (!c) {
    struct timespec t = {0, 400000000};
    int64_t t0 = now_ms();
    int r = nanosleep(&t, NULL);
    int64_t took = now_ms() - t0;
    say("sleep over a stop: %d, %s", r, took >= 400 && took < 900 ? "in time" : "NOT in time");
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGSTOP);
  wait_state(c, 'T');
  kill(c, SIGCONT);
  reap("child", c);
  SHOW(syscall(SYS_ppoll, &pf, 1, NULL, &none, 4));
  SHOW(poll((void *)16, 1, 0));
  SHOW(syscall(SYS_poll, &pf, 1 << 30, 0));
  ts = (struct timespec){0, 1000000000};
  SHOW(ppoll(&pf, 1, &ts, NULL));
  struct pollfd many[3] = {{p[0], POLLIN}, {-1, POLLIN, 7}, {999, POLLIN}};
  SHOW(poll(many, 3, 1000));
  say("%d %d %x", many[0].revents, many[1].revents, many[2].revents);
}
