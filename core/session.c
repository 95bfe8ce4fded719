/* Process groups and sessions: setsid(2), setpgid(2), credentials(7). */
#include "errno.h"
#include "kernel.h"
#include "task.h"

void process_join_pgrp(struct process *p, struct pid *pgrp, struct pid *session) {
  /* Taken first: old and new may be the same, held by nothing else. */
  if (pgrp)
    pid_get(pgrp);
  if (session)
    pid_get(session);
  if (p->pgrp) {
    LIST_REMOVE(p, pgrp_link);
    pid_put(p->pgrp);
  }
  if (p->session) {
    LIST_REMOVE(p, session_link);
    pid_put(p->session);
  }
  p->pgrp = pgrp;
  p->session = session;
  if (pgrp)
    LIST_INSERT_HEAD(&pgrp->pgrp, p, pgrp_link);
  if (session)
    LIST_INSERT_HEAD(&session->session, p, session_link);
}

int process_setsid(struct process *p) {
  /* A group of this number exists: p leads it, or left it while others stayed. */
  if (p->session_leader || !LIST_EMPTY(&p->pid->pgrp))
    return -EPERM;
  process_join_pgrp(p, p->pid, p->pid);
  p->session_leader = true;
  p->ctty = NULL;
  return pid_vnr(p->pid);
}

static int check_setpgid(struct task *t, struct process *p) {
  if (p->parent && p->parent == t->proc) {
    if (p->session != t->proc->session)
      return -EPERM;
    if (p->did_exec)
      return -EACCES;
  } else if (p != t->proc) {
    return -ESRCH;
  }
  return p->session_leader ? -EPERM : 0;
}

int process_setpgid(struct task *t, int pid, int pgid) {
  struct kernel *k = t->k;
  if (pid == 0)
    pid = pid_vnr(t->proc->pid);
  if (pgid == 0)
    pgid = pid;
  if (pgid < 0)
    return -EINVAL;
  struct pid *nr = pid_find_borrow(k, pid);
  if (!nr || (!nr->process && !nr->task))
    return -ESRCH;
  if (!nr->process)
    return -EINVAL; /* a thread, but no leader */
  struct process *p = nr->process;
  int err = check_setpgid(t, p);
  if (err)
    return err;
  struct pid *pgrp = p->pid;
  if (pgid != pid) {
    pgrp = pid_find_borrow(k, pgid);
    if (!pgrp || LIST_EMPTY(&pgrp->pgrp) || LIST_FIRST(&pgrp->pgrp)->session != t->proc->session)
      return -EPERM;
  }
  if (p->pgrp != pgrp)
    process_join_pgrp(p, pgrp, p->session);
  return 0;
}

bool process_group_orphaned_without(struct pid *pgrp, const struct process *without) {
  struct process *p;
  LIST_FOREACH(p, &pgrp->pgrp, pgrp_link) {
    if (p == without || p->zombie || !p->parent)
      continue;
    if (p->parent->pgrp != pgrp && p->parent->session == p->session)
      return false;
  }
  return true;
}

bool process_group_orphaned(struct pid *pgrp) {
  return process_group_orphaned_without(pgrp, NULL);
}
