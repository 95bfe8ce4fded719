/* poll and ppoll: counts, bad descriptors, negative ones, timeouts, masks, files. */
#include "guest.h"
static void h(int s) { say("handler %s", signame(s)); }
int main(void) {
  int p[2], q[2];
  pipe(p), pipe(q);
  write(q[1], "x", 1);
  struct pollfd f[5] = {{p[0], POLLIN, 0}, {q[0], POLLIN, 0}, {-1, POLLIN, 9}, {99, POLLIN, 0}, {p[1], POLLOUT, 0}};
  SHOW(poll(f, 5, 1000));
  for (int i = 0; i < 5; i++)
    say("%d: %x", i, f[i].revents);
  SHOW(poll(NULL, 0, 0));
  int64_t t = now_ms();
  SHOW(poll(f, 1, 30));
  YES(now_ms() - t >= 29 && now_ms() - t < 2000);
  SHOW(poll((void *)8, 1, 0));
  SHOW(syscall(SYS_poll, f, 100000000, 0));
  int fd = MUST(open("file", O_RDWR | O_CREAT, 0600)), d = MUST(open(".", O_RDONLY)), n = MUST(open("/dev/null", O_RDWR));
  struct pollfd g[3] = {{fd, POLLIN | POLLOUT, 0}, {d, POLLIN | POLLOUT, 0}, {n, POLLIN | POLLOUT, 0}};
  SHOW(poll(g, 3, 0));
  for (int i = 0; i < 3; i++)
    say("%x", g[i].revents);
  on_signal(SIGUSR1, h, 0);
  sigset_t m, none;
  sigemptyset(&m), sigemptyset(&none);
  sigaddset(&m, SIGUSR1);
  sigprocmask(SIG_BLOCK, &m, NULL);
  raise(SIGUSR1);
  struct timespec ts = {0, 20000000}, bad = {0, -1}, zero = {0, 0};
  SHOW(ppoll(f, 1, &ts, &m));
  SHOW(ppoll(f, 1, NULL, &none));
  SHOW(ppoll(f, 1, &bad, NULL));
  raise(SIGUSR1);
  SHOW(ppoll(&f[1], 1, &zero, &none)); /* ready descriptors win over pending signals */
  sigset_t pend;
  sigpending(&pend);
  say("still pending %d", sigismember(&pend, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &m, NULL);
  struct pollfd same[3] = {{q[0], POLLIN, 0}, {q[0], POLLOUT, 0}, {q[0], 0, 0}};
  SHOW(poll(same, 3, 0));
  say("%x %x %x", same[0].revents, same[1].revents, same[2].revents);
  struct rlimit rl = {4, 4};
  setrlimit(RLIMIT_NOFILE, &rl);
  SHOW(poll(f, 5, 0));
}
