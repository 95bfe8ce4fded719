/* config.json: what is accepted, and that every refusal names its field. */
#include "../../oci/spec.h"
#include "../../oci/spec_json.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

static json_t *base(void) {
  return spec_default(false);
}

/* Set the member at a path like "process.cwd" to a JSON text; "-" removes it. */
static void edit(json_t *doc, const char *path, const char *text) {
  char copy[128], *save = NULL;
  strcpy(copy, path);
  char *key = strtok_r(copy, ".", &save), *next;
  while ((next = strtok_r(NULL, ".", &save))) {
    doc = json_object_get(doc, key);
    key = next;
  }
  if (!strcmp(text, "-")) {
    json_object_del(doc, key);
    return;
  }
  json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
  ck_assert_msg(v != NULL, "%s", text);
  json_object_set_new(doc, key, v);
}

static void refused(const char *path, const char *text, const char *expected) {
  struct oci_spec s;
  struct err e = {""};
  json_t *doc = base();
  edit(doc, path, text);
  ck_assert_msg(spec_parse(&s, doc, &e) == -1, "%s = %s was accepted", path, text);
  ck_assert_msg(strstr(e.msg, expected) == e.msg, "%s = %s: \"%s\", expected \"%s\"", path, text, e.msg, expected);
  json_decref(doc);
}

START_TEST(default_is_valid) {
  struct oci_spec s;
  struct err e;
  json_t *doc = base();
  ck_assert_msg(!spec_parse(&s, doc, &e), "%s", e.msg);
  ck_assert_str_eq(s.process.args.v[0], "sh");
  ck_assert(s.process.terminal && s.process.no_new_privileges);
  ck_assert_uint_eq(s.process.cap_bounding, 1ull << 29 | 1ull << 5 | 1ull << 10);
  ck_assert_int_eq(s.process.rlimits[0].resource, RLIMIT_NOFILE);
  ck_assert_int_eq((int)s.nmounts, 7);
  ck_assert_str_eq(s.mounts[1].data, "mode=755,size=65536k");
  ck_assert_uint_eq(s.mounts[5].flags, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY);
  ck_assert(s.ns[OCI_NS_NETWORK].present && !s.ns[OCI_NS_NETWORK].path);
  spec_free(&s);
  json_decref(doc);
  doc = spec_default(true);
  ck_assert_msg(!spec_parse(&s, doc, &e), "%s", e.msg);
  spec_free(&s);
  json_decref(doc);
}
END_TEST

