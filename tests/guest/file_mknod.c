/* mknod: fifos, sockets, files; device nodes; fifo open rules. */
#include "guest.h"
#include <sys/sysmacros.h>
static void *opener(void *a) {
  int fd = open("fifo", O_WRONLY);
  write(fd, "via fifo", 8);
  close(fd);
  return NULL;
}
int main(void) {
  struct stat s;
  SHOW(mknod("file", S_IFREG | 0640, 0)), stat("file", &s), say("%o", s.st_mode);
  SHOW(mknod("zero", 0600, 0)), stat("zero", &s), say("%o", s.st_mode);
  SHOW(mknod("sock", S_IFSOCK | 0600, 0)), SHOW(open("sock", O_RDONLY)), SHOW(mknod("dir", S_IFDIR | 0600, 0)), SHOW(mknod("file", S_IFREG | 0600, 0)), SHOW(mknod("bad", 0170000 | 0600, 0));
  SHOW(mkfifo("fifo", 0644)), SHOW(mkfifo("fifo", 0644));
  pthread_t t;
  pthread_create(&t, NULL, opener, NULL);
  int fd = MUST(open("fifo", O_RDONLY));
  char b[16] = "";
  SHOW(read(fd, b, 16)), say("%s", b), SHOW(read(fd, b, 16));
  pthread_join(t, NULL);
  pid_t p = fork();
  if (!p) {
    int w = open("fifo", O_RDONLY); /* blocks until a writer comes */
    _exit(w >= 0 ? 5 : 6);
  }
  wait_state(p, 'S');
  close(fd);
  fd = MUST(open("fifo", O_WRONLY));
  reap("reader", p);
  CHILD("user") {
    become_user(1000);
    SHOW(mknod("/tmp/guest-nod-x", S_IFCHR | 0600, makedev(1, 3)));
  }
}
