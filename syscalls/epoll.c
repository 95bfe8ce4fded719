/* epoll_create(2), epoll_ctl(2), epoll_wait(2). */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "table.h"
#include <limits.h>
#include <stdlib.h>

#define FAST 64 /* events for which no memory is allocated */

static int64_t make_epoll(struct task *t, int flags) {
  struct file *f;
  if (flags & ~EPOLL_CLOEXEC)
    return -EINVAL;
  int err = epoll_new(t->k, &f);
  if (err)
    return err;
  int fd = fd_install(t->files, f, 0, flags & EPOLL_CLOEXEC);
  file_put(f);
  return fd;
}

SYSCALL_HANDLER(epoll_create) {
  return (int)a[0] > 0 ? make_epoll(t, 0) : -EINVAL;
}
SYSCALL_HANDLER(epoll_create1) {
  return make_epoll(t, (int)a[0]);
}

SYSCALL_HANDLER(epoll_ctl) {
  struct epoll_event_k ev = {0};
  int op = (int)a[1];
  if (op != EPOLL_CTL_DEL && get_user(&ev, a[3]))
    return -EFAULT;
  AUTO_FILE ep = fd_file(t->files, (int)a[0]);
  AUTO_FILE target = ep ? fd_file(t->files, (int)a[2]) : NULL;
  return target ? epoll_ctl_file(ep, op, (int)a[2], target, &ev) : -EBADF;
}

static int64_t wait_events(struct task *t, int fd, uint64_t uevents, int n, int64_t deadline) {
  struct epoll_event_k fast[FAST], *ev = fast;
  if (n <= 0 || n > INT_MAX / (int)sizeof *ev)
    return -EINVAL;
  if (!access_ok(uevents, (size_t)n * sizeof *ev))
    return -EFAULT;
  AUTO_FILE ep = fd_file(t->files, fd);
  if (!ep)
    return -EBADF;
  if (!file_is_epoll(ep))
    return -EINVAL;
  int most = epoll_item_count(ep); /* no more can be ready, but what comes while we wait */
  if (n > FAST && n > most)
    n = most > FAST ? most : FAST;
  if (n > FAST && !(ev = malloc((size_t)n * sizeof *ev)))
    return -ENOMEM;
  int64_t r = epoll_wait_file(ep, ev, n, deadline);
  if (r > 0 && copy_to_user(uevents, ev, (size_t)r * sizeof *ev))
    r = -EFAULT;
  if (ev != fast)
    free(ev);
  return r;
}

static int64_t wait_masked(struct task *t, const uint64_t a[6], int64_t deadline) {
  if (a[4]) {
    sigset64_t mask;
    if (a[5] != sizeof mask)
      return -EINVAL;
    if (get_user(&mask, a[4]))
      return -EFAULT;
    signal_set_temp_mask(t, mask);
  }
  int64_t r = wait_events(t, (int)a[0], a[1], (int)a[2], deadline);
  if (a[4] && r != -EINTR)
    signal_restore_temp_mask(t);
  return r;
}

static int64_t ms_deadline(int ms) {
  return ms < 0 ? NO_DEADLINE : ms ? deadline_after(ms * 1000000ll) : 0;
}

SYSCALL_HANDLER(epoll_wait) {
  return wait_events(t, (int)a[0], a[1], (int)a[2], ms_deadline((int)a[3]));
}
SYSCALL_HANDLER(epoll_pwait) {
  return wait_masked(t, a, ms_deadline((int)a[3]));
}

SYSCALL_HANDLER(epoll_pwait2) {
  struct timespec ts;
  int64_t deadline = NO_DEADLINE;
  if (a[3]) {
    if (get_user(&ts, a[3]))
      return -EFAULT;
    if (!timespec_ok(&ts))
      return -EINVAL;
    int64_t ns = timespec_ns(&ts);
    deadline = ns ? deadline_after(ns) : 0;
  }
  return wait_masked(t, a, deadline);
}
