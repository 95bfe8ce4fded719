/* io_uring(7): refused as where kernel.io_uring_disabled is 2, which /proc/sys says. No descriptor is a ring, then. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "table.h"

SYSCALL_HANDLER(io_uring_setup) {
  return -EPERM;
}

static int64_t no_ring(struct task *t, int fd) {
  struct file *f = fd_file(t->files, fd);
  if (!f)
    return -EBADF;
  file_put(f);
  return -EOPNOTSUPP;
}

SYSCALL_HANDLER(io_uring_enter) {
  if ((unsigned)a[3] & ~0x7fu)
    return -EINVAL;
  return no_ring(t, (int)a[0]);
}
SYSCALL_HANDLER(io_uring_register) {
  return no_ring(t, (int)a[0]);
}
