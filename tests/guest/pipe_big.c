/* A megabyte through a pipe with odd sizes on both sides arrives unchanged; vectored and blocking writes. */
#include "guest.h"
int main(void) {
  int p[2];
  pipe(p);
  size_t total = 1 << 20;
  pid_t c = fork();
  if (!c) {
    close(p[0]);
    unsigned char *b = malloc(total);
    for (size_t i = 0; i < total; i++)
      b[i] = i * 7 + (i >> 8);
    size_t at = 0, step = 1;
    while (at < total) {
      size_t n = step > total - at ? total - at : step;
      struct iovec v[3] = {{b + at, n / 3}, {b + at + n / 3, n / 3}, {b + at + n / 3 * 2, n - n / 3 * 2}};
      ssize_t w = writev(p[1], v, 3);
      if (w != (ssize_t)n)
        _exit(1);
      at += n;
      step = step * 3 % 70001 + 1;
    }
    _exit(0);
  }
  close(p[1]);
  unsigned char b[9000];
  size_t at = 0, bad = 0, step = 1;
  ssize_t r;
  while ((r = read(p[0], b, step % sizeof b + 1)) > 0) {
    for (ssize_t i = 0; i < r; i++, at++)
      bad += b[i] != (unsigned char)(at * 7 + (at >> 8));
    step = step * 5 + 3;
  }
  say("total %zu bad %zu", at, bad);
  reap("writer", c);
}
