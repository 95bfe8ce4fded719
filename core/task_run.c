/*
 * From an event of the platform to the return into guest code. Every event gets a fiber; on it the call runs, then
 * signals are taken, then the event is ended. This is the only place that ends events, but for task_exit().
 */
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "ptrace.h"
#include "seccomp.h"
#include "signal.h"
#include "task.h"
#include <asm/unistd.h>
#include <signal.h>

struct task *task_current(void) {
  return fiber_local();
}

#define USER_END (1ull << 47) /* above are no programs but, at a wild jump, the host's kernel */

static bool must_die(const struct task *t) {
  return t->killed || t->proc->group_exit;
}

static bool is_restart(int64_t ret) {
  return ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK;
}

static int64_t filtered_call(struct task *t) {
  int64_t ret;
  if (t->seccomp_mode && !seccomp_enter(t, &t->ev.call, &ret))
    return ret;
  return t->k->hooks.syscall(t, &t->ev.call);
}

/* A call of a task that is or was traced. */
static int64_t traced_call(struct task *t) {
  int64_t ret;
  if (!ptrace_call_enter(t, &t->ev.call, &ret))
    ret = filtered_call(t);
  if (ret == EXEC_DONE)
    ret = ptrace_exec(t);
  ptrace_call_exit(t, &ret);
  return ret;
}

static int64_t make_call(struct task *t) {
  int64_t ret;
  if (t->dispatch.on && user_dispatch_enter(t, &t->ev.call, &ret))
    return ret;
  return t->pt ? traced_call(t) : filtered_call(t);
}

/* The same call once more: nothing of the guest ran meanwhile, so its registers and memory need no second look. To a
 * filter, and to a tracer, the rest of a sleep is a call of its own, restart_syscall(2). */
static int64_t call_again(struct task *t, int64_t ret) {
  if (ret != -ERESTART_RESTARTBLOCK || !t->restart.fn)
    return make_call(t);
  if (t->pt) {
    t->ev.call.nr = __NR_restart_syscall;
    return traced_call(t);
  }
  struct plat_call c = t->ev.call;
  c.nr = __NR_restart_syscall;
  if (t->seccomp_mode && !seccomp_enter(t, &c, &ret))
    return ret;
  return t->restart.fn(t);
}

/* The event is over; what came up while it was being ended is looked at right away. */
static void entered_guest(struct task *t) {
  t->fiber = NULL;
  t->in_guest = true;
  if (t->ctx && (signal_pending(t) || must_die(t)))
    plat_interrupt(t->ctx);
}

static void enter_program(struct task *t) {
  uint64_t ip = t->entry_ip, sp = t->entry_sp;
  t->entry_ip = t->entry_sp = 0;
  plat_set_task(t->ctx, t);
  plat_enter(t->ctx, ip, sp);
  entered_guest(t);
}

static void to_guest(struct task *t, bool from_syscall, int64_t ret) {
  for (;;) {
    if (t->affinity_due && t->ctx && !must_die(t)) {
      t->affinity_due = false;
      plat_set_affinity(t->ctx, t->cpu_affinity); /* best effort: the container's cpuset has the last word */
    }
    if (t->cpu_probe && !must_die(t)) {
      t->cpu_probe = false;
      task_own_cpu_ns(t);
    }
    if (must_die(t)) {
      task_exit(t, t->proc->group_exit ? t->proc->exit_code : t->exit_code);
      return;
    }
    if (from_syscall && ret == EXEC_DONE) {
      if (t->restore_blocked)
        signal_restore_temp_mask(t);
      enter_program(t);
      return;
    }
    if (signal_pending(t)) {
      bool pushed = signal_deliver(t, from_syscall, &ret);
      if (must_die(t))
        continue;
      if (pushed) {
        if (t->pt)
          ptrace_to_guest(t, false, 0);
        plat_resume(t->ctx);
        entered_guest(t);
        return;
      }
      if (t->pt)
        ptrace_sync(t, &from_syscall, &ret);
    }
    if (t->restore_blocked) {
      signal_restore_temp_mask(t);
      continue;
    }
    if (!from_syscall || !is_restart(ret) || (t->pt && t->pt->dirty))
      break;
    ret = call_again(t, ret);
  }
  if (t->pt && ptrace_to_guest(t, from_syscall, ret))
    plat_resume(t->ctx);
  else if (from_syscall)
    plat_return(t->ctx, ret);
  else
    plat_resume(t->ctx);
  entered_guest(t);
}

