/* Signal calls: decode, check, and call core/signal*.c. The kernel's sigset is 8 bytes. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "../fs/proc/proc.h"
#include "table.h"
#include <string.h>

#define SIGSET_SIZE 8

SYSCALL_HANDLER(rt_sigaction) {
  struct ksigaction new, old;
  if (a[3] != SIGSET_SIZE)
    return -EINVAL;
  if (a[1] && get_user(&new, a[1]))
    return -EFAULT;
  int err = signal_action(t, (int)a[0], a[1] ? &new : NULL, &old);
  if (err)
    return err;
  return a[2] && put_user(a[2], &old) ? -EFAULT : 0;
}

SYSCALL_HANDLER(rt_sigprocmask) {
  sigset64_t set, old = t->blocked;
  if (a[3] != SIGSET_SIZE)
    return -EINVAL;
  if (a[1]) {
    if (get_user(&set, a[1]))
      return -EFAULT;
    switch ((int)a[0]) {
    case SIG_BLOCK:
      set |= old;
      break;
    case SIG_UNBLOCK:
      set = old & ~set;
      break;
    case SIG_SETMASK:
      break;
    default:
      return -EINVAL;
    }
    signal_set_blocked(t, set);
  }
  return a[2] && put_user(a[2], &old) ? -EFAULT : 0;
}

SYSCALL_HANDLER(rt_sigpending) {
  sigset64_t set = signal_pending_set(t);
  if (a[1] > SIGSET_SIZE)
    return -EINVAL;
  return copy_to_user(a[0], &set, a[1]) ? -EFAULT : 0;
}

SYSCALL_HANDLER(rt_sigsuspend) {
  sigset64_t set;
  if (a[1] != SIGSET_SIZE)
    return -EINVAL;
  if (get_user(&set, a[0]))
    return -EFAULT;
  signal_set_temp_mask(t, set);
  while (!signal_pending(t))
    task_sleep(NO_DEADLINE);
  return -ERESTARTNOHAND;
}

SYSCALL_HANDLER(pause) {
  while (!signal_pending(t))
    task_sleep(NO_DEADLINE);
  return -ERESTARTNOHAND;
}

/* Until one of `set` can be taken, another signal comes, or the deadline. */
static int wait_signal(struct task *t, sigset64_t set, int64_t deadline, siginfo_t *info) {
  set &= ~SIGSET_KERNEL_ONLY;
  for (;;) {
    int sig = signal_dequeue(t, set, info);
    if (sig)
      return sig;
    t->sigwait = set;
    int r = task_wait(&t->proc->signalfd_wq, 0, deadline);
    t->sigwait = 0;
    if (r == 0)
      continue;
    sig = signal_dequeue(t, set, info);
    if (sig)
      return sig;
    return r == -ETIMEDOUT ? -EAGAIN : -EINTR;
  }
}

SYSCALL_HANDLER(rt_sigtimedwait) {
  sigset64_t set;
  siginfo_t info;
  int64_t deadline = NO_DEADLINE;
  if (a[3] != SIGSET_SIZE)
    return -EINVAL;
  if (get_user(&set, a[0]))
    return -EFAULT;
  if (a[2]) {
    struct timespec ts;
    if (get_user(&ts, a[2]))
      return -EFAULT;
    if (!timespec_ok(&ts))
      return -EINVAL;
    deadline = deadline_after(timespec_ns(&ts));
  }
  int sig = wait_signal(t, set, deadline, &info);
  if (sig > 0 && a[1] && put_user(a[1], &info))
    return -EFAULT;
  return sig;
}

/* The stub restores the frame and reports PLAT_SIGRETURN; as a call it has no frame to return from. */
SYSCALL_HANDLER(rt_sigreturn) {
  force_sigsegv(t);
  return 0;
}

SYSCALL_HANDLER(restart_syscall) {
  return t->restart.fn ? t->restart.fn(t) : -EINTR;
}

