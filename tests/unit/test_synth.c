/* Generated trees, through the VFS: contents, positions, links, directories whose entries come and go. */
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../fs/synth.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int generation, alive_from, alive_to;

static int counter_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "generation %d\n", ++generation);
  return 0;
}
static int big_show(struct inode *i, struct sbuf *b) {
  for (int n = 0; n < 20000; n++)
    sb_printf(b, "%05d\n", n);
  return 0;
}
static char stored[64];
static ssize_t store(struct inode *i, char *buf, size_t n) {
  snprintf(stored, sizeof stored, "%s", buf);
  return (ssize_t)n;
}
static int num_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", (int)synth_num(i));
  return 0;
}
static int num_alive(struct inode *i) {
  return (int)synth_num(i) >= alive_from && (int)synth_num(i) < alive_to;
}
static const struct synth_ent num_ent = {.mode = S_IFREG | 0444, .show = num_show, .alive = num_alive};
static int num_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  int n = atoi(name);
  if (n < alive_from || n >= alive_to)
    return -ENOENT;
  c->ent = &num_ent;
  c->n = (uint64_t)n;
  return 0;
}
static int num_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  if ((int)key < alive_from)
    key = (uint64_t)alive_from;
  if ((int)key >= alive_to)
    return 0;
  snprintf(c->name, sizeof c->name, "%d", (int)key);
  c->ent = &num_ent;
  c->key = key;
  return 1;
}
static const struct synth_ent sub[] = {{.name = "text", .mode = S_IFREG | 0444, .text = "hello\n"}, {0}};
static const struct synth_ent top[] = {
    {.name = "counter", .mode = S_IFREG | 0444, .show = counter_show},
    {.name = "big", .mode = S_IFREG | 0444, .show = big_show},
    {.name = "store", .mode = S_IFREG | 0644, .text = "", .store = store},
    {.name = "sub", .mode = S_IFDIR | 0555, .children = sub},
    {.name = "link", .mode = S_IFLNK | 0777, .text = "sub/text"},
    {.name = "num", .mode = S_IFDIR | 0555, .lookup = num_lookup, .next = num_next},
    {0},
};
static const struct synth_ent root_ent = {.mode = S_IFDIR | 0755, .children = top};

static struct kernel *k;
static struct path root;

static struct file *open_path(const char *name, int flags) {
  struct path p;
  struct file *f;
  ck_assert_int_eq(vfs_lookup_kernel(&root, name, LOOKUP_FOLLOW, &p), 0);
  ck_assert_int_eq(vfs_open_kernel(&p, flags, &f), 0);
  path_put(&p);
  return f;
}

static ssize_t rd(struct file *f, char *buf, size_t n, off_t *pos) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, buf, n);
  return file_read(f, &u, pos);
}

static void body_contents(void) {
  static char b[200000]; /* fibers have small stacks */
  off_t at = 0;
  struct file *f = open_path("counter", O_RDONLY);
  ck_assert_int_eq(rd(f, b, sizeof b, NULL), 13);
  ck_assert_int_eq(rd(f, b, sizeof b, NULL), 0);
  b[0] = 0;
  ck_assert_int_eq(rd(f, b, sizeof b, &at), 13);
  b[13] = 0;
  ck_assert_str_eq(b, "generation 2\n");
  file_put(f);
  f = open_path("big", O_RDONLY);
  size_t total = 0;
  ssize_t n;
  while ((n = rd(f, b + total, 777, NULL)) > 0)
    total += (size_t)n;
  ck_assert_uint_eq(total, 120000);
  ck_assert(!memcmp(b + 119994, "19999\n", 6));
  file_put(f);
  f = open_path("link", O_RDONLY);
  ck_assert_int_eq(rd(f, b, 100, NULL), 6);
  file_put(f);
}

static void body_store(void) {
  struct file *f = open_path("store", O_WRONLY);
  struct uio u;
  struct iovec v;
  char text[] = "value";
  uio_kernel(&u, &v, text, 5);
  ck_assert_int_eq(file_write(f, &u, NULL), 5);
  ck_assert_str_eq(stored, "value");
  file_put(f);
}

struct list {
  struct dir_ctx d;
  char text[4096];
  int room;
};
static bool emit(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct list *l = (struct list *)d;
  if (l->room-- == 0)
    return false;
  ck_assert_uint_eq(strlen(name), len);
  ck_assert_uint_ne(ino, 0);
  sprintf(l->text + strlen(l->text), "%s ", name);
  return true;
}

static void body_directories(void) {
  struct list l = {.d.emit = emit, .room = 2};
  alive_from = 3, alive_to = 9;
  struct file *f = open_path("num", O_RDONLY | O_DIRECTORY);
  while (l.text[0] == 0 || l.room < 0) { /* two at a time, until nothing more comes */
    size_t before = strlen(l.text);
    l.room = 2;
    ck_assert_int_eq(f->ops->iterate(f, &l.d), 0);
    if (strlen(l.text) == before)
      break;
    if (strstr(l.text, "4 "))
      alive_from = 6; /* entries vanish while being listed */
  }
  ck_assert_str_eq(l.text, ". .. 3 4 6 7 8 ");
  file_put(f);
  struct path p;
  ck_assert_int_eq(vfs_lookup_kernel(&root, "num/7", 0, &p), 0);
  path_put(&p);
  alive_from = 8; /* cached, but no longer true */
  ck_assert_int_eq(vfs_lookup_kernel(&root, "num/7", 0, &p), -ENOENT);
  alive_from = 7;
  ck_assert_int_eq(vfs_lookup_kernel(&root, "num/7", 0, &p), 0);
  path_put(&p);
}

static void on_fiber(void *body) {
  ((void (*)(void))(uintptr_t)body)();
}
static void run(void (*body)(void)) {
  k = kernel_new(loop_new());
  ck_assert_int_eq(vfs_init(k), 0);
  static const struct synth_super tmpl = {0};
  struct super *sb;
  struct mount *m;
  ck_assert_int_eq(synth_mount(k, "synth", 1, &root_ent, &tmpl, &sb), 0);
  ck_assert_int_eq(vfs_mount(k->vfs, k->vfs->init_ns, sb, NULL, 0, "none", &m), 0);
  root = (struct path){m, m->root};
  ck_assert_int_eq(fiber_spawn(on_fiber, (void *)(uintptr_t)body), 0);
}

START_TEST(contents) {
  run(body_contents);
}
END_TEST
START_TEST(storing) {
  run(body_store);
}
END_TEST
START_TEST(directories) {
  run(body_directories);
}
END_TEST

int main(void) {
  Suite *s = suite_create("synth");
  TCase *t = tcase_create("synth");
  tcase_add_test(t, contents);
  tcase_add_test(t, storing);
  tcase_add_test(t, directories);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
