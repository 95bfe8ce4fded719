/* fcntl(F_NOTIFY): signals when something happens in a directory. */
#include "guest.h"
#include <signal.h>
static sigset_t set;
static void heard(const char *what) {
  siginfo_t si;
  struct timespec none = {0};
  int n = 0, ok = 1;
  while (sigtimedwait(&set, &si, &none) > 0) {
    n++;
    if (si.si_signo != SIGIO)
      ok &= si.si_code == POLL_MSG && si.si_band == (POLLIN | POLLRDNORM | POLLMSG);
  }
  say("%s: %s%s", what, n ? "heard" : "nothing", ok ? "" : ", odd siginfo");
}
static void touch(const char *name, const char *text) {
  int fd = MUST(open(name, O_WRONLY | O_CREAT, 0644));
  write(fd, text, strlen(text));
  close(fd);
}
int main(void) {
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  sigaddset(&set, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  MUST(mkdir("d", 0755));
  touch("plain", "x");
  int d = MUST(open("d", O_RDONLY)), f = MUST(open("plain", O_RDONLY));
  SHOW(fcntl(f, F_NOTIFY, DN_CREATE));
  SHOW(fcntl(f, F_NOTIFY, 0));
  SHOW(fcntl(f, F_NOTIFY, DN_MULTISHOT));
  SHOW(fcntl(d, F_NOTIFY, DN_CREATE));
  YES(fcntl(d, F_GETOWN) == getpid());
  touch("d/a", "");
  heard("created");
  touch("d/b", "");
  heard("once only");
  SHOW(fcntl(d, F_SETSIG, SIGRTMIN + 1));
  SHOW(fcntl(d, F_NOTIFY, DN_MULTISHOT | DN_CREATE | DN_DELETE));
  touch("d/c", "");
  heard("created");
  unlink("d/c");
  heard("deleted");
  touch("d/a", "text");
  heard("written, not asked");
  SHOW(fcntl(d, F_NOTIFY, DN_MULTISHOT | DN_MODIFY | DN_RENAME));
  touch("d/a", "text");
  heard("written");
  rename("d/a", "d/x");
  heard("renamed");
  rename("d/x", "y");
  heard("moved away");
  rename("y", "d/x");
  heard("moved in");
  chmod("d/x", 0600);
  heard("mode, not asked");
  SHOW(fcntl(d, F_NOTIFY, DN_MULTISHOT | DN_ATTRIB));
  chmod("d/x", 0644);
  heard("mode of a file");
  chmod("d", 0700);
  heard("mode of the directory");
  int d2 = MUST(dup(d));
  close(d);
  touch("d/e", "");
  heard("a descriptor of it was closed");
  SHOW(fcntl(d2, F_NOTIFY, DN_MULTISHOT | DN_CREATE));
  touch("d/f", "");
  heard("again");
  SHOW(fcntl(d2, F_NOTIFY, 0));
  touch("d/g", "");
  heard("cancelled");
}
