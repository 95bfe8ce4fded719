/* The loop's inside, for loop.c and loop_recv.c. */
#pragma once
#include "loop.h"
#include <liburing.h>
#include <sys/queue.h>

#define RING_ENTRIES 256
#define RECV_BUFFERS 32        /* 256 were 1.4 times slower */
#define RECV_BUFFER_SIZE 67584 /* a virtio_net_hdr and 65,549 bytes of frame, in whole pages */
#define RECV_GROUP 0

/* What a completion leads to. user_data points to one; those of polls are pooled and outlive their loop_poll. */
struct op {
  void (*done)(struct loop *l, struct op *o, int res);
  struct fiber *fiber;
  int res;
  bool finished;
};
struct poll_op {
  struct op op;
  struct loop_poll *p; /* NULL once removed */
  LIST_ENTRY(poll_op) link;
};
LIST_HEAD(poll_list, poll_op);

RB_HEAD(timer_tree, timer);

struct loop {
  struct io_uring ring;
  struct timer_tree timers;
  struct poll_list armed_polls, free_polls;
  int nfree_polls;
  int64_t now;
  bool stop;
  int hot_fd;
  void (*hot_fn)(void *arg, short revents);
  void *hot_arg;
  bool (*turn_end)(void *arg);
  void *turn_arg;
  struct loop_flush flush;
  unsigned late_turns; /* that a flush has waited for */
  int64_t late_since;
  uint32_t cqe_flags;              /* of the completion that `done` is told of */
  struct io_uring_buf_ring *bufs;  /* registered with the ring; NULL: the host has none (Linux before 5.19) */
  uint8_t *buf_memory;             /* mapped when the first receiver comes */
  unsigned bufs_out;               /* told to a receiver and not given back */
  TAILQ_HEAD(, loop_recv) starved; /* receivers that wait for buffers or for better times */
  struct timer rearm;
};

struct io_uring_sqe *loop_get_sqe(struct loop *l);

/* ---- loop_recv.c ---- */
void recv_setup(struct loop *l); /* before the ring's restrictions apply */
void recv_cleanup(struct loop *l);
