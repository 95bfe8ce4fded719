/* vfork: the child borrows the address space, the parent waits until exec or exit. */
#include "guest.h"
int main(void) {
  volatile int seen = 0;
  pid_t p = vfork();
  if (p == 0) {
    seen = 7;
    _exit(5);
  }
  say("child wrote %d", seen);
  reap("vfork exit", p);
  const char *prog = helper("args");
  char *argv[] = {"args", "9", "from vfork", NULL}, *env[] = {"G_X=1", NULL};
  p = vfork();
  if (p == 0) {
    execve(prog, argv, env);
    _exit(1);
  }
  reap("vfork exec", p);
  p = vfork();
  if (p == 0) {
    execve("/does/not/exist", argv, env);
    seen = errno;
    _exit(6);
  }
  say("failed exec: %s", ename(seen));
  reap("vfork failed exec", p);
  p = vfork();
  if (p == 0) {
    close(0);
    kill(getpid(), SIGKILL);
    _exit(0);
  }
  reap("vfork killed", p);
  YES(fcntl(0, F_GETFD) >= 0);
  for (int i = 0; i < 50; i++) {
    p = vfork();
    if (p == 0)
      _exit(i);
    int st;
    waitpid(p, &st, 0);
    if (WEXITSTATUS(st) != i)
      say("round %d wrong", i);
  }
}
