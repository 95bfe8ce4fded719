/*
 * The one rule of reference counts, for every counted object of the kernel:
 *
 *   - x_get(p) takes a reference and returns p; x_put(p) drops one and may free; x_put(NULL) is a no-op.
 *   - A function that returns or stores through an out-parameter a counted pointer gives the caller a reference of its
 *     own, unless its name ends in _borrow: a borrowed pointer is good until the next park, no longer.
 *   - Passing a pointer never transfers the reference. A callee that keeps it takes its own.
 *   - Parks happen only while holding a reference of one's own on everything used afterwards.
 */
#pragma once
#include <stdint.h>
#include <stdlib.h>

/* A count that overflows, or is used after its end, is the beginning of an exploit: the Sentry ends here, in every
 * build. */
#define ref_check(ok) ((ok) ? (void)0 : abort())

typedef struct {
  uint32_t n;
} ref_t;

static inline void ref_init(ref_t *r) {
  r->n = 1;
}
static inline void ref_get(ref_t *r) {
  ref_check(r->n > 0 && r->n < UINT32_MAX);
  r->n++;
}
/* True when the last reference is gone. */
static inline int ref_put(ref_t *r) {
  ref_check(r->n > 0);
  return --r->n == 0;
}
