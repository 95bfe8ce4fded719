/* truncate and ftruncate. */
#include "guest.h"
int main(void) {
  char buf[16];
  struct stat st;
  MUST(write_file("f", "0123456789"));
  SHOW(truncate("f", 4));
  SHOW(stat("f", &st));
  say("%ld", (long)st.st_size);
  SHOW(truncate("f", 8));
  read_file("f", buf, sizeof buf);
  say("%.4s %d %d", buf, buf[4], buf[7]);
  SHOW(truncate("f", -1));
  SHOW(truncate("nothing", 0));
  SHOW(truncate(".", 0));
  SHOW(truncate("f/x", 0));
  int r = MUST(open("f", O_RDONLY)), w = MUST(open("f", O_RDWR));
  SHOW(ftruncate(r, 0));
  SHOW(ftruncate(w, -1));
  SHOW(ftruncate(w, 0));
  SHOW(ftruncate(w, 1L << 33));
  fstat(w, &st);
  say("%ld", (long)st.st_size);
  SHOW(lseek(w, 0, SEEK_CUR));
  SHOW(ftruncate(99, 0));
  CHILD("permission") {
    chmod("f", 0444);
    become_user(1000);
    SHOW(truncate("f", 0));
  }
  MUST(chown("f", 1000, 1000)), MUST(chmod("f", 04777));
  CHILD("write clears set-uid") {
    become_user(1000);
    int fd = MUST(open("f", O_WRONLY));
    write(fd, "x", 1);
    stat("f", &st);
    say("mode %o", st.st_mode & 07777);
  }
}
