/* setsid and getsid. */
#include "guest.h"
int main(void) {
  SHOW(getsid(1 << 20));
  CHILD("leader") {
    YES(setsid() == getpid());
    YES(getsid(0) == getpid());
    YES(getpgrp() == getpid());
    SHOW(setsid());
    pid_t leader = getpid();
    CHILD("member") {
      YES(getsid(0) == leader);
      YES(getpgrp() == leader);
      SHOW(setpgid(0, 0));
      SHOW(setsid());
    }
    CHILD("new session from a member") {
      YES(setsid() == getpid());
      YES(getsid(leader) == leader);
    }
    int fd = open("/dev/tty", O_RDWR);
    say("/dev/tty: %s", fd < 0 ? ename(errno) : "opened");
  }
  CHILD("other session's group") {
    int p[2], q[2];
    pipe(p), pipe(q);
    pid_t c = fork();
    if (!c) {
      setsid();
      write(p[1], "x", 1);
      char b;
      read(q[0], &b, 1);
      _exit(0);
    }
    char b;
    read(p[0], &b, 1);
    SHOW(setpgid(0, c));
    SHOW(setpgid(c, 0));
    write(q[1], "x", 1);
    reap("child", c);
  }
}
