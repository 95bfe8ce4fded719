/* sendfile, splice, tee, vmsplice, copy_file_range. */
#include "guest.h"
#include <sys/sendfile.h>
int main(void) {
  char *big = malloc(300000), *back = calloc(1, 300000), buf[64] = "";
  for (int i = 0; i < 300000; i++)
    big[i] = i * 31 + (i >> 9);
  int a = MUST(open("a", O_RDWR | O_CREAT, 0600)), b = MUST(open("b", O_RDWR | O_CREAT, 0600)), p[2], q[2], s[2];
  write(a, big, 300000);
  off_t off = 100;
  SHOW(sendfile(b, a, &off, 50000));
  say("offset %ld, position %ld", (long)off, (long)lseek(a, 0, SEEK_CUR));
  lseek(a, 10, SEEK_SET);
  SHOW(sendfile(b, a, NULL, 1000000));
  pread(b, back, 300000, 0);
  YES(!memcmp(back, big + 100, 50000) && !memcmp(back + 50000, big + 10, 250000));
  SHOW(sendfile(b, a, NULL, 10)), SHOW(sendfile(b, 99, NULL, 10)), SHOW(sendfile(MUST(open("a", O_RDONLY)), a, NULL, 1));
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  off = 0;
  SHOW(sendfile(s[0], a, &off, 5000)), SHOW(recv(s[1], back, 300000, 0));
  YES(!memcmp(back, big, 5000));
  pipe(p), pipe(q);
  SHOW(sendfile(b, p[0], NULL, 1));
  loff_t in = 1000, out = 0;
  SHOW(splice(a, &in, p[1], NULL, 5000, 0));
  say("offset %ld", (long)in);
  SHOW(tee(p[0], q[1], 3000, 0));
  SHOW(splice(p[0], NULL, b, &out, 100000, 0));
  SHOW(read(q[0], back, 300000)), YES(!memcmp(back, big + 1000, 3000));
  pread(b, back, 5000, 0), YES(!memcmp(back, big + 1000, 5000));
  SHOW(splice(p[0], NULL, b, NULL, 10, SPLICE_F_NONBLOCK));
  SHOW(splice(a, NULL, b, NULL, 10, 0)), SHOW(splice(p[0], &in, b, NULL, 10, 0)), SHOW(splice(99, NULL, p[1], NULL, 10, 0)), SHOW(tee(a, p[1], 10, 0));
  struct iovec v[2] = {{"vm", 2}, {"splice", 6}};
  SHOW(vmsplice(p[1], v, 2, 0)), SHOW(read(p[0], buf, 64)), say("%.8s", buf);
  SHOW(splice(s[1], NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK));
  write(s[0], "sock", 4);
  SHOW(splice(s[1], NULL, p[1], NULL, 10, 0)), SHOW(splice(p[0], NULL, q[1], NULL, 10, 0)), SHOW(read(q[0], buf, 64));
  in = 5, out = 50;
  int c = MUST(open("c", O_RDWR | O_CREAT, 0600));
  SHOW(copy_file_range(a, &in, c, &out, 1000, 0));
  say("%ld %ld", (long)in, (long)out);
  pread(c, back, 1000, 50), YES(!memcmp(back, big + 5, 1000));
  in = 299990;
  SHOW(copy_file_range(a, &in, c, NULL, 1000, 0)), SHOW(copy_file_range(a, &in, c, NULL, 1000, 0)), SHOW(copy_file_range(a, NULL, c, NULL, 10, 1)), SHOW(copy_file_range(a, NULL, MUST(open("a", O_RDONLY)), NULL, 10, 0)), SHOW(copy_file_range(p[0], NULL, c, NULL, 10, 0));
  in = 0, out = 100;
  SHOW(copy_file_range(a, &in, a, &out, 1000, 0)); /* overlaps */
}
