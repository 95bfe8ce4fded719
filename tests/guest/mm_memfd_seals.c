/* memfd seals and what they refuse; execution of memfds; holes and ends of files. */
#include "guest.h"
#define PG 4096ul
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
static void map(const char *what, int fd, int prot, int flags) {
  void *p = mmap(NULL, PG, prot, flags, fd, 0);
  say("%s: %s", what, p == MAP_FAILED ? ename(errno) : "ok");
  if (p != MAP_FAILED && flags == MAP_SHARED)
    say("  mprotect %s", mprotect(p, PG, PROT_READ | PROT_WRITE) ? ename(errno) : "ok");
  if (p != MAP_FAILED)
    munmap(p, PG);
}
int main(void) {
  int fd = MUST(memfd_create("s", MFD_ALLOW_SEALING));
  ftruncate(fd, 4 * PG);
  char *w = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  strcpy(w, "the old mapping still writes");
  SHOW(pwrite(fd, "x", 1, 0));
  map("future write, shared rw", fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  map("future write, shared ro", fd, PROT_READ, MAP_SHARED);
  map("future write, private rw", fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PG));
  SHOW(ftruncate(fd, 5 * PG));
  SHOW(ftruncate(fd, 4 * PG));
  SHOW(madvise(w, PG, MADV_REMOVE));
  say("%s", w);
  munmap(w, PG);
  int g = MUST(memfd_create("g", MFD_ALLOW_SEALING));
  ftruncate(g, 2 * PG);
  map("before", g, PROT_READ | PROT_WRITE, MAP_SHARED);
  SHOW(fcntl(g, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK));
  SHOW(write(g, "x", 1));
  SHOW(fallocate(g, 0, 0, PG));
  SHOW(fallocate(g, 0, 4 * PG, PG));
  map("sealed, shared rw", g, PROT_READ | PROT_WRITE, MAP_SHARED);
  map("sealed, shared ro", g, PROT_READ, MAP_SHARED);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", g);
  int again = open(path, O_RDWR);
  SHOW(again >= 0);
  SHOW(write(again, "x", 1));
  int ro = open(path, O_RDONLY);
  SHOW(fcntl(ro, F_ADD_SEALS, F_SEAL_SEAL));
  SHOW(fcntl(g, F_ADD_SEALS, 0x1000));
  /* a forked child's mapping counts as one */
  int c = MUST(memfd_create("c", MFD_ALLOW_SEALING)), pp[2];
  ftruncate(c, PG);
  char *cm = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, c, 0);
  MUST(pipe(pp));
  pid_t pid = fork();
  if (!pid) {
    char x;
    close(pp[1]);
    read(pp[0], &x, 1);
    _exit(cm[0]);
  }
  munmap(cm, PG);
  SHOW(fcntl(c, F_ADD_SEALS, F_SEAL_WRITE));
  close(pp[1]);
  reap("child", pid);
  SHOW(fcntl(c, F_ADD_SEALS, F_SEAL_WRITE));
  /* execution */
  int x = MUST(memfd_create("prog", 0));
  int t = open("/bin/true", O_RDONLY);
  char buf[65536];
  for (ssize_t n; (n = read(t, buf, sizeof buf)) > 0;)
    write(x, buf, n);
  CHILD("fexecve, not executable") {
    fchmod(x, 0600);
    char *argv[] = {"true", NULL};
    fexecve(x, argv, environ);
    say("%s", ename(errno));
  }
  fchmod(x, 0700);
  CHILD("fexecve") {
    char *argv[] = {"true", NULL};
    fexecve(x, argv, environ);
    say("%s", ename(errno));
  }
  YES(mmap(NULL, PG, PROT_READ | PROT_EXEC, MAP_PRIVATE, x, 0) != MAP_FAILED);
}
