/* SIGPIPE and EPIPE on pipes and sockets, MSG_NOSIGNAL, ignored. */
#include "guest.h"
static void h(int s) { say("handler %s", signame(s)); }
int main(void) {
  int p[2], s[2];
  pipe(p);
  close(p[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  close(s[0]);
  CHILD("default") write(p[1], "x", 1);
  CHILD("default, socket") write(s[1], "x", 1);
  signal(SIGPIPE, SIG_IGN);
  SHOW(write(p[1], "x", 1));
  SHOW(write(s[1], "x", 1));
  signal(SIGPIPE, h);
  SHOW(write(p[1], "x", 1));
  SHOW(send(s[1], "x", 1, 0));
  SHOW(send(s[1], "x", 1, MSG_NOSIGNAL));
  SHOW(write(p[1], "", 0));
  struct iovec v = {"abc", 3};
  SHOW(writev(p[1], &v, 1));
  CHILD("reader leaves while the writer waits") {
    pipe(p);
    pid_t c = fork();
    if (!c) {
      close(p[1]);
      char b[1000];
      read(p[0], b, sizeof b);
      wait_state(getppid(), 'S');
      _exit(0);
    }
    close(p[0]);
    static char big[200000];
    long r = write(p[1], big, sizeof big);
    say("%s", r == 65536 || (r > 65536 && r < 70000) ? "partial" : r < 0 ? ename(errno) : "other");
    reap("reader", c);
  }
}
