#include "../../core/user.h"
#include "proc_util.h"
#include <string.h>
#include <sys/wait.h>

#define RT1 35
#define HANDLER 0x401000

static struct task *init, *child; /* of the test that runs; Check forks for each */
static struct kernel *k;

static void setup(void) {
  k = util_kernel(&init);
  child = util_child(init);
}

static int queued_by(const struct task *t) {
  const struct user *u = user_find_borrow(t->k, t->cred->uid);
  return u ? u->nsigqueued : 0;
}

static void handler(struct task *t, int sig, uint64_t h, uint64_t flags, sigset64_t mask) {
  struct ksigaction a = {.handler = h, .flags = flags, .mask = mask};
  ck_assert_int_eq(signal_action(t, sig, &a, NULL), 0);
}

static siginfo_t queued(int sig, int value) {
  siginfo_t i = {.si_signo = sig, .si_code = SI_QUEUE};
  i.si_pid = 1;
  i.si_value.sival_int = value;
  return i;
}

START_TEST(real_time_signals_queue) {
  siginfo_t info;
  child->blocked = ~0ull;
  for (int i = 0; i < 3; i++) {
    siginfo_t q = queued(RT1, i), s = queued(SIGUSR1, i);
    ck_assert_int_eq(send_signal_process(child->proc, RT1, &q), 0);
    ck_assert_int_eq(send_signal_process(child->proc, SIGUSR1, &s), 0);
  }
  ck_assert_int_eq(queued_by(child), 4);
  ck_assert_int_eq(signal_dequeue(child, ~0ull, &info), SIGUSR1);
  ck_assert_int_eq(info.si_value.sival_int, 0); /* the first stays, later ones merge */
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(signal_dequeue(child, ~0ull, &info), RT1);
    ck_assert_int_eq(info.si_value.sival_int, i);
  }
  ck_assert_int_eq(signal_dequeue(child, ~0ull, &info), 0);
  ck_assert_int_eq(queued_by(child), 0);
}
END_TEST

START_TEST(queue_limit) {
  child->blocked = ~0ull;
  child->proc->rlim[RLIMIT_SIGPENDING].rlim_cur = 2;
  siginfo_t q = queued(RT1, 1);
  ck_assert_int_eq(send_signal_process(child->proc, RT1, &q), 0);
  ck_assert_int_eq(send_signal_process(child->proc, RT1, &q), 0);
  ck_assert_int_eq(send_signal_process(child->proc, RT1, &q), -EAGAIN);
  ck_assert_int_eq(send_signal_process(child->proc, SIGTERM, NULL), 0); /* never lost */
  ck_assert(child->proc->pending.set & sigbit(SIGTERM));
}
END_TEST

START_TEST(faults_come_first) {
  siginfo_t info;
  child->blocked = ~0ull;
  send_signal_task(child, SIGHUP, NULL);
  send_signal_task(child, SIGSEGV, NULL);
  ck_assert_int_eq(signal_dequeue(child, ~0ull, &info), SIGSEGV);
  ck_assert_int_eq(info.si_code, SI_KERNEL);
  ck_assert_int_eq(signal_dequeue(child, ~sigbit(SIGHUP), &info), 0);
  ck_assert_int_eq(signal_dequeue(child, ~0ull, &info), SIGHUP);
}
END_TEST

START_TEST(ignored_signals) {
  send_signal_process(child->proc, SIGCHLD, NULL);
  send_signal_process(child->proc, SIGWINCH, NULL);
  handler(child, SIGUSR1, (uint64_t)SIG_IGN, 0, 0);
  send_signal_process(child->proc, SIGUSR1, NULL);
  ck_assert_uint_eq(child->proc->pending.set, 0);
  child->blocked = sigbit(SIGUSR1); /* blocked: remembered, since the action may change */
  send_signal_process(child->proc, SIGUSR1, NULL);
  ck_assert(signal_pending_set(child) & sigbit(SIGUSR1));
  ck_assert(!signal_pending(child));
  handler(child, SIGUSR1, (uint64_t)SIG_IGN, 0, 0); /* discards it */
  ck_assert_uint_eq(signal_pending_set(child), 0);
}
END_TEST

