/* The bytes of a pipe: a ring that grows as needed, with the ends of messages where there are any (O_DIRECT). */
#pragma once
#include "../core/uio.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPE_RING_MIN 4096u

/* Where a message ends, for pipes that were written to with O_DIRECT: kept only while such a message is inside. */
struct pipe_record {
  uint32_t len;
  bool packet; /* else bytes that merge with their neighbours */
};

struct pipe_ring {
  char *data; /* `cap` bytes, a power of two; NULL while nothing was written */
  size_t cap, head, len;
  struct pipe_record *recs; /* if nrec > 0 they cover all `len` bytes */
  unsigned nrec, rec_cap;
};

int pipe_ring_resize(struct pipe_ring *r, size_t cap); /* cap >= len */
int pipe_ring_reserve(struct pipe_ring *r, size_t n);  /* room for n more bytes */
/* The free bytes, or the used ones, that are one piece. */
char *pipe_ring_tail(struct pipe_ring *r, size_t *n);
char *pipe_ring_front(struct pipe_ring *r, size_t *n);
int pipe_ring_commit(struct pipe_ring *r, size_t n, bool packet); /* n bytes were put at the tail */
void pipe_ring_consume(struct pipe_ring *r, size_t n);
/* One message in (n bytes of u), or what one read may take out. May park: the caller keeps others away. Bytes or
 * -errno. */
ssize_t pipe_ring_fill(struct pipe_ring *r, struct uio *u, size_t n, bool packet);
ssize_t pipe_ring_drain(struct pipe_ring *r, struct uio *u);
int pipe_ring_append(struct pipe_ring *r, const char *data, size_t n); /* Sentry bytes, as a stream */
void pipe_ring_free(struct pipe_ring *r);
