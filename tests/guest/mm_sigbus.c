/* SIGBUS past the end of a file, at the truncated page, and in system calls EFAULT. */
#include "guest.h"
static sigjmp_buf env;
static char *base;
static void h(int s, siginfo_t *si, void *c) {
  say("%s %s at page %ld", signame(s), si->si_code == BUS_ADRERR ? "ADRERR" : "other", (long)((char *)si->si_addr - base) / 4096);
  siglongjmp(env, 1);
}
#define TRY(stmt)                                                                                                      \
  if (!sigsetjmp(env, 1)) {                                                                                            \
    stmt;                                                                                                              \
    say("no fault");                                                                                                   \
  }
int main(void) {
  on_siginfo(SIGBUS, h, 0);
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
  ftruncate(fd, 5000);
  for (int shared = 0; shared < 2; shared++) {
    base = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    TRY(*(volatile char *)(base + 4999) = 1);
    TRY(*(volatile char *)(base + 8191));
    TRY(*(volatile char *)(base + 8192));
    TRY(*(volatile char *)(base + 3 * 4096) = 1);
    ftruncate(fd, 100);
    if (shared)
      TRY(*(volatile char *)(base + 4096));
    TRY(*(volatile char *)(base + 50));
    ftruncate(fd, 5000);
    int p[2];
    pipe(p);
    SHOW(write(p[1], base + 8192, 10));
    SHOW(write(p[1], base + 10, 10));
    SHOW(read(p[0], base + 3 * 4096, 10));
    munmap(base, 5 * 4096);
  }
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("default") {
    signal(SIGBUS, SIG_DFL);
    base = mmap(NULL, 5 * 4096, PROT_READ, MAP_SHARED, fd, 0);
    *(volatile char *)(base + 8192);
  }
}