START_TEST(action_rules) {
  struct ksigaction a = {.handler = HANDLER, .flags = ~0ull, .mask = ~0ull}, old;
  ck_assert_int_eq(signal_action(child, SIGKILL, &a, NULL), -EINVAL);
  ck_assert_int_eq(signal_action(child, SIGSTOP, &a, NULL), -EINVAL);
  ck_assert_int_eq(signal_action(child, 0, NULL, &old), -EINVAL);
  ck_assert_int_eq(signal_action(child, 65, &a, NULL), -EINVAL);
  ck_assert_int_eq(signal_action(child, SIGKILL, NULL, &old), 0);
  ck_assert_int_eq(signal_action(child, 64, &a, NULL), 0);
  ck_assert_int_eq(signal_action(child, 64, NULL, &old), 0);
  ck_assert(!(old.mask & SIGSET_KERNEL_ONLY));
  ck_assert(!(old.flags & 0x400)); /* SA_UNSUPPORTED is cleared for probing */
  ck_assert(old.flags & SA_RESTART);
}
END_TEST

START_TEST(masks) {
  signal_set_blocked(child, ~0ull);
  ck_assert_uint_eq(child->blocked, ~SIGSET_KERNEL_ONLY);
  signal_set_blocked(child, sigbit(SIGUSR1));
  handler(child, SIGUSR1, HANDLER, 0, 0);
  send_signal_task(child, SIGUSR1, NULL);
  ck_assert(!signal_pending(child));
  signal_set_temp_mask(child, 0);
  ck_assert(signal_pending(child));
  signal_restore_temp_mask(child);
  ck_assert(!signal_pending(child));
  ck_assert_uint_eq(child->blocked, sigbit(SIGUSR1));
}
END_TEST

START_TEST(fatal_signal_ends_the_group) {
  struct task *th = util_thread(child);
  send_signal_task(th, SIGTERM, NULL);
  ck_assert(child->killed && th->killed && child->proc->group_exit);
  ck_assert_int_eq(child->proc->exit_code, SIGTERM);
  send_signal_process(child->proc, SIGKILL, NULL); /* the first wins */
  ck_assert_int_eq(child->proc->exit_code, SIGTERM);
}
END_TEST

START_TEST(init_is_immune_from_within) {
  siginfo_t in = {.si_signo = SIGKILL, .si_code = SI_USER}, out = in;
  in.si_pid = 2;
  send_signal_process(init->proc, SIGKILL, &in);
  send_signal_process(init->proc, SIGTERM, &in);
  send_signal_process(init->proc, SIGTERM, NULL); /* from outside, too: no handler */
  ck_assert(!init->killed && !init->proc->pending.set);
  handler(init, SIGTERM, HANDLER, 0, 0);
  send_signal_process(init->proc, SIGTERM, &in);
  ck_assert(init->proc->pending.set & sigbit(SIGTERM));
  send_signal_process(init->proc, SIGKILL, &out);
  ck_assert(init->killed);
}
END_TEST

START_TEST(faults_cannot_be_blocked) {
  signal_set_blocked(child, sigbit(SIGSEGV));
  handler(child, SIGSEGV, HANDLER, 0, 0);
  force_signal_fault(child, SIGSEGV, SEGV_MAPERR, 0x1234);
  ck_assert_uint_eq(child->sighand->action[SIGSEGV - 1].handler, (uint64_t)SIG_DFL);
  ck_assert(!(child->blocked & sigbit(SIGSEGV)));
  ck_assert(signal_pending(child));
  int64_t ret = 0;
  ck_assert(!signal_deliver(child, false, &ret));
  ck_assert(child->killed);
  ck_assert_int_eq(child->proc->exit_code & 0x7f, SIGSEGV);
  ck_assert(!(child->proc->exit_code & 0x80)); /* RLIMIT_CORE is 0 */
}
END_TEST

