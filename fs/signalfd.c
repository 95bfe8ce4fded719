#include "anon.h"
#include "../core/errno.h"
#include "../core/task.h"
#include "sbuf.h"
#include "vfs.h"
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

/*
 * A signalfd shows whoever reads or polls it that task's own signals, so it is woken by the queue of each process that
 * has polled it: such a process gets a relay.
 */
struct relay {
  struct wait_entry e; /* on process.signalfd_wq; detached when the process ends */
  struct signalfd *s;
  struct relay *next;
};

struct signalfd {
  struct waitq wq;
  sigset64_t mask;
  struct relay *relays;
};

static bool relay_fire(struct wait_entry *e, uint32_t events) {
  struct relay *r = e->arg;
  waitq_wake(&r->s->wq, events);
  return false;
}

static void relay_add(struct signalfd *s, struct process *p) {
  struct relay *r, *dead = NULL;
  for (r = s->relays; r; r = r->next) {
    if (r->e.q == &p->signalfd_wq)
      return;
    if (!r->e.q)
      dead = r;
  }
  if (!dead) {
    dead = calloc(1, sizeof *dead);
    if (!dead)
      return; /* as if the signal came too late: the next poll tries again */
    dead->s = s;
    dead->e = (struct wait_entry){.fn = relay_fire, .arg = dead};
    dead->next = s->relays;
    s->relays = dead;
  }
  waitq_add(&p->signalfd_wq, &dead->e);
}

static sigset64_t pending_of(const struct task *t) {
  return t->pending.set | t->proc->pending.set;
}

static uint32_t signalfd_poll(struct file *f) {
  struct signalfd *s = f->priv;
  struct task *t = task_current();
  if (!t)
    return 0;
  relay_add(s, t->proc);
  return pending_of(t) & s->mask ? EPOLLIN | EPOLLRDNORM : 0;
}

/* signalfd(2): which fields are valid depends on si_code; the rest stays zero. */
static void fill(struct signalfd_siginfo *o, int sig, const siginfo_t *i) {
  memset(o, 0, sizeof *o);
  o->ssi_signo = (uint32_t)sig;
  o->ssi_errno = i->si_errno;
  o->ssi_code = i->si_code;
  if (i->si_code == SI_TIMER) {
    o->ssi_tid = (uint32_t)i->si_timerid;
    o->ssi_overrun = (uint32_t)i->si_overrun;
    o->ssi_ptr = (uint64_t)i->si_value.sival_ptr;
    o->ssi_int = i->si_value.sival_int;
    return;
  }
  if (i->si_code > 0 && sig == SIGCHLD) {
    o->ssi_status = i->si_status;
    o->ssi_utime = (uint64_t)i->si_utime;
    o->ssi_stime = (uint64_t)i->si_stime;
  } else if (i->si_code > 0 && sig == SIGPOLL) {
    o->ssi_band = (uint32_t)i->si_band;
    o->ssi_fd = i->si_fd;
    return;
  } else if (i->si_code > 0 && i->si_code != SI_KERNEL) {
    o->ssi_addr = (uint64_t)i->si_addr;
    return;
  } else if (i->si_code < 0) {
    o->ssi_ptr = (uint64_t)i->si_value.sival_ptr;
    o->ssi_int = i->si_value.sival_int;
  }
  o->ssi_pid = (uint32_t)i->si_pid;
  o->ssi_uid = i->si_uid;
}

static ssize_t signalfd_read(struct file *f, struct uio *u, off_t *pos) {
  struct signalfd *s = f->priv;
  struct task *t = task_current();
  struct signalfd_siginfo out;
  siginfo_t info;
  ssize_t done = 0;
  if (u->resid < sizeof out)
    return -EINVAL;
  while (u->resid >= sizeof out) {
    int sig = signal_dequeue(t, s->mask, &info);
    if (!sig) {
      if (done)
        break;
      if (u->nonblock)
        return -EAGAIN;
      int r = task_wait(&t->proc->signalfd_wq, 0, NO_DEADLINE);
      if (r && !(pending_of(t) & s->mask))
        return r;
      continue;
    }
    fill(&out, sig, &info);
    if (uio_copy_to(u, &out, sizeof out) != sizeof out)
      return done ? done : -EFAULT;
    done += sizeof out;
  }
  return done;
}

static void signalfd_release(struct file *f) {
  struct signalfd *s = f->priv;
  struct relay *r;
  while ((r = s->relays)) {
    s->relays = r->next;
    waitq_del(&r->e);
    free(r);
  }
  waitq_destroy(&s->wq);
  free(s);
}

static void signalfd_fdinfo(struct file *f, struct sbuf *b) {
  const struct signalfd *s = f->priv;
  sb_printf(b, "sigmask:\t%016llx\n", (unsigned long long)s->mask);
}

static const struct file_ops signalfd_ops = {
    .name = "signalfd",
    .read = signalfd_read,
    .poll = signalfd_poll,
    .fdinfo = signalfd_fdinfo,
    .release = signalfd_release,
};

static sigset64_t catchable(sigset64_t mask) {
  return mask & ~(sigbit(SIGKILL) | sigbit(SIGSTOP));
}

int signalfd_new(struct kernel *k, sigset64_t mask, int flags, struct file **out) {
  struct signalfd *s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  waitq_init(&s->wq);
  s->mask = catchable(mask);
  *out = anon_file_new(k, &signalfd_ops, O_RDWR | (flags & SFD_NONBLOCK), s, "anon_inode:[signalfd]");
  if (!*out) {
    free(s);
    return -ENOMEM;
  }
  (*out)->wq = &s->wq;
  return 0;
}

int signalfd_set(struct file *f, sigset64_t mask) {
  if (f->ops != &signalfd_ops)
    return -EINVAL;
  struct signalfd *s = f->priv;
  s->mask = catchable(mask);
  waitq_wake(&s->wq, EPOLLIN);
  return 0;
}
