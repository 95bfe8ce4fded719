#include "loop_impl.h"
#include "errno.h"
#include "fiber.h"
#include "task.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define FREE_POLLS_MAX 256

static __thread struct loop *current_loop;

static int timer_cmp(const struct timer *a, const struct timer *b) {
  if (a->deadline != b->deadline)
    return a->deadline < b->deadline ? -1 : 1;
  return a < b ? -1 : a > b;
}
RB_PROTOTYPE_INTERNAL(timer_tree, timer, link, timer_cmp, static __attribute__((unused)))
RB_GENERATE_INTERNAL(timer_tree, timer, link, timer_cmp, static __attribute__((unused)))

struct loop *loop_current(void) {
  return current_loop;
}

int64_t loop_now_exact(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t loop_now(void) {
  return current_loop && current_loop->now ? current_loop->now : loop_now_exact();
}

/*
 * io_uring does not pass through seccomp, so the ring itself is confined to the opcodes that this file submits:
 * everything here works on descriptors that the Sentry holds already; nothing opens, connects or executes.
 */
static int restrict_ring(struct io_uring *ring) {
  static const uint8_t allowed[] = {IORING_OP_NOP,          IORING_OP_READV,       IORING_OP_WRITEV,  IORING_OP_FSYNC,
                                    IORING_OP_POLL_ADD,     IORING_OP_POLL_REMOVE, IORING_OP_SENDMSG, IORING_OP_RECVMSG,
                                    IORING_OP_ASYNC_CANCEL, IORING_OP_FALLOCATE,   IORING_OP_RECV};
  struct io_uring_restriction r[sizeof allowed + 1];
  memset(r, 0, sizeof r);
  unsigned n = 0;
  for (unsigned i = 0; i < sizeof allowed; i++)
    r[n++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = allowed[i]};
  r[n++] =
      (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_BUFFER_SELECT};
  int rc = io_uring_register_restrictions(ring, r, n);
  return rc < 0 ? rc : io_uring_enable_rings(ring);
}

static int open_ring(struct loop *l) {
  struct io_uring *ring = &l->ring;
  /* Not DEFER_TASKRUN (Linux 6.1): its completions wake only io_uring_enter, and wait_hot() sleeps in poll(2). */
  static const unsigned flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, /* Linux 6.0 */
                                   IORING_SETUP_COOP_TASKRUN, 0};
  int rc = -EINVAL;
  for (unsigned i = 0; i < sizeof flags / sizeof *flags && rc == -EINVAL; i++) {
    struct io_uring_params p = {.flags = flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
                                .cq_entries = 16 * RING_ENTRIES};
    rc = io_uring_queue_init_params(RING_ENTRIES, ring, &p);
  }
  if (rc < 0)
    return rc;
  recv_setup(l);
  rc = restrict_ring(ring);
  if (rc < 0)
    io_uring_queue_exit(ring);
  return rc;
}

struct loop *loop_new(void) {
  struct loop *l = calloc(1, sizeof *l);
  if (!l)
    return NULL;
  RB_INIT(&l->timers);
  l->hot_fd = -1;
  int rc = open_ring(l);
  if (rc < 0) {
    free(l);
    errno = -rc;
    return NULL;
  }
  current_loop = l;
  return l;
}

static void free_polls(struct poll_list *list) {
  struct poll_op *o;
  while ((o = LIST_FIRST(list))) {
    LIST_REMOVE(o, link);
    free(o);
  }
}

void loop_free(struct loop *l) {
  if (!l)
    return;
  io_uring_queue_exit(&l->ring);
  recv_cleanup(l);
  free_polls(&l->armed_polls);
  free_polls(&l->free_polls);
  if (current_loop == l)
    current_loop = NULL;
  free(l);
}

void loop_stop(struct loop *l) {
  l->stop = true;
}

struct io_uring_sqe *loop_get_sqe(struct loop *l) {
  struct io_uring_sqe *s;
  while (!(s = io_uring_get_sqe(&l->ring)))
    io_uring_submit(&l->ring);
  return s;
}

static void run_timers(struct loop *l) {
  struct timer *t;
  while ((t = RB_MIN(timer_tree, &l->timers)) && t->deadline <= l->now) {
    RB_REMOVE(timer_tree, &l->timers, t);
    t->armed = false;
    t->fn(t);
  }
}

