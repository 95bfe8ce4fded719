/* RLIMIT_SIGPENDING counts per real user over all its processes, POSIX timers included; parent death by threads. */
#include "guest.h"
#include <pthread.h>
#include <time.h>

static int queue(pid_t p, int n) {
  union sigval v = {.sival_int = 1};
  int ok = 0;
  for (int i = 0; i < n; i++)
    ok += sigqueue(p, SIGRTMIN + 1, v) == 0;
  return ok;
}
static void limits(void) {
  struct rlimit r = {20, 20};
  setrlimit(RLIMIT_SIGPENDING, &r);
  if (setuid(54321)) {
    say("setuid: %d", errno);
    return;
  }
  sigset_t m;
  sigfillset(&m);
  sigprocmask(SIG_BLOCK, &m, NULL);
  pid_t other = fork();
  if (!other)
    for (;;)
      pause();
  int a = queue(getpid(), 12), b = queue(other, 30);
  say("own %d, the other's %d", a, b);
  union sigval v = {0};
  say("then: %s", sigqueue(getpid(), SIGRTMIN + 2, v) ? ename(errno) : "queued");
  say("a standard one: %s", sigqueue(getpid(), SIGUSR1, v) ? ename(errno) : "queued");
  say("kill of a real-time one: %s", kill(getpid(), SIGRTMIN + 3) ? ename(errno) : "sent");
  timer_t t;
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4};
  say("timer_create: %s", timer_create(CLOCK_MONOTONIC, &ev, &t) ? ename(errno) : "made");
  kill(other, SIGKILL);
  waitpid(other, NULL, 0);
  say("after its death: %d more", queue(getpid(), 30));
  siginfo_t si;
  int n = 0;
  sigemptyset(&m);
  sigaddset(&m, SIGRTMIN + 1);
  struct timespec zero = {0, 0};
  while (sigtimedwait(&m, &si, &zero) > 0)
    n++;
  say("taken %d", n);
  say("timer_create: %s", timer_create(CLOCK_MONOTONIC, &ev, &t) ? ename(errno) : "made");
  n = queue(getpid(), 30);
  say("with a timer: %d", n);
  sigemptyset(&m);
  sigaddset(&m, SIGRTMIN + 3);
  n = sigtimedwait(&m, &si, &zero);
  say("the one without an entry: %d code %d pid %d", n == SIGRTMIN + 3, si.si_code, si.si_pid);
}

static int pfd[2];
static void on_death(int s, siginfo_t *si, void *u) {
  char b[64];
  int n = snprintf(b, sizeof b, "pdeath code %d from parent %d", si->si_code, si->si_pid == getppid());
  write(pfd[1], b, (size_t)n);
  _exit(0);
}
static void *forker(void *arg) {
  int ready[2];
  pipe(ready);
  pid_t p = fork();
  if (!p) {
    struct sigaction sa = {.sa_sigaction = on_death, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    write(ready[1], "x", 1);
    for (;;)
      pause();
  }
  char c;
  read(ready[0], &c, 1);
  say("waiting without threads' children from the other: %s", "");
  *(pid_t *)arg = p;
  return NULL;
}
#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif
static void *waiter(void *arg) {
  int r = waitpid(-1, NULL, __WNOTHREAD | WNOHANG);
  say("__WNOTHREAD in another thread: %d %s", r, r < 0 ? ename(errno) : "");
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  pipe(pfd);
  pthread_t t;
  pid_t p;
  pthread_create(&t, NULL, forker, &p);
  pthread_join(t, NULL);
  int st;
  waitpid(p, &st, 0);
  char b[65] = "";
  read(pfd[0], b, 64);
  say("%s; status %d", b, st);
  p = fork();
  if (!p) {
    pause();
    _exit(0);
  }
  pthread_create(&t, NULL, waiter, NULL);
  pthread_join(t, NULL);
  say("in the parent: %d", waitpid(-1, NULL, __WNOTHREAD | WNOHANG));
  kill(p, SIGKILL);
  waitpid(p, NULL, 0);
  limits();
}
