/* setpgid and getpgid: who may move whom, when, and where. */
#include "guest.h"
int main(void) {
  SHOW(setpgid(0, -1));
  SHOW(setpgid(1 << 20, 0));
  SHOW(getpgid(1 << 20));
  SHOW(getpgid(-1));
  int up[2], down[2];
  pipe(up), pipe(down);
  pid_t p = fork();
  if (!p) {
    char c;
    read(down[0], &c, 1);
    YES(getpgrp() == getpid());
    write(up[1], "x", 1);
    read(down[0], &c, 1);
    execl(helper("sleeper"), "sleeper", NULL);
    _exit(1);
  }
  SHOW(setpgid(p, 0));
  YES(getpgid(p) == p);
  write(down[1], "x", 1);
  char c;
  read(up[0], &c, 1);
  CHILD("joins its brother's group") {
    SHOW(setpgid(0, p));
    YES(getpgrp() == p);
    SHOW(setpgid(0, 1 << 20));
    SHOW(setpgid(p, 0)); /* not a child of this one */
  }
  write(down[1], "x", 1);
  for (int i = 0; i < 1000; i++) { /* until it has executed */
    char comm[32] = "", path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", p);
    read_file(path, comm, sizeof comm);
    if (!strcmp(comm, "sleeper\n"))
      break;
    msleep(2);
  }
  SHOW(setpgid(p, getpgrp()));
  kill(p, SIGKILL);
  reap("sleeper", p);
  SHOW(setpgid(p, 0));
  CHILD("session leader") {
    YES(setsid() == getpid());
    SHOW(setpgid(0, 0));
    SHOW(setpgid(0, getppid()));
  }
  YES(getpgid(0) == getpgrp());
}
