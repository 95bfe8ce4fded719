/* Private file mappings: copy on write, offsets, after the descriptor is closed, the tail of the last page. */
#include "guest.h"
int main(void) {
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
  char block[4096];
  for (int i = 0; i < 3; i++) {
    memset(block, 'a' + i, sizeof block);
    write(fd, block, sizeof block);
  }
  write(fd, "tail", 4);
  char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char *q = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 8192);
  say("%c %c %c %s, zero behind %d", p[0], p[4096], p[8192], p + 12288, p[12288 + 4] | p[16383]);
  say("by offset %c %c", q[0], q[4096]);
  p[0] = 'X', p[12288] = 'T';
  char buf[8] = "";
  pread(fd, buf, 1, 0);
  say("file %c, memory %c", buf[0], p[0]);
  pwrite(fd, "Z", 1, 4096);
  say("page not yet written to sees the file: %c", p[4096]);
  pwrite(fd, "Y", 1, 0);
  say("own page does not: %c", p[0]);
  close(fd);
  say("closed: %c %c", p[8192], q[1]);
  CHILD("fork") {
    say("child %c", p[0]);
    p[0] = 'C';
  }
  say("parent %c", p[0]);
  SHOW(unlink("f"));
  say("unlinked: %c", p[8193]);
  SHOW(madvise(p, 4096, MADV_DONTNEED));
  say("after DONTNEED %c", p[0]);
}
