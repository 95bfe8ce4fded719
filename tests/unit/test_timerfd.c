#include "../../fs/anon.h"
#include "fiber_util.h"
#include <sys/timerfd.h>

#define MS 1000000ll

static void body(void *arg) {
  struct file *f;
  struct itimer_val old;
  uint64_t n;
  char c;
  ck_assert_int_eq(timerfd_new(fib.k, CLOCK_MONOTONIC, 0, &f), 0);
  ck_assert_int_eq(k_write(f, &n, 8), -EINVAL);
  f->flags |= O_NONBLOCK;
  ck_assert_int_eq(k_read(f, &n, 8), -EAGAIN);
  ck_assert_int_eq(k_read(f, &c, 1), -EINVAL);
  f->flags &= ~O_NONBLOCK;
  int64_t t0 = loop_now_exact();
  ck_assert_int_eq(timerfd_set(f, 0, &(struct itimer_val){.value = 5 * MS}, NULL), 0);
  ck_assert_int_eq(k_read(f, &n, 8), 8);
  ck_assert_int_eq(n, 1);
  ck_assert_int_ge(loop_now_exact() - t0, 5 * MS);
  timerfd_get(f, &old);
  ck_assert_int_eq(old.value, 0);

  ck_assert_int_eq(timerfd_set(f, 0, &(struct itimer_val){.value = 1 * MS, .interval = 2 * MS}, NULL), 0);
  task_sleep(deadline_after(20 * MS));
  ck_assert_int_eq(file_poll(f), EPOLLIN | EPOLLRDNORM);
  ck_assert_int_eq(k_read(f, &n, 8), 8);
  ck_assert_int_ge(n, 10);
  ck_assert_int_eq(file_poll(f), 0);
  ck_assert_int_eq(k_read(f, &n, 8), 8);
  ck_assert_int_le(n, 5);
  ck_assert_int_eq(timerfd_set(f, 0, &(struct itimer_val){0}, &old), 0);
  ck_assert_int_eq(old.interval, 2 * MS);
  file_put(f);
}

START_TEST(reading) {
  fib_setup();
  fib_do(body, NULL);
}
END_TEST

static void absolute_body(void *arg) {
  clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  for (int i = 0; i < 3; i++) {
    struct file *f;
    uint64_t n;
    int64_t now;
    ck_assert_int_eq(timerfd_new(fib.k, clocks[i], 0, &f), 0);
    clock_read(fib.init, clocks[i], &now);
    ck_assert_int_eq(timerfd_set(f, TFD_TIMER_ABSTIME, &(struct itimer_val){.value = now + 3 * MS}, NULL), 0);
    ck_assert_int_eq(k_read(f, &n, 8), 8);
    int64_t then;
    clock_read(fib.init, clocks[i], &then);
    ck_assert_int_ge(then, now + 3 * MS);
    ck_assert_int_eq(timerfd_set(f, TFD_TIMER_ABSTIME, &(struct itimer_val){.value = 1}, NULL), 0); /* long ago */
    ck_assert_int_eq(k_read(f, &n, 8), 8);
    ck_assert_int_eq(n, 1);
    /* A period of a nanosecond since 1970 does not hang us. */
    ck_assert_int_eq(timerfd_set(f, TFD_TIMER_ABSTIME, &(struct itimer_val){.value = 1, .interval = 1}, NULL), 0);
    ck_assert_int_eq(k_read(f, &n, 8), 8);
    ck_assert_int_gt(n, 1000000);
    file_put(f);
  }
}

START_TEST(absolute) {
  fib_setup();
  fib_do(absolute_body, NULL);
}
END_TEST

static void eventfd_body(void *arg) {
  struct file *f;
  uint64_t v;
  ck_assert_int_eq(eventfd_new(fib.k, 3, 0x800 | 1, &f), 0); /* nonblocking semaphore */
  ck_assert_int_eq(k_read(f, &v, 8), 8);
  ck_assert_int_eq(v, 1);
  v = UINT64_MAX;
  ck_assert_int_eq(k_write(f, &v, 8), -EINVAL);
  v = UINT64_MAX - 1 - 2;
  ck_assert_int_eq(k_write(f, &v, 8), 8);
  ck_assert_int_eq(file_poll(f), EPOLLIN | EPOLLRDNORM);
  v = 1;
  ck_assert_int_eq(k_write(f, &v, 8), -EAGAIN);
  file_put(f);
}

START_TEST(eventfds) {
  fib_setup();
  fib_do(eventfd_body, NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("timerfd");
  TCase *t = tcase_create("timerfd");
  tcase_add_test(t, reading);
  tcase_add_test(t, absolute);
  tcase_add_test(t, eventfds);
  suite_add_tcase(s, t);
  return util_run(s);
}
