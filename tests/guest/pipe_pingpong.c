/* Two processes and two threads handing a counter to and fro, and a pipeline of processes. */
#include "guest.h"
static int a[2], b[2];
static void *echo(void *arg) {
  int v;
  while (read(a[0], &v, sizeof v) == sizeof v) {
    v++;
    write(b[1], &v, sizeof v);
  }
  return NULL;
}
static int play(int rounds) {
  int v = 0;
  for (int i = 0; i < rounds; i++) {
    write(a[1], &v, sizeof v);
    read(b[0], &v, sizeof v);
  }
  return v;
}
int main(void) {
  pipe(a), pipe(b);
  pid_t p = fork();
  if (!p) {
    close(a[1]);
    echo(NULL);
    _exit(0);
  }
  say("processes %d", play(2000));
  close(a[1]);
  reap("echo", p);
  close(a[0]);
  pipe(a);
  pthread_t t;
  pthread_create(&t, NULL, echo, NULL);
  say("threads %d", play(2000));
  close(a[1]);
  pthread_join(t, NULL);
  int in = open("/dev/null", O_RDONLY), prev = in;
  for (int i = 0; i < 10; i++) { /* each adds a byte to the stream */
    int q[2];
    pipe(q);
    if (!fork()) {
      char c, me = 'a' + i;
      close(q[0]);
      while (read(prev, &c, 1) == 1)
        write(q[1], &c, 1);
      write(q[1], &me, 1);
      _exit(0);
    }
    close(q[1]), close(prev);
    prev = q[0];
  }
  char buf[16] = "";
  int n = 0;
  while (read(prev, buf + n, 1) == 1)
    n++;
  say("%s", buf);
  while (wait(NULL) > 0)
    ;
}