START_TEST(alternate_stack) {
  stack_t ss = {.ss_sp = (void *)0x10000, .ss_size = 8192}, old;
  ck_assert_int_eq(signal_altstack(child, NULL, &old, 0), 0);
  ck_assert_int_eq(old.ss_flags, SS_DISABLE);
  ss.ss_size = 1000;
  ck_assert_int_eq(signal_altstack(child, &ss, NULL, 0), -ENOMEM);
  ss.ss_size = 8192;
  ss.ss_flags = 42;
  ck_assert_int_eq(signal_altstack(child, &ss, NULL, 0), -EINVAL);
  ss.ss_flags = 0;
  ck_assert_int_eq(signal_altstack(child, &ss, NULL, 0), 0);
  ck_assert_int_eq(signal_altstack(child, NULL, &old, 0x10100), 0);
  ck_assert_int_eq(old.ss_flags, SS_ONSTACK);
  ck_assert_int_eq(signal_altstack(child, &ss, NULL, 0x10100), -EPERM);
  ss.ss_flags = (int)(1u << 31); /* SS_AUTODISARM */
  ck_assert_int_eq(signal_altstack(child, &ss, &old, 0x20000), 0);
  ck_assert_int_eq(signal_altstack(child, &ss, &old, 0x10100), 0); /* never counts as in use */
  ck_assert_int_eq(old.ss_flags, (int)(1u << 31));
  ss.ss_flags = SS_DISABLE;
  ck_assert_int_eq(signal_altstack(child, &ss, NULL, 0), 0);
  ck_assert_uint_eq(child->ss_size, 0);
}
END_TEST

/* ---- stopping and continuing ---- */

static int64_t deliver_ret;
static bool delivered;
static void deliver_fn(void *arg) {
  struct task *t = arg;
  fiber_set_local(t);
  t->fiber = fiber_self();
  deliver_ret = 0;
  signal_deliver(t, true, &deliver_ret);
  delivered = true;
}

START_TEST(stop_and_continue) {
  init->blocked = ~0ull;
  handler(init, SIGCHLD, HANDLER, 0, 0);
  send_signal_process(child->proc, SIGSTOP, NULL);
  ck_assert_int_eq(fiber_spawn(deliver_fn, child), 0);
  ck_assert(!delivered);
  ck_assert_int_eq(child->state, TASK_STOPPED);
  ck_assert(child->proc->stopped);
  siginfo_t info;
  ck_assert_int_eq(signal_dequeue(init, ~0ull, &info), SIGCHLD);
  ck_assert_int_eq(info.si_code, CLD_STOPPED);
  ck_assert_int_eq(info.si_status, SIGSTOP);
  ck_assert_int_eq(info.si_pid, child->tid->nr);
  struct wait_opts w = {.which = P_ALL, .options = WSTOPPED | WNOHANG | WNOWAIT};
  ck_assert_int_eq(process_wait(init, &w), child->tid->nr);
  w.options &= ~WNOWAIT;
  ck_assert_int_eq(process_wait(init, &w), child->tid->nr);
  ck_assert_int_eq(w.status, 0x7f | SIGSTOP << 8);
  ck_assert_int_eq(process_wait(init, &w), 0); /* once */
  send_signal_process(child->proc, SIGCONT, NULL);
  fiber_run_queue();
  ck_assert(delivered);
  ck_assert_int_eq(signal_dequeue(init, ~0ull, &info), SIGCHLD);
  ck_assert_int_eq(info.si_code, CLD_CONTINUED);
  w.options = WCONTINUED | WNOHANG;
  ck_assert_int_eq(process_wait(init, &w), child->tid->nr);
  ck_assert_int_eq(w.status, 0xffff);
}
END_TEST

