#include "../../core/timers.h"
#include "fiber_util.h"

#define MS 1000000ll

START_TEST(clock_ids) {
  fib_setup();
  int64_t ns, res;
  for (clockid_t id = 0; id <= 11; id++)
    ck_assert_int_eq(clock_read(fib.init, id, &ns), id == 10 ? -EINVAL : 0);
  ck_assert_int_eq(clock_read(fib.init, 12, &ns), -EINVAL);
  ck_assert_int_eq(clock_resolution(fib.init, CLOCK_MONOTONIC, &res), 0);
  ck_assert_int_eq(res, 1);
  ck_assert_int_eq(clock_can_sleep(fib.init, CLOCK_MONOTONIC_RAW), -EOPNOTSUPP);
  /* of processes: 6 is thread | sched */
  int pid = fib.init->tid->nr;
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~(unsigned)pid << 3 | 2), &ns), 0);
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~(unsigned)pid << 3 | 6), &ns), 0);
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~4711u << 3 | 2), &ns), -EINVAL);
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~0u << 3 | 2), &ns), 0);
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~0u << 3 | 3), &ns), -EINVAL); /* a descriptor's clock */
  struct task *c = util_child(fib.init);
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~(unsigned)c->tid->nr << 3 | 2), &ns), 0);
  ck_assert_int_eq(clock_read(fib.init, (clockid_t)(~(unsigned)c->tid->nr << 3 | 6), &ns), -EINVAL);
}
END_TEST

static void sleep_body(void *arg) {
  struct timespec ts = {.tv_nsec = 3 * MS};
  int64_t t0 = loop_now_exact(), now;
  ck_assert_int_eq(clock_sleep(fib.init, CLOCK_MONOTONIC, false, &ts, 0), 0);
  ck_assert_int_ge(loop_now_exact() - t0, 3 * MS);
  clock_read(fib.init, CLOCK_REALTIME, &now);
  ts = ns_timespec(now + 3 * MS);
  ck_assert_int_eq(clock_sleep(fib.init, CLOCK_REALTIME, true, &ts, 0), 0);
  ts.tv_nsec = NSEC_PER_SEC;
  ck_assert_int_eq(clock_sleep(fib.init, CLOCK_MONOTONIC, false, &ts, 0), -EINVAL);
  ts = (struct timespec){.tv_sec = INT64_MAX};
  ck_assert_int_eq(timespec_ns(&ts), TIME_MAX_NS);
}

START_TEST(sleeping) {
  fib_setup();
  fib_do(sleep_body, NULL);
}
END_TEST

static int64_t slept;
static void long_sleep(void *arg) {
  struct timespec ts = {.tv_nsec = 30 * MS};
  slept = clock_sleep(task_current(), CLOCK_MONOTONIC, false, &ts, 0);
  if (slept == -ERESTART_RESTARTBLOCK) {
    signal_flush_pending(&task_current()->pending);
    /* what is left, not all of it again: disturb() waited after it */
    ck_assert_int_le((int64_t)task_current()->restart.arg[0] - loop_now_exact(), 28 * MS);
    slept = task_current()->restart.fn(task_current());
  }
}
static void disturb(void *arg) {
  task_sleep(deadline_after(2 * MS));
  send_signal_task(arg, SIGUSR1, NULL);
}

START_TEST(restart_goes_on) {
  fib_setup();
  struct task *a = util_child(fib.init);
  a->sighand->action[SIGUSR1 - 1].handler = 0x1000;
  int64_t t0 = loop_now_exact();
  fib_start(a, long_sleep, NULL);
  fib_start(fib.init, disturb, a);
  fib_run();
  ck_assert_int_eq(slept, 0);
  ck_assert_int_ge(loop_now_exact() - t0, 30 * MS);
}
END_TEST

