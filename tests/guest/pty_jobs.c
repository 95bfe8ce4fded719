/* Job control: controlling terminal, foreground group, signals from keys, background reads and writes, hang-up, SIGWINCH. */
#include "guest.h"
#include <termios.h>
static volatile int got;
static void h(int s) { got = s; }
static int m;
static char name[64];
static void report_until(const char *key) { /* everything the terminal shows, until the key */
  char b[4096] = "";
  size_t n = 0;
  while (!strstr(b, key)) {
    struct pollfd pf = {m, POLLIN, 0};
    if (poll(&pf, 1, 5000) <= 0) {
      say("terminal said nothing more: [%s]", b);
      return;
    }
    ssize_t r = read(m, b + n, sizeof b - 1 - n);
    if (r <= 0)
      return;
    n += r, b[n] = 0;
  }
}
int main(void) {
  m = MUST(posix_openpt(O_RDWR | O_NOCTTY));
  grantpt(m), unlockpt(m), ptsname_r(m, name, sizeof name);
  pid_t leader = fork();
  if (!leader) {
    int st;
    MUST(setsid());
    int s = MUST(open(name, O_RDWR)); /* becomes the controlling terminal */
    OK(open("/dev/tty", O_RDWR));
    YES(tcgetpgrp(s) == getpgrp());
    YES(tcgetsid(s) == getpid());
    SHOW(ioctl(s, TIOCSCTTY, 0));
    for (int key = 0; key < 3; key++) {
      pid_t job = fork();
      if (!job) {
        setpgid(0, 0);
        for (;;)
          pause();
      }
      setpgid(job, job);
      SHOW(tcsetpgrp(s, job));
      write(m, &"\003\034\032"[key], 1);
      waitpid(job, &st, WUNTRACED);
      say_status("key", st);
      if (WIFSTOPPED(st)) {
        kill(-job, SIGTERM), kill(-job, SIGCONT);
        reap("job", job);
      }
      signal(SIGTTOU, SIG_IGN);
      SHOW(tcsetpgrp(s, getpgrp()));
      signal(SIGTTOU, SIG_DFL);
    }
    pid_t bg = fork();
    if (!bg) {
      setpgid(0, 0);
      char c;
      say("background reads");
      read(s, &c, 1);
      say("read on after continue: %c", c);
      _exit(0);
    }
    setpgid(bg, bg);
    waitpid(bg, &st, WUNTRACED);
    say_status("background read", st);
    tcsetpgrp(s, bg);
    kill(-bg, SIGCONT);
    write(m, "x\n", 2);
    reap("foreground now", bg);
    signal(SIGTTOU, SIG_IGN), tcsetpgrp(s, getpgrp()), signal(SIGTTOU, SIG_DFL);
    struct termios t;
    tcgetattr(s, &t);
    bg = fork();
    if (!bg) {
      setpgid(0, 0);
      SHOW(write(s, "allowed\n", 8)); /* without TOSTOP */
      tcsetattr(s, TCSANOW, &t);
      _exit(0);
    }
    setpgid(bg, bg);
    waitpid(bg, &st, WUNTRACED);
    say_status("background tcsetattr", st);
    kill(-bg, SIGKILL), reap("killed", bg);
    t.c_lflag |= TOSTOP, tcsetattr(s, TCSANOW, &t);
    bg = fork();
    if (!bg) {
      setpgid(0, 0);
      write(s, "not allowed\n", 12);
      _exit(0);
    }
    setpgid(bg, bg);
    waitpid(bg, &st, WUNTRACED);
    say_status("background write with TOSTOP", st);
    kill(-bg, SIGKILL), reap("killed", bg);
    bg = fork();
    if (!bg) {
      setpgid(0, 0);
      signal(SIGTTIN, SIG_IGN);
      char c;
      SHOW(read(s, &c, 1));
      _exit(0);
    }
    setpgid(bg, bg), reap("background read with SIGTTIN ignored", bg);
    on_signal(SIGWINCH, h, 0);
    struct winsize w = {10, 20, 0, 0};
    ioctl(m, TIOCSWINSZ, &w);
    while (!got)
      msleep(1);
    say("resize: %s", signame(got));
    got = 0;
    ioctl(m, TIOCSWINSZ, &w); /* the same size: no signal */
    msleep(20), say("same size: %d", got);
    SHOW(tcsetpgrp(s, 1 << 20));
    on_signal(SIGHUP, h, 0);
    got = 0;
    close(m);
    write(s, "DONE\n", 5);
    while (!got)
      msleep(1);
    say("master closed: %s", signame(got));
    char c;
    SHOW(read(s, &c, 1));
    _exit(4);
  }
  report_until("DONE");
  close(m);
  reap("leader", leader);
  /* the leader's exit hangs up the foreground group */
  m = MUST(posix_openpt(O_RDWR | O_NOCTTY));
  grantpt(m), unlockpt(m), ptsname_r(m, name, sizeof name);
  int p[2];
  pipe(p);
  CHILD("second leader") {
    setsid();
    MUST(open(name, O_RDWR));
    int q[2];
    pipe(q);
    if (!fork()) {
      on_signal(SIGHUP, h, 0);
      write(q[1], "r", 1);
      while (!got)
        msleep(1);
      dprintf(p[1], "%s", signame(got));
      _exit(0);
    }
    char c;
    read(q[0], &c, 1);
  }
  close(p[1]);
  char b[16] = "";
  read(p[0], b, sizeof b - 1);
  say("leader's exit: %s", b);
}
