/* Programs for the stub: a few operations written into a context's slot, with every host call among them expected. */
#include "internal.h"
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FD_BASE 16
#define FD_PER_FLUSH 4

struct stub_op *prog_op(struct program *g, enum stub_opcode op) {
  struct stub_op *o = &g->ops[g->n < STUB_MAX_OPS ? g->n++ : STUB_MAX_OPS - 1];
  memset(o, 0, sizeof *o);
  o->op = op;
  return o;
}

void prog_expect(struct plat_ctx *c, int nr, const uint64_t a[6]) {
  if (c->nexpect == c->cap_expect) {
    int cap = c->cap_expect ? 2 * c->cap_expect : 4;
    struct expect *e = realloc(c->expect, (size_t)cap * sizeof *e);
    if (!e)
      return; /* the call will not match, and the process dies instead of running it */
    c->expect = e;
    c->cap_expect = cap;
  }
  struct expect *e = &c->expect[c->nexpect++];
  e->nr = nr;
  memcpy(e->a, a, sizeof e->a);
}

static void expect_reset(struct plat_ctx *c) {
  c->nexpect = c->next = 0;
  c->tail_orders = 0;
}

void prog_syscall(struct plat_ctx *c, struct program *g, int nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                  uint64_t a4, uint64_t a5) {
  struct stub_op *o = prog_op(g, STUB_OP_SYSCALL);
  o->nr = nr;
  uint64_t a[6] = {a0, a1, a2, a3, a4, a5};
  memcpy(o->a, a, sizeof a);
  prog_expect(c, nr, a);
}

int prog_send(struct plat_ctx *c, const struct program *g, enum ctx_state then) {
  ssize_t r = ctx_write_slot(c, offsetof(struct stub_slot, ops), g->ops, (size_t)g->n * sizeof g->ops[0]);
  if (r < 0)
    return r == -ESRCH ? -ESRCH : -EFAULT;
  c->state = then;
  c->reported = c->fresh = false;
  return notif_answer(c->p, c->notif, STUB_MORE);
}

/* Waits for a report or the end of c. The result; -ESRCH frees c's remains: the caller must not touch it again. */
int ctx_wait_report(struct plat_ctx *c) {
  c->waiter = fiber_self();
  while (!c->reported && c->state != CTX_GONE)
    fiber_park();
  c->waiter = NULL;
  if (c->state == CTX_GONE) {
    if (!c->as) /* ctx_free() left it to us */
      ctx_free(c);
    return -ESRCH;
  }
  return c->report_result < 0 && c->report_result > -4096 ? (int)c->report_result : 0;
}

int prog_run(struct plat_ctx *c, struct program *g) {
  prog_op(g, STUB_OP_REPORT);
  int r = prog_send(c, g, CTX_ORDERED);
  if (r == -EFAULT) {
    ctx_broke_rules(c, "its slot cannot be written");
    c->state = CTX_ORDERED;
    c->reported = false;
  }
  r = ctx_wait_report(c);
  if (r != -ESRCH)
    expect_reset(c);
  return r;
}

/*
 * From a plain call into the stub: the host signal is sent first, then the call is answered with a rewind; the handler
 * runs before any guest instruction.
 */
int ctx_enter_stub(struct plat_ctx *c) {
  if (c->state == CTX_GONE)
    return -ESRCH;
  if (c->in_stub)
    return 0;
  if (!c->kicked) {
    c->state = CTX_RUNNING;
    plat_interrupt(c);
  }
  c->state = CTX_BOUNCING;
  notif_answer(c->p, c->notif, -512);
  c->waiter = fiber_self();
  while (c->state == CTX_BOUNCING)
    fiber_park();
  c->waiter = NULL;
  if (c->state == CTX_GONE) {
    if (!c->as)
      ctx_free(c);
    return -ESRCH;
  }
  return 0;
}

/* ---- orders ---- */

int plat_order(struct plat_ctx *c, const struct plat_order *o) {
  if (c->state == CTX_GONE)
    return -ESRCH;
  if (c->npending == PENDING_MAX) {
    int r = plat_flush(c);
    if (r < 0)
      return r;
  }
  c->pending[c->npending++] = *o;
  return 0;
}

