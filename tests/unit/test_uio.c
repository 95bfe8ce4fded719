/* uio over the Sentry's own memory, and the checks on guests' vectors. */
#include "../../core/errno.h"
#include "../../core/uaccess.h"
#include "../../core/uio.h"
#include <check.h>
#include <string.h>

START_TEST(copies_across_segments) {
  char a[4] = {0}, b[8] = {0}, back[12];
  struct iovec v[] = {{a, 4}, {NULL, 0}, {b, 8}};
  struct uio u = {.iov = v, .n = 3, .resid = 12};
  ck_assert_int_eq(uio_copy_to(&u, "hello", 5), 5);
  ck_assert_uint_eq(u.resid, 7);
  ck_assert_int_eq(uio_copy_to(&u, " worlds!!", 9), 7); /* full */
  ck_assert_uint_eq(u.resid, 0);
  ck_assert_int_eq(u.n, 0);
  ck_assert_mem_eq(a, "hell", 4);
  ck_assert_mem_eq(b, "o worlds", 8);
  ck_assert_int_eq(uio_copy_to(&u, "x", 1), 0);
  struct iovec w[] = {{a, 4}, {b, 8}};
  struct uio r = {.iov = w, .n = 2, .resid = 12};
  ck_assert_int_eq(uio_copy_from(&r, back, 6), 6);
  ck_assert_int_eq(uio_copy_from(&r, back + 6, 100), 6);
  ck_assert_mem_eq(back, "hello worlds", 12);
}
END_TEST

START_TEST(more_segments_than_a_batch) {
  char buf[300];
  struct iovec v[300];
  for (int i = 0; i < 300; i++)
    v[i] = (struct iovec){buf + 299 - i, 1};
  struct uio u = {.iov = v, .n = 300, .resid = 300};
  char src[300];
  for (int i = 0; i < 300; i++)
    src[i] = (char)i;
  ck_assert_int_eq(uio_copy_to(&u, src, 300), 300);
  for (int i = 0; i < 300; i++)
    ck_assert_int_eq(buf[299 - i], src[i]);
}
END_TEST

START_TEST(out_of_pieces) {
  char buf[10] = "";
  struct iovec to[2] = {{buf, 4}, {buf + 4, 5}}, from[5] = {{"", 0}, {"ab", 2}, {"cdef", 4}, {"", 0}, {"ghijk", 5}};
  struct uio u = {.iov = to, .n = 2, .resid = 9};
  ck_assert_int_eq(uio_copy_to_vec(&u, from, 5), 9); /* full; two bytes are left over */
  ck_assert_str_eq(buf, "abcdefghi");
  ck_assert_uint_eq(u.resid, 0);
  struct iovec more = {"x", 1};
  ck_assert_int_eq(uio_copy_to_vec(&u, &more, 1), 0);
}
END_TEST

START_TEST(zero_and_advance) {
  char buf[10];
  struct iovec v;
  struct uio u;
  memset(buf, 1, sizeof buf);
  uio_kernel(&u, &v, buf, sizeof buf);
  uio_advance(&u, 3);
  ck_assert_int_eq(uio_zero(&u, 4), 4);
  ck_assert_uint_eq(u.resid, 3);
  ck_assert_int_eq(buf[2], 1);
  ck_assert_int_eq(buf[3], 0);
  ck_assert_int_eq(buf[6], 0);
  ck_assert_int_eq(buf[7], 1);
  uio_advance(&u, 1000);
  ck_assert_uint_eq(u.resid, 0);
}
END_TEST

START_TEST(vectors) {
  size_t total;
  struct iovec v[] = {{(void *)0x1000, 5}, {(void *)0x2000, 7}};
  ck_assert_int_eq(uio_check_vec(v, 2, &total), 0);
  ck_assert_uint_eq(total, 12);
  v[1].iov_len = (size_t)-1;
  ck_assert_int_eq(uio_check_vec(v, 2, &total), -EINVAL);
  v[1] = (struct iovec){(void *)0xffffffff80000000, 1};
  ck_assert_int_eq(uio_check_vec(v, 2, &total), -EFAULT);
  v[0] = (struct iovec){(void *)0x1000, 0x7fffe000};
  v[1] = (struct iovec){(void *)0x100000000, 0x7fffe000};
  ck_assert_int_eq(uio_check_vec(v, 2, &total), 0);
  ck_assert_uint_eq(total, 0x7ffff000);
  ck_assert_uint_eq(v[1].iov_len, 0x1000);
}
END_TEST

START_TEST(addresses) {
  ck_assert(access_ok(0x1000, 0));
  ck_assert(access_ok(0x7fffffffe000, 0x1000));
  ck_assert(!access_ok(0x7fffffffe000, 0x1001));
  ck_assert(!access_ok(UINT64_MAX, 2));
  ck_assert(!access_ok(0x1000, SIZE_MAX));
}
END_TEST

int main(void) {
  Suite *s = suite_create("uio");
  TCase *c = tcase_create("uio");
  tcase_add_test(c, copies_across_segments);
  tcase_add_test(c, more_segments_than_a_batch);
  tcase_add_test(c, out_of_pieces);
  tcase_add_test(c, zero_and_advance);
  tcase_add_test(c, vectors);
  tcase_add_test(c, addresses);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
