/* wait4(2), waitid(2). */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "table.h"
#include <linux/wait.h>
#undef P_ALL
#undef P_PID
#undef P_PGID
#undef P_PIDFD
#include <sys/wait.h>

SYSCALL_HANDLER(wait4) {
  int pid = (int)a[0], options = (int)a[2];
  if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | (int)__WNOTHREAD | (int)__WCLONE | (int)__WALL))
    return -EINVAL;
  if (pid == INT32_MIN)
    return -ESRCH;
  struct wait_opts w = {.options = options | WEXITED};
  if (pid == -1) {
    w.which = P_ALL;
  } else if (pid > 0) {
    w.which = P_PID;
    w.id = pid;
  } else {
    w.which = P_PGID;
    w.id = pid ? -pid : pid_vnr(t->proc->pgrp);
  }
  int64_t r = process_wait(t, &w);
  if (r <= 0)
    return r;
  if (a[1] && put_user(a[1], &w.status))
    return -EFAULT;
  if (a[3] && put_user(a[3], &w.ru))
    return -EFAULT;
  return r;
}

static int waitid_target(struct task *t, struct wait_opts *w, int which, int id, bool *nonblock) {
  switch (which) {
  case P_ALL:
    w->which = P_ALL;
    return 0;
  case P_PID:
    w->which = P_PID;
    w->id = id;
    return id > 0 ? 0 : -EINVAL;
  case P_PGID:
    if (id < 0)
      return -EINVAL;
    w->which = P_PGID;
    w->id = id ? id : pid_vnr(t->proc->pgrp);
    return 0;
  case P_PIDFD: {
    AUTO_FILE f = fd_file(t->files, id);
    struct pid *pid = f ? pidfd_pid_borrow(f) : NULL;
    if (!pid)
      return -EBADF;
    w->which = P_PID;
    w->id = pid_vnr(pid);
    *nonblock = f->flags & O_NONBLOCK;
    return 0;
  }
  default:
    return -EINVAL;
  }
}

/* The pid, 0 or -errno. */
static int64_t wait_id(struct task *t, const uint64_t a[6], struct wait_opts *w) {
  int options = (int)a[3];
  bool nonblock = false;
  if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | (int)__WNOTHREAD | (int)__WCLONE | (int)__WALL))
    return -EINVAL;
  if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
    return -EINVAL;
  w->options = options;
  int err = waitid_target(t, w, (int)a[0], (int)a[1], &nonblock);
  if (err)
    return err;
  if (nonblock)
    w->options |= WNOHANG;
  int64_t r = process_wait(t, w);
  return r == 0 && nonblock && !(options & WNOHANG) ? -EAGAIN : r;
}

SYSCALL_HANDLER(waitid) {
  struct wait_opts w = {0};
  int64_t r = wait_id(t, a, &w);
  if (r > 0 && a[4] && put_user(a[4], &w.ru))
    return -EFAULT;
  if (a[2]) {
    /* Only these members are written by Linux, as zeros where nothing was found; the rest of the caller's struct stays.
     */
    struct {
      int signo, err, code, pad, pid;
      uint32_t uid;
      int status;
    } out = {0};
    if (r > 0) {
      out.signo = SIGCHLD;
      out.code = w.code;
      out.pid = w.pid;
      out.uid = w.uid;
      out.status = w.cause;
    }
    if (copy_to_user(a[2], &out, sizeof out))
      return -EFAULT;
  }
  return r > 0 ? 0 : r;
}
