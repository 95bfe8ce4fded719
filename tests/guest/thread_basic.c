/* Threads: ids, results, shared memory, detached threads, errno per thread. */
#include "guest.h"
static int shared;
static pid_t tids[3];
static void *body(void *arg) {
  long i = (long)arg;
  tids[i] = syscall(SYS_gettid);
  __atomic_add_fetch(&shared, 1, __ATOMIC_SEQ_CST);
  errno = 100 + i;
  msleep(5);
  return (void *)(i * 10 + (errno == 100 + i));
}
static void *detached(void *arg) {
  pthread_detach(pthread_self());
  __atomic_add_fetch(&shared, 100, __ATOMIC_SEQ_CST);
  return NULL;
}
int main(void) {
  pthread_t t[3];
  void *r;
  for (long i = 0; i < 3; i++)
    SHOW(pthread_create(&t[i], NULL, body, (void *)i));
  for (long i = 0; i < 3; i++) {
    SHOW(pthread_join(t[i], &r));
    say("result %ld", (long)r);
  }
  say("shared %d", shared);
  YES(tids[0] != tids[1] && tids[1] != tids[2] && tids[0] != getpid());
  YES(syscall(SYS_gettid) == getpid());
  /* join returns when the tid word is cleared, an instant before the thread is gone */
  while (syscall(SYS_tgkill, getpid(), tids[0], 0) == 0)
    sched_yield();
  say("joined thread: %s", ename(errno));
  pthread_create(&t[0], NULL, detached, NULL);
  while (__atomic_load_n(&shared, __ATOMIC_SEQ_CST) < 100)
    msleep(1);
  say("shared %d", shared);
  pthread_attr_t a;
  pthread_attr_init(&a);
  SHOW(pthread_attr_setstacksize(&a, 1 << 20));
  SHOW(pthread_create(&t[0], &a, body, (void *)2));
  SHOW(pthread_join(t[0], NULL));
}
