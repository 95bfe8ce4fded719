/* Advisory locks: ranges, owners, waiting and deadlocks. Tasks are fibers without a loop: fiber_run_queue() is enough.
 */
#include "vfs_util.h"
#include <sys/file.h>

static struct vt v;
static struct task other;
static struct process other_proc;
static struct pid other_pid;

static void setup(void) {
  vt_setup(&v, "");
  other = v.task;
  other_proc = v.proc;
  other_pid.nr = 2;
  other.proc = &other_proc;
  other_proc.pid = &other_pid;
  other.files = fdtable_new();
}

static int lock(struct task *t, struct file *f, int cmd, int type, off_t start, off_t len) {
  struct flock fl = {.l_type = (short)type, .l_start = start, .l_len = len};
  return vfs_posix_lock(t, f, cmd, &fl);
}

START_TEST(ranges) {
  struct file *f, *g;
  setup();
  ck_assert_int_eq(vt_open(&v, "f", O_RDWR | O_CREAT, 0600, &f), 0);
  ck_assert_int_eq(vt_open(&v, "f", O_RDWR, 0, &g), 0);
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, F_WRLCK, 0, 100), 0);
  ck_assert_int_eq(lock(&v.task, g, F_SETLK, F_UNLCK, 40, 10), 0); /* same process, another description */
  ck_assert_int_eq(lock(&other, g, F_SETLK, F_WRLCK, 40, 10), 0);
  ck_assert_int_eq(lock(&other, g, F_SETLK, F_RDLCK, 39, 1), -EAGAIN);
  ck_assert_int_eq(lock(&other, g, F_SETLK, F_RDLCK, 100, 0), 0);
  struct flock fl = {.l_type = F_RDLCK, .l_start = 45, .l_len = 10};
  ck_assert_int_eq(vfs_posix_lock(&other, g, F_GETLK, &fl), 0);
  ck_assert(fl.l_type == F_WRLCK && fl.l_start == 50 && fl.l_len == 50 && fl.l_pid == 1);
  ck_assert_int_eq(lock(&v.task, f, F_OFD_SETLK, F_WRLCK, 60, 1), -EAGAIN); /* they see each other */
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, F_WRLCK, -1, 1), -EINVAL);
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, F_WRLCK, INT64_MAX, 2), -EOVERFLOW);
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, 9, 0, 2), -EINVAL);
  /* Any close by the owner gives all up. */
  int fd = fd_install(v.task.files, f, 0, false);
  fd_close(v.task.files, fd);
  ck_assert_int_eq(lock(&other, g, F_SETLK, F_WRLCK, 0, 0), 0);
  file_put(f);
  file_put(g);
}
END_TEST

struct wait_job {
  struct task *t;
  struct file *f;
  off_t at;
  int result;
};
static void wait_lock(void *arg) {
  struct wait_job *j = arg;
  fiber_set_local(j->t);
  j->result = lock(j->t, j->f, F_SETLKW, F_WRLCK, j->at, 1);
}

START_TEST(waiting) {
  struct file *f;
  setup();
  ck_assert_int_eq(vt_open(&v, "f", O_RDWR | O_CREAT, 0600, &f), 0);
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, F_WRLCK, 0, 1), 0);
  ck_assert_int_eq(lock(&other, f, F_SETLK, F_WRLCK, 1, 1), 0);
  struct wait_job a = {&other, f, 0, 1}, b = {&v.task, f, 1, 1};
  ck_assert_int_eq(fiber_spawn(wait_lock, &a), 0);
  ck_assert_int_eq(a.result, 1); /* waits */
  ck_assert_int_eq(fiber_spawn(wait_lock, &b), 0);
  ck_assert_int_eq(b.result, -EDEADLK);
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, F_UNLCK, 0, 1), 0);
  fiber_run_queue();
  ck_assert_int_eq(a.result, 0);
  file_put(f);
}
END_TEST

START_TEST(flocks) {
  struct file *f, *g;
  setup();
  ck_assert_int_eq(vt_open(&v, "f", O_RDWR | O_CREAT, 0600, &f), 0);
  ck_assert_int_eq(vt_open(&v, "f", O_RDONLY, 0, &g), 0);
  ck_assert_int_eq(vfs_flock(f, LOCK_SH), 0);
  ck_assert_int_eq(vfs_flock(g, LOCK_SH | LOCK_NB), 0);
  ck_assert_int_eq(vfs_flock(g, LOCK_EX | LOCK_NB), -EAGAIN);
  ck_assert_int_eq(vfs_flock(f, LOCK_UN), 0);
  ck_assert_int_eq(vfs_flock(g, LOCK_EX | LOCK_NB), 0);
  ck_assert_int_eq(lock(&v.task, f, F_SETLK, F_WRLCK, 0, 1), 0); /* the kinds do not see each other */
  ck_assert_int_eq(vfs_flock(f, LOCK_EX | LOCK_NB), -EAGAIN);
  file_put(g);
  ck_assert_int_eq(vfs_flock(f, LOCK_EX | LOCK_NB), 0);
  ck_assert_int_eq(vfs_flock(f, 77), -EINVAL);
  file_put(f);
}
END_TEST

int main(void) {
  Suite *s = suite_create("locks");
  TCase *c = tcase_create("locks");
  tcase_add_test(c, ranges);
  tcase_add_test(c, waiting);
  tcase_add_test(c, flocks);
  suite_add_tcase(s, c);
  return vt_run(s);
}
