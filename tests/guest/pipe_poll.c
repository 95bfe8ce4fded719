/* poll bits of pipes and fifos in every state. */
#include "guest.h"
static void bits(const char *what, int fd) {
  struct pollfd pf = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  int r = poll(&pf, 1, 0);
  say("%s: %d%s%s%s%s%s", what, r, pf.revents & POLLIN ? " IN" : "", pf.revents & POLLOUT ? " OUT" : "", pf.revents & POLLHUP ? " HUP" : "",
      pf.revents & POLLERR ? " ERR" : "", pf.revents & POLLNVAL ? " NVAL" : "");
}
static void *late(void *arg) {
  msleep(20);
  write(((int *)arg)[1], "x", 1);
  return NULL;
}
static void *closer(void *arg) {
  msleep(20);
  close(((int *)arg)[1]);
  return NULL;
}
int main(void) {
  int p[2];
  pipe2(p, O_NONBLOCK);
  bits("empty, read end", p[0]);
  bits("empty, write end", p[1]);
  write(p[1], "x", 1);
  bits("one byte, read end", p[0]);
  static char big[70000];
  while (write(p[1], big, 4096) > 0)
    ;
  bits("full, write end", p[1]);
  read(p[0], big, 1);
  bits("one byte free, write end", p[1]);
  read(p[0], big, 4096);
  bits("a page free, write end", p[1]);
  close(p[1]);
  bits("writer gone, data left", p[0]);
  while (read(p[0], big, sizeof big) > 0)
    ;
  bits("writer gone, empty", p[0]);
  pipe(p);
  close(p[0]);
  bits("reader gone", p[1]);
  bits("closed descriptor", p[0]);
  MUST(mkfifo("ff", 0600));
  int r = MUST(open("ff", O_RDONLY | O_NONBLOCK));
  bits("fifo never written", r);
  SHOW(read(r, big, 1));
  int w = MUST(open("ff", O_WRONLY));
  bits("fifo with writer", r);
  write(w, "abc", 3);
  close(w);
  bits("fifo, data, writer gone", r);
  read(r, big, 3);
  bits("fifo, empty, writer gone", r);
  w = MUST(open("ff", O_WRONLY));
  bits("fifo, new writer", r);
  SHOW(open("nofifo", O_WRONLY | O_NONBLOCK));
  close(r), close(w);
  SHOW(open("ff", O_WRONLY | O_NONBLOCK));
  int rw = MUST(open("ff", O_RDWR));
  bits("fifo, O_RDWR", rw);
  pipe(p);
  pthread_t t;
  pthread_create(&t, NULL, late, p);
  struct pollfd pf = {p[0], POLLIN, 0};
  SHOW(poll(&pf, 1, 5000));
  pthread_join(t, NULL);
  read(p[0], big, 1);
  pthread_create(&t, NULL, closer, p);
  pf.events = 0;
  SHOW(poll(&pf, 1, 5000));
  say("%s", pf.revents == POLLHUP ? "HUP" : "other");
  pthread_join(t, NULL);
}
