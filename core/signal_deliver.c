/*
 * On the way back to the guest: group stops, default actions, handlers. arch/x86/kernel/signal.c and get_signal() of
 * Linux; signal(7), "Interruption of system calls and library functions by signal handlers".
 */
#include "coredump.h"
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "ptrace.h"
#include "signal.h"
#include "task.h"

#define SA_RESTORER_K 0x04000000ull
#define SS_AUTODISARM_BIT (1u << 31)
#define WCORE 0x80

/* ---- group stop ---- */

void signal_join_stop(struct task *t) {
  struct process *p = t->proc;
  if (!p->stop_ordered || t->stop_wanted || t->exiting)
    return;
  t->stop_wanted = true;
  p->stop_count++;
  if (t->ptracer && t->pt->seized)
    ptrace_trap_notify(t);
  task_notify_signal(t);
}

void signal_begin_stop(struct task *t, int sig) {
  struct process *p = t->proc;
  if (!p->stopped)
    p->stop_sig = sig;
  p->stop_ordered = true;
  struct task *o;
  LIST_FOREACH(o, &p->threads, thread_link) {
    if (o->state != TASK_STOPPED)
      signal_join_stop(o);
  }
}

bool signal_join_complete(struct task *t) {
  struct process *p = t->proc;
  bool counted = !t->stop_uncounted;
  t->stop_wanted = t->stop_uncounted = false;
  if (!p->stop_ordered)
    return false;
  p->nstopped++;
  if (!counted || p->stop_count <= 0 || --p->stop_count > 0)
    return false;
  p->stopped = true;
  p->stop_reported = false;
  return true;
}

void signal_stop_here(struct task *t) {
  bool complete = signal_join_complete(t);
  if (!t->proc->stop_ordered)
    return;
  t->state = TASK_STOPPED;
  if (complete)
    process_notify_parent(t->proc, CLD_STOPPED);
  t->killable = true;
  /* SIGCONT sets the state back and wakes. */
  while (t->state == TASK_STOPPED && !t->killed)
    fiber_park();
  t->killable = false;
  t->state = TASK_RUNNING;
}

/* ---- handlers ---- */

/* What becomes of the interrupted call when a handler runs. */
static enum plat_how after_handler(const struct ksigaction *a, int64_t *ret) {
  switch (-*ret) {
  case ERESTART_RESTARTBLOCK:
  case ERESTARTNOHAND:
    *ret = -EINTR;
    return PLAT_RESULT;
  case ERESTARTSYS:
    if (a->flags & SA_RESTART)
      return PLAT_RESTART;
    *ret = -EINTR;
    return PLAT_RESULT;
  case ERESTARTNOINTR:
    return PLAT_RESTART;
  default:
    return PLAT_RESULT;
  }
}

struct delivery {
  bool from_syscall, pushed;
  bool on_alt, on_alt_known;
};

static bool runs_on_altstack(struct task *t, struct delivery *d) {
  if (!d->on_alt_known) {
    struct plat_regs r;
    d->on_alt_known = true;
    d->on_alt = plat_get_regs(t->ctx, &r) == 0 && r.rsp > t->ss_sp && r.rsp - t->ss_sp <= t->ss_size;
  }
  return d->on_alt;
}

/* Where the frame goes: 0 the current stack, else the top of the alternate one. */
static uint64_t choose_stack(struct task *t, const struct ksigaction *a, struct delivery *d) {
  if (!(a->flags & SA_ONSTACK) || !t->ss_size)
    return 0;
  /* With SS_AUTODISARM the stack counts as left: it was disarmed when its handler was entered. */
  if (!(t->ss_flags & SS_AUTODISARM_BIT) && runs_on_altstack(t, d))
    return 0;
  return t->ss_sp + t->ss_size;
}

