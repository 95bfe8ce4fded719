#include "uio.h"
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include "uaccess.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RW_COUNT_K (0x7fffffffl & ~0xfffl) /* MAX_RW_COUNT */
#define BATCH 64                               /* segments per host call */

void uio_advance(struct uio *u, size_t n) {
  if (n > u->resid)
    n = u->resid;
  u->resid -= n;
  while (n || (u->n && !u->iov->iov_len)) {
    if (n < u->iov->iov_len) {
      u->iov->iov_base = (char *)u->iov->iov_base + n;
      u->iov->iov_len -= n;
      return;
    }
    n -= u->iov->iov_len;
    u->iov->iov_base = (char *)u->iov->iov_base + u->iov->iov_len;
    u->iov->iov_len = 0;
    u->iov++;
    u->n--;
  }
}

/* The segments at the front of u that hold up to n bytes, cut to n. Their number; *bytes is what they hold. */
static int front(const struct uio *u, struct iovec *out, size_t n, size_t *bytes) {
  int k = 0;
  *bytes = 0;
  for (int i = 0; i < u->n && k < BATCH && *bytes < n; i++) {
    if (!u->iov[i].iov_len)
      continue;
    out[k] = u->iov[i];
    if (out[k].iov_len > n - *bytes)
      out[k].iov_len = n - *bytes;
    *bytes += out[k++].iov_len;
  }
  return k;
}

static void prefault(struct mm *m, const struct iovec *v, int n) {
  for (int i = 0; i < n; i++)
    mm_prefault(m, (uint64_t)v[i].iov_base, v[i].iov_len);
}

/* One batch between local memory, `n` bytes of it, and guest memory. Bytes, or <= 0. */
static ssize_t guest_batch(struct uio *u, const struct iovec *local, int nlocal, size_t n, bool to_guest) {
  struct iovec remote[BATCH];
  size_t bytes;
  int k = front(u, remote, n, &bytes);
  if (!k || !u->mm->as)
    return -EFAULT;
  if (!u->nopark)
    prefault(u->mm, remote, k);
  ssize_t r =
      to_guest ? plat_writev(u->mm->as, local, nlocal, remote, k) : plat_readv(u->mm->as, local, nlocal, remote, k);
  struct task *t = task_current();
  if (r > 0 || u->nopark || !t || u->mm != t->mm)
    return r;
  /* Nothing went: where a stack may grow, uaccess knows how. */
  uint64_t at = (uint64_t)remote[0].iov_base;
  size_t first = remote[0].iov_len < local[0].iov_len ? remote[0].iov_len : local[0].iov_len;
  return (ssize_t)(to_guest ? copy_to_user_partial(at, local[0].iov_base, first)
                            : copy_from_user_partial(local[0].iov_base, at, first));
}

static ssize_t kernel_batch(struct uio *u, void *buf, size_t n, bool to_uio) {
  struct iovec v[BATCH];
  size_t bytes;
  int k = front(u, v, n, &bytes);
  char *p = buf;
  for (int i = 0; i < k; i++) {
    if (to_uio)
      memcpy(v[i].iov_base, p, v[i].iov_len);
    else
      memcpy(p, v[i].iov_base, v[i].iov_len);
    p += v[i].iov_len;
  }
  return (ssize_t)bytes;
}

static ssize_t transfer(struct uio *u, void *buf, size_t n, bool to_uio) {
  size_t done = 0;
  if (n > u->resid)
    n = u->resid;
  while (done < n) {
    struct iovec p = {(char *)buf + done, n - done};
    ssize_t r = u->mm ? guest_batch(u, &p, 1, n - done, to_uio) : kernel_batch(u, p.iov_base, n - done, to_uio);
    if (r <= 0)
      break;
    uio_advance(u, (size_t)r);
    done += (size_t)r;
  }
  return done || !n ? (ssize_t)done : -EFAULT;
}

ssize_t uio_copy_to(struct uio *u, const void *src, size_t n) {
  return transfer(u, (void *)src, n, true);
}
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n) {
  return transfer(u, dst, n, false);
}

/* The pieces that are left of v when n bytes of them are used up; the first one is cut. */
static int skip(struct iovec **v, int k, size_t n) {
  while (k && n >= (*v)->iov_len) {
    n -= (*v)->iov_len;
    ++*v;
    k--;
  }
  if (n)
    **v = (struct iovec){(char *)(*v)->iov_base + n, (*v)->iov_len - n};
  return k;
}

