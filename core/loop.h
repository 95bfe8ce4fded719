/*
 * The event loop: one io_uring that everything which waits goes through. Single thread.
 *
 * Two ways to use it. Callbacks (loop_poll_add, timer_*): run on the loop's own stack and must not park. Calls
 * (loop_read and its relatives): park the current fiber until the host has done the work; they are not interruptible
 * unless said so, because a request already handed to the host cannot be taken back without racing with it.
 */
#pragma once
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct loop;

/* Creates the ring, with its restrictions (only the opcodes this file uses) already enforced. NULL and errno. */
struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Serve events until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* The one loop of this thread (set by loop_new). */
struct loop *loop_current(void);

/* CLOCK_MONOTONIC in ns. Read once per loop turn; loop_now_exact() asks the clock. */
int64_t loop_now(void);
int64_t loop_now_exact(void);

/* ---- polling host descriptors ---- */
struct loop_poll {
  int fd;
  uint32_t events;
  void (*fn)(struct loop_poll *p, uint32_t revents); /* on the loop's stack */
  void *arg;
  void *priv; /* the loop's */
};
/* One-shot: after fn ran, loop_poll_arm() again for more. p must stay valid until it fired or was removed. */
int loop_poll_arm(struct loop *l, struct loop_poll *p);
void loop_poll_del(struct loop *l, struct loop_poll *p); /* after this p may be freed */

/*
 * The one descriptor that nearly every event comes from. It is waited for with poll(2), beside the ring: a wake-up that
 * asks to stay on the waker's CPU (seccomp's SYNC_WAKE_UP) reaches a poller as such, but is lost on its way through the
 * ring, and a hand-over between CPUs costs ten times as much. fn runs on the loop's stack.
 */
void loop_set_hot(struct loop *l, int fd, void (*fn)(void *arg, short revents), void *arg);

/* Called when a turn ends, before the loop waits; true: there may be more, so do not wait for long. It may wake fibers;
 * they run first. NULL: none. */
void loop_set_turn_end(struct loop *l, bool (*fn)(void *arg), void *arg);

/*
 * What a turn has to hand to the host (frames, say) and what is cheaper in larger batches: while the hot descriptor has
 * something already, some turns more come first, for tens of microseconds at the most. NULL: none.
 */
struct loop_flush {
  enum loop_flush_due { FLUSH_NONE, FLUSH_MAY_WAIT, FLUSH_NOW } (*due)(void *arg);
  bool (*flush)(void *arg); /* true: a turn has to follow */
  void *arg;
};
void loop_set_flush(struct loop *l, const struct loop_flush *f);

/* ---- receiving messages as they come: core/loop_recv.c ---- */
/*
 * The host puts each message into one of a few buffers that all receivers of the loop share. fn is told of it, on the
 * loop's stack, and the buffer is fn's until it is given back; most are best copied and given back at once. When there
 * are none, messages wait in the socket.
 */
struct loop_recv {
  int fd;
  void (*fn)(struct loop_recv *r, int res, int buf); /* res: bytes in loop_buffer(buf), or -errno (buf is -1) */
  void *arg;
  void *priv; /* the loop's */
  TAILQ_ENTRY(loop_recv) starved;
  bool waiting;
};
/* -ENOMEM, -EOPNOTSUPP (the host is older than Linux 6.0). Goes on until it is deleted; errors are told, and receiving
 * is tried again, at once after ENETDOWN, which comes once when a link goes down, else after a while. */
int loop_recv_start(struct loop *l, struct loop_recv *r);
void loop_recv_del(struct loop *l, struct loop_recv *r); /* after this r may be freed, the descriptor closed */
uint8_t *loop_buffer(struct loop *l, int buf);
size_t loop_buffer_size(void);
unsigned loop_buffers_free(const struct loop *l); /* that are not out */
void loop_buffer_give(struct loop *l, int buf);

/* ---- timers ---- */
struct timer {
  RB_ENTRY(timer) link;
  int64_t deadline; /* CLOCK_MONOTONIC ns */
  void (*fn)(struct timer *t);
  void *arg;
  bool armed;
};
void timer_arm(struct timer *t, int64_t deadline); /* moves it if it is armed */
void timer_disarm(struct timer *t);

/* ---- host I/O that parks the calling fiber ---- */
/* Results as the system calls': a count, or -errno. off -1 means the descriptor's own position (pipes, sockets). */
ssize_t loop_readv(int fd, const struct iovec *iov, int n, off_t off);
ssize_t loop_writev(int fd, const struct iovec *iov, int n, off_t off);
ssize_t loop_appendv(int fd, const struct iovec *iov,
                     int n); /* at the end of the file, whatever others append: RWF_APPEND */
ssize_t loop_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t loop_recvmsg(int fd, struct msghdr *m, int flags);
int loop_fsync(int fd, bool datasync);
int loop_fallocate(int fd, int mode, off_t off, off_t len);
/* Wait until fd has one of `events` (EPOLL* bits); the fired bits, -ERESTARTSYS on a signal, or -errno. */
int loop_wait_fd(int fd, uint32_t events);