void loop_set_hot(struct loop *l, int fd, void (*fn)(void *arg, short revents), void *arg) {
  l->hot_fd = fd;
  l->hot_fn = fn;
  l->hot_arg = arg;
}

void loop_set_turn_end(struct loop *l, bool (*fn)(void *arg), void *arg) {
  l->turn_end = fn;
  l->turn_arg = arg;
}

/* What one turn causes in the next may cause more, for ever: events from outside get their chance in between. */
#define TURN_END_ROUNDS 4
static bool end_turn(struct loop *l) {
  for (int i = 0; l->turn_end && i < TURN_END_ROUNDS; i++) {
    if (!l->turn_end(l->turn_arg))
      return false;
    fiber_run_queue();
  }
  return l->turn_end != NULL;
}

/* How many of the two have something. */
static int wait_hot(struct loop *l, const struct timespec *timeout) {
  if (io_uring_sq_ready(&l->ring))
    io_uring_submit(&l->ring);
  struct pollfd p[2] = {{.fd = l->ring.ring_fd, .events = POLLIN}, {.fd = l->hot_fd, .events = POLLIN}};
  int n = ppoll(p, 2, timeout, NULL);
  l->now = loop_now_exact();
  if (n <= 0)
    return 0;
  if (p[0].revents)
    io_uring_get_events(&l->ring);
  if (p[1].revents)
    l->hot_fn(l->hot_arg, p[1].revents);
  return n;
}

static void wait_events(struct loop *l, bool busy) {
  struct io_uring_cqe *cqe;
  struct timer *t = RB_MIN(timer_tree, &l->timers);
  int64_t left = t ? t->deadline - l->now : 0;
  if (left < 0 || busy)
    left = 0;
  struct __kernel_timespec kts = {left / 1000000000, left % 1000000000};
  struct timespec ts = {kts.tv_sec, kts.tv_nsec};
  if (l->hot_fd >= 0)
    (void)wait_hot(l, t || busy ? &ts : NULL);
  else if (t || busy)
    io_uring_submit_and_wait_timeout(&l->ring, &cqe, 1, &kts, NULL);
  else
    io_uring_submit_and_wait(&l->ring, 1);
  if (l->hot_fd < 0)
    l->now = loop_now_exact();
}

static void reap_completions(struct loop *l) {
  struct io_uring_cqe *cqe;
  while (io_uring_peek_cqe(&l->ring, &cqe) == 0) {
    struct op *o = io_uring_cqe_get_data(cqe);
    int res = cqe->res;
    l->cqe_flags = cqe->flags;
    io_uring_cqe_seen(&l->ring, cqe);
    if (o)
      o->done(l, o, res);
    fiber_run_queue();
  }
}

void loop_set_flush(struct loop *l, const struct loop_flush *f) {
  l->flush = f ? *f : (struct loop_flush){0};
}

#define LATE_TURNS 8
#define LATE_NS 60000
/* True: there was more to do, what is to be flushed waits for it. */
static bool flush_later(struct loop *l) {
  static const struct timespec zero;
  if (!l->late_turns)
    l->late_since = l->now;
  if (l->hot_fd < 0 || l->late_turns >= LATE_TURNS || l->now - l->late_since > LATE_NS || !wait_hot(l, &zero))
    return false;
  l->late_turns++;
  reap_completions(l);
  return true;
}

void loop_run(struct loop *l) {
  l->now = loop_now_exact();
  while (!l->stop) {
    fiber_run_queue();
    run_timers(l);
    fiber_run_queue();
    bool busy = end_turn(l);
    if (l->stop)
      break;
    enum loop_flush_due due = l->flush.due ? l->flush.due(l->flush.arg) : FLUSH_NONE;
    if (due == FLUSH_MAY_WAIT && !busy && flush_later(l))
      continue;
    l->late_turns = 0;
    if (due && l->flush.flush(l->flush.arg))
      busy = true;
    wait_events(l, busy);
    reap_completions(l);
  }
  l->stop = false;
}

/* ---- polls ---- */

static void poll_done(struct loop *l, struct op *o, int res) {
  struct poll_op *po = (struct poll_op *)o;
  struct loop_poll *p = po->p;
  LIST_REMOVE(po, link);
  if (l->nfree_polls < FREE_POLLS_MAX) {
    LIST_INSERT_HEAD(&l->free_polls, po, link);
    l->nfree_polls++;
  } else {
    free(po);
  }
  if (!p)
    return;
  p->priv = NULL;
  p->fn(p, res < 0 ? EPOLLERR : (uint32_t)res);
}

