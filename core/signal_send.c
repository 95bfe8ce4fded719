/* Sending signals: who is chosen, what is queued, what takes effect at once (kill, stop, continue). */
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "ptrace.h"
#include "signal.h"
#include "task.h"
#include "user.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define SIGRT_FIRST 32 /* the kernel's SIGRTMIN: libc keeps the first two for itself */

void task_notify_signal(struct task *t) {
  if (t->exiting)
    return;
  if (t->in_guest) {
    if (t->ctx)
      plat_interrupt(t->ctx);
  } else if (t->fiber && (t->interruptible || (t->killable && t->killed))) {
    fiber_wake(t->fiber);
  }
}

void siginfo_user(struct task *t, int sig, int code, siginfo_t *info) {
  memset(info, 0, sizeof *info);
  info->si_signo = sig;
  info->si_code = code;
  info->si_pid = pid_vnr(t->proc->pid);
  info->si_uid = kuid_here(t->cred->uid);
}

int signal_check_permission(struct task *t, struct process *p, int sig) {
  if (p == t->proc || !p->leader || cred_may_signal(t->cred, p->leader->cred))
    return 0;
  return sig == SIGCONT && p->session == t->proc->session ? 0 : -EPERM;
}

/* The caller cannot be seen from p's pid namespace: it is in one above. */
static bool sender_above(const struct process *p) {
  struct task *s = task_current();
  return s && s->proc->pid && !pid_nr_ns(s->proc->pid, process_pid_ns_borrow(p));
}

/* Sent by the kernel, from outside the container or from a pid namespace above: only such a signal may kill or stop an
 * init. */
static bool from_above(const struct process *p, const siginfo_t *info) {
  return !info || info->si_code == SI_KERNEL || (info->si_code == SI_USER && info->si_pid == 0) || sender_above(p);
}

/* Who sent it, in the numbers of the receiver's namespaces. */
static const siginfo_t *translate(const struct process *p, const siginfo_t *info, siginfo_t *copy) {
  const struct cred *to = p->leader ? p->leader->cred : NULL;
  struct user_namespace *from = current_user_ns_borrow();
  if (!info || info->si_code > 0 ||
      (info->si_code != SI_USER && info->si_code != SI_QUEUE && info->si_code != SI_TKILL))
    return info;
  bool above = sender_above(p);
  if (!above && (!to || to->user_ns == from))
    return info;
  *copy = *info;
  if (above)
    copy->si_pid = 0;
  if (to)
    copy->si_uid = from_kuid_munged(to->user_ns, make_kuid(from, info->si_uid));
  return copy;
}

static bool drop_ignored(const struct process *p, const struct task *t, int sig, bool force) {
  if ((t->blocked | t->sigwait) & sigbit(sig))
    return false; /* the action may change before it is unblocked */
  if (t->ptracer && sig != SIGKILL)
    return false; /* the tracer may want to know */
  if (p->unkillable && t->sighand->action[sig - 1].handler == (uint64_t)SIG_DFL &&
      !(force && (SIGSET_KERNEL_ONLY & sigbit(sig))))
    return true;
  return signal_ignored(t, sig);
}

/* SIGCONT continues when it is sent, whatever becomes of it afterwards. */
static void continue_process(struct process *p) {
  bool was_stopped = p->stopped;
  bool was_stopping = p->stop_ordered && !p->stopped;
  struct task *t;
  p->stop_ordered = p->stopped = false;
  p->stop_count = p->nstopped = 0;
  LIST_FOREACH(t, &p->threads, thread_link) {
    t->stop_wanted = t->stop_uncounted = false;
    if (t->state == TASK_STOPPED) {
      t->state = TASK_RUNNING;
      fiber_wake(t->fiber);
    }
    if (t->ptracer && t->pt->seized)
      ptrace_trap_notify(t);
  }
  if (was_stopped) {
    p->continued = true;
    p->cont_reported = false;
    process_notify_parent(p, CLD_CONTINUED);
  } else if (was_stopping) {
    process_notify_parent(p, CLD_STOPPED);
  }
}

/* The effects that do not depend on delivery. False: the signal is dropped. */
static bool prepare(struct process *p, const struct task *t, int sig, bool force) {
  if (p->group_exit || p->zombie)
    return false;
  if (SIGSET_STOP & sigbit(sig)) {
    signal_flush(p, sigbit(SIGCONT));
  } else if (sig == SIGCONT) {
    signal_flush(p, SIGSET_STOP);
    continue_process(p);
  }
  return !drop_ignored(p, t, sig, force);
}

static bool takes(const struct task *t, int sig) {
  if (t->exiting || ((t->blocked & ~t->sigwait) & sigbit(sig)))
    return false;
  return sig == SIGKILL || (t->state != TASK_STOPPED && t->state != TASK_TRACED);
}

/* Who shall act on a signal to the process: the main thread if it can, else one that has nothing to do yet, else any.
 */
static struct task *choose(struct process *p, int sig) {
  if (p->leader && takes(p->leader, sig))
    return p->leader;
  struct task *t, *any = NULL;
  LIST_FOREACH(t, &p->threads, thread_link) {
    if (!takes(t, sig))
      continue;
    if (!signal_pending(t))
      return t;
    any = t;
  }
  return any;
}

