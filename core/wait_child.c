/* Waiting for children: wait4(2), waitid(2). */
#include "errno.h"
#include "kernel.h"
#include "ptrace.h"
#include "task.h"
#include <sys/wait.h>

#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif
#ifndef __WCLONE
#define __WCLONE 0x80000000
#endif

/* What there is to wait for: a child, or one thread as its tracer sees it. */
struct waited {
  struct process *child;
  struct task *tracee; /* NULL: as a child */
};

static bool eligible(const struct waited *c, const struct wait_opts *w) {
  const struct process *p = c->child;
  switch (w->which) {
  case P_PID:
    if (pid_vnr(c->tracee ? c->tracee->tid : p->pid) != w->id)
      return false;
    break;
  case P_PGID:
    if (!p->pgrp || pid_vnr(p->pgrp) != w->id)
      return false;
    break;
  default:
    break;
  }
  /* "Clone" children are those with another exit signal than SIGCHLD. */
  bool is_clone = p->exit_signal != SIGCHLD;
  return c->tracee || (w->options & __WALL) || is_clone == !!((unsigned)w->options & __WCLONE);
}

static int exit_status(const struct waited *c) {
  return c->tracee && !c->child->group_exit ? c->tracee->exit_code : c->child->exit_code;
}

/* Dead, with nothing but the status left. A leader is not before its other threads have been waited for. */
static bool dead(const struct waited *c) {
  if (c->tracee && c->tracee != c->child->leader)
    return c->tracee->state == TASK_ZOMBIE;
  return c->child->zombie && !c->child->announce_due;
}

/* What is to be reported under these options: a CLD_* code or 0. */
static int reportable(const struct waited *c, const struct wait_opts *w) {
  const struct process *p = c->child;
  if (dead(c)) {
    if (!(w->options & WEXITED) || (!c->tracee && p->leader->ptracer))
      return 0;
    int status = exit_status(c);
    if ((status & 0x7f) == 0)
      return CLD_EXITED;
    return status & 0x80 ? CLD_DUMPED : CLD_KILLED;
  }
  if (c->tracee) {
    if (c->tracee->pt->stopped && !c->tracee->pt->listening && c->tracee->pt->code)
      return CLD_TRAPPED;
  } else if ((w->options & WSTOPPED) && p->stopped && !p->stop_reported) {
    return CLD_STOPPED;
  }
  if ((w->options & WCONTINUED) && p->continued && !p->cont_reported)
    return CLD_CONTINUED;
  return 0;
}

static struct timeval ns_tv(uint64_t ns) {
  return (struct timeval){.tv_sec = (time_t)(ns / 1000000000u), .tv_usec = (suseconds_t)(ns % 1000000000u / 1000)};
}

static void add_acc(struct rusage_acc *to, const struct rusage_acc *a) {
  to->utime += a->utime;
  to->stime += a->stime;
  to->min_flt += a->min_flt;
  to->maj_flt += a->maj_flt;
  to->nvcsw += a->nvcsw;
  to->nivcsw += a->nivcsw;
  to->inblock += a->inblock;
  to->oublock += a->oublock;
  if (a->maxrss_kb > to->maxrss_kb)
    to->maxrss_kb = a->maxrss_kb;
}

void rusage_from_acc(const struct rusage_acc *a, struct rusage *r) {
  *r = (struct rusage){.ru_utime = ns_tv(a->utime), .ru_stime = ns_tv(a->stime)};
  r->ru_maxrss = (long)a->maxrss_kb;
  r->ru_minflt = (long)a->min_flt;
  r->ru_majflt = (long)a->maj_flt;
  r->ru_inblock = (long)a->inblock;
  r->ru_oublock = (long)a->oublock;
  r->ru_nvcsw = (long)a->nvcsw;
  r->ru_nivcsw = (long)a->nivcsw;
}

/* A zombie was waited for. May free it. */
static void consume_dead(struct task *t, const struct waited *c, const struct rusage_acc *sum) {
  struct process *p = c->child;
  if (c->tracee && (c->tracee != p->leader || ptrace_reparented(c->tracee))) {
    ptrace_finish_tracee(c->tracee); /* a leader's real parent hears of it now */
    return;
  }
  add_acc(&t->proc->children_acc, sum);
  process_reap(p);
}

