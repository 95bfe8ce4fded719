/* /dev as it is mounted, with what its devices do. */
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../fs/vfs.h"
#include <check.h>
#include <string.h>

static struct kernel *k;
static struct path root;

static struct file *open_dev(const char *name, int flags) {
  struct path p;
  struct file *f;
  ck_assert_msg(vfs_lookup_kernel(&root, name, 0, &p) == 0, "%s", name);
  ck_assert_int_eq(vfs_open_kernel(&p, flags, &f), 0);
  path_put(&p);
  return f;
}

static ssize_t io(struct file *f, bool write, void *buf, size_t n) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, buf, n);
  return write ? file_write(f, &u, NULL) : file_read(f, &u, NULL);
}

static void body(void *arg) {
  static unsigned char b[100000], z[100000];
  struct file *f = open_dev("null", O_RDWR);
  ck_assert_int_eq(io(f, false, b, 10), 0);
  ck_assert_int_eq(io(f, true, b, 50000), 50000);
  file_put(f);
  f = open_dev("zero", O_RDWR);
  memset(b, 1, sizeof b);
  ck_assert_int_eq(io(f, false, b, sizeof b), sizeof b);
  ck_assert(!memcmp(b, z, sizeof b));
  off_t off;
  ck_assert_int_eq(f->ops->mmap(f, 3, 2, 0, 4096, &off), MMAP_ANON);
  file_put(f);
  f = open_dev("full", O_RDWR);
  ck_assert_int_eq(io(f, true, b, 1), -ENOSPC);
  ck_assert_int_eq(io(f, false, b, 10), 10);
  file_put(f);
  f = open_dev("urandom", O_RDONLY);
  ck_assert_int_eq(io(f, false, b, 10000), 10000);
  ck_assert(memcmp(b, b + 5000, 5000));
  file_put(f);
  struct path p;
  ck_assert_int_eq(vfs_lookup_kernel(&root, "tty", 0, &p), 0);
  ck_assert_int_eq(vfs_open_kernel(&p, O_RDWR, &f), -ENXIO);
  path_put(&p);
  f = open_dev("ptmx", O_RDWR);
  file_put(f);
  char link[64] = "";
  ck_assert_int_eq(vfs_lookup_kernel(&root, "stdout", 0, &p), 0);
  ck_assert_int_eq(p.dentry->inode->ops->readlink(p.dentry->inode, link, sizeof link), 15);
  ck_assert_str_eq(link, "/proc/self/fd/1");
  path_put(&p);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "shm", LOOKUP_DIRECTORY, &p), 0);
  ck_assert_uint_eq(p.dentry->inode->mode, S_IFDIR | 01777);
  path_put(&p);
  *(bool *)arg = true;
}

START_TEST(devices) {
  struct super *sb;
  struct mount *m;
  bool done = false;
  k = kernel_new(loop_new());
  ck_assert_int_eq(vfs_init(k), 0);
  ck_assert_int_eq(dev_mount(k, NULL, &sb), 0);
  ck_assert_int_eq(vfs_mount(k->vfs, k->vfs->init_ns, sb, NULL, 0, "dev", &m), 0);
  root = (struct path){m, m->root};
  ck_assert_int_eq(fiber_spawn(body, &done), 0);
  ck_assert(done);
}
END_TEST

int main(void) {
  Suite *s = suite_create("dev");
  TCase *t = tcase_create("dev");
  tcase_add_test(t, devices);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
