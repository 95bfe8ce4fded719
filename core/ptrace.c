/* Who traces whom: attaching, letting go on, detaching, and the end of a tracer. kernel/ptrace.c of Linux. */
#include "ptrace.h"
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "landlock.h"
#include "signal.h"
#include <linux/ptrace.h>
#include <sched.h>
#include <stdlib.h>

#define OPTIONS_KNOWN (0x000000ffu | PTRACE_O_EXITKILL)

bool ptrace_reparented(const struct task *t) {
  return t->ptracer && t->ptracer->proc != t->proc->parent;
}

int ptrace_pid_seen(const struct task *t, const struct pid *pid) {
  return pid_nr_ns(pid, process_pid_ns_borrow(t->ptracer->proc));
}

static int link_tracee(struct task *c, struct task *tracer) {
  if (!c->pt) {
    c->pt = calloc(1, sizeof *c->pt);
    if (!c->pt)
      return -ENOMEM;
    c->pt->task = c;
    c->pt->orig_rax = -1;
  }
  c->ptracer = tracer;
  LIST_INSERT_HEAD(&tracer->tracees, c->pt, link);
  return 0;
}

static void wake_up(struct task *c) {
  c->pt->stopped = false;
  if (c->fiber)
    fiber_wake(c->fiber);
}

void ptrace_unlink(struct task *c) {
  struct ptrace *pt = c->pt;
  struct process *p = c->proc;
  LIST_REMOVE(pt, link);
  c->ptracer = NULL;
  pt->options = 0;
  pt->seized = pt->syscalls = pt->sysemu = pt->step = pt->watching = false;
  pt->trap_stop = pt->trap_notify = c->ptrace_trap = false;
  if (pt->await) {
    pt->await->done = true;
    fiber_wake(pt->await->fiber);
    pt->await = NULL;
  }
  /* A group stop that is in force holds it now as any other. */
  if (!c->exiting && p->stop_ordered && !c->stop_wanted && c->state != TASK_STOPPED) {
    c->stop_wanted = c->stop_uncounted = true;
    task_notify_signal(c);
  }
  if (pt->stopped)
    wake_up(c);
}

void ptrace_free(struct task *t) {
  if (!t->pt)
    return;
  if (t->ptracer)
    ptrace_unlink(t);
  free(t->pt->fp);
  free(t->pt);
  t->pt = NULL;
}

void ptrace_tracer_exits(struct task *tracer) {
  struct ptrace *pt;
  while ((pt = LIST_FIRST(&tracer->tracees))) {
    struct task *c = pt->task;
    if (pt->options & PTRACE_O_EXITKILL)
      send_signal_process(c->proc, SIGKILL, NULL);
    pt->code = 0; /* a tracer that dies injects nothing */
    if (c->state == TASK_ZOMBIE)
      ptrace_finish_tracee(c);
    else
      ptrace_unlink(c);
  }
}

/* ---- becoming a tracee ---- */

/* The thread that made us, if it is still there: threads of a debugger trace each for itself. */
static struct task *tracer_of_child(struct task *t) {
  struct process *parent = t->proc->parent;
  if (!parent || parent->zombie)
    return NULL;
  struct task *o = t->proc->parent_thread;
  if (o && o->proc == parent && !o->exiting)
    return o;
  LIST_FOREACH(o, &parent->threads, thread_link) {
    if (!o->exiting)
      return o;
  }
  return NULL;
}

int ptrace_traceme(struct task *t) {
  if (t->ptracer)
    return -EPERM;
  struct task *tracer = tracer_of_child(t);
  /* With a parent that is gone, or outside the container, nobody can: Linux says 0 all the same. */
  if (tracer && !landlock_within(tracer->cred->landlock, t->cred->landlock))
    return -EPERM;
  return tracer ? link_tracee(t, tracer) : 0;
}

static int check_options(uint64_t options) {
  return options & ~(uint64_t)OPTIONS_KNOWN ? -EINVAL : 0;
}

static int may_attach(struct task *t, struct task *c) {
  if (c->proc == t->proc)
    return -EPERM;
  if (!task_may_access(t, c) || c->exiting || c->ptracer)
    return -EPERM;
  return 0;
}

int ptrace_attach(struct task *t, int pid, bool seize, uint64_t addr, uint64_t flags) {
  struct task *c = task_find_borrow(t->k, pid);
  if (!c)
    return -ESRCH;
  if (seize && (addr || check_options(flags)))
    return -EIO;
  int err = may_attach(t, c);
  if (!err)
    err = link_tracee(c, t);
  if (err)
    return err;
  struct ptrace *pt = c->pt;
  pt->seized = seize;
  pt->options = seize ? (uint32_t)flags : 0;
  if (!seize)
    send_signal_task(c, SIGSTOP, NULL);
  if (c->state != TASK_STOPPED)
    return 0;
  /* It stands in a group stop: bring it into a ptrace stop before anybody can see it in between. */
  struct ptrace_await w = {.fiber = fiber_self()};
  pt->trap_stop = c->ptrace_trap = true;
  pt->stop_sig = c->proc->stop_sig;
  pt->await = &w;
  c->state = TASK_RUNNING;
  fiber_wake(c->fiber);
  while (!w.done)
    fiber_park();
  return 0;
}

