/* process_vm_readv(2), process_vm_writev(2): through a Sentry buffer, since guests' processes cannot reach each other.
 */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/mm.h"
#include "../core/uaccess.h"
#include "table.h"
#include <stdlib.h>

#define CHUNK (64 * 1024ul)

struct transfer {
  struct mm *remote;
  struct uio local;
  void *buf;
  bool write;
};

/* One remote range. Bytes moved; short where either side ends or faults. */
static size_t move_range(struct transfer *x, uint64_t addr, size_t len, int *err) {
  size_t done = 0;
  while (done < len && x->local.resid) {
    size_t n = len - done < CHUNK ? len - done : CHUNK;
    if (n > x->local.resid)
      n = x->local.resid;
    ssize_t got, put;
    if (x->write) {
      got = uio_copy_from(&x->local, x->buf, n);
      put = got > 0 ? mm_write(x->remote, addr + done, x->buf, (size_t)got) : got;
    } else {
      got = mm_read(x->remote, x->buf, addr + done, n);
      put = got > 0 ? uio_copy_to(&x->local, x->buf, (size_t)got) : got;
    }
    if (put <= 0) {
      *err = put ? (int)put : -EFAULT;
      break;
    }
    done += (size_t)put;
    if ((size_t)put < n) {
      *err = -EFAULT;
      break;
    }
  }
  return done;
}

static int64_t move_all(struct transfer *x, const struct iovec *v, int n) {
  int64_t total = 0;
  int err = 0;
  for (int i = 0; i < n && !err && x->local.resid; i++) {
    uint64_t at = (uint64_t)v[i].iov_base;
    if (!access_ok(at, v[i].iov_len))
      err = -EFAULT;
    else
      total += (int64_t)move_range(x, at, v[i].iov_len, &err);
  }
  return total ? total : err;
}

static int64_t process_vm(struct task *t, const uint64_t a[6], bool write) {
  struct iovec lfast[8], rfast[8];
  struct transfer x = {.write = write};
  struct uio remote;
  if (a[5])
    return -EINVAL;
  int64_t r = uio_user_vec(&x.local, lfast, 8, a[1], a[2]);
  if (r < 0)
    return r;
  r = uio_user_vec(&remote, rfast, 8, a[3], a[4]);
  if (r < 0) {
    uio_done(&x.local, lfast);
    return r;
  }
  struct task *target = task_find_borrow(t->k, (int)a[0]);
  if (!x.local.resid || !remote.n) {
    r = 0;
  } else if (!target || !target->mm) {
    r = -ESRCH;
  } else if (target->proc != t->proc && !task_may_access(t, target)) {
    r = -EPERM;
  } else if (!(x.buf = malloc(CHUNK))) {
    r = -ENOMEM;
  } else {
    x.remote = mm_get(target->mm);
    r = move_all(&x, remote.iov, remote.n);
    mm_put(x.remote);
  }
  free(x.buf);
  uio_done(&remote, rfast);
  uio_done(&x.local, lfast);
  return r;
}

SYSCALL_HANDLER(process_vm_readv) {
  return process_vm(t, a, false);
}
SYSCALL_HANDLER(process_vm_writev) {
  return process_vm(t, a, true);
}
