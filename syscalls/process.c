/* Who am I, and the end: getpid(2), setsid(2), setpgid(2), exit(2). Session and group rules are in core/session.c. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "table.h"

SYSCALL_HANDLER(getpid) {
  return pid_vnr(t->proc->pid);
}
SYSCALL_HANDLER(gettid) {
  return pid_vnr(t->tid);
}
SYSCALL_HANDLER(getppid) {
  return t->proc->parent ? pid_vnr(t->proc->parent->pid) : 0;
}
SYSCALL_HANDLER(getpgrp) {
  return pid_vnr(t->proc->pgrp);
}
SYSCALL_HANDLER(setsid) {
  return process_setsid(t->proc);
}
SYSCALL_HANDLER(setpgid) {
  return process_setpgid(t, (int)a[0], (int)a[1]);
}

/* The process of a pid argument, which may name any of its threads; 0: the caller. NULL: -ESRCH. */
static struct process *process_arg(struct task *t, int pid) {
  if (pid == 0)
    return t->proc;
  struct task *o = task_find_borrow(t->k, pid);
  return o ? o->proc : process_find_borrow(t->k, pid);
}

SYSCALL_HANDLER(getpgid) {
  struct process *p = process_arg(t, (int)a[0]);
  return p && p->pgrp ? pid_vnr(p->pgrp) : -ESRCH;
}

SYSCALL_HANDLER(getsid) {
  struct process *p = process_arg(t, (int)a[0]);
  return p && p->session ? pid_vnr(p->session) : -ESRCH;
}

SYSCALL_HANDLER(set_tid_address) {
  t->clear_child_tid = a[0];
  return pid_vnr(t->tid);
}

/* task_run.c sees `killed` on the way out and runs task_exit(). */
SYSCALL_HANDLER(exit) {
  t->exit_code = (int)(a[0] & 0xff) << 8;
  t->killed = true;
  return 0;
}

SYSCALL_HANDLER(exit_group) {
  process_exit_group(t->proc, (int)(a[0] & 0xff) << 8);
  return 0;
}

/* kcmp(2): an order over kernel objects, without telling where they are. */
static int64_t order(const void *x, const void *y) {
  return x == y ? 0 : x < y ? 1 : 2;
}

static int64_t kcmp_file(struct task *x, struct task *y, const uint64_t *a) {
  struct file *fx = x->files ? fd_file_raw(x->files, (int)a[3]) : NULL;
  struct file *fy = y->files ? fd_file_raw(y->files, (int)a[4]) : NULL;
  int64_t r = fx && fy ? order(fx, fy) : -EBADF;
  if (fx)
    file_put(fx);
  if (fy)
    file_put(fy);
  return r;
}

SYSCALL_HANDLER(kcmp) {
  enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };
  struct task *x = task_find_borrow(t->k, (int)a[0]), *y = task_find_borrow(t->k, (int)a[1]);
  if (!x || !y)
    return -ESRCH;
  if (!task_may_access(t, x) || !task_may_access(t, y))
    return -EPERM;
  switch ((int)a[2]) {
  case KCMP_FILE:
    return kcmp_file(x, y, a);
  case KCMP_VM:
    return order(x->mm, y->mm);
  case KCMP_FILES:
    return order(x->files, y->files);
  case KCMP_FS:
    return order(x->fs, y->fs);
  case KCMP_SIGHAND:
    return order(x->sighand, y->sighand);
  case KCMP_SYSVSEM:
    return order(x->sem_undo, y->sem_undo);
  default:
    return -EINVAL;
  }
}

SYSCALL_HANDLER(personality) {
  uint32_t old = t->personality;
  if ((uint32_t)a[0] != 0xffffffff)
    t->personality = (uint32_t)a[0];
  return old;
}

/* The common registration goes along with the answer to the call. What else there is, the host judges. */
SYSCALL_HANDLER(rseq) {
  uint64_t addr = a[0];
  uint32_t len = (uint32_t)a[1], sig = (uint32_t)a[3];
  int flags = (int)a[2];
  if (!flags && !t->rseq.addr && addr && len == 32 && addr % 32 == 0 && access_ok(addr, len)) {
    struct plat_order o = {.kind = PLAT_RSEQ, .addr = addr, .len = len, .sig = sig, .fd = -1};
    int r = plat_order(t->ctx, &o);
    if (r == 0)
      t->rseq = (struct rseq_reg){addr, len, sig};
    return r;
  }
  int64_t r = plat_rseq(t->ctx, addr, len, flags, sig);
  if (r == 0)
    t->rseq = flags & 1 ? (struct rseq_reg){0} : (struct rseq_reg){addr, len, sig};
  return r;
}

SYSCALL_HANDLER(membarrier) {
  return plat_membarrier(t->ctx, (int)a[0], (unsigned)a[1], (int)a[2]);
}
