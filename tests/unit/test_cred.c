#include "proc_util.h"
#include <linux/capability.h>
#include <linux/securebits.h>

#define ALL ((2ull << CAP_LAST) - 1)
#define BIT(c) (1ull << (c))

static struct cred *user(uint32_t id, uint64_t caps) {
  struct cred *c = cred_new();
  c->uid = c->euid = c->suid = c->fsuid = id;
  c->gid = c->egid = c->sgid = c->fsgid = id;
  c->cap_prm = c->cap_eff = caps;
  c->cap_bnd = ALL;
  return c;
}

static struct stat file(uint32_t uid, uint32_t gid, mode_t mode) {
  return (struct stat){.st_uid = uid, .st_gid = gid, .st_mode = S_IFREG | mode};
}

/* As the file's set-id bits alone make it. */
static struct cred *exec_as(const struct cred *old, const struct stat *st, bool nosuid) {
  struct exec_file f = {.st = *st, .may_suid = !nosuid, .ncaps = -ENODATA};
  struct exec_cred out;
  ck_assert_int_eq(cred_exec(old, &f, 0, &out), 0);
  return out.cred;
}

START_TEST(exec_by_user_loses_caps) {
  struct stat st = file(0, 0, 0755);
  struct cred *old = user(1000, BIT(CAP_NET_RAW)), *c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->cap_prm, 0);
  ck_assert_uint_eq(c->cap_eff, 0);
  ck_assert_uint_eq(c->euid, 1000);
}
END_TEST

START_TEST(exec_by_root) {
  struct stat st = file(0, 0, 0755);
  struct cred *old = user(0, 0);
  old->cap_bnd = BIT(CAP_CHOWN) | BIT(CAP_KILL);
  struct cred *c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->cap_prm, old->cap_bnd);
  ck_assert_uint_eq(c->cap_eff, old->cap_bnd);
  old->securebits = SECBIT_NOROOT;
  c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->cap_prm, 0);
  old->securebits = 0;
  old->no_new_privs = true; /* nothing is gained then, by root either */
  c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->cap_prm, 0);
}
END_TEST

START_TEST(exec_setuid) {
  struct stat st = file(0, 0, 04755);
  struct cred *old = user(1000, 0), *c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->uid, 1000);
  ck_assert_uint_eq(c->euid, 0);
  ck_assert_uint_eq(c->suid, 0);
  ck_assert_uint_eq(c->fsuid, 0);
  ck_assert_uint_eq(c->cap_eff, ALL);
  c = exec_as(old, &st, true);
  ck_assert_uint_eq(c->euid, 1000);
  old->no_new_privs = true;
  c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->euid, 1000);
  ck_assert_uint_eq(c->cap_eff, 0);
}
END_TEST

START_TEST(exec_setgid_needs_group_execute) {
  struct cred *old = user(1000, 0);
  struct stat st = file(0, 50, 02755), lock = file(0, 50, 02644);
  ck_assert_uint_eq(exec_as(old, &st, false)->egid, 50);
  ck_assert_uint_eq(exec_as(old, &lock, false)->egid, 1000);
}
END_TEST

START_TEST(exec_ambient) {
  struct stat st = file(0, 0, 0755), suid = file(7, 0, 04755);
  struct cred *old = user(1000, BIT(CAP_NET_BIND_SERVICE));
  old->cap_inh = old->cap_amb = BIT(CAP_NET_BIND_SERVICE);
  struct cred *c = exec_as(old, &st, false);
  ck_assert_uint_eq(c->cap_eff, BIT(CAP_NET_BIND_SERVICE));
  ck_assert_uint_eq(c->cap_amb, BIT(CAP_NET_BIND_SERVICE));
  c = exec_as(old, &suid, false);
  ck_assert_uint_eq(c->cap_amb, 0);
  ck_assert_uint_eq(c->cap_eff, 0);
}
END_TEST

static int exec_file_caps(const struct cred *old, uint32_t magic, uint32_t prm, uint32_t inh, struct exec_cred *out) {
  struct exec_file f = {.st = file(0, 0, 0755), .may_suid = true, .ncaps = sizeof(struct vfs_cap_data)};
  struct vfs_cap_data d = {magic, {{prm, inh}, {0, 0}}};
  memcpy(f.caps, &d, sizeof d);
  return cred_exec(old, &f, 0, out);
}

