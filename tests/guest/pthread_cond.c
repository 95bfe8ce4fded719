/* Condition variables: a bounded queue, broadcast, timed waits on both clocks. */
#include "guest.h"
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER, go = PTHREAD_COND_INITIALIZER;
static int q[8], head, tail, n, started, gone;
static long sum;
static void *producer(void *arg) {
  for (int i = 1; i <= 2000; i++) {
    pthread_mutex_lock(&m);
    while (n == 8)
      pthread_cond_wait(&not_full, &m);
    q[tail++ % 8] = i, n++;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&m);
  }
  return NULL;
}
static void *consumer(void *arg) {
  for (int i = 1; i <= 2000; i++) {
    pthread_mutex_lock(&m);
    while (n == 0)
      pthread_cond_wait(&not_empty, &m);
    sum += q[head++ % 8], n--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&m);
  }
  return NULL;
}
static void *herd(void *arg) {
  pthread_mutex_lock(&m);
  gone++;
  while (!started)
    pthread_cond_wait(&go, &m);
  gone--;
  pthread_mutex_unlock(&m);
  return NULL;
}
int main(void) {
  pthread_t t[10];
  for (int i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, i & 1 ? consumer : producer, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  say("sum %ld left %d", sum, n);
  for (int i = 0; i < 10; i++)
    pthread_create(&t[i], NULL, herd, NULL);
  for (;;) {
    pthread_mutex_lock(&m);
    int g = gone;
    pthread_mutex_unlock(&m);
    if (g == 10)
      break;
    msleep(1);
  }
  pthread_mutex_lock(&m);
  started = 1;
  pthread_cond_broadcast(&go);
  pthread_mutex_unlock(&m);
  for (int i = 0; i < 10; i++)
    pthread_join(t[i], NULL);
  say("herd left %d", gone);
  for (int c = 0; c < 2; c++) {
    pthread_condattr_t at;
    pthread_condattr_init(&at);
    pthread_condattr_setclock(&at, c ? CLOCK_MONOTONIC : CLOCK_REALTIME);
    pthread_cond_t cv;
    pthread_cond_init(&cv, &at);
    struct timespec ts;
    clock_gettime(c ? CLOCK_MONOTONIC : CLOCK_REALTIME, &ts);
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000)
      ts.tv_nsec -= 1000000000, ts.tv_sec++;
    pthread_mutex_lock(&m);
    int64_t t0 = now_ms();
    int r;
    do
      r = pthread_cond_timedwait(&cv, &m, &ts);
    while (!r);
    say("timed wait %s, long enough %d", ename(r), now_ms() - t0 >= 19);
    pthread_mutex_unlock(&m);
  }
}
