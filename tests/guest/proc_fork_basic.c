/* fork: exit codes, parentage, distinct pids, deaths by signal as wait sees them. */
#include "guest.h"
int main(void) {
  pid_t me = getpid();
  int codes[] = {0, 1, 42, 127, 255, 256, -1};
  for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++)
    CHILD("exit code") _exit(codes[i]);
  CHILD("parentage") {
    YES(getppid() == me);
    YES(getpid() != me);
    YES(getpid() == syscall(SYS_gettid));
    YES(getpgrp() == getpgid(me));
    YES(getsid(0) == getsid(me));
  }
  int sigs[] = {SIGTERM, SIGKILL, SIGUSR1, SIGALRM, SIGRTMIN + 3};
  for (unsigned i = 0; i < sizeof sigs / sizeof *sigs; i++)
    CHILD("death") {
      kill(getpid(), sigs[i]);
      say("not reached");
    }
  CHILD("grandchild") {
    CHILD("inner") _exit(3);
    _exit(4);
  }
  SHOW(waitpid(-1, NULL, 0));
}
