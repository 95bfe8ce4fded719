/* Futexes shared between processes: shared anonymous memory, a file mapped at different addresses, private keys apart. */
#include "guest.h"
static long fx(int *w, int op, int val) { return syscall(SYS_futex, w, op, val, NULL, NULL, 0); }
static void wake_one(int *w, int op, pid_t p) {
  wait_state(p, 'S');
  SHOW(fx(w, op, 1));
}
int main(void) {
  int *s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t p = fork();
  if (!p)
    _exit(fx(s, FUTEX_WAIT, 0) == 0 ? 7 : 8);
  wake_one(s, FUTEX_WAKE, p);
  reap("anonymous", p);
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
  ftruncate(fd, 8192);
  int *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  p = fork();
  if (!p) {
    int *b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("f", O_RDWR), 4096);
    munmap(a, 8192);
    _exit(fx(b + 3, FUTEX_WAIT, 0) == 0 ? 9 : 10);
  }
  wait_state(p, 'S');
  SHOW(fx(a + 3, FUTEX_WAKE, 1));
  SHOW(fx(a + 1024 + 3, FUTEX_WAKE_PRIVATE, 1));
  SHOW(fx(a + 1024 + 3, FUTEX_WAKE, 1));
  reap("file", p);
  int mfd = MUST(memfd_create("m", 0));
  ftruncate(mfd, 4096);
  int *m1 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mfd, 0), *m2 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mfd, 0);
  p = fork();
  if (!p)
    _exit(fx(m1, FUTEX_WAIT, 0) == 0 ? 11 : 12);
  wake_one(m2, FUTEX_WAKE, p);
  reap("memfd", p);
  /* private memory is not shared after fork, whatever the flag says */
  static int word;
  p = fork();
  if (!p) {
    struct timespec ts = {0, 60000000};
    long r = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0);
    _exit(r == 0 ? 1 : errno == ETIMEDOUT ? 13 : 2);
  }
  wait_state(p, 'S');
  SHOW(fx(&word, FUTEX_WAKE, 1));
  reap("private memory", p);
}
