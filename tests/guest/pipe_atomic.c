/* Writes up to PIPE_BUF are atomic; capacity; O_NONBLOCK short writes; F_SETPIPE_SZ. */
#include "guest.h"
int main(void) {
  int p[2];
  pipe(p);
  pid_t c[4];
  for (int i = 0; i < 4; i++)
    if (!(c[i] = fork())) {
      char b[1000];
      memset(b, 'a' + i, sizeof b);
      for (int j = 0; j < 200; j++)
        if (write(p[1], b, sizeof b) != sizeof b)
          _exit(1);
      _exit(0);
    }
  close(p[1]);
  char b[1000];
  int mixed = 0, blocks = 0;
  for (;;) {
    size_t n = 0;
    ssize_t r;
    while (n < sizeof b && (r = read(p[0], b + n, sizeof b - n)) > 0)
      n += r;
    if (n == 0)
      break;
    blocks++;
    for (size_t i = 1; i < n; i++)
      mixed += b[i] != b[0];
  }
  for (int i = 0; i < 4; i++)
    reap("writer", c[i]);
  say("blocks %d mixed %d", blocks, mixed);
  pipe2(p, O_NONBLOCK);
  SHOW(fcntl(p[0], F_GETPIPE_SZ));
  static char big[100000];
  SHOW(write(p[1], big, sizeof big));
  SHOW(write(p[1], big, 1));
  SHOW(read(p[0], big, 100));
  SHOW(write(p[1], big, 4096));
  SHOW(read(p[0], big, 5000));
  SHOW(write(p[1], big, 4096));
  int n;
  ioctl(p[0], FIONREAD, &n);
  say("filled %d", n);
  SHOW(fcntl(p[0], F_SETPIPE_SZ, 4096));
  while (read(p[0], big, sizeof big) > 0)
    ;
  SHOW(fcntl(p[0], F_SETPIPE_SZ, 4096));
  SHOW(write(p[1], big, 5000));
  SHOW(fcntl(p[0], F_SETPIPE_SZ, 100000));
  SHOW(fcntl(p[0], F_SETPIPE_SZ, 0));
  SHOW(fcntl(0, F_GETPIPE_SZ));
  /* many small writes fill no more than many pages */
  pipe2(p, O_NONBLOCK);
  int count = 0;
  while (write(p[1], big, 100) == 100)
    count++;
  YES(count >= 600 && count <= 656);
}
