#include "anon.h"
#include "../core/task.h"
#include "vfs.h"
#include "sbuf.h"
#include <stdlib.h>

/* pidfd_open(2): readable when the process has ended, hung up when it was reaped. */
static uint32_t pidfd_poll(struct file *f) {
  const struct pid *p = f->priv;
  if (f->flags & O_EXCL) { /* PIDFD_THREAD */
    if (!p->task)
      return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
    return p->task->exiting ? EPOLLIN | EPOLLRDNORM : 0;
  }
  if (!p->process)
    return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
  return p->process->zombie ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *f) {
  pid_put(f->priv);
}

static const struct file_ops pidfd_ops = {.name = "pidfd", .poll = pidfd_poll, .release = pidfd_release};

struct file *pidfd_file_new(struct kernel *k, struct pid *p, int flags) {
  struct file *f = anon_file_new(k, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), p, "anon_inode:[pidfd]");
  if (f) {
    pid_get(p);
    f->flags |= flags & O_EXCL; /* PIDFD_THREAD, which fcntl(F_GETFL) shows */
    f->wq = &p->wq;
  }
  return f;
}

struct pid *pidfd_pid_borrow(const struct file *f) {
  return f->ops == &pidfd_ops ? f->priv : NULL;
}

/* pidfd_show_fdinfo(): the number in ns and in the namespaces below it. */
void pidfd_show(const struct pid *p, const struct pid_namespace *ns, struct sbuf *b) {
  bool alive = p->task || p->process;
  int nr = alive ? pid_nr_ns(p, ns) : -1;
  sb_printf(b, "Pid:\t%d\nNSpid:\t%d", nr, nr);
  for (unsigned i = ns->level + 1; nr > 0 && i <= p->level; i++)
    sb_printf(b, "\t%d", p->numbers[i].nr);
  sb_puts(b, "\n");
}
