/* clone: the exit signal is the caller's choice; __WCLONE and __WALL find children without SIGCHLD. */
#include "guest.h"
static volatile int got;
static void h(int s) { got = s; }
static int body(void *arg) { return 3; }
static char stack[65536] __attribute__((aligned(16)));
int main(void) {
  on_signal(SIGUSR1, h, 0);
  on_signal(SIGCHLD, h, 0);
  int st;
  pid_t p = MUST(clone(body, stack + sizeof stack, SIGUSR1, NULL));
  while (!got)
    msleep(1);
  say("got %s", signame(got));
  SHOW(waitpid(p, &st, WNOHANG));
  YES(waitpid(p, &st, __WCLONE) == p);
  say_status("clone child", st);
  got = 0;
  p = MUST(clone(body, stack + sizeof stack, 0, NULL));
  YES(waitpid(p, &st, __WALL) == p);
  say_status("silent child", st);
  say("got %d", got);
  p = MUST(clone(body, stack + sizeof stack, SIGCHLD, NULL));
  SHOW(waitpid(p, &st, __WCLONE));
  YES(waitpid(p, &st, 0) == p);
  say("got %s", signame(got));
}
