/* Shared file mappings: coherent with read and write, between processes, msync, growth. */
#include "guest.h"
int main(void) {
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
  MUST(ftruncate(fd, 8192));
  char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p, "through memory");
  char buf[32] = "";
  pread(fd, buf, 14, 0);
  say("%s", buf);
  pwrite(fd, "through write", 14, 5000);
  say("%s", p + 5000);
  int fd2 = MUST(open("f", O_RDWR));
  char *q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd2, 4096);
  strcpy(q, "second mapping");
  say("%s", p + 4096);
  CHILD("process") {
    int fd3 = open("f", O_RDWR);
    char *r = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd3, 0);
    say("sees %s", r);
    strcpy(r, "from a child");
  }
  say("%s", p);
  SHOW(msync(p, 8192, MS_SYNC));
  SHOW(msync(p, 8192, MS_ASYNC));
  SHOW(msync(p, 8192, MS_SYNC | MS_INVALIDATE));
  SHOW(ftruncate(fd, 16384));
  p[12288] = 'G';
  pread(fd, buf, 1, 12288);
  say("grown %c", buf[0]);
  SHOW(ftruncate(fd, 4096));
  SHOW(ftruncate(fd, 8192));
  say("cut and grown: %d", p[4096]);
  close(fd), close(fd2);
  p[1] = 'R';
  SHOW(munmap(p, 16384));
  read_file("f", buf, sizeof buf);
  say("%.12s", buf);
  struct stat st;
  SHOW(stat("f", &st));
  say("size %ld", (long)st.st_size);
  fd = open("f", O_RDONLY);
  p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  SHOW(mprotect(p, 4096, PROT_READ | PROT_WRITE));
  fd = open("f", O_RDONLY);
  YES(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
}
