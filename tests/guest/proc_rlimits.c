/* Resource limits: reading, setting, enforcement, inheritance. */
#include "guest.h"
static void h(int s) { say("signal %s", signame(s)); }
int main(void) {
  struct rlimit rl, old;
  SHOW(getrlimit(99, &rl));
  SHOW(getrlimit(RLIMIT_NOFILE, (void *)8));
  rl = (struct rlimit){20, 10};
  SHOW(setrlimit(RLIMIT_NOFILE, &rl));
  SHOW(prlimit(1 << 20, RLIMIT_NOFILE, NULL, &rl));
  rl = (struct rlimit){8, 16};
  SHOW(prlimit(0, RLIMIT_NOFILE, &rl, &old));
  YES(old.rlim_cur >= 256);
  CHILD("inherits") {
    getrlimit(RLIMIT_NOFILE, &rl);
    say("nofile %lu %lu", (unsigned long)rl.rlim_cur, (unsigned long)rl.rlim_max);
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
      last = fd;
    say("last %d then %s", last, ename(errno));
    SHOW(dup2(0, 8));
    SHOW(dup2(0, 7));
    SHOW(fcntl(0, F_DUPFD, 8));
    int p[2];
    SHOW(pipe(p));
    rl.rlim_cur = 16;
    SHOW(setrlimit(RLIMIT_NOFILE, &rl));
    OK(open("/dev/null", O_RDONLY));
    become_user(1000);
    rl.rlim_max = 17;
    SHOW(setrlimit(RLIMIT_NOFILE, &rl));
    rl = (struct rlimit){5, 5};
    SHOW(setrlimit(RLIMIT_NOFILE, &rl));
    SHOW(write(9, "", 0));
  }
  CHILD("file size") {
    on_signal(SIGXFSZ, h, 0);
    rl = (struct rlimit){100, 100};
    MUST(setrlimit(RLIMIT_FSIZE, &rl));
    int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
    char b[80] = "";
    SHOW(write(fd, b, 80));
    SHOW(write(fd, b, 80));
    SHOW(write(fd, b, 80));
    SHOW(ftruncate(fd, 101));
    SHOW(ftruncate(fd, 50));
    SHOW(pwrite(fd, b, 10, 100));
  }
  CHILD("file size, default") {
    rl = (struct rlimit){0, 0};
    MUST(setrlimit(RLIMIT_FSIZE, &rl));
    rl = (struct rlimit){0, 0};
    setrlimit(RLIMIT_CORE, &rl);
    int fd = MUST(open("g", O_RDWR | O_CREAT, 0644));
    write(fd, "x", 1);
  }
  CHILD("address space") {
    rl = (struct rlimit){1 << 30, 1 << 30};
    MUST(setrlimit(RLIMIT_AS, &rl));
    say("2 GiB: %s", mmap(NULL, 2UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? ename(errno) : "ok");
    say("1 MiB: %s", mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? ename(errno) : "ok");
  }
  CHILD("processes of a user") {
    become_user(4321);
    rl = (struct rlimit){1, 1};
    MUST(setrlimit(RLIMIT_NPROC, &rl));
    SHOW(fork());
  }
  CHILD("cpu") {
    rl = (struct rlimit){0, 0};
    setrlimit(RLIMIT_CORE, &rl);
    getrlimit(RLIMIT_CPU, &rl);
    YES(rl.rlim_cur == RLIM_INFINITY);
  }
}