static const struct {
  const char *path, *text, *expected;
} bad[] = {
    {"ociVersion", "-", "ociVersion: "},
    {"ociVersion", "\"2.0.0\"", "ociVersion: version 2.0.0"},
    {"ociVersion", "1", "ociVersion: must be a string"},
    {"root", "-", "root: must be set"},
    {"root", "[]", "root: must be an object"},
    {"root.path", "\"\"", "root.path: must not be empty"},
    {"root.readonly", "1", "root.readonly: must be true or false"},
    {"process", "-", "process: must be set"},
    {"process", "null", "process: must be set"},
    {"process.args", "[]", "process.args: must not be empty"},
    {"process.args", "-", "process.args: must not be empty"},
    {"process.args", "\"sh\"", "process.args: must be a list of strings"},
    {"process.args", "[\"a\",1]", "process.args[1]: must be a string"},
    {"process.args", "[\"\"]", "process.args[0]: must not be empty"},
    {"process.cwd", "\"rel\"", "process.cwd: must be an absolute path"},
    {"process.cwd", "-", "process.cwd: must be an absolute path"},
    {"process.env", "{}", "process.env: "},
    {"process.terminal", "\"yes\"", "process.terminal: "},
    {"process.user.uid", "-1", "process.user.uid: -1 is out of range"},
    {"process.user.uid", "4294967295", "process.user.uid: "},
    {"process.user.gid", "\"0\"", "process.user.gid: must be an integer"},
    {"process.user.additionalGids", "[1,-1]", "process.user.additionalGids[1]: "},
    {"process.user.umask", "512", "process.user.umask: "},
    {"process.capabilities.effective", "[1]", "process.capabilities.effective[0]: "},
    {"process.oomScoreAdj", "1001", "process.oomScoreAdj: "},
    {"process.rlimits", "[{\"type\":\"RLIMIT_FOO\",\"hard\":1,\"soft\":1}]", "process.rlimits[0].type: "},
    {"process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"hard\":1,\"soft\":2}]", "process.rlimits[0].soft: "},
    {"process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"hard\":1}]", "process.rlimits[0].soft: must be an integer"},
    {"process.rlimits",
     "[{\"type\":\"RLIMIT_CORE\",\"hard\":1,\"soft\":1},{\"type\":\"RLIMIT_CORE\",\"hard\":1,\"soft\":1}]",
     "process.rlimits[1].type: RLIMIT_CORE is given twice"},
    {"hostname", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "hostname: "},
    {"annotations", "{\"a\":1}", "annotations.a: must be a string"},
    {"mounts", "{}", "mounts: must be a list"},
    {"mounts", "[1]", "mounts[0]: must be an object"},
    {"mounts", "[{\"type\":\"proc\"}]", "mounts[0].destination: must not be empty"},
    {"mounts", "[{\"destination\":\"/x\"}]", "mounts[0].type: must not be empty"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"bind\"}]", "mounts[0].source: must not be empty"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":\"ro\"}]", "mounts[0].options: "},
    {"hooks", "{\"prestart\":[{\"path\":\"rel\"}]}", "hooks.prestart[0].path: must be an absolute path"},
    {"hooks", "{\"startContainer\":[{\"path\":\"/bin/true\"}]}", "hooks.startContainer: not supported"},
    {"linux", "1", "linux: must be an object"},
    {"linux.namespaces", "[{\"type\":\"foo\"}]", "linux.namespaces[0].type: namespace \"foo\" does not exist"},
    {"linux.namespaces", "[{\"type\":\"pid\"},{\"type\":\"pid\"}]", "linux.namespaces[1].type: pid is given twice"},
    {"linux.namespaces", "[{\"type\":\"network\",\"path\":\"x\"}]", "linux.namespaces[0].path: "},
    {"linux.namespaces", "[{\"type\":\"pid\"}]", "hostname: unable to set hostname without a private UTS namespace"},
    {"linux.namespaces", "[{\"type\":\"uts\"},{\"type\":\"user\"}]", "linux.uidMappings: a new user namespace"},
    {"linux.uidMappings", "[{\"containerID\":0,\"hostID\":0,\"size\":1}]", "linux.uidMappings: needs a user namespace"},
    {"linux.uidMappings", "[{\"containerID\":0}]", "linux.uidMappings[0]: containerID, hostID and size must be set"},
    {"linux.devices", "[{\"path\":\"/dev/x\",\"type\":\"z\"}]", "linux.devices[0].type: "},
    {"linux.sysctl", "{\"a\":1}", "linux.sysctl.a: must be a string"},
    {"linux.maskedPaths", "[\"x\"]", "linux.maskedPaths[0]: must be an absolute path"},
    {"linux.cgroupsPath", "1", "linux.cgroupsPath: must be a string"},
    {"linux.resources", "{\"memory\":{\"limit\":\"1g\"}}", "linux.resources.memory.limit: must be an integer"},
    {"linux.resources", "{\"memory\":{\"limit\":2000,\"swap\":1000}}", "linux.resources.memory.swap: "},
    {"linux.resources", "{\"blockIO\":{\"weight\":5}}", "linux.resources.blockIO.weight: "},
    {"linux.resources", "{\"devices\":[{\"allow\":true,\"access\":\"x\"}]}", "linux.resources.devices[0].access: "},
    {"linux.resources", "{\"unified\":{\"../x\":\"1\"}}", "linux.resources.unified: "},
};

START_TEST(refusals_name_the_field) {
  refused(bad[_i].path, bad[_i].text, bad[_i].expected);
}
END_TEST

START_TEST(unset_values_are_zero) {
  struct oci_resources r = {0};
  struct err e;
  json_t *o = json_loads("{\"memory\":{\"limit\":104857600,\"reservation\":0,\"swap\":209715200,\"kernel\":0},"
                         "\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0},\"blockIO\":{\"weight\":0}}",
                         0, NULL);
  ck_assert_msg(!spec_parse_resources(&r, o, "resources", &e), "%s", e.msg);
  ck_assert_int_eq(r.mem_limit, 104857600);
  ck_assert_int_eq(r.blkio_weight, 0);
  ck_assert(!r.have_oom_disable && !r.have_swappiness);
  spec_free_resources(&r);
  json_decref(o);
}
END_TEST

START_TEST(device_rules_have_wildcards) {
  struct oci_resources r = {0};
  struct err e;
  json_t *o = json_loads("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
                         "{\"allow\":true,\"type\":\"c\",\"major\":136,\"access\":\"rw\"}]}",
                         0, NULL);
  ck_assert(!spec_parse_resources(&r, o, "resources", &e));
  ck_assert_int_eq(r.devices[0].type, 'a');
  ck_assert_int_eq(r.devices[1].major, 136);
  ck_assert_int_eq(r.devices[1].minor, -1);
  spec_free_resources(&r);
  json_decref(o);
}
END_TEST

