/* futex wait and wake: values, timeouts, errors, bitsets. */
#include "guest.h"
static int word;
static long fx(int *w, int op, int val, void *t, int *w2, int v3) { return syscall(SYS_futex, w, op, val, t, w2, v3); }
static volatile int woken;
static void *waiter(void *arg) {
  long r = fx(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  __atomic_add_fetch(&woken, r == 0, __ATOMIC_SEQ_CST);
  return NULL;
}
static pid_t tids[4];
static void *bit_waiter(void *arg) {
  long i = (long)arg;
  __atomic_store_n(&tids[i], syscall(SYS_gettid), __ATOMIC_SEQ_CST);
  fx(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1 << i);
  __atomic_or_fetch(&woken, 1 << i, __ATOMIC_SEQ_CST);
  return NULL;
}
int main(void) {
  struct timespec ms20 = {0, 20000000}, bad = {0, 1000000000}, neg = {-1, 0};
  SHOW(fx(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
  SHOW(fx(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
  int64_t t = now_ms();
  SHOW(fx(&word, FUTEX_WAIT, 0, &ms20, NULL, 0));
  YES(now_ms() - t >= 19);
  SHOW(fx(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
  SHOW(fx(&word, FUTEX_WAIT, 0, &neg, NULL, 0));
  SHOW(fx((int *)8, FUTEX_WAIT, 0, NULL, NULL, 0));
  SHOW(fx((int *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
  SHOW(fx((int *)0xffff800000000000, FUTEX_WAKE, 1, NULL, NULL, 0));
  SHOW(fx(&word, 99, 0, NULL, NULL, 0));
  SHOW(fx(&word, FUTEX_WAIT, 0, (void *)8, NULL, 0));
  struct timespec abs;
  clock_gettime(CLOCK_MONOTONIC, &abs);
  SHOW(fx(&word, FUTEX_WAIT_BITSET, 0, &abs, NULL, -1));
  clock_gettime(CLOCK_REALTIME, &abs);
  SHOW(fx(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &abs, NULL, -1));
  SHOW(fx(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
  SHOW(fx(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
  pthread_t th[5];
  for (int i = 0; i < 5; i++)
    pthread_create(&th[i], NULL, waiter, NULL);
  int total = 0;
  while (total < 2)
    total += fx(&word, FUTEX_WAKE_PRIVATE, 2 - total, NULL, NULL, 0);
  while (woken < 2)
    msleep(1);
  msleep(5);
  say("woken %d", woken);
  while (total < 5)
    total += fx(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  for (int i = 0; i < 5; i++)
    pthread_join(th[i], NULL);
  say("woken %d total %d", woken, total);
  woken = 0;
  for (long i = 0; i < 4; i++)
    pthread_create(&th[i], NULL, bit_waiter, (void *)i);
  for (int i = 0; i < 4; i++) {
    while (!__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST))
      msleep(1);
    wait_state(tids[i], 'S');
  }
  SHOW(fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0x100));
  SHOW(fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 1 << 2));
  while (!(woken & 4))
    msleep(1);
  say("mask %x", woken);
  SHOW(fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 1 | 2));
  SHOW(fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, -1));
  for (int i = 0; i < 4; i++)
    pthread_join(th[i], NULL);
  say("mask %x", woken);
}