static bool fatal_at_once(const struct process *p, const struct task *t, int sig) {
  if (t->sighand->action[sig - 1].handler != (uint64_t)SIG_DFL || (sigbit(sig) & (SIGSET_IGNORE | SIGSET_STOP)))
    return false;
  if (sig == SIGKILL)
    return true;
  return !p->unkillable && !t->ptracer && !(t->sigwait & sigbit(sig)) && !(SIGSET_CORE & sigbit(sig));
}

static void complete(struct process *p, struct task *t, int sig) {
  if (!t)
    return;
  if (fatal_at_once(p, t, sig))
    process_exit_group(p, sig);
  else
    task_notify_signal(t);
}

/* RLIMIT_SIGPENDING of the receiver, counted for its real user. Signals that existed before queues (and the kernel's
 * own) are let in. */
static struct sigqueue *sigqueue_new(struct process *p, bool may_exceed) {
  struct user *u = p->leader ? user_get(p->k, p->leader->cred->uid) : NULL;
  if (!u)
    return NULL;
  struct sigqueue *q = NULL;
  if (may_exceed || (uint64_t)u->nsigqueued < p->rlim[RLIMIT_SIGPENDING].rlim_cur)
    q = calloc(1, sizeof *q);
  if (!q) {
    user_put(u);
    return NULL;
  }
  q->charged = u;
  u->nsigqueued++;
  return q;
}

static int enqueue(struct process *p, struct sigpending *to, int sig, const siginfo_t *info) {
  if (sig < SIGRT_FIRST && (to->set & sigbit(sig)))
    return 0; /* one of each is remembered */
  if (sig != SIGKILL) {
    struct sigqueue *q = sigqueue_new(p, sig < SIGRT_FIRST && (!info || info->si_code >= 0));
    if (q) {
      if (info)
        q->info = *info;
      else
        q->info.si_code = SI_KERNEL;
      q->info.si_signo = sig;
      TAILQ_INSERT_TAIL(&to->list, q, link);
    } else if (sig >= SIGRT_FIRST && info && info->si_code != SI_USER) {
      return -EAGAIN;
    }
  }
  to->set |= sigbit(sig);
  waitq_wake_all(&p->signalfd_wq, EPOLLIN);
  return 0;
}

int send_signal_task(struct task *t, int sig, const siginfo_t *info) {
  struct process *p = t->proc;
  siginfo_t copy;
  if (sig == 0 || t->exiting || !prepare(p, t, sig, from_above(p, info)))
    return 0;
  int err = enqueue(p, &t->pending, sig, translate(p, info, &copy));
  if (!err && takes(t, sig))
    complete(p, t, sig);
  return err;
}

static int send_process(struct process *p, int sig, const siginfo_t *info, struct task *(*who)(struct process *, int)) {
  if (sig == 0 || p->zombie || !p->leader)
    return 0;
  struct task *t = who(p, sig);
  siginfo_t copy;
  if (!prepare(p, t ? t : p->leader, sig, from_above(p, info)))
    return 0;
  int err = enqueue(p, &p->pending, sig, translate(p, info, &copy));
  if (!err) {
    if (!t || sig == SIGCONT) /* prepare() may have woken one that takes it */
      t = choose(p, sig);
    complete(p, t, sig);
  }
  return err;
}

int send_signal_process(struct process *p, int sig, const siginfo_t *info) {
  return send_process(p, sig, info, choose);
}

/* In Linux it is the thread in whose tick the timer was seen to be due: no thread shall be missed by a profiler. */
static struct task *choose_running(struct process *p, int sig) {
  struct task *t, *next = NULL, *first = NULL;
  LIST_FOREACH(t, &p->threads, thread_link) {
    if (!t->in_guest || !takes(t, sig))
      continue;
    if (!first || t->tid->nr < first->tid->nr)
      first = t;
    if (t->tid->nr > p->last_profiled && (!next || t->tid->nr < next->tid->nr))
      next = t;
  }
  if (!next)
    next = first;
  if (!next)
    return choose(p, sig);
  p->last_profiled = next->tid->nr;
  return next;
}

void send_signal_running(struct process *p, int sig) {
  send_process(p, sig, NULL, choose_running);
}

int send_signal_pgrp(struct pid *pgrp, int sig, const siginfo_t *info) {
  if (!pgrp || LIST_EMPTY(&pgrp->pgrp))
    return -ESRCH;
  int err = -ESRCH;
  struct process *p;
  LIST_FOREACH(p, &pgrp->pgrp, pgrp_link) {
    int r = send_signal_process(p, sig, info);
    if (err)
      err = r; /* success for one is success */
  }
  return err;
}

void force_signal(struct task *t, int sig, const siginfo_t *info) {
  struct ksigaction *a = &t->sighand->action[sig - 1];
  bool blocked = t->blocked & sigbit(sig);
  if (blocked || a->handler == (uint64_t)SIG_IGN) {
    a->handler = (uint64_t)SIG_DFL;
    t->blocked &= ~sigbit(sig);
  }
  /* A fault kills init as any other, once it has no handler. */
  if (a->handler == (uint64_t)SIG_DFL && !t->ptracer)
    t->proc->unkillable = false;
  send_signal_task(t, sig, info);
}

void force_signal_fault(struct task *t, int sig, int code, uint64_t addr) {
  siginfo_t info = {.si_signo = sig, .si_code = code};
  info.si_addr = (void *)addr;
  force_signal(t, sig, &info);
}

void force_sigsegv(struct task *t) {
  siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
  force_signal(t, SIGSEGV, &info);
}
