/* FUTEX_REQUEUE, CMP_REQUEUE and WAKE_OP. */
#include "guest.h"
static int a, b;
static pid_t tids[6];
static int up;
static long fx(int *w, int op, int val, long v2, int *w2, int v3) { return syscall(SYS_futex, w, op, val, v2, w2, v3); }
static void *waiter(void *arg) {
  long i = (long)arg;
  __atomic_store_n(&tids[i], syscall(SYS_gettid), __ATOMIC_SEQ_CST);
  fx(arg == (void *)5 ? &b : &a, FUTEX_WAIT_PRIVATE, 0, 0, NULL, 0);
  __atomic_add_fetch(&up, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
static void settle(int n) {
  for (int i = 0; i < 3000 && __atomic_load_n(&up, __ATOMIC_SEQ_CST) < n; i++)
    msleep(1);
  msleep(3);
  say("woken so far %d", up);
}
int main(void) {
  pthread_t t[6];
  for (long i = 0; i < 6; i++) {
    pthread_create(&t[i], NULL, waiter, (void *)i);
    while (!__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST))
      msleep(1);
    wait_state(tids[i], 'S');
  }
  SHOW(fx(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, 10, &b, 1));
  SHOW(fx(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, &b, 0));
  settle(1);
  SHOW(fx(&a, FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0));
  settle(2);
  SHOW(fx(&a, FUTEX_REQUEUE_PRIVATE, 0, 10, &b, 0));
  SHOW(fx(&a, FUTEX_WAKE_PRIVATE, 10, 0, NULL, 0));
  SHOW(fx(&b, FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0));
  settle(3);
  b = 5;
  /* wakes one at a (none), b += 3, and if the old b > 4 wakes up to 2 at b */
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 1, 2, &b, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 4)));
  say("b %d", b);
  settle(5);
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 1, 9, &b, FUTEX_OP(FUTEX_OP_SET, 100, FUTEX_OP_CMP_EQ, 4)));
  say("b %d", b);
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 0, 0, &b, FUTEX_OP(FUTEX_OP_OR, 3, FUTEX_OP_CMP_EQ, 0)));
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 0, 0, &b, FUTEX_OP(FUTEX_OP_ANDN, 4, FUTEX_OP_CMP_EQ, 0)));
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 0, 0, &b, FUTEX_OP(FUTEX_OP_XOR, 1, FUTEX_OP_CMP_EQ, 0)));
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 0, 0, &b, FUTEX_OP((FUTEX_OP_ADD | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 0)));
  say("b %d", b);
  SHOW(fx(&a, FUTEX_WAKE_OP_PRIVATE, 0, 0, (int *)8, 0));
  SHOW(fx(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, (int *)8, 0));
  SHOW(fx(&b, FUTEX_WAKE_PRIVATE, 10, 0, NULL, 0));
  for (int i = 0; i < 6; i++)
    pthread_join(t[i], NULL);
  say("all %d", up);
}