SYSCALL_HANDLER(sigaltstack) {
  stack_t new, old;
  if (a[0] && get_user(&new, a[0]))
    return -EFAULT;
  struct plat_regs r;
  uint64_t sp = 0;
  if (t->ss_size && plat_get_regs(t->ctx, &r) == 0)
    sp = r.rsp;
  int err = signal_altstack(t, a[0] ? &new : NULL, &old, sp);
  if (err)
    return err;
  return a[1] && put_user(a[1], &old) ? -EFAULT : 0;
}

/* ---- sending ---- */

static int kill_process(struct task *t, struct process *p, int sig, const siginfo_t *info) {
  int err = signal_check_permission(t, p, sig);
  return err ? err : send_signal_process(p, sig, info);
}

/* All that a negative pid means. The result for many: success if one took it, else the last error. */
static int kill_many(struct task *t, struct pid *pgrp, int sig, const siginfo_t *info) {
  int err = -ESRCH, ok = 0;
  struct process *p;
  if (pgrp) {
    LIST_FOREACH(p, &pgrp->pgrp, pgrp_link) {
      int r = kill_process(t, p, sig, info);
      ok |= !r;
      err = r;
    }
    return ok ? 0 : err;
  }
  LIST_FOREACH(p, &t->k->processes, all) {
    int nr = pid_vnr(p->pid);
    if (nr <= 1 || p == t->proc)
      continue;
    int r = kill_process(t, p, sig, info);
    if (r != -EPERM)
      err = r;
  }
  return err;
}

static bool sig_ok(int sig) {
  return sig >= 0 && sig <= NSIG_GUEST;
}

static struct process *process_of(struct kernel *k, int pid) {
  struct process *p = process_find_borrow(k, pid);
  if (p)
    return p;
  struct task *o = task_find_borrow(k, pid); /* kill(2) of a thread's number reaches its process */
  return o ? o->proc : NULL;
}

SYSCALL_HANDLER(kill) {
  int pid = (int)a[0], sig = (int)a[1];
  siginfo_t info;
  if (!sig_ok(sig))
    return -EINVAL;
  siginfo_user(t, sig, SI_USER, &info);
  if (pid > 0) {
    struct process *p = process_of(t->k, pid);
    return p ? kill_process(t, p, sig, &info) : -ESRCH;
  }
  if (pid == -1)
    return kill_many(t, NULL, sig, &info);
  if (pid == INT32_MIN)
    return -ESRCH;
  struct pid *pgrp = pid ? pid_find_borrow(t->k, -pid) : t->proc->pgrp;
  return pgrp ? kill_many(t, pgrp, sig, &info) : -ESRCH;
}

static int64_t kill_thread(struct task *t, int tgid, int tid, int sig, const siginfo_t *info) {
  struct task *o = task_find_borrow(t->k, tid);
  if (!o || (tgid > 0 && pid_vnr(o->proc->pid) != tgid))
    return -ESRCH;
  int err = signal_check_permission(t, o->proc, sig);
  return err ? err : send_signal_task(o, sig, info);
}

SYSCALL_HANDLER(tgkill) {
  siginfo_t info;
  if ((int)a[0] <= 0 || (int)a[1] <= 0 || !sig_ok((int)a[2]))
    return -EINVAL;
  siginfo_user(t, (int)a[2], SI_TKILL, &info);
  return kill_thread(t, (int)a[0], (int)a[1], (int)a[2], &info);
}

SYSCALL_HANDLER(tkill) {
  siginfo_t info;
  if ((int)a[0] <= 0 || !sig_ok((int)a[1]))
    return -EINVAL;
  siginfo_user(t, (int)a[1], SI_TKILL, &info);
  return kill_thread(t, 0, (int)a[0], (int)a[1], &info);
}

/* Nobody may pretend to be the kernel or kill(2), but to himself. */
static int get_siginfo(struct task *t, uint64_t addr, int sig, struct process *to, siginfo_t *info) {
  if (!sig_ok(sig))
    return -EINVAL;
  if (copy_from_user(info, addr, sizeof *info))
    return -EFAULT;
  info->si_signo = sig;
  if ((info->si_code >= 0 || info->si_code == SI_TKILL) && to != t->proc)
    return -EPERM;
  return 0;
}

