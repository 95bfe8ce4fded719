/* Mutexes of every type under contention; errors; timed lock. */
#include "guest.h"
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static long count;
static void *body(void *a) {
  for (int i = 0; i < 20000; i++) {
    pthread_mutex_lock(&m);
    count++;
    pthread_mutex_unlock(&m);
  }
  return NULL;
}
static void *try(void *a) { return (void *)(long)pthread_mutex_trylock(a); }
int main(void) {
  pthread_t t[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, body, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  say("count %ld", count);
  pthread_mutexattr_t at;
  pthread_mutexattr_init(&at);
  pthread_mutexattr_settype(&at, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t e;
  pthread_mutex_init(&e, &at);
  say("lock %s", ename(pthread_mutex_lock(&e)));
  say("again %s", ename(pthread_mutex_lock(&e)));
  void *r;
  pthread_create(&t[0], NULL, try, &e);
  pthread_join(t[0], &r);
  say("other thread %s", ename((int)(long)r));
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  pthread_mutex_t n = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&n);
  ts.tv_nsec += 20000000;
  if (ts.tv_nsec >= 1000000000)
    ts.tv_nsec -= 1000000000, ts.tv_sec++;
  say("timed %s", ename(pthread_mutex_timedlock(&n, &ts)));
  say("unlock %s", ename(pthread_mutex_unlock(&e)));
  say("unlock again %s", ename(pthread_mutex_unlock(&e)));
  pthread_mutexattr_settype(&at, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t rec;
  pthread_mutex_init(&rec, &at);
  for (int i = 0; i < 2; i++)
    say("recursive %d", pthread_mutex_lock(&rec));
  say("unlock %d", pthread_mutex_unlock(&rec));
  pthread_spinlock_t sp;
  pthread_spin_init(&sp, 0);
  say("spin %d", pthread_spin_lock(&sp));
  say("again %s", ename(pthread_spin_trylock(&sp)));
}
