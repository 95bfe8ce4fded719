/* The tree of areas: splitting, cutting, joining, gaps and counters; against a plain bitmap as the model. */
#include "../../core/area.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x10000000ul
#define P PAGE_SIZE

static struct mm *fresh(void) {
  struct mm *m = mm_new();
  m->mmap_top = BASE + 1000 * P;
  return m;
}

static void done(struct mm *m) {
  mm_put(m);
}

static struct area tmpl(uint64_t page, uint64_t pages, int prot) {
  return (struct area){.start = BASE + page * P,
                       .end = BASE + (page + pages) * P,
                       .prot = prot,
                       .max_prot = 7,
                       .flags = MAP_PRIVATE,
                       .kind = AREA_ANON,
                       .host_fd = -1};
}

static void put(struct mm *m, uint64_t page, uint64_t pages, int prot) {
  struct area t = tmpl(page, pages, prot), *dead = NULL;
  area_cut(m, t.start, t.end, &dead);
  area_insert(m, area_new(&t));
  area_merge(m, t.start, t.end, &dead);
  area_free_dead(dead);
}

static void cut(struct mm *m, uint64_t page, uint64_t pages) {
  struct area *dead = NULL;
  ck_assert_int_eq(area_cut(m, BASE + page * P, BASE + (page + pages) * P, &dead), 0);
  area_free_dead(dead);
}

START_TEST(cut_in_the_middle_splits) {
  struct mm *m = fresh();
  put(m, 10, 10, PROT_READ | PROT_WRITE);
  cut(m, 13, 2);
  ck_assert_int_eq(m->nareas, 2);
  ck_assert_uint_eq(m->total_vm, 8);
  ck_assert_uint_eq(m->data_vm, 8);
  ck_assert_ptr_null(mm_find_borrow(m, BASE + 13 * P));
  ck_assert_uint_eq(mm_find_borrow(m, BASE + 12 * P)->end, BASE + 13 * P);
  ck_assert_uint_eq(mm_find_next_borrow(m, BASE + 13 * P)->start, BASE + 15 * P);
  ck_assert_int_lt(mm_check_mapped(m, BASE + 12 * P, 4 * P), 0);
  ck_assert_int_eq(mm_check_mapped(m, BASE + 15 * P, 5 * P), 0);
  done(m);
}
END_TEST

START_TEST(alike_neighbours_join) {
  struct mm *m = fresh();
  put(m, 10, 5, PROT_READ);
  put(m, 20, 5, PROT_READ);
  put(m, 15, 5, PROT_READ);
  ck_assert_int_eq(m->nareas, 1);
  put(m, 17, 1, PROT_NONE);
  ck_assert_int_eq(m->nareas, 3);
  put(m, 17, 1, PROT_READ);
  ck_assert_int_eq(m->nareas, 1);
  ck_assert_uint_eq(m->total_vm, 15);
  ck_assert_uint_eq(m->data_vm, 0);
  done(m);
}
END_TEST

START_TEST(file_areas_join_only_at_matching_offsets) {
  struct mm *m = fresh();
  struct file *f = file_new(NULL, O_RDONLY, NULL);
  struct area t = tmpl(10, 2, PROT_READ), *dead = NULL;
  t.kind = AREA_FILE;
  t.file = f;
  t.host_fd = 99;
  t.host_off = 0x5000;
  area_insert(m, area_new(&t));
  t.start += 2 * P;
  t.end += 2 * P;
  t.off = 2 * P;
  t.host_off = 0x7000;
  area_insert(m, area_new(&t));
  t.start += 2 * P;
  t.end += 2 * P;
  t.off = 2 * P; /* the same pages once more */
  area_insert(m, area_new(&t));
  area_merge(m, BASE, BASE + 100 * P, &dead);
  area_free_dead(dead);
  ck_assert_int_eq(m->nareas, 2);
  ck_assert_int_eq(area_split_at(m, BASE + 13 * P), 0);
  struct area *a = mm_find_borrow(m, BASE + 13 * P);
  ck_assert_int_eq(a->off, 3 * P);
  ck_assert_int_eq(a->host_off, 0x8000);
  done(m);
  ck_assert_uint_eq(f->ref.n, 1);
  free(f);
}
END_TEST

