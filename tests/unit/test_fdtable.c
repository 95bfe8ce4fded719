#include "vfs_util.h"

static int released;
static void on_release(struct file *f) {
  (void)f;
  released++;
}
static const struct file_ops ops = {.name = "test", .release = on_release};

START_TEST(lowest_free) {
  struct fdtable *t = fdtable_new();
  struct file *f = file_new(&ops, O_RDWR, NULL);
  for (int i = 0; i < 200; i++)
    ck_assert_int_eq(fd_install(t, f, 0, false), i);
  ck_assert_int_eq(fd_close(t, 77), 0);
  ck_assert_int_eq(fd_close(t, 33), 0);
  ck_assert_int_eq(fd_close(t, 33), -EBADF);
  ck_assert_int_eq(fd_close(t, -1), -EBADF);
  ck_assert_int_eq(fd_close(t, 1 << 20), -EBADF);
  ck_assert_int_eq(fd_install(t, f, 40, true), 77);
  ck_assert_int_eq(fd_install(t, f, 0, false), 33);
  ck_assert_int_eq(fd_install(t, f, 0, false), 200);
  ck_assert(fd_get_cloexec(t, 77));
  fdtable_close_cloexec(t);
  ck_assert_ptr_null(fd_file(t, 77));
  int fd = fd_reserve(t, 0, false);
  ck_assert_int_eq(fd, 77);
  ck_assert_int_eq(fd_dup_to(t, f, 77, false), -EBUSY);
  ck_assert_int_eq(fd_install(t, f, 0, false), 201);
  fd_unreserve(t, fd);
  ck_assert_int_eq(fd_dup_to(t, f, 1000, false), 1000);
  struct fdtable *d = fdtable_dup(t);
  ck_assert_int_eq(fd_install(d, f, 0, false), 77);
  fdtable_put(t);
  ck_assert_int_eq(released, 0);
  file_put(f);
  ck_assert_int_eq(released, 0);
  fdtable_put(d);
  ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(o_path) {
  struct fdtable *t = fdtable_new();
  struct file *f = file_new(&ops, O_PATH, NULL);
  int fd = fd_install(t, f, 0, false);
  file_put(f);
  ck_assert_ptr_null(fd_file(t, fd));
  f = fd_file_raw(t, fd);
  ck_assert_ptr_nonnull(f);
  ck_assert(!file_can_read(f) && !file_can_write(f));
  file_put(f);
  fdtable_put(t);
}
END_TEST

int main(void) {
  Suite *s = suite_create("fdtable");
  TCase *c = tcase_create("fdtable");
  tcase_add_test(c, lowest_free);
  tcase_add_test(c, o_path);
  suite_add_tcase(s, c);
  return vt_run(s);
}
