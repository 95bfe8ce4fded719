/*
 * New tasks and processes: clone(2) in all its forms, and the ones that oci/ puts into the container.
 *
 * The order is: build everything that can fail in the Sentry, have the host make the context (plat_fork, which parks),
 * look again at what may have changed meanwhile, then publish the child and let it run. Until it is published nobody
 * can find it, so undoing is dropping.
 */
#include "coredump.h"
#include "errno.h"
#include "fiber.h"
#include "ipc/ipc.h"
#include "kernel.h"
#include "keys/keys.h"
#include "ptrace.h"
#include "seccomp.h"
#include "task.h"
#include "timers.h"
#include "uaccess.h"
#include <linux/capability.h>
#include <linux/ptrace.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80ull
#endif

/* ---- making and dropping the structures ---- */

static int64_t boottime_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_BOOTTIME, &ts);
  return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void task_defaults(struct task *t) {
  strcpy(t->comm, "init");
  t->timer_slack_ns = 50000;
  for (int i = 0; i < t->k->ncpus && i < 128; i++)
    t->cpu_affinity[i / 64] |= 1ull << (i % 64);
  t->ss_flags = SS_DISABLE;
}

static void task_inherit(struct task *t, const struct task *from) {
  memcpy(t->comm, from->comm, sizeof t->comm);
  t->blocked = from->blocked;
  t->ss_sp = from->ss_sp;
  t->ss_size = from->ss_size;
  t->ss_flags = from->ss_flags;
  t->nice = from->nice;
  t->sched_policy = from->sched_policy;
  t->sched_priority = from->sched_priority;
  t->ioprio = from->ioprio;
  t->timer_slack_ns = from->timer_slack_ns;
  memcpy(t->cpu_affinity, from->cpu_affinity, sizeof t->cpu_affinity);
  t->personality = from->personality;
  t->mempolicy = from->mempolicy;
  t->dumpable_off = from->dumpable_off;
  t->keep_caps = from->keep_caps;
  if (from->sched_reset_on_fork) {
    t->sched_policy = t->sched_priority = 0;
    if (t->nice < 0)
      t->nice = 0;
  }
}

struct task *task_alloc(struct kernel *k, struct process *p, struct task *from) {
  struct task *t = calloc(1, sizeof *t);
  if (!t)
    return NULL;
  t->k = k;
  t->proc = p;
  t->start_time = boottime_ns();
  signal_pending_init(&t->pending);
  t->cred = from ? cred_get(from->cred) : cred_new();
  if (!t->cred) {
    free(t);
    return NULL;
  }
  t->ipc = ipc_ns_get(from ? from->ipc : k->ipc);
  if (from)
    task_inherit(t, from);
  else
    task_defaults(t);
  return t;
}

void task_free(struct task *t) {
  ptrace_free(t);
  if (t->tid && t->tid->task == t)
    t->tid->task = NULL;
  signal_flush_pending(&t->pending);
  seccomp_exit(t);
  if (t->mm)
    mm_put(t->mm);
  if (t->files)
    fdtable_put(t->files);
  if (t->fs)
    t->k->hooks.fs_ctx_put(t->fs);
  sighand_put(t->sighand);
  sem_undo_exit(t);
  ipc_ns_put(t->ipc);
  nsproxy_put(t->nsproxy);
  cred_put(t->cred);
  pid_put(t->tid);
  free(t);
}

struct process *process_alloc(struct kernel *k, struct process *from) {
  struct process *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  ref_init(&p->ref);
  p->k = k;
  LIST_INIT(&p->threads);
  LIST_INIT(&p->children);
  signal_pending_init(&p->pending);
  waitq_init(&p->child_wait);
  waitq_init(&p->signalfd_wq);
  p->exit_signal = SIGCHLD;
  if (from) {
    memcpy(p->rlim, from->rlim, sizeof p->rlim);
    cpu_limit_update(p);
    p->oom_score_adj = from->oom_score_adj;
    p->coredump_filter = from->coredump_filter;
    p->thp_disable = from->thp_disable;
    p->mce_kill = from->mce_kill;
  } else {
    rlimits_default(p->rlim, k);
    p->coredump_filter = COREDUMP_FILTER_DEFAULT;
  }
  return p;
}

void process_put(struct process *p) {
  if (!p || !ref_put(&p->ref))
    return;
  cpu_limit_free(p);
  signal_flush_pending(&p->pending);
  waitq_destroy(&p->child_wait);
  waitq_destroy(&p->signalfd_wq);
  pid_put(p->pid);
  free(p);
}

void process_link_thread(struct process *p, struct task *t) {
  LIST_INSERT_HEAD(&p->threads, t, thread_link);
  t->tid->task = t;
  p->nthreads++;
  p->nlive++;
  p->nusers++;
  p->nunfinished++;
  kernel_task_enter(p->k);
}

