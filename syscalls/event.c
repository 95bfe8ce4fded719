/* eventfd(2), timerfd_create(2), signalfd(2), inotify(7). */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "../fs/fsnotify.h"
#include "table.h"
#include <linux/capability.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* Takes the reference over. */
static int64_t install(struct task *t, struct file *f, bool cloexec) {
  int fd = fd_install(t->files, f, 0, cloexec);
  file_put(f);
  return fd;
}

/* ---- eventfd ---- */

static int64_t make_eventfd(struct task *t, unsigned initval, int flags) {
  struct file *f;
  if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
    return -EINVAL;
  int err = eventfd_new(t->k, initval, flags, &f);
  return err ? err : install(t, f, flags & EFD_CLOEXEC);
}

SYSCALL_HANDLER(eventfd) {
  return make_eventfd(t, (unsigned)a[0], 0);
}
SYSCALL_HANDLER(eventfd2) {
  return make_eventfd(t, (unsigned)a[0], (int)a[1]);
}

/* ---- timerfd ---- */

SYSCALL_HANDLER(timerfd_create) {
  struct file *f;
  int clock = (int)a[0], flags = (int)a[1];
  bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
  if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
    return -EINVAL;
  if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME && !alarm)
    return -EINVAL;
  if (alarm && !cred_has_cap(t->cred, CAP_WAKE_ALARM))
    return -EPERM;
  int err = timerfd_new(t->k, clock, flags, &f);
  return err ? err : install(t, f, flags & TFD_CLOEXEC);
}

static int put_itimerspec(uint64_t addr, const struct itimer_val *v) {
  struct itimerspec ts = {.it_value = ns_timespec(v->value), .it_interval = ns_timespec(v->interval)};
  return put_user(addr, &ts);
}

SYSCALL_HANDLER(timerfd_settime) {
  struct itimerspec ts;
  if (get_user(&ts, a[2]))
    return -EFAULT;
  if (a[1] & ~(uint64_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) || !timespec_ok(&ts.it_value) ||
      !timespec_ok(&ts.it_interval))
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  struct itimer_val v = {.value = timespec_ns(&ts.it_value), .interval = timespec_ns(&ts.it_interval)}, old;
  int err = timerfd_set(f, (int)a[1], &v, &old);
  return err || !a[3] ? err : put_itimerspec(a[3], &old);
}

SYSCALL_HANDLER(timerfd_gettime) {
  struct itimer_val v;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  int err = timerfd_get(f, &v);
  return err ? err : put_itimerspec(a[1], &v);
}

/* ---- signalfd ---- */

static int64_t make_signalfd(struct task *t, int fd, uint64_t umask, uint64_t size, int flags) {
  sigset64_t mask;
  if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK) || size != sizeof mask)
    return -EINVAL;
  if (get_user(&mask, umask))
    return -EFAULT;
  struct file *f;
  if (fd == -1) {
    int err = signalfd_new(t->k, mask, flags, &f);
    return err ? err : install(t, f, flags & SFD_CLOEXEC);
  }
  f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  int err = signalfd_set(f, mask);
  file_put(f);
  return err ? err : fd;
}

SYSCALL_HANDLER(signalfd) {
  return make_signalfd(t, (int)a[0], a[1], a[2], 0);
}
SYSCALL_HANDLER(signalfd4) {
  return make_signalfd(t, (int)a[0], a[1], a[2], (int)a[3]);
}

/* ---- inotify ---- */

static int64_t make_inotify(struct task *t, int flags) {
  struct file *f;
  if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
    return -EINVAL;
  int err = inotify_new(t->k, flags, &f);
  return err ? err : install(t, f, flags & IN_CLOEXEC);
}

SYSCALL_HANDLER(inotify_init) {
  return make_inotify(t, 0);
}
SYSCALL_HANDLER(inotify_init1) {
  return make_inotify(t, (int)a[0]);
}

SYSCALL_HANDLER(inotify_add_watch) {
  uint32_t mask = (uint32_t)a[2];
  if (!(mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)) ||
      (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  unsigned flags = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
  struct path p;
  int64_t r = vfs_lookup_user(t, AT_FDCWD, a[1], flags, &p);
  if (r)
    return r;
  r = vfs_permission(t, p.mnt, p.dentry->inode, R_OK);
  if (!r)
    r = inotify_add(f, &p, mask);
  path_put(&p);
  return r;
}

SYSCALL_HANDLER(inotify_rm_watch) {
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  return f ? inotify_rm(f, (int)a[1]) : -EBADF;
}
