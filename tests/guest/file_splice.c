/* sendfile, splice, tee, vmsplice, copy_file_range: what they move, what they leave, what they refuse. */
#include "guest.h"
#include <sys/sendfile.h>
static void rest(const char *what, int fd) {
  char b[300];
  long n = read(fd, b, sizeof b);
  say("%s %ld %.*s", what, n, n > 0 ? (int)n : 0, b);
}
int main(void) {
  int p[2], q[2];
  MUST(pipe2(p, O_NONBLOCK));
  MUST(pipe2(q, O_NONBLOCK));
  int f = MUST(open("f", O_RDWR | O_CREAT, 0600)), g = MUST(open("g", O_RDWR | O_CREAT, 0600));
  int ap = MUST(open("g", O_WRONLY | O_APPEND));
  MUST(write(f, "0123456789", 10));
  off_t off = 2;
  SHOW(sendfile(p[1], f, &off, 4));
  say("off %ld pos %ld", (long)off, (long)lseek(f, 0, SEEK_CUR));
  rest("pipe", p[0]);
  lseek(f, 6, SEEK_SET);
  SHOW(sendfile(g, f, NULL, 100));
  SHOW(sendfile(g, f, NULL, 100));
  say("pos %ld %ld", (long)lseek(f, 0, SEEK_CUR), (long)lseek(g, 0, SEEK_CUR));
  SHOW(sendfile(ap, f, NULL, 1));
  off = -1;
  SHOW(sendfile(g, f, &off, 1));
  SHOW(sendfile(99, f, NULL, 1));
  SHOW(sendfile(g, ap, NULL, 1));
  SHOW(sendfile(g, f, (off_t *)8, 1));
  off = 1;
  SHOW(splice(f, &off, p[1], NULL, 5, 0));
  say("off %ld", (long)off);
  SHOW(tee(p[0], q[1], 3, 0));
  rest("teed", q[0]);
  SHOW(splice(p[0], NULL, q[1], NULL, 2, 0));
  rest("spliced", q[0]);
  off = 20;
  SHOW(splice(p[0], NULL, g, &off, 100, SPLICE_F_NONBLOCK));
  say("off %ld", (long)off);
  SHOW(splice(p[0], NULL, g, NULL, 1, SPLICE_F_NONBLOCK));
  SHOW(splice(f, NULL, g, NULL, 1, 0));
  SHOW(splice(p[0], &off, g, NULL, 1, 0));
  SHOW(splice(p[0], NULL, ap, NULL, 1, 0));
  SHOW(splice(p[0], NULL, p[1], NULL, 1, 0));
  SHOW(splice(99, NULL, p[1], NULL, 1, 0));
  SHOW(splice(f, NULL, p[1], NULL, 1, 64));
  SHOW(splice(f, NULL, p[1], NULL, 0, 0));
  SHOW(tee(f, p[1], 1, 0));
  struct iovec v[2] = {{"ab", 2}, {"cde", 3}};
  SHOW(vmsplice(p[1], v, 2, 0));
  rest("vm", p[0]);
  SHOW(vmsplice(f, v, 1, 0));
  off_t in = 0, out = 30;
  SHOW(copy_file_range(f, &in, g, &out, 4, 0));
  say("%ld %ld", (long)in, (long)out);
  out = 2;
  in = 0;
  SHOW(copy_file_range(f, &in, f, &out, 4, 0));
  SHOW(copy_file_range(f, &in, ap, NULL, 4, 0));
  SHOW(copy_file_range(f, &in, p[1], NULL, 4, 0));
  SHOW(copy_file_range(f, &in, g, &out, 4, 1));
  SHOW(copy_file_range(MUST(open(".", O_RDONLY)), NULL, g, &out, 4, 0));
  in = 100;
  SHOW(copy_file_range(f, &in, g, &out, 4, 0));
  lseek(g, 0, SEEK_SET);
  char b[64] = "";
  long n = read(g, b, sizeof b);
  for (int i = 0; i < n; i++)
    b[i] = b[i] ? b[i] : '.';
  say("g %ld %.*s", n, (int)n, b);
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  lseek(f, 0, SEEK_SET);
  SHOW(splice(f, NULL, p[1], NULL, 5, 0));
  return 0;
}
