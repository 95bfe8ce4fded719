/* epoll in epoll, depth and loops, many descriptors, waits across threads, masks, timeouts. */
#include "guest.h"
static int ep;
static void *writer(void *arg) {
  msleep(20);
  write((int)(long)arg, "x", 1);
  return NULL;
}
static int woken;
static void *waiter(void *arg) {
  struct epoll_event e;
  if (epoll_wait((int)(long)arg, &e, 1, 3000) == 1)
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
static void h(int s) {}
int main(void) {
  struct epoll_event e = {.events = EPOLLIN}, out[64];
  int in = epoll_create1(0), mid = epoll_create1(0), p[2];
  ep = epoll_create1(EPOLL_CLOEXEC);
  SHOW(fcntl(ep, F_GETFD));
  pipe(p);
  SHOW(epoll_ctl(in, EPOLL_CTL_ADD, p[0], &e));
  SHOW(epoll_ctl(mid, EPOLL_CTL_ADD, in, &e));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, mid, &e));
  SHOW(epoll_wait(ep, out, 8, 0));
  write(p[1], "x", 1);
  SHOW(epoll_wait(ep, out, 8, 0));
  struct pollfd pf = {ep, POLLIN, 0};
  SHOW(poll(&pf, 1, 0));
  char b[64];
  read(p[0], b, 1);
  SHOW(epoll_wait(ep, out, 8, 0));
  SHOW(poll(&pf, 1, 0));
  SHOW(epoll_ctl(in, EPOLL_CTL_ADD, ep, &e));
  SHOW(epoll_ctl(in, EPOLL_CTL_ADD, in, &e));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, mid, &e));
  SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e));
  SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], NULL));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e));
  SHOW(epoll_ctl(99, EPOLL_CTL_ADD, p[0], &e));
  SHOW(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e));
  SHOW(epoll_ctl(ep, 9, p[1], &e));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], NULL));
  int f = MUST(open("file", O_RDWR | O_CREAT, 0600));
  SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, f, &e));
  SHOW(epoll_wait(ep, out, 0, 0));
  SHOW(epoll_wait(ep, out, -1, 0));
  SHOW(epoll_wait(p[0], out, 1, 0));
  SHOW(epoll_create(0));
  SHOW(epoll_create1(5));
  int64_t t = now_ms();
  SHOW(epoll_wait(ep, out, 1, 30));
  YES(now_ms() - t >= 29);
  pthread_t th[4];
  pthread_create(&th[0], NULL, writer, (void *)(long)p[1]);
  SHOW(epoll_wait(ep, out, 8, 5000));
  pthread_join(th[0], NULL);
  read(p[0], b, 1);
  int many = epoll_create1(0), fds[40];
  for (int i = 0; i < 40; i++) {
    fds[i] = eventfd(i % 2, EFD_NONBLOCK);
    e.data.u32 = i;
    epoll_ctl(many, EPOLL_CTL_ADD, fds[i], &e);
  }
  int seen[40] = {0}, rounds = 0;
  for (int r = 0; r < 10; r++) { /* ready ones take turns */
    int n = epoll_wait(many, out, 4, 0);
    rounds += n;
    for (int i = 0; i < n; i++)
      seen[out[i].data.u32]++;
  }
  int even = 0, odd_min = 99;
  for (int i = 0; i < 40; i++)
    if (i % 2)
      odd_min = seen[i] < odd_min ? seen[i] : odd_min;
    else
      even += seen[i];
  say("total %d, idle ones %d, least served %d", rounds, even, odd_min);
  int ex = epoll_create1(0), efd = eventfd(0, EFD_NONBLOCK);
  e.events = EPOLLIN;
  epoll_ctl(ex, EPOLL_CTL_ADD, efd, &e);
  for (int i = 0; i < 4; i++)
    pthread_create(&th[i], NULL, waiter, (void *)(long)ex);
  msleep(20);
  uint64_t one = 1;
  write(efd, &one, 8);
  for (int i = 0; i < 4; i++)
    pthread_join(th[i], NULL);
  say("level triggered wakes all: %d", woken);
  on_signal(SIGUSR1, h, 0);
  sigset_t m, none;
  sigemptyset(&none), sigemptyset(&m), sigaddset(&m, SIGUSR1);
  sigprocmask(SIG_BLOCK, &m, NULL);
  raise(SIGUSR1);
  SHOW(epoll_pwait(ep, out, 1, 1000, &m));
  SHOW(epoll_pwait(ep, out, 1, 5000, &none));
  struct timespec ts = {0, 1000000};
  SHOW(epoll_pwait2(ep, out, 1, &ts, NULL));
}
