/*
 * The end of tasks and processes: exit(2), exit_group(2), kernel/exit.c of Linux.
 *
 * Every task ends on a fiber of its own, in task_exit(), whatever killed it. process_exit_group() only marks: each
 * other task of the process gets `killed`, and one kick. A task in the guest is interrupted and comes back with an
 * event; one that is parked interruptibly or killably is woken and unwinds; one that is parked for the host (file I/O,
 * plat_fork, plat_flush, a lock) comes back when the host has answered. Contexts therefore stay valid as long as a
 * fiber can use them, and nothing has to look over its shoulder after every park except for t->killed, which
 * signal_deliver() does for all. A guest that does not obey the interrupt is killed by the platform, which reports
 * PLAT_DIED: the same way.
 *
 * A process has three counts of threads that go down one after the other, so that kills at any point meet a known
 * state: nlive        threads that have not begun to exit: they may be sent signals; nusers       threads that may
 * still use their context (robust futexes, clear_child_tid). Stopped contexts of threads that are through stay where
 * they are, unanswered and without a task; the last user ends the whole host process with one plat_kill(). Only a
 * thread that leaves a process which lives on ends by plat_exit(); its leader never does, since the host process would
 * lose its face (PLATFORM_RULES: an exited leader's pidfd is silent, its memory unreadable); nunfinished  threads
 * inside task_exit(), closing files. The last one makes the process a zombie and tells the parent.
 *
 * exec is the exception to "one plat_kill at the end": task_dethread() ends all others, then exec_program() kills the
 * old host process from the one thread that is left, which has a new one by then.
 */
#include "coredump.h"
#include "errno.h"
#include "fiber.h"
#include "ipc/ipc.h"
#include "kernel.h"
#include "ptrace.h"
#include "seccomp.h"
#include "task.h"
#include "timers.h"
#include <stdlib.h>
#include <sys/epoll.h>

static void zombify(struct process *p);

/* ---- being killed ---- */

static void kill_task(struct task *t) {
  if (t->exiting)
    return;
  t->killed = true;
  t->stop_wanted = t->stop_uncounted = false;
  if (t->pt)
    t->pt->killed_again = true;
  task_notify_signal(t);
}

void process_exit_group(struct process *p, int wait_status) {
  if (p->group_exit || p->zombie)
    return;
  p->group_exit = true;
  p->exit_code = wait_status;
  p->stop_ordered = p->stopped = false;
  p->stop_count = 0;
  struct task *t;
  LIST_FOREACH(t, &p->threads, thread_link) kill_task(t);
}

static void exit_orphan(void *arg) {
  struct task *t = arg;
  fiber_set_local(t);
  t->fiber = fiber_self();
  task_exit(t, t->proc->exit_code);
}

void process_host_died(struct process *p) {
  debug_log("%s[%d]: the host process died", p->leader ? p->leader->comm : "?", p->pid->nr);
  process_get(p);
  process_exit_group(p, SIGKILL);
  for (;;) {
    struct task *t;
    LIST_FOREACH(t, &p->threads, thread_link) {
      if (t->in_guest && !t->exiting)
        break;
    }
    if (!t)
      break;
    t->in_guest = false; /* no event will come of it any more */
    t->killed = true;
    if (fiber_spawn(exit_orphan, t) < 0)
      break; /* out of memory: stays behind as an unkillable process, as in Linux */
  }
  process_put(p);
}

/* ---- telling the parent ---- */

static int64_t clock_ticks(uint64_t ns) {
  return (int64_t)(ns / 10000000);
} /* USER_HZ 100 */

static void child_siginfo(struct process *p, int sig, int code, siginfo_t *info) {
  *info = (siginfo_t){.si_signo = sig, .si_code = code};
  info->si_pid = pid_nr_ns(p->pid, process_pid_ns_borrow(p->parent));
  info->si_uid = from_kuid_munged(p->parent->leader->cred->user_ns, p->leader->cred->uid);
  struct rusage_acc ru;
  process_rusage(p, &ru);
  info->si_utime = clock_ticks(ru.utime);
  info->si_stime = clock_ticks(ru.stime);
  switch (code) {
  case CLD_STOPPED:
    info->si_status = p->stop_sig;
    break;
  case CLD_CONTINUED:
    info->si_status = SIGCONT;
    break;
  case CLD_EXITED:
    info->si_status = (p->exit_code >> 8) & 0xff;
    break;
  default:
    info->si_status = p->exit_code & 0x7f;
  }
}