/* p, with its pid set, becomes visible. */
static void process_publish(struct process *p, struct process *parent, struct task *leader) {
  struct kernel *k = p->k;
  p->leader = leader;
  p->pid->process = p;
  p->parent = parent;
  if (parent)
    LIST_INSERT_HEAD(&parent->children, p, sibling);
  LIST_INSERT_HEAD(&k->processes, p, all);
  k->nprocesses++;
  k->forks++;
  process_link_thread(p, leader);
}

int task_new_process(struct kernel *k, struct process *parent, struct task **out) {
  struct process *p = process_alloc(k, NULL);
  if (!p)
    return -ENOMEM;
  int err = -ENOMEM;
  struct task *t = task_alloc(k, p, NULL);
  if (!t)
    goto fail;
  t->files = fdtable_new();
  t->sighand = sighand_new();
  t->nsproxy = nsproxy_get(k->init_nsproxy);
  if (!t->files || !t->sighand)
    goto fail;
  err = pid_alloc(k, 0, &t->tid);
  if (err)
    goto fail;
  p->pid = pid_get(t->tid);
  p->injected = true;
  process_join_pgrp(p, p->pid, p->pid);
  p->session_leader = true;
  process_publish(p, parent, t);
  if (!k->init && !parent) {
    k->init = k->init_pid_ns->reaper = p;
    p->unkillable = p->pid_ns_init = true;
  }
  *out = t;
  return 0;
fail:
  if (t)
    task_free(t);
  process_put(p);
  return err;
}

/* ---- vfork ---- */

struct vfork_wait { /* on the parent's stack */
  struct waitq q;   /* first: task.vfork_done points to it */
  bool done;
};

void task_vfork_done(struct task *t) {
  struct vfork_wait *w = (struct vfork_wait *)t->vfork_done;
  if (!w)
    return;
  t->vfork_done = NULL;
  w->done = true;
  waitq_wake_all(&w->q, 0);
}

/* Only death ends the wait: the child runs on our stack. While it is not done the child exists, and so child is valid.
 */
static void vfork_wait(struct task *t, struct task *child, struct vfork_wait *w) {
  struct wait_entry e = {.fn = wait_entry_wake, .arg = fiber_self()};
  waitq_add(&w->q, &e);
  t->killable = true;
  t->state = TASK_SLEEPING;
  while (!w->done && !t->killed)
    fiber_park();
  t->state = TASK_RUNNING;
  t->killable = false;
  waitq_del(&e);
  if (!w->done)
    child->vfork_done = NULL;
}

/* ---- clone ---- */

/* set_tid of clone3(2): in each namespace from the child's own upwards, CAP_CHECKPOINT_RESTORE there is asked for. */
static int check_set_tid(const struct task *c, const struct clone_args_k *a) {
  const struct pid_namespace *ns = c->nsproxy->pid_for_children;
  if (a->nset_tid > (int)ns->level + 1)
    return -EINVAL;
  for (int i = 0; i < a->nset_tid; i++, ns = ns->parent)
    if (!ns_capable(c->cred, ns->ns.owner, CAP_SYS_ADMIN) && !ns_capable(c->cred, ns->ns.owner, CAP_CHECKPOINT_RESTORE))
      return -EPERM;
  return 0;
}

static int check_flags(const struct task *t, const struct clone_args_k *a) {
  uint64_t f = a->flags;
  if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
    return -EINVAL;
  if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
    return -EINVAL;
  if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
    return -EINVAL;
  if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
    return -EINVAL;
  if ((f & CLONE_PARENT) && (t->proc->pid_ns_init || !t->proc->parent))
    return -EINVAL; /* siblings of an init have no one to reap them in their namespace */
  if ((f & CLONE_THREAD) && (f & (CLONE_NEWUSER | CLONE_NEWPID)))
    return -EINVAL;
  if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
    return -EINVAL;
  if (f & CLONE_INTO_CGROUP)
    return -EOPNOTSUPP;
  if ((f & CLONE_THREAD) && t->nsproxy->pid_for_children != task_pid_ns_borrow(t))
    return -EINVAL;
  return 0;
}

