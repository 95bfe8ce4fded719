/* A bounded ring of bytes whose memory exists only while there is something in it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ring {
  uint8_t *p;
  uint32_t cap;        /* a power of two; what it can grow to */
  uint32_t head, tail; /* free-running: written, read */
};

static inline void ring_init(struct ring *r, uint32_t cap) {
  *r = (struct ring){.cap = cap};
}
static inline uint32_t ring_used(const struct ring *r) {
  return r->head - r->tail;
}
static inline uint32_t ring_room(const struct ring *r) {
  return r->cap - ring_used(r);
}
static inline void ring_clear(struct ring *r) {
  free(r->p);
  r->p = NULL;
  r->head = r->tail = 0;
}
/* Bytes taken: less than n when full or out of memory. */
static inline uint32_t ring_put(struct ring *r, const uint8_t *src, uint32_t n) {
  if (!r->p && n)
    r->p = malloc(r->cap);
  if (!r->p)
    return 0;
  if (n > ring_room(r))
    n = ring_room(r);
  uint32_t at = r->head & (r->cap - 1), first = r->cap - at < n ? r->cap - at : n;
  memcpy(r->p + at, src, first);
  memcpy(r->p, src + first, n - first);
  r->head += n;
  return n;
}
static inline bool ring_put1(struct ring *r, uint8_t c) {
  return ring_put(r, &c, 1) == 1;
}
static inline uint32_t ring_peek(const struct ring *r, uint8_t *dst, uint32_t n) {
  if (n > ring_used(r))
    n = ring_used(r);
  if (!n)
    return 0;
  uint32_t at = r->tail & (r->cap - 1), first = r->cap - at < n ? r->cap - at : n;
  memcpy(dst, r->p + at, first);
  memcpy(dst + first, r->p, n - first);
  return n;
}
static inline void ring_skip(struct ring *r, uint32_t n) {
  r->tail += n;
  if (r->head == r->tail)
    ring_clear(r);
}
static inline uint32_t ring_get(struct ring *r, uint8_t *dst, uint32_t n) {
  n = ring_peek(r, dst, n);
  ring_skip(r, n);
  return n;
}
/* Forget what was written last, so that at most n bytes stay. */
static inline void ring_cut(struct ring *r, uint32_t n) {
  if (ring_used(r) > n)
    r->head = r->tail + n;
}
