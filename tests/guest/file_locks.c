/* flock, POSIX record locks, open file description locks. */
#include "guest.h"
#include <sys/file.h>
static int lk(int fd, int cmd, int type, off_t start, off_t len) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &l);
}
static void query(int fd, int cmd, off_t start, off_t len, pid_t holder) {
  struct flock l = {.l_type = F_WRLCK, .l_start = start, .l_len = len};
  int r = fcntl(fd, cmd, &l);
  say("query %ld+%ld: %d type %d start %ld len %ld pid %s", (long)start, (long)len, r, l.l_type, (long)l.l_start, (long)l.l_len,
      l.l_type == F_UNLCK ? "-" : l.l_pid == holder ? "right" : l.l_pid == -1 ? "none" : "WRONG");
}
int main(void) {
  int a = MUST(open("f", O_RDWR | O_CREAT, 0600)), b = MUST(open("f", O_RDWR)), d = dup(a);
  say("flock");
  SHOW(flock(a, LOCK_EX)), SHOW(flock(b, LOCK_EX | LOCK_NB)), SHOW(flock(b, LOCK_SH | LOCK_NB)), SHOW(flock(d, LOCK_SH)), SHOW(flock(b, LOCK_SH | LOCK_NB)), SHOW(flock(b, LOCK_EX | LOCK_NB));
  SHOW(flock(d, LOCK_UN)), SHOW(flock(b, LOCK_EX | LOCK_NB)), SHOW(flock(b, 99)), SHOW(flock(99, LOCK_EX));
  CHILD("inherits, and unlocks for all") SHOW(flock(b, LOCK_UN));
  SHOW(flock(a, LOCK_EX | LOCK_NB));
  close(d);
  SHOW(flock(b, LOCK_EX | LOCK_NB)), close(a), SHOW(flock(b, LOCK_EX | LOCK_NB)), close(b);
  say("POSIX");
  pid_t me = getpid();
  a = MUST(open("f", O_RDWR)), b = MUST(open("f", O_RDWR));
  SHOW(lk(a, F_SETLK, F_WRLCK, 10, 10)), SHOW(lk(b, F_SETLK, F_WRLCK, 10, 10)); /* the same process never conflicts */
  CHILD("other process") {
    query(a, F_GETLK, 0, 5, me), query(a, F_GETLK, 0, 0, me), query(a, F_GETLK, 15, 1, me), query(a, F_GETLK, 20, 5, me);
    SHOW(lk(a, F_SETLK, F_RDLCK, 12, 2)), SHOW(lk(a, F_SETLK, F_WRLCK, 20, 2));
  }
  SHOW(lk(a, F_SETLK, F_UNLCK, 13, 3)); /* splits */
  SHOW(lk(a, F_SETLK, F_RDLCK, 18, 10));
  CHILD("pieces") {
    query(a, F_GETLK, 0, 100, me), query(a, F_GETLK, 13, 3, me), query(a, F_GETLK, 16, 1, me), query(a, F_GETLK, 18, 100, me);
    SHOW(lk(a, F_SETLK, F_RDLCK, 18, 5));
  }
  close(b); /* any close of the file drops the process's locks */
  CHILD("after a close") query(a, F_GETLK, 0, 100, me);
  int p[2];
  pipe(p);
  MUST(lk(a, F_SETLK, F_WRLCK, 0, 1));
  pid_t c = fork();
  if (!c) {
    SHOW(lk(a, F_SETLKW, F_WRLCK, 0, 1));
    _exit(0);
  }
  wait_state(c, 'S');
  MUST(lk(a, F_SETLK, F_UNLCK, 0, 1));
  reap("waiter", c);
  MUST(lk(a, F_SETLK, F_WRLCK, 0, 1));
  c = fork();
  if (!c) {
    MUST(lk(a, F_SETLK, F_WRLCK, 1, 1));
    write(p[1], "x", 1);
    SHOW(lk(a, F_SETLKW, F_WRLCK, 0, 1));
    _exit(0);
  }
  char ch;
  read(p[0], &ch, 1);
  wait_state(c, 'S');
  SHOW(lk(a, F_SETLKW, F_WRLCK, 1, 1)); /* a deadlock, seen */
  MUST(lk(a, F_SETLK, F_UNLCK, 0, 0));
  reap("other", c);
  int ro = MUST(open("f", O_RDONLY));
  SHOW(lk(ro, F_SETLK, F_WRLCK, 0, 1)), SHOW(lk(ro, F_SETLK, F_RDLCK, 0, 1)), SHOW(lk(a, F_SETLK, 9, 0, 1)), SHOW(lk(a, F_SETLK, F_WRLCK, -5, 1)), SHOW(lk(99, F_SETLK, F_WRLCK, 0, 1));
  say("open file description");
  b = MUST(open("f", O_RDWR));
  lk(a, F_SETLK, F_UNLCK, 0, 0);
  SHOW(lk(a, F_OFD_SETLK, F_WRLCK, 0, 10)), SHOW(lk(b, F_OFD_SETLK, F_WRLCK, 5, 10)), SHOW(lk(b, F_OFD_SETLK, F_WRLCK, 10, 10));
  query(b, F_OFD_GETLK, 0, 5, -1);
  CHILD("shared with the child") SHOW(lk(a, F_OFD_SETLK, F_UNLCK, 0, 10));
  SHOW(lk(b, F_OFD_SETLK, F_WRLCK, 0, 10));
  SHOW(lk(a, F_SETLK, F_WRLCK, 0, 1));
}
