/* Containers on disk: ids, creation and removal, liveness of P against reuse of pids, status written by the Sentry. */
#include "../../oci/cmd.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];

static void setup(void) {
  strcpy(root, "/tmp/test_state_XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(root));
}
static void teardown(void) {
  ck_assert_msg(!rmdir(root), "something was left behind in %s", root);
}

START_TEST(ids) {
  struct err e;
  static const char *const good[] = {"a", "0ba1de1da72a", "a-b_c.d+e", "...x"};
  static const char *const bad[] = {"", ".", "..", "a/b", "../x", "a b", "a\n", "\xc3\xa4"};
  for (size_t i = 0; i < 4; i++)
    ck_assert(!state_check_id(good[i], &e));
  for (size_t i = 0; i < 8; i++)
    ck_assert_msg(state_check_id(bad[i], &e), "%s", bad[i]);
}
END_TEST

START_TEST(life) {
  struct container c, again;
  struct err e;
  ck_assert_int_eq(state_open(&c, root, "x", &e), 1);
  ck_assert_str_eq(e.msg, "container does not exist");
  ck_assert(!state_create(&c, root, "x", &e));
  ck_assert(state_create(&again, root, "x", &e));
  ck_assert_str_eq(e.msg, "container with given ID already exists");
  json_object_set_new(c.state, "bundle", json_string("/b"));
  ck_assert(!state_save(&c, &e));
  ck_assert(!state_open(&again, root, "x", &e));
  ck_assert_str_eq(state_str(&again, "bundle"), "/b");
  ck_assert(state_lock(&again, 20, &e));               /* held by c */
  ck_assert_int_eq(state_status(&again), OCI_STOPPED); /* no P yet */
  state_close(&again);
  ck_assert(!state_remove(&c, &e));
  state_close(&c);
}
END_TEST

START_TEST(early_death_leaves_something_deletable) {
  struct container c;
  struct err e;
  ck_assert(!state_create(&c, root, "y", &e));
  state_close(&c); /* as if `create` was killed before state.json */
  ck_assert(!state_open(&c, root, "y", &e));
  ck_assert_int_eq(state_status(&c), OCI_STOPPED);
  struct globals g = {.log = {.fd = -1}};
  ck_assert_msg(!container_destroy(&g, &c, &e), "%s", e.msg);
  state_close(&c);
}
END_TEST

START_TEST(status_follows_p) {
  struct container c;
  struct err e;
  ck_assert(!state_create(&c, root, "z", &e));
  pid_t pid = fork();
  if (!pid)
    for (;;)
      pause();
  state_set_pid(&c, pid);
  ck_assert_int_eq(state_status(&c), OCI_CREATING);
  static const char *const texts[] = {"created   \n", "running   \n", "paused    \n"};
  for (int i = 0; i < 3; i++) {
    ck_assert(!state_write(&c, "status", texts[i], 11, &e));
    ck_assert_int_eq(state_status(&c), OCI_CREATED + i);
  }
  /* Another process with the same number is not P. */
  json_int_t start = json_integer_value(json_object_get(c.state, "startTime"));
  json_object_set_new(c.state, "startTime", json_integer(start + 1));
  ck_assert_int_eq(state_status(&c), OCI_STOPPED);
  json_object_set_new(c.state, "startTime", json_integer(start));
  ck_assert_int_eq(state_status(&c), OCI_PAUSED);
  kill(pid, SIGKILL);
  while (state_alive(&c)) /* a zombie counts as dead */
    usleep(1000);
  ck_assert_int_eq(state_status(&c), OCI_STOPPED);
  waitpid(pid, NULL, 0);
  json_t *o = state_oci(&c, OCI_STOPPED, false);
  ck_assert_int_eq(json_integer_value(json_object_get(o, "pid")), 0);
  ck_assert_str_eq(json_string_value(json_object_get(o, "status")), "stopped");
  json_decref(o);
  ck_assert(!state_remove(&c, &e));
  state_close(&c);
}
END_TEST

START_TEST(socket_path_may_be_long) {
  char deep[300];
  struct container c;
  struct err e;
  struct sockaddr_un a;
  snprintf(deep, sizeof deep, "%s/%0200d", root, 0);
  ck_assert(!state_create(&c, deep, "x", &e));
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  state_socket_address(&c, "control.sock", &a);
  ck_assert(!bind(s, (struct sockaddr *)&a, sizeof a));
  close(s);
  ck_assert(!state_remove(&c, &e));
  state_close(&c);
  rmdir(deep);
}
END_TEST

START_TEST(signals_by_name) {
  ck_assert_int_eq(cli_signal_number("9"), 9);
  ck_assert_int_eq(cli_signal_number("KILL"), 9);
  ck_assert_int_eq(cli_signal_number("SIGterm"), 15);
  ck_assert_int_eq(cli_signal_number("SIGRTMIN+1"), 35);
  ck_assert_int_eq(cli_signal_number("RTMAX"), 64);
  ck_assert_int_eq(cli_signal_number("65"), -1);
  ck_assert_int_eq(cli_signal_number("SIGFOO"), -1);
  ck_assert_int_eq(cli_signal_number(""), -1);
  ck_assert_int_eq(cli_signal_number("-1"), -1);
}
END_TEST

START_TEST(pid_file_has_no_newline) {
  char path[128], buf[32] = "";
  struct err e;
  snprintf(path, sizeof path, "%s/pid", root);
  ck_assert(!cli_write_pid_file(path, 4711, &e));
  int fd = open(path, O_RDONLY);
  ck_assert_int_eq(read(fd, buf, sizeof buf), 4);
  ck_assert_str_eq(buf, "4711");
  close(fd);
  unlink(path);
}
END_TEST

int main(void) {
  Suite *s = suite_create("state");
  TCase *c = tcase_create("state");
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, ids);
  tcase_add_test(c, life);
  tcase_add_test(c, early_death_leaves_something_deletable);
  tcase_add_test(c, status_follows_p);
  tcase_add_test(c, socket_path_may_be_long);
  tcase_add_test(c, signals_by_name);
  tcase_add_test(c, pid_file_has_no_newline);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
