/* Read-write locks, barriers, semaphores. */
#include "guest.h"
#include <semaphore.h>
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t bar;
static sem_t sem;
static long a, b, torn, serial;
static int inside, most;
static void *reader(void *arg) {
  for (int i = 0; i < 3000; i++) {
    pthread_rwlock_rdlock(&rw);
    if (a != b)
      torn++;
    pthread_rwlock_unlock(&rw);
  }
  return NULL;
}
static void *writer(void *arg) {
  for (int i = 0; i < 1500; i++) {
    pthread_rwlock_wrlock(&rw);
    a++, b++;
    pthread_rwlock_unlock(&rw);
  }
  return NULL;
}
static void *meet(void *arg) {
  for (int i = 0; i < 50; i++)
    if (pthread_barrier_wait(&bar) == PTHREAD_BARRIER_SERIAL_THREAD)
      serial++;
  return NULL;
}
static void *limited(void *arg) {
  for (int i = 0; i < 200; i++) {
    sem_wait(&sem);
    int n = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (n > most)
      most = n;
    sched_yield();
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    sem_post(&sem);
  }
  return NULL;
}
static void all(int n, void *(*fn)(void *)) {
  pthread_t t[8];
  for (int i = 0; i < n; i++)
    pthread_create(&t[i], NULL, fn, NULL);
  for (int i = 0; i < n; i++)
    pthread_join(t[i], NULL);
}
int main(void) {
  pthread_t t[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, i & 1 ? writer : reader, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  say("a %ld b %ld torn %ld", a, b, torn);
  say("%s", ename(pthread_rwlock_tryrdlock(&rw)));
  say("%s", ename(pthread_rwlock_trywrlock(&rw)));
  pthread_barrier_init(&bar, NULL, 4);
  all(4, meet);
  say("serial %ld", serial);
  sem_init(&sem, 0, 2);
  all(5, limited);
  YES(most >= 1 && most <= 2);
  int v;
  sem_getvalue(&sem, &v);
  say("value %d", v);
  sem_wait(&sem), sem_wait(&sem);
  SHOW(sem_trywait(&sem));
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  SHOW(sem_timedwait(&sem, &ts));
}
