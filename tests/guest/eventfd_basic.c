/* eventfd: counter, semaphore mode, overflow, blocking, poll bits, errors. */
#include "guest.h"
static void bits(const char *what, int fd) {
  struct pollfd pf = {fd, POLLIN | POLLOUT, 0};
  poll(&pf, 1, 0);
  say("%s:%s%s%s", what, pf.revents & POLLIN ? " IN" : "", pf.revents & POLLOUT ? " OUT" : "", pf.revents & POLLERR ? " ERR" : "");
}
static void *adder(void *arg) {
  uint64_t v = 1;
  for (int i = 0; i < 1000; i++)
    write((int)(long)arg, &v, 8);
  return NULL;
}
static void *unblock(void *arg) {
  uint64_t v;
  msleep(15);
  read((int)(long)arg, &v, 8);
  return NULL;
}
int main(void) {
  uint64_t v;
  int fd = MUST(eventfd(3, EFD_NONBLOCK));
  bits("3", fd);
  SHOW(read(fd, &v, 8));
  say("value %lu", (unsigned long)v);
  SHOW(read(fd, &v, 8));
  bits("0", fd);
  v = 5, write(fd, &v, 8), write(fd, &v, 8);
  SHOW(read(fd, &v, 8));
  say("value %lu", (unsigned long)v);
  SHOW(read(fd, &v, 7));
  SHOW(write(fd, &v, 7));
  v = ~0ULL;
  SHOW(write(fd, &v, 8));
  v = ~0ULL - 1;
  SHOW(write(fd, &v, 8));
  bits("full", fd);
  v = 1;
  SHOW(write(fd, &v, 8));
  v = 0;
  SHOW(write(fd, &v, 8));
  SHOW(read(fd, &v, 8));
  say("value %lx", (unsigned long)v);
  int s = MUST(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
  SHOW(fcntl(s, F_GETFD));
  for (int i = 0; i < 3; i++)
    say("semaphore: %s %lu", read(s, &v, 8) == 8 ? "ok" : ename(errno), (unsigned long)v);
  SHOW(eventfd(0, 0x4));
  int b = MUST(eventfd(0, 0));
  pthread_t t[3];
  for (int i = 0; i < 3; i++)
    pthread_create(&t[i], NULL, adder, (void *)(long)b);
  uint64_t sum = 0;
  while (sum < 3000) {
    read(b, &v, 8);
    sum += v;
  }
  for (int i = 0; i < 3; i++)
    pthread_join(t[i], NULL);
  say("sum %lu", (unsigned long)sum);
  v = ~0ULL - 1;
  write(b, &v, 8);
  pthread_create(&t[0], NULL, unblock, (void *)(long)b);
  v = 2;
  SHOW(write(b, &v, 8)); /* blocks until it fits */
  pthread_join(t[0], NULL);
  CHILD("shared with a child") {
    v = 40;
    write(b, &v, 8);
  }
  read(b, &v, 8);
  say("value %lu", (unsigned long)v);
}
