/* mmap(2) and relatives: decode; core/mm*.c does it. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/mm.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include "../fs/vfs.h"
#include "table.h"
#include <string.h>

#define MFD_CLOEXEC_K 1u
#define MFD_ALLOW_SEALING_K 2u
#define MFD_HUGETLB_K 4u
#define MFD_NOEXEC_SEAL_K 8u
#define MFD_EXEC_K 16u
#define MFD_NAME_MAX 249

SYSCALL_HANDLER(mmap) {
  if (a[5] & (PAGE_SIZE - 1))
    return -EINVAL;
  AUTO_FILE f = NULL;
  if (!((int)a[3] & MAP_ANONYMOUS)) {
    f = fd_file(t->files, (int)a[4]);
    if (!f)
      return -EBADF;
  }
  return mm_mmap(t, a[0], a[1], (int)a[2], (int)a[3], f, (off_t)a[5]);
}

SYSCALL_HANDLER(munmap) {
  return mm_munmap(t, a[0], a[1]);
}
SYSCALL_HANDLER(mprotect) {
  return mm_mprotect(t, a[0], a[1], (int)a[2]);
}
SYSCALL_HANDLER(brk) {
  return mm_brk(t, a[0]);
}
SYSCALL_HANDLER(madvise) {
  return mm_madvise(t, a[0], a[1], (int)a[2]);
}
SYSCALL_HANDLER(msync) {
  return mm_msync(t, a[0], a[1], (int)a[2]);
}
SYSCALL_HANDLER(mlock) {
  return mm_mlock(t, a[0], a[1], MM_LOCK);
}
SYSCALL_HANDLER(munlock) {
  return mm_mlock(t, a[0], a[1], MM_UNLOCK);
}
SYSCALL_HANDLER(munlockall) {
  return mm_mlockall(t, 0);
}

SYSCALL_HANDLER(mremap) {
  return mm_mremap(t, a[0], a[1], a[2], (int)a[3], a[4]);
}

SYSCALL_HANDLER(mlock2) {
  if ((int)a[2] & ~1 /* MLOCK_ONFAULT */)
    return -EINVAL;
  return mm_mlock(t, a[0], a[1], (int)a[2] ? MM_LOCK_ONFAULT : MM_LOCK);
}

SYSCALL_HANDLER(mlockall) {
  if (!(int)a[0])
    return -EINVAL;
  return mm_mlockall(t, (int)a[0]);
}

SYSCALL_HANDLER(mincore) {
  return mm_mincore(t, a[0], a[1], a[2]);
}

/* remap_file_pages(2) has been mmap in disguise since Linux 4.0. */
SYSCALL_HANDLER(remap_file_pages) {
  uint64_t start = PAGE_DOWN(a[0]), size = PAGE_DOWN(a[1]), pgoff = a[3];
  if (a[2] || start + size <= start || pgoff + size / PAGE_SIZE < pgoff || pgoff > INT64_MAX / PAGE_SIZE)
    return -EINVAL;
  struct area *ar = mm_find_borrow(t->mm, start);
  if (!ar || !(ar->flags & MAP_SHARED) || !ar->file || start + size > ar->end)
    return -EINVAL;
  AUTO_FILE f = file_get(ar->file);
  int flags = MAP_SHARED | MAP_FIXED | (int)(a[4] & MAP_NONBLOCK) | (ar->flags & MAP_LOCKED);
  int64_t r = mm_mmap(t, start, size, ar->prot, flags, f, (off_t)(pgoff * PAGE_SIZE));
  return r < 0 ? r : 0;
}

SYSCALL_HANDLER(memfd_create) {
  unsigned flags = (unsigned)a[1];
  char name[6 + MFD_NAME_MAX + 1] = "memfd:";
  if (flags & MFD_HUGETLB_K)
    return flags & ~(MFD_CLOEXEC_K | MFD_ALLOW_SEALING_K | MFD_HUGETLB_K | (63u << 26)) ? -EINVAL : -ENOMEM;
  if (flags & ~(MFD_CLOEXEC_K | MFD_ALLOW_SEALING_K | MFD_NOEXEC_SEAL_K | MFD_EXEC_K))
    return -EINVAL;
  if ((flags & MFD_EXEC_K) && (flags & MFD_NOEXEC_SEAL_K))
    return -EINVAL;
  ssize_t n = strncpy_from_user(name + 6, a[0], sizeof name - 6);
  if (n < 0)
    return n == -ENAMETOOLONG ? -EINVAL : n;
  AUTO_FILE f = NULL;
  int r = tmpfs_anon_file(t->k, 0, name, flags & (MFD_ALLOW_SEALING_K | MFD_NOEXEC_SEAL_K), &f);
  if (r < 0)
    return r;
  return fd_install(t->files, f, 0, flags & MFD_CLOEXEC_K);
}

