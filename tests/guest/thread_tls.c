/* Thread-local storage, keys with destructors, cancellation, pthread_once. */
#include "guest.h"
static _Thread_local int tls = 5;
static _Thread_local char big[20000];
static pthread_key_t key;
static int destroyed, once_runs;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void destroy(void *p) { __atomic_add_fetch(&destroyed, (int)(long)p, __ATOMIC_SEQ_CST); }
static void run_once(void) { once_runs++; }
static void *body(void *arg) {
  long ok = tls == 5 && big[19999] == 0;
  tls = (int)(long)arg;
  memset(big, (int)(long)arg, sizeof big);
  pthread_setspecific(key, arg);
  pthread_once(&once, run_once);
  sched_yield();
  return (void *)(long)(ok && tls == (int)(long)arg && big[777] == (char)(long)arg);
}
static void *sleeper(void *arg) {
  pause();
  return NULL;
}
static void *reader(void *arg) {
  char c;
  read((int)(long)arg, &c, 1);
  return NULL;
}
static void *busy(void *arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (;;)
    ;
}
int main(void) {
  pthread_key_create(&key, destroy);
  pthread_t t[8];
  long good = 0;
  for (long i = 0; i < 8; i++)
    pthread_create(&t[i], NULL, body, (void *)(i + 1));
  for (int i = 0; i < 8; i++) {
    void *r;
    pthread_join(t[i], &r);
    good += (long)r;
  }
  say("good %ld, destroyed %d, once %d, own %d", good, destroyed, once_runs, tls);
  int p[2];
  pipe(p);
  void *r;
  pthread_create(&t[0], NULL, sleeper, NULL);
  pthread_create(&t[1], NULL, reader, (void *)(long)p[0]);
  pthread_create(&t[2], NULL, busy, NULL);
  msleep(20);
  for (int i = 0; i < 3; i++) {
    SHOW(pthread_cancel(t[i]));
    pthread_join(t[i], &r);
    YES(r == PTHREAD_CANCELED);
  }
}
