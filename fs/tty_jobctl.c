/* Controlling terminals and job control: credentials(7), tcgetpgrp(3), drivers/tty/tty_jobctrl.c of Linux. */
#include "../core/errno.h"
#include "../core/signal.h"
#include "../core/uaccess.h"
#include "tty_core.h"
#include <linux/capability.h>

void tty_signal_pgrp(struct tty *t, int sig) {
  if (t->pgrp)
    send_signal_pgrp(t->pgrp, sig, NULL);
}

int tty_check_change(struct tty *t, int sig) {
  struct task *me = task_current();
  if (!me || me->proc->ctty != t || !t->pgrp || me->proc->pgrp == t->pgrp)
    return 0;
  if ((me->blocked & sigbit(sig)) || me->sighand->action[sig - 1].handler == (uint64_t)(uintptr_t)SIG_IGN)
    return sig == SIGTTIN ? -EIO : 0;
  if (process_group_orphaned(me->proc->pgrp))
    return -EIO;
  send_signal_pgrp(me->proc->pgrp, sig, NULL);
  return -ERESTARTSYS;
}

void tty_set_session(struct tty *t, struct task *task) {
  struct process *p = task->proc;
  if (t->session)
    tty_clear_session(t);
  t->session = pid_get(p->session);
  t->pgrp = pid_get(p->pgrp);
  p->ctty = tty_get(t); /* the reference is the session's */
}

void tty_clear_session(struct tty *t) {
  struct pid *s = t->session, *pg = t->pgrp;
  struct process *p;
  if (!s)
    return;
  t->session = t->pgrp = NULL;
  LIST_FOREACH(p, &s->session, session_link) {
    if (p->ctty == t)
      p->ctty = NULL;
  }
  pid_put(pg);
  pid_put(s);
  if (t->wire && !t->slaves)
    tty_wire_close(t->wire);
  tty_put(t);
}

int tty_set_controlling(struct file *f, struct task *task) {
  struct tty *t = file_tty(f);
  if (!t || f->ops != &tty_slave_fops)
    return -ENOTTY;
  if (!task->proc->session_leader || task->proc->ctty)
    return -EPERM;
  if (t->session)
    return -EPERM;
  tty_set_session(t, task);
  return 0;
}

/* disassociate_ctty(): the leader gives the terminal up (TIOCNOTTY) or dies. */
static void disassociate(struct process *leader, bool exiting) {
  struct tty *t = leader->ctty;
  if (!t)
    return;
  if (t->pgrp) {
    send_signal_pgrp(t->pgrp, SIGHUP, NULL);
    send_signal_pgrp(t->pgrp, SIGCONT, NULL);
  }
  if (t->session == leader->session)
    tty_clear_session(t);
  leader->ctty = NULL;
}

void tty_session_exit(struct process *leader) {
  if (leader->session_leader)
    disassociate(leader, true);
}

static long set_ctty(struct file *f, struct tty *t, uint64_t arg) {
  struct task *me = task_current();
  if (!me)
    return -EPERM;
  if (me->proc->session_leader && t->session == me->proc->session)
    return 0;
  if (!me->proc->session_leader || me->proc->ctty)
    return -EPERM;
  if (t->session && !(arg == 1 && cred_has_cap(me->cred, CAP_SYS_ADMIN)))
    return -EPERM;
  if (!file_can_read(f) && !cred_has_cap(me->cred, CAP_SYS_ADMIN))
    return -EPERM;
  tty_set_session(t, me);
  return 0;
}

static long give_up_ctty(struct tty *t) {
  struct task *me = task_current();
  if (!me || me->proc->ctty != t)
    return -ENOTTY;
  if (me->proc->session_leader)
    disassociate(me->proc, false);
  me->proc->ctty = NULL;
  return 0;
}

static bool is_ctty(const struct tty *t) {
  struct task *me = task_current();
  return me && me->proc->ctty == t;
}

static long set_pgrp(struct tty *t, uint64_t arg, bool master) {
  struct task *me = task_current();
  int nr, r = master ? 0 : tty_check_change(t, SIGTTOU);
  if (r)
    return r == -EIO ? -ENOTTY : r;
  if (!is_ctty(t) || t->session != me->proc->session)
    return -ENOTTY;
  if (get_user(&nr, arg))
    return -EFAULT;
  if (nr < 0)
    return -EINVAL;
  if (!is_ctty(t)) /* get_user may have parked */
    return -ENOTTY;
  struct pid *pg = pid_find_borrow(t->k, nr);
  if (!pg)
    return -ESRCH;
  struct process *member = LIST_FIRST(&pg->pgrp);
  if (!member || member->session != me->proc->session)
    return -EPERM;
  struct pid *old = t->pgrp;
  t->pgrp = pid_get(pg);
  if (old)
    pid_put(old);
  return 0;
}

long tty_jobctl_ioctl(struct file *f, struct tty *t, unsigned cmd, uint64_t arg) {
  bool master = f->ops == &tty_master_fops;
  int nr;
  switch (cmd) {
  case TIOCSCTTY:
    return master ? -EIO : set_ctty(f, t, arg);
  case TIOCNOTTY:
    return give_up_ctty(t);
  case TIOCGPGRP:
    if (!master && !is_ctty(t))
      return -ENOTTY;
    nr = pid_vnr(t->pgrp);
    return put_user(arg, &nr);
  case TIOCSPGRP:
    return set_pgrp(t, arg, master);
  case TIOCGSID:
    if (!t->session || (!master && !is_ctty(t)))
      return -ENOTTY;
    nr = pid_vnr(t->session);
    return put_user(arg, &nr);
  default:
    return TTY_IOCTL_UNKNOWN;
  }
}
