/*
 * Guest memory from outside, with process_vm_readv and process_vm_writev: they honour the guest's page protections,
 * which /proc/PID/mem does not, and a short copy stops at the first bad page.
 */
#include "internal.h"
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t plat_readv(struct plat_as *as, const struct iovec *local, int nl, const struct iovec *remote, int nr) {
  struct host_proc *h;
  LIST_FOREACH(h, &as->procs, as_link) {
    ssize_t r = process_vm_readv(h->pid, local, nl, remote, nr, 0);
    if (r >= 0)
      return r;
    if (errno != ESRCH)
      return -errno;
  }
  return -ESRCH;
}

ssize_t plat_writev(struct plat_as *as, const struct iovec *local, int nl, const struct iovec *remote, int nr) {
  struct host_proc *h;
  LIST_FOREACH(h, &as->procs, as_link) {
    ssize_t r = process_vm_writev(h->pid, local, nl, remote, nr, 0);
    if (r >= 0)
      return r;
    if (errno != ESRCH)
      return -errno;
  }
  return -ESRCH;
}

ssize_t plat_read(struct plat_as *as, void *dst, uint64_t src, size_t len) {
  struct iovec l = {dst, len}, r = {(void *)src, len};
  return plat_readv(as, &l, 1, &r, 1);
}

ssize_t plat_write(struct plat_as *as, uint64_t dst, const void *src, size_t len) {
  struct iovec l = {(void *)src, len}, r = {(void *)dst, len};
  return plat_writev(as, &l, 1, &r, 1);
}

ssize_t ctx_write_slot(struct plat_ctx *c, uint64_t off, const void *src, size_t n) {
  ssize_t r = plat_write(c->as, ctx_slot_addr(c) + off, src, n);
  return r == (ssize_t)n ? 0 : r < 0 ? r : -EFAULT;
}

ssize_t ctx_read_slot(struct plat_ctx *c, uint64_t off, void *dst, size_t n) {
  ssize_t r = plat_read(c->as, dst, ctx_slot_addr(c) + off, n);
  return r == (ssize_t)n ? 0 : r < 0 ? r : -EFAULT;
}

int plat_look_fd(struct plat_as *as, enum plat_look what, int *pid) {
  struct host_proc *h = LIST_FIRST(&as->procs);
  if (!h)
    return -ESRCH;
  *pid = h->pid;
  return h->look[what] > 0 ? h->look[what] : -ENOENT;
}

/* A pid may have been given away while the file was being opened; as long as its pidfd still finds the process, it has
 * not. */
int plat_look_keep(struct plat_as *as, enum plat_look what, int pid, int fd) {
  struct host_proc *h;
  LIST_FOREACH(h, &as->procs, as_link) {
    if (h->pid != pid || h->pidfd < 0 || syscall(SYS_pidfd_send_signal, h->pidfd, 0, NULL, 0))
      continue;
    if (h->look[what] > 0)
      close(h->look[what]);
    return h->look[what] = fd;
  }
  close(fd);
  return -ESRCH;
}