START_TEST(exec_with_file_caps) {
  struct cred *old = user(1000, 0);
  struct exec_cred out;
  uint32_t raw = BIT(CAP_NET_RAW), bind = BIT(CAP_NET_BIND_SERVICE), v2 = VFS_CAP_REVISION_2;
  ck_assert_int_eq(exec_file_caps(old, v2 | VFS_CAP_FLAGS_EFFECTIVE, raw, bind, &out), 0);
  ck_assert(out.secure && out.gained);
  ck_assert_uint_eq(out.cred->cap_prm, raw);
  ck_assert_uint_eq(out.cred->cap_eff, raw);
  old->cap_inh = bind;
  ck_assert_int_eq(exec_file_caps(old, v2, raw, bind, &out), 0);
  ck_assert_uint_eq(out.cred->cap_prm, raw | bind);
  ck_assert_uint_eq(out.cred->cap_eff, 0);
  old->cap_bnd = 0; /* only a program that asks for effective ones is refused */
  ck_assert_int_eq(exec_file_caps(old, v2, raw, 0, &out), 0);
  ck_assert_int_eq(exec_file_caps(old, v2 | VFS_CAP_FLAGS_EFFECTIVE, raw, 0, &out), -EPERM);
  ck_assert_int_eq(exec_file_caps(old, VFS_CAP_REVISION_3, raw, 0, &out), -EINVAL); /* of another length */
  ck_assert_int_eq(exec_file_caps(old, 0x07000000, raw, 0, &out), -EINVAL);
}
END_TEST

START_TEST(leaving_root_drops_caps) {
  struct cred *old = user(0, ALL), *c = cred_dup(old);
  c->uid = c->euid = c->suid = c->fsuid = 1000;
  cred_fixup_setuid(c, old);
  ck_assert_uint_eq(c->cap_prm, 0);
  ck_assert_uint_eq(c->cap_eff, 0);
  c = cred_dup(old);
  c->securebits = SECBIT_KEEP_CAPS;
  c->uid = c->euid = c->suid = c->fsuid = 1000;
  cred_fixup_setuid(c, old);
  ck_assert_uint_eq(c->cap_prm, ALL);
  ck_assert_uint_eq(c->cap_eff, 0);
  c = cred_dup(old);
  c->euid = 1000; /* seteuid: effective only, and back */
  cred_fixup_setuid(c, old);
  ck_assert_uint_eq(c->cap_prm, ALL);
  ck_assert_uint_eq(c->cap_eff, 0);
  struct cred *back = cred_dup(c);
  back->euid = 0;
  cred_fixup_setuid(back, c);
  ck_assert_uint_eq(back->cap_eff, ALL);
}
END_TEST

START_TEST(groups_and_signals) {
  struct cred *a = user(1000, 0), *b = user(1001, 0), *root = user(0, ALL);
  a->groups = malloc(8);
  a->groups[0] = 4;
  a->groups[1] = 27;
  a->ngroups = 2;
  struct cred *d = cred_dup(a);
  ck_assert_ptr_ne(d->groups, a->groups);
  ck_assert(cred_in_group(d, 27) && cred_in_group(d, 1000) && !cred_in_group(d, 5));
  ck_assert(!cred_may_signal(a, b) && cred_may_signal(root, b) && !cred_may_signal(a, root));
  struct cred *su = user(0, ALL);
  su->uid = 1000; /* a set-user-ID program of a's */
  ck_assert(cred_may_signal(a, su));
  cred_put(d);
}
END_TEST

START_TEST(limits) {
  struct task *init;
  util_kernel(&init);
  struct rlimit r = {.rlim_cur = 10, .rlim_max = 5};
  ck_assert_int_eq(process_set_rlimit(init, init->proc, RLIMIT_CORE, &r), -EINVAL);
  r = (struct rlimit){10, 20};
  ck_assert_int_eq(process_set_rlimit(init, init->proc, RLIMIT_NOFILE, &r), 0);
  ck_assert_uint_eq(task_rlimit(init, RLIMIT_NOFILE), 10);
  r.rlim_max = 30;
  ck_assert_int_eq(process_set_rlimit(init, init->proc, RLIMIT_NOFILE, &r), -EPERM);
  init->cred->cap_eff = BIT(CAP_SYS_RESOURCE);
  ck_assert_int_eq(process_set_rlimit(init, init->proc, RLIMIT_NOFILE, &r), 0);
  r.rlim_max = 1u << 30;
  ck_assert_int_eq(process_set_rlimit(init, init->proc, RLIMIT_NOFILE, &r), -EPERM);
}
END_TEST

int main(void) {
  Suite *s = suite_create("cred");
  TCase *c = tcase_create("cred");
  tcase_add_test(c, exec_by_user_loses_caps);
  tcase_add_test(c, exec_by_root);
  tcase_add_test(c, exec_setuid);
  tcase_add_test(c, exec_setgid_needs_group_execute);
  tcase_add_test(c, exec_ambient);
  tcase_add_test(c, exec_with_file_caps);
  tcase_add_test(c, leaving_root_drops_caps);
  tcase_add_test(c, groups_and_signals);
  tcase_add_test(c, limits);
  suite_add_tcase(s, c);
  return util_run(s);
}