void process_notify_parent(struct process *p, int why) {
  struct process *parent = p->parent;
  if (!parent || !parent->leader || !p->leader)
    return;
  const struct ksigaction *a = &parent->leader->sighand->action[SIGCHLD - 1];
  if (a->handler != (uint64_t)SIG_IGN && !(a->flags & SA_NOCLDSTOP)) {
    siginfo_t info;
    child_siginfo(p, SIGCHLD, why, &info);
    send_signal_process(parent, SIGCHLD, &info);
  }
  waitq_wake_all(&parent->child_wait, 0);
}

static int exit_cause(int status) {
  if ((status & 0x7f) == 0)
    return CLD_EXITED;
  return status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

/* The parent hears of a zombie. True if nobody will wait for it. */
static bool notify_death(struct process *p) {
  struct process *parent = p->parent;
  if (!parent || !parent->leader || parent->zombie)
    return true;
  if (parent->pid_ns_init && process_pid_ns_borrow(parent)->dying)
    return true; /* init reaps by itself now, see zap_pid_ns() */
  int sig = p->exit_signal;
  bool autoreap = false;
  const struct ksigaction *a = &parent->leader->sighand->action[SIGCHLD - 1];
  if (sig == SIGCHLD && (a->handler == (uint64_t)SIG_IGN || (a->flags & SA_NOCLDWAIT))) {
    autoreap = true;
    if (a->handler == (uint64_t)SIG_IGN)
      sig = 0;
  }
  if (sig) {
    siginfo_t info;
    child_siginfo(p, sig, exit_cause(p->exit_code), &info);
    send_signal_process(parent, sig, &info);
  }
  return autoreap;
}

/* May free p. Whoever waits looks again in both cases: for the zombie, or to find that there is no child left. */
static void announce(struct process *p) {
  struct process *parent = p->parent;
  p->announce_due = false;
  if (p->leader->ptracer) { /* the parent's turn comes when the tracer has waited for it */
    ptrace_notify_tracer(p->leader, exit_cause(p->exit_code));
    return;
  }
  if (notify_death(p))
    process_reap(p);
  if (parent)
    waitq_wake_all(&parent->child_wait, 0);
}

/* ---- orphans ---- */

/* The next subreaper above, within the pid namespace; else that one's init. */
static struct process *find_reaper(struct process *p) {
  struct pid_namespace *ns = process_pid_ns_borrow(p);
  struct process *init = ns->reaper;
  for (struct process *q = p->parent; q && q != init && process_pid_ns_borrow(q) == ns; q = q->parent)
    if (q->subreaper && q->nlive > 0)
      return q;
  return init != p ? init : NULL;
}

static bool has_stopped_jobs(struct pid *pgrp) {
  struct process *p;
  LIST_FOREACH(p, &pgrp->pgrp, pgrp_link) {
    if (p->stopped)
      return true;
  }
  return false;
}

/* POSIX: a group that nobody in its session could continue any more gets SIGHUP and SIGCONT if it has stopped members.
 */
static void hangup_orphaned_pgrp(struct process *p, const struct process *parent, const struct process *leaving) {
  if (!parent || parent->pgrp == p->pgrp || parent->session != p->session)
    return;
  if (!process_group_orphaned_without(p->pgrp, leaving) || !has_stopped_jobs(p->pgrp))
    return;
  send_signal_pgrp(p->pgrp, SIGHUP, NULL);
  send_signal_pgrp(p->pgrp, SIGCONT, NULL);
}

static void send_pdeath(struct process *dead, struct process *child) {
  struct task *t;
  int sig = 0;
  LIST_FOREACH(t, &child->threads, thread_link) {
    if (t->pdeath_signal)
      sig = t->pdeath_signal;
  }
  if (!sig)
    return;
  siginfo_t info = {.si_signo = sig, .si_code = SI_USER};
  info.si_pid = pid_nr_ns(dead->pid, process_pid_ns_borrow(child));
  info.si_uid = from_kuid_munged(child->leader->cred->user_ns, dead->leader->cred->uid);
  send_signal_process(child, sig, &info);
}

static void reparent_children(struct process *p) {
  struct process *reaper = find_reaper(p), *c;
  while ((c = LIST_FIRST(&p->children))) {
    LIST_REMOVE(c, sibling);
    c->parent = reaper;
    c->parent_thread = reaper ? reaper->leader : NULL;
    if (reaper)
      LIST_INSERT_HEAD(&reaper->children, c, sibling);
    send_pdeath(p, c);
    c->exit_signal = SIGCHLD; /* nobody may choose what init is sent */
    if (c->zombie) {
      if (!c->leader->ptracer && !c->announce_due)
        announce(c);
    } else {
      hangup_orphaned_pgrp(c, p, NULL);
    }
  }
}

/* A thread ends and its process lives on: its children are another thread's now, and hear of it all the same. */
static void leave_children(struct task *t) {
  struct process *p = t->proc, *c;
  struct task *heir = NULL, *o;
  LIST_FOREACH(o, &p->threads, thread_link) {
    if (o != t && !o->exiting)
      heir = o;
  }
  LIST_FOREACH(c, &p->children, sibling) {
    if (c->parent_thread != t)
      continue;
    c->parent_thread = heir; /* none: all of the process is on its way out, and t goes first */
    if (heir && !c->zombie)
      send_pdeath(p, c);
  }
}

/* ---- the end of a pid namespace: with the initial one, of the container ---- */

static void reap_zombie_children(struct process *p) {
  struct process *c, *next;
  for (c = LIST_FIRST(&p->children); c; c = next) {
    next = LIST_NEXT(c, sibling);
    if (c->zombie && !c->announce_due)
      process_reap(c);
  }
}

/* Init is dying: everybody else goes first (zap_pid_ns_processes()). On init's last fiber. */
static void zap_pid_ns(struct process *init) {
  struct kernel *k = init->k;
  struct pid_namespace *ns = process_pid_ns_borrow(init);
  struct process *p;
  ns->dying = true;
  if (init == k->init)
    k->shutting_down = true;
  LIST_FOREACH(p, &k->processes, all) {
    if (p == init || !pid_nr_ns(p->pid, ns))
      continue;
    process_exit_group(p, SIGKILL);
    ptrace_release_exit_stops(p);
  }
  for (;;) {
    reap_zombie_children(init);
    if (!pid_ns_count(ns, init))
      break;
    task_wait_uninterruptible(&init->child_wait, 0, NO_DEADLINE);
  }
  ns->reaper = NULL;
  if (ns->reboot)
    init->exit_code = ns->reboot;
}

/* ---- zombies ---- */

/* All threads have ended: what remains is the number, the status and the counters. May free p. */
static void zombify(struct process *p) {
  struct kernel *k = p->k;
  if (p->pid_ns_init)
    zap_pid_ns(p);
  else
    reparent_children(p);
  struct process *parent = p->parent;
  p->zombie = true;
  p->stopped = p->stop_ordered = false;
  p->leader->state = TASK_ZOMBIE;
  hangup_orphaned_pgrp(p, parent, p);
  waitq_wake_all(&p->pid->wq, EPOLLIN | EPOLLRDNORM);
  if (p->injected && k->hooks.process_reaped)
    k->hooks.process_reaped(p);
  if (p->nthreads > 1)
    p->announce_due = true; /* zombie threads that their tracers have not waited for */
  else
    announce(p);
}

/* Those that wait in zap_pid_ns() for p to go. They look when this fiber is done with it. */
static void wake_dying_inits(struct process *p) {
  for (struct pid_namespace *ns = process_pid_ns_borrow(p); ns; ns = ns->parent)
    if (ns->dying && ns->reaper && ns->reaper != p)
      waitq_wake_all(&ns->reaper->child_wait, 0);
}

void process_reap(struct process *p) {
  struct kernel *k = p->k;
  struct task *leader = p->leader;
  if (leader->ptracer)
    ptrace_unlink(leader);
  if (p->parent)
    LIST_REMOVE(p, sibling);
  p->parent = NULL;
  LIST_REMOVE(p, all);
  k->nprocesses--;
  process_join_pgrp(p, NULL, NULL);
  wake_dying_inits(p);
  p->pid->process = NULL;
  waitq_wake_all(&p->pid->wq, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
  LIST_REMOVE(leader, thread_link);
  p->leader = NULL;
  p->nthreads--;
  kernel_task_leave(k);
  leader->state = TASK_DEAD;
  task_free(leader);
  if (k->init == p)
    k->init = NULL;
  process_put(p);
}

/* ---- one task ---- */

/* The last user of the host process ends it. */
static void end_host_process(struct task *t) {
  struct process *p = t->proc;
  struct plat_ctx *any = t->ctx;
  struct task *o;
  LIST_FOREACH(o, &p->threads, thread_link) {
    if (!any)
      any = o->ctx;
  }
  if (any) {
    task_account_host(t);
    plat_kill(any);
  }
  LIST_FOREACH(o, &p->threads, thread_link) o->ctx = NULL;
}

/* t will not run guest code again. */
static void leave_context(struct task *t) {
  struct process *p = t->proc;
  if (--p->nusers == 0) {
    end_host_process(t);
    return;
  }
  if (!t->ctx)
    return;
  if (t != p->leader && !p->group_exit && !p->dethreading) {
    plat_exit(t->ctx);
    t->ctx = NULL;
    return;
  }
  /* Stays stopped at its event until the host process ends. The leader, which stays too, is still told of PLAT_DIED. */
  if (t != p->leader) {
    plat_set_task(t->ctx, NULL);
    t->ctx = NULL;
  }
}

static void drop_resources(struct task *t) {
  struct mm *m = t->mm;
  struct fdtable *files = t->files;
  struct fs_ctx *fs = t->fs;
  task_switch_namespaces(t, NULL);
  t->mm = NULL;
  t->files = NULL;
  t->fs = NULL;
  seccomp_exit(t);
  mm_put(m);
  sem_undo_exit(t);
  ipc_shm_exit(t);
  if (files)
    fdtable_put(files);
  if (fs)
    t->k->hooks.fs_ctx_put(fs);
}

/* A thread that is not the leader disappears at once. */
static void release_thread(struct task *t) {
  struct process *p = t->proc;
  LIST_REMOVE(t, thread_link);
  p->nthreads--;
  kernel_task_leave(p->k);
  t->state = TASK_DEAD;
  struct pid *tid = pid_get(t->tid);
  task_free(t);
  waitq_wake_all(&tid->wq, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
  pid_put(tid);
}

static void wake_dethreading(struct process *p) {
  if (p->dethreading && p->dethreading->fiber)
    fiber_wake(p->dethreading->fiber);
}

/* May free t and its process. */
void ptrace_finish_tracee(struct task *t) {
  struct process *p = t->proc;
  ptrace_unlink(t);
  if (t != p->leader) {
    release_thread(t);
    wake_dethreading(p);
    if (p->announce_due && p->nthreads == 1)
      announce(p);
  } else if (p->zombie && !p->announce_due) {
    announce(p);
  }
}

static void finish(struct task *t) {
  struct process *p = t->proc;
  t->fiber = NULL;
  t->state = TASK_ZOMBIE;
  if (t != p->leader && t->ptracer)
    ptrace_notify_tracer(t, exit_cause(p->group_exit ? p->exit_code : t->exit_code));
  else if (t != p->leader)
    release_thread(t);
  else
    waitq_wake_all(&t->tid->wq, EPOLLIN | EPOLLRDNORM);
  fiber_set_local(NULL);
  wake_dethreading(p);
  if (--p->nunfinished == 0)
    zombify(p);
}

void task_exit(struct task *t, int wait_status) {
  struct process *p = t->proc;
  struct process *hold = process_get(p);
  coredump_join(t);
  if (t->pt)
    ptrace_exit(t, wait_status);
  signal_task_leaves(t);
  ptrace_tracer_exits(t);
  t->in_guest = false;
  if (--p->nlive == 0) {
    /* exit(2) of the last thread is what the process ends with. */
    if (!p->group_exit) {
      p->group_exit = true;
      p->exit_code = wait_status;
    }
    timers_exit(p);
  }
  leave_children(t);
  t->exit_code = p->group_exit ? p->exit_code : wait_status;
  if (t->mm && t->ctx)
    futex_exit(t);
  task_account_exit(t);
  leave_context(t);
  task_vfork_done(t);
  drop_resources(t);
  if (p->nunfinished == 1 && p->session_leader && p->k->hooks.tty_session_exit)
    p->k->hooks.tty_session_exit(p);
  finish(t);
  process_put(hold);
}

/* ---- exec with threads ---- */

/* t, not the leader, becomes it: it answers to the leader's number from now on (de_thread()). */
static void take_over_leader(struct task *t) {
  struct process *p = t->proc;
  struct task *old = p->leader;
  struct pid *tid = t->tid;
  if (old->ctx) {
    p->host_pid = plat_ctx_host_tid(old->ctx);
    plat_set_task(old->ctx, t); /* parked; ends with the host process, whose death it may report until then */
  }
  t->tid = old->tid;
  old->tid = tid;
  t->tid->task = t;
  tid->task = old;
  t->start_time = old->start_time;
  p->leader = t;
  LIST_REMOVE(old, thread_link);
  p->nthreads--;
  kernel_task_leave(p->k);
  old->ctx = NULL;
  struct process *c;
  LIST_FOREACH(c, &p->children, sibling) {
    if (c->parent_thread == old)
      c->parent_thread = t;
  }
  if (old->ptracer)
    waitq_wake_all(&old->ptracer->proc->child_wait, 0);
  if (t->ptracer)
    t->pt->old_tid = ptrace_pid_seen(t, old->tid);
  task_free(old);
}

int task_dethread(struct task *t) {
  struct process *p = t->proc;
  if (t->killed || p->group_exit || p->dethreading)
    return -EAGAIN;
  if (t->sighand->ref.n > (uint32_t)p->nthreads) { /* shared with another process */
    struct sighand *own = sighand_dup(t->sighand);
    if (!own)
      return -ENOMEM;
    struct task *o;
    LIST_FOREACH(o, &p->threads, thread_link) {
      sighand_put(o->sighand);
      o->sighand = o == t ? own : sighand_get(own);
    }
  }
  struct task *o;
  p->dethreading = t;
  LIST_FOREACH(o, &p->threads, thread_link) {
    if (o != t)
      kill_task(o);
  }
  t->killable = true;
  /* Zombie threads count until their tracers have waited for them; the leader is released below. */
  while ((p->nunfinished > 1 || p->nthreads > (p->leader == t ? 1 : 2)) && !t->killed)
    fiber_park();
  t->killable = false;
  p->dethreading = NULL;
  if (t->killed)
    return -EAGAIN;
  if (p->leader != t)
    take_over_leader(t);
  return 0;
}

void task_exec_reset(struct task *t) {
  struct process *p = t->proc;
  p->did_exec = true;
  p->exit_signal = SIGCHLD;
  signal_exec_reset(t);
  timers_exec(p);
  t->clear_child_tid = t->set_child_tid = 0;
  t->robust_list = 0;
  t->dispatch = (struct user_dispatch){0};
  t->rseq = (struct rseq_reg){0};
  uint64_t all[2] = {0};
  for (int i = 0; i < t->k->ncpus && i < 128; i++)
    all[i / 64] |= 1ull << (i % 64);
  t->affinity_due = t->cpu_affinity[0] != all[0] || t->cpu_affinity[1] != all[1];
  t->keep_caps = false;
  task_vfork_done(t);
}