ssize_t uio_copy_to_vec(struct uio *u, struct iovec *src, int n) {
  size_t total = 0, done = 0;
  for (int i = 0; i < n; i++)
    total += src[i].iov_len;
  if (total > u->resid)
    total = u->resid;
  n = skip(&src, n, 0);
  while (done < total) {
    size_t left = total - done, one = src->iov_len < left ? src->iov_len : left;
    ssize_t r = u->mm ? guest_batch(u, src, n, left, true) : kernel_batch(u, src->iov_base, one, true);
    if (r <= 0)
      break;
    uio_advance(u, (size_t)r);
    done += (size_t)r;
    n = skip(&src, n, (size_t)r);
  }
  return done || !total ? (ssize_t)done : -EFAULT;
}

void uio_settle(struct uio *u, size_t n) {
  struct task *t = task_current();
  if (!u->mm)
    return;
  u->nopark = true;
  if (!t || u->mm != t->mm)
    return;
  for (int i = 0; i < u->n && n; i++) {
    size_t len = u->iov[i].iov_len < n ? u->iov[i].iov_len : n;
    if (len)
      settle_user((uint64_t)u->iov[i].iov_base, len);
    n -= len;
  }
}

ssize_t uio_zero(struct uio *u, size_t n) {
  static const char zeros[64 * 1024];
  size_t done = 0;
  if (n > u->resid)
    n = u->resid;
  while (done < n) {
    size_t c = n - done < sizeof zeros ? n - done : sizeof zeros;
    ssize_t r = uio_copy_to(u, zeros, c);
    if (r < 0)
      return done ? (ssize_t)done : r;
    done += (size_t)r;
    if ((size_t)r < c)
      break;
  }
  return (ssize_t)done;
}

void uio_kernel(struct uio *u, struct iovec *iov, void *buf, size_t n) {
  *iov = (struct iovec){buf, n};
  *u = (struct uio){.iov = iov, .n = 1, .resid = n};
}

int uio_user(struct uio *u, struct iovec *iov, uint64_t addr, size_t n) {
  struct task *t = task_current();
  if (n > (size_t)MAX_RW_COUNT_K)
    n = MAX_RW_COUNT_K;
  if (!t || !t->mm || !access_ok(addr, n))
    return -EFAULT;
  *iov = (struct iovec){(void *)addr, n};
  *u = (struct uio){.iov = iov, .n = 1, .resid = n, .mm = t->mm};
  return 0;
}

/* The checks of import_iovec(): lengths first, addresses, and the total cut. */
int uio_check_vec(struct iovec *v, int n, size_t *total) {
  size_t sum = 0;
  for (int i = 0; i < n; i++) {
    if ((ssize_t)v[i].iov_len < 0)
      return -EINVAL;
    if (!access_ok((uint64_t)v[i].iov_base, v[i].iov_len))
      return -EFAULT;
    if (v[i].iov_len > (size_t)MAX_RW_COUNT_K - sum)
      v[i].iov_len = (size_t)MAX_RW_COUNT_K - sum;
    sum += v[i].iov_len;
  }
  *total = sum;
  return 0;
}

int uio_user_vec(struct uio *u, struct iovec *fast, int nfast, uint64_t uvec, unsigned long n) {
  struct task *t = task_current();
  *u = (struct uio){.iov = fast, .mm = t ? t->mm : NULL};
  if (n > UIO_MAXIOV)
    return -EINVAL;
  if (!n)
    return 0;
  if (!u->mm)
    return -EFAULT;
  struct iovec *v = fast;
  if (n > (unsigned long)nfast && !(v = malloc(n * sizeof *v)))
    return -ENOMEM;
  int r = copy_from_user(v, uvec, n * sizeof *v);
  if (!r)
    r = uio_check_vec(v, (int)n, &u->resid);
  if (r < 0) {
    if (v != fast)
      free(v);
    u->resid = 0;
    return r;
  }
  u->iov = v;
  u->n = (int)n;
  u->alloc = v == fast ? NULL : v;
  return 0;
}

void uio_done(struct uio *u, struct iovec *fast) {
  (void)fast;
  free(u->alloc);
  u->alloc = NULL;
}
