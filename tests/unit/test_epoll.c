#include "../../core/poll.h"
#include "../../core/timers.h"
#include "../../fs/anon.h"
#include "../../fs/pipe.h"
#include "fiber_util.h"

static struct file *ep, *ev, *pp[2];

static int ctl(struct file *e, int op, struct file *f, uint32_t events, uint64_t data) {
  struct epoll_event_k k = {.events = events, .data = data};
  return epoll_ctl_file(e, op, 3, f, &k);
}

static void setup(void) {
  fib_setup();
  ck_assert_int_eq(epoll_new(fib.k, &ep), 0);
  ck_assert_int_eq(eventfd_new(fib.k, 0, 0, &ev), 0);
  ck_assert_int_eq(pipe_new(fib.k, 0, pp), 0);
}

static void teardown_files(void) {
  file_put(ep);
  file_put(ev);
  file_put(pp[0]);
  file_put(pp[1]);
}

static int wait_now(struct epoll_event_k *out, int n) {
  return epoll_wait_file(ep, out, n, 0);
}

static void modes_body(void *arg) {
  struct epoll_event_k out[4];
  uint64_t one = 1;
  char c;
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, pp[0], EPOLLIN, 7), 0);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, pp[0], EPOLLIN, 7), -EEXIST);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_MOD, ev, EPOLLIN, 7), -ENOENT);
  ck_assert_int_eq(wait_now(out, 4), 0);
  k_write(pp[1], "ab", 2);
  for (int i = 0; i < 2; i++) { /* level */
    ck_assert_int_eq(wait_now(out, 4), 1);
    ck_assert_int_eq(out[0].events, EPOLLIN);
    ck_assert_int_eq(out[0].data, 7);
  }
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_MOD, pp[0], EPOLLIN | EPOLLET, 8), 0);
  ck_assert_int_eq(wait_now(out, 4), 1);
  ck_assert_int_eq(wait_now(out, 4), 0); /* edge */
  k_write(pp[1], "c", 1);
  ck_assert_int_eq(wait_now(out, 4), 1);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_MOD, pp[0], EPOLLIN | EPOLLONESHOT, 9), 0);
  ck_assert_int_eq(wait_now(out, 4), 1);
  k_write(pp[1], "c", 1);
  ck_assert_int_eq(wait_now(out, 4), 0);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_MOD, pp[0], EPOLLIN, 9), 0);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLOUT, 10), 0);
  k_write(ev, &one, 8);
  ck_assert_int_eq(wait_now(out, 1), 1);
  ck_assert_int_eq(wait_now(out, 4), 2);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_DEL, pp[0], 0, 0), 0);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_DEL, pp[0], 0, 0), -ENOENT);
  ck_assert_int_eq(wait_now(out, 4), 1);
  ck_assert_int_eq(out[0].events, EPOLLIN | EPOLLOUT);
  file_put(ev); /* closing takes it out */
  ck_assert_int_eq(wait_now(out, 4), 0);
  eventfd_new(fib.k, 0, 0, &ev);
  (void)k_read(pp[0], &c, 1);
}

START_TEST(modes) {
  setup();
  fib_do(modes_body, NULL);
  teardown_files();
}
END_TEST

static void nesting_body(void *arg) {
  struct file *e[7];
  struct epoll_event_k out[4];
  uint64_t one = 1;
  for (int i = 0; i < 7; i++)
    ck_assert_int_eq(epoll_new(fib.k, &e[i]), 0);
  ck_assert_int_eq(ctl(e[0], EPOLL_CTL_ADD, e[0], EPOLLIN, 0), -EINVAL);
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(ctl(e[i], EPOLL_CTL_ADD, e[i + 1], EPOLLIN, i), 0);
  ck_assert_int_eq(ctl(e[4], EPOLL_CTL_ADD, e[5], EPOLLIN, 0), -ELOOP); /* too deep */
  ck_assert_int_eq(ctl(e[4], EPOLL_CTL_ADD, e[0], EPOLLIN, 0), -ELOOP); /* a loop */
  ck_assert_int_eq(ctl(e[1], EPOLL_CTL_ADD, e[0], EPOLLIN, 0), -ELOOP);
  ck_assert_int_eq(ctl(e[5], EPOLL_CTL_ADD, e[6], EPOLLIN, 0), 0);
  ck_assert_int_eq(ctl(e[4], EPOLL_CTL_ADD, ev, EPOLLIN, 42), 0);
  ck_assert_int_eq(epoll_wait_file(e[0], out, 4, 0), 0);
  k_write(ev, &one, 8);
  ck_assert_int_eq(file_poll(e[0]), EPOLLIN | EPOLLRDNORM);
  ck_assert_int_eq(epoll_wait_file(e[0], out, 4, 0), 1);
  ck_assert_int_eq(epoll_wait_file(e[4], out, 4, 0), 1);
  ck_assert_int_eq(out[0].data, 42);
  k_read(ev, &one, 8);
  ck_assert_int_eq(epoll_wait_file(e[0], out, 4, 0), 0);
  for (int i = 0; i < 7; i++)
    file_put(e[i]);
}