static void order_regs(const struct plat_order *o, int fd, int *nr, uint64_t a[6]) {
  memset(a, 0, 6 * sizeof *a);
  a[0] = o->addr;
  a[1] = o->len;
  switch (o->kind) {
  case PLAT_MMAP:
    *nr = __NR_mmap;
    a[2] = (unsigned)o->prot;
    a[3] = (unsigned)(o->flags | MAP_FIXED);
    a[4] = (uint64_t)(int64_t)fd;
    a[5] = o->off;
    break;
  case PLAT_MUNMAP:
    *nr = __NR_munmap;
    break;
  case PLAT_MPROTECT:
    *nr = __NR_mprotect;
    a[2] = (unsigned)o->prot;
    break;
  case PLAT_MADVISE:
    *nr = __NR_madvise;
    a[2] = (unsigned)o->advice;
    break;
  case PLAT_RSEQ:
    *nr = __NR_rseq;
    a[3] = o->sig;
    break;
  case PLAT_MREMAP:
    *nr = __NR_mremap;
    a[2] = o->new_len;
    a[3] = (unsigned)o->flags;
    if (o->new_addr != o->addr || (o->flags & MREMAP_DONTUNMAP)) {
      a[3] = (unsigned)(o->flags | MREMAP_FIXED | MREMAP_MAYMOVE);
      a[4] = o->new_addr;
    }
    break;
  }
}

/*
 * The queued orders as operations. Host descriptors are put into the guest's process for the length of the program,
 * under numbers of this thread's own (threads share the table), and closed by its last order.
 */
