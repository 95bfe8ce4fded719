/*
 * Listeners of seccomp filters: seccomp_unotify(2). A call that a filter hands over waits as a `request` on its own
 * fiber's stack; the listener's holder receives it, may put descriptors into the caller's table, and answers.
 */
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "seccomp.h"
#include "task.h"
#include "uaccess.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ull
#endif
#define ID_VALID_WRONG_DIR SECCOMP_IOR(2, __u64) /* what Linux called it up to 5.18 */
#define ADDFD_SIZE_MIN 24

enum request_state { REQ_INIT, REQ_SENT, REQ_REPLIED };

struct request {
  TAILQ_ENTRY(request) link;
  struct task *t; /* parked in seccomp_ask_listener() while this exists */
  enum request_state state;
  bool listed; /* in the listener's list; else that has gone */
  uint64_t id;
  struct seccomp_data data;
  struct waitq wq;
  int64_t val;
  int error;
  uint32_t flags;
};

struct seccomp_listener {
  struct seccomp_filter *filter; /* counted */
  struct waitq wq;
  TAILQ_HEAD(, request) requests; /* oldest first */
  uint64_t next_id;
};

int seccomp_listener_new(struct seccomp_filter *f, struct seccomp_listener **out) {
  struct seccomp_listener *l = calloc(1, sizeof *l);
  if (!l)
    return -ENOMEM;
  waitq_init(&l->wq);
  TAILQ_INIT(&l->requests);
  l->next_id = (uint64_t)loop_now() | 1; /* not to be guessed from another listener's */
  l->filter = f;
  ref_get(&f->ref);
  f->listener = l;
  *out = l;
  return 0;
}

void seccomp_listener_close(struct seccomp_listener *l) {
  struct request *r;
  l->filter->listener = NULL;
  while ((r = TAILQ_FIRST(&l->requests))) {
    TAILQ_REMOVE(&l->requests, r, link);
    r->listed = false;
    if (r->state != REQ_REPLIED) {
      r->error = -ENOSYS;
      r->val = 0;
      r->flags = 0;
      r->state = REQ_REPLIED;
    }
    waitq_wake_all(&r->wq, 0);
  }
  waitq_destroy(&l->wq);
  seccomp_filter_put(l->filter);
  free(l);
}

struct waitq *seccomp_listener_wq(struct seccomp_listener *l) {
  return &l->wq;
}

void seccomp_listener_hangup(struct seccomp_listener *l) {
  waitq_wake_all(&l->wq, EPOLLHUP);
}

uint32_t seccomp_listener_poll(const struct seccomp_listener *l) {
  uint32_t ev = l->filter->users ? 0 : EPOLLHUP;
  const struct request *r;
  TAILQ_FOREACH(r, &l->requests, link) {
    if (r->state == REQ_INIT)
      ev |= EPOLLIN | EPOLLRDNORM;
    else if (r->state == REQ_SENT)
      ev |= EPOLLOUT | EPOLLWRNORM;
  }
  return ev;
}

/* ---- the caller's side ---- */

/* With WAIT_KILLABLE_RECV a call that has been received is not interrupted, so that its listener's work is not lost. */
static int wait_for_answer(struct task *t, struct request *r, bool wait_killable) {
  while (r->state != REQ_REPLIED) {
    if (wait_killable && r->state == REQ_SENT) {
      struct wait_entry e = {.fn = wait_entry_wake, .arg = fiber_self()};
      waitq_add(&r->wq, &e);
      t->killable = true;
      t->state = TASK_SLEEPING;
      if (!t->killed)
        fiber_park();
      t->state = TASK_RUNNING;
      t->killable = false;
      waitq_del(&e);
      if (t->killed)
        return -EINTR;
      continue;
    }
    int err = task_wait(&r->wq, 0, NO_DEADLINE);
    if (err && r->state != REQ_REPLIED && !(wait_killable && r->state == REQ_SENT && !t->killed))
      return err;
  }
  return 0;
}

bool seccomp_ask_listener(struct task *t, struct seccomp_filter *f, const struct seccomp_data *d, int64_t *ret) {
  struct seccomp_listener *l = f->listener;
  *ret = -ENOSYS;
  if (!l)
    return false;
  struct request r = {.t = t, .state = REQ_INIT, .listed = true, .id = l->next_id++, .data = *d};
  waitq_init(&r.wq);
  TAILQ_INSERT_TAIL(&l->requests, &r, link);
  waitq_wake(&l->wq, EPOLLIN | EPOLLRDNORM);
  int err = wait_for_answer(t, &r, f->wait_killable);
  if (r.listed)
    TAILQ_REMOVE(&l->requests, &r, link);
  waitq_destroy(&r.wq);
  if (err) {
    *ret = err;
    return false;
  }
  if (r.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE)
    return true;
  *ret = r.error ? r.error : r.val;
  return false;
}

/* ---- the listener's side ---- */

static struct request *find(struct seccomp_listener *l, uint64_t id) {
  struct request *r;
  TAILQ_FOREACH(r, &l->requests, link) {
    if (r->id == id)
      return r;
  }
  return NULL;
}

static struct request *oldest_new(struct seccomp_listener *l) {
  struct request *r;
  TAILQ_FOREACH(r, &l->requests, link) {
    if (r->state == REQ_INIT)
      return r;
  }
  return NULL;
}