START_TEST(stop_cancels_continue_and_back) {
  child->blocked = ~0ull;
  send_signal_process(child->proc, SIGCONT, NULL);
  ck_assert(child->proc->pending.set & sigbit(SIGCONT));
  send_signal_process(child->proc, SIGTSTP, NULL);
  ck_assert(!(child->proc->pending.set & sigbit(SIGCONT)));
  send_signal_process(child->proc, SIGCONT, NULL);
  ck_assert(!(child->proc->pending.set & sigbit(SIGTSTP)));
}
END_TEST

START_TEST(kill_ends_a_stop) {
  send_signal_process(child->proc, SIGSTOP, NULL);
  ck_assert_int_eq(fiber_spawn(deliver_fn, child), 0);
  ck_assert(!delivered);
  send_signal_process(child->proc, SIGKILL, NULL);
  fiber_run_queue();
  ck_assert(delivered && child->killed);
}
END_TEST

START_TEST(nocldstop) {
  init->blocked = ~0ull;
  handler(init, SIGCHLD, HANDLER, SA_NOCLDSTOP, 0);
  send_signal_process(child->proc, SIGSTOP, NULL);
  fiber_spawn(deliver_fn, child);
  ck_assert(child->proc->stopped);
  ck_assert(!(init->proc->pending.set & sigbit(SIGCHLD)));
}
END_TEST

/* ---- the end ---- */

START_TEST(exit_and_wait) {
  init->blocked = ~0ull;
  handler(init, SIGCHLD, HANDLER, 0, 0);
  int nr = child->tid->nr;
  util_exit(child, 7 << 8);
  siginfo_t info;
  ck_assert_int_eq(signal_dequeue(init, ~0ull, &info), SIGCHLD);
  ck_assert_int_eq(info.si_code, CLD_EXITED);
  ck_assert_int_eq(info.si_status, 7);
  struct wait_opts w = {.which = P_PID, .id = nr, .options = WEXITED | WNOHANG | WNOWAIT};
  ck_assert_int_eq(process_wait(init, &w), nr);
  w.options &= ~WNOWAIT;
  ck_assert_int_eq(process_wait(init, &w), nr);
  ck_assert_int_eq(w.status, 7 << 8);
  ck_assert_int_eq(process_wait(init, &w), -ECHILD);
  ck_assert_int_eq(k->nprocesses, 1);
  ck_assert_int_eq(k->ntasks, 1);
}
END_TEST

START_TEST(ignored_children_reap_themselves) {
  handler(init, SIGCHLD, (uint64_t)SIG_IGN, 0, 0);
  util_exit(child, 0);
  ck_assert_int_eq(k->nprocesses, 1);
  struct task *c2 = util_child(init);
  init->blocked = ~0ull;
  handler(init, SIGCHLD, HANDLER, SA_NOCLDWAIT, 0);
  util_exit(c2, 0);
  ck_assert_int_eq(k->nprocesses, 1);
  ck_assert(init->proc->pending.set & sigbit(SIGCHLD)); /* told, but nothing to wait for */
}
END_TEST

START_TEST(leader_exits_before_its_threads) {
  struct task *th = util_thread(child);
  struct process *p = child->proc;
  util_exit(child, 1 << 8);
  ck_assert(!p->zombie);
  ck_assert_int_eq(child->state, TASK_ZOMBIE);
  ck_assert_int_eq(p->nthreads, 2);
  util_exit(th, 2 << 8);
  ck_assert(p->zombie);
  ck_assert_int_eq(p->nthreads, 1);
  ck_assert_int_eq(p->exit_code, 2 << 8);
}
END_TEST