/* 0, -EFAULT, or -ESRCH when the context is gone. */
static int push_handler(struct task *t, int sig, const siginfo_t *info, struct delivery *d, int64_t *ret) {
  struct ksigaction *slot = &t->sighand->action[sig - 1], a = *slot;
  if (a.flags & SA_RESETHAND)
    slot->handler = (uint64_t)SIG_DFL;
  if (!(a.flags & SA_RESTORER_K))
    return -EFAULT; /* x86-64 has no other way back */
  struct plat_sigframe f = {.signo = sig,
                            .info = *info,
                            .handler = a.handler,
                            .restorer = a.restorer,
                            .mask = t->restore_blocked ? t->saved_blocked : t->blocked,
                            .ss_sp = t->ss_sp,
                            .ss_size = t->ss_size,
                            .ss_flags = t->ss_flags,
                            .stack_top = choose_stack(t, &a, d),
                            .has_siginfo = a.flags & SA_SIGINFO};
  enum plat_how how = PLAT_AS_IS;
  if (d->from_syscall && !d->pushed)
    how = after_handler(&a, ret);
  if (t->pt && ptrace_before_push(t, d->from_syscall && !d->pushed, *ret, how))
    how = PLAT_AS_IS;
  int err = plat_push_signal(t->ctx, &f, how, *ret);
  if (err)
    return err;
  if (f.stack_top) {
    d->on_alt = d->on_alt_known = true;
    if (t->ss_flags & SS_AUTODISARM_BIT) {
      t->ss_sp = t->ss_size = 0;
      t->ss_flags = SS_DISABLE;
    }
  }
  d->pushed = true;
  t->restart.fn = NULL;
  t->restore_blocked = false;
  sigset64_t mask = t->blocked | a.mask;
  if (!(a.flags & SA_NODEFER))
    mask |= sigbit(sig);
  signal_set_blocked(t, mask);
  if (t->pt)
    ptrace_after_push(t);
  return 0;
}

static void handle(struct task *t, int sig, const siginfo_t *info, struct delivery *d, int64_t *ret) {
  int err = push_handler(t, sig, info, d, ret);
  if (!err || t->killed)
    return;
  if (err != -EFAULT) {
    debug_log("%s[%d]: no frame for signal %d: error %d", t->comm, t->tid->nr, sig, -err);
    process_exit_group(t->proc, SIGKILL); /* the host process went away under us */
    return;
  }
  if (sig == SIGSEGV)
    t->sighand->action[SIGSEGV - 1].handler = (uint64_t)SIG_DFL;
  force_sigsegv(t);
}

/* ---- default actions ---- */

static void die(struct task *t, int sig, const siginfo_t *info) {
  int status = sig;
  if (SIGSET_CORE & sigbit(sig)) {
    debug_log("%s[%d]: killed by signal %d, code %d, address %p", t->comm, t->tid->nr, sig, info->si_code,
              info->si_addr);
    if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE)
      klog(t->k, "%s[%d]: signal %d (code %d) at %p", t->comm, t->tid->nr, sig, info->si_code, info->si_addr);
  }
  if ((SIGSET_CORE & sigbit(sig)) && coredump(t, sig, info))
    status |= WCORE;
  process_exit_group(t->proc, status);
}

static void default_action(struct task *t, int sig, const siginfo_t *info) {
  struct process *p = t->proc;
  if (SIGSET_IGNORE & sigbit(sig))
    return;
  if (p->unkillable && !(SIGSET_KERNEL_ONLY & sigbit(sig)))
    return;
  if (SIGSET_STOP & sigbit(sig)) {
    /* POSIX: nobody could continue a group without a parent in its session. */
    if (sig == SIGSTOP || !process_group_orphaned(p->pgrp))
      signal_begin_stop(t, sig);
    return;
  }
  die(t, sig, info);
}

bool signal_deliver(struct task *t, bool from_syscall, int64_t *ret) {
  struct delivery d = {.from_syscall = from_syscall};
  for (;;) {
    if (t->killed)
      break;
    if (t->ptracer)
      ptrace_view(t, d.from_syscall && !d.pushed, *ret);
    if (t->stop_wanted || t->ptrace_trap) {
      if (t->ptracer)
        ptrace_jobctl_trap(t);
      else
        signal_stop_here(t);
      if (t->pt && !d.pushed)
        ptrace_sync(t, &d.from_syscall, ret);
      continue;
    }
    siginfo_t info;
    int sig = signal_dequeue(t, ~t->blocked, &info);
    if (!sig) {
      if (d.pushed || !t->restore_blocked)
        break;
      signal_restore_temp_mask(t); /* which may let another one through */
      continue;
    }
    if (t->ptracer && sig != SIGKILL) {
      sig = ptrace_signal(t, sig, &info);
      if (!d.pushed)
        ptrace_sync(t, &d.from_syscall, ret);
      if (!sig)
        continue;
    }
    uint64_t handler = t->sighand->action[sig - 1].handler;
    if (handler == (uint64_t)SIG_IGN)
      continue;
    if (handler == (uint64_t)SIG_DFL)
      default_action(t, sig, &info);
    else
      handle(t, sig, &info, &d, ret);
  }
  return d.pushed;
}
