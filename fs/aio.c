#include "aio.h"
#include "../core/errno.h"
#include "../core/fiber.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "anon.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_MAGIC 0xa10a10a1u
#define MAX_EVENTS (0x10000000u / sizeof(struct io_event))
#define BATCH 32

struct ring { /* struct aio_ring, which user space knows */
  uint32_t id, nr, head, tail, magic, compat, incompat, header_length;
};

struct aio_req { /* a poll under way */
  LIST_ENTRY(aio_req) link;
  struct aio_ctx *ctx; /* borrowed: the context cancels its polls before it goes */
  struct file *file, *resfd;
  struct io_event ev;
  uint32_t events;
  struct wait_entry wait;
};

struct aio_ctx {
  ref_t ref;
  LIST_ENTRY(aio_ctx) link;
  struct kernel *k;
  uint64_t id; /* where the ring was mapped */
  size_t map_len;
  unsigned max_reqs, nr; /* as asked for; slots of the ring */
  unsigned head, tail;   /* ours; head follows what stands in the ring */
  unsigned inflight;     /* reserved, not completed */
  struct file *ring;     /* counted */
  int ring_fd;           /* its host descriptor, borrowed */
  bool dead;
  struct waitq wq;
  LIST_HEAD(, aio_req) polls;
};

struct aio_table { /* mm->aio */
  LIST_HEAD(, aio_ctx) contexts;
};

/* ---- the ring ---- */

static void ring_read(const struct aio_ctx *c, size_t off, void *p, size_t n) {
  if (pread(c->ring_fd, p, n, (off_t)off) != (ssize_t)n)
    memset(p, 0, n);
}
static void ring_write(const struct aio_ctx *c, size_t off, const void *p, size_t n) {
  ssize_t w = pwrite(c->ring_fd, p, n, (off_t)off); /* a memfd of the right size: fails for want of memory only */
  (void)w;
}
static size_t slot(unsigned i) {
  return sizeof(struct ring) + i * sizeof(struct io_event);
}

/* The program may have taken events by itself: the head is where it says, if that is between ours and the tail. */
static void follow_head(struct aio_ctx *c) {
  uint32_t head;
  ring_read(c, offsetof(struct ring, head), &head, sizeof head);
  head %= c->nr;
  unsigned had = (c->tail + c->nr - c->head) % c->nr, has = (c->tail + c->nr - head) % c->nr;
  if (has <= had)
    c->head = head;
}

static unsigned completed(const struct aio_ctx *c) {
  return (c->tail + c->nr - c->head) % c->nr;
}

int aio_reserve(struct aio_ctx *c) {
  if (c->inflight + completed(c) >= c->nr - 1) {
    follow_head(c);
    if (c->inflight + completed(c) >= c->nr - 1)
      return -EAGAIN;
  }
  c->inflight++;
  return 0;
}
void aio_unreserve(struct aio_ctx *c) {
  c->inflight--;
  if (c->dead)
    waitq_wake_all(&c->wq, 0);
}
unsigned aio_capacity(const struct aio_ctx *c) {
  return c->nr;
}

void aio_complete(struct aio_ctx *c, const struct io_event *ev, struct file *resfd) {
  struct io_event e = *ev;
  if (e.res <= -ERESTARTSYS && e.res >= -ERESTART_RESTARTBLOCK)
    e.res = -EINTR; /* there is no call to restart */
  ring_write(c, slot(c->tail), &e, sizeof e);
  c->tail = (c->tail + 1) % c->nr;
  uint32_t tail = c->tail;
  ring_write(c, offsetof(struct ring, tail), &tail, sizeof tail);
  c->inflight--;
  if (resfd)
    eventfd_add(resfd, 1);
  waitq_wake_all(&c->wq, 0);
}

/* ---- contexts ---- */