START_TEST(orphans_go_to_the_subreaper) {
  struct task *mid = util_child(child), *leaf = util_child(mid), *zombie = util_child(mid);
  child->proc->subreaper = true;
  leaf->pdeath_signal = SIGUSR2;
  leaf->blocked = ~0ull;
  child->blocked = ~0ull;
  util_exit(zombie, 3 << 8);
  util_exit(mid, 0);
  ck_assert_ptr_eq(leaf->proc->parent, child->proc);
  ck_assert(leaf->proc->pending.set & sigbit(SIGUSR2));
  struct wait_opts w = {.which = P_ALL, .options = WEXITED | WNOHANG};
  int n = 0;
  while (process_wait(child, &w) > 0)
    n++;
  ck_assert_int_eq(n, 2);
}
END_TEST

static int told;
static void reaped(struct process *p) {
  told = p->pid->nr;
}

START_TEST(init_takes_everybody_along) {
  struct task *grandchild = util_child(child);
  k->hooks.process_reaped = reaped;
  init->proc->injected = true;
  struct util_exit e = {init, 5 << 8};
  fiber_spawn(util_exit_fn, &e); /* parks until the others are gone */
  ck_assert(k->shutting_down && child->killed && grandchild->killed);
  ck_assert_int_eq(told, 0);
  util_exit(grandchild, 0);
  util_exit(child, 0);
  fiber_run_queue();
  ck_assert_int_eq(told, 1);
  ck_assert_int_eq(k->nprocesses, 0);
  ck_assert_int_eq(k->ntasks, 0);
  ck_assert_ptr_null(k->init);
}
END_TEST

static int dethread_result;
static void dethread_fn(void *arg) {
  struct task *t = arg;
  fiber_set_local(t);
  t->fiber = fiber_self();
  dethread_result = task_dethread(t);
}

START_TEST(exec_takes_over_the_leader) {
  struct task *th = util_thread(child), *other = util_thread(child);
  struct process *p = child->proc;
  int nr = child->tid->nr, old = th->tid->nr;
  dethread_result = 1;
  fiber_spawn(dethread_fn, th);
  ck_assert_int_eq(dethread_result, 1); /* waits */
  ck_assert(child->killed && other->killed && !th->killed && !p->group_exit);
  util_exit(other, 0);
  util_exit(child, 0);
  fiber_run_queue();
  ck_assert_int_eq(dethread_result, 0);
  ck_assert_ptr_eq(p->leader, th);
  ck_assert_int_eq(th->tid->nr, nr);
  ck_assert_ptr_eq(task_find_borrow(k, nr), th);
  ck_assert_ptr_null(task_find_borrow(k, old));
  ck_assert_int_eq(p->nthreads, 1);
  ck_assert_int_eq(p->nunfinished, 1);
  util_exit(th, 0);
  ck_assert(p->zombie);
}
END_TEST

int main(void) {
  Suite *s = suite_create("signal");
  TCase *c = tcase_create("signal");
  tcase_add_checked_fixture(c, setup, NULL);
  tcase_add_test(c, real_time_signals_queue);
  tcase_add_test(c, queue_limit);
  tcase_add_test(c, faults_come_first);
  tcase_add_test(c, ignored_signals);
  tcase_add_test(c, action_rules);
  tcase_add_test(c, masks);
  tcase_add_test(c, fatal_signal_ends_the_group);
  tcase_add_test(c, init_is_immune_from_within);
  tcase_add_test(c, faults_cannot_be_blocked);
  tcase_add_test(c, alternate_stack);
  tcase_add_test(c, stop_and_continue);
  tcase_add_test(c, stop_cancels_continue_and_back);
  tcase_add_test(c, kill_ends_a_stop);
  tcase_add_test(c, nocldstop);
  tcase_add_test(c, exit_and_wait);
  tcase_add_test(c, ignored_children_reap_themselves);
  tcase_add_test(c, leader_exits_before_its_threads);
  tcase_add_test(c, orphans_go_to_the_subreaper);
  tcase_add_test(c, init_takes_everybody_along);
  tcase_add_test(c, exec_takes_over_the_leader);
  suite_add_tcase(s, c);
  return util_run(s);
}
