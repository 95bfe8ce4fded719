/* The tracee's side of ptrace(2): every way to stop, and what the tracer's answer means there. On the tracee's fiber.
 */
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "ptrace.h"
#include "signal.h"
#include <asm/unistd.h>
#include <linux/ptrace.h>
#include <string.h>

#define TRAP_BRKPT_CODE 1
#define TRAP_TRACE_CODE 2
#define TRAP_HWBKPT_CODE 4

/* Death ends every stop; of one on the way out, only the death of the whole process that is decided during the stop. */
static bool must_end(const struct task *t) {
  return t->pt->exit_stop ? t->pt->killed_again : t->killed;
}

static void update_trap(struct task *t) {
  t->ptrace_trap = t->pt->trap_stop || t->pt->trap_notify;
}

static void end_await(struct ptrace *pt) {
  if (!pt->await)
    return;
  pt->await->done = true;
  fiber_wake(pt->await->fiber);
  pt->await = NULL;
}

static void wait_for_tracer(struct task *t) {
  struct ptrace *pt = t->pt;
  t->state = TASK_TRACED;
  t->killable = true;
  while (pt->stopped && !must_end(t)) {
    if (pt->request)
      ptrace_serve(t);
    else
      fiber_park();
  }
  t->killable = false;
  t->state = TASK_RUNNING;
  if (pt->request)
    ptrace_fail_request(t);
}

/* The signal that the tracer sends it on with. */
static int ptrace_stop(struct task *t, int code, int why, uint64_t message, siginfo_t *info) {
  struct ptrace *pt = t->pt;
  if (!t->ptracer || must_end(t))
    return code;
  if (t->ctx)
    plat_flush(t->ctx); /* what the call has mapped is there when the tracer looks */
  if (!t->ptracer || must_end(t))
    return code;
  bool complete = why == CLD_STOPPED && t->stop_wanted && signal_join_complete(t);
  pt->trap_stop = false;
  if (info && info->si_code >> 8 == PTRACE_EVENT_STOP)
    pt->trap_notify = false;
  update_trap(t);
  pt->code = code;
  pt->message = message;
  pt->info = info;
  pt->stopped = true;
  ptrace_notify_tracer(t, why);
  if (complete && ptrace_reparented(t))
    process_notify_parent(t->proc, CLD_STOPPED);
  end_await(pt);
  wait_for_tracer(t);
  int sig = pt->stopped ? 0 : pt->code; /* still stopped: killed */
  pt->stopped = pt->listening = false;
  pt->info = NULL;
  pt->message = 0;
  pt->code = 0;
  return sig;
}

static int notify(struct task *t, int sig, int code, int why, uint64_t message) {
  siginfo_t info = {.si_signo = sig, .si_code = code};
  info.si_pid = pid_vnr(t->tid);
  info.si_uid = t->cred->uid;
  return ptrace_stop(t, code, why, message, &info);
}

void ptrace_event(struct task *t, int event, uint64_t message) {
  if (ptrace_event_enabled(t, event))
    notify(t, SIGTRAP, event << 8 | SIGTRAP, CLD_TRAPPED, message);
}

/* ---- what the tracer sees and changes ---- */

void ptrace_view(struct task *t, bool in_call, int64_t ret) {
  struct ptrace *pt = t->pt;
  pt->in_call = in_call;
  pt->ret = ret;
  if (!pt->dirty)
    pt->orig_rax = in_call ? t->ev.call.nr : -1;
  if (pt->have_regs && in_call)
    pt->regs.rax = (uint64_t)ret;
}

void ptrace_sync(struct task *t, bool *in_call, int64_t *ret) {
  struct ptrace *pt = t->pt;
  if (!pt->dirty)
    return;
  *in_call = pt->orig_rax != -1;
  *ret = (int64_t)pt->regs.rax;
}

/* ---- system calls ---- */

static int report_call(struct task *t, uint64_t message) {
  int code = SIGTRAP | (t->pt->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
  int sig = notify(t, SIGTRAP, code, CLD_TRAPPED, message);
  if (sig)
    send_signal_task(t, sig, NULL);
  return sig;
}

/* The registers as changed at the entry are the call that is made. True: none is. */
static bool take_call(struct task *t, struct plat_call *c, int64_t *ret) {
  struct ptrace *pt = t->pt;
  *ret = -ENOSYS;
  if (pt->dirty) {
    const struct plat_regs *r = &pt->regs;
    c->nr = pt->orig_rax;
    c->arg[0] = r->rdi;
    c->arg[1] = r->rsi;
    c->arg[2] = r->rdx;
    c->arg[3] = r->r10;
    c->arg[4] = r->r8;
    c->arg[5] = r->r9;
    *ret = (int64_t)r->rax;
    ptrace_put_back(t, false);
  }
  return c->nr < 0;
}

#define HEAD_START_NS 2000000

/*
 * A debugger lets the threads of a process go on one after the other. The first one's exit_group would be through here
 * before the debugger's next request, which gdb takes badly; on Linux the first has yet to be scheduled then.
 */
static void head_start(struct task *t) {
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    if (o != t && o->ptracer == t->ptracer && o->pt->stopped) {
      task_sleep(loop_now_exact() + HEAD_START_NS);
      return;
    }
  }
}

