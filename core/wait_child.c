/* Waiting for children: wait4(2), waitid(2). */
#include "errno.h"
#include "kernel.h"
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

static bool eligible(const struct task *t, const struct process *c, const struct wait_opts *w) {
  if ((w->options & __WNOTHREAD) && c->parent_thread != t)
    return false;
  switch (w->which) {
  case P_PID:
    if (c->pid->nr != w->id)
      return false;
    break;
  case P_PGID:
    if (!c->pgrp || c->pgrp->nr != w->id)
      return false;
    break;
  default:
    break;
  }
  /* "Clone" children are those with another exit signal than SIGCHLD. */
  bool is_clone = c->exit_signal != SIGCHLD;
  return (w->options & __WALL) || is_clone == !!((unsigned)w->options & __WCLONE);
}

/* What of c is to be reported under these options: a CLD_* code or 0. */
static int reportable(const struct process *c, const struct wait_opts *w) {
  if (c->zombie) {
    if (!(w->options & WEXITED))
      return 0;
    if ((c->exit_code & 0x7f) == 0)
      return CLD_EXITED;
    return c->exit_code & 0x80 ? CLD_DUMPED : CLD_KILLED;
  }
  if ((w->options & WSTOPPED) && c->stopped && !c->stop_reported)
    return CLD_STOPPED;
  if ((w->options & WCONTINUED) && c->continued && !c->cont_reported)
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

/* Fill in the results and, unless WNOWAIT, consume what is reported. May free c. */
static int64_t report(struct task *t, struct process *c, int code, struct wait_opts *w) {
  struct rusage_acc sum;
  process_rusage(c, &sum);
  add_acc(&sum, &c->children_acc);
  rusage_from_acc(&sum, &w->ru);
  w->pid = c->pid->nr;
  w->uid = c->leader->cred->uid;
  w->code = code;
  bool consume = !(w->options & WNOWAIT);
  switch (code) {
  case CLD_STOPPED:
    w->status = (c->stop_sig << 8) | 0x7f;
    w->cause = c->stop_sig;
    c->stop_reported |= consume;
    break;
  case CLD_CONTINUED:
    w->status = 0xffff;
    w->cause = SIGCONT;
    c->cont_reported |= consume;
    break;
  default:
    w->status = c->exit_code;
    w->cause = code == CLD_EXITED ? (c->exit_code >> 8) & 0xff : c->exit_code & 0x7f;
    if (consume) {
      add_acc(&t->proc->children_acc, &sum);
      process_reap(c);
    }
  }
  return w->pid;
}

int64_t process_wait(struct task *t, struct wait_opts *w) {
  struct process *p = t->proc;
  for (;;) {
    bool any = false;
    struct process *c, *found = NULL;
    int code = 0;
    /* Newest first in the list; the oldest is reported, as in Linux. */
    LIST_FOREACH(c, &p->children, sibling) {
      if (!eligible(t, c, w))
        continue;
      if (c->zombie && !(w->options & WEXITED))
        continue; /* nothing else can come of it */
      any = true;
      int r = reportable(c, w);
      if (r) {
        found = c;
        code = r;
      }
    }
    if (found)
      return report(t, found, code, w);
    if (!any)
      return -ECHILD;
    if (w->options & WNOHANG)
      return 0;
    int err = task_wait(&p->child_wait, 0, NO_DEADLINE);
    if (err)
      return err;
  }
}