/* RLIMIT_NPROC binds neither root nor CAP_SYS_RESOURCE nor CAP_SYS_ADMIN. */
static int check_nproc(const struct task *t) {
  uint64_t lim = task_rlimit(t, RLIMIT_NPROC);
  const struct cred *c = t->cred;
  if (lim == RLIM_INFINITY || lim >= (uint64_t)t->k->init_pid_ns->pid_max || c->uid == 0 ||
      cred_has_cap(c, CAP_SYS_RESOURCE) || cred_has_cap(c, CAP_SYS_ADMIN))
    return 0;
  if ((uint64_t)t->k->ntasks < lim)
    return 0;
  uint64_t n = 0;
  struct process *p;
  LIST_FOREACH(p, &t->k->processes, all) {
    if (p->leader && p->leader->cred->uid == c->uid)
      n += (uint64_t)p->nthreads;
  }
  return n >= lim ? -EAGAIN : 0;
}

static int copy_resources(struct task *t, struct task *c, uint64_t f) {
  struct kernel_hooks *h = &t->k->hooks;
  c->files = f & CLONE_FILES ? fdtable_get(t->files) : fdtable_dup(t->files);
  if (!c->files)
    return -ENOMEM;
  if (t->fs) {
    c->fs = f & CLONE_FS ? h->fs_ctx_get(t->fs) : h->fs_ctx_dup(t->fs);
    if (!c->fs)
      return -ENOMEM;
    int err = f & CLONE_NEWNS ? h->mnt_ns_dup(c->fs, c->cred->user_ns ? c->cred->user_ns : t->k->init_user_ns) : 0;
    if (err)
      return err;
  }
  c->sighand = f & CLONE_SIGHAND ? sighand_get(t->sighand) : sighand_dup(t->sighand);
  if (!c->sighand || sem_undo_clone(t, c, f & CLONE_SYSVSEM))
    return -ENOMEM;
  if (f & CLONE_CLEAR_SIGHAND) {
    for (int i = 0; i < NSIG_GUEST; i++)
      if (c->sighand->action[i].handler != (uint64_t)SIG_IGN)
        c->sighand->action[i] = (struct ksigaction){0};
  }
  if ((f & (CLONE_VM | CLONE_VFORK)) == CLONE_VM) {
    c->ss_sp = c->ss_size = 0;
    c->ss_flags = SS_DISABLE;
  }
  return 0;
}

/* The host's part. The copied map must be the one that the host copies, so nobody may change it in between. */
static int fork_context(struct task *t, struct task *c, const struct clone_args_k *a, struct plat_ctx **ctx) {
  bool share = a->flags & CLONE_VM;
  struct plat_fork_args pf = {.kind = a->flags & CLONE_THREAD ? PLAT_THREAD
                                      : share                 ? PLAT_VFORK
                                                              : PLAT_FORK,
                              .sp = a->stack ? a->stack + a->stack_size : 0,
                              .tls = a->tls,
                              .set_tls = a->flags & CLONE_SETTLS};
  struct mm *m = mm_get(t->mm);
  int err = 0;
  fmutex_lock(&m->lock);
  if (t->killed) {
    err = -EINTR;
  } else if (share) {
    c->mm = mm_get(m);
  } else {
    c->mm = mm_dup(m);
    if (!c->mm)
      err = -ENOMEM;
  }
  if (!err)
    err = plat_fork(t->ctx, &pf, ctx);
  fmutex_unlock(&m->lock);
  if (!err && !share)
    mm_set_as(c->mm, *ctx);
  mm_put(m);
  return err;
}

/* After the park: may the child still come into being? */
static int recheck(struct task *t, const struct task *c, uint64_t f) {
  if (t->killed || t->proc->group_exit)
    return -EINTR;
  if ((f & CLONE_THREAD) && t->proc->dethreading)
    return -EINTR;
  const struct pid_namespace *ns = task_pid_ns_borrow(c);
  return t->k->shutting_down || ns->dying || (!ns->reaper && pid_nr_ns(c->tid, ns) != 1) ? -ENOMEM : 0;
}

static int write_tids(struct task *t, struct task *c, struct plat_ctx *ctx, const struct clone_args_k *a) {
  int nr = pid_nr_ns(c->tid, task_pid_ns_borrow(c)), seen = pid_vnr(c->tid);
  if (a->flags & CLONE_CHILD_CLEARTID)
    c->clear_child_tid = a->child_tid;
  if (a->flags & CLONE_CHILD_SETTID)
    plat_write(plat_ctx_as(ctx), a->child_tid, &nr,
               sizeof nr); /* Linux, too, lets the child run into its bad pointer */
  if ((a->flags & CLONE_PARENT_SETTID) && put_user(a->parent_tid, &seen))
    return -EFAULT;
  return 0;
}

