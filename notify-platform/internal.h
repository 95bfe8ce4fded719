/* State of the notify platform, shared by its files only. */
#pragma once
#include "../core/fiber.h"
#include "../core/loop.h"
#include "../core/platform.h"
#include "../core/ref.h"
#include "../core/wait.h"
#include "stub/stub_abi.h"
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CTX_BUCKETS 512
#define POOL_SIZE 3
#define PENDING_MAX 16

enum ctx_state {
  CTX_BORN,     /* ordered, not yet registered */
  CTX_RUNNING,  /* in guest code, or on the way back to it */
  CTX_STOPPED,  /* at a notification that waits for our answer */
  CTX_BOUNCING, /* stopped in a plain call; on its way into the stub */
  CTX_ORDERED,  /* carrying out a program; a fiber waits for the report */
  CTX_PARKED,   /* a leader that has exited: never answered again */
  CTX_GONE,     /* its host process is dead or dying */
};

struct expect { /* one ordered host call: let through only if number and all six registers are these */
  int nr;
  uint64_t a[6];
};

/* A host process. Several contexts (threads) run in one; several may share one address space (vfork). */
struct host_proc {
  int pid;
  int pidfd;
  struct plat_as *as;
  struct loop_poll poll;
  LIST_HEAD(, plat_ctx) ctxs;
  int nctx; /* not counting a parked leader */
  LIST_ENTRY(host_proc) as_link;
  int look[PLAT_LOOKS]; /* descriptors of the host's /proc/PID; 0: not opened */
};

struct plat_as {
  ref_t ref;
  LIST_HEAD(, host_proc) procs;
  int nctx;
  uint64_t slots[STUB_SLOTS / 64]; /* used ones */
};

struct plat_ctx {
  LIST_ENTRY(plat_ctx) hash_link, proc_link;
  TAILQ_ENTRY(plat_ctx) list_link; /* births or pool */
  TAILQ_ENTRY(plat_ctx) kick_link;
  struct plat *p;
  struct plat_as *as;     /* counted */
  struct host_proc *proc; /* NULL once gone */
  void *task;
  int tid, slot;
  bool counted; /* in as->nctx and proc->nctx: not yet gone or parked */
  enum ctx_state state;

  uint64_t notif; /* the notification to answer, when stopped */
  bool in_stub;   /* it came from the stub */
  bool is_call;   /* the event is a system call */
  bool direct;    /* in_stub, and the notification itself is the host call */
  bool sets_rax;  /* the stub will put our plain answer into RAX */
  bool rewound;   /* RIP is back at the syscall instruction and RAX holds the number */
  bool fresh;     /* the notification that waits is the one of the event itself: the stub has done nothing since */
  bool fixed;     /* RAX and RIP of the interrupted call were settled by a pushed frame */
  bool usage_told; /* the slot's scratch area holds what getrusage gave just before the call */
  struct plat_call call;
  uint64_t guessed; /* direct mmap: the address that the stub proposes */

  struct plat_order pending[PENDING_MAX];
  int npending;

  struct expect *expect;
  int nexpect, next, cap_expect;
  int tail_orders; /* of the orders in flight behind an answer: how many, for failure reports */

  struct fiber *waiter;
  bool reported;
  bool exiting; /* told to exit: gone once that call is let through */
  int64_t report_ops, report_result, report_extra;

  bool kicked;
  int64_t kick_deadline;
  uint64_t token;
};

struct plat {
  struct plat_callbacks cb;
  struct plat_layout layout;
  uint64_t slots, text, syscall_ret;
  int listener;
  LIST_HEAD(, plat_ctx) by_tid[CTX_BUCKETS];
  TAILQ_HEAD(ctx_list, plat_ctx) births, pool;
  TAILQ_HEAD(, plat_ctx) kicked;
  struct plat_ctx *zygote;
  bool zygote_busy;
  int npool;
  struct waitq pool_wq;
  struct timer watchdog;
};

/* context.c */
struct plat_ctx *ctx_new(struct plat *p, struct plat_as *as, int slot);
void ctx_uncount(struct plat_ctx *c);
void ctx_free(struct plat_ctx *c);
struct plat_ctx *ctx_find(struct plat *p, int tid);
void ctx_bind(struct plat_ctx *c, int tid); /* now known by this host tid */
struct plat_as *as_new(void);
int as_take_slot(struct plat_as *as); /* -EAGAIN when all are used */
struct host_proc *proc_new(struct plat_as *as);
int proc_watch(struct plat *p, struct host_proc *h, int pid);
void proc_attach(struct host_proc *h, struct plat_ctx *c);
uint64_t ctx_slot_addr(const struct plat_ctx *c);
void ctx_stopped(struct plat_ctx *c, uint64_t id, bool in_stub);
void ctx_broke_rules(struct plat_ctx *c, const char *what); /* kill its process */

/* listener.c */
void plat_dispatch(struct plat *p, const struct seccomp_notif *n);
int notif_answer(struct plat *p, uint64_t id, int64_t ret);
int notif_continue(struct plat *p, uint64_t id);
int notif_addfd(struct plat *p, uint64_t id, int fd, int number);
void listener_ready(void *plat, short revents);

/* program.c: what the stub is told to do */
struct program {
  struct stub_op ops[STUB_MAX_OPS];
  int n;
};
struct stub_op *prog_op(struct program *g, enum stub_opcode op);
void prog_expect(struct plat_ctx *c, int nr, const uint64_t a[6]);
void prog_syscall(struct plat_ctx *c, struct program *g, int nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                  uint64_t a4, uint64_t a5);
int prog_send(struct plat_ctx *c, const struct program *g, enum ctx_state then);
int prog_run(struct plat_ctx *c, struct program *g); /* adds a report, sends, waits. 0 or -errno. Parks */
int ctx_wait_report(struct plat_ctx *c);
int ctx_enter_stub(struct plat_ctx *c);                     /* parks if it is stopped in a plain call */
int ctx_add_pending(struct plat_ctx *c, struct program *g); /* the queued orders, as ops */

/* zygote.c */
void pool_refill(struct plat *p);
void zygote_reported(struct plat *p);
void ctx_registered(struct plat_ctx *c, int tid, uint64_t id);
int raw_tgkill(int tgid, int tid, int sig);

/* guestmem.c */
ssize_t ctx_write_slot(struct plat_ctx *c, uint64_t off, const void *src, size_t n);
ssize_t ctx_read_slot(struct plat_ctx *c, uint64_t off, void *dst, size_t n);

#define HOST_KICK_SIGNAL 10 /* SIGUSR1: guests never get host signals of their own */