/* memfd_secret(flags) */
SYSCALL_HANDLER(memfd_secret) {
  if ((unsigned)a[0] & ~(unsigned)O_CLOEXEC)
    return -EINVAL;
  AUTO_FILE f = NULL;
  int r = tmpfs_secret_file(t->k, &f);
  return r ? r : fd_install(t->files, f, 0, a[0] & O_CLOEXEC);
}

SYSCALL_HANDLER(mseal) {
  return mm_seal(t, a[0], a[1], a[2]);
}

/* Who may learn what is cached: can_do_cachestat() */
static bool may_cachestat(struct task *t, struct file *f) {
  const struct inode *i = f->inode;
  if (file_can_write(f) || !i)
    return true;
  return t->cred->fsuid == i->uid || cred_has_cap(t->cred, 3 /* CAP_FOWNER */) ||
         !vfs_permission(t, f->mnt, f->inode, W_OK);
}

/* cachestat(fd, range, result, flags). Files of other file systems are overlay's, whose own cache is always empty. */
SYSCALL_HANDLER(cachestat) {
  uint64_t range[2], out[5];
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  if (get_user(&range, a[1]))
    return -EFAULT;
  if (!may_cachestat(t, f))
    return -EPERM;
  if ((unsigned)a[3])
    return -EINVAL;
  int r = tmpfs_cachestat(f, range, out);
  if (r && r != -EINVAL)
    return r;
  return put_user(a[2], &out) ? -EFAULT : 0;
}

/* Protection keys: as on a CPU without them. A CPU that has them would need PKRU in the stub's hands. */
SYSCALL_HANDLER(pkey_alloc) {
  return a[0] || (a[1] & ~3ull) ? -EINVAL : -ENOSPC;
}
SYSCALL_HANDLER(pkey_free) {
  return -EINVAL;
}
SYSCALL_HANDLER(pkey_mprotect) {
  return (int)a[3] == -1 ? mm_mprotect(t, a[0], a[1], (int)a[2]) : -EINVAL;
}

/* process_madvise(2): what it may be given are hints about paging, which is the host's business. */
static int64_t advise_each(struct task *t, struct mm *m, const struct iovec *v, int n, int advice) {
  int64_t done = 0;
  for (int i = 0; i < n; i++) {
    uint64_t at = (uint64_t)v[i].iov_base;
    if (at & (PAGE_SIZE - 1))
      return done ? done : -EINVAL;
    int64_t r = t->mm == m ? mm_madvise(t, at, v[i].iov_len, advice) : mm_check_mapped(m, at, PAGE_ALIGN(v[i].iov_len));
    if (r < 0)
      return done ? done : r;
    done += (int64_t)v[i].iov_len;
  }
  return done;
}

SYSCALL_HANDLER(process_madvise) {
  int advice = (int)a[3];
  if (a[4])
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  struct iovec fast[8];
  struct uio u;
  int r = uio_user_vec(&u, fast, 8, a[1], a[2]);
  if (r < 0)
    return r;
  struct pid *pid = pidfd_pid_borrow(f);
  struct task *target = pid && pid->process && !pid->process->zombie ? pid->process->leader : NULL;
  int64_t ret;
  struct mm *m = NULL;
  if (!pid)
    ret = -EBADF;
  else if (!target || !target->mm)
    ret = -ESRCH;
  else if (!task_may_access(t, target))
    ret = -EPERM;
  else if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED && advice != 25 /* MADV_COLLAPSE */)
    ret = -EINVAL;
  else if (target->mm != t->mm && !cred_has_cap(t->cred, 23 /* CAP_SYS_NICE */))
    ret = -EPERM;
  else
    ret = advise_each(t, m = mm_get(target->mm), u.iov, u.n, advice);
  mm_put(m);
  uio_done(&u, fast);
  return ret;
}

/* The memory of a process that is dying anyway goes with it, at once: nothing is left to be done for it here. */
SYSCALL_HANDLER(process_mrelease) {
  if (a[1])
    return -EINVAL;
  AUTO_FILE f = fd_file(t->files, (int)a[0]);
  if (!f)
    return -EBADF;
  struct pid *pid = pidfd_pid_borrow(f);
  if (!pid)
    return -EBADF;
  struct process *p = pid->process;
  if (!p || p->zombie || !p->leader || !p->leader->mm)
    return -ESRCH;
  return p->group_exit || p->leader->killed ? 0 : -EINVAL;
}