int ctx_add_pending(struct plat_ctx *c, struct program *g) {
  int host_fd[FD_PER_FLUSH], nfd = 0, base = FD_BASE + (c->slot % 256) * FD_PER_FLUSH;
  for (int i = 0; i < c->npending; i++) {
    const struct plat_order *o = &c->pending[i];
    int number = -1;
    if (o->kind == PLAT_MMAP && o->fd >= 0) {
      int k = 0;
      while (k < nfd && host_fd[k] != o->fd)
        k++;
      if (k == FD_PER_FLUSH)
        return -E2BIG;
      if (k == nfd) {
        int r = notif_addfd(c->p, c->notif, o->fd, base + k);
        if (r < 0)
          return r;
        host_fd[nfd++] = o->fd;
      }
      number = base + k;
    }
    int nr;
    uint64_t a[6];
    order_regs(o, number, &nr, a);
    prog_syscall(c, g, nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  if (nfd)
    prog_syscall(c, g, __NR_close_range, (uint64_t)base, (uint64_t)(base + nfd - 1), 0, 0, 0, 0);
  c->npending = 0;
  return 0;
}

int plat_flush(struct plat_ctx *c) {
  if (!c->npending)
    return c->state == CTX_GONE ? -ESRCH : 0;
  int r = ctx_enter_stub(c);
  if (r < 0)
    return r;
  struct program g = {.n = 0};
  expect_reset(c);
  r = ctx_add_pending(c, &g);
  c->npending = 0;
  c->direct = false;
  return r < 0 ? r : prog_run(c, &g);
}

/* ---- answers ---- */

static bool is_plain_mmap(struct plat_ctx *c, int64_t ret) {
  const struct plat_order *o = &c->pending[0];
  return c->in_stub && c->fresh && c->is_call && c->call.nr == __NR_mmap && c->npending == 1 && o->kind == PLAT_MMAP &&
         o->fd < 0 && (o->flags | MAP_FIXED) == (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE) &&
         o->off == 0 && (uint64_t)ret == o->addr && o->len == ((c->call.arg[1] + 4095) & ~4095ull) &&
         (unsigned)o->prot == (c->call.arg[2] & 7) && c->sets_rax;
}

/* Is the one queued order exactly the call that waits, so that letting it through is all there is to do? */
static bool is_same_call(struct plat_ctx *c, int64_t ret) {
  if (!c->direct || c->npending != 1)
    return false;
  int nr;
  uint64_t a[6];
  order_regs(&c->pending[0], -1, &nr, a);
  if (c->call.nr == __NR_mmap)
    return is_plain_mmap(c, ret) && c->pending[0].addr == c->guessed;
  int used = nr == __NR_munmap ? 2 : nr == __NR_mremap ? (a[3] & MREMAP_FIXED ? 5 : 4) : nr == __NR_rseq ? 4 : 3;
  if (nr != c->call.nr || memcmp(a, c->call.arg, (size_t)used * sizeof *a))
    return false;
  return ret == (nr == __NR_mremap ? (int64_t)c->pending[0].new_addr : 0);
}

/* Back to the guest, with what is queued done on the way. rip_add settles a rewound call. */
static void finish(struct plat_ctx *c, bool set_rax, int64_t ret) {
  if (c->state == CTX_GONE)
    return;
  struct plat *p = c->p;
  if (!c->in_stub && !c->npending) {
    c->state = CTX_RUNNING;
    expect_reset(c);
    notif_answer(p, c->notif, ret);
    return;
  }
  if (ctx_enter_stub(c) < 0)
    return;
  bool rewound = c->rewound && !c->fixed && set_rax;
  if (!c->npending && !rewound && c->sets_rax == set_rax) {
    c->state = CTX_RUNNING;
    expect_reset(c);
    notif_answer(p, c->notif, set_rax ? ret : STUB_KEEP);
    return;
  }
  if (!c->npending && !rewound && !set_rax) {
    c->state = CTX_RUNNING;
    expect_reset(c);
    notif_answer(p, c->notif, STUB_KEEP);
    return;
  }
  expect_reset(c);
  c->tail_orders = c->npending;
  if (set_rax && is_same_call(c, ret)) {
    int nr;
    uint64_t a[6];
    order_regs(&c->pending[0], -1, &nr, a);
    if (nr == __NR_mmap) {
      a[3] |= c->call.arg[3] & STUB_MAP_STACK;
      a[4] = c->call.arg[4]; /* a descriptor of -1 by its lower half: the upper one is whatever the guest left there */
    } else
      memcpy(a, c->call.arg, sizeof a); /* with what is in the registers that the call does not use */
    prog_expect(c, nr, a);              /* for a second notification of the same call */
    c->next = 1;
    c->npending = 0;
    c->state = CTX_RUNNING;
    notif_continue(p, c->notif);
    return;
  }
  if (set_rax && is_plain_mmap(c, ret)) {
    int nr;
    uint64_t a[6];
    order_regs(&c->pending[0], -1, &nr, a);
    prog_expect(c, nr, a);
    c->npending = 0;
    c->state = CTX_RUNNING;
    notif_answer(p, c->notif, ret | 1);
    return;
  }
  struct program g = {.n = 0};
  int r = ctx_add_pending(c, &g);
  if (r < 0) {
    c->npending = 0;
    ret = r;
  }
  struct stub_op *o = prog_op(&g, STUB_OP_END);
  o->a[0] = set_rax && !c->fixed;
  o->a[1] = (uint64_t)ret;
  o->a[2] = rewound ? 2 : 0;
  if (prog_send(c, &g, CTX_RUNNING) == -EFAULT)
    ctx_broke_rules(c, "its slot cannot be written");
}

void plat_return(struct plat_ctx *c, int64_t ret) {
  finish(c, true, ret);
}
void plat_resume(struct plat_ctx *c) {
  finish(c, false, 0);
}

void plat_enter(struct plat_ctx *c, uint64_t ip, uint64_t sp) {
  if (c->state == CTX_GONE)
    return;
  if (c->npending && plat_flush(c) < 0)
    return;
  struct program g = {.n = 0};
  struct stub_op *o = prog_op(&g, STUB_OP_ENTER);
  o->a[0] = ip;
  o->a[1] = sp;
  expect_reset(c);
  if (prog_send(c, &g, CTX_RUNNING) == -EFAULT)
    ctx_broke_rules(c, "its slot cannot be written");
}

int plat_enter_stopped(struct plat_ctx *c, uint64_t ip, uint64_t sp) {
  int r = c->state == CTX_GONE ? -ESRCH : plat_flush(c);
  if (r < 0)
    return r;
  /* The host signal waits, blocked, until the stub's sigreturn opens the mask; then it comes before any instruction. */
  if (!c->kicked) {
    c->state = CTX_RUNNING;
    plat_interrupt(c);
  }
  struct program g = {.n = 0};
  struct stub_op *o = prog_op(&g, STUB_OP_ENTER);
  o->a[0] = ip;
  o->a[1] = sp;
  expect_reset(c);
  if (prog_send(c, &g, CTX_BOUNCING) == -EFAULT)
    ctx_broke_rules(c, "its slot cannot be written");
  c->waiter = fiber_self();
  while (c->state == CTX_BOUNCING)
    fiber_park();
  c->waiter = NULL;
  if (c->state == CTX_GONE) {
    if (!c->as)
      ctx_free(c);
    return -ESRCH;
  }
  c->is_call = c->rewound = false;
  c->fixed = true;
  return 0;
}

void plat_exit(struct plat_ctx *c) {
  struct host_proc *h = c->proc;
  if (c->state == CTX_GONE || !h || h->nctx <= 1) {
    plat_kill(c);
    return;
  }
  if (c->tid == h->pid) {
    ctx_uncount(c);
    c->state = CTX_PARKED;
    c->task = NULL;
    return;
  }
  if (c->direct && c->call.nr == __NR_exit) {
    notif_continue(c->p, c->notif);
  } else {
    if (ctx_enter_stub(c) < 0)
      return;
    struct program g = {.n = 0};
    expect_reset(c);
    struct stub_op *o = prog_op(&g, STUB_OP_SYSCALL);
    o->nr = __NR_exit;
    prog_expect(c, __NR_exit, o->a);
    c->task = NULL;
    if (prog_send(c, &g, CTX_ORDERED) < 0)
      plat_kill(c);
    else
      c->exiting = true; /* freed when the call is let through */
    return;
  }
  ctx_free(c);
}
