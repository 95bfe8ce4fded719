/* Signal-driven input and output: fcntl(2), O_ASYNC, F_SETOWN, F_SETSIG; fs/fcntl.c of Linux. */
#include "file.h"
#include "errno.h"
#include "kernel.h"
#include "task.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct fasync {
  struct wait_entry e; /* on the file's queue */
  struct file *f;      /* whose we are */
  int fd;              /* under which O_ASYNC was set: si_fd */
};

int file_set_owner(struct task *t, struct file *f, int who) {
  if (who == INT_MIN)
    return -EINVAL;
  struct pid *pid = who ? pid_find_borrow(t->k, who < 0 ? -who : who) : NULL;
  if (who && !pid)
    return -ESRCH;
  f->owner_pid = !pid ? 0 : who < 0 ? -pid->nr : pid->nr;
  f->owner_uid = t->cred->uid;
  f->owner_euid = t->cred->euid;
  return 0;
}

int file_owner_here(const struct task *t, const struct file *f) {
  int who = f->owner_pid;
  return who < 0 ? -pid_nr_here(t->k, -who) : pid_nr_here(t->k, who);
}

/* sigio_perm() of Linux, with the ids that F_SETOWN was called with. */
static bool may_signal(const struct file *f, const struct process *p) {
  const struct cred *c = p->leader ? p->leader->cred : NULL;
  return f->owner_euid == 0 || (c && (f->owner_euid == c->suid || f->owner_euid == c->uid || f->owner_uid == c->suid ||
                                      f->owner_uid == c->uid));
}

static void signal_owner(const struct file *f, int fd, struct process *p, int code, uint32_t events) {
  int sig = f->owner_sig;
  siginfo_t info = {.si_signo = sig, .si_code = code};
  if (!may_signal(f, p))
    return;
  info.si_band = events;
  info.si_fd = fd;
  /* Without F_SETSIG, or when its queue is full, plain SIGIO. */
  if (!sig || send_signal_process(p, sig, &info))
    send_signal_process(p, SIGIO, NULL);
}

static void urge(const struct file *f, struct process *p) {
  if (may_signal(f, p))
    send_signal_process(p, SIGURG, NULL);
}

void file_signal_urgent(const struct file *f) {
  struct kernel *k = kernel_current();
  int who = f->owner_pid;
  struct pid *pid = who ? pid_find_ns_borrow(k->init_pid_ns, who < 0 ? -who : who) : NULL;
  struct process *p;
  if (pid && who > 0 && pid->process)
    urge(f, pid->process);
  if (!pid || who > 0)
    return;
  LIST_FOREACH(p, &pid->pgrp, pgrp_link)
  urge(f, p);
}

void file_signal_owner(const struct file *f, int fd, int code, uint32_t events) {
  struct kernel *k = kernel_current();
  int who = f->owner_pid;
  struct pid *pid = who ? pid_find_ns_borrow(k->init_pid_ns, who < 0 ? -who : who) : NULL;
  struct process *p;
  if (!pid)
    return;
  if (who > 0) {
    p = pid->process ? pid->process : pid->task ? pid->task->proc : NULL;
    if (p)
      signal_owner(f, fd, p, code, events);
    return;
  }
  LIST_FOREACH(p, &pid->pgrp, pgrp_link)
  signal_owner(f, fd, p, code, events);
}

static bool fire(struct wait_entry *e, uint32_t events) {
  const struct fasync *a = e->arg;
  const struct file *f = a->f;
  if (!events)
    events = EPOLLIN | EPOLLOUT;
  if (events & (EPOLLIN | EPOLLPRI) && file_can_read(f))
    file_signal_owner(f, a->fd, POLL_IN, EPOLLIN | EPOLLRDNORM);
  else if (events & EPOLLOUT && file_can_write(f))
    file_signal_owner(f, a->fd, POLL_OUT, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
  else if (events & (EPOLLHUP | EPOLLERR))
    file_signal_owner(f, a->fd, POLL_HUP, EPOLLHUP | EPOLLERR);
  return false;
}

int file_set_async(struct file *f, int fd, bool on) {
  if (!on || !f->wq) {
    if (f->fasync)
      waitq_del(&f->fasync->e);
    free(f->fasync);
    f->fasync = NULL;
    return 0;
  }
  if (!f->fasync) {
    f->fasync = calloc(1, sizeof *f->fasync);
    if (!f->fasync)
      return -ENOMEM;
    f->fasync->f = f;
    f->fasync->e = (struct wait_entry){.fn = fire, .arg = f->fasync};
    waitq_add(f->wq, &f->fasync->e);
  }
  f->fasync->fd = fd;
  return 0;
}
