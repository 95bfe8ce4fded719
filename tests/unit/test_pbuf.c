/* Packet buffers: every operation against a plain array of the same bytes. */
#include "../../net/pbuf.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[70000];

static void same(const struct pbuf *p, const uint8_t *want, uint32_t n) {
  static uint8_t got[70000];
  ck_assert_uint_eq(p->len, n);
  pbuf_copy_out(p, 0, got, n);
  ck_assert_mem_eq(got, want, n);
}

static uint16_t plain_csum(const uint8_t *b, size_t n) { /* byte by byte, as RFC 1071 says it */
  uint32_t s = 0;
  for (size_t i = 0; i < n; i++)
    s += i & 1 ? b[i] << 8 : b[i];
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return (uint16_t)~s;
}

/* A packet of bytes[0..n) with random seams. */
static struct pbuf *scattered(uint32_t n) {
  uint32_t linear = n ? (uint32_t)rand() % n : 0;
  struct pbuf *p = pbuf_new(linear);
  memcpy(pbuf_put(p, linear), bytes, linear);
  for (uint32_t off = linear; off < n;) {
    uint32_t part = p->nfrags == PBUF_FRAGS - 1 ? n - off : 1 + (uint32_t)rand() % (n - off);
    struct pstore *s = pstore_new(part + 7);
    memcpy(s->bytes + 5, bytes + off, part);
    ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes + 5, part), 0);
    pstore_put(s);
    off += part;
  }
  return p;
}

START_TEST(against_an_array) {
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)rand();
  for (int round = 0; round < 3000; round++) {
    uint32_t n = 1 + (uint32_t)rand() % 3000;
    struct pbuf *p = scattered(n);
    same(p, bytes, n);
    uint32_t from = (uint32_t)rand() % n, part = (uint32_t)rand() % (n - from + 1);
    ck_assert_uint_eq(csum_fold(pbuf_csum_add(p, from, part, 0)), plain_csum(bytes + from, part));
    struct pbuf *c = pbuf_clone(p);
    uint32_t lin = (uint32_t)rand() % (n + 1);
    ck_assert_ptr_nonnull(pbuf_linear(p, lin));
    ck_assert_mem_eq(p->data, bytes, lin);
    ck_assert_ptr_null(pbuf_linear(p, n + 1));
    pbuf_pull(p, from);
    pbuf_trim(p, part);
    same(p, bytes + from, part);
    pbuf_free(p);
    same(c, bytes, n);
    memset(pbuf_push(c, 14), 0xee, 14);
    pbuf_pull(c, 14);
    same(c, bytes, n);
    pbuf_free(c);
  }
}
END_TEST

START_TEST(bounds) {
  struct pbuf *p = pbuf_new(10);
  ck_assert_ptr_null(pbuf_push(p, PBUF_HEADROOM + 1));
  ck_assert_ptr_nonnull(pbuf_push(p, PBUF_HEADROOM));
  ck_assert_ptr_null(pbuf_put(p, 11));
  ck_assert_ptr_nonnull(pbuf_put(p, 10));
  struct pstore *s = pstore_new(100000);
  ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes, 80000), -ENOSPC);
  for (int i = 0; i < PBUF_FRAGS; i++)
    ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes + 2 * i, 1), 0);
  ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes + 90, 1), -ENOSPC);
  ck_assert_int_eq(pbuf_add_frag(p, s, s->bytes + 2 * PBUF_FRAGS - 1, 1), 0); /* lengthens the last */
  ck_assert_ptr_null(pbuf_put(p, 1));
  pbuf_free(p);
  ck_assert_uint_eq(s->ref.n, 1);
  pstore_put(s);
  ck_assert_ptr_null(pbuf_new(PBUF_MAX + 1));
}
END_TEST

int main(void) {
  Suite *s = suite_create("pbuf");
  TCase *t = tcase_create("pbuf");
  tcase_add_test(t, against_an_array);
  tcase_add_test(t, bounds);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