static int map_ring(struct task *t, struct aio_ctx *c, unsigned nr) {
  size_t len = PAGE_ALIGN(slot(nr));
  int r = t->k->hooks.shm_file ? t->k->hooks.shm_file(len, "[aio]", &c->ring) : -ENOSYS;
  if (r)
    return r == -ENOSYS ? r : -ENOMEM;
  off_t off;
  c->ring_fd = c->ring->ops->mmap(c->ring, PROT_READ | PROT_WRITE, MAP_SHARED, 0, len, &off);
  if (c->ring_fd < 0)
    return -ENOMEM;
  int64_t at = mm_map_owned(t, 0, len, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, MAP_SHARED, c->ring, NULL);
  if (at < 0)
    return (int)at;
  c->id = (uint64_t)at;
  c->map_len = len;
  c->nr = (unsigned)((len - sizeof(struct ring)) / sizeof(struct io_event));
  struct ring h = {.nr = c->nr, .magic = RING_MAGIC, .compat = 1, .header_length = sizeof h};
  ring_write(c, 0, &h, sizeof h);
  return 0;
}

static void cancel_polls(struct aio_ctx *c);

void aio_put(struct aio_ctx *c) {
  if (!ref_put(&c->ref))
    return;
  waitq_destroy(&c->wq);
  if (c->ring)
    file_put(c->ring);
  c->k->aio_nr -= c->max_reqs;
  free(c);
}

/* Out of the table: no call finds it any more. Drops the table's reference. May park. */
static void retire(struct aio_ctx *c) {
  LIST_REMOVE(c, link);
  c->dead = true;
  cancel_polls(c);
  waitq_wake_all(&c->wq, 0);
  aio_put(c);
}

static void table_free(void *p) {
  struct aio_table *tab = p;
  struct aio_ctx *c;
  while ((c = LIST_FIRST(&tab->contexts)))
    retire(c);
  free(tab);
}

static struct aio_table *table_of(struct mm *m) {
  if (m->aio)
    return m->aio;
  struct aio_table *tab = calloc(1, sizeof *tab);
  if (tab) {
    LIST_INIT(&tab->contexts);
    m->aio = tab;
    m->aio_free = table_free;
  }
  return tab;
}

int aio_setup(struct task *t, unsigned nr, uint64_t *id) {
  struct kernel *k = t->k;
  unsigned cpus = (unsigned)k->ncpus, events = nr > cpus * 4 ? nr : cpus * 4;
  if (events > MAX_EVENTS / 2)
    return -EINVAL;
  if (nr > k->aio_max_nr || k->aio_nr + nr > k->aio_max_nr)
    return -EAGAIN;
  struct aio_table *tab = table_of(t->mm);
  struct aio_ctx *c = tab ? calloc(1, sizeof *c) : NULL;
  if (!c)
    return -ENOMEM;
  ref_init(&c->ref);
  c->k = k;
  c->max_reqs = nr;
  waitq_init(&c->wq);
  LIST_INIT(&c->polls);
  k->aio_nr += nr;
  int r = map_ring(t, c, events * 2 + 2);
  if (r) {
    aio_put(c);
    return r;
  }
  LIST_INSERT_HEAD(&tab->contexts, c, link);
  *id = c->id;
  return 0;
}

struct aio_ctx *aio_find(struct task *t, uint64_t id) {
  struct aio_table *tab = t->mm->aio;
  struct aio_ctx *c;
  uint32_t word;
  if (!tab || get_user(&word, id)) /* a program that has unmapped the ring has lost the context */
    return NULL;
  tab = t->mm->aio;
  LIST_FOREACH(c, &tab->contexts, link) {
    if (c->id == id) {
      ref_get(&c->ref);
      return c;
    }
  }
  return NULL;
}

int aio_destroy(struct task *t, uint64_t id) {
  AUTO_AIO c = aio_find(t, id);
  if (!c)
    return -EINVAL;
  retire(c);
  while (c->inflight) /* what other threads submit at this moment */
    task_wait_uninterruptible(&c->wq, 0, NO_DEADLINE);
  mm_munmap(t, c->id, c->map_len);
  return 0;
}

/* ---- polls ---- */

