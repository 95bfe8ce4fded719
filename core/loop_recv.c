/* Multishot receives into provided buffers: io_uring_setup_buf_ring(3), io_uring_prep_recv_multishot(3). */
#include "errno.h"
#include "loop_impl.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REARM_NS 100000000

struct recv_op {
  struct op op;
  struct loop_recv *r; /* NULL once deleted */
};

/* Registering is not possible later; the memory for the buffers themselves is mapped when they are needed. */
void recv_setup(struct loop *l) {
  size_t len = RECV_BUFFERS * sizeof(struct io_uring_buf);
  TAILQ_INIT(&l->starved);
  void *ring = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ring == MAP_FAILED)
    return;
  struct io_uring_buf_reg reg = {
      .ring_addr = (uint64_t)(uintptr_t)ring, .ring_entries = RECV_BUFFERS, .bgid = RECV_GROUP};
  if (io_uring_register_buf_ring(&l->ring, &reg, 0)) {
    munmap(ring, len);
    return;
  }
  l->bufs = ring;
  io_uring_buf_ring_init(l->bufs);
}

void recv_cleanup(struct loop *l) {
  if (l->bufs)
    munmap(l->bufs, RECV_BUFFERS * sizeof(struct io_uring_buf));
  if (l->buf_memory)
    munmap(l->buf_memory, (size_t)RECV_BUFFERS * RECV_BUFFER_SIZE);
}

uint8_t *loop_buffer(struct loop *l, int buf) {
  return l->buf_memory + (size_t)buf * RECV_BUFFER_SIZE;
}
size_t loop_buffer_size(void) {
  return RECV_BUFFER_SIZE;
}
unsigned loop_buffers_free(const struct loop *l) {
  return RECV_BUFFERS - l->bufs_out;
}

void loop_buffer_give(struct loop *l, int buf) {
  io_uring_buf_ring_add(l->bufs, loop_buffer(l, buf), RECV_BUFFER_SIZE, (unsigned short)buf,
                        io_uring_buf_ring_mask(RECV_BUFFERS), 0);
  io_uring_buf_ring_advance(l->bufs, 1);
  l->bufs_out--;
}

static int arm(struct loop *l, struct loop_recv *r);

static void recv_done(struct loop *l, struct op *o, int res) {
  struct recv_op *ro = (struct recv_op *)o;
  struct loop_recv *r = ro->r;
  int buf = l->cqe_flags & IORING_CQE_F_BUFFER ? (int)(l->cqe_flags >> IORING_CQE_BUFFER_SHIFT) : -1;
  l->bufs_out += buf >= 0;
  bool more = l->cqe_flags & IORING_CQE_F_MORE;
  if (!more) {
    if (r)
      r->priv = NULL;
    free(ro);
  }
  if (buf >= 0 && (!r || res < 0)) {
    loop_buffer_give(l, buf);
    buf = -1;
  }
  if (!r)
    return;
  /* fn may delete r: what follows for r comes first. */
  if (!more && (res >= 0 || res == -ENETDOWN) && !arm(l, r))
    more = true;
  if (!more) {
    r->waiting = true;
    TAILQ_INSERT_TAIL(&l->starved, r, starved);
    if (res != -ENOBUFS)
      timer_arm(&l->rearm, loop_now() + REARM_NS);
    else
      timer_arm(&l->rearm, loop_now()); /* buffers of this batch of completions are given back by then */
  }
  if (res != -ENOBUFS && res != -ECANCELED)
    r->fn(r, res, buf);
}

static int arm(struct loop *l, struct loop_recv *r) {
  struct recv_op *ro = malloc(sizeof *ro);
  if (!ro)
    return -ENOMEM;
  *ro = (struct recv_op){.op.done = recv_done, .r = r};
  r->priv = ro;
  struct io_uring_sqe *s = loop_get_sqe(l);
  io_uring_prep_recv_multishot(s, r->fd, NULL, 0, 0);
  s->flags |= IOSQE_BUFFER_SELECT;
  s->buf_group = RECV_GROUP;
  io_uring_sqe_set_data(s, &ro->op);
  return 0;
}

static void rearm(struct timer *t) {
  struct loop *l = t->arg;
  struct loop_recv *r;
  while ((r = TAILQ_FIRST(&l->starved))) {
    if (arm(l, r)) {
      timer_arm(t, loop_now() + REARM_NS);
      return;
    }
    TAILQ_REMOVE(&l->starved, r, starved);
    r->waiting = false;
  }
}

static int map_buffers(struct loop *l) {
  if (!l->bufs)
    return -EOPNOTSUPP;
  if (l->buf_memory)
    return 0;
  void *m =
      mmap(NULL, (size_t)RECV_BUFFERS * RECV_BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED)
    return -ENOMEM;
  l->buf_memory = m;
  l->bufs_out = RECV_BUFFERS;
  l->rearm.fn = rearm;
  l->rearm.arg = l;
  for (int i = 0; i < RECV_BUFFERS; i++)
    loop_buffer_give(l, i);
  return 0;
}

int loop_recv_start(struct loop *l, struct loop_recv *r) {
  int rc = map_buffers(l);
  r->waiting = false;
  return rc ? rc : arm(l, r);
}

void loop_recv_del(struct loop *l, struct loop_recv *r) {
  struct recv_op *ro = r->priv;
  if (r->waiting)
    TAILQ_REMOVE(&l->starved, r, starved);
  r->waiting = false;
  if (!ro)
    return;
  ro->r = NULL;
  r->priv = NULL;
  struct io_uring_sqe *s = loop_get_sqe(l);
  io_uring_prep_cancel64(s, (uint64_t)(uintptr_t)&ro->op, 0);
  io_uring_sqe_set_data(s, NULL);
  io_uring_submit(&l->ring); /* before the descriptor's number can mean another file */
}