int ptrace_clone_event(const struct task *t, uint64_t flags, int exit_signal) {
  int event = PTRACE_EVENT_FORK;
  if (flags & CLONE_UNTRACED)
    return 0;
  if (flags & CLONE_VFORK)
    event = PTRACE_EVENT_VFORK;
  else if (exit_signal != SIGCHLD)
    event = PTRACE_EVENT_CLONE;
  return ptrace_event_enabled(t, event) ? event : 0;
}

int ptrace_auto_attach(struct task *t, struct task *c) {
  int err = link_tracee(c, t->ptracer);
  if (err)
    return err;
  c->ev = t->ev; /* the call that it returns from */
  c->pt->options = t->pt->options;
  c->pt->seized = t->pt->seized;
  c->pt->told_stub = false;
  if (c->pt->seized) {
    c->pt->trap_stop = c->ptrace_trap = true;
  } else {
    /* Straight into its own queue: it is not yet running, and SIGSTOP shall not look at the process. */
    c->pending.set |= sigbit(SIGSTOP);
  }
  return 0;
}

void ptrace_before_fork(struct task *t) {
  if (!t->pt || !t->pt->forced_tf || ptrace_fetch(t, PTRACE_PART_REGS))
    return;
  bool was_dirty = t->pt->dirty;
  t->pt->forced_tf = false; /* single steps are not inherited */
  t->pt->orig_rax = t->ev.call.nr;
  ptrace_put_back(t, false);
  t->pt->dirty = was_dirty;
}

/* ---- requests ---- */

int ptrace_find(struct task *t, int pid, bool any_state, struct task **out) {
  struct task *c = task_find_borrow(t->k, pid);
  if (!c || c->ptracer != t)
    return -ESRCH;
  if (!any_state && (!c->pt->stopped || c->pt->listening))
    return -ESRCH;
  *out = c;
  return 0;
}

int ptrace_resume(struct task *c, int request, uint64_t sig) {
  struct ptrace *pt = c->pt;
  if (sig > NSIG_GUEST)
    return -EIO;
  pt->code = (int)sig;
  if (request == PTRACE_DETACH) {
    ptrace_unlink(c);
    return 0;
  }
  pt->syscalls = request == PTRACE_SYSCALL;
  pt->sysemu = request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP;
  pt->step = request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP;
  wake_up(c);
  return 0;
}

int ptrace_interrupt(struct task *c) {
  struct ptrace *pt = c->pt;
  if (!pt->seized)
    return -EIO;
  if (c->exiting)
    return 0;
  pt->trap_stop = c->ptrace_trap = true;
  if (pt->stopped && pt->listening) {
    pt->code = 0;
    pt->listening = false;
    wake_up(c);
  } else if (!pt->stopped) {
    task_notify_signal(c);
  }
  return 0;
}

int ptrace_listen(struct task *c) {
  struct ptrace *pt = c->pt;
  if (!pt->seized || !pt->info || pt->info->si_code >> 8 != PTRACE_EVENT_STOP)
    return -EIO;
  pt->listening = true;
  if (pt->trap_notify) {
    pt->code = 0;
    pt->listening = false;
    wake_up(c);
  }
  return 0;
}

int ptrace_set_options(struct task *c, uint64_t options) {
  int err = check_options(options);
  if (!err)
    c->pt->options = (uint32_t)options;
  return err;
}

/* ---- what the tracer hears ---- */

static int cause_status(const struct task *c, int why) {
  int exit_code = c->proc->group_exit ? c->proc->exit_code : c->exit_code;
  switch (why) {
  case CLD_STOPPED:
    return c->proc->stop_sig & 0x7f;
  case CLD_TRAPPED:
    return c->pt->code & 0x7f;
  case CLD_EXITED:
    return exit_code >> 8 & 0xff;
  default:
    return exit_code & 0x7f;
  }
}

bool ptrace_notify_tracer(struct task *c, int why) {
  struct process *tracer = c->ptracer->proc;
  bool stop = why == CLD_STOPPED || why == CLD_TRAPPED;
  if (tracer->leader) {
    const struct ksigaction *a = &tracer->leader->sighand->action[SIGCHLD - 1];
    if (!stop || (a->handler != (uint64_t)SIG_IGN && !(a->flags & SA_NOCLDSTOP))) {
      siginfo_t info = {.si_signo = SIGCHLD, .si_code = why};
      info.si_pid = pid_nr_ns(c->tid, process_pid_ns_borrow(tracer));
      info.si_uid = c->cred->uid;
      info.si_status = cause_status(c, why);
      send_signal_process(tracer, SIGCHLD, &info);
    }
  }
  waitq_wake_all(&tracer->child_wait, 0);
  return false;
}