int loop_poll_arm(struct loop *l, struct loop_poll *p) {
  if (p->priv)
    return 0;
  struct poll_op *po = LIST_FIRST(&l->free_polls);
  if (po) {
    LIST_REMOVE(po, link);
    l->nfree_polls--;
  } else if (!(po = malloc(sizeof *po))) {
    return -ENOMEM;
  }
  *po = (struct poll_op){.op.done = poll_done, .p = p};
  LIST_INSERT_HEAD(&l->armed_polls, po, link);
  p->priv = po;
  struct io_uring_sqe *s = loop_get_sqe(l);
  io_uring_prep_poll_add(s, p->fd, p->events);
  io_uring_sqe_set_data(s, &po->op);
  return 0;
}

void loop_poll_del(struct loop *l, struct loop_poll *p) {
  struct poll_op *po = p->priv;
  if (!po)
    return;
  po->p = NULL;
  p->priv = NULL;
  struct io_uring_sqe *s = loop_get_sqe(l);
  io_uring_prep_poll_remove(s, (uint64_t)(uintptr_t)&po->op);
  io_uring_sqe_set_data(s, NULL);
  /* The descriptor may be closed next: the removal must reach the host first, or the number could mean another file. */
  io_uring_submit(&l->ring);
}

/* ---- timers ---- */

void timer_arm(struct timer *t, int64_t deadline) {
  timer_disarm(t);
  t->deadline = deadline;
  t->armed = true;
  RB_INSERT(timer_tree, &current_loop->timers, t);
}

void timer_disarm(struct timer *t) {
  if (!t->armed)
    return;
  RB_REMOVE(timer_tree, &current_loop->timers, t);
  t->armed = false;
}

/* ---- calls that park ---- */

static void call_done(struct loop *l, struct op *o, int res) {
  (void)l;
  o->res = res;
  o->finished = true;
  fiber_wake(o->fiber);
}

/* The buffers live on the caller's stack, so the fiber stays until the host has finished, whatever wakes it. */
static int call_wait(struct io_uring_sqe *s) {
  struct op o = {.done = call_done, .fiber = fiber_self()};
  io_uring_sqe_set_data(s, &o);
  while (!o.finished)
    fiber_park();
  return o.res;
}

ssize_t loop_readv(int fd, const struct iovec *iov, int n, off_t off) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_readv(s, fd, iov, n, off);
  return call_wait(s);
}

ssize_t loop_writev(int fd, const struct iovec *iov, int n, off_t off) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_writev(s, fd, iov, n, off);
  return call_wait(s);
}

ssize_t loop_appendv(int fd, const struct iovec *iov, int n) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_writev2(s, fd, iov, (unsigned)n, 0, RWF_APPEND);
  return call_wait(s);
}

ssize_t loop_sendmsg(int fd, const struct msghdr *m, int flags) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_sendmsg(s, fd, m, flags);
  return call_wait(s);
}

ssize_t loop_recvmsg(int fd, struct msghdr *m, int flags) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_recvmsg(s, fd, m, flags);
  return call_wait(s);
}

int loop_fsync(int fd, bool datasync) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_fsync(s, fd, datasync ? IORING_FSYNC_DATASYNC : 0);
  return call_wait(s);
}

int loop_fallocate(int fd, int mode, off_t off, off_t len) {
  struct io_uring_sqe *s = loop_get_sqe(current_loop);
  io_uring_prep_fallocate(s, fd, mode, off, len);
  return call_wait(s);
}

struct fd_wait {
  struct loop_poll p;
  struct fiber *fiber;
  uint32_t revents;
};

static void fd_wait_fired(struct loop_poll *p, uint32_t revents) {
  struct fd_wait *w = p->arg;
  w->revents = revents;
  fiber_wake(w->fiber);
}

int loop_wait_fd(int fd, uint32_t events) {
  struct fd_wait w = {.fiber = fiber_self()};
  w.p = (struct loop_poll){.fd = fd, .events = events, .fn = fd_wait_fired, .arg = &w};
  int rc = loop_poll_arm(current_loop, &w.p);
  if (rc < 0)
    return rc;
  while (!w.revents) {
    rc = task_park(NO_DEADLINE);
    if (rc < 0 && !w.revents) {
      loop_poll_del(current_loop, &w.p);
      return rc;
    }
  }
  return (int)w.revents;
}
