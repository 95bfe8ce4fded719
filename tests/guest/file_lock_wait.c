/* Locks that wait: interrupted by a signal, a deadlock, an OFD lock over fork, flock over dup and close. */
#include "guest.h"
#include <sys/file.h>
static void on(int sig) { say("%s", signame(sig)); }
static long lk(int fd, int cmd, int type, long start, long len) {
  struct flock l = {.l_type = type, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &l);
}
static void byte(int fd) { write(fd, "x", 1); }
static void wait_byte(int fd) {
  char c;
  read(fd, &c, 1);
}
int main(void) {
  int up[2], down[2], st;
  MUST(pipe(up));
  MUST(pipe(down));
  int f = MUST(open("f", O_RDWR | O_CREAT, 0600));
  SHOW(lk(f, F_SETLKW, F_WRLCK, 0, 10));
  pid_t pid = fork();
  if (!pid) {
    struct sigaction sa = {.sa_handler = on};
    sigaction(SIGALRM, &sa, NULL);
    SHOW(lk(f, F_SETLK, F_RDLCK, 5, 1));
    struct itimerval it = {{0, 0}, {0, 50000}};
    setitimer(ITIMER_REAL, &it, NULL);
    SHOW(lk(f, F_SETLKW, F_RDLCK, 5, 1));
    SHOW(lk(f, F_SETLK, F_WRLCK, 20, 10));
    byte(up[1]);
    long r = lk(f, F_SETLKW, F_WRLCK, 0, 1);
    usleep(50000); /* the parent prints first */
    show("waited", r);
    byte(up[1]);
    wait_byte(down[0]);
    _exit(3);
  }
  wait_byte(up[0]);
  usleep(50000);
  SHOW(lk(f, F_SETLKW, F_WRLCK, 20, 1));
  struct flock l = {.l_type = F_WRLCK, .l_start = 20, .l_len = 1};
  SHOW(fcntl(f, F_GETLK, &l));
  say("%d %ld %ld %d", l.l_type == F_WRLCK, (long)l.l_start, (long)l.l_len, l.l_pid == pid);
  SHOW(lk(f, F_SETLK, F_UNLCK, 0, 10));
  wait_byte(up[0]);
  SHOW(lk(f, F_SETLK, F_WRLCK, 0, 1));
  byte(down[1]);
  wait(&st);
  SHOW(lk(f, F_SETLK, F_WRLCK, 0, 1));
  close(dup(f)); /* gives up all POSIX locks */
  if (!fork()) {
    SHOW(lk(f, F_SETLK, F_WRLCK, 0, 0));
    _exit(0);
  }
  wait(&st);
  SHOW(lk(f, F_OFD_SETLK, F_WRLCK, 0, 10));
  int g = MUST(open("f", O_RDWR));
  SHOW(lk(g, F_OFD_SETLK, F_RDLCK, 9, 1));
  SHOW(lk(g, F_OFD_SETLK, F_RDLCK, 10, 1));
  SHOW(lk(g, F_SETLK, F_WRLCK, 0, 1));
  if (!fork()) {
    SHOW(lk(f, F_OFD_SETLK, F_UNLCK, 0, 0));
    _exit(0);
  }
  wait(&st);
  SHOW(lk(g, F_SETLK, F_WRLCK, 0, 1));
  SHOW(flock(f, LOCK_EX));
  int h = dup(f);
  SHOW(flock(g, LOCK_SH | LOCK_NB));
  close(f);
  SHOW(flock(g, LOCK_SH | LOCK_NB));
  close(h);
  SHOW(flock(g, LOCK_SH | LOCK_NB));
  pid = fork();
  if (!pid) {
    int k = open("f", O_RDWR);
    long r = flock(k, LOCK_EX);
    usleep(50000);
    show("waited", r);
    _exit(0);
  }
  usleep(50000);
  SHOW(flock(g, LOCK_UN));
  wait(&st);
  say("%d", WEXITSTATUS(st));
  int w = MUST(open("f", O_WRONLY));
  SHOW(lk(w, F_SETLK, F_RDLCK, 0, 1));
  SHOW(lk(MUST(open("f", O_RDONLY)), F_SETLK, F_WRLCK, 0, 1));
  SHOW(lk(99, F_SETLK, F_WRLCK, 0, 1));
  SHOW(fcntl(w, F_SETLK, (void *)8));
  SHOW(fcntl(w, 9999, 0));
  return 0;
}