START_TEST(mount_options) {
  struct oci_spec s;
  struct err e;
  json_t *doc = base();
  edit(doc, "mounts",
       "[{\"destination\":\"/a b\",\"type\":\"none\",\"source\":\"/src\",\"options\":[\"rbind\",\"ro\",\"rprivate\"]},"
       "{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"nosuid\",\"size=1m\",\"tmpcopyup\",\"suid\"]},"
       "{\"destination\":\"/f\",\"type\":\"bind\",\"source\":\"rel\"}]");
  ck_assert_msg(!spec_parse(&s, doc, &e), "%s", e.msg);
  ck_assert_int_eq(spec_number_trees(&s), 3);
  ck_assert(s.mounts[0].bind && s.mounts[0].tree == 1);
  ck_assert_uint_eq(s.mounts[0].flags, MS_BIND | MS_REC | MS_RDONLY);
  ck_assert(!s.mounts[1].bind && s.mounts[1].tmpcopyup && s.mounts[1].flags == 0);
  ck_assert_str_eq(s.mounts[1].data, "size=1m");
  ck_assert(s.mounts[2].bind && s.mounts[2].tree == 2);
  spec_free(&s);
  json_decref(doc);
}
END_TEST

static json_t *load_text(const char *text, size_t len, struct err *e) {
  char path[] = "/tmp/test_spec_XXXXXX";
  int fd = mkstemp(path);
  ck_assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
  close(fd);
  json_t *o = js_load_file(path, e);
  unlink(path);
  return o;
}

START_TEST(files_are_bounded_and_checked) {
  struct err e;
  ck_assert_ptr_null(load_text("{\"a\":", 5, &e));
  ck_assert_ptr_nonnull(strstr(e.msg, "line 1"));
  ck_assert_ptr_null(load_text("", 0, &e));
  ck_assert_ptr_null(load_text("[1]", 3, &e));
  ck_assert_ptr_nonnull(strstr(e.msg, "must hold a JSON object"));
  ck_assert_ptr_null(js_load_file("/nonexistent/config.json", &e));
  ck_assert_str_eq(e.msg, "open /nonexistent/config.json: no such file or directory");
  ck_assert_ptr_null(js_load_file("/dev/zero", &e));
  ck_assert_ptr_nonnull(strstr(e.msg, "larger than 16 MiB"));
  ck_assert_ptr_null(load_text("{\"a\":1,\"a\":2}", 13, &e)); /* contradiction */
  json_t *o = load_text("{\"a\":18446744073709551615,\"b\":\"184", 34, &e);
  ck_assert_ptr_null(o); /* cut off */
  const char *big = "{\"a\":18446744073709551615,\"b\":\"18446744073709551615\",\"c\":9223372036854775807}";
  o = load_text(big, strlen(big), &e);
  ck_assert_ptr_nonnull(o);
  ck_assert(json_is_real(json_object_get(o, "a")));
  ck_assert_str_eq(json_string_value(json_object_get(o, "b")), "18446744073709551615");
  ck_assert_int_eq(json_integer_value(json_object_get(o, "c")), INT64_MAX);
  json_decref(o);
}
END_TEST

START_TEST(infinite_limits) {
  struct oci_process p;
  struct err e;
  const char *text =
      "{\"args\":[\"x\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_MEMLOCK\",\"hard\":18446744073709551615,"
      "\"soft\":18446744073709551615}]}";
  json_t *o = js_loadb(text, strlen(text), NULL);
  ck_assert_ptr_nonnull(o);
  ck_assert_msg(!spec_parse_process(&p, o, "process", &e), "%s", e.msg);
  ck_assert(p.rlimits[0].hard == UINT64_MAX && p.rlimits[0].soft == UINT64_MAX);
  ck_assert(!p.have_caps && p.umask == -1);
  spec_free_process(&p);
  json_decref(o);
}
END_TEST

int main(void) {
  Suite *s = suite_create("spec");
  TCase *c = tcase_create("spec");
  tcase_add_test(c, default_is_valid);
  tcase_add_loop_test(c, refusals_name_the_field, 0, sizeof bad / sizeof *bad);
  tcase_add_test(c, unset_values_are_zero);
  tcase_add_test(c, device_rules_have_wildcards);
  tcase_add_test(c, mount_options);
  tcase_add_test(c, files_are_bounded_and_checked);
  tcase_add_test(c, infinite_limits);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
