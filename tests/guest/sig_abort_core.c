/* abort, the core flag of the status, exit status against signals; kill from inside a handler. */
#include "guest.h"
static void h(int s) { say("handler %s", signame(s)); }
static void die(int s) { kill(getpid(), SIGKILL); }
int main(void) {
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("abort") abort();
  CHILD("abort with a handler") {
    signal(SIGABRT, h);
    abort();
  }
  CHILD("abort while blocked and ignored") {
    sigset_t m;
    sigfillset(&m);
    sigprocmask(SIG_SETMASK, &m, NULL);
    signal(SIGABRT, SIG_IGN);
    abort();
  }
  int st;
  pid_t p = fork();
  if (!p)
    abort();
  waitpid(p, &st, 0);
  say("core flag %d", WCOREDUMP(st) != 0);
  CHILD("killed in its handler") {
    signal(SIGUSR1, die);
    raise(SIGUSR1);
  }
  CHILD("exit in its handler") {
    signal(SIGUSR1, _exit);
    raise(SIGUSR1);
  }
  CHILD("stops itself, is killed") {
    pid_t me = getpid();
    pid_t c = fork();
    if (!c) {
      wait_state(me, 'T');
      kill(me, SIGKILL);
      _exit(0);
    }
    raise(SIGSTOP);
  }
}