START_TEST(gaps_are_found_from_the_top) {
  struct mm *m = fresh();
  ck_assert_uint_eq(area_gap_down(m, 10 * P, BASE), BASE + 990 * P);
  put(m, 990, 10, PROT_READ);
  ck_assert_uint_eq(area_gap_down(m, 10 * P, BASE), BASE + 980 * P);
  put(m, 900, 90, PROT_NONE);
  cut(m, 950, 5);
  ck_assert_uint_eq(area_gap_down(m, 5 * P, BASE), BASE + 950 * P);
  ck_assert_uint_eq(area_gap_down(m, 6 * P, BASE), BASE + 894 * P);
  ck_assert_uint_eq(area_gap_down(m, 5 * P, BASE), BASE + 950 * P);
  ck_assert_uint_eq(area_gap_down(m, 901 * P, BASE), 0);
  ck_assert_uint_eq(area_gap_up(m, 4 * P, BASE, BASE + 2000 * P), BASE);
  ck_assert_uint_eq(area_gap_up(m, 4 * P, BASE + 898 * P, BASE + 2000 * P), BASE + 950 * P);
  ck_assert_uint_eq(area_gap_up(m, 6 * P, BASE + 898 * P, BASE + 2000 * P), BASE + 1000 * P);
  ck_assert_uint_eq(area_gap_up(m, 6 * P, BASE + 898 * P, BASE + 1000 * P), 0);
  done(m);
}
END_TEST

START_TEST(stacks_keep_a_guard_gap) {
  struct mm *m = fresh();
  struct area t = tmpl(900, 10, PROT_READ);
  t.flags |= MAP_GROWSDOWN;
  t.kind = AREA_STACK;
  area_insert(m, area_new(&t));
  put(m, 910, 90, PROT_READ);
  ck_assert_uint_eq(area_gap_down(m, P, BASE), BASE + (900 - 256 - 1) * P);
  ck_assert(!area_range_free(m, BASE + 899 * P, BASE + 900 * P));
  ck_assert(area_range_free(m, BASE + 600 * P, BASE + 644 * P));
  ck_assert_uint_eq(m->stack_vm, 10);
  done(m);
}
END_TEST

/* The search by hand, without the remembered gap. */
static uint64_t model_gap(const unsigned char *used, unsigned n) {
  unsigned run = 0;
  for (int i = 999; i >= 0; i--) {
    run = used[i] ? 0 : run + 1;
    if (run == n)
      return BASE + (uint64_t)i * P;
  }
  return 0;
}

START_TEST(random_changes_agree_with_a_model) {
  struct mm *m = fresh();
  unsigned char prot[1000] = {0}; /* 0: free, else prot + 1 */
  srand(7);
  for (int step = 0; step < 20000; step++) {
    unsigned at = (unsigned)rand() % 990, len = 1 + (unsigned)rand() % 10, what = (unsigned)rand() % 4;
    if (what == 0) {
      cut(m, at, len);
      memset(prot + at, 0, len);
    } else if (what == 1) {
      uint64_t want = model_gap(prot, len), got = area_gap_down(m, len * P, BASE);
      ck_assert_uint_eq(got, want);
      if (got) {
        put(m, (got - BASE) / P, len, PROT_READ);
        memset(prot + (got - BASE) / P, PROT_READ + 1, len);
      }
    } else {
      int p = rand() % 4;
      put(m, at, len, p);
      memset(prot + at, p + 1, len);
    }
    if (step % 100)
      continue;
    uint64_t total = 0;
    int runs = 0;
    for (unsigned i = 0; i < 1000; i++) {
      struct area *a = mm_find_borrow(m, BASE + i * P);
      ck_assert_int_eq(a ? a->prot + 1 : 0, prot[i]);
      total += !!prot[i];
      runs += prot[i] && (!i || prot[i - 1] != prot[i]);
    }
    ck_assert_uint_eq(m->total_vm, total);
    ck_assert_int_eq(m->nareas, runs);
  }
  done(m);
}
END_TEST

START_TEST(dup_leaves_out_dontfork_and_locks) {
  struct mm *m = fresh();
  put(m, 1, 1, PROT_READ);
  put(m, 5, 1, PROT_READ | PROT_WRITE);
  mm_find_borrow(m, BASE + P)->advice = AREA_DONTFORK;
  area_set_flags(m, mm_find_borrow(m, BASE + 5 * P), MAP_PRIVATE | MAP_LOCKED);
  ck_assert_uint_eq(m->locked_vm, 1);
  struct mm *c = mm_dup(m);
  ck_assert_int_eq(c->nareas, 1);
  ck_assert_uint_eq(c->locked_vm, 0);
  ck_assert_uint_eq(c->data_vm, 1);
  done(c);
  done(m);
}
END_TEST

int main(void) {
  Suite *s = suite_create("areas");
  TCase *c = tcase_create("areas");
  tcase_add_test(c, cut_in_the_middle_splits);
  tcase_add_test(c, alike_neighbours_join);
  tcase_add_test(c, file_areas_join_only_at_matching_offsets);
  tcase_add_test(c, gaps_are_found_from_the_top);
  tcase_add_test(c, stacks_keep_a_guard_gap);
  tcase_add_test(c, random_changes_agree_with_a_model);
  tcase_add_test(c, dup_leaves_out_dontfork_and_locks);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
