/* A task in a namespace whose root is a tmpfs, without platform, loop or fiber. */
#pragma once
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../fs/namei.h"
#include <check.h>
#include <stdlib.h>

struct vt {
  struct kernel *k;
  struct task task;
  struct process proc;
  struct pid pid;
  struct mount *mnt;
};

static inline void vt_setup(struct vt *v, const char *options) {
  memset(v, 0, sizeof *v);
  v->task.cred = cred_new();
  v->task.cred->cap_eff = v->task.cred->cap_prm = ~0ull;
  v->k = kernel_new(NULL);
  ck_assert_ptr_nonnull(v->k);
  if (!v->k->vfs)
    ck_assert_int_eq(vfs_init(v->k), 0);
  struct super *sb;
  ck_assert_int_eq(tmpfs_mount(v->k, options, &sb), 0);
  ck_assert_int_eq(vfs_mount(v->k->vfs, v->k->vfs->init_ns, sb, NULL, 0, "tmpfs", &v->mnt), 0);
  super_put(sb);
  struct path root = {v->mnt, v->mnt->root};
  v->task.k = v->k;
  v->task.proc = &v->proc;
  v->proc.pid = &v->pid;
  v->pid.nr = 1;
  for (int i = 0; i < RLIM_NLIMITS; i++)
    v->proc.rlim[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
  v->task.fs = fs_ctx_new(&root);
  v->task.files = fdtable_new();
}

static inline void vt_user(struct vt *v, uint32_t uid, uint32_t gid) {
  struct cred *c = v->task.cred;
  c->uid = c->euid = c->suid = c->fsuid = uid;
  c->gid = c->egid = c->sgid = c->fsgid = gid;
  c->cap_eff = c->cap_prm = 0;
}

static inline void vt_teardown(struct vt *v) {
  fdtable_put(v->task.files);
  v->k->hooks.fs_ctx_put(v->task.fs);
  mount_put(v->mnt);
  free(v->task.cred->groups);
  free(v->task.cred);
  vfs_free(v->k);
  kernel_free(v->k);
}

static inline int vt_open(struct vt *v, const char *name, int flags, uint32_t mode, struct file **out) {
  struct open_how_k how = {.flags = flags, .mode = mode};
  return vfs_open(&v->task, AT_FDCWD, name, &how, out);
}

static inline ssize_t vt_rw(struct file *f, void *buf, size_t n, bool write, off_t *pos) {
  struct iovec iov;
  struct uio u;
  uio_kernel(&u, &iov, buf, n);
  return write ? file_write(f, &u, pos) : file_read(f, &u, pos);
}

static inline int vt_run(Suite *s) {
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
