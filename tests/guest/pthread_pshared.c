/* Mutex, condition variable, barrier and semaphore shared by processes; a named semaphore. */
#include "guest.h"
#include <semaphore.h>
struct shared {
  pthread_mutex_t m;
  pthread_cond_t c;
  pthread_barrier_t b;
  sem_t s;
  int turn;
  long count;
};
int main(void) {
  struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t ma;
  pthread_mutexattr_init(&ma), pthread_mutexattr_setpshared(&ma, 1), pthread_mutex_init(&s->m, &ma);
  pthread_condattr_t ca;
  pthread_condattr_init(&ca), pthread_condattr_setpshared(&ca, 1), pthread_cond_init(&s->c, &ca);
  pthread_barrierattr_t ba;
  pthread_barrierattr_init(&ba), pthread_barrierattr_setpshared(&ba, 1), pthread_barrier_init(&s->b, &ba, 3);
  sem_init(&s->s, 1, 0);
  pid_t p[3];
  for (int i = 0; i < 3; i++)
    if (!(p[i] = fork())) {
      pthread_barrier_wait(&s->b);
      for (int j = 0; j < 3000; j++) {
        pthread_mutex_lock(&s->m);
        s->count++;
        pthread_mutex_unlock(&s->m);
      }
      for (int r = 0; r < 20; r++) { /* in turns */
        pthread_mutex_lock(&s->m);
        while (s->turn % 3 != i)
          pthread_cond_wait(&s->c, &s->m);
        s->turn++;
        pthread_cond_broadcast(&s->c);
        pthread_mutex_unlock(&s->m);
      }
      sem_post(&s->s);
      _exit(i);
    }
  for (int i = 0; i < 3; i++)
    sem_wait(&s->s);
  for (int i = 0; i < 3; i++)
    reap("process", p[i]);
  say("count %ld turn %d", s->count, s->turn);
}
