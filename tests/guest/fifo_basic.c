/* fifo(7): the rules of open, both ends in different processes, and what poll says. */
#include "guest.h"
int main(void) {
  char buf[16];
  int st;
  MUST(mkfifo("p", 0600));
  SHOW(open("p", O_WRONLY | O_NONBLOCK));
  int r = MUST(open("p", O_RDONLY | O_NONBLOCK));
  struct pollfd p = {r, POLLIN};
  SHOW(poll(&p, 1, 0));
  SHOW(read(r, buf, 1)); /* nobody writes: the end */
  int w = MUST(open("p", O_WRONLY | O_NONBLOCK));
  SHOW(read(r, buf, 1));
  SHOW(write(w, "abc", 3));
  SHOW(poll(&p, 1, 0));
  close(w);
  SHOW(poll(&p, 1, 0));
  say("%s%s", p.revents & POLLIN ? "IN " : "", p.revents & POLLHUP ? "HUP" : "");
  SHOW(read(r, buf, 16));
  SHOW(lseek(r, 0, SEEK_SET));
  SHOW(pread(r, buf, 1, 0));
  close(r);
  pid_t c = fork();
  if (!c) {
    int f = open("p", O_WRONLY); /* waits for the reader */
    write(f, "from the child", 14);
    _exit(0);
  }
  wait_state(c, 'S');
  SHOW(waitpid(c, &st, WNOHANG));
  r = MUST(open("p", O_RDONLY));
  ssize_t n = 0, got;
  while ((got = read(r, buf + n, sizeof buf - n)) > 0)
    n += got;
  say("%.*s", (int)n, buf);
  reap("writer", c);
  close(r);
  c = fork();
  if (!c) {
    int f = open("p", O_RDONLY);
    _exit(read(f, buf, 16) == 2 ? 0 : 1);
  }
  wait_state(c, 'S');
  w = MUST(open("p", O_WRONLY));
  write(w, "hi", 2);
  reap("reader", c);
  signal(SIGPIPE, SIG_IGN);
  SHOW(write(w, "x", 1));
  close(w);
  c = fork();
  if (!c) {
    on_signal(SIGUSR1, (void (*)(int))_exit, 0);
    signal(SIGUSR1, SIG_DFL);
    open("p", O_RDONLY);
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGUSR1);
  reap("killed in open", c);
  int rw = MUST(open("p", O_RDWR)); /* never waits */
  SHOW(write(rw, "self", 4));
  SHOW(read(rw, buf, 16));
  struct stat sb;
  fstat(rw, &sb);
  YES(S_ISFIFO(sb.st_mode));
  unlink("p");
  SHOW(write(rw, "gone", 4));
  SHOW(read(rw, buf, 16));
  int fds[2];
  pipe(fds);
  fstat(fds[0], &sb);
  YES(S_ISFIFO(sb.st_mode));
  say("mode %o", sb.st_mode & 07777);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fds[1]);
  int again = MUST(open(link, O_WRONLY));
  SHOW(write(again, "through proc", 12));
  SHOW(read(fds[0], buf, 16));
}