/* Fill in the results and, unless WNOWAIT, consume what is reported. May free c's. */
static int64_t report(struct task *t, const struct waited *c, int code, struct wait_opts *w) {
  struct process *p = c->child;
  struct rusage_acc sum;
  process_rusage(p, &sum);
  add_acc(&sum, &p->children_acc);
  rusage_from_acc(&sum, &w->ru);
  w->pid = pid_vnr(c->tracee ? c->tracee->tid : p->pid);
  w->uid = kuid_here((c->tracee ? c->tracee : p->leader)->cred->uid);
  w->code = code;
  bool consume = !(w->options & WNOWAIT);
  switch (code) {
  case CLD_TRAPPED:
    w->status = c->tracee->pt->code << 8 | 0x7f;
    w->cause = c->tracee->pt->code;
    if (consume)
      c->tracee->pt->code = 0;
    break;
  case CLD_STOPPED:
    w->status = (p->stop_sig << 8) | 0x7f;
    w->cause = p->stop_sig;
    p->stop_reported |= consume;
    break;
  case CLD_CONTINUED:
    w->status = 0xffff;
    w->cause = SIGCONT;
    p->cont_reported |= consume;
    break;
  default:
    w->status = exit_status(c);
    w->cause = code == CLD_EXITED ? (w->status >> 8) & 0xff : w->status & 0x7f;
    if (consume)
      consume_dead(t, c, &sum);
  }
  return w->pid;
}

/* Take c into account: true if it is what to report. */
static bool consider(const struct waited *c, const struct wait_opts *w, bool *any, int *code) {
  if (!eligible(c, w))
    return false;
  if (dead(c) && !(w->options & WEXITED))
    return false; /* nothing else can come of it */
  *any = true;
  *code = reportable(c, w);
  return *code != 0;
}

static bool look_at_children(struct task *t, const struct wait_opts *w, struct waited *out, bool *any, int *code) {
  struct process *p = t->proc, *child;
  bool found = false;
  /* Newest first in the list; the oldest is reported, as in Linux. */
  LIST_FOREACH(child, &p->children, sibling) {
    struct task *l = child->leader;
    struct waited c = {.child = child, .tracee = l->ptracer && l->ptracer->proc == p ? l : NULL};
    int r;
    if ((w->options & __WNOTHREAD) && (c.tracee ? l->ptracer : child->parent_thread) != t)
      continue;
    if (!consider(&c, w, any, &r))
      continue;
    *out = c;
    *code = r;
    found = true;
  }
  return found;
}

static bool look_at_tracees(struct task *tracer, const struct wait_opts *w, struct waited *out, bool *any, int *code) {
  struct ptrace *pt;
  LIST_FOREACH(pt, &tracer->tracees, link) {
    struct waited c = {.child = pt->task->proc, .tracee = pt->task};
    if (pt->task == c.child->leader && c.child->parent == tracer->proc)
      continue; /* seen as a child */
    if (consider(&c, w, any, code)) {
      *out = c;
      return true;
    }
  }
  return false;
}

static bool look(struct task *t, const struct wait_opts *w, struct waited *out, bool *any, int *code) {
  if (look_at_children(t, w, out, any, code) || look_at_tracees(t, w, out, any, code))
    return true;
  if (w->options & __WNOTHREAD)
    return false;
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    if (o != t && look_at_tracees(o, w, out, any, code))
      return true;
  }
  return false;
}

int64_t process_wait(struct task *t, struct wait_opts *w) {
  for (;;) {
    bool any = false;
    struct waited found;
    int code;
    if (look(t, w, &found, &any, &code))
      return report(t, &found, code, w);
    if (!any)
      return -ECHILD;
    if (w->options & WNOHANG)
      return 0;
    int err = task_wait(&t->proc->child_wait, 0, NO_DEADLINE);
    if (err)
      return err;
  }
}