START_TEST(nesting) {
  setup();
  fib_do(nesting_body, NULL);
  teardown_files();
}
END_TEST

static int woken;
static void waiter(void *arg) {
  struct epoll_event_k out[4];
  int n = epoll_wait_file(ep, out, 4, NO_DEADLINE);
  ck_assert_int_eq(n, 1);
  woken++;
  uint64_t v;
  k_read(ev, &v, 8);
}
static void waker(void *arg) {
  uint64_t one = 1;
  k_write(ev, &one, 8);
  task_sleep(deadline_after(20000000));
  ck_assert_int_eq(woken, 1); /* one event wakes one waiter */
  k_write(ev, &one, 8);
}

START_TEST(one_waiter_per_event) {
  setup();
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN, 0), 0);
  fib_start(util_child(fib.init), waiter, NULL);
  fib_start(util_child(fib.init), waiter, NULL);
  fib_start(fib.init, waker, NULL);
  fib_run();
  ck_assert_int_eq(woken, 2);
  teardown_files();
}
END_TEST

static int result;
static void timed(void *arg) {
  struct epoll_event_k out[4];
  int64_t t0 = loop_now_exact();
  result = epoll_wait_file(ep, out, 4, deadline_after(10000000));
  ck_assert_int_ge(loop_now_exact() - t0, 10000000);
}
static void interrupted(void *arg) {
  struct epoll_event_k out[4];
  result = epoll_wait_file(ep, out, 4, NO_DEADLINE);
}
static void kill_it(void *arg) {
  send_signal_task(arg, SIGUSR1, NULL);
}

START_TEST(timeout_and_signal) {
  setup();
  result = -1;
  fib_do(timed, NULL);
  ck_assert_int_eq(result, 0);
  struct task *a = util_child(fib.init);
  a->sighand->action[SIGUSR1 - 1].handler = 0x1000;
  fib_start(a, interrupted, NULL);
  fib_start(fib.init, kill_it, a);
  fib_run();
  ck_assert_int_eq(result, -EINTR);
  teardown_files();
}
END_TEST

/* ---- poll ---- */

static void poll_waits(void *arg) {
  struct polled p[3] = {{.file = pp[0], .events = EPOLLIN}, {.file = NULL}, {.file = ev, .events = EPOLLIN}};
  ck_assert_int_eq(files_poll(p, 3, 0), 0);
  ck_assert_int_eq(files_poll(p, 3, deadline_after(1000000)), 0);
  ck_assert_int_eq(files_poll(p, 3, NO_DEADLINE), 1);
  ck_assert_int_eq(p[2].revents, EPOLLIN);
  uint64_t v;
  k_read(ev, &v, 8);
  ck_assert_int_eq(files_poll(p, 3, NO_DEADLINE), 1);
  ck_assert_int_eq(p[0].revents, EPOLLHUP);
}
static void poll_feeds(void *arg) {
  uint64_t one = 1;
  task_sleep(deadline_after(5000000));
  k_write(ev, &one, 8);
  task_sleep(deadline_after(5000000));
  file_put(pp[1]);
}

START_TEST(polling_several) {
  setup();
  fib_start(util_child(fib.init), poll_waits, NULL);
  fib_start(fib.init, poll_feeds, NULL);
  fib_run();
  file_put(pp[0]);
  file_put(ev);
  file_put(ep);
}
END_TEST

static void signalfd_body(void *arg) {
  struct file *s;
  char buf[256];
  ck_assert_int_eq(signalfd_new(fib.k, sigbit(SIGUSR1) | sigbit(SIGKILL), O_NONBLOCK, &s), 0);
  signal_set_blocked(fib.init, sigbit(SIGUSR1));
  ck_assert_int_eq(file_poll(s), 0);
  ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, s, EPOLLIN, 1), 0);
  ck_assert_int_eq(k_read(s, buf, 128), -EAGAIN);
  send_signal_process(fib.init->proc, SIGUSR1, NULL);
  struct epoll_event_k out[2];
  ck_assert_int_eq(wait_now(out, 2), 1);
  ck_assert_int_eq(k_read(s, buf, 100), -EINVAL);
  ck_assert_int_eq(k_read(s, buf, 256), 128);
  ck_assert_int_eq(*(uint32_t *)buf, SIGUSR1);
  ck_assert_int_eq(k_read(s, buf, 256), -EAGAIN);
  file_put(s);
}

START_TEST(signalfds) {
  setup();
  fib_do(signalfd_body, NULL);
  teardown_files();
}
END_TEST

int main(void) {
  Suite *s = suite_create("epoll");
  TCase *t = tcase_create("epoll");
  tcase_add_test(t, modes);
  tcase_add_test(t, nesting);
  tcase_add_test(t, one_waiter_per_event);
  tcase_add_test(t, timeout_and_signal);
  tcase_add_test(t, polling_several);
  tcase_add_test(t, signalfds);
  suite_add_tcase(s, t);
  return util_run(s);
}