static long receive(struct seccomp_listener *l, uint64_t arg) {
  static const struct seccomp_notif zero;
  struct seccomp_notif n;
  struct request *r;
  if (get_user(&n, arg))
    return -EFAULT;
  if (memcmp(&n, &zero, sizeof n))
    return -EINVAL;
  while (!(r = oldest_new(l))) {
    if (!l->filter->users)
      return -ENOENT;
    int err = task_wait(&l->wq, EPOLLIN | EPOLLHUP, NO_DEADLINE);
    if (err)
      return err;
  }
  n.id = r->id;
  n.pid = (uint32_t)pid_vnr(r->t->tid);
  n.data = r->data;
  r->state = REQ_SENT;
  waitq_wake_all(&r->wq, 0); /* its wait may be a killable one from now on */
  waitq_wake(&l->wq, EPOLLOUT | EPOLLWRNORM);
  if (!put_user(arg, &n))
    return 0;
  /* It was not received: the next one gets it. It may have gone while we were copying. */
  r = find(l, n.id);
  if (r && r->state == REQ_SENT) {
    r->state = REQ_INIT;
    waitq_wake(&l->wq, EPOLLIN | EPOLLRDNORM);
  }
  return -EFAULT;
}

static void reply(struct request *r, int64_t val, int error, uint32_t flags) {
  r->val = val;
  r->error = error;
  r->flags = flags;
  r->state = REQ_REPLIED;
  waitq_wake_all(&r->wq, 0);
}

static long answer(struct seccomp_listener *l, uint64_t arg) {
  struct seccomp_notif_resp a;
  if (get_user(&a, arg))
    return -EFAULT;
  if (a.flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE)
    return -EINVAL;
  if ((a.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) && (a.error || a.val))
    return -EINVAL;
  struct request *r = find(l, a.id);
  if (!r)
    return -ENOENT;
  if (r->state != REQ_SENT)
    return -EINPROGRESS;
  reply(r, a.val, a.error, a.flags);
  return 0;
}

static long id_valid(struct seccomp_listener *l, uint64_t arg) {
  uint64_t id;
  if (get_user(&id, arg))
    return -EFAULT;
  struct request *r = find(l, id);
  return r && r->state == REQ_SENT ? 0 : -ENOENT;
}

/* f into the table of the caller, as one of its own calls would do it: its limit counts. */
static int install(struct task *t, struct file *f, const struct seccomp_notif_addfd *a) {
  struct fdtable *files = t->files ? fdtable_get(t->files) : NULL;
  if (!files)
    return -ESRCH;
  bool cloexec = a->newfd_flags & O_CLOEXEC;
  struct task *self = task_current();
  fiber_set_local(t);
  int r = a->flags & SECCOMP_ADDFD_FLAG_SETFD ? fd_dup_to(files, f, (int)a->newfd, cloexec)
                                              : fd_install(files, f, 0, cloexec);
  fiber_set_local(self);
  fdtable_put(files);
  return r;
}

static long add_fd(struct seccomp_listener *l, uint64_t arg, size_t size) {
  struct seccomp_notif_addfd a;
  if (size < ADDFD_SIZE_MIN || size >= 4096)
    return -EINVAL;
  if (copy_from_user(&a, arg, sizeof a))
    return -EFAULT;
  for (size_t off = sizeof a; off < size; off++) {
    char c;
    if (get_user(&c, arg + off))
      return -EFAULT;
    if (c)
      return -E2BIG;
  }
  if ((a.newfd_flags & ~(uint32_t)O_CLOEXEC) ||
      (a.flags & ~(uint32_t)(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) ||
      (a.newfd && !(a.flags & SECCOMP_ADDFD_FLAG_SETFD)))
    return -EINVAL;
  AUTO_FILE f = fd_file(task_current()->files, (int)a.srcfd);
  if (!f)
    return -EBADF;
  struct request *r = find(l, a.id);
  if (!r)
    return -ENOENT;
  if (r->state != REQ_SENT)
    return -EINPROGRESS;
  int fd = install(r->t, f, &a);
  if (fd < 0 || !(a.flags & SECCOMP_ADDFD_FLAG_SEND))
    return fd;
  r = find(l, a.id); /* closing what was at the number may have parked */
  if (r && r->state == REQ_SENT)
    reply(r, fd, 0, 0);
  return fd;
}

long seccomp_listener_ioctl(struct seccomp_listener *l, unsigned cmd, uint64_t arg) {
  switch (cmd) {
  case SECCOMP_IOCTL_NOTIF_RECV:
    return receive(l, arg);
  case SECCOMP_IOCTL_NOTIF_SEND:
    return answer(l, arg);
  case SECCOMP_IOCTL_NOTIF_ID_VALID:
  case ID_VALID_WRONG_DIR:
    return id_valid(l, arg);
  case SECCOMP_IOCTL_NOTIF_SET_FLAGS:
    return arg & ~SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP ? -EINVAL : 0; /* one thread schedules everybody here */
  }
  unsigned addfd = SECCOMP_IOCTL_NOTIF_ADDFD;
  if (_IOC_TYPE(cmd) == _IOC_TYPE(addfd) && _IOC_NR(cmd) == _IOC_NR(addfd) && _IOC_DIR(cmd) == _IOC_DIR(addfd))
    return add_fd(l, arg, _IOC_SIZE(cmd));
  return -EINVAL;
}
