#include "proc_util.h"

START_TEST(numbers_go_up_and_wrap) {
  struct task *init;
  struct kernel *k = util_kernel(&init);
  ck_assert_int_eq(init->tid->nr, 1);
  ck_assert_ptr_eq(k->init, init->proc);
  k->init_pid_ns->pid_max = 400;
  struct pid *p[64];
  for (int i = 0; i < 64; i++)
    ck_assert_int_eq(pid_alloc(k, 0, &p[i]), 0);
  ck_assert_int_eq(p[0]->nr, 2);
  ck_assert_int_eq(p[63]->nr, 65);
  k->init_pid_ns->last_pid = 398;
  struct pid *last, *wrapped;
  ck_assert_int_eq(pid_alloc(k, 0, &last), 0);
  ck_assert_int_eq(last->nr, 399);
  ck_assert_int_eq(pid_alloc(k, 0, &wrapped), 0);
  ck_assert_int_eq(wrapped->nr, 300); /* below is kept for daemons */
  pid_put(last);
  pid_put(wrapped);
  for (int i = 0; i < 64; i++)
    pid_put(p[i]);
  ck_assert_ptr_null(pid_find_borrow(k, 2));
}
END_TEST

START_TEST(wanted_numbers) {
  struct task *init;
  struct kernel *k = util_kernel(&init);
  struct pid *p;
  ck_assert_int_eq(pid_alloc(k, 1, &p), -EEXIST);
  ck_assert_int_eq(pid_alloc(k, -3, &p), -EINVAL);
  ck_assert_int_eq(pid_alloc(k, k->init_pid_ns->pid_max, &p), -EINVAL);
  ck_assert_int_eq(pid_alloc(k, 77, &p), 0);
  ck_assert_ptr_eq(pid_find_borrow(k, 77), p);
  pid_put(p);
}
END_TEST

START_TEST(all_taken) {
  struct task *init;
  struct kernel *k = util_kernel(&init);
  struct pid *p[8], *q;
  k->init_pid_ns->pid_max = 8;
  int n = 0;
  while (pid_alloc(k, 0, &p[n]) == 0)
    n++;
  ck_assert_int_eq(n, 6); /* 2..7 */
  ck_assert_int_eq(pid_alloc(k, 0, &q), -EAGAIN);
  pid_put(p[3]);
  ck_assert_int_eq(pid_alloc(k, 0, &q), 0);
  ck_assert_int_eq(q->nr, 5);
}
END_TEST

START_TEST(a_held_pid_keeps_its_number) {
  struct task *init;
  struct kernel *k = util_kernel(&init);
  struct task *c = util_child(init);
  struct pid *pid = pid_get(c->tid);
  int nr = pid->nr;
  util_exit(c, 0);
  ck_assert_ptr_nonnull(process_find_borrow(k, nr)); /* a zombie */
  process_reap(pid->process);
  ck_assert_ptr_null(process_find_borrow(k, nr));
  ck_assert_ptr_null(task_find_borrow(k, nr));
  ck_assert_ptr_eq(pid_find_borrow(k, nr), pid);
  pid_put(pid);
  ck_assert_ptr_null(pid_find_borrow(k, nr));
}
END_TEST

int main(void) {
  Suite *s = suite_create("pid");
  TCase *c = tcase_create("pid");
  tcase_add_test(c, numbers_go_up_and_wrap);
  tcase_add_test(c, wanted_numbers);
  tcase_add_test(c, all_taken);
  tcase_add_test(c, a_held_pid_keeps_its_number);
  suite_add_tcase(s, c);
  return util_run(s);
}
