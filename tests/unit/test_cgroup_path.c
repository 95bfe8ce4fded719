/* Where cgroups are: paths of the configuration, slices, and hierarchies of v1, v2 and hybrid hosts. */
#include "../../oci/cgroup.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *in, *id;
  bool systemd;
  const char *out; /* NULL: refused */
} paths[] = {
    {"/docker/abc", "abc", false, "/docker/abc"},
    {"mycg/foo", "x", false, "/mycg/foo"},
    {NULL, "x", false, "/x"},
    {"", "x", false, "/x"},
    {"/../../etc", "x", false, "/etc"},
    {"/a//./b/../c", "x", false, "/a/c"},
    {"/..", "x", false, NULL},
    {"system.slice:docker:abc", "abc", true, "/system.slice/docker-abc.scope"},
    {"user-1000.slice:libpod:abc", "abc", true, "/user.slice/user-1000.slice/libpod-abc.scope"},
    {":docker:abc", "abc", true, "/system.slice/docker-abc.scope"},
    {"a.slice::abc", "abc", true, "/a.slice/abc.scope"},
    {"-.slice:p:abc", "abc", true, "/p-abc.scope"},
    {"a.slice:p:pod.slice", "x", true, "/a.slice/pod.slice"},
    {NULL, "x", true, "/system.slice/runsc-notify-x.scope"},
    {"/docker/abc", "abc", true, NULL},
    {"a:b", "abc", true, NULL},
    {"a.slice:b/../c:d", "x", true, NULL},
    {"a--b.slice:p:n", "x", true, NULL},
    {"../x.slice:p:n", "x", true, NULL},
};

START_TEST(path) {
  char buf[512];
  struct err e;
  int rc = cgroup_path(paths[_i].in, paths[_i].id, paths[_i].systemd, buf, sizeof buf, &e);
  if (paths[_i].out) {
    ck_assert_msg(!rc, "%s", e.msg);
    ck_assert_str_eq(buf, paths[_i].out);
  } else {
    ck_assert_msg(rc, "%s gave %s", paths[_i].in, buf);
  }
}
END_TEST

static void plan(struct cgroup *g, const char *mountinfo) {
  char path[] = "/tmp/test_cgroup_XXXXXX";
  struct err e;
  int fd = mkstemp(path);
  ck_assert(write(fd, mountinfo, strlen(mountinfo)) == (ssize_t)strlen(mountinfo));
  close(fd);
  ck_assert(!cgroup_plan(g, path, "/docker/x", &e));
  unlink(path);
}

#define TMPFS "30 1 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
#define MEMORY "31 30 0:26 / /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,memory\n"
#define CPU "32 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
#define NAMED "33 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n"
#define V2_AT(p) "34 30 0:29 / " p " rw - cgroup2 cgroup2 rw\n"

START_TEST(v1) {
  struct cgroup g;
  plan(&g, TMPFS MEMORY CPU NAMED MEMORY);
  ck_assert_int_eq(g.n, 3);
  ck_assert_str_eq(g.d[0].path, "/sys/fs/cgroup/memory/docker/x");
  ck_assert(cgroup_has(&g.d[1], "cpu") && cgroup_has(&g.d[1], "cpuacct") && !cgroup_has(&g.d[1], "cpua"));
  ck_assert_str_eq(g.d[2].controllers, "name=systemd");
  cgroup_free(&g);
}
END_TEST

START_TEST(v2) {
  struct cgroup g;
  plan(&g, V2_AT("/sys/fs/cgroup"));
  ck_assert_int_eq(g.n, 1);
  ck_assert(g.d[0].v2 && !g.d[0].join_only);
  ck_assert_str_eq(g.d[0].path, "/sys/fs/cgroup/docker/x");
  cgroup_free(&g);
}
END_TEST

START_TEST(hybrid) {
  struct cgroup g, back;
  plan(&g, TMPFS V2_AT("/sys/fs/cgroup/uni\\040fied") MEMORY);
  ck_assert_int_eq(g.n, 2);
  ck_assert(g.d[0].v2 && g.d[0].join_only);
  ck_assert_str_eq(g.d[0].path, "/sys/fs/cgroup/uni fied/docker/x");
  ck_assert(!g.d[1].v2 && !g.d[1].join_only);
  json_t *o = cgroup_to_json(&g);
  ck_assert(!cgroup_from_json(&back, o));
  ck_assert_int_eq(back.n, 2);
  ck_assert_str_eq(back.d[1].path, g.d[1].path);
  ck_assert(back.d[0].join_only && back.d[0].v2);
  json_decref(o);
  cgroup_free(&back);
  cgroup_free(&g);
}
END_TEST

START_TEST(none) {
  struct cgroup g;
  plan(&g, "1 0 0:1 / / rw - ext4 /dev/vda rw\ngarbage\n - \n");
  ck_assert_int_eq(g.n, 0);
  cgroup_free(&g);
}
END_TEST

int main(void) {
  Suite *s = suite_create("cgroup_path");
  TCase *c = tcase_create("cgroup_path");
  tcase_add_loop_test(c, path, 0, sizeof paths / sizeof *paths);
  tcase_add_test(c, v1);
  tcase_add_test(c, v2);
  tcase_add_test(c, hybrid);
  tcase_add_test(c, none);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
