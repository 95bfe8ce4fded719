/* pipe(2), pipe2(2). */
#include "../fs/pipe.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "table.h"

static int64_t make_pipe(struct task *t, uint64_t ufds, int flags) {
  struct file *f[2];
  int fd[2] = {-1, -1};
  if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
    return -EINVAL;
  int err = pipe_new(t->k, flags, f);
  if (err)
    return err;
  for (int i = 0; i < 2 && !err; i++) {
    fd[i] = fd_reserve(t->files, 0, flags & O_CLOEXEC);
    err = fd[i] < 0 ? fd[i] : 0;
  }
  if (!err)
    err = copy_to_user(ufds, fd, sizeof fd);
  for (int i = 0; i < 2; i++) {
    if (!err)
      fd_fill(t->files, fd[i], f[i]);
    else if (fd[i] >= 0)
      fd_unreserve(t->files, fd[i]);
    file_put(f[i]);
  }
  return err;
}

SYSCALL_HANDLER(pipe) {
  return make_pipe(t, a[0], 0);
}
SYSCALL_HANDLER(pipe2) {
  return make_pipe(t, a[0], (int)a[1]);
}