static void req_free(void *p) {
  struct aio_req *r = p;
  file_put(r->file);
  if (r->resfd)
    file_put(r->resfd);
  free(r);
}

static void req_done(struct aio_req *r, int64_t res) {
  waitq_del(&r->wait);
  LIST_REMOVE(r, link);
  r->ev.res = res;
  aio_complete(r->ctx, &r->ev, r->resfd);
}

static bool poll_fires(struct wait_entry *e, uint32_t events) {
  struct aio_req *r = e->arg;
  uint32_t mask = file_poll(r->file) & r->events;
  if (!mask)
    return false;
  req_done(r, events ? events : mask); /* what woke it, not cut to what was asked for: as Linux */
  if (fiber_spawn(req_free, r)) { /* dropping a file may park */
    LIST_INSERT_HEAD(&r->ctx->polls, r, link);
    r->ctx->inflight++; /* no memory: it stays until the context goes */
  }
  return true;
}

static void cancel_polls(struct aio_ctx *c) {
  struct aio_req *r;
  while ((r = LIST_FIRST(&c->polls))) {
    req_done(r, 0);
    req_free(r);
  }
}

int aio_poll(struct aio_ctx *c, struct file *f, uint32_t events, const struct io_event *ev, struct file *resfd) {
  if (!f->ops->poll)
    return -EINVAL;
  struct aio_req *r = calloc(1, sizeof *r);
  if (!r)
    return -EAGAIN;
  *r = (struct aio_req){.ctx = c, .file = file_get(f), .resfd = resfd ? file_get(resfd) : NULL, .ev = *ev};
  r->events = events | EPOLLERR | EPOLLHUP;
  r->wait = (struct wait_entry){.fn = poll_fires, .events = r->events, .arg = r};
  LIST_INSERT_HEAD(&c->polls, r, link);
  uint32_t mask = file_poll(f) & r->events;
  if (mask) {
    req_done(r, mask);
    req_free(r);
  } else if (f->wq) {
    waitq_add(f->wq, &r->wait);
  }
  return 0;
}

int aio_cancel(struct aio_ctx *c, uint64_t obj) {
  struct aio_req *r;
  LIST_FOREACH(r, &c->polls, link) {
    if (r->ev.obj != obj)
      continue;
    req_done(r, 0);
    req_free(r);
    return -EINPROGRESS;
  }
  return -EINVAL;
}

/* ---- events ---- */

/* What is there now, at most n. The head moves only after the guest has them. */
static int64_t take(struct aio_ctx *c, uint64_t uevents, long n) {
  struct io_event ev[BATCH];
  long done = 0;
  follow_head(c);
  while (done < n && completed(c)) {
    unsigned want = completed(c), till_end = c->nr - c->head;
    want = want < BATCH ? want : BATCH;
    want = want < till_end ? want : till_end;
    want = (long)want < n - done ? want : (unsigned)(n - done);
    unsigned from = c->head;
    ring_read(c, slot(from), ev, want * sizeof *ev);
    c->head = (from + want) % c->nr;
    uint32_t head = c->head;
    ring_write(c, offsetof(struct ring, head), &head, sizeof head);
    if (copy_to_user(uevents + (uint64_t)done * sizeof *ev, ev, want * sizeof *ev))
      return done ? done : -EFAULT;
    done += want;
  }
  return done;
}

int64_t aio_getevents(struct aio_ctx *c, long min, long nr, uint64_t uevents, int64_t deadline) {
  int64_t done = 0;
  for (;;) {
    int64_t r = take(c, uevents + (uint64_t)done * sizeof(struct io_event), nr - done);
    if (r < 0)
      return done ? done : r;
    done += r;
    if (done >= min || deadline == 0)
      return done;
    if (c->dead)
      return done ? done : -EINVAL;
    int w = task_wait(&c->wq, 0, deadline);
    if (w == -ETIMEDOUT)
      deadline = 0; /* one last look */
    else if (w)
      return done ? done : -EINTR;
  }
}
