#include "pipe_ring.h"
#include "../core/errno.h"
#include <stdlib.h>
#include <string.h>

int pipe_ring_resize(struct pipe_ring *r, size_t cap) {
  char *n = malloc(cap);
  if (!n)
    return -ENOMEM;
  size_t first = r->cap - r->head < r->len ? r->cap - r->head : r->len;
  if (r->len) {
    memcpy(n, r->data + r->head, first);
    memcpy(n + first, r->data, r->len - first);
  }
  free(r->data);
  r->data = n;
  r->cap = cap;
  r->head = 0;
  return 0;
}

int pipe_ring_reserve(struct pipe_ring *r, size_t n) {
  size_t cap = r->cap ? r->cap : PIPE_RING_MIN;
  while (cap < r->len + n)
    cap *= 2;
  return cap == r->cap ? 0 : pipe_ring_resize(r, cap);
}

/* The free bytes that can be filled in one go. */
char *pipe_ring_tail(struct pipe_ring *r, size_t *n) {
  size_t tail = (r->head + r->len) & (r->cap - 1);
  *n = r->len && tail <= r->head ? r->head - tail : r->cap - tail;
  return r->data + tail;
}

char *pipe_ring_front(struct pipe_ring *r, size_t *n) {
  *n = r->cap - r->head < r->len ? r->cap - r->head : r->len;
  return r->data + r->head;
}

static void drop_records(struct pipe_ring *r, size_t n) {
  unsigned i = 0;
  while (n && i < r->nrec) {
    size_t take = n < r->recs[i].len ? n : r->recs[i].len;
    r->recs[i].len -= take;
    n -= take;
    if (!r->recs[i].len)
      i++;
  }
  r->nrec -= i;
  memmove(r->recs, r->recs + i, r->nrec * sizeof *r->recs);
}

void pipe_ring_consume(struct pipe_ring *r, size_t n) {
  if (r->nrec)
    drop_records(r, n);
  r->head = (r->head + n) & (r->cap - 1);
  r->len -= n;
  if (!r->len)
    r->head = 0; /* the next write is one piece, and touches warm memory */
}

static int add_record(struct pipe_ring *r, uint32_t len, bool packet) {
  if (r->nrec == r->rec_cap) {
    unsigned cap = r->rec_cap ? 2 * r->rec_cap : 16;
    struct pipe_record *grown = realloc(r->recs, cap * sizeof *grown);
    if (!grown)
      return -ENOMEM;
    r->recs = grown;
    r->rec_cap = cap;
  }
  r->recs[r->nrec++] = (struct pipe_record){len, packet};
  return 0;
}

/* n bytes were put behind the tail. */
int pipe_ring_commit(struct pipe_ring *r, size_t n, bool packet) {
  if (packet && !r->nrec && r->len && add_record(r, r->len, false))
    return -ENOMEM;
  if (packet) {
    if (add_record(r, n, true))
      return -ENOMEM;
  } else if (r->nrec) {
    struct pipe_record *last = &r->recs[r->nrec - 1];
    if (!last->packet)
      last->len += n;
    else if (add_record(r, n, false))
      return -ENOMEM;
  }
  r->len += n;
  return 0;
}

ssize_t pipe_ring_fill(struct pipe_ring *r, struct uio *u, size_t n, bool packet) {
  int err = pipe_ring_reserve(r, n);
  if (err)
    return err;
  size_t done = 0;
  while (done < n) {
    size_t room;
    /* Uncommitted bytes count as used while the rest is copied. */
    r->len += done;
    char *at = pipe_ring_tail(r, &room);
    r->len -= done;
    size_t want = n - done < room ? n - done : room;
    ssize_t got = uio_copy_from(u, at, want);
    if (got > 0)
      done += (size_t)got;
    if (got < (ssize_t)want) {
      done &= ~(size_t)4095; /* Linux drops the page that a fault left half filled */
      break;
    }
  }
  if (!done)
    return -EFAULT;
  err = pipe_ring_commit(r, done, packet);
  return err ? err : (ssize_t)done;
}

ssize_t pipe_ring_drain(struct pipe_ring *r, struct uio *u) {
  bool packet = r->nrec && r->recs[0].packet;
  size_t left = packet ? r->recs[0].len : r->len, done = 0;
  if (!packet && r->nrec)
    left = r->recs[0].len;
  size_t whole = left;
  if (left > u->resid)
    left = u->resid;
  while (left) {
    size_t n, at = (r->head + done) & (r->cap - 1);
    n = r->cap - at < left ? r->cap - at : left;
    ssize_t got = uio_copy_to(u, r->data + at, n);
    if (got > 0) {
      done += (size_t)got;
      left -= (size_t)got;
    }
    if (got < (ssize_t)n) {
      done &= ~(size_t)4095; /* as pipe_ring_fill() */
      break;
    }
  }
  if (!done)
    return -EFAULT;
  pipe_ring_consume(r, packet ? whole : done); /* what does not fit of a packet is lost: pipe(2), O_DIRECT */
  return done;
}

int pipe_ring_append(struct pipe_ring *r, const char *data, size_t n) {
  int err = pipe_ring_reserve(r, n);
  while (!err && n) {
    size_t room;
    char *at = pipe_ring_tail(r, &room);
    if (room > n)
      room = n;
    memcpy(at, data, room);
    err = pipe_ring_commit(r, room, false);
    data += room;
    n -= room;
  }
  return err;
}

void pipe_ring_free(struct pipe_ring *r) {
  free(r->data);
  free(r->recs);
}