static void publish(struct task *t, struct task *c, const struct clone_args_k *a) {
  if (a->flags & CLONE_THREAD) {
    process_link_thread(t->proc, c);
    t->k->forks++;
    return;
  }
  struct process *p = c->proc, *parent = t->proc;
  p->exit_signal = a->exit_signal;
  p->parent_thread = t;
  if (a->flags & CLONE_PARENT) {
    parent = t->proc->parent;
    p->exit_signal = t->proc->exit_signal;
    p->parent_thread = t->proc->parent_thread;
  }
  p->ctty = t->proc->ctty;
  process_join_pgrp(p, t->proc->pgrp, t->proc->session);
  struct pid_namespace *ns = process_pid_ns_borrow(p);
  if (pid_nr_ns(p->pid, ns) == 1) {
    ns->reaper = p;
    p->unkillable = p->pid_ns_init = true;
  }
  process_publish(p, parent, c);
  if (!(a->flags & CLONE_VM))
    task_enter_time_ns(c);
}

static void start_child(struct task *c, struct plat_ctx *ctx, bool thread) {
  c->ctx = ctx;
  if (c->ptracer) { /* it stops before it returns from its clone */
    if (thread && c->proc->stop_ordered)
      signal_join_stop(c);
    task_start(c);
    return;
  }
  plat_set_task(ctx, c);
  c->in_guest = true;
  plat_return(ctx, 0);
  if (thread && c->proc->stop_ordered)
    signal_join_stop(c);
  if (signal_pending(c))
    task_notify_signal(c);
}

static int clone_alloc(struct task *t, const struct clone_args_k *a, struct task **out) {
  bool thread = a->flags & CLONE_THREAD;
  struct process *p = thread ? t->proc : process_alloc(t->k, t->proc);
  struct task *c = p ? task_alloc(t->k, p, t) : NULL;
  int err = c ? cred_fork_keys(&c->cred, thread) : -ENOMEM;
  if (!err)
    err = task_clone_ns(t, c, a->flags);
  if (!err)
    err = copy_resources(t, c, a->flags);
  if (!err)
    err = check_set_tid(c, a);
  if (!err && c->nsproxy->pid_for_children->dying)
    err = -ENOMEM;
  if (!err)
    err = pid_alloc_in(c->nsproxy->pid_for_children, a->set_tid, a->nset_tid, &c->tid);
  if (!err) {
    if (!thread)
      p->pid = pid_get(c->tid);
    *out = c;
    return 0;
  }
  if (c)
    task_free(c);
  if (!thread)
    process_put(p);
  return err;
}

int64_t task_clone(struct task *t, const struct clone_args_k *a) {
  int err = check_flags(t, a);
  if (!err)
    err = check_nproc(t);
  if (err)
    return err;
  if (signal_pending(t))
    return -ERESTARTNOINTR; /* or a storm of signals would be copied into the child half-way */
  bool thread = a->flags & CLONE_THREAD;
  struct task *c;
  struct plat_ctx *ctx = NULL;
  err = clone_alloc(t, a, &c);
  if (err)
    return err;
  struct process *p = c->proc;
  ptrace_before_fork(t);
  err = fork_context(t, c, a, &ctx);
  if (!err)
    err = recheck(t, c, a->flags);
  if (!err)
    err = write_tids(t, c, ctx, a);
  if (!err && a->made)
    err = a->made(t, c->tid, a);
  if (!err)
    err = recheck(t, c, a->flags); /* they may have parked, too */
  if (!err)
    err = seccomp_fork(t, c); /* without a park before it is found by other threads' TSYNC */
  if (err) {
    if (ctx) {
      if (thread)
        plat_exit(ctx);
      else
        plat_kill(ctx);
    }
    task_free(c);
    if (!thread)
      process_put(p);
    return err;
  }
  if (!(a->flags & CLONE_VM))
    c->rseq = t->rseq; /* rseq_fork(): the host did the same */
  int event = t->ptracer ? ptrace_clone_event(t, a->flags, a->exit_signal) : 0;
  if (t->ptracer && (event || (a->flags & CLONE_PTRACE)) && ptrace_auto_attach(t, c))
    event = 0; /* out of memory: the child goes untraced */
  publish(t, c, a);
  int nr = pid_vnr(c->tid), seen = t->ptracer ? ptrace_pid_seen(t, c->tid) : nr;
  struct vfork_wait w = {.done = false};
  waitq_init(&w.q);
  if (a->flags & CLONE_VFORK)
    c->vfork_done = &w.q;
  start_child(c, ctx, thread);
  if (event) {
    ptrace_view(t, true, -ENOSYS);
    ptrace_event(t, event, (uint64_t)seen);
  }
  if (a->flags & CLONE_VFORK) {
    vfork_wait(t, c, &w);
    if (w.done && ptrace_event_enabled(t, PTRACE_EVENT_VFORK_DONE)) {
      ptrace_view(t, true, -ENOSYS);
      ptrace_event(t, PTRACE_EVENT_VFORK_DONE, (uint64_t)seen);
    }
  }
  return nr;
}