bool ptrace_call_enter(struct task *t, struct plat_call *c, int64_t *ret) {
  struct ptrace *pt = t->pt;
  if (t->ptracer && c->nr == __NR_exit_group && !(pt->syscalls || pt->sysemu))
    head_start(t);
  if (!t->ptracer || !(pt->syscalls || pt->sysemu))
    return false;
  bool emulated = pt->sysemu;
  ptrace_view(t, true, -ENOSYS);
  report_call(t, PTRACE_EVENTMSG_SYSCALL_ENTRY);
  if (t->killed) {
    *ret = -EINTR;
    return true;
  }
  if (t->ptracer && c->nr == __NR_exit_group)
    head_start(t);
  return take_call(t, c, ret) || emulated;
}

bool ptrace_event_seccomp(struct task *t, struct plat_call *c, uint32_t data, int64_t *ret) {
  if (!ptrace_event_enabled(t, PTRACE_EVENT_SECCOMP))
    return false;
  ptrace_view(t, true, -ENOSYS);
  ptrace_event(t, PTRACE_EVENT_SECCOMP, data);
  if (t->killed) {
    c->nr = -1;
    *ret = -EINTR;
    return true;
  }
  take_call(t, c, ret);
  return true;
}

void ptrace_call_exit(struct task *t, int64_t *ret) {
  struct ptrace *pt = t->pt;
  if (!t->ptracer || t->killed)
    return;
  if (pt->step && !pt->sysemu) {
    force_signal_fault(t, SIGTRAP, TRAP_BRKPT_CODE, t->ev.call.ip);
  } else if (pt->syscalls) {
    ptrace_view(t, true, *ret);
    if (pt->have_regs)
      pt->regs.rax = (uint64_t)*ret;
    report_call(t, PTRACE_EVENTMSG_SYSCALL_EXIT);
    if (pt->dirty)
      *ret = (int64_t)pt->regs.rax;
  }
}

void ptrace_sigreturn_enter(struct task *t) {
  struct ptrace *pt = t->pt;
  if (!pt || !t->ptracer || !(pt->syscalls || pt->sysemu))
    return;
  ptrace_view(t, true, -ENOSYS);
  report_call(t, PTRACE_EVENTMSG_SYSCALL_ENTRY);
  if (pt->dirty) {
    pt->regs.rax = __NR_rt_sigreturn;
    ptrace_put_back(t, true);
  }
  ptrace_forget_regs(pt);
}

void ptrace_sigreturn_exit(struct task *t) {
  struct ptrace *pt = t->pt;
  pt->forced_tf = false; /* EFLAGS came from the guest's frame */
  if (!t->ptracer || t->killed)
    return;
  if (pt->step && !pt->sysemu) {
    force_signal_fault(t, SIGTRAP, TRAP_BRKPT_CODE, 0);
  } else if (pt->syscalls) {
    ptrace_view(t, false, 0);
    report_call(t, PTRACE_EVENTMSG_SYSCALL_EXIT);
  }
}

/* ---- exec and exit ---- */

int64_t ptrace_exec(struct task *t) {
  struct ptrace *pt = t->pt;
  uint64_t ip = t->entry_ip, sp = t->entry_sp;
  t->entry_ip = t->entry_sp = 0;
  plat_set_task(t->ctx, t);
  ptrace_forget_regs(pt);
  pt->forced_tf = pt->told_stub = pt->watching = false;
  memset(pt->dr, 0, sizeof pt->dr);
  if (plat_enter_stopped(t->ctx, ip, sp) < 0) {
    process_exit_group(t->proc, SIGKILL);
    return 0;
  }
  if (!t->ptracer)
    return 0;
  int old = pt->old_tid ? pt->old_tid : ptrace_pid_seen(t, t->tid);
  pt->old_tid = 0;
  if (ptrace_event_enabled(t, PTRACE_EVENT_EXEC)) {
    ptrace_view(t, true, -ENOSYS);
    ptrace_event(t, PTRACE_EVENT_EXEC, (uint64_t)old);
  } else if (!pt->seized) {
    siginfo_t info;
    siginfo_user(t, SIGTRAP, SI_USER, &info);
    send_signal_task(t, SIGTRAP, &info);
  }
  return 0;
}

void ptrace_exit(struct task *t, int status) {
  struct ptrace *pt = t->pt;
  end_await(pt); /* it did not get that far */
  if (!ptrace_event_enabled(t, PTRACE_EVENT_EXIT) || t->k->shutting_down)
    return;
  int64_t nr = t->ev.call.nr;
  if (t->ev.type == PLAT_SYSCALL && (nr == __NR_exit || nr == __NR_exit_group))
    ptrace_view(t, true, -ENOSYS);
  pt->exit_stop = true;
  pt->killed_again = false;
  ptrace_event(t, PTRACE_EVENT_EXIT, (uint64_t)status);
  pt->exit_stop = false;
}