static void take_fault(struct task *t) {
  struct plat_event *ev = &t->ev;
  const struct plat_layout *l = plat_layout(t->k->plat);
  if (t->pt && ptrace_fault(t, ev))
    return;
  int sig = ev->fault.signo, code = ev->fault.code;
  if (ev->fault.ip >= l->max && ev->fault.ip < USER_END && (ev->fault.ip < l->vvar || ev->fault.ip >= l->vdso_end)) {
    force_sigsegv(t); /* in the stub: the guest jumped into the middle of it */
    return;
  }
  if (mm_fault(t, ev, &sig, &code))
    return;
  siginfo_t info = {.si_signo = sig, .si_code = code};
  info.si_addr = (void *)ev->fault.addr;
  force_signal(t, sig, &info);
}

/* See plat_set_traced(). What came up meanwhile is looked at after the PLAT_SIGRETURN that follows. True unless the
 * task is to die. */
static bool sigreturn_announced(struct task *t) {
  if (!must_die(t))
    ptrace_sigreturn_enter(t);
  if (must_die(t))
    return false;
  plat_resume(t->ctx);
  t->fiber = NULL;
  t->in_guest = true;
  return true;
}

static void serve_event(void *arg) {
  struct task *t = arg;
  fiber_set_local(t);
  t->fiber = fiber_self();
  int64_t ret = 0;
  bool from_syscall = false;
  switch (t->ev.type) {
  case PLAT_SYSCALL:
    if (t->ev.call.nr == __NR_rt_sigreturn && sigreturn_announced(t))
      return;
    from_syscall = true;
    if (!must_die(t))
      ret = make_call(t);
    break;
  case PLAT_FAULT:
    take_fault(t);
    break;
  case PLAT_SIGRETURN:
    if (t->seccomp_mode)
      seccomp_sigreturn(t);
    signal_sigreturn(t, &t->ev);
    if (t->pt)
      ptrace_sigreturn_exit(t);
    break;
  case PLAT_ORDER_FAILED:
    from_syscall = true;
    ret = mm_order_failed(t, &t->ev);
    break;
  case PLAT_INTERRUPTED:
  case PLAT_DIED:
    break;
  }
  to_guest(t, from_syscall, ret);
}

/* The host process has gone without an order of ours: to the guest that is a SIGKILL from nowhere. */
static void bury(void *arg) {
  struct process *p = arg;
  process_host_died(p);
  process_put(p);
}

void task_event(void *task, struct plat_ctx *c, const struct plat_event *ev) {
  struct task *t = task;
  (void)c;
  if (!t || (t->exiting && ev->type != PLAT_DIED))
    return; /* a context that task_exit() left behind, to end with its host process */
  if (ev->type == PLAT_DIED) {
    if (fiber_spawn(bury, process_get(t->proc)) < 0)
      process_put(t->proc);
    return;
  }
  t->ev = *ev;
  t->in_guest = false;
  if (fiber_spawn(serve_event, t) < 0) {
    /* No memory for a stack. A call fails; a fault or an interruption comes again. The context must stay: t->ctx names
     * it. */
    t->in_guest = true;
    if (ev->type == PLAT_SYSCALL || ev->type == PLAT_ORDER_FAILED)
      plat_return(t->ctx, -ENOMEM);
    else
      plat_resume(t->ctx);
  }
}

static void start_task(void *arg) {
  struct task *t = arg;
  fiber_set_local(t);
  t->fiber = fiber_self();
  to_guest(t, true, t->entry_ip ? EXEC_DONE : 0);
}

/* For a fork's child (its clone returns 0) and for a new process in which exec_program() has been run. */
void task_start(struct task *t) {
  if (t->ctx)
    plat_set_task(t->ctx, t);
  if (fiber_spawn(start_task, t) < 0)
    process_exit_group(t->proc, SIGKILL);
}
