/* kill: targets, permissions between users, errors. */
#include "guest.h"
static volatile int n;
static void h(int s) { n++; }
int main(void) {
  SHOW(kill(getpid(), 0));
  SHOW(kill(getpid(), 65));
  SHOW(kill(getpid(), -1));
  SHOW(kill(1 << 20, 0));
  SHOW(kill(-(1 << 20), 0));
  SHOW(syscall(SYS_tgkill, getpid(), 1 << 20, 0));
  SHOW(syscall(SYS_tgkill, 0, getpid(), 0));
  SHOW(syscall(SYS_tgkill, getpid(), getpid(), 65));
  SHOW(syscall(SYS_tkill, getpid(), 0));
  SHOW(syscall(SYS_tkill, -1, 0));
  on_signal(SIGUSR1, h, SA_RESTART);
  pid_t me = getpid();
  CHILD("another user") {
    become_user(1000);
    SHOW(kill(me, 0));
    SHOW(kill(me, SIGTERM));
    CHILD("the same user") {
      SHOW(kill(getppid(), 0));
    }
  }
  CHILD("real uid equal to target's saved uid") {
    pid_t t = fork();
    if (!t) {
      setresuid(1001, 1002, 1000);
      for (;;)
        pause();
    }
    for (int i = 0; i < 1000; i++) { /* until it has changed */
      char path[64];
      struct stat st;
      snprintf(path, sizeof path, "/proc/%d", t);
      char buf[2000];
      snprintf(path, sizeof path, "/proc/%d/status", t);
      if (read_file(path, buf, sizeof buf) > 0 && strstr(buf, "Uid:\t1001\t1002\t1000"))
        break;
      msleep(1);
      (void)st;
    }
    CHILD("uid 1000") {
      become_user(1000);
      SHOW(kill(t, 0));
    }
    CHILD("uid 1002") {
      become_user(1002);
      SHOW(kill(t, 0));
    }
    CHILD("uid 1001") {
      become_user(1001);
      SHOW(kill(t, SIGKILL));
    }
    reap("target", t);
  }
  CHILD("group") {
    setpgid(0, 0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    pid_t c[3];
    for (int i = 0; i < 3; i++)
      if (!(c[i] = fork())) {
        signal(SIGUSR2, SIG_DFL);
        for (;;)
          pause();
      }
    for (int i = 0; i < 3; i++)
      wait_state(c[i], 'S');
    SHOW(kill(0, SIGUSR2));
    for (int i = 0; i < 3; i++)
      reap("member", c[i]);
    SHOW(kill(-getpid(), SIGUSR1));
  }
  pid_t z = fork();
  if (!z)
    _exit(0);
  wait_state(z, 'Z');
  SHOW(kill(z, SIGKILL));
  SHOW(kill(z, 0));
  reap("zombie", z);
  SHOW(kill(z, 0));
  say("received %d", n);
}