void ptrace_release_exit_stops(struct process *p) {
  struct task *t;
  LIST_FOREACH(t, &p->threads, thread_link) {
    if (t->pt && t->pt->exit_stop) {
      t->pt->killed_again = true;
      fiber_wake(t->fiber);
    }
  }
}

/* ---- signals and job control ---- */

int ptrace_signal(struct task *t, int sig, siginfo_t *info) {
  struct task *tracer = t->ptracer;
  info->si_signo = sig;
  sig = ptrace_stop(t, sig, CLD_TRAPPED, 0, info);
  if (!sig || t->killed)
    return 0;
  if (sig != info->si_signo) {
    memset(info, 0, sizeof *info);
    info->si_signo = sig;
    info->si_code = SI_USER;
    if (tracer == t->ptracer) {
      info->si_pid = pid_nr_ns(tracer->proc->pid, process_pid_ns_borrow(t->proc));
      info->si_uid = tracer->cred->uid;
    }
  }
  if (t->blocked & sigbit(sig)) {
    send_signal_task(t, sig, info);
    return 0;
  }
  return sig;
}

void ptrace_jobctl_trap(struct task *t) {
  struct ptrace *pt = t->pt;
  struct process *p = t->proc;
  int sig = p->stop_ordered ? p->stop_sig : pt->stop_sig;
  if (pt->seized) {
    if (!p->stop_ordered)
      sig = SIGTRAP;
    notify(t, sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0);
  } else {
    ptrace_stop(t, sig ? sig : SIGSTOP, CLD_STOPPED, 0, NULL);
  }
  /* Whatever ended it, a cause that is left shows itself again. */
  pt->trap_stop = t->killed ? false : pt->trap_stop;
  update_trap(t);
}

void ptrace_trap_notify(struct task *t) {
  struct ptrace *pt = t->pt;
  pt->trap_notify = true;
  update_trap(t);
  if (pt->stopped && pt->listening) {
    pt->stopped = pt->listening = false;
    pt->code = 0;
    fiber_wake(t->fiber);
  } else {
    task_notify_signal(t);
  }
}

/* ---- handlers and single steps ---- */

bool ptrace_before_push(struct task *t, bool in_call, int64_t ret, enum plat_how how) {
  struct ptrace *pt = t->pt;
  bool put = pt->dirty || pt->bases_dirty || pt->fp_dirty || pt->forced_tf;
  if (!put || ptrace_fetch(t, PTRACE_PART_REGS))
    return false;
  if (in_call && how == PLAT_RESTART) {
    pt->regs.rip -= 2;
    pt->regs.rax = (uint64_t)pt->orig_rax;
  } else if (in_call) {
    pt->regs.rax = (uint64_t)ret;
  }
  pt->forced_tf = false; /* the frame must not bring it back */
  ptrace_put_back(t, true);
  return true;
}

void ptrace_after_push(struct task *t) {
  ptrace_forget_regs(t->pt);
  ptrace_view(t, false, 0);
  if (t->ptracer && t->pt->step)
    notify(t, SIGTRAP, SIGTRAP, CLD_TRAPPED, 0);
}

bool ptrace_to_guest(struct task *t, bool in_call, int64_t ret) {
  struct ptrace *pt = t->pt;
  bool tell = t->ptracer && (pt->syscalls || pt->sysemu || pt->step);
  if (tell != pt->told_stub && plat_set_traced(t->ctx, tell) == 0)
    pt->told_stub = tell;
  if (t->ptracer && pt->watching)
    ptrace_arm_watches(t);
  bool tf = t->ptracer && (pt->step || pt->watching), put = pt->dirty || pt->bases_dirty || pt->fp_dirty;
  if (!put && tf == pt->forced_tf) {
    ptrace_forget_regs(pt);
    return false;
  }
  if (ptrace_fetch(t, PTRACE_PART_REGS)) {
    ptrace_forget_regs(pt);
    return false;
  }
  if (in_call) {
    pt->regs.rax = (uint64_t)ret;
    if (pt->orig_rax != -1 && ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK) {
      pt->regs.rip -= 2;
      pt->regs.rax = ret == -ERESTART_RESTARTBLOCK ? __NR_restart_syscall : (uint64_t)pt->orig_rax;
    }
  }
  pt->forced_tf = tf && !(pt->regs.eflags & 0x100);
  ptrace_put_back(t, true);
  ptrace_forget_regs(pt);
  return true;
}

bool ptrace_fault(struct task *t, struct plat_event *ev) {
  struct ptrace *pt = t->pt;
  if (ev->fault.signo != SIGTRAP || ev->fault.code != TRAP_TRACE_CODE || !pt->forced_tf)
    return false;
  if (t->ptracer && pt->watching && ptrace_watch_hit(t, ev->fault.ip)) {
    ev->fault.code = TRAP_HWBKPT_CODE;
    return false;
  }
  return !(t->ptracer && pt->step);
}
