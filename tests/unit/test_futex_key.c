/* When do two futex words have the same waiters? */
#include "../../core/errno.h"
#include "../../core/futex.h"
#include <check.h>

static struct inode *inode_a = (struct inode *)0x1000, *inode_b = (struct inode *)0x2000;

static struct futex_key key(struct mm *m, const struct area *a, uint64_t uaddr, bool priv) {
  struct futex_key k = {0};
  struct file *hold;
  ck_assert_int_eq(futex_key_make(m, a, uaddr, priv, &k, &hold), 0);
  ck_assert_ptr_eq(hold, !priv && (a->flags & MAP_SHARED) ? a->file : NULL);
  return k;
}

START_TEST(private_memory) {
  struct mm m, n;
  struct area a = {.start = 0x10000, .end = 0x20000, .flags = MAP_PRIVATE};
  struct futex_key p = key(&m, &a, 0x10010, true), s = key(&m, &a, 0x10010, false), o = key(&n, &a, 0x10010, true);
  ck_assert(futex_key_eq(&p, &s)); /* the flag is only a promise */
  ck_assert(!futex_key_eq(&p, &o));
}
END_TEST

START_TEST(shared_memory) {
  struct mm m, n;
  struct file f = {.inode = inode_a}, g = {.inode = inode_a}, h = {.inode = inode_b}, x = {0};
  struct area a = {.start = 0x10000, .end = 0x20000, .flags = MAP_SHARED, .file = &f, .off = 0x3000};
  struct area b = {.start = 0x70000, .end = 0x80000, .flags = MAP_SHARED, .file = &g, .off = 0x2000};
  struct area c = {.start = 0x70000, .end = 0x80000, .flags = MAP_SHARED, .file = &h, .off = 0x2000};
  struct area d = {.start = 0x70000, .end = 0x80000, .flags = MAP_SHARED, .file = &x, .off = 0x2000};
  struct futex_key ka = key(&m, &a, 0x10040, false), kb = key(&n, &b, 0x71040, false);
  struct futex_key kc = key(&n, &c, 0x71040, false), kd = key(&n, &d, 0x71040, false), kp = key(&m, &a, 0x10040, true);
  ck_assert(futex_key_eq(&ka, &kb)); /* two opens of one file, mapped at different places */
  ck_assert_uint_eq(futex_key_hash(&ka), futex_key_hash(&kb));
  ck_assert(!futex_key_eq(&ka, &kc));
  ck_assert(!futex_key_eq(&kc, &kd));
  ck_assert(!futex_key_eq(&ka, &kp));
}
END_TEST

START_TEST(private_mapping_of_a_file) {
  struct mm m, n;
  struct file f = {.inode = inode_a};
  struct area a = {.start = 0x10000, .end = 0x20000, .flags = MAP_PRIVATE, .file = &f};
  struct futex_key k = key(&m, &a, 0x10000, false), o = key(&n, &a, 0x10000, false);
  ck_assert(!futex_key_eq(&k, &o));
}
END_TEST

START_TEST(refusals) {
  struct mm m;
  struct futex_key k;
  struct file *hold;
  ck_assert_int_eq(futex_key_make(&m, NULL, 0x1002, true, &k, &hold), -EINVAL);
  ck_assert_int_eq(futex_key_make(&m, NULL, 0x1000, false, &k, &hold), -EFAULT);
  ck_assert_int_eq(futex_key_make(&m, NULL, 0x1000, true, &k, &hold), 0);
}
END_TEST

START_TEST(hashes_spread) {
  unsigned count[FUTEX_BUCKETS] = {0}, worst = 0;
  for (unsigned i = 0; i < 256 * 64; i++) {
    struct futex_key k = {(void *)0x555500001000, 0x7f0000000000 + i * 64ul};
    unsigned h = futex_key_hash(&k);
    ck_assert_uint_lt(h, FUTEX_BUCKETS);
    if (++count[h] > worst)
      worst = count[h];
  }
  ck_assert_uint_lt(worst, 64 * 4);
}
END_TEST

int main(void) {
  Suite *s = suite_create("futex_key");
  TCase *c = tcase_create("futex_key");
  tcase_add_test(c, private_memory);
  tcase_add_test(c, shared_memory);
  tcase_add_test(c, private_mapping_of_a_file);
  tcase_add_test(c, refusals);
  tcase_add_test(c, hashes_spread);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
