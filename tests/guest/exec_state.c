/* exec: what is kept (mask, pending, ignored, ids, umask, descriptors) and what is reset (handlers, altstack, name, threads). */
#include "guest.h"
static void h(int s) {}
static void *idle(void *a) {
  for (;;)
    pause();
}
int main(void) {
  int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY | O_CLOEXEC), c = dup(a), d = fcntl(a, F_DUPFD_CLOEXEC, 0);
  say("fds %d %d %d %d", a, b, c, d);
  SHOW(fcntl(b, F_GETFD));
  SHOW(fcntl(c, F_GETFD));
  on_signal(SIGUSR1, h, 0);
  on_signal(SIGUSR2, SIG_IGN, 0);
  on_signal(SIGCHLD, SIG_IGN, 0);
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGHUP), sigaddset(&m, SIGTERM);
  sigprocmask(SIG_SETMASK, &m, NULL);
  raise(SIGHUP);
  static char stk[65536];
  stack_t ss = {.ss_sp = stk, .ss_size = sizeof stk};
  sigaltstack(&ss, NULL);
  prctl(PR_SET_NAME, "renamed");
  umask(027);
  setresuid(1000, 1000, 0);
  seteuid(0);
  pthread_t t;
  pthread_create(&t, NULL, idle, NULL);
  setresuid(1000, 0, 500);
  char *argv[] = {"state", NULL}, *env[] = {NULL};
  execve(helper("state"), argv, env);
  say("exec: %s", ename(errno));
}