SYSCALL_HANDLER(rt_sigqueueinfo) {
  siginfo_t info;
  struct process *p = process_of(t->k, (int)a[0]);
  struct pid *hold = p ? pid_get(p->pid) : NULL;
  int err = get_siginfo(t, a[2], (int)a[1], p, &info);
  p = hold ? hold->process : NULL; /* copying may park */
  if (!err)
    err = p ? kill_process(t, p, (int)a[1], &info) : -ESRCH;
  pid_put(hold);
  return err;
}

SYSCALL_HANDLER(rt_tgsigqueueinfo) {
  siginfo_t info;
  if ((int)a[0] <= 0 || (int)a[1] <= 0)
    return -EINVAL;
  struct task *o = task_find_borrow(t->k, (int)a[1]);
  int err = get_siginfo(t, a[3], (int)a[2], o ? o->proc : NULL, &info);
  return err ? err : kill_thread(t, (int)a[0], (int)a[1], (int)a[2], &info);
}

/* ---- pidfds ---- */

SYSCALL_HANDLER(pidfd_open) {
  if ((int)a[0] <= 0 || ((unsigned)a[1] & ~(unsigned)(O_NONBLOCK | O_EXCL)))
    return -EINVAL;
  struct pid *pid = pid_find_borrow(t->k, (int)a[0]);
  if (!pid || (!pid->process && !pid->task))
    return -ESRCH;
  if (!pid->process && !((unsigned)a[1] & O_EXCL))
    return -EINVAL; /* a thread that leads nothing, without PIDFD_THREAD */
  AUTO_FILE f = pidfd_file_new(t->k, pid, (int)a[1]);
  return f ? fd_install(t->files, f, 0, true) : -ENOMEM;
}

SYSCALL_HANDLER(pidfd_send_signal) {
  enum { TO_THREAD = 1, TO_PROCESS = 2, TO_PGRP = 4 }; /* PIDFD_SIGNAL_* */
  int sig = (int)a[1];
  unsigned to = (unsigned)a[3];
  siginfo_t info;
  if (to > TO_PGRP || __builtin_popcount(to) > 1)
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  struct pid *pid = f ? pidfd_pid_borrow(f) : NULL;
  if (f && !pid)
    pid = proc_pid_of_dir_borrow(f); /* pidfds began as such directories, and this call still takes them */
  if (!pid)
    return -EBADF;
  if (!to)
    to = f->flags & O_EXCL ? TO_THREAD : TO_PROCESS;
  if (a[2]) {
    if (copy_from_user(&info, a[2], sizeof info))
      return -EFAULT;
    if (info.si_signo != sig)
      return -EINVAL;
    bool own = pid->process == t->proc || (pid->task && pid->task->proc == t->proc);
    if ((!own || to == TO_PGRP) && (info.si_code >= 0 || info.si_code == SI_TKILL))
      return -EPERM;
  } else {
    siginfo_user(t, sig, to == TO_THREAD ? SI_TKILL : SI_USER, &info);
  }
  if (!sig_ok(sig) || !pid_vnr(pid)) /* only downwards from one's own pid namespace */
    return -EINVAL;
  if (to == TO_THREAD)
    return pid->task ? kill_thread(t, 0, pid->nr, sig, &info) : -ESRCH;
  if (to == TO_PGRP)
    return LIST_EMPTY(&pid->pgrp) ? -ESRCH : kill_many(t, pid, sig, &info);
  return pid->process ? kill_process(t, pid->process, sig, &info) : -ESRCH;
}

SYSCALL_HANDLER(pidfd_getfd) {
  if (a[2])
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  struct pid *pid = f ? pidfd_pid_borrow(f) : NULL;
  if (!pid)
    return -EBADF;
  struct task *o = pid->task ? pid->task : pid->process ? pid->process->leader : NULL;
  if (!o || o->exiting || !o->files)
    return -ESRCH;
  if (!task_may_access(t, o))
    return -EPERM;
  AUTO_FILE theirs = fd_file_raw(o->files, (int)a[1]);
  return theirs ? fd_install(t->files, theirs, 0, true) : -EBADF;
}
