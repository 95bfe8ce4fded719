#include "proc_util.h"
#include <signal.h>

START_TEST(setsid_rules) {
  struct task *init;
  util_kernel(&init);
  struct task *c = util_child(init);
  ck_assert_int_eq(process_setsid(init->proc), -EPERM);
  ck_assert_int_eq(process_setsid(c->proc), c->tid->nr);
  ck_assert_ptr_eq(c->proc->pgrp, c->tid);
  ck_assert_ptr_eq(c->proc->session, c->tid);
  ck_assert_int_eq(process_setsid(c->proc), -EPERM);
}
END_TEST

START_TEST(setsid_of_a_group_leader) {
  struct task *init;
  util_kernel(&init);
  struct task *c = util_child(init), *d = util_child(init);
  ck_assert_int_eq(process_setpgid(init, c->tid->nr, 0), 0);
  ck_assert_int_eq(process_setsid(c->proc), -EPERM);
  /* A group of the number still exists when its leader moved on. */
  ck_assert_int_eq(process_setpgid(init, d->tid->nr, c->tid->nr), 0);
  ck_assert_int_eq(process_setpgid(init, c->tid->nr, init->tid->nr), 0);
  ck_assert_int_eq(process_setsid(c->proc), -EPERM);
}
END_TEST

START_TEST(setpgid_rules) {
  struct task *init;
  util_kernel(&init);
  struct task *a = util_child(init), *b = util_child(init), *other = util_child(init), *grandchild = util_child(a);
  int na = a->tid->nr, nb = b->tid->nr;
  ck_assert_int_eq(process_setpgid(a, 0, 0), 0);
  ck_assert_int_eq(a->proc->pgrp->nr, na);
  ck_assert_int_eq(process_setpgid(a, nb, na), -ESRCH); /* a sibling */
  ck_assert_int_eq(process_setpgid(init, nb, na), 0);
  ck_assert_int_eq(process_setpgid(init, nb, -1), -EINVAL);
  ck_assert_int_eq(process_setpgid(init, 4711, 0), -ESRCH);
  ck_assert_int_eq(process_setpgid(init, nb, 4711), -EPERM); /* no such group */
  ck_assert_int_eq(process_setpgid(init, grandchild->tid->nr, 0), -ESRCH);
  b->proc->did_exec = true;
  ck_assert_int_eq(process_setpgid(init, nb, 0), -EACCES);
  ck_assert_int_eq(process_setpgid(b, 0, 0), 0); /* itself, it may */
  process_setsid(other->proc);
  ck_assert_int_eq(process_setpgid(other, 0, 0), -EPERM);
  ck_assert_int_eq(process_setpgid(init, other->tid->nr, na), -EPERM);
  ck_assert_int_eq(process_setpgid(init, na, other->tid->nr), -EPERM); /* of another session */
  struct task *th = util_thread(a);
  ck_assert_int_eq(process_setpgid(a, th->tid->nr, 0), -EINVAL);
}
END_TEST

START_TEST(orphaned_groups) {
  struct task *init;
  util_kernel(&init);
  struct task *shell = util_child(init);
  process_setsid(shell->proc);
  struct task *job = util_child(shell);
  process_setpgid(shell, job->tid->nr, 0);
  ck_assert(!process_group_orphaned(job->proc->pgrp));  /* the shell can continue it */
  ck_assert(process_group_orphaned(shell->proc->pgrp)); /* init is in another session */
  /* The shell dies while the job is stopped: SIGHUP and SIGCONT. */
  job->proc->stopped = job->proc->stop_ordered = true;
  job->blocked = ~0ull;
  util_exit(shell, 0);
  ck_assert(process_group_orphaned(job->proc->pgrp));
  ck_assert(job->proc->pending.set & sigbit(SIGHUP));
  ck_assert(job->proc->pending.set & sigbit(SIGCONT));
  ck_assert(!job->proc->stopped);
  ck_assert_ptr_eq(job->proc->parent, init->proc);
}
END_TEST

int main(void) {
  Suite *s = suite_create("session");
  TCase *c = tcase_create("session");
  tcase_add_test(c, setsid_rules);
  tcase_add_test(c, setsid_of_a_group_leader);
  tcase_add_test(c, setpgid_rules);
  tcase_add_test(c, orphaned_groups);
  suite_add_tcase(s, c);
  return util_run(s);
}
