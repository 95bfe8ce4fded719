/* fork, vfork, clone, clone3; unshare and setns. */
#include "../core/errno.h"
#include "../core/ipc/ipc.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "../fs/vfs.h"
#include "table.h"
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#define CLONE_NEW_ANY                                                                                                  \
  (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP |         \
   CLONE_NEWTIME)

static int made_pidfd(struct task *t, struct pid *child, const struct clone_args_k *a) {
  struct file *f = pidfd_file_new(t->k, child, 0);
  if (!f)
    return -ENOMEM;
  int fd = fd_install(t->files, f, 0, true);
  file_put(f);
  if (fd < 0)
    return fd;
  if (put_user(a->pidfd, &fd)) {
    fd_close(t->files, fd);
    return -EFAULT;
  }
  return 0;
}

static int64_t do_clone(struct task *t, struct clone_args_k *k) {
  if (k->flags & CLONE_PIDFD)
    k->made = made_pidfd;
  return task_clone(t, k);
}

SYSCALL_HANDLER(fork) {
  return do_clone(t, &(struct clone_args_k){.exit_signal = SIGCHLD});
}
SYSCALL_HANDLER(vfork) {
  return do_clone(t, &(struct clone_args_k){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

SYSCALL_HANDLER(clone) {
  struct clone_args_k k = {.flags = a[0] & 0xffffffff & ~(uint64_t)CSIGNAL,
                           .exit_signal = (int)(a[0] & CSIGNAL),
                           .stack = a[1],
                           .parent_tid = a[2],
                           .pidfd = a[2],
                           .child_tid = a[3],
                           .tls = a[4]};
  /* One argument serves both. */
  if ((k.flags & CLONE_PIDFD) && (k.flags & CLONE_PARENT_SETTID))
    return -EINVAL;
  if (k.exit_signal > NSIG_GUEST)
    k.exit_signal = 0;
  return do_clone(t, &k);
}

static int clone3_check(const struct clone_args *c) {
  if (c->flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
    return -EINVAL;
  if (c->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
    return -EINVAL;
  if ((c->flags & (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND)) == (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND))
    return -EINVAL;
  if ((c->flags & (CLONE_THREAD | CLONE_PARENT)) && c->exit_signal)
    return -EINVAL;
  if ((c->exit_signal & ~(uint64_t)CSIGNAL) || c->exit_signal > NSIG_GUEST)
    return -EINVAL;
  if (!c->stack != !c->stack_size)
    return -EINVAL;
  if (c->stack && !access_ok(c->stack, c->stack_size))
    return -EINVAL;
  if (c->set_tid_size > 32 || !c->set_tid != !c->set_tid_size)
    return -EINVAL;
  return 0;
}

/* A struct that may be longer than we know, if the rest is zero (copy_struct_from_user()). */
static int copy_clone_args(struct clone_args *c, uint64_t addr, uint64_t size) {
  char buf[256];
  if (size > PAGE_SIZE)
    return -E2BIG;
  if (size < CLONE_ARGS_SIZE_VER0)
    return -EINVAL;
  memset(c, 0, sizeof *c);
  size_t known = size < sizeof *c ? size : sizeof *c;
  if (copy_from_user(c, addr, known))
    return -EFAULT;
  for (uint64_t off = known; off < size; off += sizeof buf) {
    size_t n = size - off < sizeof buf ? size - off : sizeof buf;
    if (copy_from_user(buf, addr + off, n))
      return -EFAULT;
    for (size_t i = 0; i < n; i++)
      if (buf[i])
        return -E2BIG;
  }
  return 0;
}

SYSCALL_HANDLER(clone3) {
  struct clone_args c;
  int err = copy_clone_args(&c, a[0], a[1]);
  if (!err)
    err = clone3_check(&c);
  if (err)
    return err;
  struct clone_args_k k = {.flags = c.flags,
                           .exit_signal = (int)c.exit_signal,
                           .stack = c.stack,
                           .stack_size = c.stack_size,
                           .tls = c.tls,
                           .parent_tid = c.parent_tid,
                           .child_tid = c.child_tid,
                           .pidfd = c.pidfd,
                           .nset_tid = (int)c.set_tid_size};
  if (k.nset_tid && copy_from_user(k.set_tid, c.set_tid, (size_t)k.nset_tid * sizeof k.set_tid[0]))
    return -EFAULT;
  for (int i = 0; i < k.nset_tid; i++)
    if (k.set_tid[i] < 1)
      return -EINVAL;
  return do_clone(t, &k);
}

static int unshare_files(struct task *t) {
  if (t->files->ref.n == 1)
    return 0;
  struct fdtable *own = fdtable_dup(t->files), *old = t->files;
  if (!own)
    return -ENOMEM;
  t->files = own;
  fdtable_put(old);
  return 0;
}

/* What implies what, and what asks for a process that shares nothing (check_unshare_flags()). */
static int unshare_check(const struct task *t, uint64_t *f) {
  if (*f &
      ~(uint64_t)(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | CLONE_NEW_ANY))
    return -EINVAL;
  if (*f & CLONE_NEWUSER)
    *f |= CLONE_THREAD | CLONE_FS;
  if (*f & CLONE_VM)
    *f |= CLONE_SIGHAND;
  if (*f & CLONE_SIGHAND)
    *f |= CLONE_THREAD;
  if (*f & CLONE_NEWNS)
    *f |= CLONE_FS;
  if ((*f & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && t->proc->nthreads > 1)
    return -EINVAL;
  if ((*f & (CLONE_SIGHAND | CLONE_VM)) && t->sighand->ref.n > 1)
    return -EINVAL;
  return 0;
}

SYSCALL_HANDLER(unshare) {
  uint64_t f = a[0];
  int err = unshare_check(t, &f);
  if (!err)
    err = task_unshare_ns(t, f);
  if (!err && (f & CLONE_FILES))
    err = unshare_files(t);
  return err;
}

SYSCALL_HANDLER(setns) {
  unsigned flags = (unsigned)a[1];
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  struct pid *pid = pidfd_pid_borrow(f);
  if (pid)
    return !flags || (flags & ~(unsigned)CLONE_NEW_ANY) ? -EINVAL : task_setns_pid(t, pid, flags);
  struct ns_common *ns = nsfs_ns_borrow(f);
  if (!ns || (flags && flags != (unsigned)ns_clone_flag(ns->kind)))
    return -EINVAL;
  return task_setns(t, ns);
}
