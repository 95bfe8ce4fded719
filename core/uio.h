/*
 * Where the bytes of a read or write come from or go to: guest memory of the current task, or a buffer of the Sentry's.
 * File operations only ever see this. Guest bytes are copied exactly once; what was consumed is consumed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct mm;

struct uio {
  struct iovec *iov; /* remaining segments; guest addresses if mm, else Sentry addresses */
  int n;
  size_t resid;        /* bytes left over all segments */
  struct mm *mm;       /* NULL: Sentry memory. Borrowed */
  bool nopark;         /* copies must not park: uio_settle() was called */
  bool nonblock;       /* RWF_NOWAIT, MSG_DONTWAIT or O_NONBLOCK: return -EAGAIN instead of parking */
  int rwf;             /* RWF_* of preadv2/pwritev2 */
  struct iovec *alloc; /* what uio_done() frees: iov itself moves on */
};

/* Both return the bytes copied, short on a bad page, -EFAULT if none could be and n > 0. They advance u. */
ssize_t uio_copy_to(struct uio *u, const void *src, size_t n); /* into the uio: for reads */
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n);     /* out of the uio: for writes */
ssize_t uio_zero(struct uio *u, size_t n);                     /* writes zeros into it */
/* The same out of n pieces, with as few host calls as can be. src is used up on the way. */
ssize_t uio_copy_to_vec(struct uio *u, struct iovec *src, int n);
/* What makes a copy park (file pages that are not in memory, a stack that has to grow) is done here for the first n
 * bytes, and u->nopark is set: for those who copy while others may change what they copy from or to. */
void uio_settle(struct uio *u, size_t n);
void uio_advance(struct uio *u, size_t n);
/* Un-consume is not possible: look before you copy. */

/* A single-buffer uio over Sentry memory; iov is the caller's storage. */
void uio_kernel(struct uio *u, struct iovec *iov, void *buf, size_t n);
/* Over one range of the current task's memory. -EFAULT if it is no possible range. n is cut to MAX_RW_COUNT. */
int uio_user(struct uio *u, struct iovec *iov, uint64_t addr, size_t n);
/* Copies a guest's iovec array; `fast` holds up to `nfast` entries, more are allocated. uio_done() frees. -EFAULT,
 * -EINVAL, as import_iovec. */
int uio_user_vec(struct uio *u, struct iovec *fast, int nfast, uint64_t uvec, unsigned long n);
/* The checks of import_iovec() on a copied array: -EINVAL, -EFAULT; cuts the total to MAX_RW_COUNT. */
int uio_check_vec(struct iovec *v, int n, size_t *total);
void uio_done(struct uio *u, struct iovec *fast);