static void itimer_body(void *arg) {
  struct process *p = fib.init->proc;
  struct itimer_val v = {.value = 2 * MS, .interval = 3 * MS}, old;
  siginfo_t info;
  signal_set_blocked(fib.init, sigbit(SIGALRM));
  fib.init->sighand->action[SIGALRM - 1].handler = 0x1000;
  ck_assert_int_eq(itimer_set(p, ITIMER_REAL, &v, NULL), 0);
  ck_assert_int_eq(itimer_set(p, 3, &v, NULL), -EINVAL);
  for (int i = 0; i < 3; i++) {
    task_sleep(deadline_after(4 * MS));
    ck_assert_int_eq(signal_dequeue(fib.init, sigbit(SIGALRM), &info), SIGALRM);
  }
  ck_assert_int_eq(itimer_set(p, ITIMER_REAL, &(struct itimer_val){0}, &old), 0);
  ck_assert_int_eq(old.interval, 3 * MS);
  ck_assert_int_le(old.value, 3 * MS);
  timers_exit(p);
  timers_exit(p);
}

START_TEST(itimers) {
  fib_setup();
  fib_do(itimer_body, NULL);
}
END_TEST

static void posix_body(void *arg) {
  struct task *t = fib.init;
  struct itimer_val v = {.value = 1 * MS, .interval = 1 * MS}, now;
  siginfo_t info;
  int id, id2;
  sigset64_t set = sigbit(40);
  signal_set_blocked(t, set);
  t->sighand->action[39].handler = 0x1000;
  struct posix_timer_args a = {.clock = CLOCK_MONOTONIC, .signo = 40, .value = 77};
  ck_assert_int_eq(posix_timer_create(t, &a, &id), 0);
  ck_assert_int_eq(posix_timer_create(t, &a, &id2), 0);
  ck_assert_int_ne(id, id2);
  ck_assert_int_eq(posix_timer_delete(t, id2), 0);
  ck_assert_int_eq(posix_timer_delete(t, id2), -EINVAL);
  ck_assert_int_eq(posix_timer_settime(t, id, false, &v, NULL), 0);
  task_sleep(deadline_after(20 * MS));
  ck_assert_int_eq(signal_dequeue(t, set, &info), 40);
  ck_assert_int_eq(info.si_code, SI_TIMER);
  ck_assert_int_eq(info.si_value.sival_int, 77);
  ck_assert_int_ge(info.si_overrun, 15);
  ck_assert_int_le(info.si_overrun, 40);
  ck_assert_int_eq(posix_timer_getoverrun(t, id), info.si_overrun);
  ck_assert_int_eq(signal_dequeue(t, set, &info), 0);
  task_sleep(deadline_after(3 * MS));
  ck_assert_int_eq(signal_dequeue(t, set, &info), 40); /* it goes on */
  ck_assert_int_eq(posix_timer_gettime(t, id, &now), 0);
  ck_assert_int_eq(now.interval, 1 * MS);
  a = (struct posix_timer_args){.clock = CLOCK_MONOTONIC, .notify = 4, .signo = 40, .tid = t->tid->nr};
  ck_assert_int_eq(posix_timer_create(t, &a, &id2), 0);
  a.tid = 4711;
  ck_assert_int_eq(posix_timer_create(t, &a, &id2), -EINVAL);
  a = (struct posix_timer_args){.clock = CLOCK_MONOTONIC, .signo = 65};
  ck_assert_int_eq(posix_timer_create(t, &a, &id2), -EINVAL);
  timers_exec(t->proc);
  ck_assert_int_eq(posix_timer_gettime(t, id, &now), -EINVAL);
}

START_TEST(posix_timers) {
  fib_setup();
  fib_do(posix_body, NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("clocks");
  TCase *t = tcase_create("clocks");
  tcase_add_test(t, clock_ids);
  tcase_add_test(t, sleeping);
  tcase_add_test(t, restart_goes_on);
  tcase_add_test(t, itimers);
  tcase_add_test(t, posix_timers);
  suite_add_tcase(s, t);
  return util_run(s);
}
